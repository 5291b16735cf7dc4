"""`read_photo` against known colours, every orientation, and files that lie; `find_photos` and `output_stems`."""

import io
import os
import random
import struct
import subprocess
import sys
import warnings
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from hdrdata.photos.finding import find_photos, output_stems
from hdrdata.photos.photo import read_photo

D65 = (0.3127, 0.3290, 1.0)
P3_PRIMARIES = (0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0)
GAMMA = 2.2
# SMPTE EG 432-1 and BT.709 primaries through XYZ: linear Display P3 to linear sRGB, as CSS Color 4 prints it
P3_TO_SRGB = np.array(
    [
        [1.2249401763, -0.2249401763, 0.0],
        [-0.0420569547, 1.0420569547, 0.0],
        [-0.0196375546, -0.0786360456, 1.0982736001],
    ]
)
SUFFIXES = ("jpg", "png", "tif", "webp")
LOSSLESS = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}


def p3_profile() -> bytes:
    return imagecodecs.cms_profile("rgb", whitepoint=D65, primaries=P3_PRIMARIES, gamma=GAMMA)


def encode_srgb(linear):
    """IEC 61966-2-1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def corners() -> np.ndarray:
    """Blocks of red, green, blue and white on 24x16 pixels: every turn of it is another picture."""
    ldr = np.zeros((16, 24, 3), np.uint8)
    ldr[:8, :8], ldr[:8, 16:], ldr[8:, :8], ldr[8:, 16:] = (250, 10, 10), (10, 250, 10), (10, 10, 250), 250
    return ldr


def noise(height=24, width=40, dtype=np.uint8, channels=3) -> np.ndarray:
    generator = np.random.default_rng(5)
    shape = (height, width, channels) if channels > 1 else (height, width)
    return generator.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def save(path, picture, mode=None, **options):
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, **LOSSLESS.get(path.suffix[1:], {}), **options)
    return path


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_with(png: bytes, name: bytes, data: bytes, behind: bool = False) -> bytes:
    """A PNG with one chunk more, behind the header or behind the pixels."""
    place = len(png) - 12 if behind else 33
    return png[:place] + png_chunk(name, data) + png[place:]


def png_bytes(picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def jpeg_bytes(picture, **options) -> bytes:
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, "JPEG", **options)
    return file.getvalue()


def orientation_exif(value) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif


def stored_for(upright, orientation):
    """What a camera stores of an upright picture, pixel by pixel from where EXIF says that row 0 and column 0 are."""
    height, width = upright.shape[:2]
    places = {  # of the stored row y and column x, in the upright picture: row, column
        1: lambda y, x: (y, x),
        2: lambda y, x: (y, width - 1 - x),
        3: lambda y, x: (height - 1 - y, width - 1 - x),
        4: lambda y, x: (height - 1 - y, x),
        5: lambda y, x: (x, y),
        6: lambda y, x: (x, width - 1 - y),  # the 0th row is the visual right side, the 0th column the visual top
        7: lambda y, x: (height - 1 - x, width - 1 - y),
        8: lambda y, x: (height - 1 - x, y),
    }
    tall, wide = (width, height) if orientation >= 5 else (height, width)
    rows, columns = places[orientation](*np.mgrid[:tall, :wide])
    return np.ascontiguousarray(upright[rows, columns])


def refused(path, *reasons):
    with pytest.raises((ValueError, OSError)) as caught:
        read_photo(path)
    message = str(caught.value)
    assert "\n" not in message and path.name in message
    for reason in reasons:
        assert reason in message
    return message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_ordinary_picture_comes_as_it_is_without_a_note(tmp_path, suffix):
    photo = read_photo(save(tmp_path / f"photo.{suffix}", corners()))
    assert photo.ldr.dtype == np.uint8 and photo.ldr.flags.c_contiguous and photo.notes == ()
    assert np.abs(photo.ldr.astype(int) - corners()).max() <= (
        3 if suffix == "jpg" else 0
    )  # blocks of 8: only rounding


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_format_is_known_by_content_and_a_name_may_have_spaces_and_any_letters(tmp_path, suffix):
    save(tmp_path / f"x.{suffix}", corners())
    path = (tmp_path / f"x.{suffix}").rename(tmp_path / "Übung 写真 1.dat")
    assert read_photo(path).ldr.shape == (16, 24, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_orientation_comes_upright_once(tmp_path, suffix, orientation):
    stored = stored_for(corners(), orientation)
    photo = read_photo(save(tmp_path / f"photo.{suffix}", stored, exif=orientation_exif(orientation)))
    assert photo.ldr.shape == (16, 24, 3) and photo.ldr.flags.c_contiguous
    assert np.abs(photo.ldr.astype(int) - corners()).max() <= 3
    assert photo.notes == ((f"turned by its EXIF orientation {orientation}",) if orientation > 1 else ())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "png behind the pixels", "tif", "tif compressed"])
def test_every_orientation_of_16_bits_comes_upright_once(tmp_path, suffix, orientation):
    upright = noise(dtype=np.uint16)
    stored = stored_for(upright, orientation)
    path = tmp_path / "photo.dat"
    if suffix.startswith("png"):
        exif = orientation_exif(orientation).tobytes().removeprefix(b"Exif\0\0")
        path.write_bytes(png_with(imagecodecs.png_encode(stored), b"eXIf", exif, behind="behind" in suffix))
    else:
        options = {"compression": "deflate"} if "compressed" in suffix else {}
        tifffile.imwrite(path, stored, photometric="rgb", extratags=[(274, 3, 1, orientation, True)], **options)
    photo = read_photo(path)
    assert photo.ldr.dtype == np.uint16 and photo.ldr.flags.c_contiguous
    np.testing.assert_array_equal(photo.ldr, upright)
    assert photo.notes == ((f"turned by its EXIF orientation {orientation}",) if orientation > 1 else ())


def test_an_orientation_that_is_none_turns_nothing(tmp_path):
    for value in (0, 9, 77):
        photo = read_photo(save(tmp_path / "photo.png", corners(), exif=orientation_exif(value)))
        np.testing.assert_array_equal(photo.ldr, corners())


@pytest.mark.parametrize("options", [{}, {"compression": "lzw", "predictor": True}, {"tile": (16, 16)},
                                     {"byteorder": ">"}, {"planarconfig": "separate"}, {"bigtiff": True}])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_of_every_layout_keeps_every_value(tmp_path, options, dtype):
    ldr = noise(dtype=dtype)
    stored = np.moveaxis(ldr, 2, 0) if "planarconfig" in options else ldr
    tifffile.imwrite(tmp_path / "photo.tif", stored, photometric="rgb", **options)
    photo = read_photo(tmp_path / "photo.tif")
    assert photo.ldr.dtype == dtype
    np.testing.assert_array_equal(photo.ldr, ldr)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["png", "tif", "tif, 0 is white"])
def test_grey_is_thrice_the_same_and_said(tmp_path, suffix, dtype):
    grey, path = noise(dtype=dtype, channels=1), tmp_path / "photo.dat"
    if suffix == "png":
        path.write_bytes(imagecodecs.png_encode(grey))
    else:
        white = "white" in suffix
        tifffile.imwrite(path, ~grey if white else grey, photometric="miniswhite" if white else "minisblack")
    photo = read_photo(path)
    assert photo.ldr.dtype == dtype and photo.notes == ("grey",)
    np.testing.assert_array_equal(photo.ldr, np.repeat(grey[:, :, None], 3, axis=2))


def test_one_bit_and_palette_pictures_have_their_colours(tmp_path):
    bits = np.arange(24 * 16).reshape(16, 24) % 3 == 0
    photo = read_photo(save(tmp_path / "bits.png", Image.fromarray(bits)))
    np.testing.assert_array_equal(photo.ldr, np.where(bits, 255, 0)[:, :, None].repeat(3, axis=2))
    palette = Image.fromarray(corners()).quantize(8)
    for suffix in ("png", "tif"):
        photo = read_photo(save(tmp_path / f"palette.{suffix}", palette))
        np.testing.assert_array_equal(photo.ldr, np.asarray(palette.convert("RGB")))
        assert np.abs(photo.ldr.astype(int) - corners()).max() <= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix, channels", [("png", 2), ("png", 4), ("tif", 4)])
def test_opaque_alpha_is_left_out_and_clear_pixels_show_the_background(tmp_path, suffix, dtype, channels):
    ldr = noise(dtype=dtype, channels=channels)
    ldr[:, :, -1] = np.iinfo(dtype).max

    def write(name):
        if suffix == "png":
            (tmp_path / name).write_bytes(imagecodecs.png_encode(ldr))
        else:
            colours = "rgb" if channels == 4 else "minisblack"
            tifffile.imwrite(
                tmp_path / name, ldr, photometric=colours, extrasamples=["unassalpha"], planarconfig="contig"
            )
        return tmp_path / name

    photo = read_photo(write("opaque.dat"))
    np.testing.assert_array_equal(photo.ldr, np.broadcast_to(ldr[:, :, :-1], photo.ldr.shape))
    assert "an opaque alpha channel left out" in photo.notes
    ldr[20, 30, -1] -= 1  # the least that shows through
    ldr[21, 31, -1] = 0
    for background, ground in (("black", 0), ("white", np.iinfo(dtype).max)):
        over = read_photo(write("clear.dat"), background=background)
        assert f"2 transparent pixels laid over {background}" in over.notes
        share = ldr[:, :, -1:] / np.iinfo(dtype).max  # Porter and Duff, of the codes as browsers do
        expected = np.broadcast_to(np.rint(ldr[:, :, :-1] * share + ground * (1 - share)), over.ldr.shape)
        np.testing.assert_array_equal(over.ldr, expected)
        assert (over.ldr[21, 31] == ground).all()


@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
def test_pillow_lays_a_picture_over_a_background_alike(tmp_path, suffix):
    ldr = np.dstack([corners(), np.full((16, 24), 255, np.uint8)])
    np.testing.assert_array_equal(read_photo(save(tmp_path / f"a.{suffix}", ldr)).ldr, corners())
    ldr[:3, :5, 3] = 0 if suffix == "gif" else 90
    options = {"exact": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", ldr, **options)
    for background in ("black", "white"):
        with Image.open(path) as picture:
            under = Image.new("RGBA", picture.size, background)
            expected = np.asarray(Image.alpha_composite(under, picture.convert("RGBA")).convert("RGB"))
        photo = read_photo(path, background=background)
        assert np.abs(photo.ldr.astype(int) - expected).max() <= 1  # how it rounds
        assert f"15 transparent pixels laid over {background}" in photo.notes


def test_a_premultiplied_tiff_is_divided_first(tmp_path):
    ldr = np.full((16, 16, 4), (100, 50, 20, 128), np.uint8)  # of colours (199, 100, 40), half there
    tifffile.imwrite(tmp_path / "a.tif", ldr, photometric="rgb", extrasamples=["assocalpha"], planarconfig="contig")
    assert np.abs(read_photo(tmp_path / "a.tif").ldr[3, 3].astype(int) - [100, 50, 20]).max() <= 1
    assert np.abs(read_photo(tmp_path / "a.tif", background="white").ldr[3, 3].astype(int) - [227, 177, 147]).max() <= 1


def transparent_colours():
    grey4 = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0))
    grey4_end = png_chunk(b"IDAT", zlib.compress(b"\x00\x5a")) + png_chunk(
        b"IEND", b""
    )  # values 5 and 10 of 15; the 16 does not count
    rgb, deep = png_bytes(np.full((2, 2, 3), 7, np.uint8)), imagecodecs.png_encode(np.full((2, 2, 3), 700, np.uint16))
    return {
        "rgb": lambda hit: png_with(rgb, b"tRNS", struct.pack(">3H", 7, 7, 7 if hit else 8)),
        "deep": lambda hit: png_with(deep, b"tRNS", struct.pack(">3H", 700, 700, 700 if hit else 701)),
        "grey of 4 bits": lambda hit: grey4 + png_chunk(b"tRNS", struct.pack(">H", 16 + 10 if hit else 11)) + grey4_end,
    }


@pytest.mark.parametrize("name", sorted(transparent_colours()))
def test_the_transparent_colour_of_a_png_shows_the_background(tmp_path, name):
    (tmp_path / "hit.png").write_bytes(transparent_colours()[name](True))
    (tmp_path / "missed.png").write_bytes(transparent_colours()[name](False))
    hit, missed = read_photo(tmp_path / "hit.png", background="white"), read_photo(tmp_path / "missed.png")
    assert any("transparent pixel" in note for note in hit.notes) and (hit.ldr == np.iinfo(hit.ldr.dtype).max).any()
    assert not any("transparent pixel" in note for note in missed.notes)


def test_a_palette_with_a_clear_entry_in_use_shows_the_background(tmp_path):
    palette = Image.fromarray(corners()).quantize(8)
    used, unused = palette.getpixel((0, 0)), 200
    photo = read_photo(save(tmp_path / "used.png", palette, transparency=used))
    assert (photo.ldr[0, 0] == 0).all() and "64 transparent pixels laid over black" in photo.notes  # a block of 8
    assert used != unused and read_photo(save(tmp_path / "unused.png", palette)).ldr.shape == (16, 24, 3)


# Display P3 with a curve of 2.2, of which sRGB holds the first three and not the last
P3_PATCHES = np.array([[200, 100, 50], [128, 128, 128], [90, 140, 200], [0, 255, 0]], float) / 255


def p3_by_hand():
    return encode_srgb(np.einsum("ij,pj->pi", P3_TO_SRGB, P3_PATCHES**GAMMA))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_display_p3_becomes_srgb_as_matrix_and_curve_say(tmp_path, suffix):
    ldr = np.repeat(np.round(P3_PATCHES * 255).astype(np.uint8)[:, None], 32, axis=1).repeat(16, axis=0)
    photo = read_photo(save(tmp_path / f"p3.{suffix}", ldr, icc_profile=p3_profile()))
    found = photo.ldr[8::16, 16]
    assert np.abs(found - p3_by_hand() * 255).max() <= (3 if suffix == "jpg" else 1)  # rounding of input and of output
    assert found[3].tolist()[::2] == [0, 0] or suffix == "jpg"  # the green of P3 is clipped, not squeezed
    (note,) = photo.notes
    assert note.startswith("converted from ") and note.endswith(" to sRGB")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_display_p3_of_16_bits_becomes_srgb_to_a_thousandth(tmp_path, suffix):
    ldr = np.repeat(np.round(P3_PATCHES * 65535).astype(np.uint16)[:, None], 4, axis=1)
    path = tmp_path / "p3.dat"
    if suffix == "png":
        icc = b"p3\0\0" + zlib.compress(p3_profile())
        path.write_bytes(png_with(imagecodecs.png_encode(ldr), b"iCCP", icc))
    else:
        tifffile.imwrite(path, ldr, photometric="rgb", iccprofile=p3_profile())
    photo = read_photo(path)
    assert photo.ldr.dtype == np.uint16
    assert np.abs(photo.ldr[:, 0] / 65535 - p3_by_hand()).max() < 1e-3


def test_a_grey_profile_is_heard(tmp_path):
    grey = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    icc = imagecodecs.cms_profile("gray", whitepoint=D65, gamma=1.8)
    photo = read_photo(save(tmp_path / "grey.png", grey, icc_profile=icc))
    by_hand = encode_srgb((np.arange(256) / 255) ** 1.8) * 255
    assert np.abs(photo.ldr[0] - by_hand[:, None]).max() <= 2  # grey, so the three differ by rounding at most
    assert photo.notes[0] == "grey" and photo.notes[1].startswith("converted from ")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_srgb_profile_changes_no_value_and_says_nothing(tmp_path, dtype):
    ldr = noise(dtype=dtype)
    profiles = (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), imagecodecs.cms_profile("srgb"))
    for icc in profiles:
        tifffile.imwrite(tmp_path / "photo.tif", ldr, photometric="rgb", iccprofile=icc)
        photo = read_photo(tmp_path / "photo.tif")
        assert photo.notes == ()
        np.testing.assert_array_equal(photo.ldr, ldr)


@pytest.mark.parametrize("icc, why", [
    (b"no profile at all" * 20, "damaged"), (p3_profile()[:300], "damaged"), (b"x", "damaged"),
    (imagecodecs.cms_profile("gray", whitepoint=D65, gamma=2.2), "of GRAY colours"),
])  # fmt: skip
def test_a_profile_that_cannot_be_used_is_left_out_and_said(tmp_path, icc, why):
    photo = read_photo(save(tmp_path / "photo.png", corners(), icc_profile=icc))
    np.testing.assert_array_equal(photo.ldr, corners())
    assert photo.notes == (f"its colour profile is {why} and was left out",)


def test_a_profile_that_is_a_number_is_left_out_and_said(tmp_path):
    tifffile.imwrite(tmp_path / "photo.tif", corners(), photometric="rgb", extratags=[(34675, 3, 1, 5, True)])
    assert read_photo(tmp_path / "photo.tif").notes == ("its colour profile is damaged and was left out",)


def lab_to_srgb(lab):
    """CIELAB of D50 to sRGB [0, 1]: CIE 15, Bradford to D65 (both white points of ICC and IEC 61966-2-1)."""
    lightness, a, b = np.moveaxis(np.asarray(lab, float), -1, 0)
    f = np.stack([(lightness + 16) / 116 + a / 500, (lightness + 16) / 116, (lightness + 16) / 116 - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1.0, 0.8249)
    to_srgb = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    return encode_srgb(xyz @ np.array(to_srgb).T)  # Lindbloom's matrix for D50


INKS = {"c": (60, -30, -30), "m": (50, 60, 0), "y": (90, -5, 70)}  # Lab, all within sRGB


def lut_profile(kind: bytes, space: bytes, perceptual, colorimetric) -> bytes:
    """An ICC profile with Lab at the corners of the colours for each of two intents: (2, 2, ..., 3), K or B fastest."""
    identity = bytes(range(256))
    unit = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel().tolist())

    def lut(table):
        stored = np.round(table * (2.55, 1, 1) + (0, 128, 128)).astype(np.uint8).tobytes()
        channels = table.ndim - 1
        return b"mft1" + bytes(4) + bytes([channels, 3, 2, 0]) + unit + identity * channels + stored + identity * 3

    text = b"three inks\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": lut(perceptual),
        b"A2B1": lut(colorimetric),
    }
    directory, body, place = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        tag += bytes(-len(tag) % 4)
        directory += name + struct.pack(">II", place + len(body), len(tag))
        body += tag
    head = struct.pack(">I4sI4s4s4s12x4s28x3i48x", place + len(body), b"    ", 0x02400000, kind, space, b"Lab ",
                       b"acsp", 63190, 65536, 54061)  # fmt: skip
    return head + directory + body


def cmyk_profile() -> bytes:
    """A printer with the inks `INKS`, black wherever K is full or two inks meet; its perceptual table is all white."""
    table = np.zeros((2, 2, 2, 2, 3))
    table[0, 0, 0, 0] = (100, 0, 0)
    table[1, 0, 0, 0], table[0, 1, 0, 0], table[0, 0, 1, 0] = INKS["c"], INKS["m"], INKS["y"]
    white = np.zeros_like(table)
    white[..., 0] = 100
    return lut_profile(b"prtr", b"CMYK", white, table)


CMYK_PATCHES = np.array([[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255], [0, 0, 0, 128]])
CMYK_NAIVE = [
    [255, 255, 255],
    [0, 255, 255],
    [255, 0, 255],
    [255, 255, 0],
    [0, 0, 0],
    [127, 127, 127],
]  # (1 - C)(1 - K)
PAPER_TO_BLACK = (100 * (1 - 128 / 255), 0, 0)
CMYK_LAB = [(100, 0, 0), INKS["c"], INKS["m"], INKS["y"], (0, 0, 0), PAPER_TO_BLACK]


def write_cmyk(path, kind, icc=None):
    """Patches of 16 rows, by other encoders than Pillow's."""
    cmyk = CMYK_PATCHES.astype(np.uint8).repeat(16, axis=0)[:, None].repeat(32, axis=1)
    if kind == "tif":
        tifffile.imwrite(path, cmyk, photometric="separated", planarconfig="contig", iccprofile=icc)
        return
    stored = "ycck" if kind == "ycck" else "cmyk"
    jpeg = imagecodecs.jpeg8_encode(255 - cmyk, 100, colorspace="cmyk", outcolorspace=stored, subsampling="444")
    segment = b"ICC_PROFILE\0\x01\x01" + (icc or b"")
    segment = b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment if icc else b""
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])


@pytest.mark.parametrize("kind", ["ycck", "cmyk", "tif"])
def test_cmyk_without_a_profile_is_light_that_no_ink_took(tmp_path, kind):
    write_cmyk(tmp_path / "inks.dat", kind)
    photo = read_photo(tmp_path / "inks.dat")
    assert np.abs(photo.ldr[8::16, 16].astype(int) - CMYK_NAIVE).max() <= (2 if kind in ("ycck", "cmyk") else 0)
    assert photo.notes == ("CMYK without a profile",)


@pytest.mark.parametrize("kind", ["ycck", "cmyk", "tif"])
def test_cmyk_has_the_colours_that_its_profile_gives_the_inks(tmp_path, kind):
    write_cmyk(tmp_path / "inks.dat", kind, cmyk_profile())
    photo = read_photo(tmp_path / "inks.dat")
    found = photo.ldr[8::16, 16] / 255
    assert np.abs(found - lab_to_srgb(CMYK_LAB)).max() * 255 <= 3  # Lab of 8 bits in the table, and JPEG's rounding
    assert photo.notes == ("CMYK converted by its profile three inks",)


def test_the_darkest_colour_of_a_profile_becomes_black(tmp_path):
    table = np.zeros((2, 2, 2, 3))
    table[..., 0] = 10 + 30 * np.indices((2, 2, 2)).sum(axis=0)  # L 10, 40, 70, 100: black is grey, as of faded ink
    ldr = np.zeros((16, 24, 3), np.uint8)
    ldr[8:] = 255
    photo = read_photo(save(tmp_path / "faded.png", ldr, icc_profile=lut_profile(b"mntr", b"RGB ", table, table)))
    assert photo.ldr[0, 0].max() <= 1 and photo.ldr[15, 0].min() >= 254  # without compensation L 10 is 27 of 255


def test_a_gain_map_without_numbers_is_reported(tmp_path):
    name = b"urn:iso:std:iso:ts:21496:-1\0"
    plain = save(tmp_path / "plain.jpg", corners())
    jpeg = plain.read_bytes()
    segment = b"\xff\xe2" + struct.pack(">H", len(name) + 2) + name
    path = tmp_path / "ultra.jpg"
    path.write_bytes(jpeg[:2] + segment + jpeg[2:] + jpeg_bytes(np.full((4, 6), 9, np.uint8)))
    photo = read_photo(path)
    assert photo.notes[-1] == "its gain map is not used: no image in the file states its numbers"
    np.testing.assert_array_equal(photo.ldr, read_photo(plain).ldr)


def test_of_a_jpeg_that_holds_further_pictures_the_first_is_read(tmp_path):
    first = save(tmp_path / "first.jpg", corners())
    others = [Image.fromarray(255 - corners())]
    Image.fromarray(corners()).save(tmp_path / "two.jpg", "MPO", save_all=True, append_images=others, **LOSSLESS["jpg"])
    photo = read_photo(tmp_path / "two.jpg")
    assert photo.notes == ("1 further image left out",)
    np.testing.assert_array_equal(photo.ldr, read_photo(first).ldr)


def test_a_tiff_of_other_samples_or_colours_is_told_in_one_line(tmp_path):
    path = tmp_path / "odd.tif"
    for picture, options, reason in [
        (noise().astype(np.float32), {"photometric": "rgb"}, "floating-point samples; expected unsigned"),
        (noise(channels=1).astype(np.float32), {}, "floating-point samples"),
        (noise(channels=1).astype(np.int16), {}, "signed samples"),
        (noise(channels=1).astype(np.uint32), {}, "32 bits a sample; expected 8 or 16 bits"),
        (noise(), {"photometric": "rgb", "subfiletype": 1}, "contains only thumbnails"),
        (noise(channels=5), {"photometric": "rgb", "planarconfig": "contig"}, "5 samples a pixel"),
    ]:
        tifffile.imwrite(path, picture, **options)
        refused(path, reason)


def test_a_tiff_of_12_bits_is_told_in_one_line(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(channels=1))
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
        file.pages[0].tags[258].overwrite(12)
    refused(tmp_path / "a.tif", "12 bits a sample; expected 8 or 16 bits")


@pytest.mark.parametrize("name", ["EPS", "PDF", "QOI"])
def test_another_format_is_refused_by_its_name_though_pillow_reads_it(tmp_path, name):
    file = io.BytesIO()
    Image.fromarray(corners()).save(file, name)
    (tmp_path / "other.jpg").write_bytes(file.getvalue())
    refused(tmp_path / "other.jpg", f"a {name} file", "expected JPEG, PNG, TIFF, WebP, HEIC")


def test_heads_without_a_body_are_told_by_their_kind(tmp_path):
    heads = {b"\0\0\0\x18ftypheic": "(HEIF)", b"\0\0\0\x18ftypcrx ": "not a readable camera RAW file",
             b"\0\0\0\x18ftypisom": "a video", b"II*\0\x10\0\0\0CR\x02\0": "not a readable camera RAW file",
             b"\xff\x0a": "(JPEG XL)", b"BM": "(BMP)", b"GIF89a": "(GIF)", b"\0\0\0\x0cjP  ": "(JPEG 2000)",
             b"P6 ": "(PPM)", b"v/1\x01\x02": "a OpenEXR file"}  # fmt: skip
    for head, reason in heads.items():
        (tmp_path / "x.jpg").write_bytes(head + bytes(100))
        refused(tmp_path / "x.jpg", reason)


def test_what_is_no_picture_is_told_in_one_line(tmp_path):
    (tmp_path / "empty.jpg").touch()
    refused(tmp_path / "empty.jpg", "the file is empty (0 bytes)")
    (tmp_path / "text.jpg").write_text("this is no picture")
    refused(tmp_path / "text.jpg", "not a readable picture; expected JPEG, PNG, TIFF, WebP")
    (tmp_path / "folder.jpg").mkdir()
    refused(tmp_path / "folder.jpg", "a folder; expected a picture file")
    refused(tmp_path / "none.jpg", "no such file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told_in_one_line(tmp_path):
    save(tmp_path / "locked.png", corners()).chmod(0)
    refused(tmp_path / "locked.png", "Permission denied")


def claimed(kind):
    """A tiny file that claims 20,000 x 20,000 or 16,000 x 16,000 pixels, the latter below the limit of pixels."""
    if kind == "png":
        head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 16000, 16000, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(bytes(999))) + png_chunk(b"IEND", b"")
    if kind == "jpg":
        jpeg = bytearray(jpeg_bytes(corners()))
        place = jpeg.index(b"\xff\xc0") + 5
        jpeg[place : place + 4] = struct.pack(">HH", 16000, 16000)
        return bytes(jpeg)
    if kind == "webp":
        file = io.BytesIO()
        Image.fromarray(noise()).save(file, "WEBP", lossless=True, exif=orientation_exif(1))
        webp = bytearray(file.getvalue())
        assert webp[12:16] == b"VP8X"
        webp[24:30] = (15999).to_bytes(3, "little") * 2
        return bytes(webp)
    file = io.BytesIO()
    tifffile.imwrite(
        file, noise(dtype=np.uint16 if kind == "tif 16" else np.uint8), photometric="rgb", compression="lzw"
    )
    file.seek(0)
    with tifffile.TiffFile(file, mode="r+b") as tiff:
        tiff.pages[0].tags[256].overwrite(16000)
        tiff.pages[0].tags[257].overwrite(16000)
        tiff.pages[0].tags[278].overwrite(16000)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif", "tif 16"])
def test_a_tiny_file_that_claims_a_huge_picture_is_refused_before_a_decoder_is_asked(tmp_path, monkeypatch, kind):
    def asked(*_, **__):
        raise AssertionError("memory was asked for")

    monkeypatch.setattr(Image.core, "new", asked)
    monkeypatch.setattr(imagecodecs, "tiff_decode", asked)
    monkeypatch.setattr("PIL._webp.WebPAnimDecoder", asked)
    (tmp_path / "claim.dat").write_bytes(claimed(kind))
    refused(tmp_path / "claim.dat", "claims 16000x16000 pixels", "damaged")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pillows_own_limit_neither_refuses_nor_warns(tmp_path, monkeypatch, suffix):
    path = save(tmp_path / f"large.{suffix}", corners())
    for limit in (100, 300):  # of 384 pixels; Pillow raises beyond twice its limit, and warns beyond it
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_photo(path).ldr.shape == (16, 24, 3)
        assert limit == Image.MAX_IMAGE_PIXELS


def every_kind():
    """A small file of each way to be decoded."""
    made = {f"8 bits {suffix}": io.BytesIO() for suffix in ("jpeg", "png", "webp", "tiff")}
    for name, file in made.items():
        Image.fromarray(noise()).save(file, name[7:].upper(), exif=orientation_exif(6), icc_profile=p3_profile())
    for name, options in (("progressive jpeg", {"progressive": True}), ("lzw tiff", {"compression": "tiff_lzw"}),
                          ("jpeg tiff", {"compression": "jpeg"}), ("lossless webp", {"lossless": True})):  # fmt: skip
        made[name] = io.BytesIO()
        Image.fromarray(noise()).save(made[name], name.split()[1].upper(), **options)
    kinds = {name: file.getvalue() for name, file in made.items()}
    deep = noise(dtype=np.uint16)
    kinds["16 bits png"] = imagecodecs.png_encode(deep)
    for name, options in (("16 bits tiff", {}), ("16 bits tiles tiff", {"tile": (16, 16), "compression": "deflate"})):
        file = io.BytesIO()
        tifffile.imwrite(file, deep, photometric="rgb", metadata=None, iccprofile=p3_profile(), **options)
        kinds[name] = file.getvalue()
    return kinds


@pytest.mark.parametrize("name", sorted(every_kind()))
def test_a_file_that_is_cut_short_is_refused_or_was_cut_behind_its_pixels(tmp_path, capfd, name):
    whole, path = every_kind()[name], tmp_path / "cut.dat"
    path.write_bytes(whole)
    ldr = read_photo(path).ldr
    assert ldr.shape in ((24, 40, 3), (40, 24, 3))
    for length in (*range(1, len(whole) - 30, len(whole) // 23), *range(len(whole) - 30, len(whole), 3)):
        path.write_bytes(whole[:length])
        if length < 0.95 * len(whole):
            refused(path)
            continue
        try:
            np.testing.assert_array_equal(read_photo(path).ldr, ldr)
        except ValueError as error:
            assert str(path) in str(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", sorted(every_kind()))
def test_a_damaged_file_is_a_picture_or_one_line_and_never_noise(tmp_path, capfd, name):
    whole, chance, path = every_kind()[name], random.Random(name), tmp_path / "damaged.dat"
    for _ in range(int(os.environ.get("PHOTO_FUZZ", "30"))):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3, 20))):
            damaged[chance.randrange(min(len(damaged), chance.choice((64, 700, 10**9))))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            photo = read_photo(path)
        except (ValueError, OSError) as error:
            assert "\n" not in str(error) and str(path) in str(error)
        else:
            assert photo.ldr.dtype in (np.uint8, np.uint16) and photo.ldr.ndim == 3 and photo.ldr.shape[2] == 3
    assert capfd.readouterr() == ("", "")


def test_importing_the_room_does_not_import_torch():
    code = "import sys, hdrdata.photos.photo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def album(tmp_path, monkeypatch):
    for name in ("b.JPG", "a.jpg", "a.png", "notes.txt", ".hidden.jpg", ".partial-a.jpg", "day 1/a.webp", "day 1/c.tif",
                 ".thumbnails/a.jpg", "day2/deep/a.jpeg", "x[1].jpg", "x1.jpg"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    (tmp_path / "nothing").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*inputs):
    return [path.as_posix() for path in find_photos(inputs)]


def test_a_folder_gives_its_pictures_sorted_and_nothing_hidden(album):
    wanted = ["a.jpg", "a.png", "b.JPG", "day 1/a.webp", "day 1/c.tif", "day2/deep/a.jpeg", "x1.jpg", "x[1].jpg"]
    assert found(".") == wanted
    assert find_photos((album,)) == [album / name for name in wanted]


def test_a_file_is_taken_as_it_is_and_all_of_them_once(album):
    assert found("notes.txt", "b.JPG", "./b.JPG", "day 1", "day 1/c.tif", album / "b.JPG") == [
        "b.JPG", "day 1/a.webp", "day 1/c.tif", "notes.txt",
    ]  # fmt: skip


def test_a_pattern_is_expanded_but_a_file_of_that_name_comes_first(album):
    assert found("a.*") == ["a.jpg", "a.png"]
    assert found("**/a.*") == ["a.jpg", "a.png", "day 1/a.webp", "day2/deep/a.jpeg"]
    assert found("day*") == ["day 1/a.webp", "day 1/c.tif", "day2/deep/a.jpeg"]
    assert found("x[1].jpg") == ["x[1].jpg"]
    (album / "x[1].jpg").unlink()
    assert found("x[1].jpg") == ["x1.jpg"]


@pytest.mark.parametrize("given", ["none.jpg", "*.gif", "nothing", "no/where/*"])
def test_an_input_that_matches_nothing_is_one_line(album, given):
    with pytest.raises(ValueError) as caught:
        find_photos(("a.jpg", given))
    assert str(caught.value).startswith(f"{given}: ") and "\n" not in str(caught.value)


def stems(*inputs):
    photos = find_photos(inputs)
    assert output_stems(photos[::-1], inputs[::-1]) == output_stems(photos, inputs)
    return {photo.as_posix(): stem for photo, stem in output_stems(photos, inputs).items()}


def test_outputs_keep_the_sub_folders_of_a_folder_and_differ(album):
    assert stems(".") == {
        "a.jpg": "a_jpg", "a.png": "a_png", "b.JPG": "b", "day 1/a.webp": "day 1/a", "day 1/c.tif": "day 1/c",
        "day2/deep/a.jpeg": "day2/deep/a", "x1.jpg": "x1", "x[1].jpg": "x[1]",
    }  # fmt: skip
    assert stems("day2", "b.JPG", "day 1/c.tif") == {"b.JPG": "b", "day 1/c.tif": "c", "day2/deep/a.jpeg": "deep/a"}


def test_outputs_of_one_name_and_suffix_are_told_apart_by_folder_and_at_last_by_number(album):
    for name in ("100/i.jpg", "101/i.jpg", "101/I.png", "100/s/k.jpg", "x/100/s/k.jpg"):
        (album / name).parent.mkdir(exist_ok=True, parents=True)
        (album / name).touch()
    assert stems("100/i.jpg", "101/*") == {
        "100/i.jpg": "100/i_jpg", "101/i.jpg": "101/i_jpg", "101/I.png": "I_png",
    }  # fmt: skip
    assert stems("100/s", "x/100/s") == {"100/s/k.jpg": "s/k_jpg-1", "x/100/s/k.jpg": "s/k_jpg-2"}

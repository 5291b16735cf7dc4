"""Photographs in every format, against the programs that wrote them and other readers."""

import io
import struct
import zlib
from fractions import Fraction

import cv2
import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from camera_files import write_dng
from PIL import Image, ImageCms
from test_photo import P3_TO_SRGB, corners, encode_srgb, noise, orientation_exif, png_chunk, png_with, refused, save

from hdrdata.photos.colours.encodings import P3_TO_BT709
from hdrdata.photos.colours.made import rgb_profile
from hdrdata.photos.formats.decoded import AboveWhite
from hdrdata.photos.photo import read_photo

P3_ICC = rgb_profile("Display P3", P3_TO_BT709)
PATCH = np.array([[200, 100, 50], [128, 128, 128], [90, 140, 200]])


def patches(dtype=np.uint8) -> np.ndarray:
    """Three colours as blocks of 16 x 16 pixels, in a picture that has a top and a left."""
    scale = np.iinfo(dtype).max // 255
    return np.repeat(np.repeat(PATCH[:, None], 16, axis=0), 40, axis=1).astype(dtype) * dtype(scale)


def p3_in_srgb() -> np.ndarray:
    codes = PATCH / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    return encode_srgb(linear @ P3_TO_SRGB.T) * 255


def at_blocks(ldr: np.ndarray) -> np.ndarray:
    """The three blocks as codes of 8 bits."""
    return ldr[8::16, 20] / (np.iinfo(ldr.dtype).max / 255)


def write_heic(path, ldr, **options):
    heif = pillow_heif.from_bytes("RGB;16" if ldr.dtype == np.uint16 else "RGB", ldr.shape[1::-1], ldr.tobytes())
    heif.save(path, quality=-1, chroma=444, **options)


def write_avif(path, ldr, **options):
    Image.fromarray(ldr).save(path, quality=100, subsampling="4:4:4", **options)


def write_jxl(path, ldr, icc_profile=None):
    """Losslessly; with a profile by way of a JPEG, whose profile JPEG XL keeps."""
    if icc_profile is None:
        Image.fromarray(ldr).save(path, lossless=True)
        return
    Image.fromarray(ldr).save(path.with_suffix(".jpg"), quality=100, subsampling=0, icc_profile=icc_profile)
    with Image.open(path.with_suffix(".jpg")) as picture:
        picture.save(path, lossless_jpeg=True)


def write_jp2(path, ldr, icc_profile=None):
    """With a profile, in a colour box of method 2, where Pillow writes one of method 1."""
    Image.fromarray(ldr).save(path)
    if icc_profile is not None:
        jp2 = path.read_bytes()
        place = jp2.index(b"colr") - 4
        (size,) = struct.unpack_from(">I", jp2, place)
        box = struct.pack(">I4sBBB", 11 + len(icc_profile), b"colr", 2, 0, 0) + icc_profile
        head = jp2.index(b"jp2h") - 4
        (whole,) = struct.unpack_from(">I", jp2, head)
        jp2 = jp2[:place] + box + jp2[place + size :]
        path.write_bytes(jp2[:head] + struct.pack(">I", whole + len(box) - size) + jp2[head + 4 :])


WRITERS = {
    "heic": write_heic,
    "avif": write_avif,
    "jxl": lambda path, ldr, **options: write_jxl(path, ldr, **options),
    "jp2": lambda path, ldr, **options: write_jp2(path, ldr, **options),
    "j2k": lambda path, ldr, **options: Image.fromarray(ldr).save(path, no_jp2=True),
    "bmp": lambda path, ldr, **options: Image.fromarray(ldr).save(path),
    "ppm": lambda path, ldr, **options: Image.fromarray(ldr).save(path),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_picture_has_the_values_that_were_written(tmp_path, suffix):
    import pillow_jxl  # noqa: F401

    ldr = noise(48, 64)
    WRITERS[suffix](tmp_path / f"a.{suffix}", ldr)
    (tmp_path / f"a.{suffix}").rename(tmp_path / "a.dat")  # known by its content
    photo = read_photo(tmp_path / "a.dat")
    assert photo.ldr.dtype == np.uint8 and photo.notes == ()
    # lossy HEIC and AVIF go by YCbCr of 8 bits at least
    assert np.abs(photo.ldr.astype(int) - ldr).max() <= {"heic": 3, "avif": 12}.get(suffix, 0)
    assert np.abs(photo.ldr.astype(int) - ldr).mean() < {"heic": 1, "avif": 2}.get(suffix, 0.001)


@pytest.mark.parametrize("suffix", ["heic", "avif", "jxl", "jp2"])
def test_a_profile_of_display_p3_is_heard(tmp_path, suffix):
    import pillow_jxl  # noqa: F401

    WRITERS[suffix](tmp_path / f"a.{suffix}", patches(), icc_profile=P3_ICC)
    photo = read_photo(tmp_path / f"a.{suffix}")
    assert np.abs(at_blocks(photo.ldr) - p3_in_srgb()).max() <= 2
    own = read_photo(tmp_path / f"a.{suffix}", own_colours=True)
    assert np.abs(at_blocks(own.ldr) - PATCH).max() <= 2 and own.to_bt709 is not None


@pytest.mark.parametrize("bits", [10, 12])
def test_heic_and_avif_of_more_bits_keep_them(tmp_path, bits):
    codes = np.repeat(np.arange(0, 65536, 1024, dtype=np.uint16)[None], 64, axis=0)
    deep = np.repeat(codes[:, :, None], 3, axis=2)
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        write_heic(tmp_path / "a.heic", deep)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    stored = deep >> (16 - bits)
    avif = imagecodecs.avif_encode(stored, level=100, bitspersample=bits, pixelformat="444", primaries=1, transfer=13)
    (tmp_path / "a.avif").write_bytes(avif)
    for suffix in ("heic", "avif"):
        photo = read_photo(tmp_path / f"a.{suffix}")
        assert photo.ldr.dtype == np.uint16
        wanted = stored.astype(float) / (2**bits - 1) * 65535
        assert np.abs(photo.ldr - wanted).max() <= 65535 / 2**bits * 1.5, suffix


@pytest.mark.parametrize("primaries, transfer", [(12, 13), (9, 16)])
def test_the_code_points_of_an_avif_are_heard(tmp_path, primaries, transfer):
    codes = np.repeat(np.repeat((PATCH[:, None] * 1023 // 255).astype(np.uint16), 16, axis=0), 40, axis=1)
    avif = imagecodecs.avif_encode(
        codes, level=100, bitspersample=10, pixelformat="444", primaries=primaries, transfer=transfer
    )
    (tmp_path / "a.avif").write_bytes(avif)
    photo = read_photo(tmp_path / "a.avif")
    if transfer == 13:
        assert np.abs(at_blocks(photo.ldr) - p3_in_srgb()).max() <= 1.5
    else:
        power = np.array(128 / 255) ** (1 / 78.84375)  # the EOTF of ST 2084
        nits = 10_000 * ((power - 0.8359375) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        assert photo.light[24, 20] == pytest.approx(nits / 203, rel=0.03)
        assert photo.notes == ("an HDR picture (BT.2020 PQ)",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_and_an_avif_are_turned_once(tmp_path, orientation):
    pillow_heif.register_heif_opener()
    upright = np.repeat(np.repeat(corners(), 4, axis=0), 4, axis=1)
    from test_photo import stored_for

    stored = stored_for(upright, orientation)
    for suffix in ("heic", "avif"):
        path = tmp_path / f"a.{suffix}"
        options = {"quality": -1} if suffix == "heic" else {"quality": 100}
        Image.fromarray(stored).save(path, exif=orientation_exif(orientation).tobytes(), **options)
        ldr = read_photo(path).ldr
        assert ldr.shape == upright.shape, suffix
        error = np.abs(ldr.astype(int) - upright)
        assert error.mean() < 3 and np.median(error) <= 1, suffix  # colours are stored at half the size


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_jpeg_xl_of_every_depth_fills_its_range(tmp_path, bits):
    deep = noise(dtype=np.uint16) >> (16 - bits)
    (tmp_path / "a.jxl").write_bytes(
        imagecodecs.jpegxl_encode(deep.astype(np.uint8) if bits == 8 else deep, bitspersample=bits, lossless=True)
    )
    ldr = read_photo(tmp_path / "a.jxl").ldr
    most = np.iinfo(ldr.dtype).max
    codes = deep / (2**bits - 1)
    expected = codes if bits == 8 else encode_srgb(codes)  # its writer says that more than 8 bits are linear light
    np.testing.assert_allclose(ldr / most, expected, atol=1.5 / most if bits == 8 else 1.2e-3)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 17), (64, 300), (700, 512)])
def test_the_header_of_a_jpeg_xl_says_its_size(shape):
    from hdrdata.photos.boxes.jxl import read_header

    stream = imagecodecs.jpegxl_encode(noise(*shape), lossless=True)
    header = read_header(stream)
    assert (header.width, header.height, header.bits) == (shape[1], shape[0], 8)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_2000_of_more_than_eight_bits_keeps_them(tmp_path, bits):
    deep = (noise(64, 64, dtype=np.uint16) >> (16 - bits)).astype(np.uint16 if bits > 8 else np.uint8)
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(deep, level=0, bitspersample=bits, reversible=True))
    ldr = read_photo(tmp_path / "a.jp2").ldr
    most = np.iinfo(ldr.dtype).max
    np.testing.assert_allclose(ldr / most, deep / (2**bits - 1), atol=1 / most)


@pytest.mark.parametrize("most", [1, 100, 255, 1023, 65535])
@pytest.mark.parametrize("kind", [b"P5", b"P6"])
def test_netpbm_of_any_maximum_fills_its_range(tmp_path, kind, most):
    shape = (5, 7, 3) if kind == b"P6" else (5, 7)
    values = np.random.default_rng(0).integers(0, most + 1, shape)
    body = values.astype(">u2" if most > 255 else np.uint8).tobytes()
    (tmp_path / "a.ppm").write_bytes(kind + b"\n# a comment\n7 5\n%d\n" % most + body)
    photo = read_photo(tmp_path / "a.ppm")
    assert photo.ldr.dtype == (np.uint16 if most > 255 else np.uint8)
    expected = np.broadcast_to((values if kind == b"P6" else values[:, :, None]) / most, photo.ldr.shape)
    full = np.iinfo(photo.ldr.dtype).max
    np.testing.assert_allclose(photo.ldr / full, expected, atol=0.51 / full)
    (tmp_path / "a.ppm").write_bytes(kind + b"\n7 5\n%d\n" % most + body[:-1])
    refused(tmp_path / "a.ppm", "cut short")


def test_netpbm_of_text_and_of_bits_is_read(tmp_path):
    (tmp_path / "a.pbm").write_bytes(b"P1\n3 2\n1 0 1\n0 1 0\n")
    assert read_photo(tmp_path / "a.pbm").ldr[:, :, 0].tolist() == [[0, 255, 0], [255, 0, 255]]  # 1 is black
    (tmp_path / "a.ppm").write_bytes(b"P3\n2 1\n255\n1 2 3  4 5 6\n")
    assert read_photo(tmp_path / "a.ppm").ldr.tolist() == [[[1, 2, 3], [4, 5, 6]]]


@pytest.mark.parametrize("frames", [1, 3])
def test_a_gif_gives_its_first_frame(tmp_path, frames):
    pictures = [Image.fromarray(np.roll(corners(), 3 * number, axis=1)).quantize(8) for number in range(frames)]
    options = {"save_all": True, "append_images": pictures[1:]} if frames > 1 else {}
    pictures[0].save(tmp_path / "a.gif", **options)
    photo = read_photo(tmp_path / "a.gif")
    np.testing.assert_array_equal(photo.ldr, np.asarray(pictures[0].convert("RGB")))
    assert photo.notes == ((f"the first of {frames} frames",) if frames > 1 else ())


def bmp_of_version_5(ldr: np.ndarray, icc: bytes | None, gamma: float = 0.0) -> bytes:
    """A bitmap with the header of version 5: an embedded profile, or the end points of Adobe RGB and a gamma."""
    body = np.ascontiguousarray(ldr[::-1, :, ::-1]).tobytes()
    height, width, _ = ldr.shape
    kind = b"MBED"[::-1] if icc else bytes(4)
    ends = [] if icc else [(0.5767, 0.2973, 0.0270), (0.1856, 0.6274, 0.0707), (0.1882, 0.0753, 0.9913)]
    fixed = [round(value * 2**30) for end in ends for value in end] or [0] * 9
    head = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(body), 0, 0, 0, 0) + bytes(16) + kind
    head += struct.pack("<9I3I", *fixed, *[round(gamma * 65536)] * 3)
    head += struct.pack("<IIII", 4, 124 + len(body) if icc else 0, len(icc or b""), 0)
    return struct.pack("<2sIHHI", b"BM", 14 + 124 + len(body) + len(icc or b""), 0, 0, 138) + head + body + (icc or b"")


def test_the_colours_of_a_bitmap_of_version_5_are_heard(tmp_path):
    (tmp_path / "a.bmp").write_bytes(bmp_of_version_5(patches(), P3_ICC))
    assert np.abs(at_blocks(read_photo(tmp_path / "a.bmp").ldr) - p3_in_srgb()).max() <= 1
    (tmp_path / "a.bmp").write_bytes(bmp_of_version_5(patches(), None, 2.2))
    adobe = np.array([[1.39835574, -0.39835574, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04292898, 1.04292898]])
    expected = encode_srgb((PATCH / 255) ** 2.2 @ adobe.T) * 255
    assert np.abs(at_blocks(read_photo(tmp_path / "a.bmp").ldr) - expected).max() <= 1.5  # four digits of end points


# JPEG beyond eight bits


def test_jpeg_of_twelve_bits_lossless_and_jpeg_ls_are_read(tmp_path):
    deep = noise(32, 48, dtype=np.uint16)
    smooth = cv2.GaussianBlur(deep, (0, 0), 3) >> 4
    contents = {
        "12 bits": (imagecodecs.jpeg8_encode(smooth, level=100, bitspersample=12, subsampling="444"), smooth, 12),
        "lossless": (imagecodecs.ljpeg_encode(deep[:, :, 0]), deep[:, :, 0], 16),
        "JPEG-LS": (imagecodecs.jpegls_encode(smooth[:, :, 0] << 4), smooth[:, :, 0] << 4, 16),
        "JPEG-LS of 8 bits": (imagecodecs.jpegls_encode((smooth >> 4).astype(np.uint8)), smooth >> 4, 8),
    }
    for name, (content, stored, bits) in contents.items():
        (tmp_path / "a.jpg").write_bytes(content)
        ldr = read_photo(tmp_path / "a.jpg").ldr
        assert ldr.dtype == (np.uint8 if bits == 8 else np.uint16), name
        stored = stored if stored.ndim == 3 else stored[:, :, None]
        error = np.abs(ldr / np.iinfo(ldr.dtype).max - stored / (2**bits - 1)).max()
        assert error <= (5 / 4095 if name == "12 bits" else 1 / 65535), name
        (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
        refused(tmp_path / "a.jpg")


# TIFF


def test_cmyk_of_16_bits_and_with_alpha_are_read(tmp_path):
    for dtype in (np.uint8, np.uint16):
        ink = noise(dtype=dtype, channels=4)
        most = np.iinfo(dtype).max
        expected = (1 - ink[:, :, :3] / most) * (1 - ink[:, :, 3:] / most)
        tifffile.imwrite(tmp_path / "a.tif", ink, photometric="separated", planarconfig="contig")
        photo = read_photo(tmp_path / "a.tif")
        assert photo.ldr.dtype == dtype and np.abs(photo.ldr / most - expected).max() <= 0.51 / most
        with_alpha = np.dstack([ink, np.full(ink.shape[:2], most, dtype)])
        options = {"photometric": "separated", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
        tifffile.imwrite(tmp_path / "a.tif", with_alpha, **options)
        np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").ldr, photo.ldr)


def test_grey_with_alpha_of_16_bits_is_read(tmp_path):
    grey = noise(dtype=np.uint16, channels=2)
    grey[:, :, 1] = 65535
    grey[3, 4, 1] = 0
    options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "a.tif", grey, **options)
    photo = read_photo(tmp_path / "a.tif", background="white")
    grey[3, 4, 0] = 65535
    np.testing.assert_array_equal(photo.ldr[:, :, 1], grey[:, :, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["cielab", "icclab"])
def test_lab_becomes_the_colours_that_littlecms_makes_of_it(tmp_path, kind, dtype):
    rgb = np.repeat(np.repeat(np.array([[[200, 100, 50], [128, 128, 128], [90, 140, 200], [20, 40, 30]]]), 8, 0), 8, 1)
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    made = ImageCms.profileToProfile(Image.fromarray(rgb.astype(np.uint8)), srgb, lab, outputMode="LAB")
    stored = np.asarray(made).copy()  # L of 255, a and b of two's complement, as Pillow keeps them
    stored[:, :, 1:] ^= 0 if kind == "cielab" else 0x80  # around 128
    if dtype == np.uint16:
        stored = np.dstack([stored[:, :, :1] * np.uint16(257), stored[:, :, 1:].astype(np.uint16) << 8])
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=kind)
    photo = read_photo(tmp_path / "a.tif")
    # a step of a or b of 8 bits is up to two codes
    assert np.abs(photo.ldr[4, 4::8] / 257 - rgb[4, 4::8]).max() <= 3 and photo.ldr.dtype == np.uint16


def test_lab_outside_of_srgb_is_kept_where_that_is_asked_for(tmp_path):
    stored = np.full((8, 8, 3), (140, 0x80 - 256 + 256 - 20, 0), np.uint8)  # L 55, a 108: no colour of sRGB
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="cielab")
    clipped, own = (read_photo(tmp_path / "a.tif", own_colours=own) for own in (False, True))
    assert clipped.to_bt709 is None and own.to_bt709 is not None
    assert "CIELab colours kept" in own.notes


def test_of_a_tiff_whose_first_page_is_a_thumbnail_the_picture_is_read(tmp_path):
    whole, small = noise(dtype=np.uint16), noise(8, 8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(small, photometric="rgb", subfiletype=1)
        file.write(whole, photometric="rgb")
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.ldr, whole)
    assert photo.notes == ("page 2, after a thumbnail",)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(small, photometric="rgb", subfiletype=1, subifds=1)
        file.write(whole, photometric="rgb", subfiletype=0)  # in a directory below
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").ldr, whole)


@pytest.mark.parametrize("compression", ["jpegxl", "webp", "zstd", "lzma"])
def test_a_tiff_of_a_seldom_compression_is_read(tmp_path, compression):
    ldr = noise(64, 64)
    options = {"level": 100} if compression == "webp" else {}
    tifffile.imwrite(tmp_path / "a.tif", ldr, photometric="rgb", compression=compression, compressionargs=options)
    lossless = compression in ("zstd", "lzma")
    photo = read_photo(tmp_path / "a.tif")
    expected = ldr if lossless else tifffile.imread(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.ldr, expected)


def test_a_palette_and_bits_of_a_seldom_compression_are_read(tmp_path):
    numbers = noise(channels=1) // 16
    colours = np.zeros((3, 256), np.uint16)
    colours[:, :16] = noise(1, 16)[0].T.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", numbers, photometric="palette", colormap=colours, compression="zstd")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").ldr, colours.T[numbers] // 257)
    tifffile.imwrite(tmp_path / "b.tif", numbers > 7, photometric="minisblack", compression="zstd")
    np.testing.assert_array_equal(read_photo(tmp_path / "b.tif").ldr[:, :, 0], np.where(numbers > 7, 255, 0))


# Camera RAW


def test_a_camera_raw_file_is_developed_as_it_was_exposed(tmp_path):
    pytest.importorskip("rawpy")
    light = np.full((48, 64, 3), 0.2) * [1.0, 0.8, 0.5]
    write_dng(tmp_path / "a.dng", light, Fraction(1, 1), f_number=1.0, iso=100)
    for name in ("a.dng", "a.tif"):
        if name == "a.tif":
            (tmp_path / "a.dng").rename(tmp_path / name)
        photo = read_photo(tmp_path / name)
        assert photo.ldr.dtype == np.uint16 and "developed from camera RAW" in photo.notes
        np.testing.assert_allclose(photo.ldr[20, 30] / 65535, encode_srgb(light[20, 30]), atol=0.01)


def test_without_its_library_a_raw_file_names_the_extra(tmp_path, monkeypatch):
    write_dng(tmp_path / "a.dng", np.full((16, 16, 3), 0.2), Fraction(1, 1), f_number=1.0)
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    refused(tmp_path / "a.dng", "pip install 'hdr-attnet[raw]'")


# Strongly compressed, and claims


def one_colour_webp(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (9, 99, 199)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def test_strongly_compressed_pictures_are_not_damaged(tmp_path):
    one_bit = np.full((4000, 4000), True)
    Image.fromarray(one_bit).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "ccitt.tif", np.packbits(one_bit[:8], axis=1))  # its writer has no G4; Pillow's has
    Image.fromarray(one_bit).save(tmp_path / "g4.tif", compression="group4")
    Image.new("P", (3000, 3000), 3).save(tmp_path / "palette.png")
    (tmp_path / "plain.webp").write_bytes(one_colour_webp(3000))
    for name in ("a.png", "g4.tif", "palette.png", "plain.webp"):
        assert (tmp_path / name).stat().st_size < 20_000, name
        ldr = read_photo(tmp_path / name).ldr
        assert (ldr == ldr[0, 0]).all() and len(ldr) >= 3000, name


def test_exif_in_a_text_of_png_counts_as_far_as_it_says(tmp_path):
    exif = b"Exif\0\0" + orientation_exif(6).tobytes().removeprefix(b"Exif\0\0")
    for behind in ("", "ff00", "zz", "\n\n0123"):
        text = f"\nexif\n{len(exif):8d}\n{exif.hex()}{behind}\n"
        for kind, body in ((b"tEXt", text.encode()), (b"zTXt", b"\0" + zlib.compress(text.encode()))):
            png = png_with(imagecodecs.png_encode(corners()), kind, b"Raw profile type exif\0" + body)
            (tmp_path / "a.png").write_bytes(png)
            photo = read_photo(tmp_path / "a.png")
            assert photo.ldr.shape == (24, 16, 3), (behind, kind)
            assert photo.notes == ("turned by its EXIF orientation 6",)
    assert png_chunk(b"IEND", b"")  # a PNG of two chunks is one still


@pytest.mark.parametrize("suffix", ["jxl", "jp2", "avif", "heic", "bmp", "gif", "ppm"])
def test_a_file_of_every_kind_that_is_cut_short_is_one_line_or_whole(tmp_path, suffix):
    import pillow_jxl  # noqa: F401

    path = tmp_path / f"a.{suffix}"
    WRITERS.get(suffix, lambda path, ldr: save(path, Image.fromarray(ldr).quantize(64)))(path, noise(48, 64))
    whole = path.read_bytes()
    ldr = read_photo(path).ldr
    for length in range(1, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        try:
            np.testing.assert_array_equal(read_photo(path).ldr, ldr)
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)


def test_measured_light_above_white_is_kept_and_an_estimate_keeps_its_hue():
    linear = np.array([[[0.5, 0.5, 0.5], [1.4, 0.9, 1.2], [1.4, 1.0, 1.5], [2.0, 1.0, 1.5]]], np.float32)
    above = AboveWhite(linear, np.array([[0.5, 0.9, 1.0, 1.0]], np.float32), (2.0, 1.0, 1.5))
    radiance = np.array([[[0.5, 0.5, 0.5], [1.1, 0.9, 1.1], [1.2, 1.2, 1.2], [1.6, 1.6, 1.6]]], np.float32)
    above.keep_in(radiance)
    # below white; no photosite full; red alone known, 1.25 times the rest for blue's bound; all full, raised to red's
    expected = [[[0.5, 0.5, 0.5], [1.4, 0.9, 1.2], [1.4, 1.5, 1.5], [2.0, 2.0, 2.0]]]
    np.testing.assert_allclose(radiance, expected, rtol=1e-6)


def test_a_raw_file_keeps_light_above_the_clipping_point_of_green(tmp_path):
    pytest.importorskip("rawpy")
    light = np.full((32, 32, 3), [1.3, 0.9, 1.1])  # red is full at 2, blue at 1.25
    write_dng(tmp_path / "a.dng", light, Fraction(1, 1), f_number=1.0)
    photo = read_photo(tmp_path / "a.dng")
    radiance = np.ones((32, 32, 3), np.float32)  # an estimate for what is white in the photograph
    photo.above.keep_in(radiance)
    assert radiance[16, 16] == pytest.approx([1.3, 0.9, 1.1], abs=0.01)

"""Gain maps give the light of a photograph, by three standards; those that cannot be used are reported."""

import io
import struct
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from heif_files import Item, compose, item_of
from PIL import Image

from hdrdata.photos.colours.gain import by_apple, by_iso, by_xmp
from hdrdata.photos.photo import read_photo

HDR = np.float32(0.03) * 2 ** (6 * np.mgrid[0:64, 0:96][1] / 95)


def ultra_hdr() -> bytes:
    half = np.ones((64, 96, 4), np.float16)
    half[:, :, :3] = HDR[..., None]
    return imagecodecs.ultrahdr_encode(half, level=95, gamut=imagecodecs.ULTRAHDR.CG.BT_709, nits=1000.0)


def iso_numbers(low=0.0, high=2.0, gamma=1.0, below=1000, headroom=0) -> bytes:
    """Metadata of ISO 21496-1 with one channel."""
    pairs = (headroom, below), (2 * below, below), (int(low * below), below), (int(high * below), below)
    pairs += (int(gamma * below), below), (0, below), (0, below)
    return struct.pack(">HHB", 0, 0, 0) + b"".join(struct.pack(">iI", *pair) for pair in pairs)


def apple_exif(tag33: float, tag48: float) -> bytes:
    """An EXIF block with Apple's maker note."""
    entries = struct.pack(">H", 2)
    for place, tag in enumerate((33, 48)):
        entries += struct.pack(">HHII", tag, 10, 1, 14 + 2 + 24 + 4 + 8 * place)
    fractions = b"".join(struct.pack(">ii", round(value * 10**6), 10**6) for value in (tag33, tag48))
    exif = Image.Exif()
    exif.get_ifd(34665)[37500] = b"Apple iOS\0\0\1MM" + entries + bytes(4) + fractions
    return exif.tobytes()


def jpeg_with_map(xmp: bytes, values: np.ndarray, exif: bytes = b"", level: int = 128) -> bytes:
    """A grey photograph and a further image that is its gain map."""
    first, second = io.BytesIO(), io.BytesIO()
    Image.fromarray(np.full((64, 96, 3), level, np.uint8)).save(first, "JPEG", quality=100, exif=exif)
    Image.fromarray(values).save(second, "JPEG", quality=100, xmp=xmp)
    return first.getvalue() + second.getvalue()


def linear(level: int) -> float:
    return ((level / 255 + 0.055) / 1.055) ** 2.4


def test_the_light_of_an_ultra_hdr_file_is_what_libultrahdr_decodes(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(ultra_hdr())
    photo = read_photo(path)
    expected = imagecodecs.ultrahdr_decode(path.read_bytes())[:, :, :3].astype(np.float32)
    error = np.abs(photo.light - expected) / expected.max(axis=2, keepdims=True)
    assert np.median(error) < 0.01 and np.percentile(error, 99) < 0.03
    assert photo.notes == ("an HDR picture (gain map, ISO 21496-1)",) and photo.ldr.dtype == np.uint8
    ignored = read_photo(path, gain_map=False)
    assert ignored.light is None and "its gain map is ignored" in ignored.notes


@pytest.mark.parametrize("tag33, tag48", [(0.8, 0.005), (0.8, 0.5), (1.2, 0.005), (1.2, 0.5)])
def test_apples_formula_uses_the_headroom_of_its_maker_note(tmp_path, tag33, tag48):
    stops = {(0.8, 0.005): 1.7, (0.8, 0.5): 1.5505, (1.2, 0.005): 2.65, (1.2, 0.5): 2.1515}[tag33, tag48]
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a b="urn:com:apple:photo:2020:aux:hdrgainmap"/></x:xmpmeta>'
    (tmp_path / "a.jpg").write_bytes(jpeg_with_map(xmp, np.full((32, 48), 160, np.uint8), apple_exif(tag33, tag48)))
    map_light = ((160 / 255 + 0.09929682680944) / 1.09929682680944) ** (1 / 0.45)  # BT.709's curve
    photo = read_photo(tmp_path / "a.jpg")
    assert np.allclose(photo.light, linear(128) * (1 + (2**stops - 1) * map_light), rtol=2e-3, atol=0)
    assert photo.notes == ("an HDR picture (Apple's gain map)",)


def test_a_headroom_in_xmp_serves_without_a_maker_note_and_none_is_reported(tmp_path):
    xmp = b'<x><a b="urn:com:apple:photo:2020:aux:hdrgainmap" HDRGainMap:HDRGainMapHeadroom="%s"/></x>'
    values = np.full((32, 48), 255, np.uint8)
    (tmp_path / "a.jpg").write_bytes(jpeg_with_map(xmp % b"4.0", values))
    assert read_photo(tmp_path / "a.jpg").light == pytest.approx(4 * linear(128), rel=2e-3)
    (tmp_path / "b.jpg").write_bytes(jpeg_with_map(xmp.replace(b"HDRGainMapHeadroom", b"Other") % b"4.0", values))
    photo = read_photo(tmp_path / "b.jpg")
    assert photo.light is None
    assert photo.notes == ("its gain map (image 2) is not used: it states no headroom",)


def test_iso_numbers_are_those_of_the_formula():
    formula = by_iso(iso_numbers(low=-1, high=3, gamma=2))
    assert formula.boost(np.float32([0.0, 0.25, 1.0])) == pytest.approx([0.5, 2.0**1, 8.0])  # 0.25 ** (1/2) is 0.5
    assert by_xmp(b'<a hdrgm:GainMapMax="2.0"/>').offset_base == pytest.approx(1 / 64)
    assert by_xmp(b"<a/>") is None and by_apple({}, b"") is None


@pytest.mark.parametrize(
    "content, message",
    [
        (iso_numbers(below=1)[:-1], "damaged"),
        (iso_numbers().replace(struct.pack(">I", 1000), bytes(4)), "damaged"),
        (iso_numbers(gamma=0.0), "gamma"),
        (iso_numbers(high=40.0), "40 stops; expected at most 32"),
        (struct.pack(">H", 1) + iso_numbers()[2:], "version 1"),
        (iso_numbers(headroom=3000), "the stored image is the HDR one"),
    ],
)
def test_damaged_or_foreign_numbers_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        by_iso(content)


def test_a_map_of_another_shape_is_not_used(tmp_path):
    xmp = b'<a xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:GainMapMax="1.0"/>'
    (tmp_path / "a.jpg").write_bytes(jpeg_with_map(xmp, np.full((48, 32), 255, np.uint8)))
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.light is None and "another shape than the photograph" in photo.notes[0]


def test_many_beginnings_of_a_jpeg_take_no_time(tmp_path):
    first = jpeg_with_map(b"<a/>", np.zeros((8, 8), np.uint8))
    (tmp_path / "a.jpg").write_bytes(first + b"\xff\xd8\xff" * 75_000)
    start = time.process_time()
    read_photo(tmp_path / "a.jpg")
    assert time.process_time() - start < 20  # quadratic: 48 s


def test_the_light_of_a_rotated_photograph_is_upright(tmp_path):
    base, values = np.full((64, 96, 3), 128, np.uint8), np.zeros((64, 96), np.uint8)
    values[:32] = 255  # above
    exif = Image.Exif()
    exif[274] = 6
    first, second = io.BytesIO(), io.BytesIO()
    Image.fromarray(base).save(first, "JPEG", quality=100, exif=exif)
    Image.fromarray(values).save(
        second, "JPEG", quality=100, xmp=b'<a hdrgm:GainMapMax="2.0" hdrgm:OffsetSDR="0" hdrgm:OffsetHDR="0"/>'
    )
    Path(tmp_path / "a.jpg").write_bytes(first.getvalue() + second.getvalue())
    light = read_photo(tmp_path / "a.jpg").light
    assert light.shape == (96, 64, 3)
    assert np.allclose(light[:, 40:], 4 * linear(128), rtol=5e-3, atol=0)  # turned to the right
    assert np.allclose(light[:, :24], linear(128), rtol=5e-3, atol=0)


def encoded(kind: str, pixels: np.ndarray) -> bytes:
    """An AVIF or HEIC of high quality."""
    file = io.BytesIO()
    if kind == "avif":
        Image.fromarray(pixels).save(file, "AVIF", quality=100, subsampling="4:4:4")
    else:
        mode = "RGB" if pixels.ndim == 3 else "L"
        pillow_heif.from_bytes(mode, pixels.shape[1::-1], pixels.tobytes()).save(file, quality=-1, chroma=444)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_the_gain_map_of_a_tone_mapped_item_is_the_light(tmp_path, kind):
    values = np.zeros((64, 96), np.uint8)
    values[:, 48:] = 255
    base, gain = (item_of(encoded(kind, pixels)) for pixels in (np.full((64, 96, 3), 128, np.uint8), values))
    gain.hidden = True
    items = [base, gain, Item(b"tmap", b"\0" + iso_numbers(high=2.0))]
    path = tmp_path / f"a.{kind}"
    path.write_bytes(compose(kind.encode(), items, [(b"dimg", 3, [1, 2])]))
    photo = read_photo(path)
    assert photo.notes == ("an HDR picture (gain map, ISO 21496-1)",)
    assert np.allclose(photo.light[:, :40], linear(128), rtol=0.03, atol=0)
    assert np.allclose(photo.light[:, 56:], 4 * linear(128), rtol=0.03, atol=0)
    items[2] = Item(b"tmap", b"\0" + iso_numbers(high=2.0)[:20])
    path.write_bytes(compose(kind.encode(), items, [(b"dimg", 3, [1, 2])]))
    photo = read_photo(path)
    assert photo.light is None and photo.notes[0].startswith("its gain map is not used: its numbers are damaged")


def test_the_gain_map_of_an_iphone_is_the_light(tmp_path):
    base = item_of(encoded("heic", np.full((64, 96, 3), 128, np.uint8)))
    gain = item_of(encoded("heic", np.full((32, 48), 160, np.uint8)))
    gain.properties.append((b"auxC", bytes(4) + b"urn:com:apple:photo:2020:aux:hdrgainmap\0"))
    exif = Item(b"Exif", struct.pack(">I", 0) + apple_exif(1.2, 0.005).removeprefix(b"Exif\0\0"))
    references = [(b"auxl", 2, [1]), (b"cdsc", 3, [1])]
    (tmp_path / "a.heic").write_bytes(compose(b"heic", [base, gain, exif], references))
    photo = read_photo(tmp_path / "a.heic")
    map_light = ((160 / 255 + 0.09929682680944) / 1.09929682680944) ** (1 / 0.45)
    assert photo.notes == ("an HDR picture (Apple's gain map)",)
    assert np.allclose(photo.light, linear(128) * (1 + (2**2.65 - 1) * map_light), rtol=0.03, atol=0)
    (tmp_path / "b.heic").write_bytes(compose(b"heic", [base, gain], references[:1]))
    assert read_photo(tmp_path / "b.heic").notes == ("its gain map is not used: it states no headroom",)


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_the_clean_aperture_is_the_photograph(tmp_path, kind):
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[8:40, 16:80] = 200  # 64x32, its centre at 48, 24: the image's is at 48, 32
    item = item_of(encoded(kind, pixels))
    item.properties.append((b"clap", struct.pack(">IIIIiIiI", 64, 1, 32, 1, 0, 1, -8, 1)))
    (tmp_path / f"a.{kind}").write_bytes(compose(kind.encode(), [item], []))
    ldr = read_photo(tmp_path / f"a.{kind}").ldr
    assert ldr.shape == (32, 64, 3) and np.abs(ldr.astype(int) - 200).max() <= 12

"""Radiance maps in formats that people can open, read back by other programs than the ones that wrote them."""

import io
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image, ImageCms
from pymediainfo import MediaInfo
from shared_files import ROOT, shared_file

from hdrdata.cameras.crf import srgb_crf
from hdrdata.files.radiance import read_radiance
from hdrdata.files.tonemap import to_uint8, tonemap_reinhard
from hdrdata.photos.colours.made import rgb_profile
from hdrmodel.outputs.bands import Metadata, Picture, Scale
from hdrmodel.outputs.format_list import describe_formats
from hdrmodel.outputs.formats import FORMATS, write_output
from hdrmodel.outputs.linear import CHROMATICITIES, rgbe_rounded
from hdrmodel.outputs.signals import BT709_TO_BT2020, hlg_signal, pq_signal, tone_mapped
from hdrmodel.outputs.ultrahdr.writing import own_jpeg

FACTS = {"program": "hdrmodel 0.1.0", "input": "Zoë.jpg"}
P3_TO_BT709 = np.array([[1.2249, -0.2249, 0.0], [-0.0420, 1.0420, 0.0], [-0.0197, -0.0786, 1.0983]])


def patches(light: np.ndarray) -> np.ndarray:
    """Colours (number, 3) as a row of patches of 16 x 16 pixels, which JPEG and AVIF keep apart."""
    return np.repeat(np.repeat(light[None], 16, axis=0), 16, axis=1).astype(np.float32)


def middles(picture: np.ndarray) -> np.ndarray:
    """One pixel of each patch."""
    return picture[8, 8::16]


def scene() -> np.ndarray:
    """Smooth light of changing colour over nine stops, 0.02 to 12, and its odd size 61 x 83."""
    y, x = np.mgrid[0:61, 0:83]
    light = 0.02 * 2 ** (9 * x / 82)
    return (light[..., None] * np.stack([np.ones_like(y), 1 - y / 120, 0.5 + y / 120], axis=2)).astype(np.float32)


def read_oiio(path: Path) -> np.ndarray:
    opened = oiio.ImageInput.open(str(path))
    return opened.read_image(opened.spec().format)


def pq_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2: the EOTF of BT.2100 table 4, which undoes `pq_signal`."""
    power = signal ** (1 / 78.84375)
    return 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)


def hlg_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2 of a 1,000 cd/m2 display: the inverse OETF and the OOTF of BT.2100 table 5."""
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return 1000 * scene * (scene @ [0.2627, 0.6780, 0.0593])[..., None] ** 0.2


def read_ultrahdr(path: Path) -> np.ndarray:
    """cd/m2 by Android's "Ultra HDR Image Format v1.1", from the XMP: MPF, the two JPEGs, and the gain's formula."""
    content = path.read_bytes()
    mpf = content.index(b"MPF\0") + 4
    tags = {struct.unpack_from(">H", content, mpf + 10 + 12 * i)[0]: mpf + 10 + 12 * i for i in range(3)}
    assert struct.unpack_from(">I", content, tags[0xB001] + 8)[0] == 2  # pictures
    entries = mpf + struct.unpack_from(">I", content, tags[0xB002] + 8)[0]
    (first_size, first_offset), (size, offset) = (
        struct.unpack_from(">4xII", content, entries + 16 * i) for i in (0, 1)
    )
    assert first_offset == 0 and first_size == mpf + offset and mpf + offset + size == len(content)
    primary, gain_map = content[:first_size], content[mpf + offset :]
    assert f'Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="{size}"'.encode() in primary
    number = {name.decode(): float(value) for name, value in re.findall(rb'hdrgm:(\w+)="([-.e\d]+)"', gain_map)}
    base, gain = (np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")) / 255 for jpeg in (primary, gain_map))
    linear = np.where(base <= 0.04045, base / 12.92, ((base + 0.055) / 1.055) ** 2.4)
    boost = number["GainMapMin"] + (number["GainMapMax"] - number["GainMapMin"]) * gain ** (1 / number["Gamma"])
    light = (linear + number["OffsetSDR"]) * 2**boost - number["OffsetHDR"]
    profile = ImageCms.ImageCmsProfile(io.BytesIO(Image.open(io.BytesIO(primary)).info["icc_profile"]))
    is_p3 = profile.profile.red_colorant[1][0] > 0.66  # x of D50: 0.649 of BT.709's red, 0.682 of Display P3's
    return 203 * (light @ P3_TO_BT709.T if is_p3 else light)


def read_avif(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:, :, ::-1] / 1023


def from_bt2020(light: np.ndarray) -> np.ndarray:
    return light @ np.linalg.inv(BT709_TO_BT2020).T


@dataclass(frozen=True)
class Reading:
    """How another program reads a format, and how near it comes."""

    light: Callable[[Path], np.ndarray]  # linear, BT.709; in cd/m2 if `absolute`
    relative: float  # greatest error of `scene`
    below: float = 0.0  # and what is added to that in the dark, of white
    absolute: bool = True


READINGS = {
    "exr": Reading(read_oiio, 2**-11, absolute=False),  # half a step of 11 bits
    "exr-float": Reading(read_oiio, 0, absolute=False),
    "hdr": Reading(read_oiio, 2**-7, absolute=False),  # half of 1/128 of the largest; others are half of it
    # A step of the gain is at most 3 % of nine stops' light, and JPEG moves codes by one.
    "ultrahdr": Reading(read_ultrahdr, 0.06, below=0.003),
    # A code of 10 bits is 1 to 2 % of the light, and lossy coding moves codes by a few.
    "avif-pq": Reading(lambda path: from_bt2020(pq_light(read_avif(path))), 0.06, below=0.0005),
    "avif-hlg": Reading(lambda path: from_bt2020(hlg_light(read_avif(path))), 0.06, below=0.0005),
    "png-pq": Reading(lambda path: from_bt2020(pq_light(read_oiio(path) / 65535)), 5e-4),  # half a code of 16 bits
    "png-hlg": Reading(lambda path: from_bt2020(hlg_light(read_oiio(path) / 65535)), 5e-4),
}
ALL = pytest.mark.parametrize("name", FORMATS)
HDR = pytest.mark.parametrize("name", READINGS)


def write(folder: Path, name: str, radiance: np.ndarray, **scale: float) -> Path:
    """Write one picture in which nothing is clipped."""
    path = folder / f"picture{FORMATS[name].suffix}"
    assert write_output(path, radiance, name, Scale(**scale), FACTS) == []
    return path


@HDR
def test_another_program_reads_the_light_that_was_written(name, tmp_path):
    reading, radiance = READINGS[name], scene() / (4 if "hlg" in name else 1)  # up to 3: 609 cd/m2 of 1,000
    white = 203 if reading.absolute else 1
    light = reading.light(write(tmp_path, name, radiance)) / white
    assert light.shape == radiance.shape
    np.testing.assert_allclose(light, radiance, rtol=reading.relative, atol=reading.below)
    assert np.mean(light / radiance) == pytest.approx(1, abs=0.01)  # no bias


ACCURACY = {"exr": 0.05, "exr-float": 0.005, "hdr": 2.5, "ultrahdr": 3, "avif-pq": 10, "avif-hlg": 8, "png-pq": 0.05,
            "png-hlg": 0.05}  # fmt: skip  # in %, 99th percentile: what docs/photographs.md states


def noisy_scene() -> tuple[np.ndarray, np.ndarray]:
    """A sample scene with the noise of a sensor at a high ISO, in which 3 % of the pixels clip; and its light."""
    light = np.maximum(read_radiance(ROOT / "data/scenes/noon_courtyard.exr")[128:384, 256:512], 0)
    light /= np.percentile(light.max(axis=2), 97)
    chance = np.random.default_rng(0)
    electrons = chance.poisson(np.minimum(light, 4) * 1500) + chance.normal(0, 4, light.shape)
    return to_uint8(srgb_crf()(np.clip(electrons / 1500, 0, 1))), light


def noisy_phone() -> tuple[np.ndarray, np.ndarray]:
    """A photograph of a phone, and its light by one of a fifth of the exposure, through sRGB."""
    long, short = (cv2.imread(str(shared_file(f"brackets/m2007j17c/0{number}.png")))[:, :, ::-1] for number in (3, 0))
    return np.ascontiguousarray(long), 5 * srgb_crf().inverse(short / 255)


@pytest.mark.parametrize("photograph", [noisy_scene, noisy_phone])
@HDR
def test_the_light_of_a_noisy_photograph_is_as_accurate_as_the_docs_state(name, photograph, tmp_path):
    ldr, light = photograph()
    assert (ldr == 255).mean() > 0.01
    brightest = 1000 / 203 if "hlg" in name else 20
    light = np.where(ldr == 255, np.clip(light, 1, brightest), srgb_crf().inverse(ldr / 255)).astype(np.float32)
    path = tmp_path / f"picture{FORMATS[name].suffix}"
    write_output(path, light, name, Scale(), FACTS, Picture(ldr), quality=99)
    read = READINGS[name].light(path) / (203 if READINGS[name].absolute else 1)
    used = light > 0.01
    assert np.percentile(100 * np.abs(read[used] / light[used] - 1), 99) < ACCURACY[name]


@HDR
def test_brighter_grey_never_gets_a_smaller_number(name, tmp_path):
    grey = np.repeat(np.geomspace(0.001, 4.5, 300)[:, None], 3, axis=1)
    light = middles(READINGS[name].light(write(tmp_path, name, patches(grey)))).mean(axis=1)
    assert (np.diff(light) >= -1e-9 * light[1:]).all()  # what the matrix to BT.2020 and back leaves


@HDR
def test_twice_the_scale_is_twice_the_light(name, tmp_path):
    reading = READINGS[name]
    grey = patches(np.repeat(np.geomspace(0.02, 1, 20)[:, None], 3, axis=1))
    scales = [{"nits": nits} if reading.absolute else {"white": nits / 100} for nits in (100.0, 200.0)]
    once, twice = (middles(reading.light(write(tmp_path, name, grey, **scale))) for scale in scales)
    np.testing.assert_allclose(twice, 2 * once, rtol=2 * reading.relative, atol=2 * reading.below * 203)


@pytest.mark.parametrize(("name", "peak"), [("ultrahdr", 10_000), ("png-pq", 10_000), ("png-hlg", 1_000)])
def test_white_is_the_nits_that_were_asked_for_and_what_a_format_does_not_reach_is_clipped_and_told(
    name, peak, tmp_path
):
    path = tmp_path / "picture"
    light = patches(np.repeat([[1.0], [1e30]], 3, axis=1))
    notes = write_output(path, light, name, Scale(nits=250.0), {})
    assert notes == [f"50 % of the pixels are above {peak:,} cd/m2, and clipped to it"]
    white, brightest = middles(READINGS[name].light(path)).mean(axis=1)
    assert white == pytest.approx(250, rel=0.03) and brightest == pytest.approx(peak, rel=0.03)  # JPEG's, as above


def test_half_floats_end_at_65504_and_single_floats_do_not(tmp_path):
    light = patches(np.array([[1e5, 1, 1], [1, 1, 1], [2, 2, 2], [3, 3, 3]]))
    path = tmp_path / "picture.exr"
    assert write_output(path, light, "exr", Scale(), {}) == [
        "25 % of the pixels are above 65504, the largest float16, and clipped to it"
    ]
    assert read_oiio(path).max() == 65504 and read_oiio(path).dtype == np.float16
    assert write_output(path, light, "exr-float", Scale(), {}) == []
    assert (read_oiio(path) == light).all()
    assert len(write_output(path, light, "exr-float", Scale(white=1e37), {})) == 1
    assert np.isfinite(read_oiio(path)).all()


def test_an_exr_file_says_its_colours_its_white_and_how_it_was_made(tmp_path):
    path = write(tmp_path, "exr", scene(), nits=100.0, white=0.5)
    said = {made.name: made for made in oiio.ImageInput.open(str(path)).spec().extra_attribs}
    assert str(said["chromaticities"].type) == "float[8]"
    assert said["chromaticities"].value == pytest.approx(CHROMATICITIES)
    assert b"chromaticities\0chromaticities\0" in path.read_bytes()  # OpenEXR's own type of that name
    assert said["whiteLuminance"].value == 200  # cd/m2 of (1, 1, 1), as white is 0.5
    assert {name: said[f"hdrmodel.{name}"].value for name in FACTS} == FACTS


def test_a_radiance_file_has_a_plain_header_and_all_readers_agree(tmp_path):
    path = write(tmp_path, "hdr", scene())
    assert path.read_bytes().startswith(
        b"#?RADIANCE\n# hdrmodel.program=hdrmodel 0.1.0\n"
        b"# hdrmodel.input=Zo\xc3\xab.jpg\nEXPOSURE=1\n"
        b"PRIMARIES=0.64 0.33 0.3 0.6 0.15 0.06 0.3127 0.329\nFORMAT=32-bit_rle_rgbe\n\n-Y 61 +X 83\n\x02\x02\x00\x53"
    )
    light = read_oiio(path)
    assert (cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:, :, ::-1] == light).all()
    assert (read_radiance(path) == light).all()


def test_a_radiance_file_of_many_bands_is_one_picture(tmp_path):
    radiance = np.random.default_rng(0).exponential(1, (3000, 100, 3)).astype(np.float32)
    assert np.abs(read_oiio(write(tmp_path, "hdr", radiance)) - radiance).max() <= radiance.max() / 256


def test_rgbe_is_rounded_to_the_nearest_and_not_down():
    # 0.999 needs the exponent of [0.5, 1), steps of 1/256: 255.7 rounds to 256, which is 1.0 of the next exponent.
    light = np.array([[[0.999, 0.25, 0.003], [0.75, 0.3, 0.001], [0.0, 0.0, 0.0]]], np.float32)
    expected = [[[1.0, 0.25, 0.0], [192 / 256, 77 / 256, 0.0], [0, 0, 0]]]  # 0.003 is 0.4 steps of 1/128
    assert rgbe_rounded(light).tolist() == expected
    light = np.random.default_rng(0).uniform(0.5, 1, (100, 100, 3)).astype(np.float32)
    steps = (rgbe_rounded(light) - light) * 256
    assert np.abs(steps).max() <= 1 and abs(steps.mean()) < 0.01


def test_pq_takes_the_values_of_its_standard():
    # 100: SMPTE ST 2084's 0.508078; 203 and 1,000: BT.2408 table 1, 58 % and 75 %; to more digits by its formula.
    assert pq_signal(np.array([0.0, 100, 203, 1000, 10_000])) == pytest.approx(
        [0, 0.508078, 0.5807, 0.7518, 1], abs=5e-5
    )


def test_hlg_takes_the_values_of_its_standard():
    # BT.2408 table 1: reference white of 203 cd/m2 is at 75 %; BT.2100: the signal is 0.5 where scene light is 1/12.
    light = np.array([0.0, 203, 1000 * (1 / 12) ** 1.2, 1000])
    assert hlg_signal(np.repeat(light[:, None], 3, axis=1))[:, 0] == pytest.approx([0, 0.75, 0.5, 1], abs=5e-4)


def test_the_matrix_follows_from_the_two_sets_of_primaries():
    def to_xyz(red, green, blue):
        x, y = np.array([red, green, blue]).T
        columns = np.stack([x / y, np.ones(3), (1 - x - y) / y])
        white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
        return columns * np.linalg.solve(columns, white)

    bt709 = to_xyz((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
    bt2020 = to_xyz((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
    assert np.linalg.solve(bt2020, bt709) == pytest.approx(BT709_TO_BT2020, abs=1e-9)


@pytest.mark.parametrize(("name", "transfer"), [("png-pq", 16), ("png-hlg", 18)])
def test_a_png_says_its_colours_before_its_pixels(name, transfer, tmp_path):
    content, chunks, place = write(tmp_path, name, patches(np.ones((2, 3)))).read_bytes(), [], 8
    while place < len(content):
        (size,) = struct.unpack_from(">I", content, place)
        body = content[place + 4 : place + 8 + size]
        assert struct.unpack_from(">I", content, place + 8 + size) == (zlib.crc32(body),)
        chunks.append((body[:4], body[4:]))
        place += 12 + size
    kinds = [kind for kind, _ in chunks]
    assert kinds[:2] == [b"IHDR", b"cICP"] and kinds[-1] == b"IEND" and b"IDAT" in kinds
    assert chunks[0][1] == struct.pack(">IIBBBBB", 32, 16, 16, 2, 0, 0, 0)  # 16 bits, RGB
    assert chunks[1][1] == bytes([9, transfer, 0, 1])
    texts = dict(body.split(b"\0\0\0\0\0") for kind, body in chunks if kind == b"iTXt")
    assert {name.decode(): text.decode() for name, text in texts.items()} == {
        f"hdrmodel.{name}": text for name, text in FACTS.items()
    }


@pytest.mark.parametrize(("name", "transfer"), [("avif-pq", 16), ("avif-hlg", 18)])
def test_an_avif_says_its_colours_and_is_of_ten_bits(name, transfer, tmp_path):
    path = write(tmp_path, name, scene() / 4)
    content = path.read_bytes()
    nclx = content[content.index(b"nclx") :][4:11]
    assert nclx == struct.pack(">HHHB", 9, transfer, 9, 0x80)  # primaries, transfer, matrix, full range
    assert content[content.index(b"pixi") :][8:12] == bytes([3, 10, 10, 10])
    with Image.open(path) as opened:
        assert (opened.format, opened.size) == ("AVIF", (83, 61))


def test_both_kinds_of_gain_map_numbers_give_the_same_light(tmp_path):
    path = write(tmp_path, "ultrahdr", scene())
    by_iso = imagecodecs.ultrahdr_decode(path.read_bytes())[:, :, :3]  # libultrahdr prefers ISO 21496-1 over XMP
    np.testing.assert_allclose(read_ultrahdr(path) / 203, by_iso, rtol=0.04)  # its tables, and another JPEG decoder
    without = path.read_bytes().replace(b"urn:iso:std:iso:ts:21496:-1", b"urn:iso:std:iso:ts:-----:--")
    assert (imagecodecs.ultrahdr_decode(without)[:, :, :3] == by_iso).all()


def test_a_gain_map_has_no_profile_that_a_reader_would_obey(tmp_path):
    content = write(tmp_path, "ultrahdr", scene()).read_bytes()
    gain_map = Image.open(io.BytesIO(content[content.rindex(b"\xff\xd8\xff\xe1") :]))
    assert np.ptp(gain_map) > 100 and gain_map.mode == "RGB" and "icc_profile" not in gain_map.info


def photograph(dtype=np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """Smooth colours of which a third clips, and light that shows each value as it is, and four times white there."""
    y, x = np.mgrid[0:96, 0:128]
    code = np.stack([40 + 2.5 * x, 20 + 2 * x + y, 300 - 2 * y], axis=2).clip(0, 255) / 255
    ldr = np.round(code * np.iinfo(dtype).max).astype(dtype)
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return ldr, np.where(code == 1, 4, light).astype(np.float32)


def first_jpeg(path: Path) -> tuple[np.ndarray, bytes]:
    with Image.open(path) as base:
        return np.asarray(base).astype(int), base.info["icc_profile"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_base_of_ultra_hdr_is_the_photograph_and_its_light_comes_back(dtype, tmp_path):
    ldr, light = photograph(dtype)
    path = tmp_path / "picture.jpg"
    assert write_output(path, light, "ultrahdr", Scale(), {}, Picture(ldr)) == []
    base, icc = first_jpeg(path)
    expected = ldr / (np.iinfo(dtype).max / 255)
    assert np.abs(base - expected).mean() < 0.5 and np.abs(base - expected).max() <= 3
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip() == "sRGB"
    by_library = imagecodecs.ultrahdr_decode(path.read_bytes())[:, :, :3].astype(float)
    for read, name in ((read_ultrahdr(path) / 203, "by hand"), (by_library, "libultrahdr")):
        error = np.abs(read / light - 1)[light > 0.01]
        assert np.median(error) < 0.01 and np.percentile(error, 99) < 0.04, name
    gain_map = Image.open(io.BytesIO(path.read_bytes()[path.read_bytes().rindex(b"\xff\xd8\xff\xe1") :]))
    assert gain_map.getbands() == ("R", "G", "B") and gain_map.size == (128, 96)


def test_white_of_the_base_stays_white(tmp_path):
    path = tmp_path / "picture.jpg"
    ldr = np.full((64, 64, 3), 255, np.uint8)
    write_output(path, np.full((64, 64, 3), 6.0, np.float32), "ultrahdr", Scale(), {}, Picture(ldr))
    assert (first_jpeg(path)[0] == 255).all()  # a tone map made 188 of it
    assert read_ultrahdr(path) / 203 == pytest.approx(6, rel=0.01)


def test_a_base_of_display_p3_keeps_its_values_and_its_own_profile(tmp_path):
    ldr, light = photograph()
    icc, path = rgb_profile("a camera's P3", P3_TO_BT709), tmp_path / "picture.jpg"
    radiance = (light @ P3_TO_BT709.T).astype(np.float32)
    assert radiance.min() < 0
    assert write_output(path, radiance, "ultrahdr", Scale(), {}, Picture(ldr, P3_TO_BT709, icc)) == []
    base, profile = first_jpeg(path)
    assert np.abs(base - ldr).mean() < 0.5 and profile == icc
    error = np.abs(read_ultrahdr(path) / 203 - radiance)
    assert np.percentile(error / np.abs(radiance).max(axis=2, keepdims=True), 99) < 0.03


def test_a_base_of_other_primaries_is_shown_in_display_p3(tmp_path):
    ldr = np.full((16, 16, 3), (0, 255, 0), np.uint8)
    to_bt709 = np.array([[1.3983, -0.3983, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429, 1.0429]])  # of Adobe RGB (1998)
    radiance = np.broadcast_to(np.float32([-0.3983, 1.0, -0.0429]), ldr.shape).copy()
    path = tmp_path / "picture.jpg"
    assert write_output(path, radiance, "ultrahdr", Scale(), {}, Picture(ldr, to_bt709)) == [
        "1e+02 % of the pixels are outside Display P3, and clipped to it"
    ]
    base, icc = first_jpeg(path)
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip() == "Display P3"
    # its green by the matrix to P3 that CSS Color 4 prints: (-0.150, 0.954, 0.0265), by sRGB's curve 0, 250 and 45
    assert np.abs(base[8, 8] - [0, 250, 45]).max() <= 2


def test_exif_goes_where_a_format_has_a_place_for_it(tmp_path):
    exif = Image.Exif()
    exif[271], exif[272] = "maker", "model"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    for name in ("ultrahdr", "png-pq", "avif-pq", "avif-hlg"):
        path = tmp_path / f"x{FORMATS[name].suffix}"
        write_output(path, scene(), name, Scale(), {}, metadata=Metadata(block))
        with Image.open(path) as opened:
            assert dict(opened.getexif()) == {271: "maker", 272: "model"}, name


@ALL
def test_the_same_picture_gives_the_same_bytes(name, tmp_path):
    assert (
        write(tmp_path / "one", name, scene() / 4).read_bytes()
        == write(tmp_path / "two", name, scene() / 4).read_bytes()
    )


@pytest.mark.parametrize(("brightest", "nits"), [(0.5, 406), (3, 609), (1000, 10_000)])
def test_a_display_as_bright_as_the_picture_gets_all_of_the_gain(brightest, nits, tmp_path):
    path = tmp_path / "picture.jpg"
    write_output(path, np.full((16, 16, 3), brightest, np.float32), "ultrahdr", Scale(), {})
    said = float(re.search(rb'hdrgm:HDRCapacityMax="([.\d]+)"', path.read_bytes())[1])
    assert said == pytest.approx(np.log2(nits / 203), abs=1e-4)  # stops over a display's white; a stop at least


@ALL
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (8, 8), (13, 17)])
def test_a_picture_of_any_size_is_written(name, shape, tmp_path):
    path = tmp_path / f"picture{FORMATS[name].suffix}"
    radiance = np.full((*shape, 3), 0.5, np.float32)
    write_output(path, radiance, name, Scale(), FACTS)
    read = read_oiio(path) if path.suffix == ".exr" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert read.shape == (*shape, 3)


def test_ultra_hdr_ends_where_the_usual_jpeg_library_ends(tmp_path):
    for shape in ((1, 65500, 3), (65500, 1, 3)):
        write_output(tmp_path / "picture.jpg", np.ones(shape, np.float32), "ultrahdr", Scale(), {})
        assert imagecodecs.jpeg8_decode((tmp_path / "picture.jpg").read_bytes()).shape == shape
    with pytest.raises(ValueError, match=r"wider.jpg: 65501 x 8 pixels; ultrahdr takes 1 to 65500 a side$"):
        write_output(tmp_path / "wider.jpg", np.ones((8, 65501, 3), np.float32), "ultrahdr", Scale(), {})


def test_a_preview_is_the_tone_mapped_picture(tmp_path):
    expected = to_uint8(tonemap_reinhard(scene()))
    assert (np.asarray(Image.open(write(tmp_path, "preview", scene()))) == expected).all()


def test_a_preview_has_at_most_2048_pixels_a_side(tmp_path):
    radiance = np.tile(np.geomspace(0.01, 1, 4000, dtype=np.float32)[None, :, None], (3, 1, 3))
    with Image.open(write(tmp_path, "preview", radiance)) as opened:
        assert opened.size == (2048, 2)


@ALL
def test_black_is_black(name, tmp_path):
    path = write(tmp_path, name, np.zeros((16, 16, 3), np.float32))
    assert (READINGS[name].light(path) == 0).all() if name in READINGS else not np.asarray(Image.open(path)).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_light_is_our_mistake(bad, tmp_path):
    radiance = scene()
    radiance[3, 4, 1] = bad
    with pytest.raises(AssertionError, match="finite"):
        write_output(tmp_path / "picture.exr", radiance, "exr", Scale(), {})


def test_an_unknown_format_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown format 'gif'; known: exr, exr-float, hdr, ultrahdr, avif-pq"):
        write_output(Path("picture.gif"), scene(), "gif", Scale(), {})


@pytest.mark.parametrize("number", [0.0, -1.0, np.inf, np.nan])
@pytest.mark.parametrize("name", ["nits", "white"])
def test_a_scale_is_positive_and_finite(name, number):
    with pytest.raises(ValueError, match=f"{name} must be positive and finite"):
        Scale(**{name: number})


def test_each_format_has_a_line_that_says_what_white_is():
    lines = describe_formats().splitlines()
    assert [line.split()[:2] for line in lines] == [[made.name, made.suffix] for made in FORMATS.values()]
    assert all("white is" in line for line in lines[:-1])


PROGRAM = """
import pathlib, resource, signal, sys
import numpy as np
from hdrmodel.outputs.bands import Picture, Scale
from hdrmodel.outputs.formats import FORMATS, write_output
assert not {"torch", "imagecodecs"} & set(sys.modules), "the import is a slow one"
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))  # bytes of a file: a write fails as on a full disk
radiance = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
for name in FORMATS:
    try:
        write_output(pathlib.Path(sys.argv[1], name), radiance, name, Scale(), {})
    except OSError as error:
        assert str(pathlib.Path(sys.argv[1], name)) in str(error), error
    else:
        sys.exit(f"{name} fitted")
"""


def test_a_full_disk_is_named_and_leaves_no_file(tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def smooth_photograph() -> tuple[np.ndarray, bytes, np.ndarray]:
    """A JPEG, its file, and light that is its own below white and up to eight times white in its clipped part."""
    y, x = np.mgrid[0:96, 0:128] / 96
    light = 8 * np.exp(-6 * ((x - 0.6) ** 2 + (y - 0.5) ** 2))[..., None] * np.array([1.0, 0.9, 0.8])
    codes = np.rint(255 * srgb_crf()(np.minimum(light, 1))).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(codes).save(content, "JPEG", quality=92, exif=b"Exif\0\0secret", comment=b"secret")
    ldr = np.asarray(Image.open(content).convert("RGB"))
    own = srgb_crf().inverse(ldr / 255.0)
    return ldr, content.getvalue(), np.where(codes == 255, np.maximum(light, 1), own).astype(np.float32)


def test_the_base_of_an_unmodified_jpeg_is_the_files_own_bytes(tmp_path):
    ldr, content, light = smooth_photograph()
    jpeg = own_jpeg(content, ldr)
    path = tmp_path / "light.jpg"
    write_output(path, light, "ultrahdr", Scale(), {}, Picture(ldr, jpeg=jpeg), quality=90)
    written = path.read_bytes()
    scan = content[content.index(b"\xff\xda") : content.rindex(b"\xff\xd9") + 2]
    assert scan in written and b"secret" not in written
    assert (np.asarray(Image.open(path).convert("RGB")) == ldr).all()
    by_library = imagecodecs.ultrahdr_decode(written)[:, :, :3].astype(float)
    clipped = light > 1
    assert np.percentile(np.abs(by_library / light - 1)[clipped], 90) < 0.06  # a map of quality 90
    for changed in (ldr[::-1], ldr[:, :64], ldr.astype(np.uint16) * 257):
        assert own_jpeg(content, changed) is None
    assert own_jpeg(content[:-40], ldr) is None and own_jpeg(b"\x89PNG", ldr) is None


def test_a_large_gain_map_is_reduced_below_the_finest_quality(tmp_path):
    path = tmp_path / "wide.jpg"
    light = np.full((8, 2200, 3), 2.0, np.float32)
    sizes = {}
    for quality in (90, 99):
        write_output(path, light, "ultrahdr", Scale(), {}, quality=quality)
        content = path.read_bytes()
        sizes[quality] = Image.open(io.BytesIO(content[content.rindex(b"\xff\xd8\xff\xe1") :])).size
    assert sizes == {90: (2048, 7), 99: (2200, 8)}


def test_one_bright_pixel_does_not_hide_highlights_on_a_display_of_little_headroom(tmp_path):
    light = np.full((64, 64, 3), 0.5, np.float32)
    light[:, :32], light[0, 0] = 4, 40  # two stops of highlights; one pixel in 4096 is a lamp
    path = tmp_path / "lamp.jpg"
    write_output(path, light, "ultrahdr", Scale(), {})
    (capacity,) = re.findall(rb'HDRCapacityMax="([-.e\d]+)"', path.read_bytes())
    assert float(capacity) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("suffix", ["avif", "png"])
def test_pq_files_state_their_light_levels_and_hlg_files_none(suffix, tmp_path):
    """MaxCLL and MaxFALL of CTA-861.3 as MediaInfo reads them; an AVIF holds whole cd/m2, a PNG 0.0001."""
    light = np.full((10, 10, 3), 0.5, np.float32)
    light[0, 0] = 5
    largest, mean = 5 * 203, (99 * 0.5 + 5) / 100 * 203
    path = tmp_path / f"light.{suffix}"
    write_output(path, light, f"{suffix}-pq", Scale(), {})
    stated = MediaInfo.parse(path).image_tracks[0]
    assert (stated.transfer_characteristics, stated.color_primaries) == ("PQ", "BT.2020")
    levels = [stated.maximum_content_light_level, stated.maximum_frameaverage_light_level]
    assert [float(level.removesuffix(" cd/m2")) for level in levels] == pytest.approx([largest, mean], abs=0.5)
    write_output(path, light, f"{suffix}-hlg", Scale(), {})
    stated = MediaInfo.parse(path).image_tracks[0]
    assert (stated.transfer_characteristics, stated.maximum_content_light_level) == ("HLG", None)


def test_light_without_a_photograph_is_tone_mapped_by_bt2390():
    # ITU-R BT.2390: 1,000 to 203 cd/m2 of black 0: signals 0.7518 and 0.5807; the knee 1.5 * 0.7724 - 0.5 = 0.6586 of
    # 0.7518 is about 90 cd/m2, below which light stays.
    light = np.array([[0.0, 0.0, 0.0], [80, 20, 1], [400, 200, 0], [1000, 1000, 1000]])
    mapped = tone_mapped(light, 1000.0, 203.0)
    np.testing.assert_allclose(mapped[:2], light[:2], rtol=1e-9)
    np.testing.assert_allclose(mapped[3], 203, rtol=1e-9)
    # the report's spline of 400 cd/m2, computed once by its equations in scalars: 193.609; the same hue
    np.testing.assert_allclose(mapped[2], [193.6090597, 193.6090597 / 2, 0], rtol=1e-8)
    assert tone_mapped(light, 150.0, 203.0) is light

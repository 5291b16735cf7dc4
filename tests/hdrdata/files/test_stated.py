"""What HDR files say of their own pixels: primaries, exposures, planes, layers, windows."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import tifffile
from exr_parts import rgb, write_parts
from shared_files import ROOT

from hdrdata.files.hdr.primaries import REC709, matrix_of
from hdrdata.files.radiance import check_radiance, read_radiance, repair_radiance

P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
WILD = ROOT.parent / "shared" / "wild"


def light(height=6, width=10, seed=0):
    return np.random.default_rng(seed).uniform(0.01, 8, (height, width, 3)).astype(np.float32)


def write_exr(path: Path, pixels: np.ndarray, **header) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    with OpenEXR.File(header, {"RGB": pixels}) as file:
        file.write(str(path))


def write_hdr(
    path: Path, head: str, size: str = "-Y 2 +X 3", end: str = "\n", pixels: bytes | None = None
) -> np.ndarray:
    """Six pixels without run lengths; returns what they stand for, by Radiance's formula m 2^(e - 136)."""
    rgbe = np.random.default_rng(1).integers(60, 200, (6, 4)).astype(np.uint8)
    rgbe[:, 3] = [128, 129, 130, 127, 128, 131]
    body = rgbe.tobytes() if pixels is None else pixels
    path.write_bytes(f"#?RADIANCE{end}{head}{end}{size}{end}".encode() + body)
    return (rgbe[:, :3] * 2.0 ** (rgbe[:, 3:].astype(int) - 136)).astype(np.float32).reshape(2, 3, 3)


def test_matrices_between_primaries_are_the_published_ones():
    p3_to_709 = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]  # SMPTE RP 431-2, D65
    ap0_to_709 = [[2.5217, -1.1341, -0.3876], [-0.2765, 1.3727, -0.0962], [-0.0154, -0.1530, 1.1684]]  # Bradford
    assert matrix_of(P3) == pytest.approx(np.array(p3_to_709), abs=2e-3)
    assert matrix_of(AP0) == pytest.approx(np.array(ap0_to_709), abs=3e-3)
    assert matrix_of(REC709) is None and matrix_of((0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3128, 0.3292)) is None
    with pytest.raises(ValueError, match="primaries 0, 0, 0, 0, 0, 0, 0, 0: they give no white"):
        matrix_of((0.0,) * 8)


@pytest.mark.parametrize("primaries", [P3, AP0])
def test_an_exr_of_other_primaries_becomes_rec709_and_white_stays_white(tmp_path, primaries):
    pixels = light()
    pixels[0, 0] = 3
    write_exr(tmp_path / "a.exr", pixels, chromaticities=primaries)
    made = read_radiance(tmp_path / "a.exr")
    assert made == pytest.approx(pixels.astype(np.float64) @ matrix_of(primaries).T, rel=1e-4, abs=1e-4)
    assert made[0, 0] == pytest.approx([3, 3, 3], rel=2e-3)
    write_exr(tmp_path / "b.exr", pixels, chromaticities=REC709)
    assert np.array_equal(read_radiance(tmp_path / "b.exr"), pixels)


def test_light_outside_rec709_is_negative_and_counted_apart_from_damage(tmp_path):
    pixels = light(16, 16)
    pixels[:4, :, :] = 0.0, 5.0, 0.0  # the green of P3
    pixels[8, 8] = -1
    write_exr(tmp_path / "a.exr", pixels, chromaticities=P3)
    assert (read_radiance(tmp_path / "a.exr")[:4].min(axis=2) < 0).all()
    made, repairs = check_radiance(tmp_path / "a.exr", 0.01)
    assert repairs.outside >= 64 and repairs.negative == 1 and repairs.total == 1 and made.min() == 0


@pytest.mark.parametrize("head, divisor", [
    ("FORMAT=32-bit_rle_rgbe\n", 1), ("", 1), ("EXPOSURE=4.0\npfilt -e 2\nEXPOSURE= 2\n", 8),
    ("COLORCORR= 2 1 0.5\n", (2, 1, 0.5)), ("EXPOSURE=2\nCOLORCORR=2 1 0.5\n", (4, 2, 1)), ("EXPOSURE=0\n", 1),
    ("\tEXPOSURE=4\n", 1), ("x" * 254 + "\n", 1), ("PRIMARIES=0 0 0 0 0 0 0 0\n", 1),
    ("PRIMARIES= 0.640 0.330 0.290 0.600 0.150 0.060 0.333 0.333\n", 1),
    ("EXPOSURE=1 2 4\n", (1, 2, 4)), ("EXPOSURE=nan\n", 1), ("EXPOSURE=1 1 1\nEXPOSURE=2\n", 2),
])  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_radiance_s_header_multiplied_is_divided_out(tmp_path, head, divisor, end):
    wanted = write_hdr(tmp_path / "a.hdr", head.replace("\n", end), end=end)
    assert read_radiance(tmp_path / "a.hdr") == pytest.approx(wanted / np.array(divisor), rel=1e-6)


@pytest.mark.parametrize("start, size", [
    ("#?RADIANCE made by hand", "-Y 2 +X 3"), ("#?Autopano", "-Y 2 +X 3 "), ("\ufeff#?RADIANCE", "-Y 2 +X 3\t"),
    ("#?RGBE", "-Y 2  +X   3"),
])  # fmt: skip
def test_a_radiance_header_of_any_program_is_read(tmp_path, start, size):
    wanted = write_hdr(tmp_path / "a.hdr", "FORMAT=32-bit_rle_rgbe\n", size)
    content = (tmp_path / "a.hdr").read_bytes()
    (tmp_path / "a.hdr").write_bytes(content.replace(b"#?RADIANCE", start.encode(), 1))
    assert np.array_equal(read_radiance(tmp_path / "a.hdr"), wanted)


@pytest.mark.parametrize("size, turned", [
    ("-Y 2 +X 3", lambda a: a), ("+Y 2 +X 3", lambda a: a[::-1]), ("-Y 2 -X 3", lambda a: a[:, ::-1]),
    ("+Y 2 -X 3", lambda a: a[::-1, ::-1]), ("+X 2 -Y 3", lambda a: a.swapaxes(0, 1)),
    ("-X 2 -Y 3", lambda a: a.swapaxes(0, 1)[:, ::-1]), ("+X 2 +Y 3", lambda a: a.swapaxes(0, 1)[::-1]),
    ("-X 2 +Y 3", lambda a: a.swapaxes(0, 1)[::-1, ::-1]),
])  # fmt: skip
def test_radiance_s_eight_orientations_come_out_upright(tmp_path, size, turned):
    stored = write_hdr(tmp_path / "a.hdr", "", size)
    assert np.array_equal(read_radiance(tmp_path / "a.hdr"), turned(stored))


def test_radiance_s_xyze_becomes_rgb_and_white_stays_white(tmp_path):
    stored = write_hdr(tmp_path / "a.hdr", "FORMAT=32-bit_rle_xyze\n")
    to_rgb = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]  # IEC 61966-2-1
    assert read_radiance(tmp_path / "a.hdr") == pytest.approx(stored @ np.array(to_rgb).T, rel=2e-3, abs=2e-3)


def test_radiance_s_run_lengths_of_before_1991_are_read(tmp_path):
    first, second = bytes([80, 90, 100, 128]), bytes([10, 20, 30, 129])
    write_hdr(tmp_path / "a.hdr", "", "-Y 2 +X 300", pixels=first + bytes([1, 1, 1, 42, 1, 1, 1, 1]) + second
              + bytes([1, 1, 1, 1]) + second * 299)  # fmt: skip
    made = read_radiance(tmp_path / "a.hdr").reshape(-1, 3)
    assert np.array_equal(made[:299], np.tile(np.float32([80, 90, 100]) / 256, (299, 1)))  # 1 + 42 + 256
    assert np.array_equal(made[299:], np.tile(np.float32([10, 20, 30]) / 128, (301, 1)))
    write_hdr(tmp_path / "b.hdr", "", "-Y 2 +X 300", pixels=first + bytes([1, 1, 1, 42]))
    with pytest.raises(ValueError, match=r"b\.hdr: its lines are damaged or cut short; expected 600 pixels"):
        read_radiance(tmp_path / "b.hdr")


@pytest.mark.parametrize("head, reason", [
    ("FORMAT=32-bit_rle_cmyk\n", "FORMAT=32-bit_rle_cmyk; expected 32-bit_rle_rgbe or 32-bit_rle_xyze"),
    ("EXPOSURE=bright\n", "'EXPOSURE=bright' in its header; expected 1 number"),
    ("COLORCORR=1 2\n", "'COLORCORR=1 2' in its header"),
])  # fmt: skip
def test_a_radiance_header_that_says_something_else_is_refused_by_it(tmp_path, head, reason):
    write_hdr(tmp_path / "a.hdr", head)
    with pytest.raises(ValueError, match=rf"a\.hdr: .*{reason}"):
        read_radiance(tmp_path / "a.hdr")


@pytest.mark.parametrize("options", [
    {"planarconfig": "separate"}, {"planarconfig": "separate", "tile": (16, 16)}, {"compression": "zstd"},
    {"compression": "lzw", "predictor": True}, {"compression": "deflate"}, {"bigtiff": True}, {"byteorder": ">"},
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint16])
def test_tiff_of_any_layout_holds_its_values(tmp_path, options, dtype):
    pixels = light(24, 20)
    pixels = (pixels * 8000).astype(dtype) if dtype == np.uint16 else pixels.astype(dtype)
    stored = pixels.transpose(2, 0, 1) if options.get("planarconfig") else pixels
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **options)
    wanted = pixels / np.float32(65535) if dtype == np.uint16 else pixels
    assert np.array_equal(read_radiance(tmp_path / "a.tif"), wanted.astype(np.float32))


def test_grey_tiff_with_alpha_minimal_white_orientation_and_thumbnails(tmp_path):
    grey = light()[:, :, :2]
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="minisblack", extrasamples=["unassalpha"])
    assert np.array_equal(read_radiance(tmp_path / "a.tif"), np.repeat(grey[:, :, :1], 3, axis=2))
    inverted = np.arange(60, dtype=np.uint16).reshape(6, 10)
    tifffile.imwrite(tmp_path / "b.tif", inverted, photometric="miniswhite")
    assert read_radiance(tmp_path / "b.tif")[0, 1, 0] == pytest.approx((65535 - 1) / 65535)
    tifffile.imwrite(tmp_path / "c.tif", light(), photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert np.array_equal(read_radiance(tmp_path / "c.tif"), np.rot90(light(), -1))
    with tifffile.TiffWriter(tmp_path / "d.tif") as file:
        file.write(light(3, 5), photometric="rgb", subfiletype=1)
        file.write(light(6, 10, 4), photometric="rgb")
    assert np.array_equal(read_radiance(tmp_path / "d.tif"), light(6, 10, 4))


@pytest.mark.parametrize("parts, wanted", [
    ([({}, {**rgb("ViewLayer.AO.", 1), **rgb("ViewLayer.Combined.", 5)})], 5),
    ([({}, {**rgb("albedo.", 1), **rgb("", 5)})], 5),
    ([({}, {**rgb("albedo.", 1), **rgb("beauty.", 5)})], 5),
    ([({}, rgb("only.", 5))], 5),
    ([({"name": "normals"}, rgb("", 1)), ({"name": "rgba"}, rgb("", 5))], 5),
    ([({"name": "left"}, rgb("", 5)), ({"name": "right"}, rgb("", 1))], 5),
])  # fmt: skip
def test_the_picture_is_chosen_among_layers_and_parts(tmp_path, parts, wanted):
    write_parts(tmp_path / "a.exr", parts)
    assert read_radiance(tmp_path / "a.exr")[0, 0].tolist() == [wanted, wanted + 1, wanted + 2]


def test_several_layers_that_could_be_meant_are_refused_and_listed(tmp_path):
    write_parts(tmp_path / "a.exr", [({}, {**rgb("albedo.", 1), **rgb("normal.", 5)})])
    with pytest.raises(ValueError, match=r"a\.exr: layers albedo, normal: several could be the picture;"):
        read_radiance(tmp_path / "a.exr")


def test_the_display_window_is_the_picture(tmp_path):
    pixels, window = light(6, 10), (np.array([-2, -1], np.int32), np.array([7, 4], np.int32))
    display = (np.array([0, 0], np.int32), np.array([8, 5], np.int32))
    write_exr(tmp_path / "a.exr", pixels, dataWindow=window, displayWindow=display)
    made = read_radiance(tmp_path / "a.exr")
    assert made.shape == (6, 9, 3)
    assert np.array_equal(made[:5, :8], pixels[1:, 2:]) and not made[5].any() and not made[:, 8].any()


READ_ALL = """
import hashlib, sys
from pathlib import Path
from hdrdata.files.radiance import read_radiance
from hdrdata.files.suffixes import HDR_SUFFIXES
from hdrdata.photos.photo import read_photo

for path in sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file()):
    is_scene = path.suffix in HDR_SUFFIXES and path.parent.name == "hdr"
    try:
        pixels = read_radiance(path) if is_scene else read_photo(path).ldr
        print(path.name, hashlib.sha256(pixels.tobytes()).hexdigest())
    except (ValueError, OSError) as error:
        print(error)
"""


@pytest.mark.skipif(not WILD.is_dir(), reason="the small files of rare forms are not here")
def test_every_rare_file_is_read_alike_by_two_processes():
    runs = [
        subprocess.Popen([sys.executable, "-c", READ_ALL, str(WILD)], stdout=-1, stderr=-1, text=True, cwd=ROOT)
        for _ in range(2)
    ]
    (first, first_errors), (second, second_errors) = (run.communicate() for run in runs)
    assert [run.returncode for run in runs] == [0, 0], first_errors
    assert first == second and first_errors == second_errors == ""
    assert first.count("\n") == sum(path.is_file() for path in WILD.rglob("*"))  # each is read, or refused in one line


def test_an_attribute_of_another_type_is_named(tmp_path):
    write_exr(tmp_path / "a.exr", light(), chromaticities=P3)
    content = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "a.exr").write_bytes(
        content.replace(b"chromaticities\0chromaticities", b"chromaticities\0chromaticitieZ")
    )
    with pytest.raises(
        ValueError, match=r"a\.exr: not a readable OpenEXR file: its attribute chromaticities is damaged$"
    ):
        read_radiance(tmp_path / "a.exr")


def test_a_cut_exr_and_one_of_other_bytes_say_so(tmp_path):
    write_exr(tmp_path / "a.exr", light(64, 64))
    content = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "a.exr").write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(ValueError, match=r"a\.exr: .*: cut short or damaged: pixels are missing$"):
        read_radiance(tmp_path / "a.exr")
    (tmp_path / "b.exr").write_bytes(b"#?RADIANCE\n" + content)
    with pytest.raises(ValueError, match=r"b\.exr: not a readable OpenEXR file: its first bytes are not those of one$"):
        read_radiance(tmp_path / "b.exr")


def test_a_tiff_s_strip_is_no_longer_than_its_file(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", light(), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tag = file.pages[0].tags["StripByteCounts"]
    with (tmp_path / "a.tif").open("r+b") as file:
        file.seek(tag.offset + 8)
        file.write((2**31).to_bytes(4, "little"))
    with pytest.raises(ValueError, match=r"a\.tif: a piece of 2147483648 bytes in a file of \d+: damaged"):
        read_radiance(tmp_path / "a.tif")


@pytest.mark.parametrize("tag, kind, count, value", [
    (286, 5, 2, (1, 1, 2, 1)), (286, 4, 1, 3), (287, 2, 0, "left"), (286, 12, 1, 1.5), (33300, 4, 2, (64, 32)),
    (319, 4, 1, 7), (318, 5, 1, (1, 3)), (318, 5, 2, (1, 3, 1, 0)), (301, 4, 1, 9), (301, 2, 0, "x"),
    (34675, 4, 1, 2**32 - 1), (34675, 3, 2, (300, 2)),
])  # fmt: skip
def test_a_tiff_s_tag_of_another_type_is_one_line_and_takes_no_memory(tmp_path, tag, kind, count, value):
    other = [(33301, 4, 1, 64, True)] if tag == 33300 else []
    tifffile.imwrite(
        tmp_path / "a.tif", light(), photometric="rgb", extratags=[(tag, kind, count, value, True), *other]
    )
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"a\.tif: ") as error:
            read_radiance(tmp_path / "a.tif")
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("tag, kind, count, value", [
    (274, 3, 2, (6, 6)), (274, 2, 0, "6"), (700, 4, 1, 2**32 - 1), (286, 5, 1, (3, 0)),
])  # fmt: skip
def test_a_tiff_s_tag_that_changes_no_pixel_hides_none(tmp_path, tag, kind, count, value):
    tifffile.imwrite(tmp_path / "a.tif", light(), photometric="rgb", extratags=[(tag, kind, count, value, True)])
    tracemalloc.start()
    try:
        assert np.array_equal(read_radiance(tmp_path / "a.tif"), light())
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".pic", ".rgbe", ".xyze", ".HDR"])
def test_radiance_s_other_suffixes_are_read(tmp_path, suffix):
    wanted = write_hdr(tmp_path / f"a{suffix}", "EXPOSURE=2\n")
    assert np.array_equal(read_radiance(tmp_path / f"a{suffix}"), wanted / 2)
    (tmp_path / f"b{suffix}").write_bytes(b"another program's picture")
    with pytest.raises(ValueError, match=rf"b\{suffix}: not a readable \{suffix} file: expected #\?RADIANCE"):
        read_radiance(tmp_path / f"b{suffix}")


def test_xyz_as_primaries_is_xyz_itself_whose_white_is_no_white(tmp_path):
    xyz = light()  # IEC 61966-2-1's matrix, of light whose white is D65 already
    write_exr(tmp_path / "a.exr", xyz, chromaticities=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3))
    to_rgb = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    assert read_radiance(tmp_path / "a.exr") == pytest.approx(xyz @ np.array(to_rgb).T, rel=2e-3, abs=4e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("scale", [1, 64])
def test_what_is_below_zero_by_rounding_is_no_damage(tmp_path, dtype, scale):
    pixels = light(64, 64).astype(dtype) * dtype(scale)  # the mean is 4, and a hundred-thousandth of it 4e-5
    pixels[:2, :, 1] = -2e-5 * scale
    pixels[2, :3] = -1e-3 * scale
    write_exr(tmp_path / "a.exr", pixels)
    made, repairs = check_radiance(tmp_path / "a.exr", 0.001)
    assert (repairs.rounding, repairs.negative, repairs.total) == (128, 3, 3) and made.min() == 0


def test_a_colour_outside_rec709_is_light_and_what_has_no_luminance_is_damage(tmp_path):
    pixels = light(64, 64)
    pixels[0, :40] = 3, -0.5, 2  # .2126 * 3 - .7152 * .5 + .0722 * 2 = .42
    pixels[1, :5] = 0.5, -0.5, 0.5  # -.22
    pixels[2, :3] = np.inf, -1, 0
    write_exr(tmp_path / "a.exr", pixels)
    made, repairs = check_radiance(tmp_path / "a.exr", 0.003)
    assert (repairs.outside, repairs.negative, repairs.infinite) == (40, 8, 3)
    assert made[0, 0].tolist() == [3, 0, 2]
    assert repair_radiance(read_radiance(tmp_path / "a.exr"))[1].negative == 48

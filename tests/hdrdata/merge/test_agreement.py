"""Merge checks itself: exposures against brightness, moving objects, shifts, kinds of pictures and of RAW files."""

import cv2
import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from camera_files import write_linear_dng, write_picture
from click.testing import CliRunner
from PIL import Image
from shared_files import SHARED

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cli import main
from hdrdata.files.radiance import read_radiance
from hdrdata.merge.brackets import MergeConfig, merge_bracket
from hdrdata.photos.formats.raw import read_raw, read_white_balance

SRGB, ALIGNED = (MergeConfig(response="srgb", align=align) for align in (False, True))
TIMES = [1 / 60, 1 / 15, 1 / 4]


def levels_of(light: np.ndarray, seconds: float, most: int = 255) -> np.ndarray:
    values = named_crfs()["srgb"](np.clip(light * seconds, 0, 1))
    return np.rint(most * values).astype(np.uint8 if most == 255 else np.uint16)


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    """A textured radiance map; 1 fills a picture's range in a second."""
    generator = np.random.default_rng(1)
    coarse = cv2.resize(np.exp(generator.uniform(-1, 3.5, (12, 16))), (384, 288), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(generator.uniform(0.3, 1.7, (288, 384)), (0, 0), 2)
    return (coarse.clip(0.2) * fine)[:, :, None] * np.array([1.0, 0.8, 0.6])


def write_bracket(folder, pictures, suffix=".png"):
    paths = [folder / f"{number}{suffix}" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        write_picture(path, picture, None)
    return paths


def test_times_in_another_order_are_refused_with_both_names(tmp_path, light):
    paths = write_bracket(tmp_path, [levels_of(light, seconds) for seconds in TIMES])
    for order in ([1, 0, 2], [2, 1, 0], [0, 2, 1]):
        with pytest.raises(ValueError, match=r"\d\.png: darker than .*\d\.png .* times its exposure; expected bright"):
            merge_bracket(paths, [TIMES[place] for place in order], SRGB)


def test_times_that_disagree_with_the_pictures_are_reported(tmp_path, light):
    paths = write_bracket(tmp_path, [levels_of(light, seconds) for seconds in TIMES])
    assert merge_bracket(paths, TIMES, SRGB).lines == ()
    (line,) = merge_bracket(paths, [1 / 60, 1 / 30, 1 / 15], SRGB).lines[:1]
    assert line.startswith("the pictures disagree with their exposures: ")


def test_what_moved_is_mapped_and_its_share_reported(tmp_path, light):
    moved = light.copy()
    moved[100:140, 200:260] = 0.3  # 2400 of 110,592 pixels: 2.2 %
    paths = write_bracket(tmp_path, [levels_of(x, t) for x, t in zip((light, moved, light), TIMES, strict=True)])
    merged = merge_bracket(paths, TIMES, SRGB)
    inside = merged.agreement.moved[100:140, 200:260].mean()
    assert inside > 0.5 and merged.agreement.moved.sum() == pytest.approx(inside * 2400, abs=20)
    assert any("of the pixels differ between the pictures: something moved there" in line for line in merged.lines)
    options = ["--times", "1/60,1/15,1/4", "--response", "srgb", "--moved", str(tmp_path / "moved.png")]
    result = CliRunner().invoke(main, ["merge", *map(str, paths), "-o", str(tmp_path / "a.exr"), *options])
    assert result.exit_code == 0 and "something moved there" in result.stderr
    assert np.array_equal(cv2.imread(str(tmp_path / "moved.png"))[:, :, 0] > 0, merged.agreement.moved)


def turned(picture: np.ndarray, degrees: float, x: float, y: float) -> np.ndarray:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    matrix[:, 2] += x, y
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def test_shifts_and_turns_of_a_hand_are_undone(tmp_path, light):
    moves = [(0.6, 8.4, -5.3), (0, 0, 0), (-0.5, -6.2, 9.7)]
    pictures = [levels_of(turned(light, *move).clip(0.01), t) for move, t in zip(moves, TIMES, strict=True)]
    merged = merge_bracket(write_bracket(tmp_path, pictures), TIMES, ALIGNED)
    height, width = merged.radiance.shape[:2]
    assert height > 260 and width > 350  # what all three show
    whole = merge_bracket(write_bracket(tmp_path, [levels_of(light, t) for t in TIMES]), TIMES, SRGB).radiance
    found = cv2.matchTemplate(np.log(whole), np.log(merged.radiance[20:-20, 20:-20]), cv2.TM_SQDIFF)
    y, x = np.unravel_index(np.argmin(found), found.shape)
    reference = whole[y : y + height - 40, x : x + width - 40]
    stops = np.abs(np.log2(merged.radiance[20:-20, 20:-20] / reference))
    assert np.percentile(stops, 95) < 0.12 and merged.agreement.moved_share < 0.01
    assert not any("not aligned" in line for line in merged.lines)


def test_a_picture_of_another_scene_is_reported_as_not_aligned(tmp_path, light):
    other = np.ascontiguousarray(light[::-1, ::-1])
    paths = write_bracket(tmp_path, [levels_of(x, t) for x, t in zip((light, light, other), TIMES, strict=True)])
    lines = merge_bracket(paths, TIMES, ALIGNED).lines
    assert any(line.startswith("not aligned: 2.png; expected shifts of at most") for line in lines)


def test_sixteen_bits_and_orientations_of_tiff_are_merged(tmp_path, light):
    for number, seconds in enumerate(TIMES):
        tifffile.imwrite(tmp_path / f"{number}.tif", levels_of(light, seconds, 65535), photometric="rgb",
                         extratags=[(274, 3, 1, 6, True)])  # fmt: skip
    merged = merge_bracket(sorted(tmp_path.glob("*.tif")), TIMES, SRGB).radiance
    truth = np.rot90(light, -1)
    inside = (truth * TIMES[0] < 0.95).all(axis=2)
    assert np.allclose(merged[inside], truth[inside], rtol=2e-3, atol=0)  # a step of 16 bits is nothing at these levels


def test_heic_and_png_brackets_are_merged(tmp_path, light):
    for number, seconds in enumerate(TIMES):
        picture = levels_of(light, seconds)
        heif = pillow_heif.from_bytes("RGB", picture.shape[1::-1], picture.tobytes())
        heif.save(tmp_path / f"{number}.heic", quality=95, chroma=444)
    merged = merge_bracket(sorted(tmp_path.glob("*.heic")), TIMES, SRGB).radiance
    stops = np.abs(np.log2(merged / light))[(light * TIMES[0] < 0.9).all(axis=2)]
    assert np.median(stops) < 0.03


def test_a_bracket_by_a_profile_becomes_light_of_rec709(tmp_path):
    p3 = imagecodecs.cms_profile("rgb", whitepoint=[0.3127, 0.3290, 1],
                                 primaries=[0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1], gamma=2.2)  # fmt: skip
    light = np.array([0.03, 0.12, 0.03])
    for number, seconds in enumerate((1, 2, 4)):
        levels = np.rint(255 * (light * seconds) ** (1 / 2.2)).astype(np.uint8)
        Image.fromarray(np.full((64, 96, 3), levels, np.uint8)).save(tmp_path / f"{number}.png", icc_profile=p3)
    merged = merge_bracket(sorted(tmp_path.glob("*.png")), [1.0, 2.0, 4.0], SRGB).radiance[30, 40]
    expected = np.array([[1.2249, -0.2249, 0], [-0.0421, 1.0421, 0], [-0.0196, -0.0786, 1.0983]]) @ light
    assert np.allclose(merged, expected, rtol=0.02, atol=0)  # a level of 8 bits is 1 to 3 % of its light here
    Image.new("RGB", (96, 64), (90, 90, 90)).save(tmp_path / "3.png")
    with pytest.raises(ValueError, match=r"3\.png: its colours have other primaries than .*0\.png"):
        merge_bracket(sorted(tmp_path.glob("*.png")), [1.0, 2.0, 4.0, 8.0], SRGB)


@pytest.mark.parametrize("dtype, tolerance", [(np.uint8, 0.01), (np.uint16, 1e-3), (np.float32, 1e-3)])
def test_a_demosaiced_dng_is_its_light(tmp_path, dtype, tolerance):
    light = np.random.default_rng(0).uniform(0.05, 0.9, (40, 60, 3))
    write_linear_dng(tmp_path / "a.dng", light, dtype)
    picture = read_raw(tmp_path / "a.dng", read_white_balance(tmp_path / "a.dng"))
    assert np.allclose(picture.linear, light, rtol=0, atol=tolerance)
    assert picture.saturation.max() == pytest.approx((light * [0.5, 1, 0.8]).max(), abs=tolerance)


def test_a_monochrome_dng_is_grey_and_floats_of_16_bits_are_refused(tmp_path):
    light = np.random.default_rng(0).uniform(0.05, 0.9, (40, 60))
    write_linear_dng(tmp_path / "a.dng", light)
    picture = read_raw(tmp_path / "a.dng", read_white_balance(tmp_path / "a.dng"))
    assert np.allclose(picture.linear, np.repeat(light[:, :, None], 3, axis=2), rtol=0, atol=1e-3)
    write_linear_dng(tmp_path / "b.dng", np.repeat(light[:, :, None], 3, axis=2), np.float16)
    with pytest.raises(ValueError, match=r"b\.dng: no pixels that LibRaw can decode"):
        read_raw(tmp_path / "b.dng", read_white_balance(tmp_path / "b.dng"))


def test_a_truncated_jpeg_is_refused(tmp_path, light):
    paths = write_bracket(tmp_path, [levels_of(light, seconds) for seconds in TIMES], ".jpg")
    content = paths[2].read_bytes()
    paths[2].write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(ValueError, match=r"2\.jpg: not a readable picture \(JPEG\): .*truncated"):
        merge_bracket(paths, TIMES, SRGB)


@pytest.mark.skipif(not (SHARED / "wild").is_dir(), reason="there is no shared/wild beside the repository")
def test_the_sample_bracket_gives_its_light_back():
    folder = SHARED / "wild" / "merge"
    merged = merge_bracket([folder / f"bracket_{number}.png" for number in range(3)], TIMES, SRGB).radiance
    off = np.log2(merged / read_radiance(folder / "bracket_truth.exr"))
    assert np.percentile(np.abs(off - np.median(off)), 95) < 0.02

"""Merging brackets gives back the light that was photographed, up to a scale, and says what it cannot merge."""

import contextlib
import random
import re
import shutil
from fractions import Fraction

import cv2
import numpy as np
import OpenEXR
import pytest
import rawpy
from camera_files import write_dng, write_picture
from click.testing import CliRunner

from hdrdata.cameras.crf_names import choose_crf, named_crfs
from hdrdata.cli import main
from hdrdata.files.radiance import read_radiance
from hdrdata.merge.brackets import MergeConfig, merge_bracket, merge_to_file
from hdrdata.merge.display import SMOOTHNESS, calibrate_response, solve_response
from hdrdata.merge.exposures import parse_times, read_exposures
from hdrdata.merge.folders import find_brackets
from hdrdata.photos.exposure import read_exposure
from hdrdata.photos.formats.raw import read_raw, read_white_balance
from hdrdata.scenes.scan import scan_scenes

SECONDS = [Fraction(1, 60), Fraction(1, 15), Fraction(1, 4), Fraction(1), Fraction(4)]
CALIBRATE, SRGB = (MergeConfig(response=response, align=False) for response in ("calibrate", "srgb"))


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    """A smooth coloured radiance map of ten stops."""
    generator = np.random.default_rng(0)
    coarse = np.exp(generator.uniform(-3, 3, (16, 24, 1))) * np.array([0.5, 1.0, 1.7])
    return cv2.resize(coarse, (192, 128), interpolation=cv2.INTER_CUBIC).clip(0.01)


def photograph(light: np.ndarray, crf, seconds) -> np.ndarray:
    return np.rint(255 * crf(np.clip(light * float(seconds) / 4, 0, 1))).astype(np.uint8)


def well_exposed(pictures: list[np.ndarray]) -> np.ndarray:
    return np.any([(picture > 10) & (picture < 245) for picture in pictures], axis=0)


def stops_off(merged: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Stops by which each value is off, when the medians of each channel are brought together."""
    off = np.log2(merged / light)
    return off - np.median(off, axis=(0, 1))


@pytest.mark.parametrize("name", ["agfacolor-vista-200cdblue", "gold-200cdblue", "gamma14", "srgb", "linear"])
def test_a_bracket_through_an_unknown_camera_gives_the_light_back(tmp_path, light, name):
    paths = [tmp_path / f"{number}.png" for number in range(len(SECONDS))]
    pictures = [photograph(light, named_crfs()[name], seconds) for seconds in SECONDS]
    for path, picture, seconds in zip(paths, pictures, SECONDS, strict=True):
        write_picture(path, picture, seconds)
    made = merge_bracket(paths, None, CALIBRATE)
    merged, facts = made.radiance, made.facts
    off = stops_off(merged, light)
    # a step of 8 bits between the levels 10 and 245 is at most 0.14 stops, and the response found is smooth there
    assert np.abs(off[well_exposed(pictures)]).max() < 0.18
    assert np.percentile(np.abs(off[well_exposed(pictures)]), 98) < 0.08  # gamma14 is a table with gaps
    assert facts["hdrdata.exposures"].startswith("0.000260417, ")  # 1/60 s at f/8: 1 / 60 / 64
    # the channels' scales agree: equal levels are grey, and here the camera is the same for all three
    medians = np.median(np.log2(merged / light), axis=(0, 1))
    assert np.ptp(medians) < 0.03


def test_a_known_response_gives_the_absolute_scale_and_the_order_of_the_channels(tmp_path, light):
    paths = [tmp_path / f"{number}.png" for number in range(len(SECONDS))]
    for path, seconds in zip(paths, SECONDS, strict=True):
        write_picture(path, photograph(light, named_crfs()["srgb"], seconds), None)
    merged = merge_bracket(paths[::-1], parse_times("4,1,1/4,1/15,1/60"), SRGB).radiance  # any order
    # 1 fills the picture: level 255 at exposure * light / 4 = 1
    assert np.median(merged / light, axis=(0, 1)) == pytest.approx([0.25, 0.25, 0.25], rel=0.003)


def merge_both_ways(tmp_path, pictures: list[np.ndarray], seconds: list[Fraction]) -> tuple[np.ndarray, np.ndarray]:
    """The same pictures and calibrated response merged by us and by OpenCV 5.0's MergeDebevec."""
    times = np.array([float(second) for second in seconds])
    paths = [tmp_path / f"{number}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        write_picture(path, picture, None)
    ours = merge_bracket(paths, times.tolist(), CALIBRATE).radiance
    response = np.repeat(calibrate_response(pictures, times)[:, None, None], 3, axis=2).astype(np.float32)
    return ours, cv2.createMergeDebevec().process(pictures, times.astype(np.float32), response)


def test_the_equations_of_the_response_are_opencvs_in_double_precision():
    # samples without black and white, to which OpenCV gives a weight and the paper none
    light = np.geomspace(0.3, 1, 49)
    times = np.array([0.1, 0.3, 0.9])
    levels = np.rint(255 * (light * times[:, None]) ** (1 / 2.2)).astype(np.uint8)
    ours = np.exp(solve_response(levels, times))
    calibration = cv2.createCalibrateDebevec(levels.shape[1], SMOOTHNESS, False)
    pictures = [np.ascontiguousarray(row.reshape(7, 7)) for row in levels]
    opencvs = calibration.process(pictures, times.astype(np.float32)).ravel()
    found = slice(levels.min(), levels.max() + 1)
    np.testing.assert_allclose(ours[found], opencvs[found], rtol=0.01)
    assert ours[128] == pytest.approx(1)


def test_our_merge_is_opencvs_where_nothing_clips(tmp_path):
    grey = np.linspace(0.8, 3.5, 96)[None, :, None] * np.ones((64, 1, 3))  # 0.05 to 0.9 of the range
    pictures = [photograph(grey, named_crfs()["srgb"], seconds) for seconds in SECONDS[2:4]]
    ours, theirs = merge_both_ways(tmp_path, pictures, SECONDS[2:4])
    assert ours == pytest.approx(theirs, rel=0.01)  # their hat is 1/128 where ours is 0


def test_our_merge_beats_opencvs_where_one_channel_clips(tmp_path, light):
    """OpenCV weighs a pixel by the mean of its channels, and gives saturated levels a weight."""
    pictures = [photograph(light, named_crfs()["gamma14"], seconds) for seconds in SECONDS]
    ours, theirs = merge_both_ways(tmp_path, pictures, SECONDS)
    well = well_exposed(pictures)
    assert np.percentile(np.abs(stops_off(ours, light)[well]), 99) < 0.1
    assert np.percentile(np.abs(stops_off(theirs, light)[well]), 99) > 0.4


def test_what_is_white_in_every_picture_is_at_least_as_bright_as_what_is_not(tmp_path):
    ramp = np.linspace(0.5, 400, 256)[None, :, None] * np.ones((64, 1, 3))  # 1/60 s saturates at 240
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, seconds in zip(paths, SECONDS, strict=False):
        write_picture(path, photograph(ramp, named_crfs()["srgb"], seconds), seconds)
    merged = merge_bracket(paths, None, SRGB).radiance[0, :, 1]
    assert (np.diff(merged) > -1e-4 * merged[:-1]).all()
    dark = merge_bracket([paths[1], paths[2]], None, SRGB).radiance
    assert np.isfinite(dark).all() and (dark > 0).all()


def test_hand_held_pictures_are_aligned_to_the_pixel(tmp_path, light):
    generator = np.random.default_rng(2)
    picture = cv2.resize(light, (384, 256)) * cv2.resize(generator.uniform(0.5, 2, (64, 96, 1)), (384, 256))[..., None]
    shifts = [(0, 0), (5, -3), (-4, 6)]
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, (x, y), seconds in zip(paths, shifts, SECONDS[1:], strict=False):
        moved = np.roll(picture, (y, x), axis=(0, 1))[16:-16, 16:-16]
        write_picture(path, photograph(moved, named_crfs()["srgb"], seconds), seconds)
    made = merge_bracket(paths, None, MergeConfig(response="srgb", align=True))
    aligned, facts = made.radiance, made.facts
    # the middle picture lies at (5, -3); what all three show of it begins 0 to 9 rows and columns further in
    assert aligned.shape == (256 - 32 - 9, 384 - 32 - 9, 3)
    assert facts["hdrdata.aligned"] == "true"
    truth = np.roll(picture, (-3, 5), axis=(0, 1))[16:-16, 16:-16][0:215, 9:352]
    assert np.percentile(np.abs(stops_off(aligned, truth)), 95) < 0.05
    crooked = merge_bracket(paths, None, SRGB).radiance
    assert np.percentile(np.abs(stops_off(crooked, np.roll(picture, (-3, 5), axis=(0, 1))[16:-16, 16:-16])), 95) > 0.3


@pytest.fixture(scope="module")
def smooth_light() -> np.ndarray:
    """Radiance without detail at the scale of a sensor's mosaic; the brightest fills a photosite in 1/40 s."""
    generator = np.random.default_rng(3)
    coarse = np.exp(generator.uniform(-2.5, 3.5, (4, 6, 1))) * np.array([0.5, 1.0, 0.8])
    return cv2.resize(coarse, (192, 128), interpolation=cv2.INTER_LINEAR)


@pytest.fixture(scope="module")
def raw_bracket(tmp_path_factory, smooth_light):
    """Five DNGs of eight stops."""
    folder = tmp_path_factory.mktemp("raw")
    paths = [folder / f"{number}.dng" for number in range(len(SECONDS))]
    for path, seconds in zip(paths, SECONDS, strict=True):
        write_dng(path, smooth_light, seconds, f_number=1.0, iso=100)
    return paths


def test_a_raw_bracket_gives_the_light_back_with_its_scale(raw_bracket, smooth_light):
    made = merge_bracket(raw_bracket, None, CALIBRATE)
    merged, facts = made.radiance, made.facts
    # 1 is white light that fills a green photosite, so that radiance is the light itself. What remains is LibRaw's
    # demosaicing, a matrix of four digits, and 14 bits.
    assert np.median(merged / smooth_light, axis=(0, 1)) == pytest.approx([1, 1, 1], rel=2e-3)
    assert np.percentile(np.abs(np.log2(merged / smooth_light)), 99) < 0.03
    assert np.abs(np.log2(merged / smooth_light)).max() < 1
    assert facts["hdrdata.response"] == "linear"
    one = merge_bracket(raw_bracket[2:3], None, CALIBRATE).radiance
    bright = smooth_light[:, :, 1] > 8  # beyond 4 a photosite is full after 1/4 s
    assert one[bright].max() <= 4.001 < merged[bright, 1].min()


def test_a_full_photosite_never_counts_and_a_white_lamp_stays_white(tmp_path):
    light = np.full((64, 96, 3), 0.25)
    light[24:40, 40:56] = 30.0  # full in every picture below
    for name, seconds in (("a", Fraction(1, 2)), ("b", Fraction(2))):
        write_dng(tmp_path / f"{name}.dng", light, seconds, f_number=1.0)
    merged = merge_bracket([tmp_path / "a.dng", tmp_path / "b.dng"], None, CALIBRATE).radiance
    assert merged[5, 5] == pytest.approx([0.25] * 3, rel=1e-3)
    assert merged[32, 48] == pytest.approx([2.0] * 3, rel=1e-3)  # at least what fills the photosite in half a second
    write_dng(tmp_path / "dark.dng", light, Fraction(1, 64), f_number=1.0)
    paths = [tmp_path / "dark.dng", tmp_path / "b.dng"]
    assert merge_bracket(paths, None, CALIBRATE).radiance[32, 48] == pytest.approx([30.0] * 3, rel=5e-3)


def test_the_exposure_of_a_raw_file_counts_iso_and_aperture(tmp_path):
    light = np.full((64, 96, 3), 0.5)
    settings = [(Fraction(1, 4), 2.0, 400), (Fraction(1, 2), 4.0, 800), (Fraction(1, 100), 1.0, 1600)]
    for number, (seconds, f_number, iso) in enumerate(settings):
        write_dng(tmp_path / f"{number}.dng", light, seconds, f_number, iso)
    paths = sorted(tmp_path.glob("*.dng"))
    # t * ISO / 100 / N^2 by hand: 1/4 * 4 / 4, 1/2 * 8 / 16, 1/100 * 16 / 1
    assert read_exposures(paths, None) == pytest.approx([0.25, 0.25, 0.16])
    assert merge_bracket(paths, None, CALIBRATE).radiance[30, 30] == pytest.approx([0.5] * 3, rel=2e-3)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_raw_file_is_turned_as_libraw_turns_it(tmp_path, orientation):
    light = np.full((64, 96, 3), 0.05)
    light[:24, :32] = (0.6, 0.3, 0.3)
    path = tmp_path / "a.dng"
    write_dng(path, light, Fraction(1), f_number=1.0, orientation=orientation)
    picture = read_raw(path, read_white_balance(path))
    with rawpy.imread(str(path)) as raw:
        turned = raw.postprocess(gamma=(1, 1), no_auto_bright=True, use_camera_wb=True)
    assert picture.linear.shape == turned.shape and picture.saturation.shape == turned.shape[:2]
    bright = turned[:, :, 0] > 80
    assert bright.sum() == pytest.approx(24 * 32, abs=120)
    assert ((picture.linear[:, :, 0] > 0.3) == bright).mean() > 0.99
    assert ((picture.saturation > 0.2) == bright).mean() > 0.97


def test_a_picture_tells_how_it_was_exposed(tmp_path):
    black = np.zeros((8, 8, 3), np.uint8)
    for suffix in ("jpg", "png"):
        path = tmp_path / f"a.{suffix}"
        write_picture(path, black, Fraction(1, 250), 5.6, 200, taken="2026:01:02 03:04:05")
        told = read_exposure(path)
        assert (told.seconds, told.f_number, told.iso) == (pytest.approx(1 / 250), pytest.approx(5.6), 200)
        assert told.taken.isoformat() == "2026-01-02T03:04:05"
    cv2.imwrite(str(tmp_path / "b.jpg"), black)
    assert read_exposure(tmp_path / "b.jpg").seconds is None


def test_damaged_exif_is_told_by_nobody_but_the_caller(tmp_path, capfd):
    write_picture(tmp_path / "a.jpg", np.zeros((8, 8, 3), np.uint8), Fraction(1, 250), 5.6, 200)
    cv2.imwrite(str(tmp_path / "b.tif"), np.zeros((8, 8, 3), np.uint8))
    chance = random.Random(0)
    for name in ("a.jpg", "b.tif"):
        for _ in range(150):
            damaged = bytearray((tmp_path / name).read_bytes())
            for _ in range(3):
                damaged[chance.randrange(min(len(damaged), 200))] = chance.randrange(256)
            (tmp_path / "c.jpg").write_bytes(damaged)
            with contextlib.suppress(ValueError):
                read_exposure(tmp_path / "c.jpg")
    assert capfd.readouterr() == ("", "")


def test_times_are_seconds_or_fractions():
    assert parse_times("1/250, 0.5,2") == [1 / 250, 0.5, 2.0]
    for text in ("1/0", "", "1/60,,2", "-1", "a"):
        with pytest.raises(ValueError, match="expected seconds such as 1/250"):
            parse_times(text)


def refused(*arguments: object) -> str:
    """The one line of a command that must fail, without a traceback."""
    result = CliRunner().invoke(main, ["merge", *map(str, arguments)])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    (line,) = result.stderr.strip().splitlines()
    return line


def test_what_cannot_be_merged_is_told_in_one_line(tmp_path, light, raw_bracket):
    out = tmp_path / "out.exr"
    a, b, small, silent, bare = (tmp_path / f"{name}.png" for name in ("a", "b", "small", "silent", "bare"))
    picture = photograph(light, named_crfs()["srgb"], 1)
    write_picture(a, picture, Fraction(1, 60))
    write_picture(b, picture, Fraction(1, 15))
    write_picture(small, picture[:50], Fraction(1, 4))
    write_picture(silent, picture, None)
    write_picture(bare, picture, Fraction(1, 15), f_number=None)
    assert "small.png: 192x50 pixels, but" in refused(a, small, "-o", out)
    assert "silent.png: states no exposure time" in refused(a, silent, "-o", out)
    assert "bare.png: states no f_number, as others of its bracket do" in refused(a, bare, "-o", out)
    assert "all have the same exposure; expected a bracket" in refused(a, a, "-o", out)
    assert "a.png: only one picture; expected at least two (or one camera RAW file)" in refused(a, "-o", out)
    assert "3 times for 2 pictures" in refused(a, b, "--times", "1,2,3", "-o", out)
    assert "time '1/0'" in refused(a, b, "--times", "1,1/0", "-o", out)
    assert "expected RAW or display pictures" in refused(a, raw_bracket[0], "-o", out)
    assert "out.png: not the name of an OpenEXR file" in refused(a, b, "-o", tmp_path / "out.png")
    assert "none.png: no such file" in refused(a, tmp_path / "none.png", "-o", out)
    assert "none.png: no such file" in refused(a, tmp_path / "none.png", "--times", "1,2", "-o", out)
    assert "none.dng: no such file" in refused(tmp_path / "none.dng", "-o", out)
    assert "notes.txt: not a kind of picture that is merged" in refused(a, tmp_path / "notes.txt", "-o", out)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    assert "bad.jpg: not a readable picture" in refused(a, tmp_path / "bad.jpg", "--times", "1,2", "-o", out)
    (tmp_path / "bad.nef").write_bytes(raw_bracket[0].read_bytes()[:5000])
    assert "bad.nef: not a readable camera RAW file" in refused(tmp_path / "bad.nef", "--times", "1", "-o", out)
    assert CliRunner().invoke(main, ["merge", str(tmp_path), "-o", str(out)]).exit_code == 2
    assert not out.exists()


def test_the_scene_tells_of_what_it_was_made(tmp_path, raw_bracket):
    out = tmp_path / "scene.exr"
    result = CliRunner().invoke(main, ["merge", *map(str, raw_bracket), "-o", str(out)])
    assert result.output == f"{out}: 5 pictures merged, 192x128\n"
    header = OpenEXR.File(str(out)).header()
    assert header["hdrdata.sources"] == "0.dng, 1.dng, 2.dng, 3.dng, 4.dng"
    assert header["hdrdata.exposures"] == "0.0166667, 0.0666667, 0.25, 1, 4"
    assert header["hdrdata.program"] == "hdr-attnet merge brackets-2"
    first = out.read_bytes()
    merge_to_file(out, raw_bracket[::-1], None, CALIBRATE)
    assert out.read_bytes() == first
    assert (read_radiance(out) >= 0).all()


@pytest.fixture
def photos(tmp_path, light, raw_bracket):
    """Two folders of JPEG brackets, and one that a camera wrote as RAW and JPEG."""
    folder = tmp_path / "photos"
    for place, scale in (("garden", 1.0), ("house/attic", 0.5)):
        (folder / place).mkdir(parents=True)
        for number, seconds in enumerate(SECONDS[1:4]):
            ldr = photograph(light * scale, named_crfs()["srgb"], seconds)
            write_picture(folder / place / f"IMG_{number}.JPG".lower(), ldr, seconds)
    (folder / "street").mkdir()
    for path in raw_bracket[1:3]:
        shutil.copy(path, folder / "street" / path.name)
        cv2.imwrite(str(folder / "street" / f"{path.stem}.jpg"), np.zeros((8, 8, 3), np.uint8))
    return folder


def merge_all(photos, out, *options):
    return CliRunner().invoke(main, ["merge", str(photos), "-o", str(out), "--group-by", "folder", *options])


def said(result) -> str:
    """The last line of the output; before it stands the progress bar."""
    return result.stdout.splitlines()[-1]


def test_each_folder_becomes_a_scene_and_only_what_changed_is_merged_again(photos, tmp_path):
    out = tmp_path / "scenes"
    result = merge_all(photos, out)
    assert said(result) == "scenes of brackets: 3 new, 0 kept, 0 removed"
    found = scan_scenes(out, sidecar=None, seed=0, val_share=0.0, test_share=0.0).scenes
    assert {scene.path for scene in found} == {"garden.exr", "house/attic.exr", "street.exr"}
    assert read_radiance(out / "garden.exr").mean() / read_radiance(out / "house" / "attic.exr").mean() > 1.5
    assert said(merge_all(photos, out)) == "scenes of brackets: nothing has changed: 3 kept"
    (photos / "garden" / "img_2.jpg").unlink()
    shutil.rmtree(photos / "street")
    assert said(merge_all(photos, out)) == "scenes of brackets: 1 new, 1 kept, 1 removed"


def test_a_bad_bracket_stops_the_run_or_is_skipped_and_named(photos, tmp_path):
    out = tmp_path / "scenes"
    (photos / "garden" / "img_0.jpg").write_bytes(b"no picture")
    result = merge_all(photos, out, "--on-error", "skip")
    assert said(result) == "scenes of brackets: 2 new, 0 kept, 0 removed, 1 refused"
    assert re.fullmatch(r"refused: \S+/garden/img_0\.jpg: not a readable picture; .*\n", result.stderr)
    result = merge_all(photos, out)
    assert result.exit_code == 1 and "img_0.jpg: not a readable picture" in result.stderr.splitlines()[-1]


def test_a_scene_of_another_origin_is_not_swept_away(photos, tmp_path):
    out = tmp_path / "scenes"
    merge_all(photos, out)
    shutil.copy(out / "garden.exr", out / "mine.exr")
    result = merge_all(photos, out)
    assert "holds mine.exr, which was not merged here; give another folder" in result.stderr
    assert (out / "mine.exr").is_file()


def test_pictures_of_one_folder_are_told_apart_by_their_times(tmp_path):
    black = np.zeros((8, 8, 3), np.uint8)
    shots = [  # seconds after noon, exposure time
        (0, Fraction(1, 60)), (0, Fraction(1, 15)), (1, Fraction(1, 4)),  # three within a second
        (2, Fraction(1, 60)), (2, Fraction(1, 15)), (3, Fraction(4)), (7, Fraction(1)),  # 1/60 again; 4 s, then 1 s
        (40, Fraction(1, 60)), (40, Fraction(1, 15)),  # after a pause
    ]  # fmt: skip
    for number, (second, seconds) in enumerate(shots):
        write_picture(tmp_path / f"{number}.jpg", black, seconds, taken=f"2026:01:02 12:00:{second:02}")
    found = find_brackets(tmp_path, "exif-time", 2.0)
    assert {name: [int(path.stem) for path in paths] for name, paths in found.items()} == {
        "0": [0, 1, 2],
        "3": [3, 4, 5, 6],
        "7": [7, 8],
    }
    write_picture(tmp_path / "9.jpg", black, Fraction(1))
    with pytest.raises(ValueError, match=r"9\.jpg: states no time at which it was taken"):
        find_brackets(tmp_path, "exif-time", 2.0)
    with pytest.raises(ValueError, match="no picture in it"):
        find_brackets(tmp_path.parent / "nothing", "folder", 2.0)


def test_the_calibrated_response_is_saved_for_predict(tmp_path, light):
    paths = [tmp_path / f"{number}.png" for number in range(len(SECONDS))]
    camera = named_crfs()["camera"]
    for path, seconds in zip(paths, SECONDS, strict=True):
        write_picture(path, photograph(light, camera, seconds), seconds)
    merge_to_file(tmp_path / "a.exr", paths, None, CALIBRATE, response=tmp_path / "mine.csv")
    found = choose_crf(str(tmp_path / "mine.csv"))
    levels = np.arange(20, 240) / 255
    stops = np.log2(found.inverse(levels) / camera.inverse(levels))
    assert np.ptp(stops) < 0.3  # a calibration has no absolute scale below saturation
    with pytest.raises(ValueError, match=r"mine.txt: not the name of a CSV file; expected one that ends in .csv"):
        merge_to_file(tmp_path / "b.exr", paths, None, CALIBRATE, response=tmp_path / "mine.txt")

"""DrTMO's layout: names of folders, lists of pairs, and the published synthesis from panorama to picture."""

import csv
import json
import math
import re
from importlib import resources

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from hdrdata.cameras.recipe import HALF_STOPS
from hdrdata.cli import main
from hdrdata.drtmo.layout import PairLists, parse_stack_folder, read_pair_lists, stack_folder, write_pair_list
from hdrdata.files.exr import write_exr
from hdrdata.samples.layout import KEY
from hdrdata.stream.shard_reader import Shards

NINE = tuple(2.0**ev for ev in HALF_STOPS)


@pytest.mark.parametrize(
    ("folder", "view", "scene", "crf"),
    [  # the first five are names in the lists of Le et al., WACV 2023
        ("HDR003S_80_10_180_agfacolor-vista-200CDBlue", "hdr003s_80_10_180", "hdr003s", "agfacolor-vista-200cdblue"),
        ("hdr013_80_10_60_gamma+1.4", "hdr013_80_10_060", "hdr013", "gamma14"),
        ("HDR009_1800_80_10_0_Gold-200CDBlue", "hdr009_1800_80_10_000", "hdr009_1800", "gold-200cdblue"),
        ("C22_HDR_Gold-200CDBlue", "c22_hdr", "c22_hdr", "gold-200cdblue"),
        ("PaperMill_A_3k_80_10_240_agfachrome-rsx2-050CDRed", "papermill_a_3k_80_10_240", "papermill_a_3k",
         "agfachrome-rsx2-050cdred"),
        ("court-01ab_80_10_060_srgb", "court-01ab_80_10_060", "court-01ab", "srgb"),
        ("meadow-01ab_crop_2_gamma14", "meadow-01ab_crop_2", "meadow-01ab", "gamma14"),
        ("pano_80_10_60_my_own.curve", "pano_80_10_060", "pano", "my_own-curve"),
        ("Two Words_gamma+2.2", "two-words", "two-words", "gamma-2p2"),
    ],
)  # fmt: skip
def test_a_folder_tells_view_scene_and_camera(folder, view, scene, crf):
    name = parse_stack_folder(folder)
    assert (name.view, name.scene, name.crf, name.folder) == (view, scene, crf, folder)
    assert KEY.fullmatch(name.key)


@pytest.mark.parametrize("folder", ["photo", "_srgb", "photo_"])
def test_a_folder_without_view_or_camera_is_refused(folder):
    with pytest.raises(ValueError, match=f"folder '{folder}': expected <view>_<camera>"):
        parse_stack_folder(folder)


@given(
    st.from_regex(r"[a-z0-9-]{1,12}(_80_10_[0-3][0-9]{2})?", fullmatch=True),
    st.sampled_from(["gamma14", "gold-200cdblue", "ektachrome-100-pluscdblue", "srgb", "linear"]),
)
def test_the_folder_of_a_view_of_ours_gives_its_name_back(view, crf):
    name = parse_stack_folder(stack_folder(view, crf))
    assert (name.view, name.crf) == (view, crf)


def rows_of(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_lists_hold_45_pairs_a_stack_and_8_of_test(tmp_path):
    write_pair_list(tmp_path / "train.csv", "train", ["one_srgb", "two_srgb"], "abcdefghi", NINE)
    rows = rows_of(tmp_path / "train.csv")
    assert list(rows[0]) == ["x", "x_exp", "y", "y_exp"]
    pairs = {(row["x"], row["y"]) for row in rows}
    assert len(rows) == len(pairs) == 2 * 45
    assert all(x <= y for x, y in pairs) and ("one_srgb/e.png", "one_srgb/e.png") in pairs
    # nominal times of the published lists: 2^-10 (a) ... 2^-8 (e) ... 2^-6 (i), half a stop apart
    times = {row["x"][-5]: float(row["x_exp"]) for row in rows}
    assert [times["a"], times["e"], times["i"]] == [2**-10, 2**-8, 2**-6]
    assert times["b"] / times["a"] == pytest.approx(math.sqrt(2))

    write_pair_list(tmp_path / "test.csv", "test", ["one_srgb"], "abcdefghi", NINE)
    rows = rows_of(tmp_path / "test.csv")
    assert {row["x"] for row in rows} == {"one_srgb/e.png"}
    assert [row["y"][-5] for row in rows] == list("abcdfghi")


def test_a_list_that_was_written_tells_its_exposures_and_stacks(tmp_path):
    write_pair_list(tmp_path / "val.csv", "val", ["one_srgb"], "abc", (0.125, 1.0, 8.0))
    (tmp_path / "other.csv").write_text("file,licence\nx,y\n")  # no list of pairs
    lists = read_pair_lists([tmp_path])
    assert lists.exposures() == ("abc", (-3.0, 0.0, 3.0))
    assert lists.stacks == {"val": {"one_srgb"}}


def test_exposures_are_nine_half_stops_unless_a_list_tells_others():
    assert PairLists().exposures() == ("abcdefghi", HALF_STOPS)
    # a published time: half a stop in single precision; and a list that names three of the nine pictures
    assert PairLists({"a": 2**-10, "b": 0.0013810679083690047, "i": 2**-6}).exposures() == ("abcdefghi", HALF_STOPS)
    # shutter times of a bracket: the middle one is EV 0
    assert PairLists({"a": 1 / 120, "b": 1 / 60, "c": 1 / 30}).exposures() == ("abc", (-1.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"a": 1.0, "c": 2.0}, "pictures ac; expected every one from a on"),
        ({"a": 2.0, "b": 1.0}, "expected them rising"),
    ],
)
def test_times_without_a_picture_or_that_fall_are_refused(times, reason):
    with pytest.raises(ValueError, match=reason):
        PairLists(times).exposures()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("s/a.png,1,s/b.png", "line 2: 3 values; expected x, x_exp, y, y_exp"),
        ("s/a.png,fast,s/b.png,2", "line 2: the time 'fast'; expected a positive number"),
        ("s/a.png,0,s/b.png,2", "line 2: the time '0'"),
        ("s/a.png,1,s/b.jpg,2", "line 2: 's/b.jpg'; expected <view>_<camera>/<letter>.png"),
        ("a.png,1,s/b.png,2", "line 2: 'a.png'; expected"),
        ("s/a.png,1,t/a.png,2", "line 2: 't/a.png' at 2; a.png was at 1 before"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path, line, reason):
    (tmp_path / "train.csv").write_text(f"x,x_exp,y,y_exp\n{line}\n")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'train.csv'}, {reason}")):
        read_pair_lists([tmp_path])


def table(name: str) -> tuple[list[str], np.ndarray]:
    text = resources.files("hdrdata.cameras").joinpath("curves", name).read_text()
    header, *rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    return header, np.array(rows, dtype=np.float64)


def published_level(crf: str, exposure: np.ndarray) -> np.ndarray:
    """floor(255 f(min(E dt, 1))), 254 where that is 255: Endo et al.; f by PCHIP in sqrt(I) of the measured knots, and
    gamma+1.4 by the measured table of levels."""
    exposure = np.minimum(exposure, 1.0)
    if crf == "gamma14":
        _, rows = table("drtmo_gamma14_levels.csv")
        return rows[np.searchsorted(rows[:, 1], exposure, side="right") - 1, 0]
    header, rows = table("drtmo_film.csv")
    response = PchipInterpolator(np.sqrt(rows[:, 0]), rows[:, header.index(crf)])(np.sqrt(exposure))
    return np.minimum(np.floor(255 * response), 254)


def test_build_makes_of_a_panorama_the_published_views_and_pictures(tmp_path, scene_radiance):
    scenes, out = tmp_path / "scenes", tmp_path / "out"
    scenes.mkdir()
    write_exr(scenes / "court.exr", scene_radiance(0, 1024, 2048).astype(np.float16))
    result = CliRunner().invoke(main, ["build", str(scenes), str(out), "--workers", "1", "--test-share", "0.999"])
    assert result.exit_code == 0, result.output
    pixels, radiance = Shards(out / "shards", "test", "pixels"), Shards(out / "shards", "test", "radiance")
    assert [key.partition("_")[2] for key in radiance.keys] == [f"80_10_{azimuth:03d}" for azimuth in range(0, 360, 60)]
    assert len(pixels) == 6 * 5

    number = 1  # one view's 45 pictures; the others go the same way
    linear = radiance.radiance(number).radiance
    assert linear.shape == (512, 512, 3)
    values, places = np.unique(linear, return_inverse=True)
    checked = 0
    for sample in range(len(pixels)):
        key = pixels.keys[sample]
        if not key.startswith(radiance.keys[number]):
            continue
        stack = pixels.stack(sample).stack
        crf = json.loads(pixels.read(sample, ("json",))["json"])["crf"]
        for i, picture in enumerate(stack):
            expected = published_level(crf, values.astype(np.float64) * math.sqrt(2) ** (i - 4))
            assert (picture == expected[places.reshape(linear.shape)]).all(), f"{key} {i}"
            checked += 1
    assert checked == 45
    pixels.close()
    radiance.close()

"""HDR files that say something of themselves: what check tells, and build makes and tells."""

import json
import re
import shutil

import numpy as np
import OpenEXR
import pytest
from click.testing import CliRunner

from hdrdata.cli import main
from hdrdata.files.exr import write_exr
from hdrdata.views.view import read_views

P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
RECIPE = "name: mine\ncrfs: [linear]\nevs: [-1, 0, 1.5]\n"


def hdrdata(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def scenes(tmp_path_factory, scene_radiance):
    """A plain panorama, one in P3, layers of which none is the picture, a sun alone, rounding; and what is not read."""
    folder = tmp_path_factory.mktemp("stated") / "scenes"
    light = scene_radiance(0)
    write_exr(folder / "plain.exr", light)
    green = scene_radiance(1)
    green[:20] = 0, 2, 0
    write_exr(folder / "p3.exr", green, {"chromaticities": P3})
    layers = {
        f"{name}.{letter}": light[:, :, place].copy() for name in ("key", "rim") for place, letter in enumerate("RGB")
    }
    with OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}, layers) as file:
        file.write(str(folder / "layers.exr"))
    sun = np.random.default_rng(0).uniform(0.1, 1, (64, 64, 3)).astype(np.float32)
    sun[30, 30] = 1e9
    write_exr(folder / "sun.exr", sun)
    rounding = np.random.default_rng(1).uniform(0.1, 1, (64, 64, 3)).astype(np.float32)
    rounding[:4] = -1e-6
    write_exr(folder / "rounding.exr", rounding)
    for name in ("a.jxr", "b.dng", "c.dng", "d.psd", "readme.txt"):
        (folder / name).write_bytes(b"x")
    return folder


def test_check_of_a_folder_is_a_table_and_json(scenes):
    result = hdrdata("check", scenes)
    assert result.exit_code == 1
    rows = [re.split(r"  +", line) for line in result.stdout.splitlines()]
    assert rows[0] == ["file", "kind", "size", "stops", "colour", "views", "notes"]
    table = {row[0].rpartition("/")[2]: row[1:] for row in rows[1:]}
    assert sorted(table) == ["p3.exr", "plain.exr", "rounding.exr", "sun.exr"]
    assert table["plain.exr"][:2] + table["plain.exr"][3:] == [
        "pano",
        "256x128",
        "Rec.709",
        "6 of 80",
    ]  # 256 * 80/360 * 1.5
    assert table["p3.exr"][3] == "Rec.709 by chromaticities" and "pixels outside Rec.709" in table["p3.exr"][5]
    assert table["rounding.exr"][4] == "1 of 96"
    assert table["rounding.exr"][5].startswith("256 pixels below 0 by rounding; 6.2% of the pixels are black; ")
    assert "a few pixels have nearly all the light" in table["sun.exr"][5]
    errors = result.stderr.splitlines()
    assert re.match(r"bad: .*layers\.exr: layers key, rim: several could be the picture;.* --layer NAME$", errors[0])
    assert errors[1].startswith("not read: 2 .dng, 1 .jxr, 1 .psd; expected .exr .hdr .pic ")
    assert errors[1].endswith("; first merge camera RAW by `hdrdata merge`")
    assert errors[2] == "Error: 1 of 5 files are bad"

    told = json.loads(hdrdata("check", scenes, "--json", "--layer", "rim", "--view-size", 256).stdout)
    assert told["not_read"] == {".dng": 2, ".jxr": 1, ".psd": 1}
    files = {row["file"].rpartition("/")[2]: row for row in told["files"]}
    assert files["plain.exr"]["converted"] == []  # it has no layers, and is read all the same
    assert files["layers.exr"]["converted"] == ["layer rim"] and files["layers.exr"]["views"] == 6
    assert files["layers.exr"]["notes"] == ["as it states: layer rim", "too small for views of 256"]
    assert [name.rpartition("/")[2] for name in files["layers.exr"]["looks_like"]] == ["plain.exr"]  # the same pixels


def test_check_takes_the_kind_from_a_sidecar_as_build_does(scenes, tmp_path):
    for name in ("plain.exr", "sun.exr"):
        shutil.copy(scenes / name, tmp_path)
    (tmp_path / "scenes.csv").write_text("file,kind\nplain.exr,photo\nsun.exr,pano\n")
    told = json.loads(hdrdata("check", tmp_path, "--sidecar", "scenes.csv", "--json").stdout)
    files = {row["file"].rpartition("/")[2]: row for row in told["files"]}
    assert files["plain.exr"]["kind"] == "photo"  # of 256x128, which is a panorama's shape
    assert "64x64" in files["sun.exr"]["wrong"] and "pano" in files["sun.exr"]["wrong"]
    (tmp_path / "scenes.csv").write_text("file,kind\nnone.exr,photo\n")
    refused = hdrdata("check", tmp_path, "--sidecar", "scenes.csv")
    assert refused.exit_code == 1 and refused.stderr.endswith("names 'none.exr', which is not in the folder\n")
    assert hdrdata("check", tmp_path / "sun.exr", "--sidecar", "scenes.csv").exit_code == 2


def test_a_sidecar_states_layer_colour_and_encoding(scenes, tmp_path):
    folder = tmp_path / "scenes"
    folder.mkdir()
    for name in ("layers.exr", "plain.exr"):
        shutil.copy(scenes / name, folder)
    (folder / "scenes.csv").write_text("file,layer,colour,encoding\nlayers.exr,rim,,\nplain.exr,,rec2020,srgb\n")
    files = json.loads(hdrdata("check", folder, "--sidecar", "scenes.csv", "--json").stdout)["files"]
    assert [row["converted"] for row in files] == [
        ["layer rim"], ["encoding srgb, as stated", "colour rec2020, as stated"]
    ]  # fmt: skip
    out = tmp_path / "dataset"
    result = hdrdata("build", folder, out, "--sidecar", "scenes.csv", "--view-size", 80, "--recipe", "srgb",
                     "--form", "radiance")  # fmt: skip
    assert result.exit_code == 0 and "encoding srgb, as stated" in result.output, result.output
    listed = {scene["path"]: scene for scene in json.loads((out / "scenes.json").read_text())["scenes"]}
    assert listed["layers.exr"]["layer"] == "rim" and "colour" not in listed["layers.exr"]


def test_check_reports_what_the_pixels_look_like_by_share(tmp_path, scene_radiance):
    light = scene_radiance(0)
    clipped = np.minimum(light, np.float32(np.quantile(light, 0.9)))
    write_exr(tmp_path / "clipped.exr", clipped)
    full = np.minimum(scene_radiance(1) * 4, 65504).astype(np.float16)
    full[:16, :32] = 65504  # a 64th of the picture
    full[100, 200:203] = np.inf
    write_exr(tmp_path / "half.exr", full)
    rgba = np.dstack([scene_radiance(2), np.ones((128, 256))]).astype(np.float32)
    rgba[:32, :, 3] = 0  # a quarter
    with OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}, {"RGBA": rgba}) as file:
        file.write(str(tmp_path / "alpha.exr"))
    linear = np.random.default_rng(0).uniform(0.01, 1, (64, 100, 3))
    linear[0, 0] = 1
    write_exr(tmp_path / "encoded.exr", (1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32))
    write_exr(tmp_path / "alpha_1k.exr", (rgba[:, :, :3] * (rgba[:, :, 3:] > 0)).reshape(64, 2, 128, 2, 3).mean((1, 3)))
    result = hdrdata("check", tmp_path, "--json")
    rows = {row["file"].rpartition("/")[2]: row for row in json.loads(result.stdout)["files"]}
    assert rows["clipped.exr"]["clipped_share"] == pytest.approx(float((clipped == clipped.max()).mean()), abs=1e-6)
    assert rows["half.exr"]["largest"] == 65504 and rows["half.exr"]["repaired"]["infinite"] == 3
    assert rows["half.exr"]["clipped_share"] == pytest.approx(float((full >= 65504).mean()), abs=1e-6)
    assert rows["alpha.exr"]["transparent_share"] == rows["alpha.exr"]["black_share"] == 0.25
    assert {name for name, row in rows.items() if row["looks_encoded"]} == {"encoded.exr"}
    alike = {name: [other.rpartition("/")[2] for other in row["looks_like"]] for name, row in rows.items()}
    assert alike == {"alpha.exr": ["alpha_1k.exr"], "alpha_1k.exr": ["alpha.exr"], "clipped.exr": [], "half.exr": [],
                     "encoded.exr": []}  # fmt: skip
    table = hdrdata("check", tmp_path).stdout
    words = ["3 infinite pixels (Inf in half floats: light above 65504)", "maximum 65504, the largest half float",
             "25.0% of the pixels are transparent", "looks encoded", "looks like alpha.exr; one scene"]  # fmt: skip
    assert [word for word in words if word not in table] == []


def test_a_cube_cross_is_named_by_check_and_converted_by_its_layout(tmp_path, scene_radiance):
    folder = tmp_path / "scenes"
    folder.mkdir()
    cells = scene_radiance(0, 192, 256).reshape(3, 64, 4, 64, 3)
    for row, column in ((0, 0), (0, 2), (0, 3), (2, 0), (2, 2), (2, 3)):
        cells[row, :, column] = 0
    write_exr(folder / "cross.exr", cells.reshape(192, 256, 3))
    (named,) = json.loads(hdrdata("check", folder, "--json").stdout)["files"]
    assert (named["kind"], named["layout"]) == ("photo", "cube cross")
    assert any("looks like a cube cross; expected --layout cube_cross" in note for note in named["notes"])
    (folder / "scenes.csv").write_text("file,layout\ncross.exr,cube_cross\n")
    for options in (("--layout", "cube_cross"), ("--sidecar", "scenes.csv")):
        (made,) = json.loads(hdrdata("check", folder, *options, "--json").stdout)["files"]
        assert (made["kind"], made["width"], made["height"], made["layout"]) == ("pano", 256, 128, "")
        assert made["converted"] == ["layout cube_cross, as stated"]
    result = hdrdata("build", folder, tmp_path / "dataset", "--sidecar", "scenes.csv", "--view-size", 64, "--recipe",
                     "srgb", "--form", "radiance", "--val-share", 0, "--test-share", 0)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert [view.kind for view in read_views(tmp_path / "dataset" / "views")] == ["pano"] * 6


def test_build_tells_what_files_say_and_what_it_left_out_and_ends_with_3(scenes, tmp_path):
    (tmp_path / "mine.yaml").write_text(RECIPE)
    result = hdrdata(
        *("build", scenes, tmp_path / "out", "--view-size", 32, "--recipe", tmp_path / "mine.yaml", "--fov", 100),
        *("--azimuths", "0,90", "--pitch", -5, "--max-repaired", 0, "--on-error", "skip"),
        *("--form", "pixels", "--workers", 1),
    )  # fmt: skip
    assert result.exit_code == 3, result.output
    lines = result.stdout.splitlines()
    assert re.search(r"1 scenes were converted as their files say: p3-\w+ \(chromaticities\)", result.stdout)
    assert re.search(r"\d+ pixels of scenes hold light that Rec\.709 does not reach", result.stdout)
    assert re.search(r"1 views are dark except for a few pixels .*: sun-\w+_crop_0", result.stdout)
    assert lines[-1] == f"1 of 5 scenes were refused, and are not in {tmp_path / 'out'}"
    assert any(line.startswith("not read: 2 .dng, 1 .jxr, 1 .psd") for line in result.stderr.splitlines())

    views = {view.key: view for view in read_views(tmp_path / "out" / "views")}
    panoramas = [view for view in views.values() if view.kind == "pano"]
    angles = {(view.pitch_degrees, view.fov_degrees, view.azimuth_degrees) for view in panoramas}
    assert angles == {(-5, 100, 0), (-5, 100, 90)}
    headers = {}
    for key in views:
        with OpenEXR.File(str(tmp_path / "out" / "views" / f"{key}.exr"), header_only=True) as file:
            headers[key.partition("-")[0]] = {k: v for k, v in file.header().items() if k.startswith("hdrdata.")}
    assert headers["p3"]["hdrdata.converted"] == "chromaticities" and headers["p3"]["hdrdata.outside"] > 0
    assert headers["rounding"]["hdrdata.rounding"] == 256 and headers["rounding"]["hdrdata.repaired"] == 0
    assert not {"hdrdata.converted", "hdrdata.outside", "hdrdata.rounding"} & headers["plain"].keys()
    stack = next((tmp_path / "out" / "stacks").glob("plain-*.tar")).read_bytes()
    assert b'"recipe":{"name":"mine"}' in stack and b'"evs":[-1.0,0.0,1.5]' in stack


@pytest.mark.parametrize("text, evs", [
    (RECIPE, [-1, 0, 1.5]), ("like: srgb\nevs: [0, 2]\n", [0, 2]),
    ("synthesize:\n  recipe:\n    like: srgb\n    evs: [1]\n", [1]),
])  # fmt: skip
def test_expose_takes_a_recipe_of_ones_own(scenes, tmp_path, text, evs):
    (tmp_path / "mine.yml").write_text(text)
    result = hdrdata(
        "expose", scenes / "layers.exr", tmp_path / "out", "--like", tmp_path / "mine.yml", "--layer", "key"
    )
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "stack.json").read_text())["evs"] == evs


@pytest.mark.parametrize("text, reason", [
    ("name: [", "mine.yaml: cannot be read as YAML: "), ("[1, 2]", "mine.yaml: expected a recipe, as"),
    ("like: srgb\nevs: [2, 0]\n", "mine.yaml: recipe: .*evs must rise"),
    ("like: kodak\n", "mine.yaml: .*unknown recipe 'kodak'"),
])  # fmt: skip
def test_a_wrong_recipe_is_named_before_anything_is_made(scenes, tmp_path, text, reason):
    (tmp_path / "mine.yaml").write_text(text)
    result = hdrdata("build", scenes, tmp_path / "out", "--recipe", tmp_path / "mine.yaml")
    assert result.exit_code == 1 and re.search(reason, result.stderr.strip()) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("options, reason", [
    (["--recipe", "kodak"], "unknown recipe 'kodak'; known: drtmo, .*or a file .yaml"),
    (["--recipe", "none.yaml"], "none.yaml: cannot be read as YAML: No such file"),
    (["--azimuths", "0,0"], "an azimuth occurs twice"),
    (["--azimuths", "0,east"], "expected whole degrees from 0 to 359"),
])  # fmt: skip
def test_wrong_options_of_build_are_named(scenes, tmp_path, options, reason):
    result = hdrdata("build", scenes, tmp_path / "out", *options)
    assert result.exit_code in (1, 2) and re.search(reason, result.stderr) and not (tmp_path / "out").exists()

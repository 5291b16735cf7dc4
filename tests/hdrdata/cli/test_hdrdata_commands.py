"""The command hdrdata and the stages of the data: exact, whole or nothing, and one line for a mistake."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from shared_files import ROOT

from hdrdata.cameras.exposure import exposure_table, half_bits
from hdrdata.cameras.recipe import choose_recipe
from hdrdata.cli import main
from hdrdata.files.disk import read_json
from hdrdata.files.exr import write_exr
from hdrdata.files.ldr import decode_png
from hdrdata.files.radiance import check_radiance
from hdrdata.views.ingest import ingest_scenes
from hdrdata.views.normalise import normalise_view
from hdrdata.views.view import read_views

COMMANDS = [[], ["expose"], ["check"], ["verify"], ["repair"], ["info"], ["build"], ["export"], ["import"]]
COMMANDS += [["crf"], ["crf", "list"], ["crf", "select"], ["crf", "plot"]]
COMMANDS += [["fetch"], ["merge"], ["stats"], ["preview"], ["card"], ["sidecars"]]


def hdrdata(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    """The one line of a command that must fail, without a traceback."""
    result = hdrdata(*arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ")
    return lines[0]


@pytest.fixture
def scene(tmp_path, scene_radiance):
    write_exr(tmp_path / "church.exr", scene_radiance(0, 60, 100))
    return tmp_path / "church.exr"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words) or "hdrdata")
def test_every_help_is_a_sentence_and_all_but_groups_have_an_example(command):
    text = hdrdata(*command, "--help").output
    sentence = text.split("\n\n")[1]
    assert sentence.strip().endswith((".", "1."))
    if command != ["crf"]:
        assert re.search(rf"^ +hdrdata {' '.join(command)}", text, re.MULTILINE)


def test_expose_writes_the_librarys_pixels_and_how_they_were_made(scene, tmp_path):
    result = hdrdata("expose", scene, tmp_path / "out", "--ev", 2, "--ev", -2, "--ev", "0.5", "--crf", "gamma14")
    assert result.exit_code == 0, result.output
    about = read_json(tmp_path / "out" / "stack.json")
    assert (about["crf"], about["letters"], about["evs"]) == ("gamma14", "abc", [-2, 0.5, 2])
    assert about["exposures"] == [0.25, 2**0.5, 4]
    view, factor, _ = normalise_view(check_radiance(scene, 0.01)[0])
    assert about["factor"] == factor
    for letter, exposure in zip("abc", about["exposures"], strict=True):
        table = exposure_table(choose_recipe("drtmo").crf("gamma14"), exposure)
        ldr = decode_png((tmp_path / "out" / f"{letter}.png").read_bytes())
        assert ldr.shape == (60, 100, 3)
        assert (ldr == table[half_bits(view)]).all()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "c.png", "stack.json"]


def test_expose_like_drtmo_makes_five_stacks_of_nine(scene, tmp_path):
    result = hdrdata("expose", scene, tmp_path / "out", "--like", "drtmo")
    assert result.output == f"{tmp_path / 'out'}: 45 pictures of 100x60\n"
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")}
    cameras = [crf.name for crf in choose_recipe("drtmo").crfs]
    assert names == {f"{crf}/{letter}.png" for crf in cameras for letter in "abcdefghi"}
    one = hdrdata("expose", scene, tmp_path / "one", "--like", "drtmo", "--crf", "srgb")
    assert one.exit_code == 0
    assert len(list((tmp_path / "one").glob("*.png"))) == 9


def test_expose_like_a_random_camera_makes_jpegs_that_a_seed_changes(scene, tmp_path):
    def exposed(name: str, *options: object) -> dict[str, bytes]:
        result = hdrdata("expose", scene, tmp_path / name, "--like", "hdrcnn", "--ev", 0, "--ev", 2, *options)
        assert result.output == f"{tmp_path / name}: 10 pictures of 100x60\n"
        return {
            path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in tmp_path.glob(f"{name}/*/*")
        }

    first = exposed("first")
    assert sorted(first) == sorted(f"hdrcnn-{k}/{file}" for k in range(5) for file in ("a.jpg", "b.jpg", "stack.json"))
    drawn = json.loads(first["hdrcnn-3/stack.json"])["drawn"]
    assert drawn["camera"] == 3 and 0.85 <= drawn["quantile"] <= 0.95 and 30 <= drawn["jpeg_quality"] <= 100
    assert exposed("again", "--seed", 0) == first
    assert not set(exposed("other", "--seed", 1).values()) & set(first.values())


def test_expose_through_drawn_responses(scene, tmp_path):
    for name, options in (("a", ()), ("b", ("--seed", 0)), ("c", ("--seed", 1))):
        made = hdrdata("expose", scene, tmp_path / name, "--like", "cameras", "--ev", 0, *options)
        assert made.output == f"{tmp_path / name}: 5 pictures of 100x60\n"
    pictures = {name: [(tmp_path / name / f"cameras-{k}" / "a.png").read_bytes() for k in range(5)] for name in "abc"}
    assert pictures["a"] == pictures["b"] and not set(pictures["a"]) & set(pictures["c"])


def test_expose_is_whole_or_nothing(scene, tmp_path):
    out = tmp_path / "out"
    assert "unknown CRF 'kodak'; known: " in refused("expose", scene, out, "--ev", 0, "--crf", "kodak")
    assert "occurs twice in 1, 1" in refused("expose", scene, out, "--ev", 1, "--ev", 1)
    assert "none.exr: no such file" in refused("expose", tmp_path / "none.exr", out, "--ev", 0)
    write_exr(tmp_path / "black.exr", np.zeros((8, 8, 3), np.float32))
    assert "every pixel is black" in refused("expose", tmp_path / "black.exr", out, "--ev", 0)
    assert hdrdata("expose", scene, out).exit_code == 2  # neither --ev nor --like
    assert hdrdata("expose", scene, out, "--ev", 0, "--seed", 1).exit_code == 2
    assert hdrdata("expose", scene, out, "--ev", 30).exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["black.exr", "church.exr"]
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    assert "out: exists; expected a new folder" in refused("expose", scene, out, "--ev", 0)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_check_tells_a_line_a_file_and_does_the_others_after_a_bad_one(tmp_path, scene_radiance):
    radiance = scene_radiance(0)
    radiance[0, 0] = -1
    radiance[0, 1] = np.nan
    write_exr(tmp_path / "a.exr", radiance)
    (tmp_path / "b.exr").write_text("no picture")
    write_exr(tmp_path / "c.exr", scene_radiance(1, 60, 100))
    result = hdrdata("check", *sorted(tmp_path.iterdir()))
    assert result.exit_code == 1
    good = result.stdout.splitlines()
    assert re.search(r"a\.exr: 256x128 pano, \d+\.\d stops; repaired: 1 negative, 1 NaN, 0 infinite pixels$", good[0])
    assert re.search(r"c\.exr: 100x60 photo, \d+\.\d stops$", good[1])
    bad = result.stderr.splitlines()
    assert len(bad) == 2 and bad[0].startswith(f"bad: {tmp_path / 'b.exr'}: not a readable OpenEXR file")
    assert bad[1] == "Error: 1 of 3 files are bad"
    assert hdrdata("check", tmp_path / "a.exr").exit_code == 0
    assert hdrdata("check", tmp_path / "a.exr", "--max-repaired", 0).exit_code == 1


def test_verify_finds_what_is_damaged(dataset, tmp_path):
    assert hdrdata("verify", dataset.shards).output == f"{dataset.shards}: all 114 samples are whole\n"
    shutil.copytree(dataset.shards, tmp_path / "shards")
    shard = next((tmp_path / "shards" / "pixels").glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:-3000])
    result = hdrdata("verify", tmp_path / "shards")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].startswith(f"{shard}: ")
    assert "2 faults" in result.stderr.splitlines()[-1]


def test_info_tells_forms_parts_cameras_and_exposures(dataset):
    lines = hdrdata("info", dataset.shards).output.splitlines()
    assert lines[0].startswith("tiny: recipe drtmo (")
    assert lines[1] == f"cameras: {', '.join(crf.name for crf in choose_recipe('drtmo').crfs)}"
    assert lines[2].startswith("exposures: a -2 EV, b -1.5 EV") and lines[2].endswith("i +2 EV")
    total = {form: 0 for form in ("pixels", "radiance")}
    scenes = 0
    for line in lines[3:]:
        form, part, samples, views, held = re.match(
            r"(\w+) (\w+): \d+ shards, (\d+) samples of (\d+) views of (\d+) scenes, \d+\.\d MB$", line
        ).groups()
        assert part in ("train", "val", "test")
        assert int(samples) == int(views) * (5 if form == "pixels" else 1)
        total[form] += int(views)
        scenes += int(held)
    assert total == {"pixels": 19, "radiance": 19} and scenes == 8
    assert "no index.json in it" in refused("info", dataset.views.parent)


def test_crf_list_tells_two_values_of_each(tmp_path):
    rows = {line.split()[0]: line.split()[1:] for line in hdrdata("crf", "list").output.splitlines()[1:]}
    assert rows["agfacolor-vista-200cdblue"] == ["0.498", "0.797"]
    assert rows["linear"] == ["0.180", "0.500"]


def test_build_makes_a_dataset_and_then_says_that_nothing_has_changed(dataset, tmp_path):
    options = ["--view-size", 32, "--workers", 2, "--seed", 34, "--val-share", 0.25, "--test-share", 0.25]
    options += ["--train-shards", 3, "--val-shards", 2, "--test-shards", 1, "--name", "tiny", "--sidecar", "scenes.csv"]
    first = hdrdata("build", dataset.scenes, tmp_path / "out", *options)
    assert first.exit_code == 0, first.output
    made = read_json(tmp_path / "out" / "shards" / "index.json")["shardlist"]
    assert {row["url"]: row["sha256"] for row in made} == dataset.shard_digests()  # those of the stages
    second = hdrdata("build", dataset.scenes, tmp_path / "out", *options)
    assert second.output.count("nothing has changed") == 3
    assert hdrdata("verify", tmp_path / "out" / "shards").exit_code == 0


def test_build_with_random_cameras(tmp_path, scene_radiance):
    write_exr(tmp_path / "scenes.exr", scene_radiance(0))
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes.exr").rename(tmp_path / "scenes" / "good.exr")
    options = ["--view-size", 32, "--recipe", "singlehdr", "--form", "pixels", "--workers", 1]
    result = hdrdata("build", tmp_path / "scenes", tmp_path / "out", *options)
    assert "stacks of views: 6 new, 0 kept, 0 removed; samples: 30 new" in result.stdout
    assert "cameras: singlehdr-0, singlehdr-1, " in hdrdata("info", tmp_path / "out" / "shards").output
    assert hdrdata("verify", tmp_path / "out" / "shards").exit_code == 0


def test_build_refuses_a_bad_scene_by_name_or_skips_and_counts_it(tmp_path, scene_radiance):
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    write_exr(scenes / "good.exr", scene_radiance(0))
    (scenes / "bad.exr").write_text("no picture")
    options = ["--view-size", 32, "--recipe", "srgb", "--form", "radiance", "--workers", 1]
    stopped = hdrdata("build", scenes, tmp_path / "out", *options)
    assert stopped.exit_code == 1
    assert re.match(r"Error: .*bad\.exr: not a readable", stopped.stderr.strip().splitlines()[-1])
    assert not (tmp_path / "out" / "views" / "index.json").exists()
    skipped = hdrdata("build", scenes, tmp_path / "out", *options, "--on-error", "skip")
    assert skipped.exit_code == 3, skipped.output
    assert skipped.stdout.splitlines()[-1] == f"1 of 2 scenes were refused, and are not in {tmp_path / 'out'}"
    # the good scene may have been made, and kept, before the bad one stopped the first run
    assert re.search(
        r"views of scenes: (1 new, 0 kept, 0 removed|nothing has changed: 1 kept), 1 refused", skipped.stdout
    )
    assert next(line for line in skipped.stderr.splitlines() if "bad.exr" in line).startswith("refused: ")
    assert [path.name for path in (tmp_path / "out" / "shards").iterdir() if path.is_dir()] == ["radiance"]


PARAMS = {
    "variants": ["base"],
    "seeds": [0],
    "form": "both",
    "run": {"engine": "local", "workers": 1},
    "scan": {"scenes": "scenes", "sidecar": "scenes.csv", "seed": 34, "val_share": 0.25, "test_share": 0.25},
    "ingest": {
        "view_size": 32,
        "fov_degrees": 80,
        "pitch_degrees": 10,
        "azimuths_degrees": [0, 60, 120, 180, 240, 300],
        "photo_crops": 1,
        "max_magnification": 8,
        "on_magnified": "refuse",
        "max_repaired_share": 0.01,
        "on_error": "stop",
    },
    "synthesize": {"recipe": "drtmo", "png_encoder": "opencv"},
    "shard": {"name": "tiny", "shards": {"train": 3, "val": 2, "test": 1}},
}


def run_stage(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", f"stages.{name}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def project(dataset, tmp_path):
    """A folder with the dataset's scenes and views, and a params.yaml."""
    shutil.copytree(dataset.scenes, tmp_path / "scenes")
    shutil.copytree(dataset.views, tmp_path / "views")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return tmp_path


ARGUMENTS = {
    "scan": ("out.json", "cache.json"),
    "ingest": ("scenes.json", "out"),
    "synthesize": ("views", "out"),
    "shard": ("views", "out"),
}


@pytest.mark.parametrize(
    ("stage", "change", "reason"),
    [
        ("scan", {"scan": {**PARAMS["scan"], "folder": "x"}}, "scan.folder: Extra inputs are not permitted"),
        ("scan", {"scan": {**PARAMS["scan"], "test_share": 2}}, "scan.test_share: Input should be less than 1, got 2"),
        (
            "ingest",
            {"ingest": {**PARAMS["ingest"], "on_error": "ignore"}},
            "ingest.on_error: Input should be 'stop' or",
        ),
        ("synthesize", {"synthesize": {"recipe": "drtmo"}}, "synthesize.png_encoder: Field required"),
        ("synthesize", {"synthesize": {**PARAMS["synthesize"], "recipe": "kodak"}}, "unknown recipe 'kodak'; known:"),
        (
            "shard",
            {"shard": {**PARAMS["shard"], "name": "a.b"}},
            "shard.name: String should",
        ),
        ("shard", {"shard": None}, "shard: Input should be"),
        ("scan", "no: [yaml", "params.yaml: cannot be read"),
        ("scan", "other: 1", "params.yaml: no section 'scan'"),
    ],
)
def test_wrong_parameters_stop_a_stage_with_one_line_and_nothing_written(project, stage, change, reason):
    text = change if isinstance(change, str) else yaml.safe_dump({**PARAMS, **change})
    (project / "params.yaml").write_text(text)
    (project / "scenes.json").write_text('{"folder": "scenes", "scenes": []}')
    before = sorted(project.rglob("*"))
    result = run_stage(stage, project, *ARGUMENTS[stage])
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ") and reason in lines[0]
    assert sorted(project.rglob("*")) == before


def test_the_stages_make_what_the_library_makes(dataset, tmp_path):
    shutil.copytree(dataset.scenes, tmp_path / "scenes")
    params = {**PARAMS, "synthesize": {**PARAMS["synthesize"], "png_encoder": "fpng"}}
    params["ingest"] = {**PARAMS["ingest"], "max_magnification": 1.5}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for stage, arguments in [
        ("scan", ("scenes.json", "cache.json")),
        ("ingest", ("scenes.json", "views")),
        ("synthesize", ("views", "stacks")),
        ("shard", ("stacks", "shards")),
    ]:
        result = run_stage(stage, tmp_path, *arguments)
        assert result.returncode == 0, result.stderr
    made = read_json(tmp_path / "shards" / "index.json")["shardlist"]
    assert {row["url"]: row["sha256"] for row in made} == dataset.shard_digests()


def test_ctrl_c_in_synthesize_is_one_line_and_the_next_run_makes_nothing_twice(project, dataset, ingest_config):
    views = project / "large"  # large enough for the interrupt to come in the middle
    ingest_scenes(dataset.scan.scenes, dataset.scenes, views, ingest_config(view_size=224, max_magnification=8))
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.synthesize", str(views), "stacks"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    stacks = project / "stacks"
    journal = stacks / ".journal.jsonl"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") >= 3) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130, stderr
    assert stderr.splitlines() == ["interrupted; run it again to continue from here"]

    done = [json.loads(line)[0] for line in journal.read_text().splitlines() if line.startswith("[")]
    assert 3 <= len(done) < 19
    assert not (stacks / "index.json").exists()
    before = {key: (stacks / f"{key}.tar").stat().st_mtime_ns for key in done}
    result = run_stage("synthesize", project, str(views), "stacks")
    assert result.returncode == 0, result.stderr
    assert f"views: {19 - len(done)} new, {len(done)} kept, 0 removed" in result.stdout
    assert {key: (stacks / f"{key}.tar").stat().st_mtime_ns for key in done} == before
    assert len(read_views(views)) == len(list(stacks.glob("*.tar"))) == 19
    assert "nothing has changed: 19 kept" in run_stage("synthesize", project, str(views), "stacks").stdout


def test_build_into_the_folder_of_scenes_is_refused_before_anything_is_written(tmp_path, scenes_folder):
    scenes = tmp_path / "scenes"
    shutil.copytree(scenes_folder, scenes)
    result = CliRunner().invoke(main, ["build", str(scenes), str(scenes / "out")])
    assert result.exit_code == 1
    assert "lies in the folder of scenes" in result.output
    assert not (scenes / "out").exists()

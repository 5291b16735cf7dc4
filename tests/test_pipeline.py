"""The pipeline as a whole: what dvc.yaml says about the code, and what `dvc repro` does with a small dataset."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from shared_files import ROOT, shared_file

import stages.scan
from hdrdata import open_stacks
from hdrdata.cameras.recipe import RECIPES
from hdrdata.scenes.scan import ScanConfig
from hdrdata.shards.pack import ShardConfig
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.views.view import IngestConfig
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.variants import VARIANTS
from hdrmodel.profiles.load import merge_profile
from hdrmodel.training.config import TrainConfig
from stages.params import read_seeds, read_variants

PACKAGES = ("hdrdata", "hdrmodel", "stages")
SECTIONS = {
    "scan": ScanConfig,
    "ingest": IngestConfig,
    "synthesize": SynthesizeConfig,
    "shard": ShardConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
}
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
FILES = sorted((ROOT / "stages" / "profiles").glob("*.yaml"))
PROFILES = {"quick": PARAMS, **{path.stem: yaml.safe_load(path.read_text()) for path in FILES}}
LOSS = {**PARAMS["train"]["loss"], "perceptual": 0}
SMALL = {"width": 0.125, "steps": 2, "batch": 2, "crop": 32, "validate_every": 2, "validation_stacks": 2}
TRAINED = ("base", "lightunet")  # of the whole pipeline: one that learns from stacks and one from light
TRAIN = {**PARAMS["train"], **SMALL, "log_every": 2, "device": "cpu", "loss": LOSS}


def test_a_variant_more_changes_nothing_in_dvc_yaml():
    text = (ROOT / "dvc.yaml").read_text()
    assert not [name for name in VARIANTS if re.search(rf"[/@ ]{name}[/@:, ]", text)]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_tracks_every_section_that_it_reads(name):
    source = (ROOT / "stages" / f"{name}.py").read_text()
    read = set(re.findall(r'read_(?:section|values)\("(\w+)"', source))
    read |= set(re.findall(r"read_(variants|seeds|form)s?\(\)", source))
    assert set(STAGES[name]["params"]) == read  # `run` is none of them: it changes no result


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SECTIONS)
def test_the_committed_parameters_are_valid(name, profile):
    params = PROFILES[profile]
    shared = {"ingest": params["run"], "synthesize": params["run"], "shard": {"form": params["form"]}}
    SECTIONS[name].parse(name, {**params[name], **shared.get(name, {})})
    for changes in params["train_of"].values():
        TrainConfig.parse("train", merge_profile(params["train"], changes))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_name_in_the_parameters_is_known(profile, tmp_path, monkeypatch):
    params = PROFILES[profile]
    assert params["synthesize"]["recipe"] in RECIPES
    assert set(params) == {"variants", "seeds", "launch", "form", "run", "train_of", *SECTIONS}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    assert set(read_variants()) <= set(VARIANTS)
    assert 0 in read_seeds()


def names_in(values: dict) -> list:
    """The names of nested sections, in their order."""
    return [(name, names_in(value)) if isinstance(value, dict) else name for name, value in values.items()]


def test_there_is_a_profile_for_the_paper_one_for_what_is_released_and_one_for_the_experiment():
    assert set(PROFILES) == {"quick", "paper", "release", "attention"}
    assert PROFILES["release"]["variants"] == ["lightunet"]
    assert PROFILES["attention"]["variants"] == list(ATTENTIONS) and len(PROFILES["attention"]["seeds"]) == 3


def test_the_profiles_have_the_same_names_and_the_paper_has_everything():
    assert names_in({**PROFILES["paper"], "train_of": {}}) == names_in({**PARAMS, "train_of": {}})
    assert set(PROFILES["paper"]["variants"]) == set(ATTENTIONS)
    assert len(PROFILES["paper"]["seeds"]) == 3


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "attention"])  # an experiment has no weights
def test_hdrmodel_trains_by_the_same_profile_without_the_pipeline(profile):
    shipped = yaml.safe_load((ROOT / "hdrmodel" / "profiles" / f"{profile}.yaml").read_text())
    assert shipped == PROFILES[profile]["train"]


@pytest.mark.parametrize(
    "section, change, message",
    [
        ("scan", {"seeds": 1}, "scan.seeds: Extra inputs are not permitted"),
        ("scan", {"scenes": "nowhere"}, "nowhere: no such folder of scenes"),
        ("ingest", {"view_size": -1}, "ingest.view_size: Input should be greater than or equal to 16, got -1"),
        ("synthesize", {"recipe": "kodak"}, "unknown recipe 'kodak'; known: drtmo"),
        ("shard", {"shards": {"train": 0, "val": 1, "test": 1}}, "shard.shards.train: Input should be greater than 0"),
        ("train", {"preset": "vgg"}, "unknown preset 'vgg'"),
        (
            "train",
            {"loss": {**LOSS, "norm": "l3"}},
            "train.loss.norm: Input should be 'l1' or 'l2'",
        ),
    ],
)
def test_a_wrong_parameter_is_one_line_and_leaves_nothing_behind(
    dataset, tmp_path, monkeypatch, section, change, message
):
    params = {**PARAMS, "train": TRAIN}
    params[section] = {**params[section], **change}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    arguments = {
        "scan": ["scenes.json", "cache.json"],
        "ingest": [str(dataset.folder / "scenes.json"), "out"],
        "synthesize": [str(dataset.views), "out"],
        "shard": [str(dataset.stacks), "out"],
        "train": ["base", "0", str(dataset.shards), "out"],
    }[section]
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(importlib.import_module(f"stages.{section}").main, arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    "name, wrong",
    [("variants", ["base; touch gone"]), ("variants", ["$(touch gone)"]), ("variants", ["-c"]), ("variants", "base"),
     ("variants", [["base"]]), ("seeds", ["0; touch gone"]), ("seeds", [-1])],
)  # fmt: skip
def test_variants_and_seeds_that_are_not_plain_stop_the_first_stage(tmp_path, monkeypatch, name, wrong):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**PARAMS, name: wrong}))
    result = CliRunner().invoke(stages.scan.main, ["scenes.json", "cache.json"])
    assert result.exit_code == 1 and f"params.yaml: {name}: expected a list of" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_scan_mends_a_damaged_list_and_tells_of_moved_parts(scenes_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def scan(seed: int) -> str:
        section = {**PARAMS["scan"], "scenes": str(scenes_folder), "sidecar": "scenes.csv", "seed": seed}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "scan": section}))
        result = CliRunner().invoke(stages.scan.main, ["scenes.json", "cache.json"])
        assert result.exit_code == 0, result.output
        return result.output

    assert "4 new, 0 changed, 0 removed; 4 files hashed" in scan(34)
    assert "nothing has changed; 0 files hashed" in scan(34)
    moved = re.search(r"0 new, (\d) changed, 0 removed", scan(35))
    assert moved and int(moved[1]) > 0
    (tmp_path / "scenes.json").write_text("<<<<<<< HEAD")
    assert "4 new" in scan(35)
    assert json.loads((tmp_path / "scenes.json").read_text())["scenes"]


@pytest.fixture(scope="module")
def workspace(scenes_folder, tmp_path_factory) -> Path:
    """A git repository with this project's code and pipeline, and the tests' scenes and parameters."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in (*PACKAGES, "dvc.yaml", ".dvcignore", ".gitignore"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    shutil.copytree(scenes_folder, folder / "data" / "scenes")
    params = {
        **PARAMS,
        "variants": list(TRAINED),
        "seeds": [0],
        "scan": {**PARAMS["scan"], "sidecar": "scenes.csv", "seed": 34, "val_share": 0.25, "test_share": 0.25},
        "ingest": {**PARAMS["ingest"], "view_size": 32},
        "train": TRAIN,
        "train_of": {"lightunet": {"profile": "release", **SMALL, "device": "cpu", "light": {"warmup": 1}}},
        "evaluate": {**PARAMS["evaluate"], "crfs_a_view": 1, "lpips": {"trunk": None, "trunk_file": None}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--allow-empty", "-m", "start")
    run(folder, sys.executable, "-m", "dvc", "init", "--quiet")
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots", dirs_exist_ok=True)
    return folder


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of thirty stages compiles the copy of the libraries
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}: {result.stdout}\n{result.stderr}"
    return result.stdout


def test_dvc_repro_makes_everything_once_and_then_nothing(workspace, dataset):
    first = run(workspace, sys.executable, "-m", "dvc", "repro")
    order = re.findall(r"Running stage '(.+?)'", first)
    for variant in TRAINED:
        assert order.index(f"evaluate@{variant}") > order.index(f"train@{variant}-0")
    assert len(order) == len({"scan", "ingest", "synthesize", "shard", "release", "report"}) + 2 * len(TRAINED)
    page = (workspace / "data" / "report" / "index.html").read_text()
    assert "lightunet" in page and "oracle" in page.lower() and "release (shipped weights)" in page
    lines = first.splitlines()
    assert next(line for line in reversed(lines) if line.startswith("data/report/index.html"))
    assert [name for name in TRAINED if not any(line.startswith(name) for line in lines)] == []
    for variant in TRAINED:
        summary = json.loads((workspace / "data" / "scores" / variant / "summary.json").read_text())
        assert summary["variant"] == variant
        assert list(summary["scores_by_seed"]) == ["0"]
    # the same scenes and parameters through the library, elsewhere: the same bytes
    index = json.loads((workspace / "data" / "shards" / "index.json").read_text())
    made = {name: row["files"][name]["sha256"] for name, row in index["rows"].items()}
    ours = json.loads((dataset.shards / "index.json").read_text())
    assert {row["form"] for row in index["rows"].values()} == {row["form"] for row in ours["rows"].values()}
    samples = {s["key"]: s["crc32c"] for row in index["rows"].values() for s in row["samples"]}
    assert samples == {s["key"]: s["crc32c"] for row in ours["rows"].values() for s in row["samples"]}

    again = run(workspace, sys.executable, "-m", "dvc", "repro")
    assert "nothing has changed" in again
    assert re.findall(r"Running stage '(.+?)'", again) == ["scan"]

    # the curves of every variant and seed in one chart, and a picture of each variant, though dvc.yaml names none
    printed = run(workspace, sys.executable, "-m", "dvc", "plots", "show", "--out", "shown")
    assert "failed" not in printed
    shown = (workspace / "shown" / "index.html").read_text()
    curves = json.loads((workspace / "data" / "report" / "plots" / "validation.json").read_text())
    assert {(row["variant"], row["seed"]) for row in curves} == {(name, 0) for name in TRAINED}
    assert all(f'"variant": "{variant}"' in shown for variant in TRAINED)
    pictures = [path.name for path in (workspace / "shown" / "static").glob("*.png")]
    assert sorted(name.rpartition("_")[2] for name in pictures) == sorted(f"{variant}.png" for variant in TRAINED)

    # a new scene: its own views, stacks and shards, and nothing else
    scene = next((workspace / "data" / "scenes").glob("harbour.exr"))
    content = bytearray(scene.read_bytes())
    sidecar = workspace / "data" / "scenes" / "scenes.csv"
    rows = sidecar.read_text()
    sidecar.write_text("".join(line for line in rows.splitlines(keepends=True) if not line.startswith("harbour.exr")))
    (workspace / "data" / "scenes" / "harbour.exr").unlink()
    removed = run(workspace, sys.executable, "-m", "dvc", "repro", "shard")
    assert "1 removed" in removed
    (workspace / "data" / "scenes" / "harbour.exr").write_bytes(content)
    sidecar.write_text(rows)
    added = run(workspace, sys.executable, "-m", "dvc", "repro", "shard")
    assert "scenes: 1 new, 3 kept, 0 removed" in added
    index = json.loads((workspace / "data" / "shards" / "index.json").read_text())
    assert {name: row["files"][name]["sha256"] for name, row in index["rows"].items()} == made


def test_a_clone_with_the_shards_alone_trains_and_a_form_is_imported_alone(workspace, scenes_folder, tmp_path):
    dvc = [sys.executable, "-m", "dvc"]
    run(workspace, *dvc, "repro", "train@base-0")
    author = ("-c", "user.name=t", "-c", "user.email=t@t")
    run(workspace, "git", "add", "--all")
    run(workspace, "git", *author, "commit", "--quiet", "-m", "data")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(workspace), str(clone))
    run(clone, *dvc, "remote", "add", "--quiet", "--default", "there", str(workspace / ".dvc" / "cache"))
    run(clone, *dvc, "pull", "--quiet", "shard")
    for lost in ("data/scenes", "data/views", "data/stacks"):
        shutil.rmtree(clone / lost, ignore_errors=True)
    parameters = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(parameters.replace("batch: 2", "batch: 3"))
    printed = run(clone, *dvc, "repro", "--allow-missing", "train@base-0")
    assert re.findall(r"Running stage '(.+?)'", printed) == ["scan", "train@base-0"]
    assert (clone / "data/runs/base/0/weights.safetensors").is_file() and not (clone / "data/views").exists()
    (clone / "params.yaml").write_text(parameters.replace("scenes: data/scenes", "scenes: nowhere/hdris"))
    printed = run(clone, *dvc, "repro", "--allow-missing", "train@base-0")  # another folder of scenes that is not there
    assert re.findall(r"Running stage '(.+?)'", printed)[:1] == ["scan"]

    other = tmp_path / "other"
    other.mkdir()
    run(other, "git", "init", "--quiet")
    run(other, *dvc, "init", "--quiet")
    run(other, *dvc, "import", "--quiet", str(workspace), "data/shards/radiance")
    with (
        open_stacks(other / "radiance", part="train") as imported,
        open_stacks(workspace / "data/shards", part="train") as whole,
    ):
        assert len(imported) == len(whole)
        assert np.array_equal(imported[0].stack, whole[0].stack)


def test_a_copy_whose_folder_of_scenes_is_not_there_trains(workspace, tmp_path, monkeypatch):
    script = shared_file("wild/journeys/c07_pulled_shards.sh")
    run(workspace, sys.executable, "-m", "dvc", "repro", "train@base-0")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    printed = run(tmp_path, "bash", str(script), str(workspace))
    assert re.findall(r"Running stage '(.+?)'", printed) == ["scan"]

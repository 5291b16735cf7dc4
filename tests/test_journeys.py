"""Users' journeys that went wrong, run as they were written, from the folder beside the repository; else skipped."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from shared_files import ROOT, shared_file

from hdrdata.scenes.scan import scan_scenes

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
SMALL = {"width": 0.125, "steps": 1, "batch": 2, "crop": 32, "validate_every": 1, "validation_stacks": 2}


def run(folder: Path, *command: object) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def journey(folder: Path, name: str, *arguments: object, program: tuple[str, ...] = ()) -> str:
    """Run a script and return what it printed."""
    script = shared_file(f"wild/journeys/{name}")
    program = program or (("bash",) if script.suffix == ".sh" else (sys.executable,))
    result = run(folder, *program, script, *arguments)
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_accelerate_uses_every_stack(dataset, tmp_path):
    pytest.importorskip("accelerate")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    printed = journey(tmp_path, "c01_accelerate.py", dataset.shards, program=torchrun)
    seen, every = map(int, re.search(r"seen (\d+) of (\d+)", printed).groups())
    assert every - 4 < seen <= every  # all but for a last step that two ranks of two samples do not fill


def test_names_of_any_script_and_length_are_groups_of_their_own(tmp_path):
    lines = journey(tmp_path, "c02_names.sh").splitlines()
    for line in lines[:2]:
        assert re.fullmatch(r"scenes: [1-9]\d* train, [1-9]\d* val, [1-9]\d* test", line)
    japanese, long = map(ast.literal_eval, lines[2:4])
    assert len(set(japanese.values())) == len(japanese) == 8 and len(set(long.values())) == len(long) == 2


def test_sidecars_and_card_follow_a_build_that_adds_scenes(tmp_path):
    printed = journey(tmp_path, "c03_stale_sidecars.sh")
    assert "all 96 samples are whole\nverify: exit 0" in printed  # 16 views by five cameras, and 16 of radiance
    stacks, listed = re.search(r"stacks (\d+) wids-train\.json (\d+)", printed).groups()
    assert stacks == listed and "\n16 views of 16 HDR scenes" in printed


def test_lightning_trains_with_two_devices(dataset, tmp_path):
    pytest.importorskip("lightning")
    assert "max_steps=2` reached" in journey(tmp_path, "c05_lightning.py", dataset.shards)


def test_a_folder_of_four_scenes_has_every_part_and_trains(tmp_path):
    source = tmp_path / "source"
    for name in ("hdrdata", "hdrmodel", "stages"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    train = {**PARAMS["train"], **SMALL, "device": "cpu", "log_every": 1}
    train["loss"] = {**train["loss"], "perceptual": 0}
    (source / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "train": train}))
    (source / "data").mkdir()
    shutil.copy(ROOT / "data" / "scenes.json", source / "data")
    for command in (["init", "--quiet"], ["add", "--all"],
                    ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "start"]):  # fmt: skip
        assert run(source, "git", *command).returncode == 0
    printed = journey(tmp_path, "c06_small_folder.sh", source)
    first, second = re.search(r"1\. sidecar left as it is:\n(.*)2\. an empty part:\n(.*)", printed, re.DOTALL).groups()
    assert "no scenes.csv: no location groups" in printed and "Traceback" not in printed
    assert "4 new, 0 changed" in first and printed.count("exit 0") == 2
    for scenes in (first, second):
        assert re.search(r"[1-9] train, [1-9] val, [1-9] test", scenes)
    assert "base, seed 0: " in second


def test_weights_without_a_mixture_are_refused(dataset, tmp_path):
    script = shared_file("wild/journeys/c08_weights.py")
    result = run(tmp_path, sys.executable, script, dataset.shards)
    assert result.returncode and result.stdout.splitlines()[-1].startswith("TypeError: folders with weights; expected")


def test_a_renamed_scene_stays_in_its_part(tmp_path):
    # the script hashes names; since the parts are those of the content, its figure is no longer about files
    assert re.search(r"\d+ % change part", journey(tmp_path, "c09_rename.py"))
    journey(tmp_path, "scenes.py", "in", *(f"scene-{number}" for number in range(6)))
    split = {"sidecar": None, "seed": 0, "val_share": 0.15, "test_share": 0.2}
    before = {scene.sha256: scene.part for scene in scan_scenes(tmp_path / "in", **split).scenes}
    for path in list((tmp_path / "in").iterdir()):
        path.rename(path.with_stem(f"{path.stem}-v2"))
    assert {scene.sha256: scene.part for scene in scan_scenes(tmp_path / "in", **split).scenes} == before


def test_one_scene_in_two_sizes_is_in_one_part(tmp_path):
    journey(tmp_path, "same_scene_1k_2k.py", "in")
    split = {"sidecar": None, "seed": 0, "val_share": 0.15, "test_share": 0.2}
    parts: dict[str, set[str]] = {}
    for scene in scan_scenes(tmp_path / "in", **split).scenes:
        parts.setdefault(Path(scene.path).stem.rpartition("_")[0], set()).add(scene.part)
    assert len(parts) == 8 and all(len(of_one) == 1 for of_one in parts.values())

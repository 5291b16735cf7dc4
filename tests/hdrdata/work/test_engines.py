"""Engines: each runs the same tasks with the same end, whatever happens to its workers."""

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import get_args

import pytest
import ray
import torch
from numbered_files import make_number, numbers
from shared_files import ROOT

from hdrdata import StackLoader
from hdrdata.files.disk import write_bytes
from hdrdata.samples.layout import IntegrityError
from hdrdata.scenes.parts import PARTS
from hdrdata.shards.pack import ShardConfig, shard_stacks
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.views.view import read_views
from hdrdata.work import ray_engine as engine_ray
from hdrdata.work.engines import EngineName, run_tasks

every_engine = pytest.mark.parametrize("engine", get_args(EngineName))


@pytest.fixture(scope="module", autouse=True)
def ray_here():
    """One Ray of two cores for all tests here, which start it in seconds."""
    patch = pytest.MonkeyPatch()
    patch.delenv("RAY_ADDRESS", raising=False)
    patch.delenv("RAY_AUTH_MODE", raising=False)  # Ray chooses, and finds this token
    patch.setenv("RAY_AUTH_TOKEN", "5" * 64)
    places = (ROOT, ROOT / "tests" / "support")
    patch.setenv("PYTHONPATH", os.pathsep.join(map(str, places)))  # of Ray's processes
    engine_ray._connect(2)
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of Ray's processes, which it tells to end and does not await
        ray.shutdown()
    patch.undo()


def run(engine: str, folder: Path, tasks: list[dict], workers: int = 2) -> dict:
    taken = {}
    folder.mkdir(exist_ok=True)
    run_tasks(engine, folder, {f"n{k}": task for k, task in enumerate(tasks)}, make_number, taken.__setitem__, workers)
    return taken


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".partial-")}


@every_engine
def test_every_task_is_made_once_in_another_process(engine, tmp_path):
    taken = run(engine, tmp_path, numbers(8))
    assert {name: row["number"] for name, row in taken.items()} == {f"n{k}": k for k in range(8)}
    assert os.getpid() not in {row["process"] for row in taken.values()}
    assert files(tmp_path) == {f"{k}.txt": str(k) for k in range(8)}
    assert len(list(tmp_path.iterdir())) == 8  # and nothing of the engine's own


@every_engine
def test_a_task_killed_in_the_middle_of_a_file_is_made_again(engine, tmp_path):
    tasks = numbers(4, first=str(tmp_path / "killed"))
    taken = run(engine, tmp_path / "numbers", tasks)
    assert (tmp_path / "killed").exists()
    assert {name: row["number"] for name, row in taken.items()} == {f"n{k}": k for k in range(4)}
    assert files(tmp_path / "numbers") == {f"{k}.txt": str(k) for k in range(4)}


@every_engine
def test_a_refusal_comes_as_it_was_raised(engine, tmp_path):
    taken = run(engine, tmp_path, [{"number": 0}, {"number": 1, "refuse": True}])
    assert type(taken["n1"]) is IntegrityError and str(taken["n1"]) == "1.txt: damaged"
    assert taken["n0"]["number"] == 0


@every_engine
def test_a_task_that_always_kills_its_process_is_refused_by_name_and_the_others_are_made(engine, tmp_path):
    taken = run(engine, tmp_path, [{"number": 0, "always": True}, {"number": 1}])
    assert re.fullmatch(r"n0: the process that worked on it died 3 times: .*", str(taken["n0"]))
    assert isinstance(taken["n0"], ValueError) and taken["n1"]["number"] == 1
    assert files(tmp_path) == {"1.txt": "1"}


def test_a_single_task_that_cannot_crash_is_made_in_this_process(tmp_path):
    taken = {}
    for task in ({"number": 0}, {"number": 1, "refuse": True}):
        name = f"n{task['number']}"
        run_tasks("local", tmp_path, {name: task}, make_number, taken.__setitem__, 2, isolated=False)
    assert taken["n0"]["process"] == os.getpid() and files(tmp_path) == {"0.txt": "0"}
    assert type(taken["n1"]) is IntegrityError


@every_engine
def test_an_error_of_the_disk_ends_the_run_in_its_own_words(engine, tmp_path):
    with pytest.raises(OSError, match=r"Permission denied: '0.txt'$"):
        run(engine, tmp_path, [{"number": 0, "fail": True}])


@every_engine
def test_few_tasks_are_under_way_and_none_after_the_run_ended(engine, tmp_path):
    class EnoughError(Exception):
        pass

    def stop(name: str, result: object) -> None:
        raise EnoughError

    tasks = {task["number"]: task for task in numbers(50, seconds=0.05)}
    with pytest.raises(EnoughError):
        run_tasks(engine, tmp_path, {f"n{k}": task for k, task in tasks.items()}, make_number, stop, 2)
    left = files(tmp_path)
    assert len(left) <= 6  # two at a time, and as many that wait
    time.sleep(0.2)
    assert files(tmp_path) == left


def test_an_unknown_engine_and_a_cluster_that_is_not_there_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"unknown engine 'spark'; known: local, ray"):
        run("spark", tmp_path, numbers(1))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ValueError, match=r"RAY_ADDRESS '127.0.0.1:9': no Ray cluster to work with: .*refused"):
        run("ray", tmp_path, numbers(1))


def test_a_node_that_does_not_see_the_folders_or_has_other_versions_is_named(tmp_path):
    token = tmp_path / "token"
    token.touch()
    with pytest.raises(OSError, match=rf"Ray node \S+: does not have {ROOT} and {tmp_path} as the machine where"):
        engine_ray._make_on_a_node((str(ROOT), tmp_path / "none", {}), make_number, tmp_path, {"number": 1})
    with pytest.raises(OSError, match=r"Ray node \S+: does not have /nowhere"):
        engine_ray._make_on_a_node(("/nowhere", token, {}), make_number, tmp_path, {"number": 1})
    with pytest.raises(OSError, match=r"Ray node \S+: has numpy [\d.]+; expected 0\.1, as where the run began"):
        engine_ray._make_on_a_node((os.getcwd(), token, {"numpy": "0.1"}), make_number, tmp_path, {"number": 1})
    assert files(tmp_path) == {"token": ""}


def test_the_command_makes_the_same_shards_on_a_ray_cluster_as_in_one_process(dataset, tmp_path):
    address = ray.get_runtime_context().gcs_address
    options = ["--view-size", "32", "--seed", "34", "--val-share", "0.25", "--test-share", "0.25", "--name", "tiny"]
    shards = ["--sidecar", "scenes.csv", "--train-shards", "3", "--val-shards", "2"]
    command = [sys.executable, "-c", "from hdrdata.cli import main; main()", "build", str(dataset.scenes), "dataset"]
    result = subprocess.run(
        [*command, *options, *shards, "--engine", "ray", "--ray-address", address],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "aylet" not in result.stdout + result.stderr and "Ray" not in result.stdout + result.stderr
    assert "stacks of views: 19 new, 0 kept, 0 removed" in result.stdout
    for room in ("views", "stacks", "shards"):
        names = sorted(path.relative_to(dataset.folder / room) for path in (dataset.folder / room).rglob("*.*"))
        assert sorted(path.relative_to(tmp_path / "dataset" / room)
                      for path in (tmp_path / "dataset" / room).rglob("*.*")) == names  # fmt: skip
        for name in names:
            assert (tmp_path / "dataset" / room / name).read_bytes() == (dataset.folder / room / name).read_bytes()


def test_stacks_of_drawn_cameras_are_the_same_by_any_engine_and_form_and_stream_like_others(
    dataset, synthesize_config, tmp_path
):
    views = read_views(dataset.views)[:4]
    shard = ShardConfig.parse("shard", {"name": "cameras", "form": "both", "shards": dict.fromkeys(PARTS, 1)})
    made = {}
    for engine, workers in (("local", 1), ("local", 2), ("ray", 2)):
        folder = tmp_path / f"{engine}-{workers}"
        config = synthesize_config(recipe="cameras", engine=engine, workers=workers)
        synthesize_stacks(views, dataset.views, folder / "stacks", config, ("pixels", "radiance"))
        shard_stacks(folder / "stacks", folder / "shards", shard, workers=workers, engine=engine)
        made[engine, workers] = {
            path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()
        }
    first, *others = made.values()
    assert any(path.suffix == ".tar" and path.parts[0] == "shards" for path in first)
    assert all(other == first for other in others)
    shards, options = tmp_path / "ray-2" / "shards", {"part": views[0].part, "drop_last": False, "seed": 3}
    with (
        StackLoader(shards, 2, form="pixels", **options) as pixels,
        StackLoader(shards, 2, form="radiance", **options, workers=1) as radiance,
    ):
        batches = 0
        for ours, theirs in zip(pixels, radiance, strict=True):
            assert ours["key"] == theirs["key"] and torch.equal(ours["stack"], theirs["stack"])
            batches += 1
    assert batches == len(pixels) > 1


ORPHANED = """
import os, signal, sys
from pathlib import Path
from hdrdata.work.engines import run_tasks
from numbered_files import make_number, numbers

def take(name, row):
    print(row["process"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    tasks = {f"n{k}": task for k, task in enumerate(numbers(9, seconds=0.1))}
    run_tasks("local", Path(sys.argv[1]), tasks, make_number, take, 2)
"""


def test_the_pools_processes_end_with_a_parent_that_was_killed(tmp_path):
    (tmp_path / "run.py").write_text(ORPHANED)
    result = subprocess.run(
        [sys.executable, "run.py", str(tmp_path)], cwd=tmp_path, stdout=subprocess.PIPE, check=False
    )
    assert result.returncode == -signal.SIGKILL
    worker = int(result.stdout.split()[0])
    deadline = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(worker, 0)
            time.sleep(0.02)
    write_bytes(tmp_path / "after.txt", b"the folder is free")

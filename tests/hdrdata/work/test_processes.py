"""The pool of processes: how often a task may kill its process, what is refused, and what is kept at an early end."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from shared_files import ROOT

from hdrdata.work.processes import run_in_processes


def die_a_few_times(folder: Path, task: tuple[str, int]) -> str:
    """Kill this process as often as the task wants; each time leaves a file."""
    name, times = task
    for number in range(times):
        if not (folder / f"{name}{number}").exists():
            (folder / f"{name}{number}").touch()
            os._exit(1)
    return name


def invert(number: int) -> float:
    return 1 / number


@pytest.mark.parametrize(("max_deaths", "lost"), [(1, {"b", "c"}), (2, {"c"})])
def test_a_task_that_kills_as_many_processes_as_it_may_alone_is_named_and_the_others_are_done(
    tmp_path, max_deaths, lost
):
    tasks = {
        "a": ("a", 0),
        "b": ("b", 2),
        "c": ("c", 3),
    }  # the first of b, and perhaps of c, beside others: not counted
    function = partial(die_a_few_times, tmp_path)
    results = dict(run_in_processes(function, tasks, 1, max_deaths=max_deaths))
    assert {name for name, result in results.items() if isinstance(result, ChildProcessError)} == lost
    assert {name: results[name] for name in tasks if name not in lost} == {name: name for name in tasks.keys() - lost}


def test_an_error_is_a_result_where_it_is_a_refusal_and_else_ends_the_run():
    results = dict(run_in_processes(invert, {"a": 0, "b": 2}, 1, max_deaths=1, refusal=ArithmeticError))
    assert isinstance(results["a"], ZeroDivisionError) and results["b"] == 0.5
    with pytest.raises(ZeroDivisionError):
        dict(run_in_processes(invert, {"a": 0, "b": 2}, 1, max_deaths=1, refusal=ValueError))


def test_what_ended_after_the_reader_stopped_is_kept_once():
    kept = {}
    results = run_in_processes(invert, {k: k for k in range(1, 20)}, 2, max_deaths=1, keep=kept.__setitem__)
    name, _ = next(results)
    results.close()
    assert name not in kept and len(kept) <= 3  # four were under way
    assert all(result == 1 / name for name, result in kept.items())


def test_a_script_need_not_guard_what_starts_processes(scenes_folder, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import hdrdata\n"
        f"built = hdrdata.build({str(scenes_folder)!r}, 'out', view_size=32, form='radiance', workers=2)\n"
        "print('built', len(built.scan.scenes))\n"
    )
    command = [sys.executable, "mine.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.count("built") == 1

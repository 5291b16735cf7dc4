"""The engine "local": tasks in a pool of processes on this machine."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from hdrdata.work.processes import run_in_processes
from hdrdata.work.worker import MAX_DEATHS, Make, Take, killed


def run_here(folder: Path, tasks: dict[str, Any], make: Make, take: Take) -> None:
    """Make the tasks one after another in this process."""
    for name, task in tasks.items():
        try:
            result = make(folder, task)
        except ValueError as error:
            result = error
        take(name, result)


def run_in_pools(folder: Path, tasks: dict[str, Any], make: Make, take: Take, workers: int) -> None:
    """Make the tasks in a pool of processes; what was under way when a worker died is made again, each alone."""
    made = run_in_processes(partial(make, folder), tasks, workers, max_deaths=MAX_DEATHS, refusal=ValueError, keep=take)
    with closing(made):
        for name, result in made:
            take(name, killed(name, tasks[name]) if isinstance(result, ChildProcessError) else result)

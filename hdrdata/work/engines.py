"""Engines: run a pure task for each of many names in other processes, here in a pool on this machine.

An engine calls make(folder, task) and hands each row, or the ValueError that refuses it, to `take` in this process, in
the order in which they end. A bounded number of tasks is under way; those of a process that died are done again. So a
task may run twice: it writes its files whole or not at all, and the same each time.
"""

from pathlib import Path
from typing import Any, Literal

from hdrdata.work.local_engine import run_here, run_in_pools
from hdrdata.work.worker import Make, Take

EngineName = Literal["local", "ray"]


def run_tasks(
    engine: str, folder: Path, tasks: dict[str, Any], make: Make, take: Take, workers: int, *, isolated: bool = True
) -> None:
    """Make the tasks with one of the engines; what is made does not depend on which.

    Args:
        engine: "local", a pool of processes on this machine; "ray", see `hdrdata.work.ray_engine`.
        tasks: by name; picklable.
        make: a function of an importable module; a ValueError refuses the task, any other error ends the run. A task
            that kills its process again and again is refused, too.
        take: may raise, which ends the run.
        workers: tasks at a time; 0 for one a core.
        isolated: whether a task may crash its process, as a decoder of anybody's files may. Else a single task of the
            local engine is made in this process, which saves the second that another takes to start.

    Raises:
        ValueError: if the engine is unknown, is not installed or cannot be reached.
    """
    if engine == "local" and len(tasks) == 1 and not isolated:
        run_here(folder, tasks, make, take)
    elif engine == "local":
        run_in_pools(folder, tasks, make, take, workers)
    elif engine == "ray":
        from hdrdata.work.ray_engine import run_on_ray  # which needs an extra

        run_on_ray(folder, tasks, make, take, workers)
    else:
        raise ValueError(f"unknown engine '{engine}'; known: local, ray")

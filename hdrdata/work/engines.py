"""Engines: run a pure task for each of many names in other processes, here in a pool on this machine.

An engine calls make(folder, task) and hands each row, or the ValueError that refuses it, to `take` in this process, in
the order in which they end. A bounded number of tasks is under way; those of a process that died are done again. So a
task may run twice: it writes its files whole or not at all, and the same each time.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any, Literal

EngineName = Literal["local", "ray"]
Make = Callable[[Path, Any], dict]
Take = Callable[[str, "dict | ValueError"], None]
MAX_DEATHS = 3  # of workers alone with one task, before it is refused: one out-of-memory kill must not do it


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
        _run_here(folder, tasks, make, take)
    elif engine == "local":
        _run_in_pools(folder, tasks, make, take, workers)
    elif engine == "ray":
        from hdrdata.work.ray_engine import run_on_ray  # which needs an extra

        run_on_ray(folder, tasks, make, take, workers)
    else:
        raise ValueError(f"unknown engine '{engine}'; known: local, ray")


def _run_here(folder: Path, tasks: dict[str, Any], make: Make, take: Take) -> None:
    for name, task in tasks.items():
        try:
            result = make(folder, task)
        except ValueError as error:
            result = error
        take(name, result)


def _run_in_pools(folder: Path, tasks: dict[str, Any], make: Make, take: Take, workers: int) -> None:
    """Make the tasks in a pool of processes; what was under way when a worker died is made again, each alone."""
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    waiting, suspects, deaths = list(reversed(tasks)), [], Counter()
    while waiting or suspects:
        alone = not waiting
        group = [suspects.pop()] if alone else waiting
        running: dict[Future, str] = {}
        try:
            _run_in_pool(folder, tasks, group, running, make, take, 1 if alone else workers)
        except BrokenProcessPool:
            suspects.extend(group if alone else ())  # where it was not begun
            for name in running.values():
                deaths[name] += alone
                if deaths[name] < MAX_DEATHS:
                    suspects.append(name)
                else:
                    take(name, killed(name, tasks[name]))


def _run_in_pool(
    folder: Path,
    tasks: dict[str, Any],
    waiting: list[str],
    running: dict[Future, str],
    make: Make,
    take: Take,
    workers: int,
) -> None:
    """Make the tasks of `waiting` from its end, until it is empty; `running` keeps those that a dead worker lost."""
    context = get_context("forkserver")  # imports `make`'s module once, and not once a worker
    context.set_forkserver_preload([make.__module__])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                future = pool.submit(make, folder, tasks[waiting[-1]])  # where the pool is broken, this raises
                running[future] = waiting.pop()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                error = future.exception()
                if error is not None and not isinstance(error, ValueError):
                    raise error
                take(running.pop(future), error or future.result())
    finally:  # also when Ctrl-C or a refusal ends it: what is queued is dropped, what runs ends and is kept
        pool.shutdown(wait=True, cancel_futures=True)
        for future in [future for future in running if future.done() and not future.cancelled()]:
            if future.exception() is None:
                take(running.pop(future), future.result())


def killed(name: str, task: Any) -> ValueError:
    """What refuses a task that killed its process each time."""
    what = getattr(task, "path", name)
    return ValueError(f"{what}: the process that worked on it died {MAX_DEATHS} times: a decoder's crash, or memory")


def start_worker() -> None:
    """Leave Ctrl-C to the parent, end where the parent was killed, and take one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    use_one_core()


def _end_with_the_parent() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)


def use_one_core() -> None:
    """Keep OpenCV from starting a thread a core in each of the processes."""
    import cv2

    cv2.setNumThreads(1)

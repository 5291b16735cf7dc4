"""The engine "local": tasks in a pool of processes on this machine."""

import os
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hdrdata.work.worker import MAX_DEATHS, Make, Take, killed, start_worker


def run_here(folder: Path, tasks: dict[str, Any], make: Make, take: Take) -> None:
    for name, task in tasks.items():
        try:
            result = make(folder, task)
        except ValueError as error:
            result = error
        take(name, result)


def run_in_pools(folder: Path, tasks: dict[str, Any], make: Make, take: Take, workers: int) -> None:
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

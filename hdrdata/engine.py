"""Engines: run a pure task for each of many names in other processes, here in a pool on this machine.

An engine calls make(folder, task) and hands each row, or the ValueError that refuses it, to `take` in this process, in
the order in which they end. A bounded number of tasks is under way; those of a process that died are done again. So a
task may run twice: it writes its files whole or not at all, and the same each time.
"""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any, Literal

EngineName = Literal["local", "ray"]
Make = Callable[[Path, Any], dict]
Take = Callable[[str, "dict | ValueError"], None]
MAX_DEATHS = 3  # of workers, before a run gives up: one out-of-memory kill must not end it


def run_tasks(engine: str, folder: Path, tasks: dict[str, Any], make: Make, take: Take, workers: int) -> None:
    """Make the tasks with one of the engines; what is made does not depend on which.

    Args:
        engine: "local", a pool of processes on this machine; "ray", see `hdrdata.engine_ray`.
        tasks: by name; picklable.
        make: a function of an importable module; a ValueError refuses the task, any other error ends the run.
        take: may raise, which ends the run.
        workers: tasks at a time; 0 for one a core.

    Raises:
        ValueError: if the engine is unknown, is not installed or cannot be reached.
        ChildProcessError: if workers keep dying.
    """
    if engine == "local":
        _run_in_pools(folder, tasks, make, take, workers)
    elif engine == "ray":
        from hdrdata.engine_ray import run_on_ray  # which needs an extra

        run_on_ray(folder, tasks, make, take, workers)
    else:
        raise ValueError(f"unknown engine '{engine}'; known: local, ray")


def _run_in_pools(folder: Path, tasks: dict[str, Any], make: Make, take: Take, workers: int) -> None:
    """Make the tasks in a pool of processes, and in another one where a worker died."""
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    waiting, deaths = list(reversed(tasks)), 0
    while waiting:
        try:
            _run_in_pool(folder, tasks, waiting, make, take, workers)
        except BrokenProcessPool as error:
            deaths += 1
            if deaths > MAX_DEATHS:
                raise ChildProcessError(f"worker processes died {deaths} times, {error}") from error


def _run_in_pool(folder: Path, tasks: dict[str, Any], waiting: list[str], make: Make, take: Take, workers: int) -> None:
    """Make the tasks of `waiting` from its end, until it is empty; a worker that dies gives its tasks back."""
    context = get_context("forkserver")  # imports `make`'s module once, and not once a worker
    context.set_forkserver_preload([make.__module__])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    running: dict[Future, str] = {}
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
    except BrokenProcessPool as error:
        names = ", ".join(running.values())
        waiting.extend(running.values())
        running.clear()
        raise BrokenProcessPool(f"at last while making {names}") from error
    finally:  # also when Ctrl-C or a refusal ends it: what is queued is dropped, what runs ends and is kept
        pool.shutdown(wait=True, cancel_futures=True)
        for future, name in running.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                take(name, future.result())


def _start_worker() -> None:
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

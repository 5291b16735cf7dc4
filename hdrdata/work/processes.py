"""Do what may crash, such as decoding files of anybody, in other processes, so that the culprit can be named."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from hdrdata.work.progress import progress_bar
from hdrdata.work.worker import start_worker

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_in_processes(
    function: Callable[[Task], Result], tasks: list[Task], workers: int | None = 0, title: str | None = None
) -> Iterator[tuple[Task, Result | ChildProcessError]]:
    """Each task with function(task), in the order in which they end.

    Where a process dies, the tasks that were under way are done again, each in a process of its own; one that kills
    that too has a ChildProcessError as its result.

    Args:
        function: of an importable module.
        workers: processes; 0 for one a core; None for this process alone, which a crash would end.
        title: of the progress bar; None for no bar.
    """
    if workers is None:
        yield from ((task, function(task)) for task in tasks)
        return
    workers = max(1, min(workers or os.cpu_count() or 1, len(tasks)))
    waiting, suspects = list(reversed(tasks)), []
    bar = progress_bar()
    bar.disable = title is None or not bar.console.is_terminal
    with bar:
        line = bar.add_task(title or "", total=len(tasks))
        while waiting or suspects:
            group = waiting or [suspects.pop()]
            alone = group is not waiting
            running: dict[Future, Task] = {}
            try:
                for task, result in _map_in_pool(function, group, running, 1 if alone else workers):
                    bar.advance(line)
                    yield task, result
            except BrokenProcessPool:
                if alone:
                    bar.advance(line)
                    yield running.popitem()[1], ChildProcessError("the process that worked on it died")
                suspects.extend(running.values())


def _map_in_pool(
    function: Callable[[Task], Result], waiting: list[Task], running: dict[Future, Task], workers: int
) -> Iterator[tuple[Task, Result]]:
    """Do the tasks of `waiting`, from its end; `running` holds those under way, also when this raises."""
    context = get_context("forkserver")
    context.set_forkserver_preload([getattr(function, "func", function).__module__])  # also of a partial
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                task = waiting.pop()
                try:
                    running[pool.submit(function, task)] = task
                except BrokenProcessPool:
                    waiting.append(task)
                    raise
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()  # first, so that the task of a process that died stays in `running`
                yield running.pop(future), result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

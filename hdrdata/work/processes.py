"""Do what may crash, such as decoding files of anybody, in other processes, so that the culprit can be named."""

import sys
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from hdrdata.machine import available_cores, check_socket_paths
from hdrdata.work.progress import progress_bar
from hdrdata.work.worker import start_worker

Name = TypeVar("Name", bound=Hashable)
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
    bar = progress_bar()
    bar.disable = title is None or not bar.console.is_terminal
    with bar, closing(run_in_processes(function, dict(enumerate(tasks)), workers, max_deaths=1)) as results:
        line = bar.add_task(title or "", total=len(tasks))
        for number, result in results:
            bar.advance(line)
            yield tasks[number], result


def run_in_processes(
    function: Callable[[Task], Result],
    tasks: dict[Name, Task],
    workers: int,
    *,
    max_deaths: int,
    refusal: type[Exception] | tuple[type[Exception], ...] = (),
    keep: Callable[[Name, Result], None] | None = None,
) -> Generator[tuple[Name, Any], None, None]:
    """The name of each task with function(task), in the order in which they end, from a pool of processes.

    At most two tasks a process are under way. Where a process dies, those are done again, each in a process of its own.

    Args:
        function: of an importable module, or a partial of one.
        workers: processes; 0 for one a core.
        max_deaths: of processes alone with one task, after which a ChildProcessError is its result.
        refusal: errors of the function that are results; any other ends the run.
        keep: called with each task that had ended and was not yielded where a pool ends early: a process died, an error
            or Ctrl-C came, or who iterates stopped. What is queued then is dropped, and what runs ends first.
    """
    check_socket_paths()
    workers = max(1, min(workers or available_cores(), len(tasks)))
    waiting, suspects, deaths = list(reversed(tasks)), [], Counter()
    while waiting or suspects:
        alone = not waiting
        group = [suspects.pop()] if alone else waiting
        running: dict[Future, Name] = {}
        try:
            yield from _run_in_pool(function, tasks, group, running, 1 if alone else workers, refusal, keep)
        except BrokenProcessPool:
            suspects.extend(group if alone else ())  # where it was not begun
            for name in running.values():
                deaths[name] += alone
                if deaths[name] < max_deaths:
                    suspects.append(name)
                else:
                    yield name, ChildProcessError("the process that worked on it died")


def _run_in_pool(
    function: Callable[[Task], Result],
    tasks: dict[Name, Task],
    waiting: list[Name],
    running: dict[Future, Name],
    workers: int,
    refusal: type[Exception] | tuple[type[Exception], ...],
    keep: Callable[[Name, Result], None] | None,
) -> Iterator[tuple[Name, Result | Exception]]:
    """Do the tasks of `waiting`, from its end, until it is empty; `running` keeps those that a dead process lost."""
    context = get_context("forkserver")  # imports the function's module once, and not once a process
    context.set_forkserver_preload([getattr(function, "func", function).__module__])  # also of a partial
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                with _main_hidden(function):  # this starts processes; where the pool is broken, it raises
                    future = pool.submit(function, tasks[waiting[-1]])
                running[future] = waiting.pop()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                error = future.exception()
                if error is not None and not isinstance(error, refusal):
                    raise error
                yield running.pop(future), error or future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for future in [future for future in running if future.done() and not future.cancelled()]:
            if keep and future.exception() is None:
                keep(running.pop(future), future.result())


@contextmanager
def _main_hidden(function: Callable) -> Iterator[None]:
    """Processes that start in this block do not run the caller's script again, as multiprocessing would have them.

    So a script may call what starts processes without `if __name__ == "__main__"`. A function of the script itself
    needs it all the same.
    """
    main = sys.modules["__main__"]
    if getattr(function, "func", function).__module__ == "__main__":
        yield
        return
    before = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    main.__spec__ = None
    main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(main, name, value)

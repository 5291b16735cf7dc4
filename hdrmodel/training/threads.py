"""Each of PyTorch's threads on a core of its own while a step is computed.

The threads of oneDNN's backward passes wait for each other hundreds of times a step, and spin while they do. Beside
other programs Linux puts two of them on one core, where each spins until its slice of time ends.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import torch

USERS = ("OMP_PROC_BIND", "GOMP_CPU_AFFINITY")  # variables by which users bind threads, or forbid it


@lru_cache(maxsize=1)
def _openmp() -> ctypes.CDLL | None:
    """The GNU OpenMP library that PyTorch brings and has loaded; None where it uses another one."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*")):
        try:
            library = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
        except OSError:  # lies there, and is not the one in use
            continue
        if hasattr(library, "GOMP_parallel"):
            return library
    return None


def _in_each_thread(openmp: ctypes.CDLL, threads: int, call: Callable[[int], None]) -> None:
    """call(number) in each thread of the team that computes, all at once."""
    task = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: call(openmp.omp_get_thread_num()))
    openmp.GOMP_parallel(task, None, threads, 0)


@contextmanager
def a_core_a_thread() -> Iterator[None]:
    """Keep each thread that PyTorch computes with on one core in this block, where it has as many as there are cores.

    With fewer, several programs may have agreed to share the cores, and nothing is done; nor where the user has set
    how threads are bound (OMP_PROC_BIND, GOMP_CPU_AFFINITY), on a system without affinities, or without GNU OpenMP.
    Processes and threads that start in the block would share the caller's core, so nothing should. What is computed
    does not depend on it.
    """
    free = hasattr(os, "sched_getaffinity") and not any(name in os.environ for name in USERS)
    allowed = os.sched_getaffinity(0) if free else set()
    threads = torch.get_num_threads()
    openmp = _openmp() if len(allowed) == threads > 1 else None
    if openmp is None:
        yield
        return
    cores = sorted(allowed)
    here = ctypes.CDLL(None).sched_getcpu()
    first = cores.index(here) if here in allowed else 0  # the caller stays where it is
    _in_each_thread(openmp, threads, lambda number: _keep_to({cores[(first + number) % threads]}))
    try:
        yield
    finally:
        _in_each_thread(openmp, threads, lambda number: _keep_to(allowed))


def _keep_to(cores: set[int]) -> None:
    """Let the calling thread run on these cores alone, where the system lets it choose."""
    with suppress(OSError):
        os.sched_setaffinity(0, cores)

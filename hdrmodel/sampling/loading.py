"""Samples to this process: its share of each batch, loaded ahead."""

import atexit
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from typing import Any
from weakref import WeakSet

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from hdrdata.machine import check_socket_paths

_STARTED: WeakSet[BaseProcess] = WeakSet()  # processes that load samples


@atexit.register  # after multiprocessing's own function, so that it is called before, which waits for all processes
def _kill_loaders() -> None:
    """Kill processes that an exception keeps at the end of the program: they ignore SIGTERM."""
    for process in active_children():
        if process in _STARTED:
            process.kill()


@dataclass(frozen=True)
class Share(Sampler):
    """The positions that one process computes: of every step's batch its own parts, one list a part.

    A batch is cut into `accumulate` times `processes` parts; part p of all belongs to the process p % `processes`. So
    a run of several processes gets the same samples as one process that accumulates as many parts.
    """

    batch: int
    first_step: int
    steps: int
    accumulate: int = 1
    rank: int = 0
    processes: int = 1

    def __post_init__(self):
        if self.batch % (self.accumulate * self.processes):
            raise ValueError(
                f"a batch of {self.batch} does not divide into {self.accumulate} parts for each of "
                f"{self.processes} processes"
            )

    @property
    def size(self) -> int:
        """Samples in a part."""
        return self.batch // (self.accumulate * self.processes)

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first_step, self.steps):
            for part in range(self.rank, self.accumulate * self.processes, self.processes):
                first = step * self.batch + part * self.size
                yield list(range(first, first + self.size))

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.accumulate


class _Batches(Dataset):
    """Collated samples by a list of positions; what is wrong with the user's files comes out as a value."""

    def __init__(self, samples: Dataset):
        self.samples = samples

    def __getitem__(self, positions: list[int]) -> dict | Exception:
        try:
            return default_collate([self.samples[position] for position in positions])
        except (ValueError, OSError) as error:  # a loader process would wrap its own traceback into the message
            return error


def _begin_loading(worker: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # for which PyTorch has set a handler
    cv2.setNumThreads(0)  # the processes are the threads


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Processes that start in this block leave Ctrl-C and SIGTERM to the trainer, which ends its step and saves it."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _as_it_is(batch: Any) -> Any:
    return batch


def load_pairs(dataset: Dataset, share: Share, workers: int) -> Iterator[dict]:
    """Collated samples, one batch for each list of positions of `share`, in its order.

    Args:
        workers: processes that read ahead; 0: none.

    Raises:
        ValueError, OSError: naming the sample that cannot be read, or if a process dies.
    """
    if workers:
        check_socket_paths()
    loader = DataLoader(
        _Batches(dataset),
        batch_size=None,
        sampler=share,
        collate_fn=_as_it_is,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_begin_loading,
    )
    before = active_children()
    with _signals_ignored() if workers else nullcontext():
        batches = iter(loader)
    _STARTED.update(process for process in active_children() if process not in before)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            raise ValueError(
                f"a loader process died: {error}; expected fewer loader_workers, or more shared memory (/dev/shm)"
            ) from error
        if isinstance(batch, Exception):
            raise batch
        yield batch

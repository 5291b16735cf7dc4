"""The processes of one training run: alone, or several that torchrun started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

Value = TypeVar("Value")


@dataclass(frozen=True)
class World:
    """This process's place among those of a run."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Return whether this is the process that validates, logs and writes."""
        return self.rank == 0

    def any(self, here: bool) -> bool:
        """Return whether the answer is yes in any process; every process must ask."""
        if self.size == 1:
            return here
        answer = torch.tensor(float(here), device=self.device)
        dist.all_reduce(answer, op=dist.ReduceOp.MAX)
        return bool(answer)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over all processes of a tensor."""
        if self.size == 1:
            return values
        values = values / self.size
        dist.all_reduce(values)
        return values

    def broadcast(self, value: Value) -> Value:
        """Return the leading process's value in every process."""
        if self.size == 1:
            return value
        shared = [value]
        dist.broadcast_object_list(shared, src=0, device=self.device)
        return shared[0]

    def gather(self, value: object) -> list:
        """Return the value of each process, by rank."""
        if self.size == 1:
            return [value]
        gathered: list = [None] * self.size
        dist.all_gather_object(gathered, value)
        return gathered


@contextmanager
def join_world(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started, over NCCL on GPUs (one each) and Gloo on CPUs; alone without torchrun.

    A default process group that exists already is used, and stays.

    Args:
        device: "cuda" becomes this process's own GPU.

    Raises:
        ValueError: if there are more processes than GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, device)
        return
    if device.type == "cuda":
        place, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= count:
            raise ValueError(f"process {place} of this machine finds {count} GPUs; expected one for each process")
        device = torch.device("cuda", place)
        torch.cuda.set_device(device)
    if dist.is_initialized():
        yield World(dist.get_rank(), dist.get_world_size(), device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), size, device)
    except KeyboardInterrupt:  # all processes stop after the same step
        dist.destroy_process_group()
        raise
    dist.destroy_process_group()  # not after an error: the others may wait in the group, and end when this process does

"""Stacks in PyTorch: a map-style dataset, a sampler that resumes exactly, and the table look-up on any device.

The only file of this package that imports torch; nothing else here imports it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float16, Int16, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from hdrdata.stream.order import epoch_order
from hdrdata.stream.shard_reader import Shards
from hdrdata.stream.stack_reader import StackReader

NUMBERS = 1 << 16  # of half floats


class StackDataset(Dataset):
    """Stacks as dicts of tensors that the default collation takes.

    "key", "view", "scene" and "crf" (strings), "evs" (float32, exposures), and "stack" (uint8, exposures, 3, height,
    width); or, with `expanded=False`, "radiance" (half floats, 3, height, width) in place of the stack, which a device
    expands: 6 bytes a pixel are moved, not 27, and no time is spent in the loader. `row` (int64) is then the camera
    response's place in `look_up_tables`.

    A damaged sample raises `IntegrityError`, also where the reader's iteration would skip it.
    """

    def __init__(self, reader: StackReader, *, expanded: bool = True):
        self.reader, self.expanded = reader, expanded

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, number: int) -> dict:
        if self.expanded:
            sample = self.reader[number]
            about = {"key": sample.key, "view": sample.view, "scene": sample.scene, "crf": sample.crf}
            stack = torch.from_numpy(sample.stack).permute(0, 3, 1, 2)
            return {**about, "evs": torch.tensor(sample.evs), "stack": stack}
        sample, crf = self.reader.radiance(number)
        about = {"key": self.reader.key(number), "view": sample.key, "scene": sample.scene, "crf": crf}
        radiance = torch.from_numpy(np.ascontiguousarray(sample.radiance.transpose(2, 0, 1)))
        row = torch.tensor(sorted(self.reader.datasets[0].crfs).index(crf))
        return {**about, "evs": torch.tensor(self.reader.evs), "radiance": radiance, "row": row}


def look_up_tables(reader: StackReader) -> UInt8[Tensor, "crfs 65536 exposures"]:
    """The tables of a reader's recipe for `expand`: camera responses by name, and the exposures that it reads."""
    shards: Shards = reader.datasets[0]
    rows = [shards.evs.index(ev) for ev in reader.evs]
    return torch.from_numpy(np.stack([shards.tables[crf][rows].T for crf in sorted(shards.tables)]))


def look_up(
    bits: Int16[Tensor, "batch 3 height width"], tables: UInt8[Tensor, "rows halves ..."], row: Int64[Tensor, " batch"]
) -> UInt8[Tensor, "batch 3 height width ..."]:
    """tables[row, bits] for each picture: an integer gather, and so the same on every device.

    Args:
        bits: of half floats, each below `halves`.
        row: of the tables, one a picture.
    """
    halves = tables.shape[1]
    index = (bits.int() & (NUMBERS - 1)) + (row.int() * halves)[:, None, None, None]
    return tables.flatten(0, 1).index_select(0, index.flatten()).unflatten(0, bits.shape)


def expand(
    radiance: Float16[Tensor, "batch 3 height width"] | Int16[Tensor, "batch 3 height width"],
    tables: UInt8[Tensor, "crfs 65536 exposures"],
    row: Int64[Tensor, " batch"],
) -> UInt8[Tensor, "batch exposures 3 height width"]:
    """Stacks of views, bit for bit those of the pixels form, on the device of the tensors.

    The values of one pixel's exposures lie side by side in memory, as they are looked up; `.contiguous()` copies.

    Args:
        radiance: half floats, or their bits.
        tables: those of `look_up_tables`.
        row: of the tables, one a view: its camera response.
    """
    return look_up(radiance.view(torch.int16), tables, row).movedim(-1, 1)


class StackSampler(Sampler[list[int]]):
    """The batches of one rank: for `DataLoader(dataset, batch_sampler=...)`, and torchdata's StatefulDataLoader.

    Each iteration is an epoch in an order of its own, which seed and epoch decide alone, neither ranks nor workers.
    Step by step the ranks take the next `world * batch_size` samples of that order, `batch_size` each, so all have
    as many batches. The state {seed, epoch, position} counts the samples that all ranks took together; it is the same
    on each rank, and any other number of ranks can go on from it.
    """

    def __init__(
        self, length: int, batch_size: int, *, seed: int, rank: int = 0, world: int = 1, drop_last: bool = True
    ):
        """
        Args:
            length: of the dataset.
            batch_size: samples of one rank's batch.
            drop_last: leave out the samples at the end of an epoch that are too few for a batch on each rank; else fill
                them up from the beginning of the same order.

        Raises:
            ValueError: if there is no such rank, or not even one batch.
        """
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}; wanted 0 to {world - 1}")
        if batch_size < 1 or length < 1 or (drop_last and length < batch_size * world):
            raise ValueError(f"{length} samples make no batch of {batch_size} for each of {world} ranks")
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.rank, self.world, self.drop_last = rank, world, drop_last
        self.epoch = self.position = 0
        self._start = 0  # the position where this epoch's iteration began
        self._begun = False  # whether the next iteration is the next epoch's

    def __len__(self) -> int:
        """Batches of a whole epoch, on each rank."""
        whole, rest = divmod(self.length, self.batch_size * self.world)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[list[int]]:
        if self._begun:
            self.epoch, self.position = self.epoch + 1, 0
        self._begun, self._start = True, self.position
        epoch, position, step = self.epoch, self.position, self.batch_size * self.world
        order = epoch_order(self.seed, epoch, self.length)
        while position + (step if self.drop_last else 1) <= self.length:
            first = position + self.rank * self.batch_size
            position += step
            self.position = min(position, self.length)
            yield [int(order[place % self.length]) for place in range(first, first + self.batch_size)]

    def state_dict(self, batches: int | None = None) -> dict[str, int]:
        """Where the epoch is: what an uninterrupted run would go on with.

        Args:
            batches: that the loop has taken in this iteration. A plain DataLoader with workers must be told, for its
                workers are ahead of the loop; without workers, and in a StatefulDataLoader, it is left out.
        """
        taken = None if batches is None else self._start + batches * self.batch_size * self.world
        position = self.position if taken is None else min(taken, self.length)
        return {"seed": self.seed, "epoch": self.epoch, "position": position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iteration go on from a state, of this or another number of ranks.

        Raises:
            ValueError: if it is no such state.
        """
        try:
            seed, epoch, position = (int(state[name]) for name in ("seed", "epoch", "position"))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{state}: not a sampler's state; wanted seed, epoch and position") from error
        if epoch < 0 or not 0 <= position <= self.length:
            raise ValueError(f"{state}: epoch or position is beyond a dataset of {self.length} samples")
        self.seed, self.epoch, self.position, self._begun = seed, epoch, position, False

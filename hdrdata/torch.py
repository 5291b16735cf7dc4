"""Stacks in PyTorch: a loader that resumes exactly, its dataset and sampler, and the table look-up on any device.

The only file of this package that imports torch; nothing else here imports it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from traceback import walk_stack
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float16, Int16, Int64, UInt8
from torch import Tensor, distributed
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from hdrdata.machine import check_socket_paths
from hdrdata.stream.epochs import Epochs
from hdrdata.stream.order import TRANSFORM, Draws, epoch_order, generator, shared_counts
from hdrdata.stream.remote import Retry
from hdrdata.stream.shard_reader import Shards
from hdrdata.stream.stack_reader import StackReader, combined_digest, open_stacks

NUMBERS = 1 << 16  # of half floats


class StackDataset(Dataset):
    """Stacks as dicts of tensors that the default collation takes.

    "key", "view", "scene" and "crf" (strings), "evs" (float32, exposures), and "stack" (uint8, exposures, 3, height,
    width). With `expanded=False`, "radiance" (half floats, 3, height, width) replaces the stack, and a device expands
    it with `expand`: 6 bytes a pixel are moved instead of 27, and the loader spends no time on it. `row` (int64) is
    then the camera response's place in `look_up_tables`.

    A damaged sample raises `IntegrityError`, also where the reader's iteration would skip it.
    """

    def __init__(self, reader: StackReader, *, expanded: bool = True):
        self.reader, self.expanded = reader, expanded

    def __len__(self) -> int:
        return len(self.reader)

    @property
    def digest(self) -> str:
        """Identity of the data; see `StackReader.digest`."""
        return self.reader.digest

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
    """Return the tables of a reader's recipe for `expand`: camera responses by name, and the exposures it reads."""
    shards: Shards = reader.datasets[0]
    rows = [shards.evs.index(ev) for ev in reader.evs]
    return torch.from_numpy(np.stack([shards.tables[crf][rows].T for crf in sorted(shards.tables)]))


def look_up(
    bits: Int16[Tensor, "batch 3 height width"], tables: UInt8[Tensor, "rows halves ..."], row: Int64[Tensor, " batch"]
) -> UInt8[Tensor, "batch 3 height width ..."]:
    """Return tables[row, bits] for each picture: an integer gather, and so the same on every device.

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
    """Expand views to stacks, bit for bit those of the pixels form, on the device of the tensors.

    The values of one pixel's exposures are adjacent in memory; `.contiguous()` copies.

    Args:
        radiance: half floats, or their bits.
        tables: those of `look_up_tables`.
        row: of the tables, one a view: its camera response.
    """
    return look_up(radiance.view(torch.int16), tables, row).movedim(-1, 1)


class StackSampler(BatchSampler):
    """Batches of one rank: for `DataLoader(dataset, batch_sampler=...)` and torchdata's StatefulDataLoader.

    `StackLoader` is simpler and also exact where a framework takes a loader apart. Each iteration is an epoch in an
    order that depends on seed and epoch only. In each step the ranks take the next `world * batch_size` samples of
    that order, `batch_size` each, so all have the same number of batches. The state {seed, epoch, position, length,
    digest} counts the samples that all ranks took together. It is the same on each rank, and any other number of ranks
    can resume from it.

    Under `Accelerator.prepare`, which deals batches out to ranks itself, it gives the batches of all ranks in order;
    accelerate's options `dispatch_batches` and `split_batches` are refused.
    """

    def __init__(
        self,
        data: int | StackDataset | StackReader,
        batch_size: int,
        *,
        seed: int,
        rank: int | None = None,
        world: int | None = None,
        drop_last: bool = True,
        sampler: Any = None,
    ):
        """
        Args:
            data: the dataset or its reader, whose digest the state then contains; or only its length.
            batch_size: samples of one rank's batch.
            rank, world: this process among all; taken from torch.distributed or torchrun if left out.
            drop_last: leave out the samples at the end of an epoch that are too few for a batch on each rank; else
                complete them from the beginning of the same order.
            sampler: not used. Lightning sets it when it makes this sampler again.

        Raises:
            ValueError: if there is no such rank, or not even one batch.
        """
        if isinstance(data, Sampler):
            raise ValueError(
                "Lightning cannot make this StackSampler again with its seed; expected hdrdata.StackLoader, or "
                "Trainer(use_distributed_sampler=False), or a sampler made inside train_dataloader()"
            )
        length, digest = (data, "") if isinstance(data, int) else (len(data), data.digest)
        self.batch_size, self.drop_last, self.sampler = batch_size, drop_last, sampler
        self.epochs = Epochs(length, batch_size, drop_last, seed, digest)
        self._given = rank, world
        self.epochs.check(_rank_and_world(rank, world)[1])

    def __len__(self) -> int:
        """Batches of a whole epoch, on each rank."""
        return self.epochs.count(self._dealt_among()[1])

    def __iter__(self) -> Iterator[list[int]]:
        return self._batches(*self._dealt_among())

    def _dealt_among(self) -> tuple[int, int]:
        """Rank and world; (0, 1) for accelerate's BatchSamplerShard, which keeps each world-th batch it is given."""
        frames = [frame for frame, _ in walk_stack(None) if frame.f_globals.get("__name__") == "accelerate.data_loader"]
        callers = {frame.f_code.co_qualname for frame in frames}
        if callers & {"DataLoaderDispatcher.__iter__", "BatchSamplerShard._iter_with_split"}:
            raise ValueError(
                "accelerate's dispatch_batches or split_batches would split the batches of one rank; expected "
                "hdrdata.StackLoader, or both False"
            )
        by_accelerate = any(caller.startswith("BatchSamplerShard.") for caller in callers)
        return (0, 1) if by_accelerate else _rank_and_world(*self._given)

    def _batches(self, rank: int, world: int) -> Iterator[list[int]]:
        epochs = self.epochs
        epoch, starts = epochs.begin(world)
        order = epoch_order(epochs.seed, epoch, epochs.length)
        for start in starts:
            epochs.take(epoch, start, world)
            yield [int(order[place]) for place in epochs.places(start, rank)]

    def state_dict(self, batches: int | None = None) -> dict[str, int | str]:
        """Return where the epoch is: what an uninterrupted run would continue with.

        Args:
            batches: taken by the loop in this iteration. Required with a plain DataLoader that has workers, and under
                accelerate, because both read ahead of the loop. Leave it out without workers and in a
                StatefulDataLoader.
        """
        return self.epochs.state_dict(_rank_and_world(*self._given)[1], batches)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration continue from a state, of this or another number of ranks.

        Raises:
            ValueError: if it is no such state, or one of other data.
        """
        self.epochs.load_state_dict(state)


class StackLoader(AbstractContextManager["StackLoader"]):
    """Batches of stacks for any training loop: each stack once per epoch over all ranks, and resumable at any batch.

    A plain iterable, so that accelerate and Lightning leave it as it is: it splits each epoch over ranks and worker
    processes itself. Each iteration is the next epoch, also if the last one was left early. A sample depends only on
    seed, epoch and place, never on ranks or workers. `state_dict` counts the batches that the loop has received, so
    that no batch is lost that a worker has prepared.
    """

    def __init__(
        self,
        data: str | Path | Sequence[str | Path] | Mapping[str | Path, int | float] | StackReader,
        batch_size: int,
        *,
        part: str | None = None,
        form: Literal["auto", "pixels", "radiance"] = "auto",
        exposures: str | Sequence[int | float] | None = None,
        expanded: bool = True,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = True,
        length: int | None = None,
        transform: Callable[[dict, np.random.Generator], Any] | None = None,
        workers: int = 0,
        rank: int | None = None,
        world: int | None = None,
        cache: str | Path | None = None,
        cache_limit: int | float | None = None,
        retry: Retry | None = None,
        **options: Any,
    ):
        """
        Args:
            data: what `open_stacks` takes, or an open reader; or {folder: weight, ...} for a mixture, in which each
                folder has its share of the draws, and all its stacks are drawn once before any is drawn again.
            batch_size: samples of one rank's batch.
            part, form, exposures, cache, cache_limit, retry: see `open_stacks`.
            expanded: see `StackDataset`.
            seed: of the order, the mixture and the generators of `transform`.
            shuffle: False: in stored order, in which the stacks of one view follow each other.
            drop_last: see `StackSampler`.
            length: draws in an epoch; as many as there are stacks if left out.
            transform: called with each sample and a generator that depends on seed, epoch and place; what it returns
                is collated.
            workers: processes that read ahead.
            rank, world: this process among all; taken from torch.distributed or torchrun if left out.
            options: passed to PyTorch's DataLoader, as pin_memory, prefetch_factor, collate_fn.

        Raises:
            ValueError: if data, weights, rank or sizes are wrong, or TMPDIR is too long for the sockets of workers.
        """
        weights: Mapping[str | Path, int | float] | None = data if isinstance(data, Mapping) else None
        how: Any = dict(part=part, form=form, exposures=exposures, cache=cache, cache_limit=cache_limit, retry=retry)
        sources: list[Any] = [data] if weights is None else list(weights)
        if not sources:
            raise ValueError("no folders; expected {folder: weight, ...}")
        self.readers = tuple(one if isinstance(one, StackReader) else open_stacks(one, **how) for one in sources)
        _check_mixture(self.readers, expanded)
        lengths = tuple(map(len, self.readers))
        length = sum(lengths) if length is None else length
        counts = (length,) if weights is None else shared_counts(list(weights.values()), length)
        digest = self.readers[0].digest
        if weights is not None or counts != lengths:
            digest = combined_digest([reader.digest for reader in self.readers], counts)
        self.epochs = Epochs(length, batch_size, drop_last, seed, digest)
        self._given = rank, world
        self._datasets = tuple(StackDataset(reader, expanded=expanded) for reader in self.readers)
        self._draws, self._transform = Draws(lengths, counts, seed, shuffle), transform
        self._options = {"num_workers": workers, "persistent_workers": workers > 0, **options}
        self.epochs.check(_rank_and_world(rank, world)[1])
        self._open_loader()

    def _open_loader(self) -> None:
        if self._options["num_workers"]:
            check_socket_paths()
        self._positions = _Positions()
        drawn = _Drawn(self._datasets, self._draws, self._transform)
        self._loader = DataLoader(drawn, batch_sampler=self._positions, **self._options)

    def __len__(self) -> int:
        """Batches of a whole epoch, on each rank."""
        return self.epochs.count(_rank_and_world(*self._given)[1])

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the batches of the next epoch, or of the rest of one after `load_state_dict`."""
        epochs, (rank, world) = self.epochs, _rank_and_world(*self._given)
        epoch, starts = epochs.begin(world)
        self._positions.batches = (
            [epoch * epochs.length + place for place in epochs.places(start, rank)] for start in starts
        )
        for start, batch in zip(starts, self._loader, strict=True):
            epochs.take(epoch, start, world)
            yield batch

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be this epoch; a resumed epoch still continues at its position."""
        self.epochs.set_epoch(epoch)

    def state_dict(self) -> dict[str, int | str]:
        """Return what an uninterrupted run would continue with; the same on each rank."""
        return self.epochs.state_dict(1)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration continue from a state, of this or another number of ranks and workers.

        Raises:
            ValueError: if it is no such state, or one of other data.
        """
        self.epochs.load_state_dict(state)
        if self.epochs.seed != self._draws.seed:
            self._draws = Draws(self._draws.lengths, self._draws.counts, self.epochs.seed, self._draws.shuffle)
            self._open_loader()

    def close(self) -> None:
        """Close files, connections and workers; the next iteration opens them again."""
        self._open_loader()
        for reader in self.readers:
            reader.close()

    def __exit__(self, *error: object) -> None:
        self.close()


class _Positions(Sampler[list[int]]):
    """Batches of positions, which `StackLoader` sets before each epoch."""

    batches: Iterable[list[int]] = ()

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)


class _Drawn(Dataset):
    """Samples by position: epoch * length + place."""

    def __init__(self, datasets: Sequence[StackDataset], draws: Draws, transform: Callable | None):
        self.datasets, self.draws, self.transform = datasets, draws, transform

    def __getitem__(self, position: int) -> Any:
        source, number = self.draws.at(*divmod(position, self.draws.length))
        sample = self.datasets[source][number]
        if self.transform is None:
            return sample
        return self.transform(sample, generator(self.draws.seed, TRANSFORM, position))


def _rank_and_world(rank: int | None, world: int | None) -> tuple[int, int]:
    """Return a process's place among all: as given, or of torch.distributed, or as torchrun sets it.

    Raises:
        ValueError: if only one is given, or there is no such rank.
    """
    if (rank is None) != (world is None):
        raise ValueError(f"rank {rank} of world {world}; expected both or neither")
    if rank is None:
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if "RANK" not in os.environ:
            return 0, 1
    assert rank is not None and world is not None
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}; expected 0 to {world - 1}")
    return rank, world


def _check_mixture(readers: Sequence[StackReader], expanded: bool) -> None:
    """Refuse sources whose samples do not belong into one batch."""
    for reader in readers[1:]:
        if reader.evs != readers[0].evs:
            evs = [", ".join(f"{ev:+g}" for ev in one.evs) for one in (readers[0], reader)]
            raise ValueError(f"exposures of {evs[0]} and of {evs[1]} EV; expected the same, chosen by exposures=")
        if not expanded and reader.recipe_digest != readers[0].recipe_digest:
            raise ValueError("made by different recipes; expected one, or expanded=True")

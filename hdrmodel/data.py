"""Training pairs, each a pure function of its position: any number of loader workers gives the same sequence."""

import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int16, Int64, UInt8
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hdrdata.files import half_bits
from hdrdata.stream import Shards

NPY_HEADER = 128  # bytes
ORDER, AUGMENTATION = 0, 1  # the two streams of random numbers


@dataclass(frozen=True)
class PairBatch:
    """Two exposures of the same crops under one camera response each."""

    shorter: Float[Tensor, "batch 3 height width"]  # LDR [0, 1]
    longer: Float[Tensor, "batch 3 height width"]
    ratio: Float[Tensor, " batch"]  # t_longer / t_shorter, >= 1
    keys: list[str]  # "<view>_<crf>:<shorter>-<longer>", for messages


def generator(seed: int, stream: int, number: int) -> np.random.Generator:
    """Random numbers for one draw: counter-based (Philox), so that a draw depends on no other."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, stream, number]))


def pairs_of(exposures: int) -> list[tuple[int, int]]:
    """All unordered pairs of a stack's exposures, the identities too: 45 of nine. (HDR-AttNet, section 4.1.)"""
    return [(shorter, longer) for shorter in range(exposures) for longer in range(shorter, exposures)]


class PairDataset(Dataset):
    """Pairs of exposures cut from views, by position: epoch = position // items, each epoch in a fresh order.

    An item is a view, a camera response and a pair, each as often as the others. A sample holds the crop's half floats
    as bits and the rows of the look-up tables, so that a loader moves 6 bytes a pixel and no picture is decoded;
    `LookUp` makes the two LDR pictures of it, on any device.

    Args:
        shards: radiance form.
        crop: pixels, height and width.
        seed: of the order, the crops and the augmentation.
        augment: flip and turn by quarter turns, each with probability 0.5 and 0.75; the same for both pictures.

    Raises:
        ValueError: if a view is smaller than the crop.
    """

    def __init__(self, shards: Shards, crop: int, seed: int, augment: bool):
        self.shards, self.crop, self.seed, self.augment = shards, crop, seed, augment
        self.crfs = sorted(shards.crfs)
        self.pairs = pairs_of(len(shards.exposures))
        for _, sample in shards.samples:
            size = math.isqrt((sample.members["radiance.npy"].size - NPY_HEADER) // 6)  # three half floats a pixel
            if size < crop:
                raise ValueError(
                    f"view {sample.key} has {size}x{size} pixels; wanted at least the crop of {crop} "
                    "(train.crop, or a larger ingest.view_size)"
                )

    @property
    def items(self) -> int:
        """Items an epoch."""
        return len(self.shards) * len(self.crfs) * len(self.pairs)

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, position: int) -> dict:
        epoch, place = divmod(position, self.items)
        rest, pair = divmod(int(_order(self.seed, epoch, self.items)[place]), len(self.pairs))
        number, crf = divmod(rest, len(self.crfs))
        sample = self.shards.radiance(number)
        bits = self._cut(half_bits(sample.radiance), generator(self.seed, AUGMENTATION, position))
        shorter, longer = self.pairs[pair]
        exposures = self.shards.exposures
        first = crf * len(exposures)
        letters = self.shards.index["recipe"]["letters"]
        return {
            "bits": torch.from_numpy(np.ascontiguousarray(bits.transpose(2, 0, 1)).view(np.int16)),
            "rows": torch.tensor([first + shorter, first + longer]),
            "ratio": exposures[longer] / exposures[shorter],
            "key": f"{sample.key}_{self.crfs[crf]}:{letters[shorter]}-{letters[longer]}",
        }

    def _cut(self, bits: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        height, width = bits.shape[:2]
        top, left = draw.integers(height - self.crop + 1), draw.integers(width - self.crop + 1)
        bits = bits[top : top + self.crop, left : left + self.crop]
        if self.augment:
            flip, turns = draw.integers(2), draw.integers(4)
            bits = np.rot90(bits[:, ::-1] if flip else bits, turns)
        return bits


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, items: int) -> np.ndarray:
    return generator(seed, ORDER, epoch).permutation(items)


class LookUp(nn.Module):
    """Make LDR pictures from half floats by table look-up: bit for bit those of the pixels form, on any device.

    Args:
        tables: by camera response, in sorted order, one row an exposure.
    """

    def __init__(self, tables: dict[str, UInt8[np.ndarray, "exposures 65536"]]):
        super().__init__()
        stacked = np.concatenate([tables[crf] for crf in sorted(tables)])[:, :0x7C00]  # finite, not negative
        self.register_buffer("tables", torch.from_numpy(stacked.copy()), persistent=False)

    def forward(
        self, bits: Int16[Tensor, "batch 3 height width"], rows: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Expose each sample with one row of the tables.

        Returns:
            LDR values, uint8 / 255 in [0, 1].
        """
        size = self.tables.shape[1]
        levels = self.tables.flatten()[bits.long() + (rows * size)[:, None, None, None]]
        return levels.float() / 255

    def pairs(self, sample: dict) -> PairBatch:
        """The two pictures of each sample of a collated batch."""
        device = self.tables.device
        bits = sample["bits"].to(device, non_blocking=True)
        rows = sample["rows"].to(device, non_blocking=True)
        return PairBatch(
            shorter=self(bits, rows[:, 0]),
            longer=self(bits, rows[:, 1]),
            ratio=sample["ratio"].float().to(device, non_blocking=True),
            keys=sample["key"],
        )


def _leave_interrupts(worker: int) -> None:
    """Leave Ctrl-C to the trainer, which finishes its step and saves it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def load_pairs(dataset: PairDataset, batch: int, first_step: int, steps: int, workers: int) -> Iterator[dict]:
    """Collated batches of the steps `first_step` to `steps` - 1."""
    loader = DataLoader(
        dataset,
        batch_size=batch,
        sampler=range(first_step * batch, steps * batch),
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=False,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_leave_interrupts,
    )
    return iter(loader)

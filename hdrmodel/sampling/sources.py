"""Training data of each variant: samples of shards, and the batches made of them on the device."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.utils.data import Dataset

from hdrdata.stream.shard_reader import Shards
from hdrmodel.sampling.batches import LookUp, PairBatch, PhotoBatch
from hdrmodel.sampling.cuts import Rotation
from hdrmodel.sampling.datasets import CutDataset, PairDataset, PhotoDataset
from hdrmodel.sampling.simulated import (
    Augmentation,
    LightBatch,
    LightDataset,
    light_batch,
    light_pairs,
    light_photos,
)

Batch = PairBatch | PhotoBatch | LightBatch
MakeBatch = Callable[[dict], Batch]


@dataclass(frozen=True)
class Source:
    """The samples of one value of `Variant.learns_from`."""

    light: Callable[..., Batch]  # batches of simulated photographs (`LightDataset`)
    stacks: type[CutDataset] | None = None  # samples of the shards' own stacks; None: there are none
    batch_of_stacks: Callable[[LookUp, dict], Batch] | None = None


SOURCES = {
    "pairs": Source(light_pairs, PairDataset, LookUp.pairs),
    "photographs": Source(light_photos, PhotoDataset, LookUp.photos),
    "light": Source(light_batch),
}


def sample_light(
    learns_from: str, shards: Shards, seed: int, crop: int, augmentation: Augmentation, device: torch.device
) -> tuple[Dataset, MakeBatch]:
    """Return samples of simulated photographs, and the function that makes a batch of collated samples."""
    samples = LightDataset(shards, crop, augmentation, seed, pairs=learns_from == "pairs")
    return samples, partial(SOURCES[learns_from].light, device=device)


def sample_stacks(
    learns_from: str, shards: Shards, seed: int, crop: int, flips: bool, rotation: Rotation, device: torch.device
) -> tuple[Dataset, MakeBatch]:
    """Return samples of the shards' own stacks, and the function that makes a batch of collated samples.

    Raises:
        ValueError: if such samples cannot be made of stacks.
    """
    source = SOURCES[learns_from]
    if source.stacks is None or source.batch_of_stacks is None:
        raise ValueError("train.light: null; expected the settings of simulated photographs (see the profile release)")
    samples = source.stacks(shards, crop, seed, flips, rotation)
    return samples, partial(source.batch_of_stacks, LookUp(shards.tables).to(device))

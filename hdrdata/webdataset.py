"""Stacks by webdataset: decoders for `WebDataset(...).decode`, and a pipeline that shuffles, splits and resamples.

webdataset reads whole tars in order and does not check them. `hdrdata.StackLoader` reads any sample, checks every byte
and resumes exactly.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import webdataset as _webdataset
from webdataset.utils import pytorch_worker_info

from hdrdata.files.ldr import decode_jpeg, decode_png
from hdrdata.samples.radiance_codec import EXTENSION, decode_radiance
from hdrdata.stream.shard_reader import RadianceSample, Shards
from hdrdata.stream.stack_reader import open_stacks

BUFFER = 500  # stacks
webdataset: Any = _webdataset  # it has no types


def radiance(key: str, content: bytes) -> np.ndarray | None:
    """Decode `radiance.zst` to half floats, height x width x 3; for `WebDataset(...).decode(radiance)`."""
    return decode_radiance(content) if key.endswith(f".{EXTENSION}") else None


def pictures(key: str, content: bytes) -> np.ndarray | None:
    """Decode a PNG or JPEG to uint8, height x width x 3; for `WebDataset(...).decode(pictures)`."""
    if key.endswith(".png"):
        return decode_png(content)
    return decode_jpeg(content) if key.endswith(".jpg") else None


def stacks(
    urls: str | Path | Sequence[str | Path],
    part: str | None = None,
    exposures: str | Sequence[int | float] | None = None,
    *,
    form: Literal["auto", "pixels", "radiance"] = "auto",
    buffer: int = BUFFER,
    seed: int = 0,
    resampled: bool = False,
) -> Iterable[dict]:
    """Return a `webdataset.DataPipeline` of stacks in random order, each by one node and worker.

    A sample is a dict as `StackDataset` gives, of NumPy arrays. A radiance shard gives each view once by each camera
    response; views are expanded after the shuffle, so that the buffer holds compressed bytes.

    Args:
        urls, part, exposures, form: see `open_stacks`; the index must be there.
        buffer: stacks that are shuffled together. It should hold several scenes, as a stack's neighbours in a shard
            are of the same view. 0: stored order.
        seed: of the order of shards and samples; the order differs from epoch to epoch.
        resampled: draw shards at random without end, as webdataset recommends for many nodes; end an epoch by
            `.with_epoch(samples)`.

    Raises:
        ValueError: see `open_stacks`; on iteration, if there are fewer shards than nodes.
    """
    reader = open_stacks(urls, part=part, exposures=exposures, form=form)
    homes = {}
    for shards in reader.datasets:
        names = dict.fromkeys(shard for shard, _ in shards.samples)
        homes |= {shards.source.where(name): shards for name in names}
    letters = reader.letters or reader.datasets[0].index["recipe"]["letters"]
    if resampled:
        source = [webdataset.ResampledShards(list(homes), seed=seed, deterministic=True)]
    else:
        shuffled = [webdataset.detshuffle(len(homes), len(homes), seed)] if buffer else []
        source = [webdataset.SimpleShardList(list(homes)), *shuffled, _split_by_node, webdataset.split_by_worker]
    wanted = partial(_is_wanted, letters)
    mixed = [webdataset.detshuffle(buffer, buffer, seed)] if buffer else []
    return webdataset.DataPipeline(
        *source,
        webdataset.tarfile_to_samples(select_files=wanted),
        partial(_by_camera, homes),
        *mixed,
        webdataset.map(partial(_decode, homes, letters)),
    )


def _split_by_node(shards: Iterable[Any]) -> Iterator[Any]:
    rank, world, _, _ = pytorch_worker_info()
    every = list(shards)
    if len(every) < world:
        raise ValueError(f"{len(every)} shards for {world} nodes; expected one each, resampled=True, or StackLoader")
    yield from every[rank::world]


def _is_wanted(letters: str, name: str) -> bool:
    member = name.rpartition("/")[2].partition(".")[2]
    return member in ("json", EXTENSION) or member.partition(".")[0] in letters


def _by_camera(homes: dict[str, Shards], samples: Iterable[dict]) -> Iterator[dict]:
    """Give a view in radiance form once by each camera response; its bytes are shared."""
    for sample in samples:
        if EXTENSION not in sample:
            yield sample
            continue
        for crf in sorted(homes[sample["__url__"]].crfs):
            yield {**sample, "crf": crf}


def _decode(homes: dict[str, Shards], letters: str, sample: dict) -> dict:
    shards, about = homes[sample["__url__"]], json.loads(sample["json"])
    if EXTENSION in sample:
        view = RadianceSample(sample["__key__"], about["scene"], decode_radiance(sample[EXTENSION]))
        stack = shards.expand(view, sample["crf"], letters)
        key, crf, ldr = stack.key, stack.crf, stack.stack
    else:
        names = {name.partition(".")[0]: name for name in sample if name.endswith((".png", ".jpg"))}
        decoded: list[Any] = [pictures(f".{names[letter]}", sample[names[letter]]) for letter in letters]
        ldr = np.stack(decoded)
        key, crf = sample["__key__"], about["crf"]
    every = shards.index["recipe"]["letters"]
    evs = np.array([shards.evs[every.index(letter)] for letter in letters], np.float32)
    facts = {"key": key, "view": about["view"], "scene": about["scene"], "crf": crf, "evs": evs}
    return {**facts, "stack": ldr.transpose(0, 3, 1, 2)}

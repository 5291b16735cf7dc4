"""The test pictures, and what networks and other programs make of them."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from hdrdata.cameras.crf import CameraResponse, srgb_crf
from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.cameras.measured import mean_crf, others_than
from hdrdata.files.hdr.stated import Override
from hdrdata.files.ldr import write_png
from hdrdata.files.radiance import read_light
from hdrdata.files.suffixes import HDR_SUFFIXES
from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.batches import to_batch
from hdrmodel.networks.variants import Network
from hdrmodel.reconstruction.reconstruct import Reconstruction, reconstruct_by_responses

SRGB = srgb_crf()


@dataclass(frozen=True)
class Case:
    """One test picture: the stack of a view under one camera response, and the view itself."""

    key: str
    view: str
    scene: str
    crf: CameraResponse
    evs: tuple[float, ...]
    stack: UInt8[np.ndarray, "exposures height width 3"]
    radiance: Float32[np.ndarray, "height width 3"]

    @property
    def middle(self) -> int:
        """The number of the input: the picture at EV 0."""
        return self.evs.index(0.0)

    @property
    def input(self) -> UInt8[np.ndarray, "height width 3"]:
        return self.stack[self.middle]

    @property
    def clipped(self) -> Bool[np.ndarray, "height width 3"]:
        """Return where the input is saturated."""
        return self.input >= self.crf.white

    @property
    def unclipped(self) -> Bool[np.ndarray, "height width 3"]:
        """Return where the input determines the light: neither black nor saturated."""
        return (self.input > 0) & ~self.clipped

    @property
    def clipped_share(self) -> float:
        """Share of the input's values that do not determine the light."""
        return 1 - float(self.unclipped.mean())


@dataclass(frozen=True)
class Estimate:
    """Result of a method for one input; None for what it does not make."""

    stack: Float32[np.ndarray, "exposures height width 3"] | None  # LDR [0, 1]
    radiance: Float32[np.ndarray, "height width 3"] | None  # linear; 1 is what saturates the input
    fused: Float32[np.ndarray, "height width 3"] | None = None  # display-referred [0, 1], without a radiance map


def read_cases(shards: Shards, crfs_a_view: int | None = None, views_a_scene: int | None = None) -> Iterator[Case]:
    """Return the stacks of shards in radiance form, by view and camera response.

    Args:
        crfs_a_view: how many camera responses each view comes under, taken in turn; None: all.
        views_a_scene: how many views of each scene, spread evenly; None: all.
    """
    responses = {name: shards.crf(name) for name in shards.crfs}
    sample = None
    for number, crf in _chosen(shards, crfs_a_view, views_a_scene):
        if sample is None or sample.key != shards.keys[number]:
            sample = shards.radiance(number)
        stack = expose_view(half_bits(sample.radiance), shards.tables[crf])
        light = sample.radiance.astype(np.float32)
        yield Case(f"{sample.key}_{crf}", sample.key, sample.scene, responses[crf], shards.evs, stack, light)


def case_keys(shards: Shards, crfs_a_view: int | None = None, views_a_scene: int | None = None) -> list[str]:
    """Return the keys of `read_cases`, without reading a picture."""
    return [f"{shards.keys[number]}_{crf}" for number, crf in _chosen(shards, crfs_a_view, views_a_scene)]


def _chosen(shards: Shards, crfs_a_view: int | None, views_a_scene: int | None) -> list[tuple[int, str]]:
    """Return the number of the view and the camera response of each case."""
    crfs = sorted(shards.crfs)
    count = min(crfs_a_view or len(crfs), len(crfs))
    views = list(range(len(shards)))
    if views_a_scene is not None:
        scenes: dict[str, list[int]] = {}
        for number in views:
            scenes.setdefault(shards.about(number)["scene"], []).append(number)
        views = sorted(number for numbers in scenes.values() for number in spread(numbers, views_a_scene))
    return [(number, crfs[(number * count + place) % len(crfs)]) for number in views for place in range(count)]


def spread(numbers: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the numbers, spread evenly from the first on."""
    count = min(count, len(numbers))
    return [numbers[place * len(numbers) // count] for place in range(count)]


def write_inputs(shards: Shards, folder: Path, crfs_a_view: int | None, views_a_scene: int | None = None) -> int:
    """Write the input of each case as `<key>.png`, for programs that are to be compared; return how many."""
    for case in read_cases(shards, crfs_a_view, views_a_scene):
        write_png(folder / f"{case.key}.png", case.input)
    return len(case_keys(shards, crfs_a_view, views_a_scene))


def estimate_by_network(case: Case, network: Network, device: torch.device) -> Reconstruction:
    """Result of a network for one input: a stack and a radiance map."""
    (made,) = reconstruct_by_responses(network, to_batch(case.input[None]).to(device), case.evs, [case.crf])
    return made


def estimate_by_responses(case: Case, network: Network, device: torch.device) -> dict[str, Reconstruction]:
    """Return the network's reconstructions by the response that each assumes (`Method.response`)."""
    levels = case.crf.levels
    crfs = {
        "known": case.crf,
        "srgb": replace(SRGB, levels=levels),
        "camera": replace(mean_crf("camera", others_than(case.crf)), levels=levels),
        "auto": levels,
    }
    made = reconstruct_by_responses(network, to_batch(case.input[None]).to(device), case.evs, list(crfs.values()))
    return dict(zip(crfs, made, strict=True))


def estimate_by_merging(made: Reconstruction) -> dict[str, Estimate]:
    """Classical merges of a generated stack; none of a network that generates none.

    "network_debevec" merges it by Debevec and Malik alone, so that not even well exposed pixels keep the input's value;
    "network_mertens" is the exposure fusion of Mertens, Kautz and Van Reeth (Pacific Graphics 2007, by OpenCV), which
    gives a picture for display and no light.
    """
    if made.merged is None:
        return {}
    return {
        "network_debevec": Estimate(None, made.merged),
        "network_mertens": Estimate(None, None, fuse(made.stack)),
    }


def fuse(stack: Float32[np.ndarray, "exposures height width 3"]) -> Float32[np.ndarray, "height width 3"]:
    """Mertens' exposure fusion of LDR pictures [0, 1] by OpenCV, clipped to [0, 1].

    OpenCV adds up the pictures in the order in which its threads end: with more than one, last digits differ.
    """
    fused = cv2.createMergeMertens().process([picture * 255 for picture in stack])
    return np.nan_to_num(fused).clip(0, 1).astype(np.float32)


class PredictionFiles:
    """HDR files of another program in a folder, one a case, named by its key: `<key>.exr`, .hdr, .pfm or .tif.

    Args:
        layer: of .exr files, the name of the layer that is the picture.
    """

    def __init__(self, folder: Path, layer: str | None = None):
        self.paths: dict[str, Path] = {}
        self.layer = layer
        self._reading = threading.Lock()  # the decoders' messages are collected from the whole process
        for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in HDR_SUFFIXES):
            key = path.name.removesuffix(path.suffix)
            if key in self.paths:
                raise ValueError(f"{path}: a second file of one picture, beside {self.paths[key]}; expected one")
            self.paths[key] = path

    def missing(self, keys: list[str]) -> list[str]:
        """The keys that have no file."""
        return [key for key in keys if key not in self.paths]

    def estimate(self, case: Case) -> Estimate:
        """Read the file of a case.

        Raises:
            ValueError: naming the file, if it cannot be read, or is of another size than the input.
        """
        path = self.paths[case.key]
        with self._reading:
            radiance, repairs = read_light(path, Override(self.layer))
        if radiance.shape != case.input.shape:
            wanted = f"{case.input.shape[1]}x{case.input.shape[0]}"
            raise ValueError(f"{path}: {radiance.shape[1]}x{radiance.shape[0]} pixels; expected {wanted}, as the input")
        if repairs.total:  # what is outside Rec.709, or below 0 by rounding, is 0
            raise ValueError(f"{path}: a value is negative or not finite; expected linear RGB from 0")
        return Estimate(None, radiance.astype(np.float32))

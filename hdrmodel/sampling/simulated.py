"""Simulated photographs and their light: crops of any scale, exposure and camera, each a pure function of its position.

The light U-Net uses them as they are, other networks as photographs and radiance, HDR-AttNet as pairs of exposures.
"""

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float32, UInt8
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.utils.data import Dataset

from hdrdata.cameras.clipping import ClipRule, adapt_rule, clip_rule_of_jpeg, clipped_values
from hdrdata.cameras.drawn_curves import DrawnCamera, draw_camera, encode_srgb
from hdrdata.cameras.exposure import WHITE
from hdrdata.config import Section
from hdrdata.stream.order import epoch_order, generator
from hdrdata.stream.shard_reader import Shards
from hdrmodel.sampling.batches import PairBatch, PhotoBatch
from hdrmodel.sampling.datasets import AUGMENTATION
from hdrmodel.sampling.synthetic_light import draw_synthetic_light

BRIGHTEST_HALF = 65504.0
SAMPLINGS = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)

Share = Annotated[float, Field(ge=0, le=1)]


class Augmentation(Section):
    """Ranges of the random numbers for a simulated photograph, or for a pair of them."""

    smallest_crop: Annotated[float, Field(gt=0, le=1)]  # of a view's side; below the crop's size it is enlarged
    largest_crop: Annotated[float, Field(gt=0, le=1)]  # of a view's side, drawn log-uniformly from the smallest on
    synthetic: Share  # of the samples: smooth synthetic scenes instead of views
    by_clipped_share: Share  # of the samples: exposed by the share of pixels that clip; the others by EV
    least_share: Annotated[float, Field(gt=0, lt=1)]  # of pixels that clip, drawn log-uniformly
    most_share: Annotated[float, Field(gt=0, lt=1)]
    lowest_ev: float  # stops; the shards' views have a mean of 0.5, and 1 saturates
    highest_ev: float
    farthest: NonNegativeFloat  # stops: the other image of a pair is shorter by at most this
    response_known: Share  # of the samples: those whose camera response is known
    models: tuple[str, ...] | None  # measured cameras that are drawn (hdrdata/cameras/measured.py); null: all
    rounded: Share  # of the cameras: those that round to 8 bits, as most do; the others floor, as DrTMO's
    noise: Share  # of the samples: those with noise of the sensor
    noise_constant: NonNegativeFloat  # at most: deviation, relative to saturation
    noise_signal: NonNegativeFloat  # at most: deviation, relative to the light
    jpeg: Share  # of the rounded photographs, half of them with 4:2:0 and half with 4:4:4 chroma
    jpeg_lowest: Annotated[int, Field(ge=1, le=99)]  # quality
    jpeg_highest: Annotated[int, Field(ge=1, le=100)]
    resized: Share  # of the samples: photographed larger, and made smaller after JPEG, as websites and `predict` do
    balance: NonNegativeFloat  # stops: deviation of each channel's gain
    quarter_turns: Share  # of the samples: those turned by 1 to 3 quarters
    attempts: PositiveInt  # crops and exposures, until one clips
    least_clipped: Share  # share of values that is enough


@dataclass(frozen=True)
class LightBatch:
    """Photographs and the light that they show."""

    picture: Float[Tensor, "batch 3 height width"]  # [0, 1], see `LightUNet`
    clipped: Bool[Tensor, "batch 3 height width"]
    response_known: Float[Tensor, " batch"]  # 1 or 0
    stops: Float[Tensor, "batch 3 height width"]  # log2 of light; 0 is what saturates
    keys: list[str]  # "<view>:<position>", for messages

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The arguments of network and loss."""
        return self.picture, self.clipped, self.response_known, self.stops


class LightDataset(Dataset):
    """Photographs by random cameras and the light that they show, by position: epoch = position // views.

    Views are held in memory as half floats: 0.4 MB each of 256 pixels.

    Args:
        shards: of the radiance form.
        crop: pixels of a sample, height and width.
        augmentation: what is drawn.
        seed: of the order and all that is drawn.
        pairs: of each photograph a second, shorter exposure too.

    Raises:
        ValueError: if the shards are of the pixels form, or a view is smaller than the crop.
    """

    def __init__(self, shards: Shards, crop: int, augmentation: Augmentation, seed: int, pairs: bool = False):
        if shards.form != "radiance":
            raise ValueError(
                f"{shards.folder}: the form '{shards.form}' contains no radiance; expected train.form radiance"
            )
        self.crop, self.augmentation, self.seed, self.pairs = crop, augmentation, seed, pairs
        self.keys = shards.keys
        self.views = [np.ascontiguousarray(shards.radiance(number).radiance) for number in range(len(shards))]
        for key, view in zip(self.keys, self.views, strict=True):
            if min(view.shape[:2]) < crop:
                size = f"{view.shape[1]}x{view.shape[0]}"
                raise ValueError(f"view {key} has {size} pixels; expected at least the crop of {crop}")

    @property
    def items(self) -> int:
        """Items an epoch."""
        return len(self.views)

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, position: int) -> dict:
        epoch, place = divmod(position, self.items)
        number = int(epoch_order(self.seed, epoch, self.items)[place])
        draw = generator(self.seed, AUGMENTATION, position)
        key = f"{self.keys[number]}:{position}"
        if self.pairs:
            shorter, longer, ratio, stops = draw_pair(self.views[number], self.crop, self.augmentation, draw)
            pictures = {"shorter": _to_tensor(shorter), "longer": _to_tensor(longer), "stops": _to_tensor(stops)}
            return {"key": key, "ratio": np.float32(ratio), **pictures}
        sample = draw_sample(self.views[number], self.crop, self.augmentation, draw)
        return {
            "key": key,
            "picture": _to_tensor(sample.picture),
            "clipped": _to_tensor(sample.clipped),
            "response_known": np.float32(sample.response_known),
            "stops": _to_tensor(sample.stops),
        }


def light_batch(sample: dict, device: torch.device) -> LightBatch:
    """A collated batch of `LightDataset`, on the device."""
    names = ("picture", "clipped", "response_known", "stops")
    return LightBatch(**{name: sample[name].to(device) for name in names}, keys=sample["key"])


def light_photos(sample: dict, device: torch.device) -> PhotoBatch:
    """The photographs and their radiance of a collated batch of `LightDataset`, on the device."""
    return PhotoBatch(sample["picture"].to(device), sample["stops"].to(device).exp2(), sample["key"])


def light_pairs(sample: dict, device: torch.device) -> PairBatch:
    """A collated batch of pairs of `LightDataset`, on the device."""
    shorter, longer, ratio, stops = (sample[name].to(device) for name in ("shorter", "longer", "ratio", "stops"))
    return PairBatch(shorter, longer, ratio, sample["key"], stops)


def _to_tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


@dataclass(frozen=True)
class Sample:
    """A simulated photograph and its light."""

    picture: Float32[np.ndarray, "crop crop 3"]  # the network's input
    clipped: Bool[np.ndarray, "crop crop 3"]
    response_known: bool
    stops: Float32[np.ndarray, "crop crop 3"]  # log2 of light; 0 is what saturates


@dataclass(frozen=True)
class _Shot:
    """A camera in front of a part of a scene."""

    response_known: bool
    rounded: bool
    camera: DrawnCamera
    light: Float32[np.ndarray, "side side 3"]  # 1 saturates; the side is the crop's, or larger if resized after JPEG


def draw_sample(
    view: Float16[np.ndarray, "height width 3"], crop: int, config: Augmentation, draw: np.random.Generator
) -> Sample:
    """Draw a photograph of a part of a view, or of a synthetic scene."""
    shot = _draw_shot(view, crop, config, draw)
    ldr, rule = _photograph(shot.light, shot, config, draw)
    white = clipped_values(ldr, rule) if shot.rounded else ldr == WHITE
    clipped = _shrink(white.astype(np.float32), crop) > 0.5
    return Sample(_seen(ldr, shot, crop), clipped, shot.response_known, _stops(_shrink(shot.light, crop)))


def draw_pair(
    view: Float16[np.ndarray, "height width 3"], crop: int, config: Augmentation, draw: np.random.Generator
) -> tuple[
    Float32[np.ndarray, "crop crop 3"], Float32[np.ndarray, "crop crop 3"], float, Float32[np.ndarray, "crop crop 3"]
]:
    """Draw two photographs of a part of a view by one camera: one as `draw_sample` draws it, and a shorter one.

    Returns:
        the shorter and the longer photograph in [0, 1]; if the response is known, as by a camera with the sRGB curve;
        the ratio t_longer / t_shorter, >= 1; log2 of light, 0 being what saturates the shorter.
    """
    shot = _draw_shot(view, crop, config, draw)
    longer, _ = _photograph(shot.light, shot, config, draw)
    ratio = 2.0 ** draw.uniform(0, config.farthest)
    light = shot.light / ratio
    shorter, _ = _photograph(light, shot, config, draw)
    return _seen(shorter, shot, crop), _seen(longer, shot, crop), ratio, _stops(_shrink(light, crop))


def _draw_shot(
    view: Float16[np.ndarray, "height width 3"], crop: int, config: Augmentation, draw: np.random.Generator
) -> _Shot:
    """Draw a camera, and the light that falls on its sensor."""
    known = bool(draw.random() < config.response_known)
    rounded = bool(draw.random() < config.rounded)
    camera = draw_camera(draw, not known, rounded, config.models)
    side = round(crop * draw.uniform(1.1, 2)) if draw.random() < config.resized else crop
    for _ in range(config.attempts):
        synthetic = draw.random() < config.synthetic
        light = draw_synthetic_light(draw, side) if synthetic else _draw_crop(view, side, config, draw)
        light *= np.exp2(draw.normal(0, config.balance, 3)).astype(np.float32)
        light *= _draw_exposure(light, synthetic, config, draw)
        if (light >= 1).mean() >= config.least_clipped:
            break
    return _Shot(known, rounded, camera, light)


def _draw_exposure(
    light: Float32[np.ndarray, "side side 3"], synthetic: bool, config: Augmentation, draw: np.random.Generator
) -> np.float32:
    """Draw a factor: a share of the pixels clips in a channel, or a number of stops."""
    if synthetic or draw.random() < config.by_clipped_share:
        share = np.exp(draw.uniform(np.log(config.least_share), np.log(config.most_share)))
        brightest = light.max(axis=2).ravel()
        place = min(int((1 - share) * brightest.size), brightest.size - 1)
        return np.float32(1 / max(np.partition(brightest, place)[place], 1e-6))
    return np.float32(np.exp2(draw.uniform(config.lowest_ev, config.highest_ev)))


def _photograph(
    light: Float32[np.ndarray, "side side 3"], shot: _Shot, config: Augmentation, draw: np.random.Generator
) -> tuple[UInt8[np.ndarray, "side side 3"], ClipRule | None]:
    """Return the photograph of light, with noise and JPEG as drawn, and the JPEG's clipping rule for the camera."""
    exposure = light
    if draw.random() < config.noise:
        constant, signal = draw.uniform(0, config.noise_constant), draw.uniform(0, config.noise_signal)
        deviation = np.sqrt(np.square(signal * np.minimum(exposure, 2)) + constant**2)
        exposure = exposure + deviation * draw.standard_normal(exposure.shape, np.float32)
    half = np.clip(exposure, 0, BRIGHTEST_HALF).astype(np.float16)
    ldr = cv2.LUT(half.view(np.uint16), shot.camera.levels)
    rule = None
    if shot.rounded and draw.random() < config.jpeg:
        quality = int(draw.integers(config.jpeg_lowest, config.jpeg_highest + 1))
        sampling = SAMPLINGS[int(draw.integers(2))]
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        jpeg = cv2.imencode(".jpg", ldr, options)[1]
        ldr = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
        stated = clip_rule_of_jpeg(jpeg.tobytes())
        assert stated is not None, "the JPEG is lossy"
        rule = adapt_rule(stated, float(shot.camera.light[250]))
    return ldr, rule


def _seen(ldr: UInt8[np.ndarray, "side side 3"], shot: _Shot, crop: int) -> Float32[np.ndarray, "crop crop 3"]:
    """Return the network's input at its own size: light, encoded by the sRGB curve, or the photograph."""
    if shot.response_known and ldr.shape[0] != crop:
        return encode_srgb(_shrink(shot.camera.light[ldr], crop))
    levels = shot.camera.encoded_light if shot.response_known else (np.arange(256) / 255).astype(np.float32)
    return _shrink(levels[ldr], crop)


def _shrink(values: Float32[np.ndarray, "side side 3"], crop: int) -> Float32[np.ndarray, "crop crop 3"]:
    return values if values.shape[0] == crop else cv2.resize(values, (crop, crop), interpolation=cv2.INTER_AREA)


def _stops(light: Float32[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width 3"]:
    return np.log2(np.maximum(light, 2.0**-14)).astype(np.float32)


def _draw_crop(
    view: Float16[np.ndarray, "height width 3"], side: int, config: Augmentation, draw: np.random.Generator
) -> Float32[np.ndarray, "side side 3"]:
    """Draw a square of a view of any scale, mirrored with probability 1/2, seldom turned."""
    shortest = min(view.shape[:2])
    shares = np.log(min(config.smallest_crop, config.largest_crop)), np.log(config.largest_crop)
    size = max(round(shortest * float(np.exp(draw.uniform(*shares)))), 8)
    top, left = (int(draw.integers(length - size + 1)) for length in view.shape[:2])
    light = view[top : top + size, left : left + size].astype(np.float32)
    if size != side:
        light = cv2.resize(light, (side, side), interpolation=cv2.INTER_AREA if size > side else cv2.INTER_LINEAR)
    if draw.integers(2):
        light = light[:, ::-1]
    if draw.random() < config.quarter_turns:
        light = np.rot90(light, int(draw.integers(1, 4)))
    return np.ascontiguousarray(light)

"""Samples to learn light from: crops of any scale, exposure and camera, each a pure function of seed and position.

The light U-Net takes them as they are, other baselines as photographs and radiance, HDR-AttNet as pairs of exposures.
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

from hdrdata.cameras.drawn_curves import DrawnCamera, draw_camera
from hdrdata.cameras.exposure import WHITE
from hdrdata.config import Section
from hdrdata.stream.order import epoch_order, generator
from hdrdata.stream.shard_reader import Shards
from hdrmodel.sampling.batches import PairBatch, PhotoBatch
from hdrmodel.sampling.datasets import AUGMENTATION

BRIGHTEST_HALF = 65504.0

Share = Annotated[float, Field(ge=0, le=1)]


class Augmentation(Section):
    """What is drawn for a photograph, or for a pair of them, that light is learned from."""

    largest_crop: Share  # of a view's side, reduced to the crop by area; drawn log-uniformly from native on
    lowest_ev: float  # stops; the shards' views have a mean of 0.5, and 1 saturates
    highest_ev: float
    farthest: NonNegativeFloat  # stops: by which the other picture of a pair is shorter, at most
    told: Share  # of the samples: those whose camera response is known
    rounded: Share  # of the cameras: those that round to 8 bits, as most do; the others floor, as DrTMO's
    noise: Share  # of the samples: those with noise of the sensor
    noise_constant: NonNegativeFloat  # at most: deviation, of what saturates
    noise_signal: NonNegativeFloat  # at most: deviation, of the light
    jpeg: Share  # of the rounded pictures
    jpeg_lowest: Annotated[int, Field(ge=1, le=99)]  # quality
    balance: NonNegativeFloat  # stops: deviation of each channel's gain
    quarter_turns: Share  # of the samples: those turned by 1 to 3 quarters
    attempts: PositiveInt  # crops and exposures, until one clips
    least_clipped: Share  # of the values, which is enough


@dataclass(frozen=True)
class LightBatch:
    """Photographs and the light that they show."""

    picture: Float[Tensor, "batch 3 height width"]  # [0, 1], see `LightUNet`
    clipped: Bool[Tensor, "batch 3 height width"]
    told: Float[Tensor, " batch"]  # 1: the camera response is known
    stops: Float[Tensor, "batch 3 height width"]  # log2 of light; 0 is what saturates
    keys: list[str]  # "<view>:<position>", for messages

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What network and loss take."""
        return self.picture, self.clipped, self.told, self.stops


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
            raise ValueError(f"{shards.folder}: the form '{shards.form}' holds no light; wanted train.form radiance")
        self.crop, self.augmentation, self.seed, self.pairs = crop, augmentation, seed, pairs
        self.keys = shards.keys
        self.views = [np.ascontiguousarray(shards.radiance(number).radiance) for number in range(len(shards))]
        for key, view in zip(self.keys, self.views, strict=True):
            if min(view.shape[:2]) < crop:
                size = f"{view.shape[1]}x{view.shape[0]}"
                raise ValueError(f"view {key} has {size} pixels; wanted at least the crop of {crop}")

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
        picture, clipped, told, stops = draw_sample(self.views[number], self.crop, self.augmentation, draw)
        return {
            "key": key,
            "picture": _to_tensor(picture),
            "clipped": _to_tensor(clipped),
            "told": np.float32(told),
            "stops": _to_tensor(stops),
        }


def light_batch(sample: dict, device: torch.device) -> LightBatch:
    """A collated batch of `LightDataset`, on the device."""
    picture, clipped, told, stops = (sample[name].to(device) for name in ("picture", "clipped", "told", "stops"))
    return LightBatch(picture, clipped, told, stops, sample["key"])


def light_photos(sample: dict, device: torch.device) -> PhotoBatch:
    """The photographs and their radiance of a collated batch of `LightDataset`, on the device."""
    return PhotoBatch(sample["picture"].to(device), sample["stops"].to(device).exp2(), sample["key"])


def light_pairs(sample: dict, device: torch.device) -> PairBatch:
    """A collated batch of pairs of `LightDataset`, on the device."""
    shorter, longer, ratio, stops = (sample[name].to(device) for name in ("shorter", "longer", "ratio", "stops"))
    return PairBatch(shorter, longer, ratio, sample["key"], stops)


def _to_tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def draw_sample(
    view: Float16[np.ndarray, "height width 3"], crop: int, config: Augmentation, draw: np.random.Generator
) -> tuple[
    Float32[np.ndarray, "crop crop 3"], Bool[np.ndarray, "crop crop 3"], float, Float32[np.ndarray, "crop crop 3"]
]:
    """One photograph of a part of a view, at random.

    Returns:
        the picture as the network sees it, its clipped values, whether the response is told, and log2 of light.
    """
    told, rounded, camera, light = _draw_light(view, crop, config, draw)
    ldr = _photograph(light, camera, rounded, config, draw)
    return _seen(ldr, camera, told), ldr >= WHITE, told, _stops(light)


def draw_pair(
    view: Float16[np.ndarray, "height width 3"], crop: int, config: Augmentation, draw: np.random.Generator
) -> tuple[
    Float32[np.ndarray, "crop crop 3"], Float32[np.ndarray, "crop crop 3"], float, Float32[np.ndarray, "crop crop 3"]
]:
    """Two photographs of a part of a view by one camera: the longer one as `draw_sample` draws it, and a shorter one.

    Returns:
        the shorter and the longer picture in [0, 1]; where the response is told, as by a camera with the curve of sRGB;
        the ratio t_longer / t_shorter, >= 1; log2 of light, 0 being what saturates the shorter.
    """
    told, rounded, camera, light = _draw_light(view, crop, config, draw)
    longer = _photograph(light, camera, rounded, config, draw)
    ratio = 2.0 ** draw.uniform(0, config.farthest)
    light = light / ratio
    shorter = _photograph(light, camera, rounded, config, draw)
    return _seen(shorter, camera, told), _seen(longer, camera, told), ratio, _stops(light)


def _draw_light(
    view: Float16[np.ndarray, "height width 3"], crop: int, config: Augmentation, draw: np.random.Generator
) -> tuple[float, bool, DrawnCamera, Float32[np.ndarray, "crop crop 3"]]:
    """Whether the response is told and the camera rounds, the camera, and the light that falls on it."""
    told = float(draw.random() < config.told)
    rounded = bool(draw.random() < config.rounded)
    camera = draw_camera(draw, not told, rounded)
    for _ in range(config.attempts):
        light = _draw_crop(view, crop, config, draw)
        light *= np.exp2(draw.uniform(config.lowest_ev, config.highest_ev) + draw.normal(0, config.balance, 3))
        if (light >= 1).mean() >= config.least_clipped:
            break
    return told, rounded, camera, light


def _photograph(
    light: Float32[np.ndarray, "height width 3"],
    camera: DrawnCamera,
    rounded: bool,
    config: Augmentation,
    draw: np.random.Generator,
) -> UInt8[np.ndarray, "height width 3"]:
    """What the camera makes of light, with noise and JPEG as they are drawn."""
    exposure = light.astype(np.float32)
    if draw.random() < config.noise:
        constant, signal = draw.uniform(0, config.noise_constant), draw.uniform(0, config.noise_signal)
        deviation = np.sqrt(np.square(signal * np.minimum(exposure, 2)) + constant**2)
        exposure = exposure + deviation * draw.standard_normal(exposure.shape, np.float32)
    half = np.clip(exposure, 0, BRIGHTEST_HALF).astype(np.float16)
    ldr = cv2.LUT(half.view(np.uint16), camera.levels)
    if rounded and draw.random() < config.jpeg:
        quality = int(draw.integers(config.jpeg_lowest, 100))
        ldr = cv2.imdecode(cv2.imencode(".jpg", ldr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return ldr


def _seen(
    ldr: UInt8[np.ndarray, "height width 3"], camera: DrawnCamera, told: float
) -> Float32[np.ndarray, "height width 3"]:
    levels = camera.told if told else (np.arange(256) / 255).astype(np.float32)
    return levels[ldr]


def _stops(light: Float32[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width 3"]:
    return np.log2(np.maximum(light, 2.0**-14)).astype(np.float32)


def _draw_crop(
    view: Float16[np.ndarray, "height width 3"], crop: int, config: Augmentation, draw: np.random.Generator
) -> Float32[np.ndarray, "crop crop 3"]:
    """A square of a view of any scale from native to the whole, mirrored with probability 1/2, seldom turned."""
    side = min(view.shape[:2])
    size = round(crop * (config.largest_crop * side / crop) ** draw.random())
    top, left = (int(draw.integers(length - size + 1)) for length in view.shape[:2])
    light = view[top : top + size, left : left + size].astype(np.float32)
    if size != crop:
        light = cv2.resize(light, (crop, crop), interpolation=cv2.INTER_AREA)
    if draw.integers(2):
        light = light[:, ::-1]
    if draw.random() < config.quarter_turns:
        light = np.rot90(light, int(draw.integers(1, 4)))
    return np.ascontiguousarray(light)

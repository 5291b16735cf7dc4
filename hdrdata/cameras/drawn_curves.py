"""Camera responses drawn at random, as tables over half floats: what an unknown camera may have done.

Curves that are known (the five of DrTMO, sRGB), families (gamma curves, the sigmoids of Eilertsen et al., "HDR image
reconstruction from a single exposure using deep CNNs", SIGGRAPH Asia 2017), their random mixtures (Grossberg and Nayar,
"What is the Space of Camera Response Functions?", CVPR 2003: the space is convex), and each of these bent by a rising
curve through random knots.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from hdrdata.cameras.crf import srgb_crf
from hdrdata.cameras.crf_files import drtmo_crfs
from hdrdata.cameras.exposure import WHITE

UP_TO_WHITE = 0x3C01  # half floats from 0 to 1
FINITE = 0x7C00
EXPOSURES = np.arange(UP_TO_WHITE, dtype=np.uint16).view(np.float16).astype(np.float64)  # rising, 0 to 1
LEVELS = np.arange(256)


@dataclass(frozen=True)
class DrawnCamera:
    """A camera response with 8-bit levels, as tables."""

    levels: UInt8[np.ndarray, " 65536"]  # of each half float; 0 for negative bits
    light: Float32[np.ndarray, " 256"]  # of each level: the light in the middle of its step, (0, 1]

    @property
    def told(self) -> Float32[np.ndarray, " 256"]:
        """Each level's light, encoded by the curve of sRGB: what the network sees where the response is known."""
        return encode_srgb(self.light)


def encode_srgb(light: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """The transfer function of sRGB, IEC 61966-2-1."""
    return srgb_crf()(light).astype(np.float32)


@cache
def _known() -> dict[str, Float64[np.ndarray, " exposures"]]:
    curves = {**drtmo_crfs(), "srgb": srgb_crf()}
    return {name: np.asarray(curves[name](EXPOSURES), np.float64) for name in sorted(curves)}


def camera_of_curve(response: Float64[np.ndarray, " exposures"], rounded: bool) -> DrawnCamera:
    """The tables of a rising curve at `EXPOSURES`: floor(255 f), at most 254; or 255 f rounded."""
    table = np.zeros(65536, np.uint8)
    levels = np.floor(255.0 * response + 0.5) if rounded else np.minimum(np.floor(255.0 * response), WHITE)
    table[:UP_TO_WHITE] = levels
    table[UP_TO_WHITE : FINITE + 1] = 255 if rounded else WHITE
    middles = LEVELS / 255 if rounded else np.minimum((LEVELS + 0.5) / 255, 1.0)
    rising = np.concatenate([[True], np.diff(response) > 0])
    light = np.interp(middles, response[rising], EXPOSURES[rising])
    return DrawnCamera(table, np.maximum(light, 2.0**-20).astype(np.float32))


def draw_curve(draw: np.random.Generator, unknown: bool) -> Float64[np.ndarray, " exposures"]:
    """A rising curve from (0, about 0) to (1, about 1), at `EXPOSURES`.

    Args:
        unknown: the network is not told the curve, so that its kind matters: of every kind. Otherwise a known one.
    """
    known = list(_known().values())
    kind = draw.random() if unknown else 0.0
    if kind < 0.4:
        return known[draw.integers(len(known))]
    if kind < 0.5:
        return EXPOSURES ** np.exp(draw.uniform(np.log(1 / 2.8), np.log(1.5)))
    if kind < 0.65:
        power = EXPOSURES ** max(draw.normal(0.9, 0.1), 0.4)
        sigma = max(draw.normal(0.6, 0.2), 0.1)
        return (1 + sigma) * power / (power + sigma)
    chosen = draw.choice(len(known), 3, replace=False)
    mixed = sum(weight * known[place] for weight, place in zip(draw.dirichlet((1.0, 1.0, 1.0)), chosen, strict=True))
    if kind < 0.8:
        return mixed
    knots = np.concatenate([[0.0], np.cumsum(draw.dirichlet((6.0,) * 5))])  # bent by a rising curve
    return np.interp(mixed, np.linspace(0, 1, 6), knots)


def draw_camera(draw: np.random.Generator, unknown: bool, rounded: bool) -> DrawnCamera:
    """A camera at random, see `draw_curve`."""
    return camera_of_curve(draw_curve(draw, unknown), rounded)

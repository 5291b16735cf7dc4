"""Random camera responses, as tables over half floats.

Measured curves and their distribution (`hdrdata.cameras.measured`), DrTMO's five and sRGB, families (gamma
curves, the sigmoids of Eilertsen et al., "HDR image reconstruction from a single exposure using deep CNNs", SIGGRAPH
Asia 2017), random mixtures (Grossberg and Nayar, "What is the Space of Camera Response Functions?", CVPR 2003: the
space is convex), and curves bent by a rising curve through random knots.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from hdrdata.cameras.crf import WHITE, CameraResponse, sampled_crf, srgb_crf
from hdrdata.cameras.crf_files import drtmo_crfs
from hdrdata.cameras.measured import fit_distribution

UP_TO_WHITE = 0x3C01  # half floats from 0 to 1
FINITE = 0x7C00
EXPOSURES = np.arange(UP_TO_WHITE, dtype=np.uint16).view(np.float16).astype(np.float64)  # rising, 0 to 1
LEVELS = np.arange(256)
CAMERA_N, CAMERA_SIGMA = (0.8, 1.4), (0.06, 0.6)  # measured cameras: n 0.96 to 1.2, sigma 0.10 to 0.26
Curve = Float64[np.ndarray, " exposures"]
SPREAD = 1.3  # deviation along a principal component, times the measured one


@dataclass(frozen=True)
class DrawnCamera:
    """A camera response with 8-bit levels, as tables."""

    levels: UInt8[np.ndarray, " 65536"]  # of each half float; 0 for negative bits
    light: Float32[np.ndarray, " 256"]  # of the middle of each level's step, (0, 1]

    @property
    def encoded_light(self) -> Float32[np.ndarray, " 256"]:
        """Light of each level, encoded as sRGB: the input of the network where the response is known."""
        return encode_srgb(self.light)


def encode_srgb(light: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Encode by the transfer function of sRGB, IEC 61966-2-1."""
    return srgb_crf()(light).astype(np.float32)


@cache
def _known() -> dict[str, Curve]:
    curves = {**drtmo_crfs(), "srgb": srgb_crf()}
    return {name: np.asarray(curves[name](EXPOSURES), np.float64) for name in sorted(curves)}


def camera_of_curve(response: Curve, rounded: bool) -> DrawnCamera:
    """Return the tables of a rising curve at `EXPOSURES`: floor(255 f), at most 254; or 255 f rounded."""
    table = np.zeros(65536, np.uint8)
    levels = np.floor(255.0 * response + 0.5) if rounded else np.minimum(np.floor(255.0 * response), WHITE)
    table[:UP_TO_WHITE] = levels
    table[UP_TO_WHITE : FINITE + 1] = 255 if rounded else WHITE
    middles = LEVELS / 255 if rounded else np.minimum((LEVELS + 0.5) / 255, 1.0)
    rising = np.concatenate([[True], np.diff(response) > 0])
    light = np.interp(middles, response[rising], EXPOSURES[rising])
    return DrawnCamera(table, np.maximum(light, 2.0**-20).astype(np.float32))


def draw_curve(draw: np.random.Generator, unknown: bool, models: tuple[str, ...] | None = None) -> Curve:
    """Draw a rising curve from (0, about 0) to (1, about 1), at `EXPOSURES`.

    Args:
        unknown: the network does not get the response: a curve of one of `KINDS`. A known response is one of DrTMO's,
            sRGB or a measured one.
        models: the measured models to draw from, as `hdrdata.cameras.measured` names them; None: all.

    Raises:
        ValueError: if a model is unknown.
    """
    if not unknown:
        known = [*_known().values(), *_measured(models)]
        return known[draw.integers(len(known))]
    return draw_kind(str(draw.choice(list(KINDS), p=[share for share, _ in KINDS.values()])), draw, models)


def draw_kind(kind: str, draw: np.random.Generator, models: tuple[str, ...] | None = None) -> Curve:
    """Draw a curve of one of `KINDS`; see `draw_curve`."""
    return KINDS[kind][1](draw, models)


def curve_of_stops(stops: Float64[np.ndarray, " 255"]) -> Curve:
    """Return the curve, at `EXPOSURES`, of an inverse response in stops (`hdrdata.cameras.measured`)."""
    return np.interp(EXPOSURES, np.r_[0.0, np.exp2(stops)], np.arange(256) / 255)


@cache
def _measured(models: tuple[str, ...] | None) -> list[Curve]:
    return [curve_of_stops(stops) for stops in fit_distribution(models).curves]


def _sigmoid(n: float, sigma: float) -> Curve:
    power = EXPOSURES**n
    return (1 + sigma) * power / (power + sigma)


def _bend(curve: Curve, draw: np.random.Generator) -> Curve:
    knots = np.concatenate([[0.0], np.cumsum(draw.dirichlet((6.0,) * 5))])
    return np.interp(curve, np.linspace(0, 1, 6), knots)


def _draw_mixture(draw, models) -> Curve:
    return curve_of_stops(fit_distribution(models).draw_mixture(draw))


def _draw_bent(draw, models) -> Curve:
    return _bend(_draw_mixture(draw, models), draw)


def _draw_components(draw, models) -> Curve:
    return curve_of_stops(fit_distribution(models).draw_components(draw, SPREAD))


def _draw_sigmoid(draw, models) -> Curve:
    return _sigmoid(draw.uniform(*CAMERA_N), np.exp(draw.uniform(*np.log(CAMERA_SIGMA))))


def _draw_older(draw, models) -> Curve:
    known = list(_known().values())
    kind = draw.random()
    if kind < 0.4:
        return known[draw.integers(len(known))]
    if kind < 0.5:
        return EXPOSURES ** np.exp(draw.uniform(np.log(1 / 2.8), np.log(1.5)))
    if kind < 0.65:
        return _sigmoid(max(draw.normal(0.9, 0.1), 0.4), max(draw.normal(0.6, 0.2), 0.1))
    chosen = draw.choice(len(known), 3, replace=False)
    weights = draw.dirichlet((1.0, 1.0, 1.0))
    mixed: np.ndarray = weights[0] * known[chosen[0]] + weights[1] * known[chosen[1]] + weights[2] * known[chosen[2]]
    return mixed if kind < 0.8 else _bend(mixed, draw)


KINDS: dict[str, tuple[float, Callable[[np.random.Generator, tuple[str, ...] | None], Curve]]] = {
    "mixture": (0.2, _draw_mixture),  # of three measured curves
    "bent": (0.1, _draw_bent),
    "components": (0.15, _draw_components),  # principal ones, of the measured curves
    "sigmoid": (0.15, _draw_sigmoid),  # from wider than any measured camera to narrower
    "srgb": (0.1, lambda draw, models: _known()["srgb"]),
    "older": (0.3, _draw_older),  # DrTMO's, gamma curves, HDRCNN's sigmoids, mixtures of DrTMO's
}


def draw_camera(
    draw: np.random.Generator, unknown: bool, rounded: bool, models: tuple[str, ...] | None = None
) -> DrawnCamera:
    """Draw a camera, see `draw_curve`."""
    return camera_of_curve(draw_curve(draw, unknown, models), rounded)


def draw_responses(
    name: str, count: int, seed: int, models: tuple[str, ...] | None = None
) -> tuple[CameraResponse, ...]:
    """Draw unknown responses (`draw_curve`), named '<name>-0', '<name>-1' and so on.

    Each depends on the seed and its number only.

    Args:
        models: the measured models to draw from; None: all.

    Raises:
        ValueError: if a model is unknown.
    """
    drawn = (draw_curve(np.random.default_rng([seed, number]), True, models) for number in range(count))
    return tuple(sampled_crf(f"{name}-{number}", EXPOSURES, curve) for number, curve in enumerate(drawn))

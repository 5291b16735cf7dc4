"""A camera response from evidence per level: the posterior mean over candidate curves, by the kind of file.

The light U-Net predicts log2 of the light of every pixel of a photograph. The mean of a level's predictions is the true
inverse response of that level plus an error that varies slowly with the level. The error is a Gaussian process; each
candidate curve gets a likelihood. Candidates are drawn from the distributions of cameras
(`hdrdata.cameras.drawn_curves`); their prior depends on what EXIF states about the device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64

from hdrdata.cameras.crf import Levels
from hdrdata.cameras.curves.file_kinds import FileKind
from hdrdata.cameras.drawn_curves import EXPOSURES, curve_of_stops, draw_kind
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.measured import MODELS, PHONES, measured_curves

MEASURED_KINDS = ("mixture", "bent", "components")
GROUPS = ("camera", "phone", "sigmoid", "srgb", "older")
PRIORS: dict[FileKind, tuple[float, ...]] = {  # of the groups
    "camera": (0.90, 0.03, 0.03, 0.01, 0.03),
    "phone": (0.25, 0.40, 0.10, 0.15, 0.10),
    "other": (0.30, 0.10, 0.15, 0.30, 0.15),
    "rendering": (0.05, 0.017, 0.016, 0.90, 0.017),
    "unknown": (0.05, 0.017, 0.016, 0.90, 0.017),
}


@dataclass(frozen=True)
class Use:
    """Weights of the evidence of a photograph."""

    lowest: int = 1  # level that counts: real devices differ most near white, and networks err least there
    trust: float = 1.0  # exponent of the likelihood


USES: dict[FileKind, Use] = {
    "camera": Use(lowest=220, trust=0.4),
    "phone": Use(lowest=220, trust=0.15),
    "other": Use(),
    "rendering": Use(lowest=170),
    "unknown": Use(lowest=170),
}
OWN = 0.5  # of the prior, where the model was measured
DRAWS = 120  # candidates of each kind of curve
BIN = 6  # levels that share one value of evidence
SHRINKAGE = 0.6  # of predictions towards the mean of the cameras that the network was trained on
DEVIATION, SHADOWS, REACH, NOISE, COUNTED = 0.28, 0.3, 80.0, 0.12, 1.5  # stops, stops, levels, stops, stops
DARKEST = 2.0**-14


@dataclass(frozen=True)
class Evidence:
    """Prediction of a network for each level 1 to 253 of one photograph, over its unclipped values."""

    counts: Float64[np.ndarray, " 253"]
    stops: Float64[np.ndarray, " 253"]  # the mean of the predictions, log2 of light; 0 where the level does not occur

    @classmethod
    def of(cls, ldr: np.ndarray, clipped: np.ndarray, stops: np.ndarray) -> "Evidence":
        """Collect the evidence of a photograph in [0, 1], its clipped values and a network's log2 of light."""
        levels = np.rint(ldr[~clipped] * 255).astype(np.int64)
        counts = np.bincount(levels, minlength=256)[1:WHITE].astype(np.float64)
        sums = np.bincount(levels, stops[~clipped].astype(np.float64), minlength=256)[1:WHITE]
        return cls(counts, sums / np.maximum(counts, 1))


@dataclass(frozen=True)
class Candidates:
    """Inverse responses with prior probabilities."""

    stops: Float64[np.ndarray, "curves 253"]  # log2 of the exposure of the middle of the levels 1 to 253
    prior: Float64[np.ndarray, " curves"]
    groups: tuple[str, ...]  # of `GROUPS`, or "own"
    mean: Float64[np.ndarray, " 253"]  # of the cameras that networks are trained on
    use: Use = Use()


def middles_of(made: Levels) -> Float64[np.ndarray, " 253"]:
    """Return the response in the middle of the steps of the levels 1 to 253."""
    return (np.arange(1, WHITE) + (0.5 if made == "floor254" else 0.0)) / 255


@cache
def candidates_of(
    kind: FileKind, made: Levels, model: str | None = None, models: tuple[str, ...] | None = None
) -> Candidates:
    """Draw the candidates for a kind of file.

    Args:
        kind: of the device that made the file.
        made: how the levels were made.
        model: a measured model, if the device is one: half of the prior is its own curve.
        models: the measured models to draw from; None: all.
    """
    curves, groups = _drawn(made, models)
    prior, mean = _prior(kind, groups), _prior("other", groups) @ curves
    if model is not None:
        own = _inverse_stops(curve_of_stops(measured_curves()[model]), middles_of(made))
        curves, groups = np.vstack([curves, own]), (*groups, "own")
        prior = np.append(prior * (1 - OWN), OWN)
    return Candidates(curves, prior, groups, mean, USES[kind])


def _prior(kind: FileKind, groups: tuple[str, ...]) -> Float64[np.ndarray, " curves"]:
    share: dict[str, float] = dict(zip(GROUPS, PRIORS[kind], strict=True))
    prior = np.array([share[group] / groups.count(group) for group in groups])
    return prior / prior.sum()


@cache
def _drawn(made: Levels, models: tuple[str, ...] | None) -> tuple[Float64[np.ndarray, "curves 253"], tuple[str, ...]]:
    chosen, middles = MODELS if models is None else models, middles_of(made)
    parts = {
        "camera": (MEASURED_KINDS, tuple(model for model in chosen if model not in PHONES)),
        "phone": (MEASURED_KINDS, tuple(model for model in chosen if model in PHONES)),
        "sigmoid": (("sigmoid",), None),
        "srgb": (("srgb",), None),
        "older": (("older",), None),
    }
    draw, curves, groups = np.random.default_rng(0), [], []
    for group, (kinds, among) in parts.items():
        for kind in kinds if among != () else ():
            for _ in range(1 if kind == "srgb" else DRAWS):
                curves.append(_inverse_stops(draw_kind(kind, draw, among), middles))
                groups.append(group)
    return np.stack(curves), tuple(groups)


def _inverse_stops(curve: np.ndarray, middles: Float64[np.ndarray, " 253"]) -> Float64[np.ndarray, " 253"]:
    rising = np.concatenate([[True], np.diff(curve) > 0])
    return np.log2(np.maximum(np.interp(middles, curve[rising], EXPOSURES[rising]), DARKEST))


def posterior_of(evidences: Sequence[Evidence], candidates: Candidates) -> Float64[np.ndarray, " curves"]:
    """Return the probability of each candidate given photographs of one camera; the prior if they show no levels.

    A network that is trained on unknown cameras predicts a mean: its evidence is their mean curve plus
    `SHRINKAGE` times the camera's deviation from it, plus an error. Errors, in bins of `BIN` levels, are normal
    with covariance s s' exp(-d^2 / (2 REACH^2)) + (NOISE^2 + COUNTED^2 / count) [same bin], d in levels, s =
    `_deviation`; photographs are independent. Levels below `Use.lowest` do not count. Constants were chosen on
    photographs of scenes that the network was not trained on.
    """
    log, use = np.log(candidates.prior), candidates.use
    centres = SHRINKAGE * candidates.stops + (1 - SHRINKAGE) * candidates.mean
    for evidence in evidences:
        places = np.arange(WHITE - 1) // BIN
        counted = np.where(np.arange(1, WHITE) >= use.lowest, evidence.counts, 0)
        counts = np.bincount(places, counted)
        seen = np.flatnonzero(counts)
        if not seen.size:
            continue
        weights = np.zeros((len(counts), WHITE - 1))
        weights[places, np.arange(WHITE - 1)] = counted
        weights = weights[seen] / counts[seen, None]
        errors = (evidence.stops - centres) @ weights.T
        level = weights @ np.arange(1, WHITE)
        covariance = np.exp(-0.5 * np.square((level[:, None] - level) / REACH)) * np.outer(
            _deviation(level), _deviation(level)
        )
        covariance[np.diag_indices(len(seen))] += NOISE**2 + COUNTED**2 / counts[seen]
        whitened = np.linalg.solve(np.linalg.cholesky(covariance), errors.T)
        log = log - 0.5 * use.trust * np.square(whitened).sum(axis=0)
    weights = np.exp(log - log.max())
    return weights / weights.sum()


def _deviation(level: Float64[np.ndarray, " bins"]) -> Float64[np.ndarray, " bins"]:
    """Return the deviation of the network's error in stops: larger in shadows, 0 at white."""
    return (DEVIATION + SHADOWS * np.exp(-level / 15)) * np.minimum((256 - level) / 40, 1)

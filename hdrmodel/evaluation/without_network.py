"""Methods without a network: doing nothing, clipped values times a factor (the floors), the merged true stack.

Clipped values times one factor beat most of what is called a result, so that is the floor that a verdict is against.
The factor is the best by PU21-PSNR after a gain, which needs no search: a clipped value's light is one number of the
picture, and so the error is a parabola of its PU21 value.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64

from hdrdata.cameras.crf import CameraResponse
from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.cameras.merge import linearise, merge_stack
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import SRGB, Case, Estimate
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.evaluation.measuring import nits_of
from hdrmodel.metrics.absolute import PU21_PEAK, pu21_decode, pu21_encode
from hdrmodel.metrics.alignment import align_gain
from hdrmodel.reconstruction.reconstruct import expose_again

FITTED = 100  # pictures of the train part, spread evenly, by which the factor is chosen
FACTORS = np.exp2(np.arange(0, 4, 1 / 32))  # to choose from
ELSEWHERE = 1.25  # where there is no train part: the best on 154 views of 29 real scenes


@dataclass(frozen=True)
class Factors:
    """Factors for clipped values, chosen once, on the train part."""

    known: float  # the camera response known
    srgb: float  # the input taken for sRGB
    pictures: int  # that they were chosen by; 0: there was no train part, and they are those of other scenes


@dataclass(frozen=True)
class ClippedError:
    """The squared error of a linearised input after a gain, in PU21 units, by the factor of its clipped values."""

    kept: float  # of the other values
    count: int  # of clipped values
    mean: float  # their true PU21 value
    spread: float  # sum of the squared distances from it
    white: float  # cd/m2 of a clipped value times 1
    peak: float  # cd/m2
    values: int

    def psnr(self, factors: Float64[np.ndarray, " factors"]) -> Float64[np.ndarray, " factors"]:
        """PU21-PSNR in dB by factor."""
        light = torch.from_numpy(np.minimum(self.white * factors, self.peak))
        distance = np.square(pu21_encode(light).numpy() - self.mean)
        error = (self.kept + self.spread + self.count * distance) / self.values
        return 10 * np.log10(PU21_PEAK**2 / np.maximum(error, 1e-12))

    @property
    def best(self) -> float:
        """The best factor from 1 on."""
        if not self.count or self.white <= 0:
            return 1.0
        return max(pu21_decode(torch.tensor(self.mean, dtype=torch.float64)).item() / self.white, 1.0)


def clipped_error(case: Case, crf: CameraResponse, config: EvaluateConfig) -> ClippedError | None:
    """Return how the error of an input depends on the factor; None if no value determines the gain."""
    own = linearise(case.input.astype(np.float32) / 255, crf)
    truth, unclipped, clipped = case.radiance.astype(np.float64), case.unclipped, case.clipped
    if not (own[unclipped] > 0).any():
        return None
    nits = nits_of(truth, config)
    test = np.minimum(align_gain(own, truth, unclipped) * nits, config.peak_nits)
    wanted = pu21_encode(torch.from_numpy(np.minimum(truth * nits, config.peak_nits))).numpy()
    kept = np.square(pu21_encode(torch.from_numpy(test[~clipped])).numpy() - wanted[~clipped]).sum()
    inside = wanted[clipped]
    mean = float(inside.mean()) if inside.size else 0.0
    white = float((own[unclipped] @ truth[unclipped]) / (own[unclipped] @ own[unclipped]) * _white(crf) * nits)
    spread = float(np.square(inside - mean).sum())
    return ClippedError(float(kept), inside.size, mean, spread, white, config.peak_nits, truth.size)


def choose_factors(shards: Shards | None, config: EvaluateConfig) -> Factors:
    """The factors of clipped values whose mean PU21-PSNR over pictures of a part is best.

    Args:
        shards: the train part in radiance form; None: there is none.
    """
    if shards is None:
        return Factors(ELSEWHERE, ELSEWHERE, 0)
    views = np.unique(np.linspace(0, len(shards) - 1, min(FITTED, len(shards))).round().astype(int))
    known, srgb = [], []
    for place, number in enumerate(views):
        case = _input_case(shards, int(number), sorted(shards.crfs)[place % len(shards.crfs)])
        for values, crf in ((known, case.crf), (srgb, srgb_of(case))):
            if (error := clipped_error(case, crf, config)) is not None and error.count:
                values.append(error.psnr(FACTORS))
    if not known:
        return Factors(ELSEWHERE, ELSEWHERE, 0)
    best = [float(f"{FACTORS[np.mean(values, axis=0).argmax()]:.4g}") for values in (known, srgb)]
    return Factors(best[0], best[1], len(known))


def estimate_without_network(case: Case, factors: Factors, config: EvaluateConfig) -> dict[str, Estimate]:
    """The floors and the ceiling.

    "clipped_constant" and "clipped_constant_srgb" are the input's own light, clipped values times a factor;
    "clipped_best" takes the best factor of each picture, by its truth: a bound and no method.
    """
    srgb = srgb_of(case)
    error = clipped_error(case, case.crf, config)
    best = estimate_by_linearising(case, case.crf, 1.0 if error is None else error.best)
    return {
        "clipped_constant": estimate_by_linearising(case, case.crf, factors.known),
        "clipped_constant_srgb": estimate_by_linearising(case, srgb, factors.srgb),
        "input_crf": estimate_by_linearising(case, case.crf),
        "input_srgb": estimate_by_linearising(case, srgb),
        "clipped_best": Estimate(None, best.radiance),
        "oracle": estimate_by_oracle(case),
    }


def estimate_by_linearising(case: Case, crf: CameraResponse, factor: float = 1.0) -> Estimate:
    """The input linearised with a camera response, its clipped values times a factor; and that exposed again."""
    ldr = case.input.astype(np.float32) / 255
    radiance = linearise(ldr, crf)
    radiance[case.clipped] *= factor
    return Estimate(expose_again(radiance, ldr, case.evs, crf), radiance.astype(np.float32))


def estimate_by_oracle(case: Case) -> Estimate:
    """Merge the true stack: the ceiling of every method that generates one."""
    return Estimate(None, merge_stack(case.stack.astype(np.float32) / 255, np.exp2(case.evs), case.crf))


def srgb_of(case: Case) -> CameraResponse:
    """The transfer function of sRGB, of a camera that makes its levels as the case's does."""
    return replace(SRGB, levels=case.crf.levels)


def _white(crf: CameraResponse) -> float:
    return float(linearise(np.array([crf.white / crf.steps]), crf)[0])


def _input_case(shards: Shards, number: int, crf: str) -> Case:
    """A case with the one picture at EV 0."""
    sample, middle = shards.radiance(number), shards.evs.index(0.0)
    stack = expose_view(half_bits(sample.radiance), shards.tables[crf][[middle]])
    light = sample.radiance.astype(np.float32)
    return Case(f"{sample.key}_{crf}", sample.key, sample.scene, shards.crf(crf), (0.0,), stack, light)

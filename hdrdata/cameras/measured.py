"""Measured camera responses: fourteen models, the mean curves `camera` and `phone`, and a distribution fitted to them.

A curve is an inverse response in stops: log2 of the exposure that gives each level of 8 bits, 0 at level 255. Weighted
means of such curves rise as the curves do.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64

from hdrdata.cameras.crf import CameraResponse, key_name, sampled_crf, weighted_sum
from hdrdata.cameras.crf_files import read_shipped_table

MODELS = (
    "Canon EOS 1000D",
    "Canon EOS 550D",
    "Canon EOS 5D Mark II",
    "Canon EOS 600D",
    "Canon EOS M3",
    "Canon PowerShot SX100 IS",
    "Sony D6503",
    "Panasonic DMC-GF7",
    "Samsung EX2F",
    "Sony ILCE-6000",
    "Xiaomi M2007J17C",
    "NIKON D90",
    "Samsung SM-A528B",
    "Olympus XZ-1",
)
PHONES = ("Sony D6503", "Xiaomi M2007J17C", "Samsung SM-A528B")
COMPONENTS = 3  # the first carries most of the variance
Stops = Float64[np.ndarray, " 255"]  # log2 of the exposure of the levels 1 to 255; the last is 0
SHADE = np.arange(1, 256) / 255  # the response of these levels, for cameras that round


@cache
def measured_curves() -> dict[str, Stops]:
    """Return the measured curves by model, as EXIF names maker and model."""
    header, table = read_shipped_table("measured.csv")
    return {model: np.log2(table[1:, column]) for column, model in enumerate(header) if column > 0}


def response_of_stops(name: str, stops: Stops) -> CameraResponse:
    """Return the camera response of a curve.

    Raises:
        ValueError: if the curve does not rise to 0.
    """
    return sampled_crf(name, np.r_[0.0, np.exp2(stops)], np.r_[0.0, SHADE])


def measured_crf(model: str) -> CameraResponse:
    """Return the measured response of one model, named as a part of a sample key; ValueError if it is unknown."""
    return response_of_stops(key_name(model), _chosen((model,))[model])


def others_than(crf: CameraResponse) -> tuple[str, ...]:
    """Return the measured models whose response a CRF is not: all, unless it is a `measured_crf`."""
    return tuple(model for model in MODELS if key_name(model) != crf.name)


def mean_crf(kind: str, models: tuple[str, ...] | None = None) -> CameraResponse:
    """Return the mean curve (of stops) of dedicated cameras, "camera", or of phones, "phone".

    Args:
        models: the measured models to use; None: all.

    Raises:
        ValueError: if no model of this kind is among them, or a model is unknown.
    """
    chosen = _chosen(models)
    stops = [curve for model, curve in chosen.items() if (model in PHONES) == (kind == "phone")]
    if not stops:
        raise ValueError(f"models {', '.join(chosen)}: no {kind} among them; expected at least one")
    return response_of_stops(kind, np.mean(stops, axis=0))


@dataclass(frozen=True)
class CurveDistribution:
    """Mean, principal components (times the deviation along each) and the curves that they were fitted to."""

    mean: Stops
    components: Float64[np.ndarray, "components 255"]
    curves: Float64[np.ndarray, "models 255"]

    def draw_components(self, draw: np.random.Generator, spread: float) -> Stops:
        """Draw the mean plus normal multiples of the components, made rising.

        Args:
            spread: deviation of the multiples; above 1 because cameras differ more than the few measured ones.
        """
        stops = self.mean + weighted_sum(draw.normal(0, spread, len(self.components)), self.components)
        return np.minimum(np.maximum.accumulate(stops), 0.0)

    def draw_mixture(self, draw: np.random.Generator, parts: int = 3) -> Stops:
        """Draw a weighted mean of a few measured curves; weights are uniform on the simplex."""
        parts = min(parts, len(self.curves))
        chosen = draw.choice(len(self.curves), parts, replace=False)
        return weighted_sum(draw.dirichlet(np.ones(parts)), self.curves[chosen])


@cache
def fit_distribution(models: tuple[str, ...] | None = None) -> CurveDistribution:
    """Fit a distribution of curves to measured models.

    Args:
        models: as `measured_curves` names them; None: all. Others are held out.

    Raises:
        ValueError: if a model is unknown or there are none.
    """
    curves = np.stack(list(_chosen(models).values()))
    mean = curves.mean(axis=0)
    _, deviations, basis = np.linalg.svd(curves - mean, full_matrices=False)
    basis *= np.where(basis.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)  # libraries differ in the sign
    scale = deviations[:COMPONENTS, None] / np.sqrt(max(len(curves) - 1, 1))
    return CurveDistribution(mean, np.round(scale * basis[:COMPONENTS], 9), curves)


def _chosen(models: tuple[str, ...] | None) -> dict[str, Stops]:
    curves = measured_curves()
    if models is None:
        return curves
    unknown = [model for model in models if model not in curves]
    if unknown or not models:
        raise ValueError(f"models: unknown model {unknown or '()'}; expected some of {', '.join(curves)}")
    return {model: curves[model] for model in models}

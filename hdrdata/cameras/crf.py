"""Camera response functions: rising curves f from relative exposure [0, 1] to response [0, 1]."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

WHITE = 254  # a saturated pixel of a stack; 255 never occurs there
Quantise = Literal["floor254", "round255"]  # floor(255 f), at most 254, as DrTMO; or round(255 f), as most cameras
Levels = Literal["floor254", "round255", "round65535"]  # the last of a photograph of 16 bits: round(65535 f)
Curve = Callable[[np.ndarray], np.ndarray]
EmorModel = tuple[  # mean response, basis, exposures
    Float64[np.ndarray, " samples"], Float64[np.ndarray, "basis samples"], Float64[np.ndarray, " samples"]
]


@dataclass(frozen=True)
class CameraResponse:
    """A camera response function with its inverse, both on float64 arrays of any shape.

    `inverse` gives the smallest exposure at which f reaches a response, where f rises; f(inverse(b)) = b there. Where a
    table makes f a staircase, `inverse` is its polyline through the steps.
    """

    name: str  # [a-z0-9_-]+: it becomes part of a sample key
    forward: Curve
    inverse: Curve
    levels: Levels = "floor254"  # that it makes: stacks floor, cameras of the world round

    @property
    def white(self) -> int:
        """The level of all light that is too much."""
        return {"floor254": WHITE, "round255": 255, "round65535": 65535}[self.levels]

    @property
    def steps(self) -> int:
        """Divisor that converts a level into an LDR value in [0, 1]."""
        return 65535 if self.levels == "round65535" else 255

    @property
    def clips(self) -> float:
        """LDR value at and above which light is unknown: the value of `white`; for 16 bits, the white of 8 bits."""
        return WHITE / 255 if self.levels == "floor254" else 254.5 / 255

    def __call__(self, exposure: np.ndarray) -> np.ndarray:
        return self.forward(exposure)


def sampled_crf(name: str, exposures: np.ndarray, responses: np.ndarray, *, smooth: bool = False) -> CameraResponse:
    """A CRF through samples: linear between them, or a monotone cubic (PCHIP) in the square root of exposure.

    Args:
        exposures: rising from 0 to 1.
        responses: never falling, within [0, 1]; where they stand still, `inverse` gives the left end.
        smooth: PCHIP in sqrt(exposure), which follows film curves sampled at (k/n)^2.

    Raises:
        ValueError: naming the curve and the sample, if exposures do not rise from 0 to 1 or responses fall or leave [0,
            1].
    """
    x = np.asarray(exposures, dtype=np.float64)
    y = np.asarray(responses, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.size < 2:
        raise ValueError(f"CRF {name}: {x.shape} exposures and {y.shape} responses; expected two rows of equal length")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"CRF {name}: a sample is not finite")
    if x[0] != 0 or x[-1] != 1 or (np.diff(x) <= 0).any():
        raise ValueError(f"CRF {name}: exposures run from {x[0]:g} to {x[-1]:g}; expected them rising from 0 to 1")
    if y.min() < 0 or y.max() > 1:
        raise ValueError(f"CRF {name}: responses reach from {y.min():g} to {y.max():g}; expected [0, 1]")
    fall = np.flatnonzero(np.diff(y) < 0)
    if fall.size:
        k = int(fall[0])
        raise ValueError(
            f"CRF {name}: falls from {y[k]:g} to {y[k + 1]:g} at exposure {x[k + 1]:g}; expected a rising curve"
        )

    if smooth:
        from scipy.interpolate import PchipInterpolator  # takes a third of a second to import

        cubic = PchipInterpolator(np.sqrt(x), y)
        dense = np.linspace(0, 1, 16385)

        def forward(exposure: np.ndarray) -> np.ndarray:
            return np.clip(cubic(np.sqrt(exposure)), 0.0, 1.0)

        x, y = dense**2, np.maximum.accumulate(forward(dense**2))
    else:

        def forward(exposure: np.ndarray) -> np.ndarray:
            return np.interp(exposure, x, y)

    rising = np.concatenate([[True], np.diff(y) > 0])
    inverse_x, inverse_y = x[rising], y[rising]

    def inverse(response: np.ndarray) -> np.ndarray:
        return np.interp(response, inverse_y, inverse_x)

    return CameraResponse(name, forward, inverse)


def gamma_crf(name: str, exponent: float) -> CameraResponse:
    """B = I ** exponent."""
    return CameraResponse(
        name, lambda exposure: np.power(exposure, exponent), lambda response: np.power(response, 1 / exponent)
    )


def sigmoid_crf(name: str, n: float, sigma: float) -> CameraResponse:
    """f(I) = (1 + sigma) I^n / (I^n + sigma), the curve of HDRCNN (see `SigmoidCrf`)."""

    def forward(exposure: np.ndarray) -> np.ndarray:
        power = np.power(exposure, n)
        return (1 + sigma) * power / (power + sigma)

    def inverse(response: np.ndarray) -> np.ndarray:
        return np.power(sigma * np.asarray(response) / (1 + sigma - response), 1 / n)

    return CameraResponse(name, forward, inverse)


def weighted_sum(
    weights: Float64[np.ndarray, " curves"], curves: Float64[np.ndarray, "curves values"]
) -> Float64[np.ndarray, " values"]:
    """Add curves one after another, the same bits on every processor, as BLAS does not."""
    return (weights[:, None] * curves).sum(axis=0)


def emor_crf(model: EmorModel, weights: tuple[float, ...]) -> CameraResponse:
    """Return f0 + sum of weights times the basis curves that `read_emor` read; its name contains the weights.

    Raises:
        ValueError: if that is no rising curve.
    """
    mean, basis, exposures = model
    responses = mean + weighted_sum(np.asarray(weights, dtype=np.float64), basis[: len(weights)])
    return sampled_crf(key_name("-".join(["emor", *(f"{weight:g}" for weight in weights)])), exposures, responses)


def srgb_crf() -> CameraResponse:
    """The transfer function of sRGB, IEC 61966-2-1."""

    def forward(exposure: np.ndarray) -> np.ndarray:
        exposure = np.asarray(exposure, dtype=np.float64)
        return np.where(exposure <= 0.0031308, 12.92 * exposure, 1.055 * np.power(exposure, 1 / 2.4) - 0.055)

    def inverse(response: np.ndarray) -> np.ndarray:
        response = np.asarray(response, dtype=np.float64)
        return np.where(response <= 0.0031308 * 12.92, response / 12.92, np.power((response + 0.055) / 1.055, 2.4))

    return CameraResponse("srgb", forward, inverse)


def staircase_crf(
    name: str, levels: np.ndarray, exposures: np.ndarray, quantise: Quantise = "floor254"
) -> CameraResponse:
    """A CRF known only as a table of 8-bit levels: z(x) is the largest level whose smallest exposure is <= x.

    Args:
        levels: rising 8-bit values [0, 254]; up to 255 of a camera that rounds.
        exposures: the smallest relative exposure that gives each, rising from 0 and below 1.
        quantise: how the table was made.
    """
    levels = np.asarray(levels, dtype=np.float64)
    exposures = np.asarray(exposures, dtype=np.float64)
    if exposures[0] != 0 or (np.diff(levels) <= 0).any() or (np.diff(exposures) <= 0).any():
        raise ValueError(f"CRF {name}: expected rising levels and exposures that rise from 0")
    half = 0.5 if quantise == "floor254" else 0.0
    middle = (levels + half) / 255  # which gives the level back, whatever the rounding

    def forward(exposure: np.ndarray) -> np.ndarray:
        return middle[np.searchsorted(exposures, exposure, side="right") - 1]

    steps = np.append(exposures, max(1.0, exposures[-1]))
    corners = np.append(np.maximum(levels + half - 0.5, 0.0), 255.0) / 255  # the least response that gives each

    def inverse(response: np.ndarray) -> np.ndarray:
        return np.interp(response, corners, steps)

    return CameraResponse(name, forward, inverse, quantise)


def key_name(text: str) -> str:
    """A CRF's name as a part of a sample key: 'gamma-2.2' -> 'gamma-2p2', 'Gold+' -> 'gold-'."""
    return re.sub(r"[^a-z0-9_-]", "-", re.sub(r"(?<=\d)\.(?=\d)", "p", text.lower()))

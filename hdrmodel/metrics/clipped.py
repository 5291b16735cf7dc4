"""Visible errors in clipped areas: level, structure, border and hue.

Means over a whole picture hide these errors: a tint in a sky or a step at its border is worth a fraction of a decibel.
All take light that is aligned with the truth by a gain, and the mask of the values that the photograph clips.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

Light = Float[np.ndarray, "height width 3"]
Clipped = Bool[np.ndarray, "height width 3"]
DARKEST = 2.0**-14  # light below counts as this much
LEAST_CHROMA = 0.05  # a smaller distance between chromaticities has no hue error: it cannot be seen


def clipped_errors(estimate: Light, truth: Light, clipped: Clipped) -> dict[str, float]:
    """Return the errors of the light of clipped values; NaN where a picture has none.

    Let d = log2 estimate - log2 truth, in stops, over the clipped values of each channel.

    Returns:
        "bias": mean d; positive is too bright.
        "error": mean |d|.
        "structure": mean |d - mean d of its region|; a region is a connected area of values clipped in one channel.
        "step": mean |d(p) - d(q)| over neighbours p, q of one channel, where only p clips: the difference between the
            step at the border and the step of the truth.
        "hue": mean difference of the hue in degrees over pixels with a clipped channel, see `hue_error`.
    """
    difference = np.log2(np.maximum(estimate, DARKEST)) - np.log2(np.maximum(truth, DARKEST))
    inside = difference[clipped]
    pixels = clipped.any(axis=2)
    return {
        "bias": _mean(inside),
        "error": _mean(np.abs(inside)),
        "structure": _mean(np.concatenate([_structure(difference[..., c], clipped[..., c]) for c in range(3)])),
        "step": _mean(_steps(difference, clipped)),
        "hue": _mean(hue_error(estimate[pixels], truth[pixels])),
    }


def hue_error(
    estimate: Float[np.ndarray, "pixels 3"], truth: Float[np.ndarray, "pixels 3"]
) -> Float[np.ndarray, " pixels"]:
    """Return the angle between the hues of linear RGB in degrees, [0, 180].

    Hue is the angle of (r - (g + b) / 2, sqrt(3) / 2 (g - b)) with r, g, b = RGB / (R + G + B). It is undefined near
    grey, so the error is 0 where the two chromaticities are closer than `LEAST_CHROMA`.
    """
    (x1, y1), (x2, y2) = _chromaticity(estimate), _chromaticity(truth)
    turn = np.degrees(np.abs(np.arctan2(x2 * y1 - y2 * x1, x1 * x2 + y1 * y2)))
    return np.where(np.hypot(x1 - x2, y1 - y2) < LEAST_CHROMA, 0.0, turn)


def _chromaticity(light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r, g, b = (light / np.maximum(light.sum(axis=1, keepdims=True), DARKEST)).T
    return r - (g + b) / 2, np.sqrt(3) / 2 * (g - b)


def _structure(difference: np.ndarray, clipped: np.ndarray) -> np.ndarray:
    """Return |d - mean d of the region| of the clipped values of one channel."""
    count, labels = cv2.connectedComponents(clipped.astype(np.uint8), connectivity=8)
    labels, values = labels[clipped], difference[clipped]
    sums, sizes = np.bincount(labels, values, count), np.bincount(labels, minlength=count)
    return np.abs(values - (sums / np.maximum(sizes, 1))[labels.astype(np.intp)])


def _steps(difference: np.ndarray, clipped: np.ndarray) -> np.ndarray:
    """Return |d(p) - d(q)| of vertical and horizontal neighbours where one clips."""
    steps = []
    for axis in (0, 1):
        border = np.diff(clipped, axis=axis)
        steps.append(np.abs(np.diff(difference, axis=axis))[border])
    return np.concatenate(steps)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")

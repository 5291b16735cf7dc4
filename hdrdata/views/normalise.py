"""Light brought to a mean of 0.5, as half floats."""

import math

import numpy as np
from jaxtyping import Float, Float16

HALF_MAX = 65504.0
FEW_LEVELS = 4  # of 256 at EV 0: of these and fewer a user should know
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)  # ITU-R BT.709 as it is printed; part of every view


def normalise_view(
    radiance: Float[np.ndarray, "height width 3"],
) -> tuple[Float16[np.ndarray, "height width 3"], float, float]:
    """E <- 0.5 E / mean(E), rounded to half floats; values above 65,504 become 65,504 and are counted.

    The mean is over all pixels and the three channels. Endo, Kanamori and Mitani, "Deep Reverse Tone Mapping", SIGGRAPH
    Asia 2017; checked on their stacks.

    Returns:
        the view, the factor 0.5 / mean, and the share of values that were clipped.

    Raises:
        ValueError: if the picture is black.
    """
    mean = float(radiance.mean(dtype=np.float64))
    if not mean > 0:
        raise ValueError("the view is black; expected light")
    if not math.isfinite(mean):
        raise ValueError("the view holds light beyond the largest float; expected values below 1e38")
    scaled = radiance.astype(np.float64) * (0.5 / mean) + 0.0  # -0.0 becomes 0.0, whose bits are in the tables
    clipped = float((scaled > HALF_MAX).mean())
    return np.minimum(scaled, HALF_MAX).astype(np.float16), 0.5 / mean, clipped


def levels_of_most(radiance: Float[np.ndarray, "height width 3"]) -> int:
    """Return how many of 256 linear levels at EV 0 contain all except the brightest hundredth of the values: 1 to 256.

    At EV 0 the mean is 0.5. `FEW_LEVELS` or fewer say that a handful of pixels, such as a sun without a sky, has nearly
    all the light.
    """
    mean = float(radiance.mean(dtype=np.float64))
    high = float(np.percentile(radiance.astype(np.float32, copy=False), 99)) * 0.5 / mean if mean > 0 else 0.0
    return 1 + int(255 * min(high, 1.0))


def is_dark_but_for_few(view: Float16[np.ndarray, "height width 3"]) -> bool:
    """Return whether a normalised view has at most `FEW_LEVELS` levels; by its bits, which order halves >= 0."""
    limit = np.float16(FEW_LEVELS / 255).view(np.uint16)
    return bool(np.count_nonzero(view.view(np.uint16) < limit) >= 0.99 * view.size)


def stops_of(radiance: np.ndarray) -> float:
    """Dynamic range in stops: log2 of the 99.9th over the 1st percentile of the luminances above 0."""
    luminance = radiance.astype(np.float32) @ LUMINANCE
    luminance = luminance[luminance > 0]
    low, high = np.percentile(luminance, [1, 99.9]) if luminance.size else (1, 1)
    return float(np.log2(high / low))

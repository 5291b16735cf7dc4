"""A radiance map, its scale, and what every writer does with it: a band of rows at a time, the brightest clipped."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

Radiance = Float32[np.ndarray, "height width 3"]  # linear, BT.709 primaries, finite, >= 0; 1 is the photograph's white
Light = Float[np.ndarray, "height width 3"]

BAND_PIXELS = 2**17  # computed at once: a writer's memory is then its encoder's and the picture that it is given


@dataclass(frozen=True)
class Scale:
    """What the photograph's white, 1 in the radiance map, becomes.

    Raises:
        ValueError: if a number is not positive and finite.
    """

    nits: float = 203.0  # cd/m2; the reference white of ITU-R BT.2408
    white: float = 1.0  # its number in linear files (OpenEXR, Radiance)

    def __post_init__(self) -> None:
        for name, value in (("nits", self.nits), ("white", self.white)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive and finite, got {value}")


# From a path, a radiance map, its scale and facts about it; what the file could not hold comes back.
Writer = Callable[[Path, Radiance, Scale, dict[str, str]], list[str]]


def bands(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture in slices of about `BAND_PIXELS`."""
    rows = max(1, BAND_PIXELS // width)
    return (slice(top, top + rows) for top in range(0, height, rows))


def fill(
    out: np.ndarray,
    radiance: Radiance,
    factor: float,
    peak: float,
    encode: Callable[[np.ndarray], np.ndarray],
    primaries: Float[np.ndarray, "3 3"] | None = None,
) -> int:
    """Fill `out` with encode(min(factor * primaries * radiance, peak)).

    Args:
        primaries: a matrix to other primaries, which also brings double precision; as they are if None.

    Returns:
        how many pixels were above `peak`, in any channel, and are clipped to it.
    """
    clipped = 0
    with np.errstate(over="ignore"):  # light beyond the floats is clipped like the rest
        for rows in bands(*radiance.shape[:2]):
            light = radiance[rows] if primaries is None else radiance[rows].astype(np.float64) @ primaries.T
            light = light * light.dtype.type(factor)
            clipped += int((light.max(axis=2) > peak).sum())
            out[rows] = encode(np.minimum(light, light.dtype.type(peak), out=light))
    return clipped


def note(clipped: int, radiance: Radiance, limit: str) -> list[str]:
    """A sentence about the clipped pixels; none if there are none."""
    share = 100 * clipped / (radiance.shape[0] * radiance.shape[1])
    return [f"{share:.2g} % of the pixels are above {limit}, and clipped to it"] if clipped else []

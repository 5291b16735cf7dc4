"""A radiance map, its scale and source, and what every writer does with it: band by band, the brightest clipped."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8, UInt16

from hdrdata.files.bands import row_bands

# Linear, BT.709 primaries, finite; 1 is the photograph's white. Light outside of BT.709's triangle is negative there.
Radiance = Float32[np.ndarray, "height width 3"]
Light = Float[np.ndarray, "height width 3"]

FINEST = 99  # quality, from which the gain map of Ultra HDR has full resolution
BAND_PIXELS = 2**17  # computed at once: a writer's memory is then its encoder's and the picture that it is given


@dataclass(frozen=True)
class Scale:
    """Value of the photograph's white, 1 in the radiance map.

    Raises:
        ValueError: if a number is not positive and finite.
    """

    nits: float = 203.0  # cd/m2; the reference white of ITU-R BT.2408
    white: float = 1.0  # its number in linear files (OpenEXR, Radiance)

    def __post_init__(self) -> None:
        for name, value in (("nits", self.nits), ("white", self.white)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive and finite, got {value}")


@dataclass(frozen=True)
class Picture:
    """The photograph that a radiance map was made of, upright, encoded by sRGB's curve."""

    ldr: UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]
    to_bt709: Float[np.ndarray, "3 3"] | None = None  # from its linear light; None: its primaries are BT.709's
    icc: bytes | None = None  # the profile of exactly these values, from its file
    jpeg: bytes | None = None  # its file, if that is a JPEG of exactly these values


@dataclass(frozen=True)
class Metadata:
    """Descriptions in a photograph's file that its HDR image keeps, where the format has a place for them."""

    exif: bytes | None = None  # a TIFF stream, with its orientation reset
    xmp: bytes | None = None  # a packet of `hdrdata.photos.formats.xmp.reset_xmp`
    iptc: bytes | None = None  # IIM


NO_METADATA = Metadata()


@dataclass(frozen=True)
class Source:
    """Facts about its making that a file can contain."""

    facts: dict[str, str] = field(default_factory=dict)
    picture: Picture | None = None
    metadata: Metadata = NO_METADATA
    quality: int = FINEST  # of the JPEGs in Ultra HDR, 1 to 100
    mask: Bool[np.ndarray, "height width 3"] | None = None  # values that the network filled in


# From a path, a radiance map, its scale and its source; what the file could not hold comes back.
Writer = Callable[[Path, Radiance, Scale, Source], list[str]]


@dataclass
class Lost:
    """Pixels that a format could not hold as they were."""

    above: int = 0  # brighter than its peak in a channel
    outside: int = 0  # outside of the triangle of its primaries, by more than a thousandth of their light


def bands(height: int, width: int) -> Iterator[slice]:
    """Return the rows of a picture in slices of about `BAND_PIXELS`."""
    return row_bands(height, width, BAND_PIXELS)


def fill(
    out: np.ndarray,
    radiance: Radiance,
    factor: float,
    peak: float,
    encode: Callable[[np.ndarray], np.ndarray],
    primaries: Float[np.ndarray, "3 3"] | None = None,
    least: float = 0.0,
) -> Lost:
    """Fill `out` with encode(clip(factor * primaries * radiance, least, peak)).

    Args:
        primaries: a matrix to other primaries, which also brings double precision; as they are if None.
        least: 0, or below where the format holds light outside of its primaries.

    Returns:
        how many pixels were clipped.
    """
    lost = Lost()
    with np.errstate(over="ignore"):  # light beyond the floats is clipped like the rest
        for rows in bands(*radiance.shape[:2]):
            light = radiance[rows] if primaries is None else radiance[rows].astype(np.float64) @ primaries.T
            light = light * light.dtype.type(factor)
            brightest = light.max(axis=2)
            lost.above += int((brightest > peak).sum())
            if least == 0:
                lost.outside += int((light.min(axis=2) < -1e-3 * np.maximum(brightest, 0)).sum())
            out[rows] = encode(np.clip(light, light.dtype.type(least), light.dtype.type(peak), out=light))
    return lost


def notes_of(lost: Lost, radiance: Radiance, limit: str, gamut: str = "BT.709") -> list[str]:
    """A sentence about the clipped pixels of each kind; none if there are none."""
    share = 100 / (radiance.shape[0] * radiance.shape[1])
    notes = []
    if lost.above:
        notes.append(f"{share * lost.above:.2g} % of the pixels are above {limit}, and clipped to it")
    if lost.outside:
        notes.append(f"{share * lost.outside:.2g} % of the pixels are outside {gamut}, and clipped to it")
    return notes

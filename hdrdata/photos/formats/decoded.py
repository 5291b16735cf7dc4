"""The stored pixels of a photograph and what its file says of them, whatever its format."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hdrdata.files.claims import check_claim
from hdrdata.photos.colours.encodings import Encoding
from hdrdata.photos.colours.gain import GainMap

FULL = 0.98  # of a photosite, from which on it is taken for full
LOOSE = 4096  # bytes that a coder may make of one: `check_claim` asks for no more


@dataclass(frozen=True)
class AboveWhite:
    """Measured light of a camera RAW file, whose kinds of photosites are full at different light."""

    linear: np.ndarray  # (height, width, 3), linear light, 1 for white
    saturation: np.ndarray  # (height, width), of the fullest photosite near; 1 is full
    full: tuple[float, ...]  # light that fills each kind of photosite, the least is 1

    def keep_in(self, radiance: np.ndarray) -> None:
        """Put the measured light in the place of an estimate, in place.

        Where no photosite is full, the measured light is right. Elsewhere it is where it is above white and below what
        fills its own kind, and a lower bound else: the estimate is raised as a whole, so that it keeps its hue.
        """
        bright = self.linear.max(axis=2) > 1
        right = bright & (self.saturation < FULL)
        radiance[right] = self.linear[right]
        bound = bright & ~right
        measured, estimate = self.linear[bound], radiance[bound]
        most, stated = (light.max(axis=1, keepdims=True) for light in (estimate, measured))
        estimate = np.maximum(estimate * np.maximum(stated / np.maximum(most, 1e-6), 1), measured)
        known = (measured > 1) & (measured < FULL * np.array(self.full, np.float32))
        radiance[bound] = np.where(known, measured, estimate)


@dataclass(frozen=True)
class Decoded:
    """The stored pixels, which are handed out in bands of rows, and what their file says of them."""

    rows: Callable[[int, int], np.ndarray]  # (rows, width, channels), from the first row and the one after the last
    width: int
    height: int
    dtype: type  # np.uint8 or np.uint16, full scale
    colours: int  # 1 grey, 3 RGB, 4 CMYK; what a band has more is a channel of transparency
    bits: int = 8  # of a stored sample
    is_alpha: bool = True  # if False, what a band has more means nothing
    is_premultiplied: bool = False
    clear: np.ndarray | None = None  # the one colour that is transparent, of PNG's tRNS
    icc: bytes | None = None
    encoding: Encoding | None = None  # that the file states, which comes before its profile
    light: tuple[Callable[[np.ndarray], np.ndarray], str] | None = None  # of other colours; see `by_light`
    exif: bytes | None = None  # a TIFF stream
    xmp: bytes | None = None  # the packet
    iptc: bytes | None = None  # IIM, without Photoshop's frame
    gain: GainMap | None = None
    above: AboveWhite | None = None
    turn: int | None = None  # the orientation that is still to be undone; None: as EXIF says
    turned: int = 1  # the orientation that is undone already
    notes: list[str] = field(default_factory=list)


def of_array(pixels: np.ndarray, **facts: Any) -> Decoded:
    """Pixels that are decoded as a whole: (height, width) or (height, width, channels)."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    samples = pixels.shape[2]
    if pixels.dtype not in (np.uint8, np.uint16) or not 1 <= samples <= 5 or 0 in pixels.shape:
        raise ValueError(f"{samples} samples of {pixels.dtype} a pixel")
    height, width, _ = pixels.shape
    facts.setdefault("colours", 1 if samples < 3 else 3)
    facts.setdefault("bits", 8 * pixels.dtype.itemsize)
    return Decoded(lambda top, end: pixels[top:end], width, height, pixels.dtype.type, **facts)


def full_scale(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Samples of 9 to 15 bits in uint16 brought to 16, in which the largest is 65535."""
    if pixels.dtype != np.uint16 or bits >= 16 or bits <= 8:
        return pixels
    return (pixels << (16 - bits)) | (pixels >> (2 * bits - 16))


def check_size(path: Path, width: int, height: int, stored: int | None = None) -> None:
    """Refuse a size that no sound file of these bytes has, or that is too large for us.

    Args:
        stored: bytes before the format's own coder, which makes at most `LOOSE` pixels of a byte; None if a byte may
            hold any number of pixels.
    """
    check_claim(path, width, height, 0 if stored is None else stored)

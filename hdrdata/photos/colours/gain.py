"""Gain maps: the light of a photograph over its display image, by ISO 21496-1, Adobe and Android (XMP), and Apple."""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from hdrdata.photos.colours.encodings import bt709_light

ISO, XMP, APPLE = "gain map, ISO 21496-1", "gain map, XMP", "Apple's gain map"
NAMES = ("GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR")
USUAL = {"GainMapMin": 0.0, "Gamma": 1.0, "OffsetSDR": 1 / 64, "OffsetHDR": 1 / 64}
MOST_STOPS = 32.0
Boost = Callable[[Float32[np.ndarray, "*shape"]], Float32[np.ndarray, "*shape"]]


@dataclass(frozen=True)
class Formula:
    """Light from the display image's linear light, with all of the gain: (base + k) boost(map) - l."""

    name: str
    boost: Boost  # of the map's values [0, 1]
    offset_base: np.ndarray | float = 0.0
    offset_hdr: np.ndarray | float = 0.0


@dataclass(frozen=True)
class GainMap:
    """The values of a gain map, stored as its photograph is, and what they mean."""

    values: UInt8[np.ndarray, "height width *channels"] | UInt16[np.ndarray, "height width *channels"]
    formula: Formula

    def scaled_to(self, height: int, width: int) -> Float32[np.ndarray, "height width channels"]:
        """Return the values [0, 1] at the size of the photograph, interpolated bilinearly.

        Raises:
            ValueError: if the map has another shape than the photograph.
        """
        rows, columns = self.values.shape[:2]
        if not 0.9 < (columns * height) / (rows * width) < 1.1 and min(rows, columns) > 8:
            raise ValueError(f"it has {columns}x{rows} values, another shape than the photograph")
        values = self.values.astype(np.float32) / np.float32(np.iinfo(self.values.dtype).max)
        if (rows, columns) != (height, width):
            values = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
        return values.reshape(height, width, -1)

    def light(self, base: np.ndarray, values: np.ndarray) -> Float32[np.ndarray, "height width 3"]:
        """Return linear light, 1 for the display image's white.

        Args:
            base: linear light of the display image, [0, 1].
            values: of the map, [0, 1], at the size of `base`.
        """
        formula = self.formula
        light = (base + formula.offset_base) * formula.boost(values) - formula.offset_hdr
        return np.maximum(light, 0).astype(np.float32)


def by_numbers(name: str, low: list, high: list, gamma: list, offset_base: list, offset_hdr: list) -> Formula:
    """The formula of ISO 21496-1, also Adobe's and Android's: log2 of the gain is low + (high - low) map^(1 / gamma).

    Raises:
        ValueError: if a number cannot be meant.
    """
    rows = [np.array(values, np.float32) for values in (low, high, gamma, offset_base, offset_hdr)]
    least, most, power, base, hdr = rows
    if not all(np.isfinite(row).all() for row in rows) or (power <= 0).any():
        raise ValueError(f"its numbers are damaged (gamma {power.tolist()})")
    if np.abs(np.concatenate([np.atleast_1d(least), np.atleast_1d(most)])).max() > MOST_STOPS:
        raise ValueError(f"it states a gain of {most.max():g} stops; expected at most {MOST_STOPS:g}")
    return Formula(name, lambda values: np.exp2(least + (most - least) * values ** (1 / power)), base, hdr)


def by_iso(content: bytes) -> Formula:
    """Read the metadata of ISO 21496-1, annex C: versions, flags, headrooms and the numbers of each channel.

    Raises:
        ValueError: if it is cut short or damaged, or the stored image is the HDR one.
    """
    try:
        minimum, _, flags = struct.unpack_from(">HHB", content)
        channels = 3 if flags & 0x80 else 1
        if flags & 0x08:  # one denominator for all
            common, *numbers = struct.unpack_from(f">I2I{'2iI2i' * channels}", content, 5)
            pairs = [(number, common) for number in numbers]
        else:
            numbers = struct.unpack_from(f">4I{'iIiIIIiIiI' * channels}", content, 5)
            pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        fractions = [above / below for above, below in pairs]
    except (struct.error, ZeroDivisionError) as error:
        raise ValueError(f"its numbers are damaged ({error})") from error
    if minimum > 0:
        raise ValueError(f"it needs version {minimum} of ISO 21496-1; expected 0")
    if fractions[0] > fractions[1] or flags & 0x04:
        raise ValueError("the stored image is the HDR one")
    rows = [fractions[2 + 5 * channel : 7 + 5 * channel] for channel in range(channels)]
    return by_numbers(ISO, *([row[place] for row in rows] for place in range(5)))


def by_xmp(xmp: bytes) -> Formula | None:
    """Read Adobe's names in XMP, which Android's Ultra HDR uses; None without them.

    Raises:
        ValueError: if a number is damaged, or the stored image is the HDR one.
    """
    if b"hdrgm:GainMapMax" not in xmp:
        return None
    if re.search(rb'hdrgm:BaseRenditionIsHDR(="|>)\s*True', xmp):
        raise ValueError("the stored image is the HDR one")
    rows = []
    for name in NAMES:
        single = re.search(rf'hdrgm:{name}\s*=\s*["\']([^"\']*)["\']|<hdrgm:{name}>([^<]*)</'.encode(), xmp)
        several = re.search(rf"<hdrgm:{name}>\s*<rdf:Seq>(.*?)</rdf:Seq>".encode(), xmp, re.DOTALL)
        if several:
            rows.append([float(value) for value in re.findall(rb"<rdf:li>([^<]*)<", several[1])])
        else:
            rows.append([float(single[1] or single[2]) if single else USUAL.get(name, 1.0)])
        if len(rows[-1]) not in (1, 3):
            raise ValueError(f"{name} has {len(rows[-1])} numbers; expected 1 or 3")
    return by_numbers(XMP, *rows)


def by_apple(maker: dict[int, float], xmp: bytes) -> Formula | None:
    """Apple's formula, "Applying Apple HDR effect to your photos": 1 + (headroom - 1) map, the map by BT.709's curve.

    Args:
        maker: the numbers in Apple's maker note.
        xmp: of the photograph or its map; a headroom in it is used without the maker note.

    Returns:
        None if no headroom is stated.
    """
    stated = re.search(rb'HDRGainMapHeadroom(?:="|>)([-+.\deE]+)', xmp)
    if 33 in maker and 48 in maker:
        bright, dark = (maker[48] <= 0.01, maker[48])
        if maker[33] < 1:
            stops = -20 * dark + 1.8 if bright else -0.101 * dark + 1.601
        else:
            stops = -70 * dark + 3.0 if bright else -0.303 * dark + 2.303
        headroom = 2 ** max(stops, 0.0)
    elif stated:
        headroom = max(float(stated[1]), 1.0)
    else:
        return None
    if not headroom <= 2**MOST_STOPS:
        raise ValueError(f"it states a headroom of {headroom:g}")
    return Formula(APPLE, lambda values: 1 + np.float32(headroom - 1) * bt709_light(values).astype(np.float32))

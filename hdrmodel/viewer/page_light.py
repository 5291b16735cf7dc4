"""Light as the page shows it: measured, shrunk, packed, in false colours."""

import base64
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

LONGEST_SIDE = 16_384  # pixels; some browsers have no longer canvas
BINS = 10  # of the histogram in a stop; the slider's steps are as long, so that the clipped share is exact
BAND = 2**22  # values that are measured at once
MOST_STOPS = 40  # of the histogram, below the brightest pixel
GREY = 0.18  # what the automatic exposure makes of the mean luminance
FAR = 5  # stops; a picture whose automatic exposure is further from 0 opens at that
WARM = ((122, 15, 60), (209, 54, 91), (255, 157, 138), (255, 240, 236))  # sRGB, the false colours from 1.0 up


@dataclass(frozen=True)
class Measures:
    """Measures of the light of an image; a pixel's stops are log2 of its luminance, 0 at 1.0.

    Luminance is BT.709's, 0.2126 R + 0.7152 G + 0.0722 B. Percentiles and the mean are of the pixels above 0.
    """

    low: int  # stops, where the histogram begins: at or below the 0.1th percentile
    high: int  # stops, where it ends: above every pixel
    counts: tuple[int, ...]  # pixels a bin of a tenth of a stop; bin k holds low + [k, k + 1) / 10
    darker: int  # pixels above 0 and below the histogram
    black: int
    pixels: int
    smallest: float  # luminance above 0
    largest: float
    percentiles: tuple[float, float, float]  # luminance: 0.1th, 1st, 99.9th
    log_mean: float  # the geometric mean luminance
    above: int  # pixels whose luminance is 1.0 or more
    above_any: int  # pixels with a channel of 1.0 or more

    @property
    def stops(self) -> float:
        """Dynamic range: log2 of the 99.9th over the 0.1th percentile."""
        return math.log2(self.percentiles[2] / self.percentiles[0])

    @property
    def auto_ev(self) -> float:
        """The exposure that makes the geometric mean 0.18, within the slider's range."""
        least, most = self.evs
        return min(max(round(math.log2(GREY / self.log_mean), 1), least), most)

    @property
    def evs(self) -> tuple[float, float]:
        """The slider's range: from where the brightest pixel just fits to where 99 % of the pixels are white."""
        return min(-float(self.high), -2.0), max(float(math.ceil(-math.log2(self.percentiles[1]))), 2.0)


# Light


def luminance_of(radiance: Float32[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width"]:
    """0.2126 R + 0.7152 G + 0.0722 B (ITU-R BT.709), computed so that the luminance of a grey is that grey to the bit.

    The page's script computes the same.
    """
    luminance = np.empty(radiance.shape[:2], np.float32)
    bands = min(radiance.size // BAND + 1, len(radiance))  # so that doubles take little memory
    for rows, out in zip(np.array_split(radiance, bands), np.array_split(luminance, bands), strict=True):
        red, green, blue = rows.astype(np.float64).transpose(2, 0, 1)
        out[:] = green + 0.2126 * (red - green) + 0.0722 * (blue - green)
    return luminance


def measure_light(radiance: Float32[np.ndarray, "height width 3"], file: Path) -> Measures:
    """Measure a picture that `repair_radiance` has seen.

    Raises:
        ValueError: naming `file`, if every pixel is black.
    """
    light = luminance_of(radiance).ravel()
    pixels = light.size
    light = light[light > 0]
    if light.size == 0:
        raise ValueError(f"{file}: every pixel is black; expected light")
    smallest, largest = float(light.min()), float(light.max())
    low_percent, percent, high_percent = np.percentile(light, [0.1, 1, 99.9])
    high = max(math.floor(math.log2(largest)) + 1, 1)
    low = max(min(math.floor(math.log2(low_percent)), -2), high - MOST_STOPS)
    counts, darker, total = np.zeros((high - low) * BINS, np.int64), 0, 0.0
    for part in np.array_split(light, light.size // BAND + 1):
        stops = np.log2(part, dtype=np.float64)
        bins = np.floor(stops * BINS).astype(np.int64) - low * BINS
        counts += np.bincount(bins[bins >= 0], minlength=len(counts))
        darker += int((bins < 0).sum())
        total += float(stops.sum())
    return Measures(
        low=low,
        high=high,
        counts=tuple(counts.tolist()),
        darker=darker,
        black=pixels - light.size,
        pixels=pixels,
        smallest=smallest,
        largest=largest,
        percentiles=(float(low_percent), float(percent), float(high_percent)),
        log_mean=2.0 ** (total / light.size),
        above=int((light >= 1).sum()),
        above_any=int((radiance >= 1).any(axis=2).sum()),
    )


def far_from_one(radiance: Float32[np.ndarray, "height width 3"]) -> int:
    """Return the power of two that the largest value has, if stops around 1 would not show the picture; else 0."""
    largest = float(radiance.max(initial=0))
    power = math.frexp(largest)[1] if largest > 0 else 0
    return power if not -MOST_STOPS // 2 <= power <= MOST_STOPS - 2 else 0


def shrink_light(
    radiance: Float32[np.ndarray, "height width 3"], max_pixels: int
) -> Float32[np.ndarray, "less_height less_width 3"]:
    """The picture with at most about `max_pixels` pixels, each the mean light of its area."""
    height, width, _ = radiance.shape
    factor = min(math.sqrt(max_pixels / (height * width)), LONGEST_SIDE / max(height, width))
    if factor >= 1:
        return radiance
    size = max(1, math.floor(width * factor)), max(1, math.floor(height * factor))
    return cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)


def pack_light(radiance: Float32[np.ndarray, "height width 3"]) -> tuple[str, float, bool]:
    """Light for the page's script: half floats of light over `unit`, so filtered that little is left of them.

    The unit is the power of two that brings the largest value to 2^15 or above, up to 65504, the largest half float. So
    half floats stay as they are; all others come within 2^-11 of themselves, 0.05 %, over the brightest 29 stops.

    Of the bits as whole numbers, modulo 2^16: red and blue less green, then each less the one on its left, d; then
    2 d, or -2 d - 1 if d is below zero, so that small ones of both signs have a high byte of 0. Planes of high bytes,
    then of low bytes, deflated, in base64.

    Returns:
        the text, the unit, and whether every value is exact.
    """
    unit = 2.0 ** (math.floor(math.log2(float(radiance.max()))) - 15)
    if float(radiance.max()) / unit > 65504:  # it would round up to 2^16
        unit *= 2
    scaled = radiance / np.float64(unit)
    half = scaled.astype(np.float16)
    bits = np.ascontiguousarray(half.view(np.uint16).transpose(2, 0, 1))
    planes = _filtered(bits)
    content = (planes >> 8).astype(np.uint8).tobytes() + planes.astype(np.uint8).tobytes()
    return base64.b64encode(zlib.compress(content, 6)).decode(), unit, bool((half == scaled).all())


def _filtered(bits: UInt16[np.ndarray, "3 height width"]) -> UInt16[np.ndarray, "3 height width"]:
    planes = bits.copy()
    planes[[0, 2]] -= planes[1]
    differences = np.diff(planes, axis=2, prepend=np.uint16(0)).view(np.int16)
    return ((differences << 1) ^ (differences >> 15)).view(np.uint16)


def tonemap_photographic(
    radiance: Float32[np.ndarray, "height width 3"], ev: float, largest: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Display a picture as the page's "Reinhard" does.

    L_d = L (1 + L / L_white^2) / (1 + L), where L is the luminance times 2^ev, and L_white the luminance of `largest`.
    A pixel's colours are scaled by L_d / L, clipped, and encoded as sRGB. Reinhard, Stark, Shirley and Ferwerda,
    "Photographic Tone Reproduction for Digital Images", SIGGRAPH 2002, equation 4, with the exposure in place of the
    key.
    """
    luminance = luminance_of(radiance).astype(np.float64) * 2.0**ev
    scale = 2.0**ev * (1 + luminance / (largest * 2.0**ev) ** 2) / (1 + luminance)
    linear = np.minimum(radiance * scale[:, :, None], 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * encoded).astype(np.uint8)


def false_colors(low: int, high: int) -> UInt8[np.ndarray, "stops 3"]:
    """The colour of each stop from `low` to `high`, sRGB.

    Below 1.0 cividis, dark blue to yellow; from 1.0 up dark red to white. Lightness rises along each, and falls once,
    at 1.0: so that step is seen without colours too. Nunez, Anderton and Renslow, "Optimizing colormaps with
    consideration for color vision deficiency", PLOS ONE 2018.
    """
    places = np.rint(np.linspace(0, 255, -low)).astype(np.uint8)
    below = cv2.applyColorMap(places[:, None], cv2.COLORMAP_CIVIDIS)[:, 0, ::-1]
    anchors, steps = np.linspace(0, 1, len(WARM)), np.linspace(0, 1, max(high, 2))[:high]
    above = np.stack([np.interp(steps, anchors, channel) for channel in zip(*WARM, strict=True)], axis=1)
    return np.concatenate([below, np.rint(above)]).astype(np.uint8)

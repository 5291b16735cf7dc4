"""Luminance and chroma to RGB, as OpenEXR stores photographs: Y, RY and BY, the chroma at half the size."""

import numpy as np
from jaxtyping import Float, Float32

from hdrdata.files.bands import row_bands
from hdrdata.files.hdr.primaries import REC709, luminance_weights

TAPS = np.array([0.002128, -0.007540, 0.019597, -0.043159, 0.087929, -0.186077, 0.627123], np.float32)  # to the middle
Plane = Float[np.ndarray, "height width"]
Picture = Float32[np.ndarray, "height width 3"]


def luma_to_rgb(
    y: Plane,
    ry: Float[np.ndarray, "chroma_height chroma_width"],
    by: Float[np.ndarray, "chroma_height chroma_width"],
    chromaticities: tuple[float, ...] | None,
) -> Float32[np.ndarray, "height width 3"]:
    """RGB of the file's own primaries, by the formula of OpenEXR's RgbaInputFile.

    R = (RY + 1) Y, B = (BY + 1) Y and G = (Y - wr R - wb B) / wg, where w are the luminances of the primaries
    ("Technical Introduction to OpenEXR", Luminance/Chroma Images). Chroma of half the size is interpolated by OpenEXR's
    filter of 14 taps; that makes pixels at sharp edges much more saturated than their neighbours, and these lose it.

    Args:
        ry, by: of the size of y, or of half of it, rounded up.
        chromaticities: x and y of red, green, blue and white; None: Rec.709's.

    Raises:
        ValueError: if the chroma is of another size.
    """
    height, width = y.shape
    if ry.shape not in ((height, width), ((height + 1) // 2, (width + 1) // 2)):
        raise ValueError("channels Y, RY, BY differ in size; expected chroma of the size of Y or of half of it")
    weights = luminance_weights(chromaticities or REC709)
    sparse = ry.shape != y.shape
    chroma = [_doubled(_doubled(c, 1, width), 0, height) if sparse else c.astype(np.float32) for c in (ry, by)]
    made = np.empty((height, width, 3), np.float32)
    for inside in row_bands(height, width):
        around = np.clip(np.arange(inside.start - 1, inside.stop + 1), 0, height - 1)
        rgb = _to_rgb(y[around].astype(np.float32), chroma[0][around], chroma[1][around], weights)
        made[inside] = _less_saturated(rgb, weights) if sparse else rgb[1:-1]
    return made


def _doubled(plane: Plane, axis: int, size: int) -> Float32[np.ndarray, "doubled_height doubled_width"]:
    """Return a plane with a value between each two along an axis; the ends are repeated."""
    plane = np.moveaxis(plane.astype(np.float32, copy=False), axis, 0)
    padded = np.concatenate([plane[:1]] * 6 + [plane] + [plane[-1:]] * 7)
    made = np.empty((2 * len(plane), plane.shape[1]), np.float32)
    made[0::2] = plane
    between = made[1::2]
    between[...] = 0
    with np.errstate(invalid="ignore", over="ignore"):  # what is no light is counted later
        for place, tap in enumerate((*TAPS, *TAPS[::-1])):
            between += tap * padded[place : place + len(plane)]
    return np.ascontiguousarray(np.moveaxis(made[:size], 0, axis))


def _to_rgb(y: Plane, ry: Plane, by: Plane, weights: Float[np.ndarray, " 3"]) -> Picture:
    rgb = np.empty((*y.shape, 3), np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        rgb[:, :, 0] = (ry + 1) * y
        rgb[:, :, 2] = (by + 1) * y
        green = (y - rgb[:, :, 0] * np.float32(weights[0]) - rgb[:, :, 2] * np.float32(weights[2])) / weights[1]
    rgb[:, :, 1] = np.where((ry == 0) & (by == 0), y, green)  # grey stays exact
    return rgb


def _less_saturated(rgb: Picture, weights: Float[np.ndarray, " 3"]) -> Float32[np.ndarray, "inner_height width 3"]:
    """Return the inner rows, with saturation above the four diagonal neighbours limited to 3/4 of the rest."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        most = rgb.max(axis=2)
        saturation = np.where(most > 0, 1 - rgb.min(axis=2) / most, 0)
        wide = np.pad(saturation, ((0, 0), (1, 1)), mode="edge")
        mean = (wide[:-2, :-2] + wide[:-2, 2:] + wide[2:, :-2] + wide[2:, 2:]) / 4
        mean = np.minimum(mean, 1)
        limit = 1 - (1 - mean) / 4
        inner, own, most = rgb[1:-1], saturation[1:-1], most[1:-1, :, None]
        too_much = own > limit
        less = np.maximum(most - (most - inner) * (limit / own)[:, :, None], 0)
        before, after = inner @ np.float32(weights), less @ np.float32(weights)
        less *= np.where(after > 0, before / after, 1)[:, :, None]
    return np.where(too_much[:, :, None], less, inner)

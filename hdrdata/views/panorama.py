"""Perspective views of a panorama."""

import math
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, Float32


def is_panorama(height: int, width: int) -> bool:
    """Return whether an image has the shape of an equirectangular panorama: 2:1, within a pixel on either side."""
    return abs(width - 2 * height) <= 2


def views_of_panorama(
    panorama: Float[np.ndarray, "height width 3"],
    size: int,
    fov_degrees: float,
    pitch_degrees: float,
    azimuths_degrees: Sequence[int | float],
) -> Float32[np.ndarray, "azimuths size size 3"]:
    """Perspective views of an equirectangular panorama, each pixel the mean light over its area.

    The panorama's centre is azimuth 0, its right side azimuth 90; its top row is the zenith. Where the views have fewer
    pixels than the panorama, the panorama is first reduced by area to at most twice the views' density; then each view
    pixel is the mean of a grid of bilinear samples.

    Args:
        panorama: radiance, linear; half floats take half the memory and give the same pixels as float32.
        fov_degrees: across a view's width and height.
        pitch_degrees: upwards.
        azimuths_degrees: of the views, clockwise.
    """
    density = panorama.shape[1] * fov_degrees / 360 / size  # source pixels a view pixel, about the middle
    shrink = max(1, math.floor(density))
    seamless = _reduce_panorama(panorama, shrink)
    height, width = seamless.shape[0], seamless.shape[1] - 2
    samples = max(2, math.ceil(2 * density / shrink))  # a side

    focal = size / 2 / math.tan(math.radians(fov_degrees) / 2)
    offsets = ((np.arange(size * samples) + 0.5) / samples - size / 2) / focal
    pitch = math.radians(pitch_degrees)
    views = np.empty((len(azimuths_degrees), size, size, 3), np.float32)
    band = max(1, 2**20 // (size * samples**2))  # rows of a view whose samples are made at once
    for top in range(0, size, band):
        right, down = np.meshgrid(offsets, offsets[top * samples : (top + band) * samples])
        up = -down * math.cos(pitch) + math.sin(pitch)
        forward = down * math.sin(pitch) + math.cos(pitch)
        longitude = np.arctan2(right, forward)
        latitude = np.arctan2(up, np.hypot(right, forward))
        row = np.clip((0.5 - latitude / math.pi) * height - 0.5, 0, height - 1).astype(np.float32)
        for view, azimuth in zip(views, azimuths_degrees, strict=True):
            column = np.mod((longitude + math.radians(azimuth)) / (2 * math.pi) + 0.5, 1.0) * width - 0.5
            sampled = sample_bilinear(seamless, (column + 1).astype(np.float32), row)
            view[top : top + band] = sampled.reshape(-1, samples, size, samples, 3).mean(axis=(1, 3), dtype=np.float32)
    return views


def _reduce_panorama(
    panorama: Float[np.ndarray, "height width 3"], shrink: int
) -> Float32[np.ndarray, "smaller_height seamless_width 3"]:
    """A panorama reduced by area to 1 / shrink, with its last column also before its first and its first after it."""
    height, width = (max(least, round(side / shrink)) for side, least in zip(panorama.shape[:2], (1, 2), strict=True))
    seamless = np.empty((height, width + 2, 3), np.float32)  # the seam lies inside
    middle = seamless[:, 1:-1]
    if shrink == 1:
        middle[...] = panorama
    elif panorama.dtype == np.float32 or shrink == 2:  # OpenCV sums 2 x 2 pixels of one channel in another order
        single = panorama.astype(np.float32, copy=False)
        middle[...] = cv2.resize(single, (width, height), interpolation=cv2.INTER_AREA)
    else:
        plane = np.empty(panorama.shape[:2], np.float32)
        for channel in range(3):  # one channel as float32 at a time: a third of the memory
            plane[...] = panorama[:, :, channel]
            middle[:, :, channel] = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    seamless[:, 0], seamless[:, -1] = middle[:, -1], middle[:, 0]
    return seamless


def sample_bilinear(
    picture: Float32[np.ndarray, "height width 3"],
    column: Float32[np.ndarray, "rows columns"],
    row: Float32[np.ndarray, "rows columns"],
) -> Float32[np.ndarray, "rows columns 3"]:
    """Return bilinear samples of a picture, the same bits on every processor.

    OpenCV rounds each a * b + c once on processors that can (x86 with AVX2, ARM), and twice on others. There NumPy
    computes what OpenCV gives elsewhere.

    Args:
        column: place of each sample, in [0, width - 1); 0 is the centre of the first column.
        row: in [0, height - 1].
    """
    if _opencv_rounds_once():
        return cv2.remap(picture, column, row, cv2.INTER_LINEAR)
    return np.concatenate([_sample_fused(picture, *band) for band in zip(column, row, strict=True)])


@cache
def _opencv_rounds_once() -> bool:
    draw = np.random.default_rng(0)
    picture = draw.random((4, 64, 3), np.float32)
    column, row = 60 * draw.random((1, 64), np.float32), 3 * draw.random((1, 64), np.float32)
    return np.array_equal(cv2.remap(picture, column, row, cv2.INTER_LINEAR), _sample_fused(picture, column[0], row[0]))


def _sample_fused(
    picture: Float32[np.ndarray, "height width 3"],
    column: Float32[np.ndarray, " columns"],
    row: Float32[np.ndarray, " columns"],
) -> Float32[np.ndarray, "1 columns 3"]:
    """One row of bilinear samples, first along rows; products of two single floats are exact in double floats."""

    def between(
        share: Float32[np.ndarray, "columns 1"], low: Float32[np.ndarray, "columns 3"],
        high: Float32[np.ndarray, "columns 3"],
    ) -> Float32[np.ndarray, "columns 3"]:  # fmt: skip
        return (share.astype(np.float64) * (high - low) + low).astype(np.float32)

    left, top = np.floor(column).astype(np.intp), np.floor(row).astype(np.intp)
    across, down = (column - left.astype(np.float32))[:, None], (row - top.astype(np.float32))[:, None]
    bottom = np.minimum(top + 1, len(picture) - 1)  # whose share is 0 in the last row
    upper = between(across, picture[top, left], picture[top, left + 1])
    lower = between(across, picture[bottom, left], picture[bottom, left + 1])
    return between(down, upper, lower)[None]

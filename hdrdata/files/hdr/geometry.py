"""From the pixels that are stored to the picture that is meant: windows, the shape of pixels, cubes."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

from hdrdata.files.claims import MAX_PIXELS, check_claim

MOST_STRETCHED = 8  # a pixel's width to its height, or the other way
BAND_SAMPLES = 2**18


def in_display_window(path: Path, header: dict, pixels: np.ndarray) -> np.ndarray:
    """The picture that is meant to be seen: the part of the pixels inside of it, black where there are none.

    Args:
        header: of an OpenEXR part; `pixels` fill its data window.

    Raises:
        ValueError: naming the file, if there is nothing to see.
    """
    (left, top), (right, bottom) = (tuple(int(x) for x in corner) for corner in header["displayWindow"])
    x, y = (int(first) for first in header["dataWindow"][0])
    height, width = pixels.shape[:2]
    if (left, top, right, bottom) == (x, y, x + width - 1, y + height - 1):
        return pixels
    check_claim(path, right - left + 1, bottom - top + 1, (right - left + 1) * (bottom - top + 1) * 12)
    seen = np.zeros((bottom - top + 1, right - left + 1, *pixels.shape[2:]), pixels.dtype)
    rows = slice(max(top, y), min(bottom + 1, y + height))
    columns = slice(max(left, x), min(right + 1, x + width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise ValueError(f"{path}: its data window lies outside of its display window; wanted pixels to see")
    inside = pixels[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    seen[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = inside
    return seen


def square_pixels(path: Path, pixels: np.ndarray, ratio: float) -> np.ndarray:
    """The picture with square pixels: as high as it is, and `ratio` times as wide; by area where that is narrower.

    Args:
        ratio: a pixel's width to its height.

    Raises:
        ValueError: naming the file, if no lens stretches so much, or it becomes too large.
    """
    if not 1 / MOST_STRETCHED <= ratio <= MOST_STRETCHED:
        raise ValueError(
            f"{path}: pixels {ratio:g} times as wide as high; wanted 1/{MOST_STRETCHED} to {MOST_STRETCHED} times"
        )
    height, width = pixels.shape[:2]
    wanted = max(1, round(width * ratio))
    if wanted == width:
        return pixels
    if wanted * height > MAX_PIXELS:
        raise ValueError(f"{path}: {wanted}x{height} square pixels; wanted at most {MAX_PIXELS}")
    how = cv2.INTER_AREA if wanted < width else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels, np.float32), (wanted, height), interpolation=how)


def panorama_of_cube(path: Path, cube: np.ndarray) -> Float32[np.ndarray, "height width 3"]:
    """An equirectangular panorama of six faces one under the other: +X, -X, +Y, -Y, +Z, -Z, as OpenEXR stores them.

    The middles of a face's outer pixels lie on its edges; the panorama's centre looks along +Z, its left half is +X
    ("OpenEXR File Layout", Environment Maps). Each pixel is the mean of four bilinear samples; it is four faces wide.

    Raises:
        ValueError: naming the file, if it is not six squares.
    """
    height, size = cube.shape[:2]
    if height != 6 * size or size < 2:
        raise ValueError(f"{path}: an environment cube of {size}x{height} pixels; wanted six squares in a column")
    high, wide = 2 * size, 4 * size
    flat = np.ascontiguousarray(cube, np.float32).reshape(-1, 3)
    panorama = np.empty((high, wide, 3), np.float32)
    longitude = np.pi - 2 * np.pi * (np.arange(2 * wide) + 0.5) / (2 * wide)
    rows = max(1, BAND_SAMPLES // (4 * wide))
    for top in range(0, high, rows):
        count = min(rows, high - top)
        latitude = np.pi / 2 - np.pi * (np.arange(2 * top, 2 * (top + count))[:, None] + 0.5) / (2 * high)
        direction = (
            np.sin(longitude) * np.cos(latitude),
            np.broadcast_to(np.sin(latitude), (2 * count, 2 * wide)),
            np.cos(longitude) * np.cos(latitude),
        )
        samples = _sample(flat, size, *direction)
        panorama[top : top + count] = samples.reshape(count, 2, wide, 2, 3).mean(axis=(1, 3))
    return panorama


def _sample(flat: np.ndarray, size: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Light from directions, bilinear within the face that each meets."""
    wide, high, deep = np.abs(x), np.abs(y), np.abs(z)
    on_x = (wide >= high) & (wide >= deep)
    on_y = ~on_x & (high >= deep)
    far = np.where(on_x, wide, np.where(on_y, high, deep))
    first = (np.where(on_x, y, x) / far + 1) / 2 * (size - 1)
    second = (np.where(on_x | on_y, z, y) / far + 1) / 2 * (size - 1)
    negative = np.where(on_x, x, np.where(on_y, y, z)) <= 0
    face = np.where(on_x, 0, np.where(on_y, 2, 4)) + negative
    last = size - 1
    column = np.select([face == 0, face == 1, face == 4], [second, last - second, last - first], first)
    row = np.select([face <= 1, face == 3], [last - first, second], last - second)
    left, top = (np.minimum(place.astype(np.int64), size - 2) for place in (column, row))
    right_share, low_share = ((place - start)[..., None] for place, start in ((column, left), (row, top)))
    corner = (face * size + top) * size + left
    with np.errstate(invalid="ignore"):
        upper = flat[corner] * (1 - right_share) + flat[corner + 1] * right_share
        lower = flat[corner + size] * (1 - right_share) + flat[corner + size + 1] * right_share
        return upper * (1 - low_share) + lower * low_share

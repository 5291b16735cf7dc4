"""From the pixels that are stored to the picture: its canvas, the shape of pixels, cubes."""

import re
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Num

from hdrdata.files.claims import MAX_PIXELS, check_claim

MOST_STRETCHED = 8  # a pixel's width to its height, or the other way
BAND_SAMPLES = 2**18


def on_canvas(
    path: Path, pixels: Num[np.ndarray, "height width *channels"], left: int, top: int, width: int, height: int
) -> Num[np.ndarray, "canvas_height canvas_width *channels"]:
    """Return the canvas that a file states, black where it has no pixels; pixels beyond the canvas are left out.

    Args:
        left, top: the place of the first pixel on the canvas, which may be negative.
        width, height: of the canvas, in pixels.

    Raises:
        ValueError: naming the file, if no pixel is on the canvas, or the file cannot hold one of its size.
    """
    rows, columns = pixels.shape[:2]
    if (left, top, width, height) == (0, 0, columns, rows):
        return pixels
    check_claim(path, width, height, width * height * 12)
    seen = np.zeros((height, width, *pixels.shape[2:]), pixels.dtype)
    vertical = slice(max(0, top), min(height, top + rows))
    horizontal = slice(max(0, left), min(width, left + columns))
    if vertical.start >= vertical.stop or horizontal.start >= horizontal.stop:
        raise ValueError(
            f"{path}: its {columns}x{rows} pixels at {left}, {top} are outside its canvas of {width}x{height}; "
            "expected pixels to see"
        )
    seen[vertical, horizontal] = pixels[
        vertical.start - top : vertical.stop - top, horizontal.start - left : horizontal.stop - left
    ]
    return seen


GPANO = {
    "left": "CroppedAreaLeftPixels", "top": "CroppedAreaTopPixels", "columns": "CroppedAreaImageWidthPixels",
    "rows": "CroppedAreaImageHeightPixels", "width": "FullPanoWidthPixels", "height": "FullPanoHeightPixels",
}  # fmt: skip


def sphere_of_xmp(
    path: Path, pixels: Num[np.ndarray, "height width *channels"], xmp: str
) -> Num[np.ndarray, "canvas_height canvas_width *channels"] | None:
    """Return the sphere that XMP's GPano states, of the picture's pixels; None if XMP states none.

    Photo Sphere XMP Metadata (Google). A picture that was resized after its crop was stated keeps its place.

    Raises:
        ValueError: naming the file, if the numbers do not describe a part of an equirectangular sphere.
    """
    said = {name: re.search(rf'GPano:{tag}\s*(?:=\s*["\']|>)\s*(-?\d+)', xmp) for name, tag in GPANO.items()}
    projection = re.search(r'GPano:ProjectionType\s*(?:=\s*["\']|>)\s*(\w+)', xmp)
    if not said["width"] or not said["height"]:
        return None
    height, width = pixels.shape[:2]
    stated = {name: int(found[1]) for name, found in said.items() if found}
    if projection and projection[1].lower() != "equirectangular":
        raise ValueError(f"{path}: GPano:ProjectionType {projection[1]}; expected equirectangular")
    across, down = stated.get("columns", width), stated.get("rows", height)
    if min(across, down, stated["width"], stated["height"]) < 1 or across > stated["width"] or down > stated["height"]:
        raise ValueError(f"{path}: GPano states {across}x{down} of {stated['width']}x{stated['height']} pixels")
    x, y = width / across, height / down
    place = [round(stated.get("left", 0) * x), round(stated.get("top", 0) * y)]
    return on_canvas(path, pixels, *place, round(stated["width"] * x), round(stated["height"] * y))


def square_pixels(path: Path, pixels: np.ndarray, ratio: float) -> np.ndarray:
    """Return the picture with square pixels: `ratio` times as wide, by area where that is narrower.

    Args:
        ratio: a pixel's width to its height.

    Raises:
        ValueError: naming the file, if the ratio is beyond 1/8 to 8, or the result is too large.
    """
    if not 1 / MOST_STRETCHED <= ratio <= MOST_STRETCHED:
        raise ValueError(
            f"{path}: pixels {ratio:g} times as wide as high; expected 1/{MOST_STRETCHED} to {MOST_STRETCHED} times"
        )
    height, width = pixels.shape[:2]
    wanted = max(1, round(width * ratio))
    if wanted == width:
        return pixels
    if wanted * height > MAX_PIXELS:
        raise ValueError(f"{path}: {wanted}x{height} square pixels; expected at most {MAX_PIXELS}")
    how = cv2.INTER_AREA if wanted < width else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels, np.float32), (wanted, height), interpolation=how)


def panorama_of_cube(path: Path, cube: np.ndarray) -> Float32[np.ndarray, "height width 3"]:
    """Return the equirectangular panorama of six faces in a column: +X, -X, +Y, -Y, +Z, -Z, as OpenEXR stores them.

    The middles of a face's outer pixels lie on its edges; the panorama's centre looks along +Z, its left half is +X
    ("OpenEXR File Layout", Environment Maps). Each pixel is the mean of four bilinear samples; it is four faces wide.

    Raises:
        ValueError: naming the file, if it is not six squares.
    """
    height, size = cube.shape[:2]
    if height != 6 * size or size < 2:
        raise ValueError(f"{path}: an environment cube of {size}x{height} pixels; expected six squares in a column")
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
    """Return the light from directions, bilinear within the face that each meets."""
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

"""From the pixels that are stored to the picture: its canvas, the shape of pixels, and layouts of the sphere."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Num

from hdrdata.files.claims import MAX_PIXELS, check_claim
from hdrdata.files.hdr.stated import LAYOUTS

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
            "expected visible pixels"
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
    stated: dict[str, int] = {"columns": width, "rows": height, "left": 0, "top": 0}
    stated |= {name: int(found[1]) for name, found in said.items() if found}
    if projection and projection[1].lower() != "equirectangular":
        raise ValueError(f"{path}: GPano:ProjectionType {projection[1]}; expected equirectangular")
    across, down, full, high = stated["columns"], stated["rows"], stated["width"], stated["height"]
    if min(across, down, full, high) < 1 or across > full or down > high:
        raise ValueError(f"{path}: GPano states {across}x{down} of {full}x{high} pixels")
    x, y = width / across, height / down
    left, top = round(stated["left"] * x), round(stated["top"] * y)
    return on_canvas(path, pixels, left, top, round(full * x), round(high * y))


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
    flat = np.ascontiguousarray(cube, np.float32).reshape(-1, 3)
    return _panorama(4 * size, lambda x, y, z: _sample_cube(flat, size, x, y, z))


def panorama_of_layout(
    path: Path, picture: Num[np.ndarray, "height width 3"], layout: str
) -> Float32[np.ndarray, "panorama_height panorama_width 3"]:
    """Return the equirectangular panorama of a picture of the whole sphere in another layout, front in its centre.

    cube_cross: a net of 4x3 or 3x4 faces seen from inside; the front is the face above which the top is. In 3x4 the
    back is below the bottom, upside down. The panorama is four faces wide.
    angular_map: the light of a direction (right, up, front) is at (right, up) r of the square [-1, 1]^2, where
    r = acos(front) / (pi sqrt(right^2 + up^2)) (P. Debevec, Light Probe Image Gallery). The panorama is as wide.
    Each pixel is the mean of four bilinear samples.

    Raises:
        ValueError: naming the file, if its shape does not fit, or the layout is unknown.
    """
    height, width = picture.shape[:2]
    pixels = np.ascontiguousarray(picture, np.float32)
    flat = pixels.reshape(-1, 3)
    if layout == "angular_map":
        if height != width or width < 4:
            raise ValueError(f"{path}: an angular map of {width}x{height} pixels; expected a square")
        return _panorama(width // 2 * 2, lambda x, y, z: _sample_angular(flat, width, -x, y, z))
    if layout != "cube_cross":
        raise ValueError(f"{path}: layout '{layout}'; expected one of {', '.join(LAYOUTS)}")
    size = max(height, width) // 4
    if (height, width) not in ((3 * size, 4 * size), (4 * size, 3 * size)) or size < 2:
        raise ValueError(f"{path}: a cube cross of {width}x{height} pixels; expected 4x3 or 3x4 squares")
    lit = [np.count_nonzero(pixels[:size, place * size : (place + 1) * size]) for place in range(3)]
    front = 2 if width > height and lit[2] > lit[1] else 1
    places = {"left": (1, front - 1), "front": (1, front), "right": (1, front + 1), "top": (0, front),
              "bottom": (2, front), "back": (1, (front + 2) % 4) if width > height else (3, 1)}  # fmt: skip
    turned = -1 if height > width else 1  # the back of a net of 3x4 is upside down
    return _panorama(4 * size, lambda x, y, z: _sample_cross(flat, width, size, places, turned, -x, y, z))


def _panorama(wide: int, look: Callable[..., np.ndarray]) -> Float32[np.ndarray, "height width 3"]:
    """Return a panorama of the light that `look` finds for directions; its centre looks along +Z, +X is on its left.

    Args:
        look: light for x, y and z; called with a band of 2x2 directions a pixel at a time.
    """
    high = wide // 2
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
        panorama[top : top + count] = look(*direction).reshape(count, 2, wide, 2, 3).mean(axis=(1, 3))
    return panorama


def _sample_cube(flat: np.ndarray, size: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
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
    return _bilinear(flat, size, size, column, row, 0, face * size)


def _sample_cross(
    flat: np.ndarray,
    width: int,
    size: int,
    places: dict[str, tuple[int, int]],
    turned: int,
    right: np.ndarray,
    up: np.ndarray,
    front: np.ndarray,
) -> np.ndarray:
    """Return the light from directions, bilinear within the face of the cross that each meets."""
    wide, high, deep = np.abs(right), np.abs(up), np.abs(front)
    on_side = (wide > deep) & (wide >= high)
    on_end = ~on_side & (high > deep)
    far = np.where(on_side, wide, np.where(on_end, high, deep))
    faces = {  # face: where, and the place on it, to the right and down, -1 to 1
        "left": (on_side & (right < 0), front, -up),
        "right": (on_side & (right >= 0), -front, -up),
        "top": (on_end & (up >= 0), right, front),
        "bottom": (on_end & (up < 0), right, -front),
        "back": (~on_side & ~on_end & (front < 0), -turned * right, -turned * up),
        "front": (~on_side & ~on_end & (front >= 0), right, -up),
    }
    hit = [where for where, _, _ in faces.values()]
    across, down = (np.select(hit, [face[part] for face in faces.values()]) / far for part in (1, 2))
    top, left = (np.select(hit, [places[name][part] * size for name in faces]) for part in (0, 1))
    middle = size / 2 - 0.5  # pixels tile a face
    return _bilinear(flat, width, size, middle + across * size / 2, middle + down * size / 2, left, top)


def _sample_angular(flat: np.ndarray, size: int, right: np.ndarray, up: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Return the light from directions, bilinear on the disk; what is behind ends before its rim."""
    aside = np.hypot(right, up)
    angle = np.arctan2(aside, front) / np.pi
    radius = np.minimum(angle * size / 2, size / 2 - 1.5) / np.maximum(aside, 1e-12)
    middle = size / 2 - 0.5
    return _bilinear(flat, size, size, middle + right * radius, middle - up * radius, 0, 0)


def _bilinear(
    flat: np.ndarray,
    width: int,
    size: int,
    column: np.ndarray,
    row: np.ndarray,
    left: np.ndarray | int,
    top: np.ndarray | int,
) -> np.ndarray:
    """Return samples within squares of `size` pixels, whose first pixels are at `left` and `top` of `width` a row."""
    column, row = (np.clip(place, 0, size - 1) for place in (column, row))
    first, above = (np.minimum(place.astype(np.int64), size - 2) for place in (column, row))
    right_share, low_share = ((place - start)[..., None] for place, start in ((column, first), (row, above)))
    corner = (top + above) * width + left + first
    with np.errstate(invalid="ignore"):
        upper = flat[corner] * (1 - right_share) + flat[corner + 1] * right_share
        lower = flat[corner + width] * (1 - right_share) + flat[corner + width + 1] * right_share
        return upper * (1 - low_share) + lower * low_share

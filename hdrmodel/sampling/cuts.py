"""Squares cut out of a view: where, how turned and mirrored."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Shaped

Rotation = Literal["none", "quarter", "any"]
LARGEST_ANGLE = 179.0  # degrees; HDR-AttNet, section 4.1


@dataclass(frozen=True)
class Cut:
    """A square of a picture, turned and mirrored; the same of every picture of its size.

    A square turned by another angle than a quarter is read between pixels, bilinearly, and outside the picture by
    reflection.
    """

    top: int | float  # of the square before it is turned about its middle, pixels
    left: int | float
    size: int
    angle: int | float = 0  # degrees, counterclockwise; with an angle there are no quarter turns
    turns: int = 0  # quarters
    mirrored: bool = False  # left and right
    upended: bool = False  # top and bottom

    def of(self, picture: Shaped[np.ndarray, "height width 3"]) -> Shaped[np.ndarray, "size size 3"]:
        """Cut the square out of an LDR picture, or of linear radiance; the latter is the view of a rolled camera."""
        if self.angle:
            cut = self._read_between(picture)
        else:
            top, left = int(self.top), int(self.left)
            cut = picture[top : top + self.size, left : left + self.size]
        if self.mirrored:
            cut = cut[:, ::-1]
        if self.upended:
            cut = cut[::-1]
        return np.rot90(cut, self.turns) if self.turns else cut

    def _read_between(self, picture: np.ndarray) -> np.ndarray:
        radius = self.size  # around the middle: more than half the diagonal, so no other pixel is asked for
        row, column = int(self.top + self.size / 2), int(self.left + self.size / 2)
        first_row, first_column = max(row - radius, 0), max(column - radius, 0)
        near = picture[first_row : row + radius, first_column : column + radius]
        values = near.astype(np.float32) if near.dtype == np.float16 else np.ascontiguousarray(near)
        cosine, sine = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])  # from (x, y) of the cut to (x, y) of the image
        half = (self.size - 1) / 2
        middle = np.array([self.left - first_column + half, self.top - first_row + half])
        matrix[:, 2] = middle - matrix[:, :2] @ (half, half)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(values, matrix, (self.size, self.size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return cut.astype(picture.dtype)


def draw_cut(height: int, width: int, size: int, flips: bool, rotation: Rotation, draw: np.random.Generator) -> Cut:
    """A cut at random: anywhere in the picture; mirrored and upended with probability 1/2 each; turned.

    Args:
        size: pixels, at most `height` and `width`.
        rotation: "quarter", by 0 to 3 quarters with equal probability; "any", with probability 1/2 by up to 179 degrees
            either way, and inside the picture as far as it reaches; "none".
    """
    mirrored, upended = (bool(draw.integers(2)), bool(draw.integers(2))) if flips else (False, False)
    if rotation == "any" and draw.integers(2):
        angle = draw.uniform(-LARGEST_ANGLE, LARGEST_ANGLE)
        spread = abs(np.cos(np.radians(angle))) + abs(np.sin(np.radians(angle)))
        margin = size * (spread - 1) / 2  # by how much the turned square sticks out of the straight one, each way
        top, left = (
            draw.uniform(margin, side - size - margin) if side >= size + 2 * margin else (side - size) / 2
            for side in (height, width)
        )
        return Cut(top, left, size, angle, 0, mirrored, upended)
    top, left = (int(draw.integers(side - size + 1)) for side in (height, width))
    turns = int(draw.integers(4)) if rotation == "quarter" else 0
    return Cut(top, left, size, 0.0, turns, mirrored, upended)

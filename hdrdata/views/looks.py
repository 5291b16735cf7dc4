"""Appearance of the pixels of a scene: clipped, black, encoded, of another layout, or another scene's again."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32

from hdrdata.views.normalise import HALF_MAX

LEAST_CLIPPED = 5e-4  # of the values at the largest one, from which on they are a plateau
MOST_ENCODED, BRIGHT = 1.001, 0.3  # encoded pictures end at 1, and half of their values are brighter than this
THUMBNAIL = (32, 16)  # pixels
ALIKE = 0.995  # correlation of thumbnails; 163 scenes have at most 0.981, and at half their size at least 0.9999


@dataclass(frozen=True)
class Looks:
    """Facts about the pixels of a scene."""

    largest: float
    clipped_share: float  # of the values that equal the largest one of their channel
    black_share: float  # of the pixels
    layout: str  # "cube cross", "angular map", or "" for a plain picture
    encoded: bool  # probably display values, not light
    thumbnail: Float32[np.ndarray, " pixels"]  # log light, of mean 0 and length 1

    def lines(self) -> list[str]:
        """Return what a user should know."""
        lines = []
        if self.clipped_share >= LEAST_CLIPPED:
            limit = ", the largest half float" if self.largest == HALF_MAX else ""
            lines.append(f"clipped: {self.clipped_share:.2%} of the values are at its maximum {self.largest:g}{limit}")
        if self.black_share >= 0.001:
            lines.append(f"{self.black_share:.1%} of the pixels are black")
        if self.layout:
            name = self.layout.replace(" ", "_")
            lines.append(f"looks like a {self.layout}; expected --layout {name} or that layout in the sidecar")
        if self.encoded:
            lines.append("looks encoded (no value above 1, and bright); expected linear light, or a sidecar's encoding")
        return lines


def look_at(radiance: Float[np.ndarray, "height width 3"]) -> Looks:
    """Return facts about the pixels of a scene that was repaired."""
    largest = radiance.max(axis=(0, 1))
    clipped = float((radiance == largest).mean())
    black = (radiance == 0).all(axis=2)
    return Looks(
        largest=float(largest.max()),
        clipped_share=clipped if clipped * radiance.size > 16 else 0.0,
        black_share=float(black.mean()),
        layout=_layout(black),
        encoded=_is_encoded(radiance, largest),
        thumbnail=_thumbnail(radiance),
    )


def _layout(black: np.ndarray) -> str:
    height, width = black.shape
    if height == width and height >= 32:
        y, x = np.ogrid[:height, :width]
        outside = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) > width / 2 + 1
        return "angular map" if black[outside].mean() > 0.999 and black[~outside].mean() < 0.5 else ""
    across, down = (4, 3) if 3 * width == 4 * height else (3, 4) if 4 * width == 3 * height else (0, 0)
    if not across or width % across or height % down:
        return ""
    empty = black.reshape(down, height // down, across, width // across).mean(axis=(1, 3)) > 0.999
    crosses = [np.zeros((down, across), bool) for _ in range(2)]
    for number, cross in enumerate(crosses):  # the four sides, and the top and bottom at the first or second of them
        cross[1, :] = True
        cross[:, 1 + number if across == 4 else 1] = True
    return "cube cross" if any(np.array_equal(empty, ~cross) for cross in crosses) else ""


def _is_encoded(radiance: np.ndarray, largest: np.ndarray) -> bool:
    if not 0.9 <= largest.max() <= MOST_ENCODED:
        return False
    inside = radiance[(radiance > 0) & (radiance < largest)]
    return bool(inside.size and np.median(inside) > BRIGHT)


def _thumbnail(radiance: np.ndarray) -> Float32[np.ndarray, " pixels"]:
    small = cv2.resize(radiance.astype(np.float32).mean(axis=2), THUMBNAIL, interpolation=cv2.INTER_AREA)
    log = np.log2(small / max(float(small.mean()), 1e-30) + 1e-3).ravel()
    log -= log.mean()
    return log / max(float(np.linalg.norm(log)), 1e-9)


def find_alike(thumbnails: dict[str, Float32[np.ndarray, " pixels"]]) -> dict[str, list[str]]:
    """Return, for each scene that looks like others, their names: one scene in several sizes, exposures or formats."""
    names = list(thumbnails)
    if not names:
        return {}
    stacked = np.stack([thumbnails[name] for name in names])
    alike: dict[str, list[str]] = {}
    for place, name in enumerate(names):
        others = np.flatnonzero(stacked @ stacked[place] > ALIKE)
        if found := [names[other] for other in others if other != place]:
            alike[name] = found
    return alike

"""Bring hand-held pictures of a bracket onto one of them: shifts and turns."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64, Num, UInt8

REFINED_AT = 800  # pixels of the longer side at which turns are found
STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-5)
SUBPIXEL = 0.5  # of a pixel, anywhere in the picture: with less, whole pixels are shifted, and nothing is interpolated
ALIKE = 0.6  # correlation of two pictures, below which they do not show the same
Grey = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True)
class Alignment:
    """Places of the pixels of the common part in each image."""

    transforms: tuple[Float64[np.ndarray, "3 3"], ...]  # from the middle picture's coordinates to each picture's
    left: int  # of the common part, in the middle picture
    top: int
    width: int
    height: int
    unaligned: tuple[int, ...] = ()  # pictures that do not match their neighbour, even so

    def common(self, index: int, picture: Num[np.ndarray, "..."]) -> Num[np.ndarray, "..."]:
        """Return the common part as the picture `index` shows it."""
        start = self.transforms[index] @ np.array([self.left, self.top, 1.0])
        if np.array_equal(self.transforms[index][:2, :2], np.eye(2)) and not (start % 1).any():
            x, y = (int(place) for place in start[:2])
            return picture[y : y + self.height, x : x + self.width]
        offset = np.eye(3)
        offset[:2, 2] = self.left, self.top
        matrix, flags = (self.transforms[index] @ offset)[:2], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, matrix, (self.width, self.height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def reach_of(height: int, width: int) -> int:
    """Return by how many pixels two neighbouring pictures may be shifted: 63, or less below 512 pixels."""
    return 2 ** _bits(height, width) - 1


def _bits(height: int, width: int) -> int:
    return min(max(int(np.log2(min(height, width))) - 3, 1), 6)  # the coarsest level has 8 pixels or more


def unmoved(height: int, width: int, count: int) -> Alignment:
    """Return the alignment of pictures taken from a tripod."""
    return Alignment((np.eye(3),) * count, 0, 0, width, height)


def align(greys: Sequence[Grey]) -> Alignment:
    """Find how the camera moved, from each picture to its neighbour towards the middle one.

    The shift by Ward, "Fast, Robust Image Registration for Compositing High Dynamic Range Photographs from Hand-Held
    Exposures", 2003, as OpenCV computes it; then shift and turn to fractions of a pixel by Evangelidis and Psarakis,
    "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", PAMI 2008, between pictures of
    equal histograms. Where that moves no pixel by more than half a pixel, whole pixels are shifted.

    Args:
        greys: in increasing exposure, of one size.
    """
    middle = len(greys) // 2
    height, width = greys[middle].shape
    shifted, turned, unaligned = [np.eye(3)] * len(greys), [np.eye(3)] * len(greys), []
    aligner = cv2.createAlignMTB(max_bits=_bits(height, width))
    for index in [*range(middle - 1, -1, -1), *range(middle + 1, len(greys))]:
        neighbour = index + 1 if index < middle else index - 1
        coarse, fine = np.eye(3), np.eye(3)
        coarse[:2, 2] = -np.array(aligner.calculateShift(greys[neighbour], greys[index]))
        fine, likeness = _refined(greys[neighbour], greys[index], coarse)
        if likeness < ALIKE:
            unaligned.append(index)
        shifted[index], turned[index] = coarse @ shifted[neighbour], fine @ turned[neighbour]
    corners = np.array([[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1, 1, 1, 1]], np.float64)
    apart = max(np.abs((a - b) @ corners).max() for a, b in zip(shifted, turned, strict=True))
    transforms = shifted if apart <= SUBPIXEL else turned
    places = [np.linalg.inv(transform) @ corners for transform in transforms]  # of their corners, in the middle
    left, top = (max(place[axis, first].max() for place in places) for axis, first in ((0, [0, 2]), (1, [0, 1])))
    right, bottom = (min(place[axis, last].min() for place in places) for axis, last in ((0, [1, 3]), (1, [2, 3])))
    left, top, right, bottom = (int(round(x, 6)) for x in (np.ceil(left - 1e-6), np.ceil(top - 1e-6), right, bottom))
    if right <= left or bottom <= top:
        raise ValueError("the pictures have no common part after alignment; expected one scene from one place")
    return Alignment(tuple(transforms), left, top, right - left + 1, bottom - top + 1, tuple(sorted(unaligned)))


def _refined(first: Grey, second: Grey, coarse: Float64[np.ndarray, "3 3"]) -> tuple[Float64[np.ndarray, "3 3"], float]:
    """Return the transform from `first` to `second`, begun at a shift, and how alike they are then."""
    scale = min(1.0, REFINED_AT / max(first.shape))
    small = [cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for grey in (first, second)]
    mask = ((small[1] > 8) & (small[1] < 247)).astype(np.uint8)
    start = coarse.copy()
    start[:2, 2] *= scale
    matched = _with_histogram_of(small[0], small[1])
    try:
        likeness, warp = cv2.findTransformECC(
            small[0], matched, start[:2].astype(np.float32), cv2.MOTION_EUCLIDEAN, STEPS, mask, 5
        )
    except cv2.error:  # it did not converge: too little detail in common
        return coarse, 0.0
    fine = np.eye(3)
    fine[:2] = warp
    fine[:2, 2] /= scale
    if np.abs(fine[:2, 2] - coarse[:2, 2]).max() > 0.1 * max(first.shape):
        return coarse, float(likeness)
    return fine, float(likeness)


def _with_histogram_of(wanted: Grey, grey: Grey) -> Grey:
    """Return a picture with the histogram of another exposure, which makes the two comparable."""
    levels = np.arange(256)
    share, wanted_share = (np.cumsum(np.bincount(g.ravel(), minlength=256)) / g.size for g in (grey, wanted))
    return np.interp(share, wanted_share, levels).round().astype(np.uint8)[grey]

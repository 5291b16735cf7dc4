"""The relative exposures of a bracket's pictures, and whether the pictures agree with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64

from hdrdata.photos.exposure import read_exposure

SAME = 0.1  # stops by which two exposures may differ and still be the same
DARKER = 0.002  # of the range by which a picture with more exposure may be darker on average: noise, moving clouds
MOVED = 0.5  # stops by which a pixel may differ from the merged light before something moved there
UNLIKE = 0.25  # stops by which a whole picture may differ from the others


def parse_times(text: str) -> list[float]:
    """Return exposure times in seconds from '1/250,1/60,0.5'.

    Raises:
        ValueError: naming the part that is no positive number.
    """
    times = []
    for part in text.split(","):
        try:
            seconds = float(Fraction(part.strip()))
        except (ValueError, ZeroDivisionError):
            seconds = 0.0
        if not seconds > 0:
            raise ValueError(f"time '{part.strip()}' in '{text}'; expected seconds such as 1/250 or 0.5")
        times.append(seconds)
    return times


def read_exposures(paths: Sequence[Path], times: Sequence[float] | None) -> Float64[np.ndarray, " pictures"]:
    """Return the relative exposure of each picture: seconds * (ISO / 100) / f-number^2, or the given times alone.

    An ISO or an f-number that no file states is left out.

    Raises:
        ValueError: if a time is missing, only some files state ISO or f-number, or all exposures are the same.
    """
    if times is not None:
        if len(times) != len(paths):
            raise ValueError(f"{len(times)} times for {len(paths)} pictures; expected one each, in their order")
        exposures = np.array(times, dtype=np.float64)
    else:
        stated = [read_exposure(path) for path in paths]
        for path, exposure in zip(paths, stated, strict=True):
            if exposure.seconds is None:
                raise ValueError(f"{path}: states no exposure time (EXIF ExposureTime); expected --times for all")
        for name in ("f_number", "iso"):
            known = [getattr(exposure, name) is not None for exposure in stated]
            if any(known) and not all(known):
                silent = paths[known.index(False)]
                raise ValueError(f"{silent}: states no {name}, as others of its bracket do; expected --times for all")
        exposures = np.array(
            [float(each.seconds or 0) * (each.iso or 100) / 100 / (each.f_number or 1) ** 2 for each in stated]
        )
    if len(paths) > 1 and np.ptp(np.log2(exposures)) < SAME:
        raise ValueError(f"{paths[0]} and {len(paths) - 1} more: all have the same exposure; expected a bracket")
    return exposures


def check_brightness(
    paths: Sequence[Path], exposures: Float64[np.ndarray, " pictures"], brightness: Sequence[float]
) -> None:
    """Check that brightness increases with exposure.

    Args:
        exposures: increasing.
        brightness: the mean of each picture's values, over its range.

    Raises:
        ValueError: naming two pictures that contradict it: their times are wrong or in another order.
    """
    for place in range(1, len(paths)):
        more = exposures[place] / exposures[place - 1]
        if np.log2(more) >= SAME and brightness[place] < brightness[place - 1] - DARKER:
            raise ValueError(
                f"{paths[place]}: darker than {paths[place - 1]} (mean {brightness[place]:.3f} and "
                f"{brightness[place - 1]:.3f} of the range), with {more:.3g} times its exposure; expected brightness "
                "to increase with exposure: are the times in the order of the pictures?"
            )


@dataclass(frozen=True)
class Agreement:
    """Agreement of the images of a bracket with their merged light."""

    moved: Bool[np.ndarray, "height width"]  # where a picture shows something else than the others
    stops: tuple[float, ...]  # the median by which each picture is brighter than the others, where both are exposed

    @property
    def moved_share(self) -> float:
        return float(self.moved.mean())

    def lines(self, paths: Sequence[Path]) -> list[str]:
        """Return what a user should know, in lines."""
        unlike = [f"{path.name} by {stops:+.2f}" for path, stops in zip(paths, self.stops, strict=False)
                  if abs(stops) > UNLIKE]  # fmt: skip
        lines = [f"the pictures disagree with their exposures: {', '.join(unlike)} stops"] if unlike else []
        if self.moved_share >= 0.001:
            lines.append(f"{self.moved_share:.1%} of the pixels differ between the pictures: something moved there")
        return lines


class Comparison:
    """Compares pictures with the light that the other pictures of their bracket show, one picture after another."""

    def __init__(self, merged: Float32[np.ndarray, "height width 3"]):
        self.merged = np.log2(np.maximum(merged, 1e-12))
        self.moved = np.zeros(merged.shape[:2], bool)
        self.stops: list[float] = []

    def add(self, log_light: Float32[np.ndarray, "height width 3"], exposed: Bool[np.ndarray, "height width"]) -> None:
        """Compare one picture.

        Args:
            log_light: log2 of the light that it shows.
            exposed: pixels that are neither clipped nor nearly black in it.
        """
        off = (log_light - self.merged).mean(axis=2)
        stops = float(np.median(off[exposed])) if exposed.any() else 0.0
        self.stops.append(stops)
        self.moved |= exposed & (np.abs(off - stops) > MOVED)

    def agreement(self) -> Agreement:
        return Agreement(self.moved, tuple(self.stops))

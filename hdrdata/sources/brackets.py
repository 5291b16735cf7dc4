"""Merge the bracketed photographs of one camera position into a scene."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from hdrdata.cameras.crf_names import choose_crf
from hdrdata.cameras.merge import hat, linearise
from hdrdata.config import Section
from hdrdata.files.exr import write_exr
from hdrdata.files.quiet import quiet_decoders
from hdrdata.files.suffixes import DISPLAY_SUFFIXES, RAW_SUFFIXES
from hdrdata.photos.exposure import read_exposure
from hdrdata.photos.formats.raw import RawPicture, is_raw, read_raw, read_white_balance
from hdrdata.photos.photo import read_photo

ALGORITHM = "brackets-1"  # raise the number when the same pictures give other values
SIDE = 20  # of the square of values that the response is found from: as many as OpenCV solves for in a second
FULL = (0.8, 0.95)  # of a photosite: its weight falls from 1 to 0; above, sensors are no longer linear
DARK = 0.005  # of a photosite: its weight rises from 0 to 1; below, values are noise that was cut off at black
Rows = slice
Place = tuple[Rows, slice]  # rows and columns of a picture that all pictures of the bracket show


class MergeConfig(Section):
    """How a bracket becomes a scene."""

    response: Literal["calibrate", "srgb", "linear"]  # of display pictures; RAW files are linear
    align: bool  # shift the pictures onto the middle one


def parse_times(text: str) -> list[float]:
    """Exposure times in seconds from '1/250,1/60,0.5'.

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
            raise ValueError(f"time '{part.strip()}' in '{text}'; wanted seconds such as 1/250 or 0.5")
        times.append(seconds)
    return times


def read_exposures(paths: Sequence[Path], times: Sequence[float] | None) -> Float64[np.ndarray, " pictures"]:
    """The relative exposure of each picture: seconds * (ISO / 100) / f-number^2, or the given times alone.

    An ISO or an f-number that no file tells is left out.

    Raises:
        ValueError: if a time is missing, only some files tell ISO or f-number, or all exposures are the same.
    """
    if times is not None:
        if len(times) != len(paths):
            raise ValueError(f"{len(times)} times for {len(paths)} pictures; wanted one each, in their order")
        exposures = np.array(times, dtype=np.float64)
    else:
        told = [read_exposure(path) for path in paths]
        for path, exposure in zip(paths, told, strict=True):
            if exposure.seconds is None:
                raise ValueError(f"{path}: tells no exposure time (EXIF ExposureTime); give the times of all pictures")
        for name in ("f_number", "iso"):
            known = [getattr(exposure, name) is not None for exposure in told]
            if any(known) and not all(known):
                silent = paths[known.index(False)]
                raise ValueError(f"{silent}: tells no {name}, as others of its bracket do; give the times of all")
        exposures = np.array([each.seconds * (each.iso or 100) / 100 / (each.f_number or 1) ** 2 for each in told])
    if len(paths) > 1 and np.ptp(np.log2(exposures)) < 0.1:
        raise ValueError(f"{paths[0]} and {len(paths) - 1} more: all have the same exposure; wanted a bracket")
    return exposures


def merge_bracket(
    paths: Sequence[Path], times: Sequence[float] | None, config: MergeConfig
) -> tuple[Float32[np.ndarray, "height width 3"], dict[str, str]]:
    """Merge display pictures (JPEG, PNG, TIFF of 8 bits) or camera RAW files; one RAW file alone is merged too.

    Args:
        paths: pictures of one kind, in any order.
        times: seconds each, instead of what the files tell.

    Returns:
        radiance in linear sRGB primaries (RAW) or the camera's own (display), relative to the exposure that fills the
        picture's range; and what an EXR header should tell of its making.

    Raises:
        ValueError: one line, if a picture is unreadable, they differ in size or kind, or their exposures are unknown.
    """
    kinds = {is_raw(path) for path in paths}
    if len(kinds) != 1:
        raise ValueError(f"{', '.join(str(path) for path in paths) or 'no picture'}: wanted RAW or display pictures")
    for path in paths:
        if path.suffix.lower() not in (*DISPLAY_SUFFIXES, *RAW_SUFFIXES):
            raise ValueError(f"{path}: not a kind of picture that is merged; wanted JPEG, PNG, TIFF or camera RAW")
    raw = kinds.pop()
    if len(paths) < 2 and not raw:
        raise ValueError(f"{paths[0]}: one picture alone; wanted at least two (or one camera RAW file)")
    exposures = read_exposures(paths, times)
    order = np.argsort(exposures, kind="stable")
    paths, exposures = [paths[index] for index in order], exposures[order]
    merge = _merge_raw if raw else _merge_display
    facts = {
        "hdrdata.sources": ", ".join(path.name for path in paths),
        "hdrdata.exposures": ", ".join(f"{exposure:.6g}" for exposure in exposures),
        "hdrdata.response": "linear" if raw else config.response,
        "hdrdata.aligned": str(config.align).lower(),
        "hdrdata.program": f"hdr-attnet merge {ALGORITHM}",
    }
    return merge(paths, exposures, config), facts


def merge_to_file(out: Path, paths: Sequence[Path], times: Sequence[float] | None, config: MergeConfig) -> str:
    """Merge a bracket to the OpenEXR file `out`, whole or not at all; returns its size in words, such as "600x400"."""
    if out.suffix.lower() != ".exr":
        raise ValueError(f"{out}: wanted a name that ends in .exr")
    radiance, facts = merge_bracket(paths, times, config)
    write_exr(out, radiance, facts)
    return f"{radiance.shape[1]}x{radiance.shape[0]}"


def _merge_display(
    paths: Sequence[Path], exposures: Float64[np.ndarray, " pictures"], config: MergeConfig
) -> Float32[np.ndarray, "height width 3"]:
    """ln E = sum w(z) (g(z) - ln e) / sum w(z), a channel at a time: Debevec and Malik, SIGGRAPH 1997, equation 6.

    OpenCV's own merge weighs a pixel by the mean of its channels and gives saturated levels a weight, so that a channel
    that clips pulls at the others, and what is white in every picture comes out darker than what just is not.
    """
    pictures = [read_photo(path).ldr for path in paths]
    for path, picture in zip(paths, pictures, strict=True):
        if picture.dtype != np.uint8:
            raise ValueError(f"{path}: {picture.dtype} values; expected an 8-bit photograph, or a camera's RAW file")
        _check_size(path, picture, paths[0], pictures[0])
    if config.align:
        places = common_places([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures])
        pictures = [picture[place] for picture, place in zip(pictures, places, strict=True)]
    if config.response == "calibrate":
        response = calibrate_response(pictures, exposures)
    else:
        response = linearise(np.arange(256) / 255, choose_crf(config.response))
    log_response = np.log(response).astype(np.float32)
    weight = hat(np.arange(256) / 255).astype(np.float32)  # by level: 0 at black, and from 254 on
    saturated = hat(np.arange(256) / 255, upper_only=True) <= 0

    logs = [log_response - np.float32(np.log(exposure)) for exposure in exposures]  # ln radiance, by level
    radiance = np.empty(pictures[0].shape, dtype=np.float32)
    for channel in range(3):  # one at a time in memory
        levels = [picture[:, :, channel] for picture in pictures]
        total = sum((weight * log)[level] for level, log in zip(levels, logs, strict=True))
        weights = sum(weight[level] for level in levels)
        bound = np.where(saturated[levels[0]], logs[0][levels[0]], logs[-1][levels[-1]])
        radiance[:, :, channel] = np.exp(np.where(weights > 0, total / np.where(weights > 0, weights, 1), bound))
    return radiance


def calibrate_response(
    pictures: Sequence[UInt8[np.ndarray, "height width 3"]], exposures: Float64[np.ndarray, " pictures"]
) -> Float64[np.ndarray, " 256"]:
    """The relative exposure that gives each level, from the pictures themselves, by OpenCV.

    Debevec and Malik, SIGGRAPH 1997, equation 3 with lambda 10. One curve for the three channels, as digital cameras
    have it: a curve each drifts apart, and tints what is brighter or darker than most. The values it is found from are
    spread evenly over the range of brightness, so that a small lamp counts as much as a wide floor. Level 128 gets 1.
    Made rising where noise made it fall.

    Raises:
        ValueError: if the pictures are too alike to tell.
    """
    height, width = pictures[0].shape[:2]
    step = max(round((height * width / 250_000) ** 0.5), 1)
    values = np.stack([picture[::step, ::step].ravel() for picture in pictures])  # (pictures, values)
    brightness = values.sum(axis=0, dtype=np.int64)
    order = np.argsort(brightness, kind="stable")
    spread = np.linspace(brightness.min(), brightness.max(), SIDE * SIDE)
    places = order[np.searchsorted(brightness[order], spread)]
    chosen = [np.ascontiguousarray(picture[places].reshape(SIDE, SIDE)) for picture in values]
    with quiet_decoders():
        calibration = cv2.createCalibrateDebevec(SIDE * SIDE, 10.0, False)  # every value of the small pictures
        response = calibration.process(chosen, exposures.astype(np.float32)).ravel().astype(np.float64)
    response = np.maximum.accumulate(response)
    if not (np.isfinite(response).all() and (response > 0).all()):
        raise ValueError("the pictures hold too few levels to find the camera's response in them; choose 'srgb'")
    return response


def _merge_raw(
    paths: Sequence[Path], exposures: Float64[np.ndarray, " pictures"], config: MergeConfig
) -> Float32[np.ndarray, "height width 3"]:
    """E = sum w x / sum w e: each picture's estimate x / e weighted by its light e, which is best for photon noise.

    Hanji, Zhong and Mantiuk, "Noise-Aware Merging of High Dynamic Range Image Stacks Without Camera Calibration", 2020.
    Full and near-black photosites have no weight (`FULL`, `DARK`). Where no picture has any, the darkest one's value
    counts if it is full there, cut at the level where white light stays white, else the brightest one's.
    """
    balance = read_white_balance(paths[len(paths) // 2])

    def developed() -> Iterator[RawPicture]:
        for path in paths:  # one at a time in memory
            picture = read_raw(path, balance)
            _check_size(path, picture.linear, paths[0], size)
            yield picture

    size = read_raw(paths[0], balance).linear[:, :, 0]
    places: Sequence[Place] = [(slice(None), slice(None))] * len(paths)
    if config.align:
        places = common_places([_grey(picture.linear) for picture in developed()])

    total = weights = bound = None
    for picture, place, exposure in zip(developed(), places, exposures, strict=True):
        linear, saturation = picture.linear[place], picture.saturation[place][:, :, None]
        if total is None:
            total, weights = np.zeros_like(linear), np.zeros_like(saturation)
            full = saturation >= FULL[1]
            bound = np.where(full, np.minimum(linear, 1) / np.float32(exposure), 0)
        light = np.clip((FULL[1] - saturation) / (FULL[1] - FULL[0]), 0, 1) * np.clip(saturation / DARK, 0, 1)
        total += light * linear
        weights += light * np.float32(exposure)
    brightest = linear / np.float32(exposures[-1])
    return np.where(weights > 0, total / np.where(weights > 0, weights, 1), np.where(full, bound, brightest))


def _check_size(path: Path, picture: np.ndarray, first_path: Path, first: np.ndarray) -> None:
    if picture.shape[:2] != first.shape[:2]:
        (height, width), (rows, columns) = picture.shape[:2], first.shape[:2]
        raise ValueError(f"{path}: {width}x{height} pixels, but {first_path} has {columns}x{rows}; wanted one size")


def _grey(linear: Float32[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width"]:
    """A picture to align by: the square root of the light, up to the 99th percentile."""
    light = linear.mean(axis=2)
    return (255 * np.sqrt(np.clip(light / max(np.percentile(light, 99), 1e-6), 0, 1))).astype(np.uint8)


def common_places(greys: Sequence[UInt8[np.ndarray, "height width"]]) -> list[Place]:
    """Where in each picture the part lies that all of them show, for a camera that shifted by up to 63 pixels
    (31 in pictures below 512 pixels, and so on).

    Ward, "Fast, Robust Image Registration for Compositing High Dynamic Range Photographs from Hand-Held Exposures",
    2003, as OpenCV computes it, onto the middle picture.
    """
    middle = greys[len(greys) // 2]
    bits = min(max(int(np.log2(min(middle.shape))) - 3, 1), 6)  # of the shift; the coarsest level has 8 pixels or more
    align = cv2.createAlignMTB(max_bits=bits)
    shifts = np.array([align.calculateShift(middle, grey) for grey in greys])  # (x, y) that brings it onto the middle
    height, width = middle.shape
    left, top = np.maximum(shifts.max(axis=0), 0)
    right, bottom = np.array([width, height]) + np.minimum(shifts.min(axis=0), 0)
    return [(slice(top - y, bottom - y), slice(left - x, right - x)) for x, y in shifts.tolist()]

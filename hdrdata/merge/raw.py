"""Merge camera RAW files, whose values are light."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from hdrdata.merge.alignment import Alignment, align, unmoved
from hdrdata.merge.exposures import Agreement, Comparison, check_brightness
from hdrdata.photos.formats.raw import RawPicture, read_raw, read_white_balance

FULL = (0.8, 0.95)  # of a photosite: its weight falls from 1 to 0; above, sensors are no longer linear
DARK = 0.005  # of a photosite: its weight rises from 0 to 1; below, values are noise that was cut off at black
EXPOSED = (0.02, 0.8)  # of a photosite: pictures are compared there
Radiance = Float32[np.ndarray, "height width 3"]


def merge_raw(
    paths: Sequence[Path], exposures: Float64[np.ndarray, " pictures"], hand_held: bool
) -> tuple[Radiance, Agreement, Alignment]:
    """Return E = sum w x / sum w e: each picture's estimate x / e, weighted by its light e, best for photon noise.

    Hanji, Zhong and Mantiuk, "Noise-Aware Merging of High Dynamic Range Image Stacks Without Camera Calibration", 2020.
    Full and near-black photosites have no weight (`FULL`, `DARK`). Where no picture has any, the darkest one's value
    counts if it is full there, clipped at the level where white light stays white, else the brightest one's.
    """
    balance = read_white_balance(paths[len(paths) // 2])

    def developed() -> Iterator[RawPicture]:
        for path in paths:  # one at a time in memory
            picture = read_raw(path, balance)
            check_size(path, picture.linear.shape, paths[0], size)
            yield picture

    size = read_raw(paths[0], balance).linear.shape
    alignment = unmoved(size[0], size[1], len(paths))
    if hand_held:
        alignment = align([_grey(picture.linear) for picture in developed()])

    total = weights = bound = full = linear = np.zeros(0, np.float32)
    brightness = []
    for index, (picture, exposure) in enumerate(zip(developed(), exposures, strict=True)):
        linear = alignment.common(index, picture.linear)
        saturation = alignment.common(index, picture.saturation)[:, :, None]
        brightness.append(float(np.minimum(linear, 1).mean(dtype=np.float64)))
        if index == 0:
            total, weights = np.zeros_like(linear), np.zeros_like(saturation)
            full = saturation >= FULL[1]
            bound = np.where(full, np.minimum(linear, 1) / np.float32(exposure), 0)
        light = np.clip((FULL[1] - saturation) / (FULL[1] - FULL[0]), 0, 1) * np.clip(saturation / DARK, 0, 1)
        total += light * linear
        weights += light * np.float32(exposure)
    check_brightness(paths, exposures, brightness)
    brightest = linear / np.float32(exposures[-1])
    merged = np.where(weights > 0, total / np.where(weights > 0, weights, 1), np.where(full, bound, brightest))
    compared = Comparison(merged)
    if len(paths) > 1:
        for index, (picture, exposure) in enumerate(zip(developed(), exposures, strict=True)):
            saturation = alignment.common(index, picture.saturation)
            light = np.log2(np.maximum(alignment.common(index, picture.linear) / np.float32(exposure), 1e-12))
            compared.add(light, (saturation > EXPOSED[0]) & (saturation < EXPOSED[1]))
    return merged, compared.agreement(), alignment


def check_size(path: Path, shape: tuple[int, ...], first: Path, first_shape: tuple[int, ...]) -> None:
    """Raise ValueError for a picture of another size than the first."""
    if shape[:2] != first_shape[:2]:
        (height, width), (rows, columns) = shape[:2], first_shape[:2]
        raise ValueError(f"{path}: {width}x{height} pixels, but {first} has {columns}x{rows}; expected one size")


def _grey(linear: Radiance) -> UInt8[np.ndarray, "height width"]:
    """Return a picture to align: the square root of the light, up to the 99th percentile."""
    light = linear.mean(axis=2)
    return (255 * np.sqrt(np.clip(light / max(np.percentile(light, 99), 1e-6), 0, 1))).astype(np.uint8)

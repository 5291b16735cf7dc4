"""Merge a stack of LDR pictures with known exposures into one radiance map."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from hdrdata.cameras.crf import CameraResponse
from hdrdata.cameras.exposure import level_bounds
from hdrdata.files.bands import row_bands

FINENESS = 64  # steps a level of the table of f^-1 between which `look_up_exposure` is linear
BAND_VALUES = 2**17  # values of a picture that are merged at a time: half a megabyte, for the processor's cache


def linearise(ldr: np.ndarray, crf: CameraResponse) -> np.ndarray:
    """Exposure [0, 1] from LDR values in [0, 1] that stand for levels: f^-1 of the middle of the level's step.

    A level z = floor(255 f(x)) says that f(x) lies in [z, z + 1) / 255; its middle is (z + 0.5) / 255. Of a camera that
    rounds it is z / 255. A network's predictions, which lie between levels, are taken the same way.
    """
    middle = 0.5 if crf.levels == "floor254" else 0.0
    return crf.inverse(np.minimum((255.0 * ldr.astype(np.float64) + middle) / 255.0, 1.0))


def keep_levels(
    photograph: Float32[np.ndarray, "height width 3"],
    estimate: Float32[np.ndarray, "height width 3"],
    crf: CameraResponse,
) -> Float32[np.ndarray, "height width 3"]:
    """Use an estimate of light only for the clipped values of a photograph, channel by channel.

    A value that is not clipped keeps the light in the middle of its level's step. Black values do too, because no
    estimate was measured to be better there. Clipped values take the estimate, at least 1, which saturates. The
    reconstruction law follows: the same camera makes the same photograph of the result, level by level, whatever the
    estimate is, and also after rounding to half floats (`hdrdata.cameras.exposure.level_bounds`). Levels that this
    camera never makes become the next ones that it makes. For 16-bit photographs the law holds in single floats, and
    the values that 8 bits round to white count as clipped.

    Every network's light goes through here: of HDR-AttNet the merged stack, or X brought to the photograph's gain; of
    the other networks their radiance.

    Args:
        photograph: LDR [0, 1], levels / `crf.steps`.
        estimate: linear light; 1 is what saturates the photograph.
        crf: its camera response, which also says how its levels were made.

    Returns:
        linear light, >= 0.
    """
    lowest, highest = level_bounds(crf)
    level = np.minimum(np.rint(photograph * np.float32(crf.steps)).astype(np.int32), crf.white)
    light = np.clip(look_up_exposure(photograph, crf), lowest[level], highest[level])
    white = photograph >= np.float32(crf.clips)
    np.copyto(light, np.maximum(estimate, np.float32(1)), where=white)
    return light


def merge_stack(
    stack: Float32[np.ndarray, "exposures height width 3"], exposures: np.ndarray, crf: CameraResponse
) -> Float32[np.ndarray, "height width 3"]:
    """Merge LDR pictures into relative radiance: ln E = sum w(z) (ln f^-1(z) - ln dt) / sum w(z).

    Debevec and Malik, "Recovering High Dynamic Range Radiance Maps from Photographs", SIGGRAPH 1997, equation 6, with
    its hat w, which is 0 at black and at white (254), per channel. Where no picture has weight, the value is the bound
    that the stack sets: the darkest picture's where that is saturated, else the brightest picture's.

    Args:
        stack: LDR values [0, 1] (uint8 / 255), in rising exposure.
        exposures: t / t_reference of each picture, rising.
        crf: the camera response of all of them.

    Returns:
        radiance in units where exposure 1 saturates the sensor at 1; > 0.

    Raises:
        ValueError: if the counts differ or the exposures do not rise.
    """
    exposures = np.asarray(exposures, dtype=np.float64)
    if exposures.shape != (len(stack),) or (np.diff(exposures) <= 0).any() or not (exposures > 0).all():
        raise ValueError(f"{len(stack)} pictures and exposures {exposures.tolist()}; expected one rising exposure each")
    logs = np.log(exposures).astype(np.float32)
    merged = np.empty(stack.shape[1:], np.float32)
    for rows in row_bands(len(merged), merged[0].size, BAND_VALUES):
        total, weights = np.zeros_like(merged[rows]), np.zeros_like(merged[rows])
        for ldr, log in zip(stack[:, rows], logs, strict=True):
            weight = hat(ldr)
            light = np.log(np.maximum(look_up_exposure(ldr, crf), np.float32(1e-8)))
            total += weight * (light - log)
            weights += weight
        lost = weights <= 0
        weights[lost] = 1.0
        merged[rows] = np.exp(total / weights)
        if lost.any():
            merged[rows][lost] = _bound(stack[:, rows], exposures, crf)[lost]
    return merged


def _bound(stack: np.ndarray, exposures: np.ndarray, crf: CameraResponse) -> np.ndarray:
    return np.where(
        hat(stack[0], upper_only=True) <= 0,
        linearise(stack[0], crf) / exposures[0],
        linearise(stack[-1], crf) / exposures[-1],
    ).astype(np.float32)


@lru_cache(maxsize=16)
def _exposure_table(crf: CameraResponse) -> tuple[np.ndarray, np.ndarray]:
    """f^-1 at each `FINENESS`-th of a level, and the step to the next."""
    table = linearise(np.arange(255 * FINENESS + 1) / (255 * FINENESS), crf)
    return table.astype(np.float32), np.append(np.diff(table), 0).astype(np.float32)


def look_up_exposure(ldr: Float32[np.ndarray, "*shape"], crf: CameraResponse) -> Float32[np.ndarray, "*shape"]:
    """`linearise` by a table: at 8-bit levels to float32 rounding, between them within 1e-4 of it."""
    table, step = _exposure_table(crf)
    position = ldr * np.float32(255 * FINENESS)
    index = position.astype(np.int32)
    position -= index
    position *= step.take(index, mode="clip")
    position += table.take(index, mode="clip")
    return position


def hat(ldr: np.ndarray, *, upper_only: bool = False) -> np.ndarray:
    """The hat weight of LDR values [0, 1]: 0 at 0 and from 254 on, 1 at 127; `upper_only`: the upper flank alone."""
    level = ldr * ldr.dtype.type(255)
    upper = np.maximum((254 - level) / 127, 0)
    return upper if upper_only else np.minimum(level / 127, upper)

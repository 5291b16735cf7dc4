"""Merge a stack of LDR pictures with known exposures into one radiance map."""

import numpy as np
from jaxtyping import Float32

from hdrdata.crf import CameraResponse


def linearise(ldr: np.ndarray, crf: CameraResponse) -> np.ndarray:
    """Exposure [0, 1] from LDR values in [0, 1] that stand for 8-bit levels: f^-1 of the middle of the level's step.

    A level z = floor(255 f(x)) says that f(x) lies in [z, z + 1) / 255; its middle is (z + 0.5) / 255. A network's
    predictions, which lie between levels, are taken the same way.
    """
    return crf.inverse(np.minimum((255.0 * ldr.astype(np.float64) + 0.5) / 255.0, 1.0))


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
        raise ValueError(f"{len(stack)} pictures and exposures {exposures.tolist()}; wanted one rising exposure each")
    total = np.zeros(stack.shape[1:], dtype=np.float64)
    weights = np.zeros_like(total)
    for ldr, exposure in zip(stack, exposures, strict=True):
        weight = hat(ldr)
        total += weight * np.log(np.maximum(linearise(ldr, crf), 1e-8) / exposure)
        weights += weight
    bound = np.where(
        hat(stack[0], upper_only=True) <= 0,
        linearise(stack[0], crf) / exposures[0],
        linearise(stack[-1], crf) / exposures[-1],
    )
    merged = np.where(weights > 0, np.exp(total / np.where(weights > 0, weights, 1.0)), bound)
    return merged.astype(np.float32)


def hat(ldr: np.ndarray, *, upper_only: bool = False) -> np.ndarray:
    """The hat weight of LDR values [0, 1]: 0 at 0 and from 254 on, 1 at 127; `upper_only`: the upper flank alone."""
    level = 255.0 * ldr.astype(np.float64)
    upper = np.maximum((254.0 - level) / 127.0, 0.0)
    return upper if upper_only else np.minimum(level / 127.0, upper)

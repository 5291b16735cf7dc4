"""Expose a view: an LDR picture is a table look-up on the bits of half floats."""

import hashlib
import math
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float16, Float32, UInt8, UInt16

from hdrdata.cameras.crf import WHITE, CameraResponse, Quantise, staircase_crf
from hdrdata.cameras.recipe import Recipe

BRIGHTEST_HALF = 65504.0


def exposure_table(
    crf: CameraResponse, exposure: float, quantise: Quantise = "floor254"
) -> UInt8[np.ndarray, " 65536"]:
    """Tabulate the LDR value of every half float under one camera response and one exposure.

    z = floor(255 f(min(E * exposure, 1))) in float64, and 254 where the sensor saturates, so that 255 never occurs.
    Endo, Kanamori and Mitani, "Deep Reverse Tone Mapping", SIGGRAPH Asia 2017; quantisation measured on their stacks.

    Args:
        crf: f from relative exposure [0, 1] to response [0, 1], rising.
        exposure: t / t_reference, > 0; 2.0 is one stop brighter.
        quantise: "floor254", as above; "round255" is round(255 f), halves upwards, up to 255.

    Returns:
        LDR values, indexed by the bits of a half float; 0 for negative bits and NaN, which views never hold.

    Raises:
        ValueError: if `exposure` is not positive and finite, or the response leaves [0, 1] or falls.
    """
    if not (math.isfinite(exposure) and exposure > 0):
        raise ValueError(f"exposure must be positive and finite, got {exposure}")
    radiance = np.arange(0x7C01, dtype=np.uint16).view(np.float16).astype(np.float64)  # 0, subnormals ... Inf
    response = np.asarray(crf(np.minimum(radiance * exposure, 1.0)), dtype=np.float64)
    if not (response.min() >= 0 and response.max() <= 1 and (np.diff(response) >= 0).all()):
        raise ValueError(f"CRF {crf.name}: responses must rise within [0, 1]")
    table = np.zeros(65536, dtype=np.uint8)
    rounded = np.floor(255.0 * response + 0.5)
    table[: radiance.size] = rounded if quantise == "round255" else np.minimum(np.floor(255.0 * response), WHITE)
    return table


@lru_cache(maxsize=16)
def level_bounds(crf: CameraResponse) -> tuple[Float32[np.ndarray, " levels"], Float32[np.ndarray, " levels"]]:
    """The smallest and the largest light that a camera turns into each level; 1 saturates it.

    The lowest level begins at 0, and `crf.white` ends with the largest half float. Of 8 bits the bounds are half
    floats, so that all light between a level's bounds gives the level, also after it was rounded to half floats; a
    level that the camera never makes lies between its neighbours that it makes. Steps of 16 bits are finer than half
    floats: the bounds are the ends of f^-1, drawn in by a thousandth of the step for rounding.
    """
    if crf.levels == "round65535":
        ends = crf.inverse(np.clip((np.arange(65537) - 0.5) / 65535, 0.0, 1.0))
        margin = np.diff(ends) / 1000
        lowest, highest = ends[:-1] + margin, ends[1:] - margin
        lowest[0], highest[-1] = 0.0, BRIGHTEST_HALF
        return lowest.astype(np.float32), highest.astype(np.float32)
    table = exposure_table(crf, 1.0, crf.levels)[:0x7C00]
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    levels, first = np.unique(table, return_index=True)
    place = np.interp(np.arange(256), levels, np.arange(len(levels)))  # among those that are made
    below, above = np.floor(place).astype(int), np.ceil(place).astype(int)
    last = np.append(first[1:], len(table)) - 1
    exact = below == above
    return halves[np.where(exact, first[below], last[below])], halves[np.where(exact, last[above], first[above])]


@lru_cache(maxsize=2)
def recipe_tables(recipe: Recipe) -> dict[str, UInt8[np.ndarray, "exposures 65536"]]:
    """The tables of a recipe, made once: for each CRF one row an exposure, in rising exposure.

    Raises:
        ValueError: if the recipe draws its cameras, so that no table says what a picture is.
    """
    if recipe.steps.draws is not None:
        raise ValueError(f"recipe {recipe.name}: its cameras are drawn for each view, so it has no look-up tables")
    quantise = recipe.steps.quantise
    return {
        crf.name: np.stack([exposure_table(crf, exposure, quantise) for exposure in recipe.exposures])
        for crf in recipe.crfs
    }


@lru_cache(maxsize=8)
def recipe_digests(recipe: Recipe) -> dict[str, str]:
    """The SHA-256 of each CRF's tables: what the LDR pictures of a view depend on, and no more."""
    return {name: hashlib.sha256(tables.tobytes()).hexdigest() for name, tables in recipe_tables(recipe).items()}


def thresholds_of(table: UInt8[np.ndarray, " 65536"]) -> UInt16[np.ndarray, " levels"]:
    """The whole of a table in 254 numbers: for z = 1 ... 254 the smallest half float's bits that give at least z.

    A radiance above 0 with bits b gives z = the number of thresholds <= b. A level that is never reached has 0x7c01,
    one more than the bits of Inf. A table that reaches 255 has a number more.
    """
    return np.searchsorted(table[:0x7C01], np.arange(1, max(WHITE, int(table.max())) + 1)).astype(np.uint16)


def table_from_thresholds(thresholds: UInt16[np.ndarray, " levels"]) -> UInt8[np.ndarray, " 65536"]:
    """Undo `thresholds_of`."""
    table = np.zeros(65536, dtype=np.uint8)
    table[:0x7C01] = np.searchsorted(thresholds, np.arange(0x7C01), side="right")
    return table


def crf_of_table(name: str, table: UInt8[np.ndarray, " 65536"], exposure: float) -> CameraResponse:
    """Return the camera response of a table: for each level that occurs the smallest relative exposure that gives it.

    Exact to the step of half floats (1 in 2,048), finer than the step of 8-bit levels everywhere but in deep shadows.

    Args:
        exposure: what the table was made with.
    """
    levels, bits = np.unique(table[:0x7C00], return_index=True)
    exposures = bits.astype(np.uint16).view(np.float16).astype(np.float64) * exposure
    return staircase_crf(name, levels, exposures, "floor254" if levels[-1] <= WHITE else "round255")


def look_up(
    bits: UInt16[np.ndarray, "height width 3"], table: UInt8[np.ndarray, " 65536"]
) -> UInt8[np.ndarray, "height width 3"]:
    """The LDR picture of a view: table[bits], by OpenCV's 16-bit look-up (measured 3 to 5 times NumPy's speed)."""
    return cv2.LUT(bits, table)


def expose_view(
    bits: UInt16[np.ndarray, "height width 3"], tables: UInt8[np.ndarray, "exposures 65536"]
) -> UInt8[np.ndarray, "exposures height width 3"]:
    """The stack of a view under one camera response: one picture a table."""
    stack = np.empty((len(tables), *bits.shape), dtype=np.uint8)
    for place, table in enumerate(tables):
        cv2.LUT(bits, table, dst=stack[place])  # `look_up`, without a copy
    return stack


def half_bits(view: Float16[np.ndarray, "height width 3"]) -> UInt16[np.ndarray, "height width 3"]:
    """The bits of half floats as unsigned integers, which index a look-up table."""
    return view.view(np.uint16)

"""The table look-up is the published formula, for every half float."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.cameras.crf import CameraResponse, gamma_crf
from hdrdata.cameras.crf_names import GammaCrf, SigmoidCrf, choose_crf, named_crfs
from hdrdata.cameras.exposure import (
    WHITE,
    crf_of_table,
    expose_view,
    exposure_table,
    half_bits,
    look_up,
    recipe_digests,
    recipe_tables,
    table_from_thresholds,
    thresholds_of,
)
from hdrdata.cameras.recipe import choose_recipe

CRFS = {
    **named_crfs(),
    "gamma-2p2": choose_crf(GammaCrf(kind="gamma", exponent=1 / 2.2)),
    "hdrcnn": choose_crf(SigmoidCrf(kind="hdrcnn", n=0.9, sigma=0.6)),
}
DRTMO_EXPOSURES = [math.sqrt(2) ** (i - 4) for i in range(9)]


def value_of_half(bits: int) -> float:
    """What IEEE 754's binary16 says that 15 bits stand for."""
    exponent, fraction = bits >> 10, bits & 0x3FF
    if exponent == 31:
        return math.inf
    if exponent == 0:
        return fraction * 2.0**-24
    return (1024 + fraction) * 2.0 ** (exponent - 25)


DRTMO_TABLES = recipe_tables(choose_recipe("drtmo"))
HALVES = np.array([value_of_half(bits) for bits in range(0x7C01)])  # 0, the subnormals, up to 65,504 and Inf


@pytest.mark.parametrize("crf", CRFS.values(), ids=CRFS)
@pytest.mark.parametrize("number", range(9))
def test_a_table_is_the_formula_for_every_half_float(crf, number):
    # floor(255 f(min(E dt, 1))), and 254 where that is 255: DrTMO, checked on its authors' stacks
    exposure = choose_recipe("drtmo").exposures[number]
    expected = np.minimum(np.floor(255 * crf(np.minimum(HALVES * exposure, 1.0))), 254)
    table = exposure_table(crf, exposure)
    assert np.array_equal(table[: len(HALVES)], expected)
    assert not table[len(HALVES) :].any()  # NaN and negative numbers, which views never hold
    assert exposure == pytest.approx(DRTMO_EXPOSURES[number], rel=1e-15)


def test_levels_are_floored_and_not_rounded():
    # 0.5 * 255 = 127.5 -> 127; 0.7 is the half float 0.7001953125, and that times 255 is 178.55 -> 178
    table = exposure_table(gamma_crf("linear", 1.0), 1.0)
    bits = np.array([0.5, 0.7], np.float16).view(np.uint16)
    assert table[bits].tolist() == [127, 178]
    # two stops down: 0.125 * 255 = 31.875 -> 31, where rounding gives 32
    assert exposure_table(gamma_crf("linear", 1.0), 0.25)[bits[0]] == 31


@pytest.mark.parametrize("crf", CRFS.values(), ids=CRFS)
@given(stops=st.floats(-10, 10))
def test_every_table_rises_to_254_and_never_holds_255(crf, stops):
    table = exposure_table(crf, 2.0**stops)[:0x7C01]
    assert (np.diff(table.astype(int)) >= 0).all()
    assert (table[0], table[-1]) == (0, WHITE)


@given(st.floats(-10, 9), st.floats(0, 3))
def test_more_exposure_never_darkens(stops, more):
    for crf in CRFS.values():
        assert (exposure_table(crf, 2.0 ** (stops + more)) >= exposure_table(crf, 2.0**stops)).all()


@given(st.floats(-10, 10))
def test_254_thresholds_hold_a_whole_table(stops):
    for crf in CRFS.values():
        table = exposure_table(crf, 2.0**stops)
        thresholds = thresholds_of(table)
        assert thresholds.shape == (254,)
        assert (table_from_thresholds(thresholds) == table).all()


def test_a_look_up_indexes_the_table_with_every_half_float():
    table = exposure_table(CRFS["srgb"], 1.0)
    bits = np.arange(1, 65536, dtype=np.uint16).reshape(-1, 5, 3)
    assert (look_up(bits, table) == table[bits]).all()


@given(st.integers(0, 2**32))
def test_a_stack_is_a_picture_a_table_and_never_darkens(seed):
    view = (np.random.default_rng(seed).exponential(0.5, (5, 7, 3))).astype(np.float16)
    for rows in DRTMO_TABLES.values():
        stack = expose_view(half_bits(view), rows)
        assert stack.shape == (9, 5, 7, 3)
        assert (np.diff(stack.astype(int), axis=0) >= 0).all()
        assert all((stack[k] == rows[k][half_bits(view)]).all() for k in range(9))


@pytest.mark.parametrize("exposure", [0.0, -1.0, math.inf, math.nan])
def test_an_exposure_is_positive_and_finite(exposure):
    with pytest.raises(ValueError, match="exposure must be positive and finite"):
        exposure_table(CRFS["srgb"], exposure)


@pytest.mark.parametrize("forward", [lambda x: 1 - x, lambda x: 2 * x, lambda x: x - 0.1, lambda x: x * np.nan])
def test_a_response_that_falls_or_leaves_its_range_is_refused(forward):
    with pytest.raises(ValueError, match="CRF bad: responses must rise within"):
        exposure_table(CameraResponse("bad", forward, forward), 1.0)


def test_each_camera_has_tables_of_its_own():
    for name in ("drtmo", "srgb", "linear"):
        digests = recipe_digests(choose_recipe(name))
        assert len(set(digests.values())) == len(digests)
    assert recipe_digests(choose_recipe("drtmo")) == recipe_digests(choose_recipe("drtmo"))


@pytest.mark.parametrize("name", sorted(named_crfs()))
@pytest.mark.parametrize("exposure", [0.25, 1.0])
def test_a_table_tells_its_camera_response_to_the_level(name, exposure):
    crf = named_crfs()[name]
    table = exposure_table(crf, exposure)
    told = crf_of_table(name, table, exposure)
    radiance = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float64)
    relative = np.minimum(radiance * exposure, 1.0)
    assert np.array_equal(np.floor(255 * told(relative)), table[:0x7C00])
    levels = np.arange(8, 250)
    assert told.inverse((levels + 0.5) / 255) == pytest.approx(crf.inverse((levels + 0.5) / 255), rel=0.04, abs=2e-3)

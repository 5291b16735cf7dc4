"""Merging undoes exposing where nothing clips, up to the step of the quantisation."""

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.exposure import exposure_table, half_bits, look_up
from hdrdata.cameras.merge import BAND_VALUES, hat, linearise, look_up_exposure, merge_stack
from hdrdata.cameras.recipe import HALF_STOPS

CRFS = named_crfs()
EXPOSURES = 2.0 ** np.array(HALF_STOPS)


@cache
def tables_of(name: str) -> list[np.ndarray]:
    return [exposure_table(CRFS[name], exposure) for exposure in EXPOSURES.tolist()]


def photograph(view: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The stack as floats, and for each pixel the lowest response of the next level that the camera gives."""
    tables = tables_of(name)
    levels = np.stack([look_up(half_bits(view), table) for table in tables])
    occurring = np.append(np.unique(tables[0]), 255)
    above = occurring[np.searchsorted(occurring, levels, side="right")]
    return levels.astype(np.float32) / 255, above / 255


@pytest.mark.parametrize("name", CRFS)
@given(seed=st.integers(0, 2**32))
def test_merging_undoes_exposing_up_to_the_quantisation_step(name, seed):
    crf = CRFS[name]
    # E dt reaches 0.9 at most and 0.02 somewhere: nothing is white in all pictures or black in all
    view = np.random.default_rng(seed).uniform(0.02, 0.2, (4, 6, 3)).astype(np.float16)
    stack, above = photograph(view, name)
    merged = merge_stack(stack, EXPOSURES, crf)

    # a level says f(E dt) is in [z / 255, next level / 255), so that ln E, and the mean of what the pictures say of it,
    # lie between the weighted means of both ends
    weight, dt = hat(stack), EXPOSURES[:, None, None, None]
    ends = [np.log(np.maximum(crf.inverse(response), 1e-9) / dt) for response in (stack.astype(np.float64), above)]
    low, high = ((weight * end).sum(axis=0) / weight.sum(axis=0) for end in ends)
    truth = np.log(view.astype(np.float64))
    assert ((low - 1e-6 <= truth) & (truth <= high + 1e-6)).all()
    assert ((low - 1e-6 <= np.log(merged)) & (np.log(merged) <= high + 1e-6)).all()
    assert np.median(np.abs(np.log(merged) - truth)) < 0.02  # nine pictures: 2 % in the middle


def test_a_linear_pixel_is_merged_by_hand():
    # E = 0.25 at exposures 1 and 2 gives floor(63.75) = 63 and floor(127.5) = 127;
    # middles 63.5 / 255 = 0.24902 and 127.5 / 255 / 2 = 0.25; hat weights 63 / 127 and 1
    stack = np.array([63, 127], np.float32)[:, None, None, None] / 255 * np.ones((1, 1, 1, 3), np.float32)
    merged = merge_stack(stack, np.array([1.0, 2.0]), CRFS["linear"])
    weight = 63 / 127
    expected = np.exp((weight * np.log(63.5 / 255) + np.log(0.25)) / (weight + 1))
    assert merged[0, 0] == pytest.approx([expected] * 3, rel=1e-5)


def test_where_all_pictures_clip_the_bound_of_the_stack_stands():
    crf = CRFS["linear"]
    white = merge_stack(np.full((2, 1, 1, 3), 254 / 255, np.float32), np.array([0.25, 1.0]), crf)
    assert white[0, 0] == pytest.approx([254.5 / 255 / 0.25] * 3, rel=1e-5)  # the darkest picture's
    black = merge_stack(np.zeros((2, 1, 1, 3), np.float32), np.array([0.25, 1.0]), crf)
    assert black[0, 0] == pytest.approx([0.5 / 255] * 3, rel=1e-5)  # the brightest picture's


def test_the_hat_is_0_at_black_and_white_and_1_in_the_middle():
    levels = np.array([0, 63.5, 127, 190.5, 254, 255]) / 255
    assert hat(levels) == pytest.approx([0, 0.5, 1, 0.5, 0, 0])
    assert hat(levels, upper_only=True) == pytest.approx([2, 1.5, 1, 0.5, 0, 0])


@pytest.mark.parametrize("name", CRFS)
@given(level=st.integers(0, 254))
def test_linearised_levels_lie_in_their_step(name, level):
    crf = CRFS[name]
    exposure = linearise(np.array([level / 255]), crf)
    assert 0 <= exposure[0] <= 1
    if name != "gamma14":
        assert np.floor(255 * crf(exposure) + 1e-6)[0] == pytest.approx(level, abs=0)


@pytest.mark.parametrize("name", CRFS)
def test_the_table_of_the_inverse_response_is_linearise(name):
    levels = np.arange(256, dtype=np.float32) / 255
    expected = linearise(levels, CRFS[name])
    assert (np.abs(look_up_exposure(levels, CRFS[name]) - expected) <= 1e-6 * expected).all()  # float32
    between = np.random.default_rng(0).random(100_000, dtype=np.float32)
    assert np.abs(look_up_exposure(between, CRFS[name]) - linearise(between, CRFS[name])).max() < 1e-4


def merged_by_debevec_and_malik(stack, exposures, crf):
    """Equation 6 in float64, value by value; where no picture has weight, the bound that the stack sets."""
    merged = np.empty(stack.shape[1:])
    for place in np.ndindex(merged.shape):
        levels = np.round(stack[:, *place].astype(np.float64) * 255, 4)  # 254 / 255 in float32 is not quite that
        lights = crf.inverse(np.minimum((levels + 0.5) / 255, 1)).tolist()
        weights = [max(min(level, 254 - level), 0) / 127 for level in levels.tolist()]
        logs = [math.log(light / exposure) for light, exposure in zip(lights, exposures, strict=True)]
        if sum(weights) > 0:
            merged[place] = math.exp(sum(w * log for w, log in zip(weights, logs, strict=True)) / sum(weights))
        else:
            merged[place] = math.exp(logs[0] if levels[0] >= 254 else logs[-1])
    return merged


@pytest.mark.parametrize("name", CRFS)
@pytest.mark.parametrize("kind", ["levels", "between", "clipped"])
def test_merging_is_equation_6_of_debevec_and_malik(name, kind):
    draw = np.random.default_rng(0)
    shape = (9, 6, 10, 3)
    stack = {
        "levels": draw.integers(0, 256, shape) / 255,
        "between": draw.random(shape),
        "clipped": draw.choice([0, 254, 255], (9, 1, 1, 1)) / 255 * np.ones(shape),  # in any order
    }[kind].astype(np.float32)
    if kind == "clipped":
        stack[:, 0, 0, 0] = 100 / 255  # in a picture of lost values one that is told
    expected = merged_by_debevec_and_malik(stack, EXPOSURES, CRFS[name])
    assert merge_stack(stack, EXPOSURES, CRFS[name]) == pytest.approx(expected, rel=1e-4)  # of float32 and a table


@pytest.mark.parametrize("shape", [(400, 200), (3, BAND_VALUES), (1, 1)])
def test_a_picture_is_merged_in_bands_as_row_by_row(shape):
    stack = np.random.default_rng(0).integers(0, 256, (2, *shape, 3)).astype(np.float32) / 255
    assert np.prod(shape) * 3 > BAND_VALUES or shape == (1, 1)
    merged = merge_stack(stack, EXPOSURES[:2], CRFS["srgb"])
    rows = [merge_stack(stack[:, row : row + 1], EXPOSURES[:2], CRFS["srgb"]) for row in range(shape[0])]
    assert np.array_equal(merged, np.concatenate(rows))


@pytest.mark.parametrize("exposures", [[1.0], [2.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [0.0, 1.0]])
def test_exposures_rise_and_are_as_many_as_the_pictures(exposures):
    with pytest.raises(ValueError, match=r"2 pictures and exposures .*expected one rising exposure each"):
        merge_stack(np.zeros((2, 4, 4, 3), np.float32), np.array(exposures), CRFS["linear"])

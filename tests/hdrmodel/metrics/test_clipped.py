import math

import numpy as np
import pytest

from hdrmodel.metrics.clipped import clipped_errors, hue_error

TRUTH = np.full((8, 8, 3), 2.0)
SQUARE = np.zeros((8, 8, 3), bool)
SQUARE[2:6, 2:6] = True


def test_light_that_is_right_has_no_error():
    assert set(clipped_errors(TRUTH, TRUTH, SQUARE).values()) == {0.0}


def test_a_picture_without_clipped_values_has_no_errors_to_average():
    assert all(map(math.isnan, clipped_errors(TRUTH, TRUTH, np.zeros_like(SQUARE)).values()))


def test_half_the_light_is_a_stop_too_dark_with_the_structure_and_hue_of_the_truth():
    errors = clipped_errors(np.where(SQUARE, TRUTH / 2, TRUTH), TRUTH, SQUARE)
    assert errors == {"bias": -1, "error": 1, "structure": 0, "step": 1, "hue": 0}  # the border steps by a stop


def test_each_region_has_a_mean_of_its_own():
    two = np.zeros((4, 9, 3), bool)
    two[1:3, 1:4], two[1:3, 5:8] = True, True
    truth = np.ones((4, 9, 3))
    made = truth.copy()
    made[1:3, 1:4], made[1:3, 5:8] = 2.0, 0.25  # a stop too bright, two too dark
    errors = clipped_errors(made, truth, two)
    assert (errors["bias"], errors["error"], errors["structure"]) == (-0.5, 1.5, 0)


def test_a_border_that_steps_as_the_truth_does_has_no_error_of_its_own():
    truth = np.where(SQUARE, 8.0, 1.0)
    assert clipped_errors(2 * truth, truth, SQUARE)["step"] == 0


@pytest.mark.parametrize(
    ("made", "true", "degrees"),
    [
        ([4, 4, 1], [4, 4, 1], 0),
        ([1, 0, 0], [0, 1, 0], 120),  # red and green are a third of the circle apart
        ([1, 0, 0], [1, 1, 0], 60),
        ([1, 1, 0], [0, 0, 1], 180),
        ([1.02, 1, 1], [1, 1, 1.02], 0),  # both are grey to the eye
    ],
)
def test_the_hue_error_is_an_angle(made, true, degrees):
    assert hue_error(np.array([made], float), np.array([true], float)) == pytest.approx([degrees])

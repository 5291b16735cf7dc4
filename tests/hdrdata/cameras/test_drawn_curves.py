import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.drawn_curves import (
    EXPOSURES,
    UP_TO_WHITE,
    camera_of_curve,
    curve_of_stops,
    draw_camera,
    draw_curve,
)
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.measured import MODELS, PHONES, fit_distribution, mean_crf, measured_curves

GREY = int(np.searchsorted(EXPOSURES, 0.18))


@settings(max_examples=30)
@given(seed=st.integers(0, 999), unknown=st.booleans(), rounded=st.booleans())
def test_a_drawn_camera_is_a_rising_table_and_its_light_that_of_its_levels(seed, unknown, rounded):
    camera = draw_camera(np.random.default_rng(seed), unknown, rounded)
    rising = camera.levels[:UP_TO_WHITE].astype(int)
    assert (np.diff(rising) >= 0).all() and rising[0] <= 1 and camera.levels[UP_TO_WHITE] == (255 if rounded else WHITE)
    assert (np.diff(camera.light) >= 0).all() and camera.light[0] > 0 and camera.light[-1] <= 1
    curve = draw_curve(np.random.default_rng(seed), unknown)
    assert (np.diff(curve) >= 0).all()
    assert curve[[0, -1]] == pytest.approx([0, 1], abs=0.01)


def test_the_light_of_a_level_lies_in_its_step():
    camera = camera_of_curve(EXPOSURES ** (1 / 2.2), rounded=False)
    for level in (20, 100, 200):
        seen = EXPOSURES[camera.levels[:UP_TO_WHITE] == level]
        assert seen.min() <= camera.light[level] <= seen.max()


def test_the_measured_curves_are_those_of_fourteen_models_and_their_means_have_names():
    assert len(MODELS) == 14 and set(PHONES) < set(MODELS)
    assert measured_curves()["Xiaomi M2007J17C"][127] == pytest.approx(np.log2(0.195188))  # level 128 of the table
    camera, phone = (named_crfs()[name] for name in ("camera", "phone"))
    assert np.log2(camera.inverse(np.array([128 / 255]))) == pytest.approx(-3.12, abs=0.01)  # stops below saturation
    assert np.log2(phone.inverse(np.array([128 / 255]))) == pytest.approx(-2.65, abs=0.01)
    assert camera(np.array([0.0, 1.0])) == pytest.approx([0, 1])


def test_unknown_responses_reach_from_srgb_to_the_strongest_shoulder():
    draw = np.random.default_rng(0)
    grey = np.array([draw_curve(draw, True)[GREY] for _ in range(400)])
    measured = [curve_of_stops(stops)[GREY] for stops in measured_curves().values()]
    assert np.mean((grey > min(measured)) & (grey < max(measured))) > 0.5  # 60 % are like cameras, some of them wider
    assert 0.06 < np.mean(np.abs(grey - 0.4614) < 1e-3) < 0.2  # sRGB itself: 10 %, and 2 % of the older kinds
    assert np.mean(grey < 0.42) > 0.05  # older kinds


def test_held_out_models_are_not_drawn():
    models = MODELS
    rest = models[:3] + models[4:]
    held_out = curve_of_stops(measured_curves()[models[3]])
    for unknown in (False, True):
        draw = np.random.default_rng(1)
        assert not any(np.array_equal(draw_curve(draw, unknown, rest), held_out) for _ in range(100))
    draw = np.random.default_rng(1)
    assert any(np.array_equal(draw_curve(draw, False, models[3:4]), held_out) for _ in range(20))
    assert len(fit_distribution(rest).curves) == 13
    with pytest.raises(ValueError, match=r"unknown model \['Nokia'\]; expected some of Canon EOS 1000D, "):
        draw_curve(np.random.default_rng(2), False, ("Nokia",))
    with pytest.raises(ValueError, match="no phone among them"):
        mean_crf("phone", ("NIKON D90",))


@given(seed=st.integers(0, 2**32), few=st.integers(1, 14))
def test_drawn_measured_curves_rise_to_white(seed, few):
    distribution, draw = fit_distribution(MODELS[:few]), np.random.default_rng(seed)
    for stops in (distribution.draw_mixture(draw), distribution.draw_components(draw, 1.3)):
        assert stops.shape == (255,) and (np.diff(stops) >= 0).all() and stops[-1] == pytest.approx(0)


def test_the_names_of_the_measured_models_are_those_of_the_table():
    assert tuple(measured_curves()) == MODELS

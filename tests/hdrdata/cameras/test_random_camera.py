"""Random cameras: what they draw is what is published, and a picture depends on its own view, camera and seed alone."""

import colorsys
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hdrdata.cameras.exposure import exposure_table, half_bits
from hdrdata.cameras.random_camera import RandomCameras, camera_digests, quantile, random_cameras, turn_colours
from hdrdata.cameras.recipe import RECIPES, Recipe, RecipeConfig, choose_recipe

DRAWN = [name for name, recipe in RECIPES.items() if recipe.draws is not None]
PUBLISHED = ["hdrcnn", "singlehdr", "clipped"]


def like(known: str, **changes) -> Recipe:
    return choose_recipe(RecipeConfig.parse("recipe", {"like": known, **changes}))


def view_of(seed: int, size: int = 24) -> np.ndarray:
    """Half floats with a mean of about 0.5 and twelve stops or so."""
    light = np.exp(np.random.default_rng(seed).normal(0, 1.6, (size, size, 3)))
    return (light * (0.5 / light.mean())).astype(np.float16)


def grey(value: float, size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), value, np.float16)


def ramp(size: int = 16) -> np.ndarray:
    """A view without a random number in it: 0.002 to 8, each channel another way."""
    steps = 2.0 ** np.linspace(-9, 3, size * size).reshape(size, size)
    return np.stack([steps, steps.T, steps[::-1]], axis=2).astype(np.float16)


def test_the_published_cameras_are_recipes():
    assert DRAWN == PUBLISHED


# SHA-256 of four cameras' pictures (before JPEG) of `ramp` at EV -1 and +1, by the first run of this code: another
# number means that stacks change, and ALGORITHM of hdrdata/stacks/recipe_facts.py must be raised.
GOLDEN = {
    "hdrcnn": "9cf40b6c98092f4ad3ff0aa2f644510d3df104d157d9ac80b9428ba4fcee9a9b",
    "singlehdr": "68b672e329df573706738df55e9b299fd8502328d9a7591f5ef31e0e206a1580",
    "clipped": "07e47fa4825c15c184ce1897f2ff2e9dc8034bfc70427d0a6ab9966380d2a9e5",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_pictures_of_a_small_view_are_those_of_the_first_run(name):
    recipe = like(name, evs=[-1, 1], draws={"cameras": 4, "seed": 7})
    digest = hashlib.sha256()
    for camera in recipe.cameras:
        digest.update(random_cameras(recipe).photograph(ramp(), camera)[0].tobytes())
    assert digest.hexdigest() == GOLDEN[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_index_photographs_the_same_pixels_without_the_recipe(name):
    recipe = like(name, evs=[-0.7, 0.1, 3], draws={"cameras": 3, "seed": 1})
    cameras = random_cameras(recipe)
    told = json.loads(json.dumps({"name": name, "evs": recipe.evs, "random": cameras.to_json()}))
    again = RandomCameras.from_json(told)
    for camera in recipe.cameras:
        assert (again.pixels(view_of(0), camera) == cameras.pixels(view_of(0), camera)).all()
        assert again.photograph(view_of(0), camera)[1] == cameras.photograph(view_of(0), camera)[1]
    assert again.digest == cameras.digest


@pytest.mark.parametrize("name", PUBLISHED)
@settings(max_examples=8)
@given(st.integers(0, 2**32), st.permutations(range(4)))
def test_a_picture_depends_on_no_other_camera_exposure_or_order(name, seed, order):
    view = view_of(seed % 1000)
    many = random_cameras(like(name, evs=[-2, 0, 0.5, 2], draws={"cameras": 4, "seed": seed}))
    one = random_cameras(like(name, evs=[0, 2], draws={"cameras": 4, "seed": seed}))
    stacks = {number: many.photograph(view, f"{name}-{number}") for number in order}
    for number in range(4):
        stack, drawn = one.photograph(view, f"{name}-{number}")
        assert (stack == stacks[number][0][[1, 3]]).all()
        assert drawn == stacks[number][1]
    assert len({json.dumps(drawn["scale"]) for _, drawn in stacks.values()}) > 1


def test_another_seed_view_or_number_draws_another_camera_and_a_step_more_changes_no_other():
    def drawn(view: int, number: int, **changes) -> dict:
        recipe = like("hdrcnn", **changes)
        return random_cameras(recipe).photograph(view_of(view), f"hdrcnn-{number}")[1]

    first = drawn(0, 0)
    for other in (drawn(1, 0), drawn(0, 1), drawn(0, 0, draws={"cameras": 1, "seed": 1})):
        assert all(first[name] != other[name] for name in ("quantile", "n", "sigma", "noise_constant", "hue_degrees"))
    assert drawn(0, 0, draws={"cameras": 1, "seed": 0}) == first
    without = drawn(0, 0, noise=None, colour=None)
    assert without == {name: first[name] for name in without}
    assert first.keys() - without.keys() == {"noise_constant", "noise_signal", "hue_degrees", "saturation"}


def test_a_cameras_digest_is_of_all_that_its_pictures_depend_on_and_of_no_more():
    base = camera_digests(like("singlehdr"))["singlehdr-0"]
    for same in ({"evs": [-1, 4]}, {"draws": {"cameras": 9, "seed": 0}}, {"name": "other"}):
        assert set(camera_digests(like("singlehdr", **same)).values()) == {base}
    changes = [
        {"draws": {"cameras": 5, "seed": 1}},
        {"crfs": ["srgb"]},
        {"noise": None},
        {"jpeg": {"low": 90, "high": 99}},
        {"quantise": "floor254"},
        {"usable": None},
        {"exposure": {"kind": "stops", "low": -3, "high": 3, "count": 601}},
    ]
    digests = {camera_digests(like("singlehdr", **change))["singlehdr-0"] for change in changes}
    assert len(digests | {base}) == len(changes) + 1


def test_hdrcnn_brings_a_drawn_quantile_of_the_view_to_white():
    recipe = like("hdrcnn", noise=None, colour=None, draws={"cameras": 40, "seed": 3})
    view = view_of(5, size=40)
    found = []
    for camera in recipe.cameras:
        stack, drawn = random_cameras(recipe).photograph(view, camera)
        assert 0.85 <= drawn["quantile"] <= 0.95
        below = (view.astype(np.float64) * drawn["scale"] < 1 - 1e-12).mean()
        assert below <= drawn["quantile"] < below + 0.002  # equal half floats of 4,800 values
        assert (stack[0] == 255).mean() >= 1 - drawn["quantile"] - 1e-9  # what clips, and what rounds to 255
        found.append(drawn["quantile"])
    assert np.std(found) == pytest.approx(0.1 / 12**0.5, rel=0.3)  # uniform


def test_clipped_clips_the_drawn_share_of_pixels():
    recipe = like("clipped", noise=None, draws={"cameras": 40, "seed": 3})
    view = view_of(6, size=40)
    for camera in recipe.cameras:
        drawn = random_cameras(recipe).photograph(view, camera)[1]
        clipped = (view.max(axis=2).astype(np.float64) * drawn["scale"] >= 1 - 1e-12).mean()
        assert 0.05 <= drawn["clipped_share"] <= 0.15
        assert drawn["clipped_share"] <= clipped < drawn["clipped_share"] + 0.005  # a few of 1,600 pixels are equal


def test_singlehdr_draws_one_of_600_times_and_one_of_its_curves():
    recipe = like("singlehdr", usable=None, draws={"cameras": 60, "seed": 0})
    view = view_of(0, size=4)
    drawn = [random_cameras(recipe).photograph(view, camera)[1] for camera in recipe.cameras]
    steps = np.array([(one["stops"] + 3) * 599 / 6 for one in drawn])
    assert steps == pytest.approx(np.round(steps), abs=1e-9)
    assert steps.min() >= 0 and steps.max() <= 599 and np.std(steps) == pytest.approx(600 / 12**0.5, rel=0.25)
    assert [one["scale"] for one in drawn] == [2.0 ** one["stops"] for one in drawn]
    assert {one["curve"] for one in drawn} == set(RECIPES["singlehdr"].crfs)
    assert all(one["noise_constant"] <= 0.005 and one["noise_signal"] <= 0.08 / 6 for one in drawn)
    assert {one["jpeg_quality"] for one in drawn} == set(range(90, 101))


def test_sigmoids_are_normal_about_the_published_means_and_make_the_pictures():
    recipe = like("hdrcnn", noise=None, colour=None, jpeg=None, exposure=None, draws={"cameras": 100, "seed": 0})
    view = ramp(4)
    drawn = []
    for camera in recipe.cameras:
        stack, one = random_cameras(recipe).photograph(view, camera)
        power = np.minimum(view.astype(np.float64), 1) ** one["n"]
        assert (stack[0] == np.floor(255 * (1 + one["sigma"]) * power / (power + one["sigma"]) + 0.5)).all()
        drawn.append([one["n"], one["sigma"]])
    assert np.mean(drawn, axis=0) == pytest.approx([0.9, 0.6], abs=0.03)  # 0.1 / sqrt(100) = 0.01: three of them
    assert np.std(drawn, axis=0) == pytest.approx([0.1, 0.1], abs=0.025)


def test_noise_has_the_drawn_deviations():
    changes = {"crfs": ["linear"], "jpeg": None, "usable": None, "exposure": None, "quantise": "round255"}
    for value in (0.2, 0.7):
        recipe = like("singlehdr", noise={"constant": 0.05, "signal": 0.1}, **changes)
        for camera in recipe.cameras:
            stack, drawn = random_cameras(recipe).photograph(grey(value), camera)
            expected = (drawn["noise_constant"] ** 2 + (drawn["noise_signal"] * value) ** 2) ** 0.5
            levels = stack[0].astype(np.float64) / 255
            assert levels.mean() == pytest.approx(float(np.float16(value)), abs=0.002)
            rounding = (1 / 255) ** 2 / 12
            assert levels.std() == pytest.approx((expected**2 + rounding) ** 0.5, rel=0.05)


def test_each_exposure_and_each_channel_has_noise_of_its_own():
    changes = {"crfs": ["linear"], "jpeg": None, "usable": None, "exposure": None, "evs": [0, 1]}
    cameras = random_cameras(like("singlehdr", noise={"constant": 0.1, "signal": 0}, **changes))
    stack, _ = cameras.photograph(grey(0.3), "singlehdr-1")
    planes = [stack[0, :, :, 0], stack[0, :, :, 1], stack[1, :, :, 0]]
    correlation = np.corrcoef([plane.ravel().astype(float) for plane in planes])
    assert abs(correlation - np.eye(3)).max() < 0.06  # 4,096 pixels: 0.016 each


def test_without_noise_and_colour_a_drawn_camera_is_a_table():
    # the sensor's value is rounded to a half float, which moves the level by one at most, and of few pixels
    recipe = like("clipped", noise=None, jpeg=None, evs=[-1, 0])
    view = view_of(2)
    for camera in recipe.cameras:
        stack, drawn = random_cameras(recipe).photograph(view, camera)
        crf = recipe.crf(drawn["curve"])
        for picture, exposure in zip(stack, (0.5, 1.0), strict=True):
            exact = exposure_table(crf, exposure * drawn["scale"], "round255")[half_bits(view)]
            difference = picture.astype(int) - exact
            assert abs(difference).max() <= 1 and (difference != 0).mean() < 0.1


def test_a_camera_whose_picture_is_lost_is_drawn_again_and_one_that_never_works_is_said_so():
    cameras = random_cameras(like("singlehdr", draws={"cameras": 20, "seed": 0}, jpeg=None))
    view = grey(0.5, 8)
    attempts = []
    for number in range(20):
        stack, drawn = cameras.photograph(view, f"singlehdr-{number}")
        assert drawn["usable"] and (stack[0].min(axis=2) >= 249).mean() <= 0.5
        attempts.append(drawn["attempt"])
    assert max(attempts) > 0 and min(attempts) == 0
    black = np.zeros((8, 8, 3), np.float16)
    black[0, 0] = 30
    drawn = random_cameras(like("singlehdr", noise=None)).photograph(black, "singlehdr-0")[1]
    assert (drawn["usable"], drawn["attempt"]) == (False, 19)


@given(st.integers(0, 2**32), st.floats(-400, 400), st.floats(-1, 1))
def test_hue_and_saturation_are_those_of_hsv(seed, hue, saturation):
    # the standard library's colorsys, in doubles
    value = np.random.default_rng(seed).random((2, 3, 3)).astype(np.float32)
    value[0, 0] = value[0, 0, 0]  # grey
    turned = turn_colours(value, hue, saturation)
    for pixel, made in zip(value.reshape(-1, 3), turned.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*map(float, pixel))
        more = min(max(s + saturation, 0), 1) if s else 0
        assert made == pytest.approx(colorsys.hsv_to_rgb((h + hue / 360) % 1, more, v), abs=2e-5)
        assert colorsys.rgb_to_hsv(*map(float, made))[2] == pytest.approx(v, abs=1e-6)


@given(st.lists(st.floats(0, 60000, width=16), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_a_quantile_has_its_rank_and_is_never_black(values, share):
    array = np.array([*values, 1], np.float16)
    found = quantile(array, share)
    ordered = sorted(float(value) for value in array)
    assert found == next(value for value in ordered[int(share * len(ordered)) :] if value > 0)


def test_a_camera_of_another_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no camera 'hdrcnn-5'; there are hdrcnn-0, .*, hdrcnn-4"):
        random_cameras(choose_recipe("hdrcnn")).photograph(ramp(), "hdrcnn-5")


def test_every_curve_of_a_dorf_file_is_drawn(tmp_path):
    rows = []
    for name in ("one", "Two+"):
        rows += [name, "test", "I =", "0 0.5 1", "B =", f"0 {0.3 if name == 'one' else 0.8} 1"]
    (tmp_path / "curves.txt").write_text("\n".join(rows))
    recipe = like("clipped", crfs=[{"kind": "dorf", "file": str(tmp_path / "curves.txt"), "curve": "*"}])
    drawn = {random_cameras(recipe).photograph(ramp(4), camera)[1]["curve"] for camera in recipe.cameras}
    assert drawn == {"one", "two-"}

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from variant_names import PREDICTING

from hdrdata.cameras.crf import Quantise, staircase_crf
from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.exposure import exposure_table, level_bounds
from hdrdata.cameras.merge import keep_levels
from hdrdata.cameras.recipe import HALF_STOPS
from hdrmodel.networks.weights import initial_network
from hdrmodel.reconstruction.reconstruct import expose_again, generate_stack, merge_generated, reconstruct_by_responses
from hdrmodel.reconstruction.response import light_of_photograph


@pytest.fixture(scope="module")
def network():
    return initial_network("base", "attnet", 0.125, seed=0).eval()


def test_the_stack_has_the_photograph_in_its_middle_and_every_other_straight_from_x(network):
    ldr = torch.rand(1, 3, 20, 17)
    stack = generate_stack(network, ldr, HALF_STOPS)
    assert stack.shape == (9, 20, 17, 3)
    assert np.array_equal(stack[4], ldr[0].permute(1, 2, 0).numpy())
    with torch.no_grad():
        brightest = network(ldr, torch.tensor([4.0]))  # EV +2
    assert stack[8] == pytest.approx(brightest[0].permute(1, 2, 0).numpy(), abs=1e-6)


CAMERAS = [replace(crf, levels=quantise) for crf in named_crfs().values() for quantise in get_args(Quantise)]


def photographed(light, camera):
    """Levels by the formula of a camera, in float64."""
    response = 255 * camera(np.minimum(light.astype(np.float64), 1))
    return np.minimum(np.floor(response) if camera.levels == "floor254" else np.floor(response + 0.5), camera.white)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: f"{camera.name}-{camera.levels}")
@given(seed=st.integers(0, 2**32), largest=st.sampled_from([0.0, 1e-3, 1.0, 1e3, 6e4]))
def test_photographed_again_the_light_is_the_photograph_level_by_level_whatever_the_estimate(camera, seed, largest):
    draw = np.random.default_rng(seed)
    scene = np.exp2(draw.uniform(-14, 4, (8, 9, 3))).astype(np.float16)
    scene[0, 0] = 0, 1, 65504
    levels = photographed(scene, camera)  # those that this camera makes, black and white among them
    estimate = (largest * draw.random(levels.shape)).astype(np.float32)
    light = keep_levels((levels / 255).astype(np.float32), estimate, camera)
    for kept in (light, light.astype(np.float16)):
        assert np.array_equal(photographed(kept, camera), levels)
    white = levels == camera.white
    assert np.array_equal(light[white], np.maximum(estimate[white], 1))  # the network's, never below what saturates
    again = keep_levels((levels / 255).astype(np.float32), 2 * estimate + 7, camera)
    assert np.array_equal(light[~white], again[~white])  # the estimate has no say, of black neither


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: f"{camera.name}-{camera.levels}")
def test_any_light_between_the_bounds_of_a_level_gives_the_level(camera):
    lowest, highest = level_bounds(camera)
    made = np.unique(photographed(np.arange(0x7C00, dtype=np.uint16).view(np.float16), camera)).astype(int)
    for share in (0, 0.3, 1):
        light = (lowest + share * (highest - lowest).astype(np.float64))[made]
        assert np.array_equal(photographed(light, camera), made)
    assert (np.diff(lowest[: camera.white + 1]) >= 0).all() and (lowest <= highest).all()
    assert lowest[0] == 0 and highest[camera.white] == 65504


def test_a_level_that_the_camera_never_makes_lies_between_its_neighbours():
    steps = staircase_crf("steps", np.array([0, 100, 200]), np.array([0, 0.25, 0.5]))
    lowest, highest = level_bounds(steps)
    assert (lowest[0], lowest[100], lowest[200]) == (0, 0.25, 0.5)
    below = np.nextafter(np.float16(0.5), np.float16(0))
    assert lowest[150] == below and highest[150] == 0.5
    light = keep_levels(np.full((1, 1, 3), 150 / 255, np.float32), np.zeros((1, 1, 3), np.float32), steps)
    assert below <= light.min() and light.max() <= 0.5


@pytest.mark.parametrize("quantise, middle", [("floor254", 0.5), ("round255", 0.0)])
@pytest.mark.parametrize("name", sorted(named_crfs()))
def test_what_a_photograph_tells_is_the_light_of_the_middle_of_its_levels(name, quantise, middle):
    camera = replace(named_crfs()[name], levels=quantise)
    levels = np.r_[0, 13:242].astype(np.float32)
    stack = np.random.default_rng(0).random((9, 1, levels.size, 3)).astype(np.float32)
    stack[4] = (levels / 255)[None, :, None]
    merged, _ = merge_generated(stack, HALF_STOPS, camera)
    expected = camera.inverse((levels.astype(np.float64) + middle) / 255)
    if name == "linear":
        assert expected == pytest.approx((levels + middle) / 255)
    lowest, highest = (bounds[levels.astype(int)] for bounds in level_bounds(camera))
    assert merged[0, :, 0] == pytest.approx(np.clip(expected, lowest, highest), rel=1e-5)


def test_saturated_pixels_take_their_light_from_the_darker_pictures():
    crf = named_crfs()["srgb"]
    radiance = np.full((1, 1, 3), 2.5, dtype=np.float16)  # saturates at EV 0, not at EV -2
    tables = [exposure_table(crf, 2.0**ev) for ev in HALF_STOPS]
    stack = np.stack([table[radiance.view(np.uint16)] for table in tables]).astype(np.float32) / 255
    assert stack[4].min() == np.float32(254 / 255)
    assert np.allclose(merge_generated(stack, HALF_STOPS, crf)[0], radiance.astype(np.float32), rtol=0.01, atol=0)


@pytest.mark.parametrize("name", sorted(named_crfs()))
def test_radiance_exposed_again_is_the_stack_of_the_look_up_tables(name):
    crf = named_crfs()[name]
    bits = np.random.default_rng(0).integers(0, 0x7C00, (30, 20, 3)).astype(np.uint16)  # every magnitude there is
    stack = np.stack([exposure_table(crf, 2.0**ev)[bits] for ev in HALF_STOPS])
    photograph = np.full((30, 20, 3), 0.5, np.float32)
    made = expose_again(bits.view(np.float16).astype(np.float32), photograph, HALF_STOPS, crf)
    assert np.array_equal(made[4], photograph)
    others = [place for place in range(9) if place != 4]
    assert np.array_equal((made[others] * 255).round().astype(np.uint8), stack[others])


def test_hdr_attnet_is_reconstructed_by_its_merged_stack(network):
    ldr, crf = torch.rand(1, 3, 20, 17), named_crfs()["srgb"]
    (made,) = reconstruct_by_responses(network, ldr, HALF_STOPS, [crf])
    assert np.array_equal(made.stack, generate_stack(network, ldr, HALF_STOPS))
    for ours, wanted in zip((made.radiance, made.merged), merge_generated(made.stack, HALF_STOPS, crf), strict=True):
        assert np.array_equal(ours, wanted)


@pytest.mark.parametrize("name", PREDICTING)
def test_a_baseline_is_reconstructed_by_its_radiance_where_the_photograph_tells_none(name):
    network, ldr = initial_network(name, "attnet", 0.05, seed=0).eval(), torch.rand(1, 3, 20, 17)
    crf = named_crfs()["gamma14"] if "gamma14" in named_crfs() else named_crfs()["srgb"]
    (made,) = reconstruct_by_responses(network, ldr, HALF_STOPS, [crf])
    with torch.no_grad():
        told = keep_levels(ldr[0].permute(1, 2, 0).numpy(), network(ldr)[0].permute(1, 2, 0).numpy(), crf)
    if name == "lightunet":  # it is told the camera response, and speaks for clipped values alone
        told = light_of_photograph(network, ldr[0].permute(1, 2, 0).numpy(), crf)
    assert np.array_equal(made.radiance, told)
    assert made.stack.shape == (9, 20, 17, 3)
    assert np.array_equal(made.stack[4], ldr[0].permute(1, 2, 0).numpy())
    light = np.minimum(made.radiance.astype(np.float64) * 4, 1)  # EV +2
    assert np.array_equal(made.stack[8], np.minimum(np.floor(255 * crf(light)), 254).astype(np.float32) / 255)

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.exposure import exposure_table
from hdrdata.cameras.merge import look_up_exposure
from hdrdata.cameras.recipe import HALF_STOPS
from hdrmodel.networks.baselines.light_photograph import light_of_photograph
from hdrmodel.networks.hdr_attnet import soft_mask
from hdrmodel.networks.variants import BASELINES
from hdrmodel.networks.weights import initial_network
from hdrmodel.reconstruction.reconstruct import (
    expose_again,
    generate_stack,
    keep_well_exposed,
    merge_generated,
    reconstruct,
    well_exposed,
)

LINEAR = named_crfs()["linear"]


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


@pytest.mark.parametrize("name", sorted(named_crfs()))
def test_well_exposed_pixels_keep_the_linearised_photograph_whatever_the_network_says(name):
    crf = named_crfs()[name]
    levels = np.arange(13, 242, dtype=np.float32)  # luma within [0.05, 0.95]: the mask is 1
    stack = np.random.default_rng(0).random((9, 1, levels.size, 3)).astype(np.float32)
    stack[4] = (levels / 255)[None, :, None]
    merged, _ = merge_generated(stack, HALF_STOPS, crf)
    expected = crf.inverse((levels.astype(np.float64) + 0.5) / 255)  # the middle of each level's step
    assert merged[0, :, 0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", named_crfs())
@given(seed=st.integers(0, 2**32), largest=st.sampled_from([0.0, 1e-3, 1.0, 1e3, 1e6]), deep=st.booleans())
def test_what_a_photograph_tells_is_kept_whatever_the_estimate(name, seed, largest, deep):
    crf, draw = named_crfs()[name], np.random.default_rng(seed)
    levels = draw.integers(0, 256, (8, 9, 3))
    levels[:2] = draw.integers([0, 100, 255], [3, 200, 256], (2, 9, 3))  # well exposed, with a black and a white
    photograph = (levels / 255 if not deep else (levels + draw.random(levels.shape)) / 256).astype(np.float32)
    light = (largest * draw.random(levels.shape)).astype(np.float32)
    made, own = keep_well_exposed(photograph, light, crf), look_up_exposure(photograph, crf)
    mask = soft_mask(torch.from_numpy(photograph).permute(2, 0, 1)[None])[0, 0, :, :, None].numpy()
    saturated = photograph >= np.float32(254 / 255)
    told = (mask == 1) & ~saturated
    assert told.any() and (saturated & (mask == 1)).any()
    assert np.array_equal(made[told], own[told])  # bit by bit
    assert (made[saturated] >= own[saturated]).all() and (made[saturated] >= light[saturated]).all()
    between = ~told & ~saturated
    assert (made[between] >= np.minimum(own, light)[between] * (1 - 1e-6)).all()
    assert (made[between] <= np.maximum(own, light)[between] * (1 + 1e-6)).all()


def test_a_pixel_that_is_half_well_exposed_is_half_the_estimate():
    # luma 0.025, half of 0.05: m = 1/2; linear light of 0.025 is 0.025 + 0.5 / 255 = 0.026961
    made = keep_well_exposed(np.full((1, 1, 3), 0.025, np.float32), np.full((1, 1, 3), 0.01, np.float32), LINEAR)
    assert made == pytest.approx(np.full((1, 1, 3), (0.026961 + 0.01) / 2), abs=1e-6)


def test_well_exposed_is_the_soft_mask_of_a_picture_in_numpy():
    photograph = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    expected = soft_mask(torch.from_numpy(photograph).permute(2, 0, 1)[None])
    assert np.array_equal(well_exposed(photograph)[:, :, 0], expected[0, 0].numpy())


def test_saturated_pixels_take_their_light_from_the_darker_pictures():
    crf = named_crfs()["srgb"]
    radiance = np.full((1, 1, 3), 2.5, dtype=np.float16)  # saturates at EV 0, not at EV -2
    tables = [exposure_table(crf, 2.0**ev) for ev in HALF_STOPS]
    stack = np.stack([table[radiance.view(np.uint16)] for table in tables]).astype(np.float32) / 255
    assert stack[4].min() == np.float32(254 / 255)
    assert merge_generated(stack, HALF_STOPS, crf)[0] == pytest.approx(radiance.astype(np.float32), rel=0.01)


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
    made = reconstruct(network, ldr, HALF_STOPS, crf)
    assert np.array_equal(made.stack, generate_stack(network, ldr, HALF_STOPS))
    for ours, wanted in zip((made.radiance, made.merged), merge_generated(made.stack, HALF_STOPS, crf), strict=True):
        assert np.array_equal(ours, wanted)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_reconstructed_by_its_own_radiance(name):
    network, ldr = initial_network(name, "attnet", 0.05, seed=0).eval(), torch.rand(1, 3, 20, 17)
    crf = named_crfs()["gamma14"] if "gamma14" in named_crfs() else named_crfs()["srgb"]
    made = reconstruct(network, ldr, HALF_STOPS, crf)
    with torch.no_grad():
        told = network(ldr)[0].permute(1, 2, 0).numpy()
    if name == "lightunet":  # it is told the camera response, and speaks for clipped values alone
        told = light_of_photograph(network, ldr[0].permute(1, 2, 0).numpy(), crf)
    assert np.array_equal(made.radiance, told)
    assert made.stack.shape == (9, 20, 17, 3)
    assert np.array_equal(made.stack[4], ldr[0].permute(1, 2, 0).numpy())
    light = np.minimum(made.radiance.astype(np.float64) * 4, 1)  # EV +2
    assert np.array_equal(made.stack[8], np.minimum(np.floor(255 * crf(light)), 254).astype(np.float32) / 255)

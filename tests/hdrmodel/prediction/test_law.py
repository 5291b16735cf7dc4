"""Nothing lost: what is made of a photograph, photographed again by the same camera, is the photograph."""

from dataclasses import replace
from functools import cache
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stirred_network import stir, stirred_network
from variant_names import PREDICTING

from hdrdata.cameras.clipping import ClipRule
from hdrdata.cameras.crf import Levels, srgb_crf
from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.curves.file_kinds import ANY_CAMERA
from hdrdata.cameras.merge import keep_levels
from hdrdata.photos.colours.encodings import P3_TO_BT709
from hdrmodel.networks.batches import to_ldr
from hdrmodel.networks.variants import VARIANTS
from hdrmodel.networks.weights import initial_network
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.prediction.renditions import to_display_light
from hdrmodel.reconstruction.reconstruct import reconstruct_by_responses

SMOOTH = sorted(name for name in named_crfs() if name != "gamma14")  # which a table of 8-bit levels describes


def photographed(light, camera):
    """Levels by the formula of a camera, in float64."""
    response = camera.steps * camera(np.minimum(light.astype(np.float64), 1))
    levels = np.floor(response) if camera.levels == "floor254" else np.floor(response + 0.5)
    return np.minimum(levels, camera.white).astype(np.uint16 if camera.white > 255 else np.uint8)


def photograph(camera, seed=0, height=40, width=70):
    """Of random light from black to far above white, in patches as JPEG and noise do not leave them, and in noise."""
    draw = np.random.default_rng(seed)
    stops = draw.uniform(-16, 4, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, axis=0).repeat(8, axis=1)
    stops = stops[:height, :width] + draw.normal(0, 0.5, (height, width, 3))
    light = np.exp2(stops).astype(np.float16)
    light[0, 0], light[-1, -1] = 0, 60000
    return photographed(light, camera)


def assert_kept(made, ldr, camera, as_halves=True):
    assert (made[ldr == camera.white] >= 1).all() and np.isfinite(made).all()
    for light in (made, made.astype(np.float16)) if as_halves else (made,):
        again = photographed(light, camera)
        if camera.levels == "round65535":  # what 8 bits call white is white
            unclipped = ldr < 254.5 / 255 * 65535
            assert np.array_equal(again[unclipped], ldr[unclipped]) and (again[~unclipped] == 65535).all()
        else:
            assert np.array_equal(again, ldr)


@cache
def network(variant):
    if variant in PREDICTING:
        return stir(initial_network(variant, "attnet", 0.05, seed=3))
    return stirred_network(variant)


CAMERAS = sorted(named_crfs())
EACH = [(variant, CAMERAS[place % len(CAMERAS)]) for place, variant in enumerate(VARIANTS)]  # each network, some camera
EACH += [("lightunet", name) for name in CAMERAS if ("lightunet", name) not in EACH]  # and each camera


@pytest.mark.parametrize(("variant", "name"), EACH)
@pytest.mark.parametrize("quantise", ["floor254", "round255"])
def test_photographed_again_the_light_is_the_photograph_by_every_network_and_camera(variant, name, quantise):
    camera = replace(named_crfs()[name], levels=quantise)
    ldr = photograph(camera)
    origins = ["stack"] if variant in PREDICTING else ["stack", "irradiance"]
    for origin in origins:
        made = HDRReconstructor(network(variant), "cpu", camera, quantise=quantise)(ldr, origin)
        assert_kept(made, ldr, camera)


@pytest.mark.parametrize("name", sorted(named_crfs()))
@pytest.mark.parametrize("levels", get_args(Levels))
def test_both_renditions_give_the_photograph_each_through_its_own_response(name, levels):
    if levels == "round65535" and name not in SMOOTH:
        pytest.skip("its table has 8 bits")
    camera, height = replace(named_crfs()[name], levels=levels), 2000 if name == "camera" else 40  # several bands
    ldr = photograph(camera, height=height)
    estimate = np.exp2(np.random.default_rng(1).uniform(-3, 5, ldr.shape)).astype(np.float32)
    scene = keep_levels(to_ldr(ldr), estimate, camera)
    assert_kept(scene, ldr, camera, as_halves=levels != "round65535")
    display = scene.copy()
    to_display_light(display, ldr, camera, None)
    assert_kept(display, ldr, replace(srgb_crf(), levels=levels), as_halves=levels != "round65535")
    clipped = to_ldr(ldr) >= np.float32(camera.clips)
    assert np.array_equal(display[clipped], scene[clipped]) and clipped.any()  # the same ratios to white


def test_display_light_of_wide_primaries_gives_the_photograph_in_them():
    camera = replace(named_crfs()["camera"], levels="round65535")
    ldr = photograph(camera)
    scene = keep_levels(to_ldr(ldr), np.full(ldr.shape, 3, np.float32), camera)
    display = (scene.astype(np.float64) @ P3_TO_BT709.T).astype(np.float32)
    to_display_light(display, ldr, camera, P3_TO_BT709)
    own = display.astype(np.float64) @ np.linalg.inv(P3_TO_BT709).T
    expected = srgb_crf().inverse(ldr / 65535)
    unclipped = (ldr < 254.5 * 257).all(axis=2)
    assert np.abs(own[unclipped] - expected[unclipped]).max() < 2e-5  # half a step at white is 1.7e-5
    assert np.allclose(own[(ldr >= 254.5 * 257).all(axis=2)], 3, rtol=1e-5)


@given(
    seed=st.integers(0, 2**32), variant=st.sampled_from(["base", "expandnet", "lightunet"]), width=st.integers(1, 90)
)
@settings(max_examples=6)
def test_it_is_for_any_weights_and_any_picture(seed, variant, width):
    drawn = stir(initial_network(variant, "attnet", 0.05, seed=seed % 1000), seed)
    camera = replace(srgb_crf(), levels="round255")
    ldr = photograph(camera, seed, width=width)
    assert_kept(HDRReconstructor(drawn, "cpu", quantise="round255")(ldr), ldr, camera)


@pytest.mark.parametrize(
    ("variant", "name"), [("base", SMOOTH[0]), ("hdrunet", SMOOTH[-1]), *(("lightunet", name) for name in SMOOTH)]
)
def test_of_16_bits_each_level_is_kept_in_single_floats(variant, name):
    camera = replace(named_crfs()[name], levels="round65535")
    ldr = photograph(camera)
    assert_kept(HDRReconstructor(network(variant), "cpu", camera)(ldr), ldr, camera, as_halves=False)


@pytest.mark.parametrize(
    ("origin", "name", "levels"),
    [("stack", "camera", "round255"), ("irradiance", "phone", "floor254"), ("irradiance", "srgb", "round65535")],
)
def test_it_is_in_tiles(origin, name, levels):
    camera = replace(named_crfs()[name], levels=levels)
    ldr = photograph(camera, height=140, width=260)
    quantise = None if levels == "round65535" else levels
    made = HDRReconstructor(network("base"), "cpu", camera, tile=192, quantise=quantise)(ldr, origin)
    assert_kept(made, ldr, camera, as_halves=levels != "round65535")


@given(
    seed=st.integers(0, 2**32),
    levels=st.sampled_from(get_args(Levels)),
    variant=st.sampled_from(["base", "expandnet", "lightunet"]),
)
@settings(max_examples=8)
def test_it_is_by_the_camera_response_that_the_network_estimates(seed, levels, variant):
    ldr = photograph(replace(srgb_crf(), levels=levels), seed)
    quantise, one = None if levels == "round65535" else levels, network(variant)
    made = HDRReconstructor(one, "cpu", "auto", quantise=quantise).predict(ldr)
    assert made.response.levels == levels
    assert_kept(made.radiance, ldr, made.response, as_halves=levels != "round65535")


def test_the_camera_response_is_estimated_from_x_too():
    ldr = photograph(replace(srgb_crf(), levels="round255"))
    by_stack, by_x = (
        HDRReconstructor(network("base"), "cpu", "auto").predict(ldr, origin, source=ANY_CAMERA).radiance
        for origin in ("stack", "irradiance")
    )
    unclipped = (ldr > 0) & (ldr < 255)
    assert np.array_equal(by_stack[unclipped], by_x[unclipped])
    assert not np.array_equal(by_x[unclipped], HDRReconstructor(network("base"), "cpu")(ldr, "irradiance")[unclipped])


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_where_scores_are_measured(variant):
    camera = named_crfs()["ektachrome-100-pluscdblue"]
    ldr = photograph(camera)
    batch = torch.from_numpy(ldr).permute(2, 0, 1)[None].float() / 255
    (made,) = reconstruct_by_responses(network(variant), batch, (-1.0, 0.0, 1.0), [camera])
    assert_kept(made.radiance, ldr, camera)


def test_clipped_values_of_a_lossy_photograph_are_filled_and_no_others_change():
    ldr = np.full((40, 40, 3), 100, np.uint8)
    ldr[10:30, 10:30] = 255
    ldr[20, 20], ldr[35, 35] = (250, 244, 251), 245  # 11 below white: more than twice the bound
    reconstructor = HDRReconstructor(network("lightunet"), "cpu")
    made, exact = reconstructor.predict(ldr, rule=ClipRule(5.0, (5.0, 5.0, 5.0))).radiance, reconstructor(ldr)
    assert (made[20, 20, [0, 2]] >= 1).all() and made[20, 20, 1] < 1
    changed = (made != exact) & (ldr < 255)
    assert changed.sum() == 2 and changed[20, 20, [0, 2]].all()
    assert_kept(exact, ldr, replace(srgb_crf(), levels="round255"))

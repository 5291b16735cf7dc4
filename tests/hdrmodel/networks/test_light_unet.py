"""The network that learns light: its loss by hand, its samples, its training, and what it makes of photographs."""

import math
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from cut_training import train_cut_short
from hypothesis import given, settings
from hypothesis import strategies as st

from hdrdata.cameras.clipping import clip_rule_of_jpeg, clipped_values, rule_for
from hdrdata.cameras.crf import Levels, srgb_crf
from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.drawn_curves import EXPOSURES, camera_of_curve
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import look_up_exposure
from hdrdata.stream.order import generator
from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.hdr_attnet import count_parameters
from hdrmodel.networks.light_photograph import WORKING_SIDE
from hdrmodel.networks.light_unet import LEAST_CLIPPED, LEAST_STOPS, MOST_STOPS, LightLoss
from hdrmodel.networks.weights import initial_network, load_weights
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.profiles.load import load_profile
from hdrmodel.reconstruction.response import estimate_response, light_of_photograph
from hdrmodel.sampling import simulated
from hdrmodel.sampling.simulated import Augmentation, LightDataset, draw_pair, draw_sample
from hdrmodel.sampling.synthetic_light import SCENES, draw_synthetic_light
from hdrmodel.training.step import rate_at
from hdrmodel.training.train import train

SMALL = initial_network("lightunet", "attnet", 0.1, seed=0).eval()
TINY = ("width=0.1", "steps=6", "batch=2", "crop=32", "log_every=3", "validate_every=6", "validation_stacks=1",
        "light.warmup=2", "device=cpu")  # fmt: skip


def stirred(seed: int = 0):
    """A network whose last layer says something."""
    network = initial_network("lightunet", "attnet", 0.1, seed=seed).eval()
    torch.nn.init.normal_(network.head.weight, std=0.3, generator=torch.Generator().manual_seed(seed))
    return network


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """LDR values [0, 1] of 8 bits, a fifth of them clipped."""
    levels = np.random.default_rng(seed).integers(0, 318, (height, width, 3))
    return np.minimum(levels, WHITE).astype(np.float32) / 255


def test_the_network_has_its_published_size():
    assert count_parameters(initial_network("lightunet", "attnet", 1.0, seed=0)) == 2_961_763


@settings(max_examples=10)
@given(height=st.integers(1, 80), width=st.integers(1, 80), told=st.booleans())
def test_stops_of_a_picture_of_any_size_are_in_range_and_clipped_values_clip(height, width, told):
    ldr = torch.from_numpy(photograph(height, width)).permute(2, 0, 1)[None]
    clipped = ldr >= WHITE / 255
    with torch.no_grad():
        stops = stirred().stops(ldr, clipped, torch.tensor([float(told)]))
    assert stops.shape == ldr.shape
    assert stops.min() >= LEAST_STOPS and stops.max() <= MOST_STOPS
    assert (stops[clipped] >= LEAST_CLIPPED).all()


def test_the_loss_compares_clipped_values_and_the_others_where_the_response_is_unknown():
    clipped = torch.zeros(2, 3, 2, 2, dtype=torch.bool)
    clipped[:, 0, 0, 0] = True  # one of twelve values
    true = torch.full((2, 3, 2, 2), -1.0)
    true[:, 0, 0, 0] = 9.0  # limited to 6 stops
    predicted = torch.full((2, 3, 2, 2), -1.5)
    predicted[:, 0, 0, 0] = 4.0
    known = torch.tensor([1.0, 0.0])
    total, terms = LightLoss()(predicted, predicted, clipped, known, true)
    assert terms["clipped"].item() == pytest.approx(6 - 4 - 0.5)  # smooth L1, beta 1
    assert terms["decibels"].item() == pytest.approx(math.log(1.5 / 12 + 3e-4))
    assert terms["others"].item() == pytest.approx(0.5 * 0.5**2)  # only the second image
    assert terms["chroma"].item() == pytest.approx(2 * (2 - 0.125) / 3)  # R - G and B - R are 2 stops off; beta 0.25
    assert terms["slope"].item() == pytest.approx(2 - 0.05)  # one pair a direction; beta 0.1
    rest = 0.25 * math.log(1.5 / 12 + 3e-4) + 0.5 * 1.25 + 0.5 * 1.95
    assert total.item() == pytest.approx(1.5 + rest + 0.5 * 0.125)
    known_all, _ = LightLoss()(predicted, predicted, clipped, torch.ones(2), true)
    assert known_all.item() == pytest.approx(1.5 + rest)


def test_a_grey_error_that_is_constant_inside_a_clipped_region_costs_colour_nothing_and_slope_at_the_border_alone():
    clipped = torch.zeros(1, 3, 32, 32, dtype=torch.bool)
    clipped[:, :, :, 16:] = True
    true = torch.where(clipped, 1.0, -1.0)
    _, terms = LightLoss()(torch.where(clipped, 1.5, -1.0), true, clipped, torch.ones(1), true)
    assert terms["chroma"].item() == pytest.approx(0)
    across = [distance * (0.5 - 0.05) / 16 for distance in (1, 2, 4, 8)]  # of 16 pairs in a row
    assert terms["slope"].item() == pytest.approx(sum(across) / 8)  # four distances, two directions


def test_a_uniform_image_gives_a_uniform_prediction_and_white_gives_grey():
    network = stirred().double()  # group normalisation amplifies the rounding of uniform features
    grey = torch.full((1, 3, 100, 131), 0.3, dtype=torch.float64)
    with torch.no_grad():
        stops = network.stops(grey, grey >= 1, grey.new_zeros(1))
        white = network.stops(grey / 0.3, grey > 0, grey.new_zeros(1))
    assert (stops.flatten(2).amax(2) - stops.flatten(2).amin(2)).max() < 1e-4  # no frame, no grid
    assert white.max() == white.min()  # one value for all channels


def test_weights_of_release_one_are_read_with_the_mean_of_their_four_heads():
    network, state = stirred(), dict(stirred().state_dict())
    bias = torch.randn(12)
    state["head.weight"] = state["head.weight"].repeat_interleave(4, 0)
    state["head.bias"] = bias
    other = initial_network("lightunet", "attnet", 0.1, seed=1)
    other.load_state_dict(state)
    assert torch.allclose(other.head.weight, network.head.weight)
    assert torch.allclose(other.head.bias, bias.reshape(3, 4).mean(1))


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gradients_on_black_and_on_white_pictures_are_finite(level):
    network, ldr = initial_network("lightunet", "attnet", 0.1, seed=0), torch.full((2, 3, 33, 33), level)
    clipped = ldr >= 1
    stops = network.stops(ldr, clipped, torch.tensor([0.0, 1.0]))
    LightLoss()(stops, ldr, clipped, torch.tensor([0.0, 1.0]), torch.full_like(ldr, 3.0 * level - 2))[0].backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.fixture(scope="module")
def shards(dataset) -> Shards:
    return Shards(dataset.shards, "train", "radiance")


def test_a_sample_is_a_function_of_its_position_alone(shards):
    augmentation = load_profile("release").light.augmentation
    one, other = (LightDataset(shards, 32, augmentation, seed=4) for _ in range(2))
    for position in (0, 7, 123):
        a, b = one[position], other[position]
        assert a["key"] == b["key"] and a["response_known"] == b["response_known"]
        assert all(torch.equal(a[name], b[name]) for name in ("picture", "clipped", "stops"))
    assert not torch.equal(one[0]["picture"], one[len(one)]["picture"])  # the next epoch draws again
    with pytest.raises(ValueError, match=r"view .* has 32x32 pixels; expected at least the crop of 64"):
        LightDataset(shards, 64, augmentation, seed=0)


QUIET = {"noise": 0, "jpeg": 0, "rounded": 0, "response_known": 1, "synthetic": 0, "resized": 0, "smallest_crop": 0.8}


def augmentation_with(**changes) -> Augmentation:
    changes = [f"light.augmentation.{name}={value}" for name, value in (QUIET | changes).items()]
    return load_profile("release", changes).light.augmentation


def test_a_sample_clips_where_its_light_does_and_shows_its_light_where_the_response_is_known():
    view = np.exp2(np.random.default_rng(0).uniform(-6, 4, (40, 48, 3))).astype(np.float16)
    for number in range(5):
        sample = draw_sample(view, 32, augmentation_with(), generator(0, 1, number))
        picture, clipped, stops = sample.picture, sample.clipped, sample.stops
        assert sample.response_known and picture.shape == (32, 32, 3)
        assert (clipped == (picture >= picture.max())).all() or not clipped.any()
        assert (stops[clipped] > -0.1).all() and (stops[~clipped] < 0.01).all()
        seen = ~clipped & (stops > -5)
        own = srgb_crf().inverse(picture.astype(np.float64))
        assert np.abs(np.log2(own[seen]) - stops[seen]).max() < 0.7  # an 8-bit step in the dark of a camera


def test_the_share_of_pixels_that_clips_is_drawn():
    view = np.exp2(np.random.default_rng(0).uniform(-6, 4, (64, 64, 3))).astype(np.float16)
    config = augmentation_with(by_clipped_share=1, least_share=0.1, most_share=0.1000001, smallest_crop=1)
    for number in range(5):
        sample = draw_sample(view, 64, config, generator(0, 1, number))
        assert (sample.stops >= 0).any(2).mean() == pytest.approx(0.1, abs=1e-3)


def test_a_photograph_made_larger_and_reduced_after_jpeg_has_the_size_of_the_crop():
    view = np.exp2(cv2.GaussianBlur(np.random.default_rng(0).normal(0, 9, (96, 96, 3)), (0, 0), 4)).astype(np.float16)
    for known in (0, 1):
        config = augmentation_with(resized=1, jpeg=1, rounded=1, response_known=known, jpeg_lowest=95)
        sample = draw_sample(view, 32, config, generator(0, 1, 3))
        assert sample.picture.shape == sample.clipped.shape == sample.stops.shape == (32, 32, 3)
        assert sample.clipped.any() and (sample.stops[sample.clipped] > -1).all()


def test_clipped_values_of_a_simulated_jpeg_are_those_of_the_products_rule(monkeypatch):
    srgb = camera_of_curve(np.asarray(srgb_crf()(EXPOSURES)), rounded=True)
    monkeypatch.setattr(simulated, "draw_camera", lambda *_: srgb)
    view = np.exp2(cv2.GaussianBlur(np.random.default_rng(0).normal(0, 9, (96, 96, 3)), (0, 0), 4)).astype(np.float16)
    config = augmentation_with(jpeg=1, rounded=1, response_known=0, jpeg_lowest=75, jpeg_highest=75)
    below_white = 0
    for number in range(4):
        sample = draw_sample(view, 64, config, generator(0, 1, number))
        ldr = np.rint(255 * sample.picture).astype(np.uint8)  # the response is unknown: the input is the photograph
        expected = []
        for sampling in simulated.SAMPLINGS:
            options = [cv2.IMWRITE_JPEG_QUALITY, 75, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
            rule = clip_rule_of_jpeg(cv2.imencode(".jpg", ldr, options)[1].tobytes())
            expected.append(clipped_values(ldr, rule_for(rule, srgb_crf())))
        assert any(np.array_equal(sample.clipped, each) for each in expected)
        below_white += int((sample.clipped & (ldr < 250)).sum())
    assert below_white > 0


def test_synthetic_scenes_are_positive_finite_and_smooth_functions_of_the_generator():
    for number, scene in enumerate(SCENES):
        light, again = (scene(np.random.default_rng(number), 48) for _ in range(2))
        assert light.shape == (48, 48, 3) and np.isfinite(light).all() and np.array_equal(light, again)
    drawn = draw_synthetic_light(np.random.default_rng(0), 48)
    assert drawn.dtype == np.float32 and drawn.min() > 0


def test_a_pair_shows_one_scene_by_one_camera_at_two_exposures():
    view = np.exp2(np.random.default_rng(0).uniform(-6, 4, (40, 48, 3))).astype(np.float16)
    ratios = []
    for number in range(8):
        shorter, longer, ratio, stops = draw_pair(view, 32, augmentation_with(), generator(0, 1, number))
        sample = draw_sample(view, 32, augmentation_with(), generator(0, 1, number))
        assert np.array_equal(longer, sample.picture)
        assert np.allclose(stops + np.log2(ratio), sample.stops, atol=1e-4, rtol=0) or stops.min() == -14
        assert (shorter <= longer).all()
        seen = (shorter > 0.2) & (shorter < 0.9) & (longer < 0.9)
        own = [srgb_crf().inverse(each[seen].astype(np.float64)) for each in (shorter, longer)]
        assert np.abs(np.log2(own[1] / own[0]) - np.log2(ratio)).max(initial=0) < 0.4
        ratios.append(math.log2(ratio))
    assert min(ratios) >= 0 and 3 < max(ratios) <= 5


@pytest.mark.parametrize("variant, terms", [
    ("spatial", {"reconstruction", "representation", "total_variation", "light"}), ("hdrunet", {"tanh"}),
])  # fmt: skip
def test_every_variant_learns_from_light(dataset, tmp_path, variant, terms):
    changes = (*TINY, "width=0.125", "steps=4", "validation_stacks=0")
    record = train(dataset.shards, tmp_path / "run", variant, 0, load_profile("release", changes))
    assert set(record["loss"][0]) == {"step", "total", *terms} and record["validation"] == []
    network, _ = load_weights(tmp_path / "run" / "weights.safetensors")
    if variant == "spatial":
        assert network.config.preset == "light" and network.encoding.reach == 6


def test_a_run_begins_with_the_weights_that_it_is_given(dataset, tmp_path):
    first = train(dataset.shards, tmp_path / "first", "lightunet", 1, load_profile("release", TINY))
    start = tmp_path / "first" / "weights.safetensors"
    changes = (*TINY, "steps=2", f"start={start}", "learning_rate=1.0e-12", "ema_decay=null")
    second = train(dataset.shards, tmp_path / "second", "lightunet", 2, load_profile("release", changes))
    assert second["start"] == first["weights_sha256"] and first["start"] is None
    before, after = (
        load_weights(tmp_path / run / "weights.safetensors")[0].state_dict() for run in ("first", "second")
    )
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    with pytest.raises(ValueError, match=r"train\.start: .*weights\.safetensors holds baseline='lightunet' width=0\.1; "
                                         r"expected baseline='lightunet' width=0\.2"):  # fmt: skip
        train(dataset.shards, tmp_path / "third", "lightunet", 0, load_profile("release", (*changes, "width=0.2")))
    assert not (tmp_path / "third").exists()


def test_the_rate_warms_up_stays_and_falls():
    config = load_profile("release", ["steps=1000", "light.warmup=100"])
    rates = [rate_at(step, config) for step in (0, 49, 99, 500, 700, 775, 999)]
    assert rates == pytest.approx([1e-5, 5e-4, 1e-3, 1e-3, 1e-3, 5e-4, 1e-3 * (1 - (299 / 300) ** 0.5)])


def test_a_run_cut_short_and_resumed_ends_with_the_same_weights(dataset, tmp_path):
    whole = train(dataset.shards, tmp_path / "whole", "lightunet", 1, load_profile("release", TINY))
    changes = (*TINY, "checkpoint_every=2")
    train_cut_short(3, dataset.shards, tmp_path / "cut", "lightunet", 1, load_profile("release", changes))
    resumed = train(dataset.shards, tmp_path / "cut", "lightunet", 1, load_profile("release", changes))
    assert resumed["resumed"] == 1 and resumed["weights_sha256"] == whole["weights_sha256"]
    assert set(whole["loss"][0]) == {"step", "total", "clipped", "decibels", "chroma", "slope", "others"}
    network, header = load_weights(tmp_path / "cut" / "weights.safetensors")
    assert header["variant"] == network.config.baseline == "lightunet"


def test_a_profile_that_tells_nothing_of_light_is_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"train\.light: null; expected the settings of simulated photographs"):
        train(dataset.shards, tmp_path / "run", "lightunet", 0, load_profile("quick", ["crop=32"]))
    with pytest.raises(ValueError, match=r"train\.loss\.light: the term needs train\.light"):
        train(dataset.shards, tmp_path / "run", "base", 0, load_profile("quick", ["loss.light=1", "crop=32"]))
    with pytest.raises(ValueError, match=r"train\.validation_stacks: 0; the schedule 'plateau' needs"):
        train(dataset.shards, tmp_path / "run", "base", 0,
              load_profile("quick", ["schedule=plateau", "validation_stacks=0", "crop=32"]))  # fmt: skip
    with pytest.raises(ValueError, match=r"train\.schedule: 'wsd' needs train\.light"):
        train(dataset.shards, tmp_path / "run", "base", 0, load_profile("quick", ["schedule=wsd", "crop=32"]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *((name, (40, 31)) for name in named_crfs()),
        ("srgb", (5, 7)),
        ("camera", (WORKING_SIDE + 10, WORKING_SIDE + 70)),
    ],
)
def test_unclipped_light_stays_and_clipped_light_is_at_least_white(name, size):
    crf, ldr = named_crfs()[name], photograph(*size)
    light = light_of_photograph(stirred(), ldr, crf)
    clipped = ldr >= WHITE / 255
    assert light.shape == ldr.shape and light.dtype == np.float32
    kept = ~clipped & (ldr > 0)
    own = np.minimum(look_up_exposure(ldr, crf), 1)
    assert np.allclose(light[kept], own[kept], rtol=2e-3, atol=0)  # within the step of its level
    assert (light[clipped] >= 1).all() and light.max() > 1


@given(seed=st.integers(0, 2**32), made=st.sampled_from(get_args(Levels)))
def test_an_estimated_response_rises_by_two_half_floats_a_level_whatever_the_network_says(seed, made):
    draw = np.random.default_rng(seed)
    ldr = (draw.integers(0, 256, (9, 9, 3)) / 255).astype(np.float32)
    stops = draw.uniform(-14, 6, ldr.shape).astype(np.float32)
    clipped = ldr >= draw.uniform(0, 1)
    camera = estimate_response(ldr, clipped, stops, made)
    middles = (np.arange(1, 254) + (0.5 if made == "floor254" else 0)) / 255
    light = camera.inverse(middles)
    assert (light[1:] >= light[:-1] * (1 + 0.999 * 2**-9)).all() and light[-1] < 1


def test_a_photograph_s_camera_response_is_estimated_where_that_is_asked_for():
    ldr = (photograph(30, 40) * 255).astype(np.uint8)
    made = HDRReconstructor(stirred(), crf="auto").predict(ldr, keep_stack=True)
    light = made.radiance
    assert light.shape == ldr.shape and np.isfinite(light).all() and (light[ldr == WHITE] >= 1).all()
    assert (light[ldr < WHITE] <= 1).all()
    order = np.argsort(ldr, axis=None)
    told = (ldr.ravel() > 0) & (ldr.ravel() < WHITE)
    assert (np.diff(light.ravel()[order][told[order]]) >= 0).all()  # one rising curve for all
    assert np.array_equal(made.stack[4], ldr) and (made.stack[0] <= ldr).all()


def test_black_keeps_its_own_light_where_the_response_is_known():
    ldr = photograph(40, 31)
    ldr[:10] = 0
    light = light_of_photograph(stirred(), ldr, srgb_crf())
    assert light[:10] == pytest.approx(np.full((10, 31, 3), 0.5 / 255 / 12.92), rel=1e-4)  # of the middle of its step

"""The networks of other papers: their sizes and laws, their losses by hand, and their training."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cut_training import train_cut_short
from hypothesis import given, settings
from hypothesis import strategies as st
from variant_names import PREDICTING

from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.baselines.expandnet import WHITE_RADIANCE, ExpandNetLoss
from hdrmodel.networks.baselines.hdrcnn import HighlightLoss, Skip, Upsample, blur, saturation
from hdrmodel.networks.baselines.hdrunet import TanhLoss
from hdrmodel.networks.hdr_attnet import count_parameters
from hdrmodel.networks.radiance_network import BaselineConfig, RadianceNetwork
from hdrmodel.networks.variants import VARIANTS, build_network, find_variant
from hdrmodel.networks.weights import initial_network, load_weights
from hdrmodel.profiles.load import load_profile
from hdrmodel.sampling.datasets import Stacks
from hdrmodel.training.train import train
from hdrmodel.training.validation import validate

MIDWAY = (0.95 + 254 / 255) / 2  # between where HDRCNN begins to look and what saturates a stack
TINY = ("width=0.05", "steps=4", "batch=2", "crop=32", "learning_rate=0.001", "log_every=2", "validate_every=2",
        "validation_stacks=2", "checkpoint_every=1", "precision=fp32", "device=cpu")  # fmt: skip
PEERS = [name for name, variant in VARIANTS.items() if variant.learns_from == "photographs"]
SMALL = {name: initial_network(name, "attnet", 0.05, seed=0).eval() for name in PREDICTING}


def config(*changes):
    return load_profile("quick", [*TINY, *changes])


def gray(*values, size=8):
    """One picture of one colour; a single value is gray."""
    return torch.tensor(values).expand(3).reshape(1, 3, 1, 1).repeat(1, 1, size, size)


# The networks


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("expandnet", 456_899),  # Marnerides et al. 2018
        ("hdrunet", 1_651_494),  # Chen et al. 2021: 1.651 M
        ("hdrcnn", 29_441_371),  # ours: their program's layers, without biases in front of batch normalisation
    ],
)
def test_width_1_has_the_paper_s_parameters(name, parameters):
    with torch.device("meta"):
        network = build_network(BaselineConfig(baseline=name, width=1.0))
    assert count_parameters(network) == parameters
    if name == "hdrcnn":  # Simonyan and Zisserman 2015, configuration D: 138,357,544 less the three layers at its end
        assert count_parameters(network.encoder) == 14_714_688


@pytest.mark.parametrize("name", PREDICTING)
@settings(max_examples=8)
@given(height=st.integers(1, 70), width=st.integers(1, 70), white=st.booleans(), seed=st.integers(0, 9))
def test_radiance_of_a_picture_of_any_size_is_finite_and_not_negative(name, height, width, white, seed):
    draw = torch.Generator().manual_seed(seed)
    picture = torch.rand(2, 3, height, width, generator=draw)
    if seed == 0:
        picture.fill_(float(white))
    with torch.no_grad():
        radiance = SMALL[name](picture)
    assert radiance.shape == picture.shape and radiance.dtype == torch.float32
    assert radiance.isfinite().all() and radiance.min() >= 0


@pytest.mark.parametrize("name", PEERS)
def test_an_extreme_prediction_stays_finite(name):
    """On a picture that is saturated everywhere."""
    network = initial_network(name, "attnet", 0.05, seed=0).eval()
    last = {"expandnet": "fuse.2", "hdrunet": "last", "hdrcnn": "input_skip.join"}[name]
    for bias in (-1e6, 1e6):
        with torch.no_grad():
            network.get_submodule(last).bias.fill_(bias)
            radiance = network(gray(1.0))
        assert radiance.isfinite().all() and radiance.min() >= 0
        half = radiance.half()  # as files and look-up tables hold it
        wanted = 0.0 if bias < 0 else 16.0 if name == "expandnet" else 65504.0
        assert half.max().item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("name", PREDICTING)
def test_a_picture_of_a_batch_is_reconstructed_as_if_it_were_alone(name):
    pictures = torch.rand(3, 3, 40, 33, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(SMALL[name](pictures)[1:2], SMALL[name](pictures[1:2]), rtol=1e-4, atol=1e-5)


def test_an_unknown_variant_is_refused_with_all_names():
    with pytest.raises(ValueError, match=r"^unknown variant 'unet'; known are \['base', .*'self', 'hdrcnn', .*\]$"):
        find_variant("unet")


def test_expandnet_reaches_four_stops_above_saturation_and_not_further():
    network = initial_network("expandnet", "attnet", 0.05, seed=0).eval()
    with torch.no_grad():
        network.fuse[-1].bias.fill_(1e4)
        assert torch.equal(network(gray(0.5)), gray(16.0))


def test_expandnet_sees_the_whole_picture_at_every_pixel():
    dark, lit = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    lit[:, :, 48:, 48:] = 1.0  # further from the other corner than the local and dilated branches see: 2 + 8 pixels
    with torch.no_grad():
        assert not torch.equal(SMALL["expandnet"](dark)[:, :, 0, 0], SMALL["expandnet"](lit)[:, :, 0, 0])


def test_hdrunet_adds_to_the_masked_input():
    network, picture = initial_network("hdrunet", "attnet", 0.05, seed=0).eval(), torch.rand(1, 3, 13, 18)
    with torch.no_grad():
        for layer, bias in ((network.last, -0.25), (network.mask[-1], 0.5)):
            layer.weight.zero_()
            layer.bias.fill_(bias)
        assert torch.allclose(network.predict(picture), 0.5 * picture - 0.25)
        assert torch.allclose(network(picture), (0.5 * picture - 0.25).clamp(min=0))


@pytest.mark.parametrize(("brightest", "alpha"), [(0.0, 0.0), (0.95, 0.0), (MIDWAY, 0.5), (1.0, 1.0)])
def test_saturation_grows_over_the_last_twentieth_of_the_brightest_channel(brightest, alpha):
    assert saturation(gray(0.0, brightest, 0.0)).unique().item() == pytest.approx(alpha, abs=1e-5)


@given(level=st.floats(0, 0.949))
def test_hdrcnn_squares_what_is_not_saturated(level):
    with torch.no_grad():
        assert torch.allclose(SMALL["hdrcnn"](gray(level)), gray(level) ** 2)


def test_hdrcnn_takes_what_is_saturated_from_the_prediction():
    picture = gray(1.0)
    with torch.no_grad():
        assert torch.allclose(SMALL["hdrcnn"](picture), SMALL["hdrcnn"].predict(picture).exp(), rtol=1e-4)


def test_hdrcnn_begins_by_upsampling_bilinearly_and_by_adding_logarithms():
    draw = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 4, 6, 7, generator=draw)
    with torch.no_grad():
        made = Upsample(4, 4).eval()(coarse)
        joined = Skip(4)(coarse, coarse)
    wanted = F.interpolate(coarse, scale_factor=2, mode="bilinear")
    assert torch.allclose(made[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], atol=1e-4)  # its border is darker; eps of BN
    assert torch.allclose(joined, coarse + (coarse**2 + 1 / 255).log(), atol=1e-5)


# Their losses


def test_expandnet_s_loss_is_the_absolute_difference_and_five_times_the_cosine_s():
    loss, terms = ExpandNetLoss()(gray(0.25, 0.0, 0.0), gray(0.5), gray(0.0, 8.0, 0.0))  # the target is 8 / 16
    assert terms["absolute"].item() == pytest.approx((0.25 + 0.5) / 3)
    assert terms["cosine"].item() == pytest.approx(1.0)  # at right angles
    assert loss.item() == pytest.approx(0.25 + 5)
    loss, terms = ExpandNetLoss()(gray(0.1, 0.2, 0.2), gray(0.5), gray(3.2, 6.4, 6.4))
    assert terms["cosine"].item() == pytest.approx(0.0, abs=1e-6)  # the same colour
    assert loss.item() == pytest.approx(0.5 / 3, abs=1e-5)
    assert ExpandNetLoss()(gray(1.0), gray(1.0), gray(1000.0))[0].item() == pytest.approx(0.0, abs=1e-5)  # clipped
    assert WHITE_RADIANCE == 2.0**4


def test_hdrunet_s_loss_compares_hyperbolic_tangents():
    # tanh(ln 3) = (9 - 1) / (9 + 1), tanh(ln 2) = (4 - 1) / (4 + 1)
    loss, terms = TanhLoss()(gray(math.log(2)), gray(0.5), gray(math.log(3)))
    assert loss.item() == terms["tanh"].item() == pytest.approx(0.2)
    assert TanhLoss()(gray(-math.log(2)), gray(0.5), gray(math.log(3)))[0].item() == pytest.approx(1.4)


@pytest.mark.parametrize(("input_level", "alpha"), [(0.5, 0.0), (MIDWAY, 0.5), (1.0, 1.0)])
def test_hdrcnn_s_loss_counts_where_the_input_is_saturated(input_level, alpha):
    one = gray(1 - 1 / 255)  # with the 1/255 under the logarithm: log radiance 0
    loss, terms = HighlightLoss()(gray(0.5), gray(input_level), one)
    assert terms["illumination"].item() == pytest.approx((alpha * 0.5) ** 2, abs=1e-5)
    assert terms["reflectance"].item() == pytest.approx(0.0, abs=1e-10)  # gray
    assert loss.item() == pytest.approx(0.5 * (alpha * 0.5) ** 2, abs=1e-5)


def test_hdrcnn_s_loss_parts_colour_from_light():
    one, coloured = gray(1 - 1 / 255), gray(math.log(1.5), math.log(0.75), math.log(0.75))  # a mean of 1: log light 0
    loss, terms = HighlightLoss()(coloured, gray(1.0), one)
    assert terms["illumination"].item() == pytest.approx(0.0, abs=1e-10)
    wanted = (math.log(1.5) ** 2 + 2 * math.log(0.75) ** 2) / 3
    assert terms["reflectance"].item() == pytest.approx(wanted, abs=1e-5)
    assert loss.item() == pytest.approx(0.5 * wanted, abs=1e-5)


def test_the_illumination_is_blurred_by_two_pixels():
    impulse = torch.zeros(1, 1, 25, 25)
    impulse[..., 12, 12] = 1.0
    blurred = blur(impulse)[0, 0]
    assert blurred.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert (blurred[12, 14] / blurred[12, 12]).item() == pytest.approx(math.exp(-0.5), abs=1e-5)  # at one sigma
    assert (blurred[16, 14] / blurred[12, 12]).item() == pytest.approx(math.exp(-2.5), abs=1e-5)
    assert blurred[12, 5] == 0  # beyond three sigma
    assert torch.allclose(blur(torch.full((2, 1, 3, 9), 0.7)), torch.full((2, 1, 3, 9), 0.7))  # borders too


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_the_gradients_on_black_and_on_white_pictures_are_finite(name, level):
    network = initial_network(name, "attnet", 0.05, seed=0)
    ldr = gray(level, size=33).repeat(2, 1, 1, 1)
    loss_of = VARIANTS[name].loss(None)
    loss, terms = loss_of(network.predict(ldr), ldr, 60000.0 * ldr)
    loss.backward()
    assert set(terms) == set(loss_of.terms)
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


# Their training


@pytest.mark.parametrize("name", PEERS)
def test_a_baseline_cut_short_and_resumed_ends_with_the_same_weights(name, dataset, tmp_path):
    changes = ("ema_decay=0.5", "schedule=plateau", "batch=4", "accumulate=2") if name == "hdrcnn" else ()
    whole = train(dataset.shards, tmp_path / "whole", name, 1, config(*changes))
    train_cut_short(3, dataset.shards, tmp_path / "cut", name, 1, config(*changes))
    resumed = train(dataset.shards, tmp_path / "cut", name, 1, config(*changes))
    assert resumed["resumed"] == 1
    for what in ("weights_sha256", "loss", "validation"):
        assert resumed[what] == whole[what]
    assert whole["variant"] == name and whole["trunk"] is None
    assert set(whole["loss"][0]) == {"step", "total", *VARIANTS[name].loss(None).terms}
    network, header = load_weights(tmp_path / "cut" / "weights.safetensors")
    assert network.config == BaselineConfig(baseline=name, width=0.05)
    assert header["variant"] == name and header["data"] == whole["data"]


@pytest.mark.parametrize("name", PEERS)
def test_training_lowers_a_baseline_s_loss(name, dataset, tmp_path):
    changes = ("steps=24", "batch=4", "learning_rate=0.01", "log_every=6", "validate_every=24", "validation_stacks=1")
    record = train(dataset.shards, tmp_path / "run", name, 0, config(*changes, "checkpoint_every=24"))
    assert record["loss"][-1]["total"] < 0.8 * record["loss"][0]["total"]  # means of six steps


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", PEERS)
def test_a_baseline_s_loss_is_single_precision_whatever_the_network_s(name, precision, dataset, tmp_path):
    """bfloat16 has 8 bits, hence two per cent."""
    exact, other = (
        train(dataset.shards, tmp_path / p, name, 0, config("steps=1", f"precision={p}")) for p in ("fp32", precision)
    )
    assert other["loss"][0]["total"] == pytest.approx(exact["loss"][0]["total"], rel=0.02)


def test_what_a_baseline_cannot_be_trained_on_is_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"the form 'pixels' holds no radiance, .*expected train\.form radiance"):
        train(dataset.shards, tmp_path / "run", "expandnet", 0, config("form=pixels"))
    with pytest.raises(ValueError, match=r"one sample and a crop of 32 pixels leave .* expected a crop above 32"):
        train(dataset.shards, tmp_path / "run", "hdrcnn", 0, config("accumulate=2"))
    assert not (tmp_path / "run").exists()
    train(dataset.shards, tmp_path / "run", "hdrunet", 0, config("accumulate=2", "steps=1"))  # it normalises nothing


class Clairvoyant(RadianceNetwork):
    """Return the radiance of the view."""

    def __init__(self, radiance):
        super().__init__(BaselineConfig(baseline="hdrcnn", width=1.0))
        self.radiance = torch.from_numpy(radiance.astype(np.float32)).permute(2, 0, 1)[None]

    def predict(self, ldr):
        return self.radiance

    def forward(self, ldr):
        return self.radiance


def test_validation_exposes_a_baseline_s_radiance_as_the_stack_was(dataset):
    """So the true radiance has no error at all, and half of it that of a stop."""
    shards = Shards(dataset.shards, "val", "radiance")
    stacks = Stacks(shards)
    stacks.views = stacks.views[:1]
    radiance = shards.radiance(0).radiance
    measured, picture = validate(Clairvoyant(radiance), stacks, 1, torch.device("cpu"))
    assert set(measured["psnr_ldr_by_ev"].values()) == {math.inf}
    assert np.array_equal(*np.split(picture, 2))
    halved, _ = validate(Clairvoyant(radiance / 2), stacks, 1, torch.device("cpu"))
    stack = stacks.stack(0, stacks.crfs[0]).astype(np.float64) / 255
    error = np.square(stack[0] - stack[2]).mean()  # EV -1 exposed a stop too short is EV -2
    assert halved["psnr_ldr_by_ev"]["-1"] == pytest.approx(-10 * math.log10(error), abs=1e-3)

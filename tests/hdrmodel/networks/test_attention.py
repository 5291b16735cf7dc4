import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.func import functional_call

from hdrmodel.networks.attention import (
    ATTENTIONS,
    PLACES,
    Attention,
    BottleneckGate,
    SelfAttention,
    SpatialGate,
    SqueezeExcitation,
    find_attention,
)
from hdrmodel.networks.hdr_attnet import count_parameters
from hdrmodel.networks.unet import ConvBlock

GATES = (SpatialGate, SqueezeExcitation, BottleneckGate)
WITHOUT_EFFECT = {"key.bias"}  # softmax(Q K') does not change when all keys move together


def features(channels=32, height=5, width=7, seed=0):
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed))


def entry(name, channels=32, seed=0):
    """The module of an entry of `ATTENTIONS`, with every weight off its first value: a gain may begin at 0."""
    torch.manual_seed(seed)
    module = find_attention(name).module(channels)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


# What follows runs over `ATTENTIONS`, so that a new attention is tested by the line that registers it. Its formula, a
# second time, is the one thing to add: `BY_NUMPY`.


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("channels", [4, 32])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7)])
def test_an_attention_keeps_the_shape_of_its_input(name, channels, height, width):
    x = features(channels, height, width)
    made = entry(name, channels)(x)
    assert made.shape == x.shape and made.dtype == x.dtype


@pytest.mark.parametrize("name", ATTENTIONS)
def test_gradients_reach_the_input_and_every_weight(name):
    attention, x = entry(name), features().requires_grad_()
    attention(x).square().sum().backward()
    assert x.grad.abs().sum() > 0
    for weight, parameter in attention.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), weight
        assert parameter.grad.abs().sum() > 0 or weight in WITHOUT_EFFECT, weight


def gradients_are_those_of_small_steps(module, x, fast_mode=False):
    """gradcheck, in float64, of a module's output for its input and all of its weights; fast: in one direction."""
    weights = {name: parameter.detach().clone().requires_grad_() for name, parameter in module.named_parameters()}
    return gradcheck(
        lambda x, *values: functional_call(module, dict(zip(weights, values, strict=True)), (x,)),
        (x.requires_grad_(), *weights.values()),
        fast_mode=fast_mode,
    )


@pytest.mark.parametrize("name", ATTENTIONS)
def test_the_gradients_of_an_attention_are_those_of_small_steps(name):
    assert gradients_are_those_of_small_steps(entry(name, 8).double(), features(8, 2, 3).double())


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("training", [True, False])
def test_the_gradients_of_a_block_with_the_attention_are_those_of_small_steps(name, training):
    torch.manual_seed(0)
    block = ConvBlock(3, 4, nn.Mish, find_attention(name)).double().train(training)
    assert gradients_are_those_of_small_steps(block, features(3, 3, 4).double(), fast_mode=True)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_a_picture_of_a_batch_does_not_see_the_others(name):
    attention, x = entry(name).eval(), features()
    assert torch.allclose(attention(x)[1:], attention(x[1:]), atol=1e-6)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_the_same_input_gives_the_same_output(name):
    attention, x = entry(name), features()
    assert torch.equal(attention(x), attention(x.clone()))
    assert torch.equal(attention(x), entry(name)(x))  # and the same seed the same weights


@pytest.mark.parametrize("name", ATTENTIONS)
def test_a_state_dict_brings_an_attention_back(name):
    one, other, x = entry(name, seed=0), entry(name, seed=1), features()
    other.load_state_dict(one.state_dict())
    assert torch.equal(other(x), one(x))


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_an_attention_is_finite_and_close_in_half_precision(name, dtype):
    attention, x = entry(name), features().requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        made = attention(x)
        made.float().square().mean().backward()
    assert made.shape == x.shape
    assert torch.allclose(made.float(), attention(x), rtol=0.05, atol=0.05)  # bfloat16 keeps 8 bits
    assert all(value.grad.isfinite().all() for value in (x, *attention.parameters()))


@pytest.mark.parametrize("name", ATTENTIONS)
def test_an_attention_is_a_plain_module_that_can_be_copied(name):
    attention, x = entry(name), features()
    assert not any(isinstance(module, torch.jit.ScriptModule) for module in attention.modules())
    assert torch.equal(copy.deepcopy(attention)(x), attention(x))


# Equations 7 to 11 a second time, in NumPy, for one picture (channels, height, width) and weights by their names.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def spatial_by_numpy(x, weights):
    height, width = x.shape[1:]
    summary = np.pad(np.stack([x.mean(axis=0), x.max(axis=0)]), ((0, 0), (1, 1), (1, 1)))
    made = np.empty_like(x)
    for row, column in np.ndindex(height, width):
        window = summary[:, row : row + 3, column : column + 3]
        made[:, row, column] = x[:, row, column] * sigmoid((window * weights["conv.weight"][0]).sum())
    return made


def channel_by_numpy(x, weights):
    mean = x.reshape(len(x), -1).mean(axis=1)
    hidden = np.maximum(weights["squeeze.weight"] @ mean + weights["squeeze.bias"], 0)
    return x * sigmoid(weights["excite.weight"] @ hidden + weights["excite.bias"])[:, None, None]


def bottleneck_by_numpy(x, weights):
    made = np.empty_like(x)
    for row, column in np.ndindex(x.shape[1:]):
        pixel = x[:, row, column]
        hidden = np.maximum(weights["narrow.weight"][:, :, 0, 0] @ pixel + weights["narrow.bias"], 0)
        made[:, row, column] = pixel * sigmoid(weights["widen.weight"][:, :, 0, 0] @ hidden + weights["widen.bias"])
    return made


def self_by_numpy(x, weights, seen=None):
    """Equation 11; `seen` are the pixels that give keys and values, where they are not those of x."""

    def project(name, pixels):
        return weights[f"{name}.weight"][:, :, 0, 0] @ pixels + weights[f"{name}.bias"][:, None]

    pixels = x.reshape(len(x), -1)  # (channels, pixels)
    seen = pixels if seen is None else seen
    query, key, value = project("query", pixels), project("key", seen), project("value", seen)
    answers = np.exp(query.T @ key / np.sqrt(len(query)))  # (queries, keys)
    mixed = value @ (answers / answers.sum(axis=1, keepdims=True)).T
    return x + weights["gain"] * mixed.reshape(x.shape)


BY_NUMPY = {
    nn.Identity: lambda x, weights: x,
    SpatialGate: spatial_by_numpy,
    SqueezeExcitation: channel_by_numpy,
    BottleneckGate: bottleneck_by_numpy,
    SelfAttention: self_by_numpy,
}


def made_and_by_numpy(module, x, **options):
    """A module's output in float64 and that of its formula in NumPy, both for the second picture."""
    module, x = module.double(), x.double()
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    with torch.no_grad():
        return module(x)[1].numpy(), BY_NUMPY[type(module)](x[1].numpy(), weights, **options)


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("channels", [4, 32])
def test_an_attention_is_its_equation_in_numpy(name, channels):
    made, expected = made_and_by_numpy(entry(name, channels), features(channels))
    assert made == pytest.approx(expected, rel=1e-10, abs=1e-12)


# What is special to one attention.


@pytest.mark.parametrize("module", GATES)
def test_a_gate_without_weights_halves(module):
    gate, x = module(32), features()
    for parameter in gate.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(gate(x), 0.5 * x)  # sigmoid(0) = 1/2


def test_the_spatial_gate_sees_mean_and_maximum_of_the_channels():
    gate = SpatialGate(2)
    nn.init.zeros_(gate.conv.weight)
    with torch.no_grad():
        gate.conv.weight[0, :, 1, 1] = torch.tensor([1.0, 10.0])  # the centre of the window: mean + 10 maximum
    x = torch.tensor([0.1, 0.3]).reshape(1, 2, 1, 1)
    expected = x * torch.sigmoid(torch.tensor(0.2 + 10 * 0.3))
    assert torch.allclose(gate(x), expected)


def test_squeeze_excitation_weighs_whole_channels():
    gate, x = SqueezeExcitation(32), features()
    ratio = gate(x) / x
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio), atol=1e-5)
    assert ratio.std() > 0.001


def test_the_bottleneck_gate_works_on_each_pixel_alone():
    gate, x = BottleneckGate(32), features()
    assert torch.allclose(gate(x)[:, :, 2:3, 3:4], gate(x[:, :, 2:3, 3:4]), atol=1e-6)


def test_untrained_self_attention_passes_its_input_through():
    x = features()
    assert torch.equal(SelfAttention(32)(x), x)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 64)])
def test_self_attention_over_1024_pixels_is_still_equation_11(height, width):
    made, expected = made_and_by_numpy(entry("self", 8), features(8, height, width))
    assert made == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_self_attention_over_more_pixels_sees_means_of_them():
    x = features(8, 64, 32)
    means = x[1].double().numpy().reshape(8, 32, 2, 32).mean(axis=2).reshape(8, 1024)  # pairs of rows
    made, expected = made_and_by_numpy(entry("self", 8), x, seen=means)
    assert made == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_the_gradients_of_self_attention_over_more_pixels_are_those_of_small_steps():
    x = features(4, 33, 32).double()
    assert gradients_are_those_of_small_steps(entry("self", 4).double(), x, fast_mode=True)


@pytest.mark.parametrize(("height", "width"), [(33, 40), (3, 700)])
def test_self_attention_answers_every_pixel_of_a_large_map(height, width):
    attention, keys = entry("self", 8), []
    attention.key.register_forward_hook(lambda _layer, _inputs, made: keys.append(made))
    x = features(8, height, width)
    assert attention(x).shape == x.shape
    assert keys[0].shape == (2, 1, min(height, 32), 32)  # a grid no finer than 32x32


def test_self_attention_does_not_care_where_a_pixel_is():
    attention, x = SelfAttention(32), features()
    nn.init.constant_(attention.gain, 1.0)
    assert torch.allclose(attention(x.flip(3)), attention(x).flip(3), atol=1e-5)


@pytest.mark.parametrize(("channels", "hidden"), [(256, 16), (16, 4)])  # a sixteenth, and at least 4
def test_the_weights_of_the_channel_gates(channels, hidden):
    weights = 2 * channels * hidden + hidden + channels
    assert count_parameters(SqueezeExcitation(channels)) == count_parameters(BottleneckGate(channels)) == weights


def test_the_spatial_gate_has_eighteen_weights():
    assert count_parameters(SpatialGate(64)) == 18  # HDR-AttNet equation 7: a 3x3 window over two maps


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("place", PLACES)
def test_an_attention_is_the_identity_where_it_has_no_place(name, place):
    attention = find_attention(name)
    assert isinstance(attention.at(place, 8), nn.Identity) == (place not in attention.places)


def test_channel_and_se_differ_in_their_place_alone():
    channel, se = find_attention("channel"), find_attention("se")
    assert channel.module is se.module
    assert channel.places == ("block",) and se.places == ("before_activation",)


def test_an_unknown_attention_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'cbam'.*base.*spatial.*channel.*bottleneck.*se.*self"):
        find_attention("cbam")


@pytest.mark.parametrize("place", ["everywhere", "level_7", "level_0"])
def test_an_unknown_place_is_refused_with_the_known_ones(place):
    with pytest.raises(ValueError, match=rf"{place}.*block.*before_activation.*skip.*level_1.*level_6.*deepest"):
        Attention(SpatialGate, places=("block", place))

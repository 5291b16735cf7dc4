import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hdrmodel.attention import (
    ATTENTIONS,
    PLACES,
    Attention,
    BottleneckGate,
    SelfAttention,
    SpatialGate,
    SqueezeExcitation,
    find_attention,
)
from hdrmodel.network import count_parameters

GATES = (SpatialGate, SqueezeExcitation, BottleneckGate)
MODULES = (*GATES, SelfAttention)


def features(channels=32, seed=0):
    return torch.randn(2, channels, 5, 7, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("channels", [4, 32])
def test_an_attention_keeps_the_shape_of_its_input(module, channels):
    x = features(channels)
    assert module(channels)(x).shape == x.shape


@pytest.mark.parametrize("module", MODULES)
def test_gradients_reach_the_input_and_every_weight(module):
    attention, x = module(32), features().requires_grad_()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.1)  # the gain of self-attention starts at 0 and would hold its gradients back
    attention(x).square().sum().backward()
    assert x.grad.abs().sum() > 0
    for name, parameter in attention.named_parameters():
        # softmax(Q K') does not change when all keys move together, so their bias has no effect
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0 or name == "key.bias", name


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


def test_self_attention_is_the_softmax_of_equation_11():
    attention, x = SelfAttention(32), features()
    nn.init.constant_(attention.gain, 0.7)
    query, key, value = (
        F.conv2d(x, layer.weight, layer.bias).flatten(2) for layer in (attention.query, attention.key, attention.value)
    )
    weights = torch.einsum("bcq,bck->bqk", query, key).div(4**0.5).softmax(dim=2)  # d_k = 32 / 8
    expected = x + 0.7 * torch.einsum("bqk,bck->bcq", weights, value).reshape(x.shape)
    assert torch.allclose(attention(x), expected, atol=1e-5)


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
    with pytest.raises(ValueError, match=r"'cbam'.*none.*spatial.*channel.*bottleneck.*se.*self"):
        find_attention("cbam")


def test_an_unknown_place_is_refused():
    with pytest.raises(ValueError, match="everywhere"):
        Attention(SpatialGate, places=("block", "everywhere"))

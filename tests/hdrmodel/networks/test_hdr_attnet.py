import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hdrmodel.networks.attention import ATTENTIONS, Attention, SelfAttention
from hdrmodel.networks.hdr_attnet import (
    HDRAttNet,
    NetworkConfig,
    PairNetwork,
    count_parameters,
    pad_by_reflection,
    sensor_exposure,
    soft_mask,
)
from hdrmodel.networks.weights import initial_network


def build(attention="base", width=0.05):
    torch.manual_seed(0)
    return HDRAttNet(NetworkConfig(attention=attention, preset="attnet", width=width))


NETWORK = build().eval()


def pictures(batch=2, height=64, width=64, seed=0):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def gray(luma):
    return torch.full((1, 3, 1, 1), luma)


@pytest.mark.parametrize(  # tau = 0.95; worked out by hand: the outer twentieths fall linearly to 0
    ("luma", "weight"),
    [(0.0, 0.0), (0.025, 0.5), (0.05, 1.0), (0.5, 1.0), (0.95, 1.0), (0.99, 0.2), (1.0, 0.0)],
)
def test_the_soft_mask_falls_to_zero_at_black_and_white(luma, weight):
    assert soft_mask(gray(luma)).item() == pytest.approx(weight, abs=1e-5)  # 1 - 0.95 in float32


def test_the_soft_mask_weighs_red_green_and_blue_as_luma():
    red = torch.tensor([0.1, 0.0, 0.0]).reshape(1, 3, 1, 1)
    assert soft_mask(red).item() == pytest.approx(1 - (0.05 - 0.0299) / 0.05, abs=1e-5)


@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_padding_reaches_the_multiple_and_keeps_the_picture(height, width):
    x = pictures(1, height, width)
    padded = pad_by_reflection(x, 64)
    assert all(side % 64 == 0 for side in padded.shape[2:])
    assert torch.equal(padded[..., :height, :width], x)
    if height > 32 and width > 32:  # less padding than picture: PyTorch's own reflection works
        assert torch.equal(padded, F.pad(x, (0, -width % 64, 0, -height % 64), mode="reflect"))


def test_a_short_side_is_reflected_to_and_fro():
    row = torch.tensor([0.0, 1.0, 2.0]).expand(1, 3, 1, 3)
    assert pad_by_reflection(row, 8)[0, 0, 7].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]


@settings(max_examples=10, deadline=None)
@given(height=st.integers(1, 130), width=st.integers(1, 70))
def test_pictures_of_any_size_keep_it(height, width):
    with torch.no_grad():
        encoded = NETWORK.encode(pictures(1, height, width))
        exposed = NETWORK.expose(encoded, torch.tensor([4.0]))
    assert encoded.shape == exposed.shape == (1, 3, height, width)
    assert encoded.min() >= 0 and encoded.max() < 2
    assert exposed.min() > 0 and exposed.max() < 1


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (65, 129), (192, 256)])
def test_every_attention_keeps_the_size_of_a_picture(attention, height, width):
    network, ldr = build(attention).eval(), pictures(1, height, width)
    with torch.no_grad():
        sensor_exposure = network.encode(ldr)
        made = network.expose(sensor_exposure.expand(2, -1, -1, -1), torch.tensor([4.0, 0.25]))  # by N2 and by N3
    assert sensor_exposure.shape == ldr.shape and made.shape == (2, *ldr.shape[1:])
    assert made.min() > 0 and made.max() < 1


def test_a_single_pixel_is_a_picture_of_that_colour():
    pixel = torch.tensor([0.2, 0.5, 0.7]).reshape(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.equal(NETWORK.encode(pixel), NETWORK.encode(pixel.expand(-1, -1, 64, 64))[..., :1, :1])


def test_encoding_adds_the_unmasked_picture_to_what_n1_makes_of_the_masked_one():
    ldr = pictures()
    with torch.no_grad():
        expected = (ldr + NETWORK.encoding(ldr * soft_mask(ldr))).clamp(min=0)
        assert torch.equal(NETWORK.encode(ldr), expected)


def test_a_reach_lets_x_climb_in_stops_and_leaves_small_residuals():
    ldr, residual = torch.full((1, 3, 1, 1), 0.25), torch.tensor([-0.5, 0.5, 1.0]).reshape(1, 3, 1, 1)
    assert sensor_exposure(ldr, residual, 0.0).flatten().tolist() == [0, 0.75, 1.25]
    assert sensor_exposure(ldr, residual, 6.0).flatten().tolist() == [0, 0.25 + 0.5 * 2**3, 0.25 + 2**6]
    near = torch.tensor(1e-4, requires_grad=True)
    sensor_exposure(ldr, near.expand(1, 3, 1, 1), 6.0).mean().backward()
    assert near.grad.item() == pytest.approx(1, abs=2e-3)


def test_the_preset_light_reaches_farther_with_as_many_parameters():
    light = initial_network("base", "light", 0.125, seed=0)
    assert count_parameters(light) == count_parameters(initial_network("base", "attnet", 0.125, seed=0))
    with torch.no_grad():
        light.encoding.head.bias.fill_(3.0)  # tanh 3 = 0.995, and 2^(6 x 0.995) = 62.7
        assert 50 < light.eval().encode(torch.ones(1, 3, 64, 64)).max() < 65


def test_longer_exposures_are_n2_s_and_shorter_ones_n3_s():
    x, ratio = pictures(), torch.tensor([2.0, 4.0])
    with torch.no_grad():
        up = 0.5 * NETWORK.up(x * ratio[:, None, None, None]) + 0.5
        down = 0.5 * NETWORK.down(x / ratio[:, None, None, None]) + 0.5
        assert torch.equal(NETWORK.expose(x, ratio), up)
        assert torch.equal(NETWORK.expose(x, 1 / ratio), down)
        assert torch.equal(NETWORK.expose_up(x, ratio), up)
        assert torch.equal(NETWORK.expose_down(x, 1 / ratio), down)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([1 / 16, 0.5, 1.0, 1.5, 16.0]), min_size=1, max_size=5))
def test_a_mixed_batch_equals_its_samples_one_by_one(ratios):
    x, ratio = pictures(len(ratios)), torch.tensor(ratios)
    with torch.no_grad():
        together = NETWORK.expose(x, ratio)
        alone = torch.cat([NETWORK.expose(x[i : i + 1], ratio[i : i + 1]) for i in range(len(ratios))])
    assert torch.allclose(together, alone, atol=1e-5)  # convolutions may add in another order in another batch


def test_a_mixed_batch_in_training_gives_each_subnetwork_the_statistics_of_its_own_samples():
    mixed, apart = build().train(), build().train()
    x, ratio = pictures(4), torch.tensor([2.0, 0.5, 1.0, 0.25])
    mixed.expose(x, ratio)
    apart.expose(x[[0, 2]], ratio[[0, 2]])
    apart.expose(x[[1, 3]], ratio[[1, 3]])
    together = mixed.state_dict()
    for name, value in apart.state_dict().items():
        assert torch.allclose(value, together[name], atol=1e-5), name


def test_one_encoding_serves_many_exposures():
    ldr, ratio = pictures(1), torch.tensor([0.25, 1.0, 4.0])
    with torch.no_grad():
        shared = NETWORK.expose(NETWORK.encode(ldr).expand(3, -1, -1, -1), ratio)
        assert torch.allclose(shared, NETWORK(ldr.expand(3, -1, -1, -1), ratio), atol=1e-5)


def test_a_pair_is_predicted_crosswise():
    shorter, longer, ratio = pictures(seed=1), pictures(seed=2), torch.tensor([1.0, 4.0])
    with torch.no_grad():
        pair = PairNetwork(NETWORK)(shorter, longer, ratio)
        assert torch.allclose(pair.exposure_shorter, NETWORK.encode(shorter), atol=1e-5)
        assert torch.allclose(pair.exposure_longer, NETWORK.encode(longer), atol=1e-5)
        assert torch.allclose(pair.ldr_longer, NETWORK.expose_up(pair.exposure_shorter, ratio), atol=1e-5)
        assert torch.allclose(pair.ldr_shorter, NETWORK.expose_down(pair.exposure_longer, 1 / ratio), atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_gradients_of_a_pair_reach_every_weight(attention):
    network = build(attention)
    pair = PairNetwork(network)(pictures(seed=1), pictures(seed=2), torch.tensor([1.0, 4.0]))
    (pair.ldr_shorter.mean() + pair.ldr_longer.mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_channels_last_gives_the_same_picture():
    x, ratio = pictures(), torch.tensor([4.0, 0.5])
    other = build().eval().to(memory_format=torch.channels_last)
    with torch.no_grad():
        assert torch.allclose(
            other(x.contiguous(memory_format=torch.channels_last), ratio), NETWORK(x, ratio), atol=1e-5
        )


# HDR-AttNet without attention: 62,194,875, computed from the released program of Le et al. 2023. The others add 18
# weights to each of 13 blocks (spatial), or what their layers hold; they guard against a change that nobody meant.
@pytest.mark.parametrize(
    ("attention", "parameters"),
    [
        ("base", 62_194_875),
        ("spatial", 62_194_875 + 3 * 13 * 18),
        ("channel", 62_548_447),
        ("bottleneck", 62_446_383),
        ("se", 62_548_447),
        ("self", 62_933_758),
    ],
)
def test_the_number_of_parameters(attention, parameters):
    with torch.device("meta"):
        assert count_parameters(build(attention, width=1.0)) == parameters


def test_self_attention_at_level_6_too_is_a_line_of_the_dict(monkeypatch):
    monkeypatch.setitem(ATTENTIONS, "self67", Attention(SelfAttention, places=("level_6", "deepest")))
    with torch.device("meta"):
        parameters = count_parameters(build("self67", width=1.0))
    assert parameters == 62_194_875 + 2 * (62_933_758 - 62_194_875)  # levels 6 and 7 are equally wide


def test_equal_widths_are_shared_by_all_three_subnetworks():
    small = build(width=0.25)
    assert count_parameters(small.up) == count_parameters(small.down)
    assert count_parameters(small) < 62_194_875 / 12  # a quarter of the channels, about a sixteenth of the weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": "cbam"}, "unknown attention 'cbam'"),
        ({"preset": "gelu"}, "unknown preset 'gelu'"),
        ({"width": 0.0}, "greater than 0"),
        ({"width": float("inf")}, "finite"),
        ({"depth": 5}, "depth"),
    ],
)
def test_an_impossible_configuration_is_refused_by_name(change, message):
    with pytest.raises(ValidationError, match=message):
        NetworkConfig(**{"attention": "base", "preset": "attnet", "width": 1.0, **change})


@pytest.mark.parametrize("ratios", [[1.0, 0.0], [1.0, -2.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_a_ratio_that_is_not_positive_and_finite_is_refused(ratios):
    with pytest.raises(ValueError, match="positive and finite"):
        NETWORK.expose(pictures(), torch.tensor(ratios))

import copy

import pytest
import torch
from torch import nn

from hdrmodel.networks.attention import (
    ATTENTIONS,
    Attention,
    SelfAttention,
    SpatialGate,
    SqueezeExcitation,
    find_attention,
)
from hdrmodel.networks.hdr_attnet import ENCODING_WIDTHS, EXPOSING_WIDTHS, count_parameters
from hdrmodel.networks.unet import PRESETS, ConvBlock, UNet, Upsample, find_preset, scale_widths

NARROW = (4, 4, 8, 8, 8, 8, 8)


def build(attention="base", preset="attnet", widths=NARROW, input_to_head=True, seed=0):
    torch.manual_seed(seed)
    return UNet(widths, find_preset(preset), find_attention(attention), input_to_head)


def picture(height=64, width=64):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_picture_keeps_its_size_and_stays_between_minus_one_and_one(attention, preset):
    made = build(attention, preset)(picture(64, 128))
    assert made.shape == (2, 3, 64, 128)
    assert made.abs().max() < 1


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("input_to_head", [False, True])
def test_gradients_reach_every_weight(attention, input_to_head):
    unet = build(attention, input_to_head=input_to_head)
    unet(picture()).sum().backward()
    for name, parameter in unet.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_an_evaluated_picture_does_not_see_the_rest_of_its_batch(attention):
    unet, x = build(attention).eval(), picture()
    with torch.no_grad():
        assert torch.allclose(unet(x)[1:], unet(x[1:]), atol=1e-5)  # convolutions may add in another order


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_same_seed_gives_the_same_weights_and_the_same_picture(attention):
    one, again = build(attention).eval(), build(attention).eval()
    with torch.no_grad():
        assert torch.equal(one(picture()), again(picture()))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_state_dict_or_a_copy_makes_the_same_picture(attention):
    unet, other = build(attention, seed=1), build(attention, seed=2)
    unet(picture())  # in training: moves the statistics of the batch normalisations
    other.load_state_dict(unet.state_dict())
    with torch.no_grad():
        made = unet.eval()(picture())
        assert torch.equal(other.eval()(picture()), made)
        assert torch.equal(copy.deepcopy(unet)(picture()), made)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_step_in_half_precision_is_finite(attention, dtype):
    unet = build(attention)
    with torch.autocast("cpu", dtype=dtype):
        made = unet(picture())
    made.square().mean().backward()
    assert made.isfinite().all()
    for name, parameter in unet.named_parameters():
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(  # computed from the released program of Le et al. 2023
    ("widths", "input_to_head", "parameters", "gigamacs"),
    [(ENCODING_WIDTHS, False, 6_916_131, 10.37), (EXPOSING_WIDTHS, True, 27_639_372, 41.22)],
)
def test_the_paper_s_sizes(widths, input_to_head, parameters, gigamacs):
    with torch.device("meta"):
        unet = build(widths=widths, input_to_head=input_to_head)
        assert count_parameters(unet) == parameters
        macs = []
        for layer in unet.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(lambda layer, _, out: macs.append(layer.weight.numel() * out[0, 0].numel()))
        unet(torch.empty(1, 3, 512, 512))
    assert sum(macs) / 1e9 == pytest.approx(gigamacs, abs=0.005)


@pytest.mark.parametrize("channels", [4, 16])
def test_untrained_upsampling_repeats_pixels(channels):
    upsample = Upsample(channels, nn.Mish)
    x = torch.randn(2, channels, 3, 5)
    made = upsample(x)
    assert made.shape == (2, channels, 6, 10)
    for row, column in ((0, 1), (1, 0), (1, 1)):
        assert torch.equal(made[:, :, row::2, column::2], made[:, :, ::2, ::2])  # ICNR


def test_icnr_draws_kaiming_uniform_with_the_fan_of_one_pixel():
    weight = Upsample(64, nn.ReLU).layers[0].weight
    bound = 1 / 64**0.5  # gain sqrt(2 / (1 + 5)) times sqrt(3 / 64)
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)  # uniform; 4096 draws, so within 1 %


def test_a_block_before_its_activation_holds_the_attention_between_normalisation_and_activation():
    layers = list(ConvBlock(3, 32, nn.Mish, find_attention("se")).layers)
    place = next(i for i, layer in enumerate(layers) if isinstance(layer, SqueezeExcitation))
    assert isinstance(layers[place - 1], nn.BatchNorm2d) and isinstance(layers[place + 1], nn.Mish)


def test_an_attention_after_the_blocks_sits_on_all_thirteen():
    gates = [module for module in build("spatial").modules() if isinstance(module, SpatialGate)]
    assert len(gates) == 7 + 6


NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
BLOCK = [f"layers.{i}.weight" for i in (0, 3)] + [f"layers.{i}.{name}" for i in (1, 4) for name in NORM]
BASE = {
    *(f"encoder.{i}.{name}" for i in range(7) for name in BLOCK),
    *(f"decoder.{i}.{name}" for i in range(6) for name in BLOCK),
    *(f"upsample.{i}.layers.{name}" for i in range(6) for name in ("0.weight", *(f"1.{name}" for name in NORM))),
    *("head.weight", "head.bias"),
}
BLOCKS = [f"{half}.{i}" for half, blocks in (("encoder", 7), ("decoder", 6)) for i in range(blocks)]
SKIPS_AND_DEEPEST = [*(f"skip.{i}" for i in range(6)), "deepest"]


def linear(*layers):
    return [f"{layer}.{name}" for layer in layers for name in ("weight", "bias")]


@pytest.mark.parametrize(
    ("attention", "sites", "weights"),
    [
        ("base", [], []),
        ("spatial", [f"{block}.layers.7" for block in BLOCKS], ["conv.weight"]),
        ("channel", [f"{block}.layers.7" for block in BLOCKS], linear("squeeze", "excite")),
        ("se", [f"{block}.layers.5" for block in BLOCKS], linear("squeeze", "excite")),
        ("bottleneck", SKIPS_AND_DEEPEST, linear("narrow", "widen")),
        ("self", ["deepest"], ["gain", *linear("query", "key", "value")]),
    ],
)
def test_weights_keep_their_names_since_files_hold_them(attention, sites, weights):
    assert set(build(attention).state_dict()) == BASE | {f"{site}.{name}" for site in sites for name in weights}


class Silence(nn.Module):
    """Zeros in the shape of its input, which it keeps."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        self.seen = tuple(x.shape)
        return torch.zeros_like(x)


@pytest.mark.parametrize("level", range(1, 7))
def test_an_attention_at_a_level_works_on_what_is_halved_and_skipped(level):
    widths = (4, 8, 12, 16, 20, 24, 28)
    unet = UNet(widths, find_preset("attnet"), Attention(Silence, places=(f"level_{level}",)), True)
    (silence,) = (module for module in unet.modules() if isinstance(module, Silence))
    inputs = []
    for after in (unet.encoder[level], unet.skip[6 - level]):  # encoder[0] is level 1, skip[0] level 6
        after.register_forward_pre_hook(lambda _module, given: inputs.append(given[0]))
    unet(picture(64, 128))
    channels, shrink = widths[level - 1], 2 ** (level - 1)
    assert silence.seen == (2, channels, 64 // shrink, 128 // shrink) and silence.channels == channels
    assert len(inputs) == 2 and not any(given.any() for given in inputs)


def test_self_attention_can_sit_at_level_6():
    unet = UNet(NARROW, find_preset("attnet"), Attention(SelfAttention, places=("level_6", "deepest")), True)
    sites = {name for name, module in unet.sites().items() if isinstance(module, SelfAttention)}
    assert sites == {"encoder level 6", "encoder level 7"}
    unet(picture()).square().sum().backward()
    assert unet.level[5].gain.grad != 0 and unet.deepest.gain.grad != 0


@pytest.mark.parametrize(
    ("attention", "first", "last", "number"),
    [
        ("spatial", "encoder level 1 block", "decoder level 1 block", 13),
        ("se", "encoder level 1 before activation", "decoder level 1 before activation", 13),
        ("bottleneck", "encoder level 7", "skip level 1", 7),
    ],
)
def test_sites_have_names_in_the_order_of_the_work(attention, first, last, number):
    names = list(build(attention).sites())
    assert (names[0], names[-1], len(names)) == (first, last, number)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_weight_of_an_attention_lies_at_a_site(attention):
    unet = build(attention)
    assert sum(count_parameters(module) for module in unet.sites().values()) == (
        count_parameters(unet) - count_parameters(build("base"))
    )


def test_the_presets_activations():
    def kinds(part):
        return {type(module) for module in part.modules()} & {nn.ReLU, nn.LeakyReLU, nn.Mish}

    attnet, base = build(preset="attnet"), build(preset="base2023")
    assert kinds(attnet.encoder) == {nn.ReLU}
    assert kinds(attnet.decoder) == kinds(attnet.upsample) == {nn.LeakyReLU}
    assert kinds(base) == {nn.Mish}


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'gelu'.*attnet.*base2023"):
        find_preset("gelu")


def test_widths_are_multiples_of_four_and_at_least_four():
    assert scale_widths(ENCODING_WIDTHS, 1.0) == ENCODING_WIDTHS
    assert scale_widths(ENCODING_WIDTHS, 0.25) == (4, 8, 16, 32, 64, 64, 64)
    assert scale_widths(ENCODING_WIDTHS, 0.3) == (4, 8, 20, 40, 76, 76, 76)  # 4.8, 9.6, 19.2, 38.4, 76.8
    assert scale_widths(ENCODING_WIDTHS, 0.01) == (4,) * 7


def test_bfloat16_does_not_round_the_picture_to_its_own_step():
    unet = build().eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        made = unet(picture())
    assert made.dtype == torch.float32
    assert not torch.equal(made, made.bfloat16().float())

import pytest
import torch
from torch import nn

from hdrmodel.attention import ATTENTIONS, SpatialGate, SqueezeExcitation, find_attention
from hdrmodel.network import ENCODING_WIDTHS, EXPOSING_WIDTHS, count_parameters
from hdrmodel.unet import PRESETS, ConvBlock, UNet, Upsample, find_preset, scale_widths

NARROW = (4, 4, 8, 8, 8, 8, 8)


def build(attention="none", preset="attnet", widths=NARROW, input_to_head=True):
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


@pytest.mark.parametrize(  # hdr_attnet.md section 2, computed from the released program of Le et al. 2023
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

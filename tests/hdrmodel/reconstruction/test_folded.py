"""The folded U-Net is the U-Net, and looks as far as it says."""

import copy

import pytest
import torch
from stirred_network import stir, stirred_network

from hdrmodel.networks.attention import ATTENTIONS, Attention, SpatialGate, SqueezeExcitation, find_attention
from hdrmodel.networks.hdr_attnet import EXPOSING_WIDTHS
from hdrmodel.networks.unet import PRESETS, UNet, find_preset, scale_widths
from hdrmodel.reconstruction.folded import COARSENESS, FINE, Deep, FoldedUNet

# A block looks at 2 positions beyond its own, by two 3x3 convolutions; at 3 with the spatial gate's window after it.
# What a tile's border makes wrong, from there inwards, in positions of each level, by hand for 2: down the upper four
# levels, halved (rounded upwards) and 2 more, 2 3 4 4; up again, doubled and 2 more, 6 14 30 62. Of all seven levels:
# down 2 3 4 4 4 4 4, up 10 22 46 94 190 382. For 3: 3 5 6 6, 9 21 45 93; of all 3 5 6 6 6 6 6, 15 33 69 141 285 573.
REACHES = {"base": (62, 382), "spatial": (93, 573), "bottleneck": (62, 382)}
MARGINS = {  # these at multiples of 32, and of 64
    "base": (64, 384),
    "spatial": (96, 576),
    "channel": (64, None),
    "bottleneck": (64, 384),
    "se": (64, None),
    "self": (64, None),
}


def pictures(height, width, batch=1, seed=0):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def unet_of(attention, preset="attnet", input_to_head=True):
    """N2 of a narrow network, or N1, which gives its head no picture."""
    network = stirred_network(attention, preset)
    return network.up if input_to_head else network.encoding


@pytest.mark.parametrize(("attention", "input_to_head"), [*((name, True) for name in ATTENTIONS), ("base", False)])
@pytest.mark.parametrize("preset", PRESETS)
@torch.no_grad()
def test_the_folded_unet_makes_the_pictures_of_the_unet(attention, preset, input_to_head):
    unet, x = unet_of(attention, preset, input_to_head), pictures(64, 128, batch=2)
    made, expected = FoldedUNet(unet)(x), unet(x)
    assert (made - expected).abs().max() < 1e-5  # of values in (-1, 1): float32, products in another order
    assert expected.std() > 0.02  # no constant picture, of which all would be equal


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("attention", ["base", "se"])
def test_folding_leaves_the_network_and_the_generator_as_they_were(attention, training, dtype):
    unet = copy.deepcopy(unet_of(attention)).train(training)
    before, state = {name: value.clone() for name, value in unet.state_dict().items()}, torch.get_rng_state()
    with torch.no_grad():
        FoldedUNet(unet, dtype)(pictures(64, 64))
    assert unet.training == training and unet.encoder[0].layers[1].training == training
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in unet.state_dict().items():
        assert value.dtype == before[name].dtype and torch.equal(value, before[name]), name


@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_features_of_bfloat16_make_almost_the_same_picture(attention):
    unet, x = unet_of(attention), pictures(128, 192)
    made, expected = FoldedUNet(unet, torch.bfloat16)(x), unet(x)
    assert made.dtype == torch.float32
    assert (made - expected).abs().mean() < 0.005 and (
        made - expected
    ).abs().max() < 0.05  # 8 bits: 0.004 at each layer
    assert not torch.equal(made, made.bfloat16().float())  # the head is float32


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_margins_of_each_attention(attention):
    for input_to_head in (False, True):
        folded = FoldedUNet(unet_of(attention, input_to_head=input_to_head))
        assert (folded.margin, folded.whole_margin) == MARGINS[attention]


def change_outside(picture, core, margin):
    """Other pixels in the columns more than `margin` from those of the slice `core`."""
    changed = 1 - picture
    columns = slice(core.start - margin, core.stop + margin)
    changed[..., columns] = picture[..., columns]
    return changed


def columns_seen(function, picture, core):
    """Return how far left and right of its columns `core` the output's gradient reaches, also where it is tiny."""
    picture = picture.clone().requires_grad_()
    function(picture)[..., core].sum().backward()
    seen = picture.grad.abs().sum(dim=(0, 1, 2)).nonzero()[:, 0]
    return core.start - int(seen[0]), int(seen[-1]) + 1 - core.stop


@pytest.mark.parametrize("attention", REACHES)
def test_an_output_depends_on_what_is_within_its_whole_margin_and_on_no_less(attention):
    folded, x, core = FoldedUNet(unet_of(attention)), pictures(64, 1344), slice(640, 704)
    changed = change_outside(x, core, folded.whole_margin)
    assert not torch.equal(changed, x) and torch.equal(folded(changed)[..., core], folded(x)[..., core])
    assert columns_seen(folded, x, core) == (REACHES[attention][1],) * 2


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_tile_depends_on_what_is_within_its_margin_and_on_no_less(attention):
    folded, x, core = FoldedUNet(unet_of(attention)), pictures(64, 448), slice(192, 256)
    blocks = folded.upper_blocks
    gates = tuple(torch.full((1, block.second.out_channels), 0.7) if block.by_means else None for block in blocks)
    deep = Deep(folded.deepen(folded.below(x, gates[:FINE])), gates)

    def finish(x):
        return folded.finish(x, deep)

    def below(x):
        return folded.below(x, gates[:FINE])

    assert torch.equal(finish(change_outside(x, core, folded.margin))[..., core], finish(x)[..., core])
    assert columns_seen(finish, x, core) == (REACHES.get(attention, REACHES["base"])[0],) * 2
    coarse, half = slice(core.start // COARSENESS, core.stop // COARSENESS), folded.margin // 2
    assert torch.equal(below(change_outside(x, core, half))[..., coarse], below(x)[..., coarse])
    assert not torch.equal(below(change_outside(x, core, half - COARSENESS))[..., coarse], below(x)[..., coarse])


@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_the_two_parts_are_the_whole(attention):
    folded, x = FoldedUNet(unet_of(attention)), pictures(128, 192)
    gates = [None] * (2 * FINE)
    for place, block in enumerate(folded.upper_blocks):
        if block.by_means:
            below = folded.deepen(folded.below(x, gates[:FINE])) if place >= FINE else None
            gates[place] = block.gate_of(folded.weighed(place, x, Deep(below, tuple(gates))).mean(dim=(2, 3)))
    deep = Deep(folded.deepen(folded.below(x, gates[:FINE])), tuple(gates))
    assert (folded.finish(x, deep) - folded(x)).abs().max() < 1e-6  # the same operations


@pytest.mark.parametrize("place", ["skip", "level_2"])
def test_means_of_channels_anywhere_but_in_a_block_want_the_whole_frame(place):
    widths = scale_widths(EXPOSING_WIDTHS, 0.05)
    unet = stir(UNet(widths, find_preset("attnet"), Attention(SqueezeExcitation, (place,)), True))
    assert FoldedUNet(unet).margin is None  # no gate of theirs is made of the whole frame's means
    below = stir(UNet(widths, find_preset("attnet"), Attention(SqueezeExcitation, ("deepest",)), True))
    assert FoldedUNet(below).margin == 64


def test_a_gate_at_a_level_or_a_skip_widens_the_margin():
    widths = scale_widths(EXPOSING_WIDTHS, 0.05)
    plain = UNet(widths, find_preset("attnet"), find_attention("base"), True)
    for places in (("level_3",), ("skip",), ("before_activation",)):
        unet = UNet(widths, find_preset("attnet"), Attention(SpatialGate, places), True)
        assert FoldedUNet(unet).margin > FoldedUNet(plain).margin

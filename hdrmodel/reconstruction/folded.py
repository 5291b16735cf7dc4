"""The U-Net as it is used on whole photographs: the same function with less work, and in two parts for any size.

Batch normalisation is folded into the convolutions, concatenations are sums of two convolutions, and the doubling of
height and width is a transposed convolution. The upper four levels look at most `margin` pixels around them and are
computed tile by tile; the levels below see the whole photograph at a sixteenth of its height and width, at once.
"""

# Children of a module have the type Tensor | Module in PyTorch's annotations:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportReturnType=false, reportOperatorIssue=false, reportOptionalMemberAccess=false

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hdrmodel.networks.attention import Features, SqueezeExcitation
from hdrmodel.networks.hdr_attnet import Pictures
from hdrmodel.networks.unet import LEVELS, STRIDE, ConvBlock, UNet, Upsample

FINE = 4  # levels that are computed tile by tile
COARSENESS = 2**FINE  # pixels, along a side, of a position below them
Gate = Float[Tensor, "batch channels"]
Gates = Sequence[Tensor | None]  # a `Gate` for each block, of as many channels as it has; None of those without
Inputs = Float[Tensor, "batch in_channels height width"]
Skipped = Float[Tensor, "batch skip_channels height width"]
Coarse = Float[Tensor, "batch coarse_channels coarse_height coarse_width"]  # of pictures, at a level below the first


class Deep(NamedTuple):
    """Values that the upper levels need from the whole photograph: computed once, used by every tile."""

    features: Features | None  # of level 5 on the way up, (batch, channels, height / 16, width / 16); None: not yet
    gates: tuple[Gate | None, ...]  # of the upper blocks, down and up, where an attention weighs channels by means


class FoldedBlock(nn.Module):
    """`ConvBlock` with its batch normalisation folded; of two inputs the convolutions are added.

    Args:
        skip_channels: those of a second input, the first of the block's channels; 0 where there is none.
    """

    def __init__(self, block: ConvBlock, skip_channels: int = 0):
        super().__init__()
        conv1, norm1, self.act1, conv2, norm2, self.before, self.act2, self.after = block.layers
        first = fuse_conv_bn_eval(conv1, norm1)
        self.skip = None
        if skip_channels:
            self.skip = _conv(first.weight[:, :skip_channels], None)
            first = _conv(first.weight[:, skip_channels:], first.bias)
        self.first, self.second = first, fuse_conv_bn_eval(conv2, norm2)

    @property
    def by_means(self) -> SqueezeExcitation | None:
        """The attention that weighs channels by their means, if this block has one; of two, the first."""
        return next((place for place in (self.before, self.after) if isinstance(place, SqueezeExcitation)), None)

    def forward(self, x: Inputs, skip: Skipped | None = None, gate: Gate | None = None) -> Features:
        """Return the block's features, with a given gate for its channels in place of the gate from its own input."""
        x = self._convolved(x, skip)
        if gate is None:
            return self.after(self.act2(self.before(x)))
        gate = gate[:, :, None, None]
        if self.by_means is self.before:
            return self.after(self.act2(x * gate))
        return self.act2(self.before(x)) * gate

    def weighed(self, x: Inputs, skip: Skipped | None = None) -> Features:
        """Return the features that the gate weighs; their means give the gate."""
        x = self._convolved(x, skip)
        return x if self.by_means is self.before else self.act2(self.before(x))

    def gate_of(self, means: Gate) -> Gate:
        """The gate of the means over a whole photograph."""
        return self.by_means.gate(means)

    def _convolved(self, x: Inputs, skip: Skipped | None) -> Features:
        x = self.first(x)
        if self.skip is not None:
            x.add_(self.skip(skip))
        return self.second(self.act1(x))


class FoldedUpsample(nn.Module):
    """`Upsample` as a transposed convolution: what becomes 2x2 pixels, weight by weight."""

    def __init__(self, upsample: Upsample):
        super().__init__()
        conv, norm, self.act, _ = upsample.layers
        folded = fuse_conv_bn_eval(conv, norm)
        channels = conv.in_channels
        square = folded.weight.detach().reshape(channels, 2, 2, channels)  # (out, row, column, in)
        self.weight = nn.Parameter(square.permute(3, 0, 1, 2).contiguous())
        self.bias = nn.Parameter(folded.bias.detach().reshape(channels, 2, 2).permute(1, 2, 0).reshape(2, 2 * channels))

    def forward(self, x: Features) -> Float[Tensor, "batch channels doubled_height doubled_width"]:
        batch, channels, height, width = x.shape
        up = F.conv_transpose2d(x, self.weight, stride=2).contiguous(memory_format=torch.channels_last)
        squares = up.permute(0, 2, 3, 1).view(batch, height, 2, width, 2 * channels)
        squares += self.bias[:, None]  # each pixel of a square has its own
        return self.act(up)


def without_norms(unet: UNet) -> UNet:
    """A copy of a U-Net with its batch normalisation folded into the convolutions, and no other change."""
    unet = copy.deepcopy(unet).eval()
    for layers in [module for module in unet.modules() if isinstance(module, nn.Sequential)]:
        for place, (conv, norm) in enumerate(pairwise(layers)):
            if isinstance(norm, nn.BatchNorm2d):
                layers[place], layers[place + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return unet


class FoldedUNet(nn.Module):
    """A trained `UNet` for use: the same output to rounding.

    Args:
        unet: used as in evaluation mode; it is left as it is.
        dtype: of the features; the head and its output are float32.
    """

    def __init__(self, unet: UNet, dtype: torch.dtype = torch.float32):
        super().__init__()
        unet = copy.deepcopy(unet).eval()
        self.dtype = dtype
        self.encoder = nn.ModuleList(map(FoldedBlock, unet.encoder))
        self.level, self.deepest, self.skip = unet.level, unet.deepest, unet.skip
        self.upsample = nn.ModuleList(map(FoldedUpsample, unet.upsample))
        below = [up.weight.shape[1] for up in self.upsample]
        self.decoder = nn.ModuleList(
            FoldedBlock(block, block.layers[0].in_channels - channels)
            for block, channels in zip(unet.decoder, below, strict=True)
        )
        self.to(dtype=dtype, memory_format=torch.channels_last)
        channels = self.decoder[-1].second.out_channels
        weight = unet.head.weight.float()
        self.head = _conv(weight[:, -channels:], unet.head.bias.float())
        self.head_picture = _conv(weight[:, :-channels], None) if unet.input_to_head else None
        self.requires_grad_(False)

    @property
    def upper_blocks(self) -> tuple[FoldedBlock, ...]:
        """Those that are computed tile by tile: four on the way down, four on the way up."""
        return (*self.encoder[:FINE], *self.decoder[-FINE:])

    @property
    def margin(self) -> int | None:
        """Pixels around a tile on which its output depends, except through the levels below; None if on all of them."""
        reach = self._reach(range(1, FINE + 1), by_means=True)
        if reach is None:
            return None
        wrong = 0  # positions of a level, from a tile's border inwards
        for _ in range(FINE):
            wrong = math.ceil(wrong / 2) + reach
        wrong += reach  # what comes from below is right
        for _ in range(FINE - 1):
            wrong = 2 * wrong + reach
        return 2 * COARSENESS * math.ceil(wrong / (2 * COARSENESS))  # half of it is what `below` needs

    @property
    def whole_margin(self) -> int | None:
        """Return the margin with the levels below, for a tile without anything from the whole photograph."""
        reach = self._reach(range(1, LEVELS + 1), by_means=False)
        if reach is None:
            return None
        wrong = 0
        for _ in range(LEVELS):
            wrong = math.ceil(wrong / 2) + reach
        for _ in range(LEVELS - 1):
            wrong = 2 * wrong + reach
        return STRIDE * math.ceil(wrong / STRIDE)

    def forward(self, picture: Pictures) -> Pictures:
        """tanh of the head, float32, in (-1, 1); height and width are multiples of `STRIDE`."""
        features, levels = self._descend(picture.to(self.dtype))
        return self._ascend(picture, levels, self.deepen(features))

    def below(self, picture: Pictures, gates: Gates) -> Coarse:
        """Return the input of the levels below from a tile: (batch, channels, height / 16, width / 16).

        Wrong in the outer half of `margin`.
        """
        return self._descend(picture.to(self.dtype), gates)[0]

    def deepen(self, x: Inputs) -> Features:
        """The levels below the upper ones, down and up again, of the whole photograph."""
        levels = []
        for block, attend in zip(self.encoder[FINE:-1], self.level[FINE:], strict=True):
            levels.append(attend(block(x)))
            x = F.max_pool2d(levels[-1], 2)
        x = self.deepest(self.encoder[-1](x))
        for upsample, attend, block in zip(self.upsample, self.skip, self.decoder[:-FINE], strict=False):
            x = block(upsample(x), attend(levels.pop()))
        return x

    def finish(self, picture: Pictures, deep: Deep) -> Pictures:
        """The output of a tile, of what `deepen` made for its place; wrong in its outer `margin`."""
        _, levels = self._descend(picture.to(self.dtype), deep.gates[:FINE])
        return self._ascend(picture, levels, deep.features, deep.gates[FINE:])

    def weighed(self, place: int, picture: Pictures, deep: Deep) -> Coarse:
        """Return the features that the gate of upper block `place` weighs in a tile, given the gates before it."""
        x, levels = self._descend(picture.to(self.dtype), deep.gates[: min(place, FINE)])
        if place < FINE:
            return self.encoder[place].weighed(x)
        x = self._climb(levels, deep.features, deep.gates[FINE:place])
        step = len(self.decoder) - 2 * FINE + place
        return self.decoder[step].weighed(self.upsample[step](x), self.skip[step](levels.pop()))

    def _descend(self, x: Pictures, gates: Gates = (None,) * FINE) -> tuple[Coarse, list[Tensor]]:
        """The upper levels' features, and what is below the last; as many levels as there are gates."""
        levels = []
        for block, attend, gate in zip(self.encoder, self.level, gates, strict=False):
            levels.append(attend(block(x, gate=gate)))
            x = F.max_pool2d(levels[-1], 2)
        return x, levels

    def _climb(self, levels: list[Tensor], x: Coarse, gates: Gates) -> Features:
        """Up again over as many levels as there are gates; takes them from `levels`."""
        steps = zip(self.upsample[-FINE:], self.skip[-FINE:], self.decoder[-FINE:], gates, strict=False)
        for upsample, attend, block, gate in steps:
            x = block(upsample(x), attend(levels.pop()), gate)
        return x

    def _ascend(self, picture: Pictures, levels: list[Tensor], x: Coarse, gates: Gates = (None,) * FINE) -> Pictures:
        out = self.head(self._climb(levels, x, gates).float())
        if self.head_picture is not None:
            out += self.head_picture(picture)
        return out.tanh_()

    def _reach(self, levels: range, by_means: bool) -> int | None:
        """Positions beyond its own that a block of these levels looks at, with the attention around it; None: all."""
        down, up = [level - 1 for level in levels], [LEVELS - 1 - level for level in levels if level < LEVELS]
        blocks = [(self.encoder[place], (*self.level, self.deepest)[place]) for place in down]
        blocks += [(self.decoder[place], self.skip[place]) for place in up]
        reaches = []
        for block, attend in blocks:
            places = (block.before, block.after, attend)
            known = [_reach_of(place) for place in places if not (by_means and place is block.by_means)]
            if None in known:
                return None
            reaches.append(2 + sum(known))
        return max(reaches)


def _reach_of(attention: nn.Module) -> int | None:
    return 0 if isinstance(attention, nn.Identity) else getattr(attention, "reach", None)


def _conv(weight: Float[Tensor, "out_channels in_channels rows columns"], bias: Tensor | None) -> nn.Conv2d:
    rows = weight.shape[2]
    conv = nn.utils.skip_init(  # draws no weights from the generator
        nn.Conv2d,
        weight.shape[1],
        weight.shape[0],
        rows,
        padding=rows // 2,
        bias=bias is not None,
        device=weight.device,
        dtype=weight.dtype,
    )
    with torch.no_grad():
        conv.weight.copy_(weight)
        if bias is not None:
            conv.bias.copy_(bias)
    return conv

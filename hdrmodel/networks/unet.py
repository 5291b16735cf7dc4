"""The seven-level U-Net that all three parts of HDR-AttNet share.

Le, Le, Nguyen and Hua, "Single-Image HDR Reconstruction by Multi-Exposure Generation", WACV 2023, with the attentions
of HDR-AttNet at the places that `hdrmodel.networks.attention` names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from hdrmodel.networks.attention import Attention, Features

LEVELS = 7
STRIDE = 2 ** (LEVELS - 1)  # heights and widths are multiples of this


@dataclass(frozen=True)
class Preset:
    """The activations of a U-Net, as constructors without arguments, and how far its X reaches."""

    encoder: Callable[[], nn.Module]
    decoder: Callable[[], nn.Module]
    reach: float = 0.0  # stops, see `hdrmodel.networks.hdr_attnet.sensor_exposure`; 0: X below 2, as in the papers


def relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def leaky_relu() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)


PRESETS = {
    "attnet": Preset(encoder=relu, decoder=leaky_relu),  # Renk and Ciftci 2025
    "base2023": Preset(encoder=nn.Mish, decoder=nn.Mish),  # the released program of Le et al. 2023
    "light": Preset(encoder=relu, decoder=leaky_relu, reach=6.0),  # this project's: light of 65 times what saturates
}


def find_preset(name: str) -> Preset:
    """Look up activations and reach by name in `PRESETS`; an unknown one raises ValueError with the known ones."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known are {list(PRESETS)}")
    return PRESETS[name]


Width = Annotated[float, Field(gt=0, le=64)]  # multiplies every number of channels


def scale_widths(widths: tuple[int, ...], width: float) -> tuple[int, ...]:
    """Multiply each number of channels by `width`, to the nearest multiple of 4 and at least 4."""
    return tuple(max(4, 4 * round(channels * width / 4)) for channels in widths)


class ConvBlock(nn.Module):
    """Twice a 3x3 convolution without bias, batch normalisation and activation, with the attention at two places."""

    def __init__(self, in_channels: int, out_channels: int, activation: Callable[[], nn.Module], attention: Attention):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            activation(),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            attention.at("before_activation", out_channels),
            activation(),
            attention.at("block", out_channels),
        )

    def forward(self, x: Features) -> Float[Tensor, "batch out_channels height width"]:
        return self.layers(x)

    def sites(self) -> dict[str, nn.Module]:
        """Return the attention of this block's two places."""
        return {"before activation": self.layers[5], "block": self.layers[7]}


class Upsample(nn.Module):
    """Double height and width: a 1x1 convolution to four times the channels, which become 2x2 pixels.

    The convolution starts with the same weights for all four pixels of a square (ICNR: Aitken et al., "Checkerboard
    artifact free sub-pixel convolution", 2017), drawn Kaiming-uniform with a = sqrt 5, so an untrained one repeats
    pixels.
    """

    def __init__(self, channels: int, activation: Callable[[], nn.Module]):
        super().__init__()
        conv = nn.Conv2d(channels, 4 * channels, kernel_size=1, bias=False)
        one_pixel = torch.empty(channels, channels, 1, 1)
        nn.init.kaiming_uniform_(one_pixel, a=5**0.5)
        with torch.no_grad():
            conv.weight.copy_(one_pixel.repeat_interleave(4, dim=0))
        self.layers = nn.Sequential(conv, nn.BatchNorm2d(4 * channels), activation(), nn.PixelShuffle(2))

    def forward(self, x: Features) -> Float[Tensor, "batch channels doubled_height doubled_width"]:
        return self.layers(x)


class UNet(nn.Module):
    """Map an RGB picture to one of the same size, values in (-1, 1).

    Args:
        widths: channels of the seven encoder levels, from full resolution down. A decoder block has the width of the
            encoder level above its own, so that the two halves of each concatenation are equally wide.
        preset: the activations of both halves; its reach is only kept here, for those who make X.
        attention: asked for a module at every place.
        input_to_head: also give the head the three input channels.
    """

    def __init__(self, widths: tuple[int, ...], preset: Preset, attention: Attention, input_to_head: bool):
        super().__init__()
        assert len(widths) == LEVELS, widths
        self.widths = widths
        self.input_to_head = input_to_head
        self.reach = preset.reach
        encoder_inputs = (3, *widths[:-1])
        self.encoder = nn.ModuleList(
            ConvBlock(before, after, preset.encoder, attention)
            for before, after in zip(encoder_inputs, widths, strict=True)
        )
        self.level = nn.ModuleList(
            attention.at(f"level_{level}", channels) for level, channels in enumerate(widths[:-1], start=1)
        )
        self.deepest = attention.at("deepest", widths[-1])
        skips = widths[-2::-1]  # channels of the levels that the decoder visits, from 6 up to 1
        decoder_inputs = (widths[-1], *skips[1:])  # a block's output is as wide as the next level's skip
        decoder_outputs = (*skips[1:], widths[0])
        self.upsample = nn.ModuleList(Upsample(channels, preset.decoder) for channels in decoder_inputs)
        self.skip = nn.ModuleList(attention.at("skip", channels) for channels in skips)
        self.decoder = nn.ModuleList(
            ConvBlock(skip + below, after, preset.decoder, attention)
            for skip, below, after in zip(skips, decoder_inputs, decoder_outputs, strict=True)
        )
        self.head = nn.Conv2d(widths[0] + 3 * input_to_head, 3, kernel_size=1)

    def forward(self, picture: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
        """Compute tanh of the head's output in float32; height and width are multiples of `STRIDE`.

        Under autocast a bfloat16 tanh would round values near 1 to 1/256, the step of the LDR picture itself.
        """
        height, width = picture.shape[-2:]
        assert height % STRIDE == 0 and width % STRIDE == 0, (height, width)
        x, levels = picture, []
        for block, attend in zip(self.encoder[:-1], self.level, strict=True):
            levels.append(attend(block(x)))
            x = F.max_pool2d(levels[-1], 2)  # (batch, channels, height / 2, width / 2)
        x = self.deepest(self.encoder[-1](x))
        for upsample, attend, block in zip(self.upsample, self.skip, self.decoder, strict=True):
            x = block(torch.cat([attend(levels.pop()), upsample(x)], dim=1))  # (batch, channels, 2 height, 2 width)
        if self.input_to_head:
            x = torch.cat([picture, x], dim=1)
        return self.head(x).float().tanh()

    def sites(self) -> dict[str, nn.Module]:
        """Return the attention of each site that has one, in the order of the computation.

        Names such as "encoder level 1 block", "encoder level 7", "skip level 6" and "decoder level 6 before
        activation". Level 1 has the picture's resolution, in the decoder too.
        """
        sites = {}
        for level, (block, attend) in enumerate(zip(self.encoder, [*self.level, self.deepest], strict=True), start=1):
            assert isinstance(block, ConvBlock)
            sites |= {f"encoder level {level} {place}": module for place, module in block.sites().items()}
            sites[f"encoder level {level}"] = attend
        for level, attend, block in zip(range(LEVELS - 1, 0, -1), self.skip, self.decoder, strict=True):
            assert isinstance(block, ConvBlock)
            sites[f"skip level {level}"] = attend
            sites |= {f"decoder level {level} {place}": module for place, module in block.sites().items()}
        return {name: module for name, module in sites.items() if not isinstance(module, nn.Identity)}

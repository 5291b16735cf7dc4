"""The attentions that HDR-AttNet compares, and where in the U-Net each one sits.

Renk and Ciftci, "Single-Image HDR Reconstruction with Attention-Driven Autoencoder", 2025, equations 7 to 11. A sixth
attention is a class and a line in `ATTENTIONS`; the U-Net offers every place to every attention and never asks which
one it holds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "batch channels height width"]
PLACES = ("block", "before_activation", "skip", *(f"level_{level}" for level in range(1, 7)), "deepest")


def hidden_channels(channels: int, reduction: int) -> int:
    """Width of a gate's hidden layer: a share of the channels, but at least 4, so that narrow levels keep a choice."""
    return max(channels // reduction, 4)


class SpatialGate(nn.Module):
    """Weigh each pixel by a gate computed from the mean and the maximum over its channels.

    F * sigmoid(conv3x3([mean_c F; max_c F])), equation 7: 18 weights, no bias.
    """

    reach = 1  # positions beyond its own that a value depends on; an attention without a `reach` looks at all

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Features) -> Features:
        mean, largest = x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
        summary = torch.cat([mean, largest], dim=1)  # (batch, 2, height, width)
        return x * self.conv(summary).sigmoid()


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a gate computed from the means of all channels.

    F * sigmoid(W2 ReLU(W1 mean_hw F)), equations 8 and 10. Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR
    2018. The paper's "channel" and "se" share this formula and differ in their place alone.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = hidden_channels(channels, reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Features) -> Features:
        return x * self.gate(x.mean(dim=(2, 3)))[:, :, None, None]

    def gate(self, means: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch channels"]:
        """The weights of the channels, from the means over a whole picture."""
        return self.excite(F.relu(self.squeeze(means))).sigmoid()


class BottleneckGate(nn.Module):
    """Weigh each value by a gate computed from all channels of its own pixel, through a narrow layer.

    F * sigmoid(conv1x1(ReLU(conv1x1(F)))), equation 9.
    """

    reach = 0

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = hidden_channels(channels, reduction)
        self.narrow = nn.Conv2d(channels, hidden, kernel_size=1)
        self.widen = nn.Conv2d(hidden, channels, kernel_size=1)

    def forward(self, x: Features) -> Features:
        return x * self.widen(F.relu(self.narrow(x))).sigmoid()


class SelfAttention(nn.Module):
    """Add to each pixel a mean over all pixels, weighted by how their keys answer its query.

    F + gain softmax(Q K' / sqrt(d_k)) V, equation 11, with one head, d_k = channels / 8, and a gain that starts at 0
    (Zhang, Goodfellow, Metaxas and Odena, "Self-Attention Generative Adversarial Networks", ICML 2019): an untrained
    one passes its input through. Work grows with the square of the number of pixels, hence its place at the deepest
    level: 64 pixels for a 512x512 picture.

    Up to 32x32 = 1024 pixels this is equation 11 itself: every picture of up to 2048x2048 pixels at the deepest level,
    of up to 1024x1024 at level 6. Of more pixels, the keys and values are averaged over a grid of at most 32x32 cells
    and the queries stay, so that work and memory grow with the number of pixels and not with its square. That is our
    addition; the paper's pictures are never so large.
    """

    KEY_SIDE = 32  # cells of the grid of keys and values, along each side, at most

    def __init__(self, channels: int):
        super().__init__()
        key_channels = max(channels // 8, 1)
        self.query = nn.Conv2d(channels, key_channels, kernel_size=1)
        self.key = nn.Conv2d(channels, key_channels, kernel_size=1)
        self.value = nn.Conv2d(channels, channels, kernel_size=1)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Features) -> Features:
        seen = self._at_most_key_side(x)  # averages commute with 1x1 convolutions: these are means of keys and values
        query, key, value = (  # (batch, pixels or cells, key_channels or channels)
            project(features).flatten(2).transpose(1, 2)
            for project, features in ((self.query, x), (self.key, seen), (self.value, seen))
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        return x + self.gain * mixed.transpose(1, 2).reshape(x.shape)

    def _at_most_key_side(self, x: Features) -> Float[Tensor, "batch channels rows columns"]:
        height, width = x.shape[2:]
        if height * width <= self.KEY_SIDE**2:
            return x
        return F.adaptive_avg_pool2d(x, (min(height, self.KEY_SIDE), min(width, self.KEY_SIDE)))


@dataclass(frozen=True)
class Attention:
    """An attention and the places of the U-Net that it takes.

    Places: "block", after each encoder and decoder block; "before_activation", inside each block between its second
    batch normalisation and activation; "skip", on the encoder's features before they meet the decoder's; "level_1" to
    "level_6", after the encoder block of that level alone, before its features are halved and skipped; "deepest", the
    same at level 7.
    """

    module: Callable[[int], nn.Module]  # from the number of channels; keeps the shape of its input
    places: tuple[str, ...]

    def __post_init__(self):
        if unknown := set(self.places) - set(PLACES):
            raise ValueError(f"no such place in the U-Net: {sorted(unknown)}; known are {list(PLACES)}")

    def at(self, place: str, channels: int) -> nn.Module:
        """Make the module for one site of `place`: with its own weights, or the identity where it takes no part."""
        assert place in PLACES, place
        return self.module(channels) if place in self.places else nn.Identity()


ATTENTIONS = {
    "base": Attention(nn.Identity, places=()),
    "spatial": Attention(SpatialGate, places=("block",)),
    "channel": Attention(SqueezeExcitation, places=("block",)),
    "bottleneck": Attention(BottleneckGate, places=("skip", "deepest")),
    "se": Attention(SqueezeExcitation, places=("before_activation",)),
    "self": Attention(SelfAttention, places=("deepest",)),  # "level_6" is affordable too: 256 pixels of 512x512
}


def find_attention(name: str) -> Attention:
    """Look up an attention by its name in `ATTENTIONS`; an unknown name raises ValueError with the known ones."""
    if name not in ATTENTIONS:
        raise ValueError(f"unknown attention {name!r}; known are {list(ATTENTIONS)}")
    return ATTENTIONS[name]

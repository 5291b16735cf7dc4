"""HDRUNet: a U-Net whose features a second network scales and shifts pixel by pixel.

Chen, Liu, Zhang, Qiao and Dong, "HDRUNet: Single Image HDR Reconstruction with Denoising and Dequantization", CVPR
Workshops (NTIRE) 2021. 1,651,494 parameters at width 1, the paper's 1.651 M.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hdrmodel.networks.attention import Features
from hdrmodel.networks.hdr_attnet import Pictures, pad_by_reflection
from hdrmodel.networks.radiance_network import BRIGHTEST, BaselineConfig, RadianceNetwork, Scalar
from hdrmodel.networks.unet import scale_widths

STRIDE = 4  # two halvings
BLOCKS = (2, 8, 2)  # residual blocks on the way down, at the bottom, on the way up
Condition = Float[Tensor, "batch condition_channels height width"]


class FeatureTransform(nn.Module):
    """Scale and shift features by two small networks of the condition: F (1 + scale(c)) + shift(c).

    Spatial feature transform: Wang, Yu, Dong and Loy, "Recovering Realistic Texture in Image Super-resolution by Deep
    Spatial Feature Transform", CVPR 2018.
    """

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.scale, self.shift = (
            nn.Sequential(nn.Conv2d(condition, condition, 1), _leaky(), nn.Conv2d(condition, channels, 1))
            for _ in range(2)
        )

    def forward(self, x: Features, condition: Condition) -> Features:
        return x * (1 + self.scale(condition)) + self.shift(condition)


class ResidualBlock(nn.Module):
    """Twice a feature transform and a 3x3 convolution, with a ReLU between, added to the input."""

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.transforms = nn.ModuleList(FeatureTransform(channels, condition) for _ in range(2))
        self.convs = nn.ModuleList(_conv(channels, channels) for _ in range(2))

    def forward(self, x: Features, condition: Condition) -> Features:
        inner = self.convs[0](self.transforms[0](x, condition)).relu()
        return x + self.convs[1](self.transforms[1](inner, condition))


class HDRUNet(RadianceNetwork):
    """mask(I) I + unet(I | condition(I)): the weighting network's mask keeps what the input already determines."""

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        n, c = scale_widths((64, 32), config.width)
        self.condition = nn.Sequential(
            _conv(3, n), _leaky(), nn.Conv2d(n, n, 1), _leaky(), nn.Conv2d(n, n, 1), _leaky()
        )
        self.conditions = nn.ModuleList(  # at full, half and quarter resolution
            nn.Sequential(first, _leaky(), last)
            for first, last in (
                (nn.Conv2d(n, n, 1), nn.Conv2d(n, c, 1)),
                (_conv(n, n, stride=2), nn.Conv2d(n, c, 1)),
                (_conv(n, n, stride=2), _conv(n, c, stride=2)),
            )
        )
        self.first = _conv(3, n)
        self.transform_first, self.transform_last = (FeatureTransform(n, c) for _ in range(2))
        self.full_first, self.full_last = (_conv(n, n) for _ in range(2))
        self.down = nn.ModuleList(_conv(n, n, stride=2) for _ in range(2))
        self.blocks = nn.ModuleList(nn.ModuleList(ResidualBlock(n, c) for _ in range(count)) for count in BLOCKS)
        self.up = nn.ModuleList(nn.Sequential(_conv(n, 4 * n), nn.PixelShuffle(2), nn.ReLU()) for _ in range(2))
        self.last = _conv(n, 3)
        self.mask = nn.Sequential(
            _conv(3, n), nn.ReLU(), _conv(n, n), nn.ReLU(), nn.Conv2d(n, n, 1), nn.ReLU(), nn.Conv2d(n, 3, 1)
        )

    def predict(self, ldr: Pictures) -> Pictures:
        """Radiance; it may be negative."""
        height, width = ldr.shape[-2:]
        ldr = pad_by_reflection(ldr, STRIDE)
        condition = self.condition(ldr)
        full, half, quarter = (network(condition) for network in self.conditions)
        skip_full = self.full_first(self.transform_first(self.first(ldr).relu(), full)).relu()
        skip_half = _through(self.blocks[0], self.down[0](skip_full).relu(), half)
        bottom = self.down[1](skip_half).relu()
        x = bottom + _through(self.blocks[1], bottom, quarter)  # (batch, n, height / 4, width / 4)
        x = _through(self.blocks[2], self.up[0](x) + skip_half, half)
        x = self.transform_last(self.up[1](x) + skip_full, full)
        made = self.last(self.full_last(x).relu())
        return (self.mask(ldr) * ldr + made).float()[..., :height, :width]

    def forward(self, ldr: Pictures) -> Pictures:
        return self.predict(ldr).clamp(0.0, BRIGHTEST)


class TanhLoss(nn.Module):
    """mean |tanh(I') - tanh(I)|, equation 2: what is far above saturation does not drown the rest."""

    terms = ("tanh",)

    def forward(self, predicted: Pictures, ldr: Pictures, radiance: Pictures) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss, and itself as its only term."""
        loss = (torch.tanh(predicted) - torch.tanh(radiance)).abs().mean()
        return loss, {"tanh": loss}


def _through(blocks: nn.Module, x: Features, condition: Condition) -> Features:
    for block in blocks.children():
        x = block(x, condition)
    return x


def _conv(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1)


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.1)

"""HDRCNN-style: a VGG-16 encoder, a decoder in the log domain, and the input kept where it is not saturated.

Eilertsen, Kronander, Denes, Mantiuk and Unger, "HDR image reconstruction from a single exposure using deep CNNs",
SIGGRAPH Asia 2017. "Style", because the paper's encoder begins with weights that were trained to recognise places and
ours, without weights that may be shipped, at random, and because the paper's training set and augmentation are not
ours. 29,441,371 parameters at width 1; 14,714,688 of them are the convolutions of VGG-16.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hdrdata.cameras.exposure import WHITE
from hdrmodel.networks.attention import Features
from hdrmodel.networks.hdr_attnet import Pictures, pad_by_reflection
from hdrmodel.networks.radiance_network import BRIGHTEST, BaselineConfig, RadianceNetwork, Scalar
from hdrmodel.networks.unet import scale_widths

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions of each level
STRIDE = 32  # five halvings
EPSILON = 1 / 255  # under each logarithm
THRESHOLD = 0.95  # tau: the value of the largest channel from which the prediction takes over
SIGMA = 2.0  # pixels: the Gaussian that parts illumination from reflectance
BALANCE = 0.5  # lambda: the illumination's share of the loss


def saturation(ldr: Pictures) -> Float[Tensor, "batch 1 height width"]:
    """Return the weight of the prediction at each pixel: alpha = max(0, max_c(D) - tau) / (1 - tau), equation 2.

    In place of the paper's 1 stands the value of a saturated pixel of our stacks, 254 / 255.
    """
    return ((ldr.amax(dim=1, keepdim=True) - THRESHOLD) / (WHITE / 255 - THRESHOLD)).clamp(0.0, 1.0)


class Skip(nn.Module):
    """Join the encoder's features to the decoder's in the log domain: W [h_D; log(h_E^2 + 1/255)] + b, equation 3.

    W begins as the sum of the two.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.join = nn.Conv2d(2 * channels, channels, kernel_size=1)
        with torch.no_grad():
            self.join.weight.copy_(torch.eye(channels).repeat(1, 2)[:, :, None, None])
            nn.init.zeros_(cast(Tensor, self.join.bias))

    def forward(self, decoded: Features, encoded: Features) -> Features:
        return self.join(torch.cat([decoded, (encoded.float().square() + EPSILON).log()], dim=1))


class Upsample(nn.Module):
    """Double height and width: a transposed 4x4 convolution that begins as bilinear, batch normalisation, ReLU."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv = nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(after)
        hat = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(before, after)[:, :, None, None] * torch.outer(hat, hat))

    def forward(self, x: Features) -> Float[Tensor, "batch after doubled_height doubled_width"]:
        return self.norm(self.conv(x)).relu()


class HDRCNN(RadianceNetwork):
    """H = (1 - alpha) D^2 + alpha exp(y), equation 1, for the input D, the predicted log radiance y and `saturation`.

    D^2 is the paper's inverse camera response. Pictures of any size are padded to multiples of 32 by reflection and
    cropped back.
    """

    deepest_norm = STRIDE

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        widths = scale_widths(tuple(channels for channels, _ in VGG16), config.width)
        before = (3, *widths[:-1])
        self.encoder = nn.ModuleList(
            nn.Sequential(*(layer for n in range(count) for layer in _conv(first if n == 0 else channels, channels)))
            for first, channels, (_, count) in zip(before, widths, VGG16, strict=True)
        )
        deepest = widths[-1]
        self.latent = nn.Sequential(
            nn.Conv2d(deepest, deepest, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(deepest), nn.ReLU()
        )
        skips = widths[::-1]  # of the levels that the decoder visits
        self.upsample = nn.ModuleList(
            Upsample(below, channels) for below, channels in zip((deepest, *skips[:-1]), skips, strict=True)
        )
        self.skip = nn.ModuleList(Skip(channels) for channels in skips)
        self.head = nn.Sequential(nn.Conv2d(widths[0], 3, kernel_size=1, bias=False), nn.BatchNorm2d(3))
        self.input_skip = Skip(3)
        for module in self.encoder.modules():
            if isinstance(module, nn.Conv2d):  # without pretrained weights and without normalisation
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, module.bias))

    def predict(self, ldr: Pictures) -> Pictures:
        """y: the natural logarithm of radiance + 1/255."""
        height, width = ldr.shape[-2:]
        ldr = pad_by_reflection(ldr, STRIDE)
        x, levels = ldr, []
        for convs in self.encoder:
            levels.append(convs(x))
            x = F.max_pool2d(levels[-1], 2)  # (batch, channels, height / 2, width / 2)
        x = self.latent(x)  # (batch, 512, height / 32, width / 32)
        for upsample, skip in zip(self.upsample, self.skip, strict=True):
            x = skip(upsample(x), levels.pop())
        return self.input_skip(self.head(x), ldr).float()[..., :height, :width]

    def forward(self, ldr: Pictures) -> Pictures:
        alpha = saturation(ldr)
        return (1.0 - alpha) * ldr.square() + alpha * self.predict(ldr).clamp(max=math.log(BRIGHTEST)).exp()


class HighlightLoss(nn.Module):
    """Compare illumination and reflectance where the input is saturated, equations 5 to 7.

    lambda mean (alpha (L' - L))^2 + (1 - lambda) mean (alpha (R' - R))^2 with the log illumination L, which is the log
    of the mean over the channels blurred by a Gaussian, and the log reflectance R_c, which is the log radiance of each
    channel less L. Radiance counts as H + 1/255.
    """

    terms = ("illumination", "reflectance")

    def forward(self, predicted: Pictures, ldr: Pictures, radiance: Pictures) -> tuple[Scalar, dict[str, Scalar]]:
        """The weighted sum, and each term before its weight."""
        target = (radiance + EPSILON).log()
        alpha = saturation(ldr)
        light, wanted = (blur(log.logsumexp(dim=1, keepdim=True) - math.log(3)) for log in (predicted, target))
        illumination = (alpha * (light - wanted)).square().mean()
        reflectance = (alpha * (predicted - light - target + wanted)).square().mean()
        terms = {"illumination": illumination, "reflectance": reflectance}
        return BALANCE * illumination + (1.0 - BALANCE) * reflectance, terms


def blur(pictures: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Blur by a Gaussian of SIGMA out to three SIGMA; at a border by the part of it that lies inside."""
    radius = math.ceil(3 * SIGMA)
    offsets = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = (-0.5 * (offsets / SIGMA).square()).exp()
    column, row = kernel[None, None, :, None], kernel[None, None, None, :]

    def sums(values: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(values, column, padding=(radius, 0)), row, padding=(0, radius))

    with torch.autocast(pictures.device.type, enabled=False):  # a loss is single precision
        return sums(pictures) / sums(torch.ones_like(pictures[:1]))


def _conv(before: int, after: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, kernel_size=3, padding=1), nn.ReLU()

"""Light U-Net, this project's own: from one photograph to the light of each channel, also where the sensor clipped it.

A plain U-Net (Ronneberger, Fischer and Brox, MICCAI 2015) that learns light itself, in log2, where 1 is what clips.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hdrdata.cameras.exposure import WHITE
from hdrmodel.networks.hdr_attnet import Pictures
from hdrmodel.networks.radiance_network import BaselineConfig, RadianceNetwork

WIDTHS = (32, 64, 96, 128, 160, 160)  # channels of the levels at 1/2, 1/4 ... 1/64 of the picture's side
PATCH = 2  # pixels along a side of what the first level takes as one: half resolution gives the same light
GROUPS = 8  # of the normalisation
MOST_STOPS = 6.0  # above what clips; the loss looks no higher than 4
LEAST_STOPS = -14.0  # below what clips: darker than an 8-bit level tells

Clipped = Bool[Tensor, "batch 3 height width"]
Told = Float[Tensor, " batch"]


class Block(nn.Module):
    """Twice a 3x3 convolution, group normalisation (Wu and He, ECCV 2018) and SiLU."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(GROUPS, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(GROUPS, after)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm1(self.conv1(x)), inplace=True)
        return F.silu(self.norm2(self.conv2(x)), inplace=True)


class LightUNet(RadianceNetwork):
    """log2 of the light of each channel of a photograph; 1 is what clips.

    Seven channels go in: the picture, its clipped values (of each channel apart) and `told`. Told 1, the camera
    response is known, and the picture is the photograph's own light encoded by the curve of sRGB, so that the network
    sees one camera; told 0, the picture is the photograph as it came.

    Patches of 2x2 pixels are the pixels of the first level. Each level has one `Block` on the way down and, but for the
    deepest, one on the way up; mean pooling down, bilinear up, skips joined by concatenation.
    """

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        widths = [max(round(width * config.width / GROUPS), 2) * GROUPS for width in WIDTHS]  # two a group, at least
        inputs = 7 * PATCH**2
        self.down = nn.ModuleList(
            Block(before, after) for before, after in zip([inputs, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            Block(below + skip, skip) for below, skip in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], 3 * PATCH**2, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, -1.0)

    @property
    def stride(self) -> int:
        """Pixels that height and width are filled up to a multiple of."""
        return PATCH * 2 ** (len(self.down) - 1)

    def stops(self, picture: Pictures, clipped: Clipped, told: Told) -> Pictures:
        """log2 of light, where 1 clips: within [0, 6] for clipped values, [-14, 6] for others; any size.

        Args:
            picture: in [0, 1], encoded as `told` says.
            clipped: values that stand for all light above what they can hold.
            told: 1 or 0 for each picture.
        """
        height, width = picture.shape[2:]
        channel = told[:, None, None, None].expand(-1, 1, height, width)
        x = torch.cat([2 * picture - 1, clipped.to(picture.dtype), channel], dim=1)
        more = [-side % self.stride for side in (height, width)]
        if any(more):
            mode = "reflect" if more[0] < height and more[1] < width else "replicate"
            x = F.pad(x, (0, more[1], 0, more[0]), mode=mode)
        x = F.pixel_unshuffle(x, PATCH)
        if self.head.weight.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        skips = []
        for block in self.down[:-1]:
            skips.append(block(x))
            x = F.avg_pool2d(skips[-1], 2)
        x = self.down[-1](x)
        for block in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([skips.pop(), x], dim=1))
        stops = F.pixel_shuffle(self.head(x), PATCH)[..., :height, :width]
        return torch.where(clipped, stops.clamp(0.0, MOST_STOPS), stops.clamp(LEAST_STOPS, MOST_STOPS))

    def predict(self, ldr: Pictures) -> Pictures:
        """`stops` of photographs as they came, in [0, 1]: the camera response is not told."""
        return self.stops(ldr, ldr >= WHITE / 255, ldr.new_zeros(len(ldr)))

    def forward(self, ldr: Pictures) -> Pictures:
        """The radiance of LDR pictures in [0, 1] whose camera response is not told; 1 is what saturates them."""
        return self.predict(ldr).exp2()


class LightLoss(nn.Module):
    """Smooth L1 of stops over clipped values, its logarithm over the picture, and the others where nothing is told.

    h = smooth L1 (beta 1 stop) of predicted and true log2 light, the true one at most 4: light of 16 times what clips.
    C: the clipped values of one sample, of all its values A; U: the others.

        clipped  = sum_C h / |C|
        decibels = log(sum_C h / |A| + 3e-4): but for a factor the PSNR of the sample, which evaluation averages; 3e-4
                   is the error that 8 bits leave
        others   = sum_U h / |U|, light of less than 2^-8 as 2^-8; only of samples whose response is not told

    Each is the mean over the samples that have such values; decibels over all.
    """

    terms = ("clipped", "decibels", "others")

    def __init__(self, decibels: float = 0.25, others: float = 0.5, highest: float = 4.0, lowest: float = -8.0):
        super().__init__()
        self.decibels, self.others, self.highest, self.lowest = decibels, others, highest, lowest

    def forward(
        self, predicted: Pictures, picture: Pictures, clipped: Clipped, told: Told, stops: Pictures
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each term before its weight.

        Args:
            predicted: log2 of light.
            picture: what it was predicted from.
            clipped: values that stand for all light above what they can hold.
            told: 1 where the camera response is known, 0 elsewhere.
            stops: the true log2 of light, 0 being what clips.
        """
        target = torch.where(clipped, stops.clamp(0.0, self.highest), stops.clamp(self.lowest, self.highest))
        distance = F.smooth_l1_loss(predicted.float(), target, reduction="none")
        mask = clipped.float()
        over, count, size = (distance * mask).sum((1, 2, 3)), mask.sum((1, 2, 3)), mask[0].numel()
        clips = (count > 0).float()
        terms = {
            "clipped": (over / count.clamp(min=1)).sum() / clips.sum().clamp(min=1),
            "decibels": (over / size + 3e-4).log().mean(),
            "others": _others(distance, mask, size - count, 1 - told),
        }
        total = terms["clipped"] + self.decibels * terms["decibels"] + self.others * terms["others"]
        return total, terms


def _others(distance: Pictures, mask: Pictures, count: Told, untold: Told) -> Tensor:
    each = (distance * (1 - mask)).sum((1, 2, 3)) / count.clamp(min=1)  # (batch,)
    return (each * untold).sum() / untold.sum().clamp(min=1)


class LightNetwork(nn.Module):
    """One training step's forward pass in one call, as `PhotoNetwork` is for photographs."""

    def __init__(self, network: LightUNet):
        super().__init__()
        self.network = network

    def forward(self, picture: Pictures, clipped: Clipped, told: Told, stops: Pictures) -> Pictures:
        """What the network's loss compares with `stops`."""
        return self.network.stops(picture, clipped, told)

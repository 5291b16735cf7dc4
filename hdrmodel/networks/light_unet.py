"""Light U-Net, a network of this project: predict the light of each channel of a photograph, also where it clipped.

A plain U-Net (Ronneberger, Fischer and Brox, MICCAI 2015) that predicts log2 of light, where 1 is the clipping point.
"""

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hdrdata.cameras.exposure import WHITE
from hdrmodel.networks.hdr_attnet import Pictures
from hdrmodel.networks.radiance_network import BaselineConfig, RadianceNetwork

WIDTHS = (32, 64, 96, 128, 160, 160)  # channels of the levels at 1/2, 1/4 ... 1/64 of the image's side
PATCH = 2  # image pixels along a side of one pixel of the first level: half resolution predicts light equally well
GROUPS = 8  # of the normalisation
MOST_STOPS = 6.0  # above the clipping point; the loss has the same limit
LEAST_STOPS = -14.0  # below the clipping point: darker than an 8-bit level resolves
LEAST_CLIPPED = -0.5  # stops: of a clipped value; a JPEG's white begins a little below the clipping point

Clipped = Bool[Tensor, "batch 3 height width"]
Known = Float[Tensor, " batch"]


def _conv(before: int, after: int) -> nn.Conv2d:
    """A 3x3 convolution without bias; replicated borders leave no frame in the output, as zeros do."""
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="replicate", bias=False)


class Block(nn.Module):
    """Twice a 3x3 convolution, group normalisation (Wu and He, ECCV 2018) and SiLU."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv1 = _conv(before, after)
        self.norm1 = nn.GroupNorm(GROUPS, after)
        self.conv2 = _conv(after, after)
        self.norm2 = nn.GroupNorm(GROUPS, after)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm1(self.conv1(x)), inplace=True)
        return F.silu(self.norm2(self.conv2(x)), inplace=True)


class LightUNet(RadianceNetwork):
    """Predict log2 of the light of each channel of a photograph; 0 is the clipping point.

    The input has seven channels: the image, its clipped mask (each channel on its own), and whether the camera response
    is known. If it is known, the image is the photograph's own light encoded by the sRGB curve, so that the network
    gets images of one camera; otherwise the image is the photograph itself.

    Patches of 2x2 pixels are the pixels of the first level. Each level has one `Block` on the way down and, except the
    deepest, one on the way up; mean pooling down, bilinear up, skips joined by concatenation. The head predicts at the
    first level's resolution, and bilinear interpolation doubles it: an output without a 2x2 grid.
    """

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        widths = [max(round(width * config.width / GROUPS), 2) * GROUPS for width in WIDTHS]  # at least two per group
        inputs = 7 * PATCH**2
        self.down = nn.ModuleList(
            Block(before, after) for before, after in zip([inputs, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            Block(below + skip, skip) for below, skip in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], 3, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(cast(Tensor, self.head.bias), -1.0)
        self.register_load_state_dict_pre_hook(_one_pixel_head)

    @property
    def stride(self) -> int:
        """Height and width are padded to a multiple of this number of pixels."""
        return PATCH * 2 ** (len(self.down) - 1)

    def stops(self, picture: Pictures, clipped: Clipped, response_known: Known) -> Pictures:
        """Predict log2 of light, where 0 is the clipping point; images of any size.

        An image whose values are all clipped contains no colour, so its prediction is one grey value.

        Args:
            picture: in [0, 1], encoded as `response_known` says.
            clipped: values that stand for all light above what they can hold.
            response_known: 1 or 0 for each image.

        Returns:
            stops within [-0.5, 6] for clipped values, [-14, 6] for others.
        """
        stops = self.unlimited_stops(picture, clipped, response_known)
        blank = clipped.flatten(1).all(1)[:, None, None, None]
        stops = torch.where(blank, stops.mean((1, 2, 3), keepdim=True), stops)
        return torch.where(clipped, stops.clamp(LEAST_CLIPPED, MOST_STOPS), stops.clamp(LEAST_STOPS, MOST_STOPS))

    def unlimited_stops(self, picture: Pictures, clipped: Clipped, response_known: Known) -> Pictures:
        """Predict as `stops` does, without limits on the values: what training compares."""
        height, width = picture.shape[2:]
        channel = response_known[:, None, None, None].expand(-1, 1, height, width)
        x = torch.cat([2 * picture - 1, clipped.to(picture.dtype), channel], dim=1)
        more = [-side % self.stride for side in (height, width)]
        if any(more):
            x = F.pad(x, (0, more[1], 0, more[0]), mode="replicate")
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
        stops = F.interpolate(self.head(x), scale_factor=PATCH, mode="bilinear", align_corners=False)
        return stops[..., :height, :width]

    def predict(self, ldr: Pictures) -> Pictures:
        """Predict `stops` of photographs in [0, 1] whose camera response is unknown."""
        return self.stops(ldr, ldr >= WHITE / 255, ldr.new_zeros(len(ldr)))

    def forward(self, ldr: Pictures) -> Pictures:
        """Predict radiance of photographs in [0, 1] whose camera response is unknown; 1 is the clipping point."""
        return self.predict(ldr).exp2()


def _one_pixel_head(_module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    """Average the head of weights of release one, which predicted the four pixels of a patch one by one."""
    for name in ("weight", "bias"):
        tensor = state.get(f"{prefix}head.{name}")
        if tensor is not None and len(tensor) == 3 * PATCH**2:
            state[f"{prefix}head.{name}"] = tensor.unflatten(0, (3, PATCH**2)).mean(1)


class LightLoss(nn.Module):
    """Errors of log2 light: in clipped values, their colour and their slopes; elsewhere if the response is unknown.

    h = smooth L1 (beta 1 stop) of predicted and true log2 light, the true one at most 6 stops above the clipping point.
    C: the clipped values of one sample, of all its values A; U: the others. F: the composed image, the prediction in C
    and the truth in U; e = F - truth.

        clipped  = sum_C h / |C|
        decibels = log(sum_C h / |A| + 3e-4): up to a factor the PSNR of the sample; 3e-4 is the error of 8 bits
        chroma   = smooth L1 (beta 0.25) of e_R - e_G, e_G - e_B and e_B - e_R, mean over pixels with a clipped value
        slope    = smooth L1 (beta 0.1) of e(x + d) - e(x) for d = 1, 2, 4 and 8 pixels, rows and columns, mean over
                   pairs with a clipped value: steps at the border of clipped regions and structure inside them
        others   = sum_U h / |U|, light below 2^-8 as 2^-8; only samples whose response is unknown

    Each is the mean over the samples that have such values; decibels over all.
    """

    terms = ("clipped", "decibels", "chroma", "slope", "others")

    def __init__(
        self,
        decibels: float = 0.25,
        chroma: float = 0.5,
        slope: float = 0.5,
        others: float = 0.5,
        lowest: float = -8.0,
    ):
        super().__init__()
        self.weights = {"decibels": decibels, "chroma": chroma, "slope": slope, "others": others}
        self.lowest = lowest

    def forward(
        self, predicted: Pictures, picture: Pictures, clipped: Clipped, response_known: Known, stops: Pictures
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum, and each term before its weight.

        Args:
            predicted: log2 of light.
            picture: the input of the prediction.
            clipped: values that stand for all light above what they can hold.
            response_known: 1 where the camera response is known, 0 elsewhere.
            stops: the true log2 of light; 0 is the clipping point.
        """
        target = torch.where(clipped, stops.clamp(LEAST_CLIPPED, MOST_STOPS), stops.clamp(self.lowest, MOST_STOPS))
        distance = F.smooth_l1_loss(predicted.float(), target, reduction="none")
        mask = clipped.float()
        over, count, size = (distance * mask).sum((1, 2, 3)), mask.sum((1, 2, 3)), mask[0].numel()
        clips = (count > 0).float()
        error = (predicted.float() - target) * mask
        terms = {
            "clipped": (over / count.clamp(min=1)).sum() / clips.sum().clamp(min=1),
            "decibels": (over / size + 3e-4).log().mean(),
            "chroma": _chroma(error, mask),
            "slope": _slope(error, mask),
            "others": _others(distance, mask, size - count, 1 - response_known),
        }
        total = terms["clipped"] + sum(weight * terms[name] for name, weight in self.weights.items())
        return total, terms


def _chroma(error: Pictures, mask: Pictures) -> Tensor:
    """Mean error of the log ratios of channels over pixels with a clipped value."""
    between = error - error.roll(1, dims=1)
    pixels = mask.amax(1, keepdim=True)  # (batch, 1, height, width)
    cost = F.smooth_l1_loss(between, torch.zeros_like(between), beta=0.25, reduction="none") * pixels
    return (cost.sum((1, 2, 3)) / (3 * pixels.sum((1, 2, 3))).clamp(min=1)).mean()


def _slope(error: Pictures, mask: Pictures) -> Tensor:
    """Mean error of differences of log2 light over pairs of pixels with a clipped value."""
    costs = []
    for distance in (1, 2, 4, 8):
        for dim in (2, 3):
            length = error.shape[dim] - distance
            if length <= 0:
                continue
            step = error.narrow(dim, distance, length) - error.narrow(dim, 0, length)
            pairs = torch.maximum(mask.narrow(dim, distance, length), mask.narrow(dim, 0, length))
            cost = F.smooth_l1_loss(step, torch.zeros_like(step), beta=0.1, reduction="none") * pairs
            costs.append((cost.sum((1, 2, 3)) / pairs.sum((1, 2, 3)).clamp(min=1)).mean())
    return torch.stack(costs).mean() if costs else error.sum() * 0


def _others(distance: Pictures, mask: Pictures, count: Known, unknown: Known) -> Tensor:
    each = (distance * (1 - mask)).sum((1, 2, 3)) / count.clamp(min=1)  # (batch,)
    return (each * unknown).sum() / unknown.sum().clamp(min=1)


class LightNetwork(nn.Module):
    """The forward pass of one training step, as `PhotoNetwork` is for photographs."""

    def __init__(self, network: LightUNet):
        super().__init__()
        self.network = network

    def forward(self, picture: Pictures, clipped: Clipped, response_known: Known, stops: Pictures) -> Pictures:
        """Predict what the loss compares with `stops`."""
        return self.network.unlimited_stops(picture, clipped, response_known)

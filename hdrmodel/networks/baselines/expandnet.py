"""ExpandNet: three branches that see a pixel's neighbourhood, its surroundings and the whole picture.

Marnerides, Bashford-Rogers, Hatchett and Debattista, "ExpandNet: A Deep Convolutional Neural Network for High Dynamic
Range Expansion from Low Dynamic Range Content", Eurographics 2018. 456,899 parameters at width 1.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from hdrmodel.networks.hdr_attnet import Pictures
from hdrmodel.networks.radiance_network import BaselineConfig, RadianceNetwork, Scalar
from hdrmodel.networks.unet import scale_widths

# The radiance that an output of 1 stands for; brighter targets are clipped to it. The paper divides each HDR image by
# its own maximum, which a photograph does not contain. Four stops above the input's saturation hold the light that
# evaluation looks at (1,000 cd/m2 where the median is 20: at most 14 in three of four views of the sample scenes) and
# all but 0.2 % of those views' values, while the unsaturated values keep a sixteenth of the sigmoid's range.
WHITE_RADIANCE = 16.0
GLOBAL_SIDE = 256  # pixels of the input of the global branch


class ExpandNet(RadianceNetwork):
    """Concatenate local, dilated and global features of each pixel and fuse them to radiance; nothing is upsampled.

    SELU after every convolution but the last, a sigmoid after that.
    """

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        n, wide = scale_widths((64, 128), config.width)
        self.local = nn.Sequential(*_conv(3, n, 3, padding=1), *_conv(n, wide, 3, padding=1))
        self.dilation = nn.Sequential(
            *_conv(3, n, 3, padding=2, dilation=2),
            *(layer for _ in range(3) for layer in _conv(n, n, 3, padding=2, dilation=2)),
        )
        self.whole = nn.Sequential(  # 256 pixels to 4, and these to 1
            *_conv(3, n, 3, padding=1, stride=2),
            *(layer for _ in range(5) for layer in _conv(n, n, 3, padding=1, stride=2)),
            *_conv(n, n, 4),
        )
        self.fuse = nn.Sequential(*_conv(wide + 2 * n, n, 1), nn.Conv2d(n, 3, kernel_size=1))

    def predict(self, ldr: Pictures) -> Pictures:
        """Radiance / WHITE_RADIANCE, in (0, 1)."""
        height, width = ldr.shape[-2:]
        small = F.interpolate(ldr, (GLOBAL_SIDE, GLOBAL_SIDE), mode="bilinear", antialias=True)
        whole = self.whole(small).expand(-1, -1, height, width)  # (batch, n, 1, 1) for every pixel
        features = torch.cat([self.local(ldr), self.dilation(ldr), whole], dim=1)  # (batch, wide + 2 n, height, width)
        return self.fuse(features).float().sigmoid()

    def forward(self, ldr: Pictures) -> Pictures:
        return WHITE_RADIANCE * self.predict(ldr)


class ExpandNetLoss(nn.Module):
    """mean |I' - I| + 5 (1 - mean_p cos(I'_p, I_p)), the cosine being between the RGB vectors of each pixel p.

    Sections 3.3 and 4; I is the radiance over WHITE_RADIANCE, clipped to [0, 1]. A black pixel's cosine counts as 0.
    """

    terms = ("absolute", "cosine")

    def forward(self, predicted: Pictures, ldr: Pictures, radiance: Pictures) -> tuple[Scalar, dict[str, Scalar]]:
        """The weighted sum, and each term before its weight."""
        target = (radiance / WHITE_RADIANCE).clamp(max=1.0)
        absolute = (predicted - target).abs().mean()
        cosine = 1.0 - F.cosine_similarity(predicted, target, dim=1).mean()
        return absolute + 5.0 * cosine, {"absolute": absolute, "cosine": cosine}


def _conv(before: int, after: int, kernel: int, **options: Any) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, kernel, **options), nn.SELU(inplace=True)

"""PIQE, which needs no reference."""

import torch
import torch.nn.functional as F

from hdrmodel.metrics.absolute import luminance, mirrored, pu21_encode
from hdrmodel.metrics.display import PerPicture, Pictures, blur, gaussian, require_pictures

PIQE_BLOCK, PIQE_SEGMENT = 16, 6  # pixels
PIQE_ACTIVE, PIQE_FLAT = 0.1, 0.1  # variance of a block that counts; deviation of a segment that shows an artefact
PIQE_CENTRE = (7, 8)  # columns of a block
PIQE_SURROUND = (0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15)


def piqe_pu21(test: Pictures, reference: Pictures | None = None) -> PerPicture:
    """PU21-PIQE of the luminance of absolute linear RGB, without a reference: about 0 to 100, lower is better.

    Venkatanath, Praneeth, Chandrasekhar, Channappayya and Medasani, "Blind image quality evaluation using perception
    based features", NCC 2015. Values are brought to 0..255 by each picture's brightest one, rounded, and normalised
    by mean and deviation in a Gaussian window (7x7, sigma 7/6). Of the blocks of 16x16 pixels those with a variance
    v above 0.1 count; one is distorted by 1 - v where six pixels in a row on its edge deviate by less than 0.1, and
    by v where it looks like noise. PIQE = 100 (1 + sum of distortions) / (1 + blocks that count), so a flat picture
    has 100. Pictures are continued by mirroring to whole blocks.

    This metric agrees best with viewers in Hanji et al.'s study (Spearman 0.83), but does not measure noise: smooth
    shades count as artefacts, so a little noise can lower it; only strong noise on texture raises it.

    Implementations differ. This one is ours, in float64; given the same values it equals the package pypiqe 1.2, a
    translation of MATLAB's piqe that takes one picture at a time and needs another build of OpenCV. As in both, a
    block's surround lacks columns 8 and 10, where the paper means the centre's 8 and 9.

    Args:
        reference: not used, but refused where it does not suit `test`.
    """
    require_pictures(test, test if reference is None else reference, upper=float("inf"))
    encoded = pu21_encode(luminance(test))
    brightest = encoded.amax(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    level = (255.0 * (encoded / brightest)).round()
    for dim in (2, 3):
        level = level.index_select(dim, mirrored(level.shape[dim], PIQE_BLOCK).to(level.device))

    radius = 3
    window = gaussian(radius, sigma=7 / 6)
    framed = F.pad(torch.cat([level, level.square()]), (radius,) * 4, mode="replicate")
    mean, mean_of_square = blur(framed, window).chunk(2)
    normal = (level - mean) / ((mean_of_square - mean.square()).abs().sqrt() + 1.0)
    rows, columns = (side // PIQE_BLOCK for side in normal.shape[2:])
    blocks = normal.reshape(-1, rows, PIQE_BLOCK, columns, PIQE_BLOCK).transpose(2, 3).flatten(1, 2)

    variance = blocks.var(dim=(2, 3))  # (batch, blocks)
    active = variance > PIQE_ACTIVE
    edges = torch.stack([blocks[..., 0, :], blocks[..., -1, :], blocks[..., 0], blocks[..., -1]], dim=2)
    artefact = (edges.unfold(-1, PIQE_SEGMENT, 1).std(dim=-1) < PIQE_FLAT).any(dim=(2, 3))
    deviation = variance.sqrt()
    ratio = blocks[..., list(PIQE_CENTRE)].std(dim=(2, 3)) / blocks[..., list(PIQE_SURROUND)].std(dim=(2, 3))
    ratio = torch.where(ratio.isnan(), 0.0, ratio)
    noisy = deviation > 2 * (deviation - ratio).abs() / torch.maximum(deviation, ratio)
    distortion = active * (artefact * (1 - variance) + noisy * variance)
    return 100.0 * (distortion.sum(dim=1) + 1) / (active.sum(dim=1) + 1)

"""Metrics of light: PU21 and PSNR-mu, and the features VSI and FSIM on it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from hdrmodel.metrics.display import (
    SSIM_K1,
    SSIM_K2,
    SSIM_RADIUS,
    PerPicture,
    Pictures,
    mean_ssim,
    psnr,
    require_pictures,
    require_range,
)

PU21_PEAK = 256.0  # a PU21 value near white on a 100 cd/m^2 display, so that figures compare with LDR figures
DARKEST, BRIGHTEST = 0.005, 10_000.0  # cd/m^2, the range that PU21 was fitted on
MU = 5000.0  # of the mu-law, as in Kalantari and Ramamoorthi 2017
FEATURE_SMALLEST_SIDE = 16  # pixels, of VSI and FSIM
LUMINANCE_WEIGHTS = (0.212656, 0.715158, 0.072186)  # BT.709 with the digits of PU21's authors' program


@dataclass(frozen=True)
class Pu21:
    """Parameters of one fit of PU21, named as in its paper."""

    p1: float
    p2: float
    p3: float
    p4: float
    p5: float
    p6: float
    p7: float


PU21_VARIANTS = {
    "banding": Pu21(1.070275272, 0.4088273932, 0.153224308, 0.2520326168, 1.063512885, 1.14115047, 521.4527484),
    "banding_glare": Pu21(
        0.353487901, 0.3734658629, 8.277049286e-05, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142
    ),
    "peaks": Pu21(1.043882782, 0.6459495343, 0.3194584211, 0.374025247, 1.114783422, 1.095360363, 384.9217577),
    "peaks_glare": Pu21(816.885024, 1479.463946, 0.001253215609, 0.9329636822, 0.06746643971, 1.573435413, 419.6006374),
}


def pu21_encode(luminance: Float[Tensor, "*shape"], variant: str = "banding_glare") -> Float[Tensor, "*shape"]:
    """Encode absolute light in units that are perceptually uniform, about 0 to 600.

    V = max(p7 (((p1 + p2 Y^p4) / (1 + p3 Y^p4))^p5 - p6), 0). Mantiuk and Azimi, "PU21: A novel perceptually uniform
    encoding for adapting existing quality metrics for high dynamic range images and video applications", PCS 2021.

    Args:
        luminance: Y, or linear R, G, B; cd/m^2, >= 0; clamped to [0.005, 10000].
        variant: in `PU21_VARIANTS`; "banding_glare" is the authors' choice.

    Returns:
        V, in float64.
    """
    p = find_pu21(variant)
    require_range("luminance", luminance, 0.0, float("inf"))
    power = _power(luminance.double().clamp(DARKEST, BRIGHTEST), p.p4)
    encoded = p.p7 * (_power((p.p1 + p.p2 * power) / (1 + p.p3 * power), p.p5) - p.p6)
    return encoded.clamp(min=0.0)


def pu21_decode(encoded: Float[Tensor, "*shape"], variant: str = "banding_glare") -> Float[Tensor, "*shape"]:
    """Undo `pu21_encode`: W = max(V/p7 + p6, 0)^(1/p5); Y = (max(W - p1, 0) / (p2 - p3 W))^(1/p4), in cd/m^2, float64.

    Raises:
        ValueError: if a value is below 0 or above the value of 10000 cd/m^2, or the variant is unknown.
    """
    p = find_pu21(variant)
    largest = pu21_encode(torch.tensor(BRIGHTEST, dtype=torch.float64), variant).item()
    require_range("PU21 value", encoded, 0.0, largest * (1 + 1e-6))  # float32 may have rounded it up
    base = (encoded.double() / p.p7 + p.p6).clamp(min=0.0) ** (1 / p.p5)
    return ((base - p.p1).clamp(min=0.0) / (p.p2 - p.p3 * base)) ** (1 / p.p4)


def find_pu21(variant: str) -> Pu21:
    """Look up a fit of PU21 by its name in `PU21_VARIANTS`; an unknown name raises ValueError with the known ones."""
    if variant not in PU21_VARIANTS:
        raise ValueError(f"unknown PU21 variant {variant!r}; known are {list(PU21_VARIANTS)}")
    return PU21_VARIANTS[variant]


def psnr_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-PSNR in dB on R, G and B: 10 log10(256^2 / mean_rgb (U(test) - U(reference))^2), absolute linear RGB.

    The peak is 256, as in the authors' program; dividing by U(1000) with a peak of 1 would read 4.30 dB more.
    """
    require_pictures(test, reference, upper=float("inf"))
    return psnr(pu21_encode(test), pu21_encode(reference), PU21_PEAK)


def psnr_pu21_luminance(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-PSNR in dB, peak 256, on the luminance of absolute linear RGB."""
    require_pictures(test, reference, upper=float("inf"))
    return psnr(pu21_encode(luminance(test)), pu21_encode(luminance(reference)), PU21_PEAK)


def ssim_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-SSIM on the luminance of absolute linear RGB: Gaussian 11x11, sigma 1.5, C1 = (0.01 256)^2, C2 = (0.03
    256)^2.

    Its mean runs over the full map, the border made by replication, as in the authors' program. It follows viewers
    poorly (Spearman below 0.5, Hanji et al., SIGGRAPH 2022). In float64.
    """
    require_pictures(test, reference, upper=float("inf"))
    x, y = (
        F.pad(pu21_encode(luminance(pictures)), (SSIM_RADIUS,) * 4, mode="replicate") for pictures in (test, reference)
    )
    return mean_ssim(x, y, (SSIM_K1 * PU21_PEAK) ** 2, (SSIM_K2 * PU21_PEAK) ** 2)


def psnr_mu(test: Pictures, reference: Pictures, peak_nits: float) -> PerPicture:
    """PSNR-mu in dB: -10 log10 mean_rgb (T(test) - T(reference))^2, T(H) = log(1 + mu H) / log(1 + mu), mu = 5000.

    H is light as a share of the peak, clipped to [0, 1]. Kalantari and Ramamoorthi, "Deep High Dynamic Range Imaging
    of Dynamic Scenes", SIGGRAPH 2017. The measure aligns nothing and its value depends on where the peak lies, so
    numbers of two data sets cannot be compared. (The form of the NTIRE challenges is another: it first divides by the
    99th percentile of the reference and takes tanh.)

    Args:
        peak_nits: the light that counts as 1, cd/m^2.
    """
    if not (math.isfinite(peak_nits) and peak_nits > 0):
        raise ValueError(f"the peak must be positive and finite, got {peak_nits} cd/m^2")
    require_pictures(test, reference, upper=float("inf"))
    compressed = [
        torch.log1p(MU * (pictures.double() / peak_nits).clamp(max=1.0)) / math.log1p(MU)
        for pictures in (test, reference)
    ]
    return psnr(*compressed, peak=1.0)


def vsi_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-VSI: visual-saliency-induced index of the PU21 values of R, G and B; 1 for equal pictures, higher is nearer.

    Zhang, Shen and Li, "VSI: A Visual Saliency-Induced Index for Perceptual Image Quality Assessment", TIP 2014. By
    piq, in float64, on PU21 values as they are (see `_unscaled`); equals the authors' program to 5e-5. By its
    definition saliency is found at 256x256 and similarity compared after averaging blocks of n x n pixels, n = the
    shorter side / 256, rounded: pictures of 384 pixels and more are halved, of 641 and more taken by thirds. Needs 16
    pixels a side.
    """
    import piq  # which imports torchvision, in seconds

    return _unscaled(piq.vsi, "VSI", test, reference)


def fsim_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-FSIM: feature similarity of the PU21 values of R, G and B; 1 for equal pictures, higher is nearer.

    Zhang, Zhang, Mou and Zhang, "FSIM: A Feature Similarity Index for Image Quality Assessment", TIP 2011: FSIM, which
    reduces R, G and B to one channel of brightness, not FSIMc. By piq, in float64, on PU21 values as they are (see
    `_unscaled`); equals the authors' program to 5e-7, which float32 does not. By its definition blocks of n x n
    pixels are averaged first, n = the shorter side / 256, rounded: pictures of 384 pixels and more are halved, of 641
    and more taken by thirds. Needs 16 pixels a side.
    """
    import piq

    return _unscaled(partial(piq.fsim, chromatic=False), "FSIM", test, reference)


def luminance(pictures: Tensor) -> Tensor:
    weights = torch.tensor(LUMINANCE_WEIGHTS, dtype=torch.float64, device=pictures.device)[:, None, None]
    return (pictures.double() * weights).sum(dim=1, keepdim=True)  # (batch, 1, height, width)


def _power(positive: Tensor, exponent: float) -> Tensor:
    """Return the power to 14 digits, in half the time of ** on a CPU."""
    return (positive.log() * exponent).exp()


def mirrored(length: int, multiple: int) -> Tensor:
    """Indices that continue `length` samples by mirroring (the last one twice) to a multiple."""
    place = torch.arange(-(-length // multiple) * multiple) % (2 * length)
    return torch.where(place < length, place, 2 * length - 1 - place)


def _unscaled(metric: Callable, name: str, test: Tensor, reference: Tensor) -> Tensor:
    """A metric of piq on the PU21 values of R, G and B without the rescaling that it would do.

    piq multiplies by 255 / data_range and refuses values above the data range; the authors' programs take PU21 values
    as they are, up to 595, beside constants that were made for 255. A data range of -255 of negated values leaves
    them as they are, and piq checks no values where a range ends below its beginning.
    """
    require_pictures(test, reference, upper=float("inf"))
    if min(test.shape[2:]) < FEATURE_SMALLEST_SIDE:
        raise ValueError(f"{name} needs {FEATURE_SMALLEST_SIDE} pixels a side, got {tuple(test.shape)}")
    return metric(-pu21_encode(test), -pu21_encode(reference), data_range=-255.0, reduction="none")

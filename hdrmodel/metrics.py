"""How near a picture comes to its reference: PSNR, SSIM, LPIPS on display-referred values, PU21 on absolute light.

All return one value a picture; means are the caller's. All refuse pictures of different shapes, NaN and values out of
range with a ValueError that names the value. Display-referred pictures are LDR or already tone-mapped ones, in [0,
1]; absolute ones are linear RGB (BT.709) in cd/m^2.
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import lpips
import piq
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hdrmodel.trunks import find_torchvision_file, pick, read_state_dict

Pictures = Float[Tensor, "batch 3 height width"]
PerPicture = Float[Tensor, " batch"]

PU21_PEAK = 256.0  # a PU21 value near that of white on a 100 cd/m^2 display, so that figures compare with those of LDR
DARKEST, BRIGHTEST = 0.005, 10_000.0  # cd/m^2, the range that PU21 was fitted on
SSIM_RADIUS = 5  # of the 11x11 window
LUMINANCE_WEIGHTS = (0.212656, 0.715158, 0.072186)  # BT.709


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


def psnr_ldr(test: Pictures, reference: Pictures) -> PerPicture:
    """Peak signal-to-noise ratio of display-referred pictures in dB: -10 log10 mean_rgb (test - reference)^2, peak 1.

    Equal pictures have inf. The mean of the pictures' PSNR is not the PSNR of their mean error: they differ by many dB.
    """
    _require_pictures(test, reference, upper=1.0)
    return _psnr(test.double(), reference.double(), peak=1.0)


def ssim_ldr(test: Pictures, reference: Pictures) -> PerPicture:
    """Structural similarity of display-referred pictures: Gaussian window 11x11, sigma 1.5, mean over R, G and B.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment", TIP 2004: K1 = 0.01, K2 = 0.03, only where the
    window lies within the picture. By piq, whose downsampling of pictures above 256 pixels is switched off; it then
    equals scikit-image's with gaussian_weights and population covariances to 1e-5. In float32: on a CPU float64 takes
    28 times as long (8 pictures of 256 pixels: 3.4 s against 0.12 s). Needs 11 pixels a side.
    """
    _require_pictures(test, reference, upper=1.0)
    if min(test.shape[2:]) < 2 * SSIM_RADIUS + 1:
        raise ValueError(f"SSIM needs {2 * SSIM_RADIUS + 1} pixels a side, got {tuple(test.shape)}")
    return piq.ssim(test.float(), reference.float(), downsample=False, reduction="none")


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
    _require_range("luminance", luminance, 0.0, float("inf"))
    power = luminance.double().clamp(DARKEST, BRIGHTEST) ** p.p4
    encoded = p.p7 * (((p.p1 + p.p2 * power) / (1 + p.p3 * power)) ** p.p5 - p.p6)
    return encoded.clamp(min=0.0)


def pu21_decode(encoded: Float[Tensor, "*shape"], variant: str = "banding_glare") -> Float[Tensor, "*shape"]:
    """Undo `pu21_encode`: W = max(V/p7 + p6, 0)^(1/p5); Y = (max(W - p1, 0) / (p2 - p3 W))^(1/p4), in cd/m^2, float64.

    Raises:
        ValueError: if a value is below 0 or above that of 10000 cd/m^2, or the variant is unknown.
    """
    p = find_pu21(variant)
    largest = pu21_encode(torch.tensor(BRIGHTEST, dtype=torch.float64), variant).item()
    _require_range("PU21 value", encoded, 0.0, largest * (1 + 1e-6))  # float32 may have rounded it up
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
    _require_pictures(test, reference, upper=float("inf"))
    return _psnr(pu21_encode(test), pu21_encode(reference), PU21_PEAK)


def psnr_pu21_luminance(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-PSNR in dB, peak 256, on the luminance of absolute linear RGB."""
    _require_pictures(test, reference, upper=float("inf"))
    return _psnr(pu21_encode(_luminance(test)), pu21_encode(_luminance(reference)), PU21_PEAK)


def ssim_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-SSIM on the luminance of absolute linear RGB: Gaussian 11x11, sigma 1.5, C1 = (0.01 256)^2, C2 = (0.03
    256)^2.

    Its mean runs over the full map, the border made by replication, as in the authors' program. It follows viewers
    poorly (Spearman below 0.5, Hanji et al., SIGGRAPH 2022). piq refuses values above its data range, so that is set
    to 1000 and K1 and K2 so that C1 and C2 remain.
    """
    _require_pictures(test, reference, upper=float("inf"))
    framed = [
        F.pad(pu21_encode(_luminance(pictures)), (SSIM_RADIUS,) * 4, mode="replicate") for pictures in (test, reference)
    ]
    span = 1000.0  # above U(10000) of every variant
    return piq.ssim(
        *framed,
        data_range=span,
        k1=0.01 * PU21_PEAK / span,
        k2=0.03 * PU21_PEAK / span,
        downsample=False,
        reduction="none",
    )


LPIPS_TRUNKS = {"alex": "alexnet", "squeeze": "squeezenet1_1"}  # names in TORCHVISION_FILES
LPIPS_SMALLEST_SIDE = 32  # pixels; AlexNet's last pool has nothing left below 31


class Lpips(nn.Module):
    """Learned perceptual distance of display-referred pictures, version 0.1; 0 for equal pictures, smaller is nearer.

    Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
    CVPR 2018. The package `lpips` carries its linear layers; the trunk is torchvision's, from
    `find_torchvision_file`.

    Args:
        trunk: in `LPIPS_TRUNKS`; papers print "alex".
        path: a state dict with the trunk's `features.` entries, instead of torchvision's file.

    Raises:
        ValueError: if the trunk is unknown, or the file holds another network.
        WeightsMissing: if there is no file.
    """

    def __init__(self, trunk: str = "alex", path: Path | None = None):
        super().__init__()
        if trunk not in LPIPS_TRUNKS:
            raise ValueError(f"unknown LPIPS trunk {trunk!r}; known are {list(LPIPS_TRUNKS)}")
        file = find_torchvision_file(LPIPS_TRUNKS[trunk], path)
        state, self.trunk_sha256 = read_state_dict(file)
        with warnings.catch_warnings():  # lpips calls torchvision's constructors in their old form
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision.models._utils")
            self.distance = lpips.LPIPS(net=trunk, version="0.1", pnet_rand=True, verbose=False)
        names = {key: "features." + key.split(".", 1)[1] for key in self.distance.net.state_dict()}  # "slice2.3.weight"
        try:
            self.distance.net.load_state_dict(pick(state, names, file))  # strict: no random weight is left
        except RuntimeError as error:
            raise ValueError(f"{file} does not hold the weights of {LPIPS_TRUNKS[trunk]}: {error}") from error
        self.eval().requires_grad_(False)

    def forward(self, test: Pictures, reference: Pictures) -> PerPicture:
        """Compare display-referred pictures, [0, 1], in float32."""
        _require_pictures(test, reference, upper=1.0)
        if min(test.shape[2:]) < LPIPS_SMALLEST_SIDE:
            raise ValueError(f"LPIPS needs {LPIPS_SMALLEST_SIDE} pixels a side, got {tuple(test.shape)}")
        return self.distance(test.float(), reference.float(), normalize=True)[:, 0, 0, 0]


def _psnr(test: Tensor, reference: Tensor, peak: float) -> Tensor:
    error = (test - reference).square().mean(dim=(1, 2, 3))  # (batch,)
    return 10.0 * (peak**2 / error).log10()


def _luminance(pictures: Tensor) -> Tensor:
    weights = torch.tensor(LUMINANCE_WEIGHTS, dtype=torch.float64, device=pictures.device)[:, None, None]
    return (pictures.double() * weights).sum(dim=1, keepdim=True)  # (batch, 1, height, width)


def _require_pictures(test: Tensor, reference: Tensor, upper: float) -> None:
    if test.shape != reference.shape or test.ndim != 4 or test.shape[1] != 3 or 0 in test.shape:
        raise ValueError(
            f"pictures must both be (batch, 3, height, width), got {tuple(test.shape)} and {tuple(reference.shape)}"
        )
    _require_range("test picture", test, 0.0, upper)
    _require_range("reference picture", reference, 0.0, upper)


def _require_range(name: str, values: Tensor, lower: float, upper: float) -> None:
    smallest, largest = (value.item() for value in values.aminmax())  # NaN if any value is
    if not (smallest >= lower and largest <= upper and math.isfinite(largest)):
        wrong = values[~(values.isfinite() & (values >= lower) & (values <= upper))]
        raise ValueError(f"a {name} must lie in [{lower}, {upper}] and be finite, got {wrong[0].item()}")

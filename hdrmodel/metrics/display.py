"""How near a picture comes to its reference: PSNR, SSIM, LPIPS on display-referred values, mu-law and PU21 on light.

All return one value a picture; means are the caller's. All refuse pictures of different shapes, NaN and values out of
range with a ValueError that names the value. Display-referred pictures are LDR or already tone-mapped ones, in [0,
1]; absolute ones are linear RGB (BT.709) in cd/m^2.
"""

import math
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lpips
import piq
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hdrmodel.networks.trunks import (
    ShiftTolerantAlexNet,
    find_stlpips_file,
    find_torchvision_file,
    pick,
    read_state_dict,
)

Pictures = Float[Tensor, "batch 3 height width"]
PerPicture = Float[Tensor, " batch"]

PU21_PEAK = 256.0  # a PU21 value near that of white on a 100 cd/m^2 display, so that figures compare with those of LDR
DARKEST, BRIGHTEST = 0.005, 10_000.0  # cd/m^2, the range that PU21 was fitted on
MU = 5000.0  # of the mu-law, as in Kalantari and Ramamoorthi 2017
SSIM_RADIUS, SSIM_SIGMA = 5, 1.5  # of the 11x11 window
SSIM_K1, SSIM_K2 = 0.01, 0.03
FEATURE_SMALLEST_SIDE = 16  # pixels, of VSI and FSIM
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
    require_pictures(test, reference, upper=1.0)
    return _psnr(test.double(), reference.double(), peak=1.0)


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
    return _ssim(test.float(), reference.float(), SSIM_K1**2, SSIM_K2**2)


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
    power = _power(luminance.double().clamp(DARKEST, BRIGHTEST), p.p4)
    encoded = p.p7 * (_power((p.p1 + p.p2 * power) / (1 + p.p3 * power), p.p5) - p.p6)
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
    require_pictures(test, reference, upper=float("inf"))
    return _psnr(pu21_encode(test), pu21_encode(reference), PU21_PEAK)


def psnr_pu21_luminance(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-PSNR in dB, peak 256, on the luminance of absolute linear RGB."""
    require_pictures(test, reference, upper=float("inf"))
    return _psnr(pu21_encode(_luminance(test)), pu21_encode(_luminance(reference)), PU21_PEAK)


def ssim_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-SSIM on the luminance of absolute linear RGB: Gaussian 11x11, sigma 1.5, C1 = (0.01 256)^2, C2 = (0.03
    256)^2.

    Its mean runs over the full map, the border made by replication, as in the authors' program. It follows viewers
    poorly (Spearman below 0.5, Hanji et al., SIGGRAPH 2022). In float64.
    """
    require_pictures(test, reference, upper=float("inf"))
    framed = [
        F.pad(pu21_encode(_luminance(pictures)), (SSIM_RADIUS,) * 4, mode="replicate") for pictures in (test, reference)
    ]
    return _ssim(*framed, (SSIM_K1 * PU21_PEAK) ** 2, (SSIM_K2 * PU21_PEAK) ** 2)


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
    return _psnr(*compressed, peak=1.0)


def vsi_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-VSI: visual-saliency-induced index of the PU21 values of R, G and B; 1 for equal pictures, higher is nearer.

    Zhang, Shen and Li, "VSI: A Visual Saliency-Induced Index for Perceptual Image Quality Assessment", TIP 2014. By
    piq, in float64, on PU21 values as they are (see `_unscaled`); equals the authors' program to 5e-5. By its
    definition saliency is found at 256x256 and similarity compared after averaging blocks of n x n pixels, n = the
    shorter side / 256, rounded: pictures of 384 pixels and more are halved, of 641 and more taken by thirds. Needs 16
    pixels a side.
    """
    return _unscaled(piq.vsi, "VSI", test, reference)


def fsim_pu21(test: Pictures, reference: Pictures) -> PerPicture:
    """PU21-FSIM: feature similarity of the PU21 values of R, G and B; 1 for equal pictures, higher is nearer.

    Zhang, Zhang, Mou and Zhang, "FSIM: A Feature Similarity Index for Image Quality Assessment", TIP 2011: FSIM, which
    reduces R, G and B to one channel of brightness, not FSIMc. By piq, in float64, on PU21 values as they are (see
    `_unscaled`); equals the authors' program to 5e-7, which float32 does not. By its definition blocks of n x n
    pixels are averaged first, n = the shorter side / 256, rounded: pictures of 384 pixels and more are halved, of 641
    and more taken by thirds. Needs 16 pixels a side.
    """
    return _unscaled(partial(piq.fsim, chromatic=False), "FSIM", test, reference)


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

    Of the metrics here it follows viewers best in Hanji et al.'s study (Spearman 0.83), and yet it is no measure of
    noise: smooth shades count as artefacts, so a little noise can lower it; only strong noise on texture raises it.

    Implementations differ. This one is ours, in float64; given the same values it equals the package pypiqe 1.2, a
    translation of MATLAB's piqe that takes one picture at a time and needs another build of OpenCV. As in both, a
    block's surround lacks columns 8 and 10, where the paper means the centre's 8 and 9.

    Args:
        reference: not used, but refused where it does not suit `test`.
    """
    require_pictures(test, test if reference is None else reference, upper=float("inf"))
    encoded = pu21_encode(_luminance(test))
    brightest = encoded.amax(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    level = (255.0 * (encoded / brightest)).round()
    for dim in (2, 3):
        level = level.index_select(dim, _mirrored(level.shape[dim], PIQE_BLOCK).to(level.device))

    radius = 3
    window = _gaussian(radius, sigma=7 / 6)
    framed = F.pad(torch.cat([level, level.square()]), (radius,) * 4, mode="replicate")
    mean, mean_of_square = _blur(framed, window).chunk(2)
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


LPIPS_TRUNKS = {  # name in TORCHVISION_FILES, and how lpips cuts the network up
    "alex": ("alexnet", lpips.pn.alexnet),
    "squeeze": ("squeezenet1_1", lpips.pn.squeezenet),
    "vgg": ("vgg16", lpips.pn.vgg16),
}
LPIPS_SMALLEST_SIDE = 32  # pixels; AlexNet's last pool has nothing left below 31


class FeatureDistance(nn.Module):
    """Distance of two pictures in the features of a network, LPIPS version 0.1: what `Lpips` and `StLpips` share.

    At each place the features of a layer are brought to length 1; their squared differences are weighed by channel,
    averaged over the picture and summed over the layers. The features of the reference are kept until another comes
    in the same thread, so that methods compared with one truth pay for it once.

    Args:
        features: from pictures, brought to the statistics that LPIPS trunks take, to each layer's features.
        heads: of each layer, a 1x1 convolution from its channels to one.
    """

    def __init__(self, name: str, features: nn.Module, heads: nn.ModuleList):
        super().__init__()
        self.name = name
        self.scaling = lpips.ScalingLayer()
        self.features = features
        self.heads = heads
        self._known: dict[int, tuple[Tensor, list[Tensor]]] = {}  # by thread: a reference and its features
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, test: Pictures, reference: Pictures) -> PerPicture:
        """Compare display-referred pictures, [0, 1], in float32."""
        require_pictures(test, reference, upper=1.0)
        if min(test.shape[2:]) < LPIPS_SMALLEST_SIDE:
            raise ValueError(f"{self.name} needs {LPIPS_SMALLEST_SIDE} pixels a side, got {tuple(test.shape)}")
        last, features = self._known.get(threading.get_ident(), (None, []))
        if last is None or last.device != reference.device or not torch.equal(last, reference.float()):
            features = self._normalised(reference.float())
            self._known[threading.get_ident()] = reference.float().clone(), features
        differences = [
            head((mine - known).square()).mean(dim=(2, 3))
            for head, mine, known in zip(self.heads, self._normalised(test.float()), features, strict=True)
        ]
        return sum(differences)[:, 0]

    def _normalised(self, pictures: Tensor) -> list[Tensor]:
        return [lpips.normalize_tensor(layer) for layer in self.features(self.scaling(2 * pictures - 1))]


class Lpips(FeatureDistance):
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
        if trunk not in LPIPS_TRUNKS:
            raise ValueError(f"unknown LPIPS trunk {trunk!r}; known are {list(LPIPS_TRUNKS)}")
        name, build = LPIPS_TRUNKS[trunk]
        file = find_torchvision_file(name, path)
        state, trunk_sha256 = read_state_dict(file)
        with warnings.catch_warnings(), torch.device("meta"):  # nothing is drawn at random to be replaced
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision.models._utils")  # lpips calls
            network = build(pretrained=False)  # torchvision's constructors in their old form
        names = {key: "features." + key.split(".", 1)[1] for key in network.state_dict()}  # "slice2.3.weight"
        try:
            network.load_state_dict(pick(state, names, file), assign=True)  # strict: every weight, and in its shape
        except RuntimeError as error:
            raise ValueError(f"{file} does not hold the weights of {name}: {error}") from error
        linear = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{trunk}.pth"
        super().__init__("LPIPS", network, _load_heads(read_state_dict(linear)[0], network.N_slices, linear))
        self.trunk_sha256 = trunk_sha256


class StLpips(FeatureDistance):
    """Shift-tolerant LPIPS (AlexNet) of display-referred pictures; 0 for equal pictures, smaller is nearer.

    Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022. All weights are those of the package
    stlpips-pytorch, which is not imported (it needs two packages that it does not declare): the network is
    `ShiftTolerantAlexNet`. About seven times the time of LPIPS, because nothing is skipped before a blur.

    Args:
        path: a file of these weights instead of the package's.

    Raises:
        ValueError: if the file holds another network.
        WeightsMissing: if the package is not installed.
    """

    def __init__(self, path: Path | None = None):
        file = find_stlpips_file("alex-stlpips", path)
        state, trunk_sha256 = read_state_dict(file)
        network = ShiftTolerantAlexNet()
        try:
            network.load_state_dict(pick(state, network.NAMES, file))
        except RuntimeError as error:
            raise ValueError(f"{file} does not hold the weights of alex-stlpips: {error}") from error
        super().__init__("ST-LPIPS", network, _load_heads(state, len(network.stages), file))
        self.trunk_sha256 = trunk_sha256


def _load_heads(state: dict[str, Tensor], count: int, path: Path) -> nn.ModuleList:
    """The weights of LPIPS's layers, by channel, out of a file of its package's or of ST-LPIPS's."""
    heads = nn.ModuleList()
    for weight in pick(state, {str(number): f"lin{number}.model.1.weight" for number in range(count)}, path).values():
        head = nn.Conv2d(weight.shape[1], 1, kernel_size=1, bias=False)
        head.load_state_dict({"weight": weight})
        heads.append(head)
    return heads


def require_pictures(test: Tensor, reference: Tensor, upper: float) -> None:
    """Refuse what is no pair of (batch, 3, height, width) with finite values in [0, upper], by a ValueError."""
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


def _psnr(test: Tensor, reference: Tensor, peak: float) -> Tensor:
    error = (test - reference).square().mean(dim=(1, 2, 3))  # (batch,)
    return 10.0 * (peak**2 / error).log10()


def _luminance(pictures: Tensor) -> Tensor:
    weights = torch.tensor(LUMINANCE_WEIGHTS, dtype=torch.float64, device=pictures.device)[:, None, None]
    return (pictures.double() * weights).sum(dim=1, keepdim=True)  # (batch, 1, height, width)


def _ssim(test: Tensor, reference: Tensor, c1: float, c2: float) -> Tensor:
    """SSIM, mean over channels and over the places where the window lies within the picture."""
    window = _gaussian(SSIM_RADIUS, SSIM_SIGMA)
    maps = torch.cat([test, reference, test.square() + reference.square(), test * reference])
    x, y, squares, product = _blur(maps, window).chunk(4)
    both, means = x * y, x.square() + y.square()
    similar = (2 * both + c1) * (2 * (product - both) + c2) / ((means + c1) * (squares - means + c2))
    return similar.mean(dim=(1, 2, 3))


def _power(positive: Tensor, exponent: float) -> Tensor:
    """What ** gives to 14 digits, in half its time on a CPU."""
    return (positive.log() * exponent).exp()


def _gaussian(radius: int, sigma: float) -> list[float]:
    """A Gaussian window of 2 radius + 1 samples, whose sum is 1."""
    window = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    return [weight / sum(window) for weight in window]


def _blur(pictures: Tensor, window: list[float]) -> Tensor:
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


def _mirrored(length: int, multiple: int) -> Tensor:
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

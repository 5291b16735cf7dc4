"""All metrics by name: where each is defined, how it is printed, and how it is made ready to be called.

An evaluation measures four sets: "ldr", the generated exposures; "tonemapped", the merged and tone-mapped picture;
"clipped", light in clipped pixels after a gain; and "hdr", absolute light, once for each alignment of the estimate to
its reference.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hdrmodel.metrics.absolute import MU, fsim_pu21, psnr_mu, psnr_pu21, psnr_pu21_luminance, ssim_pu21, vsi_pu21
from hdrmodel.metrics.alignment import find_alignment
from hdrmodel.metrics.clipped import clipped_errors
from hdrmodel.metrics.display import PerPicture, Pictures, psnr_ldr, ssim_ldr
from hdrmodel.metrics.external import ColorVideoVdp, HdrFlip, ProgramMissing
from hdrmodel.metrics.perceptual import Lpips, LpipsConfig, StLpips
from hdrmodel.metrics.piqe import piqe_pu21
from hdrmodel.networks.trunks import WeightsMissing

SETS = ("ldr", "tonemapped", "clipped", "hdr")
DISPLAYED = ("ldr", "tonemapped")  # values in [0, 1]
SEED_DECIBELS = 0.3  # PSNR differs by as much between two seeds of one variant
VIEWERS_DECIBELS = 3.5  # PU21-PSNR: Hanji et al., "the caveats of quality assessment", SIGGRAPH 2022


@dataclass(frozen=True)
class Metric:
    """Name of a metric, its domain, and how to read its numbers."""

    key: str
    name: str
    sets: tuple[str, ...]  # of SETS: where it is defined
    unit: str  # "dB", "JOD", "stops", "degrees" or ""
    digits: int  # to print behind the point
    higher_is_better: bool | None  # None: signed, the nearer to 0 the better; it has no verdicts
    resolution: float | None  # smaller differences, in the unit, are not meaningful; None: not known
    note: str  # its cost, what it needs or how well it follows viewers; may be empty


_ALL = (
    Metric("psnr", "PSNR", DISPLAYED, "dB", 2, True, SEED_DECIBELS, ""),
    Metric("ssim", "SSIM", DISPLAYED, "", 3, True, None, ""),
    Metric("lpips", "LPIPS", DISPLAYED, "", 3, False, None, "Needs the weights of a network of torchvision's."),
    Metric("stlpips", "ST-LPIPS", DISPLAYED, "", 3, False, None, "Slow: about seven times the time of LPIPS."),
    Metric("psnr_mu", "PSNR-mu", ("hdr",), "dB", 2, True, None, "Its value depends on the peak that it is given."),
    Metric(
        "psnr_pu21", "PU21-PSNR", ("hdr",), "dB", 2, True, VIEWERS_DECIBELS,
        "Follows viewers with a Spearman correlation of 0.62, of 0.79 after CRF correction.",
    ),
    Metric("psnry_pu21", "PU21-PSNRY", ("hdr",), "dB", 2, True, VIEWERS_DECIBELS, "PU21-PSNR on luminance alone."),
    Metric(
        "ssim_pu21", "PU21-SSIM", ("hdr",), "", 3, True, None,
        "Follows viewers poorly: a Spearman correlation below 0.5.",
    ),
    Metric(
        "vsi_pu21", "PU21-VSI", ("hdr",), "", 4, True, None,
        "Follows viewers with a Spearman correlation of 0.78; slow: about 0.1 s a picture of 256 pixels.",
    ),
    Metric("fsim_pu21", "PU21-FSIM", ("hdr",), "", 4, True, None, "Slow: about 0.3 s a picture of 256 pixels."),
    Metric(
        "piqe_pu21", "PU21-PIQE", ("hdr",), "", 1, False, None,
        "Follows viewers with a Spearman correlation of 0.83 without a reference; smooth shades count as artefacts; "
        "implementations differ, this one is hdrmodel's.",
    ),
    Metric("cvvdp", "ColorVideoVDP", ("hdr",), "JOD", 3, True, None, "Needs the extra [cvvdp]."),
    Metric("flip", "HDR-FLIP", ("hdr",), "", 3, False, None, "Slow; needs the extra [flip]."),
    Metric("bias", "bias", ("clipped",), "stops", 2, None, None, "Signed: above 0 is too bright."),
    Metric("error", "error", ("clipped",), "stops", 2, False, None, ""),
    Metric("structure", "structure", ("clipped",), "stops", 2, False, None, "The mean of each region is removed."),
    Metric("step", "border step", ("clipped",), "stops", 2, False, None, "Against the step of the truth."),
    Metric("hue", "hue error", ("clipped",), "degrees", 1, False, None, ""),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}
CLIPPED = tuple(metric.key for metric in _ALL if metric.sets == ("clipped",))
DEFAULT_METRICS: tuple[str, ...] = (
    "psnr", "ssim", "lpips", "psnr_mu", "psnr_pu21", "psnry_pu21", "ssim_pu21", "piqe_pu21", *CLIPPED
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of scores: a metric on a set and, for the set hdr, under an alignment."""

    key: str
    metric: Metric
    set: str
    alignment: str | None


def find_metric(name: str) -> Metric:
    """Look up a metric by its key in `METRICS`; an unknown one raises ValueError with the known ones."""
    if name not in METRICS:
        raise ValueError(f"unknown metric {name!r}; known are {list(METRICS)}")
    return METRICS[name]


def columns_of(metrics: Sequence[str], alignments: Sequence[str]) -> tuple[Column, ...]:
    """The columns of an evaluation: the sets in the order of SETS, hdr alignment by alignment.

    Args:
        metrics: keys of `METRICS`, in the order of the columns.
        alignments: keys of `hdrmodel.metrics.alignment.ALIGNMENTS`, likewise.

    Raises:
        ValueError: naming a metric or an alignment that is unknown or given twice.
    """
    for kind, names in (("metric", metrics), ("alignment", alignments)):
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ValueError(f"the {kind} {name!r} is given twice")
    chosen = [find_metric(name) for name in metrics]
    for name in alignments:
        find_alignment(name)
    places = [(name, None) for name in SETS if name != "hdr"] + [("hdr", alignment) for alignment in alignments]
    return tuple(
        Column(f"{metric.key}_{alignment or place}", metric, place, alignment)
        for place, alignment in places
        for metric in chosen
        if place in metric.sets
    )


@dataclass(frozen=True)
class Measure:
    """A metric that is ready to be called.

    Takes (test, reference), both (batch, 3, height, width): display-referred values in [0, 1] for the sets ldr and
    tonemapped, absolute linear RGB (BT.709) in cd/m^2 for hdr. They are brought to the device; one value a picture
    comes back, in the precision that the metric's authors need. Pictures that the metric cannot take raise ValueError.
    """

    of: Callable[..., Any]
    device: torch.device
    version: str  # what to print beside its numbers; empty if the versions of the packages are enough

    def __call__(self, test: Pictures, reference: Pictures) -> PerPicture:
        return self.of(test.to(self.device), reference.to(self.device))


@dataclass(frozen=True)
class _Needs:
    """Requirements of some metrics."""

    lpips: LpipsConfig
    device: torch.device
    peak_nits: float


Maker = Callable[[_Needs], tuple[Callable[[Tensor, Tensor], Tensor], str]]  # the metric and its version


def _formula(metric: Callable[[Tensor, Tensor], Tensor], version: str = "") -> Maker:
    return lambda needs: (partial(_one_by_one, metric) if needs.device.type == "cpu" else metric, version)


def _one_by_one(metric: Callable[[Tensor, Tensor], Tensor], test: Tensor, reference: Tensor) -> Tensor:
    """Take a batch picture by picture: on a CPU a formula is faster by far where its temporary values fit the cache."""
    if len(test) < 2 or test.shape != reference.shape:
        return metric(test, reference)
    return torch.cat([metric(*pair) for pair in zip(test.split(1), reference.split(1), strict=True)])


def _make_lpips(needs: _Needs) -> tuple[Lpips, str]:
    if needs.lpips.trunk is None:
        raise WeightsMissing("evaluate.lpips.trunk is null")
    file = Path(needs.lpips.trunk_file) if needs.lpips.trunk_file else None
    return Lpips(needs.lpips.trunk, file).to(needs.device), f"{needs.lpips.trunk} 0.1"


def _make_stlpips(needs: _Needs) -> tuple[StLpips, str]:
    return StLpips().to(needs.device), f"alex, stlpips-pytorch {version('stlpips-pytorch')}"


def _make_psnr_mu(needs: _Needs) -> tuple[Callable[[Tensor, Tensor], Tensor], str]:
    metric = partial(psnr_mu, peak_nits=needs.peak_nits)
    return _formula(metric, f"mu {MU:g}, 1 is {needs.peak_nits:g} cd/m^2")(needs)


def _make_cvvdp(needs: _Needs) -> tuple[ColorVideoVdp, str]:
    metric = ColorVideoVdp(needs.peak_nits, needs.device)
    return metric, metric.version


def _make_flip(needs: _Needs) -> tuple[HdrFlip, str]:
    metric = HdrFlip()
    return metric, metric.version


_MAKERS: dict[str, Maker] = {
    "psnr": _formula(psnr_ldr),
    "ssim": _formula(ssim_ldr),
    "lpips": _make_lpips,
    "stlpips": _make_stlpips,
    "psnr_mu": _make_psnr_mu,
    "psnr_pu21": _formula(psnr_pu21, "PU21 banding_glare, peak 256"),
    "psnry_pu21": _formula(psnr_pu21_luminance, "PU21 banding_glare, peak 256"),
    "ssim_pu21": _formula(ssim_pu21, "PU21 banding_glare, range 256"),
    "vsi_pu21": _formula(vsi_pu21, "PU21 banding_glare, not rescaled"),
    "fsim_pu21": _formula(fsim_pu21, "PU21 banding_glare, not rescaled"),
    "piqe_pu21": _formula(piqe_pu21, "PU21 banding_glare, hdrmodel's after Venkatanath et al. 2015"),
    "cvvdp": _make_cvvdp,
    "flip": _make_flip,
}


def load_metrics(
    names: Iterable[str], lpips: LpipsConfig, device: torch.device, peak_nits: float
) -> tuple[dict[str, Measure], dict[str, str]]:
    """Make metrics ready to be called.

    Args:
        names: keys of `METRICS`.
        lpips: which LPIPS, and its trunk's file.
        device: where to compute.
        peak_nits: the largest light, cd/m^2: 1 of PSNR-mu, and the peak of ColorVideoVDP's display.

    Returns:
        The metrics by key, and by key why one is absent and how to get it, in one line.

    Raises:
        ValueError: if a name is unknown, or a file holds other weights than it should.
    """
    needs = _Needs(lpips, device, peak_nits)
    made: dict[str, Measure] = {}
    absent: dict[str, str] = {}
    for name in names:
        find_metric(name)
        if name in CLIPPED:  # `hdrmodel.metrics.clipped` has them all in one call
            made[name] = Measure(clipped_errors, device, "")
            continue
        try:
            metric, described = _MAKERS[name](needs)
        except (WeightsMissing, ProgramMissing) as error:
            absent[name] = str(error)
        else:
            made[name] = Measure(metric, device, described)
    return made, absent

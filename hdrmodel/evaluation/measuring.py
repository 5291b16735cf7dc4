"""The scores of one test picture: every metric of every estimate, in the four sets, batched on the device.

The sets are display-referred pictures of the stack (ldr), tone-mapped radiance maps (tonemapped), light in clipped
pixels (clipped) and absolute light under each alignment (hdr); `PROTOCOL` states how each is computed.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from hdrdata.files.tonemap import tonemap_reinhard
from hdrmodel.evaluation.cases import Case, Estimate
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.metrics.absolute import LUMINANCE_WEIGHTS
from hdrmodel.metrics.alignment import align_crf, align_gain, align_none
from hdrmodel.metrics.clipped import clipped_errors
from hdrmodel.metrics.table import Column
from hdrmodel.networks.devices import choose_device

PIXELS_AT_ONCE = 2**20  # that go through a metric in one call: sixteen pictures of 256x256
PROTOCOL = {
    "ldr": "Each of the other exposures, made from the middle one, against the stack's own: display-referred [0, 1], "
    "peak 1; scores are means over pictures of each picture's value, without those that are equal, of infinite PSNR. "
    "HDR-AttNet generates these exposures without a camera response; of a baseline and "
    "of an LDR input their light is exposed again through the camera response that they were given. Merges, "
    "clipped_best and other programs' files have no such score.",
    "merge": "Debevec and Malik's merge with the known exposures and the camera response; a value of the input that is "
    "not saturated keeps its own light, whatever the network predicts: the result photographed again is the input, "
    "level by level. The oracle merges the true stack.",
    "responses": "network and its step 0 are given the input's camera response. network_srgb takes the input for sRGB, "
    "network_camera assumes the mean response of measured cameras, network_auto estimates the response from the input: "
    "the response is unknown to them, as it is to other programs.",
    "floors": "clipped_constant: the input linearised by its known response, clipped values times {known:g}, the one "
    "factor that is best by PU21-PSNR after a gain on {pictures} pictures of the train part; clipped_constant_srgb: "
    "taken for sRGB, times {srgb:g}. A method is better than doing nothing where it is better than the one with the "
    "same knowledge. clipped_best: the best factor of each picture, by its truth: a bound and no method.",
    "tonemapped": "Both radiance maps brought to one gain, clipped to the light that saturates the stack's shortest "
    "exposure, and tone mapped by OpenCV's Reinhard operator (gamma 2.2, intensity 0, light 0.5, colour 0); "
    "Mertens' fused picture stands as it is.",
    "clipped": "Light in clipped values after the gain, d = log2 of estimate / truth in stops: bias is mean d, error "
    "mean |d|, structure mean |d| without the mean of each connected region, border step mean |d(p) - d(q)| of "
    "neighbours where only p clips; hue error in degrees where chromaticities differ by 0.05 or more, else 0.",
    "hdr": "Absolute linear RGB (BT.709): the reference's median luminance (of its pixels that are not black, if more "
    "than half are) at {median_nits:g} cd/m2, clipped at {peak_nits:g}; PU21 is banding_glare with peak 256.",
    "alignments": "none: in the unit in which 1 saturates the input. gain: one factor, least squares over the samples "
    "that the input does not clip. crf: after the gain, a cubic curve of luminance and a cubic map of chroma, fitted "
    "to the reference over all pixels (Hanji et al., SIGGRAPH 2022).",
}
Metrics = Mapping[str, Callable[[Tensor, Tensor], Tensor]]
Row = dict[str, float | None]


def measure(
    case: Case, estimates: Sequence[Estimate], columns: Sequence[Column], metrics: Metrics, config: EvaluateConfig
) -> tuple[list[Row], list[dict[float, Row]]]:
    """Measure several estimates of one case together.

    Args:
        columns: what to measure.
        metrics: by key, those that can be had; a column of another one stays None.
        config: the absolute scale and the device.

    Returns:
        for each estimate the values of all columns, None where one is not defined, and the LDR metrics by exposure
        value.
    """
    rows: list[Row] = [dict.fromkeys(column.key for column in columns) for _ in estimates]
    by_ev: list[dict[float, Row]] = [{} for _ in estimates]
    device = choose_device(config.device)
    _measure_stacks(case, estimates, [c for c in columns if c.set == "ldr"], metrics, device, rows, by_ev)
    aligned = [_brought_to_gain(case, estimate) for estimate in estimates]
    _measure_tonemapped(case, estimates, aligned, [c for c in columns if c.set == "tonemapped"], metrics, device, rows)
    _measure_clipped(case, aligned, [c for c in columns if c.set == "clipped"], rows)
    _measure_light(case, estimates, aligned, [c for c in columns if c.set == "hdr"], metrics, config, device, rows)
    return rows, by_ev


def _measure_stacks(case, estimates, columns, metrics, device, rows, by_ev) -> None:
    others = [place for place in range(len(case.evs)) if place != case.middle]
    whose = [number for number, estimate in enumerate(estimates) if estimate.stack is not None]
    if not whose:
        return
    truth = case.stack[others].astype(np.float32) / 255
    for column in columns:
        if column.metric.key not in metrics:
            continue
        for number in whose:
            values = _together(metrics[column.metric.key], estimates[number].stack[others], truth, device)
            finite = values[np.isfinite(values)]
            rows[number][column.key] = float(finite.mean()) if finite.size else math.inf
            for place, value in zip(others, values, strict=True):
                by_ev[number].setdefault(case.evs[place], {})[column.metric.key] = float(value)


def _brought_to_gain(case: Case, estimate: Estimate) -> np.ndarray | None:
    """The radiance map at the truth's gain; None if there is none, or the input is clipped everywhere."""
    if estimate.radiance is None or not (estimate.radiance[case.unclipped] > 0).any():
        return None
    return align_gain(estimate.radiance.astype(np.float64), case.radiance.astype(np.float64), case.unclipped)


def _measure_tonemapped(case, estimates, aligned, columns, metrics, device, rows) -> None:
    if not columns:
        return
    brightest = 2.0 ** -min(case.evs)  # what saturates the shortest exposure

    def mapped(radiance: np.ndarray) -> np.ndarray:
        return tonemap_reinhard(np.minimum(radiance, brightest).astype(np.float32))

    pictures = {
        number: estimate.fused if radiance is None else mapped(radiance)
        for number, (estimate, radiance) in enumerate(zip(estimates, aligned, strict=True))
        if radiance is not None or estimate.fused is not None
    }
    if pictures:
        _fill(pictures, mapped(case.radiance), columns, metrics, device, rows)


def _measure_clipped(case, aligned, columns, rows) -> None:
    truth = case.radiance.astype(np.float64)
    for number, radiance in enumerate(aligned):
        if columns and radiance is not None:
            errors = clipped_errors(radiance, truth, case.clipped)
            rows[number] |= {column.key: errors[column.metric.key] for column in columns}


def nits_of(truth: np.ndarray, config: EvaluateConfig) -> float:
    """cd/m2 of light of 1: the truth's median luminance, of its pixels that are not black if more than half are."""
    luminance = truth @ np.array(LUMINANCE_WEIGHTS)
    median = np.median(luminance) or np.median(luminance[luminance > 0] if luminance.any() else 1.0)
    return config.median_nits / float(median)


def _measure_light(case, estimates, aligned, columns, metrics, config, device, rows) -> None:
    truth = case.radiance.astype(np.float64)
    nits = nits_of(truth, config)

    def absolute(radiance: np.ndarray) -> np.ndarray:
        return np.minimum(radiance * nits, config.peak_nits)

    reference = absolute(truth)
    for alignment in dict.fromkeys(column.alignment for column in columns):
        pictures = {}
        for number, (estimate, gained) in enumerate(zip(estimates, aligned, strict=True)):
            if estimate.radiance is None:
                continue
            own = estimate.radiance.astype(np.float64)
            if alignment == "none":
                pictures[number] = absolute(align_none(own, truth, case.unclipped))
            elif alignment == "gain" and gained is not None:
                pictures[number] = absolute(gained)
            elif alignment == "crf":
                start = absolute(own if gained is None else gained)
                pictures[number] = np.minimum(align_crf(start, reference, case.unclipped), config.peak_nits)
        if pictures:
            chosen = [column for column in columns if column.alignment == alignment]
            _fill(pictures, reference, chosen, metrics, device, rows)


def _fill(pictures: dict[int, np.ndarray], truth, columns, metrics: Metrics, device, rows: list[Row]) -> None:
    """Measure one picture an estimate, by its number, against the truth into the rows."""
    made = np.stack(list(pictures.values()))
    truths = np.broadcast_to(truth, made.shape)
    for column in columns:
        if column.metric.key in metrics:
            values = _in_batches(metrics[column.metric.key], made, truths, device)
            for number, value in zip(pictures, values, strict=True):
                rows[number][column.key] = float(value)


def _in_batches(metric: Callable, made: np.ndarray, truths: np.ndarray, device: torch.device) -> np.ndarray:
    """A metric of many pictures, as many at once as the memory should hold."""
    size = max(1, PIXELS_AT_ONCE // (made.shape[1] * made.shape[2]))
    starts = range(0, len(made), size)
    return np.concatenate([_together(metric, made[i : i + size], truths[i : i + size], device) for i in starts])


@torch.no_grad()
def _together(metric: Callable, made: np.ndarray, truths: np.ndarray, device: torch.device) -> np.ndarray:
    """A metric of pictures, (pictures, height, width, 3), in one call."""
    pair = (
        torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).to(device) for pictures in (made, truths)
    )
    return metric(*pair).double().cpu().numpy()

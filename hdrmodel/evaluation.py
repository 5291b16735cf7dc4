"""Measure a trained variant on the stacks of the test part, beside doing nothing and beside the true stack."""

import csv
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from rich.progress import track

from hdrdata.crf import CameraResponse, srgb_crf
from hdrdata.disk import write_bytes, write_json
from hdrdata.exposure import WHITE, expose_view
from hdrdata.files import half_bits, write_png
from hdrdata.merge import linearise, merge_stack
from hdrdata.shard_reader import Shards
from hdrdata.tonemap import to_uint8, tonemap_reinhard
from hdrmodel.alignment import align_gain
from hdrmodel.batches import to_batch
from hdrmodel.config import EvaluateConfig
from hdrmodel.metrics import LUMINANCE_WEIGHTS, Lpips, psnr_ldr, psnr_pu21, ssim_ldr
from hdrmodel.network import HDRAttNet
from hdrmodel.reconstruct import generate_stack, merge_generated
from hdrmodel.trunks import WeightsMissing
from hdrmodel.weights import choose_device, initial_network, load_weights

METRICS = ("psnr_ldr", "ssim_ldr", "lpips_ldr", "psnr_tonemapped", "ssim_tonemapped", "psnr_pu21_gain")
SEEDED = ("network", "step0")  # the methods that depend on the seed
METHODS = (*SEEDED, "input_crf", "input_srgb", "oracle")

PROTOCOL = {
    "ldr": "Each of the other exposures, made from the middle one, against the stack's own: display-referred [0, 1], "
    "peak 1; PSNR, SSIM and LPIPS are means over pictures of each picture's value.",
    "merge": "Debevec and Malik's merge with the known exposures and the known camera response; where the input "
    "is well exposed, its own linearised value stands. The oracle merges the true stack.",
    "tonemapped": "Both radiance maps brought to one gain, clipped to the light that saturates the stack's shortest "
    "exposure, and tone mapped by OpenCV's Reinhard operator (gamma 2.2, intensity 0, light 0.5, colour 0).",
    "hdr": "PU21-PSNR (banding_glare, peak 256, RGB) on absolute light: the reference's median luminance at "
    "{median_nits:g} cd/m2, clipped at {peak_nits:g}; the estimate brought to it by one gain, fitted where the input "
    "is not clipped.",
}


@dataclass(frozen=True)
class Case:
    """One test picture: the stack of a view under one camera response, and the view itself."""

    key: str
    view: str
    scene: str
    crf: CameraResponse
    evs: tuple[float, ...]
    stack: UInt8[np.ndarray, "exposures height width 3"]
    radiance: Float32[np.ndarray, "height width 3"]

    @property
    def middle(self) -> int:
        """The number of the input: the picture at EV 0."""
        return self.evs.index(0.0)

    @property
    def input(self) -> UInt8[np.ndarray, "height width 3"]:
        return self.stack[self.middle]

    @property
    def unclipped(self) -> Bool[np.ndarray, "height width 3"]:
        """Where the input tells the light: neither black nor saturated."""
        return (self.input > 0) & (self.input < 254)


@dataclass(frozen=True)
class Estimate:
    """What a method makes of the input: the LDR stack, and the radiance map (1 is what saturates the input)."""

    stack: Float32[np.ndarray, "exposures height width 3"] | None  # None: the method makes none
    radiance: Float32[np.ndarray, "height width 3"]


def read_cases(shards: Shards, crfs_a_view: int | None = None) -> Iterator[Case]:
    """The stacks of shards in radiance form, by view and camera response.

    Args:
        crfs_a_view: how many camera responses each view comes under, taken in turn; None: all.
    """
    crfs = sorted(shards.crfs)
    count = min(crfs_a_view or len(crfs), len(crfs))
    responses = {name: shards.crf(name) for name in crfs}
    for number in range(len(shards)):
        sample = shards.radiance(number)
        radiance = sample.radiance.astype(np.float32)
        for crf in (crfs[(number * count + place) % len(crfs)] for place in range(count)):
            stack = expose_view(half_bits(sample.radiance), shards.tables[crf])
            yield Case(f"{sample.key}_{crf}", sample.key, sample.scene, responses[crf], shards.evs, stack, radiance)


def estimate_by_network(case: Case, network: HDRAttNet, device: torch.device) -> Estimate:
    """The network's stack from the input, merged."""
    stack = generate_stack(network, to_batch(case.input[None]).to(device), case.evs)
    return Estimate(stack, merge_generated(stack, case.evs, case.crf))


def estimate_by_linearising(case: Case, crf: CameraResponse) -> Estimate:
    """Do nothing: linearise the input with a camera response, and expose that again."""
    radiance = linearise(case.input.astype(np.float32) / 255, crf)
    levels = [np.floor(255 * crf(np.minimum(radiance * 2.0**ev, 1.0))).clip(0, WHITE) for ev in case.evs]
    return Estimate(np.stack(levels).astype(np.float32) / 255, radiance.astype(np.float32))


def estimate_by_oracle(case: Case) -> Estimate:
    """Merge the true stack: the ceiling of every method that generates one."""
    merged = merge_stack(case.stack.astype(np.float32) / 255, np.exp2(case.evs), case.crf)
    return Estimate(None, merged)


def measure(
    case: Case, estimate: Estimate, config: EvaluateConfig, lpips: Lpips | None
) -> tuple[dict, dict[float, float]]:
    """All metrics of one estimate: a row of the table, and the LDR PSNR by exposure value."""
    row: dict[str, float | None] = dict.fromkeys(METRICS)
    by_ev: dict[float, float] = {}
    if estimate.stack is not None:
        others = [place for place in range(len(case.evs)) if place != case.middle]
        made = _batch(estimate.stack[others])
        truth = _batch(case.stack[others].astype(np.float32) / 255)
        psnr = psnr_ldr(made, truth)
        by_ev = {case.evs[place]: float(value) for place, value in zip(others, psnr, strict=True)}
        row["psnr_ldr"] = float(psnr.mean())
        row["ssim_ldr"] = float(ssim_ldr(made, truth).mean())
        if lpips is not None:
            row["lpips_ldr"] = float(lpips(made, truth).mean())
    truth, estimated = case.radiance.astype(np.float64), estimate.radiance.astype(np.float64)
    if not (estimated[case.unclipped] > 0).any():
        return row, by_ev  # an input that is clipped everywhere tells no gain: the metrics of light stay empty
    aligned = align_gain(estimated, truth, case.unclipped)
    brightest = 2.0 ** -min(case.evs)  # what saturates the shortest exposure
    mapped = [_batch(tonemap_reinhard(np.minimum(x, brightest).astype(np.float32))[None]) for x in (aligned, truth)]
    row["psnr_tonemapped"] = float(psnr_ldr(*mapped))
    row["ssim_tonemapped"] = float(ssim_ldr(*mapped))
    nits = config.median_nits / max(float(np.median(truth @ np.array(LUMINANCE_WEIGHTS))), 1e-8)
    absolute = [_batch(np.minimum(x * nits, config.peak_nits)[None]) for x in (aligned, truth)]
    row["psnr_pu21_gain"] = float(psnr_pu21(*absolute))
    return row, by_ev


def evaluate(
    shards: Path, runs: Path, scores: Path, variant: str, seeds: Sequence[int], config: EvaluateConfig
) -> dict:
    """Measure a variant's weights of every seed on the test part and write the scores to the folder `scores`.

    `per_picture.csv` has a row for each picture, method and, where the method depends on it, seed; `metrics.json` the
    means over all seeds, `summary.json` these, each seed's own and how they were measured, and `pictures/` what the
    report shows of the first seed.

    Args:
        runs: has a folder a seed with `weights.safetensors`.
        seeds: what the weights were trained with; each also gives a network before its first step.

    Returns:
        what summary.json holds.

    Raises:
        ValueError: if there is no test part, no weights, the weights are of another variant, or those of two seeds are
            of different networks or data.
    """
    device = choose_device(config.device)
    reader = Shards(shards, "test", "radiance")
    if 0.0 not in reader.evs:
        raise ValueError(f"{shards}: exposures {reader.evs}; evaluation needs EV 0, which is the input")
    networks, kinds = {}, []
    for seed in seeds:
        trained, header = load_weights(runs / str(seed) / "weights.safetensors")
        built = trained.config
        if built.attention != variant:
            raise ValueError(f"{runs / str(seed)}: weights of the variant '{built.attention}'; wanted '{variant}'")
        kinds.append((built, header.get("data", "")))
        if kinds[-1] != kinds[0]:
            raise ValueError(f"{runs / str(seed)}: another network or other data than {runs / str(seeds[0])}")
        untrained = initial_network(variant, built.preset, built.width, seed).eval()
        networks[seed] = {"network": trained.to(device), "step0": untrained.to(device)}
    lpips, lpips_state = load_lpips(config)
    if lpips is not None:
        lpips.to(device)

    rows, by_ev, shown, stacks, seconds = [], {}, {}, 0, 0.0
    count = min(config.crfs_a_view or len(reader.crfs), len(reader.crfs))
    for case in track(read_cases(reader, count), f"evaluate {variant}", total=len(reader) * count):
        stacks += 1
        started = time.perf_counter()
        ours = {seed: estimate_by_network(case, pair["network"], device) for seed, pair in networks.items()}
        seconds += time.perf_counter() - started
        estimates = [
            *(("network", seed, estimate) for seed, estimate in ours.items()),
            *(("step0", seed, estimate_by_network(case, pair["step0"], device)) for seed, pair in networks.items()),
            ("input_crf", None, estimate_by_linearising(case, case.crf)),
            ("input_srgb", None, estimate_by_linearising(case, srgb_crf())),
            ("oracle", None, estimate_by_oracle(case)),
        ]
        about = {"key": case.key, "scene": case.scene, "view": case.view, "crf": case.crf.name}
        clipped = round(1 - float(case.unclipped.mean()), 6)
        for method, seed, estimate in estimates:
            row, steps = measure(case, estimate, config, lpips)
            rows.append({**about, "method": method, "seed": seed, "clipped_share": clipped, **row})
            for ev, value in steps.items():
                by_ev.setdefault(method, {}).setdefault(ev, []).append(value)
        seen = shown.setdefault(case.scene, [])
        if len(seen) < config.pictures_a_scene and case.view not in seen:
            seen.append(case.view)
            write_pictures(scores / "pictures" / case.key, case, ours[seeds[0]])

    write_rows(scores / "per_picture.csv", rows)
    summary = {
        "variant": variant,
        "seeds": list(seeds),
        "stacks": stacks,
        "scenes": len(shown),
        "pictures": stacks * (len(reader.evs) - 1),
        "protocol": {name: text.format(**config.model_dump()) for name, text in PROTOCOL.items()},
        "lpips": lpips_state,
        "scores": {method: _means(row for row in rows if row["method"] == method) for method in METHODS},
        "scores_by_seed": {
            str(seed): {
                method: _means(row for row in rows if (row["method"], row["seed"]) == (method, seed))
                for method in SEEDED
            }
            for seed in seeds
        },
        "psnr_ldr_by_ev": {
            method: {f"{ev:g}": _rounded(np.mean(values)) for ev, values in sorted(steps.items())}
            for method, steps in by_ev.items()
        },
        "seconds_per_stack": round(seconds / (stacks * len(seeds)), 4),
        "data": kinds[0][1],
        "versions": {name: version(name) for name in ("hdr-attnet", "torch", "numpy", "opencv-python-headless", "piq")},
    }
    write_json(scores / "summary.json", summary)
    write_json(scores / "metrics.json", summary["scores"])
    return summary


def load_lpips(config: EvaluateConfig) -> tuple[Lpips | None, str]:
    """LPIPS if its weights can be had, and a line that says which, or why there is none and how to get it."""
    if config.lpips.trunk is None:
        return None, "absent: evaluate.lpips.trunk is null"
    try:
        file = Path(config.lpips.trunk_file) if config.lpips.trunk_file else None
        return Lpips(config.lpips.trunk, file), f"{config.lpips.trunk} 0.1"
    except WeightsMissing as error:
        return None, f"absent: {error}"


def write_rows(path: Path, rows: list[dict]) -> None:
    """Write the scores of every picture and method as CSV, whole or not at all; what was not measured stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _rounded(value) if isinstance(value, float) else value for name, value in row.items()})
    write_bytes(path, text.getvalue().encode())


def write_pictures(folder: Path, case: Case, estimate: Estimate) -> None:
    """Write what the report shows of one case: input, generated and true stack, and both radiance maps, tone mapped."""
    gain = estimate.radiance
    if (gain[case.unclipped] > 0).any():
        gain = align_gain(gain.astype(np.float64), case.radiance.astype(np.float64), case.unclipped)
    brightest = 2.0 ** -min(case.evs)
    write_png(folder / "input.png", case.input)
    write_png(folder / "stack.png", _strip(to_uint8(estimate.stack)))
    write_png(folder / "truth_stack.png", _strip(case.stack))
    for name, radiance in (("network", gain), ("truth", case.radiance)):
        mapped = tonemap_reinhard(np.minimum(radiance, brightest).astype(np.float32))
        write_png(folder / f"{name}.png", to_uint8(mapped))


def _strip(stack: np.ndarray) -> np.ndarray:
    """The pictures of a stack side by side, each at most 128 pixels high."""
    height = min(128, stack.shape[1])
    width = round(stack.shape[2] * height / stack.shape[1])
    return np.concatenate(
        [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in stack], axis=1
    )


def _batch(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def _means(rows: Iterable[dict]) -> dict[str, float | None]:
    values: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for row in rows:
        for metric in METRICS:
            if row[metric] is not None:
                values[metric].append(row[metric])
    return {metric: _rounded(np.mean(known)) if known else None for metric, known in values.items()}


def _rounded(value: float) -> float | None:
    """Six digits; None for the infinite PSNR of equal pictures, which JSON cannot hold."""
    return float(f"{value:.6g}") if np.isfinite(value) else None

"""How much light a network gets back where the sensor clipped, beside doing nothing and beside what a constant does.

    python benchmarks/light.py SHARDS
    python benchmarks/light.py SHARDS --weights run/weights.safetensors --count 50
    python benchmarks/light.py SHARDS --metric cvvdp
    python benchmarks/light.py SHARDS --metric hue  # bias, error, structure, step: light in clipped pixels
    python benchmarks/light.py SHARDS --condition c95

Of any variant: of HDR-AttNet X, of others their radiance. Where the camera response is known, a network that cannot be
told sees the photograph's own light encoded by the curve of sRGB, as it did in training on light.

The views of a part of radiance shards at EV 0, the shards' camera responses in turn; PU21-PSNR of R, G and B in dB or
another metric of light, after a gain (the reference's median luminance at 20 cd/m2, clipped at 1000; least squares over
unclipped values), as `hdrmodel evaluate` measures it. Rows:

    own light           the photograph linearised, its camera response known: clipped values are white
    clipped x 1.25      the same, every clipped value times 1.25
    best constant       times the best of 11 factors for each picture by this metric and its truth: a bound, no method
    network             unclipped values keep their own light, the network predicts the others
    truth in clipped    the ceiling
    as sRGB             own light, times 1.25 and the network, by a camera response that is not the photograph's
    as mean camera      the network, by the mean response of measured cameras
    network, estimated  by the response that the network estimates from the photograph

`--condition` takes the photographs in another way, so the numbers compare with papers (ExpandDiff, 2026): "c95" clips
5 % of the pixels, sRGB, 8 bits; "cp" clips the darkest 5 % to black and the brightest 15 % to white, linear, 8 bits.

and differences of them with 95 % intervals over scenes, and means by the share of clipped values.
"""

import threads  # noqa: F401  # isort: skip

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from rich.progress import track

from hdrdata.cameras.crf import CameraResponse, Levels, gamma_crf, srgb_crf
from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.cameras.measured import mean_crf, others_than
from hdrdata.cameras.merge import keep_levels, look_up_exposure
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import Case
from hdrmodel.metrics.absolute import LUMINANCE_WEIGHTS
from hdrmodel.metrics.alignment import align_gain
from hdrmodel.metrics.clipped import clipped_errors
from hdrmodel.metrics.perceptual import LpipsConfig
from hdrmodel.metrics.table import CLIPPED, METRICS, Measure, load_metrics
from hdrmodel.networks.hdr_attnet import HDRAttNet
from hdrmodel.networks.light_photograph import CLIPS
from hdrmodel.networks.light_unet import LightUNet
from hdrmodel.networks.variants import Network
from hdrmodel.networks.weights import load_weights
from hdrmodel.reconstruction.response import estimate_response, light_of_photograph
from hdrmodel.release.files import WEIGHTS

STRATA = (0.0, 0.01, 0.05, 0.15, 1.0)  # of the share of clipped values
CONSTANTS = np.exp2(np.arange(0, 2.6, 0.25))
MEDIAN_NITS, PEAK_NITS = 20.0, 1000.0
OF_LIGHT = ["psnr_pu21", "psnry_pu21", "vsi_pu21", "cvvdp", *CLIPPED]
DIFFERENCES = (
    ("network", "clipped x 1.25"),
    ("network", "best constant"),
    ("network, estimated", "own light, as sRGB"),
    ("network, as sRGB", "own light, as sRGB"),
)


def light_by(network: Network, ldr: np.ndarray, crf: CameraResponse | Levels) -> np.ndarray:
    """`light_of_photograph` of any network: unclipped values keep their light, the network speaks for the others."""
    if isinstance(network, LightUNet):
        return light_of_photograph(network, ldr, crf)
    known = isinstance(crf, CameraResponse)
    seen = srgb_crf()(np.minimum(look_up_exposure(ldr, crf), 1)).astype(np.float32) if known else ldr
    batch = torch.from_numpy(seen).permute(2, 0, 1)[None]
    with torch.inference_mode():
        made = (network.encode if isinstance(network, HDRAttNet) else network)(batch)[0].permute(1, 2, 0).numpy()
    if not known:
        crf = estimate_response(ldr, ldr >= CLIPS, np.log2(np.maximum(made, 2.0**-14)), crf)
    return keep_levels(ldr, made, crf)


def estimates(network: Network, case: Case) -> dict[str, np.ndarray]:
    """Light by each method."""
    ldr, clipped = case.input.astype(np.float32) / 255, case.clipped
    own, srgb = (np.minimum(look_up_exposure(ldr, crf), 1) for crf in (case.crf, srgb_crf()))
    return {
        "own light": own,
        "clipped x 1.25": np.where(clipped, 1.25, own),
        "network": light_by(network, ldr, case.crf),
        "truth in clipped": np.where(clipped, np.maximum(case.radiance, 1), own),
        "own light, as sRGB": srgb,
        "clipped x 1.25, as sRGB": np.where(clipped, 1.25, srgb),
        "network, as sRGB": light_by(network, ldr, srgb_crf()),
        "network, as mean camera": light_by(network, ldr, mean_crf("camera", others_than(case.crf))),
        "network, estimated": light_by(network, ldr, case.crf.levels),
        **{f"x{factor:g}": np.where(clipped, factor, own) for factor in CONSTANTS},
    }


def measure(case: Case, made: dict[str, np.ndarray], metric: Measure, name: str) -> dict[str, float]:
    """Return the metric after a gain of each method; of the constants the best."""
    truth = case.radiance.astype(np.float64)
    nits = MEDIAN_NITS / float(np.median(truth @ np.array(LUMINANCE_WEIGHTS)))
    aligned = [align_gain(light.astype(np.float64), truth, case.unclipped) for light in made.values()]
    if name in CLIPPED:
        values = {key: clipped_errors(one, truth, case.clipped)[name] for key, one in zip(made, aligned, strict=True)}
        best = min((values.pop(f"x{factor:g}") for factor in CONSTANTS), key=abs)
        return {**values, "best constant": best}
    test = torch.from_numpy(np.minimum(np.stack(aligned) * nits, PEAK_NITS)).permute(0, 3, 1, 2)
    reference = torch.from_numpy(np.minimum(truth * nits, PEAK_NITS)).permute(2, 0, 1)[None].expand_as(test)
    values = dict(zip(made, metric(test, reference).tolist(), strict=True))
    best = max(values.pop(f"x{factor:g}") for factor in CONSTANTS)
    return {**values, "best constant": best}


def photograph_by(condition: str, light: np.ndarray) -> tuple[CameraResponse, np.ndarray, np.ndarray]:
    """Return the camera response of a published test condition, the light where 1 saturates, and the 8-bit levels."""
    brightest = light.max(axis=2)
    if condition == "c95":
        crf, light = srgb_crf(), light / np.percentile(brightest, 95)
        exposure = np.minimum(light, 1)
    else:
        crf, light = gamma_crf("linear", 1.0), light / np.percentile(brightest, 85)
        black = brightest <= np.percentile(brightest, 5)
        exposure = np.where(black[..., None], 0, light).clip(0, 1)
    crf = replace(crf, levels="round255")
    return crf, light.astype(np.float32), np.floor(255 * crf(exposure.astype(np.float64)) + 0.5).astype(np.uint8)


def read_case(shards: Shards, number: int, place: int, condition: str = "shards") -> Case:
    """Return the picture at EV 0 of a view under the camera response whose turn it is, or by a published condition."""
    if condition != "shards":
        sample = shards.radiance(number)
        crf, light, ldr = photograph_by(condition, sample.radiance.astype(np.float32))
        return Case(f"{sample.key}_{condition}", sample.key, sample.scene, crf, (0.0,), ldr[None], light)
    crf = sorted(shards.crfs)[place % len(shards.crfs)]
    sample = shards.radiance(number)
    stack = expose_view(half_bits(sample.radiance), shards.tables[crf][[shards.evs.index(0.0)]])
    light = sample.radiance.astype(np.float32)
    return Case(f"{sample.key}_{crf}", sample.key, sample.scene, shards.crf(crf), (0.0,), stack, light)


def difference(rows: list[dict], one: str, other: str) -> tuple[float, float, float]:
    """The mean over scenes of a difference, and its 95 % interval, scenes drawn again 2,000 times."""
    scenes = sorted({row["scene"] for row in rows})
    means = np.array([np.mean([row[one] - row[other] for row in rows if row["scene"] == name]) for name in scenes])
    draw = np.random.default_rng(0)
    resampled = means[draw.integers(len(means), size=(2000, len(means)))].mean(axis=1)
    return float(means.mean()), *map(float, np.percentile(resampled, [2.5, 97.5]))


def measure_views(
    shards: Path,
    weights: Path,
    name: str = "psnr_pu21",
    part: str = "test",
    count: int | None = None,
    every: int = 60,
    condition: str = "shards",
) -> list[dict]:
    """A row for each view: its scene, the share that clips, and the metric of each method."""
    network, _ = load_weights(weights)
    metric = load_metrics([name], LpipsConfig(trunk=None, trunk_file=None), torch.device("cpu"), PEAK_NITS)[0][name]
    source = Shards(shards, part, "radiance")
    views = [n for n, key in enumerate(source.keys) if "_crop_" in key or int(key[-3:]) % every == 0]
    places = np.unique(np.linspace(0, len(views) - 1, min(count or len(views), len(views))).round().astype(int))
    rows = []
    for place in track(places, "measure"):
        case = read_case(source, views[place], place, condition)
        share = float(case.clipped.mean())
        if name in CLIPPED and share == 0:
            continue  # nothing to measure
        rows.append({"scene": case.scene, "clipped": share, **measure(case, estimates(network, case), metric, name)})
    return rows


def methods_of(rows: list[dict]) -> list[str]:
    return [name for name in rows[0] if name not in ("scene", "clipped")]


def mean_over_scenes(rows: list[dict], method: str) -> float:
    scenes = sorted({row["scene"] for row in rows})
    return float(np.mean([np.mean([row[method] for row in rows if row["scene"] == name]) for name in scenes]))


def summarise_rows(rows: list[dict]) -> dict:
    """Means over scenes, and differences with their intervals."""
    means = {method: mean_over_scenes(rows, method) for method in methods_of(rows)}
    return {"means": means, "differences": {f"{a} - {b}": difference(rows, a, b) for a, b in DIFFERENCES}}


@click.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, help="Default: those of the package.")
@click.option("--metric", "name", type=click.Choice(OF_LIGHT),
              default="psnr_pu21",
              show_default=True)  # fmt: skip
@click.option("--condition", type=click.Choice(["shards", "c95", "cp"]), default="shards", show_default=True)
@click.option("--part", default="test", show_default=True)
@click.option("--count", type=click.IntRange(1), help="Views, spread evenly. Default: all.")
@click.option("--every-degrees", default=60, show_default=True, help="Of a panorama's azimuths those divisible by it.")
def main(
    shards: Path, weights: Path, name: str, condition: str, part: str, count: int | None, every_degrees: int
) -> None:
    """Measure weights of any variant on a part of SHARDS."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows = measure_views(shards, weights, name, part, count, every_degrees, condition)
    scenes = {row["scene"] for row in rows}
    print(f"{len(rows)} views of {len(scenes)} scenes; clipped {np.mean([row['clipped'] for row in rows]):.3f}")
    limits = list(pairwise(STRATA))
    bands = [[row for row in rows if low <= row["clipped"] < high] for low, high in limits]
    heads = [f"{low:.0%}-{high:.0%} ({len(band)})" for (low, high), band in zip(limits, bands, strict=True)]
    title = f"{METRICS[name].name}, {METRICS[name].unit}"
    print(f"{title:30}{'scenes':>8}{'views':>8}{'median':>8}" + "".join(f"{head:>15}" for head in heads))
    for method in methods_of(rows):
        values = [row[method] for row in rows]
        strata = (np.mean([row[method] for row in band]) if band else np.nan for band in bands)
        cells = "".join(f"{value:15.2f}" for value in strata)
        print(f"{method:30}{mean_over_scenes(rows, method):8.2f}{np.mean(values):8.2f}{np.median(values):8.2f}{cells}")
    for one, other in DIFFERENCES:
        print(f"{one} - {other}: " + "{:+.2f} [{:+.2f}, {:+.2f}]".format(*difference(rows, one, other)))
    network, constant = (np.array([row[method] for row in rows]) for method in ("network", "clipped x 1.25"))
    better = np.mean(network > constant if METRICS[name].higher_is_better else np.abs(network) < np.abs(constant))
    print(f"network better than clipped x 1.25 in {better:.0%} of the views")


if __name__ == "__main__":
    main()

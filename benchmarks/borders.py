"""Whether the border of what a photograph clips shows in its light, and where inside its level's step light lies best.

    python benchmarks/borders.py SHARDS
    python benchmarks/borders.py SHARDS --weights run/weights.safetensors

Of views of the test part of radiance shards at EV 0, the shards' camera responses in turn and known:

- the step of log2 light from an unclipped value to a clipped one beside it (of one channel, across and down), of the
  truth, of the photograph's own light and of a network's, which speaks for clipped values alone: a seam would be larger
  steps than the truth has;
- PU21-PSNR after a gain with the truth in clipped values, and unclipped values at the middle of their level's step, at
  its lower end, or where the network that is not told the response puts them inside of it.
"""

import threads  # noqa: F401  # isort: skip

from collections import defaultdict
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from light import MEDIAN_NITS, PEAK_NITS, read_case
from rich.progress import track

from hdrdata.cameras.exposure import level_bounds
from hdrdata.cameras.merge import keep_levels, look_up_exposure
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import Case
from hdrmodel.metrics.alignment import align_gain
from hdrmodel.metrics.light import LUMINANCE_WEIGHTS, psnr_pu21
from hdrmodel.networks.baselines.light_photograph import look_at_photograph
from hdrmodel.networks.baselines.light_unet import LightUNet
from hdrmodel.networks.batches import to_batch
from hdrmodel.networks.weights import load_weights
from hdrmodel.reconstruction.reconstruct import reconstruct
from hdrmodel.release.names import WEIGHTS

EVS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)


def steps_of(light: np.ndarray, clipped: np.ndarray) -> np.ndarray:
    """Stops from each unclipped value up to the clipped ones beside it."""
    stops, found = np.log2(np.maximum(light, 2.0**-14)), []
    for axis in (0, 1):
        rise, changes = np.diff(stops, axis=axis), np.diff(clipped.astype(np.int8), axis=axis)
        found += [rise[changes == 1], -rise[changes == -1]]
    return np.concatenate(found)


def psnr(case: Case, light: np.ndarray) -> float:
    truth = case.radiance.astype(np.float64)
    nits = MEDIAN_NITS / float(np.median(truth @ np.array(LUMINANCE_WEIGHTS)))
    aligned = align_gain(light.astype(np.float64), truth, case.unclipped)
    pair = (torch.from_numpy(np.minimum(x * nits, PEAK_NITS)).permute(2, 0, 1)[None] for x in (aligned, truth))
    return psnr_pu21(*pair).item()


@click.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, help="Default: those of the package.")
@click.option("--count", type=click.IntRange(1), default=48, show_default=True, help="Views, spread evenly.")
def main(shards: Path, weights: Path, count: int) -> None:
    """Measure the borders of clipped areas on the test part of SHARDS."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network, _ = load_weights(weights)
    source = Shards(shards, "test", "radiance")
    places = np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).round().astype(int))
    steps, scores = defaultdict(list), defaultdict(list)
    for turn, place in enumerate(track(places, "measure")):
        case = read_case(source, int(place), turn)
        ldr = case.input.astype(np.float32) / 255
        if not (case.unclipped & (look_up_exposure(ldr, case.crf) > 0)).any():
            continue
        if isinstance(network, LightUNet):
            light = keep_levels(ldr, look_at_photograph(network, ldr, case.crf)[0], case.crf)
            blind = look_at_photograph(network, ldr, case.crf.levels)[0]
        else:
            made = reconstruct(network, to_batch(case.input[None]), EVS, case.crf)
            light, blind = made.radiance, made.merged if made.merged is not None else made.radiance
        own = keep_levels(ldr, np.ones_like(ldr), case.crf)
        for name, one in (("truth", case.radiance), ("own light, white 1", own), ("network", light)):
            steps[name].append(steps_of(one, case.clipped))
        true = np.where(case.clipped, np.maximum(case.radiance, 1), own)
        low, high = (bounds[case.input] for bounds in level_bounds(case.crf))
        inside = {"middle": own, "lower end": low, "network": np.clip(blind, low, high), "truth": case.radiance}
        for name, one in inside.items():
            scores[name].append(psnr(case, np.where(case.unclipped, one, true)))
    print(f"{len(scores['middle'])} views\n{'stops across borders':24}{'mean':>8}{'median':>8}{'95 %':>8}{'over 2':>8}")
    for name, found in steps.items():
        rise = np.concatenate(found)
        over = f"{np.mean(rise > 2):8.1%}"
        print(f"{name:24}{rise.mean():8.2f}{np.median(rise):8.2f}{np.percentile(rise, 95):8.2f}{over}")
    print(f"{'inside the step, dB':24}{'mean':>8}{'median':>8}")
    for name, values in scores.items():
        print(f"{name:24}{np.mean(values):8.2f}{np.median(values):8.2f}")


if __name__ == "__main__":
    main()

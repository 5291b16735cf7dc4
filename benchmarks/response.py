"""How well a network tells an unknown camera response, and what that is worth beside taking it for sRGB.

    python benchmarks/response.py SHARDS --emor emor.txt
    python benchmarks/response.py SHARDS --emor emor.txt --weights run/weights.safetensors

The views of the test part of radiance shards, photographed at EV 0 and rounded to 8 bits by cameras that no network
was trained on: rising mixtures of an EMoR file's basis, whose weights deviate as those of DrTMO's five curves do; and
by the curve of sRGB itself. The error of the inverse response is the root of the mean squared difference over the
levels 1 to 254; PU21-PSNR is after a gain, as `hdrmodel evaluate` measures it. Mean and median; intervals over scenes,
95 %.
"""

import threads  # noqa: F401  # isort: skip

from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from light import difference, read_case
from rich.progress import track

from hdrdata.cameras.crf import CameraResponse, srgb_crf
from hdrdata.cameras.crf_choice import draw_emor_curves
from hdrdata.cameras.crf_files import drtmo_crfs, read_emor
from hdrdata.cameras.exposure import exposure_table, look_up
from hdrdata.cameras.merge import keep_levels
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import Case, Estimate
from hdrmodel.evaluation.floors import clipped_error
from hdrmodel.evaluation.measuring import measure
from hdrmodel.metrics.light import psnr_pu21
from hdrmodel.metrics.table import columns_of
from hdrmodel.networks.baselines.light_photograph import look_at_photograph
from hdrmodel.networks.baselines.light_unet import LightUNet
from hdrmodel.networks.batches import to_batch, to_pictures
from hdrmodel.networks.hdr_attnet import HDRAttNet
from hdrmodel.networks.weights import load_weights
from hdrmodel.profiles.load import load_evaluation
from hdrmodel.reconstruction.reconstruct import response_of
from hdrmodel.release.names import WEIGHTS

WEIGHTS_OF_BASIS = 6  # of EMoR's 25
LEVELS = np.arange(1, 255) / 255
SRGB = replace(srgb_crf(), levels="round255")
CONFIG = load_evaluation(["metrics=[psnr_pu21]", "alignments=[gain]", "device=cpu"])
COLUMNS = columns_of(CONFIG.metrics, CONFIG.alignments)
FACTOR = 1.25  # of clipped values


def unseen_cameras(emor: Path, count: int) -> list[CameraResponse]:
    """Rising curves of an EMoR file that round; the deviations of their weights are those of DrTMO's curves."""
    mean, basis, exposures = read_emor(emor)
    weights = np.array([basis @ (crf(exposures) - mean) for crf in drtmo_crfs().values()])
    spread = weights.std(axis=0)[:WEIGHTS_OF_BASIS]
    return [replace(crf, levels="round255") for crf, _ in draw_emor_curves(emor, spread.tolist(), count, 1).values()]


def light_by(network, ldr: np.ndarray, crf: CameraResponse | str) -> tuple[np.ndarray, CameraResponse]:
    """The light that a network sees, and the response that it is told or estimates."""
    if isinstance(network, LightUNet):
        return look_at_photograph(network, ldr, crf)
    batch = to_batch(np.rint(ldr * 255).astype(np.uint8)[None])
    with torch.inference_mode():
        light = to_pictures((network.encode if isinstance(network, HDRAttNet) else network)(batch))[0]
    return light, response_of(ldr, light, crf)


def measure_view(network, case: Case) -> dict[str, float]:
    ldr = case.input.astype(np.float32) / 255
    lights, errors = {}, {}
    for name, crf in (("known", case.crf), ("as sRGB", SRGB), ("estimated", "round255")):
        light, camera = light_by(network, ldr, crf)
        lights[f"network, {name}"] = keep_levels(ldr, light, camera)
        own = keep_levels(ldr, np.ones_like(ldr), camera)
        lights[f"clipped x {FACTOR}, {name}"] = np.where(case.clipped, np.float32(FACTOR), own)
        errors[f"error, {name}"] = float(np.sqrt(np.mean((camera.inverse(LEVELS) - case.crf.inverse(LEVELS)) ** 2)))
    estimates = [Estimate(None, light.astype(np.float32)) for light in lights.values()]
    rows, _ = measure(case, estimates, COLUMNS, {"psnr_pu21": psnr_pu21}, CONFIG)
    return errors | {name: row["psnr_pu21_gain"] for name, row in zip(lights, rows, strict=True)}


@click.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--emor", type=click.Path(exists=True, path_type=Path), required=True, help="emor.txt of the database.")
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, help="Default: those of the package.")
@click.option("--cameras", default=48, show_default=True)
@click.option("--count", type=click.IntRange(1), default=150, show_default=True, help="Views, spread evenly.")
def main(shards: Path, emor: Path, weights: Path, cameras: int, count: int) -> None:
    """Measure camera responses that weights estimate on the test part of SHARDS."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network, _ = load_weights(weights)
    source = Shards(shards, "test", "radiance")
    places = np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).round().astype(int))
    for kind, unseen in ((f"{cameras} unseen cameras", unseen_cameras(emor, cameras)), ("sRGB", [SRGB])):
        rows = []
        for turn, place in enumerate(track(places, kind)):
            case, camera = read_case(source, int(place), 0), unseen[turn % len(unseen)]
            stack = look_up(case.radiance.astype(np.float16).view(np.uint16), exposure_table(camera, 1.0, "round255"))
            case = replace(case, crf=camera, stack=stack[None])
            if clipped_error(case, camera, CONFIG) is not None:
                rows.append({"scene": case.scene, **measure_view(network, case)})
        print(f"{kind}: {len(rows)} views of {len({row['scene'] for row in rows})} scenes")
        for name in (name for name in rows[0] if name != "scene"):
            values = [row[name] for row in rows]
            digits = 3 if name.startswith("error") else 2
            print(f"{name:32}{np.mean(values):10.{digits}f}{np.median(values):10.{digits}f}")
        for one, other in (("network, estimated", "network, as sRGB"), ("network, estimated", "network, known")):
            print(f"{one} - {other}: " + "{:+.2f} [{:+.2f}, {:+.2f}]".format(*difference(rows, one, other)))


if __name__ == "__main__":
    main()

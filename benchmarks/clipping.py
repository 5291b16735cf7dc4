"""Light of JPEGs by the rule that decides which values are clipped, beside PNG and other rules.

    python benchmarks/clipping.py SHARDS --quality 95 --quality 75 --count 12 --start 7

Views of the test part of radiance shards at EV 0, through sRGB and a measured camera in turn, with the camera response
known. Numbers are PU21-PSNR after a gain in dB, the mean over views. Goals: the rule is at most 0.5 dB below PNG at
quality 95, and 1.5 dB at 75.
"""

import threads  # noqa: F401  # isort: skip

from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
import torch

from hdrdata.cameras.clipping import clip_rule_of_jpeg, clipped_values, fill_clipped, limit_doubtful, rule_for
from hdrdata.cameras.crf import CameraResponse, srgb_crf
from hdrdata.cameras.exposure import exposure_table, look_up
from hdrdata.cameras.measured import MODELS, measured_crf
from hdrdata.cameras.merge import keep_levels
from hdrdata.files.ldr import decode_jpeg
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import Case, Estimate
from hdrmodel.evaluation.config import load_evaluation
from hdrmodel.evaluation.measuring import measure
from hdrmodel.metrics.absolute import psnr_pu21
from hdrmodel.metrics.table import columns_of
from hdrmodel.networks.light_photograph import see_photograph
from hdrmodel.networks.weights import load_weights
from hdrmodel.release.files import WEIGHTS

CONFIG = load_evaluation(["metrics=[psnr_pu21]", "alignments=[gain]", "device=cpu"])
COLUMNS = columns_of(CONFIG.metrics, CONFIG.alignments)
CHROMA = {"4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420}
FROM = 250  # the level of a simple threshold


def light_of(network, ldr: np.ndarray, clipped: np.ndarray, crf: CameraResponse) -> np.ndarray:
    """Return the light of a photograph whose clipped values are known."""
    values = fill_clipped(ldr, clipped).astype(np.float32) / 255
    return keep_levels(values, np.exp2(see_photograph(network, values, crf).stops), crf).astype(np.float32)


def estimates_of(network, png: np.ndarray, crf: CameraResponse, qualities: tuple[int, ...]) -> dict:
    """Return the light of a photograph as PNG, and as JPEGs by each rule."""
    made = {("PNG", ""): light_of(network, png, png == 255, crf)}
    for quality in qualities:
        for chroma, factor in CHROMA.items():
            options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
            jpeg = cv2.imencode(".jpg", np.ascontiguousarray(png[:, :, ::-1]), options)[1]
            ldr = decode_jpeg(jpeg.tobytes())
            rules: dict[str, np.ndarray] = {
                "rule": clipped_values(ldr, rule_for(clip_rule_of_jpeg(jpeg.tobytes()), crf)),
                "--exact": ldr == 255,
                f"from {FROM}": ldr >= FROM,
                "true mask": png == 255,
            }
            for name, clipped in rules.items():
                light = light_of(network, ldr, clipped, crf)
                if name == "rule":
                    limit_doubtful(light, ldr, clipped)
                made[f"{quality}, {chroma}", name] = light
    return made


@click.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--quality", "qualities", type=click.IntRange(1, 100), multiple=True, default=(95, 75, 60))
@click.option("--camera", type=click.Choice(MODELS), default="Canon EOS 5D Mark II", show_default=True)
@click.option("--count", type=click.IntRange(1), default=26, show_default=True, help="Views, spread evenly.")
@click.option("--start", type=click.IntRange(0), default=0, show_default=True,
              help="First view; twice as many are left out at the end.")  # fmt: skip
def main(shards: Path, qualities: tuple[int, ...], camera: str, count: int, start: int) -> None:
    """Measure rules of clipping on the test part of SHARDS."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network, _ = load_weights(WEIGHTS)
    source = Shards(shards, "test", "radiance")
    cameras = {"sRGB": srgb_crf(), camera: measured_crf(camera)}
    rows: dict[str, list[dict]] = {name: [] for name in cameras}
    places = np.unique(np.linspace(start, len(source) - max(2 * start, 1), min(count, len(source))).astype(int))
    for turn, place in enumerate(places):
        view, name = source.radiance(int(place)), list(cameras)[turn % len(cameras)]
        crf = replace(cameras[name], levels="round255")
        png = look_up(view.radiance.view(np.uint16), exposure_table(crf, 1.0, "round255"))
        made = estimates_of(network, png, crf, qualities)
        case = Case(view.key, view.key, view.scene, crf, (0.0,), png[None], view.radiance.astype(np.float32))
        found, _ = measure(
            case, [Estimate(None, light) for light in made.values()], COLUMNS, {"psnr_pu21": psnr_pu21}, CONFIG
        )
        rows[name].append({key: row["psnr_pu21_gain"] for key, row in zip(made, found, strict=True)})
    for name, some in rows.items():
        if not some:
            continue
        means = {key: float(np.mean([scores[key] for scores in some])) for key in some[0]}
        print(f"\n{name}, {len(some)} views; PNG {means.pop(('PNG', '')):.2f}\n\n| quality, chroma | ", end="")
        rules = list(dict.fromkeys(rule for _, rule in means))
        print(f"{' | '.join(rules)} |\n|{'---|' * (len(rules) + 1)}")
        for kind in dict.fromkeys(kind for kind, _ in means):
            print(f"| {kind} | {' | '.join(f'{means[kind, rule]:.2f}' for rule in rules)} |")


if __name__ == "__main__":
    main()

"""Light of photographs by camera responses that no estimate has seen: sRGB, mean curves, and estimates.

    python benchmarks/responses.py SHARDS --scenes scenes.json --half 1
    python benchmarks/responses.py SHARDS --hold-out "Sony ILCE-6000" --hold-out "Olympus XZ-1" \\
        --hold-out "Canon EOS 5D Mark II" --hold-out "Samsung SM-A528B"

Views of the test part of radiance shards at EV 0, as JPEGs of quality 90 to 95 by sRGB and by measured models. Without
`--hold-out`, each view is photographed by all fourteen models, and mean curves and candidates contain the thirteen
others; the training of the weights may have drawn from all. With it, by one of the held-out models in turn, and neither
curves nor candidates contain any of them. Numbers are PU21-PSNR after a gain in dB, means over views, then over models;
views of one scene are not independent. A half is every second location group of the list of scenes.
"""

import threads  # noqa: F401  # isort: skip

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
import torch

from hdrdata.cameras.crf import CameraResponse, srgb_crf
from hdrdata.cameras.curves.file_kinds import ANY_CAMERA, UNKNOWN_DEVICE, Device, FileKind
from hdrdata.cameras.exposure import exposure_table, look_up
from hdrdata.cameras.measured import MODELS, PHONES, fit_distribution, mean_crf, measured_crf, response_of_stops
from hdrdata.cameras.merge import keep_levels
from hdrdata.scenes.scene import read_scenes
from hdrdata.stream.shard_reader import RadianceSample, Shards
from hdrmodel.evaluation.cases import Case, Estimate
from hdrmodel.evaluation.config import load_evaluation
from hdrmodel.evaluation.measuring import measure
from hdrmodel.metrics.absolute import psnr_pu21
from hdrmodel.metrics.table import columns_of
from hdrmodel.networks.light_photograph import see_photograph
from hdrmodel.networks.weights import load_weights
from hdrmodel.reconstruction.posterior import Evidence
from hdrmodel.reconstruction.response import estimate_shared
from hdrmodel.release.files import WEIGHTS

CONFIG = load_evaluation(["metrics=[psnr_pu21]", "alignments=[gain]", "device=cpu"])
COLUMNS = columns_of(CONFIG.metrics, CONFIG.alignments)


def rounded(response: CameraResponse) -> CameraResponse:
    return replace(response, levels="round255")


def lights_of(network, ldr: np.ndarray, kind: FileKind, own: CameraResponse, models: tuple[str, ...]) -> dict:
    """Return the light of a photograph by each response; held-out models are no candidates of an estimate."""
    known = {"sRGB": rounded(srgb_crf()), "own": own}
    known |= {name: rounded(mean_crf(name, models)) for name in ("camera", "phone")}
    known["mean of all"] = rounded(response_of_stops("mean", fit_distribution(models).mean))
    stops = {name: see_photograph(network, ldr, crf).stops for name, crf in known.items()}
    made = {name: keep_levels(ldr, np.exp2(stops[name]), crf) for name, crf in known.items()}
    sight = see_photograph(network, ldr, None)
    evidence = Evidence.of(sight.picture, sight.clipped, sight.stops)
    for name, device in (("auto, no EXIF", UNKNOWN_DEVICE), ("auto, other", ANY_CAMERA), ("auto, EXIF", Device(kind))):
        crf = estimate_shared([evidence], "round255", device, models)
        is_srgb = crf.name == "srgb" or device.kind == "rendering"
        made[name] = made["sRGB"] if is_srgb else keep_levels(ldr, np.exp2(sight.stops), crf)
    return made


@click.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, help="Default: those of the package.")
@click.option("--hold-out", "held", multiple=True, type=click.Choice(MODELS), help="Default: each model in turn.")
@click.option("--count", type=click.IntRange(1), default=26, show_default=True, help="Views, spread evenly.")
@click.option("--scenes", type=click.Path(exists=True, path_type=Path), help="scenes.json of the shards, for --half.")
@click.option("--half", type=click.IntRange(0, 1), help="Every second location group. Default: all.")
def main(shards: Path, weights: Path, held: tuple[str, ...], count: int, scenes: Path | None, half: int | None) -> None:
    """Measure responses on the test part of SHARDS."""
    if half is not None and scenes is None:
        raise click.UsageError("--half needs --scenes, which states the location groups")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network, _ = load_weights(weights)
    source = Shards(shards, "test", "radiance")
    some = half_of(scenes, half) if scenes and half is not None else None
    scores: dict[str, list[dict[str, float]]] = {}
    for turn, view in enumerate(views_of(source, count)):
        if some is not None and view.scene not in some:
            continue
        for model in ("sRGB", *((held[turn % len(held)],) if held else MODELS)):
            out = held or (model,)
            models = tuple(other for other in MODELS if other not in out)
            scores.setdefault(model, []).append(scores_of(network, view, model, models, 90 + turn % 6))
    for kind in ("camera", "phone", "rendering"):
        found = {model: rows for model, rows in scores.items() if kind_of(model) == kind}
        if found:
            columns = next(iter(found.values()))[0]
            means = (np.mean([np.mean([row[name] for row in rows]) for rows in found.values()]) for name in columns)
            text = "  ".join(f"{name} {mean:.2f}" for name, mean in zip(columns, means, strict=True))
            print(f"{kind:10}{sum(map(len, found.values())):5} photographs: {text}")


def views_of(source: Shards, count: int) -> Iterator[RadianceSample]:
    """Yield views spread evenly."""
    for place in np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).astype(int)):
        yield source.radiance(int(place))


def half_of(scenes: Path, half: int) -> set[str]:
    """Return the scenes of every second location group of the test part."""
    tested = [scene for scene in read_scenes(scenes)[1] if scene.part == "test"]
    groups = sorted({scene.group for scene in tested})[half::2]
    return {scene.key for scene in tested if scene.group in groups}


def kind_of(model: str) -> FileKind:
    return "rendering" if model == "sRGB" else "phone" if model in PHONES else "camera"


def scores_of(network, view: RadianceSample, model: str, models: tuple[str, ...], quality: int) -> dict[str, float]:
    """Return PU21-PSNR by response of a JPEG of a view by a model."""
    own = rounded(srgb_crf() if model == "sRGB" else measured_crf(model))
    exact = look_up(view.radiance.view(np.uint16), exposure_table(own, 1.0, "round255"))
    jpeg = cv2.imencode(".jpg", exact, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    photo = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    # the gain is over values that did not clip: JPEG moves some that did below white, and lamps would decide the gain
    case = Case(view.key, view.key, view.scene, own, (0.0,), exact[None], view.radiance.astype(np.float32))
    made = lights_of(network, photo.astype(np.float32) / 255, kind_of(model), own, models)
    estimates = [Estimate(None, light.astype(np.float32)) for light in made.values()]
    found, _ = measure(case, estimates, COLUMNS, {"psnr_pu21": psnr_pu21}, CONFIG)
    return {name: row["psnr_pu21_gain"] for name, row in zip(made, found, strict=True)}


if __name__ == "__main__":
    main()

"""How many 512x512 LDR pictures a second does synthesis make, beside the obvious way and beside the machine's limits?

    python benchmarks/synthesis.py [SCENES]

The views are made of the HDR files of the folder SCENES, magnified where these are small, which changes no timing. Each
figure is the least of several repetitions. Those of one core are CPU time, which other programs disturb least; those of
whole stages are time on the clock.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import cv2
import numpy as np

from hdrdata.cameras.crf import CameraResponse
from hdrdata.cameras.exposure import expose_view, half_bits, recipe_tables
from hdrdata.cameras.recipe import choose_recipe
from hdrdata.files.disk import sha256_of, written_whole
from hdrdata.files.exr import read_view, write_exr
from hdrdata.files.ldr import encode_png
from hdrdata.files.radiance import check_radiance
from hdrdata.samples.tars import pack_samples
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.scene import Scene
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.views.ingest import ingest_scenes, views_of_scene
from hdrdata.views.panorama import is_panorama
from hdrdata.views.view import IngestConfig, View, read_views

SIZE = 512
DRTMO_PICTURES = 53_145  # (1,043 + 138) views x 5 cameras x 9 exposures
DRTMO_VIEWS = DRTMO_PICTURES // 45
INGEST = {
    "view_size": SIZE,
    "fov_degrees": 80,
    "pitch_degrees": 10,
    "azimuths_degrees": [0, 60, 120, 180, 240, 300],
    "photo_crops": 1,
    "max_magnification": 64,
    "on_magnified": "refuse",
    "max_repaired_share": 1,
    "on_error": "stop",
    "engine": "local",
    "workers": 0,
}


def least_seconds(run: Callable[[], object], repetitions: int, clock: Callable[[], float] = time.process_time) -> float:
    """The shortest of some runs, after one that warms up."""
    run()
    seconds = []
    for _ in range(repetitions):
        start = clock()
        run()
        seconds.append(clock() - start)
    return min(seconds)


def obvious_pictures(view: np.ndarray, exposures: np.ndarray, responses: np.ndarray, times: tuple[float, ...]):
    """What one writes first: the curve by np.interp on floats, one picture an exposure."""
    for dt in times:
        relative = np.minimum(view * dt, 1.0)
        yield np.minimum(255 * np.interp(relative, exposures, responses), 254).astype(np.uint8)


def obvious_png(ldr: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(ldr, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].tobytes()


def whole_seconds(views: tuple[View, ...], folder: Path, repetitions: int) -> float:
    """CPU seconds a picture of all that a process does for a view: read, look up, encode, tar, write, hash."""
    recipe = choose_recipe("drtmo")
    tables = recipe_tables(recipe)

    def samples(view: View, bits: np.ndarray) -> Iterator[tuple[str, str, dict[str, bytes]]]:
        for crf in tables:
            stack = zip(recipe.letters, expose_view(bits, tables[crf]), strict=True)
            yield f"{view.key}_{crf}", "pixels", {f"{letter}.png": encode_png(ldr, "fpng") for letter, ldr in stack}

    def run() -> None:
        for view in views:
            bits = half_bits(read_view(folder / "views" / f"{view.key}.exr"))
            with written_whole(folder / f"{view.key}.tar") as temporary:
                pack_samples(samples(view, bits), temporary)
            sha256_of(folder / f"{view.key}.tar")

    return least_seconds(run, repetitions) / (45 * len(views))


def synthesis_seconds(views: tuple[View, ...], folder: Path, workers: int, repetitions: int) -> tuple[float, float]:
    """Seconds a picture of the whole stage once its processes run, and the seconds until they do."""
    config = SynthesizeConfig.parse(
        "synthesize", {"recipe": "drtmo", "png_encoder": "fpng", "engine": "local", "workers": workers}
    )
    stacks = folder / "stacks"

    def run(some: tuple[View, ...]) -> None:
        shutil.rmtree(stacks, ignore_errors=True)
        synthesize_stacks(some, folder / "views", stacks, config, ("pixels",))

    few = least_seconds(lambda: run(views[:workers]), repetitions, time.perf_counter)
    all_of_them = least_seconds(lambda: run(views), repetitions, time.perf_counter)
    each = (all_of_them - few) / (45 * (len(views) - workers))
    return each, max(few - 45 * workers * each, 0.0)


def ingest_seconds(folder: Path, scene: Scene, panorama: np.ndarray, repetitions: int) -> tuple[float, float]:
    """Seconds to read a panorama of 2048x1024, and to make its six views."""
    path = folder / "panorama.exr"
    write_exr(path, cv2.resize(panorama, (2048, 1024), interpolation=cv2.INTER_LINEAR).astype(np.float16))
    radiance, repairs = check_radiance(path, 1.0)
    config = IngestConfig.parse("ingest", INGEST)
    decode = least_seconds(lambda: check_radiance(path, 1.0), repetitions)
    return decode, least_seconds(lambda: views_of_scene(radiance, repairs, scene, config), repetitions)


def row(what: str, seconds: float, beside: str = "") -> None:
    click.echo(f"{what:54}{1e3 * seconds:9.3f}{1 / seconds:12,.0f}  {beside}")


def measure_calls(
    views: list[np.ndarray], crf: CameraResponse, times: tuple[float, ...], folder: Path, repetitions: int
):
    """Measure one core, one camera, nine exposures; returns the seconds of (look-up, obvious way whole)."""
    cv2.setNumThreads(1)
    tables = recipe_tables(choose_recipe("drtmo"))[crf.name]
    exposures = np.linspace(0, 1, 1024)
    responses = crf(exposures)
    bits = [half_bits(view) for view in views]
    floats = [view.astype(np.float32) for view in views]
    stacks = [expose_view(picture, tables) for picture in bits]
    pngs = [[encode_png(ldr, "fpng") for ldr in stack] for stack in stacks]
    copy = np.empty_like(stacks[0])

    def each(run: Callable[[int], object], count: int = 4 * repetitions) -> float:
        least = [least_seconds(lambda k=k: run(k), count) for k in range(len(views))]
        return sum(least) / len(least) / len(times)

    def write(k: int) -> None:
        for png in pngs[k]:
            (folder / "picture.png").write_bytes(png)

    look_ups = each(lambda k: expose_view(bits[k], tables))
    encoded = each(lambda k: [encode_png(ldr, "fpng") for ldr in expose_view(bits[k], tables)])
    encoder = each(lambda k: [encode_png(ldr, "fpng") for ldr in stacks[k]])
    copies = each(lambda k: np.copyto(copy, stacks[k]))
    disk = each(write)
    interp = each(lambda k: list(obvious_pictures(floats[k], exposures, responses, times)), 2)
    png6 = each(lambda k: [obvious_png(ldr) for ldr in stacks[k]], 2)
    size = np.mean([len(png) for stack in pngs for png in stack]) / 1e3

    row("look-up", look_ups, f"{interp / look_ups:.0f} times np.interp; {look_ups / copies:.1f} copies of a picture")
    row("look-up and fpng", encoded, f"{(interp + png6) / encoded:.0f} times np.interp and OpenCV's PNG")
    row("limit: copy of a picture in memory", copies)
    row("limit: fpng alone", encoder, f"{size:.0f} kB a picture")
    row("limit: writing the PNG's bytes, no fsync", disk)
    row("obvious: np.interp on floats", interp)
    row("obvious: cv2.imencode, PNG level 6", png6)
    row("obvious: both, and writing", interp + png6 + disk)
    return look_ups, interp + png6 + disk


@click.command()
@click.argument(
    "scenes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(__file__).parents[1] / "data" / "scenes",
)
@click.option("--scenes-used", type=click.IntRange(1), default=8, show_default=True, help="Files, spread evenly.")
@click.option("--repetitions", type=click.IntRange(1), default=5, show_default=True, help="The least of these counts.")
def main(scenes: Path, scenes_used: int, repetitions: int) -> None:
    """Print one table of LDR pictures a second, from the HDR files of the folder SCENES."""
    found = scan_scenes(scenes, sidecar=None, seed=0, val_share=0, test_share=0).scenes
    chosen = found[:: max(len(found) // scenes_used, 1)][:scenes_used]
    recipe = choose_recipe("drtmo")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ingest_scenes(chosen, scenes, folder / "views", IngestConfig.parse("ingest", INGEST))
        views = read_views(folder / "views")
        click.echo(f"{len(views)} views of {SIZE}x{SIZE} from {len(chosen)} scenes of {scenes.name}\n")
        click.echo(f"{'':54}{'ms':>9}{'pictures/s':>12}")
        some = [read_view(folder / "views" / f"{view.key}.exr") for view in views[:: max(len(views) // 4, 1)][:4]]
        crf = recipe.crf("gold-200cdblue")
        look_ups, obvious = measure_calls(some, crf, recipe.exposures, folder, repetitions)

        one = whole_seconds(views[:8], folder, repetitions)
        row(
            "whole, CPU of one process",
            one,
            f"{obvious / one:.0f} times the obvious way; {one / look_ups:.1f} look-ups",
        )
        for workers in (1, 2):
            each, start = synthesis_seconds(views, folder, workers, max(repetitions // 2, 2))
            beside = f"{obvious / each:.0f} times the obvious way; {1 / each / workers:,.0f} a process"
            row(
                f"whole, {workers} process{'es' if workers > 1 else ''}: read, look up, encode, tar, hash", each, beside
            )
        click.echo(
            f"\nall of DrTMO, {DRTMO_PICTURES:,} pictures, 2 processes: {start:.1f} s to start and "
            f"{DRTMO_PICTURES * each:.0f} s; from one process' CPU time: {DRTMO_PICTURES * one / 2:.0f} s; "
            f"the obvious way, 2 processes: {DRTMO_PICTURES * obvious / 2 / 60:.0f} minutes"
        )
        source = next((scene for scene in found if _is_panorama(scenes / scene.path)), found[0])
        panorama, _ = check_radiance(scenes / source.path, 1.0)
        decode, make = ingest_seconds(folder, source, panorama, repetitions)
        views_seconds = DRTMO_VIEWS / 6 * (decode + make) / 2
        click.echo(
            f"apart from that, a panorama of 2048x1024: {1e3 * decode:.0f} ms to read and check, {1e3 * make:.0f} ms "
            f"for six views (CPU); {DRTMO_VIEWS} views, 2 processes: {views_seconds:.0f} s"
        )


def _is_panorama(path: Path) -> bool:
    return is_panorama(*check_radiance(path, 1.0)[0].shape[:2])


if __name__ == "__main__":
    main()

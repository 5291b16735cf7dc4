"""The command `hdrdata`: look at HDR files, photograph them, and make, describe and verify a dataset."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from hdrdata.command import OneLineErrorsGroup
from hdrdata.crf import choose_crf, named_crfs
from hdrdata.exposure import exposure_table, look_up
from hdrdata.files import check_radiance, half_bits, write_json, write_png
from hdrdata.index import Outcome, read_index
from hdrdata.recipe import RECIPES, Recipe, RecipeConfig, choose_recipe
from hdrdata.scenes import PARTS, scan_scenes, write_scenes
from hdrdata.shards import ShardConfig, shard_stacks
from hdrdata.stacks import SynthesizeConfig, synthesize_stacks
from hdrdata.stream import verify_shards
from hdrdata.tars import SHARDS
from hdrdata.views import IngestConfig, describe_views, ingest_scenes, is_panorama, normalise_view, read_views, stops_of

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(path_type=Path)


def one_line(error: Exception) -> str:
    """An error's message without its line breaks."""
    return " ".join(str(error).split())


@click.group(cls=OneLineErrorsGroup)
@click.version_option(package_name="hdr-attnet")
def main() -> None:
    """HDR images in; exact LDR stacks and WebDataset shards out.

    \b
    A dataset from a folder of HDR files:
        hdrdata build scenes/ dataset/ --view-size 256
    """


@main.command()
@click.argument("scene", type=FILE)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--ev", "evs", type=click.FloatRange(-24, 24), multiple=True, metavar="STOPS",
              help="Exposure value; +1 doubles the light, at 0 the picture's mean is 0.5. Once a picture.")  # fmt: skip
@click.option("--crf", "crf_name", metavar="NAME",
              help="Camera response, one of `hdrdata crf list`. Default: srgb, or all of the recipe.")  # fmt: skip
@click.option("--like", "recipe_name", type=click.Choice(list(RECIPES)),
              help="Take exposures and cameras of this recipe; several cameras get a folder each.")  # fmt: skip
@click.option("--max-repaired", type=click.FloatRange(0, 1), default=0.01, show_default=True, metavar="SHARE",
              help="Refuse the scene if more of its pixels are negative, NaN or infinite.")  # fmt: skip
def expose(
    scene: Path, out: Path, evs: tuple[float, ...], crf_name: str | None, recipe_name: str | None, max_repaired: float
) -> None:
    """Photograph the HDR image SCENE once per exposure value, as PNGs and a stack.json in the new folder OUT.

    \b
    Three pictures, two stops apart:
        hdrdata expose church.hdr church/ --ev -2 --ev 0 --ev 2
    The 45 pictures of DrTMO:
        hdrdata expose church.hdr church/ --like drtmo
    """
    if bool(evs) == bool(recipe_name):
        raise click.UsageError("give exposures by --ev, or a recipe by --like")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ValueError(f"{out}: exists; wanted a new folder")
    if recipe_name:
        recipe = choose_recipe(recipe_name)
        cameras = recipe.crfs if crf_name is None else (choose_crf(crf_name),)
        recipe = Recipe(recipe.name, cameras, recipe.evs)
    else:
        if len(set(evs)) < len(evs):
            raise ValueError(f"--ev: an exposure value stands twice in {', '.join(f'{ev:g}' for ev in evs)}")
        recipe = choose_recipe(
            RecipeConfig.parse("recipe", {"name": "command", "crfs": [crf_name or "srgb"], "evs": sorted(evs)})
        )
    radiance, _ = check_radiance(scene, max_repaired)
    view, factor, clipped = normalise_view(radiance)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        whole = Path(temporary) / "whole"
        for crf in recipe.crfs:
            folder = whole / crf.name if len(recipe.crfs) > 1 else whole
            for letter, exposure in zip(recipe.letters, recipe.exposures, strict=True):
                write_png(folder / f"{letter}.png", look_up(half_bits(view), exposure_table(crf, exposure)))
            facts = {
                "scene": scene.name,
                "crf": crf.name,
                "letters": recipe.letters,
                "evs": list(recipe.evs),
                "exposures": list(recipe.exposures),
                "factor": factor,
                "clipped_share": clipped,
            }
            write_json(folder / "stack.json", facts)
        whole.rename(out)  # also over an empty folder
    pictures = len(recipe.crfs) * len(recipe.evs)
    click.echo(f"{out}: {pictures} pictures of {view.shape[1]}x{view.shape[0]}")
    if clipped:
        click.echo(f"{clipped:.3%} of the values are above 65504 times the range of a picture, and were clipped there")


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--max-repaired", type=click.FloatRange(0, 1), default=0.01, show_default=True, metavar="SHARE",
              help="Call a file bad if more of its pixels are negative, NaN or infinite.")  # fmt: skip
def check(files: tuple[Path, ...], max_repaired: float) -> None:
    """Check HDR FILES as `build` does, one line each; exit code 1 if any is bad.

    \b
    Which files of a folder are fit for a dataset:
        hdrdata check scenes/*.exr
    """
    bad = 0
    for path in files:
        try:
            radiance, repairs = check_radiance(path, max_repaired)
        except ValueError as error:
            click.echo(f"bad: {one_line(error)}", err=True)
            bad += 1
            continue
        height, width = radiance.shape[:2]
        kind = "pano" if is_panorama(height, width) else "photo"
        repaired = f"; repaired: {repairs.negative} negative, {repairs.nan} NaN, {repairs.infinite} infinite pixels"
        click.echo(
            f"{path}: {width}x{height} {kind}, {stops_of(radiance):.1f} stops{repaired if repairs.total else ''}"
        )
    if bad:
        raise click.ClickException(f"{bad} of {len(files)} files are bad")


@main.command()
@click.argument("shards", type=FOLDER)
def verify(shards: Path) -> None:
    """Read every byte of the folder SHARDS and hold it against the index; a line for each fault, and exit code 1.

    \b
    After copying a dataset:
        hdrdata verify dataset/shards
    """
    whole, faults = verify_shards(shards)
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise click.ClickException(f"{shards}: {len(faults)} faults; {whole} samples are whole")
    click.echo(f"{shards}: all {whole} samples are whole")


@main.command()
@click.argument("shards", type=FOLDER)
def info(shards: Path) -> None:
    """Tell what the folder SHARDS holds.

    \b
    Forms, parts, cameras and exposures of a dataset:
        hdrdata info dataset/shards
    """
    index = read_index(shards, SHARDS)
    recipe = index["recipe"]
    shard_count, samples, size = Counter(), Counter(), Counter()
    views: dict[tuple[str, str], set[str]] = {}
    for name, row in index["rows"].items():
        key = row["form"], row["part"]
        shard_count[key] += 1
        samples[key] += len(row["samples"])
        size[key] += row["files"][name]["size"]
        views.setdefault(key, set()).update(_view_of(sample["key"], recipe["crfs"]) for sample in row["samples"])
    click.echo(f"{index['name']}: recipe {recipe['name']} ({recipe['digest'][:12]})")
    click.echo(f"cameras: {', '.join(recipe['crfs'])}")
    click.echo(
        f"exposures: {', '.join(f'{x} {ev:+g} EV' for x, ev in zip(recipe['letters'], recipe['evs'], strict=True))}"
    )
    for form in sorted({form for form, _ in shard_count}):
        for part in PARTS:
            key = form, part
            if key in shard_count:
                scenes = len({re.sub(r"_crop_\d+$|_[^_]+_[^_]+_\d{3}$", "", view) for view in views[key]})
                click.echo(
                    f"{form} {part}: {shard_count[key]} shards, {samples[key]} samples of {len(views[key])} views "
                    f"of {scenes} scenes, {size[key] / 1e6:.1f} MB"
                )


def _view_of(sample: str, crfs: dict[str, dict]) -> str:
    """The view of a sample's key: that of a pixel sample ends with its camera."""
    for crf in crfs:
        if sample.endswith(f"_{crf}"):
            return sample.removesuffix(f"_{crf}")
    return sample


@main.group()
def crf() -> None:
    """Camera response functions."""


@crf.command("list")
def list_crfs() -> None:
    """List the camera responses that have a name, with their values at two exposures.

    \b
    What 18 % grey becomes in each camera:
        hdrdata crf list
    """
    click.echo(f"{'name':28}{'f(0.18)':>8}{'f(0.5)':>8}")
    for name, response in named_crfs().items():
        grey, half = response(np.array([0.18, 0.5]))
        click.echo(f"{name:28}{grey:8.3f}{half:8.3f}")


def _shares(command: Callable) -> Callable:
    for option in (
        click.option("--test-share", type=click.FloatRange(0, 1, max_open=True), default=0.2, show_default=True,
                     help="Expected share of the scenes' groups in the part test."),
        click.option("--val-share", type=click.FloatRange(0, 1, max_open=True), default=0.15, show_default=True,
                     help="Expected share of the scenes' groups in the part val."),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
                     help="Another number splits the groups into other parts."),
    ):  # fmt: skip
        command = option(command)
    return command


@main.command()
@click.argument("scenes", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--view-size", type=click.IntRange(16, 8192), default=512, show_default=True, metavar="PIXELS",
              help="Height and width of a view.")  # fmt: skip
@click.option("--on-magnified", type=click.Choice(["refuse", "shrink"]), default="refuse", show_default=True,
              help="A scene too small for the view size (over 1.5 view pixels a source pixel): refuse it, or make its "
                   "views smaller.")  # fmt: skip
@click.option("--photo-crops", type=click.IntRange(1), default=1, show_default=True,
              help="Square crops of a photograph, spread along its long side.")  # fmt: skip
@click.option("--recipe", type=click.Choice(list(RECIPES)), default="drtmo", show_default=True,
              help="Cameras and exposures.")  # fmt: skip
@click.option("--form", "forms", type=click.Choice(["pixels", "radiance"]), multiple=True,
              default=("pixels", "radiance"), show_default=True,
              help="pixels: PNGs for any reader; radiance: a tenth of it, expanded when read. "
                   "Repeatable.")  # fmt: skip
@click.option("--png-encoder", type=click.Choice(["fpng", "opencv"]), default="fpng", show_default=True,
              help="opencv is ten times slower, and everywhere.")  # fmt: skip
@click.option("--on-error", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
              help="A bad scene: stop there, or go on without it and name it.")  # fmt: skip
@click.option("--sidecar", metavar="CSV",
              help="File in SCENES with columns file, location_group, kind (pano, photo), licence, scale.")  # fmt: skip
@_shares
@click.option("--name", default="hdr", show_default=True, help="First part of the shards' names.")
@click.option("--train-shards", type=click.IntRange(1), default=2, show_default=True,
              help="Number of shards of the part; 128 to 512 MB each reads well.")  # fmt: skip
@click.option("--val-shards", type=click.IntRange(1), default=1, show_default=True, help="Likewise.")
@click.option("--test-shards", type=click.IntRange(1), default=1, show_default=True, help="Likewise.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True,
              help="Processes; 0: one a core. The bytes do not depend on it.")  # fmt: skip
def build(scenes: Path, out: Path, **options: object) -> None:
    """Make a dataset in the folder OUT from the HDR files of the folder SCENES; run it again to bring it up to date.

    OUT gets scenes.json, views/, stacks/ and shards/. Only what is new or changed is made.

    \b
    Views of 256 pixels, which panoramas of 1024x512 are enough for:
        hdrdata build scenes/ dataset/ --view-size 256
    """
    workers = options["workers"]
    ingest = IngestConfig.parse("ingest", {
        "view_size": options["view_size"],
        "fov_degrees": 80,
        "pitch_degrees": 10,
        "azimuths_degrees": [0, 60, 120, 180, 240, 300],
        "photo_crops": options["photo_crops"],
        "max_magnification": 1.5,
        "on_magnified": options["on_magnified"],
        "max_repaired_share": 0.01,
        "on_error": options["on_error"],
        "workers": workers,
    })  # fmt: skip
    forms = tuple(dict.fromkeys(options["forms"]))
    synthesize = SynthesizeConfig.parse("synthesize", {
        "recipe": options["recipe"], "forms": forms, "png_encoder": options["png_encoder"], "workers": workers,
    })  # fmt: skip
    counts = {part: options[f"{part}_shards"] for part in PARTS}
    shard = ShardConfig.parse("shard", {"name": options["name"], "shards": counts})

    if out.resolve().is_relative_to(scenes.resolve()):
        raise ValueError(f"{out}: lies in the folder of scenes, {scenes}: its views would be taken for scenes")
    scan = scan_scenes(
        scenes,
        sidecar=options["sidecar"],
        seed=options["seed"],
        val_share=options["val_share"],
        test_share=options["test_share"],
        cache=out / ".scan-cache.json",
    )
    write_scenes(out / "scenes.json", scan, scenes)
    click.echo(f"scenes: {', '.join(f'{count} {part}' for part, count in scan.counts().items())}")
    for path, same in scan.duplicates:
        click.echo(f"left out: {scenes / path}: the same bytes as {same}")
    ingested = ingest_scenes(scan.scenes, scenes, out / "views", ingest)
    _tell("views of scenes", ingested)
    views = read_views(out / "views")
    for line in describe_views(views, ingest):
        click.echo(line)
    _tell("stacks of views", synthesize_stacks(views, out / "views", out / "stacks", synthesize))
    packed = shard_stacks(out / "stacks", out / "shards", shard, choose_recipe(options["recipe"]), workers=workers)
    _tell("shards", packed)


def _tell(what: str, outcome: Outcome) -> None:
    click.echo(f"{what}: {outcome.summary()}")
    for refusal in outcome.refused:
        click.echo(f"refused: {one_line(ValueError(refusal.reason))}", err=True)

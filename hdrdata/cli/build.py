"""The command that makes a dataset."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click

from hdrdata.cameras.recipe import RECIPES
from hdrdata.cli.words import FOLDER, one_line
from hdrdata.scenes.parts import PARTS
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.scene import write_scenes
from hdrdata.shards.pack import ShardConfig, shard_stacks
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.views.ingest import describe_views, ingest_scenes
from hdrdata.views.view import IngestConfig, read_views
from hdrdata.work.engines import EngineName
from hdrdata.work.incremental import Outcome


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


@click.command()
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
@click.option("--form", type=click.Choice(["radiance", "pixels", "both"]), default="both", show_default=True,
              help="pixels: pictures for any reader; radiance: a tenth of it, expanded when read.")  # fmt: skip
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
              help="Tasks at a time; 0: one a core. The bytes do not depend on it.")  # fmt: skip
@click.option("--engine", type=click.Choice(get_args(EngineName)), default="local", show_default=True,
              help="What runs the tasks: processes here, or Ray, on one machine or many (extra ray). The bytes do not "
                   "depend on it.")  # fmt: skip
@click.option("--ray-address", metavar="HOST:PORT",
              help="Cluster for --engine ray, instead of the variable RAY_ADDRESS; \"auto\": one that runs here. "
                   "Without both Ray is started here and ended again.")  # fmt: skip
def build(scenes: Path, out: Path, **options: object) -> None:
    """Make a dataset in the folder OUT from the HDR files of the folder SCENES; run it again to bring it up to date.

    OUT gets scenes.json, views/, stacks/ and shards/. Only what is new or changed is made.

    \b
    Views of 256 pixels, which panoramas of 1024x512 are enough for:
        hdrdata build scenes/ dataset/ --view-size 256

    \b
    On the cores of a Ray cluster whose nodes all see this folder:
        hdrdata build scenes/ dataset/ --engine ray --ray-address 10.0.0.1:6379
    """
    workers, engine = options["workers"], options["engine"]
    if options["ray_address"]:
        os.environ["RAY_ADDRESS"] = options["ray_address"]  # from where the engine takes it
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
        "engine": engine,
        "workers": workers,
    })  # fmt: skip
    synthesize = SynthesizeConfig.parse("synthesize", {
        "recipe": options["recipe"], "png_encoder": options["png_encoder"], "engine": engine, "workers": workers,
    })  # fmt: skip
    counts = {part: options[f"{part}_shards"] for part in PARTS}
    shard = ShardConfig.parse("shard", {"name": options["name"], "form": options["form"], "shards": counts})

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
    _tell("stacks of views", synthesize_stacks(views, out / "views", out / "stacks", synthesize, shard.forms))
    packed = shard_stacks(out / "stacks", out / "shards", shard, workers=workers, engine=engine)
    _tell("shards", packed)


def _tell(what: str, outcome: Outcome) -> None:
    click.echo(f"{what}: {outcome.summary()}")
    for refusal in outcome.refused:
        click.echo(f"refused: {one_line(ValueError(refusal.reason))}", err=True)

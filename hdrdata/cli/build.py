"""The command that makes a dataset."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hdrdata.cli.recipe_names import RECIPE_NAMES
from hdrdata.command import FOLDER
from hdrdata.scenes.parts import PARTS

REFUSED = 3  # exit code: a dataset was made, but not of every scene


def _shares(command: Callable) -> Callable:
    for option in (
        click.option("--test-share", type=click.FloatRange(0, 1, max_open=True), default=0.2, show_default=True,
                     help="Expected share of the scenes' groups in the part test."),
        click.option("--val-share", type=click.FloatRange(0, 1, max_open=True), default=0.15, show_default=True,
                     help="Expected share of the scenes' groups in the part val."),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
                     help="Seed of the split into parts."),
    ):  # fmt: skip
        command = option(command)
    return command


class _Azimuths(click.ParamType):
    """Whole degrees with commas between."""

    name = "degrees"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            return value if isinstance(value, tuple) else tuple(int(word) for word in str(value).split(","))
        except ValueError:
            self.fail(f"'{value}'; expected whole degrees from 0 to 359, as 0,90,180,270", param, ctx)


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
@click.option("--fov", "fov_degrees", type=click.FloatRange(0, 170, min_open=True, max_open=True), default=80,
              show_default=True, metavar="DEGREES", help="Field of view of a panorama's views.")  # fmt: skip
@click.option("--pitch", "pitch_degrees", type=click.FloatRange(-90, 90), default=10, show_default=True,
              metavar="DEGREES", help="Angle of a panorama's views above the horizon.")  # fmt: skip
@click.option("--azimuths", "azimuths_degrees", type=_Azimuths(), default=(0, 60, 120, 180, 240, 300),
              show_default="0,60,120,180,240,300", metavar="DEGREES,...",
              help="Directions of a panorama's views, clockwise from its centre; one view each.")  # fmt: skip
@click.option("--layer", metavar="NAME", help="Layer of EXR files to read.")
@click.option("--max-repaired", "max_repaired_share", type=click.FloatRange(0, 1), default=0.01, show_default=True,
              metavar="SHARE", help="A scene is bad if more of its pixels are negative, NaN or infinite.")  # fmt: skip
@click.option("--recipe", default="drtmo", show_default=True, metavar="NAME|FILE.yaml",
              help=f"Cameras and exposures: {', '.join(RECIPE_NAMES)}, or a file of your own.")  # fmt: skip
@click.option("--form", type=click.Choice(["radiance", "pixels", "both"]), default="both", show_default=True,
              help="pixels: images for any reader; radiance: 19 times smaller, expanded when read.")  # fmt: skip
@click.option("--png-encoder", type=click.Choice(["fpng", "opencv"]), default="fpng", show_default=True,
              help="opencv is ten times slower and available on every platform.")  # fmt: skip
@click.option("--on-error", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
              help="A bad scene: stop, or skip it and list it; exit code 3.")  # fmt: skip
@click.option("--sidecar", metavar="CSV",
              help="File in SCENES with columns file, location_group, kind (pano, photo), licence, scale, layer, "
                   "colour, encoding, layout.")  # fmt: skip
@_shares
@click.option("--name", default="hdr", show_default=True, help="First part of the shards' names.")
@click.option("--train-shards", type=click.IntRange(1), default=2, show_default=True,
              help="Number of shards of the part train; 128 to 512 MB each reads well.")  # fmt: skip
@click.option("--val-shards", type=click.IntRange(1), default=1, show_default=True, help="Number for the part val.")
@click.option("--test-shards", type=click.IntRange(1), default=1, show_default=True, help="Number for the part test.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True,
              help="Number of tasks at a time; 0: one per core. The bytes do not depend on it.")  # fmt: skip
@click.option("--check-content", is_flag=True,
              help="Read everything that is kept: finds damage that changed neither size nor time. Without it, files "
                   "are compared by size, and scenes by size, times and inode.")  # fmt: skip
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="Run the tasks by processes here, or by Ray, on one machine or many (extra ray). The bytes do not "
                   "depend on it.")  # fmt: skip
@click.option("--ray-address", metavar="HOST:PORT",
              help="Cluster for --engine ray, instead of the variable RAY_ADDRESS; \"auto\": one that runs here. "
                   "Without both Ray is started here and ended again.")  # fmt: skip
def build(scenes: Path, out: Path, **options: Any) -> None:
    """Make a dataset in the folder OUT from the HDR files of the folder SCENES; run it again to bring it up to date.

    OUT gets scenes.json, views/, stacks/ and shards/. Only what is new or changed is made.

    \b
    Views of 256 pixels, for panoramas of 1024x512:
        hdrdata build scenes/ dataset/ --view-size 256

    \b
    With cameras and exposures of your own, and panoramas seen by a wider lens:
        hdrdata build scenes/ dataset/ --recipe mine.yaml --fov 100 --azimuths 0,90,180,270

    \b
    After a disk failure, with everything read and what is damaged made again:
        hdrdata build scenes/ dataset/ --check-content

    \b
    On the cores of a Ray cluster whose nodes all see this folder:
        hdrdata build scenes/ dataset/ --engine ray --ray-address 10.0.0.1:6379
    """
    from hdrdata.shards.build import build as build_dataset

    if address := options.pop("ray_address"):
        os.environ["RAY_ADDRESS"] = address  # from where the engine takes it
    shards = {part: options.pop(f"{part}_shards") for part in PARTS}
    built = build_dataset(scenes, out, shards=shards, report=_print, **options)
    if built.ingest.refused:
        sys.exit(REFUSED)


def _print(line: str) -> None:
    click.echo(line, err=line.startswith(("refused: ", "not read: ")))

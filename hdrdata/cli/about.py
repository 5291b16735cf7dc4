"""Commands that describe a folder of shards, to people and to other programs."""

import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrdata.command import FILE, FOLDER
from hdrdata.files.disk import write_json

if TYPE_CHECKING:
    import hdrdata.publish.sidecars
    import hdrdata.publish.statistics
    from hdrdata.publish.published import Written

_views = click.option(
    "--views",
    "catalog",
    type=FOLDER,
    metavar="FOLDER",
    help="The folder of the views, which states how much each view magnifies its source.",
)
_workers = click.option(
    "--workers", type=click.IntRange(0), default=0, show_default=True, help="Threads; 0: one per core."
)


@click.command()
@click.argument("shards", type=FOLDER)
@_views
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every count, not only the shares.")
@click.option("--out", type=FILE, metavar="FILE", help="Write the same JSON to FILE, too.")
@_workers
def stats(shards: Path, catalog: Path | None, as_json: bool, out: Path | None, workers: int) -> None:
    """Measure the folder SHARDS: stops, saturated and black shares, and levels by exposure, each part by itself.

    \b
    Before training on a dataset:
        hdrdata stats dataset/shards
    """
    from hdrdata.publish.contents import Contents
    from hdrdata.publish.statistics import measure_shards
    from hdrdata.views.view import read_views

    with Contents(shards) as contents:
        statistics = measure_shards(contents, read_views(catalog) if catalog else (), workers=workers, quiet=as_json)
    if out:
        write_json(out, statistics.to_json())
    if as_json:
        click.echo(json.dumps(statistics.to_json(), indent=1, ensure_ascii=False))
        return
    click.echo(f"{statistics.name}: recipe {statistics.recipe}")
    for part in statistics.parts:
        click.echo("\n" + "\n".join(_describe(part)))


def _describe(part: "hdrdata.publish.statistics.PartStatistics") -> list[str]:
    """The statistics of a part as lines of text."""
    from hdrdata.publish.statistics import percent, sparkline, stops_text

    kinds = ", ".join(f"{count} {kind}" for kind, count in part.kinds.items())
    sizes = ", ".join(f"{count} of {size}" for size, count in part.sizes.items())
    held = ", ".join(f"{size / 1e6:.1f} MB {form}" for form, size in part.bytes.items())
    lines = [
        f"{part.part}: {part.views} views ({kinds}; {sizes}) of {part.scenes} scenes in {part.groups} groups, "
        f"{part.pictures} pictures; {held}"
    ]
    for name, spread in (("stops", part.stops), ("magnification", part.magnification)):
        if spread:
            numbers = "{:.2f}, {:.2f}, {:.2f}, {:.2f}, {:.2f}".format(*astuple(spread))
            lines.append(f"{name} (least, 10 %, median, 90 %, most): {numbers}")
    black, clipped = part.shares()
    lines.append(f"{'exposure':>8}{'EV':>7}{'at 0':>9}{'at 254':>9}  levels")
    for place, (letter, ev) in enumerate(zip(part.letters, part.evs, strict=True)):
        bars = sparkline(part.histogram()[place])
        lines.append(f"{letter:>8}{stops_text(ev):>7}{percent(black[place]):>9}{percent(clipped[place]):>9}  {bars}")
    lines.append(f"{'at 254 by camera':28}" + "".join(f"{letter:>8}" for letter in part.letters))
    for crf in part.levels:
        lines.append(f"{crf:28}" + "".join(f"{percent(share):>8}" for share in part.shares(crf)[1]))
    return lines


@click.command()
@click.argument("shards", type=FOLDER)
@click.option("--out", "-o", type=FILE, metavar="FILE", help="An HTML page that needs no other file.")
@click.option("--image", type=FILE, metavar="FILE", help="A picture, .jpg or .png, each row under the next camera.")
@click.option("--views", type=click.IntRange(1), default=24, show_default=True, help="How many views, at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the choice of views.")
def preview(shards: Path, out: Path | None, image: Path | None, views: int, seed: int) -> None:
    """Look at some views of the folder SHARDS at all exposures, as a page with a menu of cameras or as a picture.

    \b
    A contact sheet of 24 views:
        hdrdata preview dataset/shards -o preview.html
    """
    from hdrdata.publish.contents import Contents
    from hdrdata.publish.preview import write_page, write_sheet

    if not (out or image):
        raise click.UsageError("give a page by -o, or a picture by --image")
    with Contents(shards) as contents:
        if out:
            click.echo(f"{out}: {write_page(contents, out, views=views, seed=seed)} views")
        if image:
            click.echo(f"{image}: {len(write_sheet(contents, image, views=views, seed=seed))} views")


@click.command()
@click.argument("shards", type=FOLDER)
@_views
@click.option("--scenes", type=FILE, metavar="FILE",
              help="The scenes.json of the dataset, for files and licences of scenes.")  # fmt: skip
@click.option("--title", help="Name of the dataset for people. This and the next four are remembered.")
@click.option("--url", help="Address where the dataset is published.")
@click.option("--creator", help="Name of the person or organisation that made it.")
@click.option("--published", type=click.DateTime(["%Y-%m-%d"]), help="The date of publication.")
@click.option("--cite", help="How to cite it.")
@click.option("--overwrite", is_flag=True, help="Write README.md again although it was changed by hand.")
@_workers
def card(shards: Path, catalog: Path | None, scenes: Path | None, overwrite: bool, workers: int, **said: Any) -> None:
    """Write the dataset card of the folder SHARDS, and the files that belong to it, beside them.

    These are README.md with the front matter of Hugging Face, croissant.json, licences.csv, statistics.json and
    contact-sheet.jpg.

    \b
    A dataset that is to be published:
        hdrdata card dataset/shards --scenes dataset/scenes.json --views dataset/views
    """
    from hdrdata.publish.card import Publication, write_card
    from hdrdata.scenes.scene import read_scenes
    from hdrdata.views.view import read_views

    if said["published"]:
        said["published"] = said["published"].date().isoformat()
    written, by_hand = write_card(
        shards,
        Publication(**said),
        catalog=read_views(catalog) if catalog else (),
        scenes=read_scenes(scenes)[1] if scenes else (),
        overwrite=overwrite,
        workers=workers,
    )
    _print_written(shards, "card", written, by_hand)


def _kinds(command: Callable) -> Callable:
    for name, text in reversed({
        "wids": "wids-<part>.json of wids.",
        "timm": "_info.json of timm.",
        "croissant": "croissant.json.",
        "card": "README.md, without statistics where `hdrdata card` has made none.",
    }.items()):  # fmt: skip
        command = click.option(f"--{name}", is_flag=True, help=text)(command)
    return command


@click.command()
@click.argument("shards", type=FOLDER)
@_kinds
def sidecars(shards: Path, **chosen: bool) -> None:
    """Write the small files by which other loaders read the folder SHARDS: all kinds, or those that are named.

    They are made from the index, no shard is read; run it again after the shards have changed.

    \b
    For wids, timm, Hugging Face and Croissant:
        hdrdata sidecars dataset/shards
    """
    from hdrdata.publish.card import write_plain_card
    from hdrdata.publish.sidecars import SIDECARS, write_sidecars

    kinds = [name for name, wanted in chosen.items() if wanted] or list(chosen)
    if files := tuple(name for name in kinds if name in SIDECARS):
        _print_written(shards, ", ".join(files), write_sidecars(shards, files))
    if cards := tuple(name for name in kinds if name not in SIDECARS):
        _print_written(shards, ", ".join(cards), *write_plain_card(shards, cards))


def _print_written(shards: Path, what: str, written: "Written", by_hand: bool = False) -> None:
    from hdrdata.publish.card import CARD

    click.echo(f"{what}: {written}")
    if by_hand:
        click.echo(
            f"kept: {shards / CARD}: it was changed by hand; `hdrdata card --overwrite` writes it again", err=True
        )

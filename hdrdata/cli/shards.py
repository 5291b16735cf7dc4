"""Commands that describe and verify a folder of shards."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hdrdata.cli.recipe_names import RECIPE_NAMES
from hdrdata.command import FOLDER
from hdrdata.scenes.parts import PARTS

if TYPE_CHECKING:
    import hdrdata.cameras.recipe


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="SHARDS...", type=click.Path(exists=True, path_type=Path))
@click.option("--fast", is_flag=True, help="Check only checksums and tar headers; decode nothing.")
@click.option("--deep", is_flag=True,
              help="Also expand the radiance form, and compare it with the pixels of the same views.")  # fmt: skip
@click.option("--views", type=FOLDER, help="Folder of views: each view of its catalog must have its samples.")
@click.option("--scenes", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="JSON",
              help="The list of scenes: each must have samples, in its part.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes; 0: one per core.")
def verify(
    paths: tuple[Path, ...],
    fast: bool,
    deep: bool,
    views: Path | None,
    scenes: Path | None,
    as_json: bool,
    workers: int,
) -> None:
    """Read every byte of SHARDS; a line for each fault, which names shard and sample, and exit code 1 if there is any.

    SHARDS is a folder with an index.json: all checksums, headers, images and counts are compared with it. Or it is tars
    of any program, which are checked for what a WebDataset reader would skip or confuse; nothing is unpacked.

    \b
    After copying a dataset:
        hdrdata verify dataset/shards
    Tars of another program:
        hdrdata verify downloads/*.tar
    """
    from hdrdata.integrity.verify import verify_shards, verify_tars

    title = None if as_json else "verify"
    if len(paths) == 1 and paths[0].is_dir():
        found = verify_shards(
            paths[0], decode=not fast, deep=deep, views=views, scenes=scenes, workers=workers, title=title
        )
        what, prefix = str(paths[0]), f"{paths[0]}/"
    elif any(path.is_dir() for path in paths) or deep or views or scenes:
        raise click.UsageError("give one folder with its index.json, or tars without --deep, --views and --scenes")
    else:
        found = verify_tars(list(paths), workers=workers, title=title)
        what, prefix = f"{len(paths)} tars", ""
    if as_json:
        click.echo(json.dumps({**asdict(found), "whole": not found.faults}))
        raise SystemExit(1 if found.faults else 0)
    for fault in found.faults:
        click.echo(f"{prefix}{fault}", err=True)
    if found.faults:
        raise click.ClickException(f"{what}: {len(found.faults)} faults; {found.samples} samples are whole")
    click.echo(f"{what}: all {found.samples} samples are whole")


@click.command()
@click.argument("shards", type=FOLDER)
@click.option("--stacks", type=FOLDER, help="Folder of stack files, from which samples are copied.")
@click.option("--views", type=FOLDER, help="Folder of views, from which samples are made again where a stack is not "
                                           "whole.")  # fmt: skip
@click.option(
    "--recipe", type=click.Choice(RECIPE_NAMES), help="Recipe that made the shards. Default: the recipe in their index."
)
@click.option("--params", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="YAML",
              help="Take the recipe from synthesize.recipe of this params.yaml, "
                   "if the recipe has no name.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes; 0: one per core.")
def repair(
    shards: Path, stacks: Path | None, views: Path | None, recipe: str | None, params: Path | None, workers: int
) -> None:
    """Restore damaged shards of the folder SHARDS to the bytes in their index; exit code 1 if any is left.

    Only damaged samples are copied or made again, and only what has the checksums of the index is written.

    \b
    After `hdrdata verify` found a fault:
        hdrdata repair dataset/shards --stacks dataset/stacks --views dataset/views
    """
    from hdrdata.integrity.repair import repair_shards

    if stacks is None and views is None:
        raise click.UsageError("give --stacks, --views or both")
    chosen = _recipe_of(params) if params else recipe
    done = repair_shards(shards, stacks, views, chosen, workers=workers, title="repair")
    for fault in done.failed:
        click.echo(f"{shards}/{fault}", err=True)
    lost = [fault.sample for fault in done.failed if fault.sample]
    text = f"{done.copied + done.remade} samples repaired in {done.shards} shards ({done.remade} made again)"
    if done.failed:
        raise click.ClickException(f"{text}, {len(lost)} could not be: {', '.join(lost[:5]) or 'see above'}"
                                   f"{', ...' if len(lost) > 5 else ''}")  # fmt: skip
    click.echo(f"{shards}: {text}" if done.shards else f"{shards}: nothing is damaged")


def _recipe_of(params: Path) -> "str | hdrdata.cameras.recipe.RecipeConfig":
    from hdrdata.cameras.recipe import RecipeConfig
    from hdrdata.config import read_yaml

    values = read_yaml(params)
    try:
        recipe = values["synthesize"]["recipe"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{params}: no synthesize.recipe in it") from error
    return recipe if isinstance(recipe, str) else RecipeConfig.parse("synthesize.recipe", recipe)


@click.command()
@click.argument("shards", type=FOLDER)
def info(shards: Path) -> None:
    """Print the content of the folder SHARDS.

    \b
    Forms, parts, cameras and exposures of a dataset:
        hdrdata info dataset/shards
    """
    from hdrdata.samples.layout import SHARDS, split_key
    from hdrdata.views.view import parse_view_key
    from hdrdata.work.index import read_index

    index = read_index(shards, SHARDS)
    recipe = index["recipe"]
    shard_count, samples, size = Counter(), Counter(), Counter()
    views: dict[tuple[str, str], set[str]] = {}
    for name, row in index["rows"].items():
        key = row["form"], row["part"]
        shard_count[key] += 1
        samples[key] += len(row["samples"])
        size[key] += row["files"][name]["size"]
        keys = (split_key(sample["key"], sample["form"], recipe["crfs"])[0] for sample in row["samples"])
        views.setdefault(key, set()).update(keys)
    click.echo(f"{index['name']}: recipe {recipe['name']} ({recipe['digest'][:12]})")
    click.echo(f"cameras: {', '.join(recipe['crfs'])}")
    click.echo(
        f"exposures: {', '.join(f'{x} {ev:+g} EV' for x, ev in zip(recipe['letters'], recipe['evs'], strict=True))}"
    )
    for form in sorted({form for form, _ in shard_count}):
        for part in PARTS:
            key = form, part
            if key in shard_count:
                scenes = len({parse_view_key(view).scene for view in views[key]})
                click.echo(
                    f"{form} {part}: {shard_count[key]} shards, {samples[key]} samples of {len(views[key])} views "
                    f"of {scenes} scenes, {size[key] / 1e6:.1f} MB"
                )

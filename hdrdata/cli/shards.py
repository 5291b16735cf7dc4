"""Commands that describe and verify a folder of shards."""

import re
from collections import Counter
from pathlib import Path

import click

from hdrdata.cli.words import FOLDER
from hdrdata.index import read_index
from hdrdata.scenes import PARTS
from hdrdata.stream import verify_shards
from hdrdata.tars import SHARDS


@click.command()
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


@click.command()
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

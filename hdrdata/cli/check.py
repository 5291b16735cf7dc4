"""The command that looks at HDR files before a dataset is made of them."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hdrdata.command import FILE, one_line

if TYPE_CHECKING:
    from hdrdata.views.checking import Checked
    from hdrdata.views.view import IngestConfig

HEADINGS = ("file", "kind", "size", "stops", "colour", "would be made", "to know")


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--max-repaired", type=click.FloatRange(0, 1), default=0.01, show_default=True, metavar="SHARE",
              help="Call a file bad if more of its pixels are negative, NaN or infinite.")  # fmt: skip
@click.option("--layer", metavar="NAME", help="Of EXR files, the layer that is the picture.")
@click.option("--sidecar", metavar="CSV", help="File in each folder that states the kind of its files, as for build.")
@click.option("--view-size", type=click.IntRange(16, 8192), metavar="PIXELS",
              help="Height and width of the views.  [default: 512, or what the file is enough for]")  # fmt: skip
@click.option("--photo-crops", type=click.IntRange(1), default=1, show_default=True,
              help="Square crops of a photograph that would be made.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object a file, and what is not read.")
def check(
    files: tuple[Path, ...],
    max_repaired: float,
    layer: str | None,
    sidecar: str | None,
    view_size: int | None,
    photo_crops: int,
    as_json: bool,
) -> None:
    """Check HDR FILES as `build` does, one line each, or folders of them, as a table; exit code 1 if any is bad.

    \b
    Which files of a folder are fit for a dataset, and what would be made of them:
        hdrdata check scenes/
    """
    from hdrdata.scenes.scan import find_hdr_files
    from hdrdata.scenes.scene import describe_unread
    from hdrdata.scenes.sidecar import read_sidecar
    from hdrdata.views.view import IngestConfig
    from hdrdata.work.processes import map_in_processes

    config = IngestConfig.parse("check", {
        "view_size": view_size or 512, "fov_degrees": 80, "pitch_degrees": 10,
        "azimuths_degrees": (0, 60, 120, 180, 240, 300), "photo_crops": photo_crops, "max_magnification": 1.5,
        "on_magnified": "shrink",
        "max_repaired_share": max_repaired, "layer": layer, "on_error": "skip", "engine": "local", "workers": 1,
    })  # fmt: skip
    if sidecar and not any(path.is_dir() for path in files):
        raise click.UsageError("--sidecar is of folders, and none is named")
    paths: list[Path] = []
    stated: dict[Path, dict[str, str]] = {}
    unread: dict[str, int] = {}
    for path in files:
        if path.is_dir():
            found, left = find_hdr_files(path)
            paths += [path / name for name in found]
            rows = read_sidecar(path / sidecar, found) if sidecar else {}
            stated |= {path / name: row for name, row in rows.items()}
            unread |= {suffix: unread.get(suffix, 0) + count for suffix, count in left.items()}
        else:
            paths.append(path)
    tasks = [(path, stated.get(path, {})) for path in dict.fromkeys(paths)]
    results = {path: made for (path, _), made in map_in_processes(partial(_check, config), tasks, workers=1)}
    bad = {path: _reason(path, results[path]) for path in results if isinstance(results[path], Exception)}
    if as_json:
        rows = [{"file": str(path), **({"wrong": bad[path]} if path in bad else results[path].to_json(view_size))}
                for path in paths]  # fmt: skip
        click.echo(json.dumps({"files": rows, "not_read": unread}, indent=1, ensure_ascii=False))
    else:
        _print(paths, results, bad, view_size, any(path.is_dir() for path in files))
    if unread:
        click.echo(describe_unread(unread), err=True)
    if bad:
        raise click.ClickException(f"{sum(path in bad for path in paths)} of {len(paths)} files are bad")


def _print(
    paths: list[Path],
    results: "dict[Path, Checked | Exception]",
    bad: dict[Path, str],
    view_size: int | None,
    table: bool,
) -> None:
    """A line a file, or a table of those that can be read; bad ones to standard error."""
    rows = []
    for path in paths:
        if path in bad:
            click.echo(f"bad: {bad[path]}", err=True)
            continue
        found = results[path]
        size, stops = f"{found.width}x{found.height}", f"{found.stops:.1f}"
        notes = found.notes(view_size)
        if table:
            views = f"{found.views} of {found.view_size}"
            rows.append((str(path), found.kind, size, stops, found.colour, views, "; ".join(notes)))
        else:
            told = [found.colour] if found.colour != "Rec.709" else []
            click.echo("; ".join([f"{path}: {size} {found.kind}, {stops} stops", *told, *notes]))
    if rows:
        widths = [max(len(row[place]) for row in (HEADINGS, *rows)) for place in range(len(HEADINGS))]
        for row in (HEADINGS, *rows):
            click.echo("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


def _reason(path: Path, error: Exception) -> str:
    return f"{path}: {error}: its decoder crashed" if isinstance(error, ChildProcessError) else one_line(error)


def _check(config: "IngestConfig", task: tuple[Path, dict[str, str]]) -> "Checked | ValueError":
    """Return the facts about an HDR file and its row of the sidecar, or why it is bad.

    Runs in a worker process, which a decoder may crash.
    """
    from hdrdata.files.hdr.stated import Override
    from hdrdata.scenes.scene import STATED
    from hdrdata.views.checking import check_scene

    path, row = task
    try:
        override = Override(**{name: row.get(name) or None for name in STATED})
        return check_scene(path, config, row.get("kind") or "auto", override)
    except ValueError as error:
        return error

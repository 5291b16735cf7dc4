"""The command that checks HDR files before a dataset is made of them."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hdrdata.command import FILE
from hdrdata.files.hdr.stated import LAYOUTS
from hdrdata.terminal import one_line

if TYPE_CHECKING:
    from hdrdata.views.checking import Checked
    from hdrdata.views.view import IngestConfig

HEADINGS = ("file", "kind", "size", "stops", "colour", "views", "notes")


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--max-repaired", type=click.FloatRange(0, 1), default=0.01, show_default=True, metavar="SHARE",
              help="Call a file bad if more of its pixels are negative, NaN or infinite.")  # fmt: skip
@click.option("--layer", metavar="NAME", help="Layer that is the picture in EXR files, or several separated by commas.")
@click.option("--layout", type=click.Choice(LAYOUTS),
              help="Convert FILES of this layout to panoramas; build reads it from the sidecar.")  # fmt: skip
@click.option("--sidecar", metavar="CSV",
              help="In each folder, the file that states kind, layer, colour, encoding, layout.")  # fmt: skip
@click.option("--view-size", type=click.IntRange(16, 8192), metavar="PIXELS",
              help="Height and width of the views.  [default: 512, or what the file is enough for]")  # fmt: skip
@click.option("--photo-crops", type=click.IntRange(1), default=1, show_default=True,
              help="Square crops of a photograph that would be made.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object per file, and what is not read.")
def check(
    files: tuple[Path, ...],
    max_repaired: float,
    layer: str | None,
    layout: str | None,
    sidecar: str | None,
    view_size: int | None,
    photo_crops: int,
    as_json: bool,
) -> None:
    """Check HDR FILES as `build` does, one line each, or folders of them, as a table; exit code 1 if any is bad.

    Clipped, black and transparent shares, files that look encoded, cube crosses, and scenes that are there twice are
    reported.

    \b
    Which files of a folder are fit for a dataset, and the views that they give:
        hdrdata check scenes/
    """
    from hdrdata.scenes.scan import find_hdr_files
    from hdrdata.scenes.scene import describe_unread
    from hdrdata.scenes.sidecar import read_sidecar
    from hdrdata.views.looks import find_alike
    from hdrdata.views.view import IngestConfig
    from hdrdata.work.processes import map_in_processes

    config = IngestConfig.parse("check", {
        "view_size": view_size or 512, "fov_degrees": 80, "pitch_degrees": 10,
        "azimuths_degrees": (0, 60, 120, 180, 240, 300), "photo_crops": photo_crops, "max_magnification": 1.5,
        "on_magnified": "shrink",
        "max_repaired_share": max_repaired, "layer": layer, "on_error": "skip", "engine": "local", "workers": 1,
    })  # fmt: skip
    if sidecar and not any(path.is_dir() for path in files):
        raise click.UsageError("--sidecar is for folders; expected one")
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
    rows = {path: stated.get(path, {}) for path in paths}
    tasks = [(path, {**row, "layout": row.get("layout") or layout}) for path, row in rows.items()]
    results = {path: made for (path, _), made in map_in_processes(partial(_check, config), tasks, workers=1)}
    bad = {path: _reason(path, result) for path, result in results.items() if isinstance(result, Exception)}
    good = {path: result for path, result in results.items() if not isinstance(result, Exception)}
    thumbnails = {str(path): result.looks.thumbnail for path, result in good.items()}
    alike = find_alike(thumbnails)
    if as_json:
        rows = [{"file": str(path), **({"wrong": bad[path]} if path in bad else
                 {**good[path].to_json(view_size), "looks_like": alike.get(str(path), [])})}
                for path in paths]  # fmt: skip
        click.echo(json.dumps({"files": rows, "not_read": unread}, indent=1, ensure_ascii=False))
    else:
        notes = {path: result.notes(view_size) for path, result in good.items()}
        for path, found in notes.items():
            if others := [Path(other).name for other in alike.get(str(path), ())]:
                more = f" and {len(others) - 3} more" if len(others) > 3 else ""
                found.append(f"looks like {', '.join(others[:3])}{more}; one scene needs one location_group")
        _print(paths, good, bad, notes, any(path.is_dir() for path in files))
    if unread:
        click.echo(describe_unread(unread), err=True)
    if bad:
        raise click.ClickException(f"{sum(path in bad for path in paths)} of {len(paths)} files are bad")


def _print(
    paths: list[Path],
    results: "dict[Path, Checked]",
    bad: dict[Path, str],
    notes: dict[Path, list[str]],
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
        if table:
            views = f"{found.views} of {found.view_size}"
            rows.append((str(path), found.kind, size, stops, found.colour, views, "; ".join(notes[path])))
        else:
            colour = [found.colour] if found.colour != "Rec.709" else []
            click.echo("; ".join([f"{path}: {size} {found.kind}, {stops} stops", *colour, *notes[path]]))
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

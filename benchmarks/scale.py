"""All of DrTMO: 1,181 views x 45 pictures of 512x512 made from raw HDR images, and whether the cost is linear in views.

    python benchmarks/scale.py [SCENES]

Without SCENES it opens a million simulated views, beside other libraries, as `index.py` does. With SCENES it
makes 196 panoramas of 2048x1024 (the HDR files in SCENES tiled, turned, mirrored, tinted, so that no two are alike) and
5 photographs, calls `hdrdata build` on a quarter, a half and all of them in radiance form, and on parts of a quarter in
pixels form (of all with --pixels 1; a picture takes half a megabyte, twice), and prints a row a run: seconds, bytes and
the largest resident set of any process. The last lines are the fitted slope and the largest departure from it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from index import compare

from hdrdata.files.disk import read_json
from hdrdata.files.exr import write_exr
from hdrdata.files.radiance import check_radiance
from hdrdata.files.suffixes import HDR_SUFFIXES

PANORAMAS, AZIMUTHS, PHOTOGRAPHS = 196, 6, 5  # 1,181 views
PICTURES = 45  # a view


@dataclass(frozen=True)
class Row:
    """One build."""

    form: str
    views: int
    seconds: float
    shard_bytes: int
    all_bytes: int
    peak_mb: float


def make_sources(scenes: Path, folder: Path) -> list[Path]:
    """Write the panoramas and photographs; neighbours in the list are made of different scenes."""
    files = sorted(path for path in scenes.rglob("*") if path.suffix.lower() in HDR_SUFFIXES)
    generator = np.random.default_rng(1)
    made = []
    for number in range(PANORAMAS + PHOTOGRAPHS):
        radiance, _ = check_radiance(files[number % len(files)], 0.01)
        rows, columns = (1024, 2048) if number < PANORAMAS else (768, 768)
        turn = int(generator.integers(radiance.shape[1]))
        place = np.arange(columns) if generator.random() < 0.5 else np.arange(columns)[::-1]
        tiled = radiance[np.arange(rows) % radiance.shape[0]][:, (place + turn) % radiance.shape[1]]
        tint = generator.uniform(0.8, 1.25, 3) * 2 ** generator.uniform(-2, 2)
        made.append(folder / f"source-{number:04d}.exr")
        write_exr(made[-1], np.minimum(tiled * tint, 65504).astype(np.float16))
    return made


def size_of(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def build(sources: list[Path], form: str, workers: int, scratch: Path) -> Row:
    """Make a dataset of some of the sources and measure it."""
    scenes, out = scratch / "some", scratch / "out"
    scenes.mkdir()
    for source in sources:
        os.link(source, scenes / source.name)
    shards = {
        part: max(1, round(share * len(sources) / 12))
        for part, share in (("train", 0.65), ("val", 0.15), ("test", 0.2))
    }
    command = [sys.executable, "-c", "from hdrdata.cli import main; main()", "build", str(scenes), str(out)]
    command += ["--form", form, "--workers", str(workers)]
    command += [word for part, count in shards.items() for word in (f"--{part}-shards", str(count))]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise click.ClickException(f"{' '.join(command)}: ended with {status}")
    index = read_json(out / "shards" / "index.json")
    samples = sum(len(row["samples"]) for row in index["rows"].values())
    views = samples // len(index["recipe"]["crfs"]) if form == "pixels" else samples
    row = Row(form, views, seconds, size_of(out / "shards"), size_of(out), usage.ru_maxrss / 1024)
    shutil.rmtree(scenes)
    shutil.rmtree(out)
    return row


@click.command(help=__doc__)
@click.argument("scenes", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--python", default=sys.executable, help="Without SCENES: interpreter that has the other libraries.")
@click.option("--workers", default=0, help="Processes; 0: one a core.")
@click.option("--radiance", default=1.0, show_default=True, help="Largest share of the sources in radiance form.")
@click.option("--pixels", default=0.25, show_default=True, help="Largest share of the sources in pixels form.")
@click.option("--scratch", type=click.Path(file_okay=False, path_type=Path), help="Folder to work in; about 15 GB.")
def main(scenes: Path | None, python: str, workers: int, radiance: float, pixels: float, scratch: Path | None) -> None:
    if scenes is None:
        compare(1_000_000, python)
        return
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scale-", dir=scratch) as temporary:
        (Path(temporary) / "sources").mkdir()
        click.echo(f"making {PANORAMAS} panoramas and {PHOTOGRAPHS} photographs", err=True)
        sources = make_sources(scenes, Path(temporary) / "sources")
        click.echo("| form | views | pictures | seconds | pictures/s | shards MB | all MB | peak MB a process |")
        click.echo("| --- | --- | --- | --- | --- | --- | --- | --- |")
        rows = []
        for form, largest in (("radiance", radiance), ("pixels", pixels)):
            for share in (largest / 4, largest / 2, largest):
                step = round(1 / share)
                row = build(sources[::step] if share < 1 else sources, form, workers, Path(temporary))
                rows.append(row)
                pictures = row.views * PICTURES
                figures = [f"{row.seconds:.1f}", f"{pictures / row.seconds:.0f}"]
                figures += [f"{size / 1e6:.0f}" for size in (row.shard_bytes, row.all_bytes)]
                click.echo(f"| {form} | {row.views} | {pictures} | {' | '.join(figures)} | {row.peak_mb:.0f} |")
        every = PANORAMAS * AZIMUTHS + PHOTOGRAPHS
        for form in ("radiance", "pixels"):
            chosen = [row for row in rows if row.form == form]
            if len(chosen) > 1:
                views = np.array([row.views for row in chosen])
                seconds = np.array([row.seconds for row in chosen])
                slope, start = np.polyfit(views, seconds, 1)
                off = np.abs(seconds / (start + slope * views) - 1).max()
                size = np.polyfit(views, [row.shard_bytes for row in chosen], 1)[0] * every / 1e9
                click.echo(f"\n{form}: {start:.1f} s + {slope * 1000:.1f} ms a view, off by at most {off:.0%}")
                click.echo(f"{every} views: {(start + slope * every) / 60:.1f} minutes, {size:.2f} GB of shards")


if __name__ == "__main__":
    main()

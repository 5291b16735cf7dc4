"""Commands that bring scenes: merge photographs, fetch what others publish."""

from pathlib import Path

import click

from hdrdata.command import FILE
from hdrdata.terminal import one_line


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=FILE)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path),
              help="The scene, an .exr file; with --group-by a folder of scenes.")  # fmt: skip
@click.option("--times", metavar="SECONDS,...",
              help="Exposure times such as 1/250,1/60,1/15, in the pictures' order. Default: what the files state (EXIF"
                   " time, f-number and ISO).")  # fmt: skip
@click.option("--response", type=click.Choice(["calibrate", "srgb", "linear"]), default="calibrate", show_default=True,
              help="Camera response of display pictures: found from them, or known. RAW is linear.")  # fmt: skip
@click.option("--align", is_flag=True, help="Shift and turn hand-held pictures onto the middle one; neighbours may be "
              "shifted by up to 63 pixels.")  # fmt: skip
@click.option("--moved", type=click.Path(path_type=Path), metavar="FILE.png",
              help="Write a mask of the pixels that differ because something moved.")  # fmt: skip
@click.option("--save-response", type=click.Path(path_type=Path), metavar="FILE.csv",
              help="Write the camera response of the pictures, for --crf of `hdrmodel predict`.")  # fmt: skip
@click.option("--group-by", type=click.Choice(["folder", "exif-time"]),
              help="PICTURES is one folder of many brackets: each folder in it is one, or the times at which the "
                   "pictures were taken separate them.")  # fmt: skip
@click.option("--gap", "gap_seconds", type=click.FloatRange(0), default=2.0, show_default=True, metavar="SECONDS",
              help="By time: a longer pause begins another bracket; so does an exposure it already has.")  # fmt: skip
@click.option("--on-error", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
              help="With --group-by, a bad bracket: stop, or skip it and list it.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=1, show_default=True,
              help="With --group-by: processes, 0 for one per core. "
                   "A bracket of 24 megapixels takes 2 GB.")  # fmt: skip
def merge(
    pictures: tuple[Path, ...],
    out: Path,
    times: str | None,
    response: str,
    align: bool,
    moved: Path | None,
    save_response: Path | None,
    group_by: str | None,
    gap_seconds: float,
    on_error: str,
    workers: int,
) -> None:
    """Merge the bracketed photographs PICTURES of one camera position into one HDR scene.

    They are JPEG, HEIC, PNG, TIFF or others of 8 or 16 bits, or camera RAW files (one alone will do). Values are
    relative linear light of Rec.709. Brightness must increase with exposure.

    \b
    Three exposures, two stops apart:
        hdrdata merge a.jpg b.jpg c.jpg -o scene.exr --times 1/60,1/15,1/4
    Each folder of photos/ a bracket, exposures by EXIF:
        hdrdata merge photos/ -o scenes/ --group-by folder
    """
    from hdrdata.merge.brackets import MergeConfig, merge_to_file
    from hdrdata.merge.exposures import parse_times
    from hdrdata.merge.folders import FolderConfig, merge_folder

    config = MergeConfig.parse("merge", {"response": response, "align": align})
    if group_by is None:
        for path in pictures:
            if path.is_dir():
                raise click.UsageError(f"{path}: a folder; expected photographs, or --group-by")
        seconds = parse_times(times) if times is not None else None
        merged = merge_to_file(out, pictures, seconds, config, moved, save_response)
        height, width = merged.radiance.shape[:2]
        click.echo(f"{out}: {len(pictures)} pictures merged, {width}x{height}")
        for line in merged.lines:
            click.echo(line, err=True)
        return
    if len(pictures) != 1 or not pictures[0].is_dir():
        raise click.UsageError("--group-by takes one folder")
    if times is not None:
        raise click.UsageError("--times is for the pictures of one bracket, without --group-by")
    for name, path in (("--moved", moved), ("--save-response", save_response)):
        if path is not None:
            raise click.UsageError(f"{name} is for one bracket, without --group-by")
    outcome = merge_folder(pictures[0], out, FolderConfig.parse("merge", {
        "group_by": group_by, "gap_seconds": gap_seconds, "merge": config, "on_error": on_error, "workers": workers,
    }))  # fmt: skip
    click.echo(f"scenes of brackets: {outcome.summary()}")
    for name, row in outcome.rows.items():
        if "notes" in row:
            click.echo(f"{name}: {'; '.join(row['notes'])}", err=True)
    for refusal in outcome.refused:
        click.echo(f"refused: {one_line(ValueError(refusal.reason))}", err=True)


@click.command()
@click.argument("source", required=False, type=click.Choice(["polyhaven"]))
@click.option("--catalog", type=FILE, metavar="CSV",
              help="Fetch what this list names: columns name, url, and where known sha256 and licence.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="scenes", show_default=True,
              help="Folder of scenes; may hold others.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), help="Poly Haven: number of panoramas.")
@click.option("--resolution", type=click.Choice(["1k", "2k", "4k", "8k", "16k"]), default="2k", show_default=True,
              help="Poly Haven: width of a panorama; 2k is 2048 pixels, about 6 MB.")  # fmt: skip
@click.option("--category", metavar="NAME", help="Poly Haven: only this category, such as night or indoor.")
@click.option("--seed", type=click.IntRange(0), help="Poly Haven: seed of a random choice. Default: the first by name.")
@click.option("--format", "suffix", type=click.Choice(["exr", "hdr"]), default="exr", show_default=True,
              help="Poly Haven: kind of file.")  # fmt: skip
@click.option("--api", default="https://api.polyhaven.com", show_default=True, metavar="URL",
              help="Poly Haven: address of its server.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Files at a time.")
def fetch(
    source: str | None,
    catalog: Path | None,
    out: Path,
    count: int | None,
    resolution: str,
    category: str | None,
    seed: int | None,
    suffix: str,
    api: str,
    jobs: int,
) -> None:
    """Fetch HDR files that others publish into a folder of scenes; run it again to continue or to check.

    SOURCE is polyhaven, whose panoramas are CC0; or give a list by --catalog. Checksums are compared, and licence and
    author go into scenes.csv, which `hdrdata build --sidecar scenes.csv` reads.

    \b
    Twenty panoramas of 2048x1024:
        hdrdata fetch polyhaven --count 20 --resolution 2k
    Your own list:
        hdrdata fetch --catalog list.csv
    """
    from hdrdata.fetch import polyhaven
    from hdrdata.fetch.catalogs import read_catalog
    from hdrdata.fetch.transfers import SIDECAR, fetch_files
    from hdrdata.fetch.web import Patience, Web

    if bool(source) == bool(catalog):
        raise click.UsageError("name a source (polyhaven), or give a list by --catalog")
    web = Web(Patience(attempts=6, pause_seconds=0.5, timeout_seconds=30.0))
    failures: dict[str, str] = {}
    if catalog:
        wanted = read_catalog(catalog)
    elif count is None:
        raise click.UsageError("--count is missing; expected the number of panoramas")
    else:
        assets = polyhaven.choose_panoramas(web, api, count=count, resolution=resolution, category=category, seed=seed)
        if len(assets) < count:
            click.echo(f"only {len(assets)} panoramas fit", err=True)
        click.echo("Powered by Poly Haven (https://polyhaven.com): CC0, free to use for anything")
        wanted, failures = polyhaven.find_files(web, api, assets, resolution, suffix, jobs)
    fetched = fetch_files(wanted, out, web, jobs)
    fetched.failures.update(failures)
    for name, reason in sorted(fetched.failures.items()):
        click.echo(f"failed: {name}: {reason}", err=True)
    for name, place in sorted(fetched.moved.items()):
        click.echo(f"{name}: had other bytes than when it was fetched; the old file is {place} now", err=True)
    click.echo(f"{out}: {fetched.summary()}; licences in {SIDECAR}")
    if fetched.failures:
        raise click.ClickException(f"{len(fetched.failures)} files failed; run it again to continue")

"""Stage scan: the folder of scenes -> a list of scenes with their parts, in git."""

from pathlib import Path

import click

from hdrdata.scenes.scan import ScanConfig, scan_scenes
from hdrdata.scenes.scene import read_scenes, write_scenes
from stages.params import check_matrix, read_section, stage


@stage
@click.argument("scenes", type=click.Path(path_type=Path))
@click.argument("cache", type=click.Path(path_type=Path))
def main(scenes: Path, cache: Path) -> None:
    """List the HDR files of the folder that params.yaml names in SCENES; CACHE spares hashing what did not change."""
    config = read_section("scan", ScanConfig)
    check_matrix()
    folder = Path(config.scenes)
    try:
        before = {scene.key: scene for scene in read_scenes(scenes)[1]} if scenes.is_file() else {}
    except ValueError:
        before = {}  # damaged, by a merge in git perhaps: it is written again
    if not folder.exists() and before:
        click.echo(f"{folder}: no such folder; the list of {len(before)} scenes is kept as it is", err=True)
        return
    sidecar = config.sidecar
    if sidecar and folder.is_dir() and not (folder / sidecar).exists():
        click.echo(f"{folder}: no {sidecar}: no location groups, kinds and licences", err=True)
        sidecar = None
    scan = scan_scenes(
        folder,
        sidecar=sidecar,
        seed=config.seed,
        val_share=config.val_share,
        test_share=config.test_share,
        cache=cache,
        listed=scenes,
    )
    write_scenes(scenes, scan, folder)
    now = {scene.key: scene for scene in scan.scenes}
    changed = sum(before[key] != now[key] for key in now.keys() & before.keys())
    change = f"{len(now.keys() - before.keys())} new, {changed} changed, {len(before.keys() - now.keys())} removed"
    if now == before:
        change = "nothing has changed"
    counts = ", ".join(f"{count} {part}" for part, count in scan.counts().items())
    click.echo(f"{len(now)} scenes in {folder} ({counts}): {change}; {scan.hashed} files hashed")
    for path, same in scan.duplicates:
        click.echo(f"left out: {folder / path}: the same bytes as {same}")
    if scan.unread:
        click.echo(scan.unread_line(), err=True)
    for note in scan.notes:
        click.echo(note, err=True)


if __name__ == "__main__":
    main()

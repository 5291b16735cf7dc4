"""Commands that change a dataset's layout: shards to loose PNGs and back."""

from pathlib import Path

import click

from hdrdata.command import FOLDER
from hdrdata.scenes.parts import PARTS
from hdrdata.terminal import one_line


@click.command("export")
@click.argument("shards", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--layout", type=click.Choice(["drtmo"]), required=True,
              help="drtmo: {Train,Test}/Bracketed_images/<view>_<camera>/{a..i}.png, and lists of pairs.")  # fmt: skip
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True,
              help="Write only this part, and keep other parts of OUT. Repeatable. Default: all.")  # fmt: skip
@click.option("--png-encoder", type=click.Choice(["fpng", "opencv"]), default="fpng", show_default=True,
              help="Encoder for images of the radiance form; PNGs of the pixels form are copied.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes; 0: one per core.")
def export_shards(shards: Path, out: Path, layout: str, parts: tuple[str, ...], png_encoder: str, workers: int) -> None:
    """Write the stacks of the folder SHARDS as loose PNGs to the folder OUT, in the layout of DrTMO.

    Run it again to bring OUT up to date. Stacks of val are in Train and listed in val.csv, as in the original; its
    paths and those of train.csv and test_hdr.csv are relative to Bracketed_images.

    \b
    For a program that was written for DrTMO:
        hdrdata export dataset/shards drtmo/ --layout drtmo
    """
    from hdrdata.drtmo.exporting import export_drtmo
    from hdrdata.samples.layout import SHARDS
    from hdrdata.work.index import read_index

    held = {row["part"] for row in read_index(shards, SHARDS)["rows"].values()}
    outcomes = export_drtmo(
        shards, out, parts or tuple(part for part in PARTS if part in held), png_encoder=png_encoder, workers=workers
    )
    for name, outcome in outcomes.items():
        stacks = sum(len(row["stacks"]) for row in outcome.rows.values())
        click.echo(f"{out / name}: {stacks} stacks; views: {outcome.summary()}")


@click.command("import")
@click.argument("folder", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="drtmo", show_default=True, help="First part of the shards' names.")
@click.option("--licence", default="", help="Licence of all pictures, for each sample's JSON.")
@click.option("--val-share", type=click.FloatRange(0, 1, max_open=True), default=0.15, show_default=True,
              help="Expected share of Train's scenes in the part val, without a Val folder and without a val.csv of "
                   "whole scenes.")  # fmt: skip
@click.option("--test-share", type=click.FloatRange(0, 1, max_open=True), default=0.2, show_default=True,
              help="Expected share of the scenes in the part test, where there is no Train and no Test.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Seed of the split into parts.")  # fmt: skip
@click.option("--shard-megabytes", type=click.IntRange(1), default=256, show_default=True,
              help="Approximate size of a shard; a scene is in one shard.")  # fmt: skip
@click.option("--on-error", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
              help="A bad view: stop, or skip it and list it.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes; 0: one per core.")
def import_folder(folder: Path, out: Path, shard_megabytes: int, **options: object) -> None:
    """Pack the PNGs of FOLDER, which has the layout of DrTMO, into shards in the folder OUT, after checking each.

    FOLDER has Train and Test with Bracketed_images, or Bracketed_images, or the stacks' folders <view>_<camera>. PNGs
    are copied unchanged. Run it again to bring OUT up to date, with its sidecars and card; what did not change is not
    read again.

    \b
    A copy of DrTMO as shards that `hdrdata verify` checks and any WebDataset reader streams:
        hdrdata import training_data/ dataset/shards
    """
    from hdrdata.drtmo.importing import ImportConfig, import_drtmo
    from hdrdata.publish.refresh import refresh_published

    config = ImportConfig.parse("import", {**options, "shard_bytes": shard_megabytes * 10**6})
    imported = import_drtmo(folder, out, config)
    click.echo(f"views: {imported.checked.summary()}")
    for refusal in imported.checked.refused:
        click.echo(f"left out: {refusal.name}: {one_line(ValueError(refusal.reason))}", err=True)
    for note in imported.notes:
        click.echo(note)
    if imported.unknown_crfs:
        click.echo(f"cameras without a known curve: {', '.join(imported.unknown_crfs)}")
    click.echo(f"shards: {imported.packed.summary()}")
    for line in refresh_published(out):
        click.echo(line)

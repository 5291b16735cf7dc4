"""Stage train: shards -> weights of one variant."""

from pathlib import Path

import click

from hdrmodel.config import TrainConfig
from hdrmodel.training import train
from stages.params import read_section, stage


@stage
@click.argument("variant")
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
def main(variant: str, shards: Path, run: Path) -> None:
    """Train the VARIANT (a name in hdrmodel's ATTENTIONS) on the folder SHARDS into the folder RUN."""
    record = train(shards, run, variant, read_section("train", TrainConfig))
    first, last = record["validation"][0]["psnr_ldr"], record["validation"][-1]["psnr_ldr"]
    click.echo(
        f"{variant}: {record['parameters']:,} parameters, {record['config']['steps']} steps in "
        f"{record['hours'] * 60:.1f} min, validation LDR PSNR {first:.2f} -> {last:.2f} dB"
    )


if __name__ == "__main__":
    main()

"""Stage train: shards -> weights of one variant from one seed."""

from pathlib import Path

import click

from hdrmodel.profiles.load import merge_profile
from hdrmodel.training.config import TrainConfig
from hdrmodel.training.train import summarise, train
from stages.params import PARAMS, read_values, stage


@stage
@click.argument("variant")
@click.argument("seed", type=click.IntRange(0, 2**63 - 1))
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
def main(variant: str, seed: int, shards: Path, run: Path) -> None:
    """Train the VARIANT (a name in hdrmodel's VARIANTS) from SEED on the folder SHARDS into the folder RUN."""
    record = train(shards, run, variant, seed, read_training(variant))
    if record is not None:
        click.echo(summarise(record))


def read_training(variant: str) -> TrainConfig:
    """Check the section `train` of params.yaml, with what the section `train_of` replaces for a variant."""
    changes = read_values("train_of").get(variant, {})
    try:
        return TrainConfig.parse("train", merge_profile(read_values("train"), changes))
    except ValueError as error:
        raise ValueError(f"{PARAMS}: {error}") from error


if __name__ == "__main__":
    main()

"""The command `hdrmodel train`."""

from pathlib import Path

import click

from hdrdata.command import FolderOrUrl, OneLineErrors


@click.command(cls=OneLineErrors)
@click.argument("shards", type=FolderOrUrl(), required=False)
@click.argument("run", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--variant", "--attention", "variant", metavar="NAME", default="base", show_default=True,
              help="Network to train; `hdrmodel info` lists all variants.")  # fmt: skip
@click.option("--profile", type=click.Choice(["quick", "paper", "release"]), default="quick", show_default=True,
              help="quick: minutes on two CPU cores. paper: width 1 and 200,000 steps, for a GPU. release: light, "
                   "for --variant lightunet; hours on one core.")  # fmt: skip
@click.option("-s", "--set", "changes", multiple=True, metavar="NAME=VALUE",
              help="Replace a value of the profile; give it once per value. --show names them all.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True,
              help="Seed of the initial weights, and of the order, crops and augmentation of the samples.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Train a finished run again, and replace its weights.")
@click.option("--show", is_flag=True, help="Print the configuration as YAML, and train nothing.")
def train(
    shards: Path | str | None,
    run: Path | None,
    variant: str,
    profile: str,
    changes: tuple[str, ...],
    seed: int,
    overwrite: bool,
    show: bool,
) -> None:
    """Train a network on the folder or URL SHARDS into the folder RUN: weights.safetensors, run.json and dvclive/.

    Ctrl-C or SIGTERM saves the current step; the same command continues there and ends with the same weights.

    \b
    Spatial attention for an hour or so on two CPU cores:
        hdrmodel train data/shards runs/spatial --attention spatial -s steps=5000
    A network of another paper on the same data:
        hdrmodel train data/shards runs/expandnet --variant expandnet
    The paper's training on four GPUs, in bfloat16:
        torchrun --standalone --nproc-per-node 4 -m hdrmodel.cli train data/shards runs/paper \\
            --attention spatial --profile paper -s precision=bf16 -s compile=true
    """
    import yaml

    from hdrmodel.profiles.load import load_profile
    from hdrmodel.training.setup import WEIGHTS
    from hdrmodel.training.train import summarise
    from hdrmodel.training.train import train as train_variant

    config = load_profile(profile, changes)
    if show:
        click.echo(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), nl=False)
        return
    if shards is None or run is None:
        raise click.UsageError("expected the folders SHARDS and RUN")
    if (run / WEIGHTS).exists() and not overwrite:
        raise click.ClickException(
            f"{run / WEIGHTS}: a finished run; expected another folder, or --overwrite to replace it"
        )
    record = train_variant(shards, run, variant, seed, config)
    if record is not None:
        click.echo(f"{summarise(record)}\n{run / WEIGHTS}")

"""Stage evaluate: shards and weights -> scores of one variant."""

from pathlib import Path

import click

from hdrmodel.config import EvaluateConfig, TrainConfig
from hdrmodel.evaluation import evaluate
from stages.params import read_section, stage


@stage
@click.argument("variant")
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(file_okay=False, path_type=Path))
def main(variant: str, shards: Path, run: Path, scores: Path) -> None:
    """Measure the VARIANT in the folder RUN on the test part of SHARDS, into the folder SCORES."""
    config = read_section("evaluate", EvaluateConfig)
    summary = evaluate(shards, run, scores, variant, config, read_section("train", TrainConfig))
    for method, values in summary["scores"].items():
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if value is not None)
        click.echo(f"{variant} {method}: {shown}")
    if summary["lpips"].startswith("absent"):
        click.echo(f"LPIPS {summary['lpips']}", err=True)


if __name__ == "__main__":
    main()

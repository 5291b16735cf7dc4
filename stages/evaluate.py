"""Stage evaluate: shards and the weights of all seeds -> scores of one variant."""

from pathlib import Path

import click

from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.evaluation.evaluate import evaluate
from hdrmodel.evaluation.summary import format_scores
from stages.params import read_section, read_seeds, stage


@stage
@click.argument("variant")
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(file_okay=False, path_type=Path))
def main(variant: str, shards: Path, runs: Path, scores: Path) -> None:
    """Measure the VARIANT on the test part of SHARDS, with each seed's weights in RUNS, into the folder SCORES."""
    summary = evaluate(shards, runs, scores, variant, read_seeds(), read_section("evaluate", EvaluateConfig))
    click.echo("\n".join(format_scores(summary)))
    for why in summary["absent"].values():
        click.echo(f"absent: {why}", err=True)


if __name__ == "__main__":
    main()

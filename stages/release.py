"""Stage release: shards and the weights that come with the package -> their scores, a row of the report."""

from pathlib import Path

import click

from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.evaluation.evaluate import evaluate_release
from hdrmodel.release.files import WEIGHTS
from stages.params import read_section, stage


@stage
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(file_okay=False, path_type=Path))
def main(shards: Path, scores: Path) -> None:
    """Measure the shipped weights on the test part of SHARDS into the folder SCORES."""
    summary = evaluate_release(shards, WEIGHTS, scores, read_section("evaluate", EvaluateConfig))
    click.echo(f"{scores}: {summary['stacks']} stacks of {summary['scenes']} scenes")


if __name__ == "__main__":
    main()

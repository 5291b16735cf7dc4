"""Stage evaluate: shards and the weights of all seeds -> scores of one variant."""

from pathlib import Path

import click

from hdrmodel.config import EvaluateConfig
from hdrmodel.evaluation import evaluate
from stages.params import read_section, read_seeds, stage


@stage
@click.argument("variant")
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(file_okay=False, path_type=Path))
def main(variant: str, shards: Path, runs: Path, scores: Path) -> None:
    """Measure the VARIANT on the test part of SHARDS, with each seed's weights in RUNS, into the folder SCORES."""
    summary = evaluate(shards, runs, scores, variant, read_seeds(), read_section("evaluate", EvaluateConfig))
    for method, values in summary["scores"].items():
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if value is not None)
        click.echo(f"{variant} {method}: {shown}")
    if summary["lpips"].startswith("absent"):
        click.echo(f"LPIPS {summary['lpips']}", err=True)


if __name__ == "__main__":
    main()

"""Stage report: the runs and scores of all variants and seeds -> one HTML page, and the means for `dvc plots`."""

from pathlib import Path

import click

from hdrmodel.report.inputs import find_predictions
from hdrmodel.report.page import write_report
from stages.params import read_seeds, read_variants, stage


@stage
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("report", type=click.Path(file_okay=False, path_type=Path))
def main(runs: Path, scores: Path, report: Path) -> None:
    """Write the page index.html in the folder REPORT on all variants in the folders RUNS and SCORES.

    After the variants of params.yaml come the scored predictions of other programs that lie in SCORES too.
    """
    variants, seeds = read_variants(), read_seeds()
    variants += find_predictions(scores, variants)
    page = write_report(runs, scores, report, variants, seeds)
    trained = f"{', '.join(variants)}; seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    click.echo(f"{page}: {trained}; {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

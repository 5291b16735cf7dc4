"""Stage report: the runs and scores of all variants and seeds -> one HTML page, and the means for `dvc plots`."""

from pathlib import Path

import click

from hdrmodel.report.brief import format_brief
from hdrmodel.report.inputs import find_untrained, metrics_of
from hdrmodel.report.page import read_variants as read_scored
from hdrmodel.report.page import write_page
from stages.params import read_seeds, read_variants, stage


@stage
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("report", type=click.Path(file_okay=False, path_type=Path))
def main(runs: Path, scores: Path, report: Path) -> None:
    """Write the page index.html in the folder REPORT on all variants in the folders RUNS and SCORES.

    After the variants of params.yaml come the shipped weights and the predictions of other programs in SCORES.
    """
    variants, seeds = read_variants(), read_seeds()
    scored = read_scored(runs, scores, (*variants, *find_untrained(scores, variants)), seeds)
    page = write_page(scored, runs, report, seeds)
    click.echo("\n".join(format_brief(scored, metrics_of(scored[0].summary))))
    click.echo(page)


if __name__ == "__main__":
    main()

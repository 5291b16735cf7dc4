"""Stage report: the runs and scores of all variants -> one HTML page."""

from pathlib import Path

import click
import yaml

from hdrmodel.report import write_report
from stages.params import PARAMS, stage


def read_variants() -> tuple[str, ...]:
    """Read the list `variants` at the top level of params.yaml in the working folder.

    Raises:
        ValueError: if the file cannot be read or the list is not one of names.
    """
    try:
        params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{PARAMS}: cannot be read: {error}") from error
    variants = params.get("variants") if isinstance(params, dict) else None
    if not isinstance(variants, list) or not variants or not all(isinstance(name, str) for name in variants):
        raise ValueError(f"{PARAMS}: variants: wanted a list of names, got {variants!r}")
    return tuple(variants)


@stage
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("report", type=click.Path(file_okay=False, path_type=Path))
def main(runs: Path, scores: Path, report: Path) -> None:
    """Write the page index.html in the folder REPORT on all variants in the folders RUNS and SCORES."""
    variants = read_variants()
    page = write_report(runs, scores, report, variants)
    click.echo(f"{page}: {', '.join(variants)}; {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""The command `hdrmodel release`."""

import click

from hdrdata.command import OneLineErrors
from hdrmodel.release.files import CARD, SCENES


@click.command(cls=OneLineErrors)
@click.option("--scenes", is_flag=True, help="Print the list of training scenes with origin and licence, as CSV.")
@click.option("--catalog", is_flag=True, help="Print the training scenes as a catalog for `hdrdata fetch --catalog`.")
def release(scenes: bool, catalog: bool) -> None:
    """Print the model card of the shipped weights: data, recipe, scores, limits.

    \b
    The training scenes, downloaded again from where they were found:
        hdrmodel release --catalog > scenes.csv
        hdrdata fetch --catalog scenes.csv --out scenes
    """
    if scenes and catalog:
        raise click.UsageError("--scenes and --catalog: expected one of them")
    if catalog:
        from hdrmodel.release.catalog import training_catalog

        text, missing = training_catalog()
        click.echo(text, nl=False)
        for line in missing:
            click.echo(line, err=True)
        return
    click.echo((SCENES if scenes else CARD).read_text(encoding="utf-8"), nl=False)

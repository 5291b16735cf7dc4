"""The command `hdrmodel release`."""

import click

from hdrdata.command import OneLineErrors
from hdrmodel.release.names import CARD, SCENES


@click.command(cls=OneLineErrors)
@click.option("--scenes", is_flag=True, help="Print the scenes that the weights were trained on, as CSV.")
def release(scenes: bool) -> None:
    """Print the model card of the weights that come with the package: data, recipe, scores, limits.

    \b
    What `hdrmodel predict` uses where no other weights are named:
        hdrmodel release
    """
    click.echo((SCENES if scenes else CARD).read_text(encoding="utf-8"), nl=False)

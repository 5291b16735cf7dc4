"""Commands about camera response functions."""

import click
import numpy as np

from hdrdata.crf import named_crfs


@click.group()
def crf() -> None:
    """Camera response functions."""


@crf.command("list")
def list_crfs() -> None:
    """List the camera responses that have a name, with their values at two exposures.

    \b
    What 18 % grey becomes in each camera:
        hdrdata crf list
    """
    click.echo(f"{'name':28}{'f(0.18)':>8}{'f(0.5)':>8}")
    for name, response in named_crfs().items():
        grey, half = response(np.array([0.18, 0.5]))
        click.echo(f"{name:28}{grey:8.3f}{half:8.3f}")

"""The command `hdrmodel`: train networks, measure them, and use them on photographs."""

import click

from hdrdata.command import LazyGroup

PLACES = {
    "compare": "hdrmodel.cli.evaluate:compare",
    "evaluate": "hdrmodel.cli.evaluate:evaluate",
    "export": "hdrmodel.cli.predict:export",
    "info": "hdrmodel.cli.info:info",
    "predict": "hdrmodel.cli.predict:predict",
    "release": "hdrmodel.cli.release:release",
    "train": "hdrmodel.cli.train:train",
    "view": "hdrmodel.cli.view:view",
}


@click.group(cls=LazyGroup, places=PLACES)
@click.version_option(package_name="hdr-attnet")
def main() -> None:
    """Train networks that reconstruct HDR from one photograph, measure them, and use them on photographs."""

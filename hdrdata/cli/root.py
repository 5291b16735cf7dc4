"""The command `hdrdata`: look at HDR files, photograph them, and make, describe and verify a dataset."""

import click

from hdrdata.command import LazyGroup

PLACES = {
    "build": "hdrdata.cli.build:build",
    "card": "hdrdata.cli.about:card",
    "check": "hdrdata.cli.check:check",
    "crf": "hdrdata.cli.crf:crf",
    "export": "hdrdata.cli.layouts:export_shards",
    "expose": "hdrdata.cli.scenes:expose",
    "fetch": "hdrdata.cli.sources:fetch",
    "import": "hdrdata.cli.layouts:import_folder",
    "info": "hdrdata.cli.shards:info",
    "merge": "hdrdata.cli.sources:merge",
    "preview": "hdrdata.cli.about:preview",
    "repair": "hdrdata.cli.shards:repair",
    "sidecars": "hdrdata.cli.about:sidecars",
    "stats": "hdrdata.cli.about:stats",
    "verify": "hdrdata.cli.shards:verify",
}


@click.group(cls=LazyGroup, places=PLACES)
@click.version_option(package_name="hdr-attnet")
def main() -> None:
    """HDR images in; exact LDR stacks and WebDataset shards out.

    \b
    A dataset from a folder of HDR files:
        hdrdata build scenes/ dataset/ --view-size 256
    """

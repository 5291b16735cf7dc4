"""The command `hdrdata`: look at HDR files, photograph them, and make, describe and verify a dataset."""

import click

from hdrdata.cli.about import card, preview, sidecars, stats
from hdrdata.cli.build import build
from hdrdata.cli.crf import crf
from hdrdata.cli.layouts import export_shards, import_folder
from hdrdata.cli.scenes import check, expose
from hdrdata.cli.shards import info, repair, verify
from hdrdata.cli.sources import fetch, merge
from hdrdata.command import OneLineErrorsGroup


@click.group(cls=OneLineErrorsGroup)
@click.version_option(package_name="hdr-attnet")
def main() -> None:
    """HDR images in; exact LDR stacks and WebDataset shards out.

    \b
    A dataset from a folder of HDR files:
        hdrdata build scenes/ dataset/ --view-size 256
    """


for command in (
    build,
    card,
    check,
    crf,
    export_shards,
    expose,
    fetch,
    import_folder,
    info,
    merge,
    preview,
    repair,
    sidecars,
    stats,
    verify,
):
    main.add_command(command)

"""Stage synthesize: views -> stacks of LDR pictures, one tar a view."""

from pathlib import Path

import click

from hdrdata.files.disk import INDEX, read_json
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.views.view import read_views
from stages.params import read_forms, read_run, read_section, stage


@stage
@click.argument("views", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("stacks", type=click.Path(file_okay=False, path_type=Path))
def main(views: Path, stacks: Path) -> None:
    """Photograph the views of the folder VIEWS with the recipe's cameras into tars in the folder STACKS."""
    config = read_section("synthesize", SynthesizeConfig, **read_run())
    outcome = synthesize_stacks(read_views(views), views, stacks, config, read_forms())
    pictures = read_json(stacks / INDEX)["pictures_a_view"]
    size = sum(file["size"] for row in outcome.rows.values() for file in row["files"].values())
    click.echo(f"views: {outcome.summary()}; {pictures * len(outcome.rows)} LDR pictures, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

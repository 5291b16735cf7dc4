"""Stage ingest: scenes -> views, half floats with a mean of 0.5."""

from pathlib import Path

import click

from hdrdata.scenes.scene import read_scenes
from hdrdata.views.ingest import describe_views, ingest_scenes
from hdrdata.views.view import IngestConfig, read_views
from stages.params import read_run, read_section, stage


@stage
@click.argument("scenes", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("views", type=click.Path(file_okay=False, path_type=Path))
def main(scenes: Path, views: Path) -> None:
    """Make the views of the scenes listed in SCENES in the folder VIEWS."""
    config = read_section("ingest", IngestConfig, **read_run())
    folder, listed = read_scenes(scenes)
    outcome = ingest_scenes(listed, folder, views, config)
    click.echo(f"scenes: {outcome.summary()}")
    for refusal in outcome.refused:
        click.echo(f"refused: {refusal.reason}", err=True)
    for line in describe_views(read_views(views), config, outcome.rows):
        click.echo(line)


if __name__ == "__main__":
    main()

"""Stage shard: stacks -> shards that any WebDataset reader streams, with an index of every sample."""

from pathlib import Path

import click

from hdrdata.shards.pack import ShardConfig, shard_stacks
from stages.params import read_forms, read_run, read_section, stage


@stage
@click.argument("stacks", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("shards", type=click.Path(file_okay=False, path_type=Path))
def main(stacks: Path, shards: Path) -> None:
    """Pack the tars of the folder STACKS into shards in the folder SHARDS."""
    forms = read_forms()
    config = read_section("shard", ShardConfig, form="both" if len(forms) > 1 else next(iter(forms)))
    outcome = shard_stacks(stacks, shards, config, **read_run())
    for form in ("pixels", "radiance"):
        rows = {name: row for name, row in outcome.rows.items() if row["form"] == form}
        if rows:
            samples = sum(len(row["samples"]) for row in rows.values())
            size = sum(row["files"][name]["size"] for name, row in rows.items())
            click.echo(f"{form}: {samples} samples in {len(rows)} shards, {size / 1e6:.1f} MB")
    click.echo(f"shards: {outcome.summary()}")


if __name__ == "__main__":
    main()

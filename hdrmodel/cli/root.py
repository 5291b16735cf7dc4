"""The command `hdrmodel`: train networks, measure them, and use them on photographs."""

from importlib import import_module

import click

from hdrdata.command import OneLineErrorsGroup

FILES = {  # each imported when it is called: what `train` needs takes seconds, and `view` needs none of it
    "compare": "evaluate",
    "evaluate": "evaluate",
    "export": "predict",
    "info": "info",
    "predict": "predict",
    "train": "train",
    "view": "view",
}


class LazyGroup(OneLineErrorsGroup):
    """A group of the commands of `FILES`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(FILES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in FILES:
            return None
        return getattr(import_module(f"hdrmodel.cli.{FILES[cmd_name]}"), cmd_name)


@click.group(cls=LazyGroup)
@click.version_option(package_name="hdr-attnet")
def main() -> None:
    """Train networks that reconstruct HDR from one photograph, measure them, and use them on photographs."""

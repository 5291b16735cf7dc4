"""Commands that are imported when called and report a mistake in one line, for hdrdata, hdrmodel and the stages."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from hdrdata.machine import share_the_machine
from hdrdata.terminal import one_line

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(path_type=Path)


class FolderOrUrl(click.ParamType):
    """A folder that exists, as a Path; or a URL, as text, which a Path would damage."""

    name = "folder or url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        if "://" in str(value):
            return str(value)
        return FOLDER.convert(value, param, ctx)


class OneLineErrors(click.Command):
    """Command that reports a problem with its input or the disk, or an interruption, in one line (exit code 1 or 130).

    Exceptions other than ValueError and OSError are our own mistakes and keep their traceback.
    """

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:
            raise click.ClickException(one_line(error)) from error
        except KeyboardInterrupt:
            click.echo("interrupted; run it again to continue from here", err=True)
            sys.exit(130)


class LazyGroup(OneLineErrors, click.Group):
    """Group of commands, each in a file that is imported when the command or its help is called.

    The files import libraries inside their functions: NumPy alone takes longer than a help text may.

    Args:
        places: place of each command by name: "package.module:function".
    """

    def __init__(self, *arguments: Any, places: dict[str, str], **options: Any):
        super().__init__(*arguments, **options)
        self.places = places

    def invoke(self, ctx: click.Context) -> object:
        share_the_machine()
        return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, _, function = self.places[cmd_name].partition(":")
        return getattr(import_module(module), function)

"""Commands whose mistakes are one line, loaded when called: the way of hdrdata, of hdrmodel and of the stages.

And how their processes share a machine: how many cores they may use, and how their threads wait.
"""

import math
import os
import sys
from importlib import import_module
from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(path_type=Path)


class FolderOrUrl(click.ParamType):
    """A folder that exists, as a Path; or a URL, as text, which a Path would damage."""

    name = "folder or url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        if "://" in str(value):
            return str(value)
        return FOLDER.convert(value, param, ctx)


QUOTAS = Path("/sys/fs/cgroup/cpu.max")  # of a container, cgroup v2: "<microseconds> <of a period>", or "max ..."
SPINS = "10000"  # some tens of microseconds


def available_cores() -> int:
    """Cores that this process may use: of the machine, of its affinity, of its container's quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTAS.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such quota
        return cores


def share_the_machine() -> None:
    """Let threads that wait sleep soon, and start no more of them than there are cores; before PyTorch is imported.

    GNU OpenMP's threads spin for milliseconds, and on cores that others use too they spin against each other. What the
    user has set stays.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    os.environ.setdefault("OMP_NUM_THREADS", str(available_cores()))


def printable(text: str, limit: int | None = None) -> str:
    """Escape the characters that steer a terminal or reorder a line: line breaks, control and format characters.

    Bytes of file names that are not UTF-8 are shown as \\xe9 and so on.

    Args:
        limit: the most characters of the result; longer texts end in "...".
    """
    kept = text if limit is None else text[: limit + 1]
    shown = "".join(letter if letter.isprintable() else _escaped(letter) for letter in kept)
    return shown if limit is None or len(shown) <= limit else f"{shown[: limit - 3]}..."


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte that `os.fsdecode` could not decode
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()


def one_line(error: Exception) -> str:
    """Return an error's message in one line, as a terminal may show it."""
    return printable(" ".join(str(error).split()))


class OneLineErrors(click.Command):
    """A command that says in one line what was wrong with its input or the disk (exit code 1), or that it was stopped.

    Anything but ValueError and OSError is our own mistake and keeps its traceback.
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
    """A group of such commands, each in a file that is imported when the command is called, or its help is asked for.

    The files import what they work with inside their functions: NumPy alone takes longer than a help text may.

    Args:
        places: by the command's name, where it is: "package.module:function".
    """

    def __init__(self, *arguments: object, places: dict[str, str], **options: object):
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

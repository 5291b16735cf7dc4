"""How long each help text takes to appear, beside Python that does nothing.

    python benchmarks/help.py

Each command's `--help` in a process of its own, the median of `--runs`; wanted: 0.3 s at most on an idle core.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module

import click

WANTED_SECONDS = 0.3


def commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """A command and all below it, as words."""
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from commands(command.get_command(click.Context(command), name), (*words, name))


def seconds(code: str, runs: int) -> float:
    """The median time of a process that runs `code`."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@click.command()
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Of each command.")
def main(runs: int) -> None:
    """Print the seconds of every help text of hdrdata and hdrmodel."""
    print(f"{'python -c pass':<28}{seconds('pass', runs):6.3f} s")
    for program in ("hdrdata", "hdrmodel"):
        for words in commands(import_module(f"{program}.cli").main, (program,)):
            code = f"import sys; sys.argv = {[*words, '--help']!r}; from {program}.cli import main; main()"
            taken = seconds(code, runs)
            print(f"{' '.join(words):<28}{taken:6.3f} s{'' if taken <= WANTED_SECONDS else '  over what is wanted'}")


if __name__ == "__main__":
    main()

"""A command called in this process."""

import click
from click.testing import CliRunner, Result


def run(program: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(program, [str(argument) for argument in arguments])


def printed_by(program: click.Command, *arguments: object) -> str:
    """Return what a command that succeeds prints."""
    result = run(program, *arguments)
    assert result.exit_code == 0, result.output
    return result.output

"""Commands whose mistakes are one line: the way of hdrdata, of hdrmodel and of the stages."""

import sys

import click


class OneLineErrors(click.Command):
    """A command that says in one line what was wrong with its input or the disk (exit code 1), or that it was stopped.

    Anything but ValueError and OSError is our own mistake and keeps its traceback.
    """

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except KeyboardInterrupt:
            click.echo("interrupted; run it again to go on from here", err=True)
            sys.exit(130)


class OneLineErrorsGroup(OneLineErrors, click.Group):
    """A group of such commands."""

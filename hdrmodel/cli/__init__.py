"""The command `hdrmodel`; a file a subject."""

from hdrmodel.cli.root import main

__all__ = ["main"]

"""The command `hdrdata`; a file a subject."""

from hdrdata.cli.root import main

__all__ = ["main"]

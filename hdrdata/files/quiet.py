"""Decoders that write to the terminal, kept off it; what they say becomes part of an error."""

import contextlib
import io
import os
from collections.abc import Iterator

import cv2


@contextlib.contextmanager
def collected_messages() -> Iterator[io.StringIO]:
    """Collect what the OpenEXR bindings print, and keep the lines that the library itself writes off the terminal."""
    printed = io.StringIO()
    with quiet_decoders(), contextlib.redirect_stdout(printed):
        yield printed


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what libraries in C write to standard error, which names no file, off the terminal."""
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's warnings, which name no file, off the terminal."""
    log = cv2.utils.logging
    previous = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(previous)

"""Keep memory between pictures, and name the picture in the error when there is not enough of it."""

import contextlib
import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # mallopt's parameters, <malloc.h> of the GNU C library


def keep_memory() -> None:
    """Let this process keep what it frees, for its own next use: for programs, not for libraries.

    By default the GNU C library gives each block of over 32 MB back to the system, which clears every page of the next
    one. Features of whole photographs are such blocks: measured, half of a subnetwork's time at 1920x1080. Elsewhere
    nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextlib.contextmanager
def memory_errors_named(photo: Path) -> Iterator[None]:
    """Raise a ValueError that names the photograph where memory does not suffice for it."""
    try:
        yield
    except (ValueError, OSError):
        raise
    except Exception as error:  # PyTorch, ONNX Runtime and OpenCV each have their own kinds of it
        if not isinstance(error, MemoryError) and not re.search("memory|alloc", str(error), re.IGNORECASE):
            raise
        raise ValueError(f"{photo}: not enough memory; a smaller --tile needs less") from error

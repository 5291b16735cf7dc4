"""Portable float maps."""

import re
from pathlib import Path

import numpy as np

from hdrdata.files.claims import check_claim
from hdrdata.files.hdr.colour import Colour
from hdrdata.files.hdr.stated import AS_STATED, Override, Stated

HEAD = 65536  # bytes in which a header ends
GAP = rb"(?:\s|#[^\n]*\n)+"  # a comment ends with its line
NUMBER = rb"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)"
HEADER = re.compile(rb"P([Ff])" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})" + GAP + NUMBER + rb"(?=\s|#)")
ENDS = (re.compile(rb"\s"), re.compile(rb"\r\n"), re.compile(rb"[ \t]*#[^\n]*\n"))  # of a header, the usual first


def read_pfm(path: Path, override: Override = AS_STATED) -> tuple[np.ndarray, Stated]:
    """Read a colour or grey float map as linear RGB.

    The header is words separated by white space and comments; one white space ends it. A negative scale means that the
    bytes are little endian. Its size multiplies the values, as in OpenImageIO: light = stored * |scale|.

    Returns:
        float32 (height, width, 3), the top row first.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    found = HEADER.match(head)
    if not found:
        raise ValueError(f"{path}: not a readable .pfm file: expected PF or Pf, a width, a height and a scale")
    scale = float(found[4])
    if not 0 < abs(scale) < np.finfo(np.float32).max:
        raise ValueError(f"{path}: scale {found[4].decode()}; expected 1 or -1, or another number than 0")
    width, height, channels = int(found[2]), int(found[3]), 3 if found[1] == b"F" else 1
    check_claim(path, width, height, width * height * channels * 4)
    start = _start(path, head, found.end(), width * height * channels * 4)
    stored = np.fromfile(path, ">f4" if scale > 0 else "<f4", width * height * channels, offset=start)
    pixels = np.ascontiguousarray(stored.reshape(height, width, channels)[::-1], np.float32)
    if abs(scale) != 1:
        with np.errstate(over="ignore", invalid="ignore"):
            pixels *= np.float32(abs(scale))
    pixels = np.repeat(pixels, 3, axis=2) if channels == 1 else pixels
    converted = (f"scale {abs(scale):g}",) if abs(scale) != 1 else ()
    try:
        colour = Colour.stated(Colour, override)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return colour.to_rec709(pixels), Stated((*converted, *colour.named))


def _start(path: Path, head: bytes, end: int, expected: int) -> int:
    """Return where the pixels begin: of the ways in which a header can end, that with which the file is full."""
    size = path.stat().st_size
    starts = [found.end() for found in (way.match(head, end) for way in ENDS) if found]
    fitting = [start for start in starts if start + expected == size] or [x for x in starts if x + expected <= size]
    if not fitting:
        raise ValueError(f"{path}: cut short: {size} bytes, expected {(starts or [end])[0] + expected}")
    return fitting[0]

"""Boxes of ISO 14496-12."""

import struct
from collections.abc import Iterator

HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"jp2h": 0}  # boxes of boxes, and what stands before those


def walk(content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of ISO 14496-12 by type, and where their contents begin and end."""
    end = len(content) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        head = 8
        if size == 1 and start + 16 <= end:
            (size,), head = struct.unpack_from(">Q", content, start + 8), 16
        stop = end if size == 0 else min(start + size, end)
        if stop < start + head:
            return
        yield kind, start + head, stop
        if kind in HOLDERS:
            yield from walk(content, start + head + HOLDERS[kind], stop)
        start = stop


def top_level(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of the boxes that are in no other."""
    end = 0
    for kind, start, stop in walk(content):
        if start > end:
            end = stop
            yield kind, content[start:stop]


def first(content: bytes, kind: bytes) -> bytes:
    """The contents of the first box of a type; empty if there is none."""
    return next((content[start:stop] for found, start, stop in walk(content) if found == kind), b"")

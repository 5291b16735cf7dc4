"""OpenEXR headers whose text is not UTF-8, rewritten so that the bindings, which decode all of it, read the pixels."""

import contextlib
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"\x76\x2f\x31\x01"
LONG_NAMES, MULTI_PART = 0x400, 0x1000  # flags of the version
FIRST_BYTES, MOST_HEADER = 2**16, 2**24  # of a file, in which its header is sought
Attribute = tuple[bytes, bytes, bytes]  # name, type, value


@contextlib.contextmanager
def with_plain_text(path: Path) -> Iterator[Path]:
    """Give the file itself, or, while the block runs, a copy whose header is the same in UTF-8.

    Text that is not UTF-8 is taken as Latin-1, which keeps the order of the channels' names and so their pixels.
    """
    rewritten = None
    for size in (FIRST_BYTES, MOST_HEADER):
        with path.open("rb") as file:
            head = file.read(size)
        with contextlib.suppress(struct.error, ValueError, IndexError):  # longer, or damaged, which the bindings name
            rewritten = _rewritten(head)
            break
        if len(head) < size:
            break
    if rewritten is None:
        yield path
        return
    new, end = rewritten
    with tempfile.NamedTemporaryFile(suffix=".exr") as copy, path.open("rb") as file:
        copy.write(new)
        file.seek(end)
        offsets = _offsets(file.read(MOST_HEADER), end, path.stat().st_size)
        copy.write(struct.pack(f"<{len(offsets)}Q", *((offset + len(new) - end) % 2**64 for offset in offsets)))
        file.seek(end + 8 * len(offsets))
        while piece := file.read(2**24):
            copy.write(piece)
        copy.flush()
        yield Path(copy.name)


def _rewritten(head: bytes) -> tuple[bytes, int] | None:
    """Return the header in UTF-8 and where the old one ends; None if it is UTF-8 already, or the file is no OpenEXR."""
    if head[:4] != MAGIC:
        return None
    (version,) = struct.unpack_from("<I", head, 4)
    parts, place = [], 8
    while True:
        attributes, place = _attributes(head, place)
        parts.append(attributes)
        if not version & MULTI_PART or head[place : place + 1] == b"\0":
            break
    place += bool(version & MULTI_PART)
    plain = [[tuple(map(bytes, _plain(attribute))) for attribute in part] for part in parts]
    if plain == parts:
        return None
    written = [b"".join(name + b"\0" + kind + b"\0" + struct.pack("<I", len(value)) + value
                        for name, kind, value in part) + b"\0" for part in plain]  # fmt: skip
    end = b"\0" if version & MULTI_PART else b""
    return MAGIC + struct.pack("<I", version | LONG_NAMES) + b"".join(written) + end, place


def _attributes(head: bytes, place: int) -> tuple[list[Attribute], int]:
    """Return the attributes of a part's header that begins at `place`, and where it ends."""
    attributes = []
    while head[place] != 0:
        name, place = _text(head, place)
        kind, place = _text(head, place)
        (size,) = struct.unpack_from("<I", head, place)
        value = head[place + 4 : place + 4 + size]
        if len(value) < size:
            raise ValueError("a header that does not end")
        attributes.append((name, kind, value))
        place += 4 + size
    return attributes, place + 1


def _text(content: bytes, place: int) -> tuple[bytes, int]:
    end = content.index(b"\0", place)
    return content[place:end], end + 1


def _plain(attribute: Attribute) -> Attribute:
    """Return an attribute with its text in UTF-8."""
    name, kind, value = attribute
    if kind == b"string":
        value = _utf8(value)
    elif kind == b"stringvector":
        texts, place = [], 0
        while place < len(value):
            (size,) = struct.unpack_from("<I", value, place)
            texts.append(_utf8(value[place + 4 : place + 4 + size]))
            place += 4 + size
        value = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    elif kind == b"chlist":
        names, rest, place = [], [], 0
        while value[place] != 0:
            text, place = _text(value, place)
            names.append(text)
            rest.append(value[place : place + 16])
            place += 16
        if any(_utf8(text) != text for text in names):  # all of them, which keeps their order
            names = [text.decode("latin-1").encode() for text in names]
        value = b"".join(text + b"\0" + more for text, more in zip(names, rest, strict=True)) + b"\0"
    return _utf8(name), _utf8(kind), value


def _utf8(text: bytes) -> bytes:
    try:
        text.decode()
        return text
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()


def _offsets(content: bytes, end: int, size: int) -> list[int]:
    """Return the table of chunks behind a header that ends at `end`: it ends where the first chunk begins."""
    offsets: list[int] = []
    first = size
    while end + 8 * len(offsets) < first and 8 * len(offsets) + 8 <= len(content):
        (offset,) = struct.unpack_from("<Q", content, 8 * len(offsets))
        offsets.append(offset)
        if offset > end:
            first = min(first, offset)
    return offsets

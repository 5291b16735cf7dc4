"""EXIF in an AVIF: an item of its own beside the picture, as HEIF (ISO 23008-12, annex A) has it."""

import struct
from collections.abc import Iterator


def with_exif(avif: bytes, exif: bytes) -> bytes:
    """An AVIF, as libavif writes it, with a block of EXIF.

    The item is listed (iinf), described as the primary one's (iref), placed (iloc), and its bytes are in a box of
    their own behind all others; what stands behind the list moves by as much as that grows.
    """
    meta, end = next((start, stop) for kind, start, stop in _boxes(avif, 0, len(avif)) if kind == b"meta")
    inside = {kind: avif[start:stop] for kind, start, stop in _boxes(avif, meta + 4, end)}
    (primary,) = struct.unpack_from(">H", inside[b"pitm"], 4)
    version, count = inside[b"iinf"][0], struct.unpack_from(">H", inside[b"iinf"], 4)[0]
    assert version == 0 and inside[b"pitm"][0] == 0, "libavif writes another kind of list"
    number = 1 + max(struct.unpack_from(">H", inside[b"iinf"], start + 4)[0] for _, start, _ in
                     _boxes(inside[b"iinf"], 6, len(inside[b"iinf"])))  # fmt: skip
    entry = _box(b"infe", struct.pack(">IHH4sB", 2 << 24, number, 0, b"Exif", 0))
    inside[b"iinf"] = inside[b"iinf"][:4] + struct.pack(">H", count + 1) + inside[b"iinf"][6:] + entry
    reference = _box(b"cdsc", struct.pack(">HHH", number, 1, primary))
    inside[b"iref"] = inside.get(b"iref", bytes(4)) + reference
    grown = len(_placed(inside[b"iloc"], number, 0, 0, 0)) - len(inside[b"iloc"])
    old = end - meta
    new = 4 + sum(8 + len(content) for content in inside.values()) + grown
    content = struct.pack(">I", 0) + exif  # where TIFF's head begins
    inside[b"iloc"] = _placed(inside[b"iloc"], number, new - old, len(avif) + new - old + 8, len(content))
    made = _box(b"meta", avif[meta : meta + 4] + b"".join(_box(kind, body) for kind, body in inside.items()))
    assert len(made) == 8 + new, "the list has grown otherwise"
    return avif[: meta - 8] + made + avif[end:] + _box(b"mdat", content)


def _placed(iloc: bytes, number: int, moved: int, offset: int, length: int) -> bytes:
    """The places of items, each `moved`, and one more."""
    version, sizes, bases, count = iloc[0], iloc[4], iloc[5], struct.unpack_from(">H", iloc, 6)[0]
    assert version in (0, 1) and sizes == 0x44 and bases == 0, "libavif writes another kind of places"
    head = ">HHHH" if version == 1 else ">HHH"  # number, how it is built, whose data, extents
    out, place = iloc[:6] + struct.pack(">H", count + 1), 8
    for _ in range(count):
        fields = struct.unpack_from(head, iloc, place)
        out += iloc[place : place + struct.calcsize(head)]
        place += struct.calcsize(head)
        for _ in range(fields[-1]):
            start, size = struct.unpack_from(">II", iloc, place)
            out += struct.pack(">II", start + moved, size)
            place += 8
    last = (number, 0, 0, 1) if version == 1 else (number, 0, 1)
    return out + struct.pack(head, *last) + struct.pack(">II", offset, length)


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        yield kind, start + 8, start + size
        start += size


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content

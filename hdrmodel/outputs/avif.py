"""EXIF, XMP and light levels in an AVIF, as HEIF (ISO 23008-12) and CTA-861.3 have them."""

import struct
from collections.abc import Iterator

RDF = "application/rdf+xml"


def with_metadata(
    avif: bytes, exif: bytes | None, xmp: bytes | None, levels: tuple[float, float] | None = None
) -> bytes:
    """Return an AVIF, as libavif writes it, with items of EXIF and XMP, and with MaxCLL and MaxFALL.

    An item is listed (iinf), described as the primary one's (iref) and placed (iloc); its bytes are in a box of their
    own behind all others. Light levels are a property of the primary item (clli). What stands behind the meta box moves
    by as much as that grows.

    Args:
        exif: a TIFF stream.
        xmp: a packet.
        levels: MaxCLL and MaxFALL in cd/m2.
    """
    added = [(b"Exif", b"\0", struct.pack(">I", 0) + exif)] if exif else []  # 0: where TIFF's head begins
    added += [(b"mime", f"\0{RDF}\0".encode(), xmp)] if xmp else []
    meta, end = next((start, stop) for kind, start, stop in _boxes(avif, 0, len(avif)) if kind == b"meta")
    inside = {kind: avif[start:stop] for kind, start, stop in _boxes(avif, meta + 4, end)}
    (primary,) = struct.unpack_from(">H", inside[b"pitm"], 4)
    version, count = inside[b"iinf"][0], struct.unpack_from(">H", inside[b"iinf"], 4)[0]
    assert version == 0 and inside[b"pitm"][0] == 0, "libavif writes another kind of list"
    number = max(struct.unpack_from(">H", inside[b"iinf"], start + 4)[0] for _, start, _ in
                 _boxes(inside[b"iinf"], 6, len(inside[b"iinf"])))  # fmt: skip
    numbered = list(enumerate(added, start=number + 1))
    entries = b"".join(_box(b"infe", struct.pack(">IHH4s", 2 << 24, at, 0, kind) + rest)
                       for at, (kind, rest, _) in numbered)  # fmt: skip
    inside[b"iinf"] = inside[b"iinf"][:4] + struct.pack(">H", count + len(added)) + inside[b"iinf"][6:] + entries
    references = b"".join(_box(b"cdsc", struct.pack(">HHH", at, 1, primary)) for at, _ in numbered)
    if added:
        inside[b"iref"] = inside.get(b"iref", bytes(4)) + references
    if levels is not None:
        clli = _box(b"clli", struct.pack(">HH", *(min(max(round(nits), 1), 65535) for nits in levels)))
        inside[b"iprp"] = _with_property(inside[b"iprp"], primary, clli)
    places = [(at, len(content)) for at, (_, _, content) in numbered]
    grown = len(_placed(inside[b"iloc"], places, 0, 0)) - len(inside[b"iloc"])
    new = 4 + sum(8 + len(content) for content in inside.values()) + grown
    moved = new - (end - meta)
    inside[b"iloc"] = _placed(inside[b"iloc"], places, moved, len(avif) + moved + 8)
    made = _box(b"meta", avif[meta : meta + 4] + b"".join(_box(kind, body) for kind, body in inside.items()))
    assert len(made) == 8 + new, "the list has grown otherwise"
    behind = _box(b"mdat", b"".join(content for _, _, content in added)) if added else b""
    return avif[: meta - 8] + made + avif[end:] + behind


def _with_property(iprp: bytes, item: int, described: bytes) -> bytes:
    """Return the properties with one more, of one item."""
    inside = {kind: iprp[start:stop] for kind, start, stop in _boxes(iprp, 0, len(iprp))}
    index = 1 + sum(1 for _ in _boxes(inside[b"ipco"], 0, len(inside[b"ipco"])))
    ipma = inside[b"ipma"]
    assert ipma[:4] == bytes(4) and index < 128, "libavif writes another kind of properties"
    out, place = bytearray(ipma[:8]), 8
    for _ in range(struct.unpack_from(">I", ipma, 4)[0]):
        number, count = struct.unpack_from(">HB", ipma, place)
        own = ipma[place + 3 : place + 3 + count] + (bytes([index]) if number == item else b"")
        out += struct.pack(">HB", number, len(own)) + own
        place += 3 + count
    return _box(b"ipco", inside[b"ipco"] + described) + _box(b"ipma", bytes(out))


def _placed(iloc: bytes, more: list[tuple[int, int]], moved: int, offset: int) -> bytes:
    """Return the places of items, each `moved`, and of more, given as number and length, in a row from `offset`."""
    version, sizes, bases, count = iloc[0], iloc[4], iloc[5], struct.unpack_from(">H", iloc, 6)[0]
    assert version in (0, 1) and sizes == 0x44 and bases == 0, "libavif writes another kind of places"
    head = ">HHHH" if version == 1 else ">HHH"  # number, how it is built, whose data, extents
    out, place = iloc[:6] + struct.pack(">H", count + len(more)), 8
    for _ in range(count):
        fields = struct.unpack_from(head, iloc, place)
        out += iloc[place : place + struct.calcsize(head)]
        place += struct.calcsize(head)
        for _ in range(fields[-1]):
            start, size = struct.unpack_from(">II", iloc, place)
            out += struct.pack(">II", start + moved, size)
            place += 8
    for number, length in more:
        out += struct.pack(head, *((number, 0, 0, 1) if version == 1 else (number, 0, 1)))
        out += struct.pack(">II", offset, length)
        offset += length
    return out


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        yield kind, start + 8, start + size
        start += size


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content

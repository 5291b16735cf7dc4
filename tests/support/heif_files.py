"""Write HEIF and AVIF files of several items, which the encoders in Python do not."""

import io
import struct
from dataclasses import dataclass, field

from hdrdata.photos.boxes.items import read_items


@dataclass
class Item:
    """An item of a file: its four letters, its bytes, and its properties."""

    kind: bytes
    data: bytes
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    hidden: bool = False


def item_of(encoded: bytes) -> Item:
    """Return the photograph of a file that an encoder wrote."""
    items = read_items(encoded)
    return Item(items.kinds[items.primary], items.data(items.primary), items.properties[items.primary])


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def compose(brand: bytes, items: list[Item], references: list[tuple[bytes, int, list[int]]]) -> bytes:
    """Return a file whose items are numbered from 1; the first is the photograph."""
    ftyp = box(b"ftyp", brand + bytes(4) + b"mif1" + brand)
    every = [prop for item in items for prop in item.properties]
    infe = b"".join(
        box(b"infe", struct.pack(">IHH4s", 0x02000000 | item.hidden, number, 0, item.kind) + b"\0")
        for number, item in enumerate(items, 1)
    )
    ipma, index = struct.pack(">II", 0, len(items)), 0
    for number, item in enumerate(items, 1):
        ipma += struct.pack(">HB", number, len(item.properties))
        for kind, _ in item.properties:
            index += 1
            ipma += bytes([index | (0x80 if kind in (b"hvcC", b"av1C", b"clap") else 0)])
    ipco = box(b"ipco", b"".join(box(kind, content) for kind, content in every))
    iref = b"".join(
        box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))
        for kind, source, targets in references
    )

    def meta(start: int) -> bytes:
        iloc = io.BytesIO()
        iloc.write(struct.pack(">IBBH", 0, 0x44, 0, len(items)))
        for number, item in enumerate(items, 1):
            iloc.write(struct.pack(">HHHII", number, 0, 1, start, len(item.data)))
            start += len(item.data)
        return box(
            b"meta",
            bytes(4)
            + box(b"hdlr", bytes(8) + b"pict" + bytes(13))
            + box(b"pitm", struct.pack(">IH", 0, 1))
            + box(b"iloc", iloc.getvalue())
            + box(b"iinf", struct.pack(">IH", 0, len(items)) + infe)
            + (box(b"iref", bytes(4) + iref) if references else b"")
            + box(b"iprp", ipco + box(b"ipma", ipma)),
        )

    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box(b"mdat", b"".join(item.data for item in items))

"""The items of a HEIF or AVIF file (ISO 23008-12): the photograph, its properties, and its gain map."""

import struct
from dataclasses import dataclass, field, replace

from hdrdata.photos.boxes.walk import walk
from hdrdata.photos.formats.decoded import Decoded

APPLE_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
MOST = 2**16  # items, properties and references that are looked at


@dataclass
class Items:
    """Facts in the meta box, by item."""

    content: bytes
    primary: int = 0
    pitm: int = 0  # where the primary item's number stands
    wide: bool = False  # in 4 bytes
    kinds: dict[int, bytes] = field(default_factory=dict)
    flags: dict[int, int] = field(default_factory=dict)  # where the last byte of an item's flags stands
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    properties: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def of(self, item: int, kind: bytes) -> bytes:
        """Return the first property of a kind; empty if there is none."""
        return next((content for name, content in self.properties.get(item, ()) if name == kind), b"")

    def data(self, item: int) -> bytes:
        return b"".join(self.content[start : start + size] for start, size in self.extents.get(item, ()))

    def tone_map(self) -> tuple[int, bytes] | None:
        """Return the item of the gain map of ISO 21496-1 over the primary item, and its metadata."""
        for kind, source, targets in self.references:
            if (
                kind == b"dimg"
                and self.kinds.get(source) == b"tmap"
                and len(targets) == 2
                and targets[0] == self.primary
            ):
                return targets[1], self.data(source)[1:]  # behind a version
        return None

    def has_apple_map(self) -> bool:
        return any(self.of(item, b"auxC")[4:].startswith(APPLE_MAP) for item in self.properties)

    def with_primary(self, item: int) -> bytes:
        """Return the file with another item as the photograph, for decoders that decode no other."""
        changed = bytearray(self.content)
        struct.pack_into(">I" if self.wide else ">H", changed, self.pitm, item)
        if item in self.flags:
            changed[self.flags[item]] &= 0xFE  # not hidden
        return bytes(changed)


def read_items(content: bytes) -> Items:
    """Read the items of a file; what is damaged or cut short is left out."""
    items = Items(content)
    contained: list[tuple[bytes, bytes]] = []
    inside = 0
    for kind, start, stop in walk(content):
        try:
            if start < inside:
                contained.append((kind, content[start:stop]))
            elif kind == b"ipco":
                inside = stop
            elif kind == b"pitm":
                items.wide, items.pitm = content[start] > 0, start + 4
                (items.primary,) = struct.unpack_from(">I" if items.wide else ">H", content, start + 4)
            elif kind == b"iinf":
                _read_kinds(items, start, stop)
            elif kind == b"iref":
                _read_references(items, start, stop)
            elif kind == b"iloc":
                _read_extents(items, start, stop)
            elif kind == b"ipma":
                _read_properties(items, start, contained)
        except (struct.error, IndexError):
            continue
    return items


def _read_kinds(items: Items, start: int, stop: int) -> None:
    content = items.content
    for kind, place, _ in walk(content, start + (8 if content[start] else 6), stop):
        if kind == b"infe" and content[place] >= 2:
            wide = content[place] >= 3
            (number,) = struct.unpack_from(">I" if wide else ">H", content, place + 4)
            items.kinds[number] = content[place + (10 if wide else 8) : place + (14 if wide else 12)]
            items.flags[number] = place + 3


def _read_references(items: Items, start: int, stop: int) -> None:
    content, form = items.content, "I" if items.content[start] else "H"
    for kind, place, _ in walk(content, start + 4, stop):
        source, count = struct.unpack_from(f">{form}H", content, place)
        targets = struct.unpack_from(f">{count}{form}", content, place + struct.calcsize(f">{form}H"))
        items.references.append((kind, source, list(targets)))


def _read_extents(items: Items, start: int, stop: int) -> None:
    content, version = items.content, items.content[start]
    sizes, place = struct.unpack_from(">H", content, start + 4)[0], start + 6
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))

    def take(size: int) -> int:
        nonlocal place
        place += size
        if place > stop:
            raise IndexError
        return int.from_bytes(content[place - size : place], "big")

    for _ in range(take(4 if version == 2 else 2)):
        number = take(4 if version == 2 else 2)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(base_size)
        extents = []
        for _ in range(take(2)):
            take(index_size if version else 0)
            offset, length = take(offset_size), take(length_size)
            extents.append((base + offset, length))
        if method == 0:  # in the file itself
            items.extents[number] = extents
        elif method == 1:  # in the idat box
            idat = next((begin for kind, begin, _ in walk(content) if kind == b"idat"), 0)
            items.extents[number] = [(idat + begin, length) for begin, length in extents]


def _read_properties(items: Items, start: int, contained: list[tuple[bytes, bytes]]) -> None:
    content, version, wide = items.content, items.content[start], items.content[start + 3] & 1
    (count,), place = struct.unpack_from(">I", content, start + 4), start + 8
    for _ in range(min(count, MOST)):
        (number,) = struct.unpack_from(">I" if version else ">H", content, place)
        place += 4 if version else 2
        total, place = content[place], place + 1
        for _ in range(total):
            index = struct.unpack_from(">H" if wide else ">B", content, place)[0] & (0x7FFF if wide else 0x7F)
            place += 2 if wide else 1
            if 0 < index <= len(contained):
                items.properties.setdefault(number, []).append(contained[index - 1])


def cropped(decoded: Decoded, clap: bytes) -> Decoded:
    """Return the clean aperture of stored pixels (ISO 14496-12, 12.1.4); all if none is stated.

    Raises:
        ValueError: if it is not inside the pixels.
    """
    if len(clap) < 32:
        return decoded
    width, wd, height, hd, x, xd, y, yd = struct.unpack(">IIIIiIiI", clap[:32])
    if 0 in (wd, hd, xd, yd):
        raise ValueError("its clean aperture is damaged (a denominator of 0)")
    wide, high = round(width / wd), round(height / hd)
    left, top = round(x / xd + (decoded.width - wide) / 2), round(y / yd + (decoded.height - high) / 2)
    if not (0 <= left < left + wide <= decoded.width and 0 <= top < top + high <= decoded.height):
        raise ValueError(f"a clean aperture of {wide}x{high} at {left}, {top}; expected a part of the pixels")
    rows = decoded.rows
    return replace(
        decoded, rows=lambda first, end: rows(top + first, top + end)[:, left : left + wide], width=wide, height=high
    )

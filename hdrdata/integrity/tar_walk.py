"""Check any tar without extracting it, and report what a WebDataset reader would skip or confuse."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hdrdata.samples.layout import END_BLOCKS, IntegrityError
from hdrdata.terminal import printable as escape

BLOCK = 512
EXTENDED = 65536  # bytes of a long name or of PAX records; no sound tar needs more, and a hostile one claims gigabytes
PIECE = 2**20  # bytes read at a time
RECORD = 10240  # bytes to which GNU tar fills up its end with zeros
LISTED = 100  # faults of one tar, after which the others are counted
KINDS = {
    b"0": "file", b"\0": "file", b"7": "file", b"1": "hard link", b"2": "symbolic link", b"3": "character device",
    b"4": "block device", b"5": "directory", b"6": "fifo", b"S": "sparse file",
}  # fmt: skip
SHOWN = 200  # characters of a name in a message
NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")  # WebDataset: the key ends at the first dot of the file's name


@dataclass(frozen=True)
class Entry:
    """One member of a tar."""

    name: str
    kind: str  # one of `KINDS`, or "type" and the letter that POSIX leaves to makers of programs
    offset: int  # of its content
    size: int  # of its content, in bytes


def walk_tar(file: io.BufferedIOBase, size: int, *, closed: bool = True) -> Iterator[Entry]:
    """The members of a plain tar (USTAR, GNU or PAX), from their headers alone; never more than 64 KiB are in memory.

    Args:
        file: at the tar's first byte, seekable.
        size: of the tar in bytes.
        closed: whether two empty blocks must close it; else it may end after any member.

    Raises:
        IntegrityError: at the first header that is damaged or claims what the tar does not hold; what follows is lost.
    """
    place, long_name, extended = 0, None, {}
    while place < size:
        file.seek(place)
        header = file.read(BLOCK)
        if len(header) < BLOCK:
            raise IntegrityError(f"cut short in the header at byte {place}")
        if not any(header):
            if any(file.read(BLOCK)):
                raise IntegrityError(f"an empty block at byte {place} and more after it, which readers skip")
            if size < place + len(END_BLOCKS):
                raise IntegrityError(f"ends at byte {size} with one closing block of two: cut short")
            return
        claimed, kind = _check_header(header, place)
        name = long_name or _name(header)
        what = f"member '{printable(name)}'"
        if extended:
            name = extended.get("path", name)
            if not extended.get("size", "0").isdecimal():
                raise IntegrityError(f"{what}: size '{printable(extended['size'])}' in its PAX header")
            claimed = int(extended.get("size", claimed))
            if any(record.startswith("GNU.sparse.") for record in extended):
                kind = "sparse file"
        place += BLOCK
        held = claimed if kind in ("file", "sparse file") or kind.startswith("type ") else 0
        if held > size - place:
            raise IntegrityError(f"{what}: {held} bytes from byte {place}; the tar ends at {size}")
        if kind in ("type L", "type K", "type x", "type X", "type g"):
            if held > EXTENDED:
                raise IntegrityError(f"{what}: an extended header of {held} bytes; expected at most {EXTENDED}")
            content = file.read(held)
            if kind == "type L":
                long_name = content.rstrip(b"\0").decode(errors="replace")
            elif kind in ("type x", "type X"):
                extended = _records(content, what)
        else:
            yield Entry(name, kind, place, held)
            long_name, extended = None, {}
        place += held + -held % BLOCK
    if place > size:
        raise IntegrityError(f"cut short in the padding at byte {size}")
    if closed:
        raise IntegrityError(f"ends at byte {size} without closing blocks: cut short")


def _check_header(header: bytes, place: int) -> tuple[int, str]:
    """Size and kind of a member, if the sum of its header's bytes is the one written in it."""
    try:
        wanted, size = _number(header[148:156]), _number(header[124:136])
    except ValueError:
        raise IntegrityError(f"no tar header at byte {place}") from None
    if wanted != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise IntegrityError(f"the header at byte {place} ('{printable(_name(header))}') is damaged: wrong checksum")
    kind = KINDS.get(header[156:157], f"type {printable(header[156:157].decode('latin-1'))}")
    return size, kind


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU: what has no room in octal digits
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise ValueError
    return int(digits or b"0", 8)


def _name(header: bytes) -> str:
    name, prefix = (part.partition(b"\0")[0].decode(errors="replace") for part in (header[:100], header[345:500]))
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _records(content: bytes, what: str) -> dict[str, str]:
    """The records of a PAX header: length, a space, name=value and a line's end."""
    records = {}
    while content.strip(b"\0"):
        length, _, _ = content[:20].partition(b" ")
        if not length.isdigit() or not len(length) < int(length) <= len(content):
            raise IntegrityError(f"{what}: damaged PAX header")
        record, content = content[len(length) + 1 : int(length) - 1], content[int(length) :]
        key, _, value = record.decode(errors="replace").partition("=")
        records[key] = value
    return records


def tar_faults(path: Path) -> tuple[int, list[tuple[str | None, str]]]:
    """Return the faults of a tar as a WebDataset shard; nothing is decoded, unpacked or written.

    Returns:
        the number of samples, and for each fault the sample's key, where it is known, and the reason in one line; after
        `LISTED` of them they are only counted.
    """
    faults: list[tuple[str | None, str]] = []
    keys: set[str] = set()
    key, fields, wanted = None, set(), None
    size = path.stat().st_size
    with path.open("rb") as file:
        if size < len(END_BLOCKS) or file.read(2) in (b"\x1f\x8b", b"BZ", b"\xfd7", b"\x28\xb5"):
            return 0, [(None, f"{size} bytes that are not a tar (packed?); expected a plain tar")]
        try:
            for entry in walk_tar(file, size):
                reason, found = _entry_fault(entry), NAME.fullmatch(entry.name)
                if reason:
                    faults.append((found and printable(found[1]), f"member '{printable(entry.name)}': {reason}"))
                if entry.kind != "file" or not found:
                    continue
                if found[1] != key:
                    wanted = _close(key, fields, wanted, faults)
                    key, fields = found[1], set()
                    if key in keys:
                        faults.append((printable(key), "its members do not lie together: readers see two samples"))
                    keys.add(key)
                if found[2].lower() in fields:
                    faults.append((printable(found[1]), f"member '{printable(entry.name)}' occurs twice"))
                fields.add(found[2].lower())
            _close(key, fields, wanted, faults)
            faults.extend((None, reason) for reason in _after_the_end(file, size))
        except IntegrityError as error:
            faults.append((key and printable(key), f"{error}; what follows is not seen"))
    more = len(faults) - LISTED
    return len(keys), faults[:LISTED] + ([(None, f"{more} more faults")] if more > 0 else [])


def _entry_fault(entry: Entry) -> str | None:
    """Return why no sound shard has such a member."""
    if entry.name.startswith("/") or ".." in re.split(r"[/\\]", entry.name) or re.match(r"[A-Za-z]:|\\", entry.name):
        return "would leave the folder that it is unpacked in"
    if entry.kind == "directory":
        return None
    if entry.kind != "file":
        return f"a {entry.kind}; expected a file"
    if not entry.name.isprintable():
        return "has characters that cannot be printed"
    if not NAME.fullmatch(entry.name):
        return "has no key and extension (key.extension): readers pass over it"
    return None


def _close(
    key: str | None, fields: set[str], wanted: set[str] | None, faults: list[tuple[str | None, str]]
) -> set[str] | None:
    """Compare a sample's extensions with those of the first sample, and return the latter."""
    if key is None:
        return None
    dotted = sorted(field for field in fields if "." in field and field[0].isdigit())
    if dotted:
        faults.append((printable(key), f"'{printable(dotted[0])}': a dot within the key ends it and mixes samples"))
    elif wanted is not None and fields != wanted:
        found, first = (printable(" ".join(sorted(names))) for names in (fields, wanted))
        faults.append((printable(key), f"has the members {found}; the first sample has {first}"))
    return fields if wanted is None else wanted


def _after_the_end(file: io.BufferedIOBase, size: int) -> Iterator[str]:
    place = end = file.tell()  # after the second empty block
    while piece := file.read(PIECE):
        if any(piece):
            yield f"more bytes after its end at byte {end}, which readers skip"
            return
        place += len(piece)
    if size - end > RECORD:
        yield f"{size - end} bytes of zeros after its end: never written?"


def printable(text: str) -> str:
    """Return a text of a tar as a terminal may show it, in at most `SHOWN` characters."""
    return escape(text, SHOWN)

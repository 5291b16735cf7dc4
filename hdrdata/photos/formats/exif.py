"""EXIF as a block of bytes: its values, and the same block with its orientation reset."""

import datetime
import math
import re
import struct
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

ORIENTATION = 274
MAKE, MODEL, SOFTWARE = 271, 272, 305
EXIF_IFD, INTEROP_IFD, COLOUR_SPACE, WIDTH, HEIGHT = 34665, 40965, 40961, 40962, 40963
THUMBNAIL, STRIP = (513, 514), (273, 279)  # tags of place and size
SRGB, ADOBE, UNCALIBRATED = 1, 2, 65535  # of ColorSpace; 2 is not in the EXIF standard, but is written
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of each TIFF type
PROFILE = re.compile(r"\s*(?:exif|app1|APP1|iptc)\s+(\d{1,8})\s+([0-9a-fA-F\s]+)")


NO_ISO = 65535  # of ISOSpeedRatings, 16 bits: the value is in another tag


@dataclass(frozen=True)
class Exposure:
    """Exposure facts of a photograph; None if its file does not state them."""

    seconds: float | None
    f_number: float | None
    iso: float | None
    taken: datetime.datetime | None


def load(block: bytes | None) -> Image.Exif | None:
    """Pillow's view of a block; None if there is none, or it is damaged."""
    if not block:
        return None
    try:
        exif = Image.Exif()
        exif.load(b"Exif\0\0" + block)
        exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # SyntaxError, struct.error and others, which cost the picture nothing
        return None
    return exif


def plain(content: bytes | None) -> bytes | None:
    """A block without the name that JPEG puts before it, which other formats repeat."""
    while content and content.startswith(b"Exif\0\0"):
        content = content[6:]
    return content if content and content[:4] in (b"II*\0", b"MM\0*") else None


def raw_profile(text: str) -> bytes | None:
    """Return the bytes in a PNG text "Raw profile type ...": as many as it states; None without them."""
    found = PROFILE.match(text)
    digits = "".join(found[2].split()) if found else ""
    size = int(found[1]) if found else 0
    return bytes.fromhex(digits[: 2 * size]) if size and len(digits) >= 2 * size else None


def orientation_of(exif: Image.Exif | None) -> int:
    """1 to 8; 1 where nothing sound is said."""
    try:
        value = exif.get(ORIENTATION, 1) if exif is not None else 1
    except Exception:  # of a damaged entry
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def made_by(exif: Image.Exif | None) -> tuple[str, str, str]:
    """Return maker, model and software; empty where EXIF does not state them."""
    try:
        values = [exif.get(tag, "") if exif is not None else "" for tag in (MAKE, MODEL, SOFTWARE)]
    except Exception:  # of a damaged entry
        values = ["", "", ""]
    make, model, software = (str(value).strip("\0 ") if isinstance(value, str) else "" for value in values)
    return make, model, software


def is_adobe_rgb(exif: Image.Exif | None) -> bool:
    """Return whether EXIF says Adobe RGB as DCF 2.0 does, interoperability index R03, or by ColorSpace 2."""
    if exif is None:
        return False
    try:
        index = exif.get_ifd(ExifTags.IFD.Interop).get(1)
        space = exif.get_ifd(ExifTags.IFD.Exif).get(COLOUR_SPACE)
    except Exception:  # of damaged directories
        return False
    index = index.decode("latin-1") if isinstance(index, bytes) else index
    return space == ADOBE or (space != SRGB and str(index or "").strip("\0 ") == "R03")


def exposure_of(exif: bytes | Image.Exif | None) -> Exposure:
    """Return the exposure stated by EXIF, given as a block or loaded.

    APEX values count where the plain ones are missing: t = 2^-Tv and N = 2^(Av / 2). An ISO above 65,534 is in
    another tag (EXIF 2.3).
    """
    exif = load(exif) if isinstance(exif, bytes) else exif
    try:
        tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)} if exif is not None else {}
    except Exception:  # of damaged directories
        tags = {}
    base = ExifTags.Base
    try:
        taken = datetime.datetime.strptime(
            str(tags.get(base.DateTimeOriginal) or tags.get(base.DateTime)).strip("\0 "), "%Y:%m:%d %H:%M:%S"
        )
    except ValueError:
        taken = None
    seconds, f_number = positive(tags.get(base.ExposureTime)), positive(tags.get(base.FNumber))
    if seconds is None and (apex := finite(tags.get(base.ShutterSpeedValue))) is not None and abs(apex) <= 32:
        seconds = 2.0**-apex
    if f_number is None and (apex := finite(tags.get(base.ApertureValue))) is not None and abs(apex) <= 32:
        f_number = 2.0 ** (apex / 2)
    iso = positive(tags.get(base.ISOSpeedRatings))
    if iso is None or iso >= NO_ISO:
        others = (base.ISOSpeed, base.RecommendedExposureIndex, base.StandardOutputSensitivity)
        iso = next((value for tag in others if (value := positive(tags.get(tag))) is not None), None)
    return Exposure(seconds, f_number, iso, taken)


def apple_numbers(block: bytes | None) -> dict[int, float]:
    """Return the fractions in Apple's maker note by tag; empty for other cameras."""
    exif = load(block)
    note = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.MakerNote) if exif is not None else None
    if not isinstance(note, bytes) or not note.startswith(b"Apple iOS\0"):
        return {}
    found: dict[int, float] = {}
    try:
        (count,) = struct.unpack_from(">H", note, 14)
        for place in range(16, 16 + 12 * count, 12):
            tag, kind, _, offset = struct.unpack_from(">HHII", note, place)
            if kind in (5, 10):  # fractions
                above, below = struct.unpack_from(">ii" if kind == 10 else ">II", note, offset)
                found[tag] = above / below if below else float("nan")
    except struct.error:  # cut short
        pass
    return {tag: value for tag, value in found.items() if math.isfinite(value)}


def finite(value: Any) -> float | None:
    """Return a finite number, of several the first; None if there is none."""
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def positive(value: object) -> float | None:
    """Return a positive finite number, of several the first; None if there is none."""
    number = finite(value)
    return number if number is not None and number > 0 else None


def reset(block: bytes | None, width: int, height: int) -> bytes | None:
    """The block for an upright picture of this size: the same bytes, with what is no longer true put right in place.

    Its orientation is 1, its size the picture's; its thumbnail, which lies as the photograph did, is removed;
    Adobe RGB becomes uncalibrated, as files say their own colours. Maker's notes, whose offsets count from the
    block's beginning, stay sound.
    """
    if block is None or load(block) is None:
        return None
    content, order = bytearray(block), "<" if block[:2] == b"II" else ">"
    try:
        first = struct.unpack_from(f"{order}I", content, 4)[0]
        entries, end = _entries(content, order, first)
        _remove_thumbnail(content, order, end)
        _put(content, order, entries, ORIENTATION, 1)
        if EXIF_IFD in entries:
            inner, _ = _entries(content, order, _get(content, order, entries[EXIF_IFD]))
            _put(content, order, inner, WIDTH, width)
            _put(content, order, inner, HEIGHT, height)
            if COLOUR_SPACE in inner and _get(content, order, inner[COLOUR_SPACE]) != SRGB:
                _put(content, order, inner, COLOUR_SPACE, UNCALIBRATED)
            if INTEROP_IFD in inner:
                interop, _ = _entries(content, order, _get(content, order, inner[INTEROP_IFD]))
                if 1 in interop and content[interop[1] + 8 : interop[1] + 11] == b"R03":
                    content[interop[1] + 8 : interop[1] + 11] = b"R98"
    except struct.error:  # a directory beyond the block
        return None
    return bytes(content)


def _remove_thumbnail(content: bytearray, order: str, link: int) -> None:
    """Overwrite the thumbnail and its directory with zeros, or cut them off if they are last."""
    (second,) = struct.unpack_from(f"{order}I", content, link)
    struct.pack_into(f"{order}I", content, link, 0)
    if not link < second < len(content):
        return
    entries, end = _entries(content, order, second)
    ranges = [(second, end + 4)]
    for start, count in (THUMBNAIL, STRIP):
        if start in entries and count in entries:
            place = _get(content, order, entries[start])
            ranges.append((place, place + _get(content, order, entries[count])))
    for start, stop in ranges:
        if start >= link + 4:  # else damaged: it would overlap the photograph's own directory
            stop = min(stop, len(content))
            content[start:stop] = bytes(max(stop - start, 0))
    last = max(stop for _, stop in ranges)
    if last >= len(content):
        first = min(start for start, _ in ranges if start >= link + 4)
        if not any(content[first:]):
            del content[first:]


def _entries(content: bytearray, order: str, start: int) -> tuple[dict[int, int], int]:
    """Return where each entry of a directory stands, and where the link to the next does."""
    (count,) = struct.unpack_from(f"{order}H", content, start)
    places = [start + 2 + 12 * number for number in range(count)]
    return {struct.unpack_from(f"{order}H", content, place)[0]: place for place in places}, start + 2 + 12 * count


def _get(content: bytearray, order: str, place: int) -> int:
    kind = struct.unpack_from(f"{order}H", content, place + 2)[0]
    return struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", content, place + 8)[0]


def _put(content: bytearray, order: str, entries: dict[int, int], tag: int, value: int) -> None:
    if tag in entries:
        kind = struct.unpack_from(f"{order}H", content, entries[tag] + 2)[0]
        if kind in (3, 4) and value < 2 ** (16 if kind == 3 else 32):
            struct.pack_into(f"{order}{'H' if kind == 3 else 'I'}", content, entries[tag] + 8, value)


def made_of(tags: dict[int, object], inner: dict[int, object], place: dict[int, object]) -> bytes | None:
    """A block of values, for files that have none of their own, such as TIFF, whose tags stand among its others."""
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    exif.get_ifd(ExifTags.IFD.Exif).update(inner)
    if place:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(place)
    try:
        return plain(exif.tobytes()) if tags or inner or place else None
    except Exception:  # values that do not go into their own types
        return None

"""JPEG of every kind: its segments, and the pixels that Pillow does not read."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs
import numpy as np

from hdrdata.files.ldr import JPEG_LS, LOSSLESS, SOF, jpeg_segments
from hdrdata.photos.colours.gain import GainMap, by_apple, by_iso, by_xmp
from hdrdata.photos.formats.decoded import Decoded, check_size, full_scale, of_array
from hdrdata.photos.formats.exif import apple_numbers, plain
from hdrdata.photos.formats.pillow import decode_by_pillow, open_image
from hdrdata.photos.formats.xmp import ISO_NAME, MORE_XMP, RESOURCES, XMP_NAME, iptc_of

APPLE_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
MOST_IMAGES = 64  # that are looked at


@dataclass(frozen=True)
class Segments:
    """Facts in the segments before the pixels."""

    frame: int = 0  # the marker of the frame
    bits: int = 8
    width: int = 0
    height: int = 0
    components: int = 0
    exif: bytes | None = None
    icc: bytes | None = None
    transform: int | None = None  # of Adobe's APP14
    xmp: bytes = b""
    more_xmp: bool = False
    resources: bytes = b""  # Photoshop's image resources
    gain: bytes | None = None  # metadata of ISO 21496-1
    end: int = 0  # where the pixels begin


def read_segments(content: bytes, start: int = 0) -> Segments:
    """Read the segments of a JPEG that begins at `start`, as far as they are whole."""
    found, parts, end = Segments(), {}, start + 2
    for marker, body, end in jpeg_segments(content, start):  # noqa: B007  # the last end is where the pixels begin
        if marker in (*SOF, JPEG_LS) and len(body) >= 6:
            bits, height, width, components = struct.unpack_from(">BHHB", body)
            found = replace(found, frame=marker, bits=bits, width=width, height=height, components=components)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0") and found.exif is None:
            found = replace(found, exif=plain(body))
        elif marker == 0xE1 and body.startswith(XMP_NAME) and not found.xmp:
            found = replace(found, xmp=body[len(XMP_NAME) :])
        elif marker == 0xE2 and body.startswith(ISO_NAME):
            found = replace(found, gain=body[len(ISO_NAME) :])
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            parts.setdefault(body[12], body[14:])
        elif marker == 0xE1 and body.startswith(MORE_XMP):
            found = replace(found, more_xmp=True)
        elif marker == 0xED and body.startswith(RESOURCES):
            found = replace(found, resources=found.resources + body[len(RESOURCES) :])
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            found = replace(found, transform=body[11])
    icc = b"".join(parts[number] for number in sorted(parts)) or None
    return replace(found, icc=icc, end=min(end, len(content)))


def further_images(content: bytes, first: Segments) -> Iterator[tuple[int, Segments]]:
    """Yield place and segments of the images behind the first, in one pass."""
    place = first.end
    for _ in range(MOST_IMAGES):
        place = content.find(b"\xff\xd8\xff", place)
        if place < 0:
            return
        segments = read_segments(content, place)
        if segments.width and segments.height:
            yield place, segments
        place = max(place + 3, segments.end)


def read_gain_map(path: Path, content: bytes, segments: Segments, notes: list[str]) -> GainMap | None:
    """Read the gain map of a JPEG; None if there is none, with a note if it cannot be used."""
    others = 0
    for number, (place, other) in enumerate(further_images(content, segments)):
        try:
            if other.gain is not None and len(other.gain) > 4:  # the photograph itself states the version alone
                formula = by_iso(other.gain)
            elif (formula := by_xmp(other.xmp)) is None and APPLE_MAP in other.xmp:
                formula = by_apple(apple_numbers(segments.exif), segments.xmp + other.xmp)
                if formula is None:
                    raise ValueError("it states no headroom")
            if formula is None:
                others += 1
                continue
            check_size(path, other.width, other.height, other.width * other.height * other.components)
            with open_image(io.BytesIO(content[place:]), "JPEG") as image:
                return GainMap(np.array(image if image.mode == "L" else image.convert("RGB")), formula)
        except (OSError, SyntaxError, ValueError) as error:
            reason = " ".join(str(error).removeprefix(f"{path}: ").split())[:120]
            notes.append(f"its gain map (image {number + 2}) is not used: {reason}")
            return None
    if others:
        notes.append(f"{others} further image{'s' if others > 1 else ''} left out")
    if segments.gain is not None or b"hdrgm:Version" in segments.xmp:
        notes.append("its gain map is not used: no image in the file states its numbers")
    return None


def decode_jpeg(path: Path) -> Decoded:
    """Decode a JPEG: 8 bits by Pillow; 12 and 16 bits, lossless and JPEG-LS by imagecodecs.

    A JPEG of CMYK is taken to hold it inverted, as Adobe writes it.
    """
    content = path.read_bytes()
    segments = read_segments(content)
    notes: list[str] = []
    gain = read_gain_map(path, content, segments, notes)
    if segments.more_xmp:
        notes.append("its XMP in further segments was left out")
    texts = {"xmp": segments.xmp or None, "iptc": iptc_of(segments.resources)}
    if segments.frame not in LOSSLESS and segments.frame != JPEG_LS and segments.bits == 8:
        decoded = decode_by_pillow(path, "JPEG")
        return replace(decoded, exif=segments.exif or decoded.exif, notes=notes + decoded.notes, gain=gain, **texts)
    sample_bytes = 1 if segments.bits <= 8 else 2
    check_size(path, segments.width, segments.height, segments.width * segments.height * 3 * sample_bytes)
    if b"\xff\xd9" not in content[content.rindex(b"\xff\xda") :]:  # its end, without which decoders continue in grey
        raise ValueError("cut short")
    if segments.components not in (1, 3):
        raise ValueError(f"{segments.components} components of {segments.bits} bits; expected grey or RGB")
    if segments.frame == JPEG_LS:
        pixels = imagecodecs.jpegls_decode(content)
    elif segments.frame in LOSSLESS:
        pixels = imagecodecs.jpegsof3_decode(content)
    else:
        pixels = imagecodecs.jpeg8_decode(content)
    if pixels.shape[:2] != (segments.height, segments.width):
        raise ValueError(f"decodes to {pixels.shape[1]}x{pixels.shape[0]} pixels")
    if pixels.max() < 2**segments.bits:  # or its header says less than it holds
        pixels = full_scale(pixels, segments.bits)
    return of_array(pixels, icc=segments.icc, exif=segments.exif, bits=segments.bits, notes=notes, **texts)

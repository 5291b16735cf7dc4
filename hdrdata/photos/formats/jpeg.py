"""JPEG of every kind: its segments, and the pixels that Pillow does not read."""

import struct
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs

from hdrdata.photos.formats.decoded import Decoded, check_size, full_scale, of_array
from hdrdata.photos.formats.exif import plain
from hdrdata.photos.formats.pillow import decode_by_pillow

GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/", b"urn:iso:std:iso:ts:21496:-1", b"aux:hdrgainmap")
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF markers; F7 is JPEG-LS's
LOSSLESS, LS = (0xC3, 0xC7, 0xCB, 0xCF), 0xF7
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


@dataclass(frozen=True)
class Segments:
    """What the segments before the pixels say."""

    frame: int = 0  # the marker of the frame
    bits: int = 8
    width: int = 0
    height: int = 0
    components: int = 0
    exif: bytes | None = None
    icc: bytes | None = None
    transform: int | None = None  # of Adobe's APP14


def read_segments(content: bytes) -> Segments:
    """Read the segments of a JPEG as far as they are whole."""
    found, parts, place = Segments(), {}, 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF or marker in ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        (size,) = struct.unpack_from(">H", content, place + 2)
        body = content[place + 4 : place + 2 + size]
        if marker in FRAMES and len(body) >= 6:
            bits, height, width, components = struct.unpack_from(">BHHB", body)
            found = replace(found, frame=marker, bits=bits, width=width, height=height, components=components)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0") and found.exif is None:
            found = replace(found, exif=plain(body))
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            parts.setdefault(body[12], body[14:])
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            found = replace(found, transform=body[11])
        elif marker == 0xDA:
            break
        place += 2 + size
    icc = b"".join(parts[number] for number in sorted(parts)) or None
    return replace(found, icc=icc)


def decode_jpeg(path: Path) -> Decoded:
    """Decode a JPEG: 8 bits by Pillow; 12 and 16 bits, lossless and JPEG-LS by imagecodecs.

    A JPEG of CMYK is taken to hold it inverted, as Adobe writes it.
    """
    content = path.read_bytes()
    segments = read_segments(content)
    notes = ["its gain map is not used"] if any(name in content for name in GAIN_MAPS) else []
    if segments.frame not in LOSSLESS and segments.frame != LS and segments.bits == 8:
        decoded = decode_by_pillow(path, "JPEG")
        return replace(decoded, exif=segments.exif or decoded.exif, notes=notes + decoded.notes)
    sample_bytes = 1 if segments.bits <= 8 else 2
    check_size(path, segments.width, segments.height, segments.width * segments.height * 3 * sample_bytes)
    if b"\xff\xd9" not in content[content.rindex(b"\xff\xda") :]:  # its end, without which its decoders go on in grey
        raise ValueError("cut short")
    if segments.components not in (1, 3):
        raise ValueError(f"{segments.components} components of {segments.bits} bits; wanted grey or RGB")
    if segments.frame == LS:
        pixels = imagecodecs.jpegls_decode(content)
    elif segments.frame in LOSSLESS:
        pixels = imagecodecs.jpegsof3_decode(content)
    else:
        pixels = imagecodecs.jpeg8_decode(content)
    if pixels.shape[:2] != (segments.height, segments.width):
        raise ValueError(f"decodes to {pixels.shape[1]}x{pixels.shape[0]} pixels")
    if pixels.max() < 2**segments.bits:  # or its header says less than it holds
        pixels = full_scale(pixels, segments.bits)
    return of_array(pixels, icc=segments.icc, exif=segments.exif, bits=segments.bits, notes=notes)

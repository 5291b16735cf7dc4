"""The container of Ultra HDR: a JPEG that every program opens, followed by its gain map, described by two standards."""

import re
import struct
from dataclasses import dataclass
from fractions import Fraction

ISO_NAME = b"urn:iso:std:iso:ts:21496:-1\0"
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
ICC_NAME = b"ICC_PROFILE\0"
EXIF_NAME = b"Exif\0\0"
APP0, APP1, APP2, ADOBE, LAST_APP, COMMENT, SOS = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE, 0xDA
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # that ends coded pixels
MOST = 65533  # bytes in a segment
ICC_PART = MOST - len(ICC_NAME) - 2
MPF = struct.Struct(">4s4sI H HHI4s HHII HHII I IIIHH IIIHH")  # a head, three tags, an entry for each picture
PRIMARY, UNDEFINED = 0x030000, 0  # kinds of pictures in MPF: a representative one, and one of an undefined kind
PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"%s'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
DIRECTORY = (
    ' xmlns:Container="http://ns.google.com/photos/1.0/container/"'
    ' xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><Container:Directory><rdf:Seq>'
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg"'
    ' Item:Length="%d"/></rdf:li></rdf:Seq></Container:Directory>'
)


@dataclass(frozen=True)
class Gain:
    """Meaning of the codes of a gain map, in every channel: the first readers support only one range for all three.

    log2 of the gain is low + (high - low) * (code / 255)^(1 / gamma), and
    light = (base + offset) * gain - offset, where 1 is a display's white: ISO 21496-1.
    """

    low: float
    high: float
    gamma: float
    offset: float
    capacity: float  # log2 of what a display reaches over its white, to show all of the gain


def join_jpegs(base: bytes, gain_map: bytes, gain: Gain, icc: bytes, exif: bytes | None) -> bytes:
    """Join two JPEGs to one Ultra HDR JPEG.

    It contains the gain map's numbers twice: by ISO 21496-1, and in XMP for the readers of the first years (Android
    14), which know nothing else. Android, "Ultra HDR Image Format v1.1": also a GContainer directory in the XMP of the
    base, and an index of both pictures (CIPA DC-007, MPF). The gain is over the colours of the base, so the map has
    no colour profile: a browser that decodes it for a script would obey one, and change its codes (measured in Chromium
    with a linear one: light up to three times too bright).

    Args:
        base, gain_map: JPEGs of RGB; their own metadata is left out.
        icc: the profile of the base.
        exif: a TIFF stream for the base; none of more than a segment holds.
    """
    base, gain_map = bare_jpeg(base), bare_jpeg(gain_map)
    numbers = _segment(APP1, XMP_NAME + (PACKET % _xmp_of(gain)).encode())
    second = gain_map[:2] + numbers + _segment(APP2, ISO_NAME + _iso_of(gain)) + gain_map[2:]
    head = b"\xff\xd8"
    if exif and len(EXIF_NAME + exif) <= MOST:
        head += _segment(APP1, EXIF_NAME + exif)
    head += _segment(APP1, XMP_NAME + (PACKET % (f">{DIRECTORY % len(second)}")).encode())
    parts = [icc[start : start + ICC_PART] for start in range(0, len(icc), ICC_PART)]
    for number, part in enumerate(parts, start=1):
        head += _segment(APP2, ICC_NAME + bytes([number, len(parts)]) + part)
    head += _segment(APP2, ISO_NAME + bytes(4))  # versions: that this is the base of a gain map
    before = len(head) + 4 + 4  # to what MPF counts from: a marker, a size and its name come first
    first_size = len(head) + 4 + MPF.size + len(base) - 2
    index = MPF.pack(
        b"MPF\0", b"MM\0*", 8, 3,
        0xB000, 7, 4, b"0100", 0xB001, 4, 1, 2, 0xB002, 7, 32, 50, 0,
        PRIMARY, first_size, 0, 0, 0, UNDEFINED, len(second), first_size - before, 0, 0,
    )  # fmt: skip
    return b"".join([head, _segment(APP2, index), base[2:], second])


def bare_jpeg(jpeg: bytes) -> bytes:
    """Return a JPEG up to its end without metadata and what follows it; its pixels are the same bytes.

    Of the APP segments only Adobe's stays, which states the colour transform.

    Raises:
        ValueError: if it is cut short.
    """
    parts, place = [jpeg[:2]], 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF:
        marker, start = jpeg[place + 1], place
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if marker == SOS:
            end = MARKER.search(jpeg, place)
            if end is None:
                break
            place = end.start()
        if (marker == ADOBE and jpeg[start + 4 : start + 9] == b"Adobe") or not (
            APP0 <= marker <= LAST_APP or marker == COMMENT
        ):
            parts.append(jpeg[start:place])
        if jpeg[place : place + 2] == b"\xff\xd9":
            return b"".join([*parts, b"\xff\xd9"])
    raise ValueError("a JPEG without an end")


def _segment(marker: int, content: bytes) -> bytes:
    assert len(content) <= MOST, "a segment is too long"
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def _iso_of(gain: Gain) -> bytes:
    """ISO 21496-1, annex C: versions, flags (one range for all channels; over the base's colours) and fractions."""
    values = (0.0, gain.capacity, gain.low, gain.high, gain.gamma, gain.offset, gain.offset)
    return struct.pack(">HHB", 0, 0, 0b01000000) + b"".join(map(_fraction, values))


def _fraction(value: float) -> bytes:
    fraction = Fraction(value).limit_denominator(2**20)
    return struct.pack(">iI", fraction.numerator, fraction.denominator)


def _xmp_of(gain: Gain) -> str:
    values = {"GainMapMin": gain.low, "GainMapMax": gain.high, "Gamma": gain.gamma, "OffsetSDR": gain.offset,
              "OffsetHDR": gain.offset, "HDRCapacityMin": 0.0, "HDRCapacityMax": gain.capacity}  # fmt: skip
    numbers = "".join(f' hdrgm:{name}="{value:.9g}"' for name, value in values.items())
    return f'{numbers} hdrgm:BaseRenditionIsHDR="False">'

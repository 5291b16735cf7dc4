"""The container of Ultra HDR: a JPEG that every program opens, followed by its gain map, described by two standards."""

import re
import struct
from dataclasses import dataclass
from fractions import Fraction

from hdrdata.files.ldr import jpeg_segments
from hdrdata.photos.formats.xmp import END, ISO_NAME, RESOURCES, XMP_NAME, image_resource
from hdrmodel.outputs.bands import NO_METADATA, Metadata

ICC_NAME = b"ICC_PROFILE\0"
EXIF_NAME = b"Exif\0\0"
APP0, APP1, APP2, PHOTOSHOP, ADOBE, LAST_APP, COMMENT, EOI = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xFE, 0xD9
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # that ends coded pixels
MOST = 65533  # bytes in a segment
ICC_PART = MOST - len(ICC_NAME) - 2
MPF = struct.Struct(">4s4sI H HHI4s HHII HHII I IIIHH IIIHH")  # a head, three tags, an entry for each picture
PRIMARY, UNDEFINED = 0x030000, 0  # kinds of pictures in MPF: a representative one, and one of an undefined kind
EMPTY = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f"{END}</x:xmpmeta>"
)
DESCRIPTION = (
    '<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"%s'
    "</rdf:Description>"
)
DIRECTORY = (
    ' xmlns:Container="http://ns.google.com/photos/1.0/container/"'
    ' xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><Container:Directory><rdf:Seq>'
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg"'
    ' Item:Length="%d"/></rdf:li></rdf:Seq></Container:Directory>'
)


LONG = "%s of %d bytes is too long for a JPEG, and left out"


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


def join_jpegs(
    base: bytes, gain_map: bytes, gain: Gain, icc: bytes, metadata: Metadata = NO_METADATA
) -> tuple[bytes, list[str]]:
    """Join two JPEGs to one Ultra HDR JPEG.

    It contains the gain map's numbers twice: by ISO 21496-1, and in XMP for the readers of the first years (Android
    14), which know nothing else. Android, "Ultra HDR Image Format v1.1": also a GContainer directory in the XMP of the
    base, and an index of both pictures (CIPA DC-007, MPF). The gain is over the colours of the base, so the map has
    no colour profile: a browser that decodes it for a script would obey one, and change its codes (measured in Chromium
    with a linear one: light up to three times too bright).

    Args:
        base, gain_map: JPEGs of RGB; their own metadata is left out.
        icc: the profile of the base.
        metadata: of the base. Its XMP becomes one packet with the directory.

    Returns:
        the file, and a note for metadata that is longer than a segment and left out.
    """
    base, gain_map = bare_jpeg(base), bare_jpeg(gain_map)
    numbers = _segment(APP1, XMP_NAME + _packet(_xmp_of(gain)))
    second = gain_map[:2] + numbers + _segment(APP2, ISO_NAME + _iso_of(gain)) + gain_map[2:]
    directory = DIRECTORY % len(second)
    packet = XMP_NAME + _packet(directory, metadata.xmp)
    notes = [] if len(packet) <= MOST else [LONG % ("XMP", len(metadata.xmp or b""))]
    segments = [(APP1, packet if len(packet) <= MOST else XMP_NAME + _packet(directory))]
    resources = RESOURCES + image_resource(metadata.iptc or b"")
    for name, block, marker, content in (
        ("EXIF", metadata.exif, APP1, EXIF_NAME + (metadata.exif or b"")),
        ("IPTC", metadata.iptc, PHOTOSHOP, resources),
    ):
        if block and len(content) > MOST:
            notes.append(LONG % (name, len(block)))
        elif block:
            segments.append((marker, content))
    segments.sort(key=lambda one: (one[0], not one[1].startswith(EXIF_NAME)))  # EXIF first
    head = b"\xff\xd8" + b"".join(_segment(*one) for one in segments)
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
    return b"".join([head, _segment(APP2, index), base[2:], second]), notes


def bare_jpeg(jpeg: bytes) -> bytes:
    """Return a JPEG up to its end without metadata and what follows it; its pixels are the same bytes.

    Of the APP segments only Adobe's stays, which states the colour transform.

    Raises:
        ValueError: if it is cut short.
    """
    parts, start = [jpeg[:2]], 2
    for marker, body, start in jpeg_segments(jpeg):  # noqa: B007  # the last end is where the pixels begin
        if not (APP0 <= marker <= LAST_APP or marker == COMMENT) or (marker == ADOBE and body.startswith(b"Adobe")):
            parts.append(_segment(marker, body))
    place = start
    while place + 4 <= len(jpeg):  # of a scan, or of the tables before the next
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
        end = MARKER.search(jpeg, place)
        if end is None:
            break
        place = end.start()
        if jpeg[place + 1] == EOI:
            return b"".join([*parts, jpeg[start : place + 2]])
    raise ValueError("a JPEG without an end")


def _packet(properties: str, xmp: bytes | None = None) -> bytes:
    """Return XMP with a description of a gain map."""
    head, end, rest = (xmp.decode() if xmp else EMPTY).rpartition(END)
    return f"{head}{DESCRIPTION % properties}{end}{rest}".encode()


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

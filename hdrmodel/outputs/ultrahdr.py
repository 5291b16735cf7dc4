"""Ultra HDR: a JPEG that every program opens, with a gain map that makes it HDR where that is understood."""

import struct
from pathlib import Path

import numpy as np

from hdrdata.disk import write_bytes
from hdrmodel.outputs.bands import Radiance, Scale, fill, note

QUALITY = 95  # of both JPEGs
WHITE = 203.0  # cd/m2 of 1.0 in libultrahdr (kSdrWhiteNits)
PEAK = 10_000.0  # cd/m2; libultrahdr clips there
SIDES = (8, 8192)  # pixels; libultrahdr refuses others
ISO_NAME = b"urn:iso:std:iso:ts:21496:-1\0"
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
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


def write_ultrahdr(path: Path, radiance: Radiance, scale: Scale, facts: dict[str, str]) -> list[str]:
    """Write an Ultra HDR JPEG by libultrahdr: its own global tone mapping, in Display P3, and a gain map of full size.

    The gain ends at 10,000 cd/m2, in steps of 1.5 %.
    """
    import imagecodecs

    light = np.ones((*radiance.shape[:2], 4), np.float16)  # the fourth is alpha, which a JPEG has not
    clipped = fill(light[:, :, :3], radiance, scale.nits / WHITE, PEAK / WHITE, lambda rows: rows)
    # A display that reaches `peak` over its white shows this light, a lesser one a part of the gain. libultrahdr writes
    # what it cannot read for a peak that is no higher than white; a stop is the least that makes sense.
    peak = min(max(float(radiance.max()) * scale.nits, 2 * WHITE), PEAK)
    gamut = imagecodecs.ULTRAHDR.CG.BT_709
    write_bytes(path, add_xmp(imagecodecs.ultrahdr_encode(light, level=QUALITY, gamut=gamut, nits=peak)))
    return note(clipped, radiance, f"{PEAK:,.0f} cd/m2")


def add_xmp(jpeg: bytes) -> bytes:
    """Repeat in XMP the gain map's numbers, which libultrahdr as it is usually built writes by ISO 21496-1 alone.

    The readers of the first years (Android 14) know XMP alone. Android, "Ultra HDR Image Format v1.1": the `hdrgm`
    numbers in the gain map, a GContainer directory in the primary picture. Each packet comes first in its JPEG, so that
    offsets in the MPF directory, which count from there, stay; its two sizes grow.
    """
    mpf = jpeg.index(b"MPF\0MM\0*") + 4
    entries = mpf + 50  # two, each: attributes, size, offset from `mpf`, four bytes of dependents
    primary_size, gain_map_size, offset = struct.unpack_from(">4xI12xII", jpeg, entries)
    primary, gain_map = bytearray(jpeg[: mpf + offset]), jpeg[mpf + offset :]
    assert (len(primary), len(gain_map), gain_map[:2]) == (primary_size, gain_map_size, b"\xff\xd8"), "MPF is unusual"
    content = gain_map.index(ISO_NAME) + len(ISO_NAME)
    flags, *fractions = struct.unpack_from(">4xB4I4i2I4i", gain_map, content)
    assert flags & 0b11001100 == 0b01000000, "not one set of fractions, for a gain over the primary picture's colours"
    names = ["HDRCapacityMin", "HDRCapacityMax", "GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR"]
    values = zip(names, fractions[::2], fractions[1::2], strict=True)
    numbers = "".join(f' hdrgm:{name}="{above / below:.9g}"' for name, above, below in values)
    in_gain_map = _segment(PACKET % f'{numbers} hdrgm:BaseRenditionIsHDR="False">')
    gain_map_size += len(in_gain_map)
    in_primary = _segment(PACKET % (DIRECTORY % gain_map_size))
    struct.pack_into(">I", primary, entries + 4, primary_size + len(in_primary))
    struct.pack_into(">I", primary, entries + 20, gain_map_size)
    return b"".join([primary[:2], in_primary, primary[2:], gain_map[:2], in_gain_map, gain_map[2:]])


def _segment(packet: str) -> bytes:
    content = XMP_NAME + packet.encode()
    return struct.pack(">BBH", 0xFF, 0xE1, 2 + len(content)) + content  # APP1

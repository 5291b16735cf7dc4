"""Ultra HDR: a JPEG that every program opens, with a gain map that makes it HDR where that is understood."""

import struct
from pathlib import Path

import numpy as np
from PIL import ImageCms

from hdrdata.files.disk import write_bytes
from hdrmodel.outputs.bands import Radiance, Scale, fill, note

QUALITY = 95  # of both JPEGs
WHITE = 203.0  # cd/m2 of 1.0 in libultrahdr (kSdrWhiteNits)
PEAK = 10_000.0  # cd/m2; libultrahdr clips there
SIDES = (8, 8192)  # pixels; libultrahdr refuses others
ISO_NAME = b"urn:iso:std:iso:ts:21496:-1\0"
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
ICC_NAME = b"ICC_PROFILE\0"
APP1, APP2 = 0xE1, 0xE2
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
    write_bytes(path, open_to_all(imagecodecs.ultrahdr_encode(light, level=QUALITY, gamut=gamut, nits=peak)))
    return note(clipped, radiance, f"{PEAK:,.0f} cd/m2")


def open_to_all(jpeg: bytes) -> bytes:
    """Mend an Ultra HDR JPEG by libultrahdr, as it is usually built, for readers that are not libultrahdr.

    It gives the gain map's numbers by ISO 21496-1 alone, and the readers of the first years (Android 14) know XMP
    alone, so both are written. Android, "Ultra HDR Image Format v1.1": the `hdrgm` numbers in the gain map, and a
    GContainer directory in the primary picture. It also gives the gain map a profile of linear sRGB, which says what
    primaries the light had. A browser that decodes the gain map for a script obeys it, and brightens the codes
    (measured in Chromium: light up to three times too bright). A profile of plain sRGB says the same primaries, and
    leaves the codes alone.

    Each packet of XMP comes first in its JPEG, so that offsets in the MPF directory, which count from it, stay.
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
    profile = gain_map.index(ICC_NAME) - 4  # where its segment begins: a marker and a size
    after = profile + 2 + int.from_bytes(gain_map[profile + 2 : profile + 4], "big")
    gain_map = b"".join(
        [
            gain_map[:2],
            _segment(APP1, XMP_NAME + (PACKET % f'{numbers} hdrgm:BaseRenditionIsHDR="False">').encode()),
            gain_map[2:profile],
            _segment(APP2, ICC_NAME + b"\x01\x01" + _srgb_profile()),  # the first of one
            gain_map[after:],
        ]
    )
    directory = _segment(APP1, XMP_NAME + (PACKET % (DIRECTORY % len(gain_map))).encode())
    struct.pack_into(">I", primary, entries + 4, primary_size + len(directory))
    struct.pack_into(">I", primary, entries + 20, len(gain_map))
    return b"".join([primary[:2], directory, primary[2:], gain_map])


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def _srgb_profile() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    struct.pack_into(">6H", profile, 24, 2000, 1, 1, 0, 0, 0)  # its date, so that the same picture gives the same bytes
    return bytes(profile)

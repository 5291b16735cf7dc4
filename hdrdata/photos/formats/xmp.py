"""XMP and IPTC of a photograph, without what is no longer true of an upright HDR image made from it."""

import re
import struct
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

ISO_NAME, XMP_NAME = b"urn:iso:std:iso:ts:21496:-1\0", b"http://ns.adobe.com/xap/1.0/\0"  # of segments of a JPEG
MORE_XMP, RESOURCES = b"http://ns.adobe.com/xmp/extension/\0", b"Photoshop 3.0\0"
LONGEST = 2**20  # bytes of a packet
PACKET = re.compile(rb"<x:xmpmeta\b.*?</x:xmpmeta>", re.DOTALL)
END = "</rdf:RDF>"
RDF, XMLNS = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/2000/xmlns/"
GOOGLE, PANORAMA = "http://ns.google.com/photos/1.0/", "http://ns.google.com/photos/1.0/panorama/"
STALE = (  # namespaces: gain maps, parts of the old file, and XMP in further segments
    "http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.apple.com/pixeldatainfo/1.0/", "http://ns.adobe.com/xmp/note/",
)  # fmt: skip
STALE_NAMES = {
    "http://ns.adobe.com/xap/1.0/": ("Thumbnails",),
    "http://ns.adobe.com/tiff/1.0/": ("Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression",
                                      "PhotometricInterpretation", "SamplesPerPixel", "PlanarConfiguration"),
    "http://ns.adobe.com/exif/1.0/": ("ColorSpace", "PixelXDimension", "PixelYDimension"),
    "http://ns.adobe.com/photoshop/1.0/": ("ICCProfile", "ColorMode"),
    "http://purl.org/dc/elements/1.1/": ("format",),
}  # fmt: skip


def find_xmp(content: bytes) -> bytes | None:
    """Return the first XMP packet that a file contains as plain text; None without one."""
    found = PACKET.search(content)
    return found[0] if found else None


def reset_xmp(packet: bytes) -> bytes | None:
    """Return an XMP packet without gain maps, thumbnails, orientation, size and colours; None if nothing is left.

    Raises:
        ValueError: if it is damaged, or declares a document type.
    """
    packet = packet.strip(b"\0 \r\n\t")
    if len(packet) > LONGEST or b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        raise ValueError(f"{len(packet)} bytes of XMP; expected at most {LONGEST}, without a document type")
    try:
        root: Any = minidom.parseString(packet).documentElement
        descriptions = root.getElementsByTagNameNS(RDF, "Description")
        for one in [one for one in descriptions if one.parentNode.namespaceURI == RDF]:
            _remove_stale(one)
        text = root.toxml() if any(one.parentNode is not None for one in descriptions) else ""
    except (ExpatError, RecursionError, AttributeError, ValueError) as error:
        raise ValueError(f"XMP is damaged ({error})") from error
    if not text:
        return None
    if END not in text:
        raise ValueError("XMP without rdf:RDF")
    return (text if root.localName == "xmpmeta" else f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{text}</x:xmpmeta>').encode()


def _remove_stale(description: Any) -> None:
    """Remove stale properties of one description, and the description if it has no other."""
    attributes = [description.attributes.item(number) for number in range(description.attributes.length)]
    children = [child for child in description.childNodes if child.nodeType == child.ELEMENT_NODE]
    stale = [one for one in attributes if _is_stale(one.value if one.namespaceURI == XMLNS else one.namespaceURI,
                                                    one.localName)]  # fmt: skip
    for one in stale:
        description.removeAttributeNode(one)
    old = [child for child in children if _is_stale(child.namespaceURI, child.localName)]
    for child in old:
        description.removeChild(child)
    left = [one for one in attributes if one not in stale and one.namespaceURI not in (RDF, XMLNS, None)]
    if len(old) == len(children) and not left:
        description.parentNode.removeChild(description)


def _is_stale(space: str | None, name: str) -> bool:
    if space is None:
        return False
    of_google = space.startswith(GOOGLE) and space != PANORAMA
    return of_google or space in STALE or name in STALE_NAMES.get(space, ())


def iptc_of(resources: bytes) -> bytes | None:
    """Return the IPTC block among Photoshop's image resources (8BIM, number 0x0404); None without a sound one."""
    place = 0
    try:
        while resources[place : place + 4] == b"8BIM":
            number, name = struct.unpack_from(">HB", resources, place + 4)
            place += 6 + name + 2 - name % 2
            (size,) = struct.unpack_from(">I", resources, place)
            if number == 0x0404:
                block = resources[place + 4 : place + 4 + size]
                return block if block and len(block) == size else None
            place += 4 + size + size % 2
    except struct.error:  # cut short
        pass
    return None


def image_resource(iptc: bytes) -> bytes:
    """Return a block of IPTC as Photoshop's image resource, which JPEG and PNG contain."""
    return struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)

"""JPEG 2000: its header, and its pixels."""

import struct
from dataclasses import replace
from pathlib import Path

import imagecodecs

from hdrdata.photos.boxes.walk import first, top_level
from hdrdata.photos.formats.decoded import Decoded, check_size, full_scale, of_array
from hdrdata.photos.formats.pillow import decode_by_pillow


def decode_jpeg2000(path: Path) -> Decoded:
    """Decode a JPEG 2000: 8 bits by Pillow, more by OpenJPEG."""
    content = path.read_bytes()
    streams = [box for kind, box in top_level(content) if kind == b"jp2c"] if content[4:8] == b"jP  " else [content]
    if len(streams) != 1 or not streams[0].startswith(b"\xff\x4f\xff\x51") or len(streams[0]) < 45:
        raise ValueError(f"{len(streams)} codestreams; expected a whole one")
    siz = streams[0]
    right, below, left, top, tile_width, tile_height = struct.unpack_from(">6I", siz, 8)
    bits = (siz[42] & 0x7F) + 1
    check_size(path, right - left, below - top)
    check_size(path, min(tile_width, right), min(tile_height, below))
    if siz[42] & 0x80:
        raise ValueError("signed samples")
    colour = first(content, b"colr") if content[4:8] == b"jP  " else b""
    icc = colour[3:] if colour[:1] in (b"\2", b"\3") else None
    if bits <= 8:
        return replace(decode_by_pillow(path, "JPEG2000", None), icc=icc)
    pixels = full_scale(imagecodecs.jpeg2k_decode(content), bits)
    return of_array(pixels, bits=bits, icc=icc)

"""WebP: what its chunks state, and its pixels."""

import struct
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np

from hdrdata.photos.formats.decoded import Decoded, check_size, of_array
from hdrdata.photos.formats.exif import plain

FRAME_HEAD = 16  # bytes of an ANMF chunk before its own chunks


def chunks_of(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the chunks of a WebP file, those inside frames too."""
    place = 12
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, place)
        yield kind, content[place + 8 : place + 8 + size]
        place += 8 + (FRAME_HEAD if kind == b"ANMF" else size + size % 2)


def size_of(kind: bytes, chunk: bytes) -> tuple[int, int]:
    """Return width and height stated by a chunk VP8X, VP8L or VP8; 0 and 0 if it is cut short."""
    if len(chunk) < 10 and (kind != b"VP8L" or len(chunk) < 5):
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(chunk[4:7], "little"), 1 + int.from_bytes(chunk[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(chunk[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", chunk, 6)
    return width & 0x3FFF, height & 0x3FFF


def decode_webp(path: Path) -> Decoded:
    """Decode the first frame of a WebP by libwebp; a lossless image of one colour may be of any size."""
    content = path.read_bytes()
    chunks: dict[bytes, bytes] = {}
    frames = 0
    for kind, chunk in chunks_of(content):
        chunks.setdefault(kind, chunk)
        frames += kind == b"ANMF"
    canvas = next((size_of(kind, chunks[kind]) for kind in (b"VP8X", b"VP8L", b"VP8 ") if kind in chunks), (0, 0))
    inner = size_of(b"VP8L", chunks[b"VP8L"]) if b"VP8L" in chunks else None
    lossless = inner is not None and (frames > 0 or inner == canvas)
    check_size(path, *canvas, None if lossless else canvas[0] * canvas[1] * 3)
    pixels = imagecodecs.webp_decode(content)
    if pixels.shape[:2] != canvas[::-1]:
        raise ValueError(f"decodes to {pixels.shape[1]}x{pixels.shape[0]} pixels")
    notes = [f"the first of {frames} frames"] if frames > 1 else []
    facts = {"icc": chunks.get(b"ICCP"), "exif": plain(chunks.get(b"EXIF")), "xmp": chunks.get(b"XMP ")}
    return of_array(np.asarray(pixels), notes=notes, **facts)

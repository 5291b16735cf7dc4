"""Boxes of ISO 14496-12, and HEIC, AVIF and JPEG 2000, which are made of them."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np

from hdrdata.photos.colours.encodings import Encoding, encoding_of
from hdrdata.photos.formats.decoded import Decoded, check_size, full_scale, of_array
from hdrdata.photos.formats.exif import load, orientation_of, plain
from hdrdata.photos.formats.pillow import decode_by_pillow, open_image

HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"jp2h": 0}  # boxes of boxes, and what stands before those


def walk(content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of ISO 14496-12 by type, and where their contents begin and end."""
    end = len(content) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        head = 8
        if size == 1 and start + 16 <= end:
            (size,), head = struct.unpack_from(">Q", content, start + 8), 16
        stop = end if size == 0 else min(start + size, end)
        if stop < start + head:
            return
        yield kind, start + head, stop
        if kind in HOLDERS:
            yield from walk(content, start + head + HOLDERS[kind], stop)
        start = stop


def top_level(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of the boxes that are in no other."""
    end = 0
    for kind, start, stop in walk(content):
        if start > end:
            end = stop
            yield kind, content[start:stop]


def first(content: bytes, kind: bytes) -> bytes:
    """The contents of the first box of a type; empty if there is none."""
    return next((content[start:stop] for found, start, stop in walk(content) if found == kind), b"")


def nclx_of(content: bytes, notes: list[str]) -> Encoding | None:
    """The encoding that the first colour box by code points of ITU-T H.273 states; None without, or if it is sRGB's."""
    for kind, start, stop in walk(content):
        if kind == b"colr" and content[start : start + 4] == b"nclx" and stop - start >= 10:
            return _coded(*struct.unpack_from(">HH", content, start + 4), notes)
    return None


def _coded(primaries: int, transfer: int, notes: list[str]) -> Encoding | None:
    """As `encoding_of`; BT.709's transfer is what a camera writes of a picture that is shown by sRGB's curve."""
    try:
        return encoding_of(primaries, 13 if transfer in (1, 6) else transfer)
    except ValueError as error:
        notes.append(f"its colours are taken for sRGB: {error}")
        return None


def decode_avif(path: Path) -> Decoded:
    """Decode an AVIF: 8 bits by Pillow, more by libavif, which turns nothing: the orientation is Pillow's."""
    with open_image(path, "AVIF") as image:
        check_size(path, *image.size)
    content = path.read_bytes()
    decoded = decode_by_pillow(path, "AVIF", None)
    notes = list(decoded.notes)
    depth = first(content, b"pixi")[5:6]
    bits = depth[0] if depth else 8 + 2 * bool(first(content, b"av1C")[2:3] and first(content, b"av1C")[2] & 0x40)
    if bits > 8:
        pixels = full_scale(imagecodecs.avif_decode(content), bits)
        if pixels.ndim == 4:
            pixels = pixels[0]
        told = {"icc": decoded.icc, "exif": decoded.exif}
        decoded = of_array(pixels, bits=bits, is_alpha=pixels.shape[-1] in (2, 4), **told)
    encoding = None if decoded.icc else nclx_of(content, notes)
    return replace(decoded, encoding=encoding, notes=notes, turn=orientation_of(load(decoded.exif)))


def heif_exif(path: Path) -> bytes | None:
    """Return the EXIF block of a HEIC's primary image."""
    import pi_heif

    heif = pi_heif.open_heif(path)
    return plain(heif[heif.primary_index].info.get("exif"))


def decode_heif(path: Path) -> Decoded:
    """Decode a HEIC by libheif, which turns it as its own boxes say; EXIF's orientation does not count."""
    import pi_heif

    heif = pi_heif.open_heif(path, convert_hdr_to_8bit=False)
    check_size(path, *heif.size)
    image = heif[heif.primary_index]
    pixels, bits = np.array(image), image.info.get("bit_depth", 8)
    # copied: the library frees its memory with `heif`
    if pixels.dtype == np.uint16:  # whose codes it shifts to the left
        pixels = full_scale(pixels >> (16 - bits), bits)
    notes: list[str] = [f"the first of {len(heif)} pictures"] if len(heif) > 1 else []
    nclx, icc = image.info.get("nclx_profile"), image.info.get("icc_profile")
    encoding = None
    if nclx and not icc:
        encoding = _coded(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]), notes)
    exif = plain(image.info.get("exif"))
    premultiplied = bool(image.info.get("premultiplied") or image.premultiplied_alpha) if image.has_alpha else False
    return of_array(
        pixels, bits=bits, icc=icc or None, exif=exif, encoding=encoding, turn=1, notes=notes,
        is_premultiplied=premultiplied,
    )  # fmt: skip


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

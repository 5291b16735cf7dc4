"""PNG: its chunks, colours by the third edition, and the pixels of 16 bits that Pillow would round."""

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np

from hdrdata.photos.colours.encodings import Encoding, encoding_of, gamma_encoding
from hdrdata.photos.formats.decoded import Decoded, check_size, of_array
from hdrdata.photos.formats.exif import of_text, plain
from hdrdata.photos.formats.pillow import decode_by_pillow

KEPT = (b"IHDR", b"cICP", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"tRNS", b"eXIf")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
LONGEST = 2**24  # bytes of a chunk, here
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


def read_chunks(path: Path) -> dict[bytes, bytes]:
    """The chunks of a PNG file that are not its pixels, by name, as far as they go: the first of each.

    The text of "Raw profile type exif" comes by that name.
    """
    chunks: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] in KEPT + TEXTS:
                content = file.read(min(length, LONGEST))
                length -= min(length, LONGEST)
                name, _, rest = content.partition(b"\0")
                if head[4:] in KEPT:
                    chunks.setdefault(head[4:], content)
                elif name.startswith(b"Raw profile type "):
                    chunks.setdefault(name, _text_of(head[4:], rest))
            file.seek(length + 4, os.SEEK_CUR)
    return chunks


def _text_of(kind: bytes, content: bytes) -> bytes:
    try:
        if kind == b"zTXt":
            return zlib.decompressobj().decompress(content[1:], LONGEST)
        if kind == b"iTXt":
            flag, text = content[0], content[2:].split(b"\0", 2)[2]
            return zlib.decompressobj().decompress(text, LONGEST) if flag else text
    except (zlib.error, IndexError):
        return b""
    return content


def decode_png(path: Path) -> Decoded:
    """Decode a PNG; what its chunks say of colour comes with it."""
    chunks = read_chunks(path)
    header = chunks.get(b"IHDR", b"")
    if len(header) < 13:
        raise ValueError("no sound header")
    width, height, depth, colour_type = struct.unpack_from(">IIBB", header)
    channels = CHANNELS.get(colour_type, 1)
    check_size(path, width, height, height * (-(-width * channels * depth // 8)))
    if depth == 16:
        decoded = of_array(imagecodecs.png_decode(path.read_bytes()))
    else:
        decoded = decode_by_pillow(path, "PNG", None)
    notes = list(decoded.notes)
    exif = plain(chunks.get(b"eXIf")) or of_text(chunks.get(b"Raw profile type exif", b"").decode("latin-1"))
    exif = exif or of_text(chunks.get(b"Raw profile type APP1", b"").decode("latin-1"))
    encoding = _encoding_of(chunks, notes)
    icc = None if encoding or b"iCCP" not in chunks else _icc_of(chunks[b"iCCP"])
    clear = _clear_of(chunks, depth, colour_type)
    return replace(decoded, bits=depth, icc=icc, exif=exif, encoding=encoding, clear=clear, notes=notes)


def _encoding_of(chunks: dict[bytes, bytes], notes: list[str]) -> Encoding | None:
    """By the third edition, 4.3: cICP, then iCCP, then sRGB, then gAMA with cHRM; None if a profile or nothing says."""
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) >= 4:
        try:
            if cicp[2]:
                raise ValueError(f"matrix coefficients {cicp[2]} of H.273; wanted 0")
            return encoding_of(cicp[0], cicp[1], narrow=cicp[3] == 0)
        except ValueError as error:
            notes.append(f"its cICP is not used: {error}")
    if chunks.keys() & {b"iCCP", b"sRGB"}:
        return None
    gamma = int.from_bytes(chunks.get(b"gAMA", b"")[:4], "big") / 1e5 or None
    chromaticities = None
    if len(chunks.get(b"cHRM", b"")) >= 32:
        white, *primaries = np.array(struct.unpack_from(">8I", chunks[b"cHRM"])).reshape(4, 2) / 1e5
        chromaticities = tuple(float(value) for pair in (*primaries, white) for value in pair)
    if gamma is None and chromaticities is None:
        return None
    try:
        return gamma_encoding(gamma, chromaticities)
    except ValueError as error:
        notes.append(f"its cHRM is not used: {error}")
        return gamma_encoding(gamma, None)


def _icc_of(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content.partition(b"\0")[2][1:], LONGEST)
    except zlib.error:
        return b"?"  # damaged


def _clear_of(chunks: dict[bytes, bytes], depth: int, colour_type: int) -> np.ndarray | None:
    """The one colour that tRNS of a grey or RGB PNG makes transparent, as decoded to 8 or 16 bits."""
    count = {0: 1, 2: 3}.get(colour_type)
    if count is None or len(chunks.get(b"tRNS", b"")) < 2 * count:
        return None
    most = 2**depth - 1
    stored = np.array(struct.unpack_from(f">{count}H", chunks[b"tRNS"])) & most
    return stored * (max(most, 255) // most)

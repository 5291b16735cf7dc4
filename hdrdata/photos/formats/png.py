"""PNG: its chunks, colours by the third edition, and the pixels of 16 bits that Pillow would round."""

import io
import os
import struct
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np

from hdrdata.files.claims import MAX_TEXT, inflate
from hdrdata.photos.colours.encodings import Encoding, encoding_of, gamma_encoding
from hdrdata.photos.formats.decoded import Decoded, check_size, of_array
from hdrdata.photos.formats.exif import plain, raw_profile
from hdrdata.photos.formats.pillow import decode_by_pillow
from hdrdata.photos.formats.xmp import iptc_of

PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # all that a decoder of pixels is given
XMP, IPTC = b"XML:com.adobe.xmp", b"Raw profile type iptc"
READ_TEXTS = (b"Raw profile type exif", b"Raw profile type APP1", XMP, IPTC)
KEPT = (b"IHDR", b"acTL", b"cICP", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"tRNS", b"eXIf")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


def read_chunks(path: Path) -> dict[bytes, bytes]:
    """The chunks of a PNG file that are not its pixels, by name, as far as they go: the first of each.

    The texts that may hold EXIF, XMP or IPTC come by their own names.
    """
    chunks: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] in KEPT + TEXTS:
                content = file.read(min(length, MAX_TEXT))
                length -= min(length, MAX_TEXT)
                name, _, rest = content.partition(b"\0")
                if head[4:] in KEPT:
                    chunks.setdefault(head[4:], content)
                elif name in READ_TEXTS and name not in chunks:
                    chunks[name] = _text_of(head[4:], rest)
            file.seek(length + 4, os.SEEK_CUR)
    return chunks


def pixels_alone(path: Path) -> io.BytesIO:
    """Return a PNG without its texts and metadata, which decoders would decompress and refuse the whole for."""
    kept, size = io.BytesIO(), path.stat().st_size  # `read` allocates what it is asked for
    with path.open("rb") as file:
        kept.write(file.read(8))
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big") + 4
            if head[4:] in PIXELS:
                kept.write(head + file.read(min(length, size)))
            else:
                file.seek(length, os.SEEK_CUR)
    kept.seek(0)
    return kept


def _text_of(kind: bytes, content: bytes) -> bytes:
    try:
        if kind == b"zTXt":
            return inflate(content[1:])
        if kind == b"iTXt":
            flag, text = content[0], content[2:].split(b"\0", 2)[2]
            return inflate(text) if flag else text
    except (ValueError, IndexError):
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
        decoded = of_array(imagecodecs.png_decode(pixels_alone(path).getvalue()))
    else:
        decoded = decode_by_pillow(path, "PNG", None, source=pixels_alone(path))
    notes = list(decoded.notes)
    if (frames := int.from_bytes(chunks.get(b"acTL", b"")[:4], "big")) > 1:
        notes.append(f"the first of {frames} frames")
    exif = plain(chunks.get(b"eXIf")) or plain(raw_profile(chunks.get(b"Raw profile type exif", b"").decode("latin-1")))
    exif = exif or plain(raw_profile(chunks.get(b"Raw profile type APP1", b"").decode("latin-1")))
    encoding = _encoding_of(chunks, notes)
    icc = None if encoding or b"iCCP" not in chunks else _icc_of(chunks[b"iCCP"])
    clear = _clear_of(chunks, depth, colour_type)
    resources = raw_profile(chunks.get(IPTC, b"").decode("latin-1"))
    return replace(
        decoded, bits=depth, icc=icc, exif=exif, encoding=encoding, clear=clear, notes=notes,
        xmp=chunks.get(XMP) or None, iptc=iptc_of(resources or b""),
    )  # fmt: skip


def _encoding_of(chunks: dict[bytes, bytes], notes: list[str]) -> Encoding | None:
    """By the third edition, 4.3: cICP, then iCCP, then sRGB, then gAMA with cHRM; None if a profile or nothing says."""
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) >= 4:
        try:
            if cicp[2]:
                raise ValueError(f"matrix coefficients {cicp[2]} of H.273; expected 0")
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
        return inflate(content.partition(b"\0")[2][1:])
    except ValueError:
        return b"?"  # damaged


def _clear_of(chunks: dict[bytes, bytes], depth: int, colour_type: int) -> np.ndarray | None:
    """The one colour that tRNS of a grey or RGB PNG makes transparent, as decoded to 8 or 16 bits."""
    count = {0: 1, 2: 3}.get(colour_type)
    if count is None or len(chunks.get(b"tRNS", b"")) < 2 * count:
        return None
    most = 2**depth - 1
    stored = np.array(struct.unpack_from(f">{count}H", chunks[b"tRNS"])) & most
    return stored * (max(most, 255) // most)

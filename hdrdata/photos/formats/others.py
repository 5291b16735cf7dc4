"""netpbm, GIF and BMP."""

import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from hdrdata.photos.colours.encodings import BT709, Encoding, gamma_encoding
from hdrdata.photos.formats.decoded import Decoded, check_size, of_array
from hdrdata.photos.formats.pillow import decode_by_pillow

NETPBM = re.compile(rb"P([56])(?:\s+|#[^\n]*\n)*(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s")


def decode_netpbm(path: Path) -> Decoded:
    """Decode PPM, PGM and PBM: bytes and words of any maximum here, text and bits by Pillow."""
    content = path.read_bytes()
    found = NETPBM.match(content)
    if not found:
        return decode_by_pillow(path, "PPM", 1)
    channels = 3 if found[1] == b"6" else 1
    width, height, most = (int(number) for number in found.groups()[1:])
    if not 1 <= most <= 65535:
        raise ValueError(f"a maximum of {most}; expected 1 to 65535")
    size = 1 if most < 256 else 2
    check_size(path, width, height, width * height * channels * size)
    if len(content) < found.end() + width * height * channels * size:
        raise ValueError(f"cut short: {len(content)} bytes")
    stored = np.frombuffer(content, ">u2" if size == 2 else np.uint8, width * height * channels, found.end())
    full = 65535 if size == 2 else 255
    pixels = np.minimum(stored, most)
    if most != full:
        pixels = (pixels.astype(np.uint32) * full + most // 2) // most
    pixels = pixels.astype(np.uint16 if size == 2 else np.uint8).reshape(height, width, channels)
    return of_array(pixels)


def decode_gif(path: Path) -> Decoded:
    """Decode the first frame of a GIF."""
    return decode_by_pillow(path, "GIF")


def decode_bmp(path: Path) -> Decoded:
    """Decode a Windows bitmap; what its header of version 4 or 5 says of colour comes with it."""
    with path.open("rb") as file:
        head = file.read(14 + 124)
        decoded = decode_by_pillow(path, "BMP", None)
        (size,) = struct.unpack_from("<I", head, 14)
        kind = head[70:74][::-1] if size >= 108 and len(head) >= 122 else b""
        icc = None
        if kind == b"MBED" and size >= 124 and len(head) >= 138:
            start, count = struct.unpack_from("<II", head, 14 + 112)
            file.seek(14 + start)
            icc = file.read(min(count, 2**24))
    encoding = _calibrated(head) if kind == b"\0\0\0\0" else None
    return replace(decoded, icc=icc, encoding=encoding)


def _calibrated(head: bytes) -> Encoding | None:
    """LCS_CALIBRATED_RGB: end points in XYZ, 2.30 fixed, and gammas, 16.16; None if they say nothing."""
    ends = np.array(struct.unpack_from("<9I", head, 74)).reshape(3, 3) / 2**30
    gammas = np.array(struct.unpack_from("<3I", head, 110)) / 65536
    if not ends.any() or not gammas.all() or (ends.sum(axis=1) == 0).any():
        return None
    xy = (ends / ends.sum(axis=1, keepdims=True))[:, :2].ravel()
    try:
        return gamma_encoding(1 / float(gammas[1]), (*map(float, xy), *BT709[6:]))
    except ValueError:
        return None

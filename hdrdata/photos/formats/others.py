"""netpbm, GIF, BMP and WebP."""

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
        raise ValueError(f"a maximum of {most}; wanted 1 to 65535")
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


def decode_webp(path: Path) -> Decoded:
    """Decode the first frame of a WebP; a lossless one of one colour may be of any size."""
    with path.open("rb") as file:
        head = file.read(64)
        width, height = webp_size(head)
        inner = _inner_size(path) if head[12:16] == b"VP8X" else None
    lossless = head[12:16] == b"VP8L" or inner is not None
    if inner is not None and inner[:2] != (width, height) and not inner[2]:
        lossless = False  # a canvas that its picture does not fill
    check_size(path, width, height, None if lossless else width * height * 3)
    return decode_by_pillow(path, "WEBP", None)


def webp_size(head: bytes) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file; 0 and 0 if it is cut short or unknown."""
    if len(head) < 30:
        return 0, 0
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        return _vp8l_size(head[20:25])
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def _vp8l_size(content: bytes) -> tuple[int, int]:
    bits = int.from_bytes(content[1:5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


def _inner_size(path: Path) -> tuple[int, int, bool] | None:
    """Width and height of the lossless picture in an extended WebP, and whether it is a frame; None if it is lossy."""
    content, place, moving = path.read_bytes(), 12, False
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, place)
        if kind == b"VP8L":
            return *_vp8l_size(content[place + 8 : place + 13]), moving
        if kind == b"ANMF":
            moving, place = True, place + 8 + 16  # its own chunks follow
            continue
        place += 8 + size + size % 2
    return None

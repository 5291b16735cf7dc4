"""LDR pictures as PNG and JPEG, each by the fastest codec that there is."""

import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from hdrdata.files.disk import write_bytes

try:
    from kornia_rs import io as kornia_io  # pyright: ignore[reportMissingModuleSource]
except ImportError:  # there is no wheel for this machine: OpenCV decodes
    kornia_io = None

SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG's frames
LOSSLESS, JPEG_LS = (0xC3, 0xC7, 0xCB, 0xCF), 0xF7  # markers of frames without quantisation
SOS = 0xDA  # the marker before the pixels
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK = struct.Struct(">I4s")
_PNG_HEAD = struct.Struct(">16xIIBBBBB")  # of IHDR: width, height, bit depth, colour type, and three that are 0


def encode_png(ldr: UInt8[np.ndarray, "height width 3"], encoder: str) -> bytes:
    """Encode an RGB picture as an ordinary PNG file.

    Args:
        encoder: "fpng" (measured 8 to 12 times faster than OpenCV for 5 % more bytes) or "opencv" (everywhere).

    Raises:
        ValueError: if `encoder` is unknown, or is "fpng" where that package has no wheel.
    """
    if encoder == "opencv":
        return cv2.imencode(".png", cv2.cvtColor(ldr, cv2.COLOR_RGB2BGR))[1].tobytes()
    if encoder != "fpng":
        raise ValueError(f"unknown PNG encoder '{encoder}'; known: fpng, opencv")
    try:
        import fpng
    except ImportError as error:
        raise ValueError("the PNG encoder 'fpng' is not installed on this machine; choose 'opencv'") from error
    return fpng.from_ndarray(np.ascontiguousarray(ldr))


def decode_png(png: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a PNG file's bytes to RGB.

    Plain 8-bit RGB, which is what `encode_png` writes, is decoded by kornia-rs where that is installed (measured 2.3
    times as fast as OpenCV); all else, damage too, is OpenCV's to judge.

    Raises:
        ValueError: if the bytes are no PNG picture.
    """
    width, height, *kind = _PNG_HEAD.unpack_from(png) if len(png) >= _PNG_HEAD.size else (0, 0)
    # Deflate packs 1032 bytes into one at most, which bounds what a head may claim. OpenCV turns pictures by eXIf.
    plain = kind == [8, 2, 0, 0, 0] and 0 < 3 * width * height < 1032 * len(png) and b"eXIf" not in _chunks(png)
    if plain and kornia_io is not None:
        try:
            return kornia_io.decode_image_png_u8(png, (height, width), "rgb")
        except Exception:  # its only kind, for damage and for what it does not support: OpenCV decides which it is
            pass
    rgb = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_COLOR_RGB) if png else None
    if rgb is None:
        raise ValueError(f"{len(png)} bytes are not a PNG picture")
    return rgb


def _chunks(png: bytes) -> list[bytes]:
    """The kinds of a PNG file's chunks, as far as their lengths lead."""
    kinds, at = [], len(_PNG_SIGNATURE)
    while at + _PNG_CHUNK.size <= len(png):
        length, kind = _PNG_CHUNK.unpack_from(png, at)
        kinds.append(kind)
        at += _PNG_CHUNK.size + length + 4  # and its checksum
    return kinds


def encode_jpeg(ldr: UInt8[np.ndarray, "height width 3"], quality: int) -> bytes:
    """Encode an RGB picture as a baseline JPEG file without subsampling (4:4:4), by OpenCV's libjpeg-turbo."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(ldr, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def decode_jpeg(jpeg: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a JPEG file's bytes to RGB.

    Raises:
        ValueError: if the bytes are no JPEG picture.
    """
    bgr = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if bgr is None:
        raise ValueError(f"{len(jpeg)} bytes are not a JPEG picture")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def write_png(path: Path, ldr: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write an RGB picture as PNG, whole or not at all."""
    write_bytes(path, encode_png(ldr, "opencv"))


def jpeg_segments(content: bytes, start: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Yield marker, content and end of each complete segment of the JPEG at `start`, up to the pixels."""
    place = start + 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF or marker in _ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        (size,) = struct.unpack_from(">H", content, place + 2)
        body, place = content[place + 4 : place + 2 + size], place + 2 + size
        if marker == SOS:
            return
        yield marker, body, place

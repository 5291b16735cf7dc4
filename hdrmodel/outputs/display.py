"""Pictures for displays: AVIF and PNG with the signals of HDR television, and an ordinary preview."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from hdrdata.command import available_cores
from hdrdata.files.disk import write_bytes, written_whole
from hdrdata.files.ldr import write_png
from hdrdata.files.tonemap import to_uint8, tonemap_reinhard
from hdrmodel.outputs.avif import with_exif
from hdrmodel.outputs.bands import Radiance, Scale, Source, Writer
from hdrmodel.outputs.names import PREVIEW_SIDE
from hdrmodel.outputs.signals import BT2020, Signal, encode_signal

AVIF_QUALITY = 95
AVIF_SPEED = 8  # measured: 6 takes three times as long for errors 4 % smaller
AVIF_BITS = 10  # more programs open it than 12
AVIF_CHROMA = "444"  # measured: 4:2:0 moves PQ codes by half the range at coloured edges, for 5 % fewer bytes
PNG_HEAD = 8 + 25  # bytes of the signature and of IHDR


def avif_writer(signal: Signal) -> Writer:
    """A writer of AVIF files of 10 bits."""

    def write(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
        import imagecodecs

        codes, notes = encode_signal(radiance, scale.nits, signal, AVIF_BITS)
        avif = imagecodecs.avif_encode(
            codes,
            level=AVIF_QUALITY,
            speed=AVIF_SPEED,
            bitspersample=AVIF_BITS,
            pixelformat=AVIF_CHROMA,
            primaries=BT2020,
            transfer=signal.transfer,
            matrix=BT2020,
            numthreads=available_cores(),
        )
        write_bytes(path, with_exif(bytes(avif), source.exif) if source.exif else avif)
        return notes

    return write


def png_writer(signal: Signal) -> Writer:
    """A writer of 16-bit PNG files with a cICP chunk (PNG, third edition, 11.3.2.6); facts become iTXt, EXIF eXIf."""

    def write(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
        codes, notes = encode_signal(radiance, scale.nits, signal, 16)
        cv2.cvtColor(codes, cv2.COLOR_RGB2BGR, dst=codes)
        png = cv2.imencode(".png", codes)[1]
        chunks = chunk(b"cICP", bytes([BT2020, signal.transfer, 0, 1]))  # 0: RGB; 1: full range
        for name, text in source.facts.items():
            chunks += chunk(b"iTXt", f"hdrmodel.{name}\0\0\0\0\0{text}".encode())
        if source.exif:
            chunks += chunk(b"eXIf", source.exif)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            for part in (png[:PNG_HEAD], chunks, png[PNG_HEAD:]):
                file.write(part)
        return notes

    return write


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file; `PNG_HEAD` is where those stand that come before the pixels."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_preview(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
    """Write an ordinary PNG, tone mapped by Reinhard's operator; a larger picture is first shrunk to 2048 pixels."""
    height, width, _ = radiance.shape
    shrink = PREVIEW_SIDE / max(height, width)
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        radiance = cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)
    write_png(path, to_uint8(tonemap_reinhard(np.maximum(radiance, 0))))  # what BT.709 shows
    return []

"""Pictures for displays: AVIF and PNG with the signals of HDR television, and an ordinary preview."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from hdrdata.files.disk import write_bytes, written_whole
from hdrdata.files.ldr import write_png
from hdrdata.files.tonemap import to_uint8, tonemap_reinhard
from hdrdata.machine import available_cores
from hdrdata.photos.formats.xmp import image_resource
from hdrmodel.outputs.avif import with_metadata
from hdrmodel.outputs.bands import Radiance, Scale, Source, Writer, bands
from hdrmodel.outputs.format_list import PREVIEW_SIDE
from hdrmodel.outputs.signals import BT709_TO_BT2020, BT2020, SIGNALS, Signal, encode_signal

AVIF_QUALITY = 99  # measured on noisy photographs: light within 9 % (99th percentile); 98 within 14, 95 within 29
AVIF_SPEED = 6  # three times as long as 8; from 7 on, libaom codes the first block up to 21 of 1,023 codes off
AVIF_BITS = 10  # more programs open it than 12, which at quality 95 are no nearer: quantisation dominates
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
        levels = _levels_of(radiance, scale, signal)
        write_bytes(path, with_metadata(bytes(avif), source.metadata.exif, source.metadata.xmp, levels))
        return notes

    return write


def png_writer(signal: Signal) -> Writer:
    """A writer of 16-bit PNG files with a cICP chunk (PNG, third edition, 11.3.2.6), and metadata."""

    def write(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
        codes, notes = encode_signal(radiance, scale.nits, signal, 16)
        cv2.cvtColor(codes, cv2.COLOR_RGB2BGR, dst=codes)
        png = cv2.imencode(".png", codes)[1]
        chunks = chunk(b"cICP", bytes([BT2020, signal.transfer, 0, 1]))  # 0: RGB; 1: full range
        if levels := _levels_of(radiance, scale, signal):
            chunks += chunk(b"cLLI", struct.pack(">II", *(round(nits * 10_000) for nits in levels)))
        texts = {f"hdrmodel.{name}": text.encode() for name, text in source.facts.items()}
        texts |= {"XML:com.adobe.xmp": source.metadata.xmp} if source.metadata.xmp else {}
        for name, text in texts.items():
            chunks += chunk(b"iTXt", name.encode() + bytes(5) + text)
        if source.metadata.exif:
            chunks += chunk(b"eXIf", source.metadata.exif)
        if source.metadata.iptc:
            chunks += chunk(b"tEXt", b"Raw profile type iptc\0" + raw_profile_of(source.metadata.iptc))
        with written_whole(path) as temporary, temporary.open("wb") as file:
            for part in (png[:PNG_HEAD], chunks, png[PNG_HEAD:]):
                file.write(part)  # pyright: ignore[reportArgumentType]  # an array is a buffer
        return notes

    return write


def raw_profile_of(iptc: bytes) -> bytes:
    """Return IPTC as ImageMagick writes it into PNG, which has no place of its own for it: hexadecimal digits."""
    resource = image_resource(iptc)
    return b"\niptc\n%8d\n%s\n" % (len(resource), resource.hex("\n", 36).encode())


def _levels_of(radiance: Radiance, scale: Scale, signal: Signal) -> tuple[float, float] | None:
    return light_levels(radiance, scale.nits, signal.peak) if signal is SIGNALS["pq"] else None


def light_levels(radiance: Radiance, nits: float, peak: float) -> tuple[float, float]:
    """Return MaxCLL and MaxFALL of one picture (CTA-861.3, annex P) in cd/m2: largest and mean of max(R, G, B).

    Args:
        nits: cd/m2 of 1 in `radiance`.
        peak: cd/m2, to which light is clipped.
    """
    largest, total = 0.0, 0.0
    for rows in bands(*radiance.shape[:2]):
        light = np.clip((radiance[rows].astype(np.float64) @ BT709_TO_BT2020.T).max(axis=2) * nits, 0, peak)
        largest, total = max(largest, float(light.max())), total + float(light.sum())
    return largest, total / (radiance.shape[0] * radiance.shape[1])


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file; `PNG_HEAD` is where those stand that come before the pixels."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_mask(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
    """Write which values the network filled in as an RGB PNG: 255 where a channel is predicted, 0 elsewhere."""
    mask = np.zeros(radiance.shape, bool) if source.mask is None else source.mask
    write_png(path, mask.astype(np.uint8) * np.uint8(255))
    return []


def write_preview(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
    """Write an ordinary PNG, tone mapped by Reinhard's operator; a larger picture is first shrunk to 2048 pixels."""
    height, width, _ = radiance.shape
    shrink = PREVIEW_SIDE / max(height, width)
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        radiance = cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)
    write_png(path, to_uint8(tonemap_reinhard(np.maximum(radiance, 0))))  # what BT.709 shows
    return []

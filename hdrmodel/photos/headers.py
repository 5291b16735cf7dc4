"""What the header of a photograph's file says, read before a decoder believes it."""

import os
import struct
from pathlib import Path

import numpy as np
from PIL import TiffImagePlugin

from hdrmodel.photos.colours import check_transfer

WANTED = "wanted JPEG, PNG, TIFF or WebP"
KINDS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF",
         b"MM\0+": "TIFF"}  # fmt: skip
OTHERS = {b"GIF8": "GIF", b"BM": "BMP", b"%!PS": "EPS", b"\xc5\xd0\xd3\xc6": "EPS", b"%PDF": "PDF",
          b"8BPS": "Photoshop", b"\0\0\0\x0cjP  ": "JPEG 2000", b"\0\0\0\x0cJXL ": "JPEG XL", b"\xff\x0a": "JPEG XL",
          b"v/1\x01": "OpenEXR", b"#?RADIANCE": "Radiance HDR", b"#?RGBE": "Radiance HDR", b"FUJIFILM": "camera raw",
          b"IIU\0": "camera raw", b"IIRO": "camera raw", b"qoif": "QOI"}  # fmt: skip
BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF",
          b"crx ": "camera raw"}  # fmt: skip
BITS, COLOURS, SAMPLES, PLANES = 258, 262, 277, 284  # TIFF tags
SUBFILE, EXTRA, FORMAT, DNG = 254, 338, 339, 50706
TIFF_TAGS = (BITS, COLOURS, SAMPLES, PLANES, SUBFILE, EXTRA, FORMAT, DNG)
GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/", b"urn:iso:std:iso:ts:21496:-1", b"aux:hdrgainmap")
TIFF_COLOURS = {0: 1, 1: 1, 2: 3, 3: 3, 5: 4, 6: 3}  # by PhotometricInterpretation
TIFF_OTHERS = {8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "raw sensor", 34892: "raw sensor", 32845: "LogLuv"}
TIFF_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}


def known_kind(path: Path, head: bytes) -> str:
    """JPEG, PNG, TIFF or WEBP, by the first 32 bytes.

    Raises:
        ValueError: naming the file, and what it is if that is known, if it is none of these.
    """
    if not head:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    other = next((name for magic, name in OTHERS.items() if head.startswith(magic)), None)
    if head[4:8] == b"ftyp":
        other = BRANDS.get(head[8:12], "video or HEIF")
    if head[:2] in (b"II", b"MM") and head[8:10] == b"CR":
        other = "camera raw"
    if other:
        raise ValueError(f"{path}: a {other} file; {WANTED}")
    kind = next((name for magic, name in KINDS.items() if head.startswith(magic)), None)
    if kind is None:
        raise ValueError(f"{path}: not a readable picture; {WANTED}")
    return kind


def webp_size(head: bytes) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file; 0 and 0 if it is cut short or unknown."""
    if len(head) < 30:
        return 0, 0
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def has_gain_map(path: Path) -> bool:
    """Whether a JPEG names the gain map of Ultra HDR, of ISO 21496-1 or of Apple, which stands in a second picture."""
    content = path.read_bytes()
    return any(name in content for name in GAIN_MAPS)


def png_chunks(path: Path) -> dict[bytes, bytes]:
    """The short chunks of a PNG file by name, as far as they go: what Pillow reads late, rounds or does not know."""
    chunks: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] in (b"IHDR", b"cICP", b"gAMA", b"sRGB", b"iCCP", b"tRNS", b"eXIf"):
                chunks.setdefault(head[4:], file.read(min(length, 2**16)))
                length -= min(length, 2**16)
            file.seek(length + 4, os.SEEK_CUR)
    return chunks


def png_clear(chunks: dict[bytes, bytes]) -> np.ndarray | None:
    """The one colour that tRNS of a grey or RGB PNG makes transparent, as decoded to 8 or 16 bits."""
    if b"tRNS" not in chunks or chunks[b"IHDR"][9] not in (0, 2):
        return None
    depth, count = chunks[b"IHDR"][8], chunks[b"IHDR"][9] + 1
    most = 2**depth - 1
    stored = np.array(struct.unpack_from(f">{count}H", chunks[b"tRNS"])) & most
    return stored * (max(most, 255) // most)


def png_notes(path: Path, chunks: dict[bytes, bytes]) -> list[str]:
    """What the colour chunks of a PNG say that is not done; an HDR picture is refused."""
    cicp = chunks.get(b"cICP", b"")[:4]
    if len(cicp) == 4:
        check_transfer(path, cicp[1])
        return [] if cicp[:2] == b"\x01\x0d" else [f"its cICP {cicp[0]}/{cicp[1]} is not used"]
    gamma = int.from_bytes(chunks.get(b"gAMA", b"")[:4], "big") / 1e5
    if gamma and abs(gamma * 2.2 - 1) > 0.05 and not chunks.keys() & {b"sRGB", b"iCCP"}:
        return [f"its gAMA {gamma:.3g} is not used"]
    return []


def tiff_tags(path: Path) -> dict[int, list[int]]:
    """The numbers in the first directory of a TIFF or BigTIFF, as far as they are whole."""
    with path.open("rb") as file:
        head = file.read(8)
        head += file.read(8) if b"+" in head[2:4] else b""  # BigTIFF
        directory = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(directory.next)
        directory.load(file)
        found = {tag: directory[tag] for tag in TIFF_TAGS if tag in directory}
    lists = {tag: list(value) if isinstance(value, tuple | bytes) else [value] for tag, value in found.items()}
    return {tag: values for tag, values in lists.items() if values and all(isinstance(value, int) for value in values)}


def check_tiff(path: Path, tags: dict[int, list[int]]) -> None:
    """Refuse a TIFF whose samples are no display picture, which Pillow would round, clip or not tell in words."""
    colours, bits, samples = tags.get(COLOURS, [1])[0], set(tags.get(BITS, [1])), tags.get(SAMPLES, [1])[0]
    if DNG in tags or tags.get(SUBFILE, [0])[0] & 1:
        raise ValueError(f"{path}: a camera raw file or one that begins with a thumbnail; {WANTED}")
    if strange := TIFF_FORMATS.keys() & set(tags.get(FORMAT, [1])):
        raise ValueError(f"{path}: {TIFF_FORMATS[min(strange)]} samples; wanted unsigned ones of 8 or 16 bits")
    if colours not in TIFF_COLOURS:
        raise ValueError(f"{path}: {TIFF_OTHERS.get(colours, 'unknown')} colours; wanted grey, RGB or CMYK")
    deep = bits == {16} and colours in (0, 1, 2)
    if not deep and bits not in ({8}, {1}) and not (bits in ({2}, {4}) and samples == 1):
        found = f"{'/'.join(map(str, sorted(bits)))} bits a sample"
        raise ValueError(f"{path}: {found}; wanted 8 bits of grey, RGB or CMYK or 16 bits of grey or RGB")
    if not 0 <= samples - (1 if colours == 3 else TIFF_COLOURS[colours]) <= 1:
        raise ValueError(f"{path}: {samples} samples a pixel; wanted grey, RGB or CMYK with or without alpha")
    if deep and samples == 2:
        raise ValueError(f"{path}: grey with alpha of 16 bits; wanted it without alpha")  # Pillow knows no such TIFF

"""Check the sizes that an image file claims, before a decoder asks for the memory."""

import struct
import zlib
from pathlib import Path

import OpenEXR

MAX_PIXELS = 2**28  # of one picture: a panorama of 23,170 x 11,585
MAX_BYTES = 2**32  # of all channels, decoded
MAX_RATIO = 4096  # decoded bytes a byte of the file; ZIP reaches 1,030 on a constant picture
SMALL = 2**24  # bytes that any machine has: no ratio is asked of a picture that needs no more
MAX_TEXT = 2**24  # bytes of a profile or another text, decompressed
TIFF_WIDTH, TIFF_HEIGHT, TIFF_SAMPLES, TILE_WIDTH, TILE_HEIGHT = 256, 257, 277, 322, 323
TIFF_NUMBERS = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8


def check_claim(path: Path, width: int, height: int, decoded: int) -> None:
    """Refuse a size that no sound file of these bytes has.

    Args:
        decoded: bytes of all channels once they are decoded.

    Raises:
        ValueError: naming the file and its claim.
    """
    size = path.stat().st_size
    claim = f"{path}: claims {width}x{height} pixels, {decoded / 1e6:.1f} MB,"
    if width < 1 or height < 1:
        raise ValueError(f"{claim} expected at least one")
    if width * height > MAX_PIXELS or decoded > MAX_BYTES:
        raise ValueError(f"{claim} expected at most {MAX_PIXELS} pixels and {MAX_BYTES / 1e6:.0f} MB")
    if decoded > max(SMALL, MAX_RATIO * size):
        raise ValueError(f"{claim} in a file of {size} bytes: damaged")


def check_exr_claims(path: Path, headers: list[dict]) -> None:
    """Check the parts' headers of an OpenEXR file: flat pixels, of a size that the file can hold.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    total = 0
    for header in headers:
        if header["type"] not in (OpenEXR.scanlineimage, OpenEXR.tiledimage):
            raise ValueError(f"{path}: deep pixels; expected a flat picture")
        low, high = header["dataWindow"]
        width, height = (int(last) - int(first) + 1 for first, last in zip(low, high, strict=True))
        total += width * height * 4 * len(header["channels"])
        check_claim(path, width, height, total)


def check_tiff_claim(path: Path) -> None:
    """Check the first directory of a TIFF or BigTIFF: its signature, and a size that the file can hold.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
            order = {b"II": "<", b"MM": ">"}[head[:2]]
            (version,) = struct.unpack_from(f"{order}H", head, 2)
            start, count, value = {42: ("4xI", "H", "8x"), 43: ("8xQ", "Q", "12x")}[version]  # the classic and the big
            file.seek(struct.unpack_from(order + start, head)[0])
            (entries,) = struct.unpack(order + count, file.read(struct.calcsize(count)))
            tags = {}
            for _ in range(min(entries, 4096)):
                entry = file.read({42: 12, 43: 20}[version])
                tag, kind = struct.unpack_from(f"{order}HH", entry)
                if tag in (TIFF_WIDTH, TIFF_HEIGHT, TIFF_SAMPLES, TILE_WIDTH, TILE_HEIGHT):
                    (tags[tag],) = struct.unpack_from(order + value + TIFF_NUMBERS[kind], entry)
    except (KeyError, OverflowError, OSError, ValueError, struct.error) as error:  # a place beyond any file's end
        raise ValueError(f"{path}: not a readable {path.suffix} file: no sound TIFF directory") from error
    wide, high = tags.get(TIFF_WIDTH, 0), tags.get(TIFF_HEIGHT, 0)
    check_claim(path, wide, high, wide * high * tags.get(TIFF_SAMPLES, 1) * 4)
    if tags.keys() & {TILE_WIDTH, TILE_HEIGHT}:
        wide, high = tags.get(TILE_WIDTH, 1), tags.get(TILE_HEIGHT, 1)
        check_claim(path, wide, high, wide * high * tags.get(TIFF_SAMPLES, 1) * 4)


def inflate(content: bytes) -> bytes:
    """Decompress a text or profile by zlib.

    Raises:
        ValueError: if it is damaged, or larger than `MAX_TEXT` bytes.
    """
    decompressor = zlib.decompressobj()
    try:
        text = decompressor.decompress(content, MAX_TEXT)
    except zlib.error as error:
        raise ValueError(f"damaged compressed text ({error})") from error
    if decompressor.unconsumed_tail:
        raise ValueError(f"compressed text of more than {MAX_TEXT} bytes")
    return text

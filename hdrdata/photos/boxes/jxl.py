"""JPEG XL: the header of its codestream (ISO 18181-1, annex D), its boxes, and its pixels."""

import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np

from hdrdata.photos.boxes.walk import top_level
from hdrdata.photos.colours.encodings import (
    BT709,
    BT2020,
    D65,
    DCI_WHITE,
    E_WHITE,
    P3,
    Encoding,
    encoding_with,
)
from hdrdata.photos.formats.decoded import Decoded, check_size, full_scale, of_array
from hdrdata.photos.formats.exif import plain
from hdrdata.photos.formats.pillow import open_image

RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width to height
WHITES = {1: D65, 10: E_WHITE, 11: DCI_WHITE}
PRIMARIES = {1: BT709[:6], 9: BT2020[:6], 11: P3[:6]}
GREY, ALPHA, SPOT, CFA, FLOAT_BITS = 1, 0, 2, 5, ((0, 32), (0, 16), (0, 24), (6, 1))
EXTRA = "its colour profile needs pillow-jxl-plugin: pip install 'hdr-attnet[jxl]'"


@dataclass(frozen=True)
class Header:
    """Facts in the header of a codestream."""

    width: int
    height: int
    bits: int = 8
    is_animated: bool = False
    is_grey: bool = False
    has_icc: bool = False
    encoding: Encoding | None = None  # None: sRGB


class _Bits:
    """The fields of a codestream, from its least significant bit."""

    def __init__(self, content: bytes) -> None:
        self.value, self.left = int.from_bytes(content, "little"), 8 * len(content)

    def take(self, count: int) -> int:
        if count > self.left:
            raise ValueError("no sound header")
        value = self.value & ((1 << count) - 1)
        self.value >>= count
        self.left -= count
        return value

    def one_of(self, *ways: tuple[int, int]) -> int:
        """U32: the number of further bits and the offset, by a selector of two bits."""
        extra, offset = ways[self.take(2)]
        return self.take(extra) + offset

    def enum(self) -> int:
        return self.one_of((0, 0), (0, 1), (4, 2), (6, 18))

    def signed(self) -> int:
        value = self.one_of((19, 0), (19, 2**19), (20, 2**20), (21, 2**21))
        return -(value + 1) // 2 if value & 1 else value // 2


def read_header(content: bytes) -> Header:
    """Read the header of a codestream.

    Raises:
        ValueError: if it is cut short, or its samples are floating-point numbers.
    """
    bits = _Bits(content[:4096])
    bits.take(16)  # the signature
    width, height = _size(bits)
    if bits.take(1):  # all by default: 8 bits, sRGB
        return Header(width, height)
    animated, orientation = False, 0
    if bits.take(1):
        orientation = bits.take(3)
        if bits.take(1):
            _size(bits)
        if bits.take(1):
            _preview(bits)
        if animated := bool(bits.take(1)):
            bits.one_of((0, 100), (0, 1000), (10, 1), (30, 1))
            bits.one_of((0, 1), (0, 1001), (8, 1), (10, 1))
            bits.one_of((0, 0), (3, 0), (16, 0), (32, 0))
            bits.take(1)
    depth = _depth(bits)
    if depth is None:
        raise ValueError("floating-point samples; expected integers")
    bits.take(1)
    for _ in range(bits.one_of((0, 0), (0, 1), (4, 2), (12, 1))):
        _extra_channel(bits)
    bits.take(1)
    grey, icc, encoding = _colours(bits)
    width, height = (height, width) if orientation >= 4 else (width, height)
    return Header(width, height, depth, animated, grey, icc, encoding)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.one_of((9, 1), (13, 1), (18, 1), (30, 1))

    height = side()
    top, bottom = RATIOS[bits.take(3)]
    return (height * top // bottom if top else side()), height


def _preview(bits: _Bits) -> None:
    by_eight = bits.take(1)
    ways = ((0, 16), (0, 32), (5, 1), (9, 33)) if by_eight else ((6, 1), (8, 65), (10, 321), (12, 1345))
    bits.one_of(*ways)
    if not bits.take(3):
        bits.one_of(*ways)


def _depth(bits: _Bits) -> int | None:
    """Return the bits of a sample; None if it is a floating-point number."""
    if bits.take(1):
        bits.one_of(*FLOAT_BITS)
        bits.take(4)
        return None
    return bits.one_of((0, 8), (0, 10), (0, 12), (6, 1))


def _extra_channel(bits: _Bits) -> None:
    if bits.take(1):  # alpha of 8 bits
        return
    kind = bits.enum()
    _depth(bits)
    bits.one_of((0, 0), (0, 3), (0, 4), (3, 1))
    bits.take(8 * bits.one_of((0, 0), (4, 0), (5, 16), (10, 48)))
    if kind == ALPHA:
        bits.take(1)
    elif kind == SPOT:
        bits.take(64)
    elif kind == CFA:
        bits.one_of((0, 1), (2, 0), (4, 3), (8, 19))


def _colours(bits: _Bits) -> tuple[bool, bool, Encoding | None]:
    """Return whether pixels are grey, whether a profile follows, and the encoding; None for sRGB."""
    if bits.take(1):
        return False, False, None
    icc, space = bool(bits.take(1)), bits.enum()
    grey = space == GREY
    if icc:
        return grey, True, None
    white = _xy(bits, WHITES, 1)
    primaries = None if grey else _xy(bits, PRIMARIES, 3)
    gamma = bits.take(24) / 1e7 if bits.take(1) else None
    transfer = 0 if gamma is not None else bits.enum()
    return grey, False, encoding_with((*(primaries or BT709[:6]), *white), transfer, gamma)


def _xy(bits: _Bits, known: dict[int, tuple[float, ...]], points: int) -> tuple[float, ...]:
    name = bits.enum()
    if name == 2:
        return tuple(bits.signed() / 1e6 for _ in range(2 * points))
    if name not in known:
        raise ValueError(f"unknown enumerated colour {name}; expected one of {', '.join(map(str, known))}")
    return known[name]


def jxl_exif(content: bytes) -> bytes | None:
    """Return the EXIF block of a JPEG XL file that is made of boxes."""
    return plain(next((box[4:] for kind, box in top_level(content) if kind == b"Exif"), None))


def decode_jpegxl(path: Path) -> Decoded:
    """Decode the first frame of a JPEG XL by libjxl, which turns it as its header states; EXIF does not count."""
    content = path.read_bytes()
    boxes = [] if content[:2] == b"\xff\x0a" else list(top_level(content))
    parts = [kind for kind, _ in boxes if kind in (b"jxlc", b"jxlp")]
    if parts.count(b"jxlc") > 1 or len(set(parts)) > 1:  # a decoder may use another one than this header
        raise ValueError(f"{len(parts)} codestreams; expected one")
    stream = b"".join(box[4 * (kind == b"jxlp") :] for kind, box in boxes if kind in parts) if boxes else content
    header = read_header(stream)
    check_size(path, header.width, header.height)
    pixels = imagecodecs.jpegxl_decode(content, index=0) if header.is_animated else imagecodecs.jpegxl_decode(content)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{pixels.dtype} samples; expected integers")
    if pixels.shape[:2] != (header.height, header.width):
        raise ValueError(f"decodes to {pixels.shape[1]}x{pixels.shape[0]} pixels")
    notes = ["the first frame of an animation"] if header.is_animated else []
    icc = _profile(content) if header.has_icc else None
    if any(kind == b"brob" for kind, _ in boxes):
        notes.append("its compressed metadata was left out")
    return of_array(
        full_scale(pixels, header.bits), bits=header.bits, icc=icc, exif=jxl_exif(content), turn=1, notes=notes,
        encoding=header.encoding,
    )  # fmt: skip


def _profile(content: bytes) -> bytes | None:
    """Return the ICC profile of a codestream, which is entropy-coded, by the extra that decodes it.

    Raises:
        ValueError: if the extra is not installed.
    """
    if importlib.util.find_spec("pillow_jxl") is None:
        raise ValueError(EXTRA)
    import pillow_jxl  # noqa: F401  # registers the format with Pillow

    with open_image(io.BytesIO(content), "JXL") as image:
        return image.info.get("icc_profile")

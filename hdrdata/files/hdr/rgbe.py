"""Radiance pictures by what their header states: RGBE and XYZE, any order of lines, exposures and primaries."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from hdrdata.files.claims import check_claim
from hdrdata.files.hdr.colour import Colour
from hdrdata.files.hdr.geometry import square_pixels
from hdrdata.files.hdr.primaries import REC709, matrix_of, xyz_matrix
from hdrdata.files.hdr.stated import AS_STATED, Override, Stated

HEADER = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n"  # of what OpenCV is given
HEAD = 65536  # bytes in which a header ends
MAGIC = re.compile(rb"(?:\xef\xbb\xbf)?#\?[^\n]*\n(.*?)(?:^|\n)[ \t]*\r?\n", re.DOTALL | re.MULTILINE)  # of any program
SIZE = re.compile(rb"([-+])([YX]) +(\d{1,9}) +([-+])([YX]) +(\d{1,9})[ \t]*\r?\n")
BAND_PIXELS = 2**21  # decoded at a time: OpenCV alone would hold a picture twice
RADIANCE_WHITE = (1 / 3, 1 / 3)  # by default, which in practice stands for a display's
COUNTS = {"EXPOSURE": 1, "COLORCORR": 3, "PRIMARIES": 8, "PIXASPECT": 1}  # numbers of a variable
RGBE, XYZE = "32-bit_rle_rgbe", "32-bit_rle_xyze"


@dataclass(frozen=True)
class Header:
    """Facts that an image states about itself."""

    format: str
    divisors: tuple[float, float, float]  # of the channels: EXPOSURE and COLORCORR, all of them multiplied
    primaries: tuple[float, ...] | None
    height_to_width: float  # of a pixel: PIXASPECT, all of them multiplied
    converted: tuple[str, ...]  # those that change the pixels
    lines: int  # as they are stored, of `length` pixels
    length: int
    axes: tuple[str, str]  # of the lines, and along them, such as ("-Y", "+X")
    start: int  # of the pixels in the file


def read_header(path: Path) -> Header:
    """Read the header of a Radiance picture; a variable counts where it begins a line, not where it is indented.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    expected = "expected #?RADIANCE and a size such as '-Y 512 +X 1024'"
    found = MAGIC.match(head)
    size = SIZE.match(head, found.end()) if found else None
    if found is None or size is None or {size[2], size[5]} != {b"X", b"Y"}:
        raise ValueError(f"{path}: not a readable {path.suffix} file: {expected}")
    form, exposure, corrections, primaries, aspect = RGBE, 1.0, np.ones(3), None, 1.0
    for line in found[1].decode("latin-1").splitlines():
        name, equals, value = line.partition("=")
        if not equals or name not in ("FORMAT", *COUNTS):
            continue
        if name == "FORMAT":
            form = value.strip()
            continue
        numbers = _numbers(path, line, value, COUNTS[name])
        if name == "EXPOSURE" and len(numbers) == 3 and min(numbers) > 0:  # one a channel
            corrections = corrections * numbers
        elif name == "EXPOSURE" and numbers[0] > 0:  # some programs write 0 or nan for none
            exposure *= numbers[0]
        elif name == "COLORCORR" and min(numbers) > 0:
            corrections = corrections * numbers
        elif name == "PRIMARIES" and np.nansum(np.abs(numbers)) > 0:
            primaries = tuple(numbers)
        elif name == "PIXASPECT" and numbers[0] > 0:
            aspect *= numbers[0]
    if form not in (RGBE, XYZE):
        raise ValueError(f"{path}: FORMAT={form}; expected {RGBE} or {XYZE}")
    lines, length = int(size[3]), int(size[6])
    check_claim(path, length, lines, lines * length * 12)
    axes = (size[1] + size[2]).decode(), (size[4] + size[5]).decode()
    converted = ["XYZE"] if form == XYZE else []
    converted += [f"EXPOSURE {exposure:g}"] if exposure != 1 else []
    converted += [f"COLORCORR {' '.join(f'{x:g}' for x in corrections)}"] if (corrections != 1).any() else []
    converted += [f"orientation {axes[0]} {axes[1]}"] if axes != ("-Y", "+X") else []
    divisors = tuple(exposure * corrections)
    return Header(form, divisors, primaries, aspect, tuple(converted), lines, length, axes, size.end())


def _numbers(path: Path, line: str, value: str, count: int) -> list[float]:
    try:
        numbers = [float(word) for word in value.split()]
    except ValueError:
        numbers = []
    states_none = len(numbers) > 0 and np.isnan(numbers).all()  # as some programs write for a number they do not have
    fitting = len(numbers) == count or (line.startswith("EXPOSURE") and len(numbers) == 3)
    if not fitting or not (np.isfinite(numbers).all() or states_none):
        raise ValueError(
            f"{path}: '{line.strip()[:80]}' in its header; expected {count} number{'s' if count > 1 else ''}"
        )
    return numbers


def read_radiance_picture(
    path: Path, override: Override = AS_STATED
) -> tuple[Float32[np.ndarray, "height width 3"], Stated]:
    """Read a Radiance picture as linear RGB of Rec.709, upright, its exposures divided out, its pixels square.

    Primaries are brought to Rec.709's (`hdrdata.files.hdr.primaries`); Radiance's own default white, equal energy,
    counts as D65.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    header = read_header(path)
    light = _read_lines(path, header)
    converted = list(header.converted)
    if any(divisor != 1 for divisor in header.divisors):
        light /= np.array(header.divisors, np.float32)
    try:
        colour = Colour.stated(lambda: _colour(header), override)
        light = colour.to_rec709(light)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    converted += colour.named
    first, second = header.axes
    if first[1] == "X":
        light = light.swapaxes(0, 1)
        first, second = second, first
    light = light[::-1] if first == "+Y" else light
    light = np.ascontiguousarray(light[:, ::-1] if second == "-X" else light)
    square = square_pixels(path, light, 1 / header.height_to_width)
    converted += [f"PIXASPECT {header.height_to_width:g}"] if square is not light else []
    return square, Stated(tuple(converted))


def _colour(header: Header) -> Colour:
    if header.format == XYZE:
        return Colour(matrix=xyz_matrix())
    if header.primaries is None:
        return Colour()
    *colours, x, y = header.primaries
    white = REC709[6:] if max(abs(x - RADIANCE_WHITE[0]), abs(y - RADIANCE_WHITE[1])) < 2e-3 else (x, y)
    default = np.abs(np.subtract(colours, (0.640, 0.330, 0.290, 0.600, 0.150, 0.060))).max() < 2e-3
    matrix = None if default and white == REC709[6:] else matrix_of((*colours, *white))
    return Colour(matrix=matrix, named=() if matrix is None else ("PRIMARIES",))


def _read_lines(path: Path, header: Header) -> Float32[np.ndarray, "lines length 3"]:
    """The lines as they are stored, a band at a time; each band of the usual run lengths is decoded by OpenCV."""
    lines, length = header.lines, header.length
    picture = np.empty((lines, length, 3), np.float32)
    rows, content, end = max(1, BAND_PIXELS // length), b"", 0
    with path.open("rb") as file:
        file.seek(header.start)
        if not 8 <= length <= 32767 or file.read(2) != b"\2\2":
            file.seek(header.start)
            return _decode_old(path, file.read(), picture)
        file.seek(header.start)
        for top in range(0, lines, rows):
            count = min(rows, lines - top)
            rest = content[end:]
            content = rest + file.read(count * (4 + 8 * length) - len(rest))  # no line is longer: runs of one pixel
            try:
                end = _end_of_lines(content, count, length)
            except IndexError:
                raise ValueError(f"{path}: its lines are damaged or cut short after line {top}") from None
            band = np.frombuffer(HEADER % (count, length) + content[:end], np.uint8)
            decoded = cv2.imdecode(band, cv2.IMREAD_UNCHANGED)
            if decoded is None:
                raise ValueError(f"{path}: its lines are damaged after line {top}")
            cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=picture[top : top + count])
    return picture


def _end_of_lines(content: bytes, lines: int, width: int) -> int:
    """Return where the first `lines` lines of `content` end; IndexError if they do not."""
    mark, place = bytes([2, 2, width >> 8, width & 255]), 0
    for _ in range(lines):
        if content[place : place + 4] != mark:
            raise IndexError
        place += 4
        for _ in "RGBE":
            left = width
            while left > 0:
                code = content[place]  # over 128: a run of the byte that follows; else so many bytes as they are
                if code > 128:
                    left -= code - 128
                    place += 2
                else:
                    left -= code
                    place += code + 1
            if left < 0:
                raise IndexError
    return place


def _decode_old(path: Path, content: bytes, picture: np.ndarray) -> Float32[np.ndarray, "lines length 3"]:
    """Pixels as they are, or the run lengths of before 1991: 1, 1, 1, n repeats the last pixel n times.

    Several such in a row are the digits of n, the lowest first, 8 bits each.
    """
    stored: UInt8[np.ndarray, "pixels 4"] = np.frombuffer(content, np.uint8, len(content) // 4 * 4).reshape(-1, 4)
    count = picture.shape[0] * picture.shape[1]
    is_run = (stored[:, :3] == 1).all(axis=1)
    if len(stored) >= count and not is_run[:count].any():
        pixels = stored[:count]
    else:
        places = np.flatnonzero(is_run)
        starts = np.concatenate([[True], np.diff(places) != 1]) if places.size else np.zeros(0, bool)
        digit = np.arange(len(places)) - np.maximum.accumulate(np.where(starts, np.arange(len(places)), 0))
        if places.size and (places[0] == 0 or digit.max() > 3):
            raise ValueError(f"{path}: its lines are damaged: a run of 0 pixels")
        repeats = np.where(is_run, 0, 1).astype(np.int64)
        np.add.at(repeats, places - digit - 1, stored[places, 3].astype(np.int64) << (8 * digit))
        ends = np.cumsum(repeats)
        last = int(np.searchsorted(ends, count))  # the pixel with which the picture is full
        if last == len(ends) or ends[last] != count:
            raise ValueError(f"{path}: its lines are damaged or cut short; expected {count} pixels")
        pixels = np.repeat(stored[: last + 1], repeats[: last + 1], axis=0)
    exponents = np.where(pixels[:, 3] > 0, pixels[:, 3].astype(np.int32) - 136, 0)
    light = np.ldexp(pixels[:, :3].astype(np.float32), exponents[:, None]) * (pixels[:, 3:] > 0)
    picture[:] = light.reshape(picture.shape)
    return picture

"""TIFF files that hold linear light, by what they say of their pixels."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from hdrdata.files.claims import check_claim, check_tiff_claim
from hdrdata.files.hdr.primaries import Profile, convert
from hdrdata.files.hdr.stated import Stated

ICC, ORIENTATION = 34675, 274
REDUCED = 1  # bit of NewSubfileType: a smaller copy of another page
TURNS = {
    1: lambda pixels: pixels, 2: lambda pixels: pixels[:, ::-1], 3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1], 5: lambda pixels: pixels.swapaxes(0, 1), 6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1), 8: lambda pixels: np.rot90(pixels),
}  # fmt: skip
LOGLUV = ("LOGL", "LOGLUV")
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it has to say becomes an error, or does not matter


def is_logluv(path: Path) -> bool:
    """Whether a TIFF holds Greg Ward's LogL or LogLuv, which libtiff alone decodes."""
    with _opened(path) as file:
        return getattr(_page(file).photometric, "name", "") in LOGLUV


def read_tiff(path: Path) -> tuple[np.ndarray, Stated]:
    """The first page that is no reduced copy, as linear RGB of Rec.709.

    Any planes, tiles, byte order, predictor and compression that tifffile and imagecodecs know; grey, RGB and either
    with alpha, which is left out. Integers are linear light over their largest value unless an ICC profile says
    otherwise; an orientation is undone, and MinIsWhite inverted.

    Returns:
        floats of 16, 32 or 64 bits or uint16 or uint8, and what was done to them because the file says so.

    Raises:
        ValueError: one line naming the file and what is wanted.
    """
    check_tiff_claim(path)
    with _opened(path) as file:
        page = _page(file)
        height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
        check_claim(path, width, height, width * height * samples * max(4, page.bitspersample // 8))
        longest, size = max(page.databytecounts, default=0), path.stat().st_size
        if longest > size:  # which would be asked of the memory
            raise ValueError(f"{path}: a piece of {longest} bytes in a file of {size}: damaged")
        kind = getattr(page.photometric, "name", str(page.photometric))
        if kind not in ("MINISWHITE", "MINISBLACK", "RGB"):
            raise ValueError(f"{path}: {kind} colours; wanted grey or RGB")
        if page.imagedepth != 1 or not 1 <= samples <= 4:
            raise ValueError(f"{path}: {samples} channels; wanted 1 (grey), 3 (RGB), or either with alpha")
        pixels = page.asarray().reshape(
            (samples, height, width) if page.planarconfig == 2 and samples > 1 else (height, width, samples)
        )
        icc = page.tags.valueof(ICC)
        turn = page.tags.valueof(ORIENTATION, 1)
        planar = page.planarconfig == 2 and samples > 1
    if planar:
        pixels = pixels.transpose(1, 2, 0)
    if kind == "MINISWHITE":
        if pixels.dtype.kind != "u":
            raise ValueError(f"{path}: {pixels.dtype} values of which the least is white; wanted the least to be black")
        pixels = np.iinfo(pixels.dtype).max - pixels
    pixels = np.repeat(pixels[:, :, :1], 3, axis=2) if samples < 3 else pixels[:, :, :3]
    converted = ["MinIsWhite"] if kind == "MINISWHITE" else []
    if icc:
        try:
            profile = Profile(bytes(icc))
            stored = pixels
            pixels = _by_profile(pixels, profile)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        converted += [f"ICC profile {profile.name}"] if pixels is not stored else []
    converted += [f"orientation {turn}"] if turn in TURNS and turn != 1 else []
    return np.ascontiguousarray(TURNS.get(turn, TURNS[1])(pixels)), Stated(tuple(converted))


def _by_profile(pixels: np.ndarray, profile: Profile) -> np.ndarray:
    if profile.colours not in (b"RGB ", b"GRAY"):
        raise ValueError(f"its colour profile ({profile.name}) is of other colours than its pixels; wanted RGB")
    if not profile.is_linear:
        if pixels.dtype.kind == "u":
            pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
        pixels = profile.linearise(pixels)
    if profile.matrix is None:
        return pixels
    if pixels.dtype.kind == "u":
        pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
    return convert(pixels, profile.matrix)


def _page(file: tifffile.TiffFile) -> tifffile.TiffPage:
    """The first page that is no reduced copy; the first if all say they are."""
    for number in range(64):
        try:
            page = file.pages[number]
        except IndexError:
            break
        page = page.aspage() if isinstance(page, tifffile.TiffFrame) else page
        if not page.subfiletype & REDUCED:
            return page
    return file.pages[0]


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """A TIFF file; whatever its reader raises becomes one line that names the file."""
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except (MemoryError, GeneratorExit):
        raise
    except Exception as error:  # TiffFileError, ValueError, struct.error, imagecodecs' own and others
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(f"{path}: "):
            raise ValueError(reason) from error
        raise ValueError(f"{path}: not a readable {path.suffix} file: {reason[:160]}") from error

"""TIFF files that hold linear light, or values whose encoding they state."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from hdrdata.files.claims import check_claim, check_tiff_claim
from hdrdata.files.hdr.colour import D65, Colour
from hdrdata.files.hdr.geometry import on_canvas, sphere_of_xmp
from hdrdata.files.hdr.primaries import REC709, matrix_of
from hdrdata.files.hdr.profile import colour_of_profile, continued
from hdrdata.files.hdr.stated import AS_STATED, Override, Stated

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, X_POSITION, Y_POSITION = 274, 282, 283, 286, 287
TRANSFER_FUNCTION, WHITE_POINT, PRIMARIES, XMP = 301, 318, 319, 700
FULL_WIDTH, FULL_HEIGHT, ICC = 33300, 33301, 34675  # the first two are Pixar's, of a canvas
ASSOCIATED, UNASSOCIATED = 1, 2  # alpha, among ExtraSamples
REDUCED = 1  # bit of NewSubfileType: a smaller copy of another page
TURNS = {
    1: lambda pixels: pixels, 2: lambda pixels: pixels[:, ::-1], 3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1], 5: lambda pixels: pixels.swapaxes(0, 1), 6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1), 8: lambda pixels: np.rot90(pixels),
}  # fmt: skip
LOGLUV = ("LOGL", "LOGLUV")
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its warnings become errors here, or do not matter


def is_logluv(path: Path) -> bool:
    """Return whether a TIFF holds Greg Ward's LogL or LogLuv, which libtiff alone decodes."""
    with _opened(path) as file:
        return getattr(_page(file).photometric, "name", "") in LOGLUV


def read_tiff(path: Path, override: Override = AS_STATED) -> tuple[np.ndarray, Stated]:
    """Read the first page that is no reduced copy, as linear RGB of Rec.709.

    Any planes, tiles, byte order, predictor and compression that tifffile and imagecodecs know; grey, RGB and either
    with alpha, under which pixels of alpha 0 are black. Integers are linear light over their largest value unless an
    ICC profile or a TransferFunction states otherwise. An ICC profile takes precedence over PrimaryChromaticities and
    WhitePoint. MinIsWhite is inverted, an orientation undone, and a crop of a canvas (Pixar's ImageFullWidth, GPano)
    put in its place.

    Returns:
        floats of 16, 32 or 64 bits or uint16 or uint8, and what was done to them because the file states it.

    Raises:
        ValueError: one line naming the file and what is expected.
    """
    check_tiff_claim(path)
    with _opened(path) as file:
        page = _page(file)
        kind = _check_page(path, page)
        height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
        planar = page.planarconfig == 2 and samples > 1
        pixels = page.asarray().reshape((samples, height, width) if planar else (height, width, samples))
        tags = {number: page.tags.valueof(number) for number in (
            ORIENTATION, X_RESOLUTION, Y_RESOLUTION, X_POSITION, Y_POSITION, TRANSFER_FUNCTION, WHITE_POINT, PRIMARIES,
            XMP, FULL_WIDTH, FULL_HEIGHT, ICC,
        )}  # fmt: skip
        extra = tuple(int(sample) for sample in page.extrasamples)
    if pixels.dtype == np.uint8:
        raise ValueError(f"{path}: 8-bit values are a display picture, not linear light; expected float or 16-bit")
    pixels = pixels.transpose(1, 2, 0) if planar else pixels
    has_alpha = samples in (2, 4) and extra and extra[0] in (ASSOCIATED, UNASSOCIATED)
    transparent = pixels[:, :, -1] <= 0 if has_alpha else None
    pixels = np.repeat(pixels[:, :, :1], 3, axis=2) if samples < 3 else pixels[:, :, :3]
    if kind == "MINISWHITE":
        if pixels.dtype.kind != "u":
            raise ValueError(f"{path}: {pixels.dtype} values with MinIsWhite; expected MinIsBlack")
        pixels = np.iinfo(pixels.dtype).max - pixels
    converted = ["MinIsWhite"] if kind == "MINISWHITE" else []
    try:
        colour = Colour.stated(lambda: _colour(tags, pixels.dtype, is_grey=samples < 3), override)
        pixels = colour.to_rec709(pixels)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    converted += colour.named
    if transparent is not None and transparent.any():
        pixels = np.where(transparent[:, :, None], pixels.dtype.type(0), pixels)
        converted.append("alpha")
    pixels, words, panorama = _placed(path, pixels, tags)
    turn = tags[ORIENTATION] if tags[ORIENTATION] in list(TURNS) else 1
    converted += [*words, *([f"orientation {turn}"] if turn != 1 else [])]
    pixels = np.ascontiguousarray(TURNS[turn](pixels))
    return pixels, Stated(tuple(converted), panorama, 0 if transparent is None else int(transparent.sum()))


def _check_page(path: Path, page: tifffile.TiffPage) -> str:
    """Return the name of the page's PhotometricInterpretation; raise ValueError for pages that are not read."""
    height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    check_claim(path, width, height, width * height * samples * max(4, page.bitspersample // 8))
    longest, size = max(page.databytecounts, default=0), path.stat().st_size
    if longest > size:  # the decoder would allocate it
        raise ValueError(f"{path}: a piece of {longest} bytes in a file of {size}: damaged")
    kind = getattr(page.photometric, "name", str(page.photometric))
    if kind not in ("MINISWHITE", "MINISBLACK", "RGB"):
        raise ValueError(f"{path}: {kind} colours; expected grey or RGB")
    if page.imagedepth != 1 or not 1 <= samples <= 4:
        raise ValueError(f"{path}: {samples} channels; expected 1 (grey), 3 (RGB), or either with alpha")
    return kind


def _colour(tags: dict, dtype: np.dtype, *, is_grey: bool) -> Colour:
    """Return the colour that the tags state: the ICC profile, else TransferFunction, PrimaryChromaticities, WhitePoint.

    TIFF 6.0, section 20: RGB Image Colorimetry.
    """
    if tags[ICC]:
        return colour_of_profile(_content(tags[ICC]))
    curve, matrix, named = None, None, []
    if tags[TRANSFER_FUNCTION] is not None:
        curve = _transfer(tags[TRANSFER_FUNCTION], dtype)
        named.append("TransferFunction")
    if not is_grey and (tags[PRIMARIES] or tags[WHITE_POINT]):
        primaries = _rationals(tags[PRIMARIES], 6) or REC709[:6]
        matrix = matrix_of((*primaries, *(_rationals(tags[WHITE_POINT], 2) or D65)))
        if matrix is not None:
            named.append("PrimaryChromaticities" if tags[PRIMARIES] else "WhitePoint")
    return Colour(curve, matrix, tuple(named))


def _transfer(table: object, dtype: np.dtype):
    levels, table = 2 ** (8 * dtype.itemsize), np.asarray(table, np.float64).ravel()
    if dtype.kind != "u" or len(table) not in (levels, 3 * levels):
        raise ValueError(f"a TransferFunction of {len(table)} numbers with {dtype} values; expected it with integers")
    curves = [continued(part) for part in table.reshape(-1, levels) / 65535]
    if len(curves) == 1:
        return curves[0]
    return lambda values: np.stack([curve(values[:, :, place]) for place, curve in enumerate(curves)], axis=2)


def _rationals(numbers: object, count: int) -> tuple[float, ...] | None:
    """TIFF's rationals, which are pairs of integers, as floats; None for none."""
    if numbers is None:
        return None
    pairs = _integers(numbers, 2 * count, "chromaticities")
    if not all(pairs[1::2]):
        raise ValueError("a chromaticity over 0 in its tags")
    return tuple(number / over for number, over in zip(pairs[::2], pairs[1::2], strict=True))


def _integers(value: Any, count: int, what: str) -> tuple[int, ...]:
    numbers = value if isinstance(value, tuple) else (value,)
    if len(numbers) != count or any(type(number) is not int for number in numbers):
        raise ValueError(f"{what} of {len(numbers)} numbers in its tags; expected {count} integers")
    return numbers


def _content(value: object) -> bytes:
    """Return the bytes of a tag; `bytes` of a number would be as many zeros."""
    return bytes(value) if isinstance(value, bytes | tuple) else b""


def _offset(position: object, resolution: object) -> int:
    """Return a place on a canvas in pixels; 0 for none, and where a denominator is 0."""
    if position is None:
        return 0
    place, over = _integers(position, 2, "a position")
    pixels, unit = _integers((1, 1) if resolution is None else resolution, 2, "a resolution")
    return round(Fraction(place, over) * Fraction(pixels, unit)) if over and unit else 0


def _placed(path: Path, pixels: np.ndarray, tags: dict) -> tuple[np.ndarray, list[str], bool | None]:
    """Put a crop in its place on the canvas that the tags or XMP state; return also words, and if it is a panorama."""
    try:
        left, top = _offset(tags[X_POSITION], tags[X_RESOLUTION]), _offset(tags[Y_POSITION], tags[Y_RESOLUTION])
        full = [_integers(tags[name] or 0, 1, "a canvas")[0] for name in (FULL_WIDTH, FULL_HEIGHT)]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if all(full):
        placed = on_canvas(path, pixels, left, top, *full)
        words = f"{pixels.shape[1]}x{pixels.shape[0]} at {left}, {top} of a canvas"
        return placed, [] if placed is pixels else [words], None
    xmp = tags[XMP]
    xmp = xmp if isinstance(xmp, str) else _content(xmp).decode("utf-8", "replace")
    sphere = sphere_of_xmp(path, pixels, xmp) if xmp else None
    if sphere is not None:
        return sphere, [] if sphere is pixels else ["GPano"], True
    if left or top:  # a part of something larger, whose size is not stated: not a sphere, whatever its shape
        return pixels, [f"position {left}, {top} of a canvas of unknown size"], False
    return pixels, [], None


def _page(file: tifffile.TiffFile) -> tifffile.TiffPage:
    """Return the first page that is not a reduced copy; the first one if all are."""
    for number in range(64):
        try:
            page = file.pages[number].aspage()
        except IndexError:
            break
        if not page.subfiletype & REDUCED:
            return page
    return file.pages[0].aspage()


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file; any exception of its reader becomes one line that names the file."""
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

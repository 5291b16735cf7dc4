"""Read an HDR file of any format as linear RGB, and judge and repair what it holds."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32

from hdrdata.files.bands import row_bands
from hdrdata.files.claims import check_tiff_claim
from hdrdata.files.exr import read_exr
from hdrdata.files.hdr.colour import Colour
from hdrdata.files.hdr.geometry import panorama_of_layout
from hdrdata.files.hdr.pfm import read_pfm
from hdrdata.files.hdr.primaries import REC709, luminance_weights
from hdrdata.files.hdr.rgbe import read_radiance_picture
from hdrdata.files.hdr.stated import AS_STATED, Override, Stated
from hdrdata.files.hdr.tiff import is_logluv, read_tiff
from hdrdata.files.quiet import quiet_decoders
from hdrdata.files.suffixes import HDR_SUFFIXES, RADIANCE_SUFFIXES

ROUNDING = 1e-5  # of the mean light: what is as little below 0 changes no level of any picture
LUMINANCE = luminance_weights(REC709)


@dataclass(frozen=True)
class Repairs:
    """Number of pixels of a radiance map that were not usable light and were replaced (see `repair_radiance`)."""

    negative: int
    nan: int
    infinite: int
    outside: int = 0  # no damage: light that Rec.709 does not reach
    rounding: int = 0  # no damage: negative by at most `ROUNDING` of the mean light
    stated: Stated = field(default=Stated())  # what was done because the file says so

    @property
    def total(self) -> int:
        return self.negative + self.nan + self.infinite


def read_radiance(
    path: Path | str,
    layer: str | None = None,
    *,
    colour: str | None = None,
    encoding: str | None = None,
    layout: str | None = None,
) -> Float32[np.ndarray, "height width 3"]:
    """Read an HDR file as linear RGB with the primaries of Rec.709, unrepaired.

    Colours that a file states (EXR's colorInteropID and chromaticities, Radiance's PRIMARIES and XYZE, a TIFF's ICC
    profile, PrimaryChromaticities and TransferFunction) become these; light outside Rec.709 is negative. Radiance's
    EXPOSURE and COLORCORR are divided out, and a PFM's scale multiplies. Windows, crops, orientations, oblong pixels
    and environment cubes become a plain picture. Transparent pixels (alpha 0) are black.

    .exr: R, G, B by any case, luminance and chroma, or grey, of one layer (`hdrdata.files.hdr.layers`); half, float and
    uint pixels. .hdr .pic .rgbe .xyze (Radiance) and .pfm: RGB or grey. .tif/.tiff: floats as they are, 16-bit integers
    as linear light over 65535, or as the file states.

    Args:
        layer: of an .exr, the layer that is the picture, or several separated by commas, tried in order.
        colour: primaries of the stored values, instead of what the file states; see `hdrdata.files.hdr.colour.GAMUTS`.
        encoding: of the stored values, likewise; see `hdrdata.files.hdr.colour.ENCODINGS`.
        layout: cube_cross or angular_map, which become panoramas; see `hdrdata.files.hdr.geometry.panorama_of_layout`.

    Raises:
        ValueError: one line naming the file and what is expected, if it cannot be read or is no linear HDR picture, or
            claims more pixels than its bytes can hold or than 2^28.
    """
    return _read_light(Path(path), Override(layer, colour, encoding, layout))[0].astype(np.float32, copy=False)


def _read_light(path: Path, override: Override) -> tuple[Float[np.ndarray, "height width 3"], Stated]:
    """`read_radiance`, but half floats stay as they are, half the memory; and what the file stated."""
    suffix = path.suffix.lower()
    if suffix not in HDR_SUFFIXES:
        raise ValueError(f"{path}: '{suffix}' is not an HDR format read here; expected one of {' '.join(HDR_SUFFIXES)}")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    try:
        pixels, stated = _decode(path, suffix, override)
        is_integer = pixels.dtype == np.uint16
        if pixels.dtype.kind != "f" and not is_integer and suffix != ".exr":
            raise ValueError(f"{path}: {pixels.dtype} values; expected float or 16-bit linear (unsigned)")
        if override.layout:
            words = f"layout {override.layout}, as stated"
            stated = replace(stated, converted=(*stated.converted, words), panorama=True)
            pixels = panorama_of_layout(path, pixels, override.layout)
        if is_integer:
            light = pixels.astype(np.float32)
            return np.divide(light, np.float32(65535), out=light), stated
        kept = pixels.dtype if pixels.dtype == np.float16 else np.float32
        with np.errstate(over="ignore", invalid="ignore"):  # a double or a uint beyond the floats becomes Inf
            return np.ascontiguousarray(pixels, dtype=kept), stated
    except MemoryError as error:
        raise ValueError(f"{path}: too large for the memory of this machine") from error


def _decode(path: Path, suffix: str, override: Override) -> tuple[np.ndarray, Stated]:
    if suffix == ".exr":
        return read_exr(path, override)
    if suffix == ".pfm":
        return read_pfm(path, override)
    if suffix in RADIANCE_SUFFIXES:
        with quiet_decoders():
            return read_radiance_picture(path, override)
    check_tiff_claim(path)
    if not is_logluv(path):
        return read_tiff(path, override)
    colour = Colour.stated(Colour, override)
    return colour.to_rec709(_read_with_opencv(path)), Stated(colour.named)


def _read_with_opencv(path: Path) -> np.ndarray:
    try:
        with quiet_decoders():
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"{path}: not a readable {path.suffix} file: {error.err}") from error
    if pixels is None:
        raise ValueError(f"{path}: not a readable {path.suffix} file")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    if pixels.shape[2] not in (3, 4):
        raise ValueError(f"{path}: {pixels.shape[2]} channels; expected 1 (grey), 3 (RGB) or 4 (RGB and alpha)")
    for rows in _bands(pixels):
        rows[:, :, :3] = rows[:, :, 2::-1]  # BGR or BGRA to RGB, without a second picture in memory
    return pixels[:, :, :3]


def _bands(picture: np.ndarray) -> Iterator[np.ndarray]:
    return (picture[rows] for rows in row_bands(picture.shape[0], picture.shape[1]))


def repair_radiance(
    radiance: Float[np.ndarray, "height width 3"],
) -> tuple[Float[np.ndarray, "height width 3"], Repairs]:
    """Replace, in place, what is not light: negative and NaN values by 0, +Inf by the largest finite value.

    Returns:
        the same array, and how many pixels held a value of each kind (a pixel counts once a kind); a pixel whose
        negative values are all within `ROUNDING` times the mean of the light counts as rounding, not as negative.
    """
    repairs = _repair(radiance)
    return radiance, replace(repairs, negative=repairs.negative + repairs.outside, outside=0)


def _repair(radiance: Float[np.ndarray, "height width 3"]) -> Repairs:
    """`repair_radiance`, but of negative pixels those of positive luminance, as every light has, count as outside."""
    bits = np.dtype(f"u{radiance.itemsize}")
    first_bad = np.array(np.inf, radiance.dtype).view(bits)  # bits from here on are Inf, NaN or below zero
    suspects = [rows for rows in _bands(radiance) if rows.view(bits).max(initial=0) >= first_bad]
    rounding = -ROUNDING * _mean_light(radiance) if suspects else 0.0
    counts = np.zeros(5, np.int64)
    for rows in suspects:
        negative, beyond = (rows < 0).any(axis=2), (rows < rounding).any(axis=2)
        with np.errstate(invalid="ignore", over="ignore"):
            luminance = rows.astype(np.float64) @ LUMINANCE
        light = beyond & (luminance > 0) & np.isfinite(luminance)
        kinds = (beyond & ~light, np.isnan(rows).any(axis=2), np.isposinf(rows).any(axis=2), light, negative & ~beyond)
        counts += [kind.sum() for kind in kinds]
    found: list[int] = counts.tolist()
    repairs = Repairs(*found[:5])  # pyright: ignore[reportArgumentType]  # five numbers
    brightest = 0.0
    if repairs.infinite:
        brightest = max(np.max(rows, where=np.isfinite(rows), initial=0) for rows in _bands(radiance))
    for rows in suspects:
        rows[np.isposinf(rows)] = brightest
        rows[np.isnan(rows) | (rows < 0)] = 0
    return repairs


def _mean_light(radiance: Float[np.ndarray, "height width 3"]) -> float:
    """The mean of the values, what is no light counted as black."""
    total = 0.0
    for rows in _bands(radiance):
        with np.errstate(invalid="ignore"):  # of signalling NaN, which are converted before they are left out
            total += float(np.sum(rows, where=np.isfinite(rows) & (rows > 0), dtype=np.float64))
    return total / max(1, radiance.size)


def read_light(path: Path, override: Override = AS_STATED) -> tuple[Float[np.ndarray, "height width 3"], Repairs]:
    """Read an HDR file and repair it by the rule of `repair_radiance`; light outside Rec.709 is no damage.

    Outside is a pixel with negative values whose luminance is positive.

    Args:
        override: what a user states about the file.

    Returns:
        linear RGB, half floats if the file holds those and else float32; what was repaired, and what the file stated.

    Raises:
        ValueError: as `read_radiance`.
    """
    light, stated = _read_light(path, override)
    return light, replace(_repair(light), stated=stated)


def check_radiance(
    path: Path, max_repaired_share: float, override: Override = AS_STATED
) -> tuple[Float[np.ndarray, "height width 3"], Repairs]:
    """Read and repair an HDR file by `read_light`, and refuse what is no HDR picture.

    Args:
        max_repaired_share: refuse the picture if more than this share [0, 1] of its pixels needed repair.
        override: what a user states about the file.

    Raises:
        ValueError: one line naming the file, if it is unreadable, all black, an 8-bit picture in disguise (at most 256
            distinct values in every channel of a picture of 4,096 pixels or more), or too much of it needed repair.
    """
    radiance, repairs = read_light(path, override)
    pixels = radiance.shape[0] * radiance.shape[1]
    if repairs.total > max_repaired_share * pixels:
        raise ValueError(
            f"{path}: {repairs.negative} negative, {repairs.nan} NaN and {repairs.infinite} infinite "
            f"of {pixels} pixels; expected at most {max_repaired_share:.2%} of them"
        )
    if not any((rows > 0).any() for rows in _bands(radiance)):
        why = "transparent (alpha 0)" if repairs.stated.transparent == pixels else "black"
        raise ValueError(f"{path}: every pixel is {why}; expected light")
    levels = _count_levels(radiance, 256)
    if pixels >= 4096 and levels <= 256:
        raise ValueError(
            f"{path}: only {levels} distinct values a channel: an 8-bit picture stored as HDR; expected HDR"
        )
    return radiance, repairs


def _count_levels(radiance: Float[np.ndarray, "height width 3"], enough: int) -> int:
    """The number of distinct values in the channel that has most; counting ends where it is more than `enough`."""
    levels = [np.empty(0, radiance.dtype)] * 3
    for rows in _bands(radiance):
        levels = [np.union1d(known, rows[:, :, channel]) for channel, known in enumerate(levels)]
        if max(map(len, levels)) > enough:
            break
    return max(map(len, levels))

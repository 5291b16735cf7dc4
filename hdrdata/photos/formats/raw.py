"""Camera RAW files: their exposure, and the light that the sensor measured, developed by LibRaw."""

import importlib.util
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32
from PIL import ExifTags
from PIL.TiffImagePlugin import IFDRational

from hdrdata.files.suffixes import RAW_SUFFIXES
from hdrdata.photos.colours.conversion import deep_codes
from hdrdata.photos.formats.decoded import AboveWhite, Decoded, of_array
from hdrdata.photos.formats.exif import Exposure, made_of, positive


@dataclass(frozen=True)
class RawPicture:
    """A developed RAW file: what the sensor measured, as linear light."""

    linear: Float32[np.ndarray, "height width 3"]  # sRGB primaries, >= 0; above 1, light that is white looks coloured
    saturation: Float32[np.ndarray, "height width"]  # of the fullest photosite up to two pixels away; 1 is full
    full: tuple[float, ...] = (1.0, 1.0, 1.0)  # light that fills each kind of photosite


def is_raw(path: Path) -> bool:
    """Return whether the file has the name of a camera RAW file."""
    return path.suffix.lower() in RAW_SUFFIXES


def can_read_raw() -> bool:
    """Return whether the extra that reads camera RAW files is there."""
    return importlib.util.find_spec("rawpy") is not None


def decode_raw(path: Path) -> Decoded:
    """Develop a camera RAW file as it was exposed: white balance of the camera, sRGB's curve and nothing more."""
    raw = read_raw(path, read_white_balance(path))
    decoded = of_array(deep_codes(raw.linear), notes=["developed from camera RAW"], turn=1)
    above = AboveWhite(raw.linear, raw.saturation, raw.full) if raw.linear.max() > 1 else None
    return replace(decoded, exif=_exif_block(raw_exposure(path)), above=above)


def _exif_block(exposure: Exposure) -> bytes | None:
    base = ExifTags.Base
    numbers = {base.ExposureTime: exposure.seconds, base.FNumber: exposure.f_number}
    inner: dict[int, object] = {int(tag): _rational(value) for tag, value in numbers.items() if value is not None}
    if exposure.iso is not None and exposure.iso < 2**16:
        inner[int(base.ISOSpeedRatings)] = round(exposure.iso)
    if exposure.taken is not None:
        inner[int(base.DateTimeOriginal)] = exposure.taken.strftime("%Y:%m:%d %H:%M:%S")
    return made_of({}, inner, {})


def _rational(value: float) -> IFDRational:
    fraction = Fraction(value).limit_denominator(10**6 if value >= 1e-3 else 10**9)
    return IFDRational(fraction.numerator, fraction.denominator)


def raw_exposure(path: Path) -> Exposure:
    """Return the exposure stated by a RAW file's header.

    Raises:
        ValueError: one line naming the file, if it cannot be read.
    """
    with _opened_raw(path) as raw:
        other = raw.other
    taken = other.timestamp if other.timestamp and other.timestamp.year > 1970 else None
    return Exposure(positive(other.shutter_speed), positive(other.aperture), positive(other.iso_speed), taken)


def read_white_balance(path: Path) -> list[float]:
    """Return the multipliers of photosites (R, G, B, second G) that the camera chose, else those of daylight."""
    with _opened_raw(path) as raw:
        if raw.num_colors == 1:
            return [1.0] * 4
        balance = list(raw.camera_whitebalance)
        if not all(multiplier > 0 for multiplier in balance[:3]):
            balance = list(raw.daylight_whitebalance)
    return [*balance[:3], balance[3] or balance[1]]


def read_raw(path: Path, white_balance: list[float]) -> RawPicture:
    """Develop a RAW file to linear light, with nothing that depends on the picture's content.

    Black is subtracted, and 1 is white light that fills the first of the three kinds of photosites. LibRaw neither
    brightens the picture nor adjusts the white level to it, as it does by default. Of its ways to fill the mosaic, DHT
    errs least where it errs most (99th percentile, four linear scenes), and unlike AHD and VNG leaves no zeros.

    Args:
        white_balance: multipliers as `read_white_balance` gives them; those of one picture for a whole bracket.

    Raises:
        ValueError: one line naming the file, if it is unreadable or has no mosaic of photosites.
    """
    with _opened_raw(path) as raw:
        rawpy = _rawpy()
        turns = {3: 2, 5: 1, 6: -1}.get(raw.sizes.flip, 0)  # quarters, against the clock; developing forgets it
        try:
            developed = raw.postprocess(
                gamma=(1, 1), output_bps=16, no_auto_bright=True, adjust_maximum_thr=0.0, user_wb=white_balance,
                highlight_mode=rawpy.HighlightMode.Ignore,
                demosaic_algorithm=rawpy.DemosaicAlgorithm.DHT, output_color=rawpy.ColorSpace.sRGB, user_flip=0,
            )  # fmt: skip
            fill = _fill(raw)
        except MemoryError:
            raise
        except Exception as error:  # rawpy's own, and RuntimeError, ValueError and TypeError for layouts it lacks
            raise ValueError(f"{path}: not a readable camera RAW file: {_reason(error)}") from error
    if fill.shape != developed.shape[:2]:
        raise ValueError(f"{path}: its sensor layout is not supported; expected a DNG made from it")
    if fill.max(initial=0) <= 0:  # such as LibRaw makes of floats of 16 bits
        raise ValueError(f"{path}: no pixels that LibRaw can decode; expected integers or 32-bit floats")
    developed = np.repeat(developed, 3, axis=2) if developed.shape[2] == 1 else developed  # a monochrome sensor
    linear = developed * np.float32(max(white_balance) / min(white_balance) / 65535)  # LibRaw makes the largest 1
    upright, filled = (np.ascontiguousarray(np.rot90(plane, turns)) for plane in (linear, fill))
    return RawPicture(upright, filled, tuple(value / min(white_balance[:3]) for value in white_balance[:3]))


def _fill(raw: Any) -> Float32[np.ndarray, "height width"]:
    """Return how full the fullest photosite around each pixel is; in demosaiced files, its fullest channel."""
    photosites = raw.raw_image_visible.astype(np.float32)
    black = np.array(raw.black_level_per_channel, dtype=np.float32)
    white = min([raw.white_level, *(level for level in raw.camera_white_level_per_channel or () if level > 0)])
    if photosites.ndim == 3:  # demosaiced: LinearRaw of ProRAW, DxO, Lightroom's Enhance
        black, channels = black[: raw.num_colors], photosites[:, :, : raw.num_colors]
        return ((channels - black) / (white - black)).max(axis=2)
    black = black[0] if raw.num_colors == 1 else black[raw.raw_colors_visible]
    return cv2.dilate((photosites - black) / (white - black), np.ones((5, 5), np.uint8))


def _rawpy() -> ModuleType:
    try:
        import rawpy
    except ImportError as error:
        raise ValueError("camera RAW files need rawpy: pip install 'hdr-attnet[raw]'") from error
    return rawpy


def _opened_raw(path: Path) -> Any:  # a rawpy.RawPy, whose package is optional
    rawpy = _rawpy()
    try:
        return rawpy.imread(str(path))
    except (rawpy.LibRawError, OSError) as error:
        raise ValueError(f"{path}: not a readable camera RAW file: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].replace("cannot identify image file", "unknown kind")

"""Read a camera's pictures: how they were exposed, and display or RAW pixels."""

import datetime
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from PIL import ExifTags, Image

from hdrdata.files.quiet import quiet_decoders, quiet_opencv
from hdrdata.files.suffixes import RAW_SUFFIXES


@dataclass(frozen=True)
class Exposure:
    """How a picture was taken, as its file tells it; None where it does not."""

    seconds: float | None
    f_number: float | None
    iso: float | None
    taken: datetime.datetime | None


@dataclass(frozen=True)
class RawPicture:
    """A developed RAW file: what the sensor measured, as linear light."""

    linear: Float32[np.ndarray, "height width 3"]  # sRGB primaries, >= 0; above 1, light that is white looks coloured
    saturation: Float32[np.ndarray, "height width"]  # of the fullest photosite up to two pixels away; 1 is full


def is_raw(path: Path) -> bool:
    """Whether the file's name is that of a camera RAW file."""
    return path.suffix.lower() in RAW_SUFFIXES


def read_exposure(path: Path) -> Exposure:
    """Read how a picture was exposed: EXIF of JPEG, PNG and TIFF by Pillow, a RAW file's own header by LibRaw.

    Raises:
        ValueError: one line naming the file, if it cannot be read.
    """
    if is_raw(path):
        with _opened_raw(path) as raw:
            other = raw.other
        taken = other.timestamp if other.timestamp and other.timestamp.year > 1970 else None
        return Exposure(_positive(other.shutter_speed), _positive(other.aperture), _positive(other.iso_speed), taken)
    try:
        with quiet_decoders(), warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            exif = picture.getexif()
            tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception as error:  # OSError, SyntaxError, KeyError, struct.error and others of Pillow's readers
        raise ValueError(f"{path}: not a readable picture: {_reason(error)}") from error
    try:
        text = str(tags.get(ExifTags.Base.DateTimeOriginal) or tags.get(ExifTags.Base.DateTime))
        taken = datetime.datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
    except ValueError:
        taken = None
    names = (ExifTags.Base.ExposureTime, ExifTags.Base.FNumber, ExifTags.Base.ISOSpeedRatings)
    return Exposure(*(_positive(tags.get(name)) for name in names), taken)


def _positive(value: object) -> float | None:
    """A number of a header that is one and positive, else None; of several the first."""
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].replace("cannot identify image file", "unknown kind")


def read_display(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an 8-bit RGB or grey picture, turned as its EXIF says.

    Raises:
        ValueError: one line naming the file, if it is unreadable or not of 8 bits.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with quiet_opencv():
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise ValueError(f"{path}: not a readable picture: {error.err}") from error
    if bgr is None:
        raise ValueError(f"{path}: not a readable picture")
    if bgr.dtype != np.uint8:
        raise ValueError(f"{path}: {bgr.dtype} values; wanted an 8-bit picture of a bracket, or a camera's RAW file")
    return np.ascontiguousarray(bgr[:, :, ::-1])


def read_white_balance(path: Path) -> list[float]:
    """The multipliers of a RAW file's photosites (R, G, B, second G) that the camera chose, else those of daylight."""
    with _opened_raw(path) as raw:
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
            photosites = raw.raw_image_visible.astype(np.float32)
        except (rawpy.LibRawError, RuntimeError) as error:
            raise ValueError(f"{path}: not a readable camera RAW file: {_reason(error)}") from error
        black = np.array(raw.black_level_per_channel, dtype=np.float32)[raw.raw_colors_visible]
        white = min([raw.white_level, *(level for level in raw.camera_white_level_per_channel or () if level > 0)])
    if photosites.shape != developed.shape[:2]:
        raise ValueError(f"{path}: its photosites lie otherwise than its pixels; convert it to DNG")
    filled = cv2.dilate((photosites - black) / (white - black), np.ones((5, 5), np.uint8))
    linear = developed * np.float32(max(white_balance) / min(white_balance) / 65535)  # LibRaw makes the largest 1
    return RawPicture(*(np.ascontiguousarray(np.rot90(plane, turns)) for plane in (linear, filled)))


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

"""The nine exposures as pictures that any program merges."""

import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from hdrdata.cameras.recipe import LETTERS
from hdrdata.files.disk import folder_written_whole, write_json
from hdrdata.files.ldr import encode_png
from hdrdata.photos.formats.exif import Exposure
from hdrmodel.outputs.display import PNG_HEAD, chunk

UNKNOWN_SECONDS = 1 / 60  # if the photograph does not state its exposure time: only the ratios matter
RATIOS = "stack.json"


def exposure_files(folder: Path, count: int) -> list[Path]:
    """The files of a stack of `count` pictures: a.png (darkest), b.png and so on, and stack.json."""
    return [*(folder / f"{letter}.png" for letter in LETTERS[:count]), folder / RATIOS]


def write_exposures(
    folder: Path,
    stack: UInt8[np.ndarray, "exposures height width 3"],
    evs: Sequence[float],
    exposure: Exposure,
    facts: dict[str, str],
    icc: bytes | None = None,
) -> None:
    """Write a stack as PNG files with EXIF and stack.json with the ratios: the whole folder or none.

    EXIF holds ExposureTime, the photograph's own times 2^ev, and ExposureBiasValue, ev, with the photograph's FNumber
    and ISOSpeedRatings if it states them. What else is in the folder stays.

    Args:
        stack: LDR levels, in rising `evs`.
        evs: stops relative to the photograph.
        exposure: the photograph's.
        facts: how the pictures were made, for stack.json.
        icc: the colour profile of the levels; sRGB if None.

    Raises:
        OSError: naming the folder, if it cannot be written.
    """
    try:
        with folder_written_whole(folder, last=RATIOS) as temporary:
            _write_files(temporary, stack, evs, exposure, facts, icc)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error  # and not a name that nobody chose


def _write_files(
    folder: Path, stack: np.ndarray, evs: Sequence[float], exposure: Exposure, facts: dict[str, str], icc: bytes | None
) -> None:
    seconds = exposure.seconds or UNKNOWN_SECONDS
    *pictures, ratios = exposure_files(folder, len(stack))
    rows, profile = [], chunk(b"iCCP", b"profile\0\0" + zlib.compress(icc)) if icc else b""
    for file, ldr, ev in zip(pictures, stack, evs, strict=True):
        exif = _exif(seconds * 2.0**ev, ev, exposure)
        png = encode_png(ldr, "opencv")
        file.write_bytes(png[:PNG_HEAD] + profile + chunk(b"eXIf", exif) + png[PNG_HEAD:])
        rows.append({"file": file.name, "ev": ev, "ratio": 2.0**ev, "exposure_seconds": seconds * 2.0**ev})
    write_json(ratios, {"exposures": rows, "seconds_are_the_photographs": exposure.seconds is not None, **facts})


def _exif(seconds: float, ev: float, exposure: Exposure) -> bytes:
    """An EXIF block as PNG holds it: without the name that JPEG puts before it."""
    exif = Image.Exif()
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    tags[ExifTags.Base.ExposureTime] = _rational(seconds)
    tags[ExifTags.Base.ExposureBiasValue] = _rational(ev)
    if exposure.f_number is not None:
        tags[ExifTags.Base.FNumber] = _rational(exposure.f_number)
    if exposure.iso is not None and exposure.iso < 2**16:
        tags[ExifTags.Base.ISOSpeedRatings] = round(exposure.iso)
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _rational(value: float) -> IFDRational:
    fraction = Fraction(value).limit_denominator(10**6 if abs(value) >= 1e-3 else 10**9)
    return IFDRational(fraction.numerator, fraction.denominator)

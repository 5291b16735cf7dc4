"""The nine exposures as pictures that any program merges."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from hdrdata.disk import write_bytes, write_json
from hdrdata.files import encode_png
from hdrdata.photographs import Exposure
from hdrdata.recipe import LETTERS
from hdrmodel.outputs.display import PNG_HEAD, chunk

UNKNOWN_SECONDS = 1 / 60  # where the photograph does not tell how long it was exposed: the ratios are what counts


def write_exposures(
    folder: Path,
    stack: UInt8[np.ndarray, "exposures height width 3"],
    evs: Sequence[float],
    exposure: Exposure,
    facts: dict[str, str],
) -> None:
    """Write a stack as a.png (darkest), b.png and so on with EXIF, and behind them stack.json with the ratios.

    EXIF holds ExposureTime, the photograph's own times 2^ev, and ExposureBiasValue, ev, with the photograph's FNumber
    and ISOSpeedRatings where it tells them. The picture at EV 0 is the photograph itself.

    Args:
        stack: LDR levels, in rising `evs`.
        evs: stops relative to the photograph.
        exposure: the photograph's.
        facts: how the pictures were made, for stack.json.
    """
    seconds = exposure.seconds or UNKNOWN_SECONDS
    told = []
    for letter, ldr, ev in zip(LETTERS, stack, evs, strict=False):
        exif = _exif(seconds * 2.0**ev, ev, exposure)
        png = encode_png(ldr, "opencv")
        write_bytes(folder / f"{letter}.png", png[:PNG_HEAD] + chunk(b"eXIf", exif) + png[PNG_HEAD:])
        told.append({"file": f"{letter}.png", "ev": ev, "ratio": 2.0**ev, "exposure_seconds": seconds * 2.0**ev})
    about = {"exposures": told, "seconds_are_the_photographs": exposure.seconds is not None, **facts}
    write_json(folder / "stack.json", about)


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
    fraction = (
        Fraction(value).limit_denominator(10**6) if abs(value) >= 1e-3 else Fraction(value).limit_denominator(10**9)
    )
    return IFDRational(fraction.numerator, fraction.denominator)

"""Write what a camera writes: JPEG and PNG pictures with EXIF, and DNG files of a Bayer sensor."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import tifffile
from PIL import ExifTags, Image, TiffImagePlugin

BLACK, WHITE = 512, 16383  # of the DNG's 14-bit sensor
NEUTRAL = (0.5, 1.0, 0.8)  # what a white paper gives each photosite: multipliers 2, 1 and 1.25
XYZ_TO_SRGB = (32405, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572)  # IEC 61966-2-1, over 10,000


def write_picture(path: Path, ldr: np.ndarray, seconds: Fraction | None, f_number=8.0, iso=100, taken=None) -> None:
    """Write uint8 RGB in the format of the path's suffix, with EXIF as far as it is given."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "test"  # Pillow takes EXIF without an entry of its own for none
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    for tag, value in (("ExposureTime", seconds), ("FNumber", f_number), ("ISOSpeedRatings", iso)):
        if value is not None:
            inner[ExifTags.Base[tag]] = (
                TiffImagePlugin.IFDRational(Fraction(value)) if tag != "ISOSpeedRatings" else value
            )
    if taken is not None:
        inner[ExifTags.Base.DateTimeOriginal] = taken
    options = {"quality": 95, "subsampling": 0} if path.suffix in (".jpg", ".jpeg") else {}
    Image.fromarray(ldr).save(path, exif=exif, **options)


def write_dng(path: Path, light: np.ndarray, seconds: Fraction, f_number=8.0, iso=100, orientation=1) -> None:
    """Write linear sRGB `light` * seconds * (iso / 100) / f_number^2, where 1 fills the green photosites, as a DNG.

    A sensor with sRGB's primaries and the white balance `NEUTRAL`; RGGB, 14 bits, whole numbers, no noise.
    """
    exposed = np.clip(light * float(seconds) * iso / 100 / f_number**2 * NEUTRAL, 0, 1)
    levels = np.round(BLACK + exposed * (WHITE - BLACK)).astype(np.uint16)
    mosaic = levels[:, :, 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = levels[0::2, 0::2, 0], levels[1::2, 1::2, 2]
    ratios = [number for value in NEUTRAL for number in Fraction(value).limit_denominator(100).as_integer_ratio()]
    tags = [
        (271, 2, 0, "test", True), (272, 2, 0, "camera", True), (274, 3, 1, orientation, True),
        (33421, 3, 2, (2, 2), True), (33422, 1, 4, (0, 1, 1, 2), True),  # RGGB
        (34664, 4, 1, 0, True),  # becomes 34665, the EXIF directory's place, which tifffile does not write
        (50706, 1, 4, (1, 4, 0, 0), True), (50707, 1, 4, (1, 1, 0, 0), True), (50708, 2, 0, "test camera", True),
        (50713, 3, 2, (1, 1), True), (50714, 4, 1, BLACK, True), (50717, 4, 1, WHITE, True),
        (50721, 10, 9, [number for entry in XYZ_TO_SRGB for number in (entry, 10000)], True),
        (50728, 5, 3, ratios, True), (50778, 3, 1, 21, True),  # D65
    ]  # fmt: skip
    tifffile.imwrite(path, mosaic, photometric="cfa", extratags=tags, metadata=None, software=None, subfiletype=0)
    with tifffile.TiffFile(path) as file:
        entry = file.pages[0].tags[34664].offset
    place = path.stat().st_size
    top, bottom = Fraction(seconds).as_integer_ratio()
    f_top, f_bottom = Fraction(f_number).as_integer_ratio()
    values = place + 2 + 3 * 12 + 4
    entries = struct.pack(
        "<H HHII HHII HHIHH I II II", 3, 33434, 5, 1, values, 33437, 5, 1, values + 8, 34855, 3, 1, iso, 0, 0,
        top, bottom, f_top, f_bottom,
    )  # fmt: skip
    with path.open("r+b") as file:
        file.seek(entry)
        file.write(struct.pack("<HHII", 34665, 4, 1, place))
        file.seek(place)
        file.write(entries)


def write_linear_dng(path: Path, light: np.ndarray, dtype: type = np.uint16) -> None:
    """Write linear sRGB `light` [0, 1], or grey of two axes, demosaiced, as the DNG of a sensor like `write_dng`'s."""
    grey = light.ndim == 2
    values = light if grey else light * NEUTRAL
    most = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    tags = [
        (271, 2, 0, "test", True), (272, 2, 0, "camera", True), (274, 3, 1, 1, True), (50706, 1, 4, (1, 4, 0, 0), True),
        (50707, 1, 4, (1, 4, 0, 0), True), (50708, 2, 0, "test camera", True), (50778, 3, 1, 21, True),
    ]  # fmt: skip
    if not grey:
        ratios = [number for value in NEUTRAL for number in Fraction(value).limit_denominator(100).as_integer_ratio()]
        tags += [(50721, 10, 9, [number for entry in XYZ_TO_SRGB for number in (entry, 10000)], True),
                 (50728, 5, 3, ratios, True)]  # fmt: skip
    if most > 1:
        tags += [(50714, 4, 1, 0, True), (50717, 4, 1, most, True)]
    stored = np.round(values * most).astype(dtype) if most > 1 else values.astype(dtype)
    tifffile.imwrite(path, stored, photometric="minisblack" if grey else "rgb", extratags=tags, metadata=None)
    with tifffile.TiffFile(path) as file:
        kind = file.pages[0].tags[262].offset
    with path.open("r+b") as file:
        file.seek(kind + 8)
        file.write(struct.pack("<H", 34892))  # LinearRaw, which tifffile writes of three channels only

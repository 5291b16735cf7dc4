"""Pictures of 8 bits or fewer, by Pillow."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from hdrdata.photos.formats.decoded import Decoded, check_size
from hdrdata.photos.formats.exif import plain

MODES = {"1": "L", "L": "L", "LA": "LA", "La": "La", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA",
         "RGBa": "RGBa", "RGBX": "RGBX", "CMYK": "CMYK", "YCbCr": "RGB"}  # fmt: skip
PAGES = ("TIFF", "GIF", "PNG", "AVIF")


def open_image(source: Path | io.BytesIO, kind: str) -> Image.Image:
    """Open an image of one format by Pillow, without its process-wide limit of pixels: callers check the size."""
    Image.init()
    # JPEG's own opener looks for an MPO.
    opener: Any = JpegImagePlugin.JpegImageFile if kind == "JPEG" else Image.OPEN[kind][0]
    try:
        return opener(str(source) if isinstance(source, Path) else source)
    except (SyntaxError, IndexError, TypeError, KeyError, EOFError, struct.error) as error:  # as `Image.open` does
        raise UnidentifiedImageError(str(error)) from error


def decode_by_pillow(
    path: Path, kind: str, stored_bits: int | None = 8, page: int = 0, source: io.BytesIO | None = None
) -> Decoded:
    """Decode a picture of 8 bits or fewer.

    Args:
        stored_bits: a sample before the format's coder; None if it may make any number of pixels of a byte.
        page: of several.
        source: the file's content, if it is not the file itself.
    """
    with open_image(source or path, kind) as image:
        samples = len(image.getbands()) if image.mode != "P" else 1
        pixels = image.width * image.height
        check_size(path, *image.size, None if stored_bits is None else pixels * samples * stored_bits // 8)
        frames = getattr(image, "n_frames", 1) if kind in PAGES else 1
        if page:
            image.seek(page)
        image.load()
        info = dict(image.info)
        exif = plain(info.get("exif")) if isinstance(info.get("exif"), bytes) else None
        icc = info.get("icc_profile")
        picture = image.copy()
    if picture.mode not in MODES:
        raise ValueError(f"{picture.mode} pixels; expected 8 or 16 bits of grey, RGB or CMYK")
    mode = "RGBA" if picture.mode == "P" and "transparency" in info else MODES[picture.mode]

    def rows(top: int, end: int) -> np.ndarray:
        band = np.asarray(picture.crop((0, top, picture.width, end)).convert(mode))
        return band.reshape(*band.shape[:2], -1)

    what = "pages" if kind == "TIFF" else "frames"
    return Decoded(
        rows, picture.width, picture.height, np.uint8, {"L": 1, "LA": 1, "La": 1, "CMYK": 4}.get(mode, 3),
        is_alpha=mode != "RGBX", is_premultiplied=mode in ("RGBa", "La"), exif=exif,
        icc=icc if isinstance(icc, bytes) or icc is None else b"?",  # a TIFF may call a number its profile: damaged
        notes=[f"the first of {frames} {what}"] if frames > 1 and not page else [],
    )  # fmt: skip

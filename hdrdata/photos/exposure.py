"""Exposure of a photograph, as stated in its file."""

from pathlib import Path

from hdrdata.files.quiet import quiet_decoders
from hdrdata.photos.boxes.heif import heif_exif
from hdrdata.photos.boxes.jxl import jxl_exif
from hdrdata.photos.formats.exif import Exposure, exposure_of
from hdrdata.photos.formats.kinds import kind_of
from hdrdata.photos.formats.pillow import open_image
from hdrdata.photos.formats.raw import is_raw, raw_exposure
from hdrdata.photos.photo import check_file, decoder_errors

PILLOW_NAMES = {"JPEG 2000": "JPEG2000"}  # where its name of a format is not ours


def read_exposure(path: Path) -> Exposure:
    """Read how a photograph was exposed, without its pixels: EXIF, or the header of a camera RAW file.

    Raises:
        ValueError: one line naming the file, if it is not a readable photograph.
    """
    check_file(path)
    with path.open("rb") as file:
        kind = kind_of(path, file.read(64))
    if kind == "camera RAW" or is_raw(path):
        return raw_exposure(path)
    with quiet_decoders(), decoder_errors(path, kind):
        if kind == "HEIF":
            return exposure_of(heif_exif(path))
        if kind == "JPEG XL":
            return exposure_of(jxl_exif(path.read_bytes()))
        with open_image(path, PILLOW_NAMES.get(kind, kind)) as image:
            return exposure_of(image.getexif())

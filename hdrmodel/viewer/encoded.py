"""Light out of files for displays: Ultra HDR, and pictures of PQ and HLG."""

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

from hdrdata.files.quiet import quiet_decoders
from hdrdata.photos.colours.encodings import srgb_light
from hdrdata.photos.formats.exif import load, orientation_of
from hdrdata.photos.formats.jpeg import read_segments
from hdrdata.photos.formats.pillow import open_image
from hdrdata.photos.photo import TURNS, check_file, read_photo

WHITE = 203.0  # cd/m2 of 1.0: an SDR display's white
ISO_NAME = b"urn:iso:std:iso:ts:21496:-1\0"
ENCODED = {".jpg": "Ultra HDR", ".jpeg": "Ultra HDR", ".png": "PNG", ".avif": "AVIF", ".heic": "HEIC", ".heif": "HEIF",
           ".hif": "HEIF", ".jxl": "JPEG XL"}  # fmt: skip
XMP_NAMES = ("GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR")


@dataclass(frozen=True)
class GainMap:
    """Codes of a gain map and what they mean, in each channel: ISO 21496-1, or Android's Ultra HDR 1.1."""

    codes: np.ndarray  # uint8 (height, width) or (height, width, 3)
    low: np.ndarray  # log2
    high: np.ndarray
    gamma: np.ndarray
    offset_base: np.ndarray
    offset_hdr: np.ndarray


def read_encoded(path: Path) -> tuple[Float32[np.ndarray, "height width 3"], str]:
    """The light of an Ultra HDR JPEG with all of its gain, or of a picture of PQ or HLG, and what the file is.

    Returns:
        linear RGB, BT.709 primaries, where 1.0 is 203 cd/m2; the format.

    Raises:
        ValueError: one line naming the file, if it cannot be read or is a display picture.
    """
    check_file(path)
    photo = read_photo(path, own_colours=True)
    name = ENCODED[path.suffix.lower()]
    if photo.light is not None:
        told = next(note for note in photo.notes if note.startswith("an HDR picture"))
        return photo.light, f"{name}, {told.removeprefix('an HDR picture (').removesuffix(')')}"
    content = path.read_bytes()
    gain = _gain_map_of(content) if content[:2] == b"\xff\xd8" else None
    if gain is None:
        raise ValueError(f"{path}: a display picture; wanted HDR: OpenEXR, Radiance, Ultra HDR, PQ or HLG")
    base = srgb_light(photo.ldr / np.float32(np.iinfo(photo.ldr.dtype).max)).astype(np.float32)
    codes = TURNS[orientation_of(load(read_segments(content).exif))](gain.codes)
    if codes.shape[:2] != base.shape[:2]:
        codes = cv2.resize(codes, base.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    share = (codes.reshape(*base.shape[:2], -1) / np.float32(255)) ** (1 / gain.gamma)
    boost = np.exp2(gain.low + (gain.high - gain.low) * share)
    light = np.maximum((base + gain.offset_base) * boost - gain.offset_hdr, 0)
    if photo.to_bt709 is not None:
        light = light @ photo.to_bt709.T
    return light.astype(np.float32), "Ultra HDR (JPEG with a gain map)"


def _gain_map_of(content: bytes) -> GainMap | None:
    """The gain map of an Ultra HDR JPEG: the picture behind the first that tells its numbers; None if there is none."""
    for found in re.finditer(b"\xff\xd8\xff", content):
        if found.start() == 0:
            continue
        jpeg = content[found.start() :]
        head = jpeg[: jpeg.find(b"\xff\xda")]
        numbers = _by_iso(head) or _by_xmp(head)
        if numbers is None:
            continue
        with quiet_decoders(), open_image(io.BytesIO(jpeg), "JPEG") as picture:
            codes = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
        return GainMap(codes, *(np.array(values, np.float32) for values in numbers))
    return None


def _by_iso(head: bytes) -> list[list[float]] | None:
    place = head.find(ISO_NAME)
    if place < 0 or len(head) < place + len(ISO_NAME) + 61:
        return None
    place += len(ISO_NAME)
    (flags,) = struct.unpack_from(">B", head, place + 4)
    channels, at = 3 if flags & 0x80 else 1, place + 5
    if flags & 0x08:  # one denominator for all
        common, *values = struct.unpack_from(f">I2I{'2iI2i' * channels}", head, at)
        fractions = [value / common for value in values]
    else:
        pairs = struct.unpack_from(f">4I{'iIiIIIiIiI' * channels}", head, at)
        fractions = [above / max(below, 1) for above, below in zip(pairs[::2], pairs[1::2], strict=True)]
    rows = [fractions[2 + 5 * channel : 7 + 5 * channel] for channel in range(channels)]
    return [list(column) for column in zip(*rows, strict=True)]  # low, high, gamma and the two offsets


def _by_xmp(head: bytes) -> list[list[float]] | None:
    if b"hdrgm:GainMapMax" not in head:
        return None
    usual = {"GainMapMin": 0.0, "Gamma": 1.0, "OffsetSDR": 1 / 64, "OffsetHDR": 1 / 64}
    numbers = []
    for name in XMP_NAMES:
        single = re.search(rf'hdrgm:{name}="([-+.\de]+)"'.encode(), head)
        several = re.search(rf"<hdrgm:{name}>(.*?)</hdrgm:{name}>".encode(), head, re.DOTALL)
        if single:
            numbers.append([float(single[1])])
        elif several:
            numbers.append([float(value) for value in re.findall(rb">\s*([-+.\de]+)\s*<", several[1])])
        else:
            numbers.append([usual.get(name, 1.0)])
    return numbers

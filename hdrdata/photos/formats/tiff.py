"""TIFF: its directories, and every kind of pixels that photographs have."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image, TiffImagePlugin

from hdrdata.photos.colours.made import BT709_TO_D50, D50
from hdrdata.photos.formats.decoded import LOOSE, Decoded, check_size, of_array
from hdrdata.photos.formats.exif import made_of
from hdrdata.photos.formats.pillow import decode_by_pillow, open_image
from hdrdata.photos.formats.xmp import iptc_of

WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, ORIENTATION, SAMPLES, PLANES = 256, 257, 258, 259, 262, 274, 277, 284
SUBFILE, EXTRA, FORMAT, ICC, DNG = 254, 338, 339, 34675, 50706
IPTC, RESOURCES = 33723, 34377
TILE_WIDTH, TILE_HEIGHT = 322, 323
TAGS = (
    WIDTH,
    HEIGHT,
    BITS,
    COMPRESSION,
    COLOURS,
    SAMPLES,
    PLANES,
    SUBFILE,
    EXTRA,
    FORMAT,
    DNG,
    TILE_WIDTH,
    TILE_HEIGHT,
)
KINDS = {0: 1, 1: 1, 2: 3, 3: 3, 5: 4, 6: 3, 8: 3, 9: 3}  # colours by PhotometricInterpretation
OTHERS = {10: "ITULab", 32803: "raw sensor", 34892: "raw sensor", 32845: "LogLuv"}
FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
PALETTE, CIELAB, ICCLAB = 3, 8, 9
CCITT = (2, 3, 4, 32771)
USUAL = (1, *CCITT, 5, 6, 7, 8, 32773, 32946)  # compressions that Pillow's libtiff has, and we ask of it
LOOSER = 2**15  # bytes that Zstandard, LZMA and the like may make of one
COPIED = (270, 271, 272, 305, 306, 315, 33432)  # of IFD0: description, maker, model, software, date, artist, copyright
MOST_PAGES = 64  # that are looked at
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it has to say becomes an error, or does not matter


def read_tags(path: Path) -> dict[int, list[int]]:
    """The numbers in the first directory of a TIFF or BigTIFF, as far as they are whole."""
    with path.open("rb") as file:
        head = file.read(8)
        head += file.read(8) if b"+" in head[2:4] else b""  # BigTIFF
        directory = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(directory.next)
        directory.load(file)
        found = {tag: directory[tag] for tag in TAGS if tag in directory}
    lists = {tag: list(value) if isinstance(value, tuple | bytes) else [value] for tag, value in found.items()}
    return {tag: values for tag, values in lists.items() if values and all(isinstance(value, int) for value in values)}


def is_raw(tags: dict[int, list[int]]) -> bool:
    """Return whether a TIFF is a camera's RAW file."""
    return DNG in tags or tags.get(COLOURS, [1])[0] in (32803, 34892)


def check_tags(path: Path, tags: dict[int, list[int]]) -> None:
    """Refuse a TIFF whose samples are not a display image, which a decoder would round or clip silently."""
    colours, bits, samples = tags.get(COLOURS, [1])[0], set(tags.get(BITS, [1])), tags.get(SAMPLES, [1])[0]
    strange = FORMATS.keys() & set(tags.get(FORMAT, [1])) - ({2} if colours == CIELAB else set())
    if strange:
        raise ValueError(f"{path}: {FORMATS[min(strange)]} samples; expected unsigned ones of 8 or 16 bits")
    if colours not in KINDS:
        raise ValueError(f"{path}: {OTHERS.get(colours, 'unknown')} colours; expected grey, RGB, CMYK or Lab")
    if bits not in ({8}, {16}, {1}) and not (bits in ({2}, {4}) and samples == 1):
        found = f"{'/'.join(map(str, sorted(bits)))} bits a sample"
        raise ValueError(f"{path}: {found}; expected 8 or 16 bits of grey, RGB, CMYK or Lab")
    if not 0 <= samples - (1 if colours == 3 else KINDS[colours]) <= 1:
        raise ValueError(f"{path}: {samples} samples a pixel; expected grey, RGB, CMYK or Lab with or without alpha")


def decode_tiff(path: Path, tags: dict[int, list[int]]) -> Decoded:
    """Decode the first page that is no thumbnail: usual ones of 8 bits by Pillow, 16 bits and others by imagecodecs."""
    if tags.get(SUBFILE, [0])[0] & 1:
        return _of_page(path)
    check_tags(path, tags)
    bits, colours, samples = tags.get(BITS, [1])[0], tags.get(COLOURS, [1])[0], tags.get(SAMPLES, [1])[0]
    usual = tags.get(COMPRESSION, [1])[0] in USUAL
    large = tags.get(WIDTH, [0])[0] * tags.get(HEIGHT, [0])[0] > (Image.MAX_IMAGE_PIXELS or 2**62)  # for Pillow
    _check_claim(path, tags)
    if bits == 16 and usual and colours in (0, 1, 2) and samples != 2:
        return replace(_decode_deep(path, tags), **_facts_by_pillow(path))
    if bits == 16 or not usual or colours in (CIELAB, ICCLAB) or samples > 4 or large:
        return _of_page(path)
    decoded = decode_by_pillow(path, "TIFF", None)
    facts = _facts_by_pillow(path)
    decoded = replace(decoded, exif=facts["exif"], iptc=facts["iptc"], bits=bits)
    return replace(decoded, turn=1, turned=facts["turn"])  # Pillow turns TIFF alone


def _check_claim(path: Path, tags: dict[int, list[int]]) -> None:
    width, height = tags.get(WIDTH, [0])[0], tags.get(HEIGHT, [0])[0]
    stored = height * (-(-width * tags.get(SAMPLES, [1])[0] * tags.get(BITS, [1])[0] // 8))
    compression = tags.get(COMPRESSION, [1])[0]
    if compression in CCITT:  # a bit a row
        stored = min(stored, height * LOOSE // 8)
    elif compression not in USUAL:
        stored = stored * LOOSE // LOOSER
    check_size(path, width, height, stored)
    if tags.keys() & {TILE_WIDTH, TILE_HEIGHT}:
        wide, high = tags.get(TILE_WIDTH, [1])[0], tags.get(TILE_HEIGHT, [1])[0]
        check_size(path, wide, high, 0 if wide * high <= 4 * width * height else wide * high)


def _facts_by_pillow(path: Path) -> dict[str, Any]:
    """Profile, EXIF, orientation and pages of a TIFF, without its pixels."""
    with open_image(path, "TIFF") as image:
        icc, frames = image.info.get("icc_profile"), getattr(image, "n_frames", 1)
        try:
            exif = image.getexif()
            turn = exif.get(ORIENTATION, 1)
            block = _block_of(exif)
        except Exception:  # of damaged directories, which cost the picture nothing
            turn, block = 1, None
        iptc = _iptc_of(image)
    return {
        "icc": icc if isinstance(icc, bytes) or icc is None else b"?",
        "exif": block,
        "turn": turn if isinstance(turn, int) and 1 <= turn <= 8 else 1,
        "iptc": iptc,
        "notes": [f"the first of {frames} pages"] if frames > 1 else [],
    }


def _iptc_of(image: Image.Image) -> bytes | None:
    """Return IPTC by its own tag, or among Photoshop's image resources."""
    tags = getattr(image, "tag_v2", {})
    own, resources = tags.get(IPTC), tags.get(RESOURCES)
    return own if isinstance(own, bytes) and own else iptc_of(resources) if isinstance(resources, bytes) else None


def _texts_of(path: Path) -> dict[str, Any]:
    try:
        facts = _facts_by_pillow(path)
    except OSError:  # of pixels that Pillow does not know
        return {}
    return {"exif": facts["exif"], "iptc": facts["iptc"]}


def _block_of(exif: Image.Exif) -> bytes | None:
    """EXIF as a block of its own: what TIFF's directory says of the photograph, and its EXIF and GPS directories."""
    tags = {tag: exif[tag] for tag in COPIED if tag in exif}
    inner = dict(exif.get_ifd(ExifTags.IFD.Exif))
    inner.pop(int(ExifTags.IFD.Interop), None)
    interop = exif.get_ifd(ExifTags.IFD.Interop)
    if str(interop.get(1, "")).strip("\0 ") == "R03":
        inner[40961] = 2  # ColorSpace: Adobe RGB, as in `is_adobe_rgb`
    return made_of(tags, inner, dict(exif.get_ifd(ExifTags.IFD.GPSInfo))) if tags or inner else None


def _decode_deep(path: Path, tags: dict[int, list[int]]) -> Decoded:
    """Decode 16 bits of grey or RGB, which Pillow would round to 8 bits."""
    pixels = imagecodecs.tiff_decode(path.read_bytes())
    if tags.get(PLANES) == [2] and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.dtype != np.uint16:
        raise ValueError(f"samples of {pixels.dtype}")
    if tags.get(COLOURS, [1]) == [0]:
        pixels ^= 0xFFFF  # 0 is white
    extra = tags.get(EXTRA, [0])[0]
    return of_array(pixels, is_alpha=extra in (1, 2), is_premultiplied=extra == 1)


def _of_page(path: Path) -> Decoded:
    """Decode the first page that is no thumbnail, one of a directory below the first among them, by tifffile."""
    with tifffile.TiffFile(path) as file:
        pages = []
        for number in range(MOST_PAGES):
            try:
                page = file.pages[number]
            except IndexError:
                break
            pages += [page, *(page.pages or ())]
        whole = [page for page in pages if not page.tags.valueof(SUBFILE, 0) & 1 and page.imagewidth]
        if not whole:
            raise ValueError("contains only thumbnails")
        page = whole[0]
        tags = {tag: _listed(page.tags.valueof(tag)) for tag in TAGS if tag in page.tags}
        check_tags(path, tags)
        _check_claim(path, tags)
        size = path.stat().st_size
        if any(start + count > size for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
            raise ValueError("cut short")
        pixels = page.asarray()
        if tags.get(PLANES) == [2] and pixels.ndim == 3:
            pixels = np.moveaxis(pixels, 0, 2)
        icc, turn = page.tags.valueof(ICC), page.tags.valueof(ORIENTATION, 1)
    colours, extra = tags.get(COLOURS, [1])[0], tags.get(EXTRA, [0])[0]
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype in (np.int8, np.int16):
        pixels = pixels.view(f"u{pixels.dtype.itemsize}")
    if colours == 0:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if colours == PALETTE:
        pixels = (page.colormap.T[pixels] >> 8).astype(np.uint8)
    notes = [f"page {pages.index(page) + 1}, after a thumbnail"] if page is not pages[0] else []
    if page is pages[0] and len(whole) > 1:
        notes = [f"the first of {len(whole)} pages"]
    decoded = of_array(
        pixels, colours=KINDS[colours], is_alpha=extra in (1, 2), is_premultiplied=extra == 1, notes=notes,
        icc=icc if isinstance(icc, bytes) else None, turn=turn if isinstance(turn, int) and 1 <= turn <= 8 else 1,
        **_texts_of(path),
    )  # fmt: skip
    if colours not in (CIELAB, ICCLAB):
        return decoded
    return replace(decoded, light=(lambda band: lab_light(band, signed=colours == CIELAB), "CIELab"), icc=None)


def _listed(value: Any) -> list[int]:
    values = value if isinstance(value, tuple | list) else [value]
    return [int(one) for one in values]


def lab_light(lab: np.ndarray, signed: bool) -> np.ndarray:
    """Linear light of BT.709's primaries, of TIFF's CIELab (a and b of two's complement) or ICCLab (around 128).

    L is 0 to 100 over the whole range, a and b are steps of 1, or of 1/256 in 16 bits; white is D50, as ICC has it
    (TIFF 6.0, section 23; Technote 4).
    """
    deep = lab.dtype == np.uint16
    lightness = lab[:, :, 0] / (65535 if deep else 255) * 100
    step, middle = (256.0, 32768.0) if deep else (1.0, 128.0)
    stored = lab[:, :, 1:3]
    centred = stored.astype(np.int16 if deep else np.int8) if signed else stored - middle
    a, b = np.moveaxis(centred / step, 2, 0)
    y = (lightness + 16) / 116
    cubes = np.stack([y + a / 500, y, y - b / 200], axis=2)
    xyz = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)) * np.array(D50)
    return xyz @ np.linalg.inv(BT709_TO_D50).T

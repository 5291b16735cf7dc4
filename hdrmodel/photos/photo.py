"""Read anyone's photograph, and find the photographs that a command is given."""

import contextlib
import glob
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs
import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import ExifTags, Image

from hdrdata.files.claims import check_claim
from hdrdata.files.quiet import quiet_decoders
from hdrmodel.photos.colours import to_srgb
from hdrmodel.photos.headers import (
    BITS,
    COLOURS,
    EXTRA,
    PLANES,
    check_tiff,
    has_gain_map,
    known_kind,
    png_chunks,
    png_clear,
    png_notes,
    tiff_tags,
    webp_size,
)

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
BAND_PIXELS = 2**20  # converted at a time, so that what is computed of a picture takes little memory
MODES = {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA", "RGBa": "RGBa",
         "RGBX": "RGBX", "CMYK": "CMYK", "YCbCr": "RGB"}  # fmt: skip
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # by EXIF orientation, to upright
    1: lambda ldr: ldr,
    2: lambda ldr: ldr[:, ::-1],
    3: lambda ldr: ldr[::-1, ::-1],
    4: lambda ldr: ldr[::-1],
    5: lambda ldr: ldr.swapaxes(0, 1),
    6: lambda ldr: np.rot90(ldr, -1),
    7: lambda ldr: ldr[::-1, ::-1].swapaxes(0, 1),
    8: lambda ldr: np.rot90(ldr),
}


@dataclass(frozen=True)
class Photo:
    """A photograph, upright, in display-referred sRGB of full range, and what was done to make it so."""

    ldr: UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]
    notes: tuple[str, ...]  # what its owner should know, a short phrase each


@dataclass(frozen=True)
class _Decoded:
    """The stored pixels, which are handed out in bands of rows."""

    rows: Callable[[int, int], np.ndarray]  # from the first row and the one after the last
    width: int
    height: int
    dtype: type
    colours: int  # 1 grey, 3 RGB, 4 CMYK; what a band has more is a channel of transparency
    is_alpha: bool = True  # if False, what a band has more means nothing
    clear: np.ndarray | None = None  # the one colour that is transparent, of PNG's tRNS


def read_photo(path: Path | str) -> Photo:
    """Read a JPEG, PNG, TIFF or WebP picture, known by its content, as upright sRGB.

    8-bit pictures come as uint8, PNG and TIFF of 16 bits as uint16. Turned by EXIF. Colours are converted from the ICC
    profile to sRGB, relative colorimetric with black point compensation (littlecms); what sRGB cannot show is clipped.
    A profile that is sRGB changes no value. One that is damaged, or is of other colours than the pixels, is left out
    with a note, and so are CMYK without a profile, which becomes (1 - C) (1 - K) and so on, PNG's gAMA and a gain map.
    Of several pages or frames the first is read. A JPEG of CMYK is taken to hold it inverted, as Adobe writes it.

    Raises:
        ValueError: one line naming the file and what is wrong: no picture of these formats, damaged or cut short,
            transparent pixels, an HDR picture (PQ or HLG), a claim of more pixels than its bytes can hold or than
            2^28, other samples than unsigned ones of at most 8 bits or of 16, other colours than grey, RGB and CMYK.
        OSError: naming the file, if the system does not let it be read.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: a folder; wanted a picture file")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(32)
    kind = known_kind(path, head)
    if kind == "WEBP":  # the one format whose memory Pillow takes when it opens the file
        _check_size(path, *webp_size(head))
    try:
        with undisturbed():
            return _read(path, kind)
    except MemoryError as error:
        raise ValueError(f"{path}: too large for the memory of this machine") from error


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the decoders' messages off the terminal, and Pillow's own limit off pictures of over 89 million pixels."""
    limit = Image.MAX_IMAGE_PIXELS
    with quiet_decoders(), warnings.catch_warnings(action="ignore"):
        Image.MAX_IMAGE_PIXELS = None  # the claims are checked here
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextlib.contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises for bad bytes into one line that names the file."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # OSError, SyntaxError, KeyError, struct.error, RuntimeError and others
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, Image.UnidentifiedImageError):
            reason = "no sound header"
        raise ValueError(f"{path}: not a readable picture ({kind}): {reason[:160]}") from error


def _read(path: Path, kind: str) -> Photo:
    notes: list[str] = []
    with _told(path, kind):
        tags = tiff_tags(path) if kind == "TIFF" else {}
        chunks = png_chunks(path) if kind == "PNG" else {}
    if kind == "TIFF":
        check_tiff(path, tags)
    deep = 16 in tags.get(BITS, ()) or chunks.get(b"IHDR", b"")[8:9] == b"\x10"
    with _told(path, kind):
        image = Image.open(path, formats=(kind,))
    with contextlib.closing(image):  # which gives its memory back, as `with image` does not
        _check_size(path, *image.size, 2 if deep else 1)
        if kind == "PNG":
            notes += png_notes(path, chunks)
            image.info.setdefault("exif", chunks.get(b"eXIf"))  # which may stand behind the pixels
        if kind == "JPEG" and has_gain_map(path):
            notes.append("its gain map is not used")
        told = _orientation(image, notes)
        with _told(path, kind):
            frames = 1 if kind == "JPEG" else getattr(image, "n_frames", 1)
            decoded = replace(_decode_deep(path, tags) if deep else _decode(image), clear=png_clear(chunks))
        if frames > 1:
            notes.append(f"the first of {frames} {'pages' if kind == 'TIFF' else 'frames'}")
        if decoded.colours == 1:
            notes.append("grey")
        icc = image.info.get("icc_profile")
        icc = icc if isinstance(icc, bytes) or icc is None else b"?"  # a TIFF may call a number its profile: damaged
        ldr = _to_rgb(path, decoded, to_srgb(path, icc, decoded.colours, notes), notes)
        turn = _orientation(image, [])  # is 1 where Pillow has turned the picture, which it does with TIFF alone
    if told != 1:
        notes.append(f"turned by its EXIF orientation {told}")
    return Photo(np.ascontiguousarray(TURNS[turn](ldr)), tuple(notes))


def _check_size(path: Path, width: int, height: int, sample_bytes: int = 1) -> None:
    check_claim(path, width, height, 3 * width * height * sample_bytes)


def _orientation(image: Image.Image, notes: list[str]) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # SyntaxError, struct.error and others of damaged EXIF, which costs the picture nothing
        notes.append("its EXIF is damaged and was left out")
        return 1
    return value if isinstance(value, int) and value in TURNS else 1


def _decode_deep(path: Path, tags: dict[int, list]) -> _Decoded:
    """Decode 16-bit PNG or TIFF, which Pillow would round to 8 bits."""
    content = path.read_bytes()
    pixels = imagecodecs.tiff_decode(content) if tags else imagecodecs.png_decode(content)
    if tags.get(PLANES) == [2] and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, 2)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    samples = pixels.shape[2]
    if pixels.dtype != np.uint16 or not 1 <= samples <= 4:
        raise ValueError(f"{samples} samples of {pixels.dtype} a pixel")
    if tags and tags.get(COLOURS, [1]) == [0]:
        pixels ^= 0xFFFF  # 0 is white
    colours = 1 if samples < 3 else 3
    is_alpha = not tags or tags.get(EXTRA, [0])[0] in (1, 2)
    return _Decoded(lambda top, end: pixels[top:end], pixels.shape[1], pixels.shape[0], np.uint16, colours, is_alpha)


def _decode(image: Image.Image) -> _Decoded:
    """Decode a picture of 8 bits or fewer by Pillow."""
    image.load()
    if image.mode not in MODES:
        raise ValueError(f"{image.mode} pixels; wanted 8 or 16 bits of grey, RGB or CMYK")
    mode = "RGBA" if image.mode == "P" and "transparency" in image.info else MODES[image.mode]

    def rows(top: int, end: int) -> np.ndarray:
        band = np.asarray(image.crop((0, top, image.width, end)).convert(mode))
        return band.reshape(*band.shape[:2], -1)

    colours = {"L": 1, "LA": 1, "CMYK": 4}.get(mode, 3)
    return _Decoded(rows, image.width, image.height, np.uint8, colours, mode != "RGBX")


def _to_rgb(
    path: Path, decoded: _Decoded, convert: Callable[[np.ndarray], np.ndarray], notes: list[str]
) -> UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]:
    """Convert a picture band by band, and refuse what shows through."""
    ldr = np.empty((decoded.height, decoded.width, 3), decoded.dtype)
    extra = False
    step = max(1, BAND_PIXELS // decoded.width)
    for top in range(0, decoded.height, step):
        end = min(top + step, decoded.height)
        band = decoded.rows(top, end)
        colours, alpha = band[:, :, : decoded.colours], band[:, :, decoded.colours :]
        extra = alpha.size > 0
        clear = decoded.clear is not None and (colours == decoded.clear).all(axis=2).any()
        if clear or (decoded.is_alpha and (alpha < np.iinfo(decoded.dtype).max).any()):
            raise ValueError(f"{path}: has transparent pixels; wanted an opaque picture")
        ldr[top:end] = convert(colours)
    if extra:
        notes.append(f"an {'opaque alpha' if decoded.is_alpha else 'unspecified extra'} channel left out")
    return ldr


def find_photos(inputs: tuple[str | Path, ...]) -> list[Path]:
    """Find the pictures that a command is given, sorted, each once.

    Args:
        inputs: a file is taken as it is, whatever its name. Of a folder and its sub-folders all files with the suffixes
            `PHOTO_SUFFIXES`, but none that is hidden. All else is a pattern such as "photos/*.jpg" or "**/*.png" for
            files and folders, for shells that do not expand it.

    Raises:
        ValueError: one line, if an input matches nothing.
        OSError: if a folder cannot be read.
    """
    found: dict[str, Path] = {}
    for given in inputs:
        matches = [Path(given)] if os.path.exists(given) else map(Path, glob.glob(str(given), recursive=True))
        photos = [photo for match in matches for photo in (_walk(match) if match.is_dir() else [match])]
        if not photos:
            what = "holds no pictures" if os.path.isdir(given) else "no such file or folder, and matches none"
            raise ValueError(f"{given}: {what}; wanted {' '.join(PHOTO_SUFFIXES)}")
        for photo in photos:
            found.setdefault(os.path.abspath(photo), photo)
    return sorted(found.values())


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if Path(name).suffix.lower() in PHOTO_SUFFIXES and not name.startswith("."):
                yield Path(place, name)


def output_stems(photos: list[Path], inputs: tuple[str | Path, ...]) -> dict[Path, str]:
    """Name the outputs of photographs: a path without suffix, relative to the folder of the outputs, for each.

    A photo from a folder of `inputs` keeps its place in it (in the outermost, if it is in several); any other has its
    bare name. Where two names would be the same, but for capitals, all of these photos get their suffix behind it
    ("a_jpg", "a_png"); then the name of the folder they were found in before it ("day1/a_jpg"), then a number. So the
    names depend on the set of photos and inputs alone.
    """
    folders = sorted((os.path.abspath(given) for given in inputs if os.path.isdir(given)), key=len)
    level = dict.fromkeys(sorted(photos), 0)
    while True:
        stems = {photo: _stem(photo, folders, level[photo], number) for number, photo in enumerate(level)}
        counts = Counter(stem.casefold() for stem in stems.values())
        clashing = [photo for photo, stem in stems.items() if counts[stem.casefold()] > 1]
        if not clashing:
            return stems
        for photo in clashing:
            level[photo] += 1


def _stem(photo: Path, folders: list[str], level: int, number: int) -> str:
    whole = Path(os.path.abspath(photo))
    root = next((Path(folder) for folder in folders if whole.is_relative_to(folder)), whole.parent)
    stem = whole.relative_to(root).with_suffix("").as_posix()
    if level >= 1:
        stem += whole.suffix.replace(".", "_")
    if level >= 2:
        stem = (Path(root.name) / stem).as_posix()
    return f"{stem}-{number + 1}" if level >= 3 else stem

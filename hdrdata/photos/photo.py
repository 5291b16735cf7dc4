"""Read anyone's photograph: upright, in sRGB or in its own primaries, with what its owner should know."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16
from PIL import Image

from hdrdata.cameras.clipping import LOSSY_RULE, ClipRule, clip_rule_of_jpeg
from hdrdata.files.bands import row_bands
from hdrdata.files.quiet import quiet_decoders
from hdrdata.files.suffixes import RAW_SUFFIXES
from hdrdata.photos.boxes.heif import decode_avif, decode_heif
from hdrdata.photos.boxes.jp2 import decode_jpeg2000
from hdrdata.photos.boxes.jxl import decode_jpegxl
from hdrdata.photos.colours.conversion import Conversion, by_encoding, by_light, is_outside
from hdrdata.photos.colours.encodings import ADOBE_RGB, srgb_light
from hdrdata.photos.colours.profiles import by_profile
from hdrdata.photos.formats import exif as metadata
from hdrdata.photos.formats.decoded import AboveWhite, Decoded
from hdrdata.photos.formats.jpeg import decode_jpeg
from hdrdata.photos.formats.kinds import LOSSY, kind_of
from hdrdata.photos.formats.others import decode_bmp, decode_gif, decode_netpbm
from hdrdata.photos.formats.png import decode_png
from hdrdata.photos.formats.raw import decode_raw
from hdrdata.photos.formats.tiff import decode_tiff, is_raw, read_tags
from hdrdata.photos.formats.webp import decode_webp
from hdrdata.photos.formats.xmp import find_xmp, reset_xmp

BACKGROUNDS = {"black": 0, "white": 1}
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
DECODERS: dict[str, Callable[[Path], Decoded]] = {
    "JPEG": decode_jpeg, "PNG": decode_png, "WEBP": decode_webp, "HEIF": decode_heif, "AVIF": decode_avif,
    "JPEG 2000": decode_jpeg2000, "JPEG XL": decode_jpegxl, "BMP": decode_bmp, "GIF": decode_gif, "PPM": decode_netpbm,
}  # fmt: skip
SEARCHED = ("AVIF", "TIFF", "JPEG XL", "JPEG 2000", "GIF", "camera RAW")  # for XMP, which their decoders do not return
SPECIAL = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True)
class Photo:
    """A photograph, upright, display-referred by sRGB's curve, of full range, and what was done to make it so."""

    ldr: UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]
    notes: tuple[str, ...]  # what its owner should know, a short phrase each
    to_bt709: Float[np.ndarray, "3 3"] | None = None  # from its linear light to BT.709's; None: it is sRGB
    icc: bytes | None = None  # its file's profile, where `ldr` are the values that it was for
    light: Float32[np.ndarray, "height width 3"] | None = None  # of an HDR picture: BT.709's primaries, 1 is white
    exif: bytes | None = None  # its EXIF, a TIFF stream, with the orientation reset
    clip_rule: ClipRule | None = None  # which values of a lossy file are clipped; None: white alone
    above: AboveWhite | None = None  # of camera RAW: measured light above white
    is_absolute: bool = False  # `light` is in units of 203 cd/m2 by PQ or HLG, and `ldr` ends at white
    is_raw: bool = False  # developed here from camera RAW: sRGB's curve is its camera response
    xmp: bytes | None = None  # its packet, without what is true of the old file only
    iptc: bytes | None = None


def read_photo(path: Path | str, own_colours: bool = False, background: str = "black", gain_map: bool = True) -> Photo:
    """Read a picture of any kind that `hdrdata.photos.formats.kinds` lists, by its content, as upright sRGB.

    8-bit pictures come as uint8, deeper ones as uint16. Turned by EXIF, or as the format's own header says. Colours
    are converted to sRGB and clipped to it: from the encoding that the file states (PNG's cICP, or gAMA and cHRM; the
    code points of AVIF and HEIC; DCF's Adobe RGB), or from its ICC profile, relative colorimetric with black point
    compensation (littlecms). A profile that is sRGB changes no value. One that is damaged, or is of other colours than
    the pixels, is left out with a note; CMYK without a profile becomes (1 - C) (1 - K) and so
    on. Transparent pixels are laid over `background`. Of several pages or frames the first that is no thumbnail is
    read. Camera RAW files are developed as they were exposed. An HDR picture (PQ, HLG or a gain map) also has `light`,
    in which 1 is white, 203 cd/m2; its `ldr` ends at white.

    Args:
        own_colours: keep primaries that are not sRGB's: `ldr` then is of those, by sRGB's curve, and of 16 bits where
            its own curve is another. So no colour is clipped, and what clips is what clips in the file.
        background: "black" or "white".
        gain_map: use a gain map (ISO 21496-1, XMP or Apple's) for `light`; False leaves it out with a note.

    Raises:
        ValueError: one line naming the file and what is wrong: no picture of these formats, damaged or cut short, a
            claim of more pixels than its bytes can hold or than 2^28, samples that are no whole numbers of 1 to 16
            bits, other colours than grey, RGB, CMYK and Lab, camera RAW without the extra that reads it.
        OSError: naming the file, if the system does not let it be read.
    """
    path = Path(path)
    check_file(path)
    with path.open("rb") as file:
        kind = kind_of(path, file.read(64))
    try:
        with quiet_decoders():
            return _read(path, kind, own_colours, background, gain_map)
    except MemoryError as error:
        raise ValueError(f"{path}: too large for the memory of this machine") from error


def check_file(path: Path) -> None:
    """Refuse what is not a file, by what it is.

    Raises:
        ValueError: naming it.
    """
    if path.is_dir():
        raise ValueError(f"{path}: a folder; expected a picture file")
    if not path.is_file():
        if not os.path.lexists(path):
            raise ValueError(f"{path}: no such file")
        if not path.exists():
            raise ValueError(f"{path}: a link to no file")
        raise ValueError(f"{path}: {SPECIAL.get(stat.S_IFMT(path.stat().st_mode), 'no file')}; expected a picture file")


@contextlib.contextmanager
def decoder_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises for bad bytes into one line that names the file."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # OSError, SyntaxError, KeyError, struct.error, RuntimeError and others
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(f"{path}: "):
            raise ValueError(reason) from error
        if isinstance(error, Image.UnidentifiedImageError):
            reason = "no sound header"
        raise ValueError(f"{path}: not a readable picture ({kind}): {reason[:160]}") from error


def _decode(path: Path, kind: str) -> tuple[Decoded, str]:
    if kind == "TIFF":
        with decoder_errors(path, kind):
            tags = read_tags(path)
        if is_raw(tags) or path.suffix.lower() in RAW_SUFFIXES:
            kind = "camera RAW"
        else:
            with decoder_errors(path, kind):
                return decode_tiff(path, tags), kind
    with decoder_errors(path, kind):
        return (decode_raw if kind == "camera RAW" else DECODERS[kind])(path), kind


def _read(path: Path, kind: str, own_colours: bool, background: str, gain_map: bool) -> Photo:
    decoded, kind = _decode(path, kind)
    notes = list(decoded.notes)
    exif = metadata.load(decoded.exif)
    xmp = find_xmp(path.read_bytes()) if kind in SEARCHED else decoded.xmp
    try:
        xmp = reset_xmp(xmp) if xmp else None
    except ValueError:
        xmp = notes.append("its XMP is damaged and was left out")
    if decoded.exif and exif is None:
        notes.append("its EXIF is damaged and was left out")
    turn = decoded.turn if decoded.turn is not None else metadata.orientation_of(exif)
    if decoded.colours == 1:
        notes.append("grey")
    gained = None
    if decoded.gain is not None and gain_map:
        gained = _light_by_gain(decoded, exif, notes)
    elif decoded.gain is not None:
        notes.append("its gain map is ignored")
    conversion = _conversion_of(decoded, exif, own_colours and gained is None, notes)
    with decoder_errors(path, kind):
        if conversion.wide is not None and _needs(decoded, conversion.wide):
            conversion = conversion.wide
        ldr, light, clear = _convert(decoded, conversion, BACKGROUNDS[background])
    light = gained if light is None else light
    if conversion.light is not None:
        notes.append(f"an HDR picture ({decoded.encoding.name if decoded.encoding else 'by its profile'})")
    elif conversion.note and gained is None:
        notes.append(conversion.note)
    if clear:
        pixels = f"{clear} transparent pixel{'s' if clear > 1 else ''}"
        notes.append(f"{pixels} laid over {background}")
    elif decoded.rows(0, 1).shape[2] > decoded.colours:
        notes.append(f"an {'opaque alpha' if decoded.is_alpha else 'unspecified extra'} channel left out")
    if (orientation := max(turn, decoded.turned)) != 1:
        notes.append(f"turned by its EXIF orientation {orientation}")
    upright = np.ascontiguousarray(TURNS[turn](ldr))
    light = None if light is None else np.ascontiguousarray(TURNS[turn](light))
    block = metadata.reset(decoded.exif, upright.shape[1], upright.shape[0])
    return Photo(
        upright,
        tuple(notes),
        conversion.to_bt709,
        conversion.icc,
        light,
        block,
        _clip_rule_of(path, kind),
        decoded.above,
        conversion.light is not None,
        kind == "camera RAW",
        xmp,
        decoded.iptc,
    )


def _clip_rule_of(path: Path, kind: str) -> ClipRule | None:
    """By a JPEG's own tables; those of quality 95 for the other lossy formats; None for a lossless picture."""
    if kind == "JPEG":
        return clip_rule_of_jpeg(path.read_bytes())
    with path.open("rb") as file:
        lossless = kind == "WEBP" and b"VP8L" in file.read(64)
    return LOSSY_RULE if kind in LOSSY and not lossless else None


def _conversion_of(decoded: Decoded, exif: Image.Exif | None, own: bool, notes: list[str]) -> Conversion:
    """By the encoding that the file states, by its profile, or as DCF says."""
    if decoded.light is not None:
        conversion = by_light(*decoded.light)
        return conversion if own else replace(conversion, wide=None)
    encoding = decoded.encoding
    if encoding is None and decoded.icc is None and decoded.colours == 3 and metadata.is_adobe_rgb(exif):
        encoding = ADOBE_RGB
    if encoding is not None and decoded.colours in (1, 3):
        return by_encoding(encoding, decoded.dtype, decoded.bits, decoded.colours, own)
    return by_profile(decoded.icc, decoded.dtype, decoded.colours, own, notes)


def _light_by_gain(decoded: Decoded, exif: Image.Exif | None, notes: list[str]) -> np.ndarray | None:
    """Return the light of a gain map over the photograph's own colours; None, with a note, if it does not fit."""
    gain = decoded.gain
    assert gain is not None
    try:
        values = gain.scaled_to(decoded.height, decoded.width)
    except ValueError as error:
        notes.append(f"its gain map is not used: {error}")
        return None
    conversion = _conversion_of(decoded, exif, True, [])
    if conversion.light is not None:
        notes.append("its gain map is not used: the photograph is HDR without it")
        return None
    conversion = conversion.wide or conversion
    ldr, _, _ = _convert(decoded, conversion, 0)
    light = np.empty(ldr.shape, np.float32)
    most = np.iinfo(ldr.dtype).max
    for top, end in _bands(decoded):
        band = gain.light(srgb_light(ldr[top:end] / most), values[top:end])
        light[top:end] = band if conversion.to_bt709 is None else band @ conversion.to_bt709.T
    notes.append(f"an HDR picture ({gain.formula.name})")
    return light


def _bands(decoded: Decoded) -> Iterator[tuple[int, int]]:
    return ((rows.start, rows.stop) for rows in row_bands(decoded.height, decoded.width))


def _needs(decoded: Decoded, wide: Conversion) -> bool:
    """Return whether any pixel lies where sRGB does not reach."""
    matrix = wide.to_bt709
    return matrix is not None and any(
        is_outside(wide.codes(decoded.rows(*band)[:, :, : decoded.colours]), matrix).any() for band in _bands(decoded)
    )


def _convert(decoded: Decoded, conversion: Conversion, ground: int) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Convert a picture band by band, over a background of 0 or 1; count the pixels in which it shows."""
    ldr = np.empty((decoded.height, decoded.width, 3), conversion.dtype)
    light = None if conversion.light is None else np.empty(ldr.shape, np.float32)
    most, clear = np.iinfo(conversion.dtype).max, 0
    for top, end in _bands(decoded):
        band = decoded.rows(top, end)
        colours, share = band[:, :, : decoded.colours], _shares(decoded, band)
        if share is not None and decoded.is_premultiplied:
            full = np.iinfo(decoded.dtype).max
            whole = np.where(share > 0, colours / np.where(share > 0, share, 1), 0)
            colours = np.rint(np.minimum(whole, full)).astype(decoded.dtype)
        ldr[top:end] = conversion.codes(colours)
        if light is not None and conversion.light is not None:
            light[top:end] = conversion.light(colours)
        if share is None:
            continue
        clear += int((share < 1).sum())
        ldr[top:end] = np.rint(ldr[top:end] * share + (1 - share) * most * ground)
        if light is not None:
            light[top:end] = light[top:end] * share + (1 - share) * ground
    return ldr, light, clear


def _shares(decoded: Decoded, band: np.ndarray) -> Float[np.ndarray, "rows width 1"] | None:
    """Return how much of each pixel is there, [0, 1]; None where all of all is."""
    share = None
    if decoded.clear is not None:
        share = (band[:, :, : decoded.colours] != decoded.clear).any(axis=2, keepdims=True).astype(np.float64)
    elif decoded.is_alpha and band.shape[2] > decoded.colours:
        share = band[:, :, decoded.colours :] / np.iinfo(decoded.dtype).max
    return share if share is not None and (share < 1).any() else None

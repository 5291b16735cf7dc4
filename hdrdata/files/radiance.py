"""Read and write pictures, each whole or not at all."""

import contextlib
import io
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
from jaxtyping import Float, Float16, Float32, UInt8, UInt16

from hdrdata.files.claims import check_exr_claims, check_pfm_claim, check_radiance_claim, check_tiff_claim
from hdrdata.files.disk import write_bytes, written_whole
from hdrdata.files.rgbe import read_bands
from hdrdata.scenes.scan import HDR_SUFFIXES

try:
    from kornia_rs import io as kornia_io
except ImportError:  # there is no wheel for this machine: OpenCV decodes
    kornia_io = None

LARGE = 2**25  # pixels of a Radiance picture beyond which it is read in bands: half the memory, 1.5 times the time
BAND_PIXELS = 2**21
CLAIMS = {".hdr": check_radiance_claim, ".pfm": check_pfm_claim, ".tif": check_tiff_claim, ".tiff": check_tiff_claim}
_PNG_HEAD = struct.Struct(">16xIIBBBBB")  # of IHDR: width, height, bit depth, colour type, and three that are 0


@dataclass(frozen=True)
class Repairs:
    """How many pixels of a radiance map were not usable light, and were replaced (see `repair_radiance`)."""

    negative: int
    nan: int
    infinite: int

    @property
    def total(self) -> int:
        return self.negative + self.nan + self.infinite


def read_radiance(path: Path) -> Float32[np.ndarray, "height width 3"]:
    """Read an HDR file as the linear RGB values that it holds, unrepaired.

    .exr: R, G, B by any case and with any layer's prefix (the layer without a name first), XYZ-free luminance `Y`
    alone, or a single channel of any name, as grey; half, float and uint pixels. .hdr (Radiance) and .pfm: RGB or grey.
    .tif/.tiff: 32-bit float as it is, 16-bit integers as linear light over 65535.

    Raises:
        ValueError: one line naming the file and what is wanted, if it cannot be read or is no linear HDR picture, or
            claims more pixels than its bytes can hold or than 2^28.
    """
    return _read_light(path).astype(np.float32, copy=False)


def _read_light(path: Path) -> Float[np.ndarray, "height width 3"]:
    """`read_radiance`, but half floats stay as they are: half the memory of a large picture."""
    suffix = path.suffix.lower()
    if suffix not in HDR_SUFFIXES:
        raise ValueError(f"{path}: '{suffix}' is not an HDR format read here; wanted one of {' '.join(HDR_SUFFIXES)}")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    try:
        pixels = _read_exr(path) if suffix == ".exr" else _read_with_opencv(path)
        if pixels.dtype == np.uint16:
            light = pixels.astype(np.float32)
            return np.divide(light, np.float32(65535), out=light)
        if pixels.dtype == np.uint8:
            raise ValueError(
                f"{path}: 8-bit values are a display picture, not linear light; wanted float or 16-bit linear"
            )
        if pixels.dtype.kind != "f" and suffix != ".exr":
            raise ValueError(f"{path}: {pixels.dtype} values; wanted float or 16-bit linear (unsigned)")
        kept = pixels.dtype if pixels.dtype == np.float16 else np.float32
        with np.errstate(over="ignore"):  # a double or a uint beyond the floats becomes Inf, which is counted later
            return np.ascontiguousarray(pixels, dtype=kept)
    except MemoryError as error:
        raise ValueError(f"{path}: too large for the memory of this machine") from error


def _read_exr(path: Path) -> np.ndarray:
    headers, names = _open_exr(path, _headers, header_only=True)
    check_exr_claims(path, headers)
    chosen = _choose_channels(names)
    if chosen is None:
        raise ValueError(f"{path}: channels {', '.join(sorted(names))}: wanted R, G and B (or Y, or a single channel)")
    if sorted(names) == ["B", "G", "R"]:  # as in nearly all files: the bindings interleave them at half the memory
        with contextlib.suppress(ValueError):  # channels of different types, or damage, which is told below
            return _open_exr(path, lambda file: file.channels()["RGB"].pixels)
    planes = _open_exr(path, lambda file: _planes(file, chosen), separate_channels=True)
    if len({plane.shape for plane in planes}) != 1 or planes[0].ndim != 2:
        raise ValueError(f"{path}: channels {', '.join(chosen)} differ in size; wanted no subsampling")
    return np.stack(planes, axis=-1)


def _headers(file: OpenEXR.File) -> tuple[list[dict], list[str]]:
    headers = [dict(part.header) for part in file.parts]
    return headers, [channel.name for header in reversed(headers) for channel in header["channels"]]


def _planes(file: OpenEXR.File, names: tuple[str, str, str]) -> list[np.ndarray]:
    channels = {name: channel.pixels for part in reversed(file.parts) for name, channel in part.channels.items()}
    return [channels[name] for name in names]


def _open_exr(path: Path, take: Callable[[OpenEXR.File], Any], **options: bool) -> Any:
    """What `take` gets from an OpenEXR file.

    Raises:
        ValueError: one line naming the file, whatever the bindings raise or only print.
    """
    try:
        with _collected_messages() as messages, OpenEXR.File(str(path), **options) as file:
            taken = take(file)
        if messages.getvalue():  # the bindings only print that they could not read the pixels
            raise ValueError(messages.getvalue().strip().rpartition(" - ")[2])
    except MemoryError:
        raise
    except Exception as error:  # the bindings raise RuntimeError, ValueError, KeyError, TypeError for bad bytes
        reason = str(error).splitlines()[0] if str(error) else "unknown reason"
        raise ValueError(f"{path}: not a readable OpenEXR file: {reason}") from error
    return taken


@contextlib.contextmanager
def _collected_messages() -> Iterator[io.StringIO]:
    """Collect what the OpenEXR bindings print, and keep the lines that the library itself writes off the terminal."""
    printed = io.StringIO()
    with quiet_decoders(), contextlib.redirect_stdout(printed):
        yield printed


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what libraries in C write to standard error, which names no file, off the terminal."""
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def _choose_channels(names: list[str]) -> tuple[str, str, str] | None:
    """The three channels that hold red, green and blue; the same one thrice for grey; None if there are none."""
    letters = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
    layers: dict[str, dict[int, str]] = {}
    for name in sorted(names):
        layer, _, channel = name.rpartition(".")
        if channel.lower() in letters:
            layers.setdefault(layer, {}).setdefault(letters[channel.lower()], name)
    for layer in sorted(layers):  # the layer without a name sorts first
        if len(layers[layer]) == 3:
            found = layers[layer]
            return found[0], found[1], found[2]
    others = [name for name in names if name.rpartition(".")[2].lower() not in ("a", "alpha", "z")]
    if len(others) == 1:
        return others[0], others[0], others[0]
    return None


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's warnings, which name no file, off the terminal."""
    log = cv2.utils.logging
    previous = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(previous)


def _read_with_opencv(path: Path) -> np.ndarray:
    CLAIMS[path.suffix.lower()](path)  # else OpenCV would take any other picture that has this name
    try:
        with quiet_opencv(), quiet_decoders():
            large = _read_large_radiance(path) if path.suffix.lower() == ".hdr" else None
            if large is not None:
                return large
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"{path}: not a readable {path.suffix} file: {error.err}") from error
    if pixels is None:
        raise ValueError(f"{path}: not a readable {path.suffix} file")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    if pixels.shape[2] not in (3, 4):
        raise ValueError(f"{path}: {pixels.shape[2]} channels; wanted 1 (grey), 3 (RGB) or 4 (RGB and alpha)")
    for rows in _bands(pixels):
        rows[:, :, :3] = rows[:, :, 2::-1]  # BGR or BGRA to RGB, without a second picture in memory
    return pixels[:, :, :3]


def _read_large_radiance(path: Path) -> np.ndarray | None:
    width, height, start = check_radiance_claim(path)
    return read_bands(path, start, width, height, BAND_PIXELS) if width * height > LARGE else None


def _bands(picture: np.ndarray) -> Iterator[np.ndarray]:
    """A picture as bands of rows, so that what is computed of it takes little memory."""
    rows = max(1, 2**20 // max(1, picture.shape[1]))
    return (picture[top : top + rows] for top in range(0, picture.shape[0], rows))


def repair_radiance(
    radiance: Float[np.ndarray, "height width 3"],
) -> tuple[Float[np.ndarray, "height width 3"], Repairs]:
    """Replace, in place, what is not light: negative and NaN values by 0, +Inf by the largest finite value.

    Returns:
        the same array, and how many pixels held a value of each kind (a pixel counts once a kind).
    """
    bits = np.dtype(f"u{radiance.itemsize}")
    first_bad = np.array(np.inf, radiance.dtype).view(bits)  # bits from here on are Inf, NaN or below zero
    suspects = [rows for rows in _bands(radiance) if rows.view(bits).max(initial=0) >= first_bad]
    counts = np.zeros(3, np.int64)
    for rows in suspects:
        counts += [bad.any(axis=2).sum() for bad in (rows < 0, np.isnan(rows), np.isposinf(rows))]
    repairs = Repairs(*counts.tolist())
    brightest = 0.0
    if repairs.infinite:
        brightest = max(np.max(rows, where=np.isfinite(rows), initial=0) for rows in _bands(radiance))
    for rows in suspects:
        rows[np.isposinf(rows)] = brightest
        rows[np.isnan(rows) | (rows < 0)] = 0
    return radiance, repairs


def check_radiance(path: Path, max_repaired_share: float) -> tuple[Float[np.ndarray, "height width 3"], Repairs]:
    """Read an HDR file, repair it by the rule of `repair_radiance`, and refuse what is no HDR picture.

    Args:
        max_repaired_share: refuse the picture if more than this share [0, 1] of its pixels needed repair.

    Returns:
        linear RGB, half floats if the file holds those and else float32, and what was repaired.

    Raises:
        ValueError: one line naming the file, if it is unreadable, all black, an 8-bit picture in disguise (at most 256
            distinct values in every channel of a picture of 4,096 pixels or more), or too much of it needed repair.
    """
    radiance, repairs = repair_radiance(_read_light(path))
    pixels = radiance.shape[0] * radiance.shape[1]
    if repairs.total > max_repaired_share * pixels:
        raise ValueError(
            f"{path}: {repairs.negative} negative, {repairs.nan} NaN and {repairs.infinite} infinite "
            f"of {pixels} pixels; wanted at most {max_repaired_share:.2%} of them"
        )
    if not any((rows > 0).any() for rows in _bands(radiance)):
        raise ValueError(f"{path}: every pixel is black; wanted light")
    levels = _count_levels(radiance, 256)
    if pixels >= 4096 and levels <= 256:
        raise ValueError(f"{path}: only {levels} distinct values a channel: an 8-bit picture in disguise; wanted HDR")
    return radiance, repairs


def _count_levels(radiance: Float[np.ndarray, "height width 3"], enough: int) -> int:
    """The number of distinct values in the channel that has most; counting ends where it is more than `enough`."""
    levels = [np.empty(0, radiance.dtype)] * 3
    for rows in _bands(radiance):
        levels = [np.union1d(known, rows[:, :, channel]) for channel, known in enumerate(levels)]
        if max(map(len, levels)) > enough:
            break
    return max(map(len, levels))


def write_exr(path: Path, radiance: np.ndarray, attributes: dict[str, Any] | None = None) -> None:
    """Write RGB, float16 or float32 (height, width, 3), as a lossless ZIP OpenEXR file with header attributes."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(attributes or {})}
    with written_whole(path) as temporary, OpenEXR.File(header, {"RGB": np.ascontiguousarray(radiance)}) as file:
        try:
            file.write(str(temporary))
        except RuntimeError as error:  # all that the bindings say of a full disk
            raise OSError(f"{path}: cannot be written: {str(error).splitlines()[0]}") from error


def read_view(path: Path) -> Float16[np.ndarray, "height width 3"]:
    """Read a view that `write_exr` wrote: half floats, finite, >= 0.

    Raises:
        ValueError: naming the file, if it is anything else.
    """
    try:
        with _collected_messages(), OpenEXR.File(str(path)) as file:
            pixels = file.channels()["RGB"].pixels
    except Exception as error:  # RuntimeError of the bindings, KeyError of other channels
        raise ValueError(f"{path}: not a view (an RGB OpenEXR file): {str(error).splitlines()[0]}") from error
    if pixels.dtype != np.float16 or not np.isfinite(pixels).all() or np.signbit(pixels).any():
        raise ValueError(f"{path}: {pixels.dtype} pixels; a view holds finite half floats >= 0")
    return pixels


def half_bits(view: Float16[np.ndarray, "height width 3"]) -> UInt16[np.ndarray, "height width 3"]:
    """The bits of half floats as unsigned integers, which index a look-up table."""
    return view.view(np.uint16)


def encode_png(ldr: UInt8[np.ndarray, "height width 3"], encoder: str) -> bytes:
    """Encode an RGB picture as an ordinary PNG file.

    Args:
        encoder: "fpng" (measured 8 to 12 times faster than OpenCV for 5 % more bytes) or "opencv" (everywhere).

    Raises:
        ValueError: if `encoder` is unknown, or is "fpng" where that package has no wheel.
    """
    if encoder == "opencv":
        return cv2.imencode(".png", cv2.cvtColor(ldr, cv2.COLOR_RGB2BGR))[1].tobytes()
    if encoder != "fpng":
        raise ValueError(f"unknown PNG encoder '{encoder}'; known: fpng, opencv")
    try:
        import fpng
    except ImportError as error:
        raise ValueError("the PNG encoder 'fpng' is not installed on this machine; choose 'opencv'") from error
    return fpng.from_ndarray(np.ascontiguousarray(ldr))


def decode_png(png: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a PNG file's bytes to RGB.

    Plain 8-bit RGB, which is what `encode_png` writes, is decoded by kornia-rs where that is installed (measured 2.3
    times as fast as OpenCV); all else, damage too, is OpenCV's to judge.

    Raises:
        ValueError: if the bytes are no PNG picture.
    """
    width, height, *kind = _PNG_HEAD.unpack_from(png) if len(png) >= _PNG_HEAD.size else (0, 0)
    # Deflate packs 1032 bytes into one at most, which bounds what a head may claim. OpenCV turns pictures by eXIf.
    plain = kind == [8, 2, 0, 0, 0] and 0 < 3 * width * height < 1032 * len(png) and b"eXIf" not in png
    if plain and kornia_io is not None:
        try:
            return kornia_io.decode_image_png_u8(png, (height, width), "rgb")
        except Exception:  # its only kind, for damage and for what it does not support: OpenCV decides which it is
            pass
    rgb = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_COLOR_RGB) if png else None
    if rgb is None:
        raise ValueError(f"{len(png)} bytes are not a PNG picture")
    return rgb


def encode_jpeg(ldr: UInt8[np.ndarray, "height width 3"], quality: int) -> bytes:
    """Encode an RGB picture as a baseline JPEG file without subsampling (4:4:4), by OpenCV's libjpeg-turbo."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(ldr, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def decode_jpeg(jpeg: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a JPEG file's bytes to RGB.

    Raises:
        ValueError: if the bytes are no JPEG picture.
    """
    bgr = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if bgr is None:
        raise ValueError(f"{len(jpeg)} bytes are not a JPEG picture")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def write_png(path: Path, ldr: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write an RGB picture as PNG, whole or not at all."""
    write_bytes(path, encode_png(ldr, "opencv"))

"""Read and write pictures, each whole or not at all."""

import contextlib
import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
from jaxtyping import Float16, Float32, UInt8, UInt16

from hdrdata.disk import write_bytes, written_whole
from hdrdata.scenes import HDR_SUFFIXES

try:
    from kornia_rs import io as kornia_io
except ImportError:  # there is no wheel for this machine: OpenCV decodes
    kornia_io = None

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
        ValueError: one line naming the file and what is wanted, if it cannot be read or is no linear HDR picture.
    """
    suffix = path.suffix.lower()
    if suffix not in HDR_SUFFIXES:
        raise ValueError(f"{path}: '{suffix}' is not an HDR format read here; wanted one of {' '.join(HDR_SUFFIXES)}")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    pixels = _read_exr(path) if suffix == ".exr" else _read_with_opencv(path)
    if pixels.dtype == np.uint16:
        return pixels.astype(np.float32) / np.float32(65535)
    if pixels.dtype == np.uint8:
        raise ValueError(f"{path}: 8-bit values are a display picture, not linear light; wanted float or 16-bit linear")
    if pixels.dtype.kind != "f" and suffix != ".exr":
        raise ValueError(f"{path}: {pixels.dtype} values; wanted float or 16-bit linear (unsigned)")
    with np.errstate(over="ignore"):  # a double or a uint beyond the floats becomes Inf, which is counted later
        return np.ascontiguousarray(pixels, dtype=np.float32)


def _read_exr(path: Path) -> np.ndarray:
    try:
        with _collected_messages() as messages, OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {
                name: channel.pixels for part in reversed(file.parts) for name, channel in part.channels.items()
            }
        if messages.getvalue():  # the bindings only print that they could not read the pixels
            raise ValueError(messages.getvalue().strip().rpartition(" - ")[2])
    except Exception as error:  # the bindings raise RuntimeError and ValueError; deep files and bad bytes alike
        reason = str(error).splitlines()[0] if str(error) else "unknown reason"
        raise ValueError(f"{path}: not a readable OpenEXR file: {reason}") from error
    chosen = _choose_channels(list(channels))
    if chosen is None:
        raise ValueError(
            f"{path}: channels {', '.join(sorted(channels))}: wanted R, G and B (or Y, or a single channel)"
        )
    planes = [channels[name] for name in chosen]
    if len({plane.shape for plane in planes}) != 1 or planes[0].ndim != 2:
        raise ValueError(f"{path}: channels {', '.join(chosen)} differ in size; wanted no subsampling")
    return np.stack(planes, axis=-1)


@contextlib.contextmanager
def _collected_messages() -> Iterator[io.StringIO]:
    """Collect what the OpenEXR bindings print, and keep the lines that the library itself writes off the terminal."""
    printed = io.StringIO()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with contextlib.redirect_stdout(printed):
            yield printed
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
    try:
        with quiet_opencv():
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"{path}: not a readable {path.suffix} file: {error.err}") from error
    if pixels is None:
        raise ValueError(f"{path}: not a readable {path.suffix} file")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    if pixels.shape[2] not in (3, 4):
        raise ValueError(f"{path}: {pixels.shape[2]} channels; wanted 1 (grey), 3 (RGB) or 4 (RGB and alpha)")
    return pixels[:, :, 2::-1]  # BGR or BGRA to RGB


def repair_radiance(
    radiance: Float32[np.ndarray, "height width 3"],
) -> tuple[Float32[np.ndarray, "height width 3"], Repairs]:
    """Replace what is not light: negative and NaN values by 0, +Inf by the largest finite value of the picture.

    Returns:
        the repaired copy, and how many pixels held a value of each kind (a pixel counts once a kind).
    """
    nan, infinite, negative = np.isnan(radiance), np.isposinf(radiance), radiance < 0
    repairs = Repairs(*(int(bad.any(axis=2).sum()) for bad in (negative, nan, infinite)))
    if repairs.total == 0:
        return radiance, repairs
    finite = radiance[np.isfinite(radiance)]
    brightest = np.float32(max(finite.max(), 0)) if finite.size else np.float32(0)
    repaired = np.where(infinite, brightest, np.where(nan | negative, np.float32(0), radiance))
    return repaired, repairs


def check_radiance(path: Path, max_repaired_share: float) -> tuple[Float32[np.ndarray, "height width 3"], Repairs]:
    """Read an HDR file, repair it by the rule of `repair_radiance`, and refuse what is no HDR picture.

    Args:
        max_repaired_share: refuse the picture if more than this share [0, 1] of its pixels needed repair.

    Raises:
        ValueError: one line naming the file, if it is unreadable, all black, an 8-bit picture in disguise (at most 256
            distinct values in every channel of a picture of 4,096 pixels or more), or too much of it needed repair.
    """
    radiance, repairs = repair_radiance(read_radiance(path))
    pixels = radiance.shape[0] * radiance.shape[1]
    if repairs.total > max_repaired_share * pixels:
        raise ValueError(
            f"{path}: {repairs.negative} negative, {repairs.nan} NaN and {repairs.infinite} infinite "
            f"of {pixels} pixels; wanted at most {max_repaired_share:.2%} of them"
        )
    if not (radiance > 0).any():
        raise ValueError(f"{path}: every pixel is black; wanted light")
    if pixels >= 4096 and all(np.unique(radiance[:, :, channel]).size <= 256 for channel in range(3)):
        levels = max(np.unique(radiance[:, :, channel]).size for channel in range(3))
        raise ValueError(f"{path}: only {levels} distinct values a channel: an 8-bit picture in disguise; wanted HDR")
    return radiance, repairs


def write_exr(path: Path, radiance: np.ndarray, attributes: dict[str, str | float | int] | None = None) -> None:
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

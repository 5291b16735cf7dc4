"""OpenEXR: linear RGB out of any layout of channels; scenes and views written and read."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import OpenEXR
from jaxtyping import Float16

from hdrdata.files.claims import check_exr_claims
from hdrdata.files.disk import written_whole
from hdrdata.files.hdr.geometry import in_display_window, panorama_of_cube, square_pixels
from hdrdata.files.hdr.layers import Choice, choose_layer
from hdrdata.files.hdr.luma import luma_to_rgb
from hdrdata.files.hdr.primaries import convert, matrix_of
from hdrdata.files.hdr.stated import Stated
from hdrdata.files.quiet import collected_messages

MAGIC = b"\x76\x2f\x31\x01"


def read_exr(path: Path, layer: str | None = None) -> tuple[np.ndarray, Stated]:
    """Linear RGB of Rec.709 out of any layout of channels, and what was done to it because the file says so.

    Which layer: `hdrdata.files.hdr.layers`. The display window is the picture: what lies beyond it is left out, and
    what the data window leaves open is black. Luminance and chroma become RGB (`hdrdata.files.hdr.luma`), and
    chromaticities that a header states are brought to Rec.709 (`hdrdata.files.hdr.primaries`); of grey they say
    nothing. An environment cube becomes a panorama, and pixels that are not square become so
    (`hdrdata.files.hdr.geometry`).

    Args:
        layer: name of the layer that is the picture; None: by the rule.

    Raises:
        ValueError: one line naming the file and what is wrong, such as several layers that could be meant.
    """
    headers = _open_exr(path, lambda file: [_plain(part.header) for part in file.parts], header_only=True)
    check_exr_claims(path, headers)
    choice = choose_layer(path, headers, layer)
    header = headers[choice.part]
    converted = [f"layer {choice.title}"] if choice.others and choice.title else []
    try:
        pixels = _read_pixels(path, headers, choice)
        converted += ["luminance and chroma"] if choice.is_luma else []
        stored = pixels
        pixels = in_display_window(path, header, pixels)
        converted += ["display window"] if pixels is not stored else []
        stated = None if choice.is_grey else header.get("chromaticities")
        matrix = None if stated is None else matrix_of(stated)
        if matrix is not None:
            pixels = convert(pixels, matrix)
            converted.append("chromaticities")
    except ValueError as error:
        raise error if str(error).startswith(f"{path}: ") else ValueError(f"{path}: {error}") from error
    around = header.get("envmap")
    if around == "cube":
        pixels = panorama_of_cube(path, pixels)
        converted.append("envmap cube")
    elif around is None:
        stored = pixels
        pixels = square_pixels(path, pixels, header["pixelAspectRatio"])
        converted += [f"pixelAspectRatio {header['pixelAspectRatio']:g}"] if pixels is not stored else []
    return pixels, Stated(tuple(converted), panorama=around is not None)


def _read_pixels(path: Path, headers: list[dict], choice: Choice) -> np.ndarray:
    """The data window as RGB of the file's own primaries."""
    header = headers[choice.part]
    if len(headers) == 1 and sorted(channel.name for channel in header["channels"]) == ["B", "G", "R"]:
        with contextlib.suppress(ValueError):  # channels of different types, or damage, which is told below
            return _open_exr(path, lambda file: file.channels()["RGB"].pixels)  # interleaved at half the memory
    planes = _open_exr(path, lambda file: _planes(file, choice), separate_channels=True)
    if choice.is_luma:
        if planes[1].shape != planes[2].shape:
            raise ValueError(f"channels {', '.join(choice.channels)} differ in size; wanted chroma of one size")
        return luma_to_rgb(*planes, header.get("chromaticities"))
    if len({plane.shape for plane in planes}) != 1 or planes[0].ndim != 2:
        raise ValueError(f"channels {', '.join(choice.channels)} differ in size; wanted no subsampling")
    return np.stack(planes, axis=-1)


def _plain(header: dict) -> dict:
    """A header whose attributes that count here are plain values.

    Raises:
        ValueError: naming the attribute that is of another type, or has an impossible value.
    """
    plain = {**header, "pixelAspectRatio": header.get("pixelAspectRatio", 1.0)}
    for name in plain.keys() & ATTRIBUTES.keys():
        try:
            plain[name] = ATTRIBUTES[name](plain[name])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"its attribute {name} is damaged") from error
    return plain


def _eight(numbers: Any) -> tuple[float, ...]:
    made = tuple(float(number) for number in numbers)
    if len(made) != 8:
        raise ValueError
    return made


ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "channels": lambda channels: [SimpleNamespace(name=channel.name) for channel in channels],
    "chromaticities": _eight,
    "envmap": {OpenEXR.ENVMAP_CUBE: "cube", OpenEXR.ENVMAP_LATLONG: "latlong"}.__getitem__,
    "multiView": lambda views: [view if isinstance(view, str) else view.decode() for view in views],
    "pixelAspectRatio": float,
    "view": lambda view: view if isinstance(view, str) else view.decode(),
}


def _planes(file: OpenEXR.File, choice: Choice) -> list[np.ndarray]:
    channels = file.parts[choice.part].channels
    return [channels[name].pixels for name in choice.channels]


def _open_exr(path: Path, take: Callable[[OpenEXR.File], Any], **options: bool) -> Any:
    """What `take` gets from an OpenEXR file.

    Raises:
        ValueError: one line naming the file, whatever the bindings raise or only print.
    """
    try:
        with collected_messages() as messages, OpenEXR.File(str(path), **options) as file:
            taken = take(file)
        if messages.getvalue():  # the bindings only print that they could not read the pixels
            raise ValueError(messages.getvalue().strip().rpartition(" - ")[2])
    except MemoryError:
        raise
    except (KeyError, IndexError) as error:  # of a part or channel that the header has: its pixels are not there
        raise ValueError(f"{path}: not a readable OpenEXR file: cut short or damaged: pixels are missing") from error
    except Exception as error:  # the bindings raise RuntimeError, ValueError, TypeError for bad bytes
        reason = str(error).splitlines()[0] if str(error) else "unknown reason"
        with path.open("rb") as file:
            reason = reason if file.read(4) == MAGIC else "its first bytes are not those of one"
        raise ValueError(f"{path}: not a readable OpenEXR file: {reason}") from error
    return taken


def write_exr(path: Path | str, radiance: np.ndarray, attributes: dict[str, Any] | None = None) -> None:
    """Write RGB, float16 or float32 (height, width, 3), as a lossless ZIP OpenEXR file with header attributes."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(attributes or {})}
    with written_whole(Path(path)) as temporary, OpenEXR.File(header, {"RGB": np.ascontiguousarray(radiance)}) as file:
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
        with collected_messages(), OpenEXR.File(str(path)) as file:
            pixels = file.channels()["RGB"].pixels
    except Exception as error:  # RuntimeError of the bindings, KeyError of other channels
        raise ValueError(f"{path}: not a view (an RGB OpenEXR file): {str(error).splitlines()[0]}") from error
    if pixels.dtype != np.float16 or not np.isfinite(pixels).all() or np.signbit(pixels).any():
        raise ValueError(f"{path}: {pixels.dtype} pixels; a view holds finite half floats >= 0")
    return pixels

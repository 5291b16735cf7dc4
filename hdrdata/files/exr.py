"""OpenEXR: linear RGB out of any layout of channels; scenes and views written and read."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from jaxtyping import Float16

from hdrdata.files.claims import check_exr_claims
from hdrdata.files.disk import written_whole
from hdrdata.files.quiet import collected_messages


def read_exr(path: Path) -> np.ndarray:
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
        with collected_messages() as messages, OpenEXR.File(str(path), **options) as file:
            taken = take(file)
        if messages.getvalue():  # the bindings only print that they could not read the pixels
            raise ValueError(messages.getvalue().strip().rpartition(" - ")[2])
    except MemoryError:
        raise
    except Exception as error:  # the bindings raise RuntimeError, ValueError, KeyError, TypeError for bad bytes
        reason = str(error).splitlines()[0] if str(error) else "unknown reason"
        raise ValueError(f"{path}: not a readable OpenEXR file: {reason}") from error
    return taken


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

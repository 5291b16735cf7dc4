"""OpenEXR: linear RGB out of any layout of channels; scenes and views written and read."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from jaxtyping import Float16

from hdrdata.files.claims import check_claim, check_exr_claims
from hdrdata.files.disk import written_whole
from hdrdata.files.hdr.primaries import convert, matrix_of
from hdrdata.files.quiet import collected_messages

PREFERRED = ("", "combined", "beauty", "rgba", "default", "left", "main")  # layers, the best first


def read_exr(path: Path) -> tuple[np.ndarray, int]:
    """Linear RGB of Rec.709 out of any layout of channels, and how many pixels lie outside of it.

    Which layer: that without a name, then one named Combined, beauty, rgba, default, left or main, then the only one;
    of one part. The display window is the picture: what lies beyond it is left out, and what the data window leaves
    open is black. Chromaticities that a header states are brought to Rec.709 (`hdrdata.files.hdr.primaries`); of grey
    they say nothing.

    Raises:
        ValueError: one line naming the file and what is wrong, such as several layers that could be meant.
    """
    headers, names = _open_exr(path, _headers, header_only=True)
    check_exr_claims(path, headers)
    part, chosen = _choose(path, headers, names)
    header = headers[part]
    if len(headers) == 1 and sorted(names[0]) == ["B", "G", "R"]:  # the bindings interleave them at half the memory
        with contextlib.suppress(ValueError):  # channels of different types, or damage, which is told below
            pixels = _open_exr(path, lambda file: file.channels()["RGB"].pixels)
            return _to_rec709(path, header, _in_display_window(path, header, pixels))
    planes = _open_exr(path, lambda file: _planes(file, part, chosen), separate_channels=True)
    if len({plane.shape for plane in planes}) != 1 or planes[0].ndim != 2:
        raise ValueError(f"{path}: channels {', '.join(chosen)} differ in size; wanted no subsampling")
    pixels = _in_display_window(path, header, np.stack(planes, axis=-1))
    return (pixels, 0) if len(set(chosen)) == 1 else _to_rec709(path, header, pixels)


def _in_display_window(path: Path, header: dict, pixels: np.ndarray) -> np.ndarray:
    """The picture that is meant to be seen: the part of the pixels inside of it, black where there are none."""
    (left, top), (right, bottom) = (tuple(int(x) for x in corner) for corner in header["displayWindow"])
    x, y = (int(first) for first in header["dataWindow"][0])
    height, width = pixels.shape[:2]
    if (left, top, right, bottom) == (x, y, x + width - 1, y + height - 1):
        return pixels
    check_claim(path, right - left + 1, bottom - top + 1, (right - left + 1) * (bottom - top + 1) * 12)
    seen = np.zeros((bottom - top + 1, right - left + 1, *pixels.shape[2:]), pixels.dtype)
    rows = slice(max(top, y), min(bottom + 1, y + height))
    columns = slice(max(left, x), min(right + 1, x + width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise ValueError(f"{path}: its data window lies outside of its display window; wanted pixels to see")
    inside = pixels[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    seen[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = inside
    return seen


def _to_rec709(path: Path, header: dict, pixels: np.ndarray) -> tuple[np.ndarray, int]:
    try:
        stated = header.get("chromaticities")
        matrix = None if stated is None else matrix_of(tuple(float(number) for number in stated))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return (pixels, 0) if matrix is None else convert(pixels, matrix)


def _headers(file: OpenEXR.File) -> tuple[list[dict], list[list[str]]]:
    headers = [dict(part.header) for part in file.parts]
    return headers, [[channel.name for channel in header["channels"]] for header in headers]


def _planes(file: OpenEXR.File, part: int, names: tuple[str, str, str]) -> list[np.ndarray]:
    channels = file.parts[part].channels
    return [channels[name].pixels for name in names]


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


def _choose(path: Path, headers: list[dict], names: list[list[str]]) -> tuple[int, tuple[str, str, str]]:
    """The part and its three channels that hold red, green and blue; the same one thrice for grey."""
    letters = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
    layers: dict[tuple[int, str], dict[int, str]] = {}
    greys: dict[int, str] = {}
    for part, channels in enumerate(names):
        for name in sorted(channels):
            layer, _, channel = name.rpartition(".")
            if channel.lower() in letters:
                layers.setdefault((part, layer), {}).setdefault(letters[channel.lower()], name)
        others = [name for name in channels if name.rpartition(".")[2].lower() not in ("a", "alpha", "z")]
        if len(others) == 1:
            greys[part] = others[0]
    found = {place: (of[0], of[1], of[2]) for place, of in layers.items() if len(of) == 3}
    found = found or {(part, ""): (name,) * 3 for part, name in greys.items()}
    if not found:
        told = ", ".join(sorted(name for channels in names for name in channels))
        raise ValueError(f"{path}: channels {told}: wanted R, G and B (or Y, or a single channel)")
    titles = {place: place[1] or str(headers[place[0]].get("name") or "") for place in found}
    best = min(found, key=lambda place: (_rank(titles[place]), place))
    if len(found) > 1 and _rank(titles[best]) == len(PREFERRED):
        told = ", ".join(sorted(titles.values()))
        raise ValueError(f"{path}: layers {told}: which is the picture? wanted one without a name, or Combined")
    return best[0], found[best]


def _rank(title: str) -> int:
    """The place of a layer in `PREFERRED`, by the last word of its name; behind all if it is none of them."""
    last = title.lower().rpartition(".")[2]
    return PREFERRED.index(last) if last in PREFERRED else len(PREFERRED)


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

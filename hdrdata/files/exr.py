"""OpenEXR: linear RGB from any layout of channels; views and other pictures written and read."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import OpenEXR
from jaxtyping import Float16

from hdrdata.files.claims import check_exr_claims
from hdrdata.files.disk import written_whole
from hdrdata.files.hdr.colour import Colour, colour_of_id
from hdrdata.files.hdr.exr_text import MAGIC, with_plain_text
from hdrdata.files.hdr.geometry import on_canvas, panorama_of_cube, sphere_of_xmp, square_pixels
from hdrdata.files.hdr.layers import Choice, choose_layer
from hdrdata.files.hdr.luma import luma_to_rgb
from hdrdata.files.hdr.primaries import matrix_of
from hdrdata.files.hdr.stated import AS_STATED, Override, Stated
from hdrdata.files.quiet import collected_messages


def read_exr(path: Path, override: Override = AS_STATED) -> tuple[np.ndarray, Stated]:
    """Return linear RGB of Rec.709 from any layout of channels, and what was done because the file states it.

    The layer is chosen by `hdrdata.files.hdr.layers`. Its pixels of alpha 0 are black. The display window is the
    picture: pixels beyond it are left out, and it is black where the data window has none. Luminance and chroma become
    RGB (`hdrdata.files.hdr.luma`). Values become linear Rec.709 by colorInteropID, which takes precedence, or by
    chromaticities (`hdrdata.files.hdr.colour`); primaries do not matter to grey. An environment cube becomes a
    panorama, and pixels become square (`hdrdata.files.hdr.geometry`).

    Raises:
        ValueError: one line naming the file and what is wrong, such as several layers that could be meant.
    """
    with with_plain_text(path) as plain:
        headers = _open_exr(path, plain, lambda file: [_plain(part.header) for part in file.parts], header_only=True)
        check_exr_claims(path, headers)
        choice = choose_layer(path, headers, override.layer)
        header = headers[choice.part]
        converted = [f"layer {choice.title}"] if choice.others and choice.title else []
        try:
            colour = Colour.stated(lambda: _colour(header, choice), override)
            pixels, alpha = _read_pixels(path, plain, headers, choice)
        except ValueError as error:
            raise error if str(error).startswith(f"{path}: ") else ValueError(f"{path}: {error}") from error
    converted += ["luminance and chroma"] if choice.is_luma else []
    pixels = colour.to_rec709(pixels)
    converted += colour.named
    transparent = None if alpha is None else alpha <= 0
    if transparent is not None and transparent.any():
        pixels[transparent] = 0
        converted.append("alpha")
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in header["displayWindow"])
    x, y = (int(first) for first in header["dataWindow"][0])
    stored = pixels
    pixels = on_canvas(path, pixels, x - left, y - top, right - left + 1, bottom - top + 1)
    converted += ["display window"] if pixels is not stored else []
    around, panorama = header.get("envmap"), None
    if around is not None:
        panorama = True
        pixels = panorama_of_cube(path, pixels) if around == "cube" else pixels
        converted += ["envmap cube"] if around == "cube" else []
    else:
        stored = pixels
        pixels = square_pixels(path, pixels, header["pixelAspectRatio"])
        converted += [f"pixelAspectRatio {header['pixelAspectRatio']:g}"] if pixels is not stored else []
        sphere = sphere_of_xmp(path, pixels, header["xmp"]) if isinstance(header.get("xmp"), str) else None
        if sphere is not None:
            converted += ["GPano"] if sphere is not pixels else []
            pixels, panorama = sphere, True
    return pixels, Stated(tuple(converted), panorama, 0 if transparent is None else int(transparent.sum()))


def _colour(header: dict, choice: Choice) -> Colour:
    """Return the colour that a header states, if any."""
    colour = colour_of_id(header["colorInteropID"]) if "colorInteropID" in header else None
    if colour is not None:
        return replace(colour, matrix=None) if choice.is_grey else colour
    stated = None if choice.is_grey else header.get("chromaticities")
    matrix = None if stated is None else matrix_of(stated)
    return Colour(matrix=matrix, named=() if matrix is None else ("chromaticities",))


def _read_pixels(path: Path, plain: Path, headers: list[dict], choice: Choice) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the data window as RGB of the file's own primaries, and its alpha."""
    header = headers[choice.part]
    if len(headers) == 1 and sorted(channel.name for channel in header["channels"]) == ["B", "G", "R"]:
        with contextlib.suppress(ValueError):  # channels of different types, or damage, which is named below
            return _open_exr(path, plain, lambda file: file.channels()["RGB"].pixels), None  # at half the memory
    names = [*choice.channels, *([choice.alpha] if choice.alpha else [])]
    *planes, alpha = _open_exr(path, plain, lambda file: _planes(file, choice.part, names), separate_channels=True)
    planes, alpha = (planes, alpha) if choice.alpha else ([*planes, alpha], None)
    if choice.is_luma:
        if planes[1].shape != planes[2].shape:
            raise ValueError(f"channels {', '.join(choice.channels)} differ in size; expected chroma of one size")
        luma, red, blue = planes
        pixels = luma_to_rgb(luma, red, blue, header.get("chromaticities"))
    elif len({plane.shape for plane in planes}) != 1 or planes[0].ndim != 2:
        raise ValueError(f"channels {', '.join(choice.channels)} differ in size; expected no subsampling")
    else:
        pixels = np.stack(planes, axis=-1)
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"channel {choice.alpha} differs in size from {', '.join(choice.channels)}")
    return pixels, alpha


def _plain(header: dict) -> dict:
    """Return a header whose attributes that are used here are plain values.

    Raises:
        ValueError: naming an attribute of another type, or with an impossible value.
    """
    plain = {**header, "pixelAspectRatio": header.get("pixelAspectRatio", 1.0)}
    for name in plain.keys() & ATTRIBUTES.keys():
        try:
            plain[name] = ATTRIBUTES[name](plain[name])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"its attribute {name} is damaged") from error
    return plain


def _eight(numbers: Any) -> tuple[float, ...] | None:
    made = tuple(float(number) for number in numbers)
    if len(made) != 8:
        raise ValueError
    return made if any(made) else None  # eight zeros state nothing


ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "channels": lambda channels: [SimpleNamespace(name=channel.name) for channel in channels],
    "chromaticities": _eight,
    "colorInteropID": str,
    "envmap": {OpenEXR.ENVMAP_CUBE: "cube", OpenEXR.ENVMAP_LATLONG: "latlong"}.__getitem__,
    "multiView": lambda views: [view if isinstance(view, str) else view.decode() for view in views],
    "pixelAspectRatio": float,
    "view": lambda view: view if isinstance(view, str) else view.decode(),
}


def _planes(file: OpenEXR.File, part: int, names: list[str]) -> list[np.ndarray]:
    channels = file.parts[part].channels
    return [channels[name].pixels for name in names]


def _open_exr(path: Path, plain: Path, take: Callable[[OpenEXR.File], Any], **options: bool) -> Any:
    """Return what `take` gets from an OpenEXR file.

    Args:
        plain: the same file with a header in UTF-8 (`hdrdata.files.hdr.exr_text`).

    Raises:
        ValueError: one line naming the file, whatever the bindings raise or only print.
    """
    try:
        with collected_messages() as messages, OpenEXR.File(str(plain), **options) as file:
            taken = take(file)
        if messages.getvalue():  # the bindings only print that they could not read the pixels
            raise ValueError(messages.getvalue().strip().rpartition(" - ")[2])
    except MemoryError:
        raise
    except (KeyError, IndexError) as error:  # a part or channel of the header without pixels
        raise ValueError(f"{path}: not a readable OpenEXR file: cut short or damaged: pixels are missing") from error
    except Exception as error:  # the bindings raise RuntimeError, ValueError, TypeError for bad bytes
        reason = str(error).splitlines()[0] if str(error) else "unknown reason"
        with path.open("rb") as file:
            reason = reason if file.read(4) == MAGIC else "its first bytes are not those of one"
        raise ValueError(f"{path}: not a readable OpenEXR file: {reason}") from error
    return taken


def write_exr(
    path: Path | str,
    radiance: np.ndarray,
    attributes: dict[str, Any] | None = None,
    layers: dict[str, np.ndarray] | None = None,
) -> None:
    """Write RGB, float16 or float32 (height, width, 3), as a lossless ZIP OpenEXR file.

    Args:
        attributes: of the header.
        layers: further RGB images of the same size, by name.
    """
    channels = {"RGB": np.ascontiguousarray(radiance)}
    for name, image in (layers or {}).items():
        channels |= {f"{name}.{letter}": np.ascontiguousarray(image[:, :, k]) for k, letter in enumerate("RGB")}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(attributes or {})}
    with written_whole(Path(path)) as temporary, OpenEXR.File(header, channels) as file:
        try:
            file.write(str(temporary))
        except RuntimeError as error:  # a full disk, among others
            raise OSError(f"{path}: cannot be written: {str(error).splitlines()[0]}") from error


def read_view(path: Path) -> Float16[np.ndarray, "height width 3"]:
    """Read a view: half floats, finite, >= 0, written by `write_exr`.

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

"""Write the viewer: one HTML page, complete in itself, that shows the light of one HDR file at any exposure."""

import base64
import math
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import jinja2
import numpy as np
import OpenEXR
from jaxtyping import UInt8

from hdrdata.files.disk import sha256_of, write_bytes
from hdrdata.files.documents import page_templates
from hdrdata.files.hdr.stated import Override
from hdrdata.files.ldr import encode_jpeg
from hdrdata.files.quiet import quiet_decoders
from hdrdata.files.radiance import read_light, repair_radiance
from hdrdata.files.suffixes import RADIANCE_SUFFIXES
from hdrdata.photos.photo import read_photo
from hdrdata.terminal import printable
from hdrmodel.viewer.encoded import ENCODED, WHITE, read_encoded
from hdrmodel.viewer.labels import (
    attribute_text,
    bars_path,
    format_count,
    format_ev,
    format_light,
    format_share,
    format_short,
    repairs_text,
    ticks_of,
)
from hdrmodel.viewer.page_light import (
    BINS,
    FAR,
    false_colors,
    far_from_one,
    measure_light,
    pack_light,
    shrink_light,
    tonemap_photographic,
)

MAX_PIXELS = 2_000_000  # in the page, at 3 to 5 bytes each; larger pictures are shrunk by area
OVERLAY = (200, 0, 255, 140)  # blue, green, red, alpha of predicted pixels
LONGEST_STILL = 1280  # pixels, of the picture that is shown without a script
INVERSE_RESPONSE = "hdrmodel.camera_response_inverse"  # of scene light, sampled over evenly spaced levels
STRUCTURE = {
    *("channels", "chunkCount", "compression", "dataWindow", "displayWindow", "lineOrder", "name", "pixelAspectRatio"),
    INVERSE_RESPONSE,
    *("preview", "screenWindowCenter", "screenWindowWidth", "tiles", "type", "version", "whiteLuminance"),
}  # of an OpenEXR file; what all other attributes say is shown as it is
SUFFIX_NAMES = {".exr": "OpenEXR", ".pfm": "PFM", ".tif": "TIFF", ".tiff": "TIFF"}
SUFFIX_NAMES |= dict.fromkeys(RADIANCE_SUFFIXES, "Radiance")


@dataclass(frozen=True)
class ComparedPhoto:
    """The photograph beside the HDR picture, or why it is not there."""

    name: str
    uri: str | None
    why_not: str = ""


def write_viewer(
    file: Path, page: Path, photo: Path | None, *, max_pixels: int = MAX_PIXELS, layer: str | None = None
) -> Path:
    """Write `page`, an HTML viewer of one HDR file; the same inputs give the same bytes.

    The page holds light, script and style, and asks for nothing else. Values are those of the file where that is no
    larger than `max_pixels` and holds half floats or values as coarse; the page says what it holds. Statistics are of
    the whole file. Values that are no light are repaired (see `repair_radiance`), which the page says.

    Args:
        file: .exr, .hdr, .pfm, .tif or .tiff, as `read_radiance` takes them; an Ultra HDR JPEG, or a PNG, AVIF, HEIC or
            JPEG XL of PQ or HLG (`read_encoded`).
        page: a name that ends in .html or .htm.
        photo: the photograph that the file was made from, with the same shape. None: the photograph named by the file's
            attribute `hdrmodel.input`, if it is beside the file and has the sha256 in `hdrmodel.input_sha256`.
        layer: of an OpenEXR file, the layer to show; None: as `read_radiance` chooses.
        max_pixels: >= 1; larger pictures are shrunk by area in the page.

    Returns:
        the path of the page.

    Raises:
        ValueError: one line naming the file that cannot be read, is black, or has another name or shape than it should.
    """
    if page.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{page}: expected a name that ends in .html")
    if max_pixels < 1:
        raise ValueError(f"at most {max_pixels} pixels; expected at least 1")
    encoded = file.suffix.lower() in ENCODED
    if encoded:
        light, format_name = read_encoded(file)
        radiance, repairs = repair_radiance(light)
        del light
    else:
        (radiance, repairs), format_name = read_light(file, Override(layer)), ""
        radiance = radiance.astype(np.float32, copy=False)
    power = far_from_one(radiance)
    if power:  # 1e-30 and 1e12 are only another unit, but the page counts stops around 1
        np.ldexp(radiance, -power, out=radiance)
    measures = measure_light(radiance, file)
    full_height, full_width, _ = radiance.shape
    shown = shrink_light(radiance, max_pixels)
    del radiance  # of a large picture twelve bytes a pixel
    packed, unit, exact = pack_light(shown)
    attributes = _read_attributes(file) if file.suffix.lower() == ".exr" else {}
    attributes |= {"values": f"shown divided by 2^{power}, because their unit is far from 1"} if power else {}
    white = WHITE if encoded else attributes.get("whiteLuminance")
    white = white if isinstance(white, float) and 0 < white < math.inf else None
    response = _inverse_response(attributes)
    predicted, num_predicted = _read_mask(file, shown.shape, (full_height, full_width))
    beside = _embed_photo(photo, shown.shape) if photo is not None else _find_photo(file, attributes, shown.shape)
    opened = 0.0 if abs(measures.auto_ev) <= FAR or (beside and beside.uri) else measures.auto_ev
    still = tonemap_photographic(shrink_light(shown, LONGEST_STILL**2), measures.auto_ev, measures.largest)
    text = _template().render(
        name=printable(file.name),
        height=shown.shape[0], width=shown.shape[1], full_height=full_height, full_width=full_width,
        format=format_name or _format_of(file, attributes), bytes=file.stat().st_size, exact=exact, repairs=repairs,
        repaired=repairs_text(repairs), measures=measures, white=white, opened=opened, photo=beside,
        attributes={printable(name): attribute_text(value) for name, value in sorted(attributes.items())
                    if name not in STRUCTURE},
        light=packed, still=_jpeg_uri(still, 85), bars=bars_path(measures.counts),
        ticks=ticks_of(measures.low, measures.high),
        predicted=predicted, num_predicted=num_predicted,
        response=printable(str(attributes.get("hdrmodel.camera_response", ""))) if response else "",
        data={"width": shown.shape[1], "height": shown.shape[0], "unit": unit, "white": white,
              "fullWidth": full_width, "fullHeight": full_height, "largest": measures.largest,
              "low": measures.low, "high": measures.high, "counts": measures.counts, "bins": BINS,
              "pixels": measures.pixels, "auto": measures.auto_ev, "opened": opened,
              "response": response,
              "colors": false_colors(measures.low, measures.high).tolist()},
    )  # fmt: skip
    write_bytes(page, text.encode())
    return page


def _template() -> jinja2.Template:
    filters = {"light": format_light, "short": format_short, "count": format_count, "share": format_share,
               "ev": format_ev}  # fmt: skip
    return page_templates("hdrmodel.viewer", **filters).get_template("page.html")


# The file and its photograph


def _read_attributes(file: Path) -> dict[str, object]:
    """The attributes of an OpenEXR file that `read_radiance` has read."""
    with quiet_decoders(), OpenEXR.File(str(file), header_only=True) as exr:
        return dict(exr.parts[0].header)


def _read_mask(file: Path, shape: tuple[int, ...], full: tuple[int, int]) -> tuple[str, int]:
    """Return an overlay of the predicted pixels as an image, and their number, by NAME.mask.png beside the file.

    A mask of another size is not of this file, and left out: ("", 0).
    """
    path = file.with_suffix(".mask.png")
    values = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if values is None or values.shape[:2] != full:
        return "", 0
    mask = (values.max(axis=2) > 0).astype(np.float32)
    share = mask if mask.shape == shape[:2] else cv2.resize(mask, shape[1::-1], interpolation=cv2.INTER_AREA)
    overlay = np.empty((*share.shape, 4), np.uint8)
    overlay[:] = OVERLAY
    overlay[:, :, 3] = np.rint(OVERLAY[3] * share)
    content = cv2.imencode(".png", overlay)[1].tobytes()
    return "data:image/png;base64," + base64.b64encode(content).decode(), int(np.count_nonzero(mask))


def _inverse_response(attributes: dict[str, object]) -> list[float] | None:
    """Return the inverse camera response of a file of scene light, increasing from 0 to 1; None: show light by sRGB."""
    try:
        values = [float(text) for text in str(attributes.get(INVERSE_RESPONSE, "")).split()]
    except ValueError:
        return None
    rising = all(low <= high for low, high in pairwise(values))
    return values if len(values) > 1 and values[0] >= 0 and 0 < values[-1] < math.inf and rising else None


def _format_of(file: Path, attributes: dict[str, object]) -> str:
    name = SUFFIX_NAMES[file.suffix.lower()]
    compression = getattr(attributes.get("compression"), "name", "")
    return f"{name}, {compression.removesuffix('_COMPRESSION')}" if compression else name


def _find_photo(file: Path, attributes: dict[str, object], shape: tuple[int, ...]) -> ComparedPhoto | None:
    """The photograph that the file names, if it lies beside it; a name with a folder is not followed."""
    name = attributes.get("hdrmodel.input")
    if not isinstance(name, str) or Path(name).name != name or not os.path.isfile(file.parent / name):
        return None  # os.path's takes any name, too long or with a zero in it
    path, sha256 = file.parent / name, attributes.get("hdrmodel.input_sha256")
    try:
        if sha256 is not None and sha256_of(path) != sha256:
            return ComparedPhoto(printable(name), None, "has changed since this file was made of it")
        return _embed_photo(path, shape)
    except OSError as error:
        return ComparedPhoto(printable(name), None, printable(error.strerror or "cannot be read"))
    except ValueError as error:
        return ComparedPhoto(printable(name), None, printable(str(error).removeprefix(f"{path}: ")))


def _embed_photo(path: Path, shape: tuple[int, ...]) -> ComparedPhoto:
    """The photograph as `read_photo` gives it, no larger than the page's picture, as JPEG; nothing else of its file.

    Raises:
        ValueError: naming the file, if it is no picture or has not the shape of the HDR picture.
        OSError: naming it, if the system does not let it be read.
    """
    photo = read_photo(path).ldr
    height, width = shape[:2]
    scale = max(photo.shape[0] / height, photo.shape[1] / width)
    if abs(photo.shape[0] - height * scale) > 1 + scale or abs(photo.shape[1] - width * scale) > 1 + scale:
        raise ValueError(
            f"{path}: {photo.shape[1]}x{photo.shape[0]} pixels; expected the shape of the HDR picture, {width}x{height}"
        )
    if scale > 1:
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    if photo.dtype == np.uint16:
        photo = np.rint(photo / np.float32(257)).astype(np.uint8)
    return ComparedPhoto(printable(path.name), _jpeg_uri(photo, 95))


def _jpeg_uri(ldr: UInt8[np.ndarray, "height width 3"], quality: int) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(ldr, quality)).decode()

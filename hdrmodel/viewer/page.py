"""Write the viewer: one HTML page, complete in itself, that shows the light of one HDR file at any exposure."""

import base64
import math
import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import jinja2
import numpy as np
import OpenEXR
from jaxtyping import Float32, UInt8, UInt16

from hdrdata.files.disk import sha256_of, write_bytes
from hdrdata.files.ldr import encode_jpeg
from hdrdata.files.quiet import quiet_decoders
from hdrdata.files.radiance import Repairs, read_radiance, repair_radiance
from hdrmodel.photos.photo import read_photo

MAX_PIXELS = 2_000_000  # in the page, at 3 to 5 bytes each; larger pictures are shrunk by area
LONGEST_SIDE = 16_384  # pixels; some browsers have no longer canvas
LONGEST_STILL = 1280  # pixels, of the picture that is shown without a script
BINS = 10  # of the histogram in a stop; the slider's steps are as long, so that the clipped share is exact
BAND = 2**22  # values that are measured at once
MOST_STOPS = 40  # of the histogram, below the brightest pixel
GREY = 0.18  # what the automatic exposure makes of the mean luminance
FAR = 5  # stops; a picture whose automatic exposure is further from 0 opens at that
STRUCTURE = {
    *("channels", "chunkCount", "compression", "dataWindow", "displayWindow", "lineOrder", "name", "pixelAspectRatio"),
    *("preview", "screenWindowCenter", "screenWindowWidth", "tiles", "type", "version", "whiteLuminance"),
}  # of an OpenEXR file; what all other attributes say is shown as it is
LONGEST_TEXT = 400  # letters of an attribute
SUFFIX_NAMES = {".exr": "OpenEXR", ".hdr": "Radiance", ".pfm": "PFM", ".tif": "TIFF", ".tiff": "TIFF"}
WARM = ((122, 15, 60), (209, 54, 91), (255, 157, 138), (255, 240, 236))  # sRGB, the false colours from 1.0 up


@dataclass(frozen=True)
class Measures:
    """What the light of a picture is like; a pixel's stops are log2 of its luminance, 0 at 1.0.

    Luminance is BT.709's, 0.2126 R + 0.7152 G + 0.0722 B. Percentiles and the mean are of the pixels above 0.
    """

    low: int  # stops, where the histogram begins: at or below the 0.1th percentile
    high: int  # stops, where it ends: above every pixel
    counts: tuple[int, ...]  # pixels a bin of a tenth of a stop; bin k holds low + [k, k + 1) / 10
    darker: int  # pixels above 0 and below the histogram
    black: int
    pixels: int
    smallest: float  # luminance above 0
    largest: float
    percentiles: tuple[float, float, float]  # luminance: 0.1th, 1st, 99.9th
    log_mean: float  # the geometric mean luminance
    above: int  # pixels whose luminance is 1.0 or more
    above_any: int  # pixels with a channel of 1.0 or more

    @property
    def stops(self) -> float:
        """Dynamic range: log2 of the 99.9th over the 0.1th percentile."""
        return math.log2(self.percentiles[2] / self.percentiles[0])

    @property
    def auto_ev(self) -> float:
        """The exposure that makes the geometric mean 0.18, within the slider's range."""
        least, most = self.evs
        return min(max(round(math.log2(GREY / self.log_mean), 1), least), most)

    @property
    def evs(self) -> tuple[float, float]:
        """The slider's range: from where the brightest pixel just fits to where 99 % of the pixels are white."""
        return min(-float(self.high), -2.0), max(float(math.ceil(-math.log2(self.percentiles[1]))), 2.0)


@dataclass(frozen=True)
class ComparedPhoto:
    """The photograph beside the HDR picture, or why it is not there."""

    name: str
    uri: str | None
    why_not: str = ""


def write_viewer(file: Path, page: Path, photo: Path | None, *, max_pixels: int = MAX_PIXELS) -> Path:
    """Write `page`, an HTML viewer of one HDR file; the same inputs give the same bytes.

    The page holds light, script and style, and asks for nothing else. Values are those of the file where that is no
    larger than `max_pixels` and holds half floats or values as coarse; the page says what it holds. Statistics are of
    the whole file. Values that are no light are repaired (see `repair_radiance`), which the page says.

    Args:
        file: .exr, .hdr, .pfm, .tif or .tiff, as `read_radiance` takes them.
        page: a name that ends in .html or .htm.
        photo: the photograph that the file was made of, of the same shape. None: the one that the file's
            attribute `hdrmodel.input` names, where it lies beside the file and is what `hdrmodel.input_sha256` says.
        max_pixels: >= 1; larger pictures are shrunk by area in the page.

    Returns:
        the path of the page.

    Raises:
        ValueError: one line naming the file that cannot be read, is black, or has another name or shape than it should.
    """
    if page.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{page}: wanted a name that ends in .html")
    if max_pixels < 1:
        raise ValueError(f"at most {max_pixels} pixels; wanted at least 1")
    radiance, repairs = repair_radiance(read_radiance(file))
    measures = measure_light(radiance, file)
    full_height, full_width, _ = radiance.shape
    shown = shrink_light(radiance, max_pixels)
    del radiance  # of a large picture twelve bytes a pixel
    packed, unit, exact = pack_light(shown)
    attributes = _read_attributes(file) if file.suffix.lower() == ".exr" else {}
    white = attributes.get("whiteLuminance")
    white = white if isinstance(white, float) and 0 < white < math.inf else None
    beside = _embed_photo(photo, shown.shape) if photo is not None else _find_photo(file, attributes, shown.shape)
    opened = 0.0 if abs(measures.auto_ev) <= FAR or (beside and beside.uri) else measures.auto_ev
    still = tonemap_photographic(shrink_light(shown, LONGEST_STILL**2), measures.auto_ev, measures.largest)
    text = _template().render(
        name=printable(file.name),
        height=shown.shape[0], width=shown.shape[1], full_height=full_height, full_width=full_width,
        format=_format_of(file, attributes), bytes=file.stat().st_size, exact=exact, repairs=repairs,
        repaired=_repairs_text(repairs), measures=measures, white=white, opened=opened, photo=beside,
        attributes={printable(name): _attribute_text(value) for name, value in sorted(attributes.items())
                    if name not in STRUCTURE},
        light=packed, still=_jpeg_uri(still, 85), bars=bars_path(measures.counts),
        ticks=_ticks(measures.low, measures.high),
        data={"width": shown.shape[1], "height": shown.shape[0], "unit": unit, "white": white,
              "fullWidth": full_width, "fullHeight": full_height, "largest": measures.largest,
              "low": measures.low, "high": measures.high, "counts": measures.counts, "bins": BINS,
              "pixels": measures.pixels, "auto": measures.auto_ev, "opened": opened,
              "colors": false_colors(measures.low, measures.high).tolist()},
    )  # fmt: skip
    write_bytes(page, text.encode())
    return page


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hdrmodel.viewer", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"light": format_light, "short": format_short, "count": format_count}
    environment.filters |= {"share": format_share, "ev": format_ev}
    return environment.get_template("page.html")


# Light


def luminance_of(radiance: Float32[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width"]:
    """0.2126 R + 0.7152 G + 0.0722 B (ITU-R BT.709), computed so that the luminance of a grey is that grey to the bit.

    The page's script computes the same.
    """
    luminance = np.empty(radiance.shape[:2], np.float32)
    bands = min(radiance.size // BAND + 1, len(radiance))  # so that doubles take little memory
    for rows, out in zip(np.array_split(radiance, bands), np.array_split(luminance, bands), strict=True):
        red, green, blue = rows.astype(np.float64).transpose(2, 0, 1)
        out[:] = green + 0.2126 * (red - green) + 0.0722 * (blue - green)
    return luminance


def measure_light(radiance: Float32[np.ndarray, "height width 3"], file: Path) -> Measures:
    """Measure a picture that `repair_radiance` has seen.

    Raises:
        ValueError: naming `file`, if every pixel is black.
    """
    light = luminance_of(radiance).ravel()
    pixels = light.size
    light = light[light > 0]
    if light.size == 0:
        raise ValueError(f"{file}: every pixel is black; wanted light")
    smallest, largest = float(light.min()), float(light.max())
    low_percent, percent, high_percent = np.percentile(light, [0.1, 1, 99.9])
    high = max(math.floor(math.log2(largest)) + 1, 1)
    low = max(min(math.floor(math.log2(low_percent)), -2), high - MOST_STOPS)
    counts, darker, total = np.zeros((high - low) * BINS, np.int64), 0, 0.0
    for part in np.array_split(light, light.size // BAND + 1):
        stops = np.log2(part, dtype=np.float64)
        bins = np.floor(stops * BINS).astype(np.int64) - low * BINS
        counts += np.bincount(bins[bins >= 0], minlength=len(counts))
        darker += int((bins < 0).sum())
        total += float(stops.sum())
    return Measures(
        low=low,
        high=high,
        counts=tuple(counts.tolist()),
        darker=darker,
        black=pixels - light.size,
        pixels=pixels,
        smallest=smallest,
        largest=largest,
        percentiles=(float(low_percent), float(percent), float(high_percent)),
        log_mean=2.0 ** (total / light.size),
        above=int((light >= 1).sum()),
        above_any=int((radiance >= 1).any(axis=2).sum()),
    )


def shrink_light(
    radiance: Float32[np.ndarray, "height width 3"], max_pixels: int
) -> Float32[np.ndarray, "less_height less_width 3"]:
    """The picture with at most about `max_pixels` pixels, each the mean light of its area."""
    height, width, _ = radiance.shape
    factor = min(math.sqrt(max_pixels / (height * width)), LONGEST_SIDE / max(height, width))
    if factor >= 1:
        return radiance
    size = max(1, math.floor(width * factor)), max(1, math.floor(height * factor))
    return cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)


def pack_light(radiance: Float32[np.ndarray, "height width 3"]) -> tuple[str, float, bool]:
    """Light for the page's script: half floats of light over `unit`, so filtered that little is left of them.

    The unit is the power of two that brings the largest value to 2^15 or above, up to 65504, the largest half float. So
    half floats stay as they are; all others come within 2^-11 of themselves, 0.05 %, over the brightest 29 stops.

    Of the bits as whole numbers, modulo 2^16: red and blue less green, then each less the one on its left, d; then
    2 d, or -2 d - 1 if d is below zero, so that small ones of both signs have a high byte of 0. Planes of high bytes,
    then of low bytes, deflated, in base64.

    Returns:
        the text, the unit, and whether every value is exact.
    """
    unit = 2.0 ** (math.floor(math.log2(float(radiance.max()))) - 15)
    if float(radiance.max()) / unit > 65504:  # it would round up to 2^16
        unit *= 2
    scaled = radiance / np.float64(unit)
    half = scaled.astype(np.float16)
    bits = np.ascontiguousarray(half.view(np.uint16).transpose(2, 0, 1))
    planes = _filtered(bits)
    content = (planes >> 8).astype(np.uint8).tobytes() + planes.astype(np.uint8).tobytes()
    return base64.b64encode(zlib.compress(content, 6)).decode(), unit, bool((half == scaled).all())


def _filtered(bits: UInt16[np.ndarray, "3 height width"]) -> UInt16[np.ndarray, "3 height width"]:
    planes = bits.copy()
    planes[[0, 2]] -= planes[1]
    differences = np.diff(planes, axis=2, prepend=np.uint16(0)).view(np.int16)
    return ((differences << 1) ^ (differences >> 15)).view(np.uint16)


def tonemap_photographic(
    radiance: Float32[np.ndarray, "height width 3"], ev: float, largest: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Display a picture as the page's "Reinhard" does.

    L_d = L (1 + L / L_white^2) / (1 + L), where L is the luminance times 2^ev and L_white that of `largest`; a pixel's
    colours are scaled by L_d / L, clipped, and encoded as sRGB. Reinhard, Stark, Shirley and Ferwerda, "Photographic
    Tone Reproduction for Digital Images", SIGGRAPH 2002, equation 4, with the exposure in place of the key.
    """
    luminance = luminance_of(radiance).astype(np.float64) * 2.0**ev
    scale = 2.0**ev * (1 + luminance / (largest * 2.0**ev) ** 2) / (1 + luminance)
    linear = np.minimum(radiance * scale[:, :, None], 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * encoded).astype(np.uint8)


def false_colors(low: int, high: int) -> UInt8[np.ndarray, "stops 3"]:
    """The colour of each stop from `low` to `high`, sRGB.

    Below 1.0 cividis, dark blue to yellow; from 1.0 up dark red to white. Lightness rises along each, and falls once,
    at 1.0: so that step is seen without colours too. Nunez, Anderton and Renslow, "Optimizing colormaps with
    consideration for color vision deficiency", PLOS ONE 2018.
    """
    places = np.rint(np.linspace(0, 255, -low)).astype(np.uint8)
    below = cv2.applyColorMap(places[:, None], cv2.COLORMAP_CIVIDIS)[:, 0, ::-1]
    anchors, steps = np.linspace(0, 1, len(WARM)), np.linspace(0, 1, max(high, 2))[:high]
    above = np.stack([np.interp(steps, anchors, channel) for channel in zip(*WARM, strict=True)], axis=1)
    return np.concatenate([below, np.rint(above)]).astype(np.uint8)


# The file and its photograph


def _read_attributes(file: Path) -> dict[str, object]:
    """The attributes of an OpenEXR file that `read_radiance` has read."""
    with quiet_decoders(), OpenEXR.File(str(file), header_only=True) as exr:
        return dict(exr.parts[0].header)


def _format_of(file: Path, attributes: dict[str, object]) -> str:
    name = SUFFIX_NAMES[file.suffix.lower()]
    compression = getattr(attributes.get("compression"), "name", "")
    return f"{name}, {compression.removesuffix('_COMPRESSION')}" if compression else name


def _attribute_text(value: object) -> str:
    text = printable(f"{value:.6g}" if isinstance(value, float) else str(value))
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


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
            f"{path}: {photo.shape[1]}x{photo.shape[0]} pixels; wanted the shape of the HDR picture, {width}x{height}"
        )
    if scale > 1:
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    if photo.dtype == np.uint16:
        photo = np.rint(photo / np.float32(257)).astype(np.uint8)
    return ComparedPhoto(printable(path.name), _jpeg_uri(photo, 95))


def _jpeg_uri(ldr: UInt8[np.ndarray, "height width 3"], quality: int) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(ldr, quality)).decode()


# Words and marks


def printable(text: str) -> str:
    """The text with a space for each letter that is not printed: control, direction and half letters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def format_light(value: float) -> str:
    """Four digits, with an exponent only where the number would be long."""
    if not 1e-4 <= value < 1e6:
        return f"{value:.3g}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(value)))}f}"


def format_short(value: float) -> str:
    """Two digits, and k for thousands: what fits under a tick."""
    power = math.floor(math.log10(value))
    if power >= 6 or power < -3:
        return f"{value:.0e}"
    rounded = round(value, 1 - power)
    return f"{rounded / 1000:g}k" if power >= 3 else f"{rounded:g}"


def format_count(number: int) -> str:
    """A whole number with narrow spaces between its thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def format_share(number: int, pixels: int) -> str:
    """A share of the pixels in per cent; what is not 0 is not written as 0."""
    percent = 100 * number / pixels
    return "< 0.01 %" if 0 < percent < 0.01 else f"{percent:.2f} %" if number else "0 %"


def format_ev(ev: float) -> str:
    """Stops with their sign."""
    return f"{'+' if ev > 0 else chr(0x2212) if ev < 0 else ''}{abs(ev):.1f}"


def _repairs_text(repairs: Repairs) -> str:
    kinds = {"negative": repairs.negative, "NaN": repairs.nan, "infinite": repairs.infinite}
    return ", ".join(f"{format_count(count)} {kind}" for kind, count in kinds.items() if count)


def bars_path(counts: tuple[int, ...]) -> str:
    """The outline of the histogram in SVG, 100 high, a bin 1 wide; heights are as the roots of the counts."""
    largest = math.sqrt(max(counts))
    heights = [100 - 100 * math.sqrt(count) / largest for count in counts]
    return "M0 100" + "".join(f"V{height:.1f}h1" for height in heights) + "V100z"


def _ticks(low: int, high: int) -> list[tuple[int, float]]:
    """Stops to write under the histogram, at most eight, 0 among them, with their places in per cent."""
    step = next(step for step in (1, 2, 3, 4, 5, 6, 8, 10) if (high - low) / step <= 7)
    return [(stops, 100 * (stops - low) / (high - low)) for stops in range(low, high + 1) if stops % step == 0]

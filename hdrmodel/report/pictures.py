"""The pictures of the report: what each variant makes of a scene, crops chosen by rule, and light to expose again."""

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hdrdata.files.exr import read_view
from hdrdata.files.ldr import decode_png
from hdrmodel.report.charts import format_number
from hdrmodel.report.inputs import Variant, check_file

PICTURES = ("input.png", "network.png", "truth.png", "network.exr", "truth.exr")
VIEW_NOTE, STRIP_NOTE = {"psnr_tonemapped": "tone-mapped", "psnr_pu21_gain": "PU21"}, {"psnr_ldr": "LDR"}
STRIPS = ("stack.png", "truth_stack.png")  # only of what generates a stack
LONGEST_PICTURE, LONGEST_STRIP = 768, 2304  # pixels; longer ones are shrunk for the page
MOST_SCENES = 12  # shown
OPENING, MOST_OPENING = "opening.png", 4  # at the top of the page
RADIANCE_PIXELS = 1_600_000  # in the whole page, at about 3 bytes each: 6 scenes of 3 variants and truth at 256 pixels
SMALLEST_RADIANCE = 256  # pixels a side: before it is shrunk further, scenes go without
SATURATED = 254  # `hdrdata.cameras.exposure.WHITE`, without the room of cameras, which a report does not need
CROP_SHARE = 4  # a crop's side is the picture's shorter one divided by this


@dataclass(frozen=True)
class Crop:
    """A square window of a picture."""

    label: str
    left: int
    top: int
    side: int
    reason: str

    def of(self, picture: np.ndarray) -> np.ndarray:
        return picture[self.top : self.top + self.side, self.left : self.left + self.side]


@dataclass(frozen=True)
class Shown:
    """Choice of the scenes on the page, and of the range of their light."""

    names: tuple[str, ...]
    of: int  # folders there are
    with_radiance: int  # the first so many of `names` can be exposed again
    longest: int  # pixels; radiance with a longer side is shrunk to it


def choose_scenes(variants: Sequence[Variant]) -> Shown:
    """The folders with pictures to show, by name; every variant must have the files of each.

    All the light of a page comes to at most RADIANCE_PIXELS: it is shrunk, to SMALLEST_RADIANCE at the least, and what
    then is still too much goes without.

    Raises:
        ValueError: naming a picture that is missing.
    """
    names = sorted({folder.name for variant in variants for folder in variant.pictures.glob("*/")})
    for variant in variants:
        for name in names:
            for picture in (*PICTURES, *(STRIPS if variant.kind == "attention" else ())):
                check_file(variant.pictures / name / picture)
    shown = names[:MOST_SCENES]
    maps = len(variants) + 1
    longest = max(SMALLEST_RADIANCE, math.isqrt(RADIANCE_PIXELS // (maps * max(len(shown), 1))))
    with_radiance = min(len(shown), max(1, RADIANCE_PIXELS // (maps * SMALLEST_RADIANCE**2)))
    return Shown((*shown,), len(names), with_radiance, longest)


def opening_pictures(variant: Variant, names: Sequence[str]) -> list[dict]:
    """Return what evaluation wrote of a few scenes: photograph, own light, prediction and truth side by side."""
    paths = [path for name in names if (path := variant.pictures / name / OPENING).is_file()]
    alt = f"Photograph, its own light, the prediction by {variant.label} and the truth,"
    return [_strip(path, path.parent.name, "", f"{alt} of {path.parent.name}") for path in paths[:MOST_OPENING]]


def scene_pictures(variants: Sequence[Variant], name: str, longest: int | None) -> dict:
    """The pictures of one scene as data URIs with captions and alternative texts: a row of views and rows of strips.

    Args:
        longest: of the radiance that is embedded, in pixels; None: none is.

    Raises:
        ValueError: naming a file that is not what it should be, or of another size than the input.
    """
    first = variants[0]
    facts = _facts(first, name)
    of = f"of view {facts['view']} under the camera response {facts['crf']}" if facts else f"of {name}"
    source = _read_picture(first.pictures / name / "input.png", None)
    truth = _read_picture(first.pictures / name / "truth.png", source.shape)
    crops = choose_crops(source, truth)

    def view(picture: np.ndarray, light: Path | None, caption: str, note: str, alt: str) -> dict:
        shrunk = shrink(picture, LONGEST_PICTURE)
        exact = light is None and longest is not None  # dark pixels of the input are exposed by up to 4 EV
        made: dict[str, Any] = {"uri": png_uri(shrunk) if exact else jpeg_uri(shrunk), "caption": caption, "note": note}
        made |= {"width": shrunk.shape[1], "height": shrunk.shape[0], "alt": f"{alt} {of}"}
        made |= {"crops": [png_uri(crop.of(picture)) for crop in crops], "radiance": None, "canvas": None}
        if longest is not None:
            made["canvas"] = shrink(picture, longest).shape[1::-1]
        if light is not None and longest is not None:
            radiance = shrink(_read_radiance(light, source.shape).astype(np.float32), longest)
            made["radiance"] = pack_radiance(radiance)
        return made

    views = [view(source, None, "Input", "LDR, EV 0", "The LDR input")]
    strips = []
    for variant in variants:
        folder = variant.pictures / name
        picture = _read_picture(folder / "network.png", source.shape)
        alt = f"Tone-mapped reconstruction by {variant.label}"
        views.append(view(picture, folder / "network.exr", variant.label, _note(variant, name, VIEW_NOTE), alt))
        if (folder / "stack.png").is_file():
            alt = f"Nine exposures made by {variant.label}, dark to bright,"
            caption = f"Generated stack, {variant.label}" if variant.kind == "attention" else f"Stack, {variant.label}"
            strips.append(_strip(folder / "stack.png", caption, _note(variant, name, STRIP_NOTE), f"{alt} {of}"))
    alt = "The true radiance, tone-mapped,"
    views.append(view(truth, first.pictures / name / "truth.exr", "Truth", "", alt))
    with_stack = [variant.pictures / name / "truth_stack.png" for variant in variants]
    for path in [path for path in with_stack if path.is_file()][:1]:
        strips.append(_strip(path, "True stack", "", f"Nine true exposures, dark to bright, {of}"))
    size = {"width": source.shape[1], "height": source.shape[0]}
    return {"name": name, "facts": facts, "views": views, "strips": strips, "crops": crops} | size


def _shown_row(variant: Variant, name: str) -> int | None:
    """The row of the scores of what a variant's pictures show, by the first seed; None if there is none."""
    rows, seed = variant.per_picture, str(variant.summary.seeds[0]) if variant.summary.seeds else ""
    found = np.flatnonzero((rows.key == name) & (rows.method == "network") & (rows.seed == seed))
    return int(found[0]) if len(found) else None


def _facts(variant: Variant, name: str) -> dict[str, str] | None:
    """The scene, view and camera response of a picture; None if there is no row."""
    rows, row = variant.per_picture, _shown_row(variant, name)
    return None if row is None else {"scene": rows.scene[row], "view": rows.view[row], "crf": rows.crf[row]}


def _note(variant: Variant, name: str, columns: dict[str, str]) -> str:
    """The scores under a picture, as far as there are any, with words on each."""
    row, values = _shown_row(variant, name), variant.per_picture.values
    known = [(values[key][row], words) for key, words in columns.items() if key in values and row is not None]
    return ", ".join(f"{format_number(value, 2)} dB {words}" for value, words in known if not math.isnan(value))


def _strip(path: Path, caption: str, note: str, alt: str) -> dict:
    picture = shrink(_read_picture(path, None), LONGEST_STRIP)
    size = {"width": picture.shape[1], "height": picture.shape[0]}
    return {"uri": jpeg_uri(picture, small=True), "caption": caption, "note": note, "alt": alt} | size


def _read_picture(path: Path, shape: tuple[int, ...] | None) -> UInt8[np.ndarray, "height width 3"]:
    try:
        picture = decode_png(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return _check_shape(path, picture, shape)


def _read_radiance(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return _check_shape(path, read_view(path), shape)


def _check_shape(path: Path, picture: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    if shape is not None and picture.shape != shape:
        found, wanted = (f"{size[1]}x{size[0]} pixels" for size in (picture.shape, shape))
        raise ValueError(f"{path}: {found}; expected {wanted}, as the input of the first variant has")
    return picture


# Crops


def choose_crops(
    source: UInt8[np.ndarray, "height width 3"], truth: UInt8[np.ndarray, "height width 3"]
) -> tuple[Crop, Crop]:
    """Two square windows a quarter of the shorter side wide, which do not overlap.

    A: the window with the most pixels that saturate the input in any channel; if none does, the one with the most
    texture. B: of the windows beside A, the one with the most texture: the largest sum of absolute differences between
    neighbouring pixels of the tone-mapped truth, over R, G and B. Of equal windows the first in reading order.

    Args:
        source: the input, display-referred.
        truth: the true radiance, tone-mapped.
    """
    side = max(1, min(source.shape[:2]) // CROP_SHARE)
    clipped = _window_sums(np.any(source >= SATURATED, axis=2), side)
    differences = truth.astype(np.int64)
    texture = np.zeros(truth.shape[:2], np.int64)
    texture[:, 1:] += np.abs(np.diff(differences, axis=1)).sum(axis=2)
    texture[1:] += np.abs(np.diff(differences, axis=0)).sum(axis=2)
    textured = _window_sums(texture, side)
    if clipped.max() > 0:
        top, left = np.unravel_index(clipped.argmax(), clipped.shape)
        reason = f"most saturated input pixels, {100 * clipped[top, left] / side**2:.0f} % of it"
    else:
        top, left = np.unravel_index(textured.argmax(), textured.shape)
        reason = "most texture; no input pixel is saturated"
    first = Crop("A", int(left), int(top), side, reason)
    rows, columns = np.indices(textured.shape)
    overlaps = (abs(rows - top) < side) & (abs(columns - left) < side)
    top, left = np.unravel_index(np.where(overlaps, -1, textured).argmax(), textured.shape)
    return first, Crop("B", int(left), int(top), side, "most texture elsewhere")


def _window_sums(values: np.ndarray, side: int) -> np.ndarray:
    """The sums of all square windows, by the row and column of their first pixel; exact: in whole numbers."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int64)
    sums[1:, 1:] = values.astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]


# Encodings


def shrink(picture: np.ndarray, longest: int) -> np.ndarray:
    """The picture, shrunk by area where its longer side is over `longest` pixels."""
    factor = longest / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = tuple(max(1, round(extent * factor)) for extent in picture.shape[1::-1])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def jpeg_uri(picture: UInt8[np.ndarray, "height width 3"], *, small: bool = False) -> str:
    """A JPEG as a data URI: quality 92 with colour at full resolution, or 85 with it at half, for thumbnails."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if small else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85 if small else 92]
    return _data_uri("jpeg", picture, [*quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling])


def png_uri(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    """A PNG, as small as it gets, as a data URI."""
    return _data_uri("png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _data_uri(kind: str, picture: np.ndarray, options: list[int]) -> str:
    content = cv2.imencode(f".{kind}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def encode_rgbe(radiance: Float[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 4"]:
    """Three mantissas and the exponent they share: radiance = mantissa 2^(exponent - 136).

    Ward, "Real Pixels", Graphics Gems II, 1991, with mantissas rounded to the nearest: the error is at most 1/256 of
    the pixel's largest channel.

    Args:
        radiance: linear RGB, finite, in [0, 2^127).
    """
    radiance = radiance.astype(np.float64)
    exponent = np.frexp(radiance.max(axis=2))[1]  # largest = fraction 2^exponent, fraction in [0.5, 1) or 0
    carried = np.rint(np.ldexp(radiance.max(axis=2), 8 - exponent)) > 255
    exponent = np.clip(exponent + carried, -128, 127)
    mantissas = np.rint(np.ldexp(radiance, 8 - exponent[..., None]))
    return np.concatenate([mantissas, exponent[..., None] + 128], axis=2).astype(np.uint8)


def pack_radiance(radiance: Float[np.ndarray, "height width 3"]) -> str:
    """Radiance for the page's script: the planes of RGBE, filtered so that little is left of them, deflated, in base64.

    Modulo 256, red and blue less green; then each byte less the one on its left, and of that the one above it.
    """
    planes = encode_rgbe(radiance).transpose(2, 0, 1).copy()
    planes[[0, 2]] -= planes[1]
    for axis in (2, 1):
        planes = np.diff(planes, axis=axis, prepend=np.uint8(0))
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()

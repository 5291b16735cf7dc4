"""Ultra HDR: the photograph as a JPEG that every program opens, with a gain map that makes it HDR where it is known."""

import io
import math
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image

from hdrdata.files.disk import write_bytes
from hdrdata.photos.colours.encodings import P3_TO_BT709, srgb_codes, srgb_light
from hdrdata.photos.colours.made import rgb_profile
from hdrmodel.outputs.bands import FINEST, Picture, Radiance, Scale, Source, bands, fill, notes_of
from hdrmodel.outputs.signals import tone_mapped
from hdrmodel.outputs.ultrahdr.gain_map import Gain, bare_jpeg, join_jpegs

# Measured on a photograph of 0.6 megapixels (data/photo.jpg): the base within 0.26 of a code (mean), light within 0.2 %
# (median) and 1.5 % (99th percentile), by libultrahdr's tables 0.6 and 2.7. With qualities of 98 the base within 0.40,
# light within 0.3 and 2.5, for four fifths of the bytes.
LONGEST_MAP = 2048  # pixels, below the finest quality
GAMMA = 0.5  # of the gain: finer steps where it is small, which is nearly everywhere
OFFSET = 1 / 64
STEP = 0.0078  # stops of quantisation a step of quality
WHITE = 203.0  # cd/m2 of a display's white
PEAK = 10_000.0  # cd/m2; as far as PQ reaches
SIDES = (1, 65500)  # pixels; JPEG's own limit is 65,535; libjpeg's, which nearly all readers use, is a little lower


def write_ultrahdr(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
    """Write an Ultra HDR JPEG: the photograph's own pixels with their profile, and a gain map of three channels.

    Photographs of sRGB and of Display P3 are the base as they are; of other primaries in Display P3, which all readers
    of gain maps know. Without a photograph, the base is the light, tone mapped by BT.2390. The gain is over the base as
    its JPEG decodes, so that it also mends what JPEG did to it, and has the range that is there, up to 10,000 cd/m2.
    """
    import imagecodecs

    base, to_bt709, icc = base_of(radiance, scale.nits, source.picture)
    own = source.picture.jpeg if source.picture is not None and base is source.picture.ldr else None
    jpeg = own or imagecodecs.jpeg8_encode(base, level=source.quality, subsampling="444")
    shown = linear_of(imagecodecs.jpeg8_decode(jpeg))
    light = np.empty(radiance.shape, np.float32)
    primaries = None if to_bt709 is None else np.linalg.inv(to_bt709)
    lost = fill(light, radiance, scale.nits / WHITE, PEAK / WHITE, lambda rows: rows, primaries)
    codes, gain = gain_of(shown, light, GAMMA if source.quality >= FINEST else 1.0)
    del light, shown
    shrink = LONGEST_MAP / max(codes.shape)
    if source.quality < FINEST and shrink < 1:
        size = max(1, round(codes.shape[1] * shrink)), max(1, round(codes.shape[0] * shrink))
        codes = cv2.resize(codes, size, interpolation=cv2.INTER_AREA)
    gain_map = encode_map(codes, source.quality, gain.high - gain.low)
    joined, long = join_jpegs(bytes(jpeg), bytes(gain_map), gain, icc, source.metadata)
    write_bytes(path, joined)
    return long + notes_of(lost, radiance, f"{PEAK:,.0f} cd/m2", "BT.709" if to_bt709 is None else "Display P3")


def base_of(
    radiance: Radiance, nits: float, picture: Picture | None
) -> tuple[UInt8[np.ndarray, "height width 3"], Float[np.ndarray, "3 3"] | None, bytes]:
    """Return the base image, the matrix of its light to BT.709 (None: it is BT.709's) and its colour profile.

    Args:
        nits: cd/m2 of 1 in `radiance`.
        picture: the photograph; None: its light is tone mapped, in Display P3 if colours are outside BT.709.
    """
    if picture is None:
        base = np.empty(radiance.shape, np.uint8)
        is_p3 = bool(radiance.min() < -1e-3)
        primaries = np.linalg.inv(P3_TO_BT709) if is_p3 else None
        brightest = min(float(radiance.max()) * nits, PEAK)

        def shown(light: np.ndarray) -> np.ndarray:
            return np.rint(255 * srgb_codes(tone_mapped(light, brightest, WHITE) / WHITE))

        fill(base, radiance, nits, brightest, shown, primaries)
        return base, P3_TO_BT709 if is_p3 else None, _profile(is_p3)
    is_p3 = picture.to_bt709 is not None and np.abs(picture.to_bt709 - P3_TO_BT709).max() < 2e-3
    if picture.to_bt709 is None or is_p3:
        return as_bytes(picture.ldr), picture.to_bt709, picture.icc or _profile(is_p3)
    base = np.empty(picture.ldr.shape, np.uint8)
    to_p3 = np.linalg.inv(P3_TO_BT709) @ picture.to_bt709
    for rows in bands(len(picture.ldr), picture.ldr.shape[1]):
        light = linear_of(picture.ldr[rows]).astype(np.float64) @ to_p3.T
        base[rows] = np.rint(255 * srgb_codes(light))
    return base, P3_TO_BT709, _profile(True)


def gain_of(
    shown: Float32[np.ndarray, "height width 3"], light: Float32[np.ndarray, "height width 3"], gamma: float = GAMMA
) -> tuple[UInt8[np.ndarray, "height width 3"], Gain]:
    """The codes of the gain from the base's light to the picture's, and what they mean.

    The highest gain is kept, of the lowest all but a thousandth of a band: there one code of the base is nearly all.
    """
    low, high = np.inf, -np.inf
    for rows in bands(*light.shape[:2]):
        stops = _stops(shown[rows], light[rows])
        low, high = min(low, float(np.percentile(stops, 0.1))), max(high, float(stops.max()))
    low = math.floor(low * 4096) / 4096  # numbers that every reader holds exactly
    high = max(math.ceil(high * 4096) / 4096, low + 1 / 64)
    codes = np.empty(light.shape, np.uint8)
    for rows in bands(*light.shape[:2]):
        share = np.clip((_stops(shown[rows], light[rows]) - low) / (high - low), 0, 1)
        codes[rows] = np.rint(255 * share**gamma)
    # A display that reaches all but the brightest thousandth shows the map in full; a stop over white at least.
    brightest = max(float(np.percentile(light.max(axis=2), 99.9)), 2.0)
    return codes, Gain(low, high, gamma, OFFSET, math.log2(brightest))


def encode_map(codes: UInt8[np.ndarray, "height width 3"], quality: int, range_stops: float) -> bytes:
    """Return a gain map as a progressive JPEG with one quantisation step for all frequencies.

    A map has edges where the photograph clips, and light is most wrong there: libjpeg's tables, for files of the same
    size, raise the 99th percentile of the error over clipped values by half. The step is a part of a stop, so pictures
    of little range do not pay for it: 0.0078 (100 - quality) stops, a fifth more for luma, because errors of chroma
    grow by up to 1.8 in RGB.
    """
    step = STEP * (100 - quality) * 255 / range_stops
    tables = [[min(max(each, 1), 255)] * 64 for each in (round(1.2 * step), math.floor(step))]
    encoded = b""
    for progressive in (False, True):
        file = io.BytesIO()
        Image.fromarray(codes).save(file, "JPEG", qtables=tables, subsampling=0, progressive=progressive)
        encoded = file.getvalue()
        if len(encoded) > codes[..., 0].size:  # Pillow's buffer for progressive files, a byte a pixel
            break
    return encoded


def _stops(shown: np.ndarray, light: np.ndarray) -> np.ndarray:
    return np.log2((light + np.float32(OFFSET)) / (shown + np.float32(OFFSET)))


def own_jpeg(content: bytes, ldr: np.ndarray) -> bytes | None:
    """Return a photograph's file if it is a JPEG that decodes to exactly these values, except for a decoder's rounding.

    So a photograph that was turned, converted or laid over a background is encoded again.
    """
    import imagecodecs

    if content[:3] != b"\xff\xd8\xff" or ldr.dtype != np.uint8:
        return None
    try:
        bare = bare_jpeg(content)
        decoded = imagecodecs.jpeg8_decode(bare)
    except Exception:  # damaged, cut short, or of a kind that this decoder does not read
        return None
    same = decoded.shape == ldr.shape and int(cv2.absdiff(decoded, ldr).max()) <= 2
    return bare if same else None


def linear_of(ldr: np.ndarray) -> Float32[np.ndarray, "height width 3"]:
    """Return the display light of 8 or 16 bits encoded by sRGB's curve, [0, 1]."""
    return _linear_table(np.iinfo(ldr.dtype).max)[ldr]


@cache
def _linear_table(most: int) -> Float32[np.ndarray, " levels"]:
    return srgb_light(np.arange(most + 1) / most).astype(np.float32)


def as_bytes(ldr: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    """8 bits of 8 or 16."""
    return ldr if ldr.dtype == np.uint8 else ((ldr.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _profile(is_p3: bool) -> bytes:
    return rgb_profile("Display P3", P3_TO_BT709) if is_p3 else rgb_profile("sRGB")

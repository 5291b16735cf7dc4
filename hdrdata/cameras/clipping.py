"""Clipped values of a lossy photograph, by the file's own quantisation tables and chroma subsampling."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8, UInt16

from hdrdata.cameras.crf import CameraResponse
from hdrdata.files.ldr import JPEG_LS, LOSSLESS, SOF, jpeg_segments

MOST_DEPTH = 16.0  # levels below white, where the coarsest quantisation leaves clipped values beside strong edges
HALF_NOISE = 2.0  # levels of quantisation noise that leave them half as far below white
RANGE_SHARE = 0.1  # of the range of the levels around a value: as far as quantisation moves it there
WINDOW = 17  # pixels: a value's own blocks of 8, or of 16 with subsampled chroma, whatever their grid
NEAR_WHITE = 250 / 255  # response at which the light below white is measured
DOUBTFUL = 230 / 255  # response at which nothing but the edge explains a value among clipped ones
SRGB_SPAN = 1 - ((NEAR_WHITE + 0.055) / 1.055) ** 2.4  # 0.044: light between it and white
HOLE = 9  # pixels: of narrower holes in clipped areas, levels near white are clipped too
ENCLOSED_SHARE = 1 / 3  # of the deepest bound: how far below white such levels are at most
SPECK, SPECK_SHARE = 3, 2  # the same of holes of one or two pixels, which are the peaks of ringing


Clipped = Bool[np.ndarray, "height width 3"]
Light = Float32[np.ndarray, "height width 3"]
Photograph = UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class ClipRule:
    """Distance below white, in levels of 255, at which a lossy file leaves clipped values."""

    least: float  # in smooth areas
    most: tuple[float, float, float]  # of red, green and blue, beside the strongest edges
    share: float = RANGE_SHARE  # of the range of the levels around a value


@dataclass(frozen=True)
class Quantisation:
    """Quantisation of a JPEG: a table for each component, and whether the chroma components are subsampled."""

    tables: tuple[Float64[np.ndarray, " 64"], ...]
    subsampled: bool
    encodes_rgb: bool  # the components are red, green and blue instead of luma and chroma


def clip_rule(noise: float, subsampled: bool) -> ClipRule:
    """Return the rule for quantisation noise s in levels: least 1 + s / 8, at most 3; most 16 s / (s + 2).

    Subsampled chroma adds a level in red and blue.
    """
    most = MOST_DEPTH * noise / (noise + HALF_NOISE)
    return ClipRule(min(1 + noise / 8, 3.0), (most + subsampled, most, most + subsampled))


def rule_for(rule: ClipRule | None, crf: CameraResponse) -> ClipRule | None:
    """Return the rule for a photograph of a known camera response, as `adapt_rule` does."""
    return None if rule is None else adapt_rule(rule, float(crf.inverse(np.array(NEAR_WHITE))))


def adapt_rule(rule: ClipRule, near_white: float) -> ClipRule:
    """Return the rule for a camera whose response reaches 250 / 255 at an exposure of `near_white`.

    Depths, in levels, are multiplied by (0.044 / span)^(2/3), where the span is the light between `near_white` and
    white: 0.044 for sRGB, 0.1 to 0.4 for cameras. The more light the levels near white stand for, the more unclipped
    values are among them, and the larger is the error of each. They are never deeper than for sRGB. Chosen on 31 views
    of training scenes through sRGB and three cameras.
    """
    share = (SRGB_SPAN / max(1 - near_white, SRGB_SPAN)) ** (2 / 3)
    red, green, blue = (share * depth for depth in rule.most)
    return replace(rule, least=max(share * rule.least, 1.0), most=(red, green, blue), share=share * rule.share)


LOSSY_RULE = clip_rule(3.3, subsampled=True)  # of lossy formats that do not state their quantisation: quality 95


def clip_rule_of_jpeg(content: bytes) -> ClipRule | None:
    """Return the rule for a JPEG, by its own quantisation tables and chroma subsampling; None if it is lossless.

    s^2 is the mean square error that uniform quantisation leaves, step^2 / 12, in luma plus in chroma: s = 3.3 levels
    at libjpeg's quality 95, 16 at 75. A file whose tables cannot be read counts as one of quality 95.

    Args:
        content: the file, or its beginning up to the pixels.
    """
    found = read_quantisation(content)
    if found is None:
        return None
    noise = [float(np.mean(np.square(table))) / 12 for table in found.tables]
    if not noise:
        return LOSSY_RULE
    variance = max(noise) if found.encodes_rgb else noise[0] + max(noise[1:], default=0.0)
    return clip_rule(variance**0.5, found.subsampled)


def read_quantisation(content: bytes) -> Quantisation | None:
    """Read the tables of a JPEG's components, as far as its segments are whole; None if it is lossless."""
    tables: dict[int, np.ndarray] = {}
    components: list[tuple[int, int]] = []  # sampling factors, number of the table
    encodes_rgb = False
    for marker, body, _ in jpeg_segments(content):
        if marker in LOSSLESS or marker == JPEG_LS:
            return None
        if marker == 0xDB:
            tables |= _tables_of(body)
        elif marker in SOF and len(body) >= 6:
            components = [(body[at + 1], body[at + 2]) for at in range(6, min(6 + 3 * body[5], len(body) - 2), 3)]
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            encodes_rgb = body[11] == 0
    found = tuple(tables[number] for _, number in components if number in tables)
    return Quantisation(found, len({sampling for sampling, _ in components[:3]}) > 1, encodes_rgb)


def _tables_of(body: bytes) -> dict[int, np.ndarray]:
    """Tables of one DQT segment, by number: 64 steps of 8 or 16 bits each."""
    tables, place = {}, 0
    while place < len(body):
        wide, number = body[place] >> 4, body[place] & 15
        size = 128 if wide else 64
        if place + 1 + size > len(body):
            break
        tables[number] = np.frombuffer(body, ">u2" if wide else "u1", 64, place + 1).astype(np.float64)
        place += 1 + size
    return tables


def clipped_values(ldr: Photograph, rule: ClipRule | None) -> Clipped:
    """Return which values of a photograph are clipped, channel by channel.

    A value is clipped from 255 - d on, where d is a share of the range of the levels in the 17x17 pixels around it, a
    tenth for sRGB, within the rule's bounds: quantisation leaves ringing beside strong edges, little in a smooth sky.
    So the levels of a smooth sky keep their light up to 251. Levels within a third of the deepest bound are also
    clipped where clipped values enclose them (a morphological closing), and levels within twice that bound in holes of
    one or two pixels: ringing reaches farther than the window, and would leave dark and coloured specks in panes and
    between branches.

    Args:
        ldr: levels of 8 or 16 bits.
        rule: None: only white is clipped.
    """
    white = np.iinfo(ldr.dtype).max
    if rule is None:
        return ldr == white
    window, hole, speck = (np.ones((side, side), np.uint8) for side in (WINDOW, HOLE, SPECK))
    clipped = np.empty(ldr.shape, bool)
    for channel, most in enumerate(rule.most):
        values = np.ascontiguousarray(ldr[:, :, channel])
        around = cv2.subtract(cv2.dilate(values, window), cv2.erode(values, window))
        least, deepest = rule.least * (white // 255), max(most, rule.least) * (white // 255)
        depth = np.clip(around * np.float32(rule.share), least, deepest)
        certain = values >= white - depth
        closed = cv2.morphologyEx(certain.astype(np.uint8), cv2.MORPH_CLOSE, hole)
        found = certain | np.logical_and(closed, values >= white - deepest * ENCLOSED_SHARE)
        closed = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, speck)
        clipped[:, :, channel] = found | np.logical_and(closed, values >= white - deepest * SPECK_SHARE)
    return clipped


def fill_clipped(ldr: Photograph, clipped: Clipped) -> Photograph:
    """Set clipped values to white; no other value changes."""
    return np.where(clipped, ldr.dtype.type(np.iinfo(ldr.dtype).max), ldr)


def limit_doubtful(light: Light, ldr: Photograph, clipped: Clipped) -> None:
    """Limit the light L of clipped values below level 250 in place, the more the darker they are.

    At level 230 and below the limit is max(4 / L, 1); up to 250, the share of log2 L that stays rises linearly. Light
    up to one stop above white, as of a sky, stays: such a value is ringing of its clipped neighbours. Beside a sun it
    more likely belongs to the dark side of the edge, so it is white. A limit without a transition made steps of some
    stops between neighbours, and gain maps larger by a third.
    """
    white = np.iinfo(ldr.dtype).max
    doubtful = clipped & (ldr < round(NEAR_WHITE * white))
    some = light[doubtful]
    limited = np.minimum(some, np.maximum(4 / some, 1))
    share = (ldr[doubtful] / np.float32(white) - DOUBTFUL) / (NEAR_WHITE - DOUBTFUL)
    light[doubtful] = limited * (some / limited) ** np.maximum(share, 0)

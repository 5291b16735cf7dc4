"""Which values of a JPEG are clipped, derived from the file's own quantisation tables and chroma subsampling."""

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, UInt8, UInt16

MOST_LEVELS = 8.0  # below white, where the coarsest quantisation leaves clipped values
HALF_NOISE = 2.0  # levels of quantisation noise at which clipped values are found half as far below white
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF markers
LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
LOSSY_LEVELS = (250, 250, 250)  # of other lossy formats, which do not state their quantisation: a JPEG of quality 95

Photograph = UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]
ClipLevels = tuple[int, int, int]  # of 255: red, green and blue values from here on are clipped


@dataclass(frozen=True)
class Quantisation:
    """Quantisation of a JPEG: a table for each component, and whether the chroma components are subsampled."""

    tables: tuple[Float64[np.ndarray, " 64"], ...]
    subsampled: bool
    encodes_rgb: bool  # the components are red, green and blue instead of luma and chroma


def clip_levels_of_jpeg(content: bytes) -> ClipLevels | None:
    """Return the levels from which on each channel of a JPEG counts as clipped; None if the JPEG is lossless.

    Quantisation moves clipped values below 255: by up to d levels, d = 8 s / (s + 2), one more in red and blue with
    subsampled chroma. s is the root of the summed mean squares of the errors that uniform quantisation leaves in luma
    and chroma, step^2 / 12 each. Levels are 255 - round(d): about 250 at libjpeg's quality 95, 248 at quality 75.
    Fitted to 12 held-out views at qualities 60 to 100: there the true mask of clipped values is worth at most 0.5 dB
    more. A table that cannot be read counts as that of quality 95.

    Args:
        content: the file, or its beginning up to the pixels.
    """
    found = read_quantisation(content)
    if found is None:
        return None
    if not found.tables:
        return LOSSY_LEVELS
    noise = [float(np.mean(np.square(table))) / 12 for table in found.tables]
    if found.encodes_rgb and len(noise) == 3:
        return tuple(255 - round(_depth(variance)) for variance in noise)
    depth = _depth(noise[0] + max(noise[1:], default=0.0))
    return tuple(255 - round(depth + more * found.subsampled) for more in (1, 0, 1))


def _depth(variance: float) -> float:
    deviation = variance**0.5
    return MOST_LEVELS * deviation / (deviation + HALF_NOISE)


def read_quantisation(content: bytes) -> Quantisation | None:
    """Read the tables of a JPEG's components, as far as its segments are whole; None if it is lossless."""
    tables: dict[int, np.ndarray] = {}
    components: list[tuple[int, int]] = []  # sampling factors, number of the table
    encodes_rgb, place = False, 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF or marker in ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        (size,) = struct.unpack_from(">H", content, place + 2)
        body = content[place + 4 : place + 2 + size]
        if marker in LOSSLESS or marker == 0xF7:  # F7: JPEG-LS
            return None
        if marker == 0xDB:
            tables |= _tables_of(body)
        elif marker in FRAMES and len(body) >= 6:
            components = [(body[at + 1], body[at + 2]) for at in range(6, min(6 + 3 * body[5], len(body) - 2), 3)]
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            encodes_rgb = body[11] == 0
        elif marker == 0xDA:
            break
        place += 2 + size
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


def clipped_values(ldr: Photograph, levels: ClipLevels) -> Bool[np.ndarray, "height width 3"]:
    """Return which values of a photograph are clipped: those of each channel from its level on.

    Args:
        ldr: levels of 8 or 16 bits.
        levels: of 255; see `clip_levels_of_jpeg`.
    """
    return ldr >= np.array(levels, ldr.dtype) * ldr.dtype.type(np.iinfo(ldr.dtype).max // 255)


def fill_clipped(ldr: Photograph, levels: ClipLevels) -> Photograph:
    """Set the values of each channel from its level on to white; no other value changes."""
    return np.where(clipped_values(ldr, levels), np.iinfo(ldr.dtype).max, ldr).astype(ldr.dtype)

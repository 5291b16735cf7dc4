"""Read a large Radiance picture in bands of rows: OpenCV alone would hold it twice."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

HEADER = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n"


def read_bands(
    path: Path, start: int, width: int, height: int, band_pixels: int
) -> Float32[np.ndarray, "height width 3"] | None:
    """Read the run-length encoded lines of a Radiance picture, a band at a time; each band is decoded by OpenCV.

    Args:
        start: where the first line begins in the file, in bytes.
        band_pixels: of a band; the memory on top of the picture is about 30 bytes each.

    Returns:
        linear RGB; None if a line is damaged or not encoded in the way that is usual since 1991.
    """
    if not 8 <= width <= 32767:
        return None
    picture = np.empty((height, width, 3), np.float32)
    rows, content, end = max(1, band_pixels // width), b"", 0
    with path.open("rb") as file:
        file.seek(start)
        for top in range(0, height, rows):
            count = min(rows, height - top)
            rest = content[end:]
            content = rest + file.read(count * (4 + 8 * width) - len(rest))  # no line is longer: runs of one pixel
            try:
                end = _end_of_lines(content, count, width)
            except IndexError:
                return None
            band = np.frombuffer(HEADER % (count, width) + content[:end], np.uint8)
            decoded = cv2.imdecode(band, cv2.IMREAD_UNCHANGED)
            if decoded is None:
                return None
            cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=picture[top : top + count])
    return picture


def _end_of_lines(content: bytes, lines: int, width: int) -> int:
    """Where the first `lines` lines of `content` end; IndexError if they do not."""
    mark, place = bytes([2, 2, width >> 8, width & 255]), 0
    for _ in range(lines):
        if content[place : place + 4] != mark:
            raise IndexError
        place += 4
        for _ in "RGBE":
            left = width
            while left > 0:
                code = content[place]  # over 128: a run of the byte that follows; else so many bytes as they are
                if code > 128:
                    left -= code - 128
                    place += 2
                else:
                    left -= code
                    place += code + 1
    return place

"""The radiance member of a sample: half floats without loss, in a twentieth of the bytes of their 45 PNGs.

A file `radiance.zst` is an ordinary Zstandard file, whose first frame, skipped by every decoder, states the size of the
image, so that a reader finds it in the first 20 bytes. The second holds two planes of bytes, low and high, of
residuals: of each of the planes R, G and B every second row less the mean of the rows above and below it, the same
again of the rows that are left, and so on; R and B less G; all plus 128, so that most high bytes are 0. All arithmetic
is on the bits of the half floats as unsigned 16-bit integers, which rise as the logarithm of the light does.

Chosen by `benchmarks/codecs.py`: no loss, at most 1/12 of the bytes of the pixels form, a decoder that leaves time
for the look-up, few dependencies. Views of 512x512 from real scenes, 13.1 MB a view in pixels form, one thread of a
busy machine, milliseconds to encode and decode:

    .npy                         1573 kB  1/8.3    0.9   0.3   no
    blosc2, lz4 and shuffle      1160 kB  1/11.3   2.8   0.6   no
    zstd 1 of byte planes         950 kB  1/13.8   5.0   1.1   the second best: 1/12.2 on other views
    OpenEXR ZIP                   846 kB  1/15.5  21.6   4.5   a standard file, but twice the time
    zstd 1 of predicted rows      689 kB  1/19.0   5.7   2.3   this one
    JPEG XL, effort 1             634 kB  1/20.7   6.6   8.0
    OpenEXR HTJ2K                 590 kB  1/22.2   6.6   4.1   needs OpenEXR 3.4 to read; the smallest of the fast
"""

import struct

import cv2
import numpy as np
import zstandard
from jaxtyping import Float16

EXTENSION = "radiance.zst"
ENCODER = f"zstd {'.'.join(map(str, zstandard.ZSTD_VERSION))}"  # another version may write other bytes
LEVEL = 1
HEAD = struct.Struct("<IIII4s")  # of the frame that decoders skip: magic number, bytes that follow, height, width, kind
SKIPPED, KIND = 0x184D2A50, b"half"  # RFC 8878, 3.1.2
MAX_PIXELS = 1 << 26  # of 6 bytes: what a head may claim
LARGEST = 0x7BFF  # the bits of 65504; those above are infinite, NaN or negative


def encode_radiance(half: Float16[np.ndarray, "height width 3"]) -> bytes:
    """Compress linear radiance; the same picture and version of Zstandard give the same bytes.

    Raises:
        ValueError: if a value is negative (-0.0, too), infinite or NaN, or the picture has no or too many pixels.
    """
    height, width = half.shape[:2]
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"{height}x{width} pixels; expected 1 to {MAX_PIXELS}")
    bits = np.ascontiguousarray(half).view(np.uint16)
    if bits.max() > LARGEST:
        raise ValueError("radiance holds negative, infinite or NaN values; expected finite half floats >= 0")
    planes = np.stack(cv2.split(bits))  # (channel, height, width)
    for step in _steps(height):
        even, odd = planes[:, :: 2 * step], planes[:, step :: 2 * step]
        odd -= _rows_between(even, odd.shape[1])
    planes[::2] -= planes[1]
    planes += 128
    low_and_high = np.ascontiguousarray(planes.astype("<u2", copy=False).view(np.uint8).reshape(-1, 2).T)
    body = zstandard.ZstdCompressor(LEVEL, write_checksum=True).compress(low_and_high.data)
    return HEAD.pack(SKIPPED, HEAD.size - 8, height, width, KIND) + body


def decode_radiance(content: bytes) -> Float16[np.ndarray, "height width 3"]:
    """Undo `encode_radiance`; memory is bounded by `MAX_PIXELS`, whatever the bytes claim.

    Raises:
        ValueError: if the bytes are damaged or anything else.
    """
    height, width = radiance_size(content)
    try:
        frame = memoryview(content)[HEAD.size :]
        claimed = zstandard.get_frame_parameters(frame).content_size
        if claimed != 6 * height * width:
            raise ValueError(f"radiance of {height}x{width} pixels in {claimed} bytes; expected {6 * height * width}")
        raw = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"damaged radiance: {error}") from error
    low, high = np.frombuffer(raw, np.uint8).reshape(2, 3 * height, width)
    planes = cv2.merge([low, high]).view("<u2").astype(np.uint16, copy=False).reshape(3, height, width)
    planes -= 128
    planes[::2] += planes[1]
    for step in reversed(_steps(height)):
        even, odd = planes[:, :: 2 * step], planes[:, step :: 2 * step]
        odd += _rows_between(even, odd.shape[1])
    if planes.max() > LARGEST:
        raise ValueError("damaged radiance: negative, infinite or NaN values; expected finite half floats >= 0")
    return cv2.merge(list(planes)).view(np.float16)


def radiance_size(content: bytes) -> tuple[int, int]:
    """Height and width in pixels, from the first 20 bytes of what `encode_radiance` returned.

    Raises:
        ValueError: if the bytes do not begin as those do.
    """
    if len(content) < HEAD.size:
        raise ValueError(f"{len(content)} bytes are not a radiance map; expected more than {HEAD.size}")
    magic, following, height, width, kind = HEAD.unpack_from(content)
    if (magic, following, kind) != (SKIPPED, HEAD.size - 8, KIND):
        raise ValueError(f"bytes that begin with {content[: HEAD.size].hex()} are not a radiance map of half floats")
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"radiance of {height}x{width} pixels; expected 1 to {MAX_PIXELS}")
    return height, width


def _steps(height: int) -> list[int]:
    """1, 2, 4 ... below `height`: the distance of a row from those that predict it."""
    return [1 << power for power in range((height - 1).bit_length())]


def _rows_between(even: np.ndarray, rows: int) -> np.ndarray:
    """Predict `rows` rows between those of `even`: the mean of both neighbours, or the upper alone."""
    between = even[:, :rows].copy()
    lower = even[:, 1:]
    pairs = between[:, : lower.shape[1]]
    pairs += lower  # no overflow: bits of half floats >= 0 are below 2**15
    pairs >>= 1
    return between

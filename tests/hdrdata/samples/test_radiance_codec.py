"""The radiance member: exact for every half float that is light, and an error for all other bytes."""

import io
import struct

import numpy as np
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hdrdata.samples.radiance_codec import (
    HEAD,
    KIND,
    LARGEST,
    MAX_PIXELS,
    SKIPPED,
    decode_radiance,
    encode_radiance,
    radiance_size,
)

SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 9), st.just(3))
LIGHT = arrays.arrays(np.uint16, SHAPES, elements=st.integers(0, LARGEST)).map(lambda bits: bits.view(np.float16))
PICTURE = np.random.default_rng(3).uniform(0, 60000, (12, 5, 3)).astype(np.float16)


@given(LIGHT)
def test_every_half_float_that_is_light_comes_back(half):
    content = encode_radiance(half)
    assert (decode_radiance(content).view(np.uint16) == half.view(np.uint16)).all()
    assert radiance_size(content[: HEAD.size]) == half.shape[:2]


@pytest.mark.parametrize("value", [0.0, 2.0**-24, 2.0**-14, 1.0, 65504.0])  # 2**-24 is the least subnormal
@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (8, 1), (7, 3), (64, 64), (257, 3)])
def test_flat_pictures_of_any_shape_come_back(shape, value):
    half = np.full((*shape, 3), value, np.float16)
    assert (decode_radiance(encode_radiance(half)) == half).all()


def test_all_31744_values_of_light_come_back_in_any_order():
    bits = np.random.default_rng(0).permutation(LARGEST + 1).astype(np.uint16)  # 31,744 = 124 * 256
    half = np.stack([bits, bits[::-1], np.sort(bits)], axis=-1).reshape(124, 256, 3).view(np.float16)
    assert (decode_radiance(encode_radiance(half)) == half).all()


def test_a_part_of_a_picture_is_taken_as_it_is():
    half = np.asfortranarray(PICTURE)[1::2, ::-1]
    assert (decode_radiance(encode_radiance(half)) == half).all()


@pytest.mark.parametrize("value", [-0.0, -1.0, np.inf, np.nan])
def test_what_is_no_light_is_refused(value):
    half = PICTURE.copy()
    half[3, 2, 1] = value
    with pytest.raises(ValueError, match="negative, infinite or NaN values; expected finite half floats >= 0"):
        encode_radiance(half)


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match=r"0x5 pixels; expected 1 to"):
        encode_radiance(PICTURE[:0])


def test_smooth_light_takes_a_third_of_its_bytes():
    row, column = np.mgrid[0:128, 0:128] / 128
    half = np.exp(3 * np.sin(5 * row) + column)[..., None].repeat(3, axis=2).astype(np.float16)
    assert len(encode_radiance(half)) < half.nbytes / 3


@given(st.integers(0, 8 * 394 - 1))  # the file has 394 bytes
@example(8 * 24 + 4)  # bit 4 of a frame's descriptor has no meaning (RFC 8878, 3.1.1.1.1.3)
def test_any_flipped_bit_is_an_error_or_the_same_picture(bit):
    content = bytearray(encode_radiance(PICTURE))
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    try:
        assert (decode_radiance(bytes(content)) == PICTURE).all()
        assert bit == 8 * 24 + 4
    except ValueError:
        assert bit != 8 * 24 + 4


@given(st.data())
def test_cut_grown_and_foreign_bytes_are_errors(data):
    content = encode_radiance(PICTURE)
    wrong = data.draw(
        st.one_of(
            st.integers(0, len(content) - 1).map(lambda end: content[:end]),
            st.binary(min_size=1, max_size=20).map(lambda more: content + more),
            st.binary(max_size=60),
            st.binary(max_size=60).map(lambda body: content[: HEAD.size] + body),
        )
    )
    with pytest.raises(ValueError):
        decode_radiance(wrong)


def test_a_head_that_claims_much_is_refused_before_memory_is_taken():
    body = encode_radiance(PICTURE)[HEAD.size :]
    for height, width in [(1 << 16, 1 << 16), (0, 5), (MAX_PIXELS, 2), (2**32 - 1, 2**32 - 1)]:
        with pytest.raises(ValueError, match=rf"{height}x{width} pixels; expected 1 to {MAX_PIXELS}"):
            decode_radiance(HEAD.pack(SKIPPED, 12, height, width, KIND) + body)
    with pytest.raises(ValueError, match=r"8192x8192 pixels in 360 bytes; expected 402653184"):
        decode_radiance(HEAD.pack(SKIPPED, 12, 8192, 8192, KIND) + body)
    # a frame that unpacks to more than it claims: 20 MB of zeros, behind the head of one that claims 180
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(20_000_000))
    with pytest.raises(ValueError, match="expected 360"):
        decode_radiance(HEAD.pack(SKIPPED, 12, 12, 5, KIND) + bomb)


def test_values_that_are_no_light_in_a_whole_file_are_an_error():
    frame = zstandard.ZstdCompressor().compress(bytes([0xFF] * 6))  # residuals of a single pixel
    with pytest.raises(ValueError, match="negative, infinite or NaN"):
        decode_radiance(HEAD.pack(SKIPPED, 12, 1, 1, KIND) + frame)


def test_ten_lines_of_numpy_and_zstandard_read_the_file():
    file = io.BytesIO(encode_radiance(PICTURE))
    height, width = struct.unpack("<8xII4x", file.read(20))
    low, high = np.frombuffer(zstandard.decompress(file.read()), np.uint8).reshape(2, 3, height, width)
    red, green, blue = low + high * np.uint16(256) - np.uint16(128)
    planes = np.stack([red + green, green, blue + green])
    for step in reversed([2**power for power in range((height - 1).bit_length())]):
        even, odd = planes[:, :: 2 * step], planes[:, step :: 2 * step]
        below = np.append(even[:, 1:], even[:, -1:], axis=1)
        odd += ((even + below) // 2)[:, : odd.shape[1]]
    assert (planes.transpose(1, 2, 0).view(np.float16) == PICTURE).all()


def test_the_bytes_of_a_picture_are_these():
    # 2x1 pixels, bits R 1000 1010, G 2000 2004, B 3000 3300: the second row less the first 10, 4, 300; less G's 6, 4,
    # 296; the first row -1000, 2000, 1000; plus 128: R 64664 134, G 2128 132, B 1128 424; low bytes, then high ones
    half = np.array([[[1000, 2000, 3000]], [[1010, 2004, 3300]]], np.uint16).view(np.float16)
    planes = bytes([152, 134, 80, 132, 104, 168, 252, 0, 8, 0, 4, 1])
    content = encode_radiance(half)
    assert content[:20] == bytes.fromhex("502a4d18 0c000000 02000000 01000000") + b"half"
    assert zstandard.decompress(content[20:]) == planes

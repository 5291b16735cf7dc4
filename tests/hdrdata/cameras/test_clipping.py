"""Clipped values of a JPEG: levels by its own tables, and values below them unchanged."""

import io

import numpy as np
import pytest
from PIL import Image

from hdrdata.cameras.clipping import LOSSY_LEVELS, clip_levels_of_jpeg, clipped_values, fill_clipped


def jpeg(ldr: np.ndarray, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(ldr).save(content, "JPEG", **options)
    return content.getvalue()


NOISE = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def test_clip_levels_fall_with_the_quality_and_with_subsampled_chroma():
    # d = 8 s / (s + 2) with s from libjpeg's tables: 3.27 at quality 95 gives 5, 16.4 at 75 gives 7.1, 0.41 at 100 1.4
    levels = {quality: clip_levels_of_jpeg(jpeg(NOISE, quality=quality, subsampling=0)) for quality in (100, 95, 75)}
    assert levels == {100: (254, 254, 254), 95: (250, 250, 250), 75: (248, 248, 248)}
    assert clip_levels_of_jpeg(jpeg(NOISE, quality=95, subsampling=2)) == (249, 250, 249)


def test_grey_and_rgb_jpegs_have_clip_levels_of_their_own_tables():
    grey = clip_levels_of_jpeg(jpeg(NOISE[..., 0], quality=75))
    assert grey == (248, 248, 248)  # s = 9.75: d = 6.6
    assert clip_levels_of_jpeg(jpeg(NOISE, quality=75, keep_rgb=True)) == grey  # luma's table for each channel


def test_damaged_and_lossless_jpegs():
    content = jpeg(NOISE, quality=90)
    assert clip_levels_of_jpeg(content[:20]) == LOSSY_LEVELS
    for end in range(0, len(content), 7):
        clip_levels_of_jpeg(content[:end])  # raises nothing
    assert clip_levels_of_jpeg(b"\xff\xd8\xff\xc3\0\x0b\x08\0\x04\0\x04\x01\1\x11\0") is None


@pytest.mark.parametrize("scale", [1, 257])
def test_values_below_the_clip_level_never_change(scale):
    ldr = (NOISE.astype(np.uint16) * scale).astype(np.uint8 if scale == 1 else np.uint16)
    filled = fill_clipped(ldr, (248, 250, 252))
    clipped = np.array([248, 250, 252]) <= NOISE
    assert (clipped_values(ldr, (248, 250, 252)) == clipped).all()
    assert (filled[clipped] == 255 * scale).all() and (filled[~clipped] == ldr[~clipped]).all()
    assert filled.dtype == ldr.dtype


@pytest.mark.parametrize("quality", [60, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_nearly_all_clipped_values_of_a_smooth_picture_are_found_and_no_value_below_them(quality, subsampling):
    y, x = np.mgrid[0:96, 0:96] / 95
    true = np.clip(300 * np.exp(-4 * ((x - 0.4) ** 2 + (y - 0.6) ** 2))[..., None] * [1.0, 0.97, 0.9], 0, 255)
    content = jpeg(np.rint(true).astype(np.uint8), quality=quality, subsampling=subsampling)
    ldr = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    clipped = clipped_values(ldr, clip_levels_of_jpeg(content))
    assert clipped[true >= 255].mean() > 0.97
    assert not clipped[true < 240].any()

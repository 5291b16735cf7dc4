"""Clipped values of a JPEG: a rule by its own tables; values clearly below white never change."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from hdrdata.cameras.clipping import (
    LOSSY_RULE,
    ClipRule,
    clip_rule_of_jpeg,
    clipped_values,
    fill_clipped,
    limit_doubtful,
    rule_for,
)
from hdrdata.cameras.crf import gamma_crf, srgb_crf


def jpeg(ldr: np.ndarray, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(ldr).save(content, "JPEG", **options)
    return content.getvalue()


NOISE = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def test_the_rule_follows_the_quality_and_the_chroma_subsampling():
    # s from libjpeg's tables: 0.41 at quality 100, 3.27 at 95, 16.4 at 75; most = 16 s / (s + 2), least = 1 + s / 8
    rules = [clip_rule_of_jpeg(jpeg(NOISE, quality=quality, subsampling=0)) for quality in (100, 95, 75)]
    assert [round(rule.most[1], 1) for rule in rules] == [2.7, 9.9, 14.3]
    assert [round(rule.least, 2) for rule in rules] == [1.05, 1.41, 3.0]
    red, green, blue = clip_rule_of_jpeg(jpeg(NOISE, quality=95, subsampling=2)).most
    assert red == blue == green + 1 and green == rules[1].most[1]


def test_grey_and_rgb_jpegs_follow_their_own_tables():
    grey = clip_rule_of_jpeg(jpeg(NOISE[..., 0], quality=75))
    assert round(grey.most[0], 1) == 13.3  # s = 9.75
    assert clip_rule_of_jpeg(jpeg(NOISE, quality=75, keep_rgb=True)) == grey  # luma's table for each channel


def test_damaged_and_lossless_jpegs():
    content = jpeg(NOISE, quality=90)
    assert clip_rule_of_jpeg(content[:20]) == LOSSY_RULE
    for end in range(0, len(content), 7):
        clip_rule_of_jpeg(content[:end])  # raises nothing
    assert clip_rule_of_jpeg(b"\xff\xd8\xff\xc3\0\x0b\x08\0\x04\0\x04\x01\1\x11\0") is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_values_clearly_below_white_never_change_and_smooth_areas_hardly_do(dtype):
    scale = np.iinfo(dtype).max // 255
    rule = clip_rule_of_jpeg(jpeg(NOISE, quality=30, subsampling=2))
    ldr = NOISE.astype(dtype) * dtype(scale)
    filled = fill_clipped(ldr, clipped_values(ldr, rule))
    assert filled.dtype == dtype and (filled[NOISE < 222] == ldr[NOISE < 222]).all()
    assert (filled[NOISE >= 240] == 255 * scale).all()  # full range around every value
    sky = np.full((40, 40, 3), 250, dtype) * dtype(scale)
    sky[:, 20:] = 254 * scale
    assert (clipped_values(sky, rule) == (sky == 254 * scale)).all()
    assert (clipped_values(sky, None) == (sky == 255 * scale)).all()


@pytest.mark.parametrize("quality", [60, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_clipped_values_around_branches_are_found(quality, subsampling):
    true = np.full((96, 96, 3), 255, np.uint8)
    for place in range(0, 96, 12):
        cv2.line(true, (place, 0), (95 - place, 95), (40, 44, 30), 2)
    content = jpeg(true, quality=quality, subsampling=subsampling)
    ldr = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    clipped = clipped_values(ldr, clip_rule_of_jpeg(content))
    far = cv2.erode(true[..., 1], np.ones((5, 5), np.uint8)) == 255  # two pixels from every branch
    assert clipped[far].mean() > 0.99
    assert not clipped[true < 255].any()


def test_levels_near_white_that_clipped_values_enclose_are_clipped_and_open_ones_are_not():
    """A hole of four pixels in white, and the same levels as half of an image; the bounds are 2 and 12 levels."""
    rule = ClipRule(2.0, (12.0, 12.0, 12.0))
    enclosed = np.full((40, 40, 3), 255, np.uint8)
    enclosed[18:22, 18:22] = 252  # 3 below white: more than 2, at most a third of 12
    assert clipped_values(enclosed, rule).all()
    enclosed[18:22, 18:22] = 249  # 6 below white
    assert clipped_values(enclosed, rule).sum() == 3 * (40 * 40 - 4 * 4)
    speck = np.full((40, 40, 3), 255, np.uint8)
    speck[18:20, 18:20], speck[30, 30] = 231, 230  # 24 below white, twice the deepest bound; and one level more
    assert (clipped_values(speck, rule) == (speck > 230)).all()
    half = np.full((40, 40, 3), 255, np.uint8)
    half[:, 20:] = 252
    assert clipped_values(half, rule).sum() == 3 * 40 * 20


def test_a_response_that_is_steep_near_white_has_a_shallow_rule():
    rule = ClipRule(3.0, (12.0, 12.0, 12.0))
    assert rule_for(None, srgb_crf()) is None
    for crf in (srgb_crf(), gamma_crf("linear", 1.0)):  # not deeper than for sRGB
        assert rule_for(rule, crf).most == pytest.approx(rule.most)
    # f = x^(1/n) has the span 1 - (250/255)^n: 0.1465 for n = 8; 0.0440 of sRGB is 0.300 of it; 0.300^(2/3) = 0.4486
    steep = rule_for(rule, gamma_crf("steep", 1 / 8))
    assert steep.most == pytest.approx([12 * 0.4486] * 3, rel=2e-3) and steep.share == pytest.approx(0.04486, rel=2e-3)
    assert steep.least == pytest.approx(3 * 0.4486, rel=2e-3)
    assert rule_for(rule, gamma_crf("step", 1 / 200)).least == 1


def test_clipped_values_far_below_white_are_not_the_sun():
    ldr = np.array([[[255, 249, 249], [250, 240, 251], [230, 200, 240]]], np.uint8)
    light, clipped = np.full((1, 3, 3), 40, np.float32), ldr > 0
    clipped[0, 0, 2] = False  # and 249, which is not clipped, keeps its light
    light[0, 1, 1] = 2.5  # of a sky: its limit is 4 / 2.5; the sun is 40
    limit_doubtful(light, ldr, clipped)
    expected = [40, 40**0.95, 40, 40, 1.6 * (2.5 / 1.6) ** 0.5, 40, 1, 1, 40**0.5]
    assert light.ravel() == pytest.approx(expected, rel=1e-5)


def test_sixteen_bits_are_limited_as_eight():
    ldr = np.arange(225, 256, dtype=np.uint8).repeat(3).reshape(1, 31, 3)
    lights = [np.full((1, 31, 3), 9, np.float32) for _ in range(2)]
    limit_doubtful(lights[0], ldr, ldr > 0)
    limit_doubtful(lights[1], ldr.astype(np.uint16) * 257, ldr > 0)
    np.testing.assert_allclose(*lights, rtol=1e-4)
    assert (np.diff(lights[0][0, :, 0]) >= 0).all()

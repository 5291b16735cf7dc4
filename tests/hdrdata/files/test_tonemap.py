"""Tone mapping for the eye: in range, blind to scale, in RGB order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.files.tonemap import to_uint8, tonemap_reinhard


def test_a_tone_mapped_scene_is_display_referred(scene_radiance):
    mapped = tonemap_reinhard(scene_radiance(0))
    assert mapped.dtype == np.float32 and mapped.shape == (128, 256, 3)
    assert mapped.min() >= 0 and mapped.max() <= 1
    assert mapped.std() > 0.05


@given(st.integers(-10, 10))
def test_the_result_does_not_depend_on_scale(stops):
    radiance = np.random.default_rng(0).exponential(1, (16, 16, 3)).astype(np.float32)
    scaled = (radiance * 2.0**stops).astype(np.float32)
    assert np.allclose(tonemap_reinhard(scaled), tonemap_reinhard(radiance), rtol=0, atol=1e-4)


def test_red_stays_red():
    radiance = np.random.default_rng(0).uniform(0.1, 1, (16, 16, 3)).astype(np.float32)
    radiance[:, :, 0] *= 4
    mapped = tonemap_reinhard(radiance).mean(axis=(0, 1))
    assert mapped[0] > mapped[1] and mapped[0] > mapped[2]


def test_display_values_are_rounded_to_8_bits():
    assert to_uint8(np.array([-1.0, 0.0, 0.5, 0.998, 1.0, 2.0])).tolist() == [0, 0, 128, 254, 255, 255]

"""What the pixels of a scene look like, and what `check` reports about them."""

import cv2
import numpy as np
import pytest
from shared_files import SHARED

from hdrdata.files.radiance import check_radiance
from hdrdata.views.looks import find_alike, look_at


def light(height=96, width=128, seed=0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    coarse = np.exp(generator.uniform(-3, 3, (6, 8, 3)))
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def test_a_plain_scene_has_nothing_to_report():
    assert look_at(light()).lines() == []


def test_light_that_is_clipped_at_its_own_maximum_is_reported_with_its_share():
    clipped = np.minimum(light(), np.float32(4))
    share = float((clipped == 4).mean())
    looks = look_at(clipped)
    assert looks.clipped_share == pytest.approx(share) and share > 0.01
    assert looks.lines() == [f"clipped: {share:.2%} of the values are at its maximum 4"]
    assert look_at((light() * 1e5).clip(0, 65504).astype(np.float16)).lines()[0].endswith(", the largest half float")


def test_black_pixels_are_reported_with_their_share():
    scene = light()
    scene[:24] = 0
    assert look_at(scene).lines() == ["25.0% of the pixels are black"]


def cross(across: int, down: int) -> np.ndarray:
    size = 32
    cells = np.zeros((down, size, across, size, 3), np.float32)
    cells[1], cells[:, :, 1] = 1, 1
    return cells.reshape(down * size, across * size, 3) * light(down * size, across * size)


@pytest.mark.parametrize("across, down", [(4, 3), (3, 4)])
def test_a_cube_cross_is_named(across, down):
    assert look_at(cross(across, down)).layout == "cube cross"
    assert look_at(light(down * 32, across * 32)).layout == ""


def test_an_angular_map_is_named():
    y, x = np.mgrid[:96, :96] - 47.5
    assert look_at(light(96, 96) * (np.hypot(x, y) < 48)[:, :, None]).layout == "angular map"
    assert look_at(light(96, 96)).layout == ""


def test_a_file_that_looks_encoded_is_reported():
    linear = light() / light().max()
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)
    assert look_at(encoded).encoded and not look_at(linear).encoded


def test_one_scene_in_two_sizes_and_exposures_is_found():
    half = cv2.resize(light() * 3, (64, 48), interpolation=cv2.INTER_AREA)
    looks = {"a_2k": light(), "a_1k": half, "b": light(seed=1)}
    assert find_alike({name: look_at(scene).thumbnail for name, scene in looks.items()}) == {
        "a_2k": ["a_1k"], "a_1k": ["a_2k"]
    }  # fmt: skip
    assert find_alike({}) == {}


@pytest.mark.skipif(not (SHARED / "wild").is_dir(), reason="there is no shared/wild beside the repository")
def test_the_sample_files_are_reported():
    for name, words in (("clipped_at_1.exr", "at its maximum 1"), ("sun_65504.exr", "the largest half float")):
        radiance, _ = check_radiance(SHARED / "wild" / "hdr" / name, 0.01)
        assert any(line.startswith("clipped: ") and words in line for line in look_at(radiance).lines())

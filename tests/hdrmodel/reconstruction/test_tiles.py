"""Tiles of a frame are the frame, whatever the attention; levels become light at the middle of their step."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stirred_network import stirred_network

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.merge import look_up_exposure
from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.batches import to_ldr
from hdrmodel.networks.hdr_attnet import pad_by_reflection
from hdrmodel.networks.unet import STRIDE
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.reconstruction.tiles import (
    TILE_BYTES,
    WHOLE_BYTES,
    Box,
    Frame,
    TorchSubnetwork,
    choose_tiles,
    subnetworks_of,
    tiles_of,
)


class Asked:
    """What `choose_tiles` asks of a subnetwork; it is never run."""

    look = run = print

    def __init__(self, margin, pixel_bytes=1):
        self.margin, self.pixel_bytes = margin, pixel_bytes


@given(st.data(), st.integers(1, 150), st.integers(1, 150), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_a_part_of_a_frame_is_that_of_the_whole_picture_continued_by_reflection(data, height, width, dtype):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(dtype)
    frame = Frame(picture)
    whole = pad_by_reflection(torch.from_numpy(to_ldr(picture)).permute(2, 0, 1)[None], STRIDE)
    assert (frame.height, frame.width) == whole.shape[2:]
    top, left = data.draw(st.integers(0, frame.height - 1)), data.draw(st.integers(0, frame.width - 1))
    bottom = data.draw(st.integers(top + 1, frame.height))
    right = data.draw(st.integers(left + 1, frame.width))
    assert torch.equal(frame.read(Box(top, left, bottom, right)), whole[..., top:bottom, left:right])


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20))
def test_tiles_cover_each_pixel_once_and_are_no_larger_than_asked(rows, columns, core):
    covered = np.zeros((rows, columns), int)
    boxes = tiles_of(rows * STRIDE, columns * STRIDE, core * STRIDE)
    for box in boxes:
        assert all(side % STRIDE == 0 for side in box)
        assert 0 < box.bottom - box.top <= core * STRIDE and 0 < box.right - box.left <= core * STRIDE
        covered[box.top // STRIDE : box.bottom // STRIDE, box.left // STRIDE : box.right // STRIDE] += 1
    assert (covered == 1).all()
    assert len(boxes) == -(-rows // core) * -(-columns // core)  # and no more of them than that takes


def test_tiles_are_cut_at_multiples_of_64_alone():
    with pytest.raises(AssertionError):
        tiles_of(192, 192, 100)  # two rows, of which one would have 128


def test_8_bits_are_shares_of_255_and_16_bits_of_65535():
    assert to_ldr(np.array([0, 51, 255], np.uint8)) == pytest.approx([0, 0.2, 1])  # 51 = 255 / 5
    levels = to_ldr(np.array([0, 13107, 65535], np.uint16))  # 13107 = 65535 / 5
    assert levels == pytest.approx([0, 0.2, 1]) and levels.dtype == np.float32
    assert to_ldr(np.array([0.25], np.float32)) == 0.25


@pytest.mark.parametrize("name", named_crfs())
def test_the_light_of_a_16_bit_photograph_is_that_of_the_middle_of_its_own_step(name):
    crf = replace(named_crfs()[name], levels="round65535")
    levels = np.arange(0, 65536, 7, dtype=np.uint16)
    expected = crf.inverse(levels / 65535)
    assert np.abs(look_up_exposure(to_ldr(levels), crf) - expected).max() < 1e-4  # what the table is good for


def photograph(height=130, width=330):
    """Smooth, coloured, with noise, brighter to the right; much is nearly black or white, where the network tells."""
    row, column = np.mgrid[:height, :width]
    waves = np.sin(column[..., None] / 37 + np.arange(3)) * np.cos(row / 29)[..., None]
    noise = np.random.default_rng(0).normal(0, 0.02, (height, width, 3))
    light = 1.4 * column[..., None] / width - 0.3 + 0.3 * waves + noise
    return np.rint(255 * np.clip(light, 0, 1)).astype(np.uint8)


PHOTOGRAPH = photograph()  # in a frame of 192x384, more pixels than a tile of 256
TILES = {name: (256, 18) if name == "spatial" else (256, 6) for name in ATTENTIONS}  # their size and number
WAYS = [*((name, "irradiance") for name in ATTENTIONS), ("base", "stack"), ("channel", "stack")]


@pytest.fixture(autouse=True)
def three_exposures(monkeypatch):
    """Of the eight exposures two, one each of N2 and N3: a quarter of the time."""
    monkeypatch.setattr("hdrmodel.prediction.predictors.HALF_STOPS", (-2.0, 0.0, 2.0))


@pytest.fixture(autouse=True)
def every_value_is_the_network_s(monkeypatch):
    """And not white ones alone, which would hide most of what tiles may do wrongly."""
    for module in ("hdrmodel.prediction.predictors", "hdrmodel.reconstruction.reconstruct"):
        monkeypatch.setattr(f"{module}.keep_levels", lambda photograph, estimate, crf: estimate)
    monkeypatch.setattr("hdrmodel.prediction.predictors.has_white", lambda photograph, camera: True)


def predict(attention, origin, tile, margin=None):
    reconstructor = HDRReconstructor(stirred_network(attention), "cpu", tile=tile)
    for subnetwork in reconstructor.predictor.subnetworks:
        subnetwork.margin = subnetwork.margin if margin is None else margin
    return reconstructor.predict(PHOTOGRAPH, origin, keep_stack=origin == "stack")


@cache
def whole(attention, origin):
    """What is made of the photograph at once."""
    return predict(attention, origin, 0)


@pytest.mark.parametrize(("attention", "origin"), WAYS)
def test_tiles_make_what_the_whole_photograph_makes(attention, origin):
    expected, made = whole(attention, origin), predict(attention, origin, TILES[attention][0])
    assert np.abs(made.radiance - expected.radiance).max() < 1e-5  # float32, of sums in another order
    if origin == "stack":
        assert np.abs(made.stack.astype(int) - expected.stack).max() <= 1  # where a value lies between two levels
        assert (made.stack != expected.stack).mean() < 1e-4


def test_tiles_make_what_the_whole_photograph_makes_where_x_reaches_farther():
    network = stirred_network("spatial", "light")
    whole, tiled = (
        HDRReconstructor(network, "cpu", tile=tile).predict(PHOTOGRAPH, "irradiance").radiance for tile in (0, 256)
    )
    assert np.abs(tiled - whole).max() < 1e-5 * whole.max()


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_tiles_of_these_tests_are_several_in_both_directions(attention):
    subnetworks = subnetworks_of(stirred_network(attention), torch.device("cpu"), torch.float32)
    tile, number = TILES[attention]
    tiles = choose_tiles(subnetworks, Frame(PHOTOGRAPH), tile)
    assert len(tiles) == number and len({box.top for box in tiles}) > 1 and len({box.left for box in tiles}) > 1


@pytest.mark.parametrize("origin", ["stack", "irradiance"])
@pytest.mark.parametrize("attention", ["channel", "se"])
def test_channels_weighed_by_the_means_of_each_tile_would_show(attention, origin, monkeypatch):
    monkeypatch.setattr(TorchSubnetwork, "_gate", lambda *given: None)
    made = predict(attention, origin, TILES[attention][0])
    assert np.abs(made.radiance - whole(attention, origin).radiance).max() > 5e-5  # five times what tiles may differ by


@pytest.mark.parametrize(("attention", "origin"), WAYS)
def test_tiles_without_a_margin_would_show(attention, origin):
    made = predict(attention, origin, 128, margin=0)
    assert np.abs(made.radiance - whole(attention, origin).radiance).max() > 1e-4  # ten times what tiles may differ by


@pytest.mark.parametrize("attention", ["base", "channel"])
def test_bfloat16_in_tiles_is_close_to_float32_at_once(attention):
    reconstructor = HDRReconstructor(stirred_network(attention), "cpu", tile=256, precision="bf16")
    made = reconstructor(PHOTOGRAPH, "irradiance")
    assert np.abs(made - whole(attention, "irradiance").radiance).max() < 0.02  # it keeps 8 bits


@pytest.mark.parametrize(("rows", "columns", "number"), [(9, 9, 1), (1, 81, 1), (27, 3, 1), (9, 10, 4)])
def test_a_photograph_of_no_more_pixels_than_a_tile_is_not_cut(rows, columns, number):
    frame = Frame(np.broadcast_to(np.uint8(0), (rows * 64, columns * 64, 3)))
    tiles = choose_tiles([Asked(64)], frame, 9 * 64)  # cores of 7 * 64
    assert len(tiles) == number and (number > 1 or tiles == [Box(0, 0, frame.height, frame.width)])


def test_a_tile_too_small_for_its_margins_is_refused_in_a_line():
    frame = Frame(PHOTOGRAPH)
    spatial = subnetworks_of(stirred_network("spatial"), torch.device("cpu"), torch.float32)
    with pytest.raises(ValueError, match=r"^tile 255: expected 0, or at least 256 pixels for this network$"):
        choose_tiles(spatial, frame, 255)  # a margin of 96 on each side, and 64
    assert len(choose_tiles(spatial, frame, 256)) == 3 * 6


def test_a_network_that_sees_the_whole_frame_is_refused_in_tiles_in_a_line():
    sees_all = [Asked(64), Asked(None)]
    with pytest.raises(ValueError, match=r"^a picture of 330x130 pixels in tiles: .* whole .* --tile 0$"):
        choose_tiles(sees_all, Frame(PHOTOGRAPH), 256)
    assert len(choose_tiles(sees_all, Frame(PHOTOGRAPH), 0)) == 1


def longest_side(boxes: list[Box]) -> int:
    return max(max(box.bottom - box.top, box.right - box.left) for box in boxes)


def test_where_no_size_is_given_a_larger_frame_is_cut_by_a_quarter_of_a_gigabyte():
    frame = Frame(np.broadcast_to(np.uint8(0), (8000, 6000, 3)))
    tiles = {}
    for width, dtype in ((0.05, torch.float32), (0.25, torch.float32), (0.25, torch.bfloat16)):
        subnetworks = subnetworks_of(stirred_network("base", width=width), torch.device("cpu"), dtype)
        tiles[width, dtype] = choose_tiles(subnetworks, frame, None)
    wide = tiles[0.25, torch.float32]
    assert len(tiles[0.05, torch.float32]) < len(wide)
    assert len(tiles[0.25, torch.bfloat16]) < len(wide)
    side = 2 * 64 + longest_side(wide)
    assert 0.5 * TILE_BYTES < side**2 * 13 * 8 * 4 // 2 <= TILE_BYTES  # N2 and N3 have 8 channels at a width of 0.25


def test_where_no_size_is_given_a_gigabyte_is_one_tile():
    bytes_a_pixel = WHOLE_BYTES // (2048 * 1536)
    within, beyond = (Frame(np.broadcast_to(np.uint8(0), (rows, 1536, 3))) for rows in (2048, 2112))
    assert len(choose_tiles([Asked(64, bytes_a_pixel)], within, None)) == 1
    assert len(choose_tiles([Asked(64, bytes_a_pixel)], beyond, None)) > 1


def test_where_no_size_is_given_a_tile_is_never_too_small_for_its_margins():
    frame = Frame(np.broadcast_to(np.uint8(0), (8000, 6000, 3)))
    for margin, core in ((64, 1024 - 128), (576, 4 * 576)):  # 1024 pixels a side, or six margins
        boxes = choose_tiles([Asked(margin, pixel_bytes=2**12)], frame, None)  # 2^28 bytes are 256x256 pixels of this
        assert 0.75 * core < longest_side(boxes) <= core  # of like sizes

import os
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from shared_files import ROOT

from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.shard_reader import Shards
from hdrmodel.sampling.batches import LookUp
from hdrmodel.sampling.cuts import Cut, draw_cut
from hdrmodel.sampling.datasets import PairDataset, PhotoDataset, Stacks, generator, pairs_of
from hdrmodel.sampling.loading import Share, load_pairs

FORMS = ("radiance", "pixels")


@pytest.fixture(scope="module")
def radiance_shards(dataset):
    return Shards(dataset.shards, "train", "radiance")


@pytest.fixture(scope="module")
def pixel_shards(dataset):
    return Shards(dataset.shards, "train", "pixels")


def make_pairs(shards, crop=16, seed=0, flips=True, rotation="quarter"):
    return PairDataset(shards, crop, seed, flips, rotation)


def levels(picture):
    return (picture * 255).round().byte().numpy().transpose(1, 2, 0)


def test_nine_exposures_make_45_unordered_pairs_with_the_nine_identities():
    pairs = pairs_of(9)
    assert len(set(pairs)) == 45  # 9 * 8 / 2 + 9
    assert sum(shorter == longer for shorter, longer in pairs) == 9
    assert all(shorter <= longer for shorter, longer in pairs)


@pytest.mark.parametrize("form", FORMS)
def test_an_epoch_holds_every_item_once_and_the_next_has_another_order(form, dataset):
    pairs = make_pairs(Shards(dataset.shards, "train", form), seed=1)
    assert pairs.items == len(pairs.stacks) * 5 * 45
    first = [pairs[position]["key"] for position in range(pairs.items)]
    assert len(set(first)) == pairs.items
    second = [pairs[position]["key"] for position in range(pairs.items, 2 * pairs.items)]
    assert set(second) == set(first)
    assert second != first


def test_loader_workers_do_not_change_the_sequence(radiance_shards):
    pairs = make_pairs(radiance_shards, seed=3, rotation="any")
    alone = list(load_pairs(pairs, Share(4, 0, 4), workers=0))
    helped = list(load_pairs(pairs, Share(4, 0, 4), workers=2))
    resumed = list(load_pairs(pairs, Share(4, 2, 4), workers=0))
    for one, two in zip(alone + alone[2:], helped + resumed, strict=True):
        assert one["key"] == two["key"]
        assert torch.equal(one["bits"], two["bits"])
        assert torch.equal(one["rows"], two["rows"])


def test_an_epoch_of_photographs_holds_each_view_under_each_camera_once(radiance_shards):
    photos = PhotoDataset(radiance_shards, 16, 1, True, "quarter")
    assert photos.items == len(photos.stacks) * 5
    first, second = (
        [photos[position]["key"] for position in range(start, start + photos.items)] for start in (0, photos.items)
    )
    assert set(first) == set(second) == {f"{view}_{crf}" for view in photos.stacks.views for crf in photos.stacks.crfs}
    assert first != second


def test_a_photograph_is_the_picture_at_ev_0_and_its_radiance_the_view(radiance_shards, pixel_shards):
    photos = PhotoDataset(radiance_shards, 32, 2, False, "none")  # views of 32 pixels: the crop is all of it
    numbers = {key: number for number, key in enumerate(pixel_shards.keys)}
    views = {key: number for number, key in enumerate(radiance_shards.keys)}
    look_up = LookUp(radiance_shards.tables)
    for sample in load_pairs(photos, Share(5, 0, 3), workers=0):
        made = look_up.photos(sample)
        for place, key in enumerate(made.keys):
            assert np.array_equal(levels(made.ldr[place]), pixel_shards.stack(numbers[key]).stack[4])
            view = radiance_shards.radiance(views[key.rpartition("_")[0]]).radiance.astype(np.float32)
            assert np.array_equal(made.radiance[place].permute(1, 2, 0).numpy(), view)


def test_loader_workers_do_not_change_the_sequence_of_photographs(radiance_shards):
    photos = PhotoDataset(radiance_shards, 16, 3, True, "any")
    alone, helped = (list(load_pairs(photos, Share(4, 1, 4), workers)) for workers in (0, 1))
    for one, two in zip(alone, helped, strict=True):
        assert one["key"] == two["key"]
        assert torch.equal(one["bits"], two["bits"]) and torch.equal(one["row"], two["row"])


def test_photographs_without_radiance_are_refused(pixel_shards):
    with pytest.raises(ValueError, match=r"the form 'pixels' holds no radiance, .*expected train\.form radiance$"):
        PhotoDataset(pixel_shards, 16, 0, True, "none")


def test_both_forms_give_the_same_batches_bit_for_bit(radiance_shards, pixel_shards):
    look_up = LookUp(radiance_shards.tables)
    both = [load_pairs(make_pairs(shards, seed=7), Share(5, 0, 6), 0) for shards in (radiance_shards, pixel_shards)]
    for radiance, pixels in zip(*both, strict=True):
        ours, theirs = look_up.pairs(radiance), look_up.pairs(pixels)
        assert ours.keys == theirs.keys
        assert torch.equal(ours.shorter, theirs.shorter)
        assert torch.equal(ours.longer, theirs.longer)
        assert torch.equal(ours.ratio, theirs.ratio)


@given(accumulate=st.integers(1, 3), processes=st.integers(1, 4), size=st.integers(1, 3), first_step=st.integers(0, 5))
def test_processes_and_parts_share_each_batch_and_leave_nothing_out(accumulate, processes, size, first_step):
    batch, steps = accumulate * processes * size, 6
    parts = [list(Share(batch, first_step, steps, accumulate, rank, processes)) for rank in range(processes)]
    assert all(len(mine) == (steps - first_step) * accumulate for mine in parts)
    for step in range(first_step, steps):
        taken = slice((step - first_step) * accumulate, (step - first_step + 1) * accumulate)
        seen = sorted(position for mine in parts for part in mine[taken] for position in part)
        assert seen == list(range(step * batch, (step + 1) * batch))


def test_several_processes_compute_the_parts_of_one_that_accumulates():
    alone = list(Share(8, 0, 3, accumulate=4))
    ranks = [list(Share(8, 0, 3, accumulate=2, rank=rank, processes=2)) for rank in range(2)]
    assert alone == [part for pair in zip(*ranks, strict=True) for part in pair]


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"batch of 6 does not divide into 2 parts for each of 2 processes"):
        Share(6, 0, 1, accumulate=2, processes=2)


def test_look_up_gives_the_pictures_of_the_pixels_form_bit_for_bit(radiance_shards, pixel_shards):
    numbers = {key: number for number, key in enumerate(pixel_shards.keys)}
    look_up = LookUp(radiance_shards.tables)
    pairs = make_pairs(radiance_shards, 32, flips=False, rotation="none")  # views of 32 pixels: the crop is all of it
    for batch in load_pairs(pairs, Share(5, 0, 4), workers=0):
        made = look_up.pairs(batch)
        for place, key in enumerate(made.keys):
            name, letters = key.split(":")
            stack = pixel_shards.stack(numbers[name]).stack
            for picture, letter in zip((made.shorter, made.longer), letters.split("-"), strict=True):
                assert np.array_equal(levels(picture[place]), stack["abcdefghi".index(letter)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rotation", ["quarter", "any"])
def test_the_ratio_is_that_of_the_two_exposures_and_the_longer_one_is_brighter(form, rotation, dataset):
    shards = Shards(dataset.shards, "train", form)
    look_up = LookUp(shards.tables)
    for batch in load_pairs(make_pairs(shards, rotation=rotation), Share(8, 0, 3), workers=0):
        made = look_up.pairs(batch)
        assert (made.longer >= made.shorter).all()
        for ratio, key in zip(made.ratio.tolist(), made.keys, strict=True):
            shorter, longer = ("abcdefghi".index(letter) for letter in key.split(":")[1].split("-"))
            assert ratio == pytest.approx(2 ** ((longer - shorter) / 2))  # half stops


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rotation", ["none", "quarter", "any"])
def test_both_pictures_of_a_pair_are_turned_alike(form, rotation, dataset):
    """Return where both exposures are the same, so are the pictures, whatever the augmentation."""
    shards = Shards(dataset.shards, "train", form)
    pairs = make_pairs(shards, seed=5, rotation=rotation)
    identities = [p for p in range(pairs.items) if (s := pairs[p]["key"].split(":")[1].split("-"))[0] == s[1]][:9]
    batch = torch.utils.data.default_collate([pairs[position] for position in identities])
    made = LookUp(shards.tables).pairs(batch)
    assert torch.equal(made.shorter, made.longer)


def test_pairs_are_drawn_without_bias(radiance_shards):
    pairs = make_pairs(radiance_shards, seed=11)
    count = pairs.items // 3  # of an epoch's order; a third of it must already hold all 45 about equally often
    seen = Counter(pairs[position]["key"].split(":")[1] for position in range(count))
    assert len(seen) == 45
    expected = count / 45
    assert sum((times - expected) ** 2 / expected for times in seen.values()) < 87  # chi-squared, 44 degrees, p = 1e-4


@pytest.mark.parametrize("form", FORMS)
def test_a_crop_larger_than_a_view_is_refused_with_the_views_name(form, dataset):
    with pytest.raises(ValueError, match=r"view .* has 32x32 pixels; expected at least the crop of 64"):
        make_pairs(Shards(dataset.shards, "train", form), crop=64)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_sample_is_named_in_one_line(workers, dataset, tmp_path):
    shutil.copytree(dataset.shards, tmp_path / "shards")
    shards = Shards(tmp_path / "shards", "train", "radiance")
    pairs = make_pairs(shards)
    for shard, layout in shards.samples:
        with (tmp_path / "shards" / shard).open("r+b") as file:
            file.seek(layout.members["radiance.zst"].offset + 1000)
            file.write(b"damaged")
    with pytest.raises(IntegrityError, match=r"sample .*damaged: crc32c") as caught:
        next(load_pairs(pairs, Share(2, 0, 1), workers))
    assert "\n" not in str(caught.value)


def test_stacks_are_the_same_of_both_forms(radiance_shards, pixel_shards):
    ours, theirs = Stacks(radiance_shards), Stacks(pixel_shards)
    assert ours.views == theirs.views
    for crf in ours.crfs:
        assert np.array_equal(ours.stack(0, crf), theirs.stack(0, crf))


def ramp(height=40, width=50):
    """A picture whose values say where they are: row, column and their sum."""
    row, column = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([row, column, row + column], axis=2)


def test_a_cut_without_a_turn_is_a_part_of_the_picture():
    picture = ramp()
    assert np.array_equal(Cut(3, 5, 8).of(picture), picture[3:11, 5:13])
    assert np.array_equal(Cut(3, 5, 8, mirrored=True).of(picture), picture[3:11, 5:13][:, ::-1])
    assert np.array_equal(Cut(3, 5, 8, upended=True).of(picture), picture[3:11, 5:13][::-1])
    assert np.array_equal(Cut(3, 5, 8, turns=1).of(picture), np.rot90(picture[3:11, 5:13]))


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_an_angle_of_quarters_is_a_turn_by_quarters(angle, turns):
    picture = ramp()
    assert np.allclose(Cut(9, 12, 9, angle=angle).of(picture), Cut(9, 12, 9, turns=turns).of(picture), atol=1e-3)


def test_a_turned_cut_reads_where_the_turn_says():
    """One pixel worked out by hand: 45 degrees about the middle (14, 16) of a square of 9 pixels that begins at
    (10, 12). The cut's upper left corner, 4 up and 4 left of it, was 4 sqrt 2 straight above it before the turn."""
    cut = Cut(10, 12, 9, angle=45).of(ramp())
    assert cut[4, 4, :2] == pytest.approx([14, 16], abs=0.02)
    assert cut[0, 0, :2] == pytest.approx([14 - 4 * 2**0.5, 16], abs=0.04)


@given(seed=st.integers(0, 10_000), height=st.integers(16, 70), width=st.integers(16, 70))
def test_a_turned_cut_stays_inside_the_picture_where_it_can(seed, height, width):
    """Bilinear values of a ramp are its coordinates: inside the picture, unless the square is too large for it."""
    size = 16
    cut = draw_cut(height, width, size, True, "any", generator(seed, 1, 0))
    seen = cut.of(ramp(height, width))
    assert seen.shape == (size, size, 3)
    assert seen[..., 0].min() >= -0.02 and seen[..., 0].max() <= height - 1 + 0.02
    assert seen[..., 1].min() >= -0.02 and seen[..., 1].max() <= width - 1 + 0.02
    if min(height, width) >= size * 2**0.5:  # then no reflection: neighbours along a row are one pixel apart
        steps = np.linalg.norm(np.diff(seen[..., :2], axis=1), axis=2)
        assert np.allclose(steps, 1, atol=0.1)


def test_turned_radiance_stays_half_floats_within_the_range_of_its_neighbours():
    radiance = np.random.default_rng(0).uniform(0, 6e4, (40, 40, 3)).astype(np.float16)
    cut = Cut(10, 10, 16, angle=33).of(radiance)
    assert cut.dtype == np.float16
    assert np.isfinite(cut).all() and cut.min() >= 0 and cut.max() <= radiance.max()


WITHOUT_CATCHING = """
from torch.utils.data import Dataset

from hdrmodel.sampling.loading import Share, load_pairs


class Samples(Dataset):
    def __getitem__(self, position):
        return {"position": position}


def train():
    batches = load_pairs(Samples(), Share(1, 0, 9), workers=1)
    next(batches)
    raise ValueError("a loss that is not finite")


if __name__ == "__main__":
    train()
"""


def test_a_program_that_fails_with_a_loader_process_ends(tmp_path):
    """The exception keeps the loader, whose process ignores SIGTERM: the program waited for it for ever."""
    (tmp_path / "program.py").write_text(WITHOUT_CATCHING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = subprocess.run([sys.executable, tmp_path / "program.py"], env=environment, capture_output=True,
                             text=True, timeout=120, check=False)  # fmt: skip
    assert program.returncode == 1 and program.stderr.rstrip().endswith("ValueError: a loss that is not finite")

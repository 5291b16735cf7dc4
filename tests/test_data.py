import numpy as np
import pytest
import torch

from hdrdata.stream import Shards
from hdrmodel.data import LookUp, PairDataset, load_pairs, pairs_of


@pytest.fixture(scope="module")
def radiance_shards(dataset):
    return Shards(dataset.shards, "train", "radiance")


def test_nine_exposures_make_45_unordered_pairs_with_the_nine_identities():
    pairs = pairs_of(9)
    assert len(set(pairs)) == 45  # 9 * 8 / 2 + 9
    assert sum(shorter == longer for shorter, longer in pairs) == 9
    assert all(shorter <= longer for shorter, longer in pairs)


def test_an_epoch_holds_every_item_once_and_the_next_has_another_order(radiance_shards):
    dataset = PairDataset(radiance_shards, crop=16, seed=1, augment=True)
    assert dataset.items == len(radiance_shards) * 5 * 45
    first = [dataset[position]["key"] for position in range(dataset.items)]
    assert len(set(first)) == dataset.items
    second = [dataset[position]["key"] for position in range(dataset.items, 2 * dataset.items)]
    assert set(second) == set(first)
    assert second != first


def test_loader_workers_do_not_change_the_sequence(radiance_shards):
    dataset = PairDataset(radiance_shards, crop=16, seed=3, augment=True)
    alone = list(load_pairs(dataset, batch=4, first_step=0, steps=4, workers=0))
    helped = list(load_pairs(dataset, batch=4, first_step=0, steps=4, workers=2))
    resumed = list(load_pairs(dataset, batch=4, first_step=2, steps=4, workers=0))
    for one, two in zip(alone + alone[2:], helped + resumed, strict=True):
        assert one["key"] == two["key"]
        assert torch.equal(one["bits"], two["bits"])
        assert torch.equal(one["rows"], two["rows"])


def test_look_up_gives_the_pictures_of_the_pixels_form_bit_for_bit(dataset, radiance_shards):
    pixels = Shards(dataset.shards, "train", "pixels")
    numbers = {key: number for number, key in enumerate(pixels.keys)}
    look_up = LookUp(radiance_shards.tables)
    pairs = PairDataset(radiance_shards, crop=32, seed=0, augment=False)  # views of 32 pixels: the crop is all of it
    for batch in load_pairs(pairs, batch=5, first_step=0, steps=4, workers=0):
        made = look_up.pairs(batch)
        for place, key in enumerate(made.keys):
            name, letters = key.split(":")
            stack = pixels.stack(numbers[name]).stack
            for picture, letter in zip((made.shorter, made.longer), letters.split("-"), strict=True):
                levels = (picture[place] * 255).round().byte().numpy().transpose(1, 2, 0)
                assert np.array_equal(levels, stack["abcdefghi".index(letter)])


def test_the_ratio_is_that_of_the_two_exposures_and_the_longer_one_is_brighter(radiance_shards):
    look_up = LookUp(radiance_shards.tables)
    dataset = PairDataset(radiance_shards, crop=16, seed=0, augment=True)
    for batch in load_pairs(dataset, batch=8, first_step=0, steps=3, workers=0):
        made = look_up.pairs(batch)
        assert (made.longer >= made.shorter).all()
        for ratio, key in zip(made.ratio.tolist(), made.keys, strict=True):
            shorter, longer = ("abcdefghi".index(letter) for letter in key.split(":")[1].split("-"))
            assert ratio == pytest.approx(2 ** ((longer - shorter) / 2))  # half stops


def test_both_pictures_of_a_pair_are_turned_alike(radiance_shards):
    """Where both exposures are the same, so are the pictures, whatever the augmentation."""
    look_up = LookUp(radiance_shards.tables)
    dataset = PairDataset(radiance_shards, crop=16, seed=5, augment=True)
    identities = [p for p in range(dataset.items) if (s := dataset[p]["key"].split(":")[1].split("-"))[0] == s[1]][:9]
    batch = torch.utils.data.default_collate([dataset[position] for position in identities])
    made = look_up.pairs(batch)
    assert torch.equal(made.shorter, made.longer)


def test_a_crop_larger_than_a_view_is_refused_with_the_views_name(radiance_shards):
    with pytest.raises(ValueError, match=r"view .* has 32x32 pixels; wanted at least the crop of 64"):
        PairDataset(radiance_shards, crop=64, seed=0, augment=False)

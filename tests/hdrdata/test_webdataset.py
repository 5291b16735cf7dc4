"""The same stacks through webdataset: decoded, expanded, shuffled over scenes, split over nodes and workers."""

from itertools import islice

import numpy as np
import pytest
import webdataset
from torch.utils.data import DataLoader

from hdrdata import open_stacks
from hdrdata.stream.shard_reader import Shards
from hdrdata.webdataset import pictures, radiance, stacks

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves tars open


@pytest.mark.parametrize("form", ["pixels", "radiance"])
def test_a_pipeline_has_each_stack_once_and_its_pictures(dataset, form):
    with open_stacks(dataset.shards, part="train", exposures=(0, -2)) as reader:
        expected = {sample.key: sample for sample in reader}
    found = list(stacks(dataset.shards, "train", (0, -2), form=form))
    assert sorted(sample["key"] for sample in found) == sorted(expected)
    for sample in found:
        other = expected[sample["key"]]
        assert (sample["view"], sample["scene"], sample["crf"]) == (other.view, other.scene, other.crf)
        assert sample["evs"].tolist() == [0, -2]
        assert np.array_equal(sample["stack"].transpose(0, 2, 3, 1), other.stack)


def test_batches_mix_views_and_workers_share_an_epoch(dataset):
    pipeline = stacks(dataset.shards, "train", "ai")
    batches = list(DataLoader(pipeline, batch_size=8, num_workers=2))
    keys = [key for batch in batches for key in batch["key"]]
    assert len(set(keys)) == len(keys) == len(open_stacks(dataset.shards, part="train"))
    full = max(batches, key=lambda batch: len(batch["key"]))
    assert full["stack"].shape == (8, 2, 3, 32, 32)
    assert len(set(full["view"])) > 2  # in stored order a batch of eight has two views
    first, second = ([sample["key"] for sample in pipeline] for _ in range(2))
    assert first != second and sorted(first) == sorted(second)
    stored = [sample["key"] for sample in stacks(dataset.shards, "train", "a", buffer=0)]
    with open_stacks(dataset.shards, part="train") as reader:
        assert stored == [reader.key(number) for number in range(len(reader))]


def test_nodes_share_the_shards_or_draw_them_again_and_again(dataset, monkeypatch):
    every = set()
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        keys = {sample["key"] for sample in stacks(dataset.shards, "train", "a", form="pixels")}
        assert not every & keys
        every |= keys
    assert len(every) == len(open_stacks(dataset.shards, part="train"))
    monkeypatch.setenv("WORLD_SIZE", "9")
    with pytest.raises(ValueError, match=r"shards for 9 nodes; expected one each, resampled=True, or StackLoader"):
        next(iter(stacks(dataset.shards, "train", "a")))
    drawn = [sample["key"] for sample in islice(stacks(dataset.shards, "train", "a", resampled=True), 2 * len(every))]
    assert len(drawn) == 2 * len(every)  # without end


def test_decoders_are_webdataset_handlers(dataset):
    for form, decoder, name in (("radiance", radiance, "radiance.zst"), ("pixels", pictures, "c.png")):
        shards = Shards(dataset.shards, "val", form)
        tar = shards.source.where(shards.samples[0][0])
        sample = next(iter(webdataset.WebDataset(tar, shardshuffle=False).decode(decoder)))
        expected = shards.radiance(0).radiance if form == "radiance" else shards.stack(0, "c").stack[0]
        assert np.array_equal(sample[name], expected) and sample["json"]["part"] == "val"

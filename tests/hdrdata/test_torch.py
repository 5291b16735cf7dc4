"""Stacks in PyTorch: the same sequence for any workers, exact resume at any world size, and exact look-up."""

import shutil
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from hdrdata.cameras.exposure import look_up as look_up_on_cpu
from hdrdata.files.disk import read_json, write_json
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.order import epoch_order
from hdrdata.stream.shard_reader import Shards
from hdrdata.stream.stack_reader import open_stacks
from hdrdata.torch import StackDataset, StackSampler, expand, look_up, look_up_tables

FORMS = ("pixels", "radiance")
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def test_both_forms_give_the_same_stacks_by_number(dataset):
    for part in ("train", "val", "test"):
        pixels, radiance = (open_stacks(dataset.shards, part=part, form=form, exposures="gb") for form in FORMS)
        assert len(pixels) == len(radiance)
        assert open_stacks(dataset.shards, part=part).datasets[0].form == "radiance"
        for number in range(len(pixels)):
            ours, theirs = pixels[number], radiance[number - len(pixels)]  # numbers count from the end, too
            assert ours.key == theirs.key == pixels.key(number) == radiance.key(number)
            assert (ours.view, ours.scene, ours.crf, ours.evs) == (theirs.view, theirs.scene, theirs.crf, theirs.evs)
            assert ours.evs == pixels.evs == (1.0, -1.5)
            assert np.array_equal(ours.stack, theirs.stack)
    with pytest.raises(IndexError, match=r"stack \d+; there are"):
        pixels[len(pixels)]


def test_folders_of_one_recipe_are_read_one_behind_the_other(dataset, tmp_path):
    urls = [dataset.shards, dataset.shards.as_uri()]  # a path and a file: URL
    with open_stacks(urls, part="val") as both, open_stacks(dataset.shards, part="val") as one:
        assert [sample.key for sample in both] == 2 * [sample.key for sample in one]
    shutil.copytree(dataset.shards, tmp_path / "other")
    index = read_json(tmp_path / "other" / "index.json")
    index["recipe"] |= {"digest": "", "name": "other"}
    write_json(tmp_path / "other" / "index.json", index)
    with pytest.raises(
        ValueError, match=r"made by different recipes: .*by 'drtmo' and .*other by 'other'; expected one"
    ):
        open_stacks([dataset.shards, tmp_path / "other"], part="val")


def test_what_is_not_there_is_told_with_what_is(dataset, tmp_path):
    for arguments, message in [
        ({"part": "all"}, "it has pixels of test"),
        ({}, "has the parts test, train, val; expected part="),
        ({"part": "val", "exposures": "az"}, r"no exposure 'z'; there are a \(-2 EV\), b \(-1.5 EV\)"),
        ({"part": "val", "exposures": (0, 0.25)}, r"no exposure 0\.25; there are a"),
        ({"part": "val", "exposures": ""}, "no exposures; expected letters"),
    ]:
        with pytest.raises(ValueError, match=message):
            open_stacks(dataset.shards, **arguments)
    with pytest.raises(ValueError, match=r"no index\.json in it"):
        open_stacks(tmp_path, part="val")
    with pytest.raises(ValueError, match=r"has no shard tiny-train-\d{6}\.tar"):
        open_stacks(f"{dataset.shards}/pixels/tiny-train-0000{{00..99}}.tar")


def test_iteration_skips_damage_where_told_and_tells_it_and_indexing_never_does(dataset_copy):
    shards = Shards(dataset_copy.shards, "train", "pixels")
    shard, layout = shards.samples[2]
    with (dataset_copy.shards / shard).open("r+b") as file:
        file.seek(layout.members["c.png"].offset + 40)
        file.write(b"damaged")
    with open_stacks(dataset_copy.shards, part="train", form="pixels") as reader, pytest.raises(IntegrityError):
        list(reader)
    reader = open_stacks(dataset_copy.shards, part="train", form="pixels", on_error="skip")
    with pytest.warns(UserWarning, match=rf"^1 of {len(reader)} stacks skipped; first .*sample {layout.key}"):
        kept = [sample.key for sample in reader]
    assert kept == [key for key in shards.keys if key != layout.key]
    assert [(lost.shard, lost.key) for lost in reader.skipped] == [(shard, layout.key)]
    assert f"sample {layout.key}: damaged: crc32c" in reader.skipped[0].reason
    for indexed in (reader, StackDataset(reader)):
        with pytest.raises(IntegrityError, match=f"sample {layout.key}: damaged"):
            indexed[2]
    with (
        open_stacks(dataset_copy.shards, part="train", form="pixels", exposures="ac") as some,
        pytest.raises(IntegrityError, match=r"member c\.png: damaged"),
    ):
        some[2]
    reader.close()


@pytest.mark.parametrize("device", DEVICES)
def test_expanding_is_the_table_look_up_of_every_half_float(device):
    tables = np.random.default_rng(0).integers(0, 255, (4, 65536), dtype=np.uint8)
    bits = np.arange(65536, dtype=np.uint16).reshape(1, 64, 1024)[..., : 1024 // 3 * 3].reshape(1, 64, 341, 3)
    halves = torch.from_numpy(bits.view(np.float16).transpose(0, 3, 1, 2).copy()).to(device)
    stack = expand(halves, torch.from_numpy(tables.T[None].copy()).to(device), torch.tensor([0], device=device))
    for picture, table in zip(stack[0].cpu().numpy(), tables, strict=True):
        assert np.array_equal(picture.transpose(1, 2, 0), look_up_on_cpu(bits[0], table))


@pytest.mark.parametrize("device", DEVICES)
def test_batches_expanded_on_a_device_are_those_of_the_pixels_form(dataset, device):
    readers = [open_stacks(dataset.shards, part="train", form=form, exposures="eai") for form in FORMS]
    tables = look_up_tables(readers[1]).to(device)
    sampler = StackSampler(len(readers[0]), 7, seed=3)
    pixels = DataLoader(StackDataset(readers[0]), batch_sampler=sampler)
    views = DataLoader(StackDataset(readers[1], expanded=False), batch_sampler=StackSampler(len(readers[1]), 7, seed=3))
    for ours, theirs in zip(pixels, views, strict=True):
        assert ours["key"] == theirs["key"] and ours["crf"] == theirs["crf"]
        assert torch.equal(ours["evs"], theirs["evs"])
        stack = expand(theirs["radiance"].to(device), tables, theirs["row"].to(device))
        assert stack.dtype == torch.uint8 and stack.shape == (7, 3, 3, 32, 32)
        assert torch.equal(stack.cpu(), ours["stack"])
    with pytest.raises(ValueError, match=r"opened in pixels form; expected form='radiance'"):
        StackDataset(readers[0], expanded=False)[0]


def test_look_up_takes_one_row_a_picture():
    tables = torch.arange(6, dtype=torch.uint8).view(2, 3)
    bits = torch.tensor([[[[0, 1, 2]]] * 3, [[[2, 1, 0]]] * 3], dtype=torch.int16)
    assert look_up(bits, tables, torch.tensor([1, 0]))[:, 0, 0].tolist() == [[3, 4, 5], [2, 1, 0]]


# The sampler's laws; a "run" is the samples of each step of all ranks together.

sizes = {"length": st.integers(1, 60), "world": st.sampled_from([1, 2, 4]), "batch_size": st.integers(1, 4)}
kinds = {"drop_last": st.booleans(), "seed": st.integers(0, 2**63)}


def ranks_of(length, world, batch_size, **kind):
    return [StackSampler(length, batch_size, rank=rank, world=world, **kind) for rank in range(world)]


def steps_of(samplers):
    """The samples of all ranks, step by step; each rank must have as many steps."""
    return [[number for batch in step for number in batch] for step in zip(*samplers, strict=True)]


@given(**sizes, **kinds)
def test_an_epoch_is_shared_evenly_and_leaves_nothing_out(length, world, batch_size, drop_last, seed):
    if drop_last and length < world * batch_size:
        with pytest.raises(ValueError, match="make no batch"):
            ranks_of(length, world, batch_size, drop_last=drop_last, seed=seed)
        return
    samplers = ranks_of(length, world, batch_size, drop_last=drop_last, seed=seed)
    steps = steps_of(samplers)
    assert {len(sampler) for sampler in samplers} == {len(steps)}
    assert {len(step) for step in steps} == {world * batch_size}
    seen = [number for step in steps for number in step]
    order = epoch_order(seed, 0, length).tolist()
    assert sorted(order) == list(range(length))
    if drop_last:
        assert seen == order[: length - length % (world * batch_size)]
    else:
        assert seen[:length] == order and len(seen) - length < world * batch_size
        assert set(seen[length:]) <= set(order)


@given(**sizes, **kinds, after=st.integers(0, 70), other=st.sampled_from([1, 2, 4]))
def test_a_run_resumed_at_any_world_size_is_the_uninterrupted_one(
    length, world, batch_size, drop_last, seed, after, other
):
    batch = 4 * batch_size  # of all ranks together, so that each world size divides it
    if drop_last and length < batch:
        return
    whole = ranks_of(length, 1, batch, drop_last=drop_last, seed=seed)
    expected = [step for _ in range(3) for step in steps_of(whole)]
    samplers = ranks_of(length, world, batch // world, drop_last=drop_last, seed=seed)
    consumed = list(islice(zip(*samplers, strict=True), after))
    states = [sampler.state_dict() for sampler in samplers]
    told = [sampler.state_dict(len(consumed)) for sampler in samplers]
    assert states + told == [states[0]] * (2 * world)
    resumed = ranks_of(length, other, batch // other, drop_last=drop_last, seed=seed + 1)  # the state has the seed
    for sampler in resumed:
        sampler.load_state_dict(states[0])
    joined = [[number for part in step for number in part] for step in consumed]
    joined += steps_of(resumed) + steps_of(resumed)  # the rest of this epoch, and the next
    assert joined == expected[: len(joined)] and len(joined) >= 2 * len(samplers[0])


def test_each_epoch_has_another_order_also_where_the_last_was_left_early():
    sampler = StackSampler(40, 4, seed=0)
    epochs = [tuple(number for batch in sampler for number in batch) for _ in range(3)]
    assert len(set(epochs)) == 3
    again = StackSampler(40, 4, seed=0)
    next(iter(again))
    assert tuple(number for batch in again for number in batch) == epochs[1]
    assert tuple(number for batch in StackSampler(40, 4, seed=1) for number in batch) not in epochs


def test_states_and_ranks_that_cannot_be_are_refused():
    sampler = StackSampler(10, 2, seed=0)
    state = sampler.state_dict()
    for wrong in ({"epoch": 1}, state | {"position": 11}, state | {"epoch": -1}, state | {"seed": "x"}):
        with pytest.raises(ValueError, match=r"not a sampler's state|beyond a dataset of 10 samples"):
            sampler.load_state_dict(wrong)
    with pytest.raises(ValueError, match=r"rank 2 of 2; expected 0 to 1"):
        StackSampler(10, 2, seed=0, rank=2, world=2)
    with pytest.raises(ValueError, match=r"rank 0 of world None; expected both or neither"):
        StackSampler(10, 2, seed=0, rank=0)


def keys_of(batches):
    return [key for batch in batches for key in batch["key"]]


def loader_of(kind, dataset, workers, world, rank, context="fork"):
    reader = open_stacks(dataset.shards, part="train", exposures="a")
    sampler = StackSampler(len(reader), 8 // world, seed=5, rank=rank, world=world)
    context = context if workers else None
    return kind(StackDataset(reader), batch_sampler=sampler, num_workers=workers, multiprocessing_context=context)


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torchdata 0.11 beside torch 2.15
@pytest.mark.parametrize(("world", "workers"), [(1, 0), (2, 2), (4, 0)])
def test_a_stateful_loader_resumes_exactly(dataset, workers, world):
    whole = [loader_of(DataLoader, dataset, 0, world, rank) for rank in range(world)]
    expected = [[keys_of(loader) for loader in whole] for _ in range(2)]
    for rank in range(world):
        loader = loader_of(StatefulDataLoader, dataset, workers, world, rank)
        consumed, state = [], None
        for step, batch in enumerate(loader):
            consumed += batch["key"]
            if step == 1:
                state = loader.state_dict()
                break
        resumed = loader_of(StatefulDataLoader, dataset, workers, world, rank)
        resumed.load_state_dict(state)
        assert consumed + keys_of(resumed) == expected[0][rank]
        assert keys_of(resumed) == expected[1][rank]
        del loader, resumed


@pytest.mark.parametrize(("workers", "context"), [(0, None), (2, "fork"), (1, "spawn")])
def test_a_plain_loader_gives_one_sequence_for_any_workers_and_resumes(dataset, workers, context):
    expected = keys_of(loader_of(DataLoader, dataset, 0, 1, 0))
    loader = loader_of(DataLoader, dataset, workers, 1, 0, context)
    batches = iter(loader)
    consumed = keys_of(islice(batches, 3))
    state = loader.batch_sampler.state_dict(batches=3)  # the loop knows; workers are ahead of it
    assert state["position"] == 24
    assert consumed + keys_of(batches) == expected
    resumed = loader_of(DataLoader, dataset, 0, 1, 0)
    resumed.batch_sampler.load_state_dict(state)
    assert consumed + keys_of(resumed) == expected

"""`StackLoader`: one sequence for any ranks and workers, exact resume, exact mixtures."""

import shutil
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from hdrdata import StackLoader, StackSampler, open_stacks
from hdrdata.files.disk import read_json, write_json
from hdrdata.stream.order import Draws, shared_counts
from hdrdata.torch import StackDataset


def loader_of(dataset, batch_size=8, **options):
    return StackLoader(dataset.shards, batch_size, **{"part": "train", "exposures": "a", "seed": 5} | options)


def keys_of(batches):
    return [key for batch in batches for key in batch["key"]]


def pairs_of(batches):
    """(key, number drawn) of each sample."""
    return [pair for keys, drawn in batches for pair in zip(keys, drawn.tolist(), strict=True)]


def test_each_epoch_has_every_stack_once_in_an_order_across_scenes(dataset):
    with open_stacks(dataset.shards, part="train") as stacks:
        stored = [stacks.key(number) for number in range(len(stacks))]
    with loader_of(dataset, 7, drop_last=False) as loader:
        first, second = keys_of(loader), keys_of(loader)
    assert len(first) == 7 * len(loader) and first != second
    assert sorted(first[: len(stored)]) == sorted(second[: len(stored)]) == sorted(stored)
    with loader_of(dataset, 1, shuffle=False) as loader:
        assert keys_of(loader) == keys_of(loader) == stored


@pytest.mark.parametrize("workers", [0, 2])
def test_any_workers_give_one_sequence_which_resumes_after_any_batch(dataset, workers):
    with loader_of(dataset) as whole:
        expected = [keys_of([batch]) for _ in range(3) for batch in whole]
    many = len(expected) // 3
    with loader_of(dataset, workers=workers) as loader, loader_of(dataset, seed=9) as resumed:
        found, states = [], []
        for _ in range(2):
            for batch in loader:
                found.append(keys_of([batch]))
                states.append(loader.state_dict())
        assert found == expected[: 2 * many]
        assert states[many - 1]["epoch"] == 1 and states[many - 1]["position"] == 0  # the epoch is complete
        for taken, state in list(enumerate(states, start=1))[:: 1 if not workers else many]:
            resumed.load_state_dict(state)  # which has the seed
            assert [keys_of([batch]) for batch in islice(resumed, 2)] == expected[taken : taken + 2][
                : many - taken % many
            ]


def test_ranks_share_each_step_and_any_number_of_them_resumes(dataset):
    with loader_of(dataset, 8) as one:
        expected = [[set(keys_of([batch])) for batch in one] for _ in range(2)]
    ranks = [loader_of(dataset, 4, rank=rank, world=2) for rank in range(2)]
    steps = [set(keys_of(step)) for step in zip(*ranks, strict=True)]
    iterators = [iter(loader) for loader in ranks]
    steps += [set(keys_of(step)) for step in islice(zip(*iterators, strict=True), 2)]
    assert steps == expected[0] + expected[1][:2]
    states = [loader.state_dict() for loader in ranks]
    assert states[0] == states[1]
    with loader_of(dataset, 8) as resumed:
        resumed.load_state_dict(states[0])
        assert [set(keys_of([batch])) for batch in resumed] == expected[1][2:]


def test_torchrun_sets_rank_and_world(dataset, monkeypatch):
    with loader_of(dataset, 4) as one:
        batches = [keys_of([batch]) for batch in one]
        sampler = StackSampler(open_stacks(dataset.shards, part="train"), 4, seed=5)
        monkeypatch.setenv("RANK", "1")
        monkeypatch.setenv("WORLD_SIZE", "2")
        one.set_epoch(0)
        assert [keys_of([batch]) for batch in one] == batches[1::2][: len(one)]
        assert len(sampler) == len(one) == len(batches) // 2


def test_an_iteration_that_takes_nothing_is_no_epoch_and_one_left_early_is(dataset):
    with loader_of(dataset) as loader:
        expected = [keys_of(loader) for _ in range(3)]
        loader.set_epoch(0)
        iter(loader), iter(loader)  # as Lightning does
        next(iter(loader))
        assert keys_of(loader) == expected[1]
        state = loader.state_dict()
        loader.load_state_dict(state | {"epoch": 1, "position": 8})
        loader.set_epoch(1)  # as a loop over epochs does after a resume
        assert keys_of(loader) == expected[1][8:]


def test_a_state_of_other_data_is_refused(dataset, dataset_copy, tmp_path):
    state = loader_of(dataset).state_dict()
    assert state["length"] == len(open_stacks(dataset.shards, part="train")) and len(state["digest"]) == 64
    stacks = open_stacks(dataset.shards, part="train")
    sampler = StackSampler(stacks, 8, seed=5)
    assert sampler.state_dict() == state == StackSampler(StackDataset(stacks), 8, seed=5).state_dict()
    for other in (loader_of(dataset, part="test"), StackSampler(len(stacks) + 1, 8, seed=5)):
        with pytest.raises(ValueError, match=r"the data has changed: the state is of \d+ samples .* set_epoch\(1\)"):
            other.load_state_dict(state)
    index = read_json(dataset_copy.shards / "index.json")
    row = next(row for row in index["rows"].values() if (row["part"], row["form"]) == ("train", "radiance"))
    next(iter(row["files"].values()))["sha256"] = "0" * 64
    write_json(dataset_copy.shards / "index.json", index)
    with pytest.raises(ValueError, match="the data has changed"):
        loader_of(dataset_copy).load_state_dict(state)
    with pytest.raises(ValueError, match="not a sampler's state"):
        sampler.load_state_dict({"seed": 0, "epoch": 0, "position": 0})  # as older versions wrote it


def test_a_transform_draws_by_position(dataset):
    def transform(sample, generator):
        return {"key": sample["key"], "drawn": generator.random(), "stack": sample["stack"][:, :, :8, :8]}

    runs = []
    for options in ({"workers": 2}, {"batch_size": 4, "rank": 1, "world": 2}, {}):
        with loader_of(dataset, transform=transform, **options) as loader:
            batches = [batch for _ in range(2) for batch in loader]
        assert batches[0]["stack"].shape[-2:] == (8, 8)
        runs.append([pair for batch in batches for pair in zip(batch["key"], batch["drawn"].tolist(), strict=True)])
    assert runs[0] == runs[2] and set(runs[1]) < set(runs[0]) and len(set(runs[0])) == len(runs[0])


def test_views_are_expanded_on_a_device_or_in_the_loader(dataset):
    from hdrdata.torch import expand, look_up_tables

    with loader_of(dataset, expanded=False) as views, loader_of(dataset, form="pixels") as pixels:
        tables = look_up_tables(views.readers[0])
        for ours, theirs in zip(views, pixels, strict=True):
            assert torch.equal(expand(ours["radiance"], tables, ours["row"]), theirs["stack"])


def test_a_mixture_has_exact_shares_also_across_a_resume(dataset, tmp_path):
    shutil.copytree(dataset.shards, tmp_path / "other")
    mixture = {dataset.shards: 0.7, tmp_path / "other": 0.3}
    options = {"part": "train", "exposures": "a", "length": 10_000, "seed": 3, "batch_size": 5}

    def source(sample, generator):
        return sample["key"], generator.random()

    with StackLoader(mixture, **options, transform=source) as loader:
        draws = loader._draws
        assert draws.counts == (7000, 3000)
        sources = [draws.at(0, place)[0] for place in range(10_000)]
        for end in range(100, 10_001, 100):
            assert abs(sources[:end].count(0) - 0.7 * end) <= 2
        numbers = [draws.at(0, place)[1] for place in range(10_000) if sources[place] == 1]
        length = draws.lengths[1]
        for turn in range(len(numbers) // length):  # each stack once before any is drawn again
            assert sorted(numbers[turn * length : (turn + 1) * length]) == list(range(length))
        first = pairs_of(islice(loader, 6))
        state = loader.state_dict()
        loader.set_epoch(0)
        expected = pairs_of(islice(loader, 12))
        assert first == expected[:30]
    with StackLoader(mixture, **options, transform=source, workers=1) as resumed:
        resumed.load_state_dict(state)
        assert pairs_of(islice(resumed, 6)) == expected[30:]
    with (
        pytest.raises(ValueError, match="the data has changed"),
        StackLoader({dataset.shards: 0.6, tmp_path / "other": 0.4}, **options) as other,
    ):
        other.load_state_dict(state)


def test_the_draws_of_a_mixture_are_those_of_its_weights():
    draws = Draws((13, 50, 7), shared_counts((5, 3, 2), 999), seed=1)
    assert draws.counts == (500, 300, 199) or sum(draws.counts) == 999
    counted = Counter(draws.at(epoch, place)[0] for epoch in range(3) for place in range(999))
    for source, share in enumerate((0.5, 0.3, 0.2)):
        assert counted[source] / (3 * 999) == pytest.approx(share, abs=0.002)
    for source, length in enumerate(draws.lengths):  # also across epochs: no stack is drawn again before all others
        found = [number for epoch in range(3) for s, number in (draws.at(epoch, p) for p in range(999)) if s == source]
        assert sorted(found[: len(found) // length * length]) == sorted(list(range(length)) * (len(found) // length))


@pytest.mark.parametrize("option", ["dispatch_batches", "split_batches"])
def test_accelerates_options_that_split_the_batches_of_one_rank_are_refused(dataset, option):
    accelerate = pytest.importorskip("accelerate")
    accelerate.PartialState(cpu=True)
    stacks = open_stacks(dataset.shards, part="train", exposures="a")
    loader = torch.utils.data.DataLoader(StackDataset(stacks), batch_sampler=StackSampler(stacks, 4, seed=5))
    prepared = accelerate.data_loader.prepare_data_loader(
        loader, num_processes=2, process_index=0, put_on_device=True, **{option: True}
    )
    with pytest.raises(ValueError, match="split the batches of one rank; expected hdrdata"):
        next(iter(prepared))


def test_wrong_weights_and_folders_are_refused(dataset):
    for weights, message in (
        ({dataset.shards: -1}, "weight -1; expected a positive number"),
        ({dataset.shards: float("nan")}, "weight nan; expected"),
        ({dataset.shards: 1, dataset.shards.as_uri(): 1e-9}, "gives no draw in an epoch"),
        ({}, "no folders; expected"),
    ):
        with pytest.raises(ValueError, match=message):
            StackLoader(weights, 2, part="train")
    with pytest.raises(TypeError):  # of the annotations' checker in tests; without it the message names StackLoader
        open_stacks({dataset.shards: 0.9}, part="train")
    with pytest.raises(ValueError, match="make no batch of 9999 for each of 1 ranks"):
        loader_of(dataset, 9999)
    with pytest.raises((ValueError, TypeError)):  # likewise; without the checker: "Lightning cannot make this ..."
        StackSampler(torch.utils.data.SequentialSampler(range(3)), 2, seed=0)
    assert np.array_equal(Draws((3,), (5,), 0, shuffle=False).at(1, 0), (0, 2))  # draws 5 to 9 of 0 1 2 0 1 ...

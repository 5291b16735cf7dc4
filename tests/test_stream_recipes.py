"""The shards in other people's loaders, as the README shows it, each in a process of its own."""

import os
import subprocess
import sys

import pytest

RECIPES = {
    "Hugging Face datasets": """
from datasets import load_dataset

stacks = load_dataset("webdataset", data_files="data/shards/pixels/*-train-*.tar", split="train", streaming=True)
for sample in stacks:
    darkest, brightest, about = sample["a.png"], sample["i.png"], sample["json"]
""",
    "wids": """
import json

import wids

shards = [
    {**shard, "url": f"data/shards/{shard['url']}"}
    for shard in json.load(open("data/shards/index.json"))["shardlist"]
    if shard["form"] == "pixels" and shard["part"] == "train"
]
stacks = wids.ShardListDataset(shards, cache_dir="data/wids")
sample = stacks[17]
darkest, brightest, about = sample[".a.png"], sample[".i.png"], sample[".json"]
""",
    "torch": """
from torch.utils.data import DataLoader

from hdrdata.stream import open_stacks
from hdrdata.torch import StackDataset, StackSampler

stacks = open_stacks("data/shards", part="train", exposures=(-2, 0))
sampler = StackSampler(len(stacks), batch_size=8, seed=0, rank=0, world=1)
loader = DataLoader(StackDataset(stacks), batch_sampler=sampler, num_workers=2)
for batch in loader:
    print(batch["key"], batch["stack"].shape)  # (8, 2, 3, height, width), uint8

sample = stacks[0]
darkest, brightest, about = *sample.stack, {"crf": sample.crf}
""",
    "torch on a device": """
from torch.utils.data import DataLoader

from hdrdata.stream import open_stacks
from hdrdata.torch import StackDataset, StackSampler, expand, look_up_tables

device = "cpu"  # or "cuda"
stacks = open_stacks("data/shards", part="train", form="radiance")
tables = look_up_tables(stacks).to(device)
sampler = StackSampler(len(stacks), batch_size=8, seed=0)
for batch in DataLoader(StackDataset(stacks, expanded=False), batch_sampler=sampler):
    stack = expand(batch["radiance"].to(device), tables, batch["row"].to(device))

darkest, brightest, about = stack[0, 0].movedim(0, -1), stack[0, 8].movedim(0, -1), {"crf": batch["crf"][0]}
""",
    "StatefulDataLoader": """
from torchdata.stateful_dataloader import StatefulDataLoader

from hdrdata.stream import open_stacks
from hdrdata.torch import StackDataset, StackSampler

stacks = open_stacks("data/shards", part="train", exposures="ai")


def make_loader():
    sampler = StackSampler(len(stacks), batch_size=8, seed=0)
    return StatefulDataLoader(StackDataset(stacks), batch_sampler=sampler, num_workers=2)


batches = iter(loader := make_loader())
next(batches)
state = loader.state_dict()  # save it with the weights
expected = next(batches)["key"]

loader = make_loader()
loader.load_state_dict(state)
batch = next(iter(loader))
assert batch["key"] == expected

darkest, brightest, about = *batch["stack"][0].movedim(1, -1), {"crf": batch["crf"][0]}
""",
}
CHECK = """
import numpy
assert numpy.array(darkest).shape == (32, 32, 3) and (numpy.array(brightest) >= numpy.array(darkest)).all()
assert about["crf"]
"""


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs(dataset, tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shards").symlink_to(dataset.shards)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "huggingface")}
    command = [sys.executable, "-c", RECIPES[name] + CHECK]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr

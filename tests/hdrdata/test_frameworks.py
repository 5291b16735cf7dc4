"""Two ranks under plain DDP, accelerate and Lightning: each stack once per epoch, and an exact resume."""

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import two_ranks
from shared_files import ROOT

from hdrdata import StackLoader

SCRIPT = Path(two_ranks.__file__)


FRAMEWORKS = [name for name in ("ddp", "accelerate", "lightning") if name == "ddp" or find_spec(name)]


def free_port():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def runs_of_ranks(dataset, tmp_path_factory):
    """The runs of each rank by framework. Two processes run them all: starting one takes longer than its runs."""
    frameworks = [f"{name}:{free_port()}" for name in FRAMEWORKS]  # a group of processes for each
    shared = {"MASTER_ADDR": "localhost", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
              "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
              "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}  # fmt: skip
    folder = tmp_path_factory.mktemp("ranks")
    ranks = [
        subprocess.Popen(
            [sys.executable, SCRIPT, dataset.shards, folder, *frameworks],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [rank.communicate(timeout=300) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs[0][1][-3000:] + outputs[1][1][-3000:]
    return [json.loads(out.splitlines()[-1]) for out, _ in outputs]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_two_ranks_use_each_stack_once_per_epoch_and_resume_in_the_second(dataset, runs_of_ranks, framework):
    with StackLoader(dataset.shards, 8, **two_ranks.OPTIONS) as one:
        expected = [[sorted(batch["key"]) for batch in one] for _ in range(2)]
    runs = list(zip(*(rank[framework] for rank in runs_of_ranks), strict=True))
    assert runs
    for ours, theirs in runs:
        found = [[sorted(a + b) for a, b in zip(*epoch, strict=True)] for epoch in zip(ours, theirs, strict=True)]
        assert found == expected  # step by step what one process sees with the batch of both
        keys = [key for step in found[0] for key in step]
        assert len(set(keys)) == len(keys)

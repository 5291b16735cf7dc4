"""Two ranks under plain DDP, accelerate and Lightning: each stack once per epoch, and an exact resume."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import two_ranks
from shared_files import ROOT

from hdrdata import StackLoader

SCRIPT = Path(two_ranks.__file__)


def run_two_ranks(framework, shards, folder):
    """Return the runs of each rank."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
              "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
              "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}  # fmt: skip
    ranks = [
        subprocess.Popen(
            [sys.executable, SCRIPT, framework, shards, folder],
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


@pytest.mark.parametrize("framework", ["ddp", "accelerate", "lightning"])
def test_two_ranks_use_each_stack_once_per_epoch_and_resume_in_the_second(dataset, tmp_path, framework):
    if framework != "ddp":
        pytest.importorskip(framework)
    with StackLoader(dataset.shards, 8, **two_ranks.OPTIONS) as one:
        expected = [[sorted(batch["key"]) for batch in one] for _ in range(2)]
    runs = list(zip(*run_two_ranks(framework, dataset.shards, tmp_path), strict=True))
    assert runs
    for ours, theirs in runs:
        found = [[sorted(a + b) for a, b in zip(*epoch, strict=True)] for epoch in zip(ours, theirs, strict=True)]
        assert found == expected  # step by step what one process sees with the batch of both
        keys = [key for step in found[0] for key in step]
        assert len(set(keys)) == len(keys)

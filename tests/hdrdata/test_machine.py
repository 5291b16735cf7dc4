"""How the processes of all commands share a machine."""

import os
import subprocess
import sys
import tempfile

import pytest
from shared_files import ROOT
from torch.utils.data import Dataset

from hdrdata import StackLoader, machine
from hdrdata.work import ray_engine
from hdrdata.work.processes import map_in_processes
from hdrmodel.release.files import WEIGHTS
from hdrmodel.sampling.loading import Share, load_pairs


@pytest.mark.parametrize("text, cores", [
    ("max 100000", 4), ("150000 100000", 2), ("10000 100000", 1), ("900000 100000", 4), ("", 4),
])  # fmt: skip
def test_the_cores_are_those_of_the_affinity_and_of_the_container(tmp_path, monkeypatch, text, cores):
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(machine, "QUOTAS", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 5}, raising=False)
    assert machine.available_cores() == cores
    monkeypatch.setattr(machine, "QUOTAS", tmp_path / "none")
    assert machine.available_cores() == 4


@pytest.mark.parametrize("line, given", [
    (f"from hdrmodel.cli import main; main(['info', r'{WEIGHTS}'], standalone_mode=False)", {}),
    ("import stages.train", {"GOMP_SPINCOUNT": "7", "OMP_NUM_THREADS": "1"}),
])  # fmt: skip
def test_variables_for_waiting_threads_are_set_before_pytorch_is_there_and_what_the_user_set_stays(line, given):
    seen = f"import os, sys; assert 'torch' not in sys.modules; {line}; assert 'torch' in sys.modules; "
    seen += "print(os.environ['GOMP_SPINCOUNT'], os.environ['OMP_NUM_THREADS'], sys.modules['torch'].get_num_threads())"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    environment |= {"PYTHONPATH": str(ROOT), **given}
    result = subprocess.run(
        [sys.executable, "-c", seen], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    )
    spins, number, threads = result.stdout.split()[-3:]
    cores = str(machine.available_cores())
    assert (spins, number) == (("7", "1") if given else (machine.SPINS, cores)) and threads == number


def test_a_temporary_folder_too_long_for_sockets_is_refused_in_one_line(dataset, monkeypatch):
    # the longest path of a socket is 107 bytes on Linux; multiprocessing and Ray put theirs in folders of TMPDIR
    monkeypatch.setattr(tempfile, "tempdir", "/" + "long/" * 15)
    machine.check_socket_paths(31)
    for start in (
        lambda: list(map_in_processes(len, ["a"])),
        lambda: next(load_pairs(Dataset(), Share(1, 0, 1), workers=1)),
        lambda: StackLoader(dataset.shards, 2, part="train", workers=1),
        lambda: ray_engine._connect(1),
    ):
        with pytest.raises(
            ValueError, match=r"^TMPDIR /long/long.*: 76 bytes, too long .*; expected a path of at most"
        ):
            start()

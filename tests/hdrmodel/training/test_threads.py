"""Threads on cores of their own."""

import os
import subprocess
import sys

import pytest
import torch
from shared_files import ROOT

from hdrmodel.training.threads import USERS, _in_each_thread, _openmp, a_core_a_thread

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def affinities() -> list[set[int]]:
    """Of each thread that PyTorch computes with, the cores that it may run on."""
    threads = torch.get_num_threads()
    found = [set()] * threads
    _in_each_thread(_openmp(), threads, lambda number: found.__setitem__(number, os.sched_getaffinity(0)))
    return found


@pytest.fixture
def threads():
    """Sets PyTorch's number of threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


needs_cores = pytest.mark.skipif(CORES < 2 or _openmp() is None, reason="needs two cores and GNU OpenMP")


@needs_cores
def test_each_thread_has_a_core_of_its_own_in_the_block_and_all_of_them_after_it(threads):
    threads(CORES)
    allowed = os.sched_getaffinity(0)
    with a_core_a_thread():
        seen = affinities()
        assert all(len(cores) == 1 for cores in seen) and set().union(*seen) == allowed
    assert affinities() == [allowed] * CORES
    with pytest.raises(RuntimeError, match="a step that fails"), a_core_a_thread():
        raise RuntimeError("a step that fails")
    assert affinities() == [allowed] * CORES


@needs_cores
def test_fewer_threads_than_cores_or_threads_bound_already_are_left_alone(threads):
    threads(1)
    allowed = os.sched_getaffinity(0)
    with a_core_a_thread():
        assert os.sched_getaffinity(0) == allowed
    threads(CORES)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with a_core_a_thread():
            assert os.sched_getaffinity(0) == {min(allowed)}
            assert affinities()[1:] == [allowed] * (CORES - 1)
    finally:
        os.sched_setaffinity(0, allowed)


@needs_cores
def test_a_system_that_lets_no_thread_choose_its_core_is_no_mistake(threads, monkeypatch, capfd):
    def refuse(process, cores):
        raise PermissionError(1, "Operation not permitted")

    threads(CORES)
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with a_core_a_thread():
        assert torch.ones(3).sum() == 3
    assert capfd.readouterr() == ("", "")


def test_without_affinities_nothing_is_done(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    with a_core_a_thread():
        assert torch.ones(3).sum() == 3


@needs_cores
@pytest.mark.parametrize("said, cores", [({"OMP_PROC_BIND": "true"}, 1), ({"OMP_PROC_BIND": "false"}, CORES), ({}, 1)])
def test_how_the_user_binds_threads_stays(said, cores):
    line = "import os, torch; from hdrmodel.training.threads import a_core_a_thread; torch.ones(9).sum()\n"
    line += "with a_core_a_thread(): print(len(os.sched_getaffinity(0)))\n"
    kept = {name: value for name, value in os.environ.items() if name not in USERS}
    environment = {**kept, "OMP_NUM_THREADS": str(CORES), "PYTHONPATH": str(ROOT), **said}
    result = subprocess.run([sys.executable, "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert int(result.stdout) == cores


@needs_cores
def test_what_is_computed_is_the_same(threads):
    threads(CORES)
    layer = torch.nn.Conv2d(16, 16, 3, padding=1)
    pictures = torch.rand(4, 16, 40, 40)

    def gradient() -> torch.Tensor:
        layer.zero_grad()
        layer(pictures).square().mean().backward()
        return layer.weight.grad.clone()

    free = gradient()
    with a_core_a_thread():
        assert torch.equal(gradient(), free)

"""Share of a machine that a process may use: number of cores, and OpenMP's idle threads."""

import math
import os
from pathlib import Path

QUOTAS = Path("/sys/fs/cgroup/cpu.max")  # of a container, cgroup v2: "<microseconds> <of a period>", or "max ..."
SPINS = "10000"  # some tens of microseconds


def available_cores() -> int:
    """Return how many cores this process may use: the least of machine, affinity and container quota, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTAS.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such quota
        return cores


def share_the_machine() -> None:
    """Let idle threads sleep soon, and start at most one per core; call this before PyTorch is imported.

    Idle threads of GNU OpenMP spin for milliseconds, which wastes cores that other processes use. Variables that the
    user has set stay.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    os.environ.setdefault("OMP_NUM_THREADS", str(available_cores()))

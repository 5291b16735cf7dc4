"""Share of a machine that a process may use: number of cores, OpenMP's idle threads, length of sockets' paths."""

import math
import os
import sys
import tempfile
from pathlib import Path

QUOTAS = Path("/sys/fs/cgroup/cpu.max")  # of a container, cgroup v2: "<microseconds> <of a period>", or "max ..."
SPINS = "10000"  # some tens of microseconds
SOCKET_PATH = 107 if sys.platform.startswith("linux") else 103  # bytes; see unix(7)
POOL_SOCKET = 32  # bytes of /pymp-xxxxxxxx/listener-xxxxxxxx
RAY_SOCKET = 72  # bytes of /ray/session_<time>_<process>/sockets/plasma_store


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


def check_socket_paths(inside: int = POOL_SOCKET) -> None:
    """Refuse a temporary folder whose path is too long for the sockets of worker processes.

    Args:
        inside: bytes of a socket's path in that folder.

    Raises:
        ValueError: naming TMPDIR.
    """
    folder, longest = tempfile.gettempdir(), SOCKET_PATH - inside
    if len(os.fsencode(folder)) > longest and sys.platform != "win32":
        raise ValueError(
            f"TMPDIR {folder}: {len(os.fsencode(folder))} bytes, too long for the sockets of worker processes; "
            f"expected a path of at most {longest}"
        )

"""The engine "ray": tasks on the cores of a Ray cluster, or of this machine through Ray.

The cluster is given by the environment variable RAY_ADDRESS ("host:port", or "auto" for one that runs on this machine);
without it Ray is started here. A process connects once, and disconnects when it ends. Files are exchanged through
storage that has the same path on every node: the inputs, the output folder and the working folder. A task is repeated
if its process or node was lost.
"""

import contextlib
import os
import secrets
import socket
import tempfile
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from hdrdata.files.disk import PARTIAL
from hdrdata.machine import RAY_SOCKET, check_socket_paths
from hdrdata.work.worker import MAX_DEATHS, Make, Take, killed, use_one_core

PACKAGES = ("hdr-attnet", "numpy", "opencv-python-headless", "openexr", "fpng")  # which give the files their bytes
STORE_BYTES = 100_000_000  # of Ray's object store, where we start it: rows are small
SECONDS_TO_STOP = 30  # that tasks under way are given when a run ends early


def run_on_ray(folder: Path, tasks: dict[str, Any], make: Make, take: Take, workers: int) -> None:
    """Run the tasks on every core of a cluster; see `hdrdata.work.engines.run_tasks`.

    Each task checks that its node has `folder`, and the same versions of the programs that make the bytes.

    Args:
        workers: tasks at a time; 0 for two a core, so that no core waits for this process.

    Raises:
        ValueError: if Ray is not installed, no cluster is at RAY_ADDRESS, or TMPDIR is too long for Ray's sockets.
        OSError: naming the node, if it does not see the folders, has other versions, or a file cannot be written.
        ChildProcessError: if a task lost its node again and again.
    """
    ray = _connect(workers)
    with tempfile.NamedTemporaryFile(prefix=f"{PARTIAL}run-", dir=folder) as token:
        run = ray.remote(num_cpus=1, max_retries=MAX_DEATHS - 1)(_make_on_a_node)
        place = (os.getcwd(), folder / Path(token.name).name, _versions())
        waiting, running = list(reversed(tasks)), {}
        try:
            while waiting or running:
                limit = workers or 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))  # nodes come and go
                while waiting and len(running) < limit:
                    name = waiting.pop()
                    running[run.remote(place, make, folder, tasks[name])] = name
                for done in ray.wait(list(running), num_returns=1)[0]:
                    name = running.pop(done)
                    take(name, _result(ray, done, name, tasks[name]))
        finally:  # at Ctrl-C or a refusal what is under way ends and is kept; ray.cancel may end this process (2.60)
            if running:
                for done in ray.wait(list(running), num_returns=len(running), timeout=SECONDS_TO_STOP)[0]:
                    with contextlib.suppress(ray.exceptions.RayError):
                        take(running[done], ray.get(done))


def _connect(workers: int) -> ModuleType:
    """The module ray, connected: as the caller did, to RAY_ADDRESS, or to a Ray started here for `workers`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent home, and nothing is said about it
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # paragraphs on the terminal about each retry
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, of coming versions
        try:
            import ray
        except ImportError as error:
            raise ValueError("engine ray: Ray is not installed: pip install 'hdr-attnet[ray]'") from error
        quiet = {"logging_level": "critical", "log_to_driver": False}
        address = os.environ.get("RAY_ADDRESS")
        if ray.is_initialized():
            pass
        elif address:
            same_code = {name: os.environ[name] for name in ["PYTHONPATH"] if name in os.environ}
            try:
                host, _, port = address.rpartition(":")
                if port.isdecimal():  # else Ray tries for two minutes, and then ends the process
                    socket.create_connection((host, int(port)), timeout=10).close()
                ray.init(address, runtime_env={"env_vars": same_code}, **quiet)
            except (OSError, RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0]
                hint = "" if "RAY_AUTH_MODE" in os.environ else " (if it requires a token: set RAY_AUTH_MODE=token)"
                raise ValueError(f"RAY_ADDRESS '{address}': no Ray cluster to work with: {reason}{hint}") from error
        else:
            if "RAY_TMPDIR" not in os.environ:
                check_socket_paths(RAY_SOCKET)
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray writes one to the user's home
            options = {"include_dashboard": False, "object_store_memory": STORE_BYTES}
            ray.init("local", num_cpus=workers or None, **options, **quiet)
    return ray


def _result(ray: ModuleType, done: object, name: str, task: Any) -> dict | ValueError:
    """Return the result of a task: its row, or the ValueError that refuses it; raise any other error."""
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ValueError):
            return error.cause
        raise error.cause from error
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        return killed(name, task)
    except ray.exceptions.RayError as error:
        reason = str(error).splitlines()[0]
        raise ChildProcessError(f"Ray gave up {name} after {MAX_DEATHS} attempts: {reason}") from error


def _make_on_a_node(place: tuple[str, Path, dict[str, str]], make: Make, folder: Path, task: Any) -> dict:
    """Make one task; runs in Ray's process."""
    working_folder, token, versions = place
    try:
        try:
            os.chdir(working_folder)
            seen = token.is_file()
        except OSError:
            seen = False
        if not seen:
            raise OSError(f"does not have {working_folder} and {folder} as the machine where the run began; "
                          "expected them on storage that all nodes share")  # fmt: skip
        for package, wanted in versions.items():
            if _versions()[package] != wanted:
                raise OSError(f"has {package} {_versions()[package]}; expected {wanted}, as where the run began")
        use_one_core()
        return make(folder, task)
    except OSError as error:
        raise OSError(f"Ray node {socket.gethostname()}: {error}") from error


@cache
def _versions() -> dict[str, str]:
    return {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a clone that was never installed, a machine without the encoder's wheel
        return "not installed"

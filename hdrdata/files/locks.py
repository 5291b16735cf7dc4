"""A lock on a folder that ends with its process, and names who holds it.

The lock is the file in which a run keeps its state, so that no other file stays in the folder, which DVC may track;
`filelock` would leave one. On NFS it holds between machines (Linux makes it a byte-range lock there); on storage that
has no locks there is none.
"""

import contextlib
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_SECONDS = 0.2


def this_process() -> dict:
    """Return what identifies the holder of a lock: its number and its machine."""
    return {"process": os.getpid(), "machine": socket.gethostname()}


@contextlib.contextmanager
def folder_lock(path: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is made if it is missing and may be removed inside the block.

    Args:
        waiting: called once with a line that names the folder and the holder, before this process waits for it; None:
            raise instead.

    Raises:
        ValueError: naming the folder and the process that holds the lock; or if the file is a link or no file.
    """
    announced = False
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if path.is_symlink():
                raise ValueError(f"{path}: a link; expected no file, or one that hdrdata wrote") from error
            raise
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError(f"{path}: not a file; expected none, or one that hdrdata wrote")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                held = f"{path.parent}: another run is at work in it{_holder(path)}"
                if waiting is None:
                    raise ValueError(f"{held}; wait for it") from error
                if not announced:
                    waiting(f"{held}; waiting for it")
                    announced = True
                time.sleep(POLL_SECONDS)
                continue
            except OSError:
                pass  # no locks here
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                yield
                return

            # The run that held the lock ended, and removed the file, between our two calls: once more.
        finally:
            os.close(descriptor)


def _holder(path: Path) -> str:
    """Return who wrote last that it holds the lock, in words."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        last = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("{")][-1:]
        for line in last:
            holder = json.loads(line)
            return f" (process {int(holder['process'])} on {str(holder['machine'])[:80]!s})"
    return ""

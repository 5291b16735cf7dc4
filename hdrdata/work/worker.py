"""Shared by every engine: the definition of a task, and the behaviour of worker processes."""

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any

Make = Callable[[Path, Any], dict]
Take = Callable[[str, "dict | ValueError"], None]
MAX_DEATHS = 3  # of workers alone with one task, before it is refused: one out-of-memory kill must not do it


def killed(name: str, task: Any) -> ValueError:
    """Error for a task that killed its process each time."""
    what = getattr(task, "path", name)
    return ValueError(f"{what}: the process that worked on it died {MAX_DEATHS} times: a decoder's crash, or memory")


def start_worker() -> None:
    """Leave Ctrl-C to the parent, end where the parent was killed, and take one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    use_one_core()


def _end_with_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def use_one_core() -> None:
    """Keep OpenCV from starting a thread a core in each of the processes."""
    import cv2

    cv2.setNumThreads(1)

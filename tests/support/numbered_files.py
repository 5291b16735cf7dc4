"""A task of engines: writes a number to a file. Worker processes import this module, and nothing else of the tests."""

import os
import signal
import time
from pathlib import Path

from hdrdata.files.disk import written_whole
from hdrdata.samples.layout import IntegrityError


def make_number(folder: Path, task: dict) -> dict:
    """Write a number to a file; the first time something may happen to the process, or always."""
    path = folder / f"{task['number']}.txt"
    if task.get("refuse"):
        raise IntegrityError(f"{path.name}: damaged")
    if task.get("fail"):
        raise PermissionError(13, "Permission denied", path.name)
    time.sleep(task.get("seconds", 0))
    with written_whole(path) as temporary:
        temporary.write_bytes(b"a part")
        first = Path(task.get("first", os.devnull))
        if task.get("always") or not first.exists():
            first.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        temporary.write_bytes(str(task["number"]).encode())
    return {"number": task["number"], "process": os.getpid()}


def numbers(count: int, **more) -> list[dict]:
    return [{"number": k, **more} for k in range(count)]

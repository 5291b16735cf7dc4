"""The journal of a folder at work: what is finished and not yet in its index, and who holds its lock."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

JOURNAL = ".journal.jsonl"


@dataclass(frozen=True)
class Journal:
    """Rows that were finished since the index was last written, one JSON line each."""

    path: Path
    rows: dict[str, dict]

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path) -> Iterator["Journal"]:
        """The journal with the rows that it holds, and nobody else at work in its folder until the block ends."""
        with _locked(path):
            text = path.read_text(encoding="utf-8", errors="replace")
            journal = cls(path, journal_rows(text))
            # On a line of its own, and not part of a torn one.
            journal._write(("" if text.endswith("\n") or not text else "\n") + json.dumps(_this_process()))
            try:
                yield journal
            finally:
                if not journal.rows:
                    path.unlink()

    def add(self, name: str, row: dict) -> None:
        self.rows[name] = row
        self._write(json.dumps([name, row], ensure_ascii=False))

    def _write(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def journal_rows(text: str) -> dict[str, dict]:
    """The rows of a journal; the last line of a run that was killed while it wrote is passed over."""
    rows = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            content = json.loads(line)
            if isinstance(content, list):
                rows[content[0]] = content[1]
    return rows


def _this_process() -> dict:
    return {"process": os.getpid(), "machine": socket.gethostname()}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is made where it is missing and may be removed inside the block.

    The lock ends with the process, however that ends. On NFS it holds between machines (Linux makes it a byte-range
    lock there); on storage that knows no locks there is none.

    Raises:
        ValueError: naming the folder and the process that holds the lock.
    """
    while True:
        with path.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(f"{path.parent}: another run is at work in it{_holder(path)}; wait for it") from error
            except OSError:
                pass  # no locks here
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield
                return

            # The run that held the lock ended, and removed the file, between our two calls: once more.


def _holder(path: Path) -> str:
    """Who wrote last that it holds the lock, as words."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        last = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("{")][-1:]
        for line in last:
            holder = json.loads(line)
            return f" (process {holder['process']} on {holder['machine']})"
    return ""

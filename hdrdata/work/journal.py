"""The journal of a folder at work: what is finished and not yet in its index, and who holds its lock."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter, ValidationError

from hdrdata.config import first_problem
from hdrdata.files.locks import folder_lock, this_process
from hdrdata.work.index import Row, previous_index

JOURNAL = ".journal.jsonl"
_LINE = TypeAdapter(tuple[str, Row])


@dataclass(frozen=True)
class Journal:
    """Rows that were finished since the index was last written, one JSON line each."""

    path: Path
    rows: dict[str, dict]
    found: bool  # whether an earlier run left it, which was cut short

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path, waiting: Callable[[str], None] | None = None) -> Iterator["Journal"]:
        """Open the journal with the rows that it holds; no other process is at work in its folder until the block ends.

        Args:
            waiting: see `folder_lock`.
        """
        with folder_lock(path, waiting):
            content = path.read_bytes()
            journal = cls(path, journal_rows(path), bool(content))
            # On a line of its own, and not part of a torn one.
            journal._write(("" if content.endswith(b"\n") or not content else "\n") + json.dumps(this_process()))
            try:
                yield journal
            except BaseException:
                if not (journal.rows or journal.found):
                    path.unlink()
                raise
            path.unlink()

    def add(self, name: str, row: dict) -> None:
        self.rows[name] = row
        self._write(json.dumps([name, row], ensure_ascii=False))

    def _write(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def journal_rows(path: Path) -> dict[str, dict]:
    """Read the rows of a journal; a line that a killed run did not finish is skipped.

    Raises:
        ValueError: naming the journal, if a line is not of ours or names a file outside the folder.
    """
    rows = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            if line.startswith(('["', '{"', "\0")):  # cut short by a kill, or by a power failure
                continue
            content = None
        try:
            if isinstance(content, dict) and content.keys() == {"process", "machine"}:
                continue
            _LINE.validate_python(content)
            name, row = cast(list, content)
            rows[name] = row
        except ValidationError as error:
            reason = f"{path}: line {number}: {first_problem(error)}"
            raise ValueError(
                f"{reason}; expected a journal of hdrdata; nothing in the folder was changed: move it away"
            ) from error
    return rows


def known_rows(folder: Path, algorithm: str) -> dict[str, dict]:
    """Return the rows of a folder's index, and those that a run finished since and that are not yet in it."""
    journal = folder / JOURNAL
    index = previous_index(folder, algorithm)
    rows = index["rows"] if index.get("algorithm") == algorithm else {}
    return {**rows, **(journal_rows(journal) if journal.is_file() else {})}

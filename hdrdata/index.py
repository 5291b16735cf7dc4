"""Make only what is missing: a folder of files that knows from what each was made.

`bring_up_to_date` runs one pure task an entry in a pool of processes. An entry whose digest (sources' bytes,
parameters, tables and the algorithm's version) stands in `index.json`, and whose files are there, is kept. `index.json`
is written last and atomically. Until then `.journal.jsonl` holds a line for each finished entry, so that a run cut
short goes on.
"""

import json
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from hdrdata.disk import PARTIAL, read_json, sha256_of, write_json

INDEX = "index.json"
JOURNAL = ".journal.jsonl"
MAX_DEATHS = 3  # of workers, before a run gives up: one out-of-memory kill must not end it


@dataclass(frozen=True)
class Entry:
    """What is wanted under one name: the digest of all that it depends on, and what its task needs to know."""

    name: str
    digest: str
    task: Any  # picklable


Take = Callable[[Entry, "dict | ValueError"], None]


@dataclass(frozen=True)
class Refusal:
    """An entry whose source is bad, with the one line that says why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What one run did."""

    rows: dict[str, dict]  # by entry's name, sorted: "digest", "files" and what the task told
    new: int
    kept: int
    removed: int
    refused: tuple[Refusal, ...] = ()

    def summary(self) -> str:
        """'2 new, 70 kept, 1 removed, 3 refused', or that nothing has changed."""
        if not (self.new or self.removed):
            text = f"nothing has changed: {self.kept} kept"
        else:
            text = f"{self.new} new, {self.kept} kept, {self.removed} removed"
        return text + (f", {len(self.refused)} refused" if self.refused else "")


@dataclass
class _Journal:
    """Rows that were finished since the index was last written, one JSON line each."""

    path: Path
    rows: dict[str, dict] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "_Journal":
        journal = cls(path)
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            for line in text.splitlines():
                try:
                    name, row = json.loads(line)
                except ValueError:  # the last line of a run that was killed while it wrote
                    continue
                journal.rows[name] = row
            if text and not text.endswith("\n"):
                with path.open("a", encoding="utf-8") as file:
                    file.write("\n")  # else the next row would be part of the torn line
        return journal

    def add(self, name: str, row: dict) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, row], ensure_ascii=False) + "\n")


def describe_files(folder: Path, names: Iterable[str]) -> dict[str, dict]:
    """Size and SHA-256 of files in `folder`, as an index row holds them."""
    return {name: {"size": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names}


def read_index(folder: Path, algorithm: str) -> dict:
    """Read a folder's index.

    Raises:
        ValueError: naming the folder, if it has no index, or another algorithm wrote it.
    """
    path = folder / INDEX
    if not path.is_file():
        raise ValueError(f"{folder}: no {INDEX} in it; run the stage that makes this folder")
    index = read_json(path)
    if index.get("algorithm") != algorithm or not isinstance(index.get("rows"), dict):
        raise ValueError(f"{path}: made by '{index.get('algorithm')}', wanted '{algorithm}'; run its stage again")
    return index


def known_rows(folder: Path, algorithm: str) -> dict[str, dict]:
    """What a folder holds: the rows of its index, and those that a run finished since and could not yet write there."""
    return {**_previous_rows(folder, algorithm), **_Journal.read(folder / JOURNAL).rows}


def bring_up_to_date(
    folder: Path,
    algorithm: str,
    entries: list[Entry],
    make: Callable[[Path, Any], dict],
    *,
    title: str,
    workers: int = 0,
    on_error: str = "stop",
    finish: Callable[[dict[str, dict]], dict] = lambda rows: {},
) -> Outcome:
    """Make the entries of `folder` that are missing or made otherwise, remove what is no longer wanted, write the
    index.

    Args:
        algorithm: name and version of the way the files are made, such as "views-1"; part of every entry's digest.
        make: called in another process as make(folder, entry.task); writes its files whole or not at all and returns
            {"files": describe_files(...), ...} with whatever else the row should tell. A ValueError refuses the entry.
        title: verb for the progress bar.
        workers: processes; 0 for one a core. The result does not depend on it.
        on_error: "stop" raises at the first refused entry; "skip" records it, keeps the others and counts it.
        finish: from all rows, further keys of index.json; runs last but for the index, and may write files.

    Returns:
        the rows of all wanted entries that were not refused, and the counts.

    Raises:
        ValueError: if an entry is refused and `on_error` is "stop"; if nothing at all was made.
        ChildProcessError: if worker processes keep dying.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"on_error '{on_error}'; wanted 'stop' or 'skip'")
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.rglob(f"{PARTIAL}*"):  # of a run that was killed
        leftover.unlink()
    ours = any((folder / name).is_file() for name in (INDEX, JOURNAL))
    journal = _Journal.read(folder / JOURNAL)
    before = _previous_rows(folder, algorithm)
    known = known_rows(folder, algorithm)
    rows: dict[str, dict] = {}
    missing: list[Entry] = []
    for entry in entries:
        row = known.get(entry.name)
        usable = row and row["digest"] == entry.digest and _files_are_there(folder, row)
        if usable and (on_error == "skip" or "refused" not in row):
            rows[entry.name] = row
        else:
            missing.append(entry)

    def take(entry: Entry, result: dict | ValueError) -> None:
        if isinstance(result, ValueError):
            if on_error == "stop":
                raise result
            result = {"refused": str(result), "files": {}}
        rows[entry.name] = {"digest": entry.digest, **result}
        journal.add(entry.name, rows[entry.name])

    _run(folder, missing, make, take, title, workers)

    refused = tuple(Refusal(name, row["refused"]) for name, row in sorted(rows.items()) if "refused" in row)
    made = {name: rows[name] for name in sorted(rows) if "refused" not in rows[name]}
    if entries and not made:
        raise ValueError(f"{folder}: all {len(refused)} were refused; the first: {refused[0].reason}")
    wanted = {name for row in made.values() for name in row["files"]}
    removed = sum("refused" not in row and name not in rows for name, row in before.items())
    if ours:  # what a run made that was cut short, or another algorithm, and that no row knows
        for suffix in {Path(name).suffix for name in wanted}:
            for file in folder.rglob(f"*{suffix}"):
                if file.relative_to(folder).as_posix() not in wanted:
                    file.unlink()
    for row in known.values():
        for name in row["files"]:
            if name not in wanted:
                (folder / name).unlink(missing_ok=True)
    more = finish(made)
    write_json(folder / INDEX, {"algorithm": algorithm, **more, "rows": {name: rows[name] for name in sorted(rows)}})
    (folder / JOURNAL).unlink(missing_ok=True)
    new = sum("refused" not in rows[entry.name] for entry in missing)
    return Outcome(made, new=new, kept=len(made) - new, removed=removed, refused=refused)


def _previous_rows(folder: Path, algorithm: str) -> dict[str, dict]:
    path = folder / INDEX
    if not path.is_file():
        return {}
    try:
        index = read_json(path)
    except ValueError:
        return {}  # damaged: everything is made again
    rows = index.get("rows")
    return rows if index.get("algorithm") == algorithm and isinstance(rows, dict) else {}


def _files_are_there(folder: Path, row: dict) -> bool:
    for name, facts in row["files"].items():
        try:
            if (folder / name).stat().st_size != facts["size"]:
                return False
        except FileNotFoundError:
            return False
    return True


def _run(
    folder: Path, entries: list[Entry], make: Callable[[Path, Any], dict], take: Take, title: str, workers: int
) -> None:
    """Make entries in a pool of processes and hand each to `take`, with its row or the error that refuses it."""
    if not entries:
        return
    workers = min(workers or os.cpu_count() or 1, len(entries))
    waiting, deaths = list(reversed(entries)), 0
    with progress_bar() as bar:
        task = bar.add_task(title, total=len(entries))

        def take_and_tell(entry: Entry, result: dict | ValueError) -> None:
            take(entry, result)
            bar.advance(task)

        while waiting:
            try:
                _run_pool(folder, waiting, make, take_and_tell, workers)
            except BrokenProcessPool as error:
                deaths += 1
                if deaths > MAX_DEATHS:
                    raise ChildProcessError(f"worker processes died {deaths} times, {error}") from error


def _run_pool(folder: Path, waiting: list[Entry], make: Callable[[Path, Any], dict], take: Take, workers: int) -> None:
    """Make the entries of `waiting` from its end, until it is empty; a worker that dies gives its entries back."""
    context = get_context("forkserver")  # imports `make`'s module once, and not once a worker
    context.set_forkserver_preload([make.__module__])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    running: dict[Future, Entry] = {}
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                future = pool.submit(make, folder, waiting[-1].task)  # where the pool is broken, this raises
                running[future] = waiting.pop()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                error = future.exception()
                if error is not None and not isinstance(error, ValueError):
                    raise error
                take(running.pop(future), error or future.result())
    except BrokenProcessPool as error:
        names = ", ".join(entry.name for entry in running.values())
        waiting.extend(running.values())
        running.clear()
        raise BrokenProcessPool(f"at last while making {names}") from error
    finally:  # also when Ctrl-C or a refusal ends it: what is queued is dropped, what runs ends and is kept
        pool.shutdown(wait=True, cancel_futures=True)
        for future, entry in running.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                take(entry, future.result())


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and one core to each worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)


def progress_bar() -> Progress:
    """The progress bar of all long work: what, how far, how much time is left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )

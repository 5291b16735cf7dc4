"""Make only what is missing: a folder of files with a record of what each was made from.

`bring_up_to_date` has an engine run one pure task per entry. An entry is kept if its files exist and its digest (of the
sources' bytes, parameters, tables and the algorithm's version) is in `index.json`. `index.json` is written last and
atomically. Until then `.journal.jsonl` holds a line for each finished entry, so that an interrupted run can continue. A
process that holds its lock works alone in the folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hdrdata.files.disk import INDEX
from hdrdata.files.removal import remove_listed, remove_unfinished, unfinished_files
from hdrdata.work.engines import run_tasks
from hdrdata.work.index import files_are_there, files_are_whole, previous_index, write_index
from hdrdata.work.journal import JOURNAL, Journal, journal_rows
from hdrdata.work.progress import progress_bar
from hdrdata.work.worker import Make, Take


@dataclass(frozen=True)
class Entry:
    """One entry to make: its name, the digest of all that it depends on, and the input of its task."""

    name: str
    digest: str
    task: Any  # picklable


@dataclass(frozen=True)
class Refusal:
    """An entry whose source is bad, with the one line that says why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """Result of one run."""

    rows: dict[str, dict]  # by entry's name, sorted: "digest", "files" and the facts that the task returned
    new: int
    kept: int
    removed: int
    refused: tuple[Refusal, ...] = ()
    changed: tuple[str, ...] = ()  # files that are no longer needed, and stay because somebody changed them

    def summary(self) -> str:
        """Return '2 new, 70 kept, 1 removed, 3 refused', or that nothing has changed."""
        if not (self.new or self.removed):
            text = f"nothing has changed: {self.kept} kept"
        else:
            text = f"{self.new} new, {self.kept} kept, {self.removed} removed"
        text += f", {len(self.refused)} refused" if self.refused else ""
        return text + (f", not removed because changed: {', '.join(self.changed)}" if self.changed else "")


def bring_up_to_date(
    folder: Path,
    algorithm: str,
    entries: list[Entry],
    make: Make,
    *,
    title: str,
    workers: int = 0,
    engine: str = "local",
    isolated: bool = True,
    on_error: str = "stop",
    check_content: bool = False,
    finish: Callable[[dict[str, dict]], dict] = lambda rows: {},
) -> Outcome:
    """Make the entries of `folder` that are missing or made otherwise, remove what is no longer needed, write the
    index. Only files that the folder's index or journal lists, with the bytes listed there, are removed.

    Args:
        algorithm: name and version of the way the files are made, such as "views-1"; part of every entry's digest.
        make: called in another process as make(folder, entry.task); writes its files whole or not at all and returns
            {"files": describe_files(...), ...} with further facts for the row. A ValueError refuses the entry.
        title: verb for the progress bar.
        workers: tasks at a time; 0 for one a core. The result does not depend on it, nor on the engine.
        engine: what runs the tasks; see `hdrdata.work.engines`.
        isolated: False if `make` cannot crash its process; see `hdrdata.work.engines.run_tasks`.
        on_error: "stop" raises at the first refused entry; "skip" records it, keeps the others and counts it;
            the next run tries it again.
        check_content: read every file that is kept, and make again what has other bytes than the index lists. Else only
            sizes are compared, so that damage which keeps a file's size is not seen.
        finish: from all rows, further keys of index.json; runs last except for the index, and may write files.

    Returns:
        the rows of all entries that were not refused, and the counts.

    Raises:
        ValueError: if an entry is refused and `on_error` is "stop", also one that kills its worker again and again; if
            nothing at all was made; if another run is at work in the folder; if the folder's index or journal is broken
            or of another program, in which case nothing in it is changed.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"on_error '{on_error}'; expected 'stop' or 'skip'")
    folder.mkdir(parents=True, exist_ok=True)
    with Journal.opened(folder / JOURNAL) as journal:
        index = previous_index(folder, algorithm)
        ours = journal.found or bool(index)
        strangers = set() if ours else set(unfinished_files(folder))
        _remove_unfinished(folder, strangers)  # of a run that was killed
        before = index.get("rows", {})
        usable_rows = {**(before if index.get("algorithm") == algorithm else {}), **journal.rows}
        holds = files_are_whole if check_content else files_are_there
        rows: dict[str, dict] = {}
        missing: dict[str, Entry] = {}
        for entry in entries:
            row = usable_rows.get(entry.name)
            # A refused entry is tried again: its file may be back.
            if row and row["digest"] == entry.digest and "refused" not in row and holds(folder, row):
                rows[entry.name] = row
            else:
                missing[entry.name] = entry

        def take(name: str, result: dict | ValueError) -> None:
            if isinstance(result, ValueError):
                if on_error == "stop":
                    raise result
                result = {"refused": str(result), "files": {}}
            rows[name] = {"digest": missing[name].digest, **result}
            journal.add(name, rows[name])

        _run(engine, folder, missing, make, take, title, workers, isolated)
        _remove_unfinished(folder, strangers)  # of workers that were killed

        refused = tuple(Refusal(name, row["refused"]) for name, row in sorted(rows.items()) if "refused" in row)
        made = {name: rows[name] for name in sorted(rows) if "refused" not in rows[name]}
        if entries and not made:
            raise ValueError(f"{folder}: all {len(refused)} were refused; the first: {refused[0].reason}")
        wanted_files = {name for row in made.values() for name in row["files"]}
        listed = [row["files"] for known in (before, journal.rows) for row in known.values()]
        changed = {name for files in listed for name in remove_listed(folder, files, wanted_files)}
        changed = sorted(name for name in changed if (folder / name).exists())
        more = finish(made)
        wanted = {"algorithm": algorithm, **more, "rows": {name: rows[name] for name in sorted(rows)}}
        if wanted != index:
            write_index(folder / INDEX, wanted)
        journal.rows.clear()
    removed = sum("refused" not in row and name not in rows for name, row in before.items())
    new = sum("refused" not in rows[name] for name in missing)
    return Outcome(made, new, kept=len(made) - new, removed=removed, refused=refused, changed=tuple(changed))


def check_folder(folder: Path, algorithm: str) -> None:
    """Refuse a folder whose index or journal is broken or of another program, before anything in it is touched.

    Raises:
        ValueError: naming the file.
    """
    previous_index(folder, algorithm)
    if (folder / JOURNAL).exists():
        journal_rows(folder / JOURNAL)


def _run(
    engine: str,
    folder: Path,
    missing: dict[str, Entry],
    make: Make,
    take: Take,
    title: str,
    workers: int,
    isolated: bool,
) -> None:
    """Make entries with an engine, and show how far it is."""
    tasks = {name: entry.task for name, entry in missing.items()}
    if len(tasks) < 2:  # a bar would show nothing
        if tasks:
            run_tasks(engine, folder, tasks, make, take, workers, isolated=isolated)
        return
    with progress_bar() as bar:
        line = bar.add_task(title, total=len(tasks))

        def take_and_report(name: str, result: dict | ValueError) -> None:
            take(name, result)
            bar.advance(line)

        run_tasks(engine, folder, tasks, make, take_and_report, workers, isolated=isolated)


def _remove_unfinished(folder: Path, strangers: set[Path]) -> None:
    for path in set(unfinished_files(folder)) - strangers:
        remove_unfinished(path)

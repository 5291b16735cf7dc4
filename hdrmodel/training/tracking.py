"""Progress of a training run: DVCLive's tables and images, and a progress bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from dvclive.live import Live
from jaxtyping import UInt8
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hdrdata.files.disk import write_bytes

FOLDER = "dvclive"
PICTURE = "validation.png"


class _Tables(Live):
    """DVCLive without a repository: it would open the working folder's, and make one where there is only Git's."""

    def _init_dvc(self) -> None:
        self._dvc_file = "dvc.yaml"


class Log:
    """The tables and pictures of a run, in the folder `dvclive` of the run's; without DVCLive nothing is kept."""

    def __init__(self, live: Live | None):
        self._live = live

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Add a row to the table of each name ("train/total")."""
        if self._live is None:
            return
        self._live.step = step
        for name, value in values.items():
            self._live.log_metric(name, value, timestamp=False)
        self._live.make_summary()

    def picture(self, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Replace the run's picture."""
        if self._live is not None:
            self._live.log_image(PICTURE, picture)


@contextmanager
def open_log(run: Path, step: int, keeps: bool) -> Iterator[Log]:
    """Log to the folder `run`; what an earlier process logged after `step`, which its checkpoint does not hold, goes.

    Args:
        keeps: whether this process writes the log.
    """
    if not keeps:
        yield Log(None)
        return
    folder = run / FOLDER
    if step > 0:
        _rewind(folder, step)
    live = _Tables(str(folder), resume=step > 0, report=None, save_dvc_exp=False, dvcyaml=None)
    try:
        yield Log(live)
    finally:
        live.end()


def _rewind(folder: Path, step: int) -> None:
    """Drop what was logged after `step`, and what a kill left half-written."""
    (folder / "metrics.json").unlink(missing_ok=True)  # written again with the next row
    for table in folder.rglob("*.tsv"):
        header, *rows = table.read_text(encoding="utf-8").splitlines() or [""]
        names = header.split("\t")
        if "step" not in names:
            table.unlink()
            continue
        cells = [row.split("\t") for row in rows]
        kept = [row for row in cells if len(row) == len(names) and int(row[names.index("step")]) <= step]
        if len(kept) < len(rows):
            write_bytes(table, "".join("\t".join(row) + "\n" for row in [names, *kept]).encode())


class Bar:
    """A progress bar and the note behind it."""

    def __init__(self, progress: Progress, task: TaskID):
        self._progress, self._task = progress, task

    def move(self, step: int) -> None:
        """Show that a step is done."""
        self._progress.update(self._task, completed=step)

    def note(self, text: str) -> None:
        """Replace the note."""
        self._progress.update(self._task, note=text)


@contextmanager
def show_progress(title: str, steps: int, done: int, shown: bool) -> Iterator[Bar]:
    """A progress bar from step `done` to `steps`; nothing is shown where a process does not lead."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    texts = TextColumn("{task.description}"), TextColumn("{task.fields[note]}")
    with Progress(texts[0], *columns, texts[1], disable=not shown) as progress:
        yield Bar(progress, progress.add_task(title, total=steps, completed=done, note=""))

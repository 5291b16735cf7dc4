"""Record of what the files of a folder were made of: predictions.json, so a second run makes only what is missing.

It is an index as `hdrdata.work.index` describes it, with a row for each output. While a run works in the folder, it
holds the lock of `.predictions.jsonl`, to which it adds a line before and after each photograph; at its end the rows
go to predictions.json. So a photograph costs the same however many are listed.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hdrdata.cameras.recipe import LETTERS
from hdrdata.config import first_problem
from hdrdata.files.disk import digest_of, read_json, sha256_of, temporary_beside
from hdrdata.files.removal import has_bytes, remove_unfinished, unfinished_files
from hdrdata.terminal import printable
from hdrdata.work.index import checked_index, write_index
from hdrdata.work.journal import Journal, journal_rows
from hdrmodel.outputs.exposures import exposure_files

INDEX, JOURNAL = "predictions.json", ".predictions.jsonl"
ALGORITHM = "predictions-2"
LONGEST_NAME = 255  # bytes, of most file systems


class _OldRow(BaseModel):
    model_config = ConfigDict(strict=True)
    input_sha256: str
    settings: str
    bytes: int | None


class _OldIndex(BaseModel):
    """Version 1, which had sizes and no hashes."""

    format: Literal["hdrmodel-predictions-1"]
    files: dict[str, _OldRow]


class PredictionIndex:
    """The list of the files that were made in a folder: digest of input and settings, sizes and hashes.

    A file is listed before it is made, without a size, and again once it exists. So a run that is killed leaves no
    file that the list does not have.
    """

    def __init__(self, folder: Path, overwrite: bool = False):
        """Read a folder's list, if there is one.

        Args:
            again: ignore a list that is broken.

        Raises:
            ValueError: naming the list, if it is broken or of another program.
        """
        self.folder, self.path, self.overwrite = folder, folder / INDEX, overwrite
        self.rows: dict[str, dict] = self._read()
        self._journal: Journal | None = None

    def _read(self) -> dict[str, dict]:
        rows = {}
        if self.path.exists():
            try:
                rows = _rows_of(self.path)
            except ValueError as error:
                if not self.overwrite:
                    raise ValueError(f"{error}; --overwrite makes all files again") from error
        self._indexed = rows.copy()
        journal = self.folder / JOURNAL
        rows |= journal_rows(journal) if journal.is_file() else {}
        return {name: row for name, row in rows.items() if row["files"] or (self.folder / name).exists()}

    @contextlib.contextmanager
    def locked(self, waiting: Callable[[str], None]) -> Iterator[None]:
        """Work alone in the folder, which is made if it is missing; another process is waited for.

        Args:
            waiting: see `hdrdata.files.locks.folder_lock`.
        """
        missing = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self.folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            yield from self._working(waiting)
        finally:
            with contextlib.suppress(OSError):  # a folder that is not empty stays
                for folder in missing:
                    folder.rmdir()

    def _working(self, waiting: Callable[[str], None]) -> Iterator[None]:
        with Journal.opened(self.folder / JOURNAL, waiting) as journal:
            self.rows, self._journal = self._read(), journal  # as the other process left it
            if self.rows or journal.found:  # else temporary files here are not ours
                for place in {self.folder, *((self.folder / name).parent for name in self.rows)}:
                    for path in unfinished_files(place, below=False):
                        remove_unfinished(path)
            try:
                yield
            finally:
                self._write()
                journal.rows.clear()

    def __contains__(self, path: Path) -> bool:
        """Return whether a file is one that was made here, or was to be, or is in such a folder."""
        try:
            place = path.resolve().relative_to(self.folder.resolve())
        except ValueError:  # it lies elsewhere
            return False
        return any(printable(name.as_posix()) in self.rows for name in (place, place.parent))

    def holds(self, settings: dict[Path, str], input_sha256: str) -> bool:
        """Return whether files exist as they were made of this input by these settings, a digest each."""
        return all(self._holds(path, digest_of([input_sha256, digest])) for path, digest in settings.items())

    def _holds(self, path: Path, digest: str) -> bool:
        row, sizes = self.rows.get(self._name(path)), {name: file.stat().st_size for name, file in self._files(path)}
        if row is None or row["digest"] != digest or not sizes:
            return False
        if "bytes" in row:  # of version 1
            return row["bytes"] == sum(sizes.values())
        return sizes == {name: facts["size"] for name, facts in row["files"].items()}

    def may_replace(self, path: Path) -> bool:
        """Return whether what exists at `path` was made here and nobody changed it since."""
        row = self.rows.get(self._name(path))
        if row is None:
            return False
        if row.get("bytes") is not None:
            return row["bytes"] == sum(file.stat().st_size for _, file in self._files(path))
        if not row["files"]:  # a run was cut short while it made it
            return True
        return all(name in row["files"] and has_bytes(file, row["files"][name]) for name, file in self._files(path))

    def begin(self, settings: dict[Path, str], input_sha256: str) -> None:
        """List files that are about to be made."""
        for path, digest in settings.items():
            self._add(path, {"digest": digest_of([input_sha256, digest]), "files": {}})

    def end(self, settings: dict[Path, str], input_sha256: str) -> None:
        """List files that were made."""
        for path, digest in settings.items():
            files = {name: {"size": file.stat().st_size, "sha256": sha256_of(file)} for name, file in self._files(path)}
            self._add(path, {"digest": digest_of([input_sha256, digest]), "files": files})

    def _add(self, path: Path, row: dict) -> None:
        self.rows[self._name(path)] = row
        if self._journal is not None:
            self._journal.add(self._name(path), row)

    def paths(self) -> list[Path]:
        """Return what is listed, and the list; of a stack its files."""
        listed = [self.folder / name for name in self.rows]
        return [self.path, *listed, *(file for path in listed if path.is_dir() for file in path.iterdir())]

    def _write(self) -> None:
        rows = {n: row for n, row in sorted(self.rows.items()) if row["files"] or os.path.lexists(self.folder / n)}
        if rows != self._indexed:
            write_index(self.path, {"algorithm": ALGORITHM, "rows": rows})

    def _name(self, path: Path) -> str:
        return printable(path.relative_to(self.folder).as_posix())

    def _files(self, path: Path) -> list[tuple[str, Path]]:
        """Return the files that exist of one output, with their names in the list."""
        files = exposure_files(path, len(LETTERS)) if path.is_dir() else [path]
        return [(self._name(file), file) for file in files if file.is_file()]


class PredictionIndexes:
    """The lists of the folders that the outputs of photographs go to."""

    def __init__(self, folder_of: Callable[[Path], Path], overwrite: bool):
        self.folder_of, self.overwrite = folder_of, overwrite
        self.kept: dict[Path, PredictionIndex] = {}
        self.held: set[Path] = set()

    def locked(self, photo: Path, stack: contextlib.ExitStack, waiting: Callable[[str], None]) -> PredictionIndex:
        """Return the list of a photograph's outputs, in whose folder no other process works until `stack` ends."""
        index = self.of(photo)
        if index.folder not in self.held:
            stack.enter_context(index.locked(waiting))
            self.held.add(index.folder)
        return index

    def of(self, photo: Path) -> PredictionIndex:
        folder = self.folder_of(photo)
        if folder not in self.kept:
            self.kept[folder] = PredictionIndex(folder, self.overwrite)
        return self.kept[folder]


def _rows_of(path: Path) -> dict[str, dict]:
    content = read_json(path)
    if "format" not in content:
        return checked_index(path, ALGORITHM)["rows"]
    try:
        files = _OldIndex.model_validate(content).files
    except ValidationError as error:
        raise ValueError(f"{path}: {first_problem(error)}; expected a list of predictions") from error
    return {
        name: {"digest": digest_of([row.input_sha256, row.settings]), "files": {}, "bytes": row.bytes}
        for name, row in files.items()
    }


def check_writable(path: Path) -> None:
    """Find out, before anything is computed, whether a file of this name can be written; folders are made.

    Raises:
        OSError: naming the file.
    """
    longest = LONGEST_NAME
    try:
        if path.parent.exists() and not path.parent.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        if hasattr(os, "pathconf"):
            longest = os.pathconf(path.parent, "PC_NAME_MAX")
        if len(os.fsencode(path.name)) > longest:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        if path.is_dir() and path.suffix != ".stack":
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary = temporary_beside(path)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        temporary.unlink()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error

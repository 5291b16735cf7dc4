"""What the files of a folder were made of: predictions.json, by which a second run makes what is missing alone."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hdrdata.cameras.recipe import LETTERS
from hdrdata.files.disk import PARTIAL, read_json, write_json
from hdrmodel.outputs.exposures import exposure_files

INDEX = "predictions.json"
FORMAT = "hdrmodel-predictions-1"


class PredictionIndex:
    """The list of the files that were made in a folder, each with the digests of its input and settings and its size.

    A file is listed before it is made, without a size, and again once it is there. So a run that is killed leaves no
    file that the list does not know.
    """

    def __init__(self, folder: Path, anew: bool = False):
        """Read a folder's list, if there is one.

        Args:
            anew: leave out a list that is damaged.

        Raises:
            ValueError: naming the list, if it is damaged.
        """
        self.folder, self.path = folder, folder / INDEX
        self.files: dict[str, object] = {}
        if not self.path.is_file():
            return
        try:
            self.files = _checked(self.path)
        except ValueError as error:
            if not anew:
                raise ValueError(f"{error}; with --anew all is made again") from error

    def __contains__(self, path: Path) -> bool:
        """Whether a file is one that was made here, or was to be, or is in such a folder."""
        try:
            place = path.resolve().relative_to(self.folder.resolve())
        except ValueError:  # it lies elsewhere
            return False
        return any(readable(name.as_posix()) in self.files for name in (place, place.parent))

    def holds(self, settings: dict[Path, str], input_sha256: str) -> bool:
        """Whether files are there as they were made of this input by these settings, a digest each."""
        rows = {path: _row(input_sha256, digest, _size(path)) for path, digest in settings.items()}
        return all(row["bytes"] is not None and self.files.get(self._name(path)) == row for path, row in rows.items())

    def begin(self, settings: dict[Path, str], input_sha256: str) -> None:
        """List files that are about to be made."""
        for path, digest in settings.items():
            self.files[self._name(path)] = _row(input_sha256, digest, None)
        self._write()

    def end(self, settings: dict[Path, str], input_sha256: str) -> None:
        """List files that were made."""
        for path, digest in settings.items():
            self.files[self._name(path)] = _row(input_sha256, digest, _size(path))
        self._write()

    def forget_missing(self, paths: Iterable[Path]) -> None:
        """Take off the list what was not made after all, so that a photograph of that name is one."""
        missing = {self._name(path) for path in paths if _size(path) is None} & self.files.keys()
        for name in missing:
            del self.files[name]
        if missing:
            with contextlib.suppress(OSError):  # of a full disk, which has been told
                self._write()

    def paths(self) -> list[Path]:
        """What is listed, and the list; of a stack its files."""
        listed = [self.folder / name for name in self.files]
        return [self.path, *listed, *(file for path in listed if path.is_dir() for file in path.iterdir())]

    def _write(self) -> None:
        if self.files:
            write_json(self.path, {"format": FORMAT, "files": self.files})
        else:
            self.path.unlink(missing_ok=True)

    def _name(self, path: Path) -> str:
        return readable(path.relative_to(self.folder).as_posix())


def readable(name: str) -> str:
    """A file's name as text; bytes that are no UTF-8, as old archives have them, as \\xe9 and so on."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def shown(text: str) -> str:
    """Text with names in it as a terminal may print it: characters that steer one are escaped too."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in readable(text)
    )


def check_writable(path: Path) -> None:
    """Find out, before anything is computed, whether a file of this name can be written; folders are made.

    Raises:
        OSError: naming the file.
    """
    longest = 255
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
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_partial(folders: set[Path]) -> None:
    """Remove what `written_whole` and `write_exposures` left in folders when their process was killed."""
    for folder in folders:
        for partial in folder.glob(f"{PARTIAL}????????.*"):
            if partial.is_dir():
                shutil.rmtree(partial)
            else:
                partial.unlink(missing_ok=True)


def _checked(path: Path) -> dict[str, object]:
    content = read_json(path)
    files = content.get("files")
    if content.get("format") != FORMAT or not isinstance(files, dict):
        raise ValueError(f"{path}: not a list of predictions ({FORMAT})")
    return files


def _row(input_sha256: str, settings: str, size: int | None) -> dict:
    return {"input_sha256": input_sha256, "settings": settings, "bytes": size}


def _size(path: Path) -> int | None:
    """Bytes of a file, or of the files of a stack; None if it is not there."""
    files = exposure_files(path, len(LETTERS)) if path.is_dir() else [path]
    sizes = [file.stat().st_size for file in files if file.is_file()]
    return sum(sizes) if sizes else None

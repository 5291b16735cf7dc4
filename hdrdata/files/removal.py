"""Remove files: only those that a valid list of ours names, that are inside its folder and still have its bytes."""

import contextlib
import os
import re
import stat
from collections.abc import Container, Iterator, Mapping
from pathlib import Path, PurePosixPath

from hdrdata.files.disk import PARTIAL, sha256_of

# As `written_whole` and `tempfile` name them: eight characters after our prefix, and the suffix of the finished file.
UNFINISHED = re.compile(re.escape(PARTIAL) + r"(?:run-)?[a-z0-9_]{8}(?:\.\w+)*")


def is_plain_name(name: str) -> bool:
    """Return whether `name` is a relative path below a folder: no '..', no root, no drive, no empty part."""
    plain = all(part not in ("", ".", "..") for part in name.split("/")) and ".." not in name.split("\\")
    return plain and "\0" not in name and not re.match(r"[A-Za-z]:", name)


def is_inside(folder: Path, name: str) -> bool:
    """Return whether `name` is plain and no link between the folder and the file leads out of the folder."""
    return is_plain_name(name) and (folder / name).parent.resolve().is_relative_to(folder.resolve())


def has_bytes(path: Path, facts: Mapping) -> bool:
    """Return whether a file has the size and SHA-256 in `facts`; False if it is no file or cannot be read."""
    try:
        status = path.stat()
        same_size = stat.S_ISREG(status.st_mode) and status.st_size == facts["size"]
        return same_size and sha256_of(path) == facts["sha256"]
    except OSError:
        return False


def remove_listed(folder: Path, listed: Mapping[str, Mapping], keep: Container[str] = ()) -> list[str]:
    """Remove the listed files of `folder`, and the folders below it that this leaves empty.

    Args:
        listed: size and SHA-256 by name. A file with other bytes, or behind a link out of `folder`, stays.
        keep: names that stay.

    Returns:
        names of files that are no longer needed and stay because their bytes are not the listed ones.
    """
    changed = []
    for name, facts in listed.items():
        path = folder / name
        if name in keep or not is_inside(folder, name) or not os.path.lexists(path):
            continue
        if not has_bytes(path, facts):
            changed.append(name)
            continue
        path.unlink()
        for parent in list(PurePosixPath(name).parents)[:-1]:
            with contextlib.suppress(OSError):  # not empty
                (folder / parent).rmdir()
    return changed


def unfinished_files(folder: Path, below: bool = True) -> Iterator[Path]:
    """Yield the temporary files and folders of `written_whole` and its kind in `folder`; links are not followed.

    Args:
        below: also in the folders below it.
    """
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            if UNFINISHED.fullmatch(name):
                yield Path(place, name)
        folders[:] = [name for name in folders if below and not UNFINISHED.fullmatch(name)]


def remove_unfinished(path: Path) -> None:
    """Remove a temporary file, or a temporary folder with the files in it; a folder with folders in it stays."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            if not any(entry.is_dir(follow_symlinks=False) for entry in os.scandir(path)):
                for entry in list(path.iterdir()):
                    entry.unlink()
                path.rmdir()
        else:
            path.unlink()

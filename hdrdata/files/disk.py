"""Write files whole or not at all; JSON and digests. The standard library alone, so that it costs nothing to import."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".partial-"  # the beginning of a temporary name
INDEX = "index.json"


def temporary_beside(path: Path) -> Path:
    """Return a temporary name beside `path` that no other process uses; nothing is made."""
    return path.with_name(f"{PARTIAL}{secrets.token_hex(4)}{path.suffix}")


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; it takes the name `path` when the block ends, and only then.

    The bytes are on the disk before the name changes. The mode follows the process's umask, as for any new file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        error.filename = str(path)  # and not a name that nobody chose
        raise
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and error.filename in (None, str(temporary)):
            error.filename = str(path)  # a full disk is named by what did not fit
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written_whole(folder: Path, last: str | None = None) -> Iterator[Path]:
    """Give a temporary folder beside `folder` to write files to; they appear in `folder` when the block ends.

    A new folder appears with all its files. In one that exists each file takes its place by itself, and other files in
    it stay.

    Args:
        last: file that is removed first and written last, so that who finds it finds all the others.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(folder)
    temporary.mkdir()
    try:
        yield temporary
        files = sorted(temporary.iterdir(), key=lambda file: (file.name == last, file.name))
        for file in files:
            _sync(file)
        if folder.is_dir():
            if last:
                (folder / last).unlink(missing_ok=True)
            for file in files:
                file.replace(folder / file.name)
        else:
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    """Wait until a file's bytes are on the disk: else a power failure may leave its name without them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without it
            raise
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON, whole or not at all; the same content gives the same bytes."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict:
    """Read a JSON object.

    Raises:
        ValueError: naming the file, if it is no JSON object.
    """
    return parse_json(path.read_bytes(), str(path))


def parse_json(content: bytes | str, where: str) -> dict:
    """Parse a JSON object.

    Raises:
        ValueError: naming `where`, if it is no JSON object, nested too deeply or has a number of too many digits.
    """
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ValueError(f"{where}: not a JSON file: {str(error)[:200]}; expected a JSON object") from error
    if not isinstance(parsed, dict):
        raise ValueError(f"{where}: a JSON {type(parsed).__name__}; expected an object")
    return parsed


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(content: object) -> str:
    """Return the SHA-256 of `content` as canonical JSON (sorted keys, no spaces), in hexadecimal."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()

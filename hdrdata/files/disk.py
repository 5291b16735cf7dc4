"""Write files whole or not at all; JSON and digests. The standard library alone, so that it costs nothing to import."""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".partial-"  # the beginning of a temporary name


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; it takes the name `path` when the block ends, and only then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
    except OSError as error:
        error.filename = str(path)  # and not a name that nobody chose
        raise
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and error.filename is None:
            error.filename = str(path)  # a full disk is named by what did not fit
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(content: object) -> str:
    """The SHA-256 of `content` as canonical JSON (sorted keys, no spaces), in hexadecimal."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


INDEX = "index.json"

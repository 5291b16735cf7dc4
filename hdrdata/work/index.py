"""The index of a folder: from what each of its files was made."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hdrdata.files.disk import INDEX, read_json, sha256_of, write_bytes
from hdrdata.work.journal import JOURNAL, journal_rows


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
    try:
        index = read_json(path)
    except ValueError as error:
        raise ValueError(f"{error}; run the stage that makes this folder again") from error
    if index.get("algorithm") != algorithm or not isinstance(index.get("rows"), dict):
        raise ValueError(f"{path}: made by '{index.get('algorithm')}', wanted '{algorithm}'; run its stage again")
    return index


def known_rows(folder: Path, algorithm: str) -> dict[str, dict]:
    """What a folder holds: the rows of its index, and those that a run finished since and could not yet write there."""
    journal = folder / JOURNAL
    finished = journal_rows(journal.read_text(encoding="utf-8", errors="replace")) if journal.is_file() else {}
    return {**previous_index(folder, algorithm).get("rows", {}), **finished}


def write_index(path: Path, index: dict) -> None:
    """Write an index, a line a row: quick to write at 50,000 pictures, and a change of one row is one line's."""

    def compact(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    lines = [f"{compact(name)}: {compact(value)}" for name, value in index.items() if name != "rows"]
    table = ",\n".join(f"{compact(name)}: {compact(row)}" for name, row in index["rows"].items())
    write_bytes(path, ("{" + ",\n".join([*lines, f'"rows": {{\n{table}\n}}']) + "}\n").encode())


def previous_index(folder: Path, algorithm: str) -> dict:
    path = folder / INDEX
    if not path.is_file():
        return {}
    try:
        index = read_json(path)
    except ValueError:
        return {}  # damaged: everything is made again
    return index if index.get("algorithm") == algorithm and isinstance(index.get("rows"), dict) else {}


def files_are_there(folder: Path, row: dict) -> bool:
    for name, facts in row["files"].items():
        try:
            if (folder / name).stat().st_size != facts["size"]:
                return False
        except FileNotFoundError:
            return False
    return True

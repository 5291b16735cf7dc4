"""The index of a folder: from what each of its files was made."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from hdrdata.config import first_problem
from hdrdata.files.disk import INDEX, read_json, sha256_of, write_bytes
from hdrdata.files.removal import has_bytes, is_plain_name


def _plain(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError(f"file name {name!r}; expected a relative path inside the folder")
    return name


class _File(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    size: NonNegativeInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Row(BaseModel):
    """Facts about one entry in an index and a journal; a stage adds keys of its own."""

    model_config = ConfigDict(extra="allow", strict=True)
    digest: str
    files: dict[Annotated[str, AfterValidator(_plain)], _File]
    refused: str | None = None


class _Index(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    algorithm: str
    rows: dict[str, Row]
    lists: dict[str, _File] = {}  # of an export: files beside the folder, by part


def describe_files(folder: Path, names: Iterable[str]) -> dict[str, dict]:
    """Return size and SHA-256 of files in `folder`, as an index row holds them."""
    return {name: {"size": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names}


def checked_index(path: Path, algorithm: str | None = None) -> dict:
    """Read an index and check it against the schema that all folders share.

    Args:
        algorithm: of any version; None: any.

    Raises:
        ValueError: naming the file, if it is not JSON, of another program, or names a file outside its folder.
    """
    index = read_json(path)
    try:
        _Index.model_validate(index)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_problem(error)}; expected an index written by hdrdata") from error
    if algorithm and index["algorithm"].rpartition("-")[0] != (kind := algorithm.rpartition("-")[0]):
        raise ValueError(f"{path}: an index of '{index['algorithm']}'; expected one of '{kind}'")
    return index


def read_index(folder: Path, algorithm: str) -> dict:
    """Read a folder's index.

    Raises:
        ValueError: naming the folder, if it has no index, a broken one, or one of another algorithm.
    """
    path = folder / INDEX
    if not path.is_file():
        raise ValueError(f"{folder}: no {INDEX} in it; run the stage that makes this folder")
    try:
        index = checked_index(path)
    except ValueError as error:
        raise ValueError(f"{error}; run the stage that makes this folder again") from error
    if index["algorithm"] != algorithm:
        raise ValueError(f"{path}: made by '{index['algorithm']}', expected '{algorithm}'; run its stage again")
    return index


def previous_index(folder: Path, algorithm: str) -> dict:
    """Read the index of an earlier run of any version of the algorithm; empty if there is none.

    Raises:
        ValueError: naming the folder, if its index is broken or of another program, so that nothing in it is ours.
    """
    path = folder / INDEX
    if not path.exists():
        return {}
    try:
        return checked_index(path, algorithm)
    except (ValueError, OSError) as error:
        advice = "nothing in the folder was changed: move it away, or give another one"
        raise ValueError(f"{error}; {advice}") from error


def write_index(path: Path, index: dict) -> None:
    """Write an index, a line a row: quick to write at 50,000 pictures, and a change of one row is one line's."""

    def compact(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    lines = [f"{compact(name)}: {compact(value)}" for name, value in index.items() if name != "rows"]
    table = ",\n".join(f"{compact(name)}: {compact(row)}" for name, row in index["rows"].items())
    write_bytes(path, ("{" + ",\n".join([*lines, f'"rows": {{\n{table}\n}}']) + "}\n").encode())


def files_are_there(folder: Path, row: dict) -> bool:
    """Return whether the files of a row exist with the sizes in it; their bytes are not read."""
    for name, facts in row["files"].items():
        try:
            if (folder / name).stat().st_size != facts["size"]:
                return False
        except FileNotFoundError:
            return False
    return True


def files_are_whole(folder: Path, row: dict) -> bool:
    """Return whether the files of a row exist with the sizes and hashes in it."""
    return all(has_bytes(folder / name, facts) for name, facts in row["files"].items())

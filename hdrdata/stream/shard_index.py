"""The index of a folder of shards, which may come from anywhere: trusted only after its checks."""

import hashlib
import json
import math
import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError

from hdrdata.cameras.exposure import table_from_thresholds
from hdrdata.config import first_problem
from hdrdata.files.disk import INDEX, digest_of, parse_json
from hdrdata.samples.layout import END_BLOCKS, KEY, SHARDS, SampleLayout
from hdrdata.stream.columns import SampleTable, ShardFile, load_columns, make_columns
from hdrdata.stream.remote import LocalFolder, RemoteFolder

HEAD = 1 << 18  # bytes that are read first
ROWS = b',\n"rows": {\n'  # as `hdrdata.work.index.write_index` writes it
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")  # never absolute, never upwards
Crc32c = Annotated[int, Field(ge=0, lt=1 << 32)]


class _File(BaseModel):
    size: PositiveInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Sample(BaseModel):
    key: Annotated[str, Field(pattern=f"^{KEY.pattern}$")]
    form: Literal["pixels", "radiance"]
    offset: NonNegativeInt
    length: PositiveInt
    crc32c: Crc32c
    members: dict[str, tuple[NonNegativeInt, NonNegativeInt, Crc32c]]


class _Row(BaseModel):
    form: Literal["pixels", "radiance"]
    part: str
    samples: list[_Sample]
    files: dict[str, _File]


class _Recipe(BaseModel):
    digest: str
    letters: str
    evs: list[Annotated[float, Field(ge=-1000, le=1000)]]
    exposures: list[FiniteFloat]
    crfs: dict[str, dict]


class _Listed(BaseModel):
    url: str
    nsamples: NonNegativeInt
    filesize: PositiveInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    form: Literal["pixels", "radiance"]
    part: str


class _Columns(_File):
    file: str


class _Head(BaseModel):
    algorithm: str
    recipe: _Recipe
    shardlist: list[_Listed]
    columns: dict[Literal["pixels", "radiance"], _Columns]


class _Index(BaseModel):
    algorithm: str
    recipe: _Recipe
    rows: dict[str, _Row]


class Index(dict):
    """An index of shards without its rows, which are read when they are first used."""

    def __init__(self, head: dict, folder: LocalFolder | RemoteFolder):
        super().__init__(head)
        self.folder = folder

    def __missing__(self, name: str) -> dict:
        if name != "rows":
            raise KeyError(name)
        self["rows"] = read_shard_index(self.folder)["rows"]
        return self["rows"]

    def __reduce__(self) -> tuple:
        return Index, (dict(self), self.folder)


def open_shard_index(folder: LocalFolder | RemoteFolder) -> dict:
    """Open the index of a folder of shards, without its rows where columns replace them.

    Raises:
        ValueError: see `read_shard_index`.
    """
    head = _read_head(folder)
    if head is None:
        return read_shard_index(folder)
    checked = _validated(_Head, head, folder.where(INDEX))
    for name in [shard.url for shard in checked.shardlist] + [one.file for one in checked.columns.values()]:
        _check_name(folder.where(INDEX), name)
    return Index(head, folder)


def _read_head(folder: LocalFolder | RemoteFolder) -> dict | None:
    """Return what an index has before its rows; None if it has no columns, or is not laid out as ours are."""
    size = HEAD
    try:
        while True:
            content = folder.read(INDEX, 0, size)
            head, rows, _ = content.partition(ROWS)
            if rows or len(content) < size:
                break
            size *= 4
        index = json.loads(head + b"}" if rows else content)
    except (OSError, ValueError, RecursionError):  # also a server without ranges
        return None
    finally:
        if isinstance(folder, LocalFolder):
            folder.forget(INDEX)  # which may be replaced by another
    whole = isinstance(index, dict) and "columns" in index and "rows" not in index
    return index if whole else None


def shard_files(index: dict) -> list[ShardFile]:
    """Return the shards that an index lists, in order."""
    if isinstance(index, Index):
        return [
            ShardFile(row["url"], row["form"], row["part"], row["filesize"], row["sha256"], row["nsamples"])
            for row in index["shardlist"]
        ]
    return [
        ShardFile(
            name, row["form"], row["part"], row["files"][name]["size"], row["files"][name]["sha256"],
            len(row["samples"]),
        )
        for name, row in index["rows"].items()
    ]  # fmt: skip


def sample_table(folder: LocalFolder | RemoteFolder, index: dict, form: str, chosen: Collection[str]) -> SampleTable:
    """Return the samples of a form in some shards, from the columns, or else from the rows of the index."""
    files = [file for file in shard_files(index) if file.form == form]
    if isinstance(index, Index) and form in index["columns"]:
        facts = index["columns"][form]
        local = folder.folder / facts["file"] if isinstance(folder, LocalFolder) else None
        try:
            columns = load_columns(local or folder.read_whole(facts["file"]), facts["sha256"])
            table = SampleTable(columns, form, files, chosen)
            table.path = local
            return table
        except (OSError, ValueError) as error:
            if not index["rows"]:
                raise ValueError(f"{folder.where(facts['file'])}: {error}") from error
    rows = index["rows"]
    layouts = [[SampleLayout.from_json(sample) for sample in rows[file.name]["samples"]] for file in files]
    return SampleTable(make_columns(layouts), form, files, chosen)


def read_shard_index(folder: LocalFolder | RemoteFolder) -> dict:
    """Read the index of a folder of shards.

    Raises:
        ValueError: naming the index, if it is not there, is of another kind, or cannot be true: a shard outside the
            folder, a member outside its sample, a sample outside its shard.
    """
    where = folder.where(INDEX)
    try:
        content = folder.read_whole(INDEX)
    except FileNotFoundError as error:
        raise ValueError(f"{where.removesuffix(INDEX)}: no {INDEX} in it; expected a folder of shards") from error
    index = parse_json(content, where)
    if "rows" not in index and "columns" in index:
        index["rows"] = _rows_of_columns(folder, index)
    checked = _validated(_Index, index, where)
    for name, row in checked.rows.items():
        _check_row(where, name, row)
    return index


def _validated(schema: type[_Head] | type[_Index], index: dict, where: str) -> Any:
    try:
        checked = schema.model_validate(index)
    except ValidationError as error:
        raise ValueError(f"{where}: {first_problem(error)}; expected an index of shards") from error
    if checked.algorithm != SHARDS:
        raise ValueError(f"{where}: made by '{checked.algorithm}'; expected '{SHARDS}'; run the stage shard again")
    if problem := recipe_problem(index["recipe"]):
        raise ValueError(f"{where}: recipe '{index['recipe'].get('name')}': {problem}")
    return checked


def _rows_of_columns(folder: LocalFolder | RemoteFolder, index: dict) -> dict:
    """Return the rows of an index of one form, which has columns only."""
    _validated(_Head, index, folder.where(INDEX))
    for one in index["columns"].values():
        _check_name(folder.where(INDEX), one["file"])
    head = Index({**index, "rows": {}}, folder)
    rows: dict[str, dict] = {}
    for form in index["columns"]:
        files = [file for file in shard_files(head) if file.form == form]
        for file in files:
            _check_name(folder.where(INDEX), file.name)
            samples = sample_table(folder, head, form, [file.name])
            layouts = [layout.to_json() for _, layout in samples]
            facts = {file.name: {"size": file.size, "sha256": file.sha256}}
            rows[file.name] = {"form": form, "part": file.part, "samples": layouts, "files": facts}
    return rows


def recipe_problem(recipe: dict) -> str:
    """Return how a recipe contradicts itself, from its letters, exposures and digest; "" if it does not."""
    letters, evs, exposures = recipe["letters"], recipe["evs"], recipe["exposures"]
    if not len(letters) == len(evs) == len(exposures):
        return f"{len(letters)} letters, {len(evs)} evs, {len(exposures)} exposures; expected one of each a picture"
    if evs != sorted(set(evs)):
        return f"evs {evs}; expected increasing values"
    for ev, exposure in zip(evs, exposures, strict=True):
        if not math.isclose(exposure, 2.0**ev, rel_tol=1e-9):
            return f"exposure {exposure:g} at {ev:+g} EV; expected {2.0**ev:g}"
    if recipe["digest"] not in ("", *_recipe_digests(recipe)):
        return f"its values do not have the digest {recipe['digest'][:12]}; they were changed"
    return ""


def _recipe_digests(recipe: dict) -> tuple[str, str]:
    """Return the digests that a synthesized and an imported recipe of these values have."""
    cameras = {name: next(iter(facts.values()), "") for name, facts in recipe["crfs"].items()}
    imported = {name: recipe.get(name) for name in ("name", "letters", "evs", "exposures", "crfs")}
    return digest_of({"name": recipe.get("name"), "evs": recipe["evs"], "cameras": cameras}), digest_of(imported)


def _check_name(where: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: shard '{name}'; expected a path inside the folder")


def _check_row(where: str, name: str, row: _Row) -> None:
    _check_name(where, name)
    if name not in row.files:
        raise ValueError(f"{where}: shard {name}: no size and SHA-256")
    end = row.files[name].size - len(END_BLOCKS)
    for sample in row.samples:
        stop = sample.offset + sample.length
        inside = all(sample.offset <= at and at + size <= stop for at, size, _ in sample.members.values())
        if stop > end or not inside:
            raise ValueError(f"{where}: shard {name}, sample {sample.key}: reaches beyond its bounds")


def checked_tables(recipe: dict, where: str) -> dict[str, UInt8[np.ndarray, "exposures 65536"]]:
    """Return the look-up tables of an index's recipe by CRF.

    Raises:
        ValueError: naming `where`, if a table does not have its SHA-256, or there is not one for each exposure.
    """
    tables = {}
    for crf, rows in recipe.get("thresholds", {}).items():
        try:
            table = np.stack([table_from_thresholds(np.array(row, np.uint16)) for row in rows])
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{where}: thresholds of '{crf}': {error}; expected whole numbers") from error
        expected = recipe["crfs"].get(crf, {}).get("tables_sha256")
        if len(table) != len(recipe["evs"]) or hashlib.sha256(table.tobytes()).hexdigest() != expected:
            raise ValueError(f"{where}: thresholds of '{crf}' do not have their sha256; they were changed")
        tables[crf] = table
    return tables

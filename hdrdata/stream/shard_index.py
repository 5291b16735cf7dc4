"""The index of a folder of shards, which may come from anywhere: trusted only after its checks."""

import hashlib
import json
import math
import re
from typing import Annotated, Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError

from hdrdata.cameras.exposure import table_from_thresholds
from hdrdata.files.disk import INDEX, digest_of
from hdrdata.samples.layout import END_BLOCKS, KEY, SHARDS
from hdrdata.stream.cache import Folder

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


class _Index(BaseModel):
    algorithm: str
    recipe: _Recipe
    rows: dict[str, _Row]


def read_shard_index(folder: Folder) -> dict:
    """Read the index of a folder of shards.

    Raises:
        ValueError: naming the index, if it is not there, is of another kind, or cannot be true: a shard outside the
            folder, a member outside its sample, a sample outside its shard.
    """
    where = folder.where(INDEX)
    try:
        content = folder.read_whole(INDEX)
    except FileNotFoundError as error:
        raise ValueError(f"{where.removesuffix(INDEX)}: no {INDEX} in it; wanted a folder of shards") from error
    try:
        index = json.loads(content)
        checked = _Index.model_validate(index)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{where}: {place}: {problem['msg']}; wanted an index of shards") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{where}: not a JSON file: {error}") from error
    if checked.algorithm != SHARDS:
        raise ValueError(f"{where}: made by '{checked.algorithm}', wanted '{SHARDS}'; run the stage shard again")
    for name, row in checked.rows.items():
        _check_row(where, name, row)
    if problem := recipe_problem(index["recipe"]):
        raise ValueError(f"{where}: recipe '{index['recipe'].get('name')}': {problem}")
    return index


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


def _check_row(where: str, name: str, row: _Row) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: shard '{name}'; wanted a path inside the folder")
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

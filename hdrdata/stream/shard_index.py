"""The index of a folder of shards, which may come from anywhere: trusted only after its checks."""

import json
import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, ValidationError

from hdrdata.files.disk import INDEX
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
    evs: list[float]
    exposures: list[float]
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
    recipe = checked.recipe
    if not len(recipe.letters) == len(recipe.evs) == len(recipe.exposures):
        raise ValueError(f"{where}: {len(recipe.letters)} letters, {len(recipe.evs)} evs; wanted one for each exposure")
    return index


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

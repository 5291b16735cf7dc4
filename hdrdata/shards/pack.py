"""Pack stacks into shards: tars of 128 to 512 MB that any WebDataset reader streams, and an index of every sample."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hdrdata.config import Section
from hdrdata.files.disk import INDEX, digest_of, read_json, write_bytes, written_whole
from hdrdata.samples.layout import END_BLOCKS, SHARDS, Form, IntegrityError, SampleLayout, check_bytes
from hdrdata.stacks.recipe_facts import ALGORITHM as STACKS_ALGORITHM
from hdrdata.stream.columns import COLUMNS, columns_to_bytes, make_columns
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date
from hdrdata.work.index import describe_files, previous_index, read_index


class Counts(Section):
    """Number of shards of each part; a scene's number is the hash of its key."""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt


class ShardConfig(Section):
    """Parameters of the stage shard."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    form: Literal["radiance", "pixels", "both"]  # what is synthesized and packed
    shards: Counts

    @property
    def forms(self) -> tuple[Form, ...]:
        return ("pixels", "radiance") if self.form == "both" else (self.form,)


@dataclass(frozen=True)
class _Task:
    """Input of the process that writes one shard: (stack file, its samples of one form as its index has them), in
    order."""

    stacks: str
    name: str
    form: str
    part: str
    sources: tuple[tuple[str, tuple[dict, ...]], ...]


def shard_number(scene: str, shards: int) -> int:
    """The shard of a scene: a hash of its key, so that a new scene changes one shard and moves no other."""
    return int.from_bytes(hashlib.sha256(scene.encode()).digest()[:8], "big") % shards


def shard_stacks(
    stacks: Path,
    shards: Path,
    config: ShardConfig,
    *,
    workers: int = 0,
    engine: str = "local",
    check_content: bool = False,
) -> Outcome:
    """Bring the folder `shards` up to date with the stack files of the folder `stacks`.

    Writes `<form>/<name>-<part>-<number>.tar` and `index.json`: a superset of wids' shard index (`shardlist` with url,
    nsamples and filesize) that holds for each shard its SHA-256 and for each sample and member where it lies and its
    CRC-32C, and the recipe with its tables, so that a radiance sample can be expanded without this package.
    A shard is a copy of its samples' bytes in the stack files, each checked on the way.

    Args:
        workers: tasks at a time; 0 for one a core.
        engine: what packs them; see `hdrdata.work.engines`.
        check_content: see `bring_up_to_date`.

    Returns:
        rows by shard, and the counts of shards.

    Raises:
        ValueError: if the stacks lack a form, a stack file is damaged, or `shards` has shards that were imported.
    """
    if "imported" in previous_index(shards, SHARDS):
        raise ValueError(f"{shards}: has shards that were imported and not built; give another folder")
    index = read_index(stacks, STACKS_ALGORITHM)
    missing = sorted(set(config.forms) - set(index["forms"]))
    if missing:
        raise ValueError(
            f"{stacks}: made without the form '{missing[0]}' that shard.form requires; run synthesize again"
        )
    groups: dict[tuple[str, str, int], list[tuple[str, list[str], tuple[dict, ...]]]] = {}
    for view, row in sorted(index["rows"].items()):
        number = shard_number(row["scene"], getattr(config.shards, row["part"]))
        made = list(zip(row["samples"], row["sample_digests"], strict=True))
        for form in config.forms:
            chosen = tuple(sample for sample, _ in made if sample["form"] == form)
            digests = [digest for sample, digest in made if sample["form"] == form]
            groups.setdefault((form, row["part"], number), []).append((f"{view}.tar", digests, chosen))

    entries = []
    for (form, part, number), files in sorted(groups.items()):
        name = f"{form}/{config.name}-{part}-{number:06d}.tar"
        digest = digest_of([SHARDS, form, part, [digests for _, digests, _ in files]])
        sources = tuple((file, samples) for file, _, samples in files)
        entries.append(Entry(name, digest, _Task(str(stacks), name, form, part, sources)))
        (shards / form).mkdir(parents=True, exist_ok=True)
    return bring_up_to_date(
        shards,
        SHARDS,
        entries,
        _make_shard,
        title="shard",
        isolated=False,
        workers=workers,
        engine=engine,
        check_content=check_content,
        finish=lambda rows: describe_shards(shards, config.name, rows, index["recipe"]),
    )


def describe_shards(folder: Path, name: str, rows: dict[str, dict], recipe: dict) -> dict:
    """Return what the index has beside its rows, and write the columns and the index of each form's own folder.

    A form's folder is complete by itself: `open_stacks` reads it as it reads the folder above. Its index has no rows,
    since the columns contain them.
    """
    shardlist = [
        {"url": path, "nsamples": len(row["samples"]), "filesize": row["files"][path]["size"],
         "sha256": row["files"][path]["sha256"], "form": row["form"], "part": row["part"]}
        for path, row in rows.items()
    ]  # fmt: skip
    head = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": name, "recipe": recipe}
    columns = {}
    for form in ("pixels", "radiance"):
        home, listed = folder / form, [row for row in shardlist if row["form"] == form]
        if not listed:
            _remove_form(home)
            continue
        samples = [map(SampleLayout.from_json, rows[row["url"]]["samples"]) for row in listed]
        content = columns_to_bytes(make_columns(samples))
        facts = {"file": COLUMNS, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        _write_changed(home / COLUMNS, content)
        inside = [{**row, "url": row["url"].removeprefix(f"{form}/")} for row in listed]
        own = {"algorithm": SHARDS, **head, "shardlist": inside, "columns": {form: facts}}
        _write_changed(home / INDEX, (json.dumps(own, separators=(",", ":"), ensure_ascii=False) + "\n").encode())
        columns[form] = {**facts, "file": f"{form}/{COLUMNS}"}
    return {**head, "shardlist": shardlist, "columns": columns}


def _write_changed(path: Path, content: bytes) -> None:
    if not (path.is_file() and path.read_bytes() == content):
        write_bytes(path, content)


def _remove_form(home: Path) -> None:
    """Remove the index and columns of a form that is no longer made, if they are ours."""
    try:
        ours = read_json(home / INDEX).get("algorithm") == SHARDS
    except (OSError, ValueError):
        return
    if ours:
        for name in (INDEX, COLUMNS):
            (home / name).unlink(missing_ok=True)


def _make_shard(folder: Path, task: _Task) -> dict:
    """Write one shard; runs in a worker process."""
    layouts = []
    with written_whole(folder / task.name) as temporary, temporary.open("wb") as shard:
        for name, samples in task.sources:
            path = Path(task.stacks) / name
            try:
                stack = path.open("rb")
            except FileNotFoundError as error:
                raise ValueError(f"{path}: no such file; run synthesize again") from error
            with stack:
                for sample in map(SampleLayout.from_json, samples):
                    stack.seek(sample.offset)
                    content = stack.read(sample.length)
                    try:
                        check_bytes(content, sample.crc32c, f"{path}, sample {sample.key}")
                    except IntegrityError as error:
                        raise IntegrityError(f"{error}; remove the file and run synthesize again") from error
                    layouts.append(sample.moved(shard.tell()))
                    shard.write(content)
        shard.write(END_BLOCKS)
    return {"form": task.form, "part": task.part, "samples": [layout.to_json() for layout in layouts],
            "files": describe_files(folder, [task.name])}  # fmt: skip

"""Small files beside the shards that other loaders want, made from our index alone: no shard is read.

wids, timm, megatron-energon and DALI each want an index of their own. They lie in the folder of a form, so that this
folder can be given to any of them as it is.
"""

import json
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from hdrdata.files.disk import write_bytes
from hdrdata.publish.contents import Contents, Shard

NV_META = ("dataset.yaml", "split.yaml", ".info.json", "index.sqlite", "index.uuid")
VALIDATION = {"val": "validation"}  # what timm and Hugging Face call it


@dataclass(frozen=True)
class Written:
    """Result of one run over the small files of a folder."""

    new: int
    kept: int
    removed: int

    def __str__(self) -> str:
        if not (self.new or self.removed):
            return f"nothing has changed: {self.kept} files kept"
        return f"{self.new} files written, {self.kept} kept, {self.removed} removed"


@dataclass(frozen=True)
class Sidecar:
    """A kind of sidecar: its files by path for the shards of one form, and the patterns of the names it uses."""

    make: Callable[[Contents, str, dict[str, tuple[Shard, ...]]], dict[str, bytes]]
    patterns: tuple[str, ...]  # relative to the folder of a form


def write_sidecars(folder: Path, kinds: tuple[str, ...]) -> Written:
    """Write the chosen kinds of sidecars for the shards of `folder`, and remove those of shards that are gone.

    A file whose bytes are right is not touched. `.nv-meta/dataset.yaml`, which says how energon makes samples, is
    written once and then its owner's.

    Args:
        kinds: of `SIDECARS`.

    Raises:
        ValueError: if `folder` has no index of shards, or no samples.
    """
    contents = Contents(folder)
    wanted: dict[str, bytes] = {}
    stale: set[Path] = set()
    for form in contents.forms:
        parts = {part: shards for part in contents.parts if (shards := contents.of(form, part))}
        for kind in kinds:
            wanted |= SIDECARS[kind].make(contents, form, parts)
    for place in {path for path in folder.iterdir() if path.is_dir()} | {folder / s.folder for s in contents.shards}:
        for kind in kinds:
            for pattern in SIDECARS[kind].patterns:
                stale |= set(place.glob(pattern))
    return write_files(folder, wanted, stale - {folder / name for name in wanted}, once=("dataset.yaml",))


def write_files(folder: Path, wanted: dict[str, bytes], stale: set[Path], once: tuple[str, ...] = ()) -> Written:
    """Write the files that are missing or have other bytes, each whole or not at all, and remove stale ones.

    Args:
        once: names of files that are kept if they are there, whatever is in them.
    """
    new = 0
    for name, content in wanted.items():
        path = folder / name
        if path.is_file() and (path.name in once or path.read_bytes() == content):
            continue
        write_bytes(path, content)
        new += 1
    for path in stale:
        path.unlink()
        if path.parent.name == ".nv-meta" and not any(path.parent.iterdir()):
            path.parent.rmdir()
    return Written(new, len(wanted) - new, len(stale))


def _wids(contents: Contents, form: str, parts: dict[str, tuple[Shard, ...]]) -> dict[str, bytes]:
    """`wids-<part>.json`, version 1 of wids' shard index, with the SHA-256 of each shard, which wids passes over."""
    return {
        f"{shards[0].folder}/wids-{part}.json": _json({
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "name": f"{contents.name}-{form}-{part}",
            "shardlist": [
                {"url": shard.file, "nsamples": len(shard.samples), "filesize": shard.size, "sha256": shard.sha256}
                for shard in shards
            ],
        })
        for part, shards in parts.items()
    }  # fmt: skip


def _timm(contents: Contents, form: str, parts: dict[str, tuple[Shard, ...]]) -> dict[str, bytes]:
    """`_info.json`, as timm's reader of WebDataset and Hugging Face's image data sets have it."""
    splits = {}
    for part, shards in parts.items():
        name, lengths = VALIDATION.get(part, part), [len(shard.samples) for shard in shards]
        splits[name] = {"name": name, "filenames": [shard.file for shard in shards], "shard_lengths": lengths,
                        "num_samples": sum(lengths)}  # fmt: skip
    return {f"{_folder(parts)}/_info.json": _json({"splits": splits})}


def _energon(contents: Contents, form: str, parts: dict[str, tuple[Shard, ...]]) -> dict[str, bytes]:
    """What `energon prepare` writes: `.nv-meta/` and a `<shard>.tar.idx` a shard (offsets of its samples and its end,
    as 64-bit integers, little endian).

    Offsets, tables and columns as megatron-energon 7.4.1 writes them; its reader opens them.
    """
    folder = _folder(parts)
    shards = [shard for part in parts.values() for shard in part]
    files = {
        f"{folder}/.nv-meta/dataset.yaml": _yaml({"__module__": "megatron.energon", "__class__": "CrudeWebdataset"}),
        f"{folder}/.nv-meta/split.yaml": _yaml({
            "split_parts": {part: [shard.file for shard in parts[part]] for part in parts}, "exclude": [],
        }),
        f"{folder}/.nv-meta/.info.json": _json({"shard_counts": {s.file: len(s.samples) for s in shards}}),
        f"{folder}/.nv-meta/index.sqlite": _energon_database(shards),
        f"{folder}/.nv-meta/index.uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, contents.digest + form)).encode(),
    }  # fmt: skip
    for shard in shards:
        ends = [shard.samples[-1].offset + shard.samples[-1].length]
        offsets = np.array([sample.offset for sample in shard.samples] + ends, dtype="<u8")
        files[f"{folder}/{shard.file}.idx"] = offsets.tobytes()
    return files


def _energon_database(shards: list[Shard]) -> bytes:
    """The SQLite database of samples and their members; the same shards and version of SQLite give the same bytes."""
    with sqlite3.connect(":memory:") as database:
        database.execute(
            "CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, "
            "sample_index INTEGER NOT NULL, byte_offset INTEGER, byte_size INTEGER)"
        )
        database.execute(
            "CREATE TABLE sample_parts (tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, "
            "content_byte_offset INTEGER, content_byte_size INTEGER)"
        )
        for number, shard in enumerate(shards):
            for place, sample in enumerate(shard.samples):
                row = number, sample.key, place, sample.offset, sample.length
                database.execute("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", row)
                members = [(number, place, name, m.offset, m.size) for name, m in sample.members.items()]
                database.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", members)
        for name, columns in (
            ("idx_samples_by_tar_and_idx", "samples(tar_file_id, sample_index)"),
            ("idx_sample_parts_seq", "sample_parts(tar_file_id, sample_index, content_byte_offset)"),
            ("idx_sample_parts_full",
             "sample_parts(tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size)"),
        ):  # fmt: skip
            database.execute(f"CREATE INDEX {name} ON {columns}")
        database.commit()
        content = database.serialize()
    database.close()
    return content


def _dali(contents: Contents, form: str, parts: dict[str, tuple[Shard, ...]]) -> dict[str, bytes]:
    """`<shard>.idx`, as DALI's wds2idx writes it: a line a sample of extension, offset, size and name a member."""
    files = {}
    for shard in (shard for part in parts.values() for shard in part):
        lines = [f"v1.2 {len(shard.samples)}"]
        for sample in shard.samples:
            members = sorted(sample.members.items(), key=lambda item: item[1].offset)
            lines.append(" ".join(f"{name} {m.offset} {m.size} {sample.key}.{name}" for name, m in members))
        files[f"{shard.folder}/{shard.file.removesuffix('.tar')}.idx"] = ("\n".join(lines) + "\n").encode()
    return files


SIDECARS = {
    "wids": Sidecar(_wids, ("wids-*.json",)),
    "timm": Sidecar(_timm, ("_info.json",)),
    "energon": Sidecar(_energon, ("*.tar.idx", *(f".nv-meta/{name}" for name in NV_META))),
    "dali": Sidecar(_dali, ("*[0-9].idx",)),
}


def _folder(parts: dict[str, tuple[Shard, ...]]) -> str:
    return next(iter(parts.values()))[0].folder


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _yaml(content: dict) -> bytes:
    return yaml.safe_dump(content, sort_keys=False).encode()

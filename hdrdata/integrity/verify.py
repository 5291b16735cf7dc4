"""Compare a folder of shards with its index, its bytes with their checksums, and its samples with their form."""

import hashlib
import io
import json
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from hdrdata.files.disk import INDEX, read_json
from hdrdata.files.ldr import decode_jpeg, decode_png
from hdrdata.files.quiet import quiet_decoders
from hdrdata.integrity.tar_walk import PIECE, printable, tar_faults, walk_tar
from hdrdata.publish.published import RECORD
from hdrdata.publish.refresh import has_published, stale_files
from hdrdata.samples.layout import END_BLOCKS, IntegrityError, SampleLayout, split_key
from hdrdata.samples.radiance_codec import decode_radiance
from hdrdata.stream.columns import COLUMNS, load_columns, make_columns
from hdrdata.stream.remote import LocalFolder
from hdrdata.stream.shard_index import checked_tables, read_shard_index
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.view import read_views
from hdrdata.work.processes import map_in_processes


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it should be."""

    shard: str  # as the index names it, or the path of a tar without one
    sample: str | None  # key
    reason: str  # one line

    def __str__(self) -> str:
        return f"{self.shard}{f', sample {self.sample}' if self.sample else ''}: {self.reason}"


@dataclass(frozen=True)
class Verified:
    """Result of `verify_shards` or `verify_tars`."""

    shards: int
    samples: int  # that are whole
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class _Task:
    """Input of the process that verifies one shard."""

    folder: str
    shard: str
    row: dict
    recipe: dict
    brightest: dict[str, int]  # by CRF: the highest LDR value that its tables hold
    decode: bool
    deep: bool


def verify_shards(
    folder: Path | str,
    *,
    decode: bool = True,
    deep: bool = False,
    views: Path | str | None = None,
    scenes: Path | str | None = None,
    workers: int | None = 0,
    title: str | None = None,
) -> Verified:
    """Read every byte of a folder of shards and compare it with the index.

    Always: sizes, closing blocks, SHA-256 of each shard, CRC-32C of each sample and member, the tars' own headers (so
    that any tar reader finds the same samples), duplicate keys, tars that the index does not list.

    Args:
        decode: also decode every image and radiance map, and compare each JSON with the index.
        deep: also expand each radiance sample, and compare it with the pixels of the same view.
        views: folder of views; each view of its catalog must have its samples, in its part.
        scenes: scenes.json; each scene must have a sample, in its part.
        workers: processes; 0 for one a core; None for this process alone.
        title: of the progress bar; None for no bar.

    Raises:
        ValueError: if there is no index, or it is damaged.
    """
    folder = Path(folder)
    index = read_shard_index(LocalFolder(folder))
    if deep and {row["form"] for row in index["rows"].values()} != {"pixels", "radiance"}:
        raise ValueError(f"{folder}: deep needs both forms, pixels and radiance")
    tables = checked_tables(index["recipe"], str(folder / INDEX))
    brightest = {crf: int(levels.max()) for crf, levels in tables.items()} if decode else {}
    tasks = [
        _Task(str(folder), shard, row, index["recipe"], brightest, decode, deep) for shard, row in index["rows"].items()
    ]
    faults, whole = [*_index_faults(folder, index), *_stale_faults(folder, index)], 0
    if views:
        faults.extend(_catalog_faults(index, Path(views)))
    if scenes:
        faults.extend(_scene_faults(index, Path(scenes)))
    for task, result in map_in_processes(_verify_shard, tasks, workers, title):
        if isinstance(result, ChildProcessError):
            faults.append(Fault(task.shard, None, f"{result}: perhaps a picture in it crashes its decoder"))
            continue
        whole += result[0]
        faults.extend(result[1])
    return Verified(len(tasks), whole, tuple(sorted(faults, key=lambda fault: fault.shard)))


def verify_tars(paths: list[Path], *, workers: int | None = 0, title: str | None = None) -> Verified:
    """Look through tars that have no index; see `hdrdata.integrity.tar_walk`."""
    faults, samples = [], 0
    for path, result in map_in_processes(_verify_tar, paths, workers, title):
        if isinstance(result, ChildProcessError):
            faults.append(Fault(str(path), None, str(result)))
            continue
        samples += result[0]
        faults.extend(Fault(str(path), key, reason) for key, reason in result[1])
    return Verified(len(paths), samples, tuple(sorted(faults, key=lambda fault: fault.shard)))


def _verify_tar(path: Path) -> tuple[int, list[tuple[str | None, str]]]:
    if not path.is_file():
        return 0, [(None, "not a file")]
    return tar_faults(path)


def _index_faults(folder: Path, index: dict) -> Iterator[Fault]:
    """Return where the index contradicts itself, and tars that it does not list."""
    listed = {row.get("url"): row for row in index.get("shardlist", [])}
    for shard, row in index["rows"].items():
        file, entry = row["files"][shard], listed.pop(shard, {})
        found = entry.get("nsamples"), entry.get("filesize"), entry.get("sha256")
        if found != (len(row["samples"]), file["size"], file["sha256"]):
            yield Fault(shard, None, "its number of samples, size or sha256 in the shardlist differs from its row")
    for url in listed:
        yield Fault(printable(str(url)), None, "in the shardlist, but without a row in the index")
    keys = Counter((row["form"], sample["key"]) for row in index["rows"].values() for sample in row["samples"])
    for (form, key), count in keys.items():
        if count > 1:
            yield Fault(INDEX, key, f"occurs {count} times in the form {form}")
    for form, facts in index.get("columns", {}).items():
        try:
            found = load_columns(folder / facts["file"], facts["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            yield Fault(f"{form}/{COLUMNS}", None, f"{error}; build again to renew it")
            continue
        rows = [row["samples"] for row in index["rows"].values() if row["form"] == form]
        expected = make_columns([map(SampleLayout.from_json, samples) for samples in rows])
        if found.dtype != expected.dtype or not np.array_equal(found, expected):
            yield Fault(facts["file"], None, "its samples are not those of the index; build again to renew it")
    for path in sorted(folder.rglob("*.tar")):
        name = path.relative_to(folder).as_posix()
        if name not in index["rows"]:
            yield Fault(printable(name), None, "the index does not list it")


def _stale_faults(folder: Path, index: dict) -> Iterator[Fault]:
    """Yield sidecars and card files that describe other shards than those of the index."""
    if has_published(folder) and any(row["samples"] for row in index["rows"].values()):
        try:
            for name in stale_files(folder):
                yield Fault(name, None, "is not of these shards; run `hdrdata sidecars`, `hdrdata card` or build again")
        except (ValueError, KeyError, TypeError) as error:
            yield Fault(RECORD, None, printable(str(error)))


def _catalog_faults(index: dict, views: Path) -> Iterator[Fault]:
    """Views without all their samples, and samples without a view."""
    held = {
        (row["form"], sample["key"]): (shard, row["part"])
        for shard, row in index["rows"].items()
        for sample in row["samples"]
    }
    forms, crfs = {form for form, _ in held}, index["recipe"]["crfs"]
    for view in read_views(views):
        wanted = [("radiance", view.key)] if "radiance" in forms else []
        wanted += [("pixels", f"{view.key}_{crf}") for crf in crfs] if "pixels" in forms else []
        for form, key in wanted:
            shard, part = held.pop((form, key), (None, view.part))
            if shard is None:
                yield Fault(INDEX, key, f"no shard has it in the form {form}; the catalog has its view")
            elif part != view.part:
                yield Fault(shard, key, f"lies in the part {part}; the catalog has its view in {view.part}")
    for (_, key), (shard, _) in held.items():
        yield Fault(shard, key, "the catalog has no such view")


def _scene_faults(index: dict, scenes: Path) -> Iterator[Fault]:
    """Scenes without a sample in their part."""
    listed = read_json(scenes).get("scenes")
    if not isinstance(listed, list) or not all(isinstance(scene, dict) and "key" in scene for scene in listed):
        raise ValueError(f"{scenes}: no list of scenes")
    for scene in listed:
        start = f"{scene['key']}_"
        parts = {
            row["part"]
            for row in index["rows"].values()
            if any(sample["key"].startswith(start) for sample in row["samples"])
        }
        if parts != {scene.get("part")}:
            found = f"in the part {', '.join(sorted(parts))}" if parts else "in no shard"
            yield Fault(INDEX, scene["key"], f"the samples of this scene are {found}; expected in {scene.get('part')}")


def _verify_shard(task: _Task) -> tuple[int, list[Fault]]:
    """Verify one shard in one pass; runs in a worker process. A sample at a time is in memory."""
    path, wanted = Path(task.folder) / task.shard, task.row["files"][task.shard]
    faults: list[Fault] = []
    if not path.is_file():
        return 0, [Fault(task.shard, None, "missing; the index has it")]
    size = path.stat().st_size
    if size != wanted["size"]:
        faults.append(Fault(task.shard, None, f"{size} bytes, expected {wanted['size']}: cut short or overwritten"))
    samples = sorted(map(SampleLayout.from_json, task.row["samples"]), key=lambda sample: sample.offset)
    sha256, whole, place = hashlib.sha256(), 0, 0
    deep_check = _deep_check(task)
    with quiet_decoders(), path.open("rb") as file:
        for number, layout in enumerate(samples):
            if layout.offset != place:
                faults.append(Fault(task.shard, layout.key, f"begins at byte {layout.offset}, expected {place}"))
                break
            if layout.length > size - place:
                more = len(samples) - number - 1
                reason = f"cut short: {max(0, size - place)} of {layout.length} bytes at {place}"
                faults.append(Fault(task.shard, layout.key, reason + (f"; so are {more} more" if more else "")))
                break
            content = file.read(layout.length)
            sha256.update(content)
            place += layout.length
            try:
                members = _check_sample(content, layout)
                if task.decode:
                    _check_members(members, layout, task)
                if deep_check:
                    deep_check(layout.key, members)
            except ValueError as error:
                faults.append(Fault(task.shard, layout.key, printable(str(error))))
            else:
                whole += 1
        else:
            file.seek(place)
            end = file.read(len(END_BLOCKS) + 1)
            if end != END_BLOCKS:
                faults.append(
                    Fault(task.shard, None, "does not end with the closing blocks of a tar after its samples")
                )
            sha256.update(end)
            while piece := file.read(PIECE):
                sha256.update(piece)
            if not faults and sha256.hexdigest() != wanted["sha256"]:
                faults.append(
                    Fault(task.shard, None, "its sha256 differs from the index, though every sample is whole")
                )
    return whole, faults


def _check_sample(content: bytes, layout: SampleLayout) -> dict[str, bytes]:
    """The members of a sample by extension, if checksums, tar headers and index agree."""
    starts = {name: member.offset - layout.offset for name, member in layout.members.items()}
    members = {name: content[start : start + layout.members[name].size] for name, start in starts.items()}
    for name, member in layout.members.items():
        found = google_crc32c.value(members[name])
        if found != member.crc32c:
            raise IntegrityError(f"member {name}: damaged: crc32c {found:08x}, expected {member.crc32c:08x}")
    found = google_crc32c.value(content)
    if found != layout.crc32c:
        raise IntegrityError(f"damaged in a header or in padding: crc32c {found:08x}, expected {layout.crc32c:08x}")
    wanted = [
        (f"{layout.key}.{name}", "file", member.offset - layout.offset, member.size)
        for name, member in layout.members.items()
    ]
    entries = walk_tar(io.BytesIO(content), len(content), closed=False)
    headers = [(entry.name, entry.kind, entry.offset, entry.size) for entry in entries]
    if sorted(headers) != sorted(wanted):
        other = next(iter(sorted(set(headers) - set(wanted)) or sorted(set(wanted) - set(headers))), headers[:1])
        raise IntegrityError(f"the tar's own headers differ from the index: {other}: other readers get other data")
    return members


def _check_members(members: dict[str, bytes], layout: SampleLayout, task: _Task) -> None:
    """Decode a sample and compare it with the index: form, size, levels, JSON."""
    try:
        about = json.loads(members.get("json", b""))
    except ValueError as error:
        raise ValueError(f"member json: not JSON: {error}") from error
    if not isinstance(about, dict):
        raise ValueError("member json: expected an object")
    crfs, letters = task.recipe["crfs"], task.recipe["letters"]
    view, crf = split_key(layout.key, layout.form, crfs)
    wanted = {"part": task.row["part"], "view": view}
    if layout.form == "pixels":
        wanted |= {"crf": crf, **{name: task.recipe[name] for name in ("letters", "evs", "exposures")}}
        wanted |= crfs.get(crf, {})
    for name, value in wanted.items():
        if about.get(name) != value:
            raise ValueError(f"member json: {name} {about.get(name)!r}; expected {value!r}, as the index states")
    found = sorted(name.partition(".")[0] for name in members if name != "json")
    if found != (sorted(letters) if layout.form == "pixels" else ["radiance"]):
        raise ValueError(f"has the members {' '.join(sorted(members))}; expected those of the form {layout.form}")
    size: Any = about.get("height", about.get("size")), about.get("width", about.get("size"))
    height, width = size
    if not all(isinstance(side, int) and 0 < side < 2**16 for side in size):
        raise ValueError(f"member json: size {about.get('size')!r}; expected pixels")
    brightest = task.brightest.get(wanted.get("crf", ""), 255)
    for name, content in members.items():
        if name == "json":
            continue
        try:
            picture = decode_radiance(content) if layout.form == "radiance" else decode_picture(name, content, size)
        except (ValueError, EOFError, MemoryError) as error:
            raise ValueError(f"member {name}: {error}") from error
        if picture.shape != (height, width, 3):
            found = f"{picture.shape[1]}x{picture.shape[0]}"
            raise ValueError(f"member {name}: {found} pixels; its json states {width}x{height}")
        if layout.form == "pixels" and picture.max() > brightest:
            raise ValueError(f"member {name}: a level of {picture.max()}; its camera gives at most {brightest}")


def decode_picture(name: str, content: bytes, size: tuple[int, int]) -> np.ndarray:
    """An LDR picture of a sample; a PNG that claims another height and width is refused before it is decoded."""
    if name.endswith(".jpg"):
        return decode_jpeg(content)
    height, width = size
    if content[16:24] != struct.pack(">II", width, height):
        raise ValueError(f"no PNG picture of {width}x{height} pixels")
    return decode_png(content)


def _deep_check(task: _Task) -> Callable[[str, dict[str, bytes]], None] | None:
    """Return a function that compares a pixels sample with the expansion of its view's radiance sample, if any."""
    if not task.deep or task.row["form"] != "pixels":
        return None
    reader = Shards(Path(task.folder), task.row["part"], "radiance")
    numbers = {key: number for number, key in enumerate(reader.keys)}
    radiance = lru_cache(maxsize=1)(reader.radiance)

    def check(key: str, members: dict[str, bytes]) -> None:
        view, crf = split_key(key, "pixels", task.recipe["crfs"])
        if view not in numbers or crf is None:
            return
        expanded = reader.expand(radiance(numbers[view]), crf).stack
        pictures = sorted(name for name in members if name != "json")  # in the letters' order
        for name, ldr in zip(pictures, expanded, strict=True):
            if not np.array_equal(decode_picture(name, members[name], ldr.shape[:2]), ldr):
                raise ValueError(f"member {name}: differs from the expanded radiance sample of its view")

    return check

"""Import: a folder tree of DrTMO's layout as shards of the pixels form; every picture is checked, none is changed."""

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field, NonNegativeInt

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.exposure import WHITE, exposure_table, thresholds_of
from hdrdata.config import Section
from hdrdata.drtmo.folder import ImportedView, find_views, part_folders
from hdrdata.drtmo.layout import PICTURES, PairLists, read_pair_lists
from hdrdata.files.disk import INDEX, digest_of, read_json, written_whole
from hdrdata.files.ldr import decode_png
from hdrdata.files.quiet import quiet_decoders
from hdrdata.samples.layout import SHARDS, program_of
from hdrdata.samples.tars import pack_samples
from hdrdata.scenes.parts import assign_part
from hdrdata.shards.pack import describe_shards, shard_number
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date
from hdrdata.work.index import describe_files

ALGORITHM = "drtmo-import-1"  # raise the number when the same PNGs give other bytes
CHECKED = ".import"  # folder in the folder of shards: what each view's pictures were found to be
LARGEST_SIDE = 8192  # pixels
PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
ALPHA = (4, 6)  # PNG colour types that hold transparency
Share = Annotated[float, Field(ge=0, lt=1)]


class ImportConfig(Section):
    """Parameters of an import."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    licence: str  # of all images, as each sample states it
    seed: NonNegativeInt
    val_share: Share  # of the scenes of Train, if no list states val
    test_share: Share  # of the scenes, if no folder states a part
    shard_bytes: Annotated[int, Field(ge=1)]  # about so many a shard
    on_error: Literal["stop", "skip"]
    workers: NonNegativeInt  # 0: one a core


@dataclass(frozen=True)
class _Check:
    """Input of the process that checks the images of one view."""

    problem: str | None
    places: dict[str, str]
    letters: str


@dataclass(frozen=True)
class _Sample:
    """One stack to be packed."""

    key: str
    place: str
    sha256: str
    about: dict


@dataclass(frozen=True)
class _Pack:
    """Input of the process that writes one shard."""

    name: str
    samples: tuple[_Sample, ...]  # of one part


@dataclass(frozen=True)
class Imported:
    """Result of an import."""

    checked: Outcome  # rows by view; `refused` are the views left out
    packed: Outcome  # rows by shard
    unknown_crfs: tuple[str, ...]  # cameras without a table
    notes: tuple[str, ...]


def import_drtmo(folder: Path, shards: Path, config: ImportConfig) -> Imported:
    """Bring the folder `shards` up to date with a folder of stacks, in three of DrTMO's forms.

    `folder` has `Train` and `Test` (and perhaps `Val`) with `Bracketed_images`, or `Bracketed_images`, or the folders
    `<view>_<camera>` themselves. PNGs are copied unchanged. A folder states the part of its views. Without a folder
    `Val`, a `val.csv` of whole scenes states which scenes are val; without it, a hash of the scene decides (see
    `assign_part`). The exposures come from the pair lists in `folder`, `Train` and `Test`, or are DrTMO's nine half
    stops.

    A view is taken with a stack under every camera, or refused: if it lacks one that most views have, if a picture is
    missing, larger than 64 MiB or 8192 pixels a side, no 8-bit PNG, of another size than the others, or holds level
    255, which the published synthesis never gives; if something in it is a link out of `folder`; if its scene lies in
    two parts.

    Returns:
        what was checked and what was packed.

    Raises:
        ValueError: naming the file, if a view is refused and `config.on_error` is "stop"; if there are no stacks, or
            `shards` holds shards that were built.
    """
    root = folder.resolve()
    if shards.resolve().is_relative_to(root):
        raise ValueError(f"{shards}: lies in the folder that is imported, {folder}")
    _refuse_others(shards)
    parts = part_folders(folder)
    lists = read_pair_lists(dict.fromkeys([folder, *(place.parent for _, place in parts if place.name == PICTURES)]))
    letters, evs = lists.exposures()
    views = find_views(folder, root, parts, letters)
    entries = [
        Entry(
            view.key,
            digest_of([ALGORITHM, view.signature, letters, view.problem]),
            _Check(view.problem, {crf: str(place) for crf, place in view.places.items()}, letters),
        )
        for view in views
    ]
    checked = bring_up_to_date(
        shards / CHECKED,
        ALGORITHM,
        entries,
        _check_view,
        title="check",
        workers=config.workers,
        on_error=config.on_error,
    )
    views = [view for view in views if view.key in checked.rows]
    notes = _assign_parts(views, lists, config)
    cameras = sorted({crf for view in views for crf in view.stacks})
    recipe = _recipe_facts(cameras, letters, evs)
    packed = bring_up_to_date(
        shards,
        SHARDS,
        _shard_entries(views, checked, recipe, config),
        _make_shard,
        title="shard",
        workers=config.workers,
        finish=lambda rows: {
            **describe_shards(shards, config.name, rows, recipe),
            "imported": {"layout": "drtmo", "left_out": {refusal.name: refusal.reason for refusal in checked.refused}},
        },
    )
    return Imported(checked, packed, tuple(crf for crf in cameras if crf not in recipe["thresholds"]), notes)


def _refuse_others(shards: Path) -> None:
    if (shards / INDEX).is_file() and "imported" not in read_json(shards / INDEX):
        raise ValueError(f"{shards}: holds shards that were built and not imported; expected another folder")


def _check_view(_: Path, task: _Check) -> dict:
    """Read and decode every picture of a view; runs in a worker process."""
    if task.problem:
        raise ValueError(task.problem)
    stacks, sizes, size = {}, {}, 0
    for crf, place in task.places.items():
        digest = hashlib.sha256()
        for path, png in _read_stack(Path(place), task.letters):
            sizes.setdefault(check_picture(path, png), path)
            if len(sizes) > 1:
                (one, first), (other, second) = list(sizes.items())[:2]
                raise ValueError(f"{second}: {other[1]}x{other[0]} pixels; {first} has {one[1]}x{one[0]}")
            digest.update(png)
            size += len(png)
        stacks[crf] = digest.hexdigest()
    height, width = next(iter(sizes))
    return {"stacks": stacks, "height": height, "width": width, "bytes": size, "files": {}}


def _read_stack(place: Path, letters: str) -> Iterator[tuple[Path, bytes]]:
    for letter in letters:
        path = place / f"{letter}.png"
        try:
            yield path, path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: cannot be read: {error.strerror}") from error


def check_picture(path: Path, png: bytes) -> tuple[int, int]:
    """Height and width of a picture that the published synthesis could have made."""
    if len(png) < 33 or not png.startswith(PNG_HEAD):
        raise ValueError(f"{path}: {len(png)} bytes that are not a PNG picture")
    width, height, depth, colour = struct.unpack_from(">IIBB", png, 16)
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise ValueError(f"{path}: {width}x{height} pixels; expected at most {LARGEST_SIDE} a side")
    if depth > 8 or colour in ALPHA:
        raise ValueError(f"{path}: {depth} bits, colour type {colour}; expected 8-bit RGB without transparency")
    try:
        with quiet_decoders():
            picture = decode_png(png)
    except (ValueError, cv2.error) as error:
        raise ValueError(f"{path}: not a readable PNG: {' '.join(str(error).split())}") from error
    if picture.max() > WHITE:
        raise ValueError(f"{path}: level {picture.max()}; expected at most {WHITE}, DrTMO's saturated pixel")
    return height, width


def _assign_parts(views: list[ImportedView], lists: PairLists, config: ImportConfig) -> tuple[str, ...]:
    """Assign a part to each view whose folder states none, or only Train; return remarks for the user."""
    notes = []
    has_val_folder = any(view.part == "val" for view in views)
    listed = lists.stacks.get("val", set())
    in_val: dict[str, set[bool]] = {}
    for view in views:
        if view.part != "test":
            for stack in view.stacks.values():
                in_val.setdefault(view.scene, set()).add(stack.folder in listed)
    torn = [scene for scene, answers in in_val.items() if len(answers) > 1]
    use_list = bool(listed) and not torn
    if torn:
        notes.append(
            f"val.csv is not used: it shares {len(torn)} scenes with the training stacks, such as '{torn[0]}'; "
            "val was drawn by scene"
        )
    for view in views:
        if view.part == "train" and use_list:
            view.part = "val" if in_val[view.scene] == {True} else "train"
        elif view.part == "train" and not has_val_folder:
            view.part = assign_part(view.scene, config.seed, config.val_share, 0.0)
        elif view.part is None:
            view.part = assign_part(view.scene, config.seed, config.val_share, config.test_share)
    return tuple(notes)


def _recipe_facts(cameras: list[str], letters: str, evs: tuple[float, ...]) -> dict:
    """Return the recipe as in an index, with tables only for named cameras."""
    exposures = [2.0**ev for ev in evs]
    known = named_crfs()
    tables = {
        crf: np.stack([exposure_table(known[crf], exposure) for exposure in exposures])
        for crf in cameras
        if crf in known
    }
    crfs = {
        crf: {"tables_sha256": hashlib.sha256(tables[crf].tobytes()).hexdigest()} if crf in tables else {}
        for crf in cameras
    }
    facts = {"name": "imported", "letters": letters, "evs": list(evs), "exposures": exposures, "crfs": crfs}
    thresholds = {crf: [thresholds_of(row).tolist() for row in rows] for crf, rows in tables.items()}
    return {**facts, "digest": digest_of(facts), "thresholds": thresholds}


def _shard_entries(views: list[ImportedView], checked: Outcome, recipe: dict, config: ImportConfig) -> list[Entry]:
    """One entry a shard; the number of a part's shards is a power of two, so that it seldom changes."""
    sizes = Counter()
    for view in views:
        sizes[view.part] += checked.rows[view.key]["bytes"]
    groups: dict[str, list[_Sample]] = {}
    for view in views:
        row = checked.rows[view.key]
        shards_of_part = 1
        while shards_of_part * config.shard_bytes < sizes[view.part]:
            shards_of_part *= 2
        name = f"pixels/{config.name}-{view.part}-{shard_number(view.scene, shards_of_part):06d}.tar"
        for crf in sorted(view.stacks):
            about = {
                "view": view.key,
                "scene": view.scene,
                "group": view.scene,
                "part": str(view.part),
                "licence": config.licence,
                "height": row["height"],
                "width": row["width"],
                "recipe": {"name": recipe["name"], "digest": recipe["digest"]},
                "letters": recipe["letters"],
                "evs": recipe["evs"],
                "exposures": recipe["exposures"],
                "crf": crf,
                **recipe["crfs"][crf],
                "imported_from": view.stacks[crf].folder,
                "program": program_of(ALGORITHM),
            }
            sample = _Sample(view.stacks[crf].key, str(view.places[crf]), row["stacks"][crf], about)
            groups.setdefault(name, []).append(sample)
    entries = []
    for name, samples in sorted(groups.items()):
        part = samples[0].about["part"]
        digest = digest_of([SHARDS, ALGORITHM, part, [(s.key, s.sha256, s.about) for s in samples]])
        entries.append(Entry(name, digest, _Pack(name, tuple(samples))))
    return entries


def _make_shard(folder: Path, task: _Pack) -> dict:
    """Write one shard; runs in a worker process."""
    with written_whole(folder / task.name) as temporary:
        layouts = pack_samples(_samples(task), temporary)
    part = task.samples[0].about["part"]
    return {"form": "pixels", "part": part, "samples": [layout.to_json() for layout in layouts],
            "files": describe_files(folder, [task.name])}  # fmt: skip


def _samples(task: _Pack) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    for sample in task.samples:
        members, digest = {}, hashlib.sha256()
        for path, png in _read_stack(Path(sample.place), sample.about["letters"]):
            members[path.name] = png
            digest.update(png)
        if digest.hexdigest() != sample.sha256:
            raise ValueError(f"{sample.place}: its pictures changed while they were imported; run it again")
        about = json.dumps(sample.about, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        yield sample.key, "pixels", {**members, "json": about.encode()}

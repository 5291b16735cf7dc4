"""Merge all brackets of a folder: which photographs belong together, and a scene for each, made once."""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt

from hdrdata.config import Section
from hdrdata.files.disk import INDEX, digest_of, read_json
from hdrdata.files.suffixes import RAW_SUFFIXES
from hdrdata.merge.brackets import ALGORITHM, MergeConfig, merge_to_file
from hdrdata.photos.exposure import read_exposure
from hdrdata.photos.finding import PHOTO_SUFFIXES
from hdrdata.photos.formats.raw import is_raw
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date
from hdrdata.work.index import describe_files


class FolderConfig(Section):
    """Parameters for finding and merging the brackets of a folder."""

    group_by: Literal["folder", "exif-time"]
    gap_seconds: NonNegativeFloat  # between one picture's end and the next's beginning, inside a bracket
    merge: MergeConfig
    on_error: Literal["stop", "skip"]
    workers: NonNegativeInt  # 0: one a core


@dataclass(frozen=True)
class _Task:
    """Input of the process that merges one bracket."""

    name: str
    paths: tuple[str, ...]
    config: MergeConfig


def find_brackets(folder: Path, group_by: str, gap_seconds: float) -> dict[str, list[Path]]:
    """Return the brackets below `folder`, by the scene's name.

    "folder": the pictures of each folder are a bracket, named for it. "exif-time": the pictures of each folder by the
    time they were taken; a pause longer than `gap_seconds`, or an exposure that the bracket already has, begins
    another, named for its first picture. Where a camera wrote a RAW and a JPEG of one name, the RAW counts.

    Raises:
        ValueError: if there is no picture, or, by time, one does not state when it was taken.
    """
    brackets: dict[str, list[Path]] = {}
    for root, folders, names in os.walk(folder):
        folders.sort()
        paths = [Path(root, name) for name in sorted(names) if not name.startswith(".")]
        raw = {path.stem for path in paths if is_raw(path)}
        pictures = [
            path for path in paths if is_raw(path) or (path.suffix.lower() in PHOTO_SUFFIXES and path.stem not in raw)
        ]
        if not pictures:
            continue
        place = Path(root).relative_to(folder)
        if group_by == "folder":
            brackets[place.as_posix() if place.parts else folder.resolve().name] = pictures
        else:
            for bracket in _split_by_time(pictures, gap_seconds):
                brackets[(place / bracket[0].stem).as_posix()] = bracket
    if not brackets:
        raise ValueError(f"{folder}: no picture in it; expected {' '.join((*PHOTO_SUFFIXES, *RAW_SUFFIXES))}")
    return brackets


def _split_by_time(pictures: list[Path], gap_seconds: float) -> list[list[Path]]:
    stated = {path: read_exposure(path) for path in pictures}
    times = {path: taken for path, exposure in stated.items() if (taken := exposure.taken) is not None}
    for path in pictures:
        if path not in times:
            raise ValueError(f"{path}: states no time at which it was taken (EXIF DateTimeOriginal); group by folder")
    brackets: list[list[Path]] = []
    last: Path | None = None
    for path in sorted(pictures, key=lambda path: (times[path], path.name)):
        now = stated[path]
        settings = {
            (stated[other].seconds, stated[other].f_number, stated[other].iso) for other in (brackets or [[]])[-1]
        }
        gap = datetime.timedelta(seconds=gap_seconds + ((stated[last].seconds if last else 0) or 0))
        if last is None or times[path] - times[last] > gap or (now.seconds, now.f_number, now.iso) in settings:
            brackets.append([])
        brackets[-1].append(path)
        last = path
    return brackets


def merge_folder(folder: Path, out: Path, config: FolderConfig) -> Outcome:
    """Bring the folder `out` up to date with the brackets below `folder`: `<name>.exr` each, and `index.json`.

    A bracket is merged again when one of its files has another size or time, or the parameters changed.

    Raises:
        ValueError: if a bracket is refused and `config.on_error` is "stop", or `out` holds a scene of another origin.
    """
    entries = []
    for name, paths in find_brackets(folder, config.group_by, config.gap_seconds).items():
        files = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
        digest = digest_of([ALGORITHM, files, config.merge.model_dump()])
        entries.append(Entry(name, digest, _Task(name, tuple(map(str, paths)), config.merge)))
    rows = read_json(out / INDEX).get("rows", {}) if (out / INDEX).is_file() else {}
    ours = {f"{name}.exr" for name in (*rows, *(entry.name for entry in entries))}
    for scene in out.rglob("[!.]*.exr"):
        if scene.relative_to(out).as_posix() not in ours:
            raise ValueError(f"{out}: holds {scene.relative_to(out)}, which was not merged here; give another folder")
    return bring_up_to_date(
        out, ALGORITHM, entries, _merge_one, title="merge", workers=config.workers, on_error=config.on_error
    )


def _merge_one(folder: Path, task: _Task) -> dict:
    """Merge one bracket; runs in a worker process."""
    paths, scene = [Path(path) for path in task.paths], f"{task.name}.exr"
    merged = merge_to_file(folder / scene, paths, None, task.config)
    row = {"sources": [path.name for path in paths], "files": describe_files(folder, [scene])}
    return {**row, "notes": list(merged.lines)} if merged.lines else row

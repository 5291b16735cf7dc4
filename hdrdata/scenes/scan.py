"""Find the HDR files of a folder, know each by its content, and give each to a part by its group."""

import csv
import hashlib
import math
import os
import re
import stat
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from hdrdata.files.disk import read_json, sha256_of, write_json

HDR_SUFFIXES = (".exr", ".hdr", ".pfm", ".tif", ".tiff")
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)  # of cameras: merged to a scene first
PARTS = ("train", "val", "test")
KINDS = ("auto", "pano", "photo")


@dataclass(frozen=True)
class Scene:
    """One HDR file."""

    key: str  # "<stem>-<first eight digits of sha256>", lower case, no dot
    path: str  # relative to the scenes folder, with forward slashes
    sha256: str
    size: int  # bytes
    group: str  # scenes of one place share it; a group lies in one part
    part: str  # "train", "val" or "test"
    kind: str  # "pano", "photo", or "auto": told by the picture's shape
    licence: str
    scale: float  # stored value = scale * source value; recorded, not undone


@dataclass(frozen=True)
class Scan:
    """What `scan_scenes` found."""

    scenes: tuple[Scene, ...]  # by key
    duplicates: tuple[tuple[str, str], ...]  # (path left out, path of the same bytes that stays)
    hashed: int  # files whose bytes were read; the others were known by path, size and time

    def counts(self) -> dict[str, int]:
        """The number of scenes in each part."""
        return {part: sum(scene.part == part for scene in self.scenes) for part in PARTS}


def slug(text: str) -> str:
    """`text` as a part of a sample key: lower case, [a-z0-9_-], at most 40 characters; 'gamma+1.4' -> 'gamma-1-4'.

    A WebDataset key ends at its first dot, so that a dot would cut it.
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:40].strip("-") or "scene"


def assign_part(group: str, seed: int, val_share: float, test_share: float) -> str:
    """The part of a group, from a hash of its name and a seed: no other scene moves when one is added.

    Args:
        val_share, test_share: expected shares [0, 1] of the groups.
    """
    number = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big") / 2**64
    if number < test_share:
        return "test"
    return "val" if number < test_share + val_share else "train"


def read_sidecar(path: Path) -> dict[str, dict[str, str]]:
    """Read a CSV that says more about the files: `file`, and any of location_group, kind, licence (license), scale.

    Returns:
        path relative to the folder -> its row.

    Raises:
        ValueError: naming the file, the row and the value that is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a readable CSV: {error}") from error
    known: dict[str, dict[str, str]] = {}
    for line, row in enumerate(rows, start=2):
        if not row.get("file"):
            raise ValueError(f"{path}, line {line}: no 'file'; wanted a path relative to the folder")
        if row["file"] in known:
            raise ValueError(f"{path}, line {line}: '{row['file']}' stands twice")
        if (row.get("kind") or "auto") not in KINDS:
            raise ValueError(f"{path}, line {line}: kind '{row['kind']}'; wanted one of {', '.join(KINDS)}")
        try:
            scale = float(row.get("scale") or 1)
        except ValueError:
            scale = math.nan
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"{path}, line {line}: scale '{row['scale']}'; wanted a positive number")
        known[row["file"]] = row
    return known


def scan_scenes(
    folder: Path,
    *,
    sidecar: str | None,
    seed: int,
    val_share: float,
    test_share: float,
    cache: Path | None = None,
) -> Scan:
    """Find every HDR file below `folder`, hash what the cache does not know, and assign the parts.

    Identity is the path's stem and the content's hash, so that a moved file stays the same scene and a changed one is
    another. Of files with the same bytes the first by path stays.

    Args:
        sidecar: name of a CSV in `folder` (see `read_sidecar`), or None.
        cache: a JSON of path -> (size, time, sha256), read and written; spares reading files that did not change.

    Raises:
        ValueError: if there is no such folder, no HDR file in it, one that cannot be read, or the sidecar is wrong or
            names no file.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of scenes")
    found = find_hdr_files(folder)
    rows = read_sidecar(folder / sidecar) if sidecar else {}
    for name in rows:
        if name not in found:
            raise ValueError(f"{folder / sidecar}: names '{name}', which is not in the folder")

    hashes, hashed = _hash_files(folder, found, cache)
    scenes: dict[str, Scene] = {}
    owner: dict[str, str] = {}
    duplicates = []
    for path in found:
        size, sha256 = hashes[path]
        if sha256 in owner:
            duplicates.append((path, owner[sha256]))
            continue
        owner[sha256] = path
        row = rows.get(path, {})
        name = slug(Path(path).stem)
        group = row.get("location_group") or name
        scene = Scene(
            key=f"{name}-{sha256[:8]}",
            path=path,
            sha256=sha256,
            size=size,
            group=group,
            part=assign_part(group, seed, val_share, test_share),
            kind=row.get("kind") or "auto",
            licence=row.get("licence") or row.get("license") or "",
            scale=float(row.get("scale") or 1),
        )
        if scene.key in scenes:
            raise ValueError(f"{folder / path}: has the key of '{scenes[scene.key].path}'; rename one of them")
        scenes[scene.key] = scene
    ordered = tuple(scenes[key] for key in sorted(scenes))
    return Scan(ordered, tuple(duplicates), hashed)


def find_hdr_files(folder: Path) -> dict[str, os.stat_result]:
    """Find the HDR files below `folder`, links followed, by path relative to it; each folder is entered once.

    Names that begin with a dot are left out.

    Raises:
        ValueError: if there is none, a folder cannot be listed, or what has an HDR file's name is no regular file.
    """
    found: dict[str, os.stat_result] = {}
    others: Counter[str] = Counter()
    status = folder.stat()
    entered = {(status.st_dev, status.st_ino)}  # a link may lead back to a folder above it
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise ValueError(f"{place}: this folder cannot be listed: {error.strerror}") from error
        folders = []
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1].lower()
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                status = entry.stat()
                if (status.st_dev, status.st_ino) not in entered:
                    entered.add((status.st_dev, status.st_ino))
                    folders.append(Path(entry.path))
            elif suffix in HDR_SUFFIXES:
                path = Path(entry.path).relative_to(folder).as_posix()
                found[path] = _status_of(entry)
            else:
                others[suffix] += 1
        waiting.extend(reversed(folders))
    if found:
        return dict(sorted(found.items(), key=lambda item: Path(item[0])))
    raw = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()) if suffix in RAW_SUFFIXES)
    hint = f"; first merge the photographs in it ({raw}) by `hdrdata merge`" if raw else ""
    raise ValueError(f"{folder}: no HDR file in it; wanted {' '.join(HDR_SUFFIXES)}{hint}")


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _status_of(entry: os.DirEntry) -> os.stat_result:
    try:
        status = entry.stat()
    except OSError as error:
        what = "a link that leads nowhere" if entry.is_symlink() else f"cannot be read: {error.strerror}"
        raise ValueError(f"{entry.path}: {what}; remove it or mend it") from error
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{entry.path}: a pipe, socket or device; wanted a file")
    try:
        entry.path.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{os.fsencode(entry.path)!r}: its name is not UTF-8; rename it") from error
    return status


def _hash_files(
    folder: Path, found: dict[str, os.stat_result], cache: Path | None
) -> tuple[dict[str, tuple[int, str]], int]:
    known = {}
    if cache and cache.is_file():
        try:
            known = read_json(cache).get(str(folder.resolve()), {})
        except (ValueError, AttributeError):
            known = {}  # a damaged cache costs time, never truth
    fresh, hashed = {}, 0
    for path, status in found.items():
        entry = known.get(path)
        if not entry or entry[:2] != [status.st_size, status.st_mtime_ns]:
            try:
                sha256 = sha256_of(folder / path)
            except OSError as error:
                raise ValueError(f"{folder / path}: cannot be read: {error.strerror}") from error
            entry = [status.st_size, status.st_mtime_ns, sha256]
            hashed += 1
        fresh[path] = entry
    if cache and fresh != known:
        write_json(cache, {str(folder.resolve()): fresh})
    return {path: (entry[0], entry[2]) for path, entry in fresh.items()}, hashed


def write_scenes(path: Path, scan: Scan, folder: Path) -> None:
    """Write the list of scenes as JSON; the same scenes give the same bytes."""
    scenes = [asdict(scene) for scene in scan.scenes]
    duplicates = [{"path": path, "same_as": same} for path, same in scan.duplicates]
    write_json(path, {"folder": folder.as_posix(), "scenes": scenes, "duplicates": duplicates})


def read_scenes(path: Path) -> tuple[Path, tuple[Scene, ...]]:
    """Read what `write_scenes` wrote: the scenes folder as it was given, and the scenes by key."""
    content = read_json(path)
    try:
        return Path(content["folder"]), tuple(Scene(**scene) for scene in content["scenes"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a list of scenes: {error}") from error

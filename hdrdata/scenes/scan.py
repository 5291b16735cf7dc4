"""Find the HDR files of a folder, know each by its content, and give each to a part by its group."""

import contextlib
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt

from hdrdata.config import Section
from hdrdata.files.disk import read_json, sha256_of, write_json
from hdrdata.files.suffixes import HDR_SUFFIXES, RAW_SUFFIXES, UNREAD_SUFFIXES
from hdrdata.scenes.groups import group_files, group_identities, kept_list, known_parts
from hdrdata.scenes.parts import Split, describe_empty_parts, split_groups
from hdrdata.scenes.scene import STATED, Scan, Scene, describe_unread, read_listed, scene_key, slug
from hdrdata.scenes.sidecar import read_sidecar, unused_sidecars


class ScanConfig(Section):
    """Parameters of the stage scan: the folder of scenes, and the split of their groups into parts."""

    scenes: str  # folder
    sidecar: str | None  # a CSV in it; see `read_sidecar`
    seed: NonNegativeInt
    val_share: Annotated[float, Field(ge=0, lt=1)]
    test_share: Annotated[float, Field(ge=0, lt=1)]


def scan_scenes(
    folder: Path,
    *,
    sidecar: str | None,
    seed: int,
    val_share: float,
    test_share: float,
    cache: Path | None = None,
    listed: Path | None = None,
    check_content: bool = False,
) -> Scan:
    """Find every HDR file below `folder`, hash what the cache does not know, and assign the parts.

    Identity is the path's stem and the content's hash: a moved file stays the same scene, and a changed one is
    another. Of files with the same bytes the first by path stays. Names decide no part (see `hdrdata.scenes.groups`).

    Args:
        sidecar: name of a CSV in `folder` (see `read_sidecar`), or None.
        cache: a JSON of path -> (size, times of content and status, inode, sha256), read and written; spares reading
            files that did not change.
        listed: the list of scenes that the caller writes with `write_scenes`. Scenes in it keep their part, also when
            they are renamed or changed, and new ones fill parts that would be empty. Without it, or if seed or shares
            have changed, the hash alone decides.
        check_content: read every file all the same.

    Raises:
        ValueError: if there is no such folder, no HDR file in it, one that cannot be read, or the sidecar is wrong or
            names no file.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of scenes")
    found, unread = find_hdr_files(folder)
    rows = read_sidecar(folder / sidecar, found) if sidecar else {}
    files, hashed = _hash_files(folder, found, cache, check_content)
    owner: dict[str, str] = {}
    for path in found:
        owner.setdefault(files[path][1], path)
    duplicates = tuple((path, owner[files[path][1]]) for path in found if owner[files[path][1]] != path)
    hashes = {path: sha256 for sha256, path in owner.items()}
    keys = {path: scene_key(slug(Path(path).stem), sha256) for path, sha256 in hashes.items()}
    stated = {path: group for path in hashes if (group := rows.get(path, {}).get("location_group"))}
    groups = group_files(hashes, keys, stated)
    split = Split(seed, val_share, test_share)
    before = kept_list(*read_listed(listed), split) if listed else ()
    known, moved = known_parts(groups, hashes, before)
    identities = group_identities(groups, hashes, stated)
    parts = split_groups(identities, split, known, fill=listed is not None)
    scenes: dict[str, Scene] = {}
    for path, sha256 in hashes.items():
        row = rows.get(path, {})
        scene = Scene(
            key=keys[path],
            path=path,
            sha256=sha256,
            size=files[path][0],
            group=groups[path],
            part=parts[groups[path]],
            kind=row.get("kind") or "auto",
            licence=row.get("licence") or row.get("license") or "",
            scale=float(row.get("scale") or 1),
            **{name: (row.get(name) or "").strip() for name in STATED},
        )
        if scene.key in scenes:
            raise ValueError(f"{folder / path}: has the key of '{scenes[scene.key].path}'; rename one of them")
        scenes[scene.key] = scene
    ordered = tuple(scenes[key] for key in sorted(scenes))
    empty = describe_empty_parts(identities, parts, split)
    unused = [] if sidecar else unused_sidecars(folder)
    return Scan(ordered, duplicates, hashed, unread, split, (*moved, *([empty] if empty else []), *unused))


def find_hdr_files(folder: Path) -> tuple[dict[str, os.stat_result], dict[str, int]]:
    """Find the HDR files below `folder`, links followed; each folder is entered once.

    Names that begin with a dot are left out.

    Returns:
        the files by path relative to the folder; and by suffix the number of those that may be HDR and are not read.

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
    unread = {suffix: others[suffix] for suffix in sorted({*RAW_SUFFIXES, *UNREAD_SUFFIXES} & others.keys())}
    if found:
        return dict(sorted(found.items(), key=lambda item: Path(item[0]))), unread
    raw = ", ".join(f"{count} {suffix}" for suffix, count in unread.items() if suffix in RAW_SUFFIXES)
    hint = f"; first merge the photographs in it ({raw}) by `hdrdata merge`" if raw else ""
    left = describe_unread({suffix: count for suffix, count in unread.items() if suffix in UNREAD_SUFFIXES})
    hint = hint or (f"; {left.partition(';')[0]}" if left else "")
    raise ValueError(f"{folder}: no HDR file in it; expected {' '.join(HDR_SUFFIXES)}{hint}")


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
        raise ValueError(f"{entry.path}: {what}; remove it or repair it") from error
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{entry.path}: a pipe, socket or device; expected a file")
    try:
        entry.path.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{os.fsencode(entry.path)!r}: its name is not UTF-8; rename it") from error
    return status


def _hash_files(
    folder: Path, found: dict[str, os.stat_result], cache: Path | None, check_content: bool
) -> tuple[dict[str, tuple[int, str]], int]:
    known = {}
    if cache and cache.is_file():
        with contextlib.suppress(ValueError):  # a damaged cache costs time, never truth
            known = read_json(cache).get(str(folder.resolve()), {})
    known = known if isinstance(known, dict) else {}
    fresh, hashed = {}, 0
    for path, status in found.items():
        facts = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        entry = known.get(path)
        if check_content or not (isinstance(entry, list) and entry[:-1] == facts and isinstance(entry[-1], str)):
            try:
                sha256 = sha256_of(folder / path)
            except OSError as error:
                raise ValueError(f"{folder / path}: cannot be read: {error.strerror}") from error
            entry = [*facts, sha256]
            hashed += 1
        fresh[path] = entry
    if cache and fresh != known:
        write_json(cache, {str(folder.resolve()): fresh})
    return {path: (entry[0], entry[-1]) for path, entry in fresh.items()}, hashed

"""Files that show one scene: groups that stay in one part."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from hdrdata.scenes.parts import PARTS, Split, split_groups
from hdrdata.scenes.scene import Scene

RESOLUTION = re.compile(r"(.+?)[ _.-]+(\d{1,2}k|\d{2,5}x\d{2,5})", re.IGNORECASE)  # venice_2k, venice-1024x512


def name_without_resolution(path: str) -> tuple[str, bool]:
    """Return the name of a file without suffix and resolution, in lower case; and whether it states a resolution.

    `hall_2k.exr` and `hall_1k.hdr` are one scene in two sizes.
    """
    stem = unicodedata.normalize("NFC", PurePosixPath(path).stem)
    matched = RESOLUTION.fullmatch(stem)
    return (matched[1] if matched else stem).casefold(), bool(matched)


def group_files(hashes: Mapping[str, str], keys: Mapping[str, str], stated: Mapping[str, str]) -> dict[str, str]:
    """Return the group of each file.

    The group that the sidecar states; else of files whose names differ in their resolution only, that name; else the
    file by itself, under its scene's key. Other names of files decide nothing.

    Args:
        hashes: SHA-256 of each file.
        keys: scene key of each file.
        stated: location_group of files in the sidecar.
    """
    names = {path: name_without_resolution(path) for path in hashes if path not in stated}
    sized = {name for name, has_resolution in names.values() if has_resolution}
    return {
        path: stated[path] if path in stated else names[path][0] if names[path][0] in sized else keys[path]
        for path in hashes
    }


def group_identities(groups: Mapping[str, str], hashes: Mapping[str, str], stated: Mapping[str, str]) -> dict[str, str]:
    """Return by group what its part is computed from: the stated group, else the content, so that no rename moves it.

    Of several files it is the smallest SHA-256.
    """
    identities: dict[str, str] = {}
    for path, group in groups.items():
        content = group if path in stated else hashes[path]
        identities[group] = group if identities.get(group) == group else min(content, identities.get(group, content))
        if path in stated:
            identities[group] = group
    return identities


def known_parts(
    groups: Mapping[str, str], hashes: Mapping[str, str], before: Sequence[Scene]
) -> tuple[dict[str, str], list[str]]:
    """Return the parts of groups in an earlier list: by content, else by group, else by path.

    A group whose files were in two parts goes to train, since networks may have been trained on it, or else to val.

    Returns:
        part by group; and a line on each group whose files were in two parts.
    """
    by_content = {scene.sha256: scene.part for scene in before}
    by_group = {scene.group: scene.part for scene in before}
    by_path = {scene.path: scene.part for scene in before}
    found: dict[str, set[str]] = {}
    for path, group in groups.items():
        part = by_content.get(hashes[path]) or by_group.get(group) or by_path.get(path)
        if part:
            found.setdefault(group, set()).add(part)
    known = {group: min(parts, key=PARTS.index) for group, parts in found.items()}
    moved = [
        f"{group}: was in the parts {' and '.join(sorted(parts))}; all of it is in {known[group]} now"
        for group, parts in found.items()
        if len(parts) > 1
    ]
    return known, moved


def kept_list(before: Sequence[Scene], stated_split: object, split: Split) -> Sequence[Scene]:
    """Return the earlier scenes if their parts were made by this split, else none.

    A list of an older version does not state its split: it is kept if its parts are those of the groups' names.
    """
    if stated_split is not None:
        return before if stated_split == split.to_json() else ()
    names = {scene.group: scene.group for scene in before}
    parts = split_groups(names, split, {}, fill=False)
    return before if all(parts[scene.group] == scene.part for scene in before) else ()

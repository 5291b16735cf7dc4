"""A scene: one HDR file, known by its content; and the list of them that git tracks."""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hdrdata.files.disk import read_json, write_json
from hdrdata.files.suffixes import HDR_SUFFIXES, RAW_SUFFIXES
from hdrdata.scenes.parts import PARTS, Split

KINDS = ("auto", "pano", "photo")
STATED = ("layer", "colour", "encoding", "layout")  # what a sidecar states about how a file is read


@dataclass(frozen=True)
class Scene:
    """One HDR file."""

    key: str  # see `scene_key`
    path: str  # relative to the scenes folder, with forward slashes
    sha256: str
    size: int  # bytes
    group: str  # scenes of one place share it; a group lies in one part
    part: str  # "train", "val" or "test"
    kind: str  # "pano", "photo", or "auto": by the shape of the image
    licence: str
    scale: float  # stored value = scale * source value; recorded, not undone
    layer: str = ""  # of an .exr, if the sidecar states it; likewise:
    colour: str = ""  # primaries, instead of what the file states
    encoding: str = ""
    layout: str = ""  # cube_cross or angular_map


@dataclass(frozen=True)
class Scan:
    """Result of `scan_scenes`."""

    scenes: tuple[Scene, ...]  # by key
    duplicates: tuple[tuple[str, str], ...]  # (path left out, path of the same bytes that stays)
    hashed: int  # files whose bytes were read; the others were known by path, size and time
    unread: dict[str, int] = field(default_factory=dict)  # files by suffix that may be HDR, and are not read as scenes
    split: Split | None = None  # what gave the parts
    notes: tuple[str, ...] = ()  # lines on empty parts, moved groups and unused sidecars

    def unread_line(self) -> str:
        """'not read: 2 .dng, 1 .jxr; ...'; empty if there is none."""
        return describe_unread(self.unread)

    def counts(self) -> dict[str, int]:
        """The number of scenes in each part."""
        return {part: sum(scene.part == part for scene in self.scenes) for part in PARTS}


def describe_unread(unread: dict[str, int]) -> str:
    """Files that may be HDR and are not read as scenes, in a line: 'not read: 2 .dng, 1 .jxr; ...'; empty for none."""
    if not unread:
        return ""
    counted = ", ".join(f"{count} {suffix}" for suffix, count in sorted(unread.items()))
    raw = "; first merge camera RAW by `hdrdata merge`" if unread.keys() & {*RAW_SUFFIXES} else ""
    return f"not read: {counted}; expected {' '.join(HDR_SUFFIXES)}{raw}"


def slug(text: str) -> str:
    """`text` as a part of a sample key: lower case, [a-z0-9_-], at most 40 characters; 'gamma+1.4' -> 'gamma-1-4'.

    A WebDataset key ends at its first dot, so that a dot would cut it.
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:40].strip("-") or "scene"


def scene_key(name: str, sha256: str) -> str:
    """The key of a scene: `<name>-<first eight digits of its file's SHA-256>`.

    Args:
        name: as `slug` gives it.
    """
    return f"{name}-{sha256[:8]}"


def source_of_scene(key: str) -> str | None:
    """Read the digits that `scene_key` wrote: how the SHA-256 of the scene's file begins; None where there are none.

    The JSON of a sample does not contain the digest itself. A key that another program made may end so by chance.
    """
    digits = re.search(r"-([0-9a-f]{8})$", key)
    return digits[1] if digits else None


def write_scenes(path: Path, scan: Scan, folder: Path) -> None:
    """Write the list of scenes as JSON; the same scenes give the same bytes."""
    scenes = [{name: value for name, value in asdict(scene).items() if name not in STATED or value}
              for scene in scan.scenes]  # fmt: skip
    duplicates = [{"path": path, "same_as": same} for path, same in scan.duplicates]
    split = {"split": scan.split.to_json()} if scan.split else {}
    write_json(path, {"folder": folder.as_posix(), **split, "scenes": scenes, "duplicates": duplicates})


def read_scenes(path: Path) -> tuple[Path, tuple[Scene, ...]]:
    """Read what `write_scenes` wrote: the scenes folder as it was given, and the scenes by key."""
    content = read_json(path)
    try:
        return Path(content["folder"]), tuple(Scene(**scene) for scene in content["scenes"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a list of scenes: {error}") from error


def read_listed(path: Path) -> tuple[tuple[Scene, ...], object]:
    """Return the scenes of an earlier list and the split that it states; no scenes if it is absent or damaged."""
    try:
        return read_scenes(path)[1], read_json(path).get("split")
    except (OSError, ValueError):
        return (), None

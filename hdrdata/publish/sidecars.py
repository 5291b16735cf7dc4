"""Small files beside the shards that other loaders read, made from our index alone: no shard is read.

wids and timm each have an index of their own. They lie in the folder of a form, so that this folder can be given to
either of them as it is.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from hdrdata.publish.contents import Contents, Shard
from hdrdata.publish.published import Written, read_record, write_published

VALIDATION = {"val": "validation"}  # what timm and Hugging Face call it


@dataclass(frozen=True)
class Sidecar:
    """A kind of sidecar: its files by path for the shards of one form, and the pattern of the names it uses."""

    make: Callable[[Contents, str, dict[str, tuple[Shard, ...]]], dict[str, bytes]]
    pattern: str  # in the folder of a form

    def owns(self, name: str) -> bool:
        """Return whether a path belongs to such a file."""
        path = PurePosixPath(name)
        return len(path.parts) == 2 and fnmatch(path.name, self.pattern)


def make_sidecars(contents: Contents, kinds: tuple[str, ...]) -> dict[str, bytes]:
    """Return the files of the chosen kinds, by path."""
    files: dict[str, bytes] = {}
    for form in contents.forms:
        parts = {part: shards for part in contents.parts if (shards := contents.of(form, part))}
        for kind in kinds:
            files |= SIDECARS[kind].make(contents, form, parts)
    return files


def write_sidecars(folder: Path, kinds: tuple[str, ...]) -> Written:
    """Write the chosen kinds of sidecars for the shards of `folder`, and remove those of shards that are gone.

    A file whose bytes are right is not touched.

    Args:
        kinds: of `SIDECARS`.

    Raises:
        ValueError: if `folder` has no index of shards, or no samples; naming a file that no run of ours wrote.
    """
    contents = Contents(folder)
    stale = [name for name in read_record(folder) if any(SIDECARS[kind].owns(name) for kind in kinds)]
    return write_published(folder, make_sidecars(contents, kinds), contents.digest, stale)


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


SIDECARS = {
    "wids": Sidecar(_wids, "wids-*.json"),
    "timm": Sidecar(_timm, "_info.json"),
}


def _folder(parts: dict[str, tuple[Shard, ...]]) -> str:
    return next(iter(parts.values()))[0].folder


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()

"""The files beside shards that describe them: `.published.json` lists them, so that nobody else's is touched.

It is an index as `hdrdata.work.index` describes it: a row for each file, with size and SHA-256, and as its digest that
of the dataset it describes, by which stale files are found.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hdrdata.files.disk import write_bytes
from hdrdata.files.removal import has_bytes, remove_listed
from hdrdata.work.index import checked_index, describe_files, write_index

RECORD = ".published.json"
ALGORITHM = "published-1"


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


def read_record(folder: Path) -> dict[str, dict]:
    """Return the rows of a folder's list of published files; {} if there is none.

    Raises:
        ValueError: naming the list, if it is broken or of another program.
    """
    return checked_index(folder / RECORD, ALGORITHM)["rows"] if (folder / RECORD).exists() else {}


def write_published(
    folder: Path, wanted: dict[str, bytes], dataset: str, stale: Iterable[str] = (), replace: Iterable[str] = ()
) -> Written:
    """Write the files that are missing or have other bytes, each whole or not at all, and remove stale ones.

    Args:
        dataset: digest of the dataset that they describe.
        stale: names that are no longer needed; removed if they are listed and still have the listed bytes.
        replace: names that may be replaced whatever their bytes.

    Raises:
        ValueError: before anything is written, naming a file that no run of ours wrote, or that was changed since.
    """
    record = read_record(folder)
    for name, content in wanted.items():
        path, row = folder / name, record.get(name)
        if name in replace or not os.path.lexists(path):
            continue
        known = has_bytes(path, row["files"][name]) if row else looks_like_ours(path)
        if not known and not (path.is_file() and path.read_bytes() == content):
            raise ValueError(f"{path}: changed since this command wrote it; move it away, and run it again")
    new = 0
    for name, content in wanted.items():
        path = folder / name
        if path.is_file() and path.read_bytes() == content:
            continue
        write_bytes(path, content)
        new += 1
    gone = {name: record[name]["files"][name] for name in stale if name in record and name not in wanted}
    changed = remove_listed(folder, gone)
    rows = {name: row for name, row in record.items() if name not in gone or name in changed}
    rows |= {name: {"digest": dataset, "files": describe_files(folder, [name])} for name in wanted}
    if rows != record:
        write_index(folder / RECORD, {"algorithm": ALGORITHM, "rows": dict(sorted(rows.items()))})
    return Written(new, len(wanted) - new, len(gone) - len(changed))


def looks_like_ours(path: Path) -> bool:
    """Return whether a file that no list has is one of those that versions without a list wrote."""
    try:
        content = path.read_bytes() if path.is_file() else b""
        if path.name == "licences.csv":
            return content.startswith(b"scene,file,location_group,part,licence,views\n")
        if path.name == "contact-sheet.jpg":
            return content.startswith(b"\xff\xd8") and looks_like_ours(path.with_name("statistics.json"))
        if path.suffix != ".json":
            return False
        about = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(about, dict):
        return False
    if path.name.startswith("wids-"):
        return about.get("__kind__") == "wids-shard-index-v1"
    key = {"_info.json": "splits", "statistics.json": "digest", "croissant.json": "recordSet"}.get(path.name)
    return key in about

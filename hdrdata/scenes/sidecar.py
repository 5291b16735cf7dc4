"""The CSV beside the scenes that states more about them."""

import csv
import math
import unicodedata
from collections.abc import Collection
from pathlib import Path

from hdrdata.files.documents import cell_text
from hdrdata.scenes.scene import KINDS

USES = {"location_group", "kind", "licence", "license", "scale", "layer", "colour", "encoding", "layout"}


def read_sidecar(path: Path, among: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """Read a CSV about the files: `file`, and any of location_group, kind, licence (license), scale, layer, colour,
    encoding, layout.

    Args:
        among: paths relative to the folder of the files that there are; None: any may be named.

    Returns:
        path relative to the folder -> its row.

    Raises:
        ValueError: naming the file, the row and the value that is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [{name: cell_text(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
                    for row in csv.DictReader(file)]  # fmt: skip
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a readable CSV: {error}") from error
    present = {unicodedata.normalize("NFC", name): name for name in among or ()}
    known: dict[str, dict[str, str]] = {}
    for line, row in enumerate(rows, start=2):
        if not row.get("file"):
            raise ValueError(f"{path}, line {line}: no 'file'; expected a path relative to the folder")
        name = row["file"]
        if among is not None and name not in among:  # some systems store é as e and an accent
            name = present.get(unicodedata.normalize("NFC", name), name)
        if name in known:
            raise ValueError(f"{path}, line {line}: '{row['file']}' is listed twice")
        if among is not None and name not in among:
            raise ValueError(f"{path}: names '{row['file']}', which is not in the folder")
        if (row.get("kind") or "auto") not in KINDS:
            raise ValueError(f"{path}, line {line}: kind '{row['kind']}'; expected one of {', '.join(KINDS)}")
        try:
            scale = float(row.get("scale") or 1)
        except ValueError:
            scale = math.nan
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"{path}, line {line}: scale '{row['scale']}'; expected a positive number")
        known[name] = row
    return known


def unused_sidecars(folder: Path) -> list[str]:
    """Return a line about each CSV in the folder that looks like a sidecar, for a scan that was given none."""
    lines = []
    for path in sorted(folder.glob("*.csv")):
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                columns = set(next(csv.reader(file), []))
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        if "file" in columns and columns & USES:
            lines.append(f"{path}: not used, without the option sidecar: no location groups, kinds and licences")
    return lines

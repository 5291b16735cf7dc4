"""The training scenes of the shipped weights as a catalog of addresses."""

import csv
import io
import re
from pathlib import PurePosixPath
from urllib.parse import quote

from hdrmodel.release.files import SCENES

REPOSITORY = re.compile(r"github ([\w.-]+/[\w.-]+): (.+)")
COLUMNS = ("name", "url", "licence", "location_group", "kind", "source")


def training_catalog() -> tuple[str, list[str]]:
    """Return the training scenes as a CSV catalog for `hdrdata fetch --catalog`.

    The column `origin` of the list of scenes names a repository and a path in it. The catalog has no hashes: the list's
    are those of the scenes as they were trained on, in half floats.

    Returns:
        the CSV, and one line for each scene whose origin is not an address.
    """
    out, missing = io.StringIO(), []
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in csv.DictReader(SCENES.read_text(encoding="utf-8").splitlines()):
        found = REPOSITORY.fullmatch(row["origin"])
        if found is None:
            missing.append(f"{row['name']}: no address (origin '{row['origin']}'); not in the catalog")
            continue
        repository, path = found.groups()
        writer.writerow({
            "name": row["name"] + PurePosixPath(path).suffix.lower(),
            "url": f"https://raw.githubusercontent.com/{repository}/HEAD/{quote(path)}",
            "licence": row["licence"],
            "location_group": row["location_group"],
            "kind": row["kind"],
            "source": f"https://github.com/{repository}",
        })  # fmt: skip
    return out.getvalue(), missing

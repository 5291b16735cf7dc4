"""A dataset of pixels that came from elsewhere: no radiance, no tables, no catalog, an empty part, samples that tell
little."""

import json
import shutil
from pathlib import Path

from hdrdata.files.disk import write_json
from hdrdata.samples.layout import END_BLOCKS, SHARDS
from hdrdata.samples.tars import pack_samples
from hdrdata.stream.shard_reader import Shards
from hdrdata.work.index import describe_files


def write_imported(shards: Path, folder: Path) -> Path:
    """Write the test part of `shards` to `folder` as an import would: pictures, and names of view, scene and camera."""
    reader = Shards(shards, "test", "pixels")
    samples = []
    for number, key in enumerate(reader.keys):
        members = reader.read(number)
        about = json.loads(members["json"])
        about = {name: about[name] for name in ("view", "scene", "crf")}
        samples.append((key, "pixels", {**members, "json": json.dumps(about).encode()}))
    reader.close()
    (folder / "pixels").mkdir(parents=True)
    full, empty = "pixels/old-test-000000.tar", "pixels/old-train-000000.tar"
    layouts = pack_samples(iter(samples), folder / full)
    (folder / empty).write_bytes(END_BLOCKS)
    recipe = {"name": "imported", "digest": "", "letters": reader.index["recipe"]["letters"], "evs": list(reader.evs),
              "exposures": list(reader.exposures), "crfs": {crf: {} for crf in reader.crfs}}  # fmt: skip
    rows = {
        name: {"digest": "", "form": "pixels", "part": part, "samples": [layout.to_json() for layout in held],
               "files": describe_files(folder, [name])}
        for name, part, held in ((full, "test", layouts), (empty, "train", []))
    }  # fmt: skip
    write_json(folder / "index.json", {"algorithm": SHARDS, "name": "old", "recipe": recipe, "rows": rows})
    return folder


def copy_form(shards: Path, folder: Path, form: str) -> Path:
    """A copy of `shards` that holds one form alone."""
    shutil.copytree(shards / form, folder / form)
    index = json.loads((shards / "index.json").read_text())
    index["rows"] = {name: row for name, row in index["rows"].items() if row["form"] == form}
    index["columns"] = {form: index["columns"][form]}
    write_json(folder / "index.json", index)
    return folder

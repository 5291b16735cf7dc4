"""The texts and headers that `fuzz_readers.py` damages: indexes, journals, recipes, catalogs and weights."""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from hdrdata.cameras.recipe import choose_recipe, read_recipe
from hdrdata.fetch.catalogs import read_catalog
from hdrdata.scenes.sidecar import read_sidecar
from hdrdata.stream.remote import LocalFolder
from hdrdata.stream.shard_index import read_shard_index
from hdrdata.work.index import checked_index
from hdrdata.work.journal import journal_rows

HASH = "0" * 64
ODD = (
    None, True, -1, 0, 2**31, 2**64, 10**400, 1e308, "", "x", "../x", "/x", "a\n\x1b[2J", [], {}, [[]],
    {"": None}, [0] * 50,
)  # fmt: skip
FILES = {"a.exr": {"size": 3, "sha256": HASH}, "sub/b.exr": {"size": 4, "sha256": HASH}}
ROW = {"digest": HASH, "files": FILES, "views": [{"key": "a"}]}
SHARD = {
    "form": "pixels", "part": "train", "digest": HASH, "files": {"pixels/a.tar": {"size": 4096, "sha256": HASH}},
    "samples": [{"key": "a_srgb", "form": "pixels", "offset": 0, "length": 2048, "crc32c": 5,
                 "members": {"a.png": [512, 100, 1], "json": [1024, 20, 2]}}],
}  # fmt: skip
RECIPE = {
    "digest": "", "name": "x", "letters": "ab", "evs": [-1.0, 0.0], "exposures": [0.5, 1.0], "crfs": {"srgb": {}},
}  # fmt: skip


def read_shards(path: Path) -> None:
    """Read an index of shards; it has this name in its folder."""
    index = path.with_name("index.json")
    index.write_bytes(path.read_bytes())
    try:
        read_shard_index(LocalFolder(path.parent))
    except ValueError as error:
        raise ValueError(str(error).replace(str(index), str(path))) from error


def read_recipe_file(path: Path) -> None:
    """Read a recipe and everything it names."""
    try:
        choose_recipe(read_recipe(str(path)))
    except ValueError as error:
        message = str(error)
        raise ValueError(message if str(path) in message else f"{path}: {message}") from error


def read_weights(path: Path) -> None:
    """Read a file of weights."""
    from hdrmodel.networks.weights import load_weights

    load_weights(path)


def read_predictions(path: Path) -> None:
    """Read a list of predictions; it has this name in its folder."""
    from hdrmodel.prediction.index import INDEX, PredictionIndex

    (path.parent / INDEX).write_bytes(path.read_bytes())
    try:
        PredictionIndex(path.parent)
    except ValueError as error:
        raise ValueError(str(error).replace(str(path.parent / INDEX), str(path))) from error


LISTS: dict[str, Callable[[Path], Any]] = {
    "index": checked_index,
    "shards": read_shards,
    "journal": journal_rows,
    "recipe": read_recipe_file,
    "catalog": read_catalog,
    "sidecar": read_sidecar,
    "weights": read_weights,
    "predictions": read_predictions,
}


def make_lists(folder: Path) -> dict[str, list[Path]]:
    """Write small sound files of each kind of `LISTS` but weights."""
    texts = {
        "index": {"a.index.json": json.dumps({"algorithm": "views-3", "rows": {"a": ROW, "b": ROW}})},
        "shards": {"a.shards.json": json.dumps({
            "algorithm": "shards-2", "recipe": RECIPE, "rows": {"pixels/a.tar": SHARD}})},
        "journal": {"a.jsonl": "\n".join([
            '{"process": 1, "machine": "x"}', json.dumps(["a", ROW]), json.dumps(["b", {**ROW, "refused": "x"}])])},
        "recipe": {
            "a.yaml": "name: mine\ncrfs: [linear, srgb]\nevs: [-1, 0, 1.5]\n",
            "b.yaml": "synthesize:\n  recipe: {like: drtmo, evs: [-2, 0, 2]}\n",
            "c.yaml": "like: hdrcnn\ndraws: {cameras: 3, seed: 1}\n",
        },
        "catalog": {"a.csv": "name,url,sha256,licence\n" + f"a.exr,https://h/a,{HASH},CC0-1.0\nb.hdr,http://h/b,,\n"},
        "sidecar": {"s.csv": "file,location_group,kind,licence,scale\na.exr,x,pano,CC0,1.5\nb.exr,y,photo,,\n"},
        "predictions": {
            "p.json": json.dumps({"algorithm": "predictions-2", "rows": {"a.exr": {"digest": HASH, "files": FILES}}}),
            "old.json": json.dumps({"format": "hdrmodel-predictions-1", "files": {
                "a.exr": {"input_sha256": HASH, "settings": HASH, "bytes": 5}}}),
        },
    }  # fmt: skip
    made: dict[str, list[Path]] = {}
    for kind, files in texts.items():
        for name, text in files.items():
            (folder / name).write_text(text)
            made.setdefault(kind, []).append(folder / name)
    return made


def make_weights(folder: Path) -> dict[str, list[Path]]:
    """Write a small sound file of weights of a light U-Net, and the header of one of HDR-AttNet."""
    from hdrmodel.networks.weights import initial_network, save_weights

    save_weights(folder / "w.safetensors", initial_network("lightunet", "", 0.01, seed=0), {"variant": "lightunet"})
    header = {"format": "hdrmodel-1", "network": {"attention": "spatial", "preset": "attnet", "width": 0.125}}
    about = {
        "__metadata__": {"hdrmodel": json.dumps(header)},
        "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    }
    content = json.dumps(about).encode()
    (folder / "attention.safetensors").write_bytes(struct.pack("<Q", len(content)) + content + bytes(4))
    return {"weights": [folder / "w.safetensors", folder / "attention.safetensors"]}


def spoil_values(content: bytes, random_: random.Random) -> bytes:
    """Put a value of another type or size somewhere in a JSON, YAML or CSV text; other bytes stay as they are."""
    if content[:1] not in b"{[":  # safetensors begin with a length
        try:
            length = struct.unpack("<Q", content[:8])[0]
            about = json.loads(content[8 : 8 + length])
        except (ValueError, struct.error):
            return _spoil_text(content.decode(), random_).encode()
        header = _changed(json.loads(about["__metadata__"]["hdrmodel"]), random_)
        about["__metadata__"]["hdrmodel"] = json.dumps(header)
        text = json.dumps(about).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + length :]
    lines = content.decode().split("\n")
    place = random_.randrange(len(lines))
    lines[place] = json.dumps(_changed(json.loads(lines[place]), random_)) if lines[place] else "[]"
    return "\n".join(lines).encode()


def _spoil_text(text: str, random_: random.Random) -> str:
    if "," in text.partition("\n")[0]:  # CSV
        rows = [line.split(",") for line in text.split("\n")]
        row = random_.choice(rows)
        row[random_.randrange(len(row))] = random_.choice([str(value) for value in ODD])
        return "\n".join(map(",".join, rows))
    return json.dumps(_changed(yaml.safe_load(text), random_))  # which is YAML, too


def _changed(value: Any, random_: random.Random) -> Any:
    """Return a value of JSON with something in it replaced, taken away or nested deeply."""
    if isinstance(value, dict) and value and random_.random() < 0.9:
        name = random_.choice(list(value))
        if random_.random() < 0.1:
            return {key: part for key, part in value.items() if key != name}
        return {**value, name: _changed(value[name], random_)}
    if isinstance(value, list) and value and random_.random() < 0.9:
        place = random_.randrange(len(value))
        return [*value[:place], _changed(value[place], random_), *value[place + 1 :]]
    if random_.random() < 0.02:
        return json.loads("[" * 800 + "]" * 800)
    return random_.choice(ODD)

"""Shards: the same bytes from any run, one changed shard a form for one changed scene, ordinary WebDataset."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.files.disk import read_json, sha256_of
from hdrdata.files.exr import write_exr
from hdrdata.shards.pack import ShardConfig, shard_number, shard_stacks
from hdrdata.stream.shard_reader import Shards

CONFIG = {"name": "tiny", "form": "both", "shards": {"train": 3, "val": 2, "test": 1}}


def test_two_runs_from_scratch_with_other_worker_counts_give_the_same_shards(dataset, build, tmp_path):
    assert build(dataset.scenes, tmp_path, workers=1).shard_digests() == dataset.shard_digests()
    for name in ("views/index.json", "views/catalog.csv", "stacks/index.json", "shards/index.json"):
        assert (tmp_path / name).read_bytes() == (dataset.folder / name).read_bytes()


def test_the_index_holds_the_digest_of_every_shard(dataset):
    index = read_json(dataset.shards / "index.json")
    assert index["__kind__"] == "wids-shard-index-v1" and index["wids_version"] == 1
    assert {row["url"] for row in index["shardlist"]} == {
        path.relative_to(dataset.shards).as_posix() for path in dataset.shards.rglob("*.tar")
    }
    for row in index["shardlist"]:
        path = dataset.shards / row["url"]
        assert (row["sha256"], row["filesize"]) == (sha256_of(path), path.stat().st_size)
        assert row["nsamples"] == len(index["rows"][row["url"]]["samples"])


def test_no_scene_and_no_group_lies_in_two_parts_of_the_shards(dataset):
    parts: dict[str, set[str]] = {}
    group_of = {scene.key: scene.group for scene in dataset.scan.scenes}
    for part in ("train", "val", "test"):
        shards = Shards(dataset.shards, part, "radiance")
        for number in range(len(shards)):
            about = json.loads(shards.read(number, ("json",))["json"])
            assert about["part"] == part
            parts.setdefault(group_of[about["scene"]], set()).add(part)
        shards.close()
    assert len(parts) == 4 and all(len(part) == 1 for part in parts.values())


def test_a_scene_added_and_removed_again_changes_one_shard_a_form_and_leaves_no_trace(
    dataset_copy, build, scene_radiance
):
    before = dataset_copy.shard_digests()
    written = {path: path.stat().st_mtime_ns for path in dataset_copy.shards.rglob("*.tar")}
    write_exr(dataset_copy.scenes / "orchard.exr", scene_radiance(7))

    added = build(dataset_copy.scenes, dataset_copy.folder)
    parts = {scene.key: scene.part for scene in added.scan.scenes}
    assert all(parts[scene.key] == scene.part for scene in dataset_copy.scan.scenes)
    assert (added.ingest.new, added.ingest.kept) == (1, 4)
    assert (added.synthesize.new, added.synthesize.kept) == (6, 19)
    assert (added.shard.new, added.shard.removed) == (2, 0)
    changed = {name for name, digest in added.shard_digests().items() if before.get(name) != digest}
    assert sorted(name.split("/")[0] for name in changed) == ["pixels", "radiance"]
    for path, time in written.items():
        if path.relative_to(dataset_copy.shards).as_posix() not in changed:
            assert path.stat().st_mtime_ns == time  # not even written again

    (dataset_copy.scenes / "orchard.exr").unlink()
    removed = build(dataset_copy.scenes, dataset_copy.folder)
    assert (removed.ingest.removed, removed.synthesize.removed) == (1, 6)
    assert (removed.ingest.new, removed.synthesize.new) == (0, 0)
    assert removed.shard_digests() == before
    assert {path.name for path in removed.views.glob("*.exr")} == {
        path.name for path in dataset_copy.views.glob("*.exr")
    }
    assert len(list(removed.stacks.glob("*.tar"))) == 19


@given(st.lists(st.text(max_size=10), unique=True, max_size=20), st.integers(1, 50))
def test_the_shard_of_a_scene_depends_on_nothing_but_its_key(keys, shards):
    numbers = {key: shard_number(key, shards) for key in keys}
    assert all(0 <= number < shards for number in numbers.values())
    assert all(shard_number(key, shards) == number for key, number in reversed(numbers.items()))


def test_a_damaged_stack_file_is_refused_and_no_shard_is_written(dataset, tmp_path):
    stacks = tmp_path / "stacks"
    shutil.copytree(dataset.stacks, stacks)
    path = sorted(stacks.glob("*.tar"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path.stem}\.tar, sample {path.stem}.*damaged.*remove the file"):
        shard_stacks(stacks, tmp_path / "shards", ShardConfig.parse("shard", CONFIG), workers=1)
    assert not (tmp_path / "shards" / "index.json").exists()
    for shard in (tmp_path / "shards").rglob("*.tar"):
        assert not shard.name.startswith(".")
        relative = shard.relative_to(tmp_path / "shards").as_posix()
        assert sha256_of(shard) == dataset.shard_digests()[relative]  # whole, or not there


PLAIN_WEBDATASET = """
import hashlib, io, json, sys
import numpy as np
import webdataset
from PIL import Image

dataset = webdataset.WebDataset(sys.argv[1:], shardshuffle=False).decode("rgb8")
found = {}
for sample in dataset:
    names = [name for name in sample if name.endswith("png")]
    pictures = {name: hashlib.sha256(sample[name].tobytes()).hexdigest() for name in names}
    found[sample["__key__"]] = {"pictures": pictures, "crf": sample["json"]["crf"], "fields": sorted(sample)}
assert not any(name.startswith(("hdrdata", "hdrmodel")) for name in sys.modules)
print(json.dumps(found))
"""


def test_plain_webdataset_reads_the_shards(dataset, tmp_path):
    shards = Shards(dataset.shards, "train", "pixels")
    paths = sorted(dataset.shards.glob("pixels/tiny-train-*.tar"))
    program = [sys.executable, "-c", PLAIN_WEBDATASET, *(str(path) for path in paths)]
    found = json.loads(subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path).stdout)
    assert sorted(found) == sorted(shards.keys)
    for number in range(len(shards)):
        sample = shards.stack(number)
        pictures = {
            f"{letter}.png": hashlib.sha256(np.ascontiguousarray(ldr).tobytes()).hexdigest()
            for letter, ldr in zip("abcdefghi", sample.stack, strict=True)
        }
        assert found[sample.key]["pictures"] == pictures
        assert found[sample.key]["crf"] == sample.crf
        assert set(found[sample.key]["fields"]) >= {"a.png", "i.png", "json", "__key__"}
    shards.close()

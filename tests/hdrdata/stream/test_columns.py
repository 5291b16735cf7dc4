"""Columns beside the readable index: the same samples, opened without its rows, and never trusted when stale."""

import json
import pickle
import shutil

import numpy as np
import pytest

from hdrdata import open_stacks
from hdrdata.files.disk import read_json, write_json
from hdrdata.integrity.verify import verify_shards
from hdrdata.samples.layout import IntegrityError, SampleLayout
from hdrdata.stream.columns import SampleTable, make_columns
from hdrdata.stream.remote import LocalFolder
from hdrdata.stream.shard_index import Index, open_shard_index, read_shard_index, shard_files
from hdrdata.stream.shard_reader import Shards


def layouts_of(reader):
    return list(reader.samples)


@pytest.mark.parametrize("form", ["pixels", "radiance"])
def test_columns_hold_what_the_rows_hold(dataset, form):
    rows = read_json(dataset.shards / "index.json")["rows"]
    for part in ("train", "val", "test"):
        reader = Shards(dataset.shards, part, form)
        assert isinstance(reader.index, Index) and "rows" not in dict.keys(reader.index)
        expected = [
            (shard, SampleLayout.from_json(sample))
            for shard, row in rows.items()
            if (row["form"], row["part"]) == (form, part)
            for sample in row["samples"]
        ]
        assert layouts_of(reader) == expected
        assert list(reader.keys) == [layout.key for _, layout in expected]
        assert reader.samples[-1] == expected[-1] and reader.keys.index(expected[-1][1].key) == len(expected) - 1
        again = pickle.loads(pickle.dumps(reader))
        assert layouts_of(again) == expected and len(pickle.dumps(reader.samples)) < 10_000
        assert reader.index["rows"] == rows  # read when they are needed


def test_a_form_s_own_folder_is_a_whole_dataset(dataset, tmp_path):
    shutil.copytree(dataset.shards / "radiance", tmp_path / "radiance")  # as `dvc import` of that folder gives it
    with open_stacks(tmp_path / "radiance", part="val") as own, open_stacks(dataset.shards, part="val") as stacks:
        for number in range(len(stacks)):
            assert own[number].key == stacks[number].key and np.array_equal(own[number].stack, stacks[number].stack)
    assert verify_shards(tmp_path / "radiance", workers=None).faults == ()


def test_an_index_without_columns_is_read_by_its_rows(dataset_copy):
    expected = layouts_of(Shards(dataset_copy.shards, "train", "radiance"))
    (dataset_copy.shards / "radiance" / "columns.npy").unlink()
    assert layouts_of(Shards(dataset_copy.shards, "train", "radiance")) == expected
    index = read_json(dataset_copy.shards / "index.json")
    del index["columns"]  # as an older version wrote it
    write_json(dataset_copy.shards / "index.json", index)
    reader = Shards(dataset_copy.shards, "train", "radiance")
    assert not isinstance(reader.index, Index) and layouts_of(reader) == expected


def test_stale_or_damaged_columns_are_never_used(dataset_copy):
    path = dataset_copy.shards / "radiance" / "columns.npy"
    expected = layouts_of(Shards(dataset_copy.shards, "train", "radiance"))
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    assert layouts_of(Shards(dataset_copy.shards, "train", "radiance")) == expected  # by the rows
    with pytest.raises(ValueError, match=r"radiance/columns\.npy: sha256 \w+; expected \w+"):
        Shards(dataset_copy.shards / "radiance", "train", "radiance")  # which has no rows
    faults = verify_shards(dataset_copy.shards, decode=False, workers=None).faults
    assert any("columns.npy" in str(fault) for fault in faults)


def test_columns_that_name_bytes_outside_a_sample_are_refused(dataset):
    reader = Shards(dataset.shards, "val", "radiance")
    files = [file for file in shard_files(reader.index) if file.form == "radiance"]
    rows = read_shard_index(LocalFolder(dataset.shards))["rows"]
    columns = make_columns([map(SampleLayout.from_json, rows[file.name]["samples"]) for file in files])
    for field, value in (("offset", 1 << 40), ("length", 1 << 40), ("key", b"../x")):
        wrong = columns.copy()
        wrong[field][-1] = value
        table = SampleTable(wrong, "radiance", files, {file.name for file in files})
        with pytest.raises(IntegrityError, match="the columns name bytes outside of it"):
            table[-1]
    with pytest.raises(ValueError, match="columns of 1 samples; expected"):
        SampleTable(columns[:1], "radiance", files, {files[0].name})
    with pytest.raises(IndexError, match="there are"):
        reader.samples[len(reader)]


def test_the_head_of_an_index_is_checked(dataset_copy):
    path = dataset_copy.shards / "radiance" / "index.json"
    good = json.loads(path.read_text())
    for change, problem in (
        ({"shardlist": [{**good["shardlist"][0], "url": "../x.tar"}]}, "expected a path inside the folder"),
        ({"columns": {"radiance": {**good["columns"]["radiance"], "file": "/etc/passwd"}}}, "expected a path inside"),
        ({"shardlist": 1}, "shardlist: "),
        ({"algorithm": "other"}, "made by 'other'; expected"),
    ):
        path.write_text(json.dumps(good | change))
        with pytest.raises(ValueError, match=problem):
            open_shard_index(LocalFolder(path.parent))

"""Sidecars: the other loaders' own readers open them, or an independent reading of the tars agrees."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from imported_dataset import write_imported

from hdrdata.files.disk import read_json, write_json
from hdrdata.integrity.tar_walk import SHOWN
from hdrdata.integrity.verify import verify_shards
from hdrdata.publish.card import write_plain_card
from hdrdata.publish.published import RECORD, Written
from hdrdata.publish.refresh import has_published, refresh_published, stale_files
from hdrdata.publish.sidecars import SIDECARS, write_sidecars
from hdrdata.stream.shard_reader import Shards

ALL = tuple(SIDECARS)
FORMS = ("pixels", "radiance")


@pytest.fixture(scope="module")
def shards(dataset, tmp_path_factory):
    """A copy of the dataset's shards with every sidecar."""
    folder = tmp_path_factory.mktemp("sidecars") / "shards"
    shutil.copytree(dataset.shards, folder)
    write_sidecars(folder, ALL)
    return folder


def samples_of(tar):
    """(key, first header's offset, [(extension, data offset, size)]) of a tar, and where its closing blocks begin."""
    with tarfile.open(tar) as file:
        members = file.getmembers()
    samples = []
    for member in members:
        key, _, extension = member.name.partition(".")
        if not samples or samples[-1][0] != key:
            samples.append((key, member.offset, []))
        samples[-1][2].append((extension, member.offset_data, member.size))
    last = members[-1]
    return samples, last.offset_data + (last.size + 511) // 512 * 512


@pytest.mark.parametrize("form", FORMS)
def test_wids_reads_every_sample(shards, form, tmp_path, capsys):
    wids = pytest.importorskip("wids")
    for part in ("train", "val", "test"):
        reader = Shards(shards, part, form)
        dataset = wids.ShardListDataset(str(shards / form / f"wids-{part}.json"), cache_dir=str(tmp_path / part),
                                        transformations=[])  # fmt: skip
        assert len(dataset) == len(reader)
        for number, key in enumerate(reader.keys):
            sample = dataset[number]
            assert sample["__key__"] == key
            members = reader.read(number)
            assert {name: sample[f".{name}"].read() for name in members} == members
        reader.close()


@pytest.mark.parametrize("form", FORMS)
def test_timm_finds_splits_and_lengths(shards, form):
    splits = read_json(shards / form / "_info.json")["splits"]
    assert list(splits) == ["train", "validation", "test"]
    for name, split in splits.items():
        assert split["name"] == name
        lengths = [len(samples_of(shards / form / file)[0]) for file in split["filenames"]]
        assert split["shard_lengths"] == lengths and split["num_samples"] == sum(lengths)


def test_a_second_run_touches_nothing(shards):
    before = {path: path.stat().st_mtime_ns for path in shards.rglob("*")}
    written = write_sidecars(shards, ALL)
    assert (written.new, written.removed) == (0, 0) and str(written).startswith("nothing has changed")
    assert {path: path.stat().st_mtime_ns for path in shards.rglob("*")} == before


def test_the_same_shards_give_the_same_bytes(shards, dataset, tmp_path):
    shutil.copytree(dataset.shards, tmp_path / "shards")
    write_sidecars(tmp_path / "shards", ALL)
    for path in shards.rglob("*"):
        if path.is_file():
            assert (tmp_path / "shards" / path.relative_to(shards)).read_bytes() == path.read_bytes()


def without(folder: Path, part: str) -> None:
    """Take a part and the radiance form out of the index, as another build would."""
    index = read_json(folder / "index.json")
    index["rows"] = {n: row for n, row in index["rows"].items() if row["form"] == "pixels" and row["part"] != part}
    write_json(folder / "index.json", index)


def test_only_the_chosen_kinds_are_written_and_only_stale_files_of_ours_removed(dataset_copy):
    folder = dataset_copy.shards
    assert write_sidecars(folder, ("timm",)).new == 2 and not list(folder.rglob("wids-*"))
    write_sidecars(folder, ALL)
    (folder / "pixels" / "wids-mine.json").write_text("{}")
    (folder / "radiance" / "wids-train.json").write_text("changed by its owner")
    without(folder, "val")
    write_sidecars(folder, ("timm",))
    assert not (folder / "radiance" / "_info.json").exists() and (folder / "radiance" / "wids-val.json").exists()
    assert write_sidecars(folder, ALL).removed == 3
    names = sorted(path.name for path in (folder / "pixels").glob("wids-*"))
    assert names == ["wids-mine.json", "wids-test.json", "wids-train.json"]
    assert [path.name for path in (folder / "radiance").glob("wids-*")] == ["wids-train.json"]
    assert list(folder.rglob("*.tar"))  # no shard is ever removed


@pytest.mark.parametrize("name", ["pixels/wids-test.json", "pixels/_info.json", "croissant.json", "licences.csv"])
def test_a_file_of_another_program_is_never_replaced(dataset_copy, name):
    folder = dataset_copy.shards
    (folder / name).write_text('{"mine": 1}')
    with pytest.raises(ValueError, match=f"{name}: changed since this command wrote it; move it away"):
        write_sidecars(folder, ALL)
        write_plain_card(folder, ("card", "croissant"))
    assert (folder / name).read_text() == '{"mine": 1}'


def test_files_of_versions_without_a_list_are_brought_up_to_date(dataset_copy):
    folder = dataset_copy.shards
    write_sidecars(folder, ALL)
    write_plain_card(folder, ("card", "croissant"))
    (folder / RECORD).unlink()
    without(folder, "val")
    assert "pixels/wids-val.json" in stale_files(folder)
    assert refresh_published(folder)[0] == "wids, timm: 1 files written, 2 kept, 0 removed"
    assert "val" not in (folder / "pixels" / "_info.json").read_text()


def test_a_damaged_list_of_published_files_is_one_fault_of_verify(dataset_copy):
    folder = dataset_copy.shards
    write_sidecars(folder, ALL)
    (folder / RECORD).write_text("{" + "x" * 500)
    (fault,) = verify_shards(folder, decode=False, workers=None).faults
    assert fault.shard == RECORD and RECORD in fault.reason and len(fault.reason) <= SHOWN


def test_stale_sidecars_and_cards_are_found_and_written_again(dataset_copy):
    folder = dataset_copy.shards
    assert not has_published(folder)
    write_sidecars(folder, ALL)
    write_plain_card(folder, ("card", "croissant"))
    assert has_published(folder) and stale_files(folder) == []
    without(folder, "val")
    assert set(stale_files(folder)) == {
        "README.md", "croissant.json", "licences.csv", "pixels/_info.json", "pixels/wids-val.json",
        "radiance/_info.json", *(f"radiance/wids-{part}.json" for part in ("train", "val", "test")),
    }  # fmt: skip
    refresh_published(folder)
    assert stale_files(folder) == [] and refresh_published(folder) == []
    assert not (folder / "pixels" / "wids-val.json").exists()


def test_an_empty_part_has_no_sidecars(dataset, tmp_path):
    folder = write_imported(dataset.shards, tmp_path)
    assert isinstance(write_sidecars(folder, ALL), Written)
    assert [path.name for path in folder.rglob("wids-*")] == ["wids-test.json"]
    assert json.loads((folder / "pixels" / "_info.json").read_text())["splits"].keys() == {"test"}


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no index\.json in it"):
        write_sidecars(tmp_path, ALL)

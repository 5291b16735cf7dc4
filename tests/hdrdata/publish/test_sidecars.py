"""Sidecars: the other loaders' own readers open them, or an independent reading of the tars agrees."""

import json
import shutil
import sqlite3
import struct
import tarfile

import pytest
import yaml
from imported_dataset import write_imported

from hdrdata.files.disk import read_json, write_json
from hdrdata.publish.sidecars import SIDECARS, Written, write_sidecars
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


@pytest.mark.parametrize("form", FORMS)
def test_the_indexes_of_dali_and_energon_are_where_the_members_lie(shards, form):
    counts, rows, parts = read_json(shards / form / ".nv-meta" / ".info.json")["shard_counts"], [], []
    for number, (file, count) in enumerate(counts.items()):
        samples, end = samples_of(shards / form / file)
        assert count == len(samples)
        # DALI 2.4, tools/wds2idx.py: "v1.2 <samples>", then "<extension> <offset> <size> <name>" a member
        lines = [" ".join(f"{x} {offset} {size} {key}.{x}" for x, offset, size in members)
                 for key, _, members in samples]  # fmt: skip
        text = (shards / form / file.replace(".tar", ".idx")).read_text()
        assert text.splitlines() == [f"v1.2 {len(samples)}", *lines]
        # energon 7.4.1, itar.py: unsigned 64-bit offsets of the samples, and of the end of the last
        starts = [start for _, start, _ in samples] + [end]
        assert (shards / form / f"{file}.idx").read_bytes() == struct.pack(f"<{len(starts)}Q", *starts)
        for place, (key, start, members) in enumerate(samples):
            rows.append((number, key, place, start, starts[place + 1] - start))
            parts += [(number, place, x, offset, size) for x, offset, size in members]
    database = sqlite3.connect(f"file:{shards / form}/.nv-meta/index.sqlite?mode=ro&immutable=1", uri=True)
    columns = "tar_file_id, sample_key, sample_index, byte_offset, byte_size"
    assert database.execute(f"SELECT {columns} FROM samples ORDER BY 1, 3").fetchall() == rows
    columns = "tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size"
    assert database.execute(f"SELECT {columns} FROM sample_parts ORDER BY 1, 2, 4").fetchall() == parts
    database.close()


def test_energon_knows_the_parts(shards):
    meta = shards / "pixels" / ".nv-meta"
    split = yaml.safe_load((meta / "split.yaml").read_text())
    index = read_json(shards / "index.json")["rows"]
    held = {part: [] for part in ("train", "val", "test")}
    for name, row in index.items():
        if row["form"] == "pixels":
            held[row["part"]].append(name.removeprefix("pixels/"))
    assert split["split_parts"] == held
    assert len((meta / "index.uuid").read_text()) == 36
    assert (meta / "index.uuid").read_text() != (shards / "radiance" / ".nv-meta" / "index.uuid").read_text()


@pytest.mark.filterwarnings("ignore")
def test_energon_itself_streams_every_sample(shards):
    energon = pytest.importorskip("megatron.energon")  # heavy, and not among the tests' packages
    config = energon.WorkerConfig(rank=0, world_size=1, num_workers=0)

    def cook(sample):
        return energon.Sample(**energon.basic_sample_keys(sample))

    class Keys(energon.DefaultTaskEncoder):
        cookers = (energon.Cooker(energon.stateless(cook)),)

        def batch(self, samples):
            return samples

    for form in FORMS:
        found = energon.get_train_dataset(
            str(shards / form), split_part="val", worker_config=config, batch_size=1, shuffle_buffer_size=None,
            max_samples_per_sequence=None, task_encoder=Keys(), repeat=False,
        )  # fmt: skip
        keys = [sample.__key__ for batch in energon.get_loader(found) for sample in batch]
        assert sorted(keys) == sorted(Shards(shards, "val", form).keys)


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


def test_only_the_chosen_kinds_are_written_and_the_stale_removed(dataset_copy):
    folder = dataset_copy.shards
    assert write_sidecars(folder, ("dali",)).new == len(read_json(folder / "index.json")["rows"])
    assert not (folder / "pixels" / ".nv-meta").exists() and not list(folder.rglob("*.tar.idx"))
    write_sidecars(folder, ALL)
    (folder / "pixels" / ".nv-meta" / "dataset.yaml").write_text("mine: 1\n")
    (folder / "pixels" / ".nv-meta" / "sample_loader.py").write_text("# mine\n")

    index = read_json(folder / "index.json")
    gone = [name for name, row in index["rows"].items() if row["form"] == "radiance" or row["part"] == "val"]
    index["rows"] = {name: row for name, row in index["rows"].items() if name not in gone}
    write_json(folder / "index.json", index)
    write_sidecars(folder, ("dali",))
    assert not [name for name in gone if (folder / name.replace(".tar", ".idx")).exists()]
    assert all((folder / f"{name}.idx").exists() for name in gone)  # energon's was not asked for
    write_sidecars(folder, ALL)
    assert not [name for name in gone if (folder / f"{name}.idx").exists()]
    assert not (folder / "radiance" / ".nv-meta").exists() and not (folder / "radiance" / "_info.json").exists()
    assert sorted(path.name for path in (folder / "pixels").glob("wids-*")) == ["wids-test.json", "wids-train.json"]
    assert (folder / "pixels" / ".nv-meta" / "dataset.yaml").read_text() == "mine: 1\n"
    assert (folder / "pixels" / ".nv-meta" / "sample_loader.py").exists()
    assert list(folder.rglob("*.tar"))  # no shard is ever removed


def test_an_empty_part_has_no_sidecars(dataset, tmp_path):
    folder = write_imported(dataset.shards, tmp_path)
    assert isinstance(write_sidecars(folder, ALL), Written)
    assert [path.name for path in folder.rglob("wids-*")] == ["wids-test.json"]
    assert json.loads((folder / "pixels" / "_info.json").read_text())["splits"].keys() == {"test"}


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no index\.json in it"):
        write_sidecars(tmp_path, ALL)

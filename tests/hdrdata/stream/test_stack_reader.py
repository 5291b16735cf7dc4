"""Reading by index: both forms agree bit for bit, and no damage goes unseen."""

import copy
import pickle
import shutil
import tarfile
import threading

import numpy as np
import pytest

from hdrdata.cameras.exposure import recipe_tables
from hdrdata.cameras.recipe import choose_recipe
from hdrdata.files.disk import read_json, write_json
from hdrdata.integrity.verify import verify_shards
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.shard_reader import Shards

PARTS = ("train", "val", "test")


@pytest.mark.parametrize("part", PARTS)
def test_an_expanded_radiance_sample_is_the_pixel_sample_bit_for_bit(dataset, part):
    pixels, radiance = Shards(dataset.shards, part, "pixels"), Shards(dataset.shards, part, "radiance")
    stacks = {sample.key: sample for sample in map(pixels.stack, range(len(pixels)))}
    expanded = [
        radiance.expand(radiance.radiance(number), crf) for number in range(len(radiance)) for crf in radiance.crfs
    ]
    assert sorted(stacks) == sorted(sample.key for sample in expanded)
    for sample in expanded:
        other = stacks[sample.key]
        assert (sample.stack == other.stack).all()
        assert (sample.view, sample.scene, sample.crf, sample.evs) == (other.view, other.scene, other.crf, other.evs)
    pixels.close()
    radiance.close()


def test_tables_come_back_from_the_index_alone(dataset):
    tables = Shards(dataset.shards, "train", "radiance").tables
    for crf, rows in recipe_tables(choose_recipe("drtmo")).items():
        assert (tables[crf] == rows).all()


def test_only_the_wanted_exposures_are_read(dataset):
    shards = Shards(dataset.shards, "train", "pixels")
    whole, some = shards.stack(3), shards.stack(3, "aei")
    assert some.evs == (-2.0, 0.0, 2.0)
    assert (some.stack == whole.stack[[0, 4, 8]]).all()
    assert set(shards.read(3)) == {*(f"{letter}.png" for letter in "abcdefghi"), "json"}
    with pytest.raises(ValueError, match=r"no member 'z\.png'; it has a\.png"):
        shards.read(3, ("z.png",))
    shards.close()


def test_shards_are_read_by_threads_and_sent_to_processes(dataset):
    shards = Shards(dataset.shards, "train", "pixels")
    expected = [shards.read(number)["json"] for number in range(len(shards))]
    copy = pickle.loads(pickle.dumps(shards))
    found: list[bytes] = [b""] * len(copy)

    def read(start: int) -> None:
        for number in range(start, len(copy), 4):
            found[number] = copy.read(number)["json"]

    threads = [threading.Thread(target=read, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
    shards.close()
    copy.close()


def test_a_part_or_folder_that_is_not_there_is_told_with_what_is(dataset, tmp_path):
    with pytest.raises(
        ValueError, match=r"no pixels samples of the part 'all'; it has pixels of test, pixels of train"
    ):
        Shards(dataset.shards, "all", "pixels")
    with pytest.raises(ValueError, match=r"no index\.json in it"):
        Shards(tmp_path, "train", "pixels")


@pytest.fixture
def shards_copy(dataset, tmp_path):
    shutil.copytree(dataset.shards, tmp_path / "shards")
    return tmp_path / "shards"


def cut(place: str):
    def damage(path, content, members):
        middle = members[len(members) // 2]
        end = {
            "member boundary": middle.offset,
            "payload": middle.offset_data + middle.size // 2,
            "header": middle.offset + 200,
            "closing blocks": len(content) - 1024,
        }[place]
        path.write_bytes(content[:end])

    return damage


def zeroed_tail(path, content, members):
    start = members[len(members) // 2].offset + 100
    path.write_bytes(content[:start] + bytes(len(content) - start))


def flipped(place: str):
    def damage(path, content, members):
        member = members[len(members) // 2]
        spoiled = bytearray(content)
        spoiled[member.offset + 5 if place == "header" else member.offset_data + member.size // 2] ^= 0x10
        path.write_bytes(spoiled)

    return damage


DAMAGES = {
    "cut at a member boundary": cut("member boundary"),
    "cut in a payload": cut("payload"),
    "cut in a header": cut("header"),
    "cut before the closing blocks": cut("closing blocks"),
    "zeroed tail": zeroed_tail,
    "flipped header bit": flipped("header"),
    "flipped payload bit": flipped("payload"),
    "grown": lambda path, content, members: path.write_bytes(content + b"more"),
    "missing": lambda path, content, members: path.unlink(),
}


@pytest.mark.parametrize("form", ["pixels", "radiance"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_raises_with_shard_and_sample(shards_copy, form, name):
    rows = read_json(shards_copy / "index.json")["rows"]
    shard = next(shard for shard, row in rows.items() if row["form"] == form and row["part"] == "train")
    path = shards_copy / shard
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    DAMAGES[name](path, path.read_bytes(), members)

    shards = Shards(shards_copy, "train", form)
    faults = []
    for number, (holder, layout) in enumerate(shards.samples):
        try:
            shards.read(number)
        except IntegrityError as error:
            assert holder == shard
            assert str(path) in str(error) and f"sample {layout.key}" in str(error)
            faults.append(layout.key)
    shards.close()
    assert faults


def test_a_flipped_bit_damages_one_sample_and_no_other(shards_copy):
    shards = Shards(shards_copy, "train", "pixels")
    shard, layout = shards.samples[2]
    path = shards_copy / shard
    content = bytearray(path.read_bytes())
    content[layout.members["c.png"].offset + 40] ^= 1
    path.write_bytes(content)
    assert (shards.stack(2, "ab").stack <= 254).all()  # the damaged member is not read
    with pytest.raises(IntegrityError, match=rf"sample {layout.key}, member c\.png: damaged: crc32c"):
        shards.stack(2, "bc")
    with pytest.raises(IntegrityError, match=rf"sample {layout.key}: damaged: crc32c"):
        shards.stack(2)
    assert shards.stack(1).stack.shape == (9, 32, 32, 3)
    shards.close()


def test_stack_samples_are_uint8_pictures_in_rising_exposure(dataset):
    shards = Shards(dataset.shards, "test", "pixels")
    sample = shards.stack(0)
    assert sample.stack.dtype == np.uint8
    assert sample.evs == shards.evs == tuple(sorted(shards.evs))
    assert shards.exposures == tuple(2.0**ev for ev in shards.evs)
    shards.close()


def test_an_index_that_contradicts_its_recipe_is_refused(dataset_copy):
    path = dataset_copy.shards / "index.json"
    whole = read_json(path)
    good = whole["recipe"]
    changed, wrong = (copy.deepcopy(good["thresholds"]) for _ in range(2))
    changed["gamma14"][4][100] += 1
    wrong["gamma14"][4][100] = "x"
    for changes, problem in (
        ({"evs": good["evs"][::-1], "exposures": good["exposures"][::-1]}, "expected increasing values"),
        ({"exposures": [2 * exposure for exposure in good["exposures"]]}, r"exposure 0\.5 at -2 EV; expected 0\.25"),
        ({"evs": [ev + 1 for ev in good["evs"]], "exposures": [2 * x for x in good["exposures"]]}, "have the digest"),
        ({"letters": "abc"}, "3 letters, 9 evs, 9 exposures; expected one of each"),
        ({"thresholds": changed}, "thresholds of 'gamma14' do not have their sha256"),
        ({"thresholds": wrong}, "thresholds of 'gamma14': "),
    ):
        write_json(path, {**whole, "recipe": good | changes})
        with pytest.raises(ValueError, match=rf"index\.json: .*{problem}"):
            print(Shards(dataset_copy.shards, "val", "radiance").tables)
        with pytest.raises(ValueError, match=rf"index\.json: .*{problem}"):
            verify_shards(dataset_copy.shards, decode=False, workers=None)

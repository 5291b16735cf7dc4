"""Verify finds every kind of damage and names shard and sample; repair brings the same bytes back, or refuses."""

import io
import json
import re
import shutil
import tarfile

import google_crc32c
import numpy as np
import pytest
from click.testing import CliRunner

from hdrdata.cli.root import main
from hdrdata.files.disk import read_json, sha256_of, write_json
from hdrdata.files.ldr import encode_png
from hdrdata.integrity.repair import repair_shards
from hdrdata.integrity.verify import Fault, verify_shards
from hdrdata.samples.layout import END_BLOCKS, IntegrityError, SampleLayout
from hdrdata.samples.tars import pack_sample
from hdrdata.stream.shard_reader import Shards


def hdrdata(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def every_shard(dataset, tmp_path):
    """A copy without columns, whose rows a test may change."""
    shards = tmp_path / "shards"
    shutil.copytree(dataset.shards, shards)
    index = read_json(shards / "index.json")
    del index["columns"]
    write_json(shards / "index.json", index)
    return shards


@pytest.fixture
def shards(every_shard):
    """One shard of each form, with the six views of a panorama."""
    index = read_json(every_shard / "index.json")
    index["rows"] = {name: row for name, row in index["rows"].items() if row["part"] == "test"}
    index["shardlist"] = [row for row in index["shardlist"] if row["part"] == "test"]
    write_json(every_shard / "index.json", index)
    for path in every_shard.rglob("*.tar"):
        if path.relative_to(every_shard).as_posix() not in index["rows"]:
            path.unlink()
    return every_shard


def shard_of(shards, form="pixels", part="test"):
    """Name and samples of one shard."""
    rows = read_json(shards / "index.json")["rows"]
    name = next(name for name, row in rows.items() if row["form"] == form and row["part"] == part and row["samples"])
    return name, [SampleLayout.from_json(sample) for sample in rows[name]["samples"]]


def members_of(path):
    with tarfile.open(path) as tar:
        return tar.getmembers()


def cut_at(place: str):
    def damage(path):
        members = members_of(path)
        middle = members[len(members) // 2]
        end = {
            "boundary": middle.offset,
            "payload": middle.offset_data + middle.size // 2,
            "header": middle.offset + 200,
        }[place]
        path.write_bytes(path.read_bytes()[:end])

    return damage


def zero_tail(path):
    content, members = path.read_bytes(), members_of(path)
    start = members[len(members) // 2].offset + 100
    path.write_bytes(content[:start] + bytes(len(content) - start))


def flip(place: str):
    def damage(path):
        members, content = members_of(path), bytearray(path.read_bytes())
        middle = members[len(members) // 2]
        content[middle.offset + 5 if place == "header" else middle.offset_data + middle.size // 2] ^= 0x10
        path.write_bytes(content)

    return damage


def interleave(path):
    """The members of two samples by turns, in a sound tar of the same size."""
    contents = read_members(path)
    keys = sorted({name.partition(".")[0] for name in contents})[:2]
    mixed = sorted(
        (name for name in contents if name.partition(".")[0] in keys), key=lambda name: name.partition(".")[::-1]
    )
    write_members(
        path, [(name, contents[name]) for name in [*mixed, *(name for name in contents if name not in mixed)]]
    )


def dot_a_key(path):
    """One sample's key with a dot in it: readers end the key there."""
    contents = read_members(path)
    key = min(contents).partition(".")[0]
    write_members(path, [(name.replace(f"{key}.", f"{key[:-2]}.{key[-1]}."), data) for name, data in contents.items()])


def read_members(path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


def write_members(path, members: list[tuple[str, bytes]]) -> None:
    with path.open("wb") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o444
            file.write(info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512))
        file.write(END_BLOCKS)


DAMAGES = {  # the nine of the fault table
    "cut at a member boundary": cut_at("boundary"),
    "cut in a payload": cut_at("payload"),
    "cut in a header": cut_at("header"),
    "zeroed tail": zero_tail,
    "flipped header bit": flip("header"),
    "flipped payload byte": flip("payload"),
    "missing shard": lambda path: path.unlink(),
    "interleaved keys": interleave,
    "dotted key": dot_a_key,
}


@pytest.mark.parametrize("form", ["pixels", "radiance"])
@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_found_named_and_repaired_to_the_same_bytes(dataset, shards, form, name):
    shard, samples = shard_of(shards, form)
    DAMAGES[name](shards / shard)
    found = verify_shards(shards, decode=False, workers=None)
    assert found.faults and {fault.shard for fault in found.faults} == {shard}
    if name != "missing shard":
        assert {fault.sample for fault in found.faults} & {sample.key for sample in samples}

    done = repair_shards(shards, dataset.stacks, None, workers=None)
    assert (done.shards, done.remade, done.failed) == (1, 0, ()) and done.copied >= 1
    assert sha256_of(shards / shard) == sha256_of(dataset.shards / shard)
    assert verify_shards(shards, decode=False, workers=None).faults == ()


@pytest.mark.parametrize("form", ["pixels", "radiance"])
def test_what_the_stacks_have_lost_is_made_again_from_the_view(dataset, shards, tmp_path, form):
    stacks = tmp_path / "stacks"
    shutil.copytree(dataset.stacks, stacks)
    shard, samples = shard_of(shards, form)
    zero_tail(shards / shard)
    whole = {sample.key for sample in samples} - {
        fault.sample for fault in verify_shards(shards, decode=False, workers=None).faults
    }
    for path in list(stacks.glob("*.tar"))[::2]:
        path.unlink()
    for path in stacks.glob("*.tar"):
        flip("header")(path)
    done = repair_shards(shards, stacks, dataset.views, workers=None)
    assert done.failed == () and done.remade > 0 and done.copied + done.remade == len(samples) - len(whole)
    assert sha256_of(shards / shard) == sha256_of(dataset.shards / shard)


def test_what_neither_stacks_nor_views_have_is_named_and_the_file_stays(dataset, shards, tmp_path):
    views = tmp_path / "views"
    shutil.copytree(dataset.views, views)
    shard, _samples = shard_of(shards)
    flip("payload")(shards / shard)
    spoiled = (shards / shard).read_bytes()
    for path in views.glob("*.exr"):
        path.write_bytes(path.read_bytes()[:-100])
    (lost,) = {fault.sample for fault in verify_shards(shards, decode=False, workers=None).faults}
    for arguments in [("--views", views), ("--stacks", tmp_path, "--views", views)]:
        result = hdrdata("repair", shards, *arguments, "--workers", 1)
        assert result.exit_code == 1
        assert f"{shards}/{shard}, sample {lost}: damaged, and" in result.stderr
        assert f"0 samples repaired in 0 shards (0 made again), 1 could not be: {lost}" in result.stderr
    assert (shards / shard).read_bytes() == spoiled
    assert not list(shards.rglob(".partial*"))


def test_a_repair_that_would_give_other_bytes_is_refused(dataset, shards):
    shard, _samples = shard_of(shards)
    index = read_json(shards / "index.json")
    index["rows"][shard]["files"][shard]["sha256"] = "0" * 64
    write_json(shards / "index.json", index)
    before = (shards / shard).read_bytes()
    done = repair_shards(shards, dataset.stacks, dataset.views, workers=None)
    assert done.shards == 0 and "do not give the index's sha256" in done.failed[0].reason
    assert (shards / shard).read_bytes() == before
    with pytest.raises(ValueError, match=r"made by the recipe 'drtmo'.*not the one given"):
        repair_shards(shards, None, dataset.views, "srgb", workers=None)


def test_a_repair_through_a_linked_folder_changes_nothing_outside(dataset, shards, tmp_path):
    shard, _samples = shard_of(shards)
    flip("payload")(shards / shard)
    home = tmp_path / "home"
    (shards / "pixels").rename(home)
    (shards / "pixels").symlink_to(home)
    before = {path: path.read_bytes() for path in home.iterdir()}
    done = repair_shards(shards, dataset.stacks, dataset.views, workers=None)
    assert done.shards == 0
    assert [str(fault) for fault in done.failed] == [
        f"{shard}: stays as it is: a link leads out of the folder of shards"
    ]
    assert {path: path.read_bytes() for path in home.iterdir()} == before


def test_the_commands_say_what_they_did(dataset, every_shard):
    shards = every_shard
    assert hdrdata("repair", shards, "--stacks", dataset.stacks).output == f"{shards}: nothing is damaged\n"
    shard, _ = shard_of(shards)
    flip("payload")(shards / shard)
    result = hdrdata("verify", shards)
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.splitlines()[0].startswith(f"{shards}/{shard}, sample ")
    assert result.stderr.splitlines()[-1].startswith(f"Error: {shards}: 1 faults; 113 samples are whole")
    told = hdrdata("verify", shards, "--json", "--fast")
    assert told.exit_code == 1 and json.loads(told.stdout)["faults"][0]["shard"] == shard
    assert hdrdata("repair", shards, "--stacks", dataset.stacks).stdout == (
        f"{shards}: 1 samples repaired in 1 shards (0 made again)\n"
    )
    assert hdrdata(
        "verify", shards, "--deep", "--views", dataset.views, "--scenes", dataset.folder / "scenes.json"
    ).output == (f"{shards}: all 114 samples are whole\n")
    assert hdrdata("repair", shards).exit_code == 2
    assert hdrdata("verify", shards, shards).exit_code == 2


def rewrite(shards, shard, members: dict[str, dict[str, bytes]]) -> None:
    """A shard of other members, with an index that was made to match: every checksum is right."""
    index = read_json(shards / "index.json")
    row, content = index["rows"][shard], b""
    row["samples"] = []
    for key, files in members.items():
        packed, layout = pack_sample(key, row["form"], files, len(content))
        content += packed
        row["samples"].append(layout.to_json())
    finish(shards, shard, index, content + END_BLOCKS)


def finish(shards, shard, index, content: bytes) -> None:
    (shards / shard).write_bytes(content)
    facts = {"size": len(content), "sha256": sha256_of(shards / shard)}
    index["rows"][shard]["files"][shard] = facts
    for row in index["shardlist"]:
        if row["url"] == shard:
            row.update(filesize=facts["size"], sha256=facts["sha256"], nsamples=len(index["rows"][shard]["samples"]))
    write_json(shards / "index.json", index)


def samples_of(path) -> dict[str, dict[str, bytes]]:
    samples: dict[str, dict[str, bytes]] = {}
    for name, content in read_members(path).items():
        key, _, extension = name.partition(".")
        samples.setdefault(key, {})[extension] = content
    return samples


def spoil_json(about: dict, **changes) -> bytes:
    return json.dumps({**about, **changes}).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda files, about: {**files, "json": b"{"}, "member json: not JSON"),
        (lambda files, about: {**files, "json": b"[1]"}, "member json: expected an object"),
        (lambda files, about: {**files, "json": spoil_json(about, crf="other")}, "member json: crf 'other'; expected"),
        (lambda files, about: {**files, "json": spoil_json(about, letters="abc")}, "member json: letters 'abc'"),
        (lambda files, about: {**files, "json": spoil_json(about, part="val")}, "member json: part 'val'"),
        (lambda files, about: {**files, "json": spoil_json(about, size=None)}, "member json: size None"),
        (lambda files, about: {**files, "c.png": files["c.png"][:-40]}, "member c.png: .* not a PNG picture"),
        (lambda files, about: {**files, "c.png": files["a.png"][:20] + b"\xff" * 4 + files["a.png"][24:]},
         "member c.png: no PNG picture of 32x32"),
        (lambda files, about: {**files, "c.png": encode_png(np.zeros((16, 32, 3), np.uint8), "opencv")},
         "member c.png: no PNG picture of 32x32"),
        (lambda files, about: {**files, "c.png": encode_png(np.full((32, 32, 3), 255, np.uint8), "opencv")},
         "member c.png: a level of 255; its camera gives at most 254"),
        (lambda files, about: {name: files[name] for name in files if name != "c.png"}, "expected those of the form"),
    ],
)  # fmt: skip
def test_a_sample_with_right_checksums_is_decoded_and_held_against_the_index(shards, change, reason):
    shard, _ = shard_of(shards)
    samples = samples_of(shards / shard)
    key = sorted(samples)[2]
    samples[key] = change(samples[key], json.loads(samples[key]["json"]))
    rewrite(shards, shard, samples)
    faults = verify_shards(shards, workers=None).faults
    assert [(fault.shard, fault.sample) for fault in faults] == [(shard, key)]
    assert re.search(reason, faults[0].reason)
    assert verify_shards(shards, decode=False, workers=None).faults == ()


def test_pixels_that_are_not_the_expansion_of_the_radiance_are_found_by_deep(shards):
    shard, _ = shard_of(shards)
    samples = samples_of(shards / shard)
    key = sorted(samples)[0]
    samples[key]["c.png"] = samples[key]["d.png"]
    rewrite(shards, shard, samples)
    assert verify_shards(shards, workers=None).faults == ()
    (fault,) = verify_shards(shards, deep=True, workers=None).faults
    assert fault == Fault(shard, key, "member c.png: differs from the expanded radiance sample of its view")


def test_a_sample_with_other_exposures_than_the_index_is_found(shards):
    shard, samples = shard_of(shards)
    members = samples_of(shards / shard)
    key = samples[0].key
    about = json.loads(members[key]["json"])
    members[key]["json"] = json.dumps({**about, "evs": about["evs"][::-1]}).encode()
    rewrite(shards, shard, members)
    (fault,) = verify_shards(shards, workers=None).faults
    assert fault.sample == key and "json: evs [2.0, 1.5" in fault.reason
    row = read_json(shards / "index.json")["rows"][shard]
    with pytest.raises(IntegrityError, match=rf"sample {key}: evs \[2\.0, 1\.5.*; expected \(-2\.0, -1\.5"):
        Shards(shards, row["part"], row["form"], only=[shard]).stack(0, "a")


@pytest.mark.parametrize("name", ["interleaved keys", "dotted key", "flipped header bit"])
def test_tar_headers_are_found_even_if_the_index_was_made_to_match(shards, name):
    shard, _ = shard_of(shards)
    path = shards / shard
    index = read_json(shards / "index.json")
    before = path.read_bytes()
    DAMAGES[name](path)
    content = path.read_bytes()
    for sample in index["rows"][shard]["samples"]:  # every checksum of the bytes as they lie there now
        place = slice(sample["offset"], sample["offset"] + sample["length"])
        sample["crc32c"] = google_crc32c.value(content[place])
        for member in sample["members"].values():
            member[2] = google_crc32c.value(content[member[0] : member[0] + member[1]])
    finish(shards, shard, index, content)
    assert len(content) == len(before)
    faults = verify_shards(shards, decode=False, workers=None).faults
    assert faults and all(fault.shard == shard and fault.sample for fault in faults)


def test_bytes_that_no_sample_owns_are_found(shards):
    shard, samples = shard_of(shards)
    index, content = read_json(shards / "index.json"), (shards / shard).read_bytes()
    del index["rows"][shard]["samples"][1]
    finish(shards, shard, index, content)
    faults = verify_shards(shards, decode=False, workers=None).faults
    assert any(fault.sample == samples[2].key and "expected" in fault.reason for fault in faults)


def test_counts_are_held_against_catalog_scenes_and_folder(dataset, every_shard):
    shards = every_shard
    shard, _samples = shard_of(shards, "radiance")
    kept = samples_of(shards / shard)
    gone = kept.pop(sorted(kept)[0])
    rewrite(shards, shard, kept)
    (shards / "pixels" / "other.tar").write_bytes(END_BLOCKS)
    faults = verify_shards(shards, decode=False, views=dataset.views, workers=None).faults
    key = json.loads(gone["json"])["view"]
    assert Fault("index.json", key, "no shard has it in the form radiance; the catalog has its view") in faults
    assert Fault("pixels/other.tar", None, "the index does not list it") in faults
    assert len(faults) == 2
    scenes = read_json(dataset.folder / "scenes.json")
    scenes["scenes"][0]["part"] = "nowhere"
    scenes["scenes"].append({**scenes["scenes"][1], "key": "other-0"})
    write_json(shards / "scenes.json", scenes)
    faults = verify_shards(shards, decode=False, scenes=shards / "scenes.json", workers=None).faults
    assert {fault.sample for fault in faults} == {None, "other-0", scenes["scenes"][0]["key"]}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            lambda index, shard: index["rows"].update({"../../evil.tar": index["rows"][shard]}),
            "a path inside the folder",
        ),
        (
            lambda index, shard: index["rows"].update({"/tmp/evil.tar": index["rows"][shard]}),
            "a path inside the folder",
        ),
        (lambda index, shard: index["rows"][shard]["samples"][0].update(key="../x"), "key: String should match"),
        (lambda index, shard: index["rows"][shard]["samples"][0].update(length=-1), "length: Input should be greater"),
        (
            lambda index, shard: index["rows"][shard]["samples"][0].update(length="nine"),
            "length: Input should be a valid",
        ),
        (lambda index, shard: index["rows"][shard].pop("files"), r"files: Field required"),
        (lambda index, shard: index.pop("recipe"), "recipe: Field required"),
        (lambda index, shard: index["rows"][shard].update(samples=[3]), "Input should be a valid dict"),
    ],
)
def test_a_hostile_index_is_refused_in_one_line_before_anything_is_written(dataset, shards, spoil, reason):
    index = read_json(shards / "index.json")
    spoil(index, shard_of(shards)[0])
    write_json(shards / "index.json", index)
    for command in (["verify", shards], ["repair", shards, "--stacks", dataset.stacks]):
        result = hdrdata(*command)
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
        assert re.search(reason, result.stderr) and len(result.stderr.strip().splitlines()) == 1


def test_a_sample_of_a_claimed_size_beyond_the_file_asks_for_no_memory(shards):
    shard, samples = shard_of(shards)
    index = read_json(shards / "index.json")
    index["rows"][shard]["samples"][1]["length"] = 2**62
    write_json(shards / "index.json", index)
    with pytest.raises(ValueError, match=rf"index\.json: shard {shard}, sample {samples[1].key}: reaches beyond"):
        verify_shards(shards, workers=None)


def test_a_tar_of_a_sample_is_read_from_memory_too(dataset):
    shard, samples = shard_of(dataset.shards)
    layout = samples[0]
    content = (dataset.shards / shard).read_bytes()[layout.offset :][: layout.length]
    with tarfile.open(fileobj=io.BytesIO(content + END_BLOCKS)) as tar:
        assert {info.name for info in tar} == {f"{layout.key}.{name}" for name in layout.members}

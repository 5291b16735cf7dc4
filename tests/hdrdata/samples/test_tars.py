"""Samples as tar bytes: deterministic, readable by tarfile, each byte where its layout says."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.drtmo import importing
from hdrdata.samples.layout import (
    END_BLOCKS,
    IntegrityError,
    SampleLayout,
    check_bytes,
    program_of,
    split_key,
    was_built,
)
from hdrdata.samples.tars import pack_sample, pack_samples
from hdrdata.stacks import recipe_facts

extensions = st.from_regex(r"[a-z]{1,6}(\.[a-z]{1,4})?", fullmatch=True)
members = st.dictionaries(extensions, st.binary(max_size=1100), min_size=1, max_size=5)
samples = st.dictionaries(st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True), members, min_size=1, max_size=4)


@given(samples)
def test_samples_to_tar_and_back(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    layouts = pack_samples(((key, "pixels", contents[key]) for key in contents), path)
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        read = {info.name: tar.extractfile(info).read() for info in tar}
        assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode) for i in tar.getmembers()} == {
            (0, 0, 0, "", "", 0o444)
        }
    assert read == {f"{key}.{name}": content for key, files in contents.items() for name, content in files.items()}
    assert list(read) == [f"{key}.{name}" for key in contents for name in sorted(contents[key])]
    assert whole.endswith(END_BLOCKS)
    assert sum(layout.length for layout in layouts) + len(END_BLOCKS) == len(whole)
    for layout in layouts:
        check_bytes(whole[layout.offset : layout.offset + layout.length], layout.crc32c, "sample")
        for name, member in layout.members.items():
            assert whole[member.offset : member.offset + member.size] == contents[layout.key][name]


@given(members, st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_sample_has_the_same_bytes_anywhere(contents, here, there):
    one, first = pack_sample("key", "pixels", contents, here)
    two, second = pack_sample("key", "pixels", dict(reversed(contents.items())), there)
    assert one == two
    assert first.moved(there) == second
    assert SampleLayout.from_json(first.to_json()) == first


@pytest.mark.parametrize("key", ["IMG_2.3", "", "a b", "dir/a", "Upper", "a" * 101])
def test_a_key_that_a_reader_would_cut_is_refused(key):
    with pytest.raises(ValueError, match=r"expected 1 to 100 of \[a-z0-9_-\] \(a dot would end the key\)"):
        pack_sample(key, "pixels", {"json": b""}, 0)


def test_a_member_name_beyond_a_header_is_refused():
    with pytest.raises(ValueError, match="106 characters; a tar of this kind holds 100 a name"):
        pack_sample("a" * 100, "pixels", {"a.png": b""}, 0)


def test_a_sample_is_a_tar_of_its_own():
    packed, _ = pack_sample("key", "pixels", {"json": b"{}"}, 0)
    with tarfile.open(fileobj=io.BytesIO(packed + END_BLOCKS)) as tar:
        assert tar.getnames() == ["key.json"]


def test_bytes_are_held_against_their_crc32c():
    check_bytes(b"123456789", 0xE3069283, "the check value of CRC-32C, RFC 3720")
    with pytest.raises(IntegrityError, match=r"shard-7, sample x: damaged: crc32c .*, expected e3069283"):
        check_bytes(b"123456780", 0xE3069283, "shard-7, sample x")


def test_a_sample_tells_whether_it_was_built_or_imported():
    assert was_built({"program": program_of(recipe_facts.ALGORITHM)})
    assert not was_built({"program": program_of(importing.ALGORITHM)}) and not was_built({})


@pytest.mark.parametrize(("key", "form", "wanted"), [
    ("a_film", "pixels", ("a", "film")),
    ("a_my_film", "pixels", ("a", "my_film")),  # the longest that fits
    ("a_film", "radiance", ("a_film", None)),
    ("a_other", "pixels", ("a_other", None)),
])  # fmt: skip
@pytest.mark.parametrize("crfs", [("film", "my_film"), ("my_film", "film")])
def test_a_key_is_split_at_the_longest_camera_that_fits(key, form, wanted, crfs):
    assert split_key(key, form, crfs) == wanted

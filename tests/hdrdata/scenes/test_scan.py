"""Finding scenes, knowing them by content, and giving each to a part."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.cameras.crf_files import drtmo_crfs
from hdrdata.files.exr import write_exr
from hdrdata.files.radiance import Repairs
from hdrdata.samples.layout import KEY
from hdrdata.samples.tars import pack_sample
from hdrdata.scenes.parts import PARTS, assign_part
from hdrdata.scenes.scan import find_hdr_files, scan_scenes
from hdrdata.scenes.scene import read_scenes, scene_key, slug, source_of_scene, write_scenes
from hdrdata.scenes.sidecar import read_sidecar
from hdrdata.views.ingest import views_of_scene

SHARES = {"seed": 0, "val_share": 0.2, "test_share": 0.2}


@pytest.fixture
def folder(tmp_path, scene_radiance):
    """Twelve scenes in two levels of folders."""
    for number in range(12):
        path = tmp_path / "scenes" / ("indoor" if number % 3 else ".") / f"Place {number}.exr"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_exr(path, scene_radiance(number, 4, 8))
    return tmp_path / "scenes"


def test_scenes_are_found_in_every_folder_but_not_hidden_ones_by_name(folder):
    (folder / "notes.txt").write_text("no scene")
    (folder / ".Place.exr").write_bytes(b"left by an editor")
    scan = scan_scenes(folder, sidecar=None, **SHARES)
    assert len(scan.scenes) == 12
    assert [scene.key for scene in scan.scenes] == sorted(scene.key for scene in scan.scenes)
    assert {scene.path for scene in scan.scenes} >= {"Place 0.exr", "indoor/Place 1.exr"}


def test_a_moved_file_stays_the_same_scene_and_a_changed_one_is_another(folder, scene_radiance):
    before = {scene.key: scene.part for scene in scan_scenes(folder, sidecar=None, **SHARES).scenes}
    (folder / "Place 0.exr").rename(folder / "indoor" / "Place 0.exr")
    assert {scene.key: scene.part for scene in scan_scenes(folder, sidecar=None, **SHARES).scenes} == before
    write_exr(folder / "indoor" / "Place 0.exr", scene_radiance(99, 4, 8))
    after = {scene.key: scene.part for scene in scan_scenes(folder, sidecar=None, **SHARES).scenes}
    assert len(set(before) - set(after)) == 1


def test_adding_a_scene_moves_no_other_to_another_part(folder, scene_radiance):
    before = {scene.key: scene.part for scene in scan_scenes(folder, sidecar=None, **SHARES).scenes}
    for number in range(20, 30):
        write_exr(folder / f"new {number}.exr", scene_radiance(number, 4, 8))
        after = {scene.key: scene.part for scene in scan_scenes(folder, sidecar=None, **SHARES).scenes}
        assert {key: after[key] for key in before} == before


@given(st.lists(st.text(max_size=8), max_size=30), st.integers(0, 1000), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_group_lies_in_one_part_whatever_else_there_is(groups, seed, val, test):
    parts = {group: {assign_part(group, seed, val, test) for _ in range(2)} for group in groups}
    assert all(len(part) == 1 and part <= set(PARTS) for part in parts.values())


@given(st.integers(0, 1000), st.text(max_size=8), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_test_share_takes_no_scene_out_of_the_test_part(seed, group, val, test, more):
    if assign_part(group, seed, val, test) == "test":
        assert assign_part(group, seed, val, min(test + more, 1)) == "test"


def test_the_shares_are_those_expected_of_many_groups():
    parts = [assign_part(f"place {number}", 5, 0.15, 0.2) for number in range(4000)]
    # binomial: a standard deviation is sqrt(4000 * 0.2 * 0.8) = 25
    assert parts.count("test") == pytest.approx(800, abs=100)
    assert parts.count("val") == pytest.approx(600, abs=100)


def test_no_share_leaves_all_in_train():
    assert {assign_part(f"place {number}", 1, 0.0, 0.0) for number in range(100)} == {"train"}


@given(st.text(max_size=200))
def test_a_slug_fits_a_sample_key(text):
    assert KEY.fullmatch(slug(text))
    assert len(slug(text)) <= 40
    assert slug(slug(text)) == slug(text)


def test_slugs_lose_dots_and_capitals():
    assert slug("gamma+1.4") == "gamma-1-4"
    assert slug("Église_02") == "glise_02"
    assert slug("...") == "scene"


def test_scenes_of_one_location_group_share_a_part(folder):
    (folder / "scenes.csv").write_text(
        "file,location_group,kind,licence,scale,author\n"
        + "".join(f"{'indoor/' if n % 3 else ''}Place {n}.exr,quay,photo,CC0,0.5,me\n" for n in range(12))
    )
    scenes = scan_scenes(folder, sidecar="scenes.csv", **SHARES).scenes
    assert len({scene.part for scene in scenes}) == 1
    assert {(scene.group, scene.kind, scene.licence, scene.scale) for scene in scenes} == {
        ("quay", "photo", "CC0", 0.5)
    }


def test_a_sidecar_that_is_in_the_folder_and_not_used_is_reported(folder):
    (folder / "scenes.csv").write_text("file,location_group,licence\nPlace 0.exr,market,CC0\n")
    (folder / "prices.csv").write_text("file,price\nPlace 0.exr,3\n")
    notes = scan_scenes(folder, sidecar=None, **SHARES).notes
    assert notes == (
        f"{folder / 'scenes.csv'}: not used, without the option sidecar: no location groups, kinds and licences",
    )
    assert scan_scenes(folder, sidecar="scenes.csv", **SHARES).notes == ()


def test_a_sidecar_saved_by_a_spreadsheet_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "scenes.csv").write_bytes(b"\xef\xbb\xbffile,location_group\r\na.exr,quay\r\n")
    assert read_sidecar(tmp_path / "scenes.csv")["a.exr"]["location_group"] == "quay"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,kind\nPlace 0.exr,fisheye\n", "line 2: kind 'fisheye'; expected one of auto, pano, photo"),
        ("file,scale\nPlace 0.exr,-1\n", "line 2: scale '-1'; expected a positive number"),
        ("file,scale\nPlace 0.exr,big\n", "line 2: scale 'big'"),
        ("file,scale\nPlace 0.exr,nan\n", "line 2: scale 'nan'"),
        ("file\nPlace 0.exr\nPlace 0.exr\n", "line 3: 'Place 0.exr' is listed twice"),
        ("name\nPlace 0.exr\n", "line 2: no 'file'"),
        ("file\nabsent.exr\n", "names 'absent.exr', which is not in the folder"),
        ("\xff\xfe", "not a readable CSV"),
    ],
)
def test_a_wrong_sidecar_is_refused_with_its_line(folder, text, reason):
    (folder / "scenes.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"scenes\.csv") as error:
        scan_scenes(folder, sidecar="scenes.csv", **SHARES)
    assert reason in str(error.value)


def test_a_missing_sidecar_folder_or_scene_is_told(folder, tmp_path):
    with pytest.raises(ValueError, match=r"other\.csv: not a readable CSV"):
        scan_scenes(folder, sidecar="other.csv", **SHARES)
    with pytest.raises(ValueError, match="no such folder of scenes"):
        scan_scenes(tmp_path / "none", sidecar=None, **SHARES)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no HDR file in it"):
        scan_scenes(tmp_path / "empty", sidecar=None, **SHARES)


def test_of_equal_files_the_first_stays(folder):
    (folder / "Twin.exr").write_bytes((folder / "Place 0.exr").read_bytes())
    scan = scan_scenes(folder, sidecar=None, **SHARES)
    assert len(scan.scenes) == 12
    assert scan.duplicates == (("Twin.exr", "Place 0.exr"),)


def test_the_cache_spares_reading_what_did_not_change(folder, tmp_path, scene_radiance):
    cache = tmp_path / "cache.json"
    first = scan_scenes(folder, sidecar=None, **SHARES, cache=cache)
    second = scan_scenes(folder, sidecar=None, **SHARES, cache=cache)
    assert (first.hashed, second.hashed, second.scenes) == (12, 0, first.scenes)
    write_exr(folder / "new.exr", scene_radiance(50, 4, 8))
    assert scan_scenes(folder, sidecar=None, **SHARES, cache=cache).hashed == 1
    cache.write_text("{ damaged")
    assert scan_scenes(folder, sidecar=None, **SHARES, cache=cache).hashed == 13


def test_a_change_that_keeps_size_and_time_is_found_without_reading_all(folder, tmp_path):
    cache, path = tmp_path / "cache.json", folder / "Place 0.exr"
    first = scan_scenes(folder, sidecar=None, **SHARES, cache=cache)
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # ctime changes all the same
    second = scan_scenes(folder, sidecar=None, **SHARES, cache=cache)
    assert second.hashed == 1 and second.scenes != first.scenes
    assert scan_scenes(folder, sidecar=None, **SHARES, cache=cache, check_content=True).hashed == 12


@pytest.mark.parametrize("on_disk, stated", [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_sidecar_names_a_file_whatever_the_form_of_its_accents(tmp_path, scene_radiance, on_disk, stated):
    write_exr(tmp_path / f"{unicodedata.normalize(on_disk, 'café')}.exr", scene_radiance(0, 4, 8))
    row = f"file,location_group\n{unicodedata.normalize(stated, 'café')}.exr,bar\n"
    (tmp_path / "scenes.csv").write_text(row, encoding="utf-8")
    (scene,) = scan_scenes(tmp_path, sidecar="scenes.csv", **SHARES).scenes
    assert scene.group == "bar"


def test_the_list_of_scenes_is_read_back_and_has_the_same_bytes(folder, tmp_path):
    scan = scan_scenes(folder, sidecar=None, **SHARES)
    for name in ("one.json", "two.json"):
        write_scenes(tmp_path / name, scan, folder)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert read_scenes(tmp_path / "one.json") == (folder, scan.scenes)
    (tmp_path / "bad.json").write_text('{"folder": "x", "scenes": [{"key": 1}]}')
    with pytest.raises(ValueError, match="not a list of scenes"):
        read_scenes(tmp_path / "bad.json")


@pytest.mark.parametrize("where", [".", "..", "indoor"])
def test_links_that_lead_back_are_followed_once(folder, where):
    (folder / "indoor" / "again").symlink_to(folder / "indoor" / where, target_is_directory=True)
    (folder / "self").symlink_to("self")
    scan = scan_scenes(folder, sidecar=None, **SHARES)
    assert len(scan.scenes) == 12 and scan.duplicates == ()


def test_a_linked_folder_and_a_linked_file_are_scenes(folder, tmp_path, scene_radiance):
    write_exr(tmp_path / "elsewhere" / "lake.exr", scene_radiance(70, 4, 8))
    write_exr(tmp_path / "single.exr", scene_radiance(71, 4, 8))
    (folder / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "one.exr").symlink_to(tmp_path / "single.exr")
    paths = {scene.path for scene in scan_scenes(folder, sidecar=None, **SHARES).scenes}
    assert paths >= {"linked/lake.exr", "one.exr"} and len(paths) == 14


def test_what_has_the_name_of_a_scene_and_is_none_is_told(folder):
    (folder / "gone.exr").symlink_to(folder / "absent.exr")
    with pytest.raises(ValueError, match=r"gone\.exr: a link that leads nowhere; remove it or repair it"):
        scan_scenes(folder, sidecar=None, **SHARES)
    (folder / "gone.exr").unlink()
    (folder / "gone.exr").symlink_to("gone.exr")
    with pytest.raises(ValueError, match=r"gone\.exr: a link that leads nowhere"):
        scan_scenes(folder, sidecar=None, **SHARES)
    (folder / "gone.exr").unlink()
    os.mkfifo(folder / "pipe.hdr")  # which would be read for ever
    with pytest.raises(ValueError, match=r"pipe\.hdr: a pipe, socket or device; expected a file"):
        scan_scenes(folder, sidecar=None, **SHARES)
    (folder / "pipe.hdr").unlink()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.exr")).write_bytes(b"x")
    with pytest.raises(ValueError, match=r"caf\\xe9\.exr': its name is not UTF-8; rename it"):
        scan_scenes(folder, sidecar=None, **SHARES)


def test_a_folder_of_photographs_says_how_to_merge_them(tmp_path):
    for name in ("a.CR2", "b.cr2", "c.nef", "d.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"first merge the photographs in it \(2 \.cr2, 1 \.nef\) by `hdrdata merge`"):
        scan_scenes(tmp_path, sidecar=None, **SHARES)


def test_a_scan_without_a_change_opens_no_scene(folder, tmp_path, monkeypatch):
    cache = tmp_path / "cache.json"
    before = scan_scenes(folder, sidecar=None, **SHARES, cache=cache)
    monkeypatch.setattr("hdrdata.scenes.scan.sha256_of", lambda path: pytest.fail(f"read {path}"))
    written = cache.stat().st_mtime_ns
    assert scan_scenes(folder, sidecar=None, **SHARES, cache=cache).scenes == before.scenes
    assert cache.stat().st_mtime_ns == written


def test_a_longest_name_still_fits_a_tar(tmp_path, scene_radiance, ingest_config):
    write_exr(tmp_path / f"{'long' * 40}.exr", scene_radiance(0))
    (scene,) = scan_scenes(tmp_path, sidecar=None, **SHARES).scenes
    config = ingest_config(fov_degrees=77.25, pitch_degrees=-7.25)
    views = views_of_scene(scene_radiance(0), Repairs(0, 0, 0), scene, config)
    longest = max(drtmo_crfs(), key=len)
    packed, _ = pack_sample(f"{views[0][0].key}_{longest}", "pixels", {"a.png": b"", "json": b""}, 0)
    assert len(packed) == 1024


def test_no_group_of_a_dataset_lies_in_two_parts(dataset):
    parts: dict[str, set[str]] = {}
    for scene in dataset.scan.scenes:
        parts.setdefault(scene.group, set()).add(scene.part)
    assert all(len(part) == 1 for part in parts.values())
    assert all(np.array(list(dataset.scan.counts().values())) > 0)


@given(st.text(min_size=1), st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
def test_the_key_of_a_scene_tells_how_its_digest_begins(stem, sha256):
    assert source_of_scene(scene_key(slug(stem), sha256)) == sha256[:8]
    assert source_of_scene(slug(stem) + "_") is None


def test_files_that_may_be_hdr_and_are_not_read_are_counted(tmp_path, scene_radiance):
    for name in ("a.jxr", "deep/b.JXR", "c.dng", "d.jpg", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"no HDR file in it; expected \.exr .*merge the photographs in it \(1 \.dng\)"
    ):
        find_hdr_files(tmp_path)
    (tmp_path / "c.dng").unlink()
    with pytest.raises(ValueError, match=r"no HDR file in it; expected \.exr .*; not read: 2 \.jxr$"):
        find_hdr_files(tmp_path)
    write_exr(tmp_path / "f.exr", scene_radiance(0))
    scan = scan_scenes(tmp_path, sidecar=None, seed=0, val_share=0.0, test_share=0.0)
    assert scan.unread == {".jxr": 2} and scan.unread_line().startswith("not read: 2 .jxr; expected .exr .hdr")

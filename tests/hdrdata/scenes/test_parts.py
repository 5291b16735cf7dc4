"""Which scenes share a part: by content and stated groups, never by how a file is named."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hdrdata.files.disk import read_json, write_json
from hdrdata.files.exr import write_exr
from hdrdata.scenes.groups import name_without_resolution
from hdrdata.scenes.parts import PARTS, Split, describe_empty_parts, split_groups
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.scene import write_scenes

SPLIT = {"seed": 0, "val_share": 0.15, "test_share": 0.2}


def write_scene(folder: Path, name: str, number: int) -> None:
    write_exr(folder / f"{name}.exr", np.full((4, 8, 3), 1 + number / 64, np.float16))


@pytest.fixture
def scan(tmp_path):
    """scan(**changes): the scenes of `in` as a caller that keeps its list finds them."""

    def scan(**changes):
        listed = tmp_path / "scenes.json"
        found = scan_scenes(tmp_path / "in", **{"sidecar": None, **SPLIT, "listed": listed, **changes})
        write_scenes(listed, found, tmp_path / "in")
        return found

    return scan


def parts_of(found):
    return {scene.sha256: scene.part for scene in found.scenes}


@pytest.mark.parametrize(
    "names",
    [
        ["東京駅", "京都", "大阪城", "奈良公園", "神戸港", "富士山", "札幌", "福岡"],
        ["Комната 1", "Улица 1", "Комната 2"],
        [f"2024-11-05_studio_capture_batch_A_room_north_{number:02d}" for number in range(4)],
        [f"room {number}/scene" for number in range(4)],
    ],
)
def test_any_two_names_are_two_groups_and_no_part_is_empty(tmp_path, scan, names):
    for number, name in enumerate(names):
        write_scene(tmp_path / "in", name, number)
    found = scan()
    assert len({scene.group for scene in found.scenes}) == len(names)
    assert set(found.counts().values()).isdisjoint({0}) and found.notes == ()


def test_one_scene_in_two_resolutions_is_in_one_part(tmp_path, scan):
    names = ["kloofendal_48d", "Venice sunset", "studio_small", "rural_road", "old_hall", "quarry"]
    for number, name in enumerate(names):
        for place, resolution in enumerate(("_2k", "_1K", "-1024x512", ".4k")):
            write_scene(tmp_path / "in" / resolution, f"{name}{resolution}", 4 * number + place)
    write_scene(tmp_path / "in", "old_hall", 99)
    found = scan(listed=None).scenes
    parts: dict[str, set] = {}
    for scene in found:
        parts.setdefault(name_without_resolution(scene.path)[0], set()).add((scene.group, scene.part))
    assert len(parts) == 6 and all(len(part) == 1 for part in parts.values())
    assert {len(one) for one in (Counter(scene.group for scene in found),)} == {6}
    before = parts_of(scan())
    write_scene(tmp_path / "in", "quarry_8k", 100)  # whose content would decide otherwise
    after = scan()
    assert all(parts_of(after)[sha256] == part for sha256, part in before.items())
    assert len({scene.part for scene in after.scenes if scene.group == "quarry"}) == 1


def test_a_rename_moves_no_scene(tmp_path, scan):
    for number in range(40):
        write_scene(tmp_path / "in", f"scene-{number}", number)
    before, alone = parts_of(scan()), parts_of(scan(listed=None))
    for path in list((tmp_path / "in").iterdir()):
        path.rename(path.with_name(f"{path.stem}-v2.exr"))
    assert parts_of(scan()) == before
    assert parts_of(scan(listed=None)) == alone  # also without the list


def test_added_and_changed_scenes_move_no_other(tmp_path, scan):
    for number in range(3):
        write_scene(tmp_path / "in", f"s{number}", number)
    before = parts_of(scan())
    assert sorted(before.values()) == sorted(PARTS)
    for number in range(3, 30):
        write_scene(tmp_path / "in", f"s{number}", number)
        now = parts_of(scan())
        assert all(now[sha256] == part for sha256, part in before.items())
        before = now
    part = {scene.path: scene.part for scene in scan().scenes}
    for number in range(30):  # the same scene, exported again
        write_scene(tmp_path / "in", f"s{number}", 64 + number)
    assert {scene.path: scene.part for scene in scan().scenes} == part


def test_another_seed_or_share_splits_again(tmp_path, scan):
    for number in range(30):
        write_scene(tmp_path / "in", f"s{number}", number)
    first = parts_of(scan())
    assert parts_of(scan(seed=1)) != first
    assert parts_of(scan()) == first
    assert set(parts_of(scan(val_share=0.0, test_share=0.0)).values()) == {"train"}


def test_a_list_of_an_older_version_keeps_its_parts(tmp_path, scan):
    for number in range(12):
        write_scene(tmp_path / "in", f"s{number}", number)
    scan()
    content = read_json(tmp_path / "scenes.json")
    del content["split"]
    old = split_groups({f"s{n}": f"s{n}" for n in range(12)}, Split(**SPLIT), {}, fill=False)
    for scene in content["scenes"]:
        scene["group"] = Path(scene["path"]).stem
        scene["part"] = old[scene["group"]]
    write_json(tmp_path / "scenes.json", content)
    assert {Path(scene.path).stem: scene.part for scene in scan().scenes} == old


def test_files_of_one_scene_that_were_in_two_parts_are_reported_and_joined(tmp_path, scan):
    for number in range(12):
        write_scene(tmp_path / "in", f"s{number // 2}_{number % 2 + 1}k", number)
    found = scan()
    content = json.loads((tmp_path / "scenes.json").read_text())
    rows = [scene for scene in content["scenes"] if scene["group"] == "s0"]
    rows[0]["part"], rows[1]["part"] = "test", "train"
    write_json(tmp_path / "scenes.json", content)
    again = scan()
    assert again.notes == ("s0: was in the parts test and train; all of it is in train now",)
    assert {scene.part for scene in again.scenes if scene.group == "s0"} == {"train"}
    assert found.notes == ()


def test_an_empty_part_is_reported_with_a_remedy_that_works(tmp_path, scan):
    for number in range(2):
        write_scene(tmp_path / "in", f"s{number}", number)
    (note,) = scan().notes
    assert note == "no scene in the part val: 2 groups for 3 parts; add scenes, or give it the share 0"
    identities = {f"s{number}": f"s{number}" for number in range(12)}
    split = Split(seed=7, val_share=0.15, test_share=0.2)
    line = describe_empty_parts(identities, dict.fromkeys(identities, "train"), split)
    assert line.startswith("no scene in the part val or test: add scenes, or split again with the seed ")
    other = Split(int(line.rpartition(" ")[2]), 0.15, 0.2)
    assert set(split_groups(identities, other, {}, fill=False).values()) == set(PARTS)
    assert (
        describe_empty_parts(
            identities, split_groups(identities, Split(0, 0.0, 0.0), {}, fill=True), Split(0, 0.0, 0.0)
        )
        == ""
    )


@pytest.mark.parametrize(("groups", "empty"), [(5, 0.66), (8, 0.40), (12, 0.19)])
def test_new_groups_fill_parts_that_a_hash_alone_leaves_empty(groups, empty):
    alone = filled = 0
    for seed in range(400):
        identities = {f"s{number}": f"{number}" for number in range(groups)}
        split = Split(seed, 0.15, 0.2)
        alone += set(split_groups(identities, split, {}, fill=False).values()) != set(PARTS)
        filled += set(split_groups(identities, split, {}, fill=True).values()) != set(PARTS)
    assert filled == 0
    assert alone / 400 == pytest.approx(empty, abs=0.1)  # what the rule would leave empty by itself


def test_a_known_group_never_fills_a_part():
    known = {"a": "train", "b": "train", "c": "train"}
    identities = {group: group for group in "abcd"}
    parts = split_groups(identities, Split(0, 0.15, 0.2), known, fill=True)
    assert {group: parts[group] for group in known} == known and parts["d"] == "test"

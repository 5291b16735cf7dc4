"""A scene in two parts is refused, under one name or two; the shards are built for it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from imported_dataset import copy_form, write_imported

from hdrdata.files.disk import INDEX, read_json, write_json
from hdrdata.files.exr import write_exr
from hdrdata.samples.tars import pack_samples
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.scene import Scene
from hdrdata.shards.pack import ShardConfig, shard_stacks
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.ingest import ingest_scenes
from hdrdata.views.view import read_views
from hdrdata.work.index import describe_files
from hdrmodel.evaluation.leaks import Traces, check_no_leak, scenes_of_parts

NAMES = {"court": "train", "harbour": "val", "lamp": "test"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> tuple[Path, dict[str, Scene]]:
    """Three photographs of 24 pixels a side, one a part, by name."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for name in NAMES:
        write_exr(folder / f"{name}.exr", generator.uniform(0.01, 4, (24, 24, 3)).astype(np.float32))
    found = scan_scenes(folder, sidecar=None, seed=0, val_share=0.1, test_share=0.1).scenes
    stems = {Path(scene.path).stem: scene for scene in found}
    return folder, {stem: replace(scene, group=stem, part=NAMES[stem]) for stem, scene in stems.items()}


@pytest.fixture(scope="module")
def build(scenes, ingest_config, synthesize_config) -> Callable[..., Path]:
    """build(folder, *scenes, name="tiny"): the shards of these scenes, each in the part that it names."""

    def build_shards(folder: Path, *chosen: Scene, name: str = "tiny") -> Path:
        ingest_scenes(chosen, scenes[0], folder / "views", ingest_config(view_size=16, workers=1))
        config = ShardConfig.parse("shard", {"name": name, "form": "both", "shards": {"train": 1, "val": 1, "test": 1}})
        synthesis = synthesize_config(recipe="srgb", workers=1)
        synthesize_stacks(read_views(folder / "views"), folder / "views", folder / "stacks", synthesis, config.forms)
        shard_stacks(folder / "stacks", folder / "shards", config, workers=1)
        return folder / "shards"

    return build_shards


@pytest.fixture(scope="module")
def clean(scenes, build, tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("clean"), *scenes[1].values())


def merge(shards: Path, others: Path) -> None:
    """Copy the shards of one folder into another, as one does who puts two datasets together."""
    shutil.copytree(others, shards, dirs_exist_ok=True, ignore=shutil.ignore_patterns(INDEX))
    index = read_json(shards / INDEX)
    index["rows"] |= read_json(others / INDEX)["rows"]
    write_json(shards / INDEX, index)


def refused(shards: Path) -> str:
    with pytest.raises(ValueError) as caught:
        check_no_leak(scenes_of_parts(shards), shards)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{shards}: scene")
    return line


def test_every_scene_is_read_with_what_it_is_known_by_in_both_forms(clean, scenes, tmp_path):
    parts = scenes_of_parts(clean)
    assert list(parts) == ["train", "val", "test"]
    for name, part in NAMES.items():
        scene = scenes[1][name]
        ((key, traces),) = parts[part].items()
        assert key == scene.key
        assert (traces.groups, traces.sources) == ({name}, {scene.sha256[:8]}) and len(traces.pictures) == 1
    check_no_leak(parts, clean)
    for form in ("pixels", "radiance"):
        assert scenes_of_parts(copy_form(clean, tmp_path / form, form)) == parts


def test_a_scene_in_two_parts_is_refused(clean, scenes, build, tmp_path):
    """Two builds, whose splits differ, put together."""
    shards = shutil.copytree(clean, tmp_path / "shards")
    court = scenes[1]["court"]
    merge(shards, build(tmp_path / "other", replace(court, part="test"), name="other"))
    line = refused(shards)
    assert f"scene '{court.key}' of the parts 'train' and 'test': one scene in both; expected each" in line


def test_a_scene_in_two_parts_by_other_forms_is_refused(clean, scenes, build, tmp_path):
    """Trained from radiance, tested from pixels: no form alone has the scene twice."""
    court = scenes[1]["court"]
    other = build(tmp_path / "other", replace(court, part="test"), name="other")
    shards = copy_form(clean, tmp_path / "shards", "radiance")
    check_no_leak(scenes_of_parts(shards), shards)
    merge(shards, copy_form(other, tmp_path / "pixels", "pixels"))
    assert f"scene '{court.key}' of the parts 'train' and 'test'" in refused(shards)


def test_a_scene_under_another_name_is_known_by_its_file(scenes, build, tmp_path):
    """The copy of a file under another name and in another place; scan would leave it out, two scans do not."""
    court = scenes[1]["court"]
    copy = replace(court, key=f"hof-{court.sha256[:8]}", group="hof", part="test")
    shards = build(tmp_path, court, copy, scenes[1]["harbour"])
    line = refused(shards)
    assert f"scenes '{court.key}' and '{copy.key}' of the parts 'train' and 'test'" in line
    assert f"two names of one file, whose SHA-256 begins with {court.sha256[:8]}" in line


def test_a_scene_under_another_name_and_digest_is_known_by_its_pictures(scenes, build, tmp_path):
    """The same light in another file, such as one with more metadata: its digest and so its name differ."""
    court = scenes[1]["court"]
    shards = build(tmp_path, court, replace(court, key="hof-01234567", group="hof", part="val"))
    assert f"scenes '{court.key}' and 'hof-01234567' of the parts 'train' and 'val'" in (line := refused(shards))
    assert "two names of the same picture, digest " in line


def test_two_scenes_of_one_place_are_refused(scenes, build, tmp_path):
    one, other = (replace(scenes[1][name], group="quay") for name in ("harbour", "lamp"))
    line = refused(build(tmp_path, one, other))
    assert f"scenes '{one.key}' and '{other.key}' of the parts 'val' and 'test'" in line
    assert "one place, the location group 'quay'" in line


def test_imported_pictures_are_known_by_their_bytes(clean, tmp_path):
    """Their JSON tells neither group nor digests; the same nine PNGs come again under another scene's name."""
    shards = write_imported(clean, tmp_path / "old")
    check_no_leak(parts := scenes_of_parts(shards), shards)
    ((scene, traces),) = parts["test"].items()
    assert not traces.sources and traces.groups == {scene}
    reader = Shards(shards, "test", "pixels")
    renamed = []
    for number, key in enumerate(reader.keys):
        members = reader.read(number)
        about = {name: text.replace(scene, "other") for name, text in json.loads(members["json"]).items()}
        renamed.append((key.replace(scene, "other"), "pixels", {**members, "json": json.dumps(about).encode()}))
    reader.close()
    tar, index = "pixels/old-val-000000.tar", read_json(shards / INDEX)
    layouts = pack_samples(iter(renamed), shards / tar)
    index["rows"][tar] = {"digest": "", "form": "pixels", "part": "val",
                          "samples": [layout.to_json() for layout in layouts],
                          "files": describe_files(shards, [tar])}  # fmt: skip
    write_json(shards / INDEX, index)
    assert f"scenes 'other' and '{scene}' of the parts 'val' and 'test'" in (line := refused(shards))
    assert "two names of the same picture" in line


def test_many_leaks_are_one_line_that_counts_them():
    """Three scenes in both parts, one of them by three traces; what lies twice in one part is no leak."""
    twice = Traces(frozenset({"quay"}), frozenset({"0a1b2c3d"}), frozenset({"f" * 64}))
    parts = {
        "train": {"a": Traces(), "b": twice, "c": Traces(), "d": Traces(frozenset({"hill"}))},
        "test": {"a": Traces(), "z": twice, "c": Traces()},
    }
    with pytest.raises(ValueError, match=r"^shards: scene 'a' of the parts 'train' and 'test' and 2 more: one scene"):
        check_no_leak(parts, "shards")
    within = {"train": {"a": twice, "b": twice}, "test": {"c": Traces()}}
    check_no_leak(within, "shards")
    check_no_leak({"test": {}}, "shards")

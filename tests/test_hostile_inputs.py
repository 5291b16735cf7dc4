"""Each file and script of the shared folder of hostile inputs has a test: here, or where the table says."""

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from shared_files import ROOT, SHARED

from hdrdata.cli import main
from hdrdata.files.disk import write_bytes
from hdrdata.files.exr import write_exr

HOSTILE = SHARED / "wild" / "hostile"
HERE = "test_hostile_inputs.py"
PICTURES = "hdrdata/photos/test_hostile_photos.py::test_hostile_files_of_users_end_in_time"
TESTED = {
    "fetch_race.py": "hdrdata/fetch/test_fetch.py::test_a_second_fetch_meanwhile_is_refused_and_the_first_is_whole",
    "foreign_tars_deleted.sh": f"{HERE}::test_a_build_over_a_foreign_index_is_refused_and_removes_nothing",
    "index_deletes_outside.sh": f"{HERE}::test_a_build_removes_nothing_outside_its_folder",
    "jxl_animated_32x2000x2000.jxl": PICTURES,
    "jxl_size_check_bypass_17000.jxl": PICTURES,
    "png_ztxt_bomb.png": PICTURES,
    "predict_race.sh": "hdrmodel/prediction/test_predict_files.py::test_a_second_process_waits_and_finds_all_made",
    "threads_lose_stderr.py": "hdrdata/files/test_quiet.py::test_threads_that_read_change_nothing_of_the_process",
    "threads_read_photo.py": "hdrdata/files/test_quiet.py::test_threads_that_read_change_nothing_of_the_process",
    "ultrahdr_div0.jpg": PICTURES,
    "ultrahdr_gainmap_65000.jpg": PICTURES,
    "verify_underscore.sh": f"{HERE}::test_verify_accepts_cameras_one_of_whose_names_ends_in_the_other_s",
    "weights_wide.safetensors": "hdrmodel/networks/test_weights.py::test_a_description_of_a_huge_network",
    "yaml_bomb.yaml": "hdrdata/files/test_parameters.py::test_the_bomb_of_the_shared_folder_is_refused",
}
OPTIONS = ["--view-size", "32", "--recipe", "srgb", "--val-share", "0", "--test-share", "0", "--workers", "1"]


def build(folder, *changes: str):
    return CliRunner().invoke(main, ["build", str(folder / "scenes"), str(folder / "out"), *OPTIONS, *changes])


@pytest.fixture
def home(tmp_path):
    """A folder with two scenes of 64x64 pixels, and a file that must stay."""
    (tmp_path / "scenes").mkdir()
    for number in range(2):
        light = np.exp(np.random.default_rng(number).normal(0, 1, (64, 64, 3))).astype(np.float16)
        write_exr(tmp_path / "scenes" / f"s{number}.exr", light)
    (tmp_path / "thesis.txt").write_text("precious")
    return tmp_path


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_gives(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "a.bin", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o666 & ~mask


def test_every_hostile_input_has_its_test():
    if not HOSTILE.is_dir():
        pytest.skip("there is no shared/wild beside the repository")
    assert {path.name for path in HOSTILE.iterdir()} <= TESTED.keys()
    for place in set(TESTED.values()):
        file, _, name = place.partition("::")
        assert f"def {name}" in (ROOT / "tests" / file).read_text(), place


@pytest.mark.parametrize("content", ["", "{}", '{"version": 1, "files": []}'])
@pytest.mark.parametrize("folder", ["views", "stacks", "shards"])
def test_a_build_over_a_foreign_index_is_refused_and_removes_nothing(home, folder, content):
    backup = home / "out" / folder / "backup"
    backup.mkdir(parents=True)
    (backup.parent / "index.json").write_text(content)
    for name in ("photos-2019.tar", "photos-2019.exr"):
        (backup / name).write_text("photos")
    before = sorted(home.rglob("*"))
    result = build(home)
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert f"{backup.parent / 'index.json'}: " in result.stderr and "nothing in the folder was changed" in result.stderr
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("folder", ["views", "stacks", "shards"])
@pytest.mark.parametrize("name", ["../../thesis.txt", "{home}/thesis.txt"])
def test_a_build_removes_nothing_outside_its_folder(home, folder, name):
    row = {"digest": "0", "files": {name.format(home=home): {"size": 8, "sha256": "0" * 64}}}
    journal = home / "out" / folder / ".journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text(json.dumps(["x", row]) + "\n")
    result = build(home)
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert f"{journal}: line 1: " in result.stderr and "expected a relative path inside the folder" in result.stderr
    assert (home / "thesis.txt").read_text() == "precious" and journal.is_file()


def test_verify_accepts_cameras_one_of_whose_names_ends_in_the_other_s(home):
    levels = np.linspace(0, 1, 64)
    curves = [
        f"{name}\nx\nI =\n{' '.join(f'{x:.6f}' for x in levels)}\nB =\n{' '.join(f'{x:.6f}' for x in levels**power)}\n"
        for name, power in (("film", 0.5), ("my_film", 0.7))
    ]
    (home / "two.txt").write_text("".join(curves))
    recipe = home / "two.yaml"
    recipe.write_text(f'{{name: two, crfs: [{{kind: dorf, file: {home / "two.txt"}, curve: "*"}}], evs: [-1, 0, 1]}}')
    built = build(home, "--recipe", str(recipe))
    assert built.exit_code == 0, built.output
    result = CliRunner().invoke(main, ["verify", str(home / "out" / "shards")])
    assert result.exit_code == 0 and "all 6 samples are whole" in result.stdout  # 2 views: 4 stacks, 2 radiances


def test_build_finds_damage_of_the_same_size_by_check_content_alone(home):
    assert build(home).exit_code == 0
    out = home / "out"
    damaged = [next((out / "views").glob("*.exr")), *(out / "stacks").glob("*s1*.tar"),
               *sorted((out / "shards").rglob("*.tar"))[:2]]  # fmt: skip
    whole = {path: path.read_bytes() for path in damaged}
    for path, content in whole.items():
        path.write_bytes(content[:-1100] + bytes([content[-1100] ^ 1]) + content[-1099:])
    assert len(whole) == 4 and build(home).exit_code == 0
    assert all(path.read_bytes() != content for path, content in whole.items())
    assert build(home, "--check-content").exit_code == 0
    assert {path: path.read_bytes() for path in damaged} == whole

"""Shards to DrTMO's folders and back: the same PNGs, whole folders, nothing made twice, and what is bad is named."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from torch.utils.data import default_collate

from hdrdata.cameras.exposure import recipe_tables
from hdrdata.cameras.recipe import HALF_STOPS, choose_recipe
from hdrdata.cli import main
from hdrdata.drtmo.exporting import export_drtmo
from hdrdata.drtmo.folder import find_views
from hdrdata.drtmo.importing import ImportConfig, check_picture, import_drtmo
from hdrdata.files.disk import read_json, write_json
from hdrdata.files.ldr import decode_png, encode_png
from hdrdata.integrity.verify import verify_shards
from hdrdata.publish.refresh import stale_files
from hdrdata.publish.sidecars import write_sidecars
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.shard_reader import Shards
from hdrdata.work.journal import JOURNAL
from hdrmodel.sampling.batches import LookUp
from hdrmodel.sampling.datasets import PairDataset

PARTS = ("train", "val", "test")
CONFIG = {"name": "back", "licence": "CC0", "seed": 0, "val_share": 0.25, "test_share": 0.25,
          "shard_bytes": 10**6, "on_error": "stop", "workers": 1}  # fmt: skip


def config(**changes) -> ImportConfig:
    return ImportConfig.parse("import", {**CONFIG, **changes})


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.[pc][ns][gv]")}


def samples_of(shards: Path, form: str = "pixels") -> dict[str, tuple]:
    """key -> part, view, scene, camera and pictures, of all parts."""
    found = {}
    for part in PARTS:
        reader = Shards(shards, part, form)
        for sample in map(reader.stack, range(len(reader))):
            found[sample.key] = (part, sample.view, sample.scene, sample.crf, sample.evs, sample.stack)
        reader.close()
    return found


@pytest.fixture(scope="module")
def exported(dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "drtmo"
    export_drtmo(dataset.shards, folder, PARTS, png_encoder="fpng", workers=1)
    return folder


@pytest.fixture(scope="module")
def imported(exported, tmp_path_factory) -> Path:
    shards = tmp_path_factory.mktemp("imported") / "shards"
    import_drtmo(exported, shards, config())
    return shards


def test_an_export_has_the_original_layout_and_lists(dataset, exported):
    samples = samples_of(dataset.shards)
    names = {"train": "Train", "val": "Train", "test": "Test"}
    spelled = {"gamma14": "gamma+1.4", "gold-200cdblue": "Gold-200CDBlue"}  # two of DrTMO's own
    for part, view, _, crf, _, stack in samples.values():
        if crf in spelled:
            folder = exported / names[part] / "Bracketed_images" / f"{view}_{spelled[crf]}"
            assert sorted(path.name for path in folder.iterdir()) == [f"{letter}.png" for letter in "abcdefghi"]
            for letter, ldr in zip("abcdefghi", stack, strict=True):
                assert (decode_png((folder / f"{letter}.png").read_bytes()) == ldr).all()
    assert len(list(exported.rglob("*.png"))) == 19 * 45
    for part, name, pairs in (("train", "train.csv", 45), ("val", "val.csv", 45), ("test", "test_hdr.csv", 8)):
        lines = (exported / name).read_text().splitlines()
        assert len(lines) == 1 + pairs * sum(row[0] == part for row in samples.values())
        place = exported / names[part] / "Bracketed_images"
        assert all((place / picture).is_file() for line in lines[1:] for picture in line.split(",")[::2])


def test_the_radiance_form_is_exported_as_the_same_pngs(dataset, exported, tmp_path):
    shards = tmp_path / "shards"
    shutil.copytree(dataset.shards, shards)
    index = read_json(shards / "index.json")
    index["rows"] = {name: row for name, row in index["rows"].items() if row["form"] == "radiance"}
    write_json(shards / "index.json", index)
    export_drtmo(shards, tmp_path / "out", PARTS, png_encoder="fpng", workers=1)
    assert files_of(tmp_path / "out") == files_of(exported)


def test_an_export_of_an_import_is_the_same_files_and_an_import_of_an_export_the_same_samples(
    dataset, exported, imported, tmp_path
):
    before, after = samples_of(dataset.shards), samples_of(imported)
    assert sorted(before) == sorted(after)
    for key, (*facts, stack) in before.items():
        assert list(after[key][:-1]) == facts  # the part, too: val.csv tells it
        assert (after[key][-1] == stack).all()
    found = verify_shards(imported, workers=None)
    assert (found.samples, found.faults) == (19 * 5, ())
    export_drtmo(imported, tmp_path / "again", PARTS, png_encoder="opencv", workers=1)
    assert files_of(tmp_path / "again") == files_of(exported)


def test_an_imported_index_holds_the_tables_of_known_cameras(imported):
    shards = Shards(imported, "train", "pixels")
    assert shards.evs == HALF_STOPS
    for crf, rows in recipe_tables(choose_recipe("drtmo")).items():
        assert (shards.tables[crf] == rows).all()
    about = json.loads(shards.read(0, ("json",))["json"])
    assert about["licence"] == "CC0" and (about["height"], about["width"]) == (32, 32)
    assert about["part"] == "train" and about["imported_from"].startswith(about["view"])


def test_a_second_export_and_import_make_nothing_and_a_changed_picture_one_view(exported, imported, tmp_path):
    folder, shards = tmp_path / "drtmo", tmp_path / "shards"
    shutil.copytree(exported, folder, copy_function=shutil.copy2)  # with its times
    first = import_drtmo(folder, shards, config())
    assert first.checked.new == 19 and first.packed.new == len(list(shards.rglob("*.tar")))
    written = {path: path.stat().st_mtime_ns for path in shards.rglob("*.tar")}
    second = import_drtmo(folder, shards, config())
    assert (second.checked.new, second.checked.kept, second.packed.new) == (0, 19, 0)
    assert (shards / "index.json").read_bytes() == (imported / "index.json").read_bytes()

    path = sorted(folder.glob("Test/Bracketed_images/*_gamma+1.4/c.png"))[0]
    path.write_bytes(encode_png(decode_png(path.read_bytes()), "opencv"))
    third = import_drtmo(folder, shards, config())
    assert (third.checked.new, third.packed.new) == (1, 1)
    changed = [path for path, time in written.items() if path.stat().st_mtime_ns != time]
    assert len(changed) == 1 and "-test-" in changed[0].name
    shutil.rmtree(folder / "Test")
    assert import_drtmo(folder, shards, config()).packed.removed == 1
    assert not changed[0].exists()


def test_an_import_writes_stale_sidecars_again(tmp_path):
    folder, shards = tmp_path / "drtmo", tmp_path / "shards"
    for part, scene in (("Train", "a"), ("Test", "b")):
        write_stack(folder / part / "Bracketed_images" / f"{scene}_80_10_0_own")

    def imported() -> str:
        options = ["--val-share", "0", "--workers", "1"]
        result = CliRunner().invoke(main, ["import", str(folder), str(shards), *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    imported()
    write_sidecars(shards, ("wids",))
    assert (shards / "pixels" / "wids-test.json").is_file() and "wids" not in imported()
    shutil.rmtree(folder / "Test")
    assert "wids: " in imported()
    assert stale_files(shards) == [] and not (shards / "pixels" / "wids-test.json").exists()


def test_a_second_export_keeps_whole_folders_and_mends_the_others(dataset, exported, tmp_path):
    folder = tmp_path / "drtmo"
    shutil.copytree(exported, folder)
    assert [o.new for o in export_drtmo(dataset.shards, folder, PARTS, png_encoder="fpng", workers=1).values()] == [
        0,
        0,
    ]
    stack = sorted((folder / "Test" / "Bracketed_images").iterdir())[0]
    (stack / "d.png").unlink()
    (folder / "Test" / "Bracketed_images" / ".partial-0123abcd").mkdir()
    outcomes = export_drtmo(dataset.shards, folder, ("test",), png_encoder="fpng", workers=1)
    assert list(outcomes) == ["Test"] and outcomes["Test"].new == 1
    assert files_of(folder) == files_of(exported)
    assert not list(folder.rglob(".partial-*"))


def test_a_part_is_exported_beside_what_is_there(dataset, exported, tmp_path):
    (tmp_path / "out" / "Train" / "Bracketed_images").mkdir(parents=True)
    (tmp_path / "out" / "Train" / JOURNAL).touch()  # as of a run that was killed before its first stack
    export_drtmo(dataset.shards, tmp_path / "out", ("val",), png_encoder="fpng", workers=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Train", "val.csv"]
    export_drtmo(dataset.shards, tmp_path / "out", ("train",), png_encoder="fpng", workers=1)
    wanted = {name: content for name, content in files_of(exported).items() if "est" not in name.split("/")[0].lower()}
    assert files_of(tmp_path / "out") == wanted


def test_an_export_over_other_files_or_of_damage_is_refused(dataset, tmp_path):
    (tmp_path / "out" / "Train" / "Bracketed_images").mkdir(parents=True)
    with pytest.raises(ValueError, match="Train: contains files that were not exported; expected a new folder"):
        export_drtmo(dataset.shards, tmp_path / "out", ("train",), png_encoder="fpng")
    shutil.copytree(dataset.shards, tmp_path / "shards")
    shards = Shards(tmp_path / "shards", "test", "pixels")
    name, layout = shards.samples[0]
    content = bytearray((tmp_path / "shards" / name).read_bytes())
    content[layout.members["c.png"].offset + 40] ^= 1
    (tmp_path / "shards" / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{name}, sample {layout.key}: damaged"):
        export_drtmo(tmp_path / "shards", tmp_path / "new", ("test",), png_encoder="fpng", workers=1)
    for folder in (tmp_path / "new" / "Test" / "Bracketed_images").iterdir():
        assert len(list(folder.iterdir())) == 9  # whole or not there
    with pytest.raises(ValueError, match="no samples of the part 'val'; it has"):
        index = read_json(tmp_path / "shards" / "index.json")
        index["rows"] = {key: row for key, row in index["rows"].items() if row["part"] != "val"}
        write_json(tmp_path / "shards" / "index.json", index)
        export_drtmo(tmp_path / "shards", tmp_path / "new", ("val",), png_encoder="fpng")


def picture(level: int, size: tuple[int, int] = (8, 8)) -> bytes:
    return encode_png(np.full((*size, 3), level, np.uint8), "opencv")


def write_stack(folder: Path, letters: str = "abcdefghi") -> Path:
    folder.mkdir(parents=True)
    for number, letter in enumerate(letters):
        (folder / f"{letter}.png").write_bytes(picture(20 * number))
    return folder


def transparent() -> bytes:
    return cv2.imencode(".png", np.zeros((8, 8, 4), np.uint8))[1].tobytes()


def deep() -> bytes:
    return cv2.imencode(".png", np.zeros((8, 8, 3), np.uint16))[1].tobytes()


@pytest.mark.parametrize(
    ("png", "reason"),
    [
        (b"", "0 bytes that are not a PNG picture"),
        (b"GIF89a" + bytes(90), "96 bytes that are not a PNG"),
        (picture(7)[:60], "not a readable PNG"),
        (picture(255), "level 255; expected at most 254"),
        (transparent(), "8 bits, colour type 6; expected 8-bit RGB"),
        (deep(), "16 bits, colour type 2; expected 8-bit RGB"),
        (
            picture(7)[:16] + (99999).to_bytes(4, "big") + picture(7)[20:],
            "99999x8 pixels; expected at most 8192 a side",
        ),
    ],
)
def test_a_picture_that_is_none_of_the_published_synthesis_is_refused_by_name(tmp_path, png, reason):
    with pytest.raises(ValueError, match=reason) as error:
        check_picture(tmp_path / "x.png", png)
    assert str(error.value).startswith(f"{tmp_path / 'x.png'}: ")
    assert check_picture(tmp_path / "x.png", picture(254, (4, 6))) == (4, 6)


def test_views_that_are_not_whole_are_named_with_what_is_wrong(tmp_path):
    root, outside = tmp_path / "drtmo", tmp_path / "outside"
    write_stack(outside / "stack")
    for view in ("good", "short", "more", "linked", "out", "huge", "fifo", "fewer"):
        write_stack(root / f"{view}_80_10_0_srgb")
        if view != "fewer":
            write_stack(root / f"{view}_80_10_0_gamma+1.4")
    (root / "short_80_10_0_srgb" / "h.png").unlink()
    (root / "more_80_10_0_srgb" / "j.png").write_bytes(picture(0))
    (root / "linked_80_10_0_srgb" / "b.png").unlink()
    (root / "linked_80_10_0_srgb" / "b.png").symlink_to(outside / "stack" / "b.png")
    shutil.rmtree(root / "out_80_10_0_srgb")
    (root / "out_80_10_0_srgb").symlink_to(outside / "stack")
    with (root / "huge_80_10_0_srgb" / "c.png").open("wb") as file:
        file.truncate(2**40)
    (root / "fifo_80_10_0_srgb" / "d.png").unlink()
    os.mkfifo(root / "fifo_80_10_0_srgb" / "d.png")
    (root / "nothing").mkdir()
    write_stack(root / "Good_80_10_0_srgb")  # the key of another view
    views = {view.key: view.problem or "" for view in find_views(root, root.resolve(), [(None, root)], "abcdefghi")}
    for key, reason in {
        "good_80_10_000": "good_80_10_0_gamma+1.4: the view has the key 'good_80_10_000' of",
        "short_80_10_000": "short_80_10_0_srgb/h.png: missing; expected a.png to i.png",
        "more_80_10_000": "more_80_10_0_srgb/j.png: one too many",
        "linked_80_10_000": "linked_80_10_0_srgb/b.png: a link out of the folder",
        "out_80_10_000": "out_80_10_0_srgb: a link out of the folder",
        "huge_80_10_000": f"huge_80_10_0_srgb/c.png: {2**40} bytes; expected at most",
        "fifo_80_10_000": "fifo_80_10_0_srgb/d.png: not a file",
        "fewer_80_10_000": "'fewer_80_10_000' has the cameras srgb; most views have gamma14, srgb",
        "nothing": "folder 'nothing': expected <view>_<camera>",
    }.items():
        assert reason in views.pop(key)
    assert not views


def test_a_bad_view_stops_an_import_or_is_left_out_and_counted(tmp_path):
    root = tmp_path / "drtmo"
    for part, scenes in (("Train", "abcd"), ("Test", "xa")):
        for scene in scenes:
            write_stack(root / part / "Bracketed_images" / f"{scene}_80_10_{60 if part == 'Test' else 0}_own")
    place = root / "Train" / "Bracketed_images"
    (place / "b_80_10_0_own" / "c.png").write_bytes(picture(255))
    (place / "c_80_10_0_own" / "f.png").write_bytes(picture(3, (8, 9)))
    arguments = ["import", str(root), str(tmp_path / "shards"), "--workers", "1", "--val-share", "0"]
    stopped = CliRunner().invoke(main, arguments)
    assert stopped.exit_code == 1
    assert stopped.stderr.splitlines()[-1] == (
        f"Error: {place / 'a_80_10_0_own'}: its scene 'a' lies in the part test, too"
    )
    assert not (tmp_path / "shards" / "index.json").exists()

    skipped = CliRunner().invoke(main, [*arguments, "--on-error", "skip"])
    assert skipped.exit_code == 0, skipped.output
    # one or more were checked, and are known, before the first run was stopped
    assert re.search(
        r"^views: (\d new, \d kept, 0 removed|nothing has changed: 2 kept), 3 refused$", skipped.stdout, re.M
    )
    assert "cameras without a known curve: own" in skipped.stdout
    left_out = [line for line in skipped.stderr.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 3
    assert f"{place / 'b_80_10_0_own' / 'c.png'}: level 255" in left_out[1]
    assert (
        f"{place / 'c_80_10_0_own' / 'f.png'}: 9x8 pixels; {place / 'c_80_10_0_own' / 'a.png'} has 8x8" in left_out[2]
    )
    index = read_json(tmp_path / "shards" / "index.json")
    assert sorted(index["imported"]["left_out"]) == ["a_80_10_000", "b_80_10_000", "c_80_10_000"]

    shards = Shards(tmp_path / "shards", "train", "pixels")
    assert shards.keys == ["d_80_10_000_own"]
    with pytest.raises(ValueError, match="no table of the camera 'own'; it has none"):
        shards.crf("own")
    # and training on pictures of a camera without a table takes the pixels as they are
    dataset = PairDataset(shards, crop=8, seed=0, flips=False, rotation="none")
    batch = LookUp(shards.tables).pairs(default_collate([dataset[0]]))
    assert batch.shorter.shape == (1, 3, 8, 8) and batch.keys[0].startswith("d_80_10_000_own:")
    shards.close()


def test_val_is_drawn_by_scene_where_val_csv_tears_a_scene(tmp_path):
    # as the published val.csv does: 55 stacks whose panoramas are trained on under other azimuths
    root = tmp_path / "drtmo"
    for scene in range(12):
        for azimuth in (0, 60):
            write_stack(root / "Train" / "Bracketed_images" / f"{scene}_80_10_{azimuth}_own")
    (root / "val.csv").write_text("x,x_exp,y,y_exp\n3_80_10_0_own/a.png,0.0009765625,3_80_10_0_own/e.png,0.00390625\n")
    done = import_drtmo(root, tmp_path / "shards", config(val_share=0.4))
    assert done.notes == (
        "val.csv is not used: it shares 1 scenes with the training stacks, such as '3'; val was drawn by scene",
    )
    parts: dict[str, set[str]] = {}
    for name, row in read_json(tmp_path / "shards" / "index.json")["rows"].items():
        assert row["part"] in name
        for sample in row["samples"]:
            parts.setdefault(sample["key"].partition("_")[0], set()).add(row["part"])
    assert len(parts) == 12 and all(len(part) == 1 for part in parts.values())
    assert set().union(*parts.values()) == {"train", "val"}  # no folder of test, so none is drawn


def test_an_import_into_built_shards_or_into_its_own_folder_is_refused(dataset, exported, tmp_path):
    with pytest.raises(ValueError, match="holds shards that were built and not imported; expected another folder"):
        import_drtmo(exported, dataset.shards, config())
    with pytest.raises(ValueError, match="lies in the folder that is imported"):
        import_drtmo(exported, exported / "shards", config())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no stacks in it; expected Bracketed_images/<view>_<camera>/\{a\.\.i\}\.png"):
        import_drtmo(tmp_path / "empty", tmp_path / "shards", config())


PLAIN_WEBDATASET = """
import sys, webdataset
keys = [sample["__key__"] for sample in webdataset.WebDataset(sys.argv[1:], shardshuffle=False).decode("rgb8")
        if sample["e.png"].shape == (32, 32, 3) and sample["json"]["imported_from"]]
print(" ".join(sorted(keys)))
"""


def test_plain_webdataset_reads_imported_shards(imported):
    paths = [str(path) for path in sorted(imported.glob("pixels/back-train-*.tar"))]
    program = [sys.executable, "-c", PLAIN_WEBDATASET, *paths]
    found = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    assert found == sorted(Shards(imported, "train", "pixels").keys)

"""What a dataset's stacks are: DrTMO's facts, and incremental by view."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from hdrdata.cameras.exposure import exposure_table, half_bits
from hdrdata.cameras.recipe import choose_recipe
from hdrdata.files.disk import read_json
from hdrdata.files.exr import read_view
from hdrdata.files.ldr import decode_jpeg, decode_png
from hdrdata.samples.radiance_codec import decode_radiance
from hdrdata.shards.pack import ShardConfig, shard_stacks
from hdrdata.stacks.recipe_facts import recipe_digest
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.view import read_views

RECIPE = choose_recipe("drtmo")
BOTH = ("pixels", "radiance")


def members_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


@pytest.fixture(scope="module")
def stack_files(dataset):
    return {view.key: members_of(dataset.stacks / f"{view.key}.tar") for view in read_views(dataset.views)}


def test_a_view_has_45_pictures_named_a_to_i_under_five_cameras(stack_files):
    for view, members in stack_files.items():
        pictures = {name for name in members if name.endswith(".png")}
        assert pictures == {f"{view}_{crf.name}.{letter}.png" for crf in RECIPE.crfs for letter in "abcdefghi"}
        assert len(pictures) == 45
        others = {name for name in members if not name.endswith(".png")}
        assert others == {f"{view}.radiance.zst", f"{view}.json", *(f"{view}_{crf.name}.json" for crf in RECIPE.crfs)}


def test_255_never_occurs_and_more_exposure_never_darkens(stack_files):
    for view, members in stack_files.items():
        for crf in RECIPE.crfs:
            stack = np.stack([decode_png(members[f"{view}_{crf.name}.{letter}.png"]) for letter in "abcdefghi"])
            assert stack.max() <= 254
            assert (np.diff(stack.astype(int), axis=0) >= 0).all()


def test_exposures_are_half_stops_about_the_view_itself(stack_files):
    for view, members in stack_files.items():
        about = json.loads(members[f"{view}_gamma14.json"])
        assert np.divide(about["exposures"][1:], about["exposures"][:-1]) == pytest.approx([2**0.5] * 8)
        assert about["exposures"][4] == 1 and about["evs"][4] == 0
        assert (about["view"], about["crf"], about["letters"]) == (view, "gamma14", "abcdefghi")


def test_the_radiance_member_is_the_view_with_a_mean_of_one_half(dataset, stack_files):
    for view, members in stack_files.items():
        radiance = decode_radiance(members[f"{view}.radiance.zst"])
        assert radiance.dtype == np.float16
        assert (radiance == read_view(dataset.views / f"{view}.exr")).all()
        assert radiance.astype(np.float64).mean() == pytest.approx(0.5, rel=2**-11)  # a half float's rounding


def test_every_pixel_is_the_table_of_its_view(dataset, stack_files):
    view, members = next(iter(stack_files.items()))
    bits = half_bits(read_view(dataset.views / f"{view}.exr"))
    for crf in RECIPE.crfs:
        for letter, exposure in zip("abcdefghi", RECIPE.exposures, strict=True):
            ldr = decode_png(members[f"{view}_{crf.name}.{letter}.png"])
            assert (ldr == exposure_table(crf, exposure)[bits]).all()


def test_a_camera_pixel_is_floored_by_hand():
    # E = 0.3 is the half float 0.300048828125; at exposure f (half a stop up) 0.42433; in gamma 1 that is 108.2 -> 108;
    # at d (half a stop down) 0.21217 -> 54.1 -> 54; at a (two stops down) 0.0750122 -> 19.13 -> 19
    linear = choose_recipe("linear")
    bits = np.float16(0.3).view(np.uint16)
    levels = {
        name: exposure_table(linear.crfs[0], x)[bits] for name, x in zip("abcdefghi", linear.exposures, strict=True)
    }
    assert (levels["a"], levels["d"], levels["f"]) == (19, 54, 108)
    assert levels["i"] == 254  # 1.2: saturated


def test_a_second_run_changes_nothing(dataset_copy, synthesize_config):
    index = (dataset_copy.stacks / "index.json").read_bytes()
    views = read_views(dataset_copy.views)
    outcome = synthesize_stacks(views, dataset_copy.views, dataset_copy.stacks, synthesize_config(workers=1), BOTH)
    assert outcome.summary() == "nothing has changed: 19 kept"
    assert (dataset_copy.stacks / "index.json").read_bytes() == index


def test_a_view_that_was_changed_on_disk_is_refused_by_name(dataset_copy, synthesize_config, tmp_path):
    views = read_views(dataset_copy.views)[:2]
    one, other = (dataset_copy.views / f"{view.key}.exr" for view in views)
    one.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=rf"{views[0].key}\.exr: its pixels are not those that ingest wrote"):
        synthesize_stacks(views, dataset_copy.views, tmp_path / "stacks", synthesize_config(workers=1), BOTH)
    assert not (tmp_path / "stacks" / "index.json").exists()


def test_a_form_or_recipe_or_encoder_of_another_name_is_refused(synthesize_config, tmp_path):
    with pytest.raises(ValueError, match=r"shard\.form: Input should be 'radiance', 'pixels' or 'both', got 'jpeg'"):
        ShardConfig.parse("shard", {"name": "a", "form": "jpeg", "shards": {"train": 1, "val": 1, "test": 1}})
    with pytest.raises(ValueError, match=r"synthesize\.png_encoder"):
        synthesize_config(png_encoder="zip")
    with pytest.raises(ValueError, match="unknown recipe 'kodak'"):
        synthesize_stacks((), tmp_path, tmp_path / "stacks", synthesize_config(recipe="kodak"), BOTH)
    assert not (tmp_path / "stacks").exists()


def test_the_index_tells_the_recipe(dataset):
    index = read_json(dataset.stacks / "index.json")
    assert index["recipe"]["digest"] == recipe_digest(RECIPE)
    assert index["pictures_a_view"] == 45
    assert recipe_digest(choose_recipe("srgb")) != recipe_digest(RECIPE)


THREE = {"name": "mine", "crfs": ["srgb", "linear", {"kind": "gamma", "exponent": 0.5}], "evs": [-1, 1]}
STEEPER = {**THREE, "crfs": ["srgb", {"kind": "gamma", "exponent": 0.6}, "linear"]}
SIXTHS = [k / 6 for k in range(-13, 13)]  # 26 exposures
DRAWN = {"like": "hdrcnn", "evs": [0, 2], "draws": {"cameras": 2, "seed": 0}}


def synthesize(dataset, stacks: Path, config, forms=BOTH, views: int = 2):
    return synthesize_stacks(read_views(dataset.views)[:views], dataset.views, stacks, config, forms)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_camera_that_changes_makes_its_samples_again_and_no_others(dataset, synthesize_config, tmp_path):
    first = synthesize(dataset, tmp_path, synthesize_config(recipe=THREE, workers=1))
    assert first.summary() == "2 new, 0 kept, 0 removed; samples: 8 new, 0 kept, 0 removed"
    view = read_views(dataset.views)[0].key
    before = members_of(tmp_path / f"{view}.tar")
    changed = synthesize(dataset, tmp_path, synthesize_config(recipe=STEEPER, workers=1))
    assert changed.summary() == "0 new, 2 kept, 0 removed; samples: 2 new, 6 kept, 2 removed"
    after = members_of(tmp_path / f"{view}.tar")
    assert {name.partition(".")[0] for name in before.keys() ^ after.keys()} == {
        f"{view}_gamma-0p5",
        f"{view}_gamma-0p6",
    }
    assert all(before[name] == after[name] for name in before.keys() & after.keys())


def test_another_recipe_writes_no_radiance_shard_again(dataset, synthesize_config, tmp_path):
    shard = ShardConfig.parse("shard", {"name": "a", "form": "both", "shards": {"train": 1, "val": 1, "test": 1}})
    shards, written = tmp_path / "shards", []
    for choice in (THREE, STEEPER):
        config = synthesize_config(recipe=choice, workers=1)
        synthesize(dataset, tmp_path / "stacks", config, views=1)
        made = shard_stacks(tmp_path / "stacks", shards, shard, workers=1)
        written.append({path.parent.name: path.stat().st_mtime_ns for path in shards.rglob("*.tar")})
    assert (made.new, made.kept) == (1, 1)
    assert written[0]["radiance"] == written[1]["radiance"] and written[0]["pixels"] < written[1]["pixels"]


def test_unchanged_samples_are_copied_and_not_made(dataset, synthesize_config, tmp_path):
    # the view's file is damaged: whoever made one of the old samples again would stop there
    shutil.copytree(dataset.views, tmp_path / "views")
    stacks, views = tmp_path / "stacks", read_views(dataset.views)[:1]
    synthesize_stacks(views, tmp_path / "views", stacks, synthesize_config(recipe=THREE, workers=1), BOTH)
    (tmp_path / "views" / f"{views[0].key}.exr").write_bytes(b"gone")
    fewer = synthesize_config(recipe={**THREE, "crfs": ["srgb", "linear"]}, workers=1)
    outcome = synthesize_stacks(views, tmp_path / "views", stacks, fewer, BOTH)
    assert (outcome.samples_new, outcome.samples_kept, outcome.samples_removed) == (0, 3, 1)
    with pytest.raises(ValueError, match="not a view"):
        synthesize_stacks(views, tmp_path / "views", stacks, synthesize_config(recipe=STEEPER, workers=1), BOTH)


def test_any_sequence_of_changes_gives_the_bytes_of_a_run_from_nothing(dataset, synthesize_config, tmp_path):
    choices = [
        {"recipe": THREE},
        {"recipe": STEEPER},
        {"recipe": {**THREE, "crfs": ["linear"]}},
        {"recipe": {**THREE, "evs": [0]}},
        {"recipe": DRAWN},
        {"recipe": {**DRAWN, "draws": {"cameras": 3, "seed": 0}}},
        {"recipe": {**THREE, "crfs": ["linear", "srgb"]}, "png_encoder": "opencv"},
    ]
    forms = [BOTH, ("radiance",), ("pixels",)]
    generator = np.random.default_rng(0)
    changing, fresh, last = tmp_path / "changing", {}, (0, 0, 1)
    for step in range(7):
        choice, form, views = generator.integers(len(choices)), generator.integers(3), int(generator.integers(1, 4))
        if step % 3 == 2:  # a damaged file: what it holds is not copied on
            path = sorted(changing.glob("*.tar"))[0]
            content = bytearray(path.read_bytes())
            content[len(content) // 3] ^= 1
            path.write_bytes(content)
            choice, form = (last[0] + 1) % len(choices), 0
        last = choice, form, views
        config = synthesize_config(**choices[choice], workers=1)
        if last not in fresh:
            synthesize(dataset, tmp_path / "fresh" / str(step), config, forms[form], views)
            fresh[last] = bytes_of(tmp_path / "fresh" / str(step))
        outcome = synthesize(dataset, changing, config, forms[form], views)
        assert bytes_of(changing) == fresh[last]
        assert outcome.samples_new + outcome.samples_kept == sum(len(row["samples"]) for row in outcome.rows.values())


def test_one_more_random_camera_leaves_the_others_as_they_are(dataset, synthesize_config, tmp_path):
    synthesize(dataset, tmp_path, synthesize_config(recipe=DRAWN, workers=2))
    more = {**DRAWN, "draws": {"cameras": 3, "seed": 0}}
    outcome = synthesize(dataset, tmp_path, synthesize_config(recipe=more, workers=1))
    assert outcome.summary() == "0 new, 2 kept, 0 removed; samples: 2 new, 6 kept, 0 removed"


def test_drawn_responses_give_the_same_bytes_with_any_number_of_workers(dataset, synthesize_config, tmp_path):
    choice = {"like": "cameras", "crfs": {"kind": "drawn_responses", "cameras": 2, "seed": 0}}
    for workers in (1, 2):
        synthesize(dataset, tmp_path / str(workers), synthesize_config(recipe=choice, workers=workers))
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")


def test_a_stack_without_a_form_that_shards_want_is_refused(dataset, synthesize_config, tmp_path):
    synthesize(dataset, tmp_path / "stacks", synthesize_config(recipe=THREE, workers=1), ("pixels",))
    config = ShardConfig.parse("shard", {"name": "a", "form": "both", "shards": {"train": 1, "val": 1, "test": 1}})
    with pytest.raises(ValueError, match=r"stacks: made without the form 'radiance' that shard\.form requ"):
        shard_stacks(tmp_path / "stacks", tmp_path / "shards", config, workers=1)


@pytest.mark.parametrize(
    "choice",
    [
        THREE | {"quantise": "round255"},
        {"like": "cameras", "crfs": {"kind": "drawn_responses", "cameras": 2, "seed": 3}},
        {"like": "hdrcnn", "evs": [-1.3, 0, 4], "draws": {"cameras": 2, "seed": 5}},
        {"like": "singlehdr", "draws": {"cameras": 3, "seed": 0}},
        {"like": "clipped", "crfs": ["srgb", {"kind": "hdrcnn", "n": 0.9, "sigma": 0.6}], "evs": SIXTHS, "jpeg": None},
    ],
    ids=lambda choice: choice.get("like", choice.get("name")),
)
def test_a_radiance_sample_of_any_recipe_expands_to_the_pixel_sample(dataset, synthesize_config, tmp_path, choice):
    config = synthesize_config(recipe=choice, workers=1)
    synthesize(dataset, tmp_path / "stacks", config, views=3)
    shard = ShardConfig.parse("shard", {"name": "a", "form": "both", "shards": {"train": 1, "val": 1, "test": 1}})
    made = shard_stacks(tmp_path / "stacks", tmp_path / "shards", shard, workers=1)
    recipe, seen = choose_recipe(config.recipe), 0
    for part in {row["part"] for row in made.rows.values()}:
        pixels, radiance = (Shards(tmp_path / "shards", part, form) for form in ("pixels", "radiance"))
        assert radiance.crfs == recipe.cameras
        expanded = {}
        for number in range(len(radiance)):
            for camera in radiance.crfs:
                sample = radiance.expand(radiance.radiance(number), camera)
                expanded[sample.key] = sample
        for number in range(len(pixels)):
            sample = pixels.stack(number)
            other = expanded.pop(sample.key)
            assert (sample.stack == other.stack).all() and sample.stack.shape[0] == len(recipe.evs)
            assert (sample.view, sample.crf, sample.evs) == (other.view, other.crf, other.evs)
            assert pixels.picture_size(number) == radiance.picture_size(0) == sample.stack.shape[1:3]
            assert (pixels.stack(number, recipe.letters[-1]).stack[0] == sample.stack[-1]).all()
            seen += 1
        assert not expanded
        if recipe.steps.draws is None:
            assert list(radiance.tables) == list(recipe.cameras)
        else:
            with pytest.raises(ValueError, match=r"cameras of recipe '\w+' are drawn for each view: there are no"):
                _ = radiance.tables
        pixels.close()
        radiance.close()
    assert seen == 3 * len(recipe.cameras)


def test_a_random_sample_tells_what_was_drawn_and_holds_real_jpegs(dataset, synthesize_config, tmp_path):
    synthesize(dataset, tmp_path, synthesize_config(recipe=DRAWN, workers=1), ("pixels",), 1)
    view = read_views(dataset.views)[0]
    members = members_of(tmp_path / f"{view.key}.tar")
    assert {name.partition(".")[2] for name in members} == {"a.jpg", "b.jpg", "json"}
    about = json.loads(members[f"{view.key}_hdrcnn-1.json"])
    drawn = about["drawn"]
    assert (about["crf"], drawn["camera"], about["pixels_sha256"]) == ("hdrcnn-1", 1, view.pixels_sha256)
    jpeg = members[f"{view.key}_hdrcnn-1.a.jpg"]
    assert jpeg[:2] == b"\xff\xd8" and decode_jpeg(jpeg).shape == (32, 32, 3)
    start = jpeg.index(b"\xff\xc0")  # baseline; three components of one sample a block each: 4:4:4
    assert [jpeg[start + 11 + 3 * k] for k in range(3)] == [0x11] * 3

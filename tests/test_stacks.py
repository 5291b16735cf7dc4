"""What a dataset's stacks are: DrTMO's facts, and incremental by view."""

import io
import json
import tarfile

import numpy as np
import pytest

from hdrdata.disk import read_json
from hdrdata.exposure import exposure_table
from hdrdata.files import decode_png, half_bits, read_view
from hdrdata.recipe import choose_recipe
from hdrdata.shards import ShardConfig
from hdrdata.stacks import recipe_digest, synthesize_stacks
from hdrdata.views import read_views

RECIPE = choose_recipe("drtmo")
BOTH = ("pixels", "radiance")


def members_of(path) -> dict[str, bytes]:
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
        assert others == {f"{view}.radiance.npy", f"{view}.json", *(f"{view}_{crf.name}.json" for crf in RECIPE.crfs)}


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
        radiance = np.load(io.BytesIO(members[f"{view}.radiance.npy"]))
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

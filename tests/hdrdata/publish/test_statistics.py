"""Statistics: exact from histograms of half floats, and the same from either form."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from imported_dataset import copy_form, write_imported

from hdrdata.cameras.exposure import expose_view, exposure_table, half_bits, recipe_tables
from hdrdata.cameras.recipe import choose_recipe
from hdrdata.publish.contents import Contents
from hdrdata.publish.statistics import (
    Spread,
    Statistics,
    count_halves,
    count_levels,
    look_up_counts,
    measure_shards,
    percent,
    sparkline,
    stops_text,
)
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.shard_reader import Shards, StackSample
from hdrdata.views.view import read_views

TABLES = recipe_tables(choose_recipe("drtmo"))


@given(arrays.arrays(np.float16, (5, 4, 3), elements=st.floats(0, 65504, width=16)), st.sampled_from(sorted(TABLES)))
def test_counts_by_look_up_are_those_of_the_pictures(view, crf):
    made = count_levels(expose_view(half_bits(view), TABLES[crf]))
    assert (look_up_counts(count_halves(view), TABLES[crf]) == made).all()


def test_a_linear_camera_puts_values_where_the_formula_says():
    # floor(255 * min(E * dt, 1)), at most 254: 0 -> 0, 0.25 -> 63, 0.5 -> 127, 1 and 7 -> 254; a stop up: 0, 127, 254
    view = np.array([0, 0, 0.25, 0.5, 1, 7], np.float16).reshape(1, 2, 3)
    linear = choose_recipe("linear").crf("linear")
    counts = look_up_counts(count_halves(view), np.stack([exposure_table(linear, 1.0), exposure_table(linear, 2.0)]))
    assert {level: count for level, count in enumerate(counts[0]) if count} == {0: 2, 63: 1, 127: 1, 254: 2}
    assert {level: count for level, count in enumerate(counts[1]) if count} == {0: 2, 127: 1, 254: 3}


def test_either_form_gives_the_same_levels_and_every_picture_is_counted(dataset, tmp_path):
    both = measure_shards(Contents(dataset.shards), read_views(dataset.views), workers=2)
    pixels = measure_shards(Contents(copy_form(dataset.shards, tmp_path, "pixels")), workers=1)
    assert [part.form for part in both.parts] == ["radiance"] * 3
    assert [part.form for part in pixels.parts] == ["pixels"] * 3
    for one, other in zip(both.parts, pixels.parts, strict=True):
        assert one.part == other.part and one.pictures == other.pictures == one.views * 45
        assert list(one.levels) == list(other.levels)
        for crf, counts in one.levels.items():
            assert (counts == other.levels[crf]).all()
            assert (counts.sum(axis=1) == one.views * 32 * 32 * 3).all()
        assert one.sizes == other.sizes == {"32x32": one.views}
        assert one.stops is not None and other.stops is None and other.magnification is None
        assert one.magnification.maximum == max(
            v.magnification for v in read_views(dataset.views) if v.part == one.part
        )
    assert {kind: sum(part.kinds.get(kind, 0) for part in both.parts) for kind in ("pano", "photo")} == {
        "pano": 18, "photo": 1,
    }  # fmt: skip
    assert [part.kinds for part in both.parts] == [part.kinds for part in pixels.parts]  # by catalog, and by key


def test_stops_are_those_of_the_catalog_and_shares_those_of_the_pictures(dataset):
    (test,) = (part for part in measure_shards(Contents(dataset.shards)).parts if part.part == "test")
    stops = [view.stops for view in read_views(dataset.views) if view.part == "test"]
    assert test.stops.minimum == pytest.approx(min(stops), abs=1e-3)  # the catalog rounds to 3 digits
    assert test.stops.median == pytest.approx(np.median(stops), abs=1e-3)
    shards = Shards(dataset.shards, "test", "pixels")
    pictures = [sample.stack for sample in map(shards.stack, range(len(shards))) if sample.crf == "gamma14"]
    shards.close()
    black, clipped = test.shares("gamma14")
    stacks = np.stack(pictures)
    assert clipped == pytest.approx((stacks == 254).mean(axis=(0, 2, 3, 4)), abs=1e-12)
    assert black == pytest.approx((stacks == 0).mean(axis=(0, 2, 3, 4)), abs=1e-12)
    assert (np.diff(clipped) >= 0).all() and (
        np.diff(black) <= 0
    ).all()  # more light saturates more, and is darker nowhere


def test_a_camera_that_is_no_look_up_is_measured_on_its_pictures(dataset, monkeypatch):
    def with_noise(self: Shards, sample, crf: str) -> StackSample:
        expanded = expose_view(half_bits(sample.radiance), self.tables[crf]) ^ 1
        return StackSample(f"{sample.key}_{crf}", sample.key, sample.scene, crf, self.evs, expanded)

    plain = measure_shards(Contents(dataset.shards)).parts[0]
    monkeypatch.setattr(Shards, "expand", with_noise)
    noisy = measure_shards(Contents(dataset.shards)).parts[0]
    swapped = np.arange(256) ^ 1  # each level became its neighbour
    for crf, counts in plain.levels.items():
        assert (noisy.levels[crf] == counts[:, swapped]).all()
    assert noisy.stops == plain.stops and noisy.pictures == plain.pictures


def test_an_import_without_tables_catalog_or_facts_is_measured(dataset, tmp_path):
    old = measure_shards(Contents(write_imported(dataset.shards, tmp_path)))
    ours = measure_shards(Contents(dataset.shards))
    assert [part.part for part in old.parts] == ["test"]  # the empty part is left out
    (mine,) = (part for part in ours.parts if part.part == "test")
    for crf, counts in mine.levels.items():
        assert (old.parts[0].levels[crf] == counts).all()
    assert old.parts[0].views == mine.views and old.parts[0].stops is None


def test_statistics_are_the_same_for_any_number_of_threads_and_come_back_from_json(dataset):
    one, two = (
        measure_shards(Contents(dataset.shards), workers=1),
        measure_shards(Contents(dataset.shards), workers=3, quiet=True),
    )
    assert one.to_json() == two.to_json()
    assert Statistics.from_json(json.loads(json.dumps(one.to_json()))).to_json() == one.to_json()


def test_damage_stops_the_measurement_with_shard_and_sample(dataset_copy):
    shards = Shards(dataset_copy.shards, "val", "radiance")
    shard, layout = shards.samples[0]
    path = dataset_copy.shards / shard
    content = bytearray(path.read_bytes())
    content[layout.offset + layout.length - 700] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"{shard}, sample {layout.key}"):
        measure_shards(Contents(dataset_copy.shards))


def test_numbers_as_short_texts():
    assert [percent(share) for share in (0.0, 1e-5, 0.0124, 0.0999, 0.344, 1.0)] == [
        "0", "<0.1 %", "1.2 %", "10 %", "34 %", "100 %",
    ]  # fmt: skip
    assert [stops_text(ev) for ev in (-1.5, 0.0, 2.0)] == ["\u22121.5", "0", "+2"]
    counts = np.zeros(256, np.int64)
    counts[0], counts[255] = 7, 14
    assert sparkline(counts, bins=4) == "▅▁▁█"  # 7 of 14 is 3.5 of 7 steps, rounded to even
    assert Spread.of([]) is None
    assert Spread.of([1.0, 2.0, 3.0]) == Spread(1.0, 1.2, 2.0, 2.8, 3.0)

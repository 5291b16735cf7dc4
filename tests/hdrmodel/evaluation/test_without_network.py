"""The floors: clipped values times the one factor that is best elsewhere, and times the best of each picture."""

from dataclasses import replace

import numpy as np
import pytest

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.exposure import expose_view, exposure_table, half_bits
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import Case
from hdrmodel.evaluation.config import load_evaluation
from hdrmodel.evaluation.measuring import measure
from hdrmodel.evaluation.without_network import (
    ELSEWHERE,
    FACTORS,
    Factors,
    choose_factors,
    clipped_error,
    estimate_by_linearising,
    estimate_without_network,
    srgb_of,
)
from hdrmodel.metrics.absolute import psnr_pu21
from hdrmodel.metrics.table import columns_of

CONFIG = load_evaluation(["metrics=[psnr_pu21]", "alignments=[gain]", "device=cpu"])
EVS = (-1.0, 0.0, 1.0)


def case_of(radiance, crf="gold-200cdblue"):
    camera = named_crfs()[crf]
    light = radiance.astype(np.float16)
    tables = np.stack([exposure_table(camera, 2.0**ev) for ev in EVS])
    return Case("key", "view", "scene", camera, EVS, expose_view(half_bits(light), tables), light.astype(np.float32))


def scene(seed=0, brightest=3.0, shape=(24, 32, 3)):
    return np.exp2(np.random.default_rng(seed).uniform(-8, brightest, shape))


def measured(case, estimate):
    """PU21-PSNR after a gain, by the evaluation itself."""
    columns = columns_of(CONFIG.metrics, CONFIG.alignments)
    (row,), _ = measure(case, [estimate], columns, {"psnr_pu21": psnr_pu21}, CONFIG)
    return row["psnr_pu21_gain"]


@pytest.mark.parametrize("crf", ["gold-200cdblue", "gamma14", "srgb"])
@pytest.mark.parametrize("factor", [1.0, 1.25, 3.0, 12.0])
def test_the_score_of_a_factor_is_what_the_evaluation_measures(crf, factor):
    case = case_of(scene(), crf)
    for camera in (case.crf, srgb_of(case)):
        expected = measured(case, estimate_by_linearising(case, camera, factor))
        assert clipped_error(case, camera, CONFIG).psnr(np.array([factor])) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_no_factor_is_better_than_the_best_of_a_picture(seed):
    case = case_of(scene(seed, brightest=1.0 + seed))
    error = clipped_error(case, case.crf, CONFIG)
    best = error.psnr(np.array([error.best]))
    assert error.best > 1 and (error.psnr(FACTORS) <= best + 1e-9).all()
    made = estimate_without_network(case, Factors(1.5, 2.0, 1), CONFIG)
    assert measured(case, made["clipped_best"]) == pytest.approx(best[0], abs=1e-4)
    scores = {name: measured(case, made[name]) for name in ("clipped_constant", "input_crf")}
    assert measured(case, made["clipped_best"]) >= max(scores.values()) > 0


def test_clipped_values_alone_are_brighter_and_the_stack_shows_it():
    case = case_of(scene())
    made = estimate_without_network(case, Factors(1.5, 2.0, 1), CONFIG)
    own, brighter = made["input_crf"], made["clipped_constant"]
    assert np.array_equal(own.radiance[~case.clipped], brighter.radiance[~case.clipped])
    assert brighter.radiance[case.clipped] == pytest.approx(1.5 * own.radiance[case.clipped])
    assert made["clipped_constant_srgb"].radiance[case.clipped] == pytest.approx(
        2 * made["input_srgb"].radiance[case.clipped]
    )
    assert (brighter.stack[0] >= own.stack[0]).all() and (brighter.stack[0] > own.stack[0]).any()
    assert np.array_equal(brighter.stack[1], case.input.astype(np.float32) / 255)
    assert made["clipped_best"].stack is None and made["oracle"].stack is None


def test_a_picture_that_clips_nowhere_or_everywhere_has_no_factor():
    dark = case_of(0.01 + 0.1 * np.random.default_rng(0).random((8, 8, 3)))
    error = clipped_error(dark, dark.crf, CONFIG)
    assert error.best == 1 and error.psnr(np.array([1.0, 4.0])) == pytest.approx([error.psnr(np.array([1.0]))[0]] * 2)
    white = case_of(np.full((8, 8, 3), 3.0))
    assert clipped_error(white, white.crf, CONFIG) is None
    assert np.isfinite(estimate_without_network(white, Factors(1.5, 2.0, 1), CONFIG)["clipped_best"].radiance).all()


def test_the_factors_are_the_best_in_the_mean_over_the_train_part(dataset):
    train = Shards(dataset.shards, "train", "radiance")
    factors = choose_factors(train, CONFIG)
    assert 0 < factors.pictures <= len(train)
    scores = {factor: [] for factor in (factors.known, factors.known * 1.1, factors.known / 1.1)}
    views = np.unique(np.linspace(0, len(train) - 1, min(100, len(train))).round().astype(int))
    for place, number in enumerate(views):
        sample, crf = train.radiance(int(number)), sorted(train.crfs)[place % len(train.crfs)]
        stack = expose_view(half_bits(sample.radiance), train.tables[crf])
        light = sample.radiance.astype(np.float32)
        case = Case("key", "view", "scene", train.crf(crf), train.evs, stack, light)
        if case.clipped.any() and case.unclipped.any():
            for factor, values in scores.items():
                values.append(measured(case, estimate_by_linearising(case, case.crf, factor)))
    assert len(scores[factors.known]) == factors.pictures
    means = [np.mean(values) for values in scores.values()]
    assert means[0] >= max(means) - 1e-6 and factors.known > 1


def test_without_a_train_part_the_factor_is_that_of_other_scenes():
    assert choose_factors(None, CONFIG) == Factors(ELSEWHERE, ELSEWHERE, 0)


def test_a_camera_that_rounds_clips_at_255():
    case = case_of(scene(), "srgb")
    levels = np.where(case.stack == 254, 255, case.stack).astype(np.uint8)
    rounding = replace(case, crf=replace(case.crf, levels="round255"), stack=levels)
    assert np.array_equal(rounding.clipped, case.clipped) and srgb_of(rounding).levels == "round255"
    assert rounding.clipped.any()

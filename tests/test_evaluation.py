import csv
import json

import numpy as np
import pytest
from test_training import TRAIN

from hdrdata.stream import Shards
from hdrmodel.config import EvaluateConfig, TrainConfig
from hdrmodel.evaluation import (
    METHODS,
    METRICS,
    Estimate,
    estimate_by_linearising,
    estimate_by_oracle,
    evaluate,
    measure,
    read_cases,
)
from hdrmodel.training import train

EVALUATE = {
    "crfs_a_view": None,
    "lpips": {"trunk": None, "trunk_file": None},
    "median_nits": 20,
    "peak_nits": 1000,
    "pictures_a_scene": 1,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def config():
    return EvaluateConfig.parse("evaluate", EVALUATE)


@pytest.fixture(scope="module")
def cases(dataset):
    return list(read_cases(Shards(dataset.shards, "test", "radiance")))


@pytest.fixture(scope="module")
def scored(dataset, tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("evaluation")
    training = TrainConfig.parse("train", {**TRAIN, "steps": 1})
    train(dataset.shards, folder / "run", "none", training)
    summary = evaluate(dataset.shards, folder / "run", folder / "scores", "none", config, training)
    return folder / "scores", summary


def test_every_method_has_a_row_for_every_picture(scored, cases):
    folder, summary = scored
    rows = list(csv.DictReader((folder / "per_picture.csv").read_text().splitlines()))
    assert {(row["key"], row["method"]) for row in rows} == {(case.key, method) for case in cases for method in METHODS}
    assert len(rows) == len(cases) * len(METHODS)
    assert summary["stacks"] == len(cases)
    assert json.loads((folder / "summary.json").read_text()) == summary


def test_the_summary_is_the_mean_of_the_rows(scored):
    folder, summary = scored
    rows = list(csv.DictReader((folder / "per_picture.csv").read_text().splitlines()))
    for method in METHODS:
        for metric in METRICS:
            values = [float(row[metric]) for row in rows if row["method"] == method and row[metric]]
            expected = summary["scores"][method][metric]
            assert (np.mean(values) == pytest.approx(expected, rel=1e-4)) if values else expected is None


def test_the_oracle_is_the_ceiling_and_knowing_the_camera_helps(scored):
    scores = scored[1]["scores"]
    for metric in ("psnr_tonemapped", "psnr_pu21_gain"):
        best = max(scores[method][metric] for method in METHODS if method != "oracle")
        assert scores["oracle"][metric] > best
    assert scores["input_crf"]["psnr_ldr"] > scores["input_srgb"]["psnr_ldr"]
    assert scores["oracle"]["psnr_ldr"] is None


def test_the_truth_itself_scores_without_bound(cases, config):
    case = cases[0]
    row, by_ev = measure(case, Estimate(case.stack.astype(np.float32) / 255, case.radiance * 3), config, None)
    assert row["psnr_ldr"] == np.inf and row["ssim_ldr"] == pytest.approx(1)
    assert set(by_ev) == {ev for ev in case.evs if ev != 0}
    assert row["psnr_pu21_gain"] > 100  # the gain undoes the factor of 3
    assert row["psnr_tonemapped"] > 60


def test_doing_nothing_loses_only_what_the_input_clips(cases):
    for case in cases:
        estimate = estimate_by_linearising(case, case.crf)
        seen = case.unclipped
        own = estimate.radiance[seen]
        assert own == pytest.approx(case.radiance[seen], rel=0.5, abs=0.03)  # one 8-bit step, widest in the shadows
        assert estimate.radiance.max() <= 1.0
        oracle = estimate_by_oracle(case).radiance
        assert oracle.max() > 1.0 or case.radiance.max() <= 1.0


def test_lpips_without_weights_says_how_to_get_them(tmp_path, monkeypatch):
    from hdrmodel.evaluation import load_lpips

    monkeypatch.setenv("HDRMODEL_ALEXNET", str(tmp_path / "not-here.pth"))
    wanted = EvaluateConfig.parse("evaluate", {**EVALUATE, "lpips": {"trunk": "alex", "trunk_file": None}})
    measure_with, state = load_lpips(wanted)
    assert measure_with is None
    assert state.startswith("absent: ") and "alexnet" in state


def test_weights_of_another_variant_are_refused(scored, dataset, config):
    folder, _ = scored
    training = TrainConfig.parse("train", TRAIN)
    with pytest.raises(ValueError, match=r"weights of the variant 'none'; wanted 'spatial'"):
        evaluate(dataset.shards, folder.parent / "run", folder.parent / "other", "spatial", config, training)


def test_the_pictures_of_each_test_scene_are_written(scored, cases):
    folder, _ = scored
    shown = sorted((folder / "pictures").iterdir())
    assert len(shown) == len({case.scene for case in cases})
    for picture in ("input", "stack", "truth_stack", "network", "truth"):
        assert (shown[0] / f"{picture}.png").is_file()

import csv
import json

import numpy as np
import pytest

from hdrdata.shard_reader import Shards
from hdrmodel.config import EvaluateConfig
from hdrmodel.evaluation import (
    METHODS,
    METRICS,
    SEEDED,
    Estimate,
    estimate_by_linearising,
    estimate_by_oracle,
    evaluate,
    measure,
    read_cases,
)
from hdrmodel.weights import initial_network, save_weights

EVALUATE = {
    "crfs_a_view": 2,
    "lpips": {"trunk": None, "trunk_file": None},
    "median_nits": 20,
    "peak_nits": 1000,
    "pictures_a_scene": 1,
    "device": "cpu",
}
SEEDS = (7, 3)


@pytest.fixture(scope="module")
def config():
    return EvaluateConfig.parse("evaluate", EVALUATE)


@pytest.fixture(scope="module")
def cases(dataset):
    return list(read_cases(Shards(dataset.shards, "test", "radiance"), EVALUATE["crfs_a_view"]))


def write_weights(runs, attention, seed, drawn_with, data="d") -> None:
    """Weights that stand for trained ones: those that `drawn_with` gives."""
    network = initial_network(attention, "attnet", 0.125, drawn_with)
    save_weights(runs / str(seed) / "weights.safetensors", network, {"data": data})


@pytest.fixture(scope="module")
def scored(dataset, tmp_path_factory, config):
    """Two seeds: the weights of 7 are others than its first, those of 3 are its first."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_weights(folder / "runs", "none", 7, drawn_with=100)
    write_weights(folder / "runs", "none", 3, drawn_with=3)
    summary = evaluate(dataset.shards, folder / "runs", folder / "scores", "none", SEEDS, config)
    return folder / "scores", summary


def read_rows(folder) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "per_picture.csv").read_text().splitlines()))


def test_every_method_has_a_row_for_every_picture_and_seed_that_it_depends_on(scored, cases):
    folder, summary = scored
    rows = [(row["key"], row["method"], row["seed"]) for row in read_rows(folder)]
    wanted = {(method, str(seed)) for method in SEEDED for seed in SEEDS} | {
        (method, "") for method in METHODS if method not in SEEDED
    }
    assert set(rows) == {(case.key, *method_seed) for case in cases for method_seed in wanted}
    assert len(rows) == len(set(rows)) == len(cases) * (2 * 2 + 3)
    assert summary["stacks"] == len(cases)
    assert summary["seeds"] == list(SEEDS)
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert json.loads((folder / "metrics.json").read_text()) == summary["scores"]


def test_the_summary_is_the_mean_of_the_rows(scored):
    folder, summary = scored
    rows = read_rows(folder)
    both = {(method, seed): summary["scores_by_seed"][str(seed)][method] for method in SEEDED for seed in SEEDS}
    both |= {(method, None): scores for method, scores in summary["scores"].items()}
    for (method, seed), scores in both.items():
        ours = [row for row in rows if row["method"] == method and seed in (None, int(row["seed"] or -1))]
        for metric in METRICS:
            values = [float(row[metric]) for row in ours if row[metric]]
            expected = scores[metric]
            assert (np.mean(values) == pytest.approx(expected, rel=1e-4)) if values else expected is None


def test_each_seed_has_its_own_weights_and_its_own_first_network(scored):
    by_seed = scored[1]["scores_by_seed"]
    assert list(by_seed) == ["7", "3"]
    assert by_seed["3"]["network"] == by_seed["3"]["step0"]  # its weights are its first
    values = {scores["psnr_ldr"] for methods in by_seed.values() for scores in methods.values()}
    assert len(values) == 3


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
    with pytest.raises(ValueError, match=r"runs/7: weights of the variant 'none'; wanted 'spatial'"):
        evaluate(dataset.shards, folder.parent / "runs", folder.parent / "other", "spatial", SEEDS, config)
    with pytest.raises(ValueError, match=r"runs/1/weights\.safetensors: not a readable safetensors file"):
        evaluate(dataset.shards, folder.parent / "runs", folder.parent / "other", "none", (7, 1), config)


def test_seeds_of_different_data_are_refused(dataset, tmp_path, config):
    write_weights(tmp_path / "runs", "none", 0, drawn_with=0)
    write_weights(tmp_path / "runs", "none", 1, drawn_with=1, data="other")
    with pytest.raises(ValueError, match=r"runs/1: another network or other data than .*runs/0"):
        evaluate(dataset.shards, tmp_path / "runs", tmp_path / "scores", "none", (0, 1), config)


def test_the_pictures_of_each_test_scene_are_written(scored, cases):
    folder, _ = scored
    shown = sorted((folder / "pictures").iterdir())
    assert len(shown) == len({case.scene for case in cases})
    for picture in ("input", "stack", "truth_stack", "network", "truth"):
        assert (shown[0] / f"{picture}.png").is_file()

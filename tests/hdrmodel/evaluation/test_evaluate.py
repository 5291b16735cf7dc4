import csv
import dataclasses
import json
import os
import shutil
from urllib.error import URLError

import numpy as np
import OpenEXR
import pytest
import torch
from click.testing import CliRunner

from hdrdata.cameras.exposure import expose_view, exposure_table, half_bits
from hdrdata.files.disk import read_json, write_json
from hdrdata.files.exr import write_exr
from hdrdata.files.radiance import read_radiance
from hdrdata.stream.shard_reader import Shards
from hdrmodel.cli import main
from hdrmodel.evaluation import evaluate as evaluation
from hdrmodel.evaluation.cases import (
    Estimate,
    PredictionFiles,
    case_keys,
    read_cases,
    spread,
    write_inputs,
)
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.evaluation.evaluate import PARTIAL, evaluate, evaluate_predictions, evaluate_release
from hdrmodel.evaluation.measuring import measure
from hdrmodel.evaluation.without_network import estimate_by_linearising, estimate_by_oracle
from hdrmodel.metrics.table import columns_of, load_metrics
from hdrmodel.networks.weights import initial_network, save_weights
from hdrmodel.release.files import WEIGHTS
from hdrmodel.scores.folder import Summary, read_scores
from hdrmodel.scores.methods import METHODS, SEEDED, SHARED

METRICS = ["psnr", "ssim", "psnr_mu", "psnr_pu21", "psnry_pu21", "ssim_pu21"]
EVALUATE = {
    "crfs_a_view": 1,
    "metrics": METRICS,
    "alignments": ["none", "gain", "crf"],
    "lpips": {"trunk": None, "trunk_file": None},
    "bootstrap": {"resamples": 200, "seed": 0},
    "median_nits": 20,
    "peak_nits": 1000,
    "pictures_a_scene": 1,
    "device": "cpu",
}
SEEDS = (7, 3)
COLUMNS = columns_of(METRICS, EVALUATE["alignments"])


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
    write_weights(folder / "runs", "base", 7, drawn_with=100)
    write_weights(folder / "runs", "base", 3, drawn_with=3)
    summary = evaluate(dataset.shards, folder / "runs", folder / "scores", "base", SEEDS, config)
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
    assert len(rows) == len(set(rows)) == len(cases) * (7 * 2 + 6)
    assert summary["stacks"] == len(cases)
    assert summary["seeds"] == list(SEEDS)
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert set(summary) == set(Summary.model_fields)  # written and read by one declaration
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["network"]["psnr_ldr"] == round(summary["scores"]["network"]["psnr_ldr"], 1)  # less than is printed
    assert set(summary["by_scene"]["network"]["psnr_ldr"]) == {case.scene for case in cases}  # fewer than five
    assert summary["intervals"]["network"]["psnr_ldr"] is None


def test_the_summary_is_the_mean_of_the_rows(scored):
    folder, summary = scored
    rows = read_rows(folder)
    both = {(method, seed): summary["scores_by_seed"][str(seed)][method] for method in SEEDED for seed in SEEDS}
    both |= {(method, None): scores for method, scores in summary["scores"].items()}
    for (method, seed), scores in both.items():
        ours = [row for row in rows if row["method"] == method and seed in (None, int(row["seed"] or -1))]
        for column in COLUMNS:
            values = [float(row[column.key]) for row in ours if row[column.key] not in ("", "inf")]
            expected = scores[column.key]
            assert (np.mean(values) == pytest.approx(expected, rel=1e-4)) if values else expected is None


def test_each_seed_has_its_own_weights_and_its_own_first_network(scored):
    by_seed = scored[1]["scores_by_seed"]
    assert list(by_seed) == ["7", "3"]
    assert by_seed["3"]["network"] == pytest.approx(by_seed["3"]["step0"], rel=1e-5)  # its weights are its first
    values = {methods[method]["psnr_ldr"] for methods in by_seed.values() for method in ("network", "step0")}
    assert len(values) == 3


def test_the_oracle_is_the_ceiling_and_knowing_the_camera_helps(scored):
    scores = scored[1]["scores"]
    for metric in ("psnr_tonemapped", "psnr_pu21_gain"):
        best = max(scores[method][metric] or 0 for method in METHODS if method != "oracle")
        assert scores["oracle"][metric] > best
    assert scores["input_crf"]["psnr_ldr"] > scores["input_srgb"]["psnr_ldr"]
    light = "psnr_pu21_gain"
    assert scores["clipped_best"][light] >= scores["clipped_constant"][light] > scores["input_crf"][light]
    assert scores["clipped_constant"][light] > scores["clipped_constant_srgb"][light]
    assert scores["network"][light] > scores["network_srgb"][light]  # it knows the camera
    assert scores["network_srgb"]["psnr_ldr"] is None  # the exposures are those of "network", whatever the camera
    assert scores["oracle"]["psnr_ldr"] is None


def test_the_summary_tells_the_factor_of_the_floors_and_how_intervals_were_drawn(scored):
    summary = scored[1]
    factors = summary["clipped_factors"]
    assert factors["known"] > 1 and factors["pictures"] > 0
    assert f"times {factors['known']:g}, the one factor" in summary["protocol"]["floors"]
    assert summary["bootstrap"] == EVALUATE["bootstrap"]


@pytest.fixture(scope="module")
def metrics(config):
    return load_metrics(METRICS, config.lpips, torch.device("cpu"), config.peak_nits)[0]


def test_the_truth_itself_scores_without_bound(cases, config, metrics):
    case = cases[0]
    truth = Estimate(case.stack.astype(np.float32) / 255, case.radiance * 3)
    (row,), (by_ev,) = measure(case, [truth], COLUMNS, metrics, config)
    assert row["psnr_ldr"] == np.inf and row["ssim_ldr"] == pytest.approx(1)
    assert set(by_ev) == {ev for ev in case.evs if ev != 0}
    assert row["psnr_pu21_gain"] > 100  # the gain undoes the factor of 3
    assert row["psnr_pu21_crf"] > 100
    assert row["psnr_pu21_none"] < 40
    assert row["psnr_tonemapped"] > 60


def test_many_estimates_are_measured_as_each_alone(cases, config, metrics):
    case = cases[0]
    estimates = [
        estimate_by_linearising(case, case.crf),
        estimate_by_oracle(case),
        Estimate(None, None, case.input.astype(np.float32) / 255),
    ]
    together = measure(case, estimates, COLUMNS, metrics, config)
    for number, estimate in enumerate(estimates):
        (row,), (by_ev,) = measure(case, [estimate], COLUMNS, metrics, config)
        ours = {key: value for key, value in together[0][number].items() if value is not None}
        assert ours == pytest.approx({key: value for key, value in row.items() if value is not None}, rel=1e-5)
        assert together[1][number] == by_ev
    assert together[0][1]["psnr_ldr"] is None  # the oracle makes no stack
    assert {key for key, value in together[0][2].items() if value is not None} == {"psnr_tonemapped", "ssim_tonemapped"}


def test_an_exposure_that_is_made_exactly_does_not_void_the_others(cases, config, metrics):
    case = cases[0]
    stack = case.stack.astype(np.float32) / 255
    others = [place for place in range(len(stack)) if place != case.middle]
    stack[others[1:]] = stack[others[1:]][:, ::-1]  # the first exposure stays the truth
    (row,), (by_ev,) = measure(case, [Estimate(stack, case.radiance)], COLUMNS, metrics, config)
    assert by_ev[case.evs[0]]["psnr"] == np.inf
    assert row["psnr_ldr"] == pytest.approx(np.mean([by_ev[case.evs[place]]["psnr"] for place in others[1:]]))


def test_a_view_that_is_mostly_black_keeps_its_scale(cases, config, metrics):
    case = cases[0]
    dark = case.radiance.copy()
    dark[: len(dark) * 4 // 5] = 0
    stack = expose_view(half_bits(dark.astype(np.float16)), exposure_tables(case))
    case = dataclasses.replace(case, radiance=dark, stack=stack)
    (row,), _ = measure(case, [estimate_by_oracle(case)], COLUMNS, metrics, config)
    assert row["psnr_mu_gain"] > 20 and row["psnr_pu21_gain"] > 20


def exposure_tables(case):
    return np.stack([exposure_table(case.crf, 2.0**ev) for ev in case.evs])


def test_an_input_that_is_clipped_everywhere_has_no_gain(cases, config, metrics):
    case = cases[0]
    estimate = Estimate(None, np.where(case.unclipped, 0, case.radiance).astype(np.float32))
    (row,), _ = measure(case, [estimate], COLUMNS, metrics, config)
    assert row["psnr_pu21_gain"] is None and row["psnr_tonemapped"] is None
    assert row["psnr_pu21_none"] is not None


def test_doing_nothing_loses_only_what_the_input_clips(cases):
    for case in cases:
        estimate = estimate_by_linearising(case, case.crf)
        seen = case.unclipped
        own = estimate.radiance[seen]
        assert own == pytest.approx(case.radiance[seen], rel=0.5, abs=0.03)  # one 8-bit step, widest in the shadows
        assert estimate.radiance.max() <= 1.0
        oracle = estimate_by_oracle(case).radiance
        assert oracle.max() > 1.0 or case.radiance.max() <= 1.0


def test_without_lpips_weights_all_else_is_measured_and_told(dataset, scored, tmp_path, monkeypatch):
    def no_network(*arguments, **options):
        raise URLError("no network")

    monkeypatch.delenv("HDRMODEL_ALEXNET", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    weights = scored[0].parent / "runs" / "7" / "weights.safetensors"
    options = ["-s", "metrics=[psnr,lpips]", "-s", "crfs_a_view=1", "-s", "bootstrap.resamples=100"]
    result = CliRunner().invoke(
        main, ["evaluate", str(dataset.shards), str(tmp_path / "out"), "--weights", str(weights), *options]
    )
    assert result.exit_code == 3, result.output
    assert "absent: " in result.stderr and "HDRMODEL_ALEXNET" in result.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "HDRMODEL_ALEXNET" in summary["absent"]["lpips"]
    assert summary["scores"]["network"]["lpips_ldr"] is None and summary["scores"]["network"]["psnr_ldr"] > 0


def test_an_interrupted_evaluation_goes_on_by_picture(dataset, scored, tmp_path, config, monkeypatch):
    whole, _ = scored
    real, measured = evaluation.measure, []

    def stop_after_three(case, *others):
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(case.key)
        return real(case, *others)

    runs, scores = whole.parent / "runs", tmp_path / "scores"
    monkeypatch.setattr(evaluation, "measure", stop_after_three)
    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset.shards, runs, scores, "base", SEEDS, config)
    assert not (scores / "summary.json").exists()
    partial = scores / PARTIAL
    partial.write_text(partial.read_text() + '{"key": "cut')  # as a process that is killed may leave it

    shutil.rmtree(scores / "pictures")  # as DVC does before it calls a stage again
    for name, files in (("of-another-evaluation", ("network.exr", "truth.png")), ("mine", ("photo.png",))):
        (scores / "pictures" / name).mkdir(parents=True)
        for file in files:
            (scores / "pictures" / name / file).touch()

    def count(case, *others):
        measured.append(case.key)
        return real(case, *others)

    monkeypatch.setattr(evaluation, "measure", count)
    evaluate(dataset.shards, runs, scores, "base", SEEDS, config)
    again = len(measured) - len(set(measured))
    assert 1 <= again <= os.cpu_count()  # the one whose pictures are gone, and what other threads had under way
    assert not partial.exists()
    for name in ("per_picture.csv", "per_exposure.csv", "metrics.json"):
        assert (scores / name).read_bytes() == (whole / name).read_bytes()
    shown = {folder.name for folder in (whole / "pictures").iterdir()}
    assert {folder.name for folder in (scores / "pictures").iterdir()} == {*shown, "mine"}  # not ours: left alone

    other = config.model_copy(update={"peak_nits": 500.0})
    partial.write_text(json.dumps({"digest": "of another configuration"}) + "\n" + '{"key": "x"}\n')
    measured.clear()
    evaluate(dataset.shards, runs, scores, "base", SEEDS, other)
    assert len(measured) == len(case_keys(Shards(dataset.shards, "test", "radiance"), EVALUATE["crfs_a_view"]))


def test_a_prediction_is_read_as_a_scene_is_and_damage_refused(tmp_path, cases):
    case = cases[0]
    light = np.full(case.input.shape, 0.5, np.float32)
    light[0, 0] = 0, 2, 0  # green of P3, which Rec.709 does not reach
    light[1, 1] = -1e-7  # rounding
    p3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
    write_exr(tmp_path / f"{case.key}.exr", light, {"chromaticities": p3})
    made = PredictionFiles(tmp_path).estimate(case).radiance
    assert made[0, 0].tolist() == pytest.approx([0, 2 * 1.0419, 0], rel=2e-3)  # SMPTE RP 431-2's matrix, clipped
    assert made.min() == 0 and made[5, 5] == pytest.approx([0.5] * 3, rel=1e-3)
    light[1, 1] = -0.1
    write_exr(tmp_path / f"{case.key}.exr", light)
    with pytest.raises(ValueError, match="a value is negative or not finite"):
        PredictionFiles(tmp_path).estimate(case)


def test_predictions_of_another_program_are_scored_and_missing_ones_named(dataset, tmp_path, cases, config):
    count = write_inputs(Shards(dataset.shards, "test", "radiance"), tmp_path / "inputs", EVALUATE["crfs_a_view"])
    assert count == len(list((tmp_path / "inputs").glob("*.png"))) == len(cases)
    theirs = tmp_path / "theirs"
    for case in cases:
        write_exr(theirs / f"{case.key}.exr", case.radiance * 7.03)  # the truth except for rounding, at its own scale
    summary = evaluate_predictions(dataset.shards, theirs, tmp_path / "scores", "other", config)
    scores = summary["scores"]
    assert set(scores) == {"network", *SHARED} and summary["kind"] == "predictions"
    assert scores["network"]["psnr_pu21_gain"] > scores["oracle"]["psnr_pu21_gain"]
    assert scores["network"]["psnr_pu21_none"] < scores["network"]["psnr_pu21_gain"]
    assert scores["network"]["psnr_ldr"] is None
    assert not list((tmp_path / "scores").glob("pictures/*/stack.png"))

    (theirs / f"{cases[0].key}.exr").unlink()
    with pytest.raises(ValueError, match=rf"theirs: 1 of {len(cases)} pictures have no HDR file: {cases[0].key}"):
        evaluate_predictions(dataset.shards, theirs, tmp_path / "scores", "other", config)
    fewer = evaluate_predictions(dataset.shards, theirs, tmp_path / "scores", "other", config, allow_missing=True)
    assert fewer["stacks"] == len(cases) - 1 and fewer["missing"] == [cases[0].key]
    write_exr(theirs / f"{cases[0].key}.exr", cases[0].radiance[:-1])
    with pytest.raises(ValueError, match=rf"{cases[0].key}\.exr: \d+x\d+ pixels; expected"):
        evaluate_predictions(dataset.shards, theirs, tmp_path / "scores", "other", config)


def test_of_predictions_with_layers_the_named_one_is_measured(dataset, tmp_path, cases, config):
    for case in cases:
        light = {"theirs": case.radiance, "depth": 1 - case.radiance}
        layers = {f"{name}.{letter}": light[name][:, :, place].copy() for name in light
                  for place, letter in enumerate("RGB")}  # fmt: skip
        with OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}, layers) as file:
            file.write(str(tmp_path / f"{case.key}.exr"))
        assert (PredictionFiles(tmp_path, "theirs").estimate(case).radiance == case.radiance).all()
    with pytest.raises(ValueError, match=r"layers depth, theirs: several could be the picture; .* --layer NAME"):
        PredictionFiles(tmp_path).estimate(cases[0])
    with pytest.raises(ValueError, match="no layer 'none'; expected one of its layers: depth, theirs"):
        evaluate_predictions(dataset.shards, tmp_path, tmp_path / "scores", "other", config, layer="none")


def test_what_the_report_shows_is_what_was_measured(scored, cases):
    folder, summary = scored
    shown = sorted((folder / "pictures").iterdir())
    assert len(shown) == summary["scenes"]
    by_key = {case.key: case for case in cases}
    for picture in shown:
        case = by_key[picture.name]
        truth = read_radiance(picture / "truth.exr")
        assert np.array_equal(truth, case.radiance)
        ours = read_radiance(picture / "network.exr")
        assert ours[case.unclipped] @ ours[case.unclipped] == pytest.approx(  # at the gain, p.g = p.p
            ours[case.unclipped] @ truth[case.unclipped], rel=1e-3
        )
        assert {path.name for path in picture.iterdir()} >= {"input.png", "stack.png", "truth_stack.png", "network.png"}


def test_a_few_views_of_each_scene_are_spread_evenly():
    assert spread(range(6), 2) == [0, 3] and spread(range(6), 4) == [0, 1, 3, 4] and spread([7], 3) == [7]


def test_the_shipped_weights_have_rows_without_seeds(dataset, tmp_path, config):
    summary = evaluate_release(dataset.shards, WEIGHTS, tmp_path, config)
    assert (summary["kind"], summary["seeds"]) == ("release", [])
    assert summary["trained_on_these_shards"] is not True  # a mean of two trainings states no digest of its data
    unknown = {name for name, method in METHODS.items() if method.role == "unknown"}
    assert set(summary["scores"]) == {"network", *unknown, *SHARED}
    assert read_scores(tmp_path).summary.costs.parameters > 1e6


def test_weights_of_another_variant_are_refused(scored, dataset, config):
    folder, _ = scored
    with pytest.raises(ValueError, match=r"runs/7/.*: weights of the variant 'base'; expected 'spatial'"):
        evaluate(dataset.shards, folder.parent / "runs", folder.parent / "other", "spatial", SEEDS, config)
    with pytest.raises(ValueError, match=r"runs/1/weights\.safetensors: not a readable safetensors file"):
        evaluate(dataset.shards, folder.parent / "runs", folder.parent / "other", "base", (7, 1), config)


def test_seeds_of_different_data_are_refused(dataset, tmp_path, config):
    write_weights(tmp_path / "runs", "base", 0, drawn_with=0)
    write_weights(tmp_path / "runs", "base", 1, drawn_with=1, data="other")
    with pytest.raises(ValueError, match=r"runs/1/.*: another network or other data than .*runs/0"):
        evaluate(dataset.shards, tmp_path / "runs", tmp_path / "scores", "base", (0, 1), config)


def test_a_scene_in_two_parts_is_refused_before_anything_is_measured(dataset, scored, tmp_path, config):
    shards = tmp_path / "shards"
    shutil.copytree(dataset.shards, shards)
    index = read_json(shards / "index.json")
    leak = next(row for row in index["rows"].values() if (row["part"], row["form"]) == ("train", "radiance"))
    leak["part"] = "test"
    write_json(shards / "index.json", index)
    with pytest.raises(ValueError, match=r"shards: scene '.*' of the parts 'train' and 'test'.*: one scene in both"):
        evaluate(shards, scored[0].parent / "runs", tmp_path / "scores", "base", SEEDS, config)
    assert not (tmp_path / "scores").exists()

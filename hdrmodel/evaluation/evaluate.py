"""Measure a trained variant, or the HDR files of another program, on the stacks of the test part.

Beside them always stand doing nothing, clipped values times the best factor of the train part (the floor), and the
merged true stack (the ceiling).
"""

import contextlib
import json
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import cv2
import torch
from rich.console import Console
from rich.progress import Progress

from hdrdata.files.disk import digest_of, read_json, sha256_of, write_bytes, write_json
from hdrdata.machine import available_cores
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import (
    Case,
    PredictionFiles,
    case_keys,
    estimate_by_network,
    read_cases,
)
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.evaluation.costs import network_costs
from hdrmodel.evaluation.leaks import check_no_leak, scenes_of_parts
from hdrmodel.evaluation.measuring import measure
from hdrmodel.evaluation.pictures import LAST_PICTURE, PICTURE_FILES, PICTURES, is_pictured, write_pictures
from hdrmodel.evaluation.subject import Estimates, Subject, subject_of_release, subject_of_weights
from hdrmodel.evaluation.summary import rounded, rounded_scores, settings_of, summarise, versions_used, write_rows
from hdrmodel.evaluation.without_network import Factors, choose_factors, estimate_without_network
from hdrmodel.metrics.table import Column, columns_of, load_metrics
from hdrmodel.networks.devices import choose_device, device_name
from hdrmodel.networks.weights import load_weights
from hdrmodel.scores.folder import FACTS, FORMAT, PER_PICTURE, SUMMARY, Summary

PARTIAL = "rows.partial.jsonl"  # of an evaluation that was cut short
VERSION = 1  # of what a row holds; raise it when code changes the scores, so half-done evaluations start over
TIMED = 4  # calls of the network; the first one warms up


def evaluate(
    shards: Path, runs: Path, scores: Path, variant: str, seeds: Sequence[int], config: EvaluateConfig
) -> dict:
    """Measure a variant's weights of every seed on the test part and write the scores to the folder `scores`.

    `per_picture.csv` has a row for each picture, method and, where the method depends on it, seed;
    `per_exposure.csv` the LDR metrics of each generated exposure; `metrics.json` the means over all seeds,
    `summary.json` these with their intervals, each seed's own, and how they were measured; `pictures/` what the report
    shows of the first seed. An interrupted evaluation continues with the next image.

    Args:
        runs: has a folder a seed with `weights.safetensors`.
        seeds: what the weights were trained with; each also gives a network before its first step.

    Returns:
        what summary.json holds.

    Raises:
        ValueError: if there is no test part, a scene lies in two parts, there are no weights, they are of another
            variant, or those of two seeds are of different networks or data.
    """
    files = {seed: runs / str(seed) / "weights.safetensors" for seed in seeds}
    return _evaluate(shards, scores, subject_of_weights(files, variant, config), config)


def evaluate_weights(shards: Path, files: Sequence[Path], scores: Path, config: EvaluateConfig) -> dict:
    """Measure files of weights as `evaluate` does: all of one variant, each of the seed in its header.

    Raises:
        ValueError: also if two files are of one seed.
    """
    by_seed: dict[int, Path] = {}
    for file in files:
        seed = int(load_weights(file)[1].get("seed", 0))
        if seed in by_seed:
            raise ValueError(f"{file}: weights of seed {seed}, as {by_seed[seed]}; expected one file a seed")
        by_seed[seed] = file
    return _evaluate(shards, scores, subject_of_weights(by_seed, None, config), config)


def evaluate_release(shards: Path, weights: Path, scores: Path, config: EvaluateConfig) -> dict:
    """Measure the shipped weights as `evaluate` does, without seeds and without a network before its first step."""
    return _evaluate(shards, scores, subject_of_release(weights, config), config)


def evaluate_predictions(
    shards: Path,
    folder: Path,
    scores: Path,
    name: str,
    config: EvaluateConfig,
    allow_missing: bool = False,
    layer: str | None = None,
) -> dict:
    """As `evaluate`, of HDR files that another program made of the inputs (`hdrmodel.evaluation.cases.write_inputs`).

    Args:
        folder: `<key>.exr`, .hdr, .pfm or .tif, linear RGB of any scale, of the size of the input.
        name: of the program, for the tables.
        allow_missing: measure on the pictures that have a file; else a missing one is refused.
        layer: of .exr files, the name of the layer that is the picture.

    Raises:
        ValueError: naming the missing files, or the wrong one.
    """
    predictions = PredictionFiles(folder, layer)
    keys = case_keys(open_test_part(shards), config.crfs_a_view, config.views_a_scene)
    missing = set(predictions.missing(keys))
    if len(missing) == len(keys):
        raise ValueError(f"{folder}: no HDR file has the name of a key of the test part, such as {keys[0]}.exr")
    if missing and not allow_missing:
        shown = ", ".join(sorted(missing)[:3])
        raise ValueError(
            f"{folder}: {len(missing)} of {len(keys)} pictures have no HDR file: {shown}"
            f"{', ...' if len(missing) > 3 else ''}; expected one named by each key (or --allow-missing)"
        )

    def estimate(case: Case) -> Estimates:
        return [("network", None, predictions.estimate(case))]

    digests = {key: sha256_of(predictions.paths[key]) for key in keys if key in predictions.paths}
    identity = digests if layer is None else {"layer": layer, "files": digests}
    subject = Subject(name, "predictions", (), identity, "", None, estimate)
    return _evaluate(shards, scores, subject, config, missing)


def open_test_part(shards: Path) -> Shards:
    """The test part in radiance form; ValueError if its exposures or cameras are none that can be measured."""
    reader = Shards(shards, "test", "radiance")
    if 0.0 not in reader.evs or len(reader.evs) < 2:
        raise ValueError(f"{shards}: exposures {reader.evs}; evaluation needs EV 0, which is the input, and another")
    if reader.random_cameras is not None:
        raise ValueError(f"{shards}: its cameras are drawn for each view; evaluation needs a recipe without draws")
    return reader


def _evaluate(
    shards: Path,
    scores: Path,
    subject: Subject,
    config: EvaluateConfig,
    without: frozenset[str] | set[str] = frozenset(),
) -> dict:
    reader = open_test_part(shards)
    check_no_leak(scenes_of_parts(shards), shards)
    device = choose_device(config.device)
    metrics, absent = load_metrics(config.metrics, config.lpips, device, config.peak_nits)
    columns = columns_of(config.metrics, config.alignments)
    keys = [key for key in case_keys(reader, config.crfs_a_view, config.views_a_scene) if key not in without]
    trunks = {key: getattr(metric.of, "trunk_sha256", None) for key, metric in metrics.items()}
    factors = choose_factors(_train_part(shards, reader), config)
    data = [_rows_of(reader), asdict(factors)]
    identity = [FORMAT, subject.identity, data, settings_of(config), keys, trunks, versions_used(), VERSION]

    def measure_one(case: Case, pictures: Path | None) -> dict:
        try:
            return _measure_case(case, subject, columns, metrics, config, factors, pictures)
        except ValueError as error:
            raise ValueError(f"{case.key}: {error}") from error

    done = _resumed(scores, digest_of(identity), keys)
    (scores / PICTURES).mkdir(exist_ok=True)  # also without pictures: DVC expects it
    cases = _cases_with_pictures(reader, scores / PICTURES, config, set(keys))
    todo = ((case, folder) for case, folder in cases if case.key not in done)
    console = Console(file=sys.stdout)  # this one, whatever a reader of files puts in its place
    bar = Progress(console=console, redirect_stdout=False, redirect_stderr=False)
    with bar, (scores / PARTIAL).open("a", encoding="utf-8") as partial:
        task = bar.add_task(f"evaluate {subject.name}", total=len(keys), completed=len(done))
        for entry in _in_threads(measure_one, todo):
            done[entry["key"]] = entry
            partial.write(json.dumps(entry) + "\n")
            partial.flush()
            bar.advance(task)
    entries = [done[key] for key in keys]
    rows = [row for entry in entries for row in entry["rows"]]
    exposures = [row for entry in entries for row in entry["exposures"]]
    versions = {key: metric.version for key, metric in metrics.items()}
    summary = summarise(subject, rows, exposures, columns, config, absent, versions, reader, factors)
    summary |= {"costs": _costs(subject, reader, device), "missing": sorted(without)}
    _write(scores, summary, rows, exposures, columns, set(metrics))
    _remove_other_pictures(scores, {entry["key"] for entry in entries if entry["pictured"]})
    (scores / PARTIAL).unlink()
    return summary


def _cases_with_pictures(
    reader: Shards, folder: Path, config: EvaluateConfig, keys: set[str]
) -> Iterator[tuple[Case, Path | None]]:
    """Return the case of each key, and the folder for its pictures if it is one of the few shown of its scene."""
    shown: dict[str, set[str]] = {}
    for case in read_cases(reader, config.crfs_a_view, config.views_a_scene):
        if case.key in keys:
            views = shown.setdefault(case.scene, set())
            pictured = case.view not in views and len(views) < config.pictures_a_scene
            if pictured:
                views.add(case.view)
            yield case, folder if pictured else None


def _write(
    scores: Path, summary: dict, rows: list[dict], exposures: list[dict], columns: Sequence[Column], metrics: set[str]
) -> None:
    """Write the tables and the summary."""
    write_rows(scores / PER_PICTURE, rows, [*FACTS, *(column.key for column in columns)])
    measured = [column.metric.key for column in columns if column.set == "ldr" and column.metric.key in metrics]
    write_rows(scores / "per_exposure.csv", exposures, ["key", "scene", "method", "seed", "ev", *measured])
    Summary.parse("summary", summary)  # as readers declare it
    write_json(scores / SUMMARY, summary)
    write_json(scores / "metrics.json", rounded_scores(summary))


def _remove_other_pictures(scores: Path, shown: set[str]) -> None:
    """Remove the pictures of an evaluation of other cases: the files that `write_pictures` writes, and no other."""
    for last in (scores / PICTURES).glob(f"*/{LAST_PICTURE}"):
        if last.parent.name not in shown and (last.parent / "network.exr").is_file():
            for name in PICTURE_FILES:
                (last.parent / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty: somebody's files are in it
                last.parent.rmdir()


def _refuse_others(scores: Path) -> None:
    """Refuse a folder in which files of another program have the names of ours, before any is replaced."""
    for name in (SUMMARY, "metrics.json"):
        if (scores / name).exists():
            read_json(scores / name)  # raises if it is no JSON object
    for name in (PER_PICTURE, "per_exposure.csv"):
        path = scores / name
        if path.exists() and not path.read_bytes().startswith(b"key,"):
            raise ValueError(f"{path}: not a table of `hdrmodel evaluate`; expected another folder")


def _in_threads(call: Callable[..., dict], items: Iterator[tuple]) -> Iterator[dict]:
    """call(*item) of each item, in order, one thread a core; what is ahead of the results is bounded.

    Each thread computes alone: PyTorch and NumPy let go of the interpreter while they do, and a picture's scores do not
    depend on the number of cores.
    """
    threads, opencv, torchs = available_cores(), cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    waiting: deque[Future] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(call, *item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        cv2.setNumThreads(opencv)
        torch.set_num_threads(torchs)  # what a thread sets is now and then everybody's


def _resumed(scores: Path, digest: str, keys: Sequence[str]) -> dict[str, dict]:
    """Return what an interrupted evaluation of the same digest has measured; remove a last line that is not complete.

    A case whose picture for the report is gone (DVC removes outputs that it tracks) is measured again.
    """
    path, done, wanted = scores / PARTIAL, {}, set(keys)
    if path.is_file():
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last line break was cut
        try:
            head, *entries = [json.loads(line) for line in lines]
            if head == {"digest": digest}:
                kept = [entry for entry in entries if entry["key"] in wanted]
                done = {entry["key"]: entry for entry in kept if not entry["pictured"] or is_pictured(scores, entry)}
        except (ValueError, KeyError, TypeError):
            done = {}  # not whole lines of ours: measured again
    if not done:
        _refuse_others(scores)
        for name in (SUMMARY, "metrics.json", PER_PICTURE, "per_exposure.csv"):
            (scores / name).unlink(missing_ok=True)  # of another evaluation
    content = [{"digest": digest}, *done.values()]
    write_bytes(path, "".join(json.dumps(line) + "\n" for line in content).encode())
    return done


def _measure_case(
    case: Case,
    subject: Subject,
    columns: Sequence[Column],
    metrics: dict,
    config: EvaluateConfig,
    factors: Factors,
    pictures: Path | None,
) -> dict:
    """All that is kept of one case, as plain values; with a folder its pictures are written."""
    estimates = subject.estimate(case)
    networks = [estimate for method, _, estimate in estimates if method == "network"]
    estimates += [(method, None, made) for method, made in estimate_without_network(case, factors, config).items()]
    measured, by_ev = measure(case, [estimate for *_, estimate in estimates], columns, metrics, config)
    about = {"key": case.key, "scene": case.scene, "view": case.view, "crf": case.crf.name}
    clipped = round(case.clipped_share, 6)
    rows, exposures = [], []
    for (method, seed, _), row, steps in zip(estimates, measured, by_ev, strict=True):
        values = {name: rounded(value) for name, value in row.items()}
        rows.append({**about, "method": method, "seed": seed, "clipped_share": clipped, **values})
        for ev, scores in steps.items():
            place = {"key": case.key, "scene": case.scene, "method": method, "seed": seed, "ev": ev}
            exposures.append({**place, **{name: rounded(value) for name, value in scores.items()}})
    if pictures is not None:
        write_pictures(pictures / case.key, case, networks[0])
    return {"key": case.key, "pictured": pictures is not None, "rows": rows, "exposures": exposures}


def _train_part(shards: Path, reader: Shards) -> Shards | None:
    parts = {row["part"] for row in reader.index["rows"].values() if row["form"] == "radiance"}
    return Shards(shards, "train", "radiance") if "train" in parts else None


def _rows_of(reader: Shards) -> list:
    return [row["files"] for row in reader.index["rows"].values() if (row["part"], row["form"]) == ("test", "radiance")]


def _costs(subject: Subject, reader: Shards, device: torch.device) -> dict:
    """Return the network's costs, on the first image, by itself and with all threads; nothing of another program."""
    if subject.network is None:
        return {}
    case = next(read_cases(reader, 1))
    times = []
    for _ in range(TIMED):
        started = time.perf_counter()
        estimate_by_network(case, subject.network, device)
        times.append(time.perf_counter() - started)
    size = max(case.input.shape[:2])
    parameters, gmacs = network_costs(subject.network, size)
    costs = {"parameters": parameters, "gmacs": round(gmacs, 3), "size": size}
    return {**costs, "seconds_per_stack": round(statistics.median(times[1:]), 4), "device": device_name(device)}

"""Measure a trained variant, or the HDR files of another program, on the stacks of the test part.

Beside them always stand doing nothing (the floor) and the merged true stack (the ceiling).
"""

import csv
import io
import json
import math
import os
import shlex
import shutil
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

import hdrdata
from hdrdata.files.disk import digest_of, sha256_of, write_bytes, write_json
from hdrdata.files.exr import write_exr
from hdrdata.files.ldr import write_png
from hdrdata.files.tonemap import to_uint8, tonemap_reinhard
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import (
    Case,
    Estimate,
    PredictionFiles,
    case_keys,
    estimate_by_merging,
    estimate_by_network,
    estimate_without_network,
    read_cases,
)
from hdrmodel.evaluation.leaks import check_no_leak, scenes_of_parts
from hdrmodel.evaluation.measuring import PROTOCOL, measure
from hdrmodel.metrics.alignment import align_gain
from hdrmodel.metrics.table import METRICS, Column, columns_of, load_metrics
from hdrmodel.networks.costs import network_costs
from hdrmodel.networks.variants import BASELINES, Network, variant_of
from hdrmodel.networks.weights import choose_device, device_name, load_weights, untrained_network
from hdrmodel.scores.folder import FACTS, FORMAT, PER_PICTURE, SUMMARY
from hdrmodel.scores.intervals import STRATA, Table, mean_interval, stratum_label, stratum_of
from hdrmodel.training.config import EvaluateConfig

PARTIAL = "rows.partial.jsonl"  # of an evaluation that was cut short
PICTURES, LAST_PICTURE = "pictures", "truth.png"  # what `write_pictures` writes last
SEEDED = ("network", "step0", "network_debevec", "network_mertens")  # the methods that depend on the seed
METHODS = (*SEEDED, "input_crf", "input_srgb", "oracle")
TIMED = 4  # calls of the network, the first of which warms up
INTERVALS = (
    "95 % intervals by a bootstrap over scenes{seeds} of {resamples} resamples: pictures of one scene are not "
    "independent. They say how far the mean over other scenes of this kind may lie, and nothing of other kinds."
)

Estimates = list[tuple[str, int | None, Estimate]]


@dataclass(frozen=True)
class Subject:
    """What is measured: how it makes its estimates, and what the scores are told to be of."""

    name: str
    kind: str  # "attention", "baseline" or "predictions"
    seeds: tuple[int, ...]
    identity: object  # all that its estimates depend on, as JSON
    data: str  # a digest of what it was trained on; "" if that is not known
    network: Network | None  # of the first seed; None: another program's files
    estimate: Callable[[Case], Estimates]


def evaluate(
    shards: Path, runs: Path, scores: Path, variant: str, seeds: Sequence[int], config: EvaluateConfig
) -> dict:
    """Measure a variant's weights of every seed on the test part and write the scores to the folder `scores`.

    `per_picture.csv` has a row for each picture, method and, where the method depends on it, seed;
    `per_exposure.csv` the LDR metrics of each generated exposure; `metrics.json` the means over all seeds,
    `summary.json` these with their intervals, each seed's own, and how they were measured; `pictures/` what the report
    shows of the first seed. An evaluation that was cut short goes on with the next picture.

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
    return _evaluate(shards, scores, _subject_of_weights(files, variant, config), config)


def evaluate_weights(shards: Path, files: Sequence[Path], scores: Path, config: EvaluateConfig) -> dict:
    """As `evaluate`, of files of weights: all of one variant, each of a seed that its header tells.

    Raises:
        ValueError: also if two files are of one seed.
    """
    by_seed: dict[int, Path] = {}
    for file in files:
        seed = int(load_weights(file)[1].get("seed", 0))
        if seed in by_seed:
            raise ValueError(f"{file}: weights of seed {seed}, as {by_seed[seed]}; wanted one file a seed")
        by_seed[seed] = file
    return _evaluate(shards, scores, _subject_of_weights(by_seed, None, config), config)


def evaluate_predictions(
    shards: Path, folder: Path, scores: Path, name: str, config: EvaluateConfig, allow_missing: bool = False
) -> dict:
    """As `evaluate`, of HDR files that another program made of the inputs (`hdrmodel.evaluation.cases.write_inputs`).

    Args:
        folder: `<key>.exr`, .hdr, .pfm or .tif, linear RGB of any scale, of the size of the input.
        name: of the program, for the tables.
        allow_missing: measure on the pictures that have a file; else a missing one is refused.

    Raises:
        ValueError: naming the files that are missing, or the one that is wrong.
    """
    predictions = PredictionFiles(folder)
    keys = case_keys(open_test_part(shards), config.crfs_a_view)
    missing = set(predictions.missing(keys))
    if len(missing) == len(keys):
        raise ValueError(f"{folder}: no HDR file is named by a key of the test part, such as {keys[0]}.exr")
    if missing and not allow_missing:
        shown = ", ".join(sorted(missing)[:3])
        raise ValueError(
            f"{folder}: {len(missing)} of {len(keys)} pictures have no HDR file: {shown}"
            f"{', ...' if len(missing) > 3 else ''}; wanted one named by each key (or --allow-missing)"
        )

    def estimate(case: Case) -> Estimates:
        return [("network", None, predictions.estimate(case))]

    digests = {key: sha256_of(predictions.paths[key]) for key in keys if key in predictions.paths}
    subject = Subject(name, "predictions", (), digests, "", None, estimate)
    return _evaluate(shards, scores, subject, config, missing)


def _subject_of_weights(files: dict[int, Path], variant: str | None, config: EvaluateConfig) -> Subject:
    device = choose_device(config.device)
    networks, kinds, identity = {}, [], []
    for seed, file in files.items():
        trained, header = load_weights(file)
        name = variant_of(trained)
        variant = variant or name
        if name != variant:
            raise ValueError(f"{file}: weights of the variant '{name}'; wanted '{variant}'")
        kinds.append((trained.config, header.get("data", "")))
        if kinds[-1] != kinds[0]:
            raise ValueError(f"{file}: another network or other data than {next(iter(files.values()))}")
        identity.append([seed, sha256_of(file)])
        untrained = untrained_network(trained.config, seed).eval()
        networks[seed] = {"network": trained.to(device), "step0": untrained.to(device)}

    def estimate(case: Case) -> Estimates:
        estimates = []
        for seed, pair in networks.items():
            made, before = (estimate_by_network(case, pair[name], device) for name in ("network", "step0"))
            estimates.append(("network", seed, Estimate(made.stack, made.radiance)))
            estimates += [(method, seed, one) for method, one in estimate_by_merging(made).items()]
            estimates.append(("step0", seed, Estimate(before.stack, before.radiance)))
        return estimates

    first = next(iter(networks.values()))["network"]
    kind = "baseline" if variant in BASELINES else "attention"
    return Subject(variant, kind, tuple(files), identity, kinds[0][1], first, estimate)


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
    keys = [key for key in case_keys(reader, config.crfs_a_view) if key not in without]
    trunks = {key: getattr(metric.of, "trunk_sha256", None) for key, metric in metrics.items()}
    identity = [FORMAT, subject.identity, _rows_of(reader), _settings(config), keys, trunks, _versions(), _code()]

    def fresh(wanted: set[str]) -> Iterator[tuple[Case, Path | None]]:
        shown: dict[str, set[str]] = {}
        for case in read_cases(reader, config.crfs_a_view):
            views = shown.setdefault(case.scene, set())
            pictured = case.view not in views and len(views) < config.pictures_a_scene and case.key not in without
            if pictured:
                views.add(case.view)
            if case.key in wanted:
                yield case, scores / PICTURES if pictured else None

    def measure_one(case: Case, pictures: Path | None) -> dict:
        try:
            return _measure_case(case, subject, columns, metrics, config, pictures)
        except ValueError as error:
            raise ValueError(f"{case.key}: {error}") from error

    done = _resumed(scores, digest_of(identity), keys)
    (scores / PICTURES).mkdir(exist_ok=True)  # also without pictures: DVC wants it
    console = Console(file=sys.stdout)  # this one, whatever a reader of files puts in its place
    bar = Progress(console=console, redirect_stdout=False, redirect_stderr=False)
    with bar, (scores / PARTIAL).open("a", encoding="utf-8") as partial:
        task = bar.add_task(f"evaluate {subject.name}", total=len(keys), completed=len(done))
        for entry in _in_threads(measure_one, fresh({key for key in keys if key not in done})):
            done[entry["key"]] = entry
            partial.write(json.dumps(entry) + "\n")
            partial.flush()
            bar.advance(task)
    entries = [done[key] for key in keys]
    rows = [row for entry in entries for row in entry["rows"]]
    exposures = [row for entry in entries for row in entry["exposures"]]
    told = {key: metric.version for key, metric in metrics.items()}
    summary = _summarise(subject, rows, exposures, columns, config, absent, told, reader)
    summary["costs"] = _costs(subject, reader, device)
    summary["missing"] = sorted(without)
    write_rows(scores / PER_PICTURE, rows, [*FACTS, *(column.key for column in columns)])
    measured = [key for key in metrics if any(column.metric.key == key and column.set == "ldr" for column in columns)]
    write_rows(scores / "per_exposure.csv", exposures, ["key", "scene", "method", "seed", "ev", *measured])
    write_json(scores / SUMMARY, summary)
    write_json(scores / "metrics.json", summary["scores"])
    shown = {entry["key"] for entry in entries if entry["pictured"]}
    for last in (scores / PICTURES).glob(f"*/{LAST_PICTURE}"):  # of an evaluation of other pictures
        if last.parent.name not in shown and (last.parent / "network.exr").is_file():
            shutil.rmtree(last.parent)
    (scores / PARTIAL).unlink()
    return summary


def _in_threads(call: Callable[..., dict], items: Iterator[tuple]) -> Iterator[dict]:
    """call(*item) of each item, in order, one thread a core; what is ahead of the results is bounded.

    Each thread computes alone: PyTorch and NumPy let go of the interpreter while they do, and a picture's scores do not
    depend on the number of cores.
    """
    threads, opencv, torchs = os.cpu_count() or 1, cv2.getNumThreads(), torch.get_num_threads()
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
    """What an evaluation of the same digest has measured before it was cut short; its file then ends in whole lines.

    A picture that the report was to show and that is gone (DVC clears what it tracks) is measured again.
    """
    path, done, wanted = scores / PARTIAL, {}, set(keys)
    if path.is_file():
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last line break was cut
        try:
            head, *entries = [json.loads(line) for line in lines]
            if head == {"digest": digest}:
                kept = [entry for entry in entries if entry["key"] in wanted]
                done = {entry["key"]: entry for entry in kept if not entry["pictured"] or _is_pictured(scores, entry)}
        except (ValueError, KeyError, TypeError):
            done = {}  # not whole lines of ours: measured again
    if not done:
        for name in (SUMMARY, "metrics.json", PER_PICTURE, "per_exposure.csv"):
            (scores / name).unlink(missing_ok=True)  # of another evaluation
    content = [{"digest": digest}, *done.values()]
    write_bytes(path, "".join(json.dumps(line) + "\n" for line in content).encode())
    return done


def _is_pictured(scores: Path, entry: dict) -> bool:
    return (scores / PICTURES / entry["key"] / LAST_PICTURE).is_file()


def _measure_case(
    case: Case,
    subject: Subject,
    columns: Sequence[Column],
    metrics: dict,
    config: EvaluateConfig,
    pictures: Path | None,
) -> dict:
    """All that is kept of one case, as plain values; with a folder its pictures are written."""
    estimates = subject.estimate(case)
    networks = [estimate for method, _, estimate in estimates if method == "network"]
    estimates += [(method, None, estimate) for method, estimate in estimate_without_network(case).items()]
    measured, by_ev = measure(case, [estimate for *_, estimate in estimates], columns, metrics, config)
    about = {"key": case.key, "scene": case.scene, "view": case.view, "crf": case.crf.name}
    clipped = round(case.clipped_share, 6)
    rows, exposures = [], []
    for (method, seed, _), row, steps in zip(estimates, measured, by_ev, strict=True):
        values = {name: _rounded(value) for name, value in row.items()}
        rows.append({**about, "method": method, "seed": seed, "clipped_share": clipped, **values})
        for ev, scores in steps.items():
            place = {"key": case.key, "scene": case.scene, "method": method, "seed": seed, "ev": ev}
            exposures.append({**place, **{name: _rounded(value) for name, value in scores.items()}})
    if pictures is not None:
        write_pictures(pictures / case.key, case, networks[0])
    return {"key": case.key, "pictured": pictures is not None, "rows": rows, "exposures": exposures}


def _summarise(
    subject: Subject,
    rows: list[dict],
    exposures: list[dict],
    columns: Sequence[Column],
    config: EvaluateConfig,
    absent: dict[str, str],
    measured: dict[str, str],
    reader: Shards,
) -> dict:
    methods = [method for method in METHODS if any(row["method"] == method for row in rows)]
    by_method = {method: [row for row in rows if row["method"] == method] for method in methods}
    of_network = by_method["network"]
    keys = [column.key for column in columns]
    resamples = config.bootstrap.resamples
    several = len(subject.seeds) > 1

    def intervals(chosen: list[dict]) -> dict[str, list[float] | None]:
        found = {key: mean_interval(table_of(chosen, key), resamples, config.bootstrap.seed) for key in keys}
        return {
            key: None if interval.low is None else [_number(interval.low), _number(interval.high)]
            for key, interval in found.items()
        }

    strata = []
    shares = {row["key"]: row["clipped_share"] for row in rows}
    stratum = dict(zip(shares, stratum_of(np.array(list(shares.values()))), strict=True))  # of each picture
    for place, (low, high) in enumerate(STRATA):
        inside = {
            method: [row for row in chosen if stratum[row["key"]] == place] for method, chosen in by_method.items()
        }
        if pictures := {row["key"]: row["scene"] for row in inside["network"]}:
            strata.append(
                {
                    "label": stratum_label(low, high), "low": low, "high": high,
                    "pictures": len(pictures), "scenes": len(set(pictures.values())),
                    "scores": {method: _means(chosen, keys) for method, chosen in inside.items()},
                }
            )  # fmt: skip
    evs = sorted({row["ev"] for row in exposures})
    names = [column.metric.key for column in columns if column.set == "ldr"]
    stacks = len({row["key"] for row in rows})
    return {
        "format": FORMAT,
        "variant": subject.name,
        "kind": subject.kind,
        "seeds": list(subject.seeds),
        "stacks": stacks,
        "scenes": len({row["scene"] for row in rows}),
        "pictures": stacks * (len(reader.evs) - 1),
        "protocol": {
            **{name: text.format(**config.model_dump()) for name, text in PROTOCOL.items()},
            "intervals": INTERVALS.format(seeds=" and over seeds" if several else "", resamples=resamples),
        },
        "columns": {
            column.key: {
                "metric": column.metric.key, "name": column.metric.name, "set": column.set,
                "alignment": column.alignment, "unit": column.metric.unit, "digits": column.metric.digits,
                "higher_is_better": column.metric.higher_is_better, "resolution": column.metric.resolution,
            }
            for column in columns
        },
        "absent": absent,
        "lpips": f"absent: {absent['lpips']}" if "lpips" in absent else measured.get("lpips", "not measured"),
        "scores": {method: _means(chosen, keys) for method, chosen in by_method.items()},
        "intervals": {method: intervals(chosen) for method, chosen in by_method.items()},
        "scores_by_seed": {
            str(seed): {
                method: _means([row for row in chosen if row["seed"] == seed], keys)
                for method, chosen in by_method.items()
                if method in SEEDED
            }
            for seed in subject.seeds
        },
        "strata": strata,
        "by_ev": {
            method: {
                f"{ev:g}": _means([row for row in exposures if (row["method"], row["ev"]) == (method, ev)], names)
                for ev in evs
            }
            for method in methods
            if any(row["method"] == method for row in exposures)
        },
        "clipped_share": _number(np.mean([row["clipped_share"] for row in of_network])),
        "data": subject.data,
        "trained_on_these_shards": subject.data in _data_digests(reader) if subject.data else None,
        "versions": {**_versions(), **{METRICS[key].name: told for key, told in measured.items() if told}},
        "command": _command(),
    }  # fmt: skip


def format_scores(summary: dict) -> list[str]:
    """The lines that tell people what was measured: a table a set, a row a method, means with their 95 % intervals."""
    lines = [f"{summary['variant']}: {summary['stacks']} stacks of {summary['scenes']} scenes"]
    groups: dict[tuple[str, str | None], list[str]] = {}
    for key, column in summary["columns"].items():
        if column["metric"] not in summary["absent"]:
            groups.setdefault((column["set"], column["alignment"]), []).append(key)
    for (name, alignment), keys in groups.items():
        title = {"ldr": "LDR", "tonemapped": "tone-mapped", "hdr": f"HDR, alignment {alignment}"}[name]
        lines += ["", f"{title:<20}" + "".join(f"{summary['columns'][key]['name']:>24}" for key in keys)]
        for method, scores in summary["scores"].items():
            if any(scores[key] is not None for key in keys):
                cells = (_cell(summary, method, key) for key in keys)
                lines.append(f"{method:<20}" + "".join(f"{cell:>24}" for cell in cells))
    return lines


def _cell(summary: dict, method: str, key: str) -> str:
    value, digits = summary["scores"][method][key], summary["columns"][key]["digits"]
    if value is None:
        return "-"
    interval = summary["intervals"][method][key]
    shown = "" if interval is None else f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return f"{value:.{digits}f}{shown}"


def _command() -> str:
    """What was typed, without the folder that the program lies in."""
    program = Path(sys.argv[0])
    name = f"python -m {program.parent.name}.{program.stem}" if program.suffix == ".py" else program.name
    return f"{name} {shlex.join(sys.argv[1:])}".rstrip()


def table_of(rows: Iterable[dict], column: str) -> Table:
    """One column of rows, those that have a finite value of it, for the bootstrap."""
    known = [row for row in rows if row[column] is not None and math.isfinite(row[column])]
    return Table(
        values=np.array([row[column] for row in known], dtype=np.float64),
        scene=np.array([row["scene"] for row in known], dtype=np.str_),
        picture=np.array([row["key"] for row in known], dtype=np.str_),
        seed=np.array(["" if row["seed"] is None else str(row["seed"]) for row in known], dtype=np.str_),
    )


def _rows_of(reader: Shards) -> list:
    return [row["files"] for row in reader.index["rows"].values() if (row["part"], row["form"]) == ("test", "radiance")]


def _data_digests(reader: Shards) -> list[str]:
    """What a run trained on these shards is marked with, in either form."""
    rows = reader.index["rows"].values()
    return [digest_of([row["files"] for row in rows if row["form"] == form]) for form in ("radiance", "pixels")]


def _settings(config: EvaluateConfig) -> dict:
    return config.model_dump(mode="json", exclude={"bootstrap", "device"})


def _costs(subject: Subject, reader: Shards, device: torch.device) -> dict:
    """What the network costs, on the first picture, by itself and with all threads; nothing of another program."""
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


def _code() -> list[str]:
    """Digests of the programs that a row may depend on: rows of other code are not gone on with."""
    folders = [Path(file).parent for file in (__file__, hdrdata.__file__)]
    return [sha256_of(path) for folder in folders for path in sorted(folder.rglob("*.py"))]


def _versions() -> dict[str, str]:
    found = {}
    for name in ("hdr-attnet", "torch", "numpy", "opencv-python-headless", "piq", "lpips", "cvvdp", "flip-evaluator"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_rows(path: Path, rows: list[dict], names: Sequence[str]) -> None:
    """Write rows as CSV, whole or not at all; what was not measured stays empty, equal pictures have `inf` dB."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def write_pictures(folder: Path, case: Case, estimate: Estimate) -> None:
    """Write what the report shows of one case.

    `input.png`; `stack.png` and `truth_stack.png`, if a stack was made; the radiance maps `network.exr`, brought to the
    truth's gain, and `truth.exr`, in half floats, and both tone mapped as PNG.
    """
    for name in ("stack.png", "truth_stack.png", LAST_PICTURE):  # of another evaluation
        (folder / name).unlink(missing_ok=True)
    radiance = estimate.radiance
    if (radiance[case.unclipped] > 0).any():
        radiance = align_gain(radiance.astype(np.float64), case.radiance.astype(np.float64), case.unclipped)
    brightest = 2.0 ** -min(case.evs)
    write_png(folder / "input.png", case.input)
    if estimate.stack is not None:
        write_png(folder / "stack.png", _strip(to_uint8(estimate.stack)))
        write_png(folder / "truth_stack.png", _strip(case.stack))
    for name, light in (("network", radiance), ("truth", case.radiance)):
        write_exr(folder / f"{name}.exr", np.minimum(light, np.finfo(np.float16).max).astype(np.float16))
        mapped = tonemap_reinhard(np.minimum(light, brightest).astype(np.float32))
        write_png(folder / f"{name}.png", to_uint8(mapped))


def _strip(stack: np.ndarray) -> np.ndarray:
    """The pictures of a stack side by side, each at most 128 pixels high."""
    height = min(128, stack.shape[1])
    width = round(stack.shape[2] * height / stack.shape[1])
    return np.concatenate(
        [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in stack], axis=1
    )


def _means(rows: Iterable[dict], names: Sequence[str]) -> dict[str, float | None]:
    """The means of finite values by column; None where there are none."""
    rows = list(rows)
    means = {}
    for name in names:
        known = [row[name] for row in rows if row.get(name) is not None and math.isfinite(row[name])]
        means[name] = _number(np.mean(known)) if known else None
    return means


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(f"{value:.6g}")


def _number(value: float) -> float:
    return float(f"{value:.6g}")

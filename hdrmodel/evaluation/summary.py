"""Rows become means with intervals, tables and files."""

import csv
import io
import math
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from hdrdata.files.disk import digest_of, write_bytes
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.evaluation.measuring import PROTOCOL
from hdrmodel.evaluation.subject import Subject
from hdrmodel.evaluation.without_network import Factors
from hdrmodel.metrics.table import METRICS, Column
from hdrmodel.scores.folder import FORMAT
from hdrmodel.scores.intervals import FEWEST_SCENES, Table, mean_interval, scene_means
from hdrmodel.scores.methods import METHODS, SEEDED, SETS
from hdrmodel.scores.strata import STRATA, stratum_label, stratum_of

INTERVALS = (
    "95 % intervals of means by a bootstrap over scenes{seeds} of {resamples} resamples, for pictures of one scene are "
    "not independent; with fewer than 5 scenes the means of the scenes are listed instead. An interval is about the "
    "mean over other scenes of this kind, not over other kinds."
)


def summarise(
    subject: Subject,
    rows: list[dict],
    exposures: list[dict],
    columns: Sequence[Column],
    config: EvaluateConfig,
    absent: dict[str, str],
    measured: dict[str, str],
    reader: Shards,
    factors: Factors,
) -> dict:
    """Return summary.json without costs and missing keys; `hdrmodel.scores.folder.Summary` declares it."""
    found = {row["method"] for row in rows}
    by_method = {method: [row for row in rows if row["method"] == method] for method in METHODS if method in found}
    keys = [column.key for column in columns]
    stacks, num_scenes = (len({row[name] for row in rows}) for name in ("key", "scene"))
    few = num_scenes < FEWEST_SCENES
    seeds = " and over seeds" if len(subject.seeds) > 1 else ""
    return {
        "format": FORMAT,
        "variant": subject.name,
        "kind": subject.kind,
        "seeds": list(subject.seeds),
        "stacks": stacks,
        "scenes": num_scenes,
        "pictures": stacks * (len(reader.evs) - 1),
        "protocol": {
            **{name: text.format(**config.model_dump(), **asdict(factors)) for name, text in PROTOCOL.items()},
            "intervals": INTERVALS.format(seeds=seeds, resamples=config.bootstrap.resamples),
        },
        "columns": {column.key: _facts(column) for column in columns},
        "absent": absent,
        "lpips": f"absent: {absent['lpips']}" if "lpips" in absent else measured.get("lpips", "not measured"),
        "scores": {method: _means(chosen, keys) for method, chosen in by_method.items()},
        "intervals": {method: _intervals(chosen, keys, config) for method, chosen in by_method.items()},
        "by_scene": {m: {key: _scenes(chosen, key) for key in keys} for m, chosen in by_method.items()} if few else {},
        "scores_by_seed": {str(seed): _of_seed(by_method, seed, keys) for seed in subject.seeds},
        "strata": _strata(by_method, keys),
        "by_ev": _by_ev(exposures, columns),
        "clipped_share": _mean([row["clipped_share"] for row in by_method["network"]]),
        "clipped_factors": asdict(factors),
        "bootstrap": config.bootstrap.model_dump(),
        "data": subject.data,
        "trained_on_these_shards": subject.data in _data_digests(reader) if subject.data else None,
        "versions": {**versions_used(), **{METRICS[key].name: version for key, version in measured.items() if version}},
        "command": _command(),
    }


def _facts(column: Column) -> dict:
    """Return what readers need to know of a column (`hdrmodel.scores.folder.ColumnFacts`)."""
    metric = column.metric
    return {
        "metric": metric.key,
        "name": metric.name,
        "set": column.set,
        "alignment": column.alignment,
        "unit": metric.unit,
        "digits": metric.digits,
        "higher_is_better": metric.higher_is_better,
        "resolution": metric.resolution,
    }


def _intervals(rows: list[dict], keys: Sequence[str], config: EvaluateConfig) -> dict[str, list[float] | None]:
    bootstrap = config.bootstrap
    found = {}
    for key in keys:
        interval = mean_interval(table_of(rows, key), bootstrap.resamples, bootstrap.seed, fewest=FEWEST_SCENES)
        limits = [limit for limit in (interval.low, interval.high) if limit is not None]
        found[key] = [_number(limit) for limit in limits] or None
    return found


def _of_seed(by_method: dict[str, list[dict]], seed: int, keys: Sequence[str]) -> dict[str, dict]:
    return {
        method: _means([row for row in chosen if row["seed"] == seed], keys)
        for method, chosen in by_method.items()
        if method in SEEDED
    }


def _strata(by_method: dict[str, list[dict]], keys: Sequence[str]) -> list[dict]:
    """Return the means by the clipped share of the input; strata without a picture are left out."""
    shares = {row["key"]: row["clipped_share"] for row in by_method["network"]}
    stratum = dict(zip(shares, stratum_of(np.array(list(shares.values()))), strict=True))  # of each picture
    strata = []
    for place, (low, high) in enumerate(STRATA):
        inside = {m: [row for row in chosen if stratum[row["key"]] == place] for m, chosen in by_method.items()}
        if pictures := {row["key"]: row["scene"] for row in inside["network"]}:
            counts = {"pictures": len(pictures), "scenes": len(set(pictures.values()))}
            scores = {method: _means(chosen, keys) for method, chosen in inside.items()}
            strata.append({"label": stratum_label(low, high), "low": low, "high": high, **counts, "scores": scores})
    return strata


def _by_ev(exposures: list[dict], columns: Sequence[Column]) -> dict[str, dict[str, dict]]:
    """Return the means of the LDR metrics by method and exposure value."""
    names = [column.metric.key for column in columns if column.set == "ldr"]
    cells: dict[str, dict[float, list[dict]]] = {}
    for row in exposures:
        cells.setdefault(row["method"], {}).setdefault(row["ev"], []).append(row)
    return {
        method: {f"{ev:g}": _means(rows, names) for ev, rows in sorted(cells[method].items())}
        for method in METHODS
        if method in cells
    }


def format_scores(summary: dict) -> list[str]:
    """Return the lines to print: a table for each set, a row for each method, means with their 95 % intervals."""
    lines = [f"{summary['variant']}: {summary['stacks']} stacks of {summary['scenes']} scenes"]
    groups: dict[tuple[str, str | None], list[str]] = {}
    for key, column in summary["columns"].items():
        if column["metric"] not in summary["absent"]:
            groups.setdefault((column["set"], column["alignment"]), []).append(key)
    for (name, alignment), keys in groups.items():
        title = f"{SETS[name]}, alignment {alignment}" if alignment else SETS[name]
        lines += ["", f"{title:<24}" + "".join(f"{summary['columns'][key]['name']:>24}" for key in keys)]
        for method, scores in summary["scores"].items():
            if any(scores[key] is not None for key in keys):
                cells = (_cell(summary, method, key) for key in keys)
                lines.append(f"{method:<24}" + "".join(f"{cell:>24}" for cell in cells))
    return lines


def _cell(summary: dict, method: str, key: str) -> str:
    value, digits = summary["scores"][method][key], summary["columns"][key]["digits"]
    if value is None:
        return "-"
    interval = summary["intervals"][method][key]
    if interval is None:
        return f"{value:.{digits}f}"
    shown = f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return f"{value:.{digits}f}{shown}"


def _command() -> str:
    """Return the command line, without the folder of the program."""
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


def _data_digests(reader: Shards) -> list[str]:
    """Return the mark of a run that was trained on these shards, in either form."""
    rows = reader.index["rows"].values()
    return [digest_of([row["files"] for row in rows if row["form"] == form]) for form in ("radiance", "pixels")]


def settings_of(config: EvaluateConfig) -> dict:
    return config.model_dump(mode="json", exclude={"bootstrap", "device"})


def versions_used() -> dict[str, str]:
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


def _means(rows: Iterable[dict], names: Sequence[str]) -> dict[str, float | None]:
    """The means of finite values by column; None where there are none."""
    rows = list(rows)
    means = {}
    for name in names:
        known = [row[name] for row in rows if row.get(name) is not None and math.isfinite(row[name])]
        means[name] = _mean(known) if known else None
    return means


def _scenes(rows: list[dict], column: str) -> dict[str, float]:
    return {scene: _number(mean) for scene, mean in scene_means(table_of(rows, column)).items()}


def rounded_scores(summary: dict) -> dict[str, dict[str, float | None]]:
    """Return the means with a digit less than tables print: a run on another processor rarely differs in these."""
    digits = {key: max(column["digits"] - 1, 0) for key, column in summary["columns"].items()}
    return {
        method: {key: None if mean is None else round(mean, digits[key]) for key, mean in means.items()}
        for method, means in summary["scores"].items()
    }


def rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(f"{value:.6g}")


def _mean(values: list[float]) -> float:
    return _number(float(np.mean(values)))


def _number(value: float) -> float:
    return float(f"{value:.6g}")

"""Write the report: one HTML page, complete in itself, of how every variant was trained, seed by seed, and scored."""

import base64
import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import fmean

import cv2
import jinja2
from pydantic import ConfigDict

from hdrdata.config import Section
from hdrdata.disk import read_json, write_bytes
from hdrdata.files import decode_png
from hdrmodel.charts import MINUS, Points, fit_axis, line_chart, thin


@dataclass(frozen=True)
class Metric:
    """A column of the results: its key in the scores, and how it is written and read."""

    key: str
    name: str
    domain: str
    unit: str
    digits: int
    higher_is_better: bool
    floor: str  # the method without a network that knows as much: the merge, unlike the network, is told the CRF
    noise: float | None  # a difference under this, in the metric's unit, says nothing

    def best(self, values: Iterable[float | None]) -> float | None:
        """The best of the values that exist; None if none does."""
        known = [value for value in values if value is not None]
        return (max if self.higher_is_better else min)(known) if known else None

    def is_worse(self, value: float, other: float) -> bool:
        """Whether `value` is worse than `other` by more than rounding to the printed digits hides."""
        difference = round(value, self.digits) - round(other, self.digits)
        return difference < 0 if self.higher_is_better else difference > 0


METRICS = (
    Metric("psnr_ldr", "PSNR", "LDR", "dB", 2, True, "input_srgb", 0.3),
    Metric("ssim_ldr", "SSIM", "LDR", "", 3, True, "input_srgb", None),
    Metric("lpips_ldr", "LPIPS", "LDR", "", 3, False, "input_srgb", None),
    Metric("psnr_tonemapped", "PSNR", "tone-mapped", "dB", 2, True, "input_crf", 0.3),
    Metric("ssim_tonemapped", "SSIM", "tone-mapped", "", 3, True, "input_crf", None),
    Metric("psnr_pu21_gain", "PU21-PSNR", "HDR, gain-aligned", "dB", 2, True, "input_crf", 3.5),
)
FLOORS = {"input_crf": "LDR input, known CRF", "input_srgb": "LDR input, as sRGB"}
SEEDED = ("network", "step0")  # the methods that depend on the seed
METHODS = (*SEEDED, *FLOORS, "oracle")
PICTURES = ("input.png", "stack.png", "truth_stack.png", "network.png", "truth.png")
LONGEST_PICTURE, LONGEST_STRIP = 768, 2304  # pixels; longer ones are shrunk for the page
NO_VALUE = "\N{EN DASH}"


class Scores(Section):
    """The means of one method; None where a score is not defined for it."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    psnr_ldr: float | None
    ssim_ldr: float | None
    lpips_ldr: float | None
    psnr_tonemapped: float | None
    ssim_tonemapped: float | None
    psnr_pu21_gain: float | None


class Protocol(Section):
    """A sentence on how each set of scores is computed."""

    model_config = ConfigDict(extra="ignore")

    ldr: str
    tonemapped: str
    hdr: str
    merge: str


class Summary(Section):
    """What the report reads of `scores/<variant>/summary.json`; all but `scores_by_seed` are means over the seeds."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    seeds: list[int]
    stacks: int
    scenes: int
    pictures: int
    protocol: Protocol
    lpips: str
    scores: dict[str, Scores]
    scores_by_seed: dict[int, dict[str, Scores]]
    psnr_ldr_by_ev: dict[str, dict[float, float | None]]
    versions: dict[str, str]
    seconds_per_stack: float | None


class Trunk(Section):
    """The pretrained network of the perceptual loss."""

    model_config = ConfigDict(extra="ignore")

    name: str
    sha256: str


class Validation(Section):
    """One point of the validation curve."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    step: float
    psnr_ldr: float | None


class Run(Section):
    """What the report reads of `runs/<variant>/<seed>/run.json`."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    parameters: int
    config: dict[str, object]
    trunk: Trunk | None  # None: trained without a perceptual loss
    data: str
    hours: float
    steps_per_second: float
    peak_memory_mb: float | None
    device: str
    validation: list[Validation]
    loss: list[dict[str, float | None]]
    versions: dict[str, str]


@dataclass(frozen=True)
class Row:
    """The scores of one stack by one method, a line of `per_picture.csv`."""

    key: str
    scene: str
    view: str
    crf: str
    method: str
    seed: str  # empty where the method does not depend on it
    scores: dict[str, float | None]


@dataclass(frozen=True)
class Variant:
    """All that the report knows of one variant."""

    name: str
    index: int
    summary: Summary
    runs: tuple[Run, ...]  # one a seed
    rows: tuple[Row, ...]
    pictures: Path

    @property
    def label(self) -> str:
        return "none (base)" if self.name == "none" else self.name

    @property
    def color(self) -> str:
        """A CSS class."""
        return f"v{self.index % 7}"

    @property
    def run(self) -> Run:
        """The first seed's, for what is the same for all."""
        return self.runs[0]

    def mean_of_runs(self, name: str) -> float | None:
        """The mean over the seeds of a number in run.json; None where one of them has none."""
        values = [getattr(run, name) for run in self.runs]
        return None if None in values else fmean(values)

    def seed_range(self, method: str, metric: Metric) -> tuple[float, float] | None:
        """The smallest and the largest of the seeds' scores; None for one seed, and where seeds make no difference."""
        scores = [by_method.get(method) for by_method in self.summary.scores_by_seed.values()]
        values = [getattr(one, metric.key) for one in scores if one is not None]
        values = [value for value in values if value is not None]
        return (min(values), max(values)) if len(values) > 1 else None


@dataclass(frozen=True)
class Method:
    """A row of the table and a bar of every chart; `color` is a CSS class."""

    label: str
    variant: Variant
    name: str
    color: str

    @property
    def scores(self) -> Scores:
        return self.variant.summary.scores[self.name]

    def scene_range(self, metric: Metric) -> tuple[float, float] | None:
        """The smallest and the largest of the scenes' means; None unless two scenes or more have a finite one."""
        scenes: dict[str, list[float]] = {}
        for row in self.variant.rows:
            if row.method == self.name and (value := row.scores[metric.key]) is not None:
                scenes.setdefault(row.scene, []).append(value)
        means = [mean for mean in map(fmean, scenes.values()) if math.isfinite(mean)]
        return (min(means), max(means)) if len(means) > 1 else None


def write_report(runs: Path, scores: Path, out: Path, variants: tuple[str, ...], seeds: tuple[int, ...]) -> Path:
    """Write the page `out/index.html` on the variants' runs and scores; the same inputs give the same bytes.

    The page holds its pictures, charts, style and script, and asks for nothing else.

    Args:
        runs: has a folder a variant with a folder a seed with `run.json`.
        scores: has a folder a variant with `summary.json`, `per_picture.csv` and `pictures/`.
        out: folder; made if it is not there.
        variants: names, in the order of the rows.
        seeds: that each of them was trained and evaluated with.

    Returns:
        the path of the page.

    Raises:
        ValueError: one line naming the file that is missing, is not what it should be, or scores other stacks than the
            first variant's, or other seeds than `seeds`.
    """
    if not variants or not seeds:
        raise ValueError("no variants or no seeds: the report needs at least one of each")
    read = [read_variant(name, index, runs, scores, seeds) for index, name in enumerate(variants)]
    for variant in read[1:]:
        _check_comparable(read[0], variant, scores)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": format_number, "duration": format_duration, "flatten": flatten}
    template = environment.from_string(resources.files("hdrmodel").joinpath("report.html").read_text(encoding="utf-8"))
    page = template.render(
        variants=read,
        seeds=seeds,
        first=read[0],
        metrics=METRICS,
        floors=FLOORS,
        methods=methods_of(read),
        table=results_table(read),
        reading=reading_of(read),
        bars=[bar_chart(metric, methods_of(read)) for metric in METRICS],
        by_ev=ev_chart(read),
        curves=training_charts(read),
        scenes=[scene_pictures(read, name) for name in picture_folders(read)],
        versions=merge_versions(read),
        same_data=len({run.data for variant in read for run in variant.runs}) == 1,
    )
    write_bytes(out / "index.html", page.encode())
    return out / "index.html"


# Reading


def read_variant(name: str, index: int, runs: Path, scores: Path, seeds: tuple[int, ...]) -> Variant:
    """Read and check all files of one variant.

    Raises:
        ValueError: naming the file that is missing or wrong.
    """
    summary_path = scores / name / "summary.json"
    summary = _read_model(summary_path, Summary)
    if missing := [method for method in METHODS if method not in summary.scores]:
        raise ValueError(f"{summary_path}: scores: no '{missing[0]}'; wanted {', '.join(METHODS)}")
    if (*summary.seeds,) != seeds or {*summary.scores_by_seed} != {*seeds}:
        raise ValueError(f"{summary_path}: scores of the seeds {summary.seeds}; wanted {[*seeds]}")
    trained = tuple(_read_model(runs / name / str(seed) / "run.json", Run) for seed in seeds)
    rows = read_rows(scores / name / "per_picture.csv")
    return Variant(name, index, summary, trained, rows, scores / name / "pictures")


def _read_model(path: Path, model: type[Section]) -> Section:
    _check_file(path)
    content = read_json(path)
    try:
        return model.parse(model.__name__.lower(), content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; the report needs it of every variant")


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read `per_picture.csv`; an empty field is a score that is not defined.

    Raises:
        ValueError: naming the file and the column or the line that is wrong.
    """
    _check_file(path)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        facts = ("key", "scene", "view", "crf", "method", "seed")
        wanted = (*facts, *(metric.key for metric in METRICS))
        if missing := [column for column in wanted if column not in (reader.fieldnames or ())]:
            raise ValueError(f"{path}: no column '{missing[0]}'; wanted {', '.join(wanted)}")
        rows = []
        for line, fields in enumerate(reader, start=2):
            try:
                scores = {metric.key: float(fields[metric.key]) if fields[metric.key] else None for metric in METRICS}
            except ValueError as error:
                raise ValueError(f"{path}, line {line}: {error}") from error
            rows.append(Row(*(fields[column] for column in facts), scores))
    if not rows:
        raise ValueError(f"{path}: no rows; wanted one a stack, method and seed")
    return tuple(rows)


def _check_comparable(first: Variant, other: Variant, scores: Path) -> None:
    """Refuse two variants scored on other stacks or by another protocol: their rows must not share a table."""
    if {row.key for row in first.rows} != {row.key for row in other.rows}:
        here, there = (scores / variant.name / "per_picture.csv" for variant in (other, first))
        raise ValueError(f"{here}: scores other stacks than {there}; evaluate all variants on the same shards")
    if first.summary.protocol != other.summary.protocol:
        here, there = (scores / variant.name / "summary.json" for variant in (other, first))
        raise ValueError(f"{here}: another protocol than {there}; evaluate all variants with the same program")


# Numbers and sentences


def format_number(value: float | None, digits: int, sign: bool = False) -> str:
    """A number with a true minus sign; an en dash for None."""
    if value is None:
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    text = text if float(text) else text.lstrip("+-")
    return text.replace("-", MINUS)


def format_duration(seconds: float) -> str:
    """Seconds up to ten minutes, minutes up to two hours, then hours."""
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def flatten(config: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """The values of nested sections under dotted names, in their order."""
    pairs = []
    for name, value in config.items():
        pairs += flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return pairs


def methods_of(variants: Sequence[Variant]) -> list[Method]:
    """The rows of the report: variants trained, variants at step 0, the floor, the ceiling."""
    first = variants[0]
    return [
        *(Method(variant.label, variant, "network", variant.color) for variant in variants),
        *(Method(f"{variant.label}, step 0", variant, "step0", f"{variant.color} step0") for variant in variants),
        *(Method(label, first, name, name) for name, label in FLOORS.items()),
        Method("oracle: true stack", first, "oracle", "oracle"),
    ]


def floor_of(metric: Metric, variant: Variant) -> float | None:
    """The score without a network, with the same knowledge."""
    return getattr(variant.summary.scores[metric.floor], metric.key)


def results_table(variants: Sequence[Variant]) -> list[dict]:
    """The rows of the table.

    A cell has its value, its range over the seeds, if it is the best or below the floor, and its change from step 0.
    """
    trained = [variant.summary.scores["network"] for variant in variants]
    rows = []
    for method in methods_of(variants):
        cells = []
        for metric in METRICS:
            value = getattr(method.scores, metric.key)
            cell = {"metric": metric, "value": value, "best": False, "below": False, "delta": None}
            cell["range"] = method.variant.seed_range(method.name, metric)
            if method.name == "network" and value is not None:
                best = metric.best(getattr(scores, metric.key) for scores in trained)
                floor = floor_of(metric, method.variant)
                before = getattr(method.variant.summary.scores["step0"], metric.key)
                cell["best"] = len(variants) > 1 and not metric.is_worse(value, best)
                cell["below"] = floor is not None and metric.is_worse(value, floor)
                cell["delta"] = None if before is None else value - before
            cells.append(cell)
        rows.append({"method": method, "cells": cells})
    return rows


def reading_of(variants: Sequence[Variant]) -> list[str]:
    """Sentences on what the table shows: each variant against its step 0 and the floor, and the variants' distance."""
    sentences = []
    for variant in variants:
        scores = variant.summary.scores
        of_step0 = _beaten(scores["network"], {m.key: getattr(scores["step0"], m.key) for m in METRICS})
        of_floor = _beaten(scores["network"], {m.key: floor_of(m, variant) for m in METRICS})
        sentences.append(
            f"{variant.label}: training improves {of_step0} scores over step 0; "
            f"{of_floor} are better than the floor, the LDR input with the same knowledge."
        )
    for metric in METRICS if len(variants) > 1 else ():
        values = [getattr(variant.summary.scores["network"], metric.key) for variant in variants]
        if metric.noise is None or None in values:
            continue
        spread = max(values) - min(values)
        verdict, warning = ("within", "") if spread < metric.noise else ("beyond", _caution(variants, metric))
        sentences.append(
            f"Between the trained variants, {metric.name} ({metric.domain}) differs by {spread:.2f} {metric.unit}: "
            f"{verdict} the {metric.noise} {metric.unit} under which a difference says nothing{warning}."
        )
    return sentences


def _caution(variants: Sequence[Variant], metric: Metric) -> str:
    """What the seeds say of the best variant and the next: nothing if there is one, or whether their ranges overlap."""

    def mean(variant: Variant) -> float:
        return getattr(variant.summary.scores["network"], metric.key)

    ranked = sorted(variants, key=mean, reverse=metric.higher_is_better)
    best, second = (variant.seed_range("network", metric) for variant in ranked[:2])
    if best is None or second is None:
        return ", yet from one seed each"
    overlap = "overlap" if max(best[0], second[0]) <= min(best[1], second[1]) else "do not overlap"
    return f"; the ranges of the best, {ranked[0].label}, and the next, {ranked[1].label}, over their seeds {overlap}"


def _beaten(scores: Scores, others: dict[str, float | None]) -> str:
    pairs = [(metric, getattr(scores, metric.key), others[metric.key]) for metric in METRICS]
    known = [(metric, ours, other) for metric, ours, other in pairs if ours is not None and other is not None]
    return f"{sum(metric.is_worse(other, ours) for metric, ours, other in known)} of {len(known)}"


def merge_versions(variants: Sequence[Variant]) -> dict[str, str]:
    """A line a package; where runs and evaluations differ, each version with where it was used."""
    used: dict[str, dict[str, list[str]]] = {}
    for variant in variants:
        made = [("train", run.versions) for run in variant.runs] + [("evaluate", variant.summary.versions)]
        for doing, versions in made:
            for package, version in versions.items():
                places = used.setdefault(package, {}).setdefault(version, [])
                if (place := f"{doing} {variant.name}") not in places:
                    places.append(place)
    return {
        package: "; ".join(
            version if len(places) == 1 else f"{version} ({', '.join(where)})" for version, where in places.items()
        )
        for package, places in sorted(used.items())
    }


# Charts


def bar_chart(metric: Metric, methods: Sequence[Method]) -> dict:
    """Bars of one metric from 0, a row a method, with the range of the scenes' means; no `bars` without values."""
    drawn = [(method, getattr(method.scores, metric.key), method.scene_range(metric)) for method in methods]
    drawn = [bar for bar in drawn if bar[1] is not None]
    chart = {"metric": metric, "bars": [], "height": 24 * len(drawn) + 34, "floor": None, "ceiling": None}
    if not drawn:
        return chart
    axis = fit_axis([value for bar in drawn for value in (bar[1], *(bar[2] or ()))], 148.0, 312.0, zero=True)
    for row, (method, value, scenes) in enumerate(drawn):
        zero, end = axis.at(0.0), axis.at(value)
        bar = {"label": method.label, "color": method.color, "value": value, "y": 8 + 24 * row}
        bar |= {"x": min(zero, end), "width": round(abs(end - zero), 1)}
        bar |= {"whisker": scenes and tuple(axis.at(mean) for mean in scenes), "range": scenes}
        chart["bars"].append(bar)
    floor, ceiling = floor_of(metric, methods[0].variant), getattr(methods[-1].scores, metric.key)
    chart["floor"] = None if floor is None else axis.at(floor)
    chart["ceiling"] = None if ceiling is None else axis.at(ceiling)
    return chart | {"ticks": axis.ticks, "zero": axis.at(0.0)}


def ev_chart(variants: Sequence[Variant]) -> dict:
    """PSNR of each exposure, for every row that has generated exposures, with the same numbers as a table."""
    rows = []
    for method in methods_of(variants):
        by_ev = method.variant.summary.psnr_ldr_by_ev.get(method.name, {})
        if any(value is not None for value in by_ev.values()):
            rows.append((method.label, method.color, sorted(by_ev.items())))
    evs = sorted({ev for _, _, points in rows for ev, _ in points})
    chart = line_chart("PSNR by exposure", "EV relative to the input", "PSNR (dB)", rows, log=False)
    return chart | {"evs": evs, "rows": [(label, dict(points)) for label, _, points in rows]}


def training_charts(variants: Sequence[Variant]) -> list[dict]:
    """Validation PSNR, then a chart for each column of the logged loss; a line a variant and seed."""
    lines = []
    for variant in variants:
        several = len(variant.runs) > 1
        for seed, run in zip(variant.summary.seeds, variant.runs, strict=True):
            label = f"{variant.label}, seed {seed}" if several else variant.label
            lines.append((label, f"{variant.color} seed" if several else variant.color, run))
    validation = [(*line, thin([(row.step, row.psnr_ldr) for row in run.validation])) for *line, run in lines]
    charts = [line_chart("Validation PSNR", "step", "PSNR (dB)", validation, log=False)]
    for name in {name: None for _, _, run in lines for row in run.loss for name in row if name != "step"}:
        series = [(*line, thin(curve_of(run.loss, name))) for *line, run in lines]
        charts.append(line_chart(f"Loss: {name.replace('_', ' ')}", "step", "loss", series, log=True))
    return [chart for chart in charts if chart["lines"]]


def curve_of(rows: list[dict[str, float | None]], name: str) -> Points:
    """The points (step, value) of one column of a log."""
    return [(row["step"], row.get(name)) for row in rows if row.get("step") is not None]


# Pictures


def picture_folders(variants: Sequence[Variant]) -> list[str]:
    """The names of the folders with pictures, which may be none; every variant must have the files of each.

    Raises:
        ValueError: naming a picture that is missing.
    """
    names = sorted({folder.name for variant in variants for folder in variant.pictures.glob("*/")})
    for variant in variants:
        for name in names:
            for picture in PICTURES:
                _check_file(variant.pictures / name / picture)
    return names


def scene_pictures(variants: Sequence[Variant], name: str) -> dict:
    """The pictures of one scene as data URIs with captions and alternative texts: a row of views and rows of strips."""
    first = variants[0]
    pictured = ("network", str(first.summary.seeds[0]))
    ours = {(v.index, row.key): row for v in variants for row in v.rows if (row.method, row.seed) == pictured}
    facts = ours.get((first.index, name))
    of = f"of view {facts.view} under the camera response {facts.crf}" if facts else f"of {name}"

    def picture(variant: Variant, file: str, longest: int, caption: str, note: str, alt: str) -> dict:
        uri, width, height = picture_uri(variant.pictures / name / file, longest)
        return {"uri": uri, "width": width, "height": height, "caption": caption, "note": note, "alt": f"{alt} {of}"}

    views = [picture(first, "input.png", LONGEST_PICTURE, "Input", "LDR, EV 0", "The LDR input")]
    strips = []
    for variant in variants:
        row = ours.get((variant.index, name))
        note = f"{format_number(row.scores['psnr_tonemapped'], 2)} dB tone-mapped" if row else ""
        alt = f"Tone-mapped reconstruction by the variant {variant.name}"
        views.append(picture(variant, "network.png", LONGEST_PICTURE, variant.label, note, alt))
        note = f"{format_number(row.scores['psnr_ldr'], 2)} dB LDR" if row else ""
        alt = f"Nine exposures generated by the variant {variant.name}, dark to bright,"
        strips.append(picture(variant, "stack.png", LONGEST_STRIP, f"Generated stack, {variant.label}", note, alt))
    views.append(
        picture(first, "truth.png", LONGEST_PICTURE, "Truth", "tone-mapped", "The true radiance, tone-mapped,")
    )
    strips.append(
        picture(first, "truth_stack.png", LONGEST_STRIP, "True stack", "", "Nine true exposures, dark to bright,")
    )
    return {"name": name, "facts": facts, "views": views, "strips": strips}


def picture_uri(path: Path, longest: int) -> tuple[str, int, int]:
    """A PNG file as a JPEG (quality 92, colour at full resolution) data URI, with its width and height.

    Shrunk by area where its longer side is over `longest` pixels.

    Raises:
        ValueError: naming the file, if it is not a PNG picture.
    """
    try:
        picture = decode_png(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    factor = longest / max(picture.shape[:2])
    if factor < 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    full_color = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality + full_color)[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}", picture.shape[1], picture.shape[0]

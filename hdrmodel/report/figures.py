"""The figures of the report: bars with intervals, differences around zero, scores by exposure and training curves."""

from collections.abc import Sequence
from dataclasses import dataclass

from hdrmodel.report.charts import Points, fit_axis, line_chart, thin
from hdrmodel.report.inputs import Metric, Variant
from hdrmodel.scores.intervals import Difference
from hdrmodel.scores.methods import labels_of

LONGEST_LABEL = 22  # letters beside a bar
AIR = 1.25  # of the longest bar, for intervals
EV_SCORES = {
    "psnr": ("PSNR", "dB", 2),
    "ssim": ("SSIM", "", 3),
    "lpips": ("LPIPS", "", 3),
    "stlpips": ("ST-LPIPS", "", 3),
}


@dataclass(frozen=True)
class Method:
    """A row of the tables and a bar of every chart; `color` is a CSS class."""

    label: str
    variant: Variant
    name: str
    color: str

    @property
    def short(self) -> str:
        """The label as it fits beside a bar."""
        return self.label if len(self.label) <= LONGEST_LABEL else f"{self.label[: LONGEST_LABEL - 1]}…"

    def value(self, metric: Metric) -> float | None:
        return self.variant.score(self.name, metric.key)

    def interval(self, metric: Metric) -> tuple[float, float] | None:
        return self.variant.interval(self.name, metric.key)


@dataclass(frozen=True)
class Change:
    """Difference of a method to the base by one metric."""

    method: Method
    metric: Metric
    difference: Difference
    base: Method  # with the same knowledge as the method

    @property
    def verdict(self) -> str:
        """`better` or `worse` where it is separable, else `not separable`."""
        if not self.difference.separable or self.metric.higher_is_better is None:
            return "not separable"
        return "better" if (self.difference.interval.value > 0) == self.metric.higher_is_better else "worse"


def methods_of(variants: Sequence[Variant]) -> list[Method]:
    """Return the rows of the report.

    Trained variants with the camera response known and unknown, the floors, the first generated stack by other merges,
    the best constant of each picture, and the upper bound.
    """
    first = variants[0]
    return [
        *(Method(variant.label, variant, "network", variant.color) for variant in variants),
        *(blind for variant in variants for blind in blind_methods(variant)),
        *(Method(label, first, name, name) for name, label in labels_of("floor").items()),
        *classical_methods(variants)[:2],
        *(Method(label, first, name, name) for name, label in labels_of("bound").items()),
    ]


def blind_methods(variant: Variant) -> list[Method]:
    """Return the rows of a trained network without the camera response."""
    return [
        Method(f"{variant.label}, {words}", variant, name, f"{variant.color} blind")
        for name, words in labels_of("unknown").items()
        if name in variant.summary.scores
    ]


def classical_methods(variants: Sequence[Variant]) -> list[Method]:
    """The generated stacks, merged without what the network's pipeline adds; by variant, as far as there are any."""
    return [
        Method(
            f"{variant.name}, {words}",
            variant,
            name,
            f"{variant.color} classical",
        )
        for variant in variants
        for name, words in labels_of("merge").items()
        if name in variant.summary.scores
    ]


def step0_methods(variants: Sequence[Variant]) -> list[Method]:
    """The untrained networks."""
    return [
        Method(f"{variant.label}, step 0", variant, "step0", f"{variant.color} step0")
        for variant in variants
        if "step0" in variant.summary.scores
    ]


def bar_chart(metric: Metric, methods: Sequence[Method], floor: float | None, ceiling: float | None) -> dict:
    """Bars of one metric from 0, a row a method, with the 95 % interval of its mean; no `bars` without values.

    Of few scenes intervals can be many times as long as the bars: what reaches far beyond them is cut, without a cap.
    """
    drawn = [
        (method, value, method.interval(metric)) for method in methods if (value := method.value(metric)) is not None
    ]
    chart = {"metric": metric, "bars": [], "height": 24 * len(drawn) + 34, "floor": None, "ceiling": None}
    if not drawn:
        return chart
    reach = AIR * max(abs(value) for _, value, _ in drawn)
    low, high = min(0.0, *(value for _, value, _ in drawn)), reach
    inside = [min(max(limit, low), high) for _, _, interval in drawn for limit in interval or ()]
    axis = fit_axis([*(value for _, value, _ in drawn), *inside], 148.0, 312.0, zero=True)
    for row, (method, value, interval) in enumerate(drawn):
        zero, end = axis.at(0.0), axis.at(value)
        bar = {"label": method.label, "short": method.short, "color": method.color, "value": value, "y": 8 + 24 * row}
        bar |= {"x": min(zero, end), "width": round(abs(end - zero), 1)}
        within = interval and [min(max(limit, axis.low), axis.high) for limit in interval]
        bar |= {"interval": interval, "whisker": within and tuple(axis.at(limit) for limit in within)}
        bar["caps"] = [axis.at(limit) for limit in within or () if limit in (interval or ())]
        chart["bars"].append(bar)
    chart["floor"] = None if floor is None else axis.at(floor)
    chart["ceiling"] = None if ceiling is None else axis.at(ceiling)
    return chart | {"ticks": axis.ticks, "zero": axis.at(0.0)}


def difference_chart(metric: Metric, changes: Sequence[Change]) -> dict:
    """Differences to the base with their intervals, a row a method, and a band as wide as the metric's resolution."""
    chart = {"metric": metric, "rows": [], "height": 24 * len(changes) + 34, "band": None}
    if not changes:
        return chart
    limits = [0.0]
    for change in changes:
        interval = change.difference.interval
        limits += [limit for limit in (interval.value, interval.low, interval.high) if limit is not None]
    axis = fit_axis(limits, 148.0, 300.0, most=4)  # signs make their labels wide
    for row, change in enumerate(changes):
        interval = change.difference.interval
        whisker = None
        if interval.low is not None and interval.high is not None:
            whisker = (axis.at(interval.low), axis.at(interval.high))
        place = {"x": axis.at(interval.value), "y": 8 + 24 * row, "whisker": whisker}
        chart["rows"].append({"change": change, "color": change.method.color, **place})
    if metric.resolution is not None:
        inside = [min(max(limit, axis.low), axis.high) for limit in (-metric.resolution, metric.resolution)]
        chart["band"] = tuple(axis.at(limit) for limit in inside)
    return chart | {"ticks": axis.ticks, "zero": axis.at(0.0)}


def ev_charts(methods: Sequence[Method]) -> list[dict]:
    """Each score by exposure, for every row that makes exposures, with the same numbers as a table."""
    charts = []
    for score, (name, unit, digits) in EV_SCORES.items():
        rows = []
        for method in methods:
            by_ev = method.variant.summary.by_ev.get(method.name, {})
            points = [(ev, values.get(score)) for ev, values in sorted(by_ev.items())]
            if any(value is not None for _, value in points):
                rows.append((method.label, method.color, points))
        label = f"{name} ({unit})" if unit else name
        chart = line_chart(f"{name} by exposure", "EV relative to the input", label, rows, log=False)
        if chart["lines"]:
            evs = sorted({ev for _, _, points in rows for ev, _ in points})
            table = [(label, dict(points)) for label, _, points in rows]
            charts.append(chart | {"name": label, "digits": digits, "evs": evs, "rows": table})
    return charts


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
    return [(step, row.get(name)) for row in rows if (step := row.get("step")) is not None]

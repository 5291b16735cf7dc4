"""Write the report: one HTML page, complete in itself, of how every variant was trained, seed by seed, and scored."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import jinja2

from hdrdata.files.disk import write_bytes, write_json
from hdrmodel.report import literature
from hdrmodel.report.charts import format_number
from hdrmodel.report.figures import (
    Change,
    Method,
    bar_chart,
    classical_methods,
    difference_chart,
    ev_charts,
    methods_of,
    step0_methods,
    training_charts,
)
from hdrmodel.report.inputs import (
    ALIGNMENTS,
    CLASSICAL,
    FLOORS,
    SETS,
    Metric,
    Variant,
    check_comparable,
    metrics_of,
    read_variant,
)
from hdrmodel.report.pictures import choose_scenes, scene_pictures
from hdrmodel.scores.intervals import Difference, difference_interval

HEADLINES = ("psnr_pu21", "psnr")  # the metrics shown by clipped share: of light, and of the LDR set


def write_report(runs: Path, scores: Path, out: Path, variants: tuple[str, ...], seeds: tuple[int, ...]) -> Path:
    """Write the page `out/index.html` on the variants' runs and scores; the same inputs give the same bytes.

    The page holds its pictures, charts, style and script, and asks for nothing else. `out/plots/` has the means with
    their intervals as JSON for `dvc plots`, a file a column that has scores.

    Args:
        runs: has a folder a variant with a folder a seed with `run.json`; nothing of another program's predictions.
        scores: has a folder a variant with `summary.json`, `per_picture.csv` and `pictures/`.
        out: folder; made if it is not there.
        variants: names, in the order of the rows; differences are to the one named `none`, or else to the first.
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
        check_comparable(read[0], variant, scores)
    metrics = metrics_of(read[0].summary)
    shown = choose_scenes(read)
    pictures = [
        scene_pictures(read, name, shown.longest if place < shown.with_radiance else None)
        for place, name in enumerate(shown.names)
    ]
    base = base_of(read)
    compare = Comparison()
    changes = {method.label: changes_of(method, base, metrics, compare) for method in compared(read, base)}
    methods, more = methods_of(read), [*step0_methods(read), *classical_methods(read)]
    template = _environment().get_template("page.html")
    page = template.render(
        variants=read,
        seeds=seeds,
        first=read[0],
        base=base,
        metrics=metrics,
        sets=[(name, label, [m for m in metrics if m.set == name]) for name, label in SETS.items() if name != "hdr"],
        alignments=alignments_of(metrics),
        chosen=chosen_alignment(metrics),
        floors=FLOORS,
        classical=CLASSICAL,
        methods=methods,
        table=results_table(methods, read, metrics, compare),
        more=results_table(more, read, metrics, compare),
        by_seed=seeds_table(read) if len(seeds) > 1 else [],
        absent=absent_metrics(read),
        reading=reading_of(read, base, metrics, changes),
        changes=changes,
        bars={metric.key: bar_chart(metric, methods, *limits_of(read[0], metric)) for metric in metrics},
        differences={
            metric.key: difference_chart(metric, changes_by(changes, metric, len(read) > 1)) for metric in metrics
        },
        strata=[strata_table(metric, methods) for metric in headlines(metrics)],
        by_ev=ev_charts([*methods, *step0_methods(read)]),
        curves=training_charts(read),
        paper=paper_table(read, metrics),
        paper_metrics=[metric for metric in metrics if metric.metric in ("psnr", "ssim", "lpips")],
        hours=hours_table(read),
        literature=literature,
        scenes=pictures,
        shown=shown,
        versions=merge_versions(read),
        same_data=len({run.data for variant in read for run in variant.runs}) <= 1,
    )
    for metric in metrics:
        if rows := plot_rows(methods, metric):
            write_json(out / "plots" / f"{metric.key}.json", rows)
    write_bytes(out / "index.html", page.encode())
    return out / "index.html"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """The templates beside this file."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hdrmodel.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": format_number, "duration": format_duration, "flatten": flatten}
    environment.filters |= {"count": format_count}
    return environment


# Numbers and words


def format_duration(seconds: float) -> str:
    """Seconds up to ten minutes, minutes up to two hours, then hours."""
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def format_count(number: int) -> str:
    """A whole number with narrow spaces between its thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def flatten(config: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """The values of nested sections under dotted names, in their order."""
    pairs = []
    for name, value in config.items():
        pairs += flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return pairs


def alignments_of(metrics: Sequence[Metric]) -> list[tuple[str, str, list[Metric]]]:
    """The alignments of the HDR set, with their words and columns, in the order of the columns."""
    names = dict.fromkeys(metric.alignment for metric in metrics if metric.alignment is not None)
    return [(name, ALIGNMENTS.get(name, name), [m for m in metrics if m.alignment == name]) for name in names]


def chosen_alignment(metrics: Sequence[Metric]) -> str | None:
    """The alignment that the page opens with: gain, or else the first; None without an HDR set."""
    names = [name for name, _, _ in alignments_of(metrics)]
    return "gain" if "gain" in names else next(iter(names), None)


def headlines(metrics: Sequence[Metric]) -> list[Metric]:
    """PU21-PSNR under the chosen alignment, and the PSNR of the LDR set, as far as they are there."""
    places = {"psnr_pu21": ("hdr", chosen_alignment(metrics)), "psnr": ("ldr", None)}
    return [m for name in HEADLINES for m in metrics if (m.metric, (m.set, m.alignment)) == (name, places[name])]


def absent_metrics(variants: Sequence[Variant]) -> dict[str, str]:
    """Why a metric has no values and how to get it, by its name."""
    first = variants[0].summary
    names = {column.metric: column.name for column in first.columns.values()}
    whys = {key: why for variant in reversed(variants) for key, why in variant.summary.absent.items()}
    return {names.get(key, key): why.removeprefix("absent: ") for key, why in whys.items()}


# Comparisons


class Comparison:
    """The differences between methods; each is computed once."""

    def __init__(self):
        self._known: dict[tuple, Difference | None] = {}

    def __call__(self, ours: Method, other: Method, metric: Metric) -> Difference | None:
        """Ours less the other, paired by picture; None where they share no picture with a finite value."""
        places = tuple((method.variant.index, method.name) for method in (ours, other))
        if (*places, metric.key) not in self._known:
            self._known[*places, metric.key] = _difference(ours, other, metric)
        return self._known[*places, metric.key]


def _difference(ours: Method, other: Method, metric: Metric) -> Difference | None:
    tables = [method.variant.table(method.name, metric.key) for method in (ours, other)]
    if None in tables:
        return None
    difference = difference_interval(*tables, metric.higher_is_better, metric.resolution, metric.unit)
    return difference if difference.pictures else None


def base_of(variants: Sequence[Variant]) -> Method:
    """What differences are to: the network without attention, or else the first variant."""
    base = next((variant for variant in variants if variant.name == "none"), variants[0])
    return Method(base.label, base, "network", base.color)


def compared(variants: Sequence[Variant], base: Method) -> list[Method]:
    """What is compared to the base: the other variants, and doing nothing."""
    methods = [method for method in methods_of(variants) if method.name in ("network", *FLOORS)]
    return [method for method in methods if (method.variant, method.name) != (base.variant, base.name)]


def changes_of(method: Method, base: Method, metrics: Sequence[Metric], compare: Comparison) -> list[Change]:
    """How far a method is from the base, a row a metric that both have."""
    changes = []
    for metric in metrics:
        if (difference := compare(method, base, metric)) is not None:
            changes.append(Change(method, metric, difference))
    return changes


def changes_by(changes: Mapping[str, Sequence[Change]], metric: Metric, of_variants: bool) -> list[Change]:
    """One metric's differences, a row a method; of variants alone where there are any: floors' would dwarf theirs."""
    by_metric = [change for of_method in changes.values() for change in of_method if change.metric == metric]
    return [change for change in by_metric if not of_variants or change.method.name == "network"]


# Tables


def limits_of(variant: Variant, metric: Metric) -> tuple[float | None, float | None]:
    """The scores of the floor, without a network but with the same knowledge, and of the oracle."""
    return variant.score(metric.floor, metric.key), variant.score("oracle", metric.key)


def results_table(
    methods: Sequence[Method], variants: Sequence[Variant], metrics: Sequence[Metric], compare: Comparison
) -> list[dict]:
    """The rows of the table: each a method and its cells by column.

    A cell has its value, its 95 % interval, whether it is below the floor, and whether it is the best: better than all
    other variants' by differences that can be told from none.
    """
    trained = [method for method in methods_of(variants) if method.name == "network"]
    rows = []
    for method in methods:
        cells = {}
        for metric in metrics:
            value, floor = method.value(metric), limits_of(variants[0], metric)[0]
            cell = {"metric": metric, "value": value, "interval": method.interval(metric), "best": False}
            of_network = method.name not in (*FLOORS, "oracle") and value is not None
            cell["below"] = of_network and floor is not None and metric.is_worse(value, floor)
            if method.name == "network" and value is not None:
                cell["best"] = _is_best(method, trained, metric, compare)
            cells[metric.key] = cell
        rows.append({"method": method, "cells": cells})
    return rows


def _is_best(method: Method, trained: Sequence[Method], metric: Metric, compare: Comparison) -> bool:
    others = [other for other in trained if other.variant is not method.variant and other.value(metric) is not None]
    if not others or method.value(metric) != metric.best(one.value(metric) for one in (method, *others)):
        return False
    differences = [compare(method, other, metric) for other in others]
    return all(difference is not None and difference.separable for difference in differences)


def seeds_table(variants: Sequence[Variant]) -> list[tuple[str, list[tuple[int, dict[str, float | None]]]]]:
    """Each seed's means of the trained networks, by variant."""
    return [
        (variant.label, [(seed, variant.summary.scores_by_seed[seed]["network"]) for seed in variant.summary.seeds])
        for variant in variants
        if variant.summary.seeds
    ]


def strata_table(metric: Metric, methods: Sequence[Method]) -> dict:
    """One metric by clipped share of the input: a row a method that has it."""
    strata = methods[0].variant.summary.strata
    rows = []
    for method in methods:
        of_method = {stratum.label: stratum.scores for stratum in method.variant.summary.strata}
        values = [of_method.get(stratum.label, {}).get(method.name, {}).get(metric.key) for stratum in strata]
        if any(value is not None for value in values):
            rows.append((method, values))
    return {"metric": metric, "strata": strata, "rows": rows}


def paper_table(variants: Sequence[Variant], metrics: Sequence[Metric]) -> list[dict]:
    """Table 3 of HDR-AttNet: a row an attention, with the paper's three numbers and our cells."""
    ours = {variant.name: variant for variant in variants if variant.kind == "attention"}
    rows = []
    for name, numbers in literature.PAPER_SCORES.items():
        variant = ours.get(name)
        cells = [
            (
                metric,
                variant and variant.score("network", metric.key),
                variant and variant.interval("network", metric.key),
            )
            for metric in metrics
            if metric.metric in ("psnr", "ssim", "lpips")
        ]
        rows.append({"label": literature.PAPER_NAMES[name], "paper": numbers, "cells": cells, "ours": variant})
    return rows


def hours_table(variants: Sequence[Variant]) -> list[dict]:
    """The hours of section 4.1 of HDR-AttNet beside ours; ours alone where the paper has none."""
    ours = {variant.name: variant for variant in variants if variant.runs}
    names = [*literature.PAPER_SCORES, *(name for name in ours if name not in literature.PAPER_SCORES)]
    return [
        {
            "label": ours[name].label if name in ours else literature.PAPER_NAMES[name],
            "paper": literature.PAPER_HOURS.get(name),
            "variant": ours.get(name),
        }
        for name in names
    ]


def plot_rows(methods: Sequence[Method], metric: Metric) -> list[dict]:
    """A column's means with their intervals, as `dvc plots` reads them: a row a method that has the score."""
    rows = []
    for method in methods:
        if (value := method.value(metric)) is not None:
            low, high = method.interval(metric) or (None, None)
            rows.append({"method": method.label, "value": value, "low": low, "high": high})
    return rows


# Sentences


def reading_of(
    variants: Sequence[Variant], base: Method, metrics: Sequence[Metric], changes: Mapping[str, Sequence[Change]]
) -> list[str]:
    """Sentences on what the tables show: each variant against its step 0 and the floor, and against the base."""
    sentences = []
    for variant in variants:
        floors = {metric: variant.score(metric.floor, metric.key) for metric in metrics}
        text = f"{variant.label}: {_beaten(variant, floors)} scores are better than the floor, the LDR input with the "
        text += "same knowledge"
        if "step0" in variant.summary.scores:
            before = {metric: variant.score("step0", metric.key) for metric in metrics}
            text += f"; training improves {_beaten(variant, before)} scores over step 0"
        sentences.append(f"{text}.")
    for label, of_method in changes.items():
        by_verdict = {
            verdict: [c.metric.title for c in of_method if c.verdict == verdict] for verdict in ("better", "worse")
        }
        told = [f"better in {_listed(names)}" for names in [by_verdict["better"]] if names]
        told += [f"worse in {_listed(names)}" for names in [by_verdict["worse"]] if names]
        rest = len(of_method) - sum(map(len, by_verdict.values()))
        told += [f"not separable in {rest} of {len(of_method)} scores"] if rest else []
        if told:
            sentences.append(f"{label} against {base.label}: {', '.join(told)}.")
    return sentences


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _beaten(variant: Variant, others: Mapping[Metric, float | None]) -> str:
    pairs = [(metric, variant.score("network", metric.key), other) for metric, other in others.items()]
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

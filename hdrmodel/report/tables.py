"""The report's tables."""

from collections.abc import Sequence

from hdrmodel.report import literature
from hdrmodel.report.changes import Comparison
from hdrmodel.report.figures import Method, methods_of
from hdrmodel.report.inputs import SHARED, Metric, Variant


def results_table(
    methods: Sequence[Method], variants: Sequence[Variant], metrics: Sequence[Metric], compare: Comparison
) -> list[dict]:
    """The rows of the table: each a method and its cells by column.

    A cell has its value, its 95 % interval or the means of a few scenes, whether it is below the floor, and whether it
    is the best: better than those of all other variants by separable differences.
    """
    trained = [method for method in methods_of(variants) if method.name == "network"]
    rows = []
    for method in methods:
        cells = {}
        for metric in metrics:
            value = method.value(metric)
            floor = variants[0].score(metric.floor(method.name, method.variant.kind), metric.key)
            cell = {"metric": metric, "value": value, "interval": method.interval(metric), "best": False}
            cell["scenes"] = method.variant.scene_values(method.name, metric.key)
            own = None if method.name in SHARED else value
            cell["below"] = own is not None and floor is not None and metric.is_worse(own, floor)
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

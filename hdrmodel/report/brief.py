"""The results in one small table: for the terminal after a run, and for the top of the page."""

from collections.abc import Sequence

from hdrmodel.report.charts import format_number
from hdrmodel.report.figures import Method, blind_methods
from hdrmodel.report.inputs import Metric, Variant
from hdrmodel.scores.methods import METHODS

COLUMNS = ("psnr_pu21_gain", "bias_clipped", "error_clipped", "step_clipped", "hue_clipped", "psnr_ldr")
HEADLINE = "psnr_pu21_gain"  # by which the best variant is chosen


def brief_metrics(metrics: Sequence[Metric]) -> list[Metric]:
    """Return the columns of the small table, as far as they were measured."""
    return [metric for key in COLUMNS for metric in metrics if metric.key == key]


def best_of(variants: Sequence[Variant]) -> Variant:
    """Return the variant with the best light, of those that were trained if there are any."""
    trained = [variant for variant in variants if variant.runs] or list(variants)
    return max(trained, key=lambda variant: variant.score("network", HEADLINE) or 0.0)


def five_rows(variants: Sequence[Variant]) -> list[Method]:
    """Return own light, the constant, the best trained variant (response known, estimated), and the release."""
    best = best_of(variants)
    shipped = [variant for variant in variants if variant.kind == "release"]
    return [
        *(_shared(variants, name) for name in ("input_crf", "clipped_constant")),
        _network(best),
        *(method for method in blind_methods(best) if method.name == "network_auto"),
        *map(_network, shipped),
    ]


def terminal_rows(variants: Sequence[Variant]) -> list[Method]:
    """Return the rows for the terminal: response known first, then unknown."""
    known = [*(_shared(variants, name) for name in ("input_crf", "clipped_constant")), *map(_network, variants)]
    shipped = [variant for variant in variants if variant.kind == "release"]
    unknown = blind_methods((shipped or [best_of(variants)])[0])
    return [*known, *unknown, _shared(variants, "clipped_constant_srgb")]


def format_brief(variants: Sequence[Variant], metrics: Sequence[Metric]) -> list[str]:
    """Return the lines of the small table."""
    shown = brief_metrics(metrics)
    first = variants[0].summary
    title = f"{first.stacks} photographs of {first.scenes} test scenes"
    rows = [[title, *(f"{metric.name}{' LDR' * (metric.set == 'ldr')} {metric.unit}".rstrip() for metric in shown)]]
    for method in terminal_rows(variants):
        values = [method.value(metric) for metric in shown]
        if any(value is not None for value in values):
            cells = (format_number(value, metric.digits) for value, metric in zip(values, shown, strict=True))
            rows.append([method.label, *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    template = "  ".join([f"{{:<{widths[0]}}}", *(f"{{:>{width}}}" for width in widths[1:])])
    return [template.format(*row) for row in rows]


def _network(variant: Variant) -> Method:
    return Method(variant.label, variant, "network", variant.color)


def _shared(variants: Sequence[Variant], name: str) -> Method:
    return Method(METHODS[name].label, variants[0], name, name)

"""Differences between variants, as numbers and as sentences."""

from collections.abc import Mapping, Sequence

from hdrmodel.report.figures import Change, Method, blind_methods, methods_of
from hdrmodel.report.inputs import Metric, Variant
from hdrmodel.scores.intervals import Difference, difference_interval
from hdrmodel.scores.methods import labels_of

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
    a, b = (method.variant.table(method.name, metric.key) for method in (ours, other))
    if a is None or b is None:
        return None
    bootstrap = ours.variant.summary.bootstrap
    difference = difference_interval(
        a,
        b,
        bool(metric.higher_is_better),
        metric.resolution,
        metric.unit,
        same_seeds=ours.variant is other.variant,
        resamples=bootstrap.resamples,
        seed=bootstrap.seed,
    )
    return difference if difference.pictures else None


def base_of(variants: Sequence[Variant]) -> Method:
    """Base of the differences: the network without attention, or else the first variant."""
    base = next((variant for variant in variants if variant.name == "base"), variants[0])
    return Method(base.label, base, "network", base.color)


def compared(variants: Sequence[Variant], base: Method) -> list[Method]:
    """Methods that are compared to the base: the other variants, and doing nothing."""
    methods = [method for method in methods_of(variants) if method.name in ("network", *labels_of("floor"))]
    return [method for method in methods if (method.variant, method.name) != (base.variant, base.name)]


def changes_of(method: Method, base: Method, metrics: Sequence[Metric], compare: Comparison) -> list[Change]:
    """Return how far a method is from the base, a row a metric that both have.

    Another program does not get the camera response, and is compared with the base that does not get it either.
    """
    blind = [one for one in blind_methods(base.variant) if one.name == "network_auto"]
    other = blind[0] if blind and method.variant.kind == "predictions" and method.name == "network" else base
    changes = []
    for metric in metrics:
        if (difference := compare(method, other, metric)) is not None:
            changes.append(Change(method, metric, difference, other))
    return changes


def changes_by(changes: Mapping[str, Sequence[Change]], metric: Metric, of_variants: bool) -> list[Change]:
    """One metric's differences, a row a method; of variants alone where there are any: floors' would dwarf theirs."""
    by_metric = [change for of_method in changes.values() for change in of_method if change.metric == metric]
    return [change for change in by_metric if not of_variants or change.method.name == "network"]


# Tables


def limits_of(variant: Variant, metric: Metric) -> tuple[float | None, float | None]:
    """The scores of the floor, without a network but with the same knowledge, and of the oracle."""
    return variant.score(metric.floor("network", variant.kind), metric.key), variant.score("oracle", metric.key)


# Sentences


def reading_of(
    variants: Sequence[Variant], base: Method, metrics: Sequence[Metric], changes: Mapping[str, Sequence[Change]]
) -> list[str]:
    """Sentences on what the tables show: each variant against its step 0 and the floor, and against the base."""
    sentences = []
    for variant in variants:
        text = (
            f"{variant.label}: {_beaten(variant, 'network', metrics)} scores are better than doing nothing, which is "
        )
        text += "the LDR input, clipped values times a constant, with the same knowledge"
        for blind in blind_methods(variant):
            text += f"; {blind.label.removeprefix(f'{variant.label}, ')}, {_beaten(variant, blind.name, metrics)}"
        if "step0" in variant.summary.scores:
            text += f"; training improves {_beaten(variant, 'network', metrics, 'step0')} scores over step 0"
        sentences.append(f"{text}.")
    for label, of_method in changes.items():
        by_verdict = {
            verdict: [c.metric.title for c in of_method if c.verdict == verdict] for verdict in ("better", "worse")
        }
        parts = [f"better in {_listed(names)}" for names in [by_verdict["better"]] if names]
        parts += [f"worse in {_listed(names)}" for names in [by_verdict["worse"]] if names]
        rest = len(of_method) - sum(map(len, by_verdict.values()))
        parts += [f"not separable in {rest} of {len(of_method)} scores"] if rest else []
        if parts:
            sentences.append(f"{label} against {base.label}: {', '.join(parts)}.")
    return sentences


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _beaten(variant: Variant, method: str, metrics: Sequence[Metric], other: str | None = None) -> str:
    """In how many scores a method is better than another one of the variant, or than its floor."""
    others = [other or metric.floor(method, variant.kind) for metric in metrics]
    pairs = [
        (metric, variant.score(method, metric.key), variant.score(other, metric.key))
        for metric, other in zip(metrics, others, strict=True)
    ]
    known = [(metric, ours, other) for metric, ours, other in pairs if ours is not None and other is not None]
    return f"{sum(metric.is_worse(other, ours) for metric, ours, other in known)} of {len(known)}"

"""Write the report: one HTML page, complete in itself, of how every variant was trained, seed by seed, and scored."""

from collections.abc import Sequence
from pathlib import Path

from hdrdata.files.disk import write_bytes, write_json
from hdrdata.files.documents import page_templates
from hdrmodel.report import literature
from hdrmodel.report.brief import best_of, brief_metrics, five_rows
from hdrmodel.report.changes import Comparison, base_of, changes_by, changes_of, compared, limits_of, reading_of
from hdrmodel.report.charts import format_number
from hdrmodel.report.curves import write_curves
from hdrmodel.report.figures import (
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
    Metric,
    Variant,
    check_comparable,
    metrics_of,
    read_variant,
)
from hdrmodel.report.pictures import choose_scenes, opening_pictures, scene_pictures
from hdrmodel.report.tables import hours_table, paper_table, results_table, seeds_table, strata_table
from hdrmodel.scores.methods import SETS, labels_of

ROLES = (("network",), ("unknown",), ("step0",), ("floor", "merge"), ("bound",))  # the groups of rows of a table
HEADLINES = ("psnr_pu21", "psnr")  # the metrics shown by clipped share: of light, and of the LDR set


def read_variants(runs: Path, scores: Path, variants: tuple[str, ...], seeds: tuple[int, ...]) -> list[Variant]:
    """Read the runs and scores of variants.

    Args:
        runs: has a folder a variant with a folder a seed with `run.json`; nothing of what was not trained.
        scores: has a folder a variant with `summary.json`, `per_picture.csv` and `pictures/`.
        variants: names, in the order of the rows.
        seeds: that each of them was trained and evaluated with.

    Raises:
        ValueError: one line naming the file that is missing or damaged, or that scores different stacks than the first
            variant's, or other seeds than `seeds`.
    """
    if not variants or not seeds:
        raise ValueError("no variants or no seeds: the report needs at least one of each")
    read = [read_variant(name, index, runs, scores, seeds) for index, name in enumerate(variants)]
    for variant in read[1:]:
        check_comparable(read[0], variant, scores)
    return read


def write_report(runs: Path, scores: Path, out: Path, variants: tuple[str, ...], seeds: tuple[int, ...]) -> Path:
    """Read variants and write the page; see `read_variants` and `write_page`."""
    return write_page(read_variants(runs, scores, variants, seeds), runs, out, seeds)


def write_page(read: Sequence[Variant], runs: Path, out: Path, seeds: tuple[int, ...]) -> Path:
    """Write the page `out/index.html` on the variants' runs and scores; the same inputs give the same bytes.

    The page holds its pictures, charts, style and script, and asks for nothing else. `out/plots/` has the means with
    their intervals as JSON for `dvc plots`, a file a column that has scores, and the curves of training.

    Args:
        read: by `read_variants`; differences are to the one named `base`, or else to the first.
        runs: the folder that they were read from, for the pictures of training.
        out: folder; created if missing.
        seeds: that each of them was trained and evaluated with.

    Returns:
        the path of the page.

    Raises:
        ValueError: one line naming a picture that is missing or wrong.
    """
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
    filters = {"number": format_number, "duration": format_duration, "flatten": flatten, "count": format_count}
    template = page_templates("hdrmodel.report", "templates", **filters).get_template("page.html")
    page = template.render(
        variants=read,
        best=best_of(read),
        opening=opening_pictures(best_of(read), shown.names),
        brief=brief_metrics(metrics),
        five=[(method, [method.value(metric) for metric in brief_metrics(metrics)]) for method in five_rows(read)],
        seeds=seeds,
        first=read[0],
        base=base,
        metrics=metrics,
        sets=[(name, label, [m for m in metrics if m.set == name]) for name, label in SETS.items() if name != "hdr"],
        alignments=alignments_of(metrics),
        chosen=chosen_alignment(metrics),
        groups_of_rows=[labels_of(*roles) for roles in ROLES],
        classical=labels_of("merge"),
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
    write_curves(read, runs, seeds, out / "plots")
    write_bytes(out / "index.html", page.encode())
    return out / "index.html"


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
    """Return why a metric has no values and how to get it, by its name."""
    first = variants[0].summary
    names = {column.metric: column.name for column in first.columns.values()}
    whys = {key: why for variant in reversed(variants) for key, why in variant.summary.absent.items()}
    return {names.get(key, key): why.removeprefix("absent: ") for key, why in whys.items()}


def plot_rows(methods: Sequence[Method], metric: Metric) -> list[dict]:
    """A column's means with their intervals, as `dvc plots` reads them: a row a method that has the score."""
    rows = []
    for method in methods:
        if (value := method.value(metric)) is not None:
            low, high = method.interval(metric) or (None, None)
            rows.append({"method": method.label, "value": value, "low": low, "high": high})
    return rows


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

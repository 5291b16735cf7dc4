"""Compare two sets of scores, picture by picture: differences with intervals, win rates and verdicts."""

import math
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool

from hdrmodel.scores.folder import ColumnFacts, PictureScores, Scores
from hdrmodel.scores.intervals import LEVEL, METHOD, Difference, difference_interval
from hdrmodel.scores.methods import SETS, is_blind, labels_of
from hdrmodel.scores.strata import STRATA, stratum_label, stratum_of

FAIR = {
    side: f"a fair comparison is by {option} {', '.join(labels_of('unknown'))}."
    for side, option in (("A", "--method"), ("B", "--method-b"))
}
CLIPPED_AGREE = 2e-5  # two evaluations of one input; the file has six decimals


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    path: str
    variant: str
    method: str
    seeds: tuple[str, ...]  # empty where the method does not depend on them

    def __str__(self) -> str:
        seeds = f", seed{'s' * (len(self.seeds) > 1)} {', '.join(self.seeds)}" if self.seeds else ""
        return f"{self.path}: {self.method} of {self.variant}{seeds}"


@dataclass(frozen=True)
class Line:
    """The comparison in one column."""

    column: str
    facts: ColumnFacts
    difference: Difference

    @property
    def better(self) -> str | None:
        """ "A" or "B"; None where the two are not separable."""
        if not self.difference.separable or self.facts.higher_is_better is None:
            return None
        return "A" if (self.difference.interval.value > 0) == self.facts.higher_is_better else "B"

    @property
    def verdict(self) -> str:
        if self.facts.higher_is_better is None:
            return "signed"
        return f"{self.better} better" if self.better else f"not separable: {self.difference.why}"


@dataclass(frozen=True)
class Group:
    """All columns over the same stacks: all of them, or those of one stratum."""

    label: str  # empty: all
    stacks: int
    scenes: int
    lines: tuple[Line, ...]  # of the columns in which both have a finite score
    empty: tuple[str, ...]  # the other columns of both


@dataclass(frozen=True)
class Comparison:
    """Two methods, of one variant or of two, on the same stacks."""

    a: Side
    b: Side
    resamples: int
    groups: tuple[Group, ...]  # all stacks first
    alone: Mapping[str, tuple[str, ...]]  # "A" and "B": columns that only one has
    lacking: Mapping[str, str]  # by metric: why it is absent from one of them, and how to get it
    informed: str | None  # "A" or "B": the one of the two that uses the known camera response

    def to_json(self) -> dict:
        """The same as JSON: a number that is not known is None."""
        return {
            "a": asdict(self.a),
            "b": asdict(self.b),
            "intervals": METHOD,
            "level": LEVEL,
            "resamples": self.resamples,
            "groups": [
                {
                    "clipped_share": group.label or None,
                    "stacks": group.stacks,
                    "scenes": group.scenes,
                    "columns": {line.column: _line_as_json(line) for line in group.lines},
                    "empty": list(group.empty),
                }
                for group in self.groups
            ],
            "only_in": {side: list(columns) for side, columns in self.alone.items()},
            "absent": dict(self.lacking),
            "knows_the_response": self.informed,
        }


def compare_scores(
    a: Scores,
    b: Scores,
    method_a: str = "network",
    method_b: str = "network",
    resamples: int | None = None,
    by_clipping: bool = False,
) -> Comparison:
    """Compare a method of one folder of scores with a method of the same or another folder.

    Args:
        resamples: of the scenes, for the intervals; None: as many as A was evaluated with, whose seed is used too.
        by_clipping: also within each of STRATA that has a stack.

    Raises:
        ValueError: one line, if a folder has no such method, or the two were scored on other stacks or by another
            protocol, so that their scores must not be subtracted.
    """
    rows_a, rows_b = a.pictures.of(method_a), b.pictures.of(method_b)
    resamples = resamples or a.summary.bootstrap.resamples
    _check_stacks(a.pictures, rows_a, b.pictures, rows_b)
    _check_protocol(a, b)
    common = [column for column in a.columns if column in b.columns]
    for column in common:
        _check_column(a, b, column)
    side_a, side_b = (
        Side(str(scores.path), scores.summary.variant, method, _seeds(scores.pictures, rows))
        for scores, method, rows in ((a, method_a, rows_a), (b, method_b, rows_b))
    )
    knowing = [not is_blind(method_a, a.summary.kind, False), not is_blind(method_b, b.summary.kind, False)]
    informed = None if knowing[0] == knowing[1] else ("A" if knowing[0] else "B")

    strata = [("", None)]
    if by_clipping:
        strata += [(stratum_label(*borders), number) for number, borders in enumerate(STRATA)]
    numbers = {key: number for key, (number, _) in _strata_of(a.pictures, rows_a).items()}
    groups = []
    for label, wanted in strata:
        keys = [key for key, number in numbers.items() if wanted in (None, number)]
        if not keys:
            continue
        of_a, of_b = (rows & np.isin(scores.pictures.key, keys) for scores, rows in ((a, rows_a), (b, rows_b)))
        scenes = len(np.unique(a.pictures.scene[of_a]))
        lines = [_compare_column(a, of_a, b, of_b, column, resamples) for column in common]
        measured = tuple(line for line in lines if line.difference.pictures)
        empty = tuple(line.column for line in lines if not line.difference.pictures)
        groups.append(Group(label, len(keys), scenes, measured, empty))
    alone = {
        "A": tuple(column for column in a.columns if column not in b.columns),
        "B": tuple(column for column in b.columns if column not in a.columns),
    }
    lacking = {**b.summary.absent, **a.summary.absent}
    return Comparison(side_a, side_b, resamples, tuple(groups), alone, lacking, informed)


def format_comparison(comparison: Comparison) -> list[str]:
    """Return the lines to print on how two methods differ."""
    a, b = comparison.a, comparison.b
    whole = comparison.groups[0]
    lines = [f"A  {a}", f"B  {b}", ""]
    for group in comparison.groups:
        if group.label:
            lines += ["", f"Clipped share of the input {group.label}: {_count(group)}", ""]
        lines += _table(group)
    explanation = (
        f"{_count(whole)}; means over those with a finite score of both. A - B: {METHOD}; {comparison.resamples} "
        f"resamples{_seed_note(a, b)}. Intervals are not corrected for multiple comparisons."
    )
    lines += ["", *textwrap.wrap(explanation, 100)]
    if comparison.informed:
        blind = "A" if comparison.informed == "B" else "B"
        words = (
            f"{comparison.informed} uses the known camera response and {blind} does not: {FAIR[comparison.informed]}"
        )
        lines += textwrap.wrap(words, 100)
    for group in comparison.groups:
        where = f" (clipped {group.label})" if group.label else ""
        for line in group.lines:
            if (left_out := group.stacks - line.difference.pictures) > 0:
                lines.append(
                    f"{line.column}{where}: {left_out} of {group.stacks} stacks left out: infinite or missing."
                )
        if group.empty and not group.label:
            lines.append(f"No stack has a finite score of both in {', '.join(group.empty)}.")
    lines += [f"Only {side} has {', '.join(columns)}." for side, columns in comparison.alone.items() if columns]
    lines += [f"{metric} is absent: {why}" for metric, why in comparison.lacking.items()]
    return lines


def _check_stacks(a: PictureScores, rows_a: np.ndarray, b: PictureScores, rows_b: np.ndarray) -> None:
    """Refuse scores of other stacks, or of other pictures under the same keys."""
    shares_a, shares_b = (_strata_of(pictures, rows) for pictures, rows in ((a, rows_a), (b, rows_b)))
    if alone := sorted(shares_a.keys() ^ shares_b.keys()):
        where = a.path if alone[0] in shares_a else b.path
        raise ValueError(
            f"{b.path}: scores different stacks than {a.path}: {len(alone)} keys are in only one of them, such as "
            f"'{alone[0]}' of {where}; expected the same: evaluate both on the same shards"
        )
    for key, (_, share) in shares_a.items():
        if abs(share - shares_b[key][1]) > CLIPPED_AGREE:
            raise ValueError(
                f"{b.path}: '{key}' has the clipped share {shares_b[key][1]:g}, and {share:g} in {a.path}: another "
                "picture under the same key; evaluate both on the same shards"
            )


def _check_protocol(a: Scores, b: Scores) -> None:
    """Refuse two protocols: another alignment, tone map or scale gives other numbers for the same picture.

    How each folder's own intervals were made, of how many seeds and resamples, changes no score.
    """
    ours, theirs = a.summary.protocol, b.summary.protocol
    for name in sorted((ours.keys() | theirs.keys()) - {"intervals"}):
        if ours.get(name) != theirs.get(name):
            raise ValueError(
                f"{b.path}: a different protocol than {a.path}: '{name}' is {_quoted(theirs.get(name))}, and "
                f"{_quoted(ours.get(name))} in A; expected the same: evaluate both with the same program and parameters"
            )


def _check_column(a: Scores, b: Scores, column: str) -> None:
    ours, theirs = a.columns[column], b.columns[column]
    of_lpips = ours.metric == "lpips" and not any(s.summary.lpips.startswith("absent") for s in (a, b))
    if ours.higher_is_better != theirs.higher_is_better or ours.metric != theirs.metric or ours.unit != theirs.unit:
        raise ValueError(f"{b.path}: the column '{column}' is another metric than in {a.path}; evaluate both again")
    if of_lpips and a.summary.lpips != b.summary.lpips:
        raise ValueError(
            f"{b.path}: LPIPS by {_quoted(b.summary.lpips)}, and by {_quoted(a.summary.lpips)} in {a.path}; "
            "expected the same trunk: evaluate both with the same parameters"
        )


def _quoted(text: str | None) -> str:
    """A text of a summary in an error: one line, the first 60 characters."""
    if text is None:
        return "missing"
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= 60 else f"'{line[:60]}...'"


def _strata_of(pictures: PictureScores, rows: Bool[np.ndarray, " rows"]) -> dict[str, tuple[int, float]]:
    """By stack: the number of its stratum, and its clipped share."""
    shares = pictures.clipped_share[rows]
    strata = stratum_of(shares)
    return {
        key: (int(stratum), float(share))
        for key, stratum, share in zip(pictures.key[rows].tolist(), strata, shares, strict=True)
    }


def _seeds(pictures: PictureScores, rows: Bool[np.ndarray, " rows"]) -> tuple[str, ...]:
    names = np.unique(pictures.seed[rows]).tolist()
    return tuple(sorted((name for name in names if name), key=lambda name: (len(name), name)))


def _compare_column(a: Scores, rows_a: np.ndarray, b: Scores, rows_b: np.ndarray, column: str, resamples: int) -> Line:
    facts = a.columns[column]
    difference = difference_interval(
        a.pictures.table(column, rows_a),
        b.pictures.table(column, rows_b),
        bool(facts.higher_is_better),
        facts.resolution,
        facts.unit,
        same_seeds=a.pictures.path.samefile(b.pictures.path),
        resamples=resamples,
        seed=a.summary.bootstrap.seed,
    )
    return Line(column, facts, difference)


def _line_as_json(line: Line) -> dict:
    difference, interval = line.difference, line.difference.interval
    return {
        "metric": line.facts.metric,
        "set": line.facts.set,
        "alignment": line.facts.alignment,
        "unit": line.facts.unit,
        "higher_is_better": line.facts.higher_is_better,
        "mean_a": difference.mean_a,
        "mean_b": difference.mean_b,
        "difference": interval.value,
        "low": interval.low,
        "high": interval.high,
        "win_rate": difference.win_rate,
        "stacks": difference.pictures,
        "scenes": difference.scenes,
        "better": line.better,
        "why": difference.why,
    }


def _table(group: Group) -> list[str]:
    """Columns of text as wide as their widest entry: words to the left, numbers to the right."""
    rows = [("metric", "set", "alignment", "A", "B", "A - B", "95 % interval", "A wins", "verdict")]
    for line in group.lines:
        facts, difference = line.facts, line.difference
        interval = difference.interval
        bounds = "-"
        if interval.low is not None and interval.high is not None:
            bounds = f"[{interval.low:+.{facts.digits}f}, {interval.high:+.{facts.digits}f}]"
        rows.append((
            f"{facts.name} ({facts.unit})" if facts.unit else facts.name,
            SETS[facts.set],
            facts.alignment or "-",
            f"{difference.mean_a:.{facts.digits}f}",
            f"{difference.mean_b:.{facts.digits}f}",
            f"{interval.value:+.{facts.digits}f}",
            bounds,
            f"{math.floor(100 * difference.win_rate + 0.5)} %",
            line.verdict,
        ))  # fmt: skip
    if not group.lines:
        return ["no column in which both have a finite score"]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = (0, 1, 2, 8)
    return [
        "  ".join(
            cell.ljust(width) if place in text else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _count(group: Group) -> str:
    return f"{group.stacks} stack{'s' * (group.stacks != 1)} of {group.scenes} scene{'s' * (group.scenes != 1)}"


def _seed_note(a: Side, b: Side) -> str:
    """Whose seeds the intervals do not hold."""
    single = [name for name, side in (("A", a), ("B", b)) if len(side.seeds) == 1]
    return f"; {' and '.join(single)} from one seed: another may differ by more" if single else ""

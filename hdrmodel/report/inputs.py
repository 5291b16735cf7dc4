"""Read what the report shows: the scores of every variant, its runs, and the rows of its pictures."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from pydantic import ConfigDict

from hdrdata.config import Section
from hdrdata.files.disk import read_json
from hdrmodel.scores.folder import PER_PICTURE, SUMMARY, PictureScores, Summary, read_scores, read_summary
from hdrmodel.scores.intervals import Table
from hdrmodel.scores.methods import SETS, SHARED, Kind, floor_of

UNTRAINED = ("release", "predictions")  # kinds without runs
ALIGNMENTS = {"none": "none", "gain": "gain", "crf": "CRF"}
PROTOCOL = ("ldr", "merge", "responses", "floors", "tonemapped", "clipped", "hdr", "alignments", "intervals")
PEERS = {"expandnet": "ExpandNet", "hdrunet": "HDRUNet", "hdrcnn": "HDRCNN-style"}


@dataclass(frozen=True)
class Metric:
    """A column of the scores: its key, and how it is written and read."""

    key: str
    metric: str  # the key without set and alignment
    name: str
    set: str
    alignment: str | None
    unit: str
    digits: int
    higher_is_better: bool | None  # None: signed, the nearer to 0 the better
    resolution: float | None  # smaller differences, in the metric's unit, are not meaningful

    @property
    def domain(self) -> str:
        """The set in words, with the alignment before an HDR metric."""
        if self.alignment is None:
            return SETS[self.set]
        return f"{SETS[self.set]}, {'unaligned' if self.alignment == 'none' else f'{self.aligned}-aligned'}"

    @property
    def aligned(self) -> str:
        """The alignment in words; empty if the set has none."""
        return ALIGNMENTS.get(self.alignment, self.alignment) if self.alignment else ""

    @property
    def title(self) -> str:
        return f"{self.name} ({self.domain})"

    def floor(self, method: str, kind: Kind) -> str:
        """Return the floor with the same knowledge as a method of a kind of variant."""
        return floor_of(method, kind, self.set == "ldr")

    def best(self, values: Iterable[float | None]) -> float | None:
        """The best of the values that exist; None if none does."""
        known = [value for value in values if value is not None]
        if self.higher_is_better is None:
            return min(known, key=abs, default=None)
        return (max if self.higher_is_better else min)(known) if known else None

    def is_worse(self, value: float, other: float) -> bool:
        """Return whether `value` is worse than `other` by more than rounding to the printed digits hides."""
        if self.higher_is_better is None:
            value, other = abs(value), abs(other)
        difference = round(value, self.digits) - round(other, self.digits)
        return difference < 0 if self.higher_is_better else difference > 0


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
    """Facts of `runs/<variant>/<seed>/run.json` that the report reads."""

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


@dataclass(frozen=True, eq=False)
class Variant:
    """Everything that the report shows of one variant."""

    name: str
    index: int
    summary: Summary
    runs: tuple[Run, ...]  # one a seed; none of predictions
    per_picture: PictureScores
    pictures: Path

    @property
    def kind(self) -> Kind:
        return self.summary.kind

    @property
    def label(self) -> str:
        if self.kind == "attention":
            return self.name
        if self.kind == "baseline":
            return PEERS.get(self.name, self.name)
        return f"{self.summary.variant} ({'shipped weights' if self.kind == 'release' else 'predictions'})"

    @property
    def color(self) -> str:
        """A CSS class; the tenth colour is the first one again."""
        return f"v{self.index % 9}"

    @property
    def run(self) -> Run | None:
        """The first seed's, for what is the same for all; None of predictions."""
        return self.runs[0] if self.runs else None

    def mean_of_runs(self, name: str) -> float | None:
        """The mean over the seeds of a number in run.json; None where one of them has none."""
        values = [getattr(run, name) for run in self.runs]
        return None if None in values or not values else fmean(values)

    def score(self, method: str, key: str) -> float | None:
        """The mean of a column; None where the method does not have it."""
        return self.summary.scores.get(method, {}).get(key)

    def interval(self, method: str, key: str) -> tuple[float, float] | None:
        """The 95 % interval of a mean; None where there is none, as with one scene."""
        return self.summary.intervals.get(method, {}).get(key)

    def scene_values(self, method: str, key: str) -> list[float]:
        """Return the means of the scenes in increasing order, where there are too few scenes for an interval."""
        return sorted(self.summary.by_scene.get(method, {}).get(key, {}).values())

    def table(self, method: str, key: str) -> Table | None:
        """A column of a method's rows; None if it has none."""
        chosen = self.per_picture.method == method
        return self.per_picture.table(key, chosen) if chosen.any() else None


def metrics_of(summary: Summary) -> tuple[Metric, ...]:
    """The columns in the order of the file."""
    return tuple(Metric(key=key, **dict(column)) for key, column in summary.columns.items())


def read_variant(name: str, index: int, runs: Path, scores: Path, seeds: tuple[int, ...]) -> Variant:
    """Read and check all files of one variant.

    Raises:
        ValueError: naming the file that is missing or wrong.
    """
    path = scores / name / SUMMARY
    summary = read_summary(path)
    if missing := [words for words in PROTOCOL if words not in summary.protocol]:
        raise ValueError(f"{path}: protocol: no '{missing[0]}'; expected {', '.join(PROTOCOL)}")
    for method in ("network", *SHARED):
        if method not in summary.scores:
            raise ValueError(f"{path}: scores: no '{method}'; expected network, {', '.join(SHARED)}")
        if missing := [key for key in summary.columns if key not in summary.scores[method]]:
            raise ValueError(f"{path}: scores.{method}: no '{missing[0]}'; expected every name of columns")
    seeds = () if summary.kind in UNTRAINED else seeds
    if (*summary.seeds,) != seeds or {*summary.scores_by_seed} != {*seeds}:
        raise ValueError(f"{path}: scores of the seeds {summary.seeds}; expected {[*seeds]}")
    trained = tuple(_read_run(runs / name / str(seed) / "run.json") for seed in seeds)
    return Variant(name, index, summary, trained, read_scores(scores / name).pictures, scores / name / "pictures")


def find_untrained(scores: Path, variants: Iterable[str]) -> tuple[str, ...]:
    """Return the names of scored folders of the shipped weights and of other programs' predictions, in this order.

    Folders of variants that are no longer evaluated may lie there too, in whatever format, and are passed over.
    """
    others = sorted({path.parent.name for path in scores.glob(f"*/{SUMMARY}")} - {*variants})
    kinds = {name: read_json(scores / name / SUMMARY).get("kind") for name in others}
    return tuple(name for kind in UNTRAINED for name in others if kinds[name] == kind)


def _read_run(path: Path) -> Run:
    check_file(path)
    content = read_json(path)
    try:
        return Run.parse("run", content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def check_file(path: Path) -> None:
    """Refuse a path without a file, in words of the report."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; the report needs it of every variant")


def check_comparable(first: Variant, other: Variant, scores: Path) -> None:
    """Refuse two variants scored on other stacks or by another protocol: their rows must not share a table."""
    if {*first.per_picture.key} != {*other.per_picture.key}:
        here, there = (scores / variant.name / PER_PICTURE for variant in (other, first))
        raise ValueError(f"{here}: scores different stacks than {there}; evaluate all variants on the same shards")
    here, there = (scores / variant.name / SUMMARY for variant in (other, first))
    if first.summary.columns != other.summary.columns:
        raise ValueError(f"{here}: different columns than {there}; evaluate all variants with the same metrics")
    protocols = [{**one.summary.protocol, "intervals": ""} for one in (first, other)]  # it depends on seeds
    if protocols[0] != protocols[1]:
        raise ValueError(f"{here}: a different protocol than {there}; evaluate all variants with the same program")
    trunks = [variant.summary.lpips for variant in (first, other)]
    if trunks[0] != trunks[1] and not any(trunk.startswith("absent") for trunk in trunks):
        raise ValueError(f"{here}: LPIPS by '{trunks[1]}', and by '{trunks[0]}' in {there}; expected one trunk")

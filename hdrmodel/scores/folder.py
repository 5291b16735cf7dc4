"""Read what the evaluation of a variant wrote: summary.json and per_picture.csv, as typed objects."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Shaped
from pydantic import ConfigDict, Field

from hdrdata.config import Section
from hdrdata.files.disk import read_json
from hdrmodel.scores.intervals import Table
from hdrmodel.scores.methods import Kind

FORMAT = "scores-3"
SUMMARY, PER_PICTURE = "summary.json", "per_picture.csv"
FACTS = ("key", "scene", "view", "crf", "method", "seed", "clipped_share")
Means = dict[str, float | None]  # by column; None: not defined for the method, not measured, or infinite


class _Read(Section):
    """A part of summary.json; a later program may write more into it."""

    model_config = ConfigDict(extra="ignore")


class ColumnFacts(_Read):
    """Description of a column of scores, and how it is written and read."""

    metric: str
    name: str
    set: Literal["ldr", "tonemapped", "clipped", "hdr"]
    alignment: str | None  # of the estimate with the truth, in the set hdr
    unit: str
    digits: int
    higher_is_better: bool | None  # None: signed, without a verdict
    resolution: float | None  # smaller differences are not meaningful, in the unit


class StratumScores(_Read):
    """The means over the pictures whose input is clipped by a share from `low` to below `high`."""

    label: str
    low: float
    high: float
    pictures: int
    scenes: int
    scores: dict[str, Means]


class Costs(_Read):
    """Costs of a reconstruction; None if unknown, as for a folder of predictions."""

    parameters: int | None = None
    gmacs: float | None = None  # of a picture of `size` pixels a side
    size: int | None = None
    seconds_per_stack: float | None = None
    device: str | None = None


class ClippedFactors(_Read):
    """Factors of the baselines for clipped values: the best on images of the train part."""

    known: float  # the camera response known
    srgb: float  # taken for sRGB
    pictures: int  # 0: there was no train part, and the factors are of other scenes


class Bootstrap(_Read):
    """Parameters of the intervals."""

    resamples: int
    seed: int


class Summary(_Read):
    """summary.json; methods and columns are keys, all means are over pictures and seeds."""

    format: Literal["scores-3"]
    variant: str
    kind: Kind
    seeds: list[int]
    stacks: int
    scenes: int
    pictures: int
    protocol: dict[str, str]  # a sentence on how each set of scores is computed
    columns: dict[str, ColumnFacts]
    absent: dict[str, str]  # by metric: why, and how to get it
    scores: dict[str, Means]
    intervals: dict[str, dict[str, tuple[float, float] | None]]  # 95 %; None with fewer than five scenes
    by_scene: dict[str, dict[str, dict[str, float]]] = Field(
        default_factory=dict
    )  # the means of each scene, with fewer than five
    scores_by_seed: dict[int, dict[str, Means]]
    strata: list[StratumScores]
    by_ev: dict[str, dict[float, Means]]
    costs: Costs
    clipped_factors: ClippedFactors
    bootstrap: Bootstrap
    lpips: str
    clipped_share: float = math.nan  # of the inputs' values
    data: str  # a digest of what was trained on; empty: not known
    trained_on_these_shards: bool | None = None  # None: not known
    missing: list[str] = Field(default_factory=list)  # keys without a prediction
    versions: dict[str, str]
    command: str


@dataclass(frozen=True)
class PictureScores:
    """per_picture.csv: a row a stack, method and seed."""

    path: Path
    key: Shaped[np.ndarray, " rows"]
    scene: Shaped[np.ndarray, " rows"]
    view: Shaped[np.ndarray, " rows"]
    crf: Shaped[np.ndarray, " rows"]
    method: Shaped[np.ndarray, " rows"]
    seed: Shaped[np.ndarray, " rows"]  # empty where the method does not depend on it
    clipped_share: Float64[np.ndarray, " rows"]  # of the input, [0, 1]
    values: dict[str, Float64[np.ndarray, " rows"]]  # by column; NaN: missing, infinite: equal pictures

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(dict.fromkeys(self.method.tolist()))

    def of(self, method: str) -> Bool[np.ndarray, " rows"]:
        """Return which rows are a method's.

        Raises:
            ValueError: naming the file, if it has none, with those that it has.
        """
        rows = self.method == method
        if not rows.any():
            raise ValueError(f"{self.path}: no method '{method}'; it has {', '.join(self.methods)}")
        return rows

    def table(self, column: str, rows: Bool[np.ndarray, " rows"]) -> Table:
        """The scores of one column as the intervals take them.

        Args:
            rows: of one method; see `of`.
        """
        return Table(self.values[column][rows], self.scene[rows], self.key[rows], self.seed[rows])


@dataclass(frozen=True)
class Scores:
    """Scores of one variant."""

    path: Path  # as it was given: the folder, or the CSV
    pictures: PictureScores
    summary: Summary

    @property
    def columns(self) -> dict[str, ColumnFacts]:
        return self.summary.columns


def read_scores(path: Path) -> Scores:
    """Read a folder of scores, or a per_picture.csv with the summary.json beside it.

    Raises:
        ValueError: one line naming the file that is missing, of another format, or whose columns or rows are wrong.
    """
    if path.is_dir():
        file, summary = path / PER_PICTURE, path / SUMMARY
    else:
        file, summary = path, path.parent / SUMMARY
    if not file.is_file():
        raise ValueError(f"{file}: no such file; expected a folder of scores, or the {PER_PICTURE} of one")
    facts = read_summary(summary)
    return Scores(path, read_pictures(file, tuple(facts.columns)), facts)


def read_summary(path: Path) -> Summary:
    """Read summary.json.

    Raises:
        ValueError: naming the file, if it is not there, of another format, or a value is wrong or missing.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; it describes the columns: evaluate again")
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise ValueError(f"{path}: format {content.get('format')!r}; expected '{FORMAT}': evaluate again")
    try:
        return Summary.parse("summary", content)
    except ValueError as error:
        first, _, more = str(error).partition("; ")
        raise ValueError(f"{path}: {first}{' and more' if more else ''}") from error


def read_pictures(path: Path, columns: Sequence[str]) -> PictureScores:
    """Read per_picture.csv; an empty field is a score that is missing or not defined.

    Args:
        columns: of scores, that the file must have.

    Raises:
        ValueError: naming the file and the column or the line that is wrong.
    """
    wanted = (*FACTS, *columns)
    rows: list[tuple[str, ...]] = []
    numbers: list[list[float]] = []
    first: dict[tuple[str, str, str], int] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        try:
            header = next(reader, [])
            if missing := [name for name in wanted if name not in header]:
                raise ValueError(f"no column '{missing[0]}'; expected {', '.join(wanted)}")
            places = [header.index(name) for name in wanted]
            for fields in reader:
                line = f"line {reader.line_num}"
                if len(fields) != len(header):
                    raise ValueError(f"{line}: {len(fields)} fields; expected {len(header)}")
                facts = tuple(fields[place] for place in places[:6])
                if (row := (facts[0], facts[4], facts[5])) in first:
                    raise ValueError(f"{line}: the same key, method and seed as line {first[row]} ({', '.join(row)})")
                first[row] = reader.line_num
                rows.append(facts)
                numbers.append(
                    [_number(fields[place], name, line) for place, name in zip(places[6:], wanted[6:], strict=True)]
                )
                if not 0 <= (share := numbers[-1][0]) <= 1:
                    raise ValueError(f"{line}: clipped_share '{share:g}'; expected a number in [0, 1]")
        except (ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
            raise ValueError(f"{path}: {error}") from error
    if not rows:
        raise ValueError(f"{path}: no rows; expected one a stack, method and seed")
    facts = [np.array(column) for column in zip(*rows, strict=True)]
    shares, *values = np.array(numbers).T.copy()
    return PictureScores(path, *facts, clipped_share=shares, values=dict(zip(columns, values, strict=True)))


def _number(text: str, name: str, line: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f"{line}: {name} '{text}'; expected a number, inf or an empty field")
    return value

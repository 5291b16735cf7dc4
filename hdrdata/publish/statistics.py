"""Statistics of a dataset: dynamic range, and how often each level occurs in each camera and exposure.

A view in radiance form has at most 31,744 different values, so that its histogram, looked up in a table, is the exact
histogram of an LDR picture that is never made.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from threading import Lock

import numpy as np
from jaxtyping import Float16, Int64, UInt8

from hdrdata.cameras.exposure import WHITE, half_bits
from hdrdata.machine import available_cores
from hdrdata.publish.contents import Contents, HeldView, list_views, stacks_of
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.normalise import stops_of
from hdrdata.views.view import View
from hdrdata.work.progress import progress_bar

LEVELS = 256
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Spread:
    """Distribution of a number over the views."""

    minimum: float
    tenth: float  # the 10th percentile
    median: float
    ninetieth: float
    maximum: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread | None":
        """The spread of `values`; None if there are none."""
        if not values:
            return None
        return cls(*(round(float(value), 4) for value in np.percentile(values, [0, 10, 50, 90, 100])))


@dataclass(frozen=True)
class PartStatistics:
    """The statistics of one part."""

    part: str
    form: str  # that was measured
    scenes: int
    groups: int
    views: int
    pictures: int
    bytes: dict[str, int]  # of the part's shards, by form
    kinds: dict[str, int]  # views that are "pano", "photo" or "unknown"
    sizes: dict[str, int]  # views by "<width>x<height>"
    stops: Spread | None  # None: pixels form without a catalog
    magnification: Spread | None  # view pixels to source pixels; None: no catalog
    letters: str  # of the exposures, in rising exposure
    evs: tuple[float, ...]
    levels: dict[str, Int64[np.ndarray, "exposures 256"]]  # by camera: how many values of all pictures have each level

    def histogram(self, crf: str | None = None) -> Int64[np.ndarray, "exposures 256"]:
        """Number of values at each level, by exposure, for one camera or all."""
        return np.sum(list(self.levels.values()), axis=0) if crf is None else self.levels[crf]

    def shares(self, crf: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The shares [0, 1] of values that are 0, and that are saturated (254 or 255), by exposure."""
        counts = self.histogram(crf)
        total = np.maximum(counts.sum(axis=1), 1)
        return counts[:, 0] / total, counts[:, WHITE:].sum(axis=1) / total

    def to_json(self) -> dict:
        """The same as plain JSON, with the shares beside the counts."""
        shares = {crf: [np.round(share, 7).tolist() for share in self.shares(crf)] for crf in self.levels}
        return {
            **asdict(self),
            "evs": list(self.evs),
            "black_share": {crf: black for crf, (black, _) in shares.items()},
            "clipped_share": {crf: clipped for crf, (_, clipped) in shares.items()},
            "levels": {crf: counts.tolist() for crf, counts in self.levels.items()},
        }

    @classmethod
    def from_json(cls, row: dict) -> "PartStatistics":
        """Undo `to_json`."""
        known = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(**{
            **known,
            "evs": tuple(row["evs"]),
            "stops": row["stops"] and Spread(**row["stops"]),
            "magnification": row["magnification"] and Spread(**row["magnification"]),
            "levels": {crf: np.array(counts, np.int64) for crf, counts in row["levels"].items()},
        })  # fmt: skip


@dataclass(frozen=True)
class Statistics:
    """The statistics of a dataset, and of what exactly."""

    name: str
    recipe: str
    digest: str  # of the contents that were measured
    parts: tuple[PartStatistics, ...]

    def to_json(self) -> dict:
        """As plain JSON."""
        return {**asdict(self), "parts": [part.to_json() for part in self.parts]}

    @classmethod
    def from_json(cls, content: dict) -> "Statistics":
        """Undo `to_json`."""
        return cls(**{**content, "parts": tuple(PartStatistics.from_json(part) for part in content["parts"])})


def measure_shards(
    contents: Contents, catalog: tuple[View, ...] = (), *, workers: int = 0, quiet: bool = False
) -> Statistics:
    """Measure every view of a dataset, each part by itself. Memory does not grow with the number of views.

    Args:
        catalog: the views as `ingest` described them, for magnification, and for stops where there is no radiance.
        workers: threads; 0 for one a core. The result does not depend on it.
        quiet: without a progress bar.

    Raises:
        IntegrityError: naming shard and sample, if one is damaged.
    """
    views = list_views(contents, catalog)
    bar = progress_bar()
    bar.disable = quiet
    parts = []
    with bar:
        task = bar.add_task("stats", total=len(views))
        for part, reader in contents.readers.items():
            chosen = [view for view in views if view.part == part]
            tally = _Tally(reader, chosen[0])
            pool = ThreadPoolExecutor(workers or available_cores())
            try:
                for future in as_completed([pool.submit(tally.add, view) for view in chosen]):
                    future.result()
                    bar.advance(task)
            finally:  # also after Ctrl-C and damage
                pool.shutdown(cancel_futures=True)
            parts.append(_describe(contents, part, chosen, tally))
    return Statistics(contents.name, contents.recipe["name"], contents.digest, tuple(parts))


def _describe(contents: Contents, part: str, views: list[HeldView], tally: "_Tally") -> PartStatistics:
    levels = tally.levels()
    forms = {form: contents.of(form, part) for form in contents.forms}
    return PartStatistics(
        part=part,
        form=tally.reader.form,
        scenes=len({view.scene for view in views}),
        groups=len({view.group for view in views}),
        views=len(views),
        pictures=tally.stacks * len(tally.reader.evs),
        bytes={form: sum(shard.size for shard in shards) for form, shards in forms.items() if shards},
        kinds=dict(sorted(Counter(view.kind for view in views).items())),
        sizes=dict(sorted(tally.sizes.items())),
        stops=Spread.of(tally.stops or [view.stops for view in views if view.stops is not None]),
        magnification=Spread.of([view.magnification for view in views if view.magnification is not None]),
        letters=tally.reader.index["recipe"]["letters"],
        evs=tally.reader.evs,
        levels=levels,
    )


class _Tally:
    """Counts of one part, to which threads add view after view."""

    def __init__(self, reader: Shards, first: HeldView):
        self.reader = reader
        self.tables = _look_up_tables(reader, first)
        self.values = np.zeros(65536, np.int64)  # of all views, by the bits of a half float
        self.counts: dict[str, np.ndarray] = {}  # by camera, where pictures have to be made
        self.stops: list[float] = []
        self.sizes: Counter[str] = Counter()
        self.stacks = 0
        self._lock = Lock()

    def add(self, view: HeldView) -> None:
        """Count one view."""
        counts, values, stops = {}, None, None
        if self.tables:
            radiance = self.reader.radiance(view.numbers[0]).radiance
            values, stops, shape = count_halves(radiance), stops_of(radiance), radiance.shape
        else:
            if self.reader.form == "radiance":
                stops = stops_of(self.reader.radiance(view.numbers[0]).radiance)
            for sample in stacks_of(self.reader, view):
                counts[sample.crf] = count_levels(sample.stack)
                shape = sample.stack.shape[1:]
        with self._lock:
            self.stacks += len(self.tables or counts)
            self.sizes[f"{shape[1]}x{shape[0]}"] += 1
            if stops is not None:
                self.stops.append(stops)
            if values is not None:
                self.values += values
            for crf, count in counts.items():
                self.counts[crf] = self.counts.get(crf, 0) + count

    def levels(self) -> dict[str, Int64[np.ndarray, "exposures 256"]]:
        """The counts of all views so far, by camera."""
        counts = {crf: look_up_counts(self.values, tables) for crf, tables in self.tables.items()} or self.counts
        return dict(sorted(counts.items()))


def count_halves(radiance: Float16[np.ndarray, "height width 3"]) -> Int64[np.ndarray, " 65536"]:
    """Return the count of each half float, by its bits."""
    return np.bincount(half_bits(radiance).ravel(), minlength=65536)


def count_levels(
    stack: UInt8[np.ndarray, "exposures height width 3"],
) -> Int64[np.ndarray, "exposures 256"]:
    """Return the count of each level in each image."""
    return np.stack([np.bincount(ldr.ravel(), minlength=LEVELS) for ldr in stack])


def look_up_counts(
    values: Int64[np.ndarray, " 65536"], tables: UInt8[np.ndarray, "exposures 65536"]
) -> Int64[np.ndarray, "exposures 256"]:
    """`count_levels` of the pictures that `tables` make of a view, from `count_halves` of the view alone; exact."""
    counts = [np.bincount(table, weights=values, minlength=LEVELS) for table in tables]  # float64: whole up to 2**53
    return np.stack(counts).astype(np.int64)


def _look_up_tables(reader: Shards, view: HeldView) -> dict[str, UInt8[np.ndarray, "exposures 65536"]]:
    """The tables of the recipe by camera, if its pictures are look-ups in them and nothing else; else none.

    A camera with noise or JPEG makes other images than its tables; the first view shows it.
    """
    if reader.form != "radiance" or not reader.index["recipe"].get("thresholds"):
        return {}
    radiance = reader.radiance(view.numbers[0])
    values = count_halves(radiance.radiance)
    for crf in reader.crfs:
        if crf not in reader.tables:
            return {}
        made = count_levels(reader.expand(radiance, crf).stack)
        if not np.array_equal(look_up_counts(values, reader.tables[crf]), made):
            return {}
    return {crf: reader.tables[crf] for crf in reader.crfs}


def stops_text(ev: int | float) -> str:
    """An exposure value with its sign and a true minus: "0", "+1.5"."""
    return f"{ev:+g}".replace("-", "−") if ev else "0"  # noqa: RUF001


def percent(share: float) -> str:
    """A share [0, 1] as a short text: 0, <0.1 %, 1.2 %, 34 %."""
    if share == 0:
        return "0"
    if share < 0.0005:
        return "<0.1 %"
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def sparkline(counts: np.ndarray, bins: int = 16) -> str:
    """A histogram of 256 levels as one line of bars, in eighths of the largest."""
    sums = counts.reshape(bins, -1).sum(axis=1)
    heights = np.rint(sums / max(sums.max(), 1) * (len(BARS) - 1)).astype(int)
    return "".join(BARS[height] for height in heights)

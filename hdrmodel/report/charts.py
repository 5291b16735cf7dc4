"""The geometry of charts: axes with round ticks, and curves, in the units of an SVG's viewBox; and their numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

Points = list[tuple[float, float | None]]

MINUS = "\N{MINUS SIGN}"
NO_VALUE = "\N{EN DASH}"
MOST_POINTS = 240  # a curve with more is averaged over neighbours


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis from `low` to `high`, drawn from `start` to `end`, with ticks at round values."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    most: int = 6  # steps between ticks

    def at(self, value: float) -> float:
        """The coordinate of a value, to a tenth of a unit."""
        low, high, value = map(math.log10 if self.log else float, (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (value - low) / (high - low), 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Coordinates and texts of the ticks."""
        values = decades(self.low, self.high) if self.log else round_steps(self.low, self.high, self.most)
        return [(self.at(value), f"{value:g}".replace("-", MINUS)) for value in values]


def round_steps(low: float, high: float, count: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten in [low, high]: at most `count` + 1 of them."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """The powers of ten in [low, high], with their 2s and 5s where there are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if math.log10(high / low) > 3 else (1, 2, 5)
    values = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [value for value in values if low <= value <= high]


def fit_axis(
    values: Sequence[float], start: float, end: float, *, zero: bool = False, log: bool = False, most: int = 6
) -> Axis:
    """An axis that holds all values (and 0 if `zero`), with a little air where it does not end at 0."""
    low, high = min(values), max(values)
    if log:
        return Axis(low / 1.15, high * 1.15, start, end, log=True, most=most)
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    air = 0.04 * (high - low) or 0.5
    ends_at_zero = zero and high == 0 and low < 0
    return Axis(low - (0 if zero and low == 0 else air), high + (0 if ends_at_zero else air), start, end, most=most)


def line_chart(title: str, x_label: str, y_label: str, series: list[tuple[str, str, Points]], *, log: bool) -> dict:
    """Lines in a 360 x 230 picture: a series is its label, CSS class and points; a None leaves a gap.

    With `log`, the y axis is logarithmic if every value is above 0 and the largest is over ten times the smallest.
    """
    known = [(x, y) for _, _, points in series for x, y in points if y is not None]
    chart = {"title": title, "x_label": x_label, "y_label": y_label, "lines": []}
    if not known:
        return chart
    ys = [y for _, y in known]
    x_axis = fit_axis([x for x, _ in known], 44.0, 352.0)
    y_axis = fit_axis(ys, 192.0, 24.0, log=log and min(ys) > 0 and max(ys) > 10 * min(ys))
    for label, color, points in series:
        groups, segment = [], []
        for x, y in [*points, (0.0, None)]:
            if y is not None:
                segment.append((x_axis.at(x), y_axis.at(y)))
            elif segment:
                groups.append(segment)
                segment = []
        count = sum(len(group) for group in groups)
        chart["lines"].append({"label": label, "color": color, "segments": groups, "marked": count <= 24})
    return chart | {"x_ticks": x_axis.ticks, "y_ticks": y_axis.ticks, "log": y_axis.log}


def thin(points: Points) -> Points:
    """At most MOST_POINTS points: each the mean of as many neighbours as that takes."""
    size = math.ceil(len(points) / MOST_POINTS)
    if size <= 1:
        return points
    known = [(x, y) for x, y in points if y is not None]
    groups = [known[start : start + size] for start in range(0, len(known), size)]
    return [(fmean(x for x, _ in group), fmean(y for _, y in group)) for group in groups]


def format_number(value: float | None, digits: int, sign: bool = False) -> str:
    """A number with a true minus sign; an en dash for None."""
    if value is None:
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    text = text if float(text) else text.lstrip("+-")
    return text.replace("-", MINUS)

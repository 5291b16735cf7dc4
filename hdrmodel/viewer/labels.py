"""Labels of the page: numbers, attributes, ticks and the outline of the histogram."""

import math

from hdrdata.files.radiance import Repairs
from hdrdata.terminal import printable

LONGEST_TEXT = 400  # letters of an attribute


def attribute_text(value: object) -> str:
    """Return an attribute of a file in at most `LONGEST_TEXT` letters."""
    return printable(f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split()), LONGEST_TEXT)


def format_light(value: float) -> str:
    """Four digits, with an exponent only where the number would be long."""
    if not 1e-4 <= value < 1e6:
        return f"{value:.3g}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(value)))}f}"


def format_short(value: float) -> str:
    """Two digits, and k for thousands: what fits under a tick."""
    power = math.floor(math.log10(value))
    if power >= 6 or power < -3:
        return f"{value:.0e}"
    rounded = round(value, 1 - power)
    return f"{rounded / 1000:g}k" if power >= 3 else f"{rounded:g}"


def format_count(number: int) -> str:
    """A whole number with narrow spaces between its thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def format_share(number: int, pixels: int) -> str:
    """A share of the pixels in per cent; what is not 0 is not written as 0."""
    percent = 100 * number / pixels
    return "< 0.01 %" if 0 < percent < 0.01 else f"{percent:.2f} %" if number else "0 %"


def format_ev(ev: float) -> str:
    """Stops with their sign."""
    return f"{'+' if ev > 0 else chr(0x2212) if ev < 0 else ''}{abs(ev):.1f}"


def repairs_text(repairs: Repairs) -> str:
    kinds = {"negative": repairs.negative, "NaN": repairs.nan, "infinite": repairs.infinite}
    return ", ".join(f"{format_count(count)} {kind}" for kind, count in kinds.items() if count)


def bars_path(counts: tuple[int, ...]) -> str:
    """The outline of the histogram in SVG, 100 high, a bin 1 wide; heights are as the roots of the counts."""
    largest = math.sqrt(max(counts))
    heights = [100 - 100 * math.sqrt(count) / largest for count in counts]
    return "M0 100" + "".join(f"V{height:.1f}h1" for height in heights) + "V100z"


def ticks_of(low: int, high: int) -> list[tuple[int, float]]:
    """Stops to write under the histogram, at most eight, 0 among them, with their places in per cent."""
    step = next(step for step in (1, 2, 3, 4, 5, 6, 8, 10) if (high - low) / step <= 7)
    return [(stops, 100 * (stops - low) / (high - low)) for stops in range(low, high + 1) if stops % step == 0]

"""Draw camera responses as a chart, SVG or PNG, with matplotlib."""

import io
from pathlib import Path

import numpy as np

from hdrdata.cameras.crf import CameraResponse
from hdrdata.files.disk import write_bytes

# Okabe and Ito's colours, which most colour-blind readers can distinguish; yellow is darker here, to be seen on white
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8a7a00")
MOST_CURVES = 2 * len(COLOURS)  # the second eight are dashed
GREY = "#c8c8c8"
STOPS = 10  # below saturation, the left end of a chart over stops


def draw_curves(
    path: Path, curves: dict[str, CameraResponse], others: dict[str, CameraResponse], *, stops: bool
) -> None:
    """Write a chart of responses over exposure to `path`, whole or not at all.

    Args:
        path: ends with .svg or .png.
        curves: drawn in colours, with a legend in the order of their responses at 18 % exposure.
        others: drawn in grey, behind them.
        stops: the exposure in stops below saturation instead of linear.

    Raises:
        ValueError: if there are more than 16 `curves`, or the path has another ending.
    """
    if len(curves) > MOST_CURVES:
        raise ValueError(f"{len(curves)} curves; expected at most {MOST_CURVES}, which can be distinguished")
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise ValueError(f"{path}: expected a name that ends with .svg or .png")
    import matplotlib  # takes half a second to import
    from matplotlib.figure import Figure

    positions = np.linspace(-STOPS, 0, 401) if stops else np.linspace(0, 1, 401) ** 2  # dense where curves bend
    exposures = 2.0**positions if stops else positions
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for number, response in enumerate(others.values()):
        label = f"{len(others)} others of the file" if number == 0 else None
        axes.plot(positions, response(exposures), color=GREY, linewidth=0.8, label=label, zorder=1)
    for number, (name, response) in enumerate(sorted(curves.items(), key=lambda item: -item[1](np.array([0.18]))[0])):
        dash = "-" if number < len(COLOURS) else "--"
        axes.plot(positions, response(exposures), dash, color=COLOURS[number % len(COLOURS)], label=name, gid=name)
    axes.set(xlabel="exposure, stops below saturation" if stops else "exposure, 1 saturates", ylabel="response")
    axes.set(xlim=(positions[0], positions[-1]), ylim=(0, 1))
    axes.grid(color="#e6e6e6")
    figure.legend(loc="outside right upper", frameon=False)
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "crf", "svg.fonttype": "none"}):  # the same bytes, and text as text
        figure.savefig(content, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    write_bytes(path, content.getvalue())

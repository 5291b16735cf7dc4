"""Draw camera responses as a chart: the same shapes as an SVG, or as a PNG by OpenCV."""

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np

from hdrdata.cameras.crf import CameraResponse
from hdrdata.files.disk import write_bytes

# Okabe and Ito's colours, told apart by most colour-blind readers; yellow is darker here, to be seen on white
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8a7a00")
MOST_CURVES = 2 * len(COLOURS)  # the second eight are dashed
GREY, INK, GRID = "#c8c8c8", "#333333", "#e6e6e6"
LEFT, TOP, SIDE, HEIGHT = 56, 48, 380, 486  # pixels of the SVG; the curves' square is SIDE wide
STOPS = 10  # below saturation, the left end of a chart over stops
SCALE = 2  # of the PNG
CHARACTER = 7.2  # width of a legend's character, about
Number = int | float


@dataclass(frozen=True)
class Line:
    """A polyline in pixels of the SVG."""

    points: list[tuple[Number, Number]]
    colour: str
    width: Number


@dataclass(frozen=True)
class Text:
    """A word whose baseline begins, has its middle or ends at (x, y)."""

    x: Number
    y: Number
    text: str
    size: int
    anchor: str = "start"  # or "middle", "end"


def draw_curves(
    path: Path, curves: dict[str, CameraResponse], others: dict[str, CameraResponse], *, stops: bool
) -> None:
    """Write a chart of responses over exposure to `path`, whole or not at all.

    Args:
        path: ends with .svg or .png.
        curves: drawn in colours, with a legend in the order of their responses at 18 % exposure.
        others: drawn in grey, behind them.
        stops: the exposure in stops below saturation, and not linear.

    Raises:
        ValueError: if there are more than 16 `curves`, or the path has another ending.
    """
    if len(curves) > MOST_CURVES:
        raise ValueError(f"{len(curves)} curves; wanted at most {MOST_CURVES}, which can be told apart")
    if path.suffix.lower() not in (".svg", ".png"):
        raise ValueError(f"{path}: wanted a name that ends with .svg or .png")
    ordered = dict(sorted(curves.items(), key=lambda item: -float(item[1](np.array([0.18]))[0])))
    width, shapes = _chart(ordered, others, stops)
    encode = _svg if path.suffix.lower() == ".svg" else _png
    write_bytes(path, encode(width, shapes))


def _chart(
    curves: dict[str, CameraResponse], others: dict[str, CameraResponse], stops: bool
) -> tuple[int, list[Line | Text]]:
    low = -STOPS if stops else 0.0
    positions = np.linspace(low, 0.0, 401) if stops else np.linspace(0.0, 1.0, 401) ** 2  # dense where curves bend
    exposures = 2.0**positions if stops else positions
    xs = LEFT + SIDE * (positions - low) / (-low if stops else 1.0)

    def line(response: CameraResponse) -> list[tuple[Number, Number]]:
        ys = TOP + SIDE * (1 - response(exposures))
        return [(round(float(x), 1), round(float(y), 1)) for x, y in zip(xs, ys, strict=True)]

    bottom, right = TOP + SIDE, LEFT + SIDE
    shapes: list[Line | Text] = [Text(LEFT - 40, TOP - 22, "response", 14)]
    ticks = range(-STOPS, 1, 2) if stops else np.arange(6) / 5
    for tick in ticks:
        x = LEFT + SIDE * ((tick - low) / (-low if stops else 1.0))
        shapes.append(Line([(x, TOP), (x, bottom)], GRID, 1))
        shapes.append(Text(x, bottom + 20, f"{tick:g}".replace("-", "\N{MINUS SIGN}"), 13, "middle"))
    for tick in np.arange(6) / 5:
        y = TOP + SIDE * (1 - tick)
        shapes.append(Line([(LEFT, y), (right, y)], GRID, 1))
        shapes.append(Text(LEFT - 8, y + 5, f"{tick:g}", 13, "end"))
    label = "exposure, stops below saturation" if stops else "exposure, 1 saturates"
    shapes.append(Text(LEFT + SIDE / 2, bottom + 42, label, 14, "middle"))
    shapes.extend(Line(line(response), GREY, 0.8) for response in others.values())
    shapes.append(Line([(LEFT, TOP), (LEFT, bottom), (right, bottom)], INK, 1.2))

    legend = right + 24
    for number, (name, response) in enumerate(curves.items()):
        y = TOP + 8 + 24 * number
        for points in (line(response), [(legend + step, y) for step in range(0, 29, 2)]):
            shapes.extend(_strokes(points, number))
        shapes.append(Text(legend + 38, y + 5, name, 13))
    texts = list(curves)
    if others:
        y = TOP + 8 + 24 * len(curves)
        texts.append(f"{len(others)} others of the file")
        shapes += [Line([(legend, y), (legend + 28, y)], GREY, 2), Text(legend + 38, y + 5, texts[-1], 13)]
    widest = max((len(text) for text in texts), default=0)
    return round(legend + 38 + CHARACTER * widest + 16), shapes


def _strokes(points: list[tuple[Number, Number]], number: int) -> list[Line]:
    """A curve as one line, or from the ninth on as dashes of eight pixels."""
    colour = COLOURS[number % len(COLOURS)]
    if number < len(COLOURS):
        return [Line(points, colour, 2)]
    steps = np.hypot(*np.diff(np.array(points), axis=0).T)
    dash = (np.concatenate([[0.0], np.cumsum(steps)]) // 8).astype(int)
    pieces = [
        [point for point, place in zip(points, dash, strict=True) if place == k] for k in range(0, dash[-1] + 1, 2)
    ]
    return [Line(piece, colour, 2) for piece in pieces if len(piece) > 1]


def _svg(width: int, shapes: list[Line | Text]) -> bytes:
    body = [f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>']
    for shape in shapes:
        if isinstance(shape, Line):
            points = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
            body.append(
                f'<polyline points="{points}" fill="none" stroke="{shape.colour}" stroke-width="{shape.width:g}"/>'
            )
        else:
            body.append(
                f'<text x="{shape.x:g}" y="{shape.y:g}" font-size="{shape.size}" text-anchor="{shape.anchor}" '
                f'fill="{INK}">{escape(shape.text)}</text>'
            )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
    return "\n".join([f'{head} font-family="sans-serif">', *body, "</svg>", ""]).encode()


def _png(width: int, shapes: list[Line | Text]) -> bytes:
    picture = np.full((SCALE * HEIGHT, SCALE * width, 3), 255, dtype=np.uint8)
    font = cv2.FontFace("sans")
    for shape in shapes:
        if isinstance(shape, Line):
            points = np.round(np.array(shape.points) * SCALE * 16).astype(np.int32)  # 4 bits below a pixel
            thickness = max(1, round(SCALE * shape.width))
            cv2.polylines(picture, [points], False, _bgr(shape.colour), thickness, cv2.LINE_AA, 4)
        else:
            size = round(0.9 * SCALE * shape.size)  # the font is wider than a browser's
            _, _, text_width, _ = cv2.getTextSize((0, 0), shape.text, (0, 0), font, size)
            shift = {"start": 0.0, "middle": text_width / 2, "end": text_width}[shape.anchor]
            place = (round(SCALE * shape.x - shift), round(SCALE * shape.y))
            cv2.putText(picture, shape.text, place, _bgr(INK), font, size)
    return cv2.imencode(".png", picture)[1].tobytes()


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red

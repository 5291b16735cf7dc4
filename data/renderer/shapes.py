"""Triangle meshes for the sample scenes, in metres, z up; nearly all of them are bent grids.

A `Shape` carries texture coordinates in metres too, so a material says how many metres its picture spans.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

Point = tuple[float, float, float]


class Shape(NamedTuple):
    points: np.ndarray  # (vertices, 3)
    triangles: np.ndarray  # (triangles, 3), counter-clockwise from outside
    uvs: np.ndarray  # (vertices, 2)


def join(*shapes: Shape) -> Shape:
    starts = np.cumsum([0] + [len(shape.points) for shape in shapes[:-1]])
    return Shape(
        np.concatenate([shape.points for shape in shapes]),
        np.concatenate([shape.triangles + start for shape, start in zip(shapes, starts, strict=True)]),
        np.concatenate([shape.uvs for shape in shapes]),
    )


def place(shape: Shape, at: Point = (0, 0, 0), turn: float = 0, tilt: float = 0, scale: float = 1) -> Shape:
    """Scale, then tilt about x, then turn about z (degrees), then move."""
    a, b = np.radians(tilt), np.radians(turn)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return shape._replace(points=shape.points * scale @ (about_z @ about_x).T + np.asarray(at))


def normals(shape: Shape) -> np.ndarray:
    """Average the normals of the triangles around each vertex; boxes do not share vertices and so stay sharp."""
    a, b, c = (shape.points[shape.triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    total = np.zeros_like(shape.points)
    for corner in range(3):
        np.add.at(total, shape.triangles[:, corner], faces)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)


def grid(points: np.ndarray, uvs: np.ndarray) -> Shape:
    """Join a (rows, columns, 3) array of points; the outside sees the columns run right and the rows run up."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return Shape(points.reshape(-1, 3).astype(np.float64), triangles, uvs.reshape(-1, 2).astype(np.float64))


def quad(corner: Point, right: Point, up: Point, unit: bool = False) -> Shape:
    """Span a parallelogram; texture coordinates in metres, or [0, 1] if `unit` (a framed picture)."""
    corner, right, up = (np.asarray(vector, float) for vector in (corner, right, up))
    points = np.array([[corner, corner + right], [corner + up, corner + right + up]])
    width, height = (1.0, 1.0) if unit else (np.linalg.norm(right), np.linalg.norm(up))
    uvs = np.array([[(0, height), (width, height)], [(0, 0), (width, 0)]], float)  # v runs down
    if not unit:
        uvs += points[0, 0, :2] * 0.37 + points[0, 0, 2]  # so that neighbours do not repeat each other
    return grid(points, uvs)


def box(low: Point, high: Point) -> Shape:
    (x0, y0, z0), (x1, y1, z1) = low, high
    dx, dy, dz = x1 - x0, y1 - y0, z1 - z0
    return join(
        quad((x0, y0, z0), (dx, 0, 0), (0, 0, dz)),
        quad((x1, y1, z0), (-dx, 0, 0), (0, 0, dz)),
        quad((x1, y0, z0), (0, dy, 0), (0, 0, dz)),
        quad((x0, y1, z0), (0, -dy, 0), (0, 0, dz)),
        quad((x0, y0, z1), (dx, 0, 0), (0, dy, 0)),
        quad((x0, y1, z0), (dx, 0, 0), (0, -dy, 0)),
    )


def block(centre: Point, size: Point, turn: float = 0) -> Shape:
    """Stand a box of the given size on `centre`, the middle of its bottom."""
    x, y, z = size
    return place(box((-x / 2, -y / 2, 0), (x / 2, y / 2, z)), centre, turn)


def lathe(profile: list[tuple[float, float]], at: Point = (0, 0, 0), segments: int = 40, flutes: int = 0) -> Shape:
    """Turn a profile of (radius, height), from the bottom up, about z; `flutes` grooves it like a column."""
    profile = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    groove = 1 - 0.07 * np.abs(np.sin(flutes * angle / 2)) if flutes else np.ones_like(angle)
    radius = profile[:, :1] * groove
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), profile[:, 1:] + 0 * angle], -1)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    girth = 2 * np.pi * max(profile[:, 0].max(), 1e-3)
    uvs = np.stack(np.broadcast_arrays(angle / (2 * np.pi) * girth, along[:, None]), -1)
    return place(grid(points, uvs), at)


def sphere(centre: Point, radius: float, segments: int = 48) -> Shape:
    angle = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    return lathe([(radius * np.cos(a), radius * np.sin(a)) for a in angle], centre, segments)


def tube(start: Point, end: Point, radius: float, end_radius: float | None = None, segments: int = 10) -> Shape:
    """Stretch a cylinder or a cone between two points."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = end - start
    length = np.linalg.norm(axis)
    axis = axis / length
    side = np.cross(axis, (0, 0, 1) if abs(axis[2]) < 0.9 else (1, 0, 0))
    side /= np.linalg.norm(side)
    frame = np.stack([side, np.cross(axis, side), axis])
    end_radius = radius if end_radius is None else end_radius
    shape = lathe([(0, 0), (radius, 0), (end_radius, length), (0, length)], segments=segments)
    return shape._replace(points=shape.points @ frame + start)


def disc(centre: Point, normal: Point, radius: float, segments: int = 32) -> Shape:
    """Face a disc along `normal`: a thin cone, seen from its tip."""
    centre, normal = np.asarray(centre, float), np.asarray(normal, float)
    side = np.cross(normal, (0, 0, 1) if abs(normal[2]) < 0.9 else (1, 0, 0))
    side /= np.linalg.norm(side)
    flat = lathe([(radius, 0), (0, 0)], segments=segments)
    return flat._replace(points=flat.points @ np.stack([side, np.cross(normal, side), normal]) + centre)


def path_tube(points: list[Point], radius: float, segments: int = 8) -> Shape:
    """Lead a tube along points: a cable, a neon sign, a pipe."""
    return join(*(tube(a, b, radius, segments=segments) for a, b in pairwise(points)))


class Opening(NamedTuple):
    left: float
    right: float
    bottom: float
    top: float  # where the arch springs, if arched
    arched: bool = False


def wall(length: float, height: float, thickness: float, openings: list[Opening] = ()) -> Shape:
    """Build a wall along +x from the origin, outside face at y = 0 looking to -y, and cut its openings through."""
    edges = {0.0, length}
    for hole in openings:
        edges.update(np.linspace(hole.left, hole.right, 17) if hole.arched else (hole.left, hole.right))
    xs = sorted(edges)
    parts = []

    def panel(a: Point, b: Point, c: Point, d: Point) -> None:
        corners = np.array([[a, b], [d, c]], float)
        flat = np.ptp(corners[..., 1]) < 1e-9
        uvs = corners[..., [0, 2]] if flat else np.stack([corners[..., 0] + corners[..., 2], corners[..., 1]], -1)
        parts.append(grid(corners, uvs))

    def crown(hole: Opening, x: float) -> float:
        if not hole.arched:
            return hole.top
        radius = (hole.right - hole.left) / 2
        return hole.top + np.sqrt(max(radius**2 - (x - hole.left - radius) ** 2, 0))

    for x0, x1 in pairwise(xs):
        holes = sorted((h for h in openings if h.left <= (x0 + x1) / 2 <= h.right), key=lambda h: h.bottom)
        low = (0.0, 0.0)
        for hole in [*holes, None]:
            high = (height, height) if hole is None else (hole.bottom, hole.bottom)
            panel((x0, 0, low[0]), (x1, 0, low[1]), (x1, 0, high[1]), (x0, 0, high[0]))
            panel((x1, thickness, low[1]), (x0, thickness, low[0]), (x0, thickness, high[0]), (x1, thickness, high[1]))
            panel((x0, 0, high[0]), (x1, 0, high[1]), (x1, thickness, high[1]), (x0, thickness, high[0]))
            if hole is not None:
                low = (crown(hole, x0), crown(hole, x1))
                panel((x0, thickness, low[0]), (x1, thickness, low[1]), (x1, 0, low[1]), (x0, 0, low[0]))
    for hole in openings:
        for x, turn in ((hole.left, 1), (hole.right, -1)):
            y0, y1 = (0, thickness) if turn > 0 else (thickness, 0)
            panel((x, y0, hole.bottom), (x, y1, hole.bottom), (x, y1, hole.top), (x, y0, hole.top))
    panel((0, thickness, 0), (0, 0, 0), (0, 0, height), (0, thickness, height))
    panel((length, 0, 0), (length, thickness, 0), (length, thickness, height), (length, 0, height))
    return join(*parts)


def frame(hole: Opening, bars: tuple[int, int], depth: float, width: float = 0.06) -> Shape:
    """Fit a window frame with `bars` columns and rows of panes into a wall's opening, `depth` behind its face."""
    parts = []
    for x in np.linspace(hole.left + width / 2, hole.right - width / 2, bars[0] + 1):
        top = hole.top
        if hole.arched:
            radius = (hole.right - hole.left) / 2
            top += np.sqrt(max(radius**2 - (x - hole.left - radius) ** 2, 0))
        parts.append(box((x - width / 2, depth, hole.bottom), (x + width / 2, depth + width, top)))
    for z in np.linspace(hole.bottom + width / 2, hole.top - width / 2, bars[1] + 1):
        parts.append(box((hole.left, depth, z - width / 2), (hole.right, depth + width, z + width / 2)))
    return join(*parts)


def stairs(steps: int, width: float, rise: float = 0.17, run: float = 0.3) -> Shape:
    """Climb along +y from the origin, centred on x = 0."""
    return join(
        *(box((-width / 2, i * run, 0), (width / 2, (i + 1) * run + 0.02, (i + 1) * rise)) for i in range(steps))
    )


def column(height: float, radius: float) -> Shape:
    """Set a fluted shaft with a round base and a spreading capital."""
    base = [(0, 0), (1.45, 0), (1.45, 0.12), (1.3, 0.2), (1.4, 0.3), (1.15, 0.4), (1.05, 0.5)]
    head = [(0.9, -0.75), (1.0, -0.7), (0.92, -0.6), (1.15, -0.45), (1.5, -0.3), (1.5, 0), (0, 0)]
    lower = lathe([(r * radius, z * radius) for r, z in base])
    shaft = lathe(
        [(radius * (1.02 - 0.14 * t**2), 0.5 * radius + t * (height - 1.25 * radius)) for t in np.linspace(0, 1, 6)],
        flutes=20, segments=120,
    )  # fmt: skip
    return join(lower, shaft, lathe([(r * radius, height + z * radius) for r, z in head]))


def vault(length: float, radius: float, spring: float, segments: int = 32) -> Shape:
    """Span a barrel vault along y over the middle of x, seen from below."""
    angle = np.linspace(0, np.pi, segments + 1)
    ys = np.linspace(0, length, 2)
    x, z = radius * np.cos(angle), spring + radius * np.sin(angle)
    points = np.stack([np.tile(x, (2, 1)), np.repeat(ys[:, None], segments + 1, 1), np.tile(z, (2, 1))], -1)
    uvs = np.stack([np.repeat(ys[:, None], segments + 1, 1), np.tile(angle * radius, (2, 1))], -1)
    return grid(points, uvs)


def field(xs: np.ndarray, ys: np.ndarray, height: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Shape:
    """Raise a terrain over the grid of xs and ys."""
    x, y = np.meshgrid(xs, ys)
    return grid(np.stack([x, y, height(x, y)], -1), np.stack([x, y], -1))


def cloth(width: float, height: float, folds: float, depth: float = 0.06) -> Shape:
    """Hang a pleated curtain from (0..width, 0, height) down to the ground."""
    x = np.linspace(0, width, int(folds * 12) + 2)
    z = np.linspace(0, height, 6)[:, None]
    wave = depth * np.sin(2 * np.pi * folds * x / width) * (1.15 - 0.3 * z / height)
    points = np.stack(np.broadcast_arrays(x, wave, z), -1)
    return grid(points, np.stack(np.broadcast_arrays(x * 1.3, z), -1))


def rock(rng: np.random.Generator, radius: float, rough: float = 0.3, segments: int = 72) -> Shape:
    """Dent a sphere with plane waves of falling size, a little flattened."""
    shape = sphere((0, 0, 0), 1.0, segments)
    bump = np.zeros(len(shape.points))
    for octave in range(6):
        for _ in range(4):
            wave = rng.standard_normal(3) * 1.3 * 1.8**octave
            bump += np.abs(np.sin(shape.points @ wave + rng.uniform(0, 6))) * 0.55**octave / 4
    points = shape.points * (1 + rough * (bump - bump.mean()))[:, None] * radius * (1, 0.85, 0.7)
    return Shape(points, shape.triangles, np.stack([points[:, 0] + points[:, 1], points[:, 2] * 1.3], -1))


def leaves(rng: np.random.Generator, centres: np.ndarray, size: float) -> Shape:
    """Put a leaf of two triangles, folded along its rib, at each centre (leaves, 3), in a random attitude."""
    count = len(centres)
    along, across = rng.standard_normal((2, count, 3))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across -= (across * along).sum(1, keepdims=True) * along
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    scale = size * rng.uniform(0.6, 1.3, (count, 1))
    droop = np.cross(along, across) * scale * 0.2
    base, tip = centres - along * scale, centres + along * scale
    left, right = centres - across * scale * 0.5 + droop, centres + across * scale * 0.5 + droop
    points = np.stack([base, right, tip, left], 1).reshape(-1, 3)
    first = np.arange(count)[:, None] * 4
    triangles = np.concatenate([first + np.array(corners) for corners in ((0, 1, 2), (0, 2, 3))])
    return Shape(points, triangles, np.repeat(rng.uniform(0, 1, (count, 2)), 4, axis=0))


def tree(rng: np.random.Generator, height: float, spread: float, foliage: int, leaf: float) -> tuple[Shape, Shape]:
    """Grow a tree at the origin: (wood, leaves); branches fork five times and bear leaves on the last three orders."""
    wood, crowns = [], []

    def grow(start: np.ndarray, direction: np.ndarray, length: float, radius: float, order: int) -> None:
        end = start + direction * length
        wood.append(tube(start, end, radius, radius * 0.68, segments=max(14 - 2 * order, 5)))
        if order >= 3:
            crowns.append(end)
        if order == 5:
            return
        for _ in range(3 if order < 4 else 2):
            turned = direction + rng.standard_normal(3) * spread + (0, 0, 0.15)
            grow(end, turned / np.linalg.norm(turned), length * rng.uniform(0.6, 0.82), radius * 0.62, order + 1)

    grow(np.zeros(3), np.array((0.0, 0.0, 1.0)), height * 0.32, height * 0.024, 0)
    tips = np.asarray(crowns)[rng.integers(0, len(crowns), foliage)]
    return join(*wood), leaves(rng, tips + rng.standard_normal((foliage, 3)) * height * 0.055, leaf)


def plant(rng: np.random.Generator, height: float, stems: int = 26) -> Shape:
    """Bend long blades out of one root, as of a palm or a dracaena."""
    blades = []
    for _ in range(stems):
        t = np.linspace(0, 1, 9)[:, None]
        turn, reach = rng.uniform(0, 2 * np.pi), height * rng.uniform(0.25, 0.8)
        out = np.array((np.cos(turn), np.sin(turn), 0.0))
        spine = out * reach * t**1.4 + np.array((0, 0, 1.0)) * height * rng.uniform(0.7, 1) * (t - 0.45 * t**3)
        side = np.array((-out[1], out[0], 0.0)) * height * 0.045 * np.sin(np.pi * np.clip(t, 0.06, 0.99))
        points = np.stack([spine - side, spine + side], 1)
        blades.append(grid(points, np.stack(np.broadcast_arrays(np.array([0, 0.1]), t), -1)))
    return join(*blades)


def book_row(rng: np.random.Generator, width: float, height: float, depth: float, cells: int = 8) -> Shape:
    """Stand books side by side along x, spines to -y, each spine on its own cell of a `cells` x `cells` picture."""
    parts, x = [], 0.0
    while x < width - 0.07:
        thick, tall = rng.uniform(0.025, 0.07), height * rng.uniform(0.65, 0.95)
        volume = box((x, 0.02 * rng.random(), 0), (x + thick, depth, tall))
        uvs = np.tile((rng.integers(0, cells, 2) + 0.5) / cells, (len(volume.uvs), 1))
        local = (np.array([(0, 1), (1, 1), (0, 0), (1, 0)]) - 0.5) * 0.96 / cells
        uvs[:4] += local
        parts.append(volume._replace(uvs=uvs))
        x += thick + (0.003 if rng.random() < 0.93 else 0.12)
    return join(*parts)


def chair(seat: float = 0.45, width: float = 0.45) -> Shape:
    """Join a plain chair that faces -y, centred on the origin."""
    w = width / 2
    legs = [box((x - 0.02, y - 0.02, 0), (x + 0.02, y + 0.02, seat if y < 0 else 2 * seat))
            for x in (-w, w) for y in (-w, w)]  # fmt: skip
    slats = [box((-w, w - 0.015, z), (w, w + 0.015, z + 0.07)) for z in (seat * 1.35, seat * 1.6, seat * 1.85)]
    return join(*legs, *slats, box((-w - 0.02, -w - 0.02, seat), (w + 0.02, w + 0.02, seat + 0.04)))


def table(length: float, width: float, height: float = 0.74) -> Shape:
    """Join a table centred on the origin, long along x."""
    a, b = length / 2, width / 2
    legs = [block((x, y, 0), (0.07, 0.07, height - 0.04)) for x in (-a + 0.1, a - 0.1) for y in (-b + 0.1, b - 0.1)]
    return join(*legs, box((-a, -b, height - 0.04), (a, b, height)))

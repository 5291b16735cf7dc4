"""Walls, houses and furniture that several sample scenes share."""

from collections.abc import Callable

import numpy as np
import shapes as s
import textures as t
from worlds import CHROME, STEEL, Material, World, glossy, matte, metal, toward


def enclose(
    world: World,
    material: Material,
    half: tuple[float, float],
    height: float,
    openings: list[list[s.Opening]],
    thickness: float = 0.4,
) -> list[Callable[[s.Shape], s.Shape]]:
    """Put four walls around the origin, in the order +y, +x, -y, -x, each with its own openings.

    Openings count metres from a wall's left end, seen from inside. Returns for each wall what moves a shape made in the
    wall's own frame (x along it, y outward from its inner face, z up) into place.
    """
    a, b = half
    movers = []
    for holes, (at, turn, length) in zip(
        openings,
        [((-a, b, 0), 0, 2 * a), ((a, b, 0), -90, 2 * b), ((a, -b, 0), 180, 2 * a), ((-a, -b, 0), 90, 2 * b)],
        strict=True,
    ):

        def move(shape: s.Shape, at: s.Point = at, turn: float = turn) -> s.Shape:
            return s.place(shape, at, turn)

        world.add(material, move(s.wall(length, height, thickness, holes)))
        movers.append(move)
    return movers


def street_houses(world: World, panes: Material, shop: Material) -> None:
    """Line a street along y with twelve houses, and close it far off."""
    rng = world.rng
    walls = [
        matte(t.brick(rng, (0.42, 0.15, 0.09)), 2.4),
        matte(t.plaster(rng, (0.62, 0.5, 0.32)), 4),
        matte(t.brick(rng, (0.36, 0.25, 0.17)), 2.4),
        matte(t.plaster(rng, (0.3, 0.36, 0.4)), 4),
        matte(t.plaster(rng, (0.55, 0.28, 0.2)), 4),
        matte(t.brick(rng, (0.25, 0.12, 0.1)), 2.4),
    ]
    trim = matte(t.plaster(rng, (0.6, 0.57, 0.5)), 2)
    awnings = [
        matte(t.fabric(rng, a, b), 1.2)
        for a, b in (
            ((0.6, 0.08, 0.05), (0.7, 0.66, 0.6)),
            ((0.06, 0.25, 0.12), (0.7, 0.66, 0.5)),
            ((0.08, 0.12, 0.4), (0.7, 0.6, 0.3)),
        )
    ]
    doors = matte(t.wood(rng, (0.22, 0.1, 0.05), 8), 1)
    names = iter(["CAFE", "BOOKS", "BAKER", "HATS", "TEA", "RECORDS", "FRUIT", "LAMPS", "WINE", "TOYS", "HDR", "INKS"])
    for side in (-1, 1):
        y = -30.0
        for index in range(6):
            width, storeys = rng.uniform(8, 11), int(rng.integers(2, 5))
            at = (-6.5, y, 0) if side < 0 else (6.5, y + width, 0)
            ink = tuple(rng.uniform(0.4, 0.8, 3))
            banner = matte(t.sign(next(names), ink, tuple(ink[::-1] * rng.uniform(0.02, 0.15, 3))))

            def move(shape: s.Shape, at: s.Point = at, turn: float = -90.0 * side) -> s.Shape:
                return s.place(shape, at, turn)

            house(
                world,
                move,
                width,
                storeys,
                walls[(2 * index + side) % 6],
                trim,
                doors,
                panes,
                shop,
                awnings[index % 3],
                banner,
            )
            y += width


def house(
    world: World,
    move: Callable[[s.Shape], s.Shape],
    width: float,
    storeys: int,
    wall: Material,
    trim: Material,
    door: Material,
    panes: Material,
    shop: Material,
    awning: Material,
    banner: Material,
) -> None:
    """Build a front from x = 0 to `width`: a shop with door, awning and sign, and storeys of windows above."""
    rng = world.rng
    count = int(width / 2.2)
    centres = (np.arange(count) + 0.5) * width / count
    holes = [
        s.Opening(x - 0.55, x + 0.55, 3.9 + 3.1 * k, 5.3 + 3.1 * k, rng.random() < 0.2)
        for k in range(storeys - 1)
        for x in centres
    ]
    entry, window = s.Opening(0.7, 1.8, 0.14, 2.3, True), s.Opening(2.5, width - 0.7, 0.8, 2.6)
    height = 3.4 + 3.1 * (storeys - 1) + 0.5
    world.add(wall, move(s.wall(width, height, 0.35, [*holes, entry, window])))
    world.add(door, move(s.box((0.7, 0.2, 0.14), (1.8, 0.25, 2.9))))
    world.add(trim, move(s.frame(window, (4, 1), 0.12)), move(s.box((-0.0, -0.12, 3.2), (width, 0.0, 3.4))))
    world.add(
        trim,
        move(s.box((0, -0.35, height), (width, 0.3, height + 0.2))),
        move(s.box((0, -0.2, height - 0.25), (width, 0, height))),
    )
    for x in np.arange(0.2, width, 0.4):
        world.add(trim, move(s.box((x, -0.3, height - 0.12), (x + 0.14, 0, height))))
    for hole in [*holes, window]:
        cell = rng.integers(0, 4, 2) / 4
        for part in range(1 if hole is not window else 3):
            span = (hole.right - hole.left) / (1 if hole is not window else 3)
            top = hole.top + (0.55 if hole.arched else 0)
            pane = s.quad(
                (hole.left + part * span, 0.3, hole.bottom), (span, 0, 0), (0, 0, top - hole.bottom), unit=True
            )
            pane = pane._replace(uvs=(0.02 + 0.96 * pane.uvs) / 4 + (cell + (part / 4, 0)))
            world.add(shop if hole is window else panes, move(pane))
        world.add(trim, move(s.box((hole.left - 0.1, -0.1, hole.bottom - 0.1), (hole.right + 0.1, 0.02, hole.bottom))))
        if hole is not window:
            world.add(trim, move(s.frame(hole, (2, 2), 0.18, 0.05)))
            if not hole.arched:
                world.add(
                    trim, move(s.box((hole.left - 0.12, -0.06, hole.top), (hole.right + 0.12, 0.02, hole.top + 0.16)))
                )
    a, b = window.left - 0.1, window.right + 0.1
    world.add(
        awning,
        move(s.quad((a, -1.2, 2.45), (b - a, 0, 0), (0, 1.2, 0.55))),
        move(s.quad((a, -1.2, 2.25), (b - a, 0, 0), (0, 0, 0.2))),
    )
    world.add(banner, move(s.quad((0.3, -0.06, 3.42), (2.6, 0, 0), (0, 0, 0.42), unit=True)))
    world.add(trim, move(s.box((0.25, -0.05, 3.38), (2.95, -0.01, 3.88))))


def lamp_post(world: World, iron: Material, globe: Material, at: tuple[float, float]) -> None:
    post = [(0.16, 0), (0.16, 0.15), (0.1, 0.2), (0.1, 0.7), (0.06, 0.8), (0.045, 3.1), (0.09, 3.15), (0.16, 3.3)]
    world.add(iron, s.lathe(post, (*at, 0), 16), s.lathe([(0.24, 3.78), (0.1, 3.95), (0.0, 4.1)], (*at, 0), 6))
    for angle in np.arange(0, 360, 60):
        x, y = toward(angle, 0)[:2]
        world.add(
            iron, s.tube((at[0] + 0.15 * x, at[1] + 0.15 * y, 3.3), (at[0] + 0.22 * x, at[1] + 0.22 * y, 3.8), 0.012)
        )
    world.add(globe, s.lathe([(0.0, 3.34), (0.09, 3.4), (0.14, 3.55), (0.1, 3.7), (0, 3.74)], (*at, 0), 24))


def bicycle() -> s.Shape:
    """Lean a bicycle along x, wheels on the ground at y = 0."""

    def circle(x: float, radius: float) -> list[s.Point]:
        return [(x + radius * np.cos(a), 0, 0.34 + radius * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 25)]

    tubes = [
        [(-0.5, 0, 0.34), (-0.12, 0, 0.34), (0.35, 0, 0.8), (-0.2, 0, 0.8), (-0.5, 0, 0.34)],
        [(-0.12, 0, 0.34), (-0.24, 0, 0.95), (-0.34, 0, 0.97)],
        [(0.5, 0, 0.34), (0.33, 0, 0.95), (0.42, 0.25, 1.0)],
        [(0.33, 0, 0.95), (0.42, -0.25, 1.0)],
    ]
    spokes = [
        s.tube((x, 0, 0.34), (x + 0.33 * np.cos(a), 0, 0.34 + 0.33 * np.sin(a)), 0.004, segments=4)
        for x in (-0.5, 0.5)
        for a in np.linspace(0, 2 * np.pi, 13)[:-1]
    ]
    return s.join(
        *(s.path_tube(points, 0.018) for points in tubes),
        *spokes,
        *(s.path_tube(circle(x, 0.34), 0.022) for x in (-0.5, 0.5)),
    )


def car(world: World, at: tuple[float, float], turn: float, body: Material, tail: Material, head: Material) -> None:
    """Park a small car that faces +y before it is turned."""
    profile = [
        (-1.9, 0.3),
        (-1.95, 0.75),
        (-1.75, 0.95),
        (-1.3, 1.0),
        (-0.8, 1.42),
        (0.5, 1.45),
        (1.05, 0.98),
        (1.8, 0.86),
        (1.95, 0.6),
        (1.9, 0.3),
    ]

    def move(shape: s.Shape) -> s.Shape:
        return s.place(shape, (*at, 0), turn)

    across = np.array([-0.8, -0.78, 0.78, 0.8])
    rim = np.array([0.96, 1.0, 1.0, 0.96])
    points = np.array([[(x, y, 0.6 + (z - 0.6) * r) for x, r in zip(across, rim, strict=True)] for y, z in profile])
    skin = s.grid(points, points[..., :2])
    sides = []
    for x in (-0.8, 0.8):
        line = np.array([(x, y, 0.6 + (z - 0.6) * 0.96) for y, z in profile])
        sides.append(s.grid(np.stack([line * (1, 1, 0) + (0, 0, 0.3), line]), np.zeros((2, len(line), 2))))
    world.add(body, move(skin), *(move(side) for side in sides))
    black = glossy((0.015, 0.015, 0.018), roughness=0.05)
    for x in (-0.81, 0.81):
        world.add(black, move(s.box((x - 0.01, -0.95, 0.98), (x + 0.01, 0.75, 1.36))))
        for y in (-1.25, 1.25):
            world.add(black, move(s.tube((x * 0.8, y, 0.32), (x * 1.04, y, 0.32), 0.32, segments=24)))
            world.add(metal(CHROME, 0.2), move(s.tube((x * 0.9, y, 0.32), (x * 1.06, y, 0.32), 0.19, segments=10)))
    world.add(
        black,
        move(s.quad((-0.65, -1.31, 1.02), (1.3, 0, 0), (0, 0.45, 0.37))),
        move(s.quad((0.65, 1.05, 1.01), (-1.3, 0, 0), (0, -0.5, 0.42))),
    )
    for x in (-0.55, 0.55):
        world.add(tail, move(s.box((x - 0.16, -1.99, 0.68), (x + 0.16, -1.94, 0.8))))
        world.add(head, move(s.box((x - 0.13, 1.92, 0.6), (x + 0.13, 1.97, 0.74))))


def cafe(world: World, at: tuple[float, float], rng: np.random.Generator) -> None:
    """Set a round table with cups and three chairs."""
    timber, iron, china = matte(t.wood(rng, (0.4, 0.2, 0.09), 8), 0.8), metal(STEEL, 0.25), glossy((0.75, 0.74, 0.7))
    world.add(iron, s.lathe([(0.25, 0.0), (0.22, 0.04), (0.03, 0.06), (0.03, 0.7)], (*at, 0.14), 20))
    world.add(timber, s.lathe([(0.38, 0.7), (0.4, 0.72), (0.4, 0.74), (0, 0.74)], (*at, 0.14)))
    for angle in (20, 140, 265):
        x, y = toward(angle, 0)[:2]
        world.add(timber, s.place(s.chair(), (at[0] + 0.75 * x, at[1] + 0.75 * y, 0.14), -angle))
        world.add(
            china,
            s.lathe(
                [(0.05, 0), (0.07, 0.01), (0.03, 0.02), (0.045, 0.09), (0.04, 0.09), (0.02, 0.02)],
                (at[0] + 0.22 * x, at[1] + 0.22 * y, 0.88),
                20,
            ),
        )
    world.add(
        glossy((0.1, 0.25, 0.12)), s.lathe([(0.04, 0), (0.04, 0.16), (0.014, 0.22), (0.014, 0.28)], (*at, 0.88), 16)
    )


def garden(world: World, rng: np.random.Generator) -> None:
    """Lay a lawn around a house, with a path, a hedge, trees and hills."""
    lawn = matte(t.ground(rng, (0.05, 0.12, 0.02), (0.16, 0.28, 0.06)), 3)
    world.add(
        lawn,
        s.field(
            np.linspace(-60, 60, 90),
            np.linspace(3.8, 90, 70),
            lambda x, y: -0.15 + np.maximum(y - 14, 0) ** 1.3 * 0.03 * (1.3 + np.sin(x * 0.15 + 1)),
        ),
    )
    world.add(
        lawn, s.quad((4.4, -60, -0.15), (60, 0, 0), (0, 64, 0)), s.quad((-64, -60, -0.15), (59.6, 0, 0), (0, 64, 0))
    )
    world.add(
        matte(t.tiles(rng, [(0.5, 0.46, 0.4)], 4), 2.4),
        s.box((-1.2, 3.8, -0.2), (1.2, 14, -0.12)),
        s.box((4.4, -2, -0.2), (9, 2, -0.12)),
    )
    hedge = rng.uniform((-14, 8.3, -0.1), (14, 9.3, 1.2), (9000, 3))
    green, bark = matte((0.06, 0.17, 0.03)), matte((0.15, 0.1, 0.07))
    world.add(green, s.leaves(rng, hedge[np.abs(hedge[:, 0]) > 1.5], 0.08))
    for x, y, tall in ((-5.5, 12, 6), (4.5, 13, 5), (9.5, 1.8, 5), (8, -3.5, 4), (-9, 1.2, 5), (0.8, 24, 8)):
        branches, crown = s.tree(rng, tall, 0.45, 5000, 0.09)
        world.add(bark, s.place(branches, (x, y, -0.1)))
        world.add(green, s.place(crown, (x, y, -0.1)))


def bookcase(world: World, move: Callable[[s.Shape], s.Shape], width: float, height: float) -> None:
    """Fill a case of shelves, its back at y = 0 and its front at y = -0.3, with books, pots and gaps."""
    rng = world.rng
    board = matte(t.wood(rng, (0.28, 0.15, 0.08), 4), 1)
    spines = matte(t.book_spines(rng))
    levels = np.linspace(0.08, height, 8)
    for z in levels:
        world.add(board, move(s.box((0, -0.32, z - 0.03), (width, 0, z))))
    for x in (0, width / 2, width):
        world.add(board, move(s.box((x - 0.015, -0.32, 0), (x + 0.015, 0, height))))
    world.add(board, move(s.quad((0, -0.005, 0), (width, 0, 0), (0, 0, height))))
    for z in levels[:-1]:
        for x in (0.02, width / 2 + 0.02):
            share = rng.choice((0.55, 0.8, 1.0), p=(0.25, 0.25, 0.5))
            world.add(
                spines,
                move(
                    s.place(
                        s.book_row(rng, share * (width / 2 - 0.04), levels[1] - levels[0] - 0.04, 0.2), (x, -0.27, z)
                    )
                ),
            )
            if share < 0.7:
                pot = [(0.04, 0), (0.09, 0.08), (0.07, 0.16), (0.03, 0.2), (0.045, 0.24)]
                at = (x + width / 2 - 0.22, -0.16, z)
                world.add(glossy(tuple(rng.uniform(0.05, 0.6, 3))), move(s.lathe(pot, at, 24)))


def hang_picture(
    world: World, move: Callable[[s.Shape], s.Shape], width: float, height: float, border: Material, pixels: np.ndarray
) -> None:
    """Frame a picture with its lower left corner at the origin, facing -y."""
    world.add(matte(pixels), move(s.quad((0, 0, 0), (width, 0, 0), (0, 0, height), unit=True)))
    for low, high in (
        ((-0.06, -0.03, -0.06), (width + 0.06, 0.03, 0)),
        ((-0.06, -0.03, height), (width + 0.06, 0.03, height + 0.06)),
        ((-0.06, -0.03, 0), (0, 0.03, height)),
        ((width, -0.03, 0), (width + 0.06, 0.03, height)),
    ):
        world.add(border, move(s.box(low, high)))


def sofa(world: World, move: Callable[[s.Shape], s.Shape], rng: np.random.Generator) -> None:
    """Upholster a sofa 2.1 m wide that faces -y, with cushions."""
    cloth = matte(t.fabric(rng, (0.1, 0.16, 0.22)), 0.4)
    world.add(
        cloth,
        move(s.box((-1.05, -0.45, 0.12), (1.05, 0.45, 0.32))),
        move(s.box((-1.05, 0.25, 0.3), (1.05, 0.48, 0.85))),
    )
    for x in (-1.08, 0.9):
        world.add(cloth, move(s.box((x, -0.45, 0.12), (x + 0.2, 0.47, 0.62))))
    for x in (-0.88, -0.28, 0.32):
        world.add(cloth, move(s.box((x, -0.47, 0.33), (x + 0.57, 0.22, 0.46))))
    for x, colour in ((-0.7, (0.6, 0.35, 0.05)), (0.5, (0.5, 0.08, 0.1)), (0.1, (0.6, 0.57, 0.5))):
        cushion = matte(t.fabric(rng, colour, tuple(0.4 * c for c in colour)), 0.3)
        world.add(
            cushion, move(s.place(s.box((-0.22, 0, 0), (0.22, 0.12, 0.4)), (x, 0.05, 0.47), tilt=-15, turn=x * 10))
        )


def still_life(world: World, at: s.Point, rng: np.random.Generator) -> None:
    """Lay a table with a fruit bowl, a jug, glasses and plates."""
    x, y, z = at
    china = glossy(t.ornament(rng, (0.7, 0.7, 0.68), [(0.05, 0.1, 0.4)], 4, 256), 0.2)
    world.add(china, s.lathe([(0.06, 0), (0.17, 0.09), (0.165, 0.09), (0.05, 0.015)], (x, y, z)))
    for dx, dy, colour in (
        (-0.05, 0.03, (0.7, 0.3, 0.02)),
        (0.06, 0.02, (0.5, 0.03, 0.02)),
        (0.0, -0.06, (0.35, 0.5, 0.05)),
        (0.01, 0.01, (0.7, 0.35, 0.03)),
    ):
        world.add(glossy(colour), s.sphere((x + dx, y + dy, z + 0.1 + (0.05 if dx == 0.01 else 0)), 0.045, 20))
    world.add(
        china,
        s.lathe(
            [(0.05, 0), (0.09, 0.1), (0.045, 0.2), (0.06, 0.27), (0.055, 0.27), (0.03, 0.2)], (x + 0.45, y + 0.15, z)
        ),
    )
    world.add(
        metal(CHROME, 0.05),
        s.lathe([(0.07, 0), (0.09, 0.08), (0.06, 0.16), (0.02, 0.18), (0.02, 0.21), (0, 0.22)], (x - 0.4, y + 0.1, z)),
    )
    for dx, dy in ((-0.55, -0.28), (0.35, -0.28), (-0.3, 0.32), (0.6, 0.3)):
        world.add(china, s.lathe([(0.07, 0), (0.12, 0.015), (0.115, 0.018), (0, 0.01)], (x + dx, y + dy, z)))

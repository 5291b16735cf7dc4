"""Sample scenes in rooms without daylight: a cellar by candles and an arcade by neon."""

from collections.abc import Callable

import numpy as np
import shapes as s
import textures as t
from props import enclose, hang_picture, sofa
from worlds import BRASS, CHROME, World, glossy, glow, matte, metal, toward


def candle_cellar() -> World:
    """A vaulted wine cellar by candle light: casks, bottles, a laid table, an iron wheel with candles."""
    world = World("candle_cellar", depth=7)
    rng = world.rng
    brick = matte(t.brick(rng, (0.4, 0.22, 0.14)), 2.2)
    flags = matte(t.cobbles(rng, (0.32, 0.28, 0.24), 8), 4)
    world.add(flags, s.quad((-3.4, -9, 0), (6.8, 0, 0), (0, 18, 0)))
    world.add(brick, s.place(s.vault(18, 3.0, 2.1), (0, -9, 0)))
    niches = [s.Opening(x, x + 1.9, 0.0, 1.05, True) for x in np.arange(0.9, 17, 2.7)]
    for side in (0, 180):

        def move(shape: s.Shape, side: float = side) -> s.Shape:
            return s.place(s.place(shape, (-9, 3.0, 0), 0), (0, 0, 0), side - 90)

        world.add(brick, move(s.wall(18, 2.2, 0.9, niches)), move(s.box((0, 0.9, 0), (18, 1.0, 2.3))))
        casks(world, move, niches, rng)
    ribs = matte(t.plaster(rng, (0.42, 0.38, 0.32)), 1.5)
    for y in np.arange(-8.6, 9, 2.7):
        arch = [(2.93 * np.cos(a), y, 2.1 + 2.93 * np.sin(a)) for a in np.linspace(0, np.pi, 25)]
        world.add(
            ribs,
            s.path_tube(arch, 0.13, 8),
            s.block((-2.95, y, 0), (0.34, 0.4, 2.1)),
            s.block((2.95, y, 0), (0.34, 0.4, 2.1)),
        )
    ends = matte(t.plaster(rng, (0.4, 0.34, 0.27)), 3)
    world.add(
        ends,
        s.place(s.wall(6.8, 5.2, 0.5, [s.Opening(2.4, 4.4, 0, 1.7, True)]), (-3.4, 8.9, 0)),
        s.place(s.wall(6.8, 5.2, 0.5, [s.Opening(2.9, 3.9, 1.6, 2.2, True)]), (3.4, -8.9, 0), 180),
    )
    world.add(
        brick,
        s.box((-3.4, 11.5, 0), (3.4, 11.7, 4.5)),
        s.box((-1.6, 9, 0), (-1.5, 11.5, 4)),
        s.box((1.5, 9, 0), (1.6, 11.5, 4)),
    )
    world.add(flags, s.place(s.stairs(9, 2.0, 0.18, 0.26), (0, 9.2, 0)))
    night = glow((0.02, 0.03, 0.06))
    world.add(night, s.quad((0.7, -9.3, 1.5), (-1.4, 0, 0), (0, 0, 1.6)))
    iron = metal((0.13, 0.12, 0.11), 0.4)
    world.add(iron, *(s.tube((x, -9.1, 1.5), (x, -9.1, 2.8), 0.02) for x in np.linspace(-0.45, 0.45, 5)))
    wax, flame = matte((0.75, 0.68, 0.5)), glow((2000, 880, 190))

    def candle(x: float, y: float, z: float, height: float) -> None:
        world.add(wax, s.lathe([(0.03, 0), (0.028, height), (0.02, height - 0.01), (0, height - 0.015)], (x, y, z), 12))
        body = [(0.0, 0), (0.014, 0.015), (0.017, 0.032), (0.009, 0.064), (0.0, 0.095)]
        world.add(flame, s.lathe(body, (x, y, z + height + 0.005), 10))

    oak = glossy(t.wood(rng, (0.28, 0.15, 0.07), 6), 1, 0.25)
    pewter, green = metal((0.4, 0.4, 0.4), 0.25), glossy((0.02, 0.06, 0.02), roughness=0.05)
    bottle = [(0.04, 0), (0.042, 0.01), (0.042, 0.19), (0.015, 0.25), (0.014, 0.31), (0.018, 0.32)]
    goblet = [
        (0.035, 0),
        (0.03, 0.01),
        (0.008, 0.03),
        (0.008, 0.08),
        (0.035, 0.12),
        (0.04, 0.17),
        (0.035, 0.17),
        (0.0, 0.11),
    ]
    for x, y, turn in ((-0.3, 3.4, 0), (1.3, -3.2, 90), (-1.7, -0.4, 85)):
        world.add(oak, s.place(s.table(2.0, 0.85), (x, y, 0), turn))
        out, side = toward(-turn + 90, 0)[:2], toward(-turn, 0)[:2]

        def spot(
            along: float, across: float, x: float = x, y: float = y, out: np.ndarray = out, side: np.ndarray = side
        ) -> tuple[float, float]:
            return tuple(np.array((x, y)) + along * out + across * side)

        for along in (-0.65, 0.02, 0.7):
            world.add(
                pewter,
                s.lathe(
                    [(0.09, 0), (0.09, 0.012), (0.02, 0.02), (0.02, 0.06), (0.04, 0.07)], (*spot(along, 0.05), 0.74), 20
                ),
            )
            candle(*spot(along, 0.05), 0.8, rng.uniform(0.08, 0.24))
        for along, across in ((-0.4, 0.2), (0.35, 0.22), (0.9, -0.15)):
            world.add(green, s.lathe(bottle, (*spot(along, across), 0.74), 20))
        for along, across in ((-0.5, -0.25), (0.2, -0.22), (0.6, -0.25), (-0.2, 0.3)):
            world.add(pewter, s.lathe(goblet, (*spot(along, across), 0.74), 20))
            world.add(
                oak,
                s.place(s.chair(), (*spot(along * 1.2, np.sign(across) * 0.75), 0), turn + (180 if across < 0 else 0)),
            )
        world.add(glossy((0.6, 0.35, 0.1)), s.sphere((*spot(-0.85, 0.1), 0.83), 0.1, 20))
    for y, z in ((2.4, 2.9), (-6.4, 2.9)):
        wheel = [(0.55 * np.cos(a), y + 0.55 * np.sin(a), z) for a in np.linspace(0, 2 * np.pi, 33)]
        world.add(iron, s.path_tube(wheel, 0.025), s.tube((0, y, z + 0.6), (0, y, 5.1), 0.012))
        for a in np.linspace(0, 2 * np.pi, 9)[:-1]:
            px, py = 0.55 * np.cos(a), y + 0.55 * np.sin(a)
            world.add(iron, s.tube((px, py, z), (0, y, z + 0.6), 0.008))
            candle(px, py, z + 0.02, 0.1)
    for x, y in ((0.75, 1.15), (-0.95, 0.95), (1.0, -1.15)):
        world.add(iron, s.lathe([(0.2, 0), (0.18, 0.03), (0.02, 0.06), (0.02, 1.3)], (x, y, 0), 16))
        for dx, dy in ((-0.16, 0), (-0.08, 0.05), (0, 0), (0.08, -0.05), (0.16, 0)):
            world.add(iron, s.path_tube([(x, y, 1.2), (x + dx, y + dy, 1.26), (x + dx, y + dy, 1.36)], 0.008))
            world.add(iron, s.lathe([(0.0, 0), (0.04, 0.01), (0.045, 0.02)], (x + dx, y + dy, 1.36), 14))
            candle(x + dx, y + dy, 1.37, rng.uniform(0.06, 0.16))
    for x, y in ((2.7, 2.2), (-2.7, -3.2), (2.7, -5.9), (-2.7, 7.6)):
        world.add(
            iron,
            s.lathe([(0.0, 0), (0.02, 0.05), (0.09, 0.08), (0.09, 0.1)], (x, y, 1.55), 16),
            s.tube((x, y, 1.6), (x * 1.1, y, 1.5), 0.015),
        )
        candle(x, y, 1.63, 0.18)
    for x, y in ((-2.4, 5.8), (2.4, 1.2), (-2.5, -5.2)):
        cask = s.place(barrel(), (x, y, 0))
        world.add(oak, cask)
        world.add(
            iron, s.lathe([(0.335, 0.2), (0.345, 0.27)], (x, y, 0)), s.lathe([(0.345, 0.62), (0.335, 0.7)], (x, y, 0))
        )
        candle(x, y, 0.9, 0.16)
        world.add(green, s.lathe(bottle, (x + 0.15, y - 0.1, 0.9), 20), s.lathe(bottle, (x - 0.12, y - 0.16, 0.9), 20))
    return world


def neon_arcade() -> World:
    """A games arcade by neon: machines with lit screens, a bar, tubes of coloured light, a chequered floor."""
    world = World("neon_arcade", depth=7)
    rng = world.rng
    north, east, south, west = enclose(
        world,
        matte(0.55 * t.brick(rng, (0.42, 0.4, 0.38), 16, 6), 2.4),
        (5, 4),
        3.4,
        [[], [], [s.Opening(4.2, 5.6, 0, 2.3)], []],
    )
    world.add(
        glossy(t.tiles(rng, [(0.03, 0.03, 0.035), (0.5, 0.49, 0.5)], 6), 3.6, 0.08),
        s.quad((-5, -4, 0), (10, 0, 0), (0, 8, 0)),
    )
    world.add(
        matte((0.025, 0.025, 0.03)),
        s.quad((-5.4, 4.4, 3.4), (10.8, 0, 0), (0, -8.8, 0)),
        south(s.box((4, 1.5, 0), (6, 1.6, 3))),
    )
    black, chrome = glossy((0.012, 0.012, 0.014), roughness=0.1), metal(CHROME, 0.1)
    hues = [(1, 0.02, 0.35), (0.02, 0.6, 1), (0.3, 1, 0.05), (1, 0.4, 0.01), (0.45, 0.05, 1)]
    tubes = [glow(np.array(hue) * 55) for hue in hues]

    def cabinet(move: Callable[[s.Shape], s.Shape], hue: int) -> None:
        side = glossy(tuple(0.02 + 0.35 * np.array(hues[hue])))
        for x in (-0.36, 0.34):
            world.add(
                side, move(s.box((x, -0.75, 0), (x + 0.02, 0, 1.0))), move(s.box((x, -0.4, 1.0), (x + 0.02, 0, 1.95)))
            )
        world.add(
            black,
            move(s.box((-0.34, -0.7, 0.0), (0.34, -0.05, 0.9))),
            move(s.box((-0.34, -0.3, 0.9), (0.34, -0.05, 1.9))),
        )
        world.add(black, move(s.place(s.box((-0.34, -0.42, 0), (0.34, 0, 0.04)), (0, -0.3, 0.93), tilt=8)))
        game = 0.02 + t.painting(rng, ("blocks", "rings", "hills")[hue % 3], 128) ** 1.5 * 0.5
        for _ in range(24):
            a, b = rng.integers(4, 116, 2)
            game[a : a + 8, b : b + 8] += np.kron(rng.random((4, 4)) > 0.4, np.ones((2, 2)))[..., None] * rng.uniform(
                0, 3, 3
            )
        game[::4] *= 0.35
        world.add(
            glow(game * 9),
            move(s.place(s.quad((-0.3, 0, 0), (0.6, 0, 0), (0, 0, 0.5), unit=True), (0, -0.33, 1.03), tilt=-10)),
        )
        name = ("PIXEL", "ORBIT", "MAZE", "TURBO", "HDR")[hue]
        world.add(
            glow(t.sign(name, tuple(np.array(hues[hue]) * 40), tuple(np.array(hues[(hue + 1) % 5]) * 1.5))),
            move(s.quad((-0.34, -0.42, 1.68), (0.68, 0, 0), (0, 0, 0.24), unit=True)),
        )
        for k, x in enumerate((-0.2, 0.05, 0.14, 0.23)):
            world.add(
                chrome if k == 0 else tubes[(hue + k) % 5],
                move(s.sphere((x, -0.55, 1.0 + 0.08 * (k == 0)), 0.035 if k == 0 else 0.018, 14)),
            )
        world.add(chrome, move(s.tube((-0.2, -0.55, 0.94), (-0.2, -0.55, 1.08), 0.01)))

    for index, x in enumerate((0.8, 1.8, 2.8, 3.8)):
        cabinet(lambda q, x=x: north(s.place(q, (x, -0.05, 0))), index)
    for index, x in enumerate((0.9, 1.9, 2.9)):
        cabinet(lambda q, x=x: west(s.place(q, (x, -0.05, 0))), (index + 2) % 5)
    cabinet(lambda q: south(s.place(q, (1.2, -0.05, 0))), 4)
    cabinet(lambda q: south(s.place(q, (2.4, -0.05, 0))), 1)
    red = glossy((0.3, 0.02, 0.03), roughness=0.15)
    timber = glossy(t.wood(rng, (0.25, 0.12, 0.06), 5), 1, 0.15)
    world.add(red, east(s.box((0.8, -1.3, 0), (6.4, -0.9, 1.0))))
    world.add(timber, east(s.box((0.7, -1.4, 1.0), (6.5, -0.8, 1.06))))
    world.add(
        tubes[1],
        east(s.tube((0.8, -1.34, 0.93), (6.4, -1.34, 0.93), 0.012)),
        east(s.tube((0.8, -1.34, 0.12), (6.4, -1.34, 0.12), 0.012)),
    )
    for x in np.arange(1.2, 6.4, 0.8):
        world.add(chrome, east(s.lathe([(0.2, 0), (0.19, 0.03), (0.03, 0.05), (0.03, 0.68)], (x, -1.75, 0), 20)))
        world.add(red, east(s.lathe([(0.17, 0.68), (0.19, 0.71), (0.18, 0.77), (0, 0.78)], (x, -1.75, 0), 24)))
    liquors = [
        glossy(c, roughness=0.05) for c in ((0.4, 0.15, 0.02), (0.05, 0.3, 0.1), (0.5, 0.5, 0.5), (0.05, 0.1, 0.4))
    ]
    bottle = [(0.04, 0), (0.042, 0.01), (0.042, 0.19), (0.015, 0.25), (0.014, 0.31), (0.018, 0.32)]
    for k, z in enumerate((1.2, 1.65, 2.1)):
        world.add(timber, east(s.box((1.0, -0.25, z), (6.2, 0, z + 0.03))))
        world.add(tubes[k], east(s.tube((1.0, -0.02, z + 0.06), (6.2, -0.02, z + 0.06), 0.01)))
        for x in np.arange(1.1, 6.15, 0.125):
            if rng.random() < 0.85:
                world.add(
                    liquors[rng.integers(0, 4)],
                    east(s.place(s.lathe(bottle, segments=14), (x, -0.14, z + 0.03), scale=rng.uniform(0.85, 1.1))),
                )

    def lettering(move: Callable[[s.Shape], s.Shape], words: str, hue: int, height: float) -> None:
        mask = t.text_mask(words, dot=1, margin=0)
        dot = height / 5
        for row, column in zip(*np.nonzero(mask), strict=True):
            x, z = (column - mask.shape[1] / 2) * dot, (5 - row) * dot
            world.add(
                tubes[hue],
                move(
                    s.tube((x + 0.15 * dot, 0, z - dot / 2), (x + 0.85 * dot, 0, z - dot / 2), 0.16 * dot, segments=8)
                ),
            )

    lettering(lambda q: north(s.place(q, (2.3, -0.08, 2.35))), "PLAY", 0, 0.6)
    lettering(lambda q: east(s.place(q, (3.6, -0.08, 2.6))), "BAR", 3, 0.5)
    lettering(lambda q: west(s.place(q, (1.9, -0.08, 2.35))), "SCORE", 2, 0.45)
    lettering(lambda q: south(s.place(q, (4.9, -0.08, 2.55))), "EXIT", 2, 0.3)
    for k, radius in enumerate((0.95, 0.75, 0.55)):
        circle = [(7.6 + radius * np.cos(a), -0.08, 1.75 + radius * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 49)]
        world.add(tubes[(k + 1) % 5], north(s.path_tube(circle, 0.02)))
    star = [
        (7.6 + r * np.sin(k * np.pi / 5), -0.1, 1.75 + r * np.cos(k * np.pi / 5))
        for k, r in zip(range(11), [0.42, 0.17] * 5 + [0.42], strict=True)
    ]
    world.add(tubes[0], north(s.path_tube(star, 0.02)))
    for k in range(6):
        zigzag = [(5.2 + 0.35 * i, -0.06, 0.9 + 0.28 * k + 0.16 * (i % 2)) for i in range(8)]
        world.add(tubes[k % 5], west(s.path_tube(zigzag, 0.014)))
    for y in (-2.6, 0, 2.6):
        world.add(tubes[int(y + 3) % 5], s.tube((-4.6, y, 3.34), (4.6, y, 3.34), 0.015))
    ball = s.sphere((0.6, 0.9, 2.6), 0.34, 28)
    corners = ball.points[ball.triangles].reshape(-1, 3)
    world.add(
        metal(CHROME, 0.03), s.Shape(corners, np.arange(len(corners)).reshape(-1, 3), np.zeros((len(corners), 2)))
    )
    world.add(chrome, s.tube((0.6, 0.9, 2.93), (0.6, 0.9, 3.4), 0.01))
    felt = matte(t.fabric(rng, (0.02, 0.2, 0.1)))
    world.add(
        timber,
        s.place(s.table(2.2, 1.2, 0.8), (0.6, 1.1, 0)),
        s.box((-0.55, 0.46, 0.8), (1.75, 0.54, 0.86)),
        s.box((-0.55, 1.66, 0.8), (1.75, 1.74, 0.86)),
    )
    world.add(felt, s.box((-0.48, 0.54, 0.8), (1.68, 1.66, 0.82)))
    for k in range(12):
        ball_colour = glossy(tuple(0.03 + 0.6 * np.array(hues[k % 5])), roughness=0.03)
        world.add(ball_colour, s.sphere((rng.uniform(-0.3, 1.5), rng.uniform(0.65, 1.55), 0.86), 0.04, 16))
    photo = t.painting(rng, "hills")
    hang_picture(world, lambda q: south(s.place(q, (6.4, -0.05, 1.2))), 1.2, 1.3, chrome, photo)
    hang_picture(world, lambda q: south(s.place(q, (8.2, -0.05, 1.2))), 1.2, 1.3, chrome, t.painting(rng, "rings"))
    sofa(world, lambda q: s.place(q, (-3.3, -3.4, 0), 180), rng)
    return world


def barrel() -> s.Shape:
    return s.lathe(
        [
            (0, 0.03),
            (0.27, 0.03),
            (0.28, 0),
            (0.34, 0.3),
            (0.35, 0.45),
            (0.34, 0.6),
            (0.28, 0.9),
            (0.27, 0.9),
            (0, 0.88),
        ],
        segments=32,
    )


def casks(world: World, move: Callable[[s.Shape], s.Shape], niches: list[s.Opening], rng: np.random.Generator) -> None:
    """Fill every second niche with a lying cask, the others with a rack of bottles."""
    oak = glossy(t.wood(rng, (0.3, 0.16, 0.07), 10), 1, 0.3)
    iron = metal((0.2, 0.18, 0.16), 0.4)
    green = glossy((0.03, 0.07, 0.03), roughness=0.06)
    for index, hole in enumerate(niches):
        middle = (hole.left + hole.right) / 2
        if index % 2:
            world.add(oak, move(s.place(s.place(barrel(), tilt=90, scale=1.5), (middle, 1.0, 0.62))))
            world.add(oak, move(s.box((hole.left + 0.1, 0.1, 0), (hole.right - 0.1, 0.8, 0.1))))
            for y in (-0.05, 0.35, 0.75):
                hoop = [
                    (middle + 0.53 * np.cos(a), y + 0.1, 0.62 + 0.53 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 25)
                ]
                world.add(iron, move(s.path_tube(hoop, 0.018, 6)))
            world.add(metal(BRASS, 0.2), move(s.tube((middle, -0.45, 0.3), (middle, -0.3, 0.3), 0.03)))
        else:
            for z in np.arange(0.06, 1.9, 0.2):
                world.add(oak, move(s.box((hole.left, 0.15, z - 0.02), (hole.right, 0.7, z))))
                for x in np.arange(hole.left + 0.1, hole.right - 0.05, 0.16):
                    if rng.random() < 0.8:
                        world.add(green, move(s.tube((x, 0.18, z + 0.06), (x, 0.6, z + 0.06), 0.055, segments=12)))

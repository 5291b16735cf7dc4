"""Sample scenes by lamps, candles and neon."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import shapes as s
import textures as t
from props import bicycle, cafe, car, enclose, hang_picture, house, lamp_post, sofa, street_houses
from worlds import (
    BRASS,
    CHROME,
    Material,
    World,
    environment,
    glass,
    glossy,
    glow,
    matte,
    metal,
    picture,
    sky_directions,
    toward,
)


def dusk_terrace() -> World:
    """A terrace over a town after sunset: a lit pool, strings of bulbs, lanterns and a house with the lights on."""
    world = World("dusk_terrace")
    rng = world.rng
    directions = sky_directions(512)
    up = np.clip(directions[..., 2:], 0, 1)
    west = np.clip(directions @ toward(40, 0), 0, 1)[..., None]
    glow_band = np.exp(-9 * up) * (0.15 + 1.6 * west**3) * (1.0, 0.42, 0.13) + np.exp(-26 * up) * west**6 * (
        2.2,
        0.7,
        0.12,
    )
    blue = np.array((0.035, 0.06, 0.14)) * (0.45 + 0.55 * np.exp(-2.5 * up))
    thickness = t.cloud_layer(rng, directions, 0.5)[..., None]
    cloud = (0.05 + 1.5 * west**3 * np.exp(-5 * up)) * np.array((0.9, 0.33, 0.25))
    world.environment = environment((blue + glow_band) * (1 - 0.8 * thickness) + cloud * thickness * (1.2 - thickness))
    stone = matte(t.plaster(rng, (0.5, 0.46, 0.4)), 2)
    world.add(
        glossy(t.tiles(rng, [(0.42, 0.36, 0.3), (0.36, 0.32, 0.28), (0.46, 0.42, 0.36)], 6), 3.6, 0.25),
        s.quad((-9, -6, 0), (18, 0, 0), (0, 8, 0)),
        s.quad((-9, 2, 0), (8, 0, 0), (0, 5, 0)),
        s.quad((4.6, 2, 0), (4.4, 0, 0), (0, 5, 0)),
        s.quad((-1, 5.4, 0), (5.6, 0, 0), (0, 1.6, 0)),
    )
    pool = matte(t.ornament(rng, (0.1, 0.4, 0.5), [(0.03, 0.15, 0.35), (0.4, 0.6, 0.6)], 6), 1.5)
    for shape in (
        s.quad((-1, 2, -0.9), (5.6, 0, 0), (0, 3.4, 0)),
        s.quad((-1, 5.4, -0.9), (5.6, 0, 0), (0, 0, 0.9)),
        s.quad((-1, 2, -0.9), (0, 3.4, 0), (0, 0, 0.9)),
        s.quad((4.6, 2, -0.9), (0, 3.4, 0), (0, 0, 0.9)),
        s.quad((-1, 2, -0.9), (5.6, 0, 0), (0, 0, 0.9)),
    ):
        world.add(pool, shape)
    beam = glow((14, 30, 34))
    world.add(beam, *(s.disc((x, 5.38, -0.4), (0, -1, 0), 0.14) for x in (0.2, 1.8, 3.4)))
    world.add(
        stone,
        *(
            s.box(a, b)
            for a, b in (
                ((-9, 6.9, 0.85), (9, 7.25, 0.97)),
                ((-9, 6.95, 0), (9, 7.2, 0.12)),
                ((8.9, -6, 0.85), (9.2, 7.2, 0.97)),
                ((-9.2, 0, 0.85), (-8.9, 7.2, 0.97)),
            )
        ),
    )
    baluster = [(0.09, 0), (0.09, 0.06), (0.05, 0.1), (0.1, 0.3), (0.045, 0.6), (0.08, 0.72), (0.08, 0.75)]
    world.add(
        stone,
        *(s.lathe(baluster, (x, 7.08, 0.1), 14) for x in np.arange(-8.9, 9, 0.32)),
        *(s.lathe(baluster, (9.05, y, 0.1), 14) for y in np.arange(-6, 7, 0.32)),
        *(s.lathe(baluster, (-9.05, y, 0.1), 14) for y in np.arange(0, 7, 0.32)),
    )
    iron, bulb = metal((0.1, 0.1, 0.1), 0.4), glow((220, 125, 45))
    poles = [(-8.5, 6.5), (-2.5, 6.5), (3.5, 6.5), (8.5, 6.5), (8.5, 0.5), (8.5, -5.0), (-8.5, 1.0)]
    world.add(iron, *(s.tube((x, y, 0), (x, y, 3.2), 0.04) for x, y in poles))
    for (x0, y0), (x1, y1) in [
        *pairwise(poles[:6]),
        ((-8.5, 6.5), (-8.5, 1.0)),
        ((-2.5, 6.5), (-3, -5.8)),
        ((3.5, 6.5), (2, -5.8)),
    ]:
        share = np.linspace(0, 1, 15)
        line = [(x0 + (x1 - x0) * q, y0 + (y1 - y0) * q, 3.2 - 2.2 * q * (1 - q)) for q in share]
        world.add(iron, s.path_tube(line, 0.008, 5))
        world.add(bulb, *(s.sphere((x, y, z - 0.08), 0.045, 14) for x, y, z in line[1:-1]))
    panes = glow(t.lit_windows(rng) * 9)
    house_wall = matte(t.plaster(rng, (0.55, 0.42, 0.3)), 4)
    trim = matte(t.plaster(rng, (0.6, 0.57, 0.5)), 2)
    awning = matte(t.fabric(rng, (0.5, 0.1, 0.06), (0.6, 0.55, 0.45)), 1.2)
    door = matte(t.wood(rng, (0.25, 0.12, 0.06), 8), 1)
    menu = matte(t.sign("TERRACE", (0.7, 0.6, 0.4), (0.05, 0.08, 0.07)))
    for x in (9, 0):
        house(
            world, lambda q, x=x: s.place(q, (x, -6, 0), 180), 9, 3, house_wall, trim, door, panes, panes, awning, menu
        )
    house(world, lambda q: s.place(q, (-9, -6, 0), 90), 6, 3, house_wall, trim, door, panes, panes, awning, menu)
    dark_walls = matte((0.1, 0.09, 0.09))
    cells = glow(t.lit_windows(rng, 8, 48) * 1.2)
    for _ in range(90):
        azimuth, far = rng.uniform(-110, 110), rng.uniform(40, 110)
        x, y, _z = toward(azimuth, 0) * far
        wide, tall = rng.uniform(6, 12), rng.uniform(6, 22)
        turn = -azimuth + rng.uniform(-30, 30)
        world.add(dark_walls, s.block((x, y, -16), (wide, wide, tall + 2), turn))
        front = s.quad((-wide / 2, -wide / 2 - 0.05, 0), (wide, 0, 0), (0, 0, tall), unit=True)
        world.add(
            cells,
            s.place(
                front._replace(uvs=front.uvs * (wide / 24, tall / 24) + rng.integers(0, 8, 2) / 8), (x, y, -14.5), turn
            ),
        )
    world.add(
        matte(t.ground(rng, (0.02, 0.03, 0.02), (0.08, 0.09, 0.06)), 20),
        s.field(
            np.linspace(-300, 300, 120),
            np.linspace(-60, 380, 100),
            lambda x, y: (
                -16
                + np.maximum(np.hypot(x, y) - 120, 0)
                * (0.16 + 0.08 * np.sin(x * 0.03) + 0.05 * np.sin(y * 0.05 + x * 0.06))
            ),
        ),
    )
    for x, y in ((-4.6, 3.4), (6.6, 2.6), (-5.6, -3.2), (5.2, -3.6)):
        cafe(world, (x, y), rng)
        world.add(bulb, s.lathe([(0.0, 0), (0.025, 0.03), (0.0, 0.1)], (x + 0.1, y + 0.1, 0.96), 10))
        world.add(glass(), s.lathe([(0.07, 0), (0.08, 0.2)], (x + 0.1, y + 0.1, 0.89), 20))
    clay, leaf = matte(t.plaster(rng, (0.45, 0.2, 0.12)), 1), matte((0.06, 0.16, 0.04))
    for x, y, tall in (
        (-7.9, 5.9, 2.4),
        (-1.7, 6.2, 1.5),
        (5.3, 6.2, 1.7),
        (8.0, 3.6, 2.2),
        (8.0, -4, 2.4),
        (-8.2, -0.8, 2.0),
        (0, -5.4, 1.6),
        (-1.7, 1.4, 1.1),
    ):
        world.add(clay, s.lathe([(0.2, 0), (0.34, 0.5), (0.38, 0.5), (0.34, 0.46), (0, 0.45)], (x, y, 0)))
        world.add(leaf, s.place(s.plant(rng, tall, 34), (x, y, 0.45)))
    return world


def night_street() -> World:
    """The same kind of street at night, after rain: lamps, lit windows, a neon sign, a dim sky."""
    world = World("night_street")
    rng = world.rng
    directions = sky_directions(256)
    haze = np.exp(-6 * np.abs(directions[..., 2:])) * (0.012, 0.009, 0.008) + np.array((0.0006, 0.0009, 0.0018))
    cloud = t.cloud_layer(rng, directions, 0.5)[..., None] * np.array((0.003, 0.0026, 0.003))
    world.environment = environment(haze + cloud)
    panes = glow(t.lit_windows(rng) * 6)
    counter = t.book_spines(rng) * (0.3 + 1.4 * t.noise(rng, 768, 1.9))[..., None]
    street_houses(world, panes, glow(counter * np.array((1, 0.72, 0.42)) * 9))
    wet = 0.02 + 0.25 * np.clip(t.noise(rng, 512, 1.9) - 0.4, 0, 1)
    asphalt = Material(
        {
            "type": "twosided",
            "bsdf": {
                "type": "roughplastic",
                "diffuse_reflectance": picture(t.ground(rng, (0.02, 0.02, 0.022), (0.07, 0.07, 0.07)), 3),
                "alpha": 0.09,
                "nonlinear": True,
            },
        }
    )
    world.add(asphalt, s.quad((-60, -60, 0), (120, 0, 0), (0, 160, 0)))
    puddle = t.mix((0.03, 0.03, 0.03), (0.25, 0.24, 0.23), wet * 4)
    paving = glossy(t.bounded(t.tiles(rng, [(0.3, 0.3, 0.3), (0.4, 0.38, 0.36)], 6, size=512) * puddle * 4), 3, 0.2)
    world.add(paving, s.box((-6.5, -40, 0), (-3.6, 60, 0.14)), s.box((3.6, -40, 0), (6.5, 60, 0.14)))
    paint = matte((0.6, 0.6, 0.55))
    for i in range(7):
        world.add(paint, s.box((-3.2 + i, 4.6, 0.004), (-2.7 + i, 7.0, 0.008)))
    for y in np.arange(-38, 58, 4.0):
        world.add(paint, s.box((-0.07, y, 0.003), (0.07, y + 1.6, 0.006)))
    iron = metal((0.12, 0.12, 0.13), 0.3)
    for index, (x, y) in enumerate(
        ((-3.9, 7.5), (3.9, 13), (3.9, -6.5), (-3.9, -14), (3.9, 30), (-3.9, 26), (3.9, -28))
    ):
        lamp_post(world, iron, glow(np.array(((1, 0.62, 0.25), (1, 0.9, 0.75))[index % 2]) * 900), (x, y))
    for x, y, turn, words, colour in (
        (-6.35, 9.2, 90, "HOTEL", (1, 0.05, 0.12)),
        (6.35, 7.8, -90, "BAR", (0.05, 0.5, 1)),
        (6.35, -9.5, -90, "CINEMA", (1, 0.35, 0.02)),
    ):
        board = t.sign(words, tuple(np.array(colour) * 25), (0.01, 0.01, 0.012))
        height = 0.8
        width = height * board.shape[1] / board.shape[0]
        world.add(
            glow(board),
            s.place(s.quad((-width / 2, 0, 0), (width, 0, 0), (0, 0, height), unit=True), (x, y, 4.1), turn),
        )
        tubes = [
            (-width / 2 - 0.1, 0, -0.1),
            (width / 2 + 0.1, 0, -0.1),
            (width / 2 + 0.1, 0, height + 0.1),
            (-width / 2 - 0.1, 0, height + 0.1),
            (-width / 2 - 0.1, 0, -0.1),
        ]
        world.add(glow(np.array(colour)[::-1] * 30), s.place(s.path_tube(tubes, 0.025), (x, y, 4.1), turn))
    red, body = glow((12, 0.3, 0.2)), glossy((0.25, 0.02, 0.02), roughness=0.06)
    car(world, (2.35, 9.5), 0, body, red, glow((90, 80, 65)))
    car(world, (-2.4, -8.0), 180, glossy((0.03, 0.06, 0.16), roughness=0.06), red, glow((90, 80, 65)))
    world.add(metal((0.5, 0.08, 0.06), 0.2), s.place(bicycle(), (3.3, -2.2, 0.14), 95))
    cafe(world, (-4.4, 2.4), rng)
    return world


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

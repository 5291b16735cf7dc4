"""Sample scenes out of doors at dusk and at night."""

from itertools import pairwise

import numpy as np
import shapes as s
import textures as t
from props import bicycle, cafe, car, house, lamp_post, street_houses
from worlds import Material, World, environment, glass, glossy, glow, matte, metal, picture, sky_directions, toward


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

"""Sample scenes out of doors by day."""

import numpy as np
import shapes as s
import textures as t
from props import bicycle, cafe, enclose, lamp_post, street_houses
from worlds import BRASS, COPPER, World, daylight, glossy, glow, matte, metal, toward


def noon_courtyard() -> World:
    """A tiled courtyard with arcades, a fountain and orange trees; the sun is high."""
    world = World("noon_courtyard")
    rng = world.rng
    daylight(world, sun=(35, 52), cover=0.38)
    stucco = matte(t.plaster(rng, (0.72, 0.55, 0.36)), 4)
    glaze = glossy(t.ornament(rng, (0.7, 0.7, 0.66), [(0.03, 0.09, 0.4), (0.7, 0.45, 0.06), (0.03, 0.25, 0.2)]), 1.6)
    stone = matte(t.plaster(rng, (0.5, 0.47, 0.42)), 2)
    paving = matte(t.tiles(rng, [(0.5, 0.22, 0.12), (0.55, 0.45, 0.33)], 8), 3.2)
    shutter = matte(t.wood(rng, (0.08, 0.2, 0.17), 12), 0.8)
    dark = matte((0.015, 0.015, 0.02))
    arches = [s.Opening(x - 1.05, x + 1.05, 0, 2.6, True) for x in np.arange(1.6, 16, 2.85)]
    upper = [s.Opening(x - 0.5, x + 0.5, 5.0, 6.8) for x in np.arange(1.6, 16, 2.85)]
    movers = enclose(world, stucco, (7.9, 7.9), 8.2, [arches + upper] * 4)
    for move in movers:
        world.add(glaze, move(s.box((-3, 3.4, 0), (19, 3.5, 1.3))))
        world.add(
            stucco, move(s.box((-3.4, 3.5, 0), (19.2, 3.7, 4.4))), move(s.box((-3.4, 0.1, 4.3), (19.2, 3.7, 4.5)))
        )
        world.add(
            stone, move(s.box((-0.4, -0.25, 4.2), (16.2, 0.1, 4.45))), move(s.box((-0.4, -0.5, 8.2), (16.2, 0.5, 8.5)))
        )
        for hole in upper:
            world.add(stone, move(s.frame(hole, (2, 3), 0.25)))
            world.add(dark, move(s.quad((hole.left, 0.4, hole.bottom), (1, 0, 0), (0, 0, 1.8))))
            for x, turn in ((hole.left - 0.52, 12), (hole.right + 0.02, -8)):
                world.add(shutter, move(s.place(s.box((0, -0.05, 5.0), (0.5, 0.0, 6.8)), (x, -0.06, 0), turn * 0.3)))
        for hole in arches:
            world.add(stone, move(s.box((hole.left - 0.12, -0.06, 2.5), (hole.left + 0.06, 0.5, 2.68))))
            world.add(stone, move(s.box((hole.right - 0.06, -0.06, 2.5), (hole.right + 0.12, 0.5, 2.68))))
    world.add(paving, s.quad((-12, -12, 0), (24, 0, 0), (0, 24, 0)))
    basin = [(1.9, 0), (1.9, 0.5), (2.0, 0.55), (2.0, 0.65), (1.7, 0.65), (1.7, 0.2)]
    bowl = [
        (0.3, 0),
        (0.35, 0.1),
        (0.16, 0.3),
        (0.14, 1.1),
        (0.3, 1.25),
        (0.9, 1.5),
        (0.95, 1.58),
        (0.85, 1.56),
        (0.1, 1.4),
    ]
    world.add(stone, s.lathe(basin, (1.2, 4.2, 0)), s.lathe(bowl, (1.2, 4.2, 0)), s.lathe(bowl, (1.2, 4.2, 1.2)))
    world.add(glossy((0.03, 0.09, 0.09), roughness=0.05), s.lathe([(1.8, 0.5), (0, 0.5)], (1.2, 4.2, 0)))
    world.add(metal(BRASS, 0.08), s.sphere((1.2, 4.2, 2.95), 0.28))
    clay, leaf, bark = matte(t.plaster(rng, (0.5, 0.2, 0.1)), 1), matte((0.06, 0.16, 0.03)), matte((0.16, 0.11, 0.07))
    fruit, pot = (
        glossy((0.75, 0.25, 0.02)),
        [(0.25, 0), (0.42, 0.6), (0.48, 0.6), (0.48, 0.7), (0.4, 0.7), (0.38, 0.62), (0, 0.6)],
    )
    for x, y in ((-4.2, 4.6), (5.2, 3.0), (4.6, -4.5), (-4.8, -3.6), (0.3, -5.4), (-5.4, 0.8)):
        branches, crown = s.tree(rng, 2.6, 0.5, 2600, 0.06)
        world.add(clay, s.lathe(pot, (x, y, 0)))
        world.add(bark, s.place(branches, (x, y, 0.6)))
        world.add(leaf, s.place(crown, (x, y, 0.6)))
        for place in crown.points[rng.integers(0, len(crown.points), 22)]:
            world.add(fruit, s.sphere(tuple(np.add(place, (x, y, 0.6))), 0.06, 12))
    return world


def evening_street() -> World:
    """A cobbled street of brick and plaster houses with shops; the sun stands low at its end."""
    world = World("evening_street")
    rng = world.rng
    daylight(world, sun=(8, 7.5), cover=0.42, turbidity=3.5, aureole=400)
    goods = t.book_spines(rng) * (0.2 + 1.6 * t.noise(rng, 768, 1.9))[..., None]
    street_houses(world, matte((0.012, 0.012, 0.015)), glow(goods * np.array((1, 0.72, 0.42)) * 4))
    paving = matte(t.tiles(rng, [(0.3, 0.28, 0.26), (0.36, 0.33, 0.3)], 6), 3)
    world.add(matte(t.cobbles(rng, (0.3, 0.27, 0.24), 16), 3.2), s.quad((-60, -60, 0), (120, 0, 0), (0, 160, 0)))
    world.add(paving, s.box((-6.5, -40, 0), (-3.6, 60, 0.14)), s.box((3.6, -40, 0), (6.5, 60, 0.14)))
    iron, bark, green = metal((0.12, 0.12, 0.13), 0.3), matte((0.12, 0.09, 0.06)), matte((0.07, 0.17, 0.03))
    for x, y in ((-3.9, 7.5), (3.9, 13), (3.9, -6.5), (-3.9, -14), (3.9, 30)):
        lamp_post(world, iron, glossy((0.7, 0.68, 0.6)), (x, y))
    for x, y in ((4.6, 4.2), (-4.7, 13.5), (-4.6, -7.5), (4.7, -13), (-4.7, 25)):
        branches, crown = s.tree(rng, 4.8, 0.42, 7000, 0.085)
        world.add(bark, s.place(branches, (x, y, 0.1)))
        world.add(green, s.place(crown, (x, y, 0.1)))
    cafe(world, (-3.7, 2.6), rng)
    cafe(world, (-3.5, -3.6), rng)
    for x, y, turn in ((3.1, 2.2, 70), (3.2, -2.9, 100)):
        world.add(metal((0.5, 0.08, 0.06), 0.2), s.place(bicycle(), (x, y, 0), turn))
    far = matte(t.plaster(rng, (0.5, 0.4, 0.3)), 5)
    world.add(far, s.block((9, 75, 0), (9, 8, 6)), s.block((-9, 70, 0), (8, 8, 11)), s.block((-4, -52, 0), (12, 6, 13)))
    world.add(far, s.lathe([(2.2, 0), (2.2, 24), (2.6, 24), (2.6, 25), (1.8, 26), (0, 34)], (-4.5, 82, 0), 8))
    return world


def colonnade() -> World:
    """A seaside colonnade with a chequered floor and busts; a low sun throws the shadows of the columns."""
    world = World("colonnade")
    rng = world.rng
    daylight(world, sun=(-68, 17), cover=0.45, turbidity=3)
    stone = matte(t.plaster(rng, (0.62, 0.55, 0.44)), 2)
    world.add(
        glossy(t.marble(rng, (0.6, 0.56, 0.5), (0.3, 0.27, 0.24)), 2, 0.2),
        *(
            s.quad((x, y, 0), (0.8, 0, 0), (0, 0.8, 0))
            for i, x in enumerate(np.arange(-3.2, 3.1, 0.8))
            for j, y in enumerate(np.arange(-16, 24, 0.8))
            if (i + j) % 2
        ),
    )
    world.add(
        glossy(t.marble(rng, (0.08, 0.07, 0.07), (0.35, 0.3, 0.28)), 2, 0.2),
        *(
            s.quad((x, y, 0), (0.8, 0, 0), (0, 0.8, 0))
            for i, x in enumerate(np.arange(-3.2, 3.1, 0.8))
            for j, y in enumerate(np.arange(-16, 24, 0.8))
            if not (i + j) % 2
        ),
    )
    pillar = s.column(4.6, 0.36)
    for y in np.arange(-15, 24, 3.0):
        world.add(
            stone,
            s.place(pillar, (-2.7, y, 0.2)),
            s.block((-2.7, y, 0), (1.15, 1.15, 0.2)),
            s.block((-2.7, y, 4.8), (1.15, 1.15, 0.2)),
        )
        world.add(stone, s.block((2.95, y, 0), (0.5, 0.8, 4.8)), s.block((0, y, 5.0), (5.6, 0.4, 0.35)))
    frieze = matte(t.ornament(rng, (0.6, 0.53, 0.42), [(0.4, 0.3, 0.2), (0.25, 0.3, 0.32)], 4), 2.6)
    fresco = matte(t.ornament(rng, (0.5, 0.16, 0.1), [(0.6, 0.45, 0.2), (0.08, 0.16, 0.2), (0.6, 0.5, 0.4)], 4), 3.2)
    world.add(frieze, s.box((-3.2, -16, 5.0), (-2.2, 24, 5.7)))
    world.add(
        stone,
        s.box((-3.4, -16.2, 5.7), (-2.0, 24.2, 5.9)),
        *(s.box((-3.35, y, 5.55), (-3.2, y + 0.2, 5.7)) for y in np.arange(-16, 24, 0.5)),
    )
    timber = matte(t.wood(rng, (0.3, 0.17, 0.09), 6), 1.6)
    world.add(
        timber,
        s.quad((-3.2, -16, 5.55), (6.6, 0, 0), (0, 40, 0)),
        *(s.box((-3, y, 5.35), (3.2, y + 0.14, 5.54)) for y in np.arange(-15.5, 24, 1.0)),
    )
    wall_holes = [s.Opening(y, y + 1.3, 0, 2.3, True) for y in (5.85, 17.85, 29.85)]
    world.add(fresco, s.place(s.wall(40, 5.6, 0.5, wall_holes), (3.2, 24, 0), -90))
    world.add(matte((0.012, 0.012, 0.014)), s.quad((5.2, -16, 0), (0, 40, 0), (0, 0, 5)))
    world.add(
        stone,
        s.place(s.wall(6.6, 5.6, 0.5, [s.Opening(2.2, 4.4, 0, 2.9, True)]), (-3.2, 24, 0)),
        s.place(s.wall(6.6, 5.6, 0.5, [s.Opening(2.2, 4.4, 0, 2.9, True)]), (3.4, -16, 0), 180),
    )
    marble = glossy(t.marble(rng, (0.7, 0.68, 0.63), (0.25, 0.25, 0.27)), 0.8, 0.2)
    bust = [
        (0.26, 0),
        (0.2, 0.06),
        (0.12, 0.1),
        (0.3, 0.3),
        (0.34, 0.42),
        (0.14, 0.52),
        (0.1, 0.62),
        (0.16, 0.72),
        (0.19, 0.86),
        (0.15, 1.0),
        (0.0, 1.06),
    ]
    urn = [
        (0.2, 0),
        (0.1, 0.08),
        (0.12, 0.14),
        (0.34, 0.5),
        (0.36, 0.66),
        (0.18, 0.8),
        (0.26, 0.92),
        (0.22, 0.9),
        (0, 0.6),
    ]
    for index, y in enumerate(np.arange(-13.5, 23, 3.0)):
        world.add(stone, s.block((2.55, y, 0), (0.55, 0.55, 1.05)))
        world.add(
            (marble, metal(COPPER, 0.25), glossy((0.12, 0.2, 0.22), roughness=0.1))[index % 3],
            s.place(s.lathe((bust, urn)[index % 2]), (2.55, y, 1.05)),
        )
    world.add(
        stone,
        *(
            s.box((-x - 0.45, -30, -0.18 * k - 0.18), (-x, 40, -0.18 * k))
            for k, x in enumerate(3.2 + 0.4 * np.arange(6))
        ),
    )
    terrace = matte(t.tiles(rng, [(0.55, 0.48, 0.38), (0.5, 0.42, 0.33)], 6), 4)
    world.add(
        terrace,
        s.quad((-16, -30, -1.1), (11, 0, 0), (0, 70, 0)),
        s.quad((-6, -60, -0.01), (30, 0, 0), (0, 44, 0)),
        s.quad((-6, 24.5, -0.01), (30, 0, 0), (0, 40, 0)),
    )
    world.add(stone, s.box((-16.3, -30, -1.1), (-15.9, 40, -0.3)))
    bark, green, clay = (
        matte((0.16, 0.11, 0.07)),
        matte((0.05, 0.13, 0.04)),
        matte(t.plaster(rng, (0.5, 0.22, 0.12)), 1),
    )
    for x, y in ((-9, 9), (-11, 1.5), (-8.5, -7), (-12.5, 17), (-7.5, -14)):
        tall = rng.uniform(5, 8)
        points = rng.uniform(0, 1, (7000, 3))
        radius = 0.9 * np.sin(np.pi * points[:, 0] ** 0.6) * np.sqrt(points[:, 1])
        crown = np.stack(
            [
                x + radius * np.cos(6.283 * points[:, 2]),
                y + radius * np.sin(6.283 * points[:, 2]),
                -0.6 + tall * points[:, 0],
            ],
            1,
        )
        world.add(green, s.leaves(rng, crown, 0.08))
        world.add(bark, s.tube((x, y, -1.1), (x, y, tall * 0.8), 0.12, 0.03))
    for y in (-4.5, 4.5, 10.5):
        branches, crown = s.tree(rng, 2.2, 0.5, 2500, 0.055)
        world.add(clay, s.lathe([(0.28, 0), (0.45, 0.6), (0.5, 0.6), (0.42, 0.56), (0, 0.52)], (-4.6 - 0.4, y, -0.9)))
        world.add(bark, s.place(branches, (-5.0, y, -0.4)))
        world.add(green, s.place(crown, (-5.0, y, -0.4)))
    waves = glossy((0.012, 0.05, 0.07), roughness=0.12)
    world.add(
        waves,
        s.field(
            np.linspace(-380, -16, 420),
            np.linspace(-300, 300, 260),
            lambda x, y: -6 + 0.25 * np.sin(x * 1.1 + 2 * np.sin(y * 0.13)) + 0.2 * np.sin(y * 0.9 + x * 0.5),
        ),
    )
    land = matte(t.ground(rng, (0.12, 0.14, 0.07), (0.35, 0.3, 0.2)), 30)
    world.add(
        land,
        s.field(
            np.linspace(-380, 120, 200),
            np.linspace(60, 380, 120),
            lambda x, y: (
                -9
                + 34
                * np.clip((y - 90 + 0.45 * x) / 160, 0, 1) ** 0.8
                * (1 + 0.4 * np.sin(x * 0.05) * np.sin(y * 0.04) + 0.1 * np.sin(x * 0.21 + y * 0.13))
            ),
        ),
    )
    return world


def forest() -> World:
    """A grove on a hillside, with rocks, a fallen trunk, ferns and toadstools under the sun."""
    world = World("forest", depth=5)
    rng = world.rng
    sun = (34, 58)
    daylight(world, sun, cover=0.3, haze=(0.1, 0.14, 0.06))

    def soil(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        path = np.exp(-((x - 1.5 * np.sin(y * 0.25)) ** 2) / 1.5)
        away = np.clip(np.hypot(x, y) - 2, 0, 60)
        return (1 - path) * (
            0.25 * np.sin(x * 0.9 + 1) * np.sin(y * 0.8) + 0.07 * np.sin(3.1 * x) * np.sin(2.7 * y) + 0.1
        ) * np.clip(away, 0, 1) + 0.008 * away**1.8

    axis = np.sign(np.linspace(-1, 1, 241)) * np.abs(np.linspace(-1, 1, 241)) ** 1.7 * 60
    moss = t.ground(rng, (0.07, 0.05, 0.03), (0.08, 0.15, 0.03), 1.0, 1024)
    world.add(matte(moss, 5), s.field(axis, axis, soil))
    bark = matte(t.ground(rng, (0.05, 0.035, 0.025), (0.2, 0.15, 0.11), 0.8), 0.9)
    greens = [matte(c) for c in ((0.07, 0.2, 0.03), (0.14, 0.26, 0.04), (0.04, 0.12, 0.03))]
    kinds = [s.tree(rng, tall, 0.4, 12000, 0.15) for tall in (8, 10, 7)]
    spots: list[tuple[float, float]] = []
    while len(spots) < 26:
        azimuth = rng.uniform(sun[0] + 5, sun[0] + 339)  # the sun stands free
        x, y = toward(azimuth, 0)[:2] * rng.uniform(4.5, 22)
        if abs(x - 1.5 * np.sin(y * 0.25)) > 1.4 and all(np.hypot(x - a, y - b) > 1.7 for a, b in spots):
            spots.append((x, y))
    for index, (x, y) in enumerate(spots):
        branches, crown = kinds[index % 3]
        scale, turn = rng.uniform(0.8, 1.25), rng.uniform(0, 360)
        at = (x, y, float(soil(np.array(x), np.array(y))) - 0.15)
        world.add(bark, s.place(branches, at, turn, scale=scale))
        world.add(greens[index % 3], s.place(crown, at, turn, scale=scale))
    stone = matte(t.ground(rng, (0.09, 0.11, 0.06), (0.36, 0.34, 0.31), 0.8), 1.2)
    for _ in range(34):
        x, y = toward(rng.uniform(0, 360), 0)[:2] * rng.uniform(2.2, 14)
        size = rng.uniform(0.2, 0.9)
        if abs(x - 1.5 * np.sin(y * 0.25)) > 0.7:
            world.add(
                stone,
                s.place(
                    s.rock(rng, size, 0.45),
                    (x, y, float(soil(np.array(x), np.array(y))) + 0.1 * size),
                    rng.uniform(0, 360),
                ),
            )
    for index in range(150):
        x, y = toward(rng.uniform(0, 360), 0)[:2] * rng.uniform(1.5, 13)
        if abs(x - 1.5 * np.sin(y * 0.25)) > 0.6:
            world.add(
                greens[index % 3],
                s.place(s.plant(rng, rng.uniform(0.35, 0.9), 14), (x, y, float(soil(np.array(x), np.array(y))))),
            )
    litter = rng.uniform(-12, 12, (9000, 2))
    ground = soil(litter[:, 0], litter[:, 1]) + 0.02
    world.add(matte((0.28, 0.13, 0.04)), s.leaves(rng, np.column_stack([litter, ground]), 0.05))
    red, pale = glossy((0.55, 0.03, 0.02)), matte((0.65, 0.6, 0.5))
    for _ in range(16):
        x, y = toward(rng.uniform(0, 360), 0)[:2] * rng.uniform(1.6, 4)
        z = float(soil(np.array(x), np.array(y)))
        world.add(pale, s.lathe([(0.03, -0.1), (0.02, 0.12)], (x, y, z), 10))
        world.add(red, s.lathe([(0.09, 0.1), (0.075, 0.14), (0.03, 0.17), (0.0, 0.18)], (x, y, z), 16))
    world.add(
        bark,
        s.place(s.tube((-2.6, 3.2, 0.35), (2.9, 5.6, 0.5), 0.34, 0.24, 16)),
        s.tube((-3.2, -2.2, 0.2), (-0.8, -4.4, 0.4), 0.22, 0.16, 14),
    )
    return world

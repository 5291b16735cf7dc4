"""Sample scenes in rooms where people work: a workshop and a photographer's studio."""

import numpy as np
import shapes as s
import textures as t
from props import bookcase, enclose, hang_picture, sofa, still_life
from worlds import (
    BRASS,
    CHROME,
    COPPER,
    STEEL,
    World,
    daylight,
    environment,
    glass,
    glossy,
    glow,
    matte,
    metal,
    sky_directions,
    toward,
)


def workshop() -> World:
    """A joiner's and smith's workshop: benches, tools on boards, a factory window, tube lamps, a glowing forge."""
    world = World("workshop", depth=7)
    rng = world.rng
    daylight(world, sun=(150, 30), cover=0.6, haze=(0.2, 0.2, 0.18))
    door, window = s.Opening(0.6, 2.2, 0, 2.5), s.Opening(3.2, 8.6, 1.1, 2.9)
    walls = enclose(world, matte(t.brick(rng, (0.45, 0.36, 0.3)), 2.4), (4.6, 3.8), 3.7, [[], [], [door, window], []])
    north, east, south, west = walls
    world.add(
        matte(t.ground(rng, (0.14, 0.13, 0.12), (0.3, 0.28, 0.26)), 4),
        s.quad((-4.6, -3.8, 0), (9.2, 0, 0), (0, 7.6, 0)),
    )
    planks = matte(t.wood(rng, (0.3, 0.2, 0.12), 8), 2)
    world.add(
        planks,
        s.quad((-5, 4.2, 3.7), (10, 0, 0), (0, -8.4, 0)),
        *(s.box((x - 0.08, -3.8, 3.4), (x + 0.08, 3.8, 3.7)) for x in np.arange(-4, 4.5, 1.6)),
    )
    iron, steel, black = metal((0.14, 0.13, 0.13), 0.35), metal(STEEL, 0.2), matte((0.012, 0.012, 0.012))
    world.add(iron, south(s.frame(window, (9, 4), 0.2, 0.04)))
    world.add(planks, south(s.box((0.6, 0.1, 0), (0.7, 1.6, 2.5))))
    yard = matte(t.brick(rng, (0.4, 0.2, 0.14)), 2.4)
    world.add(yard, s.box((-9, -12.5, 0), (3, -12, 3.2)), s.box((4, -14, 0), (10, -9, 5)))
    world.add(matte(t.cobbles(rng, (0.35, 0.32, 0.28)), 3.2), s.quad((-30, -40, -0.02), (60, 0, 0), (0, 35.9, 0)))
    branches, crown = s.tree(rng, 5.5, 0.45, 6000, 0.09)
    world.add(matte((0.13, 0.1, 0.07)), s.place(branches, (-1.5, -9, 0)))
    world.add(matte((0.07, 0.2, 0.03)), s.place(crown, (-1.5, -9, 0)))
    bench = glossy(t.wood(rng, (0.38, 0.22, 0.11), 5), 1.2, 0.3)
    for move, length in (
        (lambda q: north(s.place(q, (2.9, -0.5, 0))), 4.8),
        (lambda q: east(s.place(q, (5.6, -0.5, 0))), 3.4),
    ):
        world.add(
            bench,
            move(s.place(s.table(length, 0.85, 0.9), (length / 2 - 0.5, 0, 0))),
            move(s.box((-0.4, -0.3, 0.25), (length - 0.6, 0.3, 0.29))),
        )
    paint = [glossy(c) for c in ((0.5, 0.05, 0.03), (0.04, 0.12, 0.4), (0.6, 0.4, 0.04), (0.06, 0.25, 0.1))]
    yy, xx = np.mgrid[0:64, 0:64] / 64 - 0.5
    holes_board = t.mix((0.45, 0.33, 0.2), (0.03, 0.02, 0.02), (np.hypot(xx, yy) < 0.1).astype(np.float32))
    for move, width in (
        (lambda q: north(s.place(q, (2.6, -0.04, 1.2))), 4.4),
        (lambda q: east(s.place(q, (5.2, -0.04, 1.2))), 2.2),
    ):
        world.add(matte(holes_board, 0.07), move(s.box((0, 0, 0), (width, 0.03, 1.5))))
        for x in np.arange(0.15, width - 0.1, 0.24):
            for z in (0.25, 0.95):
                kind, tall = rng.integers(0, 4), rng.uniform(0.22, 0.4)
                grip = paint[rng.integers(0, 4)]
                if kind == 0:  # a screwdriver
                    world.add(grip, move(s.tube((x, -0.04, z), (x, -0.04, z + 0.12), 0.018)))
                    world.add(steel, move(s.tube((x, -0.04, z + 0.12), (x, -0.04, z + tall), 0.006)))
                elif kind == 1:  # a hammer
                    world.add(bench, move(s.tube((x, -0.04, z), (x, -0.04, z + tall), 0.014)))
                    world.add(iron, move(s.box((x - 0.07, -0.065, z + tall), (x + 0.07, -0.015, z + tall + 0.05))))
                elif kind == 2:  # a saw
                    blade = s.quad((x - 0.03, -0.03, z), (0.09, 0, 0.02), (0.04, 0, tall))
                    world.add(steel, move(blade))
                    world.add(bench, move(s.box((x - 0.05, -0.05, z - 0.1), (x + 0.06, -0.02, z + 0.01))))
                else:  # a spanner
                    world.add(steel, move(s.box((x - 0.012, -0.04, z), (x + 0.012, -0.03, z + tall))))
                    hook = [
                        (x + 0.035 * np.sin(a), -0.035, z + tall + 0.035 - 0.035 * np.cos(a))
                        for a in np.linspace(0.9, 5.4, 12)
                    ]
                    world.add(steel, move(s.path_tube(hook, 0.012, 6)))
    for x in np.arange(3.2, 7.0, 0.34):
        kind = rng.integers(0, 3)
        at = (x, -0.6 - rng.uniform(-0.15, 0.2), 0.9)
        if kind == 0:
            world.add(
                paint[rng.integers(0, 4)], north(s.lathe([(0.07, 0), (0.07, 0.17), (0.06, 0.17), (0, 0.16)], at, 20))
            )
        elif kind == 1:
            world.add(
                bench, north(s.block(at, (rng.uniform(0.1, 0.3), 0.12, rng.uniform(0.03, 0.15)), rng.uniform(-40, 40)))
            )
        else:
            world.add(
                iron,
                north(s.block(at, (0.14, 0.09, 0.1), rng.uniform(-20, 20))),
                north(s.tube((at[0] - 0.15, at[1], 1.02), (at[0] + 0.15, at[1], 1.02), 0.012)),
            )
    tube_light = glow((120, 118, 105))
    for x, y in ((-1.6, 2.4), (1.4, 2.4), (2.6, -1.2)):
        world.add(
            iron,
            s.box((x - 0.7, y - 0.07, 3.02), (x + 0.7, y + 0.07, 3.08)),
            *(s.tube((x + k, y, 3.08), (x + k, y, 3.5), 0.006) for k in (-0.5, 0.5)),
        )
        world.add(tube_light, s.tube((x - 0.62, y, 2.98), (x + 0.62, y, 2.98), 0.02))
    brick = matte(t.brick(rng, (0.3, 0.12, 0.08)), 1.6)
    world.add(brick, west(s.place(s.wall(1.7, 0.9, 0.9, [s.Opening(0.4, 1.3, 0.35, 0.5, True)]), (3.4, -0.95, 0))))
    world.add(
        brick,
        west(s.box((3.4, -0.95, 0.86), (5.1, -0.8, 1.05))),
        west(s.box((3.4, -0.2, 0.86), (5.1, -0.05, 1.05))),
        west(s.box((3.4, -0.9, 0.8), (5.1, -0.05, 0.88))),
    )
    world.add(black, west(s.box((3.5, -0.1, 0.1), (5.0, -0.06, 0.8))))
    coals = t.noise(rng, 256, 1.0)[..., None] ** 6 * np.array((1, 0.28, 0.04)) * 5000
    pile = s.field(
        np.linspace(0, 1.3, 30),
        np.linspace(0, 0.6, 16),
        lambda x, y: 0.06 * np.sin(7 * x) * np.sin(9 * y) + 0.12 * np.sin(np.pi * x / 1.3) * np.sin(np.pi * y / 0.6),
    )
    world.add(glow(coals), west(s.place(pile, (3.6, -0.82, 0.9))))
    world.add(iron, west(s.place(s.lathe([(0.75, 1.9), (0.2, 2.6), (0.2, 3.8)], segments=4), (4.25, -0.5, 0))))
    world.add(
        iron,
        s.block((-2.3, 0.9, 0.5), (0.5, 0.16, 0.18)),
        s.lathe([(0.17, 0.44), (0.06, 0.6)], (-2.3, 0.9, 0), 4),
        s.tube((-2.05, 0.9, 0.62), (-1.8, 0.9, 0.64), 0.07, 0.01),
    )
    world.add(bench, s.lathe([(0.26, 0), (0.24, 0.45), (0, 0.45)], (-2.3, 0.9, 0), 20))
    world.add(glow((90, 26, 3)), s.tube((-2.4, 0.98, 0.71), (-2.0, 0.86, 0.71), 0.018))
    for k, (x, y) in enumerate(((3.6, -2.9), (2.9, -3.2), (3.7, -2.2))):
        drum = [
            (0.28, 0),
            (0.29, 0.02),
            (0.28, 0.04),
            (0.28, 0.28),
            (0.295, 0.3),
            (0.28, 0.32),
            (0.28, 0.58),
            (0.295, 0.6),
            (0.28, 0.62),
            (0.28, 0.86),
            (0, 0.86),
        ]
        world.add(paint[k], s.lathe(drum, (x, y, 0)))
    for z in range(4):
        for y in range(5 - z):
            world.add(
                planks,
                west(
                    s.box(
                        (6.0 - 0.3 * (z % 2), -0.25 - 0.2 * y - 0.1 * z, 0.12 * z),
                        (7.4, -0.07 - 0.2 * y - 0.1 * z, 0.12 * z + 0.1),
                    )
                ),
            )
    world.add(
        planks,
        *(west(s.place(s.box((0, 0, 0), (0.16, 0.04, 3.0)), (0.4 + 0.22 * k, -0.5, 0), tilt=-8)) for k in range(7)),
    )
    shelf = matte(t.wood(rng, (0.3, 0.18, 0.1), 3), 1)
    for z in (0.3, 0.9, 1.5, 2.1):
        world.add(shelf, east(s.box((0.4, -0.4, z), (3.8, 0, z + 0.04))))
        for x in np.arange(0.6, 3.7, 0.24):
            can = [(0.08, 0), (0.08, 0.2), (0.085, 0.21), (0.07, 0.2), (0, 0.2)]
            choice = rng.integers(0, 6)
            if choice < 4:
                world.add(
                    paint[choice],
                    east(s.place(s.lathe(can, segments=20), (x, -0.2, z + 0.04), scale=rng.uniform(0.8, 1.4))),
                )
            elif choice == 4:
                world.add(bench, east(s.block((x, -0.2, z + 0.04), (0.2, 0.25, 0.2))))
    world.add(bench, s.place(s.table(1.6, 0.8, 0.8), (1.2, 0.9, 0), 12))
    world.add(planks, s.place(s.box((-1.1, -0.12, 0.82), (1.1, 0.12, 0.87)), (1.2, 0.9, 0), 20))
    world.add(
        bench,
        s.place(s.chair(), (1.4, 1.5, 0.82), 140),
        s.place(s.chair(), (-1.2, -2.6, 0), 200),
        s.place(s.table(1.9, 0.7, 0.75), (-0.2, -2.9, 0)),
    )
    still_life(world, (-0.2, -2.9, 0.75), rng)
    for z in (3.15, 3.3):
        world.add(
            metal(COPPER, 0.25),
            east(s.tube((0, -0.12, z), (7.6, -0.12, z), 0.035)),
            north(s.tube((0, -0.12, z), (9.2, -0.12, z), 0.035)),
        )
    return world


def studio() -> World:
    """A photographer's studio: softboxes, a strip light and a ring around a table of spheres and pots."""
    world = World("studio", depth=7)
    rng = world.rng
    floor = glossy(t.wood(rng, (0.2, 0.13, 0.08), 16), 2.4, 0.15)
    world.add(floor, s.quad((-5, -4.5, 0), (10, 0, 0), (0, 9, 0)))
    holes = [s.Opening(x, x + 1.5, 1.2, 3.2) for x in (1.4, 4.1, 6.8)]
    walls = enclose(world, matte(t.brick(rng, (0.12, 0.11, 0.11)), 2.4), (5, 4.5), 4.2, [[], [], holes, []])
    _north, _east, south, west = walls
    world.add(matte((0.03, 0.03, 0.03)), s.quad((-5, 4.5, 4.2), (10, 0, 0), (0, -9, 0)))
    directions = sky_directions(256)
    dusk = np.exp(-4 * np.clip(directions[..., 2:], 0, 1)) * (0.5, 0.35, 0.3) + np.array((0.06, 0.1, 0.2))
    world.environment = environment(np.where(directions[..., 2:] > -0.05, dusk, 0.02) * 0.6)
    town = matte((0.03, 0.03, 0.035))
    lights = glow(t.lit_windows(rng, 8, 48) * 2)
    for x in np.arange(-26, 26, 5.5):
        tall = rng.uniform(2, 9)
        world.add(town, s.block((x, -22, -6), (5, 5, tall + 6.5)))
        front = s.quad((x + 2.4, -19.4, -5), (-4.8, 0, 0), (0, 0, tall + 5), unit=True)
        world.add(lights, front._replace(uvs=front.uvs * (0.4, (tall + 5) / 14) + rng.integers(0, 8, 2) / 8))
    iron, black = metal((0.12, 0.12, 0.12), 0.3), matte((0.012, 0.012, 0.012))
    slat = matte((0.5, 0.48, 0.45))
    for hole in holes:
        world.add(iron, south(s.frame(hole, (3, 4), 0.2, 0.04)))
        for z in np.arange(2.3, 3.2, 0.06):
            world.add(slat, south(s.place(s.box((hole.left, 0, 0), (hole.right, 0.05, 0.004)), (0, 0.06, z), tilt=30)))
    bend = [(3.0 + 1.4 * np.sin(a), 1.4 - 1.395 * np.cos(a)) for a in np.linspace(0, np.pi / 2, 14)]
    sweep = [(1.6, 0.005), *bend, (4.4, 3.4)]
    points = np.stack([np.array([(x, y, z) for x in (-1.7, 1.7)]) for y, z in sweep])
    world.add(matte(t.plaster(rng, (0.62, 0.63, 0.65), 0.05), 2), s.grid(points, points[..., :2]))
    world.add(
        iron,
        s.tube((-1.9, 4.42, 3.4), (1.9, 4.42, 3.4), 0.05),
        *(s.tube((x, 4.42, 0), (x, 4.42, 3.4), 0.03) for x in (-1.9, 1.9)),
    )
    timber = glossy(t.wood(rng, (0.35, 0.2, 0.1), 6), 1, 0.2)
    world.add(timber, s.place(s.table(2.4, 0.9, 0.85), (0, 2.7, 0)))
    world.add(metal(CHROME, 0.02), s.sphere((-0.75, 2.65, 1.07), 0.22))
    world.add(glass(), s.sphere((0.05, 2.5, 1.02), 0.17))
    world.add(metal(BRASS, 0.15), s.sphere((0.5, 2.85, 1.05), 0.2))
    glaze = glossy(t.ornament(rng, (0.68, 0.66, 0.6), [(0.05, 0.12, 0.4), (0.6, 0.15, 0.05)], 4), 0.5, 0.08)
    world.add(glaze, s.lathe([(0.07, 0), (0.17, 0.2), (0.15, 0.36), (0.05, 0.46), (0.07, 0.54)], (-0.3, 2.95, 0.85)))
    world.add(
        glossy((0.5, 0.03, 0.03), roughness=0.05),
        s.lathe([(0.08, 0), (0.12, 0.15), (0.05, 0.3), (0.06, 0.34)], (0.9, 2.6, 0.85)),
    )
    world.add(matte((0.5, 0.49, 0.47)), s.sphere((-1.05, 2.95, 0.97), 0.12))
    chart = rng.uniform(0.02, 0.8, (4, 6, 3)) ** 1.3
    chart[3] = np.linspace(0.85, 0.03, 6)[:, None]
    chart = np.kron(chart, np.ones((20, 20, 1))) * np.kron(np.ones((4, 6)), np.pad(np.ones((18, 18)), 1))[..., None]
    hang_picture(world, lambda q: s.place(q, (-0.15, 3.1, 0.88), 0, -8), 0.6, 0.4, black, t.bounded(chart))
    y, x = np.mgrid[0:128, 0:128] / 127
    cells = (np.abs(x * 5 % 1 - 0.5) < 0.47) & (np.abs(y * 5 % 1 - 0.5) < 0.47)
    hot = 0.55 + 0.75 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) * 9)
    softbox = (hot * np.where(cells, 1, 0.08))[..., None]
    for px, py, z, wide, tall, colour in (
        (-2.6, 1.9, 1.7, 1.2, 1.6, (46, 44, 40)),
        (2.7, 2.3, 1.8, 0.9, 1.3, (24, 26, 30)),
        (3.6, -1.2, 1.5, 0.5, 1.9, (30, 17, 8)),
        (-3.5, -1.6, 1.9, 1.1, 1.1, (8, 12, 26)),
    ):
        aim = np.degrees(np.arctan2(0.0 - px, 2.2 - py)) if py > 0 else np.degrees(np.arctan2(-px, -py))

        def move(shape: s.Shape, px: float = px, py: float = py, z: float = z, aim: float = aim) -> s.Shape:
            return s.place(s.place(shape, tilt=-12), (px, py, z), -aim + 180)

        world.add(
            glow(softbox * colour), move(s.quad((-wide / 2, 0, -tall / 2), (wide, 0, 0), (0, 0, tall), unit=True))
        )
        a, b = wide / 2 + 0.04, tall / 2 + 0.04
        for low, high in (
            ((-a, -0.12, -b), (-a + 0.03, 0.05, b)),
            ((a - 0.03, -0.12, -b), (a, 0.05, b)),
            ((-a, -0.12, -b), (a, 0.05, -b + 0.03)),
            ((-a, -0.12, b - 0.03), (a, 0.05, b)),
            ((-a, 0.03, -b), (a, 0.06, b)),
            ((-0.12, 0.06, -0.15), (0.12, 0.45, 0.15)),
        ):
            world.add(black, move(s.box(low, high)))
        world.add(
            iron,
            s.tube((px, py, 0.5), (px, py, z), 0.02),
            *(
                s.tube((px, py, 0.6), (px + 0.5 * q[0], py + 0.5 * q[1], 0.02), 0.014)
                for q in (toward(aim + k, 0) for k in (60, 180, 300))
            ),
        )
    ring = [(-4.2 + 0.0 * a, 1.0 + 0.32 * np.cos(a), 1.7 + 0.32 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 41)]
    world.add(glow((70, 75, 80)), s.path_tube(ring, 0.025))
    world.add(iron, s.tube((-4.22, 1.0, 0), (-4.22, 1.0, 1.38), 0.02), s.disc((-4.22, 1.0, 0.02), (0, 0, 1), 0.25))
    for px in (-3.2, 0.0, 3.2):
        world.add(iron, s.box((px - 0.04, -4.5, 3.7), (px + 0.04, 4.5, 3.78)))
        for py in (-2.4, 0.8):
            world.add(black, s.tube((px, py, 3.3), (px, py + 0.12, 3.68), 0.12))
            world.add(glow((500, 400, 260)), s.disc((px, py - 0.003, 3.285), (0, -0.3, -1), 0.07))
    for index, colour in enumerate(
        ((0.5, 0.08, 0.06), (0.06, 0.25, 0.3), (0.6, 0.45, 0.1), (0.25, 0.1, 0.3), (0.5, 0.5, 0.48))
    ):
        px = 4.3 - 0.06 * index
        world.add(
            matte(t.fabric(rng, colour)),
            s.place(s.cloth(0.95, 2.7, 7), (4.75, 3.9 - 1.05 * index, 0.1), -90),
            s.tube((px + 0.4, -4.0 + 0.3 * index, 0), (px + 0.4, -4.0 + 0.3 * index, 2.6), 0.1),
        )
    for index, style in enumerate(("rings", "hills", "blocks", "rings", "hills", "blocks")):
        hang_picture(
            world,
            lambda q, k=index: west(s.place(q, (0.5 + 1.45 * (k % 3), -0.05, 1.0 + 1.35 * (k // 3)))),
            1.1,
            1.1,
            black,
            t.painting(rng, style),
        )
    bookcase(world, lambda q: west(s.place(q, (6.2, 0, 0))), 2.4, 2.4)
    sofa(world, lambda q: s.place(q, (-0.9, -3.5, 0), 180), rng)
    clay, leaf = glossy((0.6, 0.58, 0.54)), matte((0.05, 0.16, 0.04))
    for px, py, tall in ((1.6, -3.6, 1.7), (-3.9, -3.9, 1.5)):
        world.add(clay, s.lathe([(0.14, 0), (0.22, 0.35), (0.24, 0.35), (0.2, 0.33), (0, 0.3)], (px, py, 0)))
        world.add(leaf, s.place(s.plant(rng, tall), (px, py, 0.3)))
    tripod = (1.4, 0.6)
    world.add(
        black,
        s.block((*tripod, 1.35), (0.16, 0.1, 0.12)),
        s.tube((1.37, 0.66, 1.41), (1.3, 0.82, 1.41), 0.045, segments=20),
    )
    world.add(
        iron,
        *(
            s.tube((*tripod, 1.35), (tripod[0] + 0.45 * q[0], tripod[1] + 0.45 * q[1], 0), 0.016)
            for q in (toward(k, 0) for k in (20, 140, 260))
        ),
    )
    return world

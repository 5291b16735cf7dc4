"""Sample scenes in rooms with windows: a living room and a loft."""

import numpy as np
import shapes as s
import textures as t
from props import bookcase, enclose, garden, hang_picture, sofa, still_life
from worlds import BRASS, CHROME, COPPER, World, daylight, glass, glossy, glow, matte, metal


def living_room() -> World:
    """A room in daylight with tall windows on a sunlit garden, a wall of books and a fire."""
    world = World("living_room", depth=8)
    rng = world.rng
    daylight(world, sun=(28, 40), cover=0.4, haze=(0.2, 0.3, 0.12))
    windows = [s.Opening(x, x + 1.7, 0.35, 2.75) for x in (0.5, 3.15, 5.8)]
    door, exit_, side = s.Opening(3.2, 4.3, 0, 2.2), s.Opening(2.2, 4.4, 0.0, 2.4), s.Opening(0.7, 1.8, 0.9, 2.4)
    movers = enclose(
        world, matte(t.plaster(rng, (0.6, 0.56, 0.47), 0.12), 3), (4, 3.4), 3.1, [windows, [exit_], [door], [side]]
    )
    north, east, south, west = movers
    white = matte((0.72, 0.7, 0.65))
    for hole in windows:
        world.add(
            white,
            north(s.frame(hole, (2, 3), 0.2, 0.07)),
            north(s.box((hole.left - 0.12, -0.12, 0.27), (hole.right + 0.12, 0.3, 0.35))),
        )
    world.add(white, east(s.frame(exit_, (2, 2), 0.2, 0.08)), west(s.frame(side, (2, 2), 0.2, 0.07)))
    curtain = matte(t.fabric(rng, (0.5, 0.2, 0.12), (0.6, 0.45, 0.25)), 0.9)
    for x, wide in ((0.05, 0.55), (2.2, 0.95), (4.85, 0.95), (7.45, 0.5)):
        world.add(curtain, north(s.place(s.cloth(wide, 2.85, wide * 9), (x, -0.12, 0.03))))
    world.add(metal(BRASS, 0.15), north(s.tube((0, -0.12, 2.9), (8, -0.12, 2.9), 0.02)))
    world.add(glossy(t.wood(rng, (0.36, 0.19, 0.09), 12), 1.6, 0.2), s.quad((-4, -3.4, 0), (8, 0, 0), (0, 6.8, 0)))
    world.add(matte(t.plaster(rng, (0.72, 0.7, 0.66), 0.05), 4), s.quad((-4.4, 3.8, 3.1), (8.8, 0, 0), (0, -7.6, 0)))
    beam = matte(t.wood(rng, (0.2, 0.11, 0.06), 3), 1.2)
    for y in (-2.2, 0.0, 2.2):
        world.add(beam, s.box((-4, y - 0.1, 2.88), (4, y + 0.1, 3.1)))
    rug = t.ornament(rng, (0.32, 0.05, 0.04), [(0.5, 0.38, 0.2), (0.04, 0.06, 0.15), (0.6, 0.5, 0.35)], 3)
    world.add(matte(rug), s.quad((-1.7, -1.3, 0.012), (3.6, 0, 0), (0, 2.7, 0), unit=True))
    bookcase(world, lambda shape: south(s.place(shape, (0.15, 0, 0), 0)), 2.9, 2.7)
    bookcase(world, lambda shape: south(s.place(shape, (5.2, 0, 0), 0)), 2.5, 2.7)
    dark = matte((0.012, 0.011, 0.01))
    world.add(dark, south(s.box((3.0, 0.3, -0.1), (4.5, 3, 2.6))))
    brick = matte(t.brick(rng, (0.35, 0.14, 0.08)), 2)
    soot = matte((0.015, 0.013, 0.012))
    world.add(brick, west(s.place(s.wall(2.0, 1.5, 0.45, [s.Opening(0.4, 1.6, 0, 0.75, False)]), (2.4, -0.45, 0))))
    world.add(
        soot, west(s.box((2.75, -0.02, 0), (4.1, 0.0, 1.2))), west(s.box((2.75, -0.4, 0.74), (4.05, -0.05, 0.76)))
    )
    world.add(
        matte(t.marble(rng, (0.6, 0.58, 0.54), (0.12, 0.12, 0.13))), west(s.box((2.25, -0.55, 1.5), (4.55, 0, 1.6)))
    )
    bark = matte(t.ground(rng, (0.04, 0.03, 0.02), (0.16, 0.11, 0.07)), 0.4)
    world.add(
        bark,
        *(
            west(s.tube((2.95, y, 0.1 + h), (3.85, y - 0.05, 0.12 + h), 0.06))
            for y, h in ((-0.15, 0), (-0.32, 0), (-0.23, 0.11))
        ),
    )
    flame = [(0.03, 0), (0.075, 0.06), (0.06, 0.14), (0.03, 0.24), (0.0, 0.34)]
    fire = glow((160, 60, 11))
    for index, x in enumerate(np.linspace(3.0, 3.8, 8)):
        shape = s.place(s.lathe(flame, segments=10), (x, -0.24 + 0.06 * (index % 2), 0.2), scale=rng.uniform(0.5, 1.1))
        world.add(fire, west(shape))
    frame_wood = metal(BRASS, 0.3)
    hang_picture(
        world, lambda q: west(s.place(q, (2.85, -0.06, 1.75))), 1.1, 0.85, frame_wood, t.painting(rng, "hills")
    )
    hang_picture(world, lambda q: east(s.place(q, (0.5, -0.04, 1.2))), 1.2, 1.3, frame_wood, t.painting(rng, "blocks"))
    hang_picture(world, lambda q: east(s.place(q, (4.9, -0.04, 1.3))), 1.3, 1.0, frame_wood, t.painting(rng, "rings"))
    hang_picture(world, lambda q: west(s.place(q, (5.1, -0.04, 1.3))), 0.9, 1.2, frame_wood, t.painting(rng, "rings"))
    sofa(world, lambda q: s.place(q, (2.7, -1.3, 0), -90), rng)
    oak = glossy(t.wood(rng, (0.3, 0.15, 0.07), 6), 1, 0.2)
    world.add(oak, s.place(s.table(1.7, 0.95), (-1.2, 2.1, 0)))
    for x, y, turn in ((-1.6, 2.75, 0), (-0.7, 2.75, 8), (-1.6, 1.4, 180), (-0.6, 1.35, 165), (-2.35, 2.1, 95)):
        world.add(oak, s.place(s.chair(), (x, y, 0), turn))
    still_life(world, (-1.2, 2.1, 0.74), rng)
    world.add(oak, s.place(s.table(1.0, 0.6, 0.42), (1.2, -0.6, 0)))
    world.add(
        glossy((0.1, 0.2, 0.4)),
        s.place(s.lathe([(0.05, 0), (0.12, 0.1), (0.1, 0.22), (0.04, 0.28), (0.06, 0.32)]), (1.2, -0.6, 0.42)),
    )
    clay, leaf = glossy((0.55, 0.22, 0.1)), matte((0.05, 0.16, 0.04))
    for x, y, tall in ((3.5, 2.8, 1.3), (-3.5, 2.9, 1.0), (-3.5, -2.7, 1.4)):
        world.add(clay, s.lathe([(0.14, 0), (0.22, 0.35), (0.24, 0.35), (0.2, 0.33), (0, 0.3)], (x, y, 0)))
        world.add(leaf, s.place(s.plant(rng, tall), (x, y, 0.3)))
    shade = glow((9, 6.5, 3.8))
    world.add(shade, s.lathe([(0.24, 1.5), (0.14, 1.8)], (2.9, 0.9, 0), 32))
    world.add(metal(BRASS, 0.15), s.lathe([(0.16, 0), (0.16, 0.03), (0.015, 0.05), (0.015, 1.6)], (2.9, 0.9, 0), 16))
    garden(world, rng)
    return world


def loft() -> World:
    """A brick loft as a gallery: skylights and arched windows, paintings, sculpture on plinths, a mezzanine."""
    world = World("loft", depth=8)
    rng = world.rng
    daylight(world, sun=(-62, 48), cover=0.35)
    brick = matte(t.brick(rng, (0.4, 0.17, 0.1)), 2.4)
    arched = [s.Opening(x, x + 1.6, 0.9, 3.0, True) for x in (0.8, 3.2, 5.6, 8.0)]
    walls = enclose(world, brick, (7, 5), 5.6, [[], [], [s.Opening(9, 10.6, 0, 2.4)], arched])
    north, east, south, west = walls
    iron = metal((0.1, 0.1, 0.11), 0.35)
    for hole in arched:
        world.add(iron, west(s.frame(hole, (4, 5), 0.2, 0.04)))
    world.add(
        matte(t.ground(rng, (0.22, 0.21, 0.2), (0.34, 0.33, 0.31), 1.2), 6), s.quad((-7, -5, 0), (14, 0, 0), (0, 10, 0))
    )
    city = matte(t.brick(rng, (0.5, 0.33, 0.25), 10, 6), 8)
    world.add(
        city,
        *(s.block((-30 - rng.uniform(0, 25), y, -20), (9, 7, rng.uniform(16, 30))) for y in np.arange(-36, 40, 8.5)),
    )
    white = matte(t.plaster(rng, (0.68, 0.67, 0.64), 0.08), 3)
    holes = [s.Opening(x, x + 1.8, y, y + 2.6) for x in (1.6, 4.6, 7.6, 10.6) for y in (2.0, 5.6)]
    world.add(white, s.place(s.wall(14.8, 10.8, 0.3, holes), (-7.4, -5.4, 5.9), tilt=-90))
    for hole in holes:
        bars = [
            s.box((x, -0.02, hole.bottom), (x + 0.05, 0.05, hole.top))
            for x in np.linspace(hole.left, hole.right - 0.05, 4)
        ]
        world.add(iron, *(s.place(bar, (-7.4, -5.4, 5.9), tilt=-90) for bar in bars))
    for x in (-4.6, -1.6, 1.4, 4.4):
        world.add(
            iron, s.box((x - 0.08, -5, 5.0), (x + 0.08, 5, 5.08)), s.box((x - 0.08, -5, 5.4), (x + 0.08, 5, 5.48))
        )
        world.add(
            iron,
            *(s.tube((x, y, 5.05), (x, y + 0.6, 5.42), 0.03) for y in np.arange(-5, 5, 1.2)),
            *(s.tube((x, y + 0.6, 5.42), (x, y + 1.2, 5.05), 0.03) for y in np.arange(-5, 4.5, 1.2)),
        )
    panel = matte((0.66, 0.65, 0.62))
    styles = ["rings", "hills", "blocks"]
    border = metal(BRASS, 0.3)
    black = matte((0.02, 0.02, 0.02))
    world.add(panel, north(s.box((0.4, -0.15, 0), (13.6, -0.05, 3.6))))
    for index, (x, w, h) in enumerate(
        ((0.9, 1.6, 2.2), (3.2, 2.4, 1.7), (6.3, 1.5, 1.5), (8.5, 1.9, 2.4), (11.2, 2.0, 1.5))
    ):
        hang_picture(
            world,
            lambda q, x=x, h=h: north(s.place(q, (x, -0.2, 1.9 - h / 2.6))),
            w,
            h,
            (border, black)[index % 2],
            t.painting(rng, styles[index % 3]),
        )
    for index, (x, w, h) in enumerate(((0.8, 1.3, 1.3), (6.4, 1.4, 1.9), (2.8, 2.2, 1.6))):
        hang_picture(
            world,
            lambda q, x=x: south(s.place(q, (x, -0.05, 1.2))),
            w,
            h,
            (black, border)[index % 2],
            t.painting(rng, styles[index]),
        )
    world.add(matte((0.01, 0.01, 0.011)), south(s.box((8.7, 0.35, -0.1), (11, 4, 3))))
    timber = matte(t.wood(rng, (0.32, 0.18, 0.09), 8), 1.4)
    world.add(timber, s.box((4.2, -5, 2.75), (7, 5, 2.9)), s.place(s.stairs(15, 1.0, 0.19, 0.27), (3.6, -4.2, 0)))
    for y in np.arange(-5, 5.01, 0.25):
        world.add(iron, s.tube((4.25, y, 2.9), (4.25, y, 3.85), 0.012, segments=6))
    world.add(
        iron,
        s.tube((4.25, -5, 3.85), (4.25, 5, 3.85), 0.03),
        *(s.tube((4.4, y, 0), (4.4, y, 2.75), 0.07) for y in (-1.5, 1.5, 4.6)),
    )
    bookcase(world, lambda q: east(s.place(q, (0.6, 0, 0))), 3.4, 2.6)
    bookcase(world, lambda q: east(s.place(q, (0.6, 0, 2.9))), 4.4, 2.2)
    hang_picture(world, lambda q: east(s.place(q, (5.6, -0.05, 3.4))), 2.2, 1.5, border, t.painting(rng, "hills"))
    sofa(world, lambda q: s.place(q, (5.6, -0.6, 0), -90), rng)
    plinths = [
        (-3.4, 2.2, 1.0),
        (-0.6, 3.2, 0.9),
        (2.2, 2.4, 1.1),
        (-4.2, -1.6, 0.8),
        (-1.4, -3.0, 1.0),
        (1.8, -2.6, 0.7),
        (-5.4, 0.4, 1.0),
    ]
    for x, y, z in plinths:
        world.add(white, s.block((x, y, 0), (0.6, 0.6, z), rng.uniform(-10, 10)))
    stone = matte(t.marble(rng, (0.7, 0.68, 0.64), (0.1, 0.1, 0.12)), 0.8)
    (a, b, c, d, e, f, g) = plinths
    world.add(metal(CHROME, 0.02), s.sphere((a[0], a[1], a[2] + 0.32), 0.32))
    world.add(stone, s.place(s.rock(rng, 0.42, 0.5), (b[0], b[1], b[2] + 0.27)), s.place(s.column(1.5, 0.16), f))
    world.add(
        glossy(t.ornament(rng, (0.7, 0.68, 0.6), [(0.05, 0.1, 0.35), (0.5, 0.1, 0.05)], 4), 0.6),
        s.lathe([(0.12, 0), (0.3, 0.3), (0.28, 0.5), (0.1, 0.7), (0.14, 0.8)], c),
    )
    knot = [
        (
            0.34 * (1 + 0.4 * np.cos(3 * p)) * np.cos(2 * p),
            0.34 * (1 + 0.4 * np.cos(3 * p)) * np.sin(2 * p),
            0.42 + 0.2 * np.sin(3 * p),
        )
        for p in np.linspace(0, 2 * np.pi, 120)
    ]
    world.add(metal(COPPER, 0.12), s.place(s.path_tube(knot, 0.07, 14), d, tilt=20))
    world.add(glass(), s.sphere((e[0], e[1], e[2] + 0.27), 0.27))
    world.add(metal(BRASS, 0.2), s.place(s.path_tube([(x * 1.2, y * 1.2, z) for x, y, z in knot], 0.05, 12), g))
    world.add(
        glossy((0.45, 0.18, 0.08)),
        s.lathe([(0.22, 0), (0.34, 0.55), (0.3, 0.52), (0, 0.5)], (-6.2, 4.2, 0)),
        s.lathe([(0.22, 0), (0.34, 0.55), (0.3, 0.52), (0, 0.5)], (-6.2, -4.2, 0)),
    )
    world.add(
        matte((0.05, 0.16, 0.04)),
        s.place(s.plant(rng, 2.2, 34), (-6.2, 4.2, 0.5)),
        s.place(s.plant(rng, 1.9, 34), (-6.2, -4.2, 0.5)),
    )
    spot = glow((420, 360, 270))
    for x in (-5.3, -2.6, 0.1, 2.4):
        world.add(iron, s.tube((x, 3.6, 4.25), (x, 3.85, 4.1), 0.07), s.tube((x, 3.6, 4.25), (x, 3.6, 5.0), 0.012))
        world.add(spot, s.place(s.lathe([(0.06, 0), (0, 0)], segments=16), (x, 3.87, 4.08), tilt=122))
    return world

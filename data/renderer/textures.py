"""Procedural pictures for the sample scenes: reflectances and emission patterns as NumPy arrays.

Every function takes its own random generator first and returns linear RGB, float32, (height, width, 3); all of them
repeat seamlessly, so that a wall of any length takes one square. Reflectances stay within [0.01, 0.9].
"""

import numpy as np

Colour = tuple[float, float, float]

# Rows of a 3 x 5 dot font, from the top, one octal digit a row.
FONT = {
    "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644", "G": "34553", "H": "55755",
    "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555", "O": "25552", "P": "65644",
    "Q": "25563", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255",
    "Y": "55222", "Z": "71247", " ": "00000", "2": "61247", "4": "55711",
}  # fmt: skip


def noise(rng: np.random.Generator, size: int, slope: float = 1.5, stretch: tuple[float, float] = (1, 1)) -> np.ndarray:
    """Draw seamless fractal noise in [0, 1]: white noise whose spectrum falls as frequency ** -slope.

    Args:
        slope: 1 is grainy, 2 is cloudy.
        stretch: factors on the vertical and horizontal frequency; a large one makes the pattern thin along that axis.
    """
    rows = np.fft.fftfreq(size)[:, None] * size / stretch[0]
    columns = np.fft.fftfreq(size)[None, :] * size / stretch[1]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((size, size))) * np.maximum(frequency, 1.0) ** -slope
    spectrum[0, 0] = 0
    field = np.fft.ifft2(spectrum).real
    return np.clip(0.5 + 0.2 * field / field.std(), 0, 1).astype(np.float32)


def mix(first: Colour | np.ndarray, second: Colour | np.ndarray, share: np.ndarray) -> np.ndarray:
    """Blend two colours or pictures; `share` (height, width) is the part of the second."""
    share = share[..., None]
    return (np.asarray(first) * (1 - share) + np.asarray(second) * share).astype(np.float32)


def bounded(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture, 0.01, 0.9).astype(np.float32)


def coordinates(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the x and y of each pixel's centre in [0, 1)."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    return x.astype(np.float32), y.astype(np.float32)


def plaster(rng: np.random.Generator, colour: Colour, stain: float = 0.35, size: int = 512) -> np.ndarray:
    grain = 0.9 + 0.2 * noise(rng, size, 0.7)
    clouds = 1 - stain * np.clip(noise(rng, size, 2.0) - 0.35, 0, 1) * 2
    streaks = 1 - stain * np.clip(noise(rng, size, 1.6, stretch=(1, 12)) - 0.6, 0, 1) * 2
    return bounded(np.asarray(colour) * (grain * clouds * streaks)[..., None])


def brick(rng: np.random.Generator, colour: Colour, rows: int = 24, columns: int = 8, size: int = 768) -> np.ndarray:
    """Lay bricks in running bond, each with its own tint; `rows` is even, so that the courses repeat."""
    x, y = coordinates(size)
    row = np.floor(y * rows).astype(int)
    along = x * columns + 0.5 * (row % 2)
    column = np.floor(along).astype(int) % columns
    tint = rng.uniform(0.55, 1.25, (rows, columns, 1)) * rng.uniform(0.88, 1.12, (rows, columns, 3))
    from_joint = np.minimum(
        np.minimum(along % 1, 1 - along % 1) * rows / columns * 1.3, np.minimum(y * rows % 1, 1 - y * rows % 1)
    )
    joint = np.clip((0.12 - from_joint + 0.06 * (noise(rng, size, 0.8) - 0.5)) * 25, 0, 1)
    face = np.asarray(colour) * tint[row, column] * (0.7 + 0.6 * noise(rng, size, 1.0))[..., None]
    return bounded(mix(face, np.array((0.42, 0.4, 0.36)) * (0.7 + 0.5 * noise(rng, size, 0.6))[..., None], joint))


def tiles(rng: np.random.Generator, colours: list[Colour], count: int = 8, joint: float = 0.03, size: int = 768):
    """Lay square tiles, the colours alternating along the diagonals; `count` is a multiple of their number."""
    x, y = coordinates(size)
    column, row = np.floor(x * count).astype(int), np.floor(y * count).astype(int)
    palette = np.asarray(colours)[(column + row) % len(colours)]
    tint = rng.uniform(0.8, 1.15, (count, count, 1))[row, column]
    inside = np.minimum(np.minimum(x * count % 1, 1 - x * count % 1), np.minimum(y * count % 1, 1 - y * count % 1))
    veins = np.abs(noise(rng, size, 1.5) - 0.5) < 0.012
    picture = palette * tint * (0.8 + 0.4 * noise(rng, size, 1.1))[..., None] * (1 - 0.3 * veins)[..., None]
    return bounded(mix(picture, (0.12, 0.11, 0.1), (inside < joint).astype(np.float32)))


def ornament(rng: np.random.Generator, ground: Colour, inks: list[Colour], count: int = 4, size: int = 768):
    """Paint one random eightfold motif with each ink and repeat it `count` times a side, as on glazed tiles or rugs."""
    cell = size // count
    x, y = coordinates(cell)
    x, y = np.abs(x - 0.5) * 2, np.abs(y - 0.5) * 2
    x, y = np.maximum(x, y), np.minimum(x, y)
    picture = np.broadcast_to(np.asarray(ground, np.float32), (cell, cell, 3))
    for ink in inks:
        a, b, c = rng.uniform(1.5, 5, 3)
        waves = np.sin(a * np.pi * x + rng.uniform(0, 6)) * np.cos(b * np.pi * y) + 0.7 * np.cos(c * np.pi * (x - y))
        picture = mix(picture, ink, np.clip((waves - rng.uniform(0.2, 0.5)) * 8, 0, 1))
    picture = mix(picture, (0.3, 0.28, 0.25), (x > 0.97).astype(np.float32))
    picture = np.tile(picture, (count, count, 1))
    return bounded(picture * (0.85 + 0.3 * noise(rng, picture.shape[0], 0.9))[..., None])


def wood(rng: np.random.Generator, colour: Colour, planks: int = 6, size: int = 512) -> np.ndarray:
    """Saw boards that run along x, each cut from another place of the grain."""
    x, y = coordinates(size)
    board = np.floor(y * planks).astype(int)
    grain = noise(rng, size, 1.3, stretch=(24, 1))
    fibre = noise(rng, size, 0.6, stretch=(40, 1))
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (grain * 9 + rng.uniform(0, 1, planks)[board]))
    tint = rng.uniform(0.7, 1.2, planks)[board]
    start = rng.uniform(0, 1, planks)[board]
    gap = (np.abs(y * planks % 1 - 0.5) > 0.485) | (np.abs((x - start) % 1) < 0.003)
    value = tint * (0.62 + 0.3 * rings + 0.25 * fibre) * np.where(gap, 0.25, 1)
    return bounded(np.asarray(colour) * value[..., None])


def marble(rng: np.random.Generator, light: Colour, dark: Colour, size: int = 512) -> np.ndarray:
    x, y = coordinates(size)
    warp = noise(rng, size, 1.8)
    veins = 1 - np.abs(np.sin(2 * np.pi * (x + y + 2.2 * warp)))
    fine = 1 - np.clip(np.abs(noise(rng, size, 1.4) - 0.5) * 18, 0, 1)
    return bounded(mix(light, dark, np.clip(veins**5 * 0.9 + fine * 0.35 + 0.25 * (warp - 0.4), 0, 1)))


def fabric(rng: np.random.Generator, colour: Colour, stripe: Colour | None = None, size: int = 512) -> np.ndarray:
    """Weave a cloth, with a stripe of changing widths if a second colour is given."""
    x, y = coordinates(size)
    weave = 0.75 + 0.25 * np.sin(2 * np.pi * 64 * x) * np.sin(2 * np.pi * 64 * y)
    picture = np.broadcast_to(np.asarray(colour, np.float32), (size, size, 3))
    if stripe is not None:
        bands = np.sin(2 * np.pi * 6 * x) + 0.6 * np.sin(2 * np.pi * 18 * x) > 0.35
        picture = mix(picture, stripe, bands.astype(np.float32))
    return bounded(picture * (weave * (0.8 + 0.4 * noise(rng, size, 1.2)))[..., None])


def cobbles(rng: np.random.Generator, colour: Colour, count: int = 16, size: int = 768) -> np.ndarray:
    """Pave with the cells around jittered points; the joint is where the two nearest points are about as far."""
    x, y = coordinates(size)
    points = rng.uniform(0.15, 0.85, (count, count, 2))
    tint = rng.uniform(0.5, 1.3, (count, count, 1)) * rng.uniform(0.92, 1.08, (count, count, 3))
    column, row = np.floor(x * count).astype(int), np.floor(y * count).astype(int)
    nearest, second = np.full((size, size), np.inf), np.full((size, size), np.inf)
    shade = np.zeros((size, size, 3))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r, c = (row + dy) % count, (column + dx) % count
            centre = points[r, c]
            distance = np.hypot(column + dx + centre[..., 0] - x * count, row + dy + centre[..., 1] - y * count)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            shade = np.where(closer[..., None], tint[r, c], shade)
            nearest = np.where(closer, distance, nearest)
    dome = np.clip((second - nearest) * 6, 0, 1)
    grain = 0.7 + 0.6 * noise(rng, size, 0.8)
    return bounded(np.asarray(colour) * shade * ((0.2 + 0.8 * dome) * grain)[..., None])


def ground(rng: np.random.Generator, low: Colour, high: Colour, slope: float = 0.9, size: int = 768) -> np.ndarray:
    """Mottle two colours at every scale: soil, moss, rock, asphalt, rust, bark."""
    share = np.clip((noise(rng, size, 1.6) + noise(rng, size, slope) - 0.5) * 1.3 - 0.15, 0, 1)
    return bounded(mix(low, high, share) * (0.7 + 0.6 * noise(rng, size, 0.5))[..., None])


def text_mask(words: str, dot: int = 4, margin: int = 1) -> np.ndarray:
    """Set words in the dot font; 1 where there is ink, (height, width) float32."""
    glyphs = [[[int(digit) >> bit & 1 for bit in (2, 1, 0, 3)] for digit in FONT[letter]] for letter in words]
    mask = np.concatenate([np.asarray(glyph) for glyph in glyphs], axis=1)[:, :-1]
    return np.kron(np.pad(mask, margin), np.ones((dot, dot))).astype(np.float32)


def sign(words: str, ink: Colour, ground_colour: Colour) -> np.ndarray:
    return mix(ground_colour, ink, text_mask(words))


def painting(rng: np.random.Generator, style: str, size: int = 256) -> np.ndarray:
    """Paint a picture: "blocks" (ruled rectangles), "hills" (a landscape) or "rings" (overlapping discs)."""
    x, y = coordinates(size)
    picture = np.full((size, size, 3), 0.75, np.float32)
    if style == "blocks":
        lines_x, lines_y = np.sort(rng.uniform(0.08, 0.92, 5)), np.sort(rng.uniform(0.08, 0.92, 5))
        palette = np.array([(0.8, 0.78, 0.7)] * 4 + [(0.7, 0.05, 0.04), (0.03, 0.09, 0.5), (0.85, 0.6, 0.03)])
        choice = rng.integers(0, len(palette), (6, 6))
        picture = palette[choice[np.searchsorted(lines_y, y), np.searchsorted(lines_x, x)]]
        near = np.minimum(np.abs(x[..., None] - lines_x).min(-1), np.abs(y[..., None] - lines_y).min(-1))
        picture = mix(picture, (0.02, 0.02, 0.02), (near < 0.012).astype(np.float32))
    elif style == "hills":
        picture = mix((0.25, 0.4, 0.7), (0.9, 0.6, 0.35), y)
        disc = np.hypot(x - rng.uniform(0.2, 0.8), y - rng.uniform(0.15, 0.4)) < 0.08
        picture = mix(picture, (0.9, 0.8, 0.5), disc.astype(np.float32))
        for depth in np.linspace(0.35, 0.85, 5):
            crest = depth + 0.25 * (noise(rng, size, 1.5)[0] - 0.5)
            hue = np.array((0.25, 0.35, 0.45)) * (1 - depth) + np.array((0.05, 0.12, 0.03)) * depth
            picture = mix(picture, hue * rng.uniform(0.8, 1.3), (y > crest[None, :]).astype(np.float32))
    else:
        picture = mix(picture, (0.1, 0.12, 0.2), y)
        for _ in range(14):
            distance = np.hypot(x - rng.uniform(), y - rng.uniform())
            ring = np.abs(distance - rng.uniform(0.05, 0.3)) < rng.uniform(0.01, 0.05)
            picture = mix(picture, rng.uniform(0.05, 0.85, 3), 0.85 * ring.astype(np.float32))
    return bounded(picture * (0.8 + 0.4 * noise(rng, size, 0.7))[..., None])


def book_spines(rng: np.random.Generator, count: int = 8, cell: int = 96) -> np.ndarray:
    """Bind `count` x `count` books, a cell each: leather or cloth, bands, and a title of short strokes."""
    picture = np.empty((count * cell, count * cell, 3), np.float32)
    x, y = coordinates(cell)
    for index in range(count * count):
        hue = rng.choice([(0.35, 0.05, 0.04), (0.05, 0.12, 0.2), (0.06, 0.16, 0.07), (0.5, 0.42, 0.28),
                          (0.12, 0.07, 0.05), (0.6, 0.58, 0.52), (0.6, 0.3, 0.05), (0.03, 0.03, 0.03)])  # fmt: skip
        spine = np.broadcast_to(hue * rng.uniform(0.7, 1.3), (cell, cell, 3))
        gold = np.zeros((cell, cell), np.float32)
        for band in rng.uniform(0.05, 0.95, rng.integers(2, 5)):
            gold[np.abs(y - band) < 0.012] = 1
        start, stop = rng.uniform(0.2, 0.35), rng.uniform(0.5, 0.75)
        strokes = np.repeat(rng.random(cell // 2) > 0.4, 2)[:, None]
        gold[(np.abs(x - 0.5) < 0.2) & (y > start) & (y < stop) & strokes] = 1
        spine = mix(spine, (0.75, 0.6, 0.25) if rng.random() < 0.7 else (0.85, 0.85, 0.8), gold)
        edge = np.clip(np.minimum(x, 1 - x) * 10, 0.15, 1)
        row, column = divmod(index, count)
        picture[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = spine * edge[..., None]
    return bounded(picture * (0.8 + 0.4 * noise(rng, count * cell, 0.8))[..., None])


def lit_windows(rng: np.random.Generator, count: int = 4, cell: int = 128) -> np.ndarray:
    """Light `count` x `count` windows: emission relative to a bare lamp, some dark, with curtains and bars."""
    picture = np.empty((count * cell, count * cell, 3), np.float32)
    x, y = coordinates(cell)
    for index in range(count * count):
        warmth = np.array((1.0, rng.uniform(0.5, 0.75), rng.uniform(0.2, 0.5)))
        level = 2.0 ** rng.uniform(-9, -6) if rng.random() < 0.4 else 2.0 ** rng.uniform(-2, 0)
        lamp = 0.25 + 1.2 * np.exp(-((x - rng.uniform(0.3, 0.7)) ** 2 + (y - rng.uniform(0.2, 0.5)) ** 2) * 14)
        furniture = np.where(y > 0.6 + 0.25 * np.floor(5 * noise(rng, cell, 1.8)[0])[None, :] / 5, 0.12, 1)
        drawn = rng.uniform(0.05, 0.3)
        folds = 0.45 + 0.25 * np.sin(2 * np.pi * 22 * x)
        curtain = np.where(np.minimum(x, 1 - x) < drawn, folds, 1)
        bars = (np.abs(x - 0.5) < 0.02) | (np.abs(y - 0.4) < 0.02) | (np.minimum(x, 1 - x) < 0.03)
        value = level * lamp * furniture * curtain * np.where(bars, 0.004, 1)
        row, column = divmod(index, count)
        picture[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = value[..., None] * warmth
    return picture


def cloud_layer(rng: np.random.Generator, directions: np.ndarray, cover: float, metres: float = 3.0) -> np.ndarray:
    """Look up at a flat layer of clouds: its thickness [0, 1] in each direction (..., 3), z up; 0 below the horizon.

    Args:
        cover: 0 is a clear sky, 1 is closed.
        metres: side of the repeating square in units of the layer's height.
    """
    field = 0.75 * noise(rng, 1024, 1.75) + 0.25 * noise(rng, 1024, 1.1)
    up = np.maximum(directions[..., 2], 0.0)
    at = directions[..., :2] / (up + 0.12)[..., None] / metres * 1024
    low = np.floor(at).astype(int)
    part = at - low
    x0, y0, x1, y1 = low[..., 0] % 1024, low[..., 1] % 1024, (low[..., 0] + 1) % 1024, (low[..., 1] + 1) % 1024
    top = field[y0, x0] * (1 - part[..., 0]) + field[y0, x1] * part[..., 0]
    bottom = field[y1, x0] * (1 - part[..., 0]) + field[y1, x1] * part[..., 0]
    value = top * (1 - part[..., 1]) + bottom * part[..., 1]
    thickness = np.clip((value - (0.78 - 0.55 * cover)) * 4, 0, 1)
    return thickness * np.clip(up * 12, 0, 1)

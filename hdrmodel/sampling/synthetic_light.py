"""Smooth synthetic scenes to learn light from: ramps, discs, spheres, skies with branches, and lamps.

Real scenes contain few clean gradients; on these, steps at the border of clipped regions and false colours are visible.
"""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float, Float32

Light = Float[np.ndarray, "side side 3"]
Plane = Float[np.ndarray, "side side"]
SKY_BLUE, HAZE, SUNSET = np.array([0.45, 0.7, 1.3]), np.array([1.0, 1.0, 1.0]), np.array([1.5, 0.9, 0.5])


def draw_synthetic_light(draw: np.random.Generator, side: int) -> Float32[np.ndarray, "side side 3"]:
    """Return linear light > 0 of one scene of a random kind, in relative units."""
    scene = SCENES[int(draw.integers(len(SCENES)))]
    return np.maximum(scene(draw, side), 1e-4).astype(np.float32)


def _grid(draw: np.random.Generator, side: int) -> tuple[Plane, Plane]:
    """Return coordinates in [-1, 1], turned by a random angle."""
    line = np.linspace(-1, 1, side, dtype=np.float32)
    x, y = np.meshgrid(line, line)
    angle = draw.uniform(0, 2 * np.pi)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _tint(draw: np.random.Generator, stops: float) -> Float32[np.ndarray, " 3"]:
    return np.exp2(draw.normal(0, stops, 3)).astype(np.float32)


def _ramp(draw: np.random.Generator, side: int) -> Light:
    """A ramp in stops between two colours."""
    along, _ = _grid(draw, side)
    one, other = np.log2(_tint(draw, 0.25)), np.log2(_tint(draw, 0.25)) + draw.uniform(1, 6)
    share = (np.clip(along, -1, 1) + 1)[..., None] / 2
    return np.exp2(one * (1 - share) + other * share)


def _discs(draw: np.random.Generator, side: int) -> Light:
    """Bright discs with sharp or soft edges on a ramp."""
    light = _ramp(draw, side) ** 0.4
    x, y = _grid(draw, side)
    for _ in range(int(draw.integers(1, 4))):
        radius, soft = draw.uniform(0.05, 0.5), np.exp(draw.uniform(np.log(0.01), np.log(0.5)))
        distance = np.hypot(x - draw.uniform(-0.8, 0.8), y - draw.uniform(-0.8, 0.8))
        inside = 1 / (1 + np.exp(np.clip((distance - radius) / (soft * radius), -30, 30)))
        light = light + inside[..., None] * _tint(draw, 0.3) * np.exp2(draw.uniform(1, 6))
    return light


def _sphere(draw: np.random.Generator, side: int) -> Light:
    """A shaded sphere with a highlight: Lambert's cosine law and Blinn's half vector."""
    x, y = _grid(draw, side)
    radius = draw.uniform(0.4, 0.9)
    square = (x**2 + y**2) / radius**2
    z = np.sqrt(np.maximum(1 - square, 0))
    direction = draw.normal(0, 1, 3)
    direction[2] = abs(direction[2]) + 0.3
    direction /= np.linalg.norm(direction)
    shade = np.maximum((x * direction[0] + y * direction[1]) / radius + z * direction[2], 0)
    half = direction + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    gloss = np.maximum((x * half[0] + y * half[1]) / radius + z * half[2], 0) ** draw.uniform(10, 120)
    ball = (0.1 + shade)[..., None] * _tint(draw, 0.4) + gloss[..., None] * np.exp2(draw.uniform(0, 5))
    back = _ramp(draw, side) ** 0.3
    return np.where(square[..., None] < 1, ball, back * draw.uniform(0.1, 1.5))


def _sky(draw: np.random.Generator, side: int) -> Light:
    """A sky of low contrast, with clouds, with or without a sun, with or without dark branches in front."""
    height = np.linspace(1, 0, side, dtype=np.float32)[:, None, None]
    low = HAZE if draw.random() < 0.6 else SUNSET
    high = SKY_BLUE if draw.random() < 0.6 else HAZE
    light = (low * (1 - height) + high * height) * np.exp2(draw.uniform(-1, 1) * height) * np.ones((side, side, 1))
    coarse = draw.normal(0, 1, (int(draw.integers(3, 9)),) * 2).astype(np.float32)
    clouds = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)[..., None]
    light = light * np.exp2(draw.uniform(0.1, 0.6) * clouds)
    if draw.random() < 0.4:
        x, y = _grid(draw, side)
        distance = np.hypot(x - draw.uniform(-0.7, 0.7), y - draw.uniform(-0.7, 0.7))
        glow = np.exp2(draw.uniform(2, 8)) / (1 + (distance / draw.uniform(0.02, 0.15)) ** draw.uniform(2, 3.5))
        light = light + glow[..., None] * np.array([1.1, 1.0, 0.8])
    if draw.random() < 0.4:
        cover = np.zeros((side, side), np.float32)
        for _ in range(int(draw.integers(3, 20))):
            points = np.cumsum(draw.normal(0, 0.15, (6, 2)), axis=0) * side + draw.uniform(0, side, 2)
            thickness = int(draw.integers(1, 4))
            cv2.polylines(cover, [(points * 16).astype(np.int32)], False, 1.0, thickness, cv2.LINE_AA, 4)
        dark = np.exp2(draw.uniform(-6, -2)) * _tint(draw, 0.2)
        light = light * (1 - cover[..., None]) + dark * cover[..., None]
    return light * _tint(draw, 0.05)


def _lamps(draw: np.random.Generator, side: int) -> Light:
    """Coloured lamps with glows in a dark room."""
    light = _ramp(draw, side) ** 0.3 * np.exp2(draw.uniform(-4, -1))
    x, y = _grid(draw, side)
    for _ in range(int(draw.integers(1, 6))):
        distance = np.hypot(x - draw.uniform(-1, 1), y - draw.uniform(-1, 1))
        core, size = np.exp2(draw.uniform(1, 7)), draw.uniform(0.02, 0.15)
        glow = core / (1 + (distance / size) ** draw.uniform(2, 4))
        light = light + glow[..., None] * _tint(draw, 0.7)
    return light


SCENES: tuple[Callable[[np.random.Generator, int], Light], ...] = (_ramp, _discs, _sphere, _sky, _sky, _lamps)

"""Where a smooth gradient clips: does predicted light continue it, in brightness and in colour?

    python benchmarks/gradients.py
    python benchmarks/gradients.py --weights run/weights.safetensors

Ramps, discs with soft edges, and shaded spheres of 384 pixels, grey and tinted, photographed with 5 to 30 % of their
pixels clipped through sRGB (8 bits) and as JPEG of quality 90; the response is known. Printed in stops:

    step        |predicted - true| rise of log2 light over 2 pixels across the border of the clipped region; goal 0.1
    rise        the same over 30 pixels
    hue         largest difference of the errors of two channels in clipped pixels, mean and 95th percentile
    white       a photograph that is white everywhere: spread over pixels and channels; goal 2 % (0.03 stops)
"""

import threads  # noqa: F401  # isort: skip

from pathlib import Path

import click
import cv2
import numpy as np
import torch

from hdrdata.cameras.crf import srgb_crf
from hdrdata.cameras.exposure import WHITE, exposure_table, half_bits, look_up
from hdrmodel.networks.weights import load_weights
from hdrmodel.reconstruction.response import light_of_photograph
from hdrmodel.release.files import WEIGHTS

SIDE = 384
TINTS = {"grey": (1.0, 1.0, 1.0), "warm": (1.25, 1.0, 0.7), "cool": (0.75, 1.0, 1.3)}
NEAR, FAR = 2, 30  # pixels


def scenes() -> dict[str, np.ndarray]:
    """Return luminance of each shape, smooth where it clips."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    radius = np.hypot(x, y)
    normal = np.sqrt(np.maximum(1 - (radius / 0.8) ** 2, 0))
    shade = 0.05 + np.maximum((0.5 * x - 0.4 * y) / 0.8 + 0.77 * normal, 0)
    return {
        "ramp": np.exp2(1.5 * x + 0.3 * y),
        "disc": 0.2 + 6 / (1 + np.exp((radius - 0.3) / 0.12)),
        "sphere": np.where(radius < 0.8, shade * 2, 0.15),
    }


def photograph(light: np.ndarray, jpeg: bool) -> tuple[np.ndarray, int]:
    """Return levels by the sRGB curve, and the lowest that counts as white."""
    ldr = look_up(half_bits(light.astype(np.float16)), exposure_table(srgb_crf(), 1.0))
    if not jpeg:
        return ldr, WHITE
    return cv2.imdecode(cv2.imencode(".jpg", ldr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], cv2.IMREAD_COLOR), WHITE


def border_errors(predicted: np.ndarray, light: np.ndarray, clipped: np.ndarray, distance: int) -> np.ndarray:
    """Return errors of the rise from an unclipped pixel to one `distance` further right or below, inside the region."""
    error = np.log2(predicted) - np.log2(light)
    found = []
    for axis in (0, 1):
        e, c = (np.moveaxis(a, axis, 0) for a in (error, clipped))
        for forward in (True, False):
            one, other = (e, c) if forward else (e[::-1], c[::-1])
            pairs = ~other[:-distance] & other[1 : len(other) - distance + 1] & other[distance:]
            found.append(np.abs(one[distance:] - one[:-distance])[pairs])
    return np.concatenate(found)


@click.command()
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, help="Default: the shipped weights.")
def main(weights: Path) -> None:
    """Measure weights of the light U-Net on smooth gradients."""
    torch.set_num_threads(1)
    network, _ = load_weights(weights)
    print(f"{'':22}{'step':>8}{'rise':>8}{'hue':>8}{'hue 95 %':>10}")
    for jpeg in (False, True):
        rows = []
        for shape, luminance in scenes().items():
            for tint, factors in TINTS.items():
                for share in (0.05, 0.15, 0.3):
                    light = luminance[..., None] * np.array(factors)
                    light = light / np.quantile(light.max(axis=2), 1 - share)
                    ldr, white = photograph(light, jpeg)
                    predicted = light_of_photograph(network, ldr.astype(np.float32) / 255, srgb_crf())
                    clipped = ldr >= white
                    errors = [border_errors(predicted, light, clipped, d).mean() for d in (NEAR, FAR)]
                    stops = (np.log2(predicted) - np.log2(light))[clipped.any(axis=2)]
                    spread = stops.max(axis=1) - stops.min(axis=1)
                    rows.append((shape, tint, *errors, spread.mean(), np.quantile(spread, 0.95)))
        for shape in scenes():
            values = np.mean([row[2:] for row in rows if row[0] == shape], axis=0)
            kind = "JPEG 90" if jpeg else "8 bits"
            print(f"{shape + ', ' + kind:22}{values[0]:8.3f}{values[1]:8.3f}{values[2]:8.3f}{values[3]:10.3f}")
    blank = light_of_photograph(network, np.ones((SIDE, SIDE, 3), np.float32), srgb_crf())
    print(f"white: {np.log2(blank.max() / blank.min()):.4f} stops")


if __name__ == "__main__":
    main()

"""Images of what the rule of clipping changes: docs/images/clipped-*.png.

    python benchmarks/clipped_pictures.py cloudy_sky.jpg branches_q75.jpg docs/images

Each image shows a part of a JPEG, left to right: as it is; its HDR image two stops darker with only white as clipped
(`--exact`); the same by the rule; and the filled values in orange.
"""

import threads  # noqa: F401  # isort: skip

from pathlib import Path

import click
import cv2
import numpy as np
import torch

from hdrdata.cameras.crf import srgb_crf
from hdrdata.photos.photo import read_photo
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.release.files import WEIGHTS

STOPS = -2
SIDE, ZOOM = 128, 2  # pixels of the part with the most values below white that the rule fills in
ORANGE = (255, 140, 0)


def busiest(changed: np.ndarray) -> tuple[slice, slice]:
    """Return the part of a picture with the most marked pixels, away from its borders."""
    sums = cv2.boxFilter(changed.astype(np.float32), -1, (SIDE, SIDE), borderType=cv2.BORDER_CONSTANT)
    half = SIDE // 2
    inner = sums[half : sums.shape[0] - half + 1, half : sums.shape[1] - half + 1]
    top, left = np.unravel_index(int(np.argmax(inner)), inner.shape)
    return slice(int(top), int(top) + SIDE), slice(int(left), int(left) + SIDE)


def darker(light: np.ndarray) -> np.ndarray:
    return np.rint(255 * srgb_crf()(np.clip(light * 2.0**STOPS, 0, 1))).astype(np.uint8)


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(photos: tuple[Path, ...], out: Path) -> None:
    """Write an image of each of PHOTOS, read as sRGB, into the folder OUT."""
    torch.set_num_threads(1)
    reconstructor = HDRReconstructor.from_file(WEIGHTS, "cpu")
    for path in photos:
        read = read_photo(path)
        exact, made = (reconstructor.predict(read.ldr, rule=rule) for rule in (None, read.clip_rule))
        assert made.clipped is not None and exact.clipped is not None, "the network filled in values"
        part = busiest(np.any(made.clipped & ~exact.clipped, axis=2))
        filled = read.ldr[part].copy()
        filled[np.any((made.clipped & ~exact.clipped)[part], axis=2)] = ORANGE
        tiles = [read.ldr[part], darker(exact.radiance[part]), darker(made.radiance[part]), filled]
        gap = np.full((SIDE, 4, 3), 255, np.uint8)
        image = np.hstack([each for tile in tiles for each in (tile, gap)][:-1]).repeat(ZOOM, 0).repeat(ZOOM, 1)
        name = out / f"clipped-{path.stem.replace('_', '-')}.png"
        cv2.imwrite(str(name), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        more = int((made.clipped & ~exact.clipped).sum())
        print(f"{name}: {exact.clipped.sum()} white values, {more} more by the rule, of {read.ldr.size}")


if __name__ == "__main__":
    main()

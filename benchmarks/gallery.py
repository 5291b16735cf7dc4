"""The images of docs/gallery.md: twelve photographs, before and after, three stops darker.

    python benchmarks/gallery.py data/scenes docs/images/gallery

Of every panorama in SCENES one view is photographed through the sRGB response, at the exposure that clips a twelfth of
its pixels, and saved as JPEG of quality 92. Each image shows, left to right: the photograph; and, three stops darker,
its own light, the HDR image that `hdrmodel.reconstruct` makes of the JPEG file, and the truth.
"""

import tempfile
from pathlib import Path

import click
import cv2
import numpy as np

import hdrdata
import hdrmodel
from hdrdata.cameras.crf import srgb_crf
from hdrdata.views.panorama import views_of_panorama

STOPS = -3
SIZE = 384  # pixels of a view; 1024 pixels of panorama give 227 across 80 degrees
TILE = 256
CLIPPED = 1 / 12
AZIMUTHS = range(0, 360, 30)


def clipped_best(views: np.ndarray) -> np.ndarray:
    """Return the view with the largest range of light, scaled so that CLIPPED of its pixels exceed 1."""
    brightest = views.max(axis=-1)
    ranges = [np.log2(np.quantile(view, 0.995) / np.quantile(view, 0.5)) for view in brightest]
    chosen = int(np.argmax(ranges))
    return views[chosen] / np.quantile(brightest[chosen], 1 - CLIPPED)


def tile(light: np.ndarray, stops: float) -> np.ndarray:
    small = cv2.resize(light.astype(np.float32) * 2.0**stops, (TILE, TILE), interpolation=cv2.INTER_AREA)
    return np.rint(255 * srgb_crf()(np.clip(small, 0, 1))).astype(np.uint8)


def save_jpeg(path: Path, image: np.ndarray, quality: int) -> None:
    path.write_bytes(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


@click.command()
@click.argument("scenes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(scenes: Path, out: Path) -> None:
    """Write one image per panorama of the folder SCENES into the folder OUT."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(scenes.glob("*.exr")):
        truth = clipped_best(views_of_panorama(hdrdata.read_radiance(path), SIZE, 80, 10, list(AZIMUTHS)))
        photo = np.rint(255 * srgb_crf()(np.clip(truth, 0, 1))).astype(np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            save_jpeg(Path(folder) / "photo.jpg", photo, 92)
            predicted = hdrmodel.reconstruct(Path(folder) / "photo.jpg", "srgb")
        own = srgb_crf().inverse(photo / 255.0)
        tiles = [tile(own, 0), tile(own, STOPS), tile(predicted, STOPS), tile(truth, STOPS)]
        gap = np.full((TILE, 8, 3), 255, np.uint8)
        save_jpeg(out / f"{path.stem}.jpg", np.hstack([part for one in tiles for part in (one, gap)][:-1]), 85)
        print(f"{out / path.stem}.jpg")


if __name__ == "__main__":
    main()

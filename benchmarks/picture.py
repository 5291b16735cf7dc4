"""The picture at the top of README: what the weights of the package make of a photograph, beside the truth.

    python benchmarks/picture.py data/photo.jpg trial/loft.exr docs/images/readme.jpg

Top: the photograph, and its own light three stops darker. Below: the reconstruction and the truth, as much darker. The
truth is what `data/renderer/render.py` wrote beside the photograph (its docstring has the line); 1.0 is white.
"""

from pathlib import Path

import click
import cv2
import numpy as np

import hdrmodel
from hdrdata.cameras.crf import srgb_crf
from hdrdata.files.radiance import read_radiance

STOPS = -3
WIDTH = 600  # pixels of each part
GAP = 8


def shown(light: np.ndarray, stops: float) -> np.ndarray:
    """Light (height, width, 3), 1 is white, as sRGB levels after a change of exposure; smaller, by area."""
    height = round(light.shape[0] * WIDTH / light.shape[1])
    small = cv2.resize(light.astype(np.float32), (WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.rint(255 * srgb_crf()(np.clip(small * 2.0**stops, 0, 1))).astype(np.uint8)


@click.command()
@click.argument("photo", type=click.Path(exists=True, path_type=Path))
@click.argument("truth", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(photo: Path, truth: Path, out: Path) -> None:
    """Write the picture OUT of a PHOTO that is sRGB and the TRUTH of its light, an EXR."""
    ldr = hdrmodel.read_photo(photo).ldr
    own = srgb_crf().inverse(ldr / 255.0)
    light, made = read_radiance(truth).astype(np.float32), hdrmodel.reconstruct(photo, "srgb")
    parts = [shown(own, 0), shown(own, STOPS), shown(made, STOPS), shown(light, STOPS)]
    across, down = (
        np.full((parts[0].shape[0], GAP, 3), 255, np.uint8),
        np.full((GAP, 2 * WIDTH + GAP, 3), 255, np.uint8),
    )
    rows = [np.hstack([one, across, other]) for one, other in (parts[:2], parts[2:])]
    picture = np.vstack([rows[0], down, rows[1]])
    out.write_bytes(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())


if __name__ == "__main__":
    main()

"""Size and accuracy of Ultra HDR files of photographs, by the quality of their gain map.

    python benchmarks/ultrahdr.py data/photo.jpg --quality 90 --quality 95

The light of each photograph is predicted with the shipped weights, written, and decoded by libultrahdr. Errors are over
its clipped values. The row "codes" is a map of 8 bits without JPEG. Goals for quality 90: at most 1.3 times the size of
a JPEG, and an error of at most 3 % at the 99th percentile.
"""

import threads  # noqa: F401  # isort: skip

import tempfile
from pathlib import Path

import click
import imagecodecs
import numpy as np
import torch

from hdrdata.cameras.clipping import fill_clipped
from hdrdata.photos.photo import Photo, read_photo
from hdrmodel.outputs.bands import Picture, Scale
from hdrmodel.outputs.formats import write_output
from hdrmodel.outputs.ultrahdr.writing import OFFSET, gain_of, linear_of, own_jpeg
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.prediction.renditions import choose_response, to_display_light
from hdrmodel.release.files import WEIGHTS

PERCENTILES = (50, 90, 99)


def display_light(reconstructor: HDRReconstructor, photo: Photo) -> tuple[np.ndarray, np.ndarray]:
    """Return the display light of a photograph in BT.709, and its clipped values."""
    chosen = choose_response(photo, "auto")
    made = reconstructor.predict(photo.ldr, rule=photo.clip_rule, crf=chosen.crf, source=chosen.source)
    clipped = made.clipped
    assert clipped is not None, "the network filled in values"
    to_display_light(made.radiance, fill_clipped(photo.ldr, clipped), made.response, None)
    return made.radiance, clipped


def coded(ldr: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return light by a gain map of 8 bits without JPEG."""
    shown = linear_of(ldr)
    codes, gain = gain_of(shown, light, 1.0)
    return (shown + OFFSET) * np.exp2(gain.low + (gain.high - gain.low) * codes / 255) - OFFSET


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--quality", "qualities", type=click.IntRange(1, 100), multiple=True, default=(90, 95, 98))
def main(photos: tuple[Path, ...], qualities: tuple[int, ...]) -> None:
    """Measure Ultra HDR files of PHOTOS: sRGB images of 8 bits."""
    torch.set_num_threads(1)
    reconstructor = HDRReconstructor.from_file(WEIGHTS, "cpu")
    print("| photograph, quality | size / photograph | error, median (%) | 90th | 99th |\n|---|---|---|---|---|")
    for path in photos:
        photo = read_photo(path)
        light, clipped = display_light(reconstructor, photo)
        content = path.read_bytes()
        picture = Picture(photo.ldr, jpeg=own_jpeg(content, photo.ldr))
        found: list[tuple[str, int | None, np.ndarray]] = [("codes", None, coded(photo.ldr, light))]
        with tempfile.TemporaryDirectory() as folder:
            for quality in qualities:
                out = Path(folder, "a.jpg")
                write_output(out, light, "ultrahdr", Scale(), {}, picture, quality=quality)
                written = out.read_bytes()
                found.append((str(quality), len(written), imagecodecs.ultrahdr_decode(written)[:, :, :3].astype(float)))
        for name, size, decoded in found:
            error = 100 * np.abs(decoded / np.maximum(light, 1e-6) - 1)[clipped]
            figures = " | ".join(f"{np.percentile(error, share):.2f}" for share in PERCENTILES)
            print(f"| {path.name}, {name} | {'' if size is None else f'{size / len(content):.3f}'} | {figures} |")


if __name__ == "__main__":
    main()

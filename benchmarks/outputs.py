"""How near does the light of each format come to the map that was written?

    python benchmarks/outputs.py [PHOTO...]

Five photographs of the sample scenes, of which a few per cent clip, with the noise of a sensor at a high ISO (1,500
electrons fill a photosite); and PHOTOs, whose light is predicted with the shipped weights. Unclipped values have the
light of their levels, noise included. Each is written in every format and read back by this project's readers (the
tests compare those with other programs).
"""

import threads  # noqa: F401  # isort: skip

import tempfile
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import hdrmodel
from hdrdata.files.radiance import read_radiance
from hdrdata.photos.colours.encodings import srgb_codes
from hdrdata.photos.photo import read_photo
from hdrmodel.outputs.bands import Picture, Scale
from hdrmodel.outputs.formats import FORMATS, write_output
from hdrmodel.outputs.ultrahdr.writing import linear_of
from hdrmodel.viewer.encoded import ENCODED, read_encoded

SCENES = Path(__file__).parents[1] / "data/scenes"
NAMES = ("forest", "living_room", "neon_arcade", "noon_courtyard", "studio")
CLIPPED = 97  # percentile of the brightest channel that becomes white
WELL, READ_NOISE = 1_500, 4  # electrons that fill a photosite, and its noise without light
DARK = 0.01  # of white: light below is left out, where a code of the base is over 4 % of it
LIMITS = {"ultrahdr": 3.0}  # % at the 99th percentile


def photograph(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy photograph of a scene, with white at `CLIPPED`, and the light that it is written with."""
    light = np.maximum(read_radiance(SCENES / f"{name}.exr"), 0)
    light /= np.percentile(light.max(axis=2), CLIPPED)
    chance = np.random.default_rng(0)
    electrons = chance.poisson(np.minimum(light, 4) * WELL) + chance.normal(0, READ_NOISE, light.shape)
    ldr = np.rint(255 * srgb_codes(np.clip(electrons / WELL, 0, 1))).astype(np.uint8)
    return ldr, np.where(ldr == 255, np.maximum(light, 1), linear_of(ldr)).astype(np.float32)


def predicted(path: Path) -> tuple[np.ndarray, np.ndarray]:
    return read_photo(path).ldr, hdrmodel.reconstruct(path, "srgb")


@click.command()
@click.argument("photos", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(photos: tuple[Path, ...]) -> None:
    """Print the table for the sample scenes and PHOTOS, in sRGB."""
    names = [name for name in FORMATS if name != "preview"]
    sources = {**{name: photograph(name) for name in NAMES}, **{path.stem: predicted(path) for path in photos}}
    table = Table(
        "format", *sources, "limit", title="Error of light above 0.01 of white, median and 99th percentile, %"
    )
    rows: dict[str, list[str]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for ldr, light in sources.values():
            for name in names:
                path = Path(folder, f"a{FORMATS[name].suffix}")
                notes = write_output(path, light, name, Scale(), {}, Picture(ldr))
                read = read_encoded(path)[0] if path.suffix in ENCODED else read_radiance(path)
                most = {"avif-hlg": 1000 / 203, "png-hlg": 1000 / 203}.get(name, 10_000 / 203)
                used = (light > DARK) & (light.max(axis=2, keepdims=True) < (most if notes else np.inf))
                error = 100 * np.abs(read / np.maximum(light, DARK) - 1)[used]
                told = f" ({notes[0].split(' %')[0]} % clipped)" if notes else ""
                rows[name].append(f"{np.median(error):.2f}, {np.percentile(error, 99):.2f}{told}")
    for name in names:
        table.add_row(name, *rows[name], f"{LIMITS[name]:g}" if name in LIMITS else "")
    Console(width=200).print(table)


if __name__ == "__main__":
    main()

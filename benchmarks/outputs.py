"""How near does the light of each format come to the map that was written?

`python benchmarks/outputs.py`: five photographs of the sample scenes, of which a few per cent clip, each with the light
of its scene, in every format; read back by this project's readers (the tests compare those with other programs).
"""

import threads  # noqa: F401  # isort: skip

import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from hdrdata.files.radiance import read_radiance
from hdrdata.photos.colours.encodings import srgb_codes
from hdrmodel.outputs.bands import Picture, Scale
from hdrmodel.outputs.formats import FORMATS, write_output
from hdrmodel.viewer.encoded import ENCODED, read_encoded

SCENES = Path(__file__).parents[1] / "data/scenes"
NAMES = ("forest", "living_room", "neon_arcade", "noon_courtyard", "studio")
CLIPPED = 97  # percentile of the brightest channel that becomes white
DARK = 0.01  # of white: light below is left out, where a code of the base is over 4 % of it
LIMITS = {"ultrahdr": 3.0}  # % at the 99th percentile


def photograph(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A scene's light, with white at `CLIPPED`, and its photograph."""
    light = np.maximum(read_radiance(SCENES / f"{name}.exr"), 0)
    light /= np.percentile(light.max(axis=2), CLIPPED)
    return np.rint(255 * srgb_codes(light)).astype(np.uint8), light


def main() -> None:
    """Print the table."""
    names = [name for name in FORMATS if name != "preview"]
    table = Table("format", *NAMES, "limit", title="Error of light above 0.01 of white, median and 99th percentile, %")
    rows: dict[str, list[str]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for scene in NAMES:
            ldr, light = photograph(scene)
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

"""OpenEXR files of one value a channel, by part."""

from pathlib import Path

import numpy as np
import OpenEXR


def write_parts(path: Path, parts: list[tuple[dict, dict[str, float]]]) -> None:
    made = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage, **header},
                     {name: np.full((3, 4), value, np.float32) for name, value in channels.items()})
        for header, channels in parts
    ]  # fmt: skip
    with OpenEXR.File(made) as file:
        file.write(str(path))


def rgb(prefix: str, value: float) -> dict[str, float]:
    return {f"{prefix}{letter}": value + place for place, letter in enumerate("RGB")}

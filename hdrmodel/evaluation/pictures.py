"""Pictures of a few cases, for the report."""

from pathlib import Path

import cv2
import numpy as np

from hdrdata.cameras.crf import srgb_crf
from hdrdata.cameras.merge import linearise
from hdrdata.files.exr import write_exr
from hdrdata.files.ldr import write_png
from hdrdata.files.tonemap import to_uint8, tonemap_reinhard
from hdrmodel.evaluation.cases import Case, Estimate
from hdrmodel.metrics.alignment import align_gain

PICTURES, LAST_PICTURE = "pictures", "truth.png"  # what `write_pictures` writes last
PICTURE_FILES = ("input.png", "stack.png", "truth_stack.png", "network.exr", "network.png", "truth.exr", LAST_PICTURE)

OPENING, STOPS_DARKER = "opening.png", 3


def is_pictured(scores: Path, entry: dict) -> bool:
    return (scores / PICTURES / entry["key"] / LAST_PICTURE).is_file()


def write_pictures(folder: Path, case: Case, estimate: Estimate) -> None:
    """Write what the report shows of one case.

    `opening.png`: the photograph, and its own light, the estimate and the truth, each three stops darker, side by side;
    `input.png`; `stack.png` and `truth_stack.png`, if a stack was made; the radiance maps `network.exr`, brought to the
    truth's gain, and `truth.exr`, in half floats, and both tone mapped as PNG.
    """
    for name in ("stack.png", "truth_stack.png", LAST_PICTURE):  # of another evaluation
        (folder / name).unlink(missing_ok=True)
    radiance = estimate.radiance
    assert radiance is not None  # a network's
    if (radiance[case.unclipped] > 0).any():
        radiance = align_gain(radiance.astype(np.float64), case.radiance.astype(np.float64), case.unclipped)
    brightest = 2.0 ** -min(case.evs)
    own = linearise(case.input.astype(np.float32) / 255, case.crf)
    darker = [np.minimum(light * 2.0**-STOPS_DARKER, 1) for light in (own, radiance, case.radiance)]
    encoded = [to_uint8(srgb_crf()(light).astype(np.float32)) for light in darker]
    write_png(folder / OPENING, np.concatenate([case.input, *encoded], axis=1))
    write_png(folder / "input.png", case.input)
    if estimate.stack is not None:
        write_png(folder / "stack.png", _strip(to_uint8(estimate.stack)))
        write_png(folder / "truth_stack.png", _strip(case.stack))
    for name, light in (("network", radiance), ("truth", case.radiance)):
        write_exr(folder / f"{name}.exr", np.minimum(light, np.finfo(np.float16).max).astype(np.float16))
        mapped = tonemap_reinhard(np.minimum(light, brightest).astype(np.float32))
        write_png(folder / f"{name}.png", to_uint8(mapped))


def _strip(stack: np.ndarray) -> np.ndarray:
    """The pictures of a stack side by side, each at most 128 pixels high."""
    height = min(128, stack.shape[1])
    width = round(stack.shape[2] * height / stack.shape[1])
    return np.concatenate(
        [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in stack], axis=1
    )

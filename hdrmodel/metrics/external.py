"""Metrics by programs that need not be here: ColorVideoVDP, HDR-FLIP and HDR-VDP-2, all on absolute light.

Each is made once and called with (test, reference), both absolute linear RGB (BT.709) in cd/m^2, and returns one value
a picture. They refuse pictures as `hdrmodel.metrics.display` does. Where a program is absent, making the metric raises
`ProgramMissing`, whose one line says how to get it. `version` says what to print beside the numbers.
"""

import logging
import os
import shutil
import subprocess
import tempfile
import threading
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import scipy.io
import torch
from torch import Tensor

from hdrmodel.metrics.display import PerPicture, Pictures, require_pictures

VDP_SMALLEST_SIDE = 16  # pixels; below, ColorVideoVDP's pyramid has too few bands
FLIP_PIXELS_PER_DEGREE = 67.0  # FLIP's own default: a 0.7 m wide 4K display from 0.7 m
HDRVDP2_PIXELS_PER_DEGREE = 30.0  # as papers print it
HDRVDP2_FOLDER = "HDRMODEL_HDRVDP"  # the environment variable


class ProgramMissing(ValueError):
    """A program that a metric calls is not here; the message says how to get it."""


class ColorVideoVdp:
    """ColorVideoVDP of still pictures in JOD: 10 for equal pictures, higher is nearer.

    Mantiuk, Hanji, Ashraf, Asano and Chapiro, "ColorVideoVDP: A visual difference predictor for image, video and
    display distortions", SIGGRAPH 2024; package cvvdp. The display is its "standard_hdr_linear" (a 30-inch 4K monitor
    at 10 lux, 75.4 pixels per degree) with another peak: light enters as it is, is clipped to the peak and seen on
    that display. One JOD less is preferred by three viewers in four. In float32, on the device given.

    Args:
        peak_nits: of the display, cd/m^2.
        device: where the pictures are.

    Raises:
        ProgramMissing: if the package or one that it needs is not installed.
    """

    def __init__(self, peak_nits: float, device: torch.device):
        pycvvdp = _import("pycvvdp", "ColorVideoVDP", "cvvdp")
        display = pycvvdp.vvdp_display_photo_eotf(
            peak_nits, contrast=1_000_000, source_colorspace="BT.709-linear", E_ambient=10
        )
        display.short_name = f"standard_hdr_linear with a peak of {peak_nits:g} cd/m^2"
        self.metric = pycvvdp.cvvdp(
            display_name="standard_hdr_linear", display_photometry=display, device=device, quiet=True
        )
        self.version = self.metric.get_info_string().strip('"')
        self._alone = threading.Lock()  # it keeps state, and logging is the whole process's

    def __call__(self, test: Pictures, reference: Pictures) -> PerPicture:
        """Compare pictures of at least 16 pixels a side."""
        require_pictures(test, reference, upper=float("inf"))
        if min(test.shape[2:]) < VDP_SMALLEST_SIDE:
            raise ValueError(f"ColorVideoVDP needs {VDP_SMALLEST_SIDE} pixels a side, got {tuple(test.shape)}")
        with self._alone:
            quiet = logging.root.manager.disable
            try:
                logging.disable(logging.WARNING)  # it doubts the unit of every picture whose mean is below 1 cd/m^2
                quality, _ = self.metric.predict(test.float(), reference.float(), dim_order="BCHW", frames_per_second=0)
            finally:
                logging.disable(quiet)
        return quality.reshape(-1)


class HdrFlip:
    """HDR-FLIP: the largest LDR-FLIP error over all exposures, mean over a picture; 0 for equal pictures, at most 1.

    Andersson, Nilsson, Shirley and Akenine-Moeller, "Visualizing Errors in Rendered High Dynamic Range Images", EG
    2021; package flip-evaluator, at its default of 67 pixels per degree and its default tone mapper. The exposures are
    found from the reference, so the common scale of both pictures does not matter. One picture at a time, on the CPU.
    It is slow, and not symmetric.

    Raises:
        ProgramMissing: if the package is not installed.
    """

    def __init__(self):
        self.program = _import("flip_evaluator", "HDR-FLIP", "flip")
        self.version = f"flip-evaluator {version('flip-evaluator')}, {FLIP_PIXELS_PER_DEGREE:g} [pix/deg]"

    def __call__(self, test: Pictures, reference: Pictures) -> PerPicture:
        """Compare pictures; a reference without any light is refused, because it tells no exposure."""
        require_pictures(test, reference, upper=float("inf"))
        if not (reference.amax(dim=(1, 2, 3)) > 0).all():
            raise ValueError("HDR-FLIP needs a reference with light in it, got one that is 0 everywhere")
        errors = []
        for pair in zip(_rows(reference), _rows(test), strict=True):
            parameters = {"ppd": FLIP_PIXELS_PER_DEGREE}  # the program adds to it
            _, error, _ = self.program.evaluate(*pair, "HDR", applyMagma=False, parameters=parameters)
            errors.append(error)
        return torch.tensor(errors, dtype=torch.float32, device=test.device)


# The program's text is constant; what differs between calls comes by the environment, so nothing needs quoting.
OCTAVE_PROGRAM = f"""
try; pkg('load', 'image'); catch; end
addpath(genpath(getenv('{HDRVDP2_FOLDER}')));
pictures = load(getenv('HDRMODEL_PICTURES'));
scores = fopen(getenv('HDRMODEL_SCORES'), 'w');
for number = 1:size(pictures.test, 4)
  test = pictures.test(:, :, :, number);
  reference = pictures.reference(:, :, :, number);
  result = hdrvdp(test, reference, 'rgb-bt.709', {HDRVDP2_PIXELS_PER_DEGREE:g});
  fprintf(scores, '%.17g\\n', result.Q);
end
fclose(scores);
"""


class HdrVdp2:
    """HDR-VDP-2's quality Q through GNU Octave: 100 for equal pictures, higher is nearer.

    Mantiuk, Kim, Rempel and Heidrich, "HDR-VDP-2", SIGGRAPH 2011; its authors' program for MATLAB, version 2, called
    as hdrvdp(test, reference, 'rgb-bt.709', 30) and its Q. It is given absolute light as it is; papers on single-image
    reconstruction often map the ranks 0.1 % and 99.9 % of both pictures to 1 and 999 first, so their numbers are
    others. One call of Octave takes a whole batch.

    The tests put a script in Octave's place that checks what it is given and how its answer is read: neither Octave
    nor the authors' program has been run here.

    Raises:
        ProgramMissing: if there is no `octave` on PATH, or HDRMODEL_HDRVDP names no folder with hdrvdp.m.
    """

    def __init__(self):
        octave = shutil.which("octave")
        if octave is None:
            raise ProgramMissing("HDR-VDP-2 needs GNU Octave: there is no 'octave' on PATH")
        folder = os.environ.get(HDRVDP2_FOLDER, "")
        if not folder or not (Path(folder) / "hdrvdp.m").is_file():
            raise ProgramMissing(
                f"HDR-VDP-2 needs its authors' program, version 2: set {HDRVDP2_FOLDER} to the folder that holds "
                f"hdrvdp.m (it is {folder!r})"
            )
        self.octave = octave
        self.folder = Path(folder).absolute()
        self.version = f"HDR-VDP-2 Q by Octave, {HDRVDP2_PIXELS_PER_DEGREE:g} [pix/deg], rgb-bt.709"

    def __call__(self, test: Pictures, reference: Pictures) -> PerPicture:
        """Compare pictures; a call that fails raises ValueError with the last line that Octave printed."""
        require_pictures(test, reference, upper=float("inf"))
        with tempfile.TemporaryDirectory() as folder:
            pictures, scores = Path(folder) / "pictures.mat", Path(folder) / "scores.txt"
            values = {
                name: np.moveaxis(np.stack(_rows(batch, torch.float64)), 0, -1)  # (height, width, 3, batch)
                for name, batch in (("test", test), ("reference", reference))
            }
            scipy.io.savemat(pictures, values)
            paths = {"HDRMODEL_PICTURES": pictures, "HDRMODEL_SCORES": scores, HDRVDP2_FOLDER: self.folder}
            done = subprocess.run(
                [self.octave, "--quiet", "--no-gui", "--eval", OCTAVE_PROGRAM],
                env=os.environ | {name: str(path) for name, path in paths.items()},
                capture_output=True,
                text=True,
                check=False,
            )
            found = scores.read_text().split() if scores.is_file() else []
        if done.returncode != 0 or len(found) != len(test):
            last = (done.stderr.strip() or done.stdout.strip() or "nothing printed").splitlines()[-1]
            raise ValueError(
                f"HDR-VDP-2 in {self.folder}: Octave ended with status {done.returncode} and {len(found)} of "
                f"{len(test)} scores: {last}"
            )
        return torch.tensor([float(score) for score in found], dtype=torch.float64, device=test.device)


def _import(module: str, metric: str, extra: str) -> ModuleType:
    try:
        with warnings.catch_warnings():  # what others' modules do in an outdated way is not our user's affair
            warnings.simplefilter("ignore")
            return import_module(module)
    except ImportError as error:
        raise ProgramMissing(f"{metric} is not installed ({error}): pip install 'hdr-attnet[{extra}]'") from error


def _rows(batch: Tensor, dtype: torch.dtype = torch.float32) -> list[np.ndarray]:
    """Pictures as height, width, channel arrays in one piece."""
    return [np.ascontiguousarray(picture.permute(1, 2, 0).to("cpu", dtype).numpy()) for picture in batch]

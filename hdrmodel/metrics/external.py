"""Metrics of optional packages: ColorVideoVDP and HDR-FLIP, both on absolute light.

Each is made once and called with (test, reference), both absolute linear RGB (BT.709) in cd/m^2, and returns one value
a picture. They refuse pictures as `hdrmodel.metrics.display` does. Where a program is absent, making the metric raises
`ProgramMissing`, whose one line states how to get it. `version` is what to print beside the numbers.
"""

import logging
import threading
import warnings
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from hdrmodel.metrics.display import PerPicture, Pictures, require_pictures

VDP_SMALLEST_SIDE = 16  # pixels; below, ColorVideoVDP's pyramid has too few bands
FLIP_PIXELS_PER_DEGREE = 67.0  # FLIP's own default: a 0.7 m wide 4K display from 0.7 m


class ProgramMissing(ValueError):
    """A program that a metric calls is missing; the message states how to get it."""


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
        """Compare pictures; a reference without any light is refused, because it determines no exposure."""
        require_pictures(test, reference, upper=float("inf"))
        if not (reference.amax(dim=(1, 2, 3)) > 0).all():
            raise ValueError("HDR-FLIP needs a reference with light in it, got one that is 0 everywhere")
        errors = []
        for pair in zip(_rows(reference), _rows(test), strict=True):
            parameters = {"ppd": FLIP_PIXELS_PER_DEGREE}  # the program adds to it
            _, error, _ = self.program.evaluate(*pair, "HDR", applyMagma=False, parameters=parameters)
            errors.append(error)
        return torch.tensor(errors, dtype=torch.float32, device=test.device)


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

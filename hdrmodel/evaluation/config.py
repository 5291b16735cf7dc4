"""The section `evaluate` of the parameters."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from hdrdata.config import Section
from hdrmodel.metrics.perceptual import LpipsConfig
from hdrmodel.networks.devices import Device


class BootstrapConfig(Section):
    """How the intervals are drawn."""

    resamples: Annotated[int, Field(ge=100)]
    seed: NonNegativeInt


class EvaluateConfig(Section):
    """How a variant is measured."""

    crfs_a_view: PositiveInt | None  # how many of the camera responses each view is measured under; null: all
    metrics: tuple[str, ...]  # names in METRICS
    alignments: tuple[Literal["none", "gain", "crf"], ...]  # of the estimate to the reference, for metrics of light
    lpips: LpipsConfig
    bootstrap: BootstrapConfig
    median_nits: PositiveFloat  # the reference's median luminance is brought to this, cd/m^2
    peak_nits: PositiveFloat  # and clipped here
    pictures_a_scene: NonNegativeInt  # shown in the report
    device: Device

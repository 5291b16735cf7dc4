"""The section `evaluate` of the parameters."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from hdrdata.config import Section, replace_values
from hdrmodel.metrics.perceptual import LpipsConfig
from hdrmodel.networks.devices import Device

METRICS = (  # PU21-SSIM follows viewers poorly (Hanji et al., SIGGRAPH 2022) and is not among them
    *("psnr", "ssim", "lpips", "psnr_mu", "psnr_pu21", "psnry_pu21", "vsi_pu21", "piqe_pu21"),
    *("bias", "error", "structure", "step", "hue"),
)


class BootstrapConfig(Section):
    """Parameters of the bootstrap."""

    resamples: Annotated[int, Field(ge=100)] = 2000
    seed: NonNegativeInt = 0


class EvaluateConfig(Section):
    """Parameters of an evaluation."""

    crfs_a_view: PositiveInt | None = 1  # how many of the camera responses each view is measured under; null: all
    views_a_scene: PositiveInt | None = None  # how many views of each scene, spread evenly; null: all
    metrics: tuple[str, ...] = METRICS  # names in `hdrmodel.metrics.table.METRICS`
    alignments: tuple[Literal["none", "gain", "crf"], ...] = ("none", "gain", "crf")  # of the estimate, for HDR metrics
    lpips: LpipsConfig = LpipsConfig(trunk="alex", trunk_file=None)
    bootstrap: BootstrapConfig = BootstrapConfig()
    median_nits: PositiveFloat = 20  # the reference's median luminance is brought to this, cd/m^2
    peak_nits: PositiveFloat = 1000  # and clipped here
    pictures_a_scene: NonNegativeInt = 1  # shown in the report
    device: Device = "auto"


def load_evaluation(changes: Sequence[str] = ()) -> EvaluateConfig:
    """Return the default configuration, some values replaced: "metrics=[psnr]" or "lpips.trunk=null", as YAML.

    Raises:
        ValueError: naming a change that is not "name=value", a name that does not exist, or a wrong value.
    """
    return EvaluateConfig.parse("evaluate", replace_values(EvaluateConfig().model_dump(mode="json"), changes))

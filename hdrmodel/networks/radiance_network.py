"""The common interface of networks that predict the radiance map of one LDR image."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from hdrmodel.networks.hdr_attnet import Pictures
from hdrmodel.networks.unet import Width

Scalar = Float[Tensor, ""]
BRIGHTEST = 65504.0  # the largest half float: no view exceeds it


class BaselineConfig(BaseModel):
    """Configuration of a `RadianceNetwork`, saved with its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    has_preset: ClassVar[bool] = False
    baseline: str  # a name in VARIANTS
    width: Width  # multiplies every number of channels; 1.0 is the paper

    @classmethod
    def describe(cls, variant: str, preset: str, width: float) -> "BaselineConfig":
        return cls(baseline=variant, width=width)

    @property
    def variant(self) -> str:
        return self.baseline


class RadianceNetwork(nn.Module, ABC):
    """Network from LDR images of any size to linear radiance, where 1 saturates the image.

    `predict` returns what the loss compares, in the domain of the network's paper; `forward` returns radiance.
    """

    deepest_norm = 1  # pixels along a side per value of the deepest batch normalisation; 1: there is none

    def __init__(self, config: BaselineConfig):
        super().__init__()
        self.config = config

    @abstractmethod
    def predict(self, ldr: Pictures) -> Pictures:
        """Return the values that the loss compares, for LDR images in [0, 1]; float32."""

    @abstractmethod
    def forward(self, ldr: Pictures) -> Pictures:
        """The radiance of LDR pictures in [0, 1]: linear, in [0, BRIGHTEST]; 1 is what saturates the picture."""


class PhotoNetwork(nn.Module):
    """One training step's forward pass in one call, as `hdrmodel.networks.hdr_attnet.PairNetwork` is for pairs."""

    def __init__(self, network: RadianceNetwork):
        super().__init__()
        self.network = network

    def forward(self, ldr: Pictures, radiance: Pictures) -> Pictures:
        """Return the values that the network's loss compares with `radiance`."""
        return self.network.predict(ldr)

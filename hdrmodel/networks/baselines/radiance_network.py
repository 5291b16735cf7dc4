"""What every baseline is: a network from one LDR picture to its radiance map."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor, nn

from hdrmodel.networks.hdr_attnet import Pictures

Scalar = Float[Tensor, ""]
BRIGHTEST = 65504.0  # the largest half float: no view exceeds it


class BaselineConfig(BaseModel):
    """What a baseline is built from, and what its weights are saved with."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    baseline: str  # a name in BASELINES
    width: PositiveFloat  # multiplies every number of channels; 1.0 is the paper


class RadianceNetwork(nn.Module, ABC):
    """From LDR pictures of any size to linear radiance, where 1 is what saturates the picture.

    `predict` is what the network's loss compares, in the domain of its paper; `forward` makes radiance of it.
    """

    deepest_norm = 1  # pixels, along a side, that share a value of the deepest batch normalisation; 1: there is none

    def __init__(self, config: BaselineConfig):
        super().__init__()
        self.config = config

    @abstractmethod
    def predict(self, ldr: Pictures) -> Pictures:
        """What the loss compares, of LDR pictures in [0, 1]; in float32."""

    @abstractmethod
    def forward(self, ldr: Pictures) -> Pictures:
        """The radiance of LDR pictures in [0, 1]: linear, in [0, BRIGHTEST]; 1 is what saturates the picture."""


class PhotoNetwork(nn.Module):
    """One training step's forward pass in one call, as `hdrmodel.networks.hdr_attnet.PairNetwork` is for pairs."""

    def __init__(self, network: RadianceNetwork):
        super().__init__()
        self.network = network

    def forward(self, ldr: Pictures, radiance: Pictures) -> Pictures:
        """What the network's loss compares with `radiance`."""
        return self.network.predict(ldr)

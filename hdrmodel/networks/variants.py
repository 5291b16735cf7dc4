"""The registry of variants: every network that is trained and measured, by name.

One more variant is one file with the network and its loss, and one entry here; docs/adding.md shows the change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.baselines.expandnet import ExpandNet, ExpandNetLoss
from hdrmodel.networks.baselines.hdrcnn import HDRCNN, HighlightLoss
from hdrmodel.networks.baselines.hdrunet import HDRUNet, TanhLoss
from hdrmodel.networks.hdr_attnet import HDRAttNet, NetworkConfig, PairNetwork
from hdrmodel.networks.light_unet import LightLoss, LightNetwork, LightUNet
from hdrmodel.networks.pair_loss import LossConfig, make_pair_loss
from hdrmodel.networks.radiance_network import BaselineConfig, PhotoNetwork, RadianceNetwork

Network = HDRAttNet | RadianceNetwork
Config = NetworkConfig | BaselineConfig


@dataclass(frozen=True)
class Variant:
    """A network with everything that training, reconstruction and evaluation need to use it.

    `reads` states how a photograph becomes light:

    - "exposures": the network generates the other exposures without a camera response, and they are merged;
    - "radiance": the network predicts radiance of the photograph as it is; a response is estimated from that;
    - "light": the network predicts light with the camera response as an input, known or not.
    """

    network: Callable[..., Network]  # of its `config`
    loss: Callable[[LossConfig], nn.Module]  # of a prediction and a batch's inputs; `terms` names its terms
    step: Callable[..., nn.Module]  # of the network: the forward pass of one training step
    learns_from: Literal["pairs", "photographs", "light"]  # the batches of `hdrmodel.sampling`
    reads: Literal["exposures", "radiance", "light"]
    config: type[NetworkConfig] | type[BaselineConfig] = BaselineConfig  # what `network` is built from


def _attention() -> Variant:
    return Variant(HDRAttNet, make_pair_loss, PairNetwork, "pairs", "exposures", NetworkConfig)


def _peer(network: type[RadianceNetwork], loss: type[nn.Module]) -> Variant:
    """A network of another paper, with the loss of that paper."""
    return Variant(network, lambda config: loss(), PhotoNetwork, "photographs", "radiance")


VARIANTS = {
    **{name: _attention() for name in ATTENTIONS},
    "hdrcnn": _peer(HDRCNN, HighlightLoss),
    "expandnet": _peer(ExpandNet, ExpandNetLoss),
    "hdrunet": _peer(HDRUNet, TanhLoss),
    "lightunet": Variant(LightUNet, lambda config: LightLoss(), LightNetwork, "light", "light"),
}


def find_variant(name: str) -> Variant:
    """Look up a variant by its name; ValueError with the known names if there is no such variant."""
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}; known are {list(VARIANTS)}")
    return VARIANTS[name]


def variant_of(network: Network) -> Variant:
    """Return the entry of a network's variant, whose name is `network.config.variant`."""
    return find_variant(network.config.variant)


def describe_network(name: str, preset: str, width: float) -> Config:
    """Return what the network of a variant is built from; only HDR-AttNet has a preset."""
    return find_variant(name).config.describe(name, preset, width)


def read_description(described: dict) -> Config:
    """Return what the network of a file of weights is built from; ValueError or TypeError if it is not known."""
    names = [described[key] for key in ("attention", "baseline") if key in described]
    if len(names) != 1:
        raise ValueError(f"network {described}; expected one of attention and baseline")
    return find_variant(names[0]).config.model_validate(described)


def build_network(config: Config) -> Network:
    """Build a network; its weights are drawn from PyTorch's generator."""
    return find_variant(config.variant).network(config)

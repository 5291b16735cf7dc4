"""Everything that is trained and measured: HDR-AttNet with each attention, and the networks beside it.

A variant is a name of `ATTENTIONS` or of `BASELINES`. One baseline more is a kind of `RadianceNetwork` with its loss,
in a file of `hdrmodel/networks/baselines/`, and a line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.baselines.expandnet import ExpandNet, ExpandNetLoss
from hdrmodel.networks.baselines.hdrcnn import HDRCNN, HighlightLoss
from hdrmodel.networks.baselines.hdrunet import HDRUNet, TanhLoss
from hdrmodel.networks.baselines.light_unet import LightLoss, LightNetwork, LightUNet
from hdrmodel.networks.baselines.radiance_network import BaselineConfig, PhotoNetwork, RadianceNetwork
from hdrmodel.networks.hdr_attnet import HDRAttNet, NetworkConfig

Network = HDRAttNet | RadianceNetwork


@dataclass(frozen=True)
class Baseline:
    """A single-image HDR network beside HDR-AttNet, and what it is trained with: its paper's loss, or our own."""

    network: Callable[[BaselineConfig], RadianceNetwork]
    loss: Callable[[], nn.Module]  # of what is predicted and a batch's inputs; `terms` names what it gives beside it
    step: Callable[[RadianceNetwork], nn.Module] = PhotoNetwork  # one training step's forward pass
    learns: Literal["photos", "light"] = "photos"  # from `PhotoBatch`es at EV 0, or from `LightBatch`es


BASELINES = {
    "hdrcnn": Baseline(HDRCNN, HighlightLoss),
    "expandnet": Baseline(ExpandNet, ExpandNetLoss),
    "hdrunet": Baseline(HDRUNet, TanhLoss),
    "lightunet": Baseline(LightUNet, LightLoss, LightNetwork, learns="light"),
}
VARIANTS = (*ATTENTIONS, *BASELINES)


def find_variant(name: str) -> Baseline | None:
    """Look up a variant by its name: a baseline's entry in `BASELINES`; None for an attention of HDR-AttNet.

    Raises:
        ValueError: if there is no such variant; it names all.
    """
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}; known are {list(VARIANTS)}")
    return BASELINES.get(name)


def describe_network(variant: str, preset: str, width: float) -> NetworkConfig | BaselineConfig:
    """What a variant's network is built from; `preset` is HDR-AttNet's alone. An unknown variant raises ValueError."""
    if find_variant(variant) is None:
        return NetworkConfig(attention=variant, preset=preset, width=width)
    return BaselineConfig(baseline=variant, width=width)


def build_network(config: NetworkConfig | BaselineConfig) -> Network:
    """The network of a description, its weights drawn from PyTorch's generator."""
    if isinstance(config, NetworkConfig):
        return HDRAttNet(config)
    if config.baseline not in BASELINES:
        raise ValueError(f"unknown baseline {config.baseline!r}; known are {list(BASELINES)}")
    return BASELINES[config.baseline].network(config)


def variant_of(network: Network) -> str:
    """The name of the variant that a network is."""
    return network.config.attention if isinstance(network, HDRAttNet) else network.config.baseline

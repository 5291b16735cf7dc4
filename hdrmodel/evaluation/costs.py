"""Costs of a network, and the places of its attention, counted on a network that has shapes and no values.

The network is made on PyTorch's meta device, where it takes no memory and computes nothing, and PyTorch's
`FlopCounterMode` counts convolutions and matrix products while a picture's shape passes through it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from hdrmodel.networks.attention import find_attention
from hdrmodel.networks.hdr_attnet import HDRAttNet, NetworkConfig, count_parameters
from hdrmodel.networks.radiance_network import BaselineConfig
from hdrmodel.networks.unet import STRIDE, UNet
from hdrmodel.networks.variants import Config, Network, build_network, find_variant

STACK_EXPOSURES = 8  # generated for a stack of nine pictures; the ninth is the input
LARGEST_SIZE = 2**15  # 2**30 pixels, the most that OpenCV reads


@dataclass(frozen=True)
class UNetSummary:
    """Costs of one of the three U-Nets for one image. A MAC is one multiplication and one addition."""

    parameters: int  # the attention's included
    attention_parameters: int
    convolution_macs: int  # of the U-Net itself
    attention_macs: int  # convolutions, linear layers and matrix products of the attention's modules
    sites: dict[str, int]  # weights at each site of the attention


@dataclass(frozen=True)
class Summary:
    """Costs of a whole network."""

    config: NetworkConfig
    size: int  # pixels: height and width of the picture
    unets: dict[str, UNetSummary]  # "N1", "N2" and "N3"
    modules: dict[str, int]  # number of the attention's modules in all three U-Nets, by class

    @property
    def parameters(self) -> int:
        return sum(unet.parameters for unet in self.unets.values())

    @property
    def attention_parameters(self) -> int:
        return sum(unet.attention_parameters for unet in self.unets.values())

    def macs(self) -> dict[str, tuple[int, int]]:
        """MACs of the convolutions and of the attention: of each U-Net, of one exposure and of a stack.

        An exposure is N1 and then N2 or N3, which cost the same; a stack is N1 once and then eight exposures.
        """
        macs = {name: (unet.convolution_macs, unet.attention_macs) for name, unet in self.unets.items()}
        for name, exposures in (("exposure", 1), ("stack", STACK_EXPOSURES)):
            convolution, attention = (a + exposures * b for a, b in zip(macs["N1"], macs["N2"], strict=True))
            macs[name] = (convolution, attention)
        return macs

    @property
    def reconstruction_macs(self) -> int:
        """MACs of generating a whole stack."""
        return sum(self.macs()["stack"])

    def as_json(self) -> dict[str, Any]:
        """The summary as plain values; `format_summary` has the same for people."""
        macs = self.macs()
        return {
            **self.config.model_dump(),
            "size": self.size,
            "places": list(find_attention(self.config.attention).places),
            "parameters": {**{name: unet.parameters for name, unet in self.unets.items()}, "all": self.parameters},
            "attention_parameters": {
                **{name: unet.attention_parameters for name, unet in self.unets.items()},
                "all": self.attention_parameters,
            },
            "convolution_macs": {name: convolutions for name, (convolutions, _) in macs.items()},
            "attention_macs": {name: attention for name, (_, attention) in macs.items()},
            "modules": self.modules,
            "sites": {
                site: {name: unet.sites[site] for name, unet in self.unets.items()} for site in self.unets["N1"].sites
            },
        }


@dataclass(frozen=True)
class BaselineSummary:
    """Return the costs of a baseline; its stack is its radiance exposed again, at no further cost."""

    config: BaselineConfig
    size: int  # pixels: height and width of the picture
    parameters: int
    macs: int  # of one picture

    @property
    def reconstruction_macs(self) -> int:
        """MACs of one radiance map, which is exposed again without the network."""
        return self.macs

    def as_json(self) -> dict[str, Any]:
        """The summary as plain values; `format_baselines` has the same for people."""
        return {**self.config.model_dump(), "size": self.size, "parameters": self.parameters, "macs": self.macs}


def summarize(config: Config, size: int) -> Summary | BaselineSummary:
    """Count what the network of a variant costs for pictures of `size` x `size` pixels.

    Raises:
        ValueError: if no image can have this size.
    """
    count = {"exposures": summarize_network, "radiance": summarize_baseline, "light": summarize_baseline}
    return count[find_variant(config.variant).reads](config, size)


def network_costs(network: Network, size: int) -> tuple[int, float]:
    """Return parameters, and GMACs of one `size` x `size` picture; of HDR-AttNet those of a whole stack."""
    summary = summarize(network.config, size)
    return summary.parameters, summary.reconstruction_macs / 1e9


def padded_size(size: int) -> int:
    """Height and width of the picture that HDR-AttNet's U-Nets see: the next multiple of `STRIDE`."""
    return -(-size // STRIDE) * STRIDE


def summarize_network(config: NetworkConfig, size: int) -> Summary:
    """Count what HDR-AttNet costs for pictures of `size` x `size` pixels, padded as the network pads them.

    Raises:
        ValueError: if no image can have this size.
    """
    _require_size(size)
    with torch.device("meta"):
        network = HDRAttNet(config).eval()
    unets = {"N1": network.encoding, "N2": network.up, "N3": network.down}
    modules = Counter(type(module).__name__ for unet in unets.values() for module in unet.sites().values())
    summaries = {name: _summarize_unet(unet, padded_size(size)) for name, unet in unets.items()}
    return Summary(config, size, summaries, dict(modules))


def summarize_baseline(config: BaselineConfig, size: int) -> BaselineSummary:
    """`summarize_network` for a baseline."""
    _require_size(size)
    with torch.device("meta"):
        network = build_network(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, size, size, device="meta"))
    return BaselineSummary(config, size, count_parameters(network), counter.get_total_flops() // 2)


def _require_size(size: int) -> None:
    if not 1 <= size <= LARGEST_SIZE:
        raise ValueError(f"a picture of {size}x{size} pixels: expected a side from 1 to {LARGEST_SIZE}")


def _summarize_unet(unet: UNet, size: int) -> UNetSummary:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(torch.empty(1, 3, size, size, device="meta"))
    sites = unet.sites()
    flops = counter.get_flop_counts()  # of each operation, by "UNet" or "UNet.<path of a module>"; 2 a MAC
    paths = {module: f"{type(unet).__name__}.{path}" for path, module in unet.named_modules()}
    attention_macs = sum(sum(flops.get(paths[module], {}).values()) for module in sites.values()) // 2
    return UNetSummary(
        parameters=count_parameters(unet),
        attention_parameters=sum(count_parameters(module) for module in sites.values()),
        convolution_macs=counter.get_total_flops() // 2 - attention_macs,
        attention_macs=attention_macs,
        sites={name: count_parameters(module) for name, module in sites.items()},
    )

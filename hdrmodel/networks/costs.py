"""What a network costs, and where its attention sits: counted on a network that has shapes and no values.

The network is made on PyTorch's meta device, where it takes no memory and computes nothing, and PyTorch's
`FlopCounterMode` counts convolutions and matrix products while a picture's shape passes through it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hdrmodel.networks.attention import find_attention
from hdrmodel.networks.baselines.radiance_network import BaselineConfig
from hdrmodel.networks.hdr_attnet import HDRAttNet, NetworkConfig, count_parameters
from hdrmodel.networks.unet import STRIDE, UNet
from hdrmodel.networks.variants import Network, build_network

STACK_EXPOSURES = 8  # generated for a stack of nine pictures; the ninth is the input
LARGEST_WIDTH = 4  # 995 million parameters; far above, their number leaves 64 bits
LARGEST_SIZE = 2**15  # 2**30 pixels, the most that OpenCV reads


@dataclass(frozen=True)
class UNetSummary:
    """What one of the three U-Nets costs for one picture. A MAC is one multiplication and one addition."""

    parameters: int  # the attention's included
    attention_parameters: int
    convolution_macs: int  # of the U-Net itself
    attention_macs: int  # convolutions, linear layers and matrix products of the attention's modules
    sites: dict[str, int]  # weights at each site of the attention


@dataclass(frozen=True)
class Summary:
    """What a whole network costs."""

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
            macs[name] = tuple(once + exposures * each for once, each in zip(macs["N1"], macs["N2"], strict=True))
        return macs

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
    """What a baseline costs; its stack is its radiance exposed again, and costs no more."""

    config: BaselineConfig
    size: int  # pixels: height and width of the picture
    parameters: int
    macs: int  # of one picture

    def as_json(self) -> dict[str, Any]:
        """The summary as plain values; `format_baselines` has the same for people."""
        return {**self.config.model_dump(), "size": self.size, "parameters": self.parameters, "macs": self.macs}


def summarize(config: NetworkConfig | BaselineConfig, size: int) -> Summary | BaselineSummary:
    """Count what the network of a variant costs for pictures of `size` x `size` pixels.

    Raises:
        ValueError: if the size is no number of pixels that a picture may have.
    """
    return summarize_network(config, size) if isinstance(config, NetworkConfig) else summarize_baseline(config, size)


def network_costs(network: Network, size: int) -> tuple[int, float]:
    """Parameters, and GMACs of reconstructing one picture of `size` x `size` pixels: of HDR-AttNet, its whole stack."""
    summary = summarize(network.config, size)
    macs = sum(summary.macs()["stack"]) if isinstance(summary, Summary) else summary.macs
    return summary.parameters, macs / 1e9


def padded_size(size: int) -> int:
    """Height and width of the picture that HDR-AttNet's U-Nets see: the next multiple of `STRIDE`."""
    return -(-size // STRIDE) * STRIDE


def summarize_network(config: NetworkConfig, size: int) -> Summary:
    """Count what HDR-AttNet costs for pictures of `size` x `size` pixels, padded as the network pads them.

    Raises:
        ValueError: if the size is no number of pixels that a picture may have.
    """
    _require_size(size)
    with torch.device("meta"):
        network = HDRAttNet(config).eval()
    unets = {"N1": network.encoding, "N2": network.up, "N3": network.down}
    modules = Counter(type(module).__name__ for unet in unets.values() for module in _attention_sites(unet).values())
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
        raise ValueError(f"a picture of {size}x{size} pixels: wanted a side from 1 to {LARGEST_SIZE}")


def _attention_sites(unet: UNet) -> dict[str, nn.Module]:
    return {name: module for name, module in unet.sites().items() if not isinstance(module, nn.Identity)}


def _summarize_unet(unet: UNet, size: int) -> UNetSummary:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(torch.empty(1, 3, size, size, device="meta"))
    sites = _attention_sites(unet)
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


def format_summary(summary: Summary) -> list[str]:
    """The lines that tell people what one network costs and where its attention sits."""
    config, unets, macs = summary.config, summary.unets, summary.macs()
    added = [*(unet.attention_parameters for unet in unets.values()), summary.attention_parameters]
    lines = [
        f"attention {config.attention}, preset {config.preset}, width {config.width:g}",
        "",
        _row("parameters", [*unets, "all"]),
        _row("  network", [f"{count:,}" for count in [*(u.parameters for u in unets.values()), summary.parameters]]),
        _row("  of that, attention", [f"{count:,}" for count in added]),
        "",
        _row(f"GMACs at {_picture(summary.size)}", list(macs)),
        _row("  convolutions", [f"{convolutions / 1e9:.2f}" for convolutions, _ in macs.values()]),
        _row("  attention", [_small(attention / 1e9) for _, attention in macs.values()]),
        "",
    ]
    if summary.modules:
        modules = " and ".join(f"{count} {name}" for name, count in summary.modules.items())
        lines.append(_row(f"weights of {modules} modules", list(unets)))
        for site in unets["N1"].sites:
            lines.append(_row(f"  {site}", [f"{unet.sites[site]:,}" for unet in unets.values()]))
    else:
        lines.append("no attention at any site")
    return [*lines, "", *_EXPLANATION]


def format_table(summaries: list[Summary]) -> list[str]:
    """The lines that compare networks that differ in their attention alone, with the one without among them."""
    (base,) = (summary.parameters for summary in summaries if not summary.modules)
    config, size = summaries[0].config, summaries[0].size
    columns = ["parameters", "added", "share", "convolutions", "attention"]
    lines = [
        f"preset {config.preset}, width {config.width:g}; GMACs of one exposure at {_picture(size)}",
        "",
        f"{'attention':<12}{columns[0]:>12}{columns[1]:>10}{columns[2]:>10}{columns[3]:>14}{columns[4]:>11}  places",
    ]
    for summary in summaries:
        added = summary.parameters - base
        convolutions, attention = summary.macs()["exposure"]
        places = ", ".join(find_attention(summary.config.attention).places) or "-"
        lines.append(
            f"{summary.config.attention:<12}{summary.parameters:>12,}{added:>10,}{_percent(added / base):>10}"
            f"{convolutions / 1e9:>14.2f}{_small(attention / 1e9):>11}  {places}"
        )
    return [*lines, "", *_EXPLANATION]


def format_baselines(summaries: list[BaselineSummary]) -> list[str]:
    """The lines that compare baselines of one width."""
    size = summaries[0].size
    lines = [
        f"width {summaries[0].config.width:g}; GMACs at {size}x{size}",
        "",
        f"{'baseline':<12}{'parameters':>12}{'GMACs':>14}",
    ]
    lines += [f"{each.config.baseline:<12}{each.parameters:>12,}{each.macs / 1e9:>14.2f}" for each in summaries]
    return [*lines, "", "A baseline makes radiance of a picture; exposing it again, to a stack, costs no network."]


_EXPLANATION = (
    "An exposure is one picture made of one (N1, then N2 or N3); a stack is nine, the input among them (N1 once, then",
    "N2 or N3 eight times). One GMAC: 10^9 multiplications, each with its addition. Convolutions are those of the",
    "network without attention; attention counts the convolutions, linear layers and matrix products in its modules.",
    "What works value by value (activations, normalisation, a gate's product) and pooling are not counted.",
)


def _row(name: str, values: list[str]) -> str:
    return f"{name:<42}" + "".join(f"{value:>12}" for value in values)


def _picture(size: int) -> str:
    padded = padded_size(size)
    return f"{size}x{size}" + (f" (padded: {padded}x{padded})" if padded != size else "")


def _small(number: float) -> str:
    return f"{number:.4f}" if number else "0"


def _percent(share: float) -> str:
    return f"{100 * share:.3f} %" if share else "0"

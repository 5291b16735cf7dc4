"""Untrained networks whose every part does something: what a test of equal outputs needs."""

from functools import cache
from typing import TypeVar

import torch
from torch import nn

from hdrmodel.networks.attention import SelfAttention, SqueezeExcitation
from hdrmodel.networks.hdr_attnet import HDRAttNet, NetworkConfig

Module = TypeVar("Module", bound=nn.Module)


def stir(network: Module, seed: int = 0) -> Module:
    """Give batch normalisations random statistics, factors and terms, and attentions an effect; in evaluation mode.

    As they begin, a normalisation in evaluation mode and self-attention pass their input through, and the gates of
    channels hardly move with the means.
    """
    draw = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2, generator=draw)
            module.running_var.uniform_(0.1, 0.5, generator=draw)  # what convolutions as they are drawn make
            nn.init.uniform_(module.weight, 0.7, 1.3, generator=draw)
            nn.init.uniform_(module.bias, -0.2, 0.2, generator=draw)
        elif isinstance(module, SelfAttention):
            nn.init.constant_(module.gain, 1.0)
        elif isinstance(module, SqueezeExcitation):
            with torch.no_grad():
                module.squeeze.weight.mul_(16)
                module.excite.weight.mul_(2)
    return network.eval()


@cache
def stirred_network(attention: str, preset: str = "attnet", width: float = 0.05) -> HDRAttNet:
    """HDR-AttNet with an attention, stirred; one for all tests of a process, which leave it as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return stir(HDRAttNet(NetworkConfig(attention=attention, preset=preset, width=width)))

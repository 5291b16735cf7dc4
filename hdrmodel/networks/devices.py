"""Devices to compute on: the choice by name, and what to print."""

import platform
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # commands import this module for `Device`, without PyTorch
    import torch

Device = Literal["auto", "cpu", "cuda"]


def choose_device(name: str) -> "torch.device":
    """Return the device of a name; "auto" is the GPU if there is one.

    Raises:
        ValueError: if a GPU is requested and there is none.
    """
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda': this machine has no GPU that PyTorch can use; expected 'cpu' or 'auto'")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def device_name(device: "torch.device") -> str:
    """Return the GPU's name, or the processor's kind and the number of PyTorch's threads."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"

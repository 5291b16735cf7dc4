"""Networks as they begin and as they are kept: one safetensors file with weights and configuration, never a pickle."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from hdrdata.config import first_problem
from hdrdata.files.disk import write_bytes
from hdrmodel.networks.variants import Config, Network, build_network, describe_network, read_description

FORMAT = "hdrmodel-1"


def initial_network(variant: str, preset: str, width: float, seed: int) -> Network:
    """The network of a variant before its first step: the same for the same seed. A baseline has no preset."""
    return untrained_network(describe_network(variant, preset, width), seed)


def untrained_network(config: Config, seed: int) -> Network:
    """Return `initial_network` for a network's description, for example a trained network's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(config)


def save_weights(path: Path, network: Network, about: dict[str, str]) -> str:
    """Write a network's weights and configuration, whole or not at all.

    Args:
        about: further facts for the file's header.

    Returns:
        the file's SHA-256.
    """
    header = {"format": FORMAT, "network": network.config.model_dump(), **about}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = save(tensors, metadata={"hdrmodel": json.dumps(header, sort_keys=True)})  # one entry: its order is kept
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def load_weights(path: Path | str) -> tuple[Network, dict[str, Any]]:
    """Build the network that a file describes, with its weights, in evaluation mode.

    "network" in the header describes it: {"attention", "preset", "width"} for HDR-AttNet, {"baseline", "width"} for
    other networks.

    Returns:
        the network on the CPU, and the header of the file.

    Raises:
        ValueError: naming the file, if it is not a file of weights or does not match its own description.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = _checked_header((file.metadata() or {}).get("hdrmodel", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())[:300]}") from error
    try:
        config = read_description(header["network"])
        with torch.device("meta"):  # a description of a huge network takes no memory before it is refused
            build_network(config).load_state_dict({name: tensor.to("meta") for name, tensor in tensors.items()})
        network = build_network(config)
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = first_problem(error) if isinstance(error, ValidationError) else " ".join(str(error).split())[:500]
        raise ValueError(f"{path}: its weights do not fit its description: {reason}") from error
    return network.eval().to(memory_format=torch.channels_last), header  # faster for whole pictures, on CPUs too


class _Header(BaseModel):
    """Facts in the header of a weights file."""

    model_config = ConfigDict(extra="allow")
    format: Literal["hdrmodel-1"]
    network: dict[str, str | int | float | bool | None]


def _checked_header(text: str) -> dict:
    try:
        _Header.model_validate(header := json.loads(text))
    except ValidationError as error:
        raise ValueError(
            f"its header: {first_problem(error)}; expected weights written by `hdrmodel train` ({FORMAT})"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"its header is not JSON: {str(error)[:100]}; expected weights written by `hdrmodel train`"
        ) from error
    return header

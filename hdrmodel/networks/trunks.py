"""Pretrained convolutions for the perceptual loss and LPIPS: found, verified and never replaced by others in silence.

A file comes from, in this order: the path that the caller gives; the environment variable named in `TORCHVISION_FILES`;
torch.hub's cache; a download to that cache. Where none works, `WeightsMissing` states how to supply it.
"""

import hashlib
import importlib.util
import os
import pickle
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlparse

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

CHANNELS = (64, 128, 256)  # of the three stages
DOWNLOAD_SECONDS = 20.0  # without a byte, before a download is given up
SMALLEST_SIDE = 16  # pixels: the last stage of every trunk still has something to pool


class WeightsMissing(ValueError):
    """A pretrained file is missing and cannot be downloaded; the message names it and how to supply it."""


@dataclass(frozen=True)
class TorchvisionFile:
    """A state dict of torchvision's, or the part of it under `features.`."""

    url: str
    variable: str  # the environment variable that may hold the path of a local copy


TORCHVISION_FILES = {  # torchvision's addresses, written out because importing torchvision takes seconds
    "vgg16": TorchvisionFile("https://download.pytorch.org/models/vgg16-397923af.pth", "HDRMODEL_VGG16"),
    "vgg19": TorchvisionFile("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", "HDRMODEL_VGG19"),
    "alexnet": TorchvisionFile("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "HDRMODEL_ALEXNET"),
    "squeezenet1_1": TorchvisionFile(
        "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", "HDRMODEL_SQUEEZENET1_1"
    ),
}


def find_torchvision_file(name: str, path: Path | None = None) -> Path:
    """Find, or else download, one of `TORCHVISION_FILES`; raises WeightsMissing."""
    source = TORCHVISION_FILES[name]
    given = path or os.environ.get(source.variable)
    if given:
        return _require_file(Path(given), name)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(source.url).path).name
    if not cached.is_file():
        digest = cached.stem.rpartition("-")[2]  # torchvision's names end in the first digits of their sha256
        patience = socket.getdefaulttimeout()
        try:
            socket.setdefaulttimeout(DOWNLOAD_SECONDS)
            cached.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(source.url, str(cached), hash_prefix=digest, progress=False)
        except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: other bytes than torchvision's
            raise WeightsMissing(
                f"the weights of {name} cannot be downloaded here: save {source.url} on this machine and name the "
                f"file in params.yaml or in the environment variable {source.variable}"
            ) from error
        finally:
            socket.setdefaulttimeout(patience)
    return cached


STLPIPS_FILES = {"vgg16-stlpips": "vgg_shift_tolerant.pth", "alex-stlpips": "alex_shift_tolerant.pth"}


def find_stlpips_file(name: str, path: Path | None = None) -> Path:
    """Find one of `STLPIPS_FILES` inside the installed package stlpips-pytorch without importing it.

    Importing it would need IPython and torchsummary, which the package uses and does not declare. Raises
    WeightsMissing.
    """
    if path is not None:
        return _require_file(path, name)
    spec = importlib.util.find_spec("stlpips_pytorch")
    if spec is None or not spec.submodule_search_locations:
        raise WeightsMissing(f"the weights of {name} come with a package: pip install --no-deps stlpips-pytorch")
    return _require_file(Path(spec.submodule_search_locations[0]) / "weights" / "vST0.0" / STLPIPS_FILES[name], name)


def _require_file(path: Path, name: str) -> Path:
    if not path.is_file():
        raise WeightsMissing(f"no file {path} with the weights of {name}")
    return path


def read_state_dict(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read a file of named tensors and the sha256 of its bytes; ValueError if it is damaged or holds anything else."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return torch.load(path, map_location="cpu", weights_only=True), digest
    except (pickle.UnpicklingError, EOFError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: not a PyTorch file of named tensors: {reason}") from error


def pick(state: dict[str, Tensor], names: dict[str, str], path: Path) -> dict[str, Tensor]:
    """Take entries out of a state dict under new names: {new: old}; ValueError names the first that `path` lacks."""
    for old in names.values():
        if old not in state:
            raise ValueError(f"{path}: no tensor {old!r}; expected the weights of this network")
    return {new: state[old] for new, old in names.items()}


class BlurPool(nn.Module):
    """Halve height and width, tolerant of shifts: every second pixel of a 1-2-1 blur.

    Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019, with the wide margin (2 pixels, by
    reflection) of Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022: n pixels become (n + 1)
    // 2 + 1.
    """

    kernel: Tensor

    def __init__(self, channels: int):
        super().__init__()
        row = torch.tensor([0.25, 0.5, 0.25])
        kernel = (row[:, None] * row).expand(channels, 1, 3, 3).contiguous()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels halved_height halved_width"]:
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), self.kernel, stride=2, groups=x.shape[1])


class MaxBlurPool(BlurPool):
    """`BlurPool` of a dense 2x2 maximum: n pixels become n // 2 + 1."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels halved_height halved_width"]:
        return super().forward(F.max_pool2d(x, 2, stride=1))


def max_pool(channels: int) -> nn.Module:
    return nn.MaxPool2d(2)


class Trunk(nn.Module):
    """The first three stages of a VGG: pairs of 3x3 convolution and ReLU, then a pool.

    Activations of the Oxford weights reach 1e4, and sums of their products leave float16: under float16 autocast it
    computes in float32; bfloat16 is left as it is.

    Args:
        convolutions: how many there are in each stage.
        pool: from the number of channels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, convolutions: tuple[int, ...], pool: Callable[[int], nn.Module]):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)  # ImageNet's
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)
        self.stages = nn.ModuleList()
        before = 3
        for count, channels in zip(convolutions, CHANNELS, strict=True):
            layers = []
            for _ in range(count):
                layers += [nn.Conv2d(before, channels, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                before = channels
            self.stages.append(nn.Sequential(*layers, pool(channels)))

    def forward(self, ldr: Float[Tensor, "batch 3 height width"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Compute the features after each pool: 64, 128 and 256 channels.

        Args:
            ldr: display-referred, [0, 1], at least 16 pixels high and wide.
        """
        if min(ldr.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(f"pictures must have {SMALLEST_SIDE} pixels a side for a trunk, got {tuple(ldr.shape)}")
        device = ldr.device.type
        brain_float = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16
        features = []
        with torch.autocast(device, dtype=torch.bfloat16, enabled=brain_float):
            x = (ldr.float() - self.mean) / self.std
            for stage in self.stages:
                x = stage(x)
                features.append(x)
        return features


class ShiftTolerantAlexNet(nn.Module):
    """The five convolutions of AlexNet with nothing skipped before a blur: the trunk of ST-LPIPS.

    Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022: the first convolution has stride 1 and
    its result is blurred and halved before the ReLU; pools are dense 3x3 maxima, blurred and halved.
    """

    NAMES: ClassVar = {  # of the package's entries
        f"{here}.{kind}": f"net.{there}.{kind}"
        for here, there in {
            "stages.0.0": "slice1.0",
            "stages.1.2": "slice2.5",
            "stages.2.2": "slice3.9",
            "stages.3.0": "slice4.11",
            "stages.4.0": "slice5.13",
        }.items()
        for kind in ("weight", "bias")
    }

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(3, 64, kernel_size=11, padding=2), BlurPool(64), nn.ReLU()),
                nn.Sequential(*_dense_pool(64), nn.Conv2d(64, 192, kernel_size=5, padding=2), nn.ReLU()),
                nn.Sequential(*_dense_pool(192), nn.Conv2d(192, 384, kernel_size=3, padding=1), nn.ReLU()),
                nn.Sequential(nn.Conv2d(384, 256, kernel_size=3, padding=1), nn.ReLU()),
                nn.Sequential(nn.Conv2d(256, 256, kernel_size=3, padding=1), nn.ReLU()),
            ]
        )

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Compute the features after each ReLU, from pictures that are already scaled as LPIPS scales them."""
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def _dense_pool(channels: int) -> list[nn.Module]:
    return [nn.MaxPool2d(kernel_size=3, stride=1), BlurPool(channels)]


@dataclass(frozen=True)
class TrunkSource:
    """Place of a trunk's weights, and the network that they belong to."""

    find: Callable[[Path | None], Path]
    convolutions: tuple[tuple[str, ...], ...]  # their names in the state dict, by stage
    pool: Callable[[int], nn.Module]


TRUNKS = {
    "vgg19": TrunkSource(
        partial(find_torchvision_file, "vgg19"),
        (
            ("features.0", "features.2"),
            ("features.5", "features.7"),
            ("features.10", "features.12", "features.14", "features.16"),
        ),
        max_pool,
    ),
    "vgg16-stlpips": TrunkSource(
        partial(find_stlpips_file, "vgg16-stlpips"),
        (
            ("net.slice1.0", "net.slice1.2"),
            ("net.slice2.6", "net.slice2.8"),
            ("net.slice3.12", "net.slice3.14", "net.slice3.16"),
        ),
        MaxBlurPool,
    ),
}


def load_trunk(name: str, path: Path | None = None) -> tuple[Trunk, str]:
    """Load the trunk of the perceptual loss, frozen and in eval mode.

    "vgg19" is the paper's: torchvision's own weights, or a state dict with the same names such as the original Oxford
    ones. Those keep the scale of pixel values up to 255 from layer to layer: the perceptual loss between two example
    pictures of the LPIPS repository is 356,251 with them and 28.9 with "vgg16-stlpips", so they need a smaller weight.

    "vgg16-stlpips" is the anti-aliased VGG-16 of stlpips-pytorch (58.9 MB, BSD-2), for machines that reach a package
    index but not torchvision's server: seven convolutions instead of eight, and pools that blur (`MaxBlurPool`), so
    its losses are not comparable with those of "vgg19".

    Args:
        name: in `TRUNKS`.
        path: a state dict to read instead of the usual one.

    Returns:
        The trunk, and the sha256 of the file that it came from.

    Raises:
        ValueError: if the name is unknown, or the file holds another network.
        WeightsMissing: if there is no file.
    """
    if name not in TRUNKS:
        raise ValueError(f"unknown trunk {name!r}; known are {list(TRUNKS)}")
    source = TRUNKS[name]
    file = source.find(path)
    state, digest = read_state_dict(file)
    trunk = Trunk(tuple(len(stage) for stage in source.convolutions), source.pool)
    names = {
        f"stages.{stage}.{2 * place}.{kind}": f"{convolution}.{kind}"
        for stage, convolutions in enumerate(source.convolutions)
        for place, convolution in enumerate(convolutions)
        for kind in ("weight", "bias")
    }
    try:
        trunk.load_state_dict(pick(state, names, file))  # strict: every weight, and in its shape
    except RuntimeError as error:
        raise ValueError(f"{file}: not the weights of {name}: {error}") from error
    return trunk.eval().requires_grad_(False), digest

"""Distances of deep features: LPIPS and ST-LPIPS. The package lpips imports torchvision in seconds: only when used."""

import threading
import warnings
from functools import reduce
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from hdrdata.config import Section
from hdrmodel.metrics.display import PerPicture, Pictures, require_pictures
from hdrmodel.networks.trunks import (
    ShiftTolerantAlexNet,
    find_stlpips_file,
    find_torchvision_file,
    pick,
    read_state_dict,
)


class LpipsConfig(Section):
    """Choice of LPIPS, and the place of its trunk if it cannot be downloaded."""

    trunk: Literal["alex", "squeeze", "vgg"] | None  # null: no LPIPS
    trunk_file: str | None


LPIPS_TRUNKS = {  # name in TORCHVISION_FILES, and the network of lpips.pn
    "alex": ("alexnet", "alexnet"),
    "squeeze": ("squeezenet1_1", "squeezenet"),
    "vgg": ("vgg16", "vgg16"),
}
LPIPS_SMALLEST_SIDE = 32  # pixels; AlexNet's last pool has nothing left below 31


class FeatureDistance(nn.Module):
    """Distance of two pictures in the features of a network, LPIPS version 0.1: what `Lpips` and `StLpips` share.

    At each place the features of a layer are brought to length 1; their squared differences are weighed by channel,
    averaged over the picture and summed over the layers. The features of the reference are kept until another comes
    in the same thread, so that methods compared with one truth pay for it once.

    Args:
        features: from pictures, brought to the statistics that LPIPS trunks take, to each layer's features.
        heads: of each layer, a 1x1 convolution from its channels to one.
    """

    def __init__(self, name: str, features: nn.Module, heads: nn.ModuleList):
        import lpips

        super().__init__()
        self.name = name
        self.scaling = lpips.ScalingLayer()
        self.features = features
        self.heads = heads
        self._known: dict[int, tuple[Tensor, list[Tensor]]] = {}  # by thread: a reference and its features
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, test: Pictures, reference: Pictures) -> PerPicture:
        """Compare display-referred pictures, [0, 1], in float32."""
        require_pictures(test, reference, upper=1.0)
        if min(test.shape[2:]) < LPIPS_SMALLEST_SIDE:
            raise ValueError(f"{self.name} needs {LPIPS_SMALLEST_SIDE} pixels a side, got {tuple(test.shape)}")
        last, features = self._known.get(threading.get_ident(), (None, []))
        if last is None or last.device != reference.device or not torch.equal(last, reference.float()):
            features = self._normalised(reference.float())
            self._known[threading.get_ident()] = reference.float().clone(), features
        differences = [
            head((mine - known).square()).mean(dim=(2, 3))
            for head, mine, known in zip(self.heads, self._normalised(test.float()), features, strict=True)
        ]
        return reduce(torch.add, differences)[:, 0]

    def _normalised(self, pictures: Tensor) -> list[Tensor]:
        import lpips

        return [lpips.normalize_tensor(layer) for layer in self.features(self.scaling(2 * pictures - 1))]


class Lpips(FeatureDistance):
    """Learned perceptual distance of display-referred pictures, version 0.1; 0 for equal pictures, smaller is nearer.

    Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
    CVPR 2018. The package `lpips` carries its linear layers; the trunk is torchvision's, from
    `find_torchvision_file`.

    Args:
        trunk: in `LPIPS_TRUNKS`; papers print "alex".
        path: a state dict with the trunk's `features.` entries, instead of torchvision's file.

    Raises:
        ValueError: if the trunk is unknown, or the file holds another network.
        WeightsMissing: if there is no file.
    """

    def __init__(self, trunk: str = "alex", path: Path | None = None):
        import lpips

        if trunk not in LPIPS_TRUNKS:
            raise ValueError(f"unknown LPIPS trunk {trunk!r}; known are {list(LPIPS_TRUNKS)}")
        name, package_name = LPIPS_TRUNKS[trunk]
        file = find_torchvision_file(name, path)
        state, trunk_sha256 = read_state_dict(file)
        with warnings.catch_warnings(), torch.device("meta"):  # nothing is drawn at random to be replaced
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision.models._utils")  # lpips calls
            network = getattr(lpips.pn, package_name)(pretrained=False)  # torchvision's constructors in their old form
        names = {key: "features." + key.split(".", 1)[1] for key in network.state_dict()}  # "slice2.3.weight"
        try:
            network.load_state_dict(pick(state, names, file), assign=True)  # strict: every weight, and in its shape
        except RuntimeError as error:
            raise ValueError(f"{file}: not the weights of {name}: {error}") from error
        linear = Path(str(lpips.__file__)).parent / "weights" / "v0.1" / f"{trunk}.pth"
        super().__init__("LPIPS", network, _load_heads(read_state_dict(linear)[0], network.N_slices, linear))
        self.trunk_sha256 = trunk_sha256


class StLpips(FeatureDistance):
    """Shift-tolerant LPIPS (AlexNet) of display-referred pictures; 0 for equal pictures, smaller is nearer.

    Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022. All weights are those of the package
    stlpips-pytorch, which is not imported (it needs two packages that it does not declare): the network is
    `ShiftTolerantAlexNet`. About seven times the time of LPIPS, because nothing is skipped before a blur.

    Args:
        path: a file of these weights instead of the package's.

    Raises:
        ValueError: if the file holds another network.
        WeightsMissing: if the package is not installed.
    """

    def __init__(self, path: Path | None = None):
        file = find_stlpips_file("alex-stlpips", path)
        state, trunk_sha256 = read_state_dict(file)
        network = ShiftTolerantAlexNet()
        try:
            network.load_state_dict(pick(state, network.NAMES, file))
        except RuntimeError as error:
            raise ValueError(f"{file}: not the weights of alex-stlpips: {error}") from error
        super().__init__("ST-LPIPS", network, _load_heads(state, len(network.stages), file))
        self.trunk_sha256 = trunk_sha256


def _load_heads(state: dict[str, Tensor], count: int, path: Path) -> nn.ModuleList:
    """The weights of LPIPS's layers, by channel, out of a file of its package's or of ST-LPIPS's."""
    heads = nn.ModuleList()
    for weight in pick(state, {str(number): f"lin{number}.model.1.weight" for number in range(count)}, path).values():
        head = nn.Conv2d(weight.shape[1], 1, kernel_size=1, bias=False)
        head.load_state_dict({"weight": weight})
        heads.append(head)
    return heads

"""N1, N2 and N3 as ONNX files that any runtime opens, and their use by ONNX Runtime.

A file takes pictures of any size: padding by reflection, the mask and the ratio are in it. `n1.onnx` makes the sensor
exposure X of `ldr`; `n2.onnx` (longer exposures) and `n3.onnx` (shorter ones) make the LDR picture of
`sensor_exposure` at `ratio`.
"""

import contextlib
import io
import json
import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float
from pydantic import BaseModel, Field, Json, ValidationError
from torch import Tensor, nn

from hdrdata.config import first_problem
from hdrdata.files.disk import sha256_of, written_whole
from hdrmodel.networks.attention import SelfAttention
from hdrmodel.networks.hdr_attnet import HDRAttNet, Pictures, continue_by_reflection, sensor_exposure, soft_mask
from hdrmodel.networks.unet import STRIDE, UNet
from hdrmodel.networks.variants import Network
from hdrmodel.networks.weights import load_weights
from hdrmodel.reconstruction.folded import Deep, FoldedUNet, without_norms
from hdrmodel.reconstruction.tiles import Box, Frame, Subnetwork

FORMAT = "hdrmodel-onnx-1"
FILES = ("n1.onnx", "n2.onnx", "n3.onnx")
OPSET = 18
LARGEST_SIDE = 2**15  # pixels: what the exported sizes are declared to reach; runtimes do not hold on to it
MISSING = "{} is not installed: pip install 'hdr-attnet[onnx]'"


class _Estimate(nn.Module):
    """`HDRAttNet.encode` by the same operations for every size."""

    inputs, output = ("ldr",), "sensor_exposure"

    def __init__(self, unet: UNet):
        super().__init__()
        self.unet = unet

    def forward(self, ldr: Pictures) -> Pictures:
        return sensor_exposure(ldr, _run(self.unet, ldr * soft_mask(ldr)), self.unet.reach)


class _Expose(nn.Module):
    """`HDRAttNet.expose_up` or `expose_down` by the same operations for every size."""

    inputs, output = ("sensor_exposure", "ratio"), "ldr"

    def __init__(self, unet: UNet):
        super().__init__()
        self.unet = unet

    def forward(self, sensor_exposure: Pictures, ratio: Float[Tensor, "1"]) -> Pictures:
        return 0.5 * _run(self.unet, sensor_exposure * ratio) + 0.5


def _run(unet: UNet, pictures: Pictures) -> Pictures:
    height, width = pictures.shape[-2:]
    return unet(continue_by_reflection(pictures, STRIDE))[..., :height, :width]


def export_onnx(weights: Path, folder: Path) -> list[Path]:
    """Write the networks of a file of weights as n1.onnx, n2.onnx and n3.onnx, each whole or not at all.

    Args:
        weights: what `train` wrote, of HDR-AttNet.
        folder: made if it is not there.

    Returns:
        the three files.

    Raises:
        ValueError: if a package is missing, or the network is a baseline or its attention has no form for all sizes.
    """
    onnx = _require("onnx")
    _require("onnxscript")
    network, _ = load_weights(weights)
    if not isinstance(network, HDRAttNet):
        raise ValueError(f"{weights}: {network.config.variant} has no N1, N2 and N3; expected weights of HDR-AttNet")
    if any(isinstance(module, SelfAttention) for module in network.modules()):
        raise ValueError(f"{weights}: attention 'self' averages over cells whose number depends on the size: no ONNX")
    network = network.to(memory_format=torch.contiguous_format)
    facts = {
        "format": FORMAT,
        "program": f"hdr-attnet {metadata.version('hdr-attnet')}",
        "weights_sha256": sha256_of(weights),
        "network": json.dumps(network.config.model_dump(), sort_keys=True),
    }
    paths = []
    for name, unet, wrapper in zip(
        FILES, (network.encoding, network.up, network.down), (_Estimate, _Expose, _Expose), strict=True
    ):
        channels = unet.widths[0]
        margin = FoldedUNet(unet).whole_margin
        model = _exported(wrapper(without_norms(unet)).eval()).model_proto
        about = {**facts, "file": name, "margin": "" if margin is None else str(margin), "channels": str(channels)}
        model.metadata_props.extend(
            onnx.StringStringEntryProto(key=f"hdrmodel.{key}", value=value) for key, value in about.items()
        )
        onnx.checker.check_model(model)
        with written_whole(folder / name) as temporary:
            temporary.write_bytes(model.SerializeToString())
        paths.append(folder / name)
    return paths


@torch.no_grad()  # or the exporter also traces gradients
def _exported(module: _Estimate | _Expose) -> "torch.onnx.ONNXProgram":
    height, width = (
        torch.export.Dim("height", min=2, max=LARGEST_SIDE),
        torch.export.Dim("width", min=2, max=LARGEST_SIDE),
    )
    picture, sizes = torch.rand(1, 3, 100, 150), {2: height, 3: width}  # of no size that a multiple of 64 would hide
    given = {"ldr": (picture, sizes), "sensor_exposure": (picture, sizes), "ratio": (torch.ones(1), {})}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the exporter's own code
        program = torch.onnx.export(
            module,
            tuple(given[name][0] for name in module.inputs),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(module.inputs),
            output_names=[module.output],
            dynamic_shapes={name: given[name][1] for name in module.inputs},
            verbose=False,
        )
    assert program is not None  # what dynamo=True returns
    return program


class _Network(BaseModel):
    attention: str


class _Facts(BaseModel):
    """Metadata of an ONNX file of ours, all as text."""

    file: str
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    margin: Annotated[str, Field(pattern=r"^\d{0,6}$")]  # pixels; empty: the whole picture
    channels: Annotated[int, Field(ge=1, le=1 << 20)]
    network: Json[_Network]


class OnnxSubnetwork:
    """N1, N2 or N3 run by ONNX Runtime on the CPU.

    A tile is all that it reads of a photograph. A tile therefore includes all pixels around it that its output depends
    on: 384 to 576 on each side.
    """

    def __init__(self, path: Path):
        """Open a file that `export_onnx` wrote; ValueError that names it if it is none."""
        onnxruntime = _require("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # it would double what it holds
        if not path.is_file():
            raise ValueError(
                f"{path}: no such file; expected a folder written by `hdrmodel export`: {', '.join(FILES)}"
            )
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own kinds have no common base
            raise ValueError(f"{path}: not a readable ONNX file: {str(error).splitlines()[0]}") from error
        facts = self.session.get_modelmeta().custom_metadata_map
        self.facts = {key.removeprefix("hdrmodel."): value for key, value in facts.items()}
        if self.facts.get("format") != FORMAT:
            raise ValueError(
                f"{path}: format {self.facts.get('format')!r}; expected a file written by `hdrmodel export` ({FORMAT})"
            )
        try:
            stated = _Facts.model_validate(self.facts)
        except ValidationError as error:
            raise ValueError(
                f"{path}: its metadata: {first_problem(error)}; expected a file written by `hdrmodel export`"
            ) from error
        self.margin = int(stated.margin) if stated.margin else None
        self.pixel_bytes = 100 * stated.channels  # measured
        self.attention = stated.network.attention
        self.estimates = len(self.session.get_inputs()) == 1

    def look(self, frame: Frame, tiles: Sequence[Box], ratio: float) -> Deep | None:
        return None

    def run(self, tile: Pictures, around: Box, deep: Deep | None, ratio: float) -> Pictures:
        picture = tile.contiguous(memory_format=torch.contiguous_format).numpy()
        given = {"ldr": picture}
        if not self.estimates:
            given = {"sensor_exposure": picture, "ratio": torch.tensor([ratio]).numpy()}
        return torch.from_numpy(self.session.run(None, given)[0])


class Loaded(NamedTuple):
    """A network to predict with, and whose weights it has."""

    network: Network | tuple[Subnetwork, ...]
    variant: str
    weights_sha256: str


def load_network(weights: Path, backend: str | None = None) -> Loaded:
    """Read a file of weights that `train` wrote, or a folder that `export_onnx` wrote.

    Args:
        backend: "torch" requires the former, "onnx" the latter; None accepts both.

    Raises:
        ValueError: naming the file or folder, if it is neither, or not the expected one.
    """
    if weights.is_dir():
        if backend == "torch":
            raise ValueError(f"{weights}: a folder; expected a file of weights, or --backend onnx")
        subnetworks = load_onnx(weights)
        return Loaded(subnetworks, subnetworks[0].attention, subnetworks[0].facts["weights_sha256"])
    if backend == "onnx":
        raise ValueError(
            f"{weights}: not a folder; expected a folder written by `hdrmodel export --onnx`, for --backend onnx"
        )
    network, _ = load_weights(weights)
    return Loaded(network, network.config.variant, sha256_of(weights))


def load_onnx(folder: Path) -> tuple["OnnxSubnetwork", ...]:
    """N1, N2 and N3 of a folder that `export_onnx` wrote.

    Raises:
        ValueError: naming the file that is missing, unreadable, of other weights than the first, or in another's place.
    """
    subnetworks = tuple(OnnxSubnetwork(folder / name) for name in FILES)
    for name, subnetwork in zip(FILES, subnetworks, strict=True):
        if subnetwork.facts["weights_sha256"] != subnetworks[0].facts["weights_sha256"]:
            raise ValueError(f"{folder / name}: of other weights than {folder / FILES[0]}; expected one export's files")
        if subnetwork.facts["file"] != name:
            raise ValueError(
                f"{folder / name}: is {subnetwork.facts['file']} of its export; expected it under that name"
            )
    return subnetworks


def _require(package: str) -> ModuleType:
    try:
        return __import__(package)
    except ImportError as error:
        raise ValueError(MISSING.format(package)) from error

"""Make the radiance map of anyone's photograph, of any size."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from hdrdata.cameras.clipping import ClipRule
from hdrdata.cameras.crf import WHITE, CameraResponse, Levels, Quantise, srgb_crf
from hdrdata.cameras.curves.file_kinds import UNKNOWN_DEVICE, Device
from hdrmodel.networks.batches import Photograph
from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.variants import Network
from hdrmodel.prediction.predictors import (
    PRECISIONS,
    Origin,
    Prediction,
    Progress,
    Radiance,
    Shot,
    has_white,
    own_light,
    predictor_of,
)
from hdrmodel.reconstruction.export import load_network
from hdrmodel.reconstruction.posterior import Evidence
from hdrmodel.reconstruction.tiles import Subnetwork


class HDRReconstructor:
    """Converter of photographs to radiance maps with one set of weights.

    reconstructor = hdrmodel.HDRReconstructor.from_file("weights.safetensors")
    radiance = reconstructor(hdrmodel.read_photo("photo.jpg").ldr)
    """

    def __init__(
        self,
        network: Network | Sequence[Subnetwork],
        device: str = "auto",
        crf: CameraResponse | Literal["auto"] | None = None,
        tile: int | None = None,
        precision: str = "fp32",
        quantise: Quantise | None = None,
        wrap: bool = False,
    ):
        """Put a network on a device.

        Args:
            network: a network of any variant with trained weights, or its N1, N2 and N3 as another program runs them.
            device: "auto", "cpu" or "cuda".
            crf: camera response of the photographs; None for sRGB; "auto" estimates it from each photograph.
            tile: side of a tile in pixels; 0 for whole photographs; None for about a gigabyte of features. The result
                does not depend on it, except for rounding.
            precision: precision of the features: "fp32", "bf16" or "fp16".
            quantise: rounding of the photographs' levels: "round255" for cameras, "floor254" for this project's
                stacks; None: an 8-bit photograph whose largest level is 254 is read as an image of a stack.
            wrap: whether the photographs are panoramas of 360 degrees, whose left and right borders meet.

        Raises:
            ValueError: if there is no such device, or no such precision on it.
        """
        self.device = choose_device(device)
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision!r}; expected one of {', '.join(PRECISIONS)}")
        if precision == "fp16" and self.device.type == "cpu":
            raise ValueError("precision 'fp16': half floats are for GPUs; expected 'fp32' or 'bf16' on this device")
        self.crf: CameraResponse | Literal["auto"] = crf or srgb_crf()
        self.quantise: Quantise | None = quantise
        self.wrap = wrap
        self.predictor = predictor_of(network, self.device, precision, tile)

    @classmethod
    def from_file(
        cls,
        weights: Path | str,
        device: str = "auto",
        crf: CameraResponse | Literal["auto"] | None = None,
        tile: int | None = None,
        precision: str = "fp32",
        quantise: Quantise | None = None,
        wrap: bool = False,
    ) -> "HDRReconstructor":
        """Read weights that `train` wrote, or a folder that `export` wrote; see `__init__`.

        Raises:
            ValueError: also if the file or folder is none of these; it is named.
        """
        return cls(load_network(Path(weights)).network, device, crf, tile, precision, quantise, wrap)

    def check(self, origin: Origin, keep_stack: bool) -> None:
        """Raise ValueError if the network makes no light from `origin`, or no stack on the way."""
        self.predictor.check(origin, keep_stack)

    def __call__(self, ldr: Photograph, origin: Origin = "stack") -> Radiance:
        """The radiance map of one RGB photograph of any size: linear, >= 0; 1 is what saturates the photograph."""
        return self.predict(ldr, origin).radiance

    def _camera(self, ldr: Photograph, crf: CameraResponse | Literal["auto"]) -> CameraResponse | Levels:
        levels = levels_of(ldr, self.quantise)
        return levels if crf == "auto" else replace(crf, levels=levels)

    def evidence(self, ldr: Photograph) -> Evidence:
        """Return the evidence for the camera response of one photograph; ValueError if the network gives none."""
        return self.predictor.evidence(ldr)

    @torch.inference_mode()
    def predict(
        self,
        ldr: Photograph,
        origin: Origin = "stack",
        keep_stack: bool = False,
        progress: Progress = lambda share: None,
        rule: ClipRule | None = None,
        crf: CameraResponse | Literal["auto"] | None = None,
        source: Device = UNKNOWN_DEVICE,
    ) -> Prediction:
        """Reconstruct one photograph.

        X is estimated once; of it come the eight other exposures, which are merged (`merge_generated`). From
        "irradiance", X itself is the light, scaled to agree with the photograph: a fraction of the work. Either way
        the network only fills in clipped values (`hdrdata.cameras.merge.keep_levels`): photographed again, the result
        is the photograph, level by level. So a photograph, or a tile of a large one, without white is not asked for at
        all, unless the stack is kept or the camera response is estimated.

        Args:
            ldr: RGB as the camera encoded it, 8 or 16 bit.
            origin: source of the light of clipped pixels.
            keep_stack: also keep the pictures: 27 bytes a pixel.
            progress: called now and then with the share that is done.
            rule: which values of a lossy photograph are clipped; `hdrdata.cameras.clipping.rule_for` adapts it to the
                camera response, also to an estimated one if the network is a `LightUNet`. None: only white is clipped.
            crf: its camera response; None: the one of this object.
            source: the device that made it, as EXIF states it, to estimate the response.

        Raises:
            ValueError: if `origin` is not known to the network, or the photograph is too large for it.
        """
        if ldr.ndim != 3 or ldr.shape[2] != 3 or 0 in ldr.shape or ldr.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"{ldr.dtype} pixels of shape {ldr.shape}; expected 8 or 16 bit, (height, width, 3)")
        self.check(origin, keep_stack)
        camera = self._camera(ldr, crf or self.crf)

        def predict(picture: Photograph) -> Prediction:
            shot = Shot(picture, rule, camera, source, origin, keep_stack, progress)
            if isinstance(camera, CameraResponse) and not keep_stack and not has_white(shot.ldr, camera):
                return Prediction(own_light(shot.ldr, camera), None, camera, shot.clipped)
            return self.predictor.predict(shot)

        if not self.wrap:
            return predict(ldr)
        side = max(ldr.shape[1] // 4, 1)  # of what lies beyond each border
        made = predict(np.concatenate([ldr[:, -side:], ldr, ldr[:, :side]], axis=1))
        inner = slice(side, side + ldr.shape[1])
        stack = None if made.stack is None else made.stack[:, :, inner]
        clipped = None if made.clipped is None else made.clipped[:, inner]
        return replace(made, radiance=np.ascontiguousarray(made.radiance[:, inner]), stack=stack, clipped=clipped)


def levels_of(ldr: Photograph, quantise: Quantise | None = None) -> Levels:
    """Return how a photograph's levels were rounded; by default, 8 bits that end at 254 are from a stack."""
    if ldr.dtype == np.uint16:
        return "round65535"
    return quantise or ("floor254" if ldr.max() == WHITE else "round255")

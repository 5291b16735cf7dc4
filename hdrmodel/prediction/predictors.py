"""The three ways in which networks predict the light of a photograph of any size, by what a variant `reads`."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from hdrdata.cameras.clipping import Clipped, ClipRule, clipped_values, fill_clipped, limit_doubtful, rule_for
from hdrdata.cameras.crf import WHITE, CameraResponse, Levels, srgb_crf
from hdrdata.cameras.curves.file_kinds import UNKNOWN_DEVICE, Device
from hdrdata.cameras.merge import keep_levels, look_up_exposure
from hdrdata.cameras.recipe import HALF_STOPS
from hdrdata.files.bands import row_bands
from hdrmodel.networks.batches import Photograph, to_ldr, to_pictures
from hdrmodel.networks.hdr_attnet import HDRAttNet
from hdrmodel.networks.light_photograph import enlarge, see_photograph
from hdrmodel.networks.light_unet import LightUNet
from hdrmodel.networks.radiance_network import RadianceNetwork
from hdrmodel.networks.variants import Network, variant_of
from hdrmodel.reconstruction.posterior import Evidence
from hdrmodel.reconstruction.reconstruct import expose_again, merge_generated
from hdrmodel.reconstruction.response import look_from_afar, response_of, sparse
from hdrmodel.reconstruction.tiles import Box, Frame, Subnetwork, choose_tiles, run_tile, subnetworks_of

Radiance = Float32[np.ndarray, "height width 3"]
Stack = UInt8[np.ndarray, "exposures height width 3"]
Origin = Literal["stack", "irradiance"]
Progress = Callable[[float], None]  # of the share that is done, (0, 1]
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Prediction:
    """Result for one photograph."""

    radiance: Radiance  # linear, BT.709 primaries, >= 0; 1 is what saturates the photograph
    stack: Stack | None  # the pictures at `HALF_STOPS`, where they were asked for
    response: CameraResponse = field(default_factory=srgb_crf)  # by which unclipped values became light
    clipped: Clipped | None = None  # values that the network filled in; None: the light is the photograph's own


@dataclass
class Shot:
    """A photograph to reconstruct: levels, clipping rule, camera response, device, and what to return."""

    stored: Photograph  # as it was read
    rule: ClipRule | None
    camera: CameraResponse | Levels  # the response; or how the levels were made, to estimate it
    device: Device = UNKNOWN_DEVICE
    origin: Origin = "stack"
    keep_stack: bool = False
    progress: Progress = lambda share: None

    def __post_init__(self):
        """Find the clipped values."""
        self.fill(self.camera)

    def fill(self, camera: CameraResponse | Levels) -> None:
        """Set clipped values to white in `ldr`, by the rule for a camera or, without a response, by the rule itself.

        White is 254 in images of a stack.
        """
        rule = rule_for(self.rule, camera) if isinstance(camera, CameraResponse) else self.rule
        self.clipped = clipped_values(self.stored, rule)
        self.ldr = self.stored if self.rule is None else fill_clipped(self.stored, self.clipped)
        if "floor254" in (camera, getattr(camera, "levels", None)):
            self.clipped |= self.stored == WHITE

    def finish(self, radiance: Radiance, stack: Stack | None, camera: CameraResponse) -> Prediction:
        """Limit light of doubtful values in place; the result."""
        for rows in _bands(len(radiance)):
            limit_doubtful(radiance[rows], self.stored[rows], self.clipped[rows])
        return Prediction(radiance, stack, camera, self.clipped)

    def finish_exposed(self, radiance: Radiance, camera: CameraResponse) -> Prediction:
        """Return the result, with a stack, if requested, that is the light exposed again."""
        made = self.finish(radiance, None, camera)
        if not self.keep_stack:
            return made
        return replace(made, stack=_levels(expose_again(radiance, to_ldr(self.ldr), HALF_STOPS, camera)))


class Predictor(ABC):
    """A network that predicts the light of photographs."""

    @abstractmethod
    def check(self, origin: Origin, keep_stack: bool) -> None:
        """Raise ValueError if it makes no light from `origin`, or no stack on the way."""

    def evidence(self, ldr: Photograph) -> Evidence:
        """Return the evidence for the camera response of one photograph; ValueError if the network gives none."""
        raise ValueError("--same-camera: these weights predict no light by level; expected weights of 'lightunet'")

    @abstractmethod
    def predict(self, shot: Shot) -> Prediction:
        """Reconstruct one photograph."""


class _Whole(Predictor):
    """A network that takes the whole photograph at once."""

    network: RadianceNetwork

    def check(self, origin: Origin, keep_stack: bool) -> None:
        if origin != "stack":
            raise ValueError(f"from {origin!r}: {self.network.config.variant} does not estimate X; expected 'stack'")


class LightPredictor(_Whole):
    """Predict light at a working size; it reads the camera response, and estimates one that is not known."""

    def __init__(self, network: LightUNet):
        """Take a network in evaluation mode."""
        self.network: LightUNet = network

    def evidence(self, ldr: Photograph) -> Evidence:
        return Evidence.of(*see_photograph(self.network, ldr, None))

    def predict(self, shot: Shot) -> Prediction:
        stops, camera = look_from_afar(self.network, shot.ldr, shot.camera, shot.device)
        if camera is not shot.camera:
            shot.fill(camera)
        radiance = enlarge(stops, shot.ldr.shape[:2])  # which becomes it, band by band: 12 bytes a pixel, once
        for rows in _bands(len(radiance)):
            radiance[rows] = keep_levels(to_ldr(shot.ldr[rows]), np.exp2(radiance[rows]), camera)
        return shot.finish_exposed(radiance, camera)


class RadiancePredictor(_Whole):
    """Predict radiance of the photograph as it is, from which a response is estimated."""

    def __init__(self, network: RadianceNetwork):
        """Take a network in evaluation mode."""
        self.network = network

    def predict(self, shot: Shot) -> Prediction:
        photograph = to_ldr(shot.ldr)
        batch = torch.from_numpy(photograph).permute(2, 0, 1)[None].to(next(self.network.parameters()).device)
        (estimate,) = to_pictures(self.network(batch))
        camera = response_of(photograph, estimate, shot.camera, shot.device)
        return shot.finish_exposed(keep_levels(photograph, estimate, camera), camera)


class ExposurePredictor(Predictor):
    """Estimate X and, of it, eight more exposures, which are merged, tile by tile."""

    def __init__(self, subnetworks: tuple[Subnetwork, ...], tile: int | None):
        """Take N1, N2 and N3, and the side of a tile in pixels; 0: the whole photograph; None: by memory."""
        self.subnetworks, self.tile = subnetworks, tile

    def check(self, origin: Origin, keep_stack: bool) -> None:
        if origin == "irradiance" and keep_stack:
            raise ValueError("from 'irradiance' no stack is made; expected from 'stack'")

    def predict(self, shot: Shot) -> Prediction:
        frame = Frame(shot.ldr)
        tiles = choose_tiles(self.subnetworks, frame, self.tile)
        if shot.origin == "irradiance":
            return shot.finish(*self._radiance_of_x(frame, tiles, shot))
        exposure = self._estimate(frame, tiles, lambda share: shot.progress(share / 8))
        camera = response_of(to_ldr(sparse(shot.ldr)), sparse(exposure.picture), shot.camera, shot.device)
        return shot.finish(*self._merge_tiles(frame, exposure, tiles, shot, camera))

    def _merge_tiles(
        self, frame: Frame, exposure: Frame, tiles: Sequence[Box], shot: Shot, camera: CameraResponse
    ) -> tuple[Radiance, Stack | None, CameraResponse]:
        _, up, down = self.subnetworks
        makers = [(up if ev > 0 else down, 2.0**ev) for ev in HALF_STOPS]
        deeps = [None if ratio == 1 else maker.look(exposure, tiles, ratio) for maker, ratio in makers]
        stack = np.empty((len(HALF_STOPS), *shot.ldr.shape), np.uint8) if shot.keep_stack else None
        radiance = _Successor(exposure.picture, max(maker.margin or 0 for maker in (up, down)))
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for number, box in enumerate(tiles, start=1):
                rows, columns = frame.kept(box).pixels
                photograph = to_ldr(shot.ldr[rows, columns])
                if stack is None and not has_white(photograph, camera):
                    radiance.put(rows, columns, own_light(photograph, camera))
                    continue
                made = np.empty((len(HALF_STOPS), *photograph.shape), np.float32)
                for place, ((maker, ratio), deep) in enumerate(zip(makers, deeps, strict=True)):
                    made[place] = photograph if ratio == 1 else run_tile(maker, exposure, box, deep, ratio).clip(0, 1)
                radiance.put(rows, columns, _merge(made, camera, pool))
                if stack is not None:
                    stack[:, rows, columns] = _levels(made)
                shot.progress((1 + 7 * number / len(tiles)) / 8)
        return radiance.finished(), stack, camera

    def _estimate(self, frame: Frame, tiles: Sequence[Box], progress: Progress) -> Frame:
        """X of a photograph."""
        estimate = self.subnetworks[0]
        deep = estimate.look(frame, tiles, 1.0)
        exposure = np.empty(frame.picture.shape, np.float32)
        for number, box in enumerate(tiles, start=1):
            exposure[*frame.kept(box).pixels] = run_tile(estimate, frame, box, deep)
            progress(number / len(tiles))
        return Frame(exposure)

    def _radiance_of_x(self, frame: Frame, tiles: Sequence[Box], shot: Shot) -> tuple[Radiance, None, CameraResponse]:
        exposure = self._estimate(frame, tiles, shot.progress).picture
        camera = response_of(to_ldr(sparse(frame.picture)), sparse(exposure), shot.camera, shot.device)
        stated, estimated = 0.0, 0.0  # light of values that are neither white nor black, by the photograph and by X
        for rows in _bands(len(exposure)):
            ldr = to_ldr(frame.picture[rows])
            inner = (ldr > 0) & (ldr < np.float32(camera.clips))
            stated += float(look_up_exposure(ldr, camera)[inner].sum(dtype=np.float64))
            estimated += float(exposure[rows][inner].sum(dtype=np.float64))
        gain = np.float32(stated / estimated if estimated > 0 and stated > 0 else 1.0)
        for rows in _bands(len(exposure)):
            ldr = to_ldr(frame.picture[rows])
            exposure[rows] = keep_levels(ldr, exposure[rows] * gain, camera)
        return exposure, None, camera


def predictor_of(
    network: Network | Sequence[Subnetwork], device: torch.device, precision: str, tile: int | None
) -> Predictor:
    """Return what predicts with a network, on a device: by what its variant `reads`.

    Args:
        network: a network of any variant, or its N1, N2 and N3 as another program runs them.
        precision: of the features, one of `PRECISIONS`; only HDR-AttNet in this process has others than "fp32".
        tile: side of a tile in pixels; 0: the whole photograph; None: by memory.

    Raises:
        ValueError: if the network has no such precision.
    """
    if isinstance(network, HDRAttNet):
        return ExposurePredictor(subnetworks_of(network, device, PRECISIONS[precision]), tile)
    if precision != "fp32":
        raise ValueError(f"precision {precision!r}: this network only supports 'fp32'")
    if isinstance(network, RadianceNetwork):
        ways: dict[str, Any] = {"light": LightPredictor, "radiance": RadiancePredictor}
        return ways[variant_of(network).reads](network.to(device).eval())
    return ExposurePredictor(tuple(network), tile)


def _bands(height: int) -> Iterator[slice]:
    return row_bands(height, 1, 256)


def has_white(photograph: Photograph | Radiance, camera: CameraResponse) -> bool:
    """Return whether a value of a photograph is one that the camera gives clipped light."""
    return bool((to_ldr(photograph.max(keepdims=True)) >= np.float32(camera.clips)).any())


def own_light(photograph: Photograph | Radiance, camera: CameraResponse) -> Radiance:
    """Return the light of a photograph without clipped pixels, which needs no network."""
    radiance = np.empty(photograph.shape, np.float32)
    for rows in _bands(len(photograph)):
        ldr = to_ldr(photograph[rows])
        radiance[rows] = keep_levels(ldr, ldr, camera)
    return radiance


def _merge(
    stack: Float32[np.ndarray, "exposures rows columns 3"], camera: CameraResponse, pool: ThreadPoolExecutor
) -> Radiance:
    bands = np.array_split(stack, min(stack.shape[1], 8), axis=1)
    return np.concatenate(list(pool.map(lambda band: merge_generated(band, HALF_STOPS, camera)[0], bands)))


class _Successor:
    """Picture that replaces its own source in memory, tile by tile; saves 12 bytes a pixel.

    Args:
        picture: read by later tiles, at most `margin` rows above them.
    """

    def __init__(self, picture: Radiance, margin: int):
        self.picture, self.margin = picture, margin
        self.waiting: deque[tuple[slice, slice, Radiance]] = deque()

    def put(self, rows: slice, columns: slice, tile: Radiance) -> None:
        """A tile, of those that come row by row."""
        while self.waiting and self.waiting[0][0].stop <= rows.start - self.margin:
            self._write()
        self.waiting.append((rows, columns, tile))

    def finished(self) -> Radiance:
        """The picture, once all tiles have come."""
        while self.waiting:
            self._write()
        return self.picture

    def _write(self) -> None:
        rows, columns, tile = self.waiting.popleft()
        self.picture[rows, columns] = tile


def _levels(stack: Float32[np.ndarray, "exposures height width 3"]) -> Stack:
    return np.rint(stack * 255).astype(np.uint8)

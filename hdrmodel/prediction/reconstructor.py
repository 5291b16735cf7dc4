"""Make the radiance map of anyone's photograph, of any size."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from hdrdata.cameras.clipping import Clipped, ClipRule, clipped_values, fill_clipped, limit_doubtful, rule_for
from hdrdata.cameras.crf import WHITE, CameraResponse, Levels, Quantise, srgb_crf
from hdrdata.cameras.curves.file_kinds import UNKNOWN_DEVICE, Device
from hdrdata.cameras.merge import keep_levels, look_up_exposure
from hdrdata.cameras.recipe import HALF_STOPS
from hdrdata.files.bands import row_bands
from hdrmodel.networks.batches import Photograph, to_ldr, to_pictures
from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.hdr_attnet import HDRAttNet
from hdrmodel.networks.light_photograph import enlarge, see_photograph
from hdrmodel.networks.light_unet import LightUNet
from hdrmodel.networks.radiance_network import RadianceNetwork
from hdrmodel.networks.variants import Network
from hdrmodel.reconstruction.export import load_network
from hdrmodel.reconstruction.posterior import Evidence
from hdrmodel.reconstruction.reconstruct import expose_again, merge_generated
from hdrmodel.reconstruction.response import look_from_afar, response_of, sparse
from hdrmodel.reconstruction.tiles import (
    Box,
    Frame,
    Subnetwork,
    choose_tiles,
    run_tile,
    subnetworks_of,
)

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
        self.tile, self.wrap = tile, wrap
        self._baseline: Any = None
        self._subnetworks: tuple[Subnetwork, ...] = ()
        if isinstance(network, HDRAttNet):
            self._subnetworks = subnetworks_of(network, self.device, PRECISIONS[precision])
            return
        if precision != "fp32":
            raise ValueError(f"precision {precision!r}: this network only supports 'fp32'")
        if isinstance(network, RadianceNetwork):
            self._baseline = network.to(self.device).eval()
        else:
            self._subnetworks = tuple(network)

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
        if self._baseline is not None and origin != "stack":
            raise ValueError(f"from {origin!r}: {self._baseline.config.baseline} does not estimate X; expected 'stack'")
        if origin == "irradiance" and keep_stack:
            raise ValueError("from 'irradiance' no stack is made; expected from 'stack'")

    def __call__(self, ldr: Photograph, origin: Origin = "stack") -> Radiance:
        """The radiance map of one RGB photograph of any size: linear, >= 0; 1 is what saturates the photograph."""
        return self.predict(ldr, origin).radiance

    def _camera(self, ldr: Photograph, crf: CameraResponse | Literal["auto"]) -> CameraResponse | Levels:
        levels = levels_of(ldr, self.quantise)
        return levels if crf == "auto" else replace(crf, levels=levels)

    def evidence(self, ldr: Photograph) -> Evidence:
        """Return the evidence for the camera response of one photograph; ValueError if the network gives none."""
        if not isinstance(self._baseline, LightUNet):
            raise ValueError("--same-camera: these weights predict no light by level; expected weights of 'lightunet'")
        return Evidence.of(*see_photograph(self._baseline, ldr, None))

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
        if not self.wrap:
            return self._predict(ldr, origin, keep_stack, progress, rule, crf, source)
        side = max(ldr.shape[1] // 4, 1)  # of what lies beyond each border
        around = np.concatenate([ldr[:, -side:], ldr, ldr[:, :side]], axis=1)
        made = self._predict(around, origin, keep_stack, progress, rule, crf, source)
        inner = slice(side, side + ldr.shape[1])
        stack = None if made.stack is None else made.stack[:, :, inner]
        clipped = None if made.clipped is None else made.clipped[:, inner]
        return replace(made, radiance=np.ascontiguousarray(made.radiance[:, inner]), stack=stack, clipped=clipped)

    def _predict(
        self,
        ldr: Photograph,
        origin: Origin,
        keep_stack: bool,
        progress: Progress,
        rule: ClipRule | None,
        crf: CameraResponse | Literal["auto"] | None,
        source: Device,
    ) -> Prediction:
        camera, stored = self._camera(ldr, crf or self.crf), ldr
        ldr, clipped = _filled(stored, rule, camera)
        if isinstance(camera, CameraResponse) and not keep_stack and not _has_white(ldr, camera):
            return Prediction(_own_light(ldr, camera), None, camera, clipped)
        if isinstance(self._baseline, LightUNet):
            stops, found = look_from_afar(self._baseline, ldr, camera, source)
            if rule is not None and found is not camera:
                ldr, clipped = _filled(stored, rule, found)
            radiance = enlarge(stops, ldr.shape[:2])  # which becomes it, band by band: 12 bytes a pixel, once
            for rows in _bands(len(ldr)):
                radiance[rows] = keep_levels(to_ldr(ldr[rows]), np.exp2(radiance[rows]), found)
                limit_doubtful(radiance[rows], stored[rows], clipped[rows])
            return Prediction(radiance, _stack_of(radiance, ldr, found) if keep_stack else None, found, clipped)
        if self._baseline is not None:
            photograph = to_ldr(ldr)
            batch = torch.from_numpy(photograph).permute(2, 0, 1)[None].to(self.device)
            (estimate,) = to_pictures(self._baseline(batch))
            camera = response_of(photograph, estimate, camera, source)
            radiance = keep_levels(photograph, estimate, camera)
            limit_doubtful(radiance, stored, clipped)
            return Prediction(radiance, _stack_of(radiance, ldr, camera) if keep_stack else None, camera, clipped)
        frame = Frame(ldr)
        tiles = choose_tiles(self._subnetworks, frame, self.tile)
        if origin == "irradiance":
            light, _, camera = self._radiance_of_x(frame, tiles, camera, progress, source)
            limit_doubtful(light, stored, clipped)
            return Prediction(light, None, camera, clipped)
        exposure = self._estimate(frame, tiles, lambda share: progress(share / 8))
        camera = response_of(to_ldr(sparse(ldr)), sparse(exposure.picture), camera, source)
        _, up, down = self._subnetworks
        makers = [(up if ev > 0 else down, 2.0**ev) for ev in HALF_STOPS]
        deeps = [None if ratio == 1 else maker.look(exposure, tiles, ratio) for maker, ratio in makers]
        stack = np.empty((len(HALF_STOPS), *ldr.shape), np.uint8) if keep_stack else None
        radiance = _Successor(exposure.picture, max(maker.margin or 0 for maker in (up, down)))
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for number, box in enumerate(tiles, start=1):
                rows, columns = frame.kept(box).pixels
                photograph = to_ldr(ldr[rows, columns])
                if stack is None and not _has_white(photograph, camera):
                    radiance.put(rows, columns, _own_light(photograph, camera))
                    continue
                made = np.empty((len(HALF_STOPS), *photograph.shape), np.float32)
                for place, ((maker, ratio), deep) in enumerate(zip(makers, deeps, strict=True)):
                    made[place] = photograph if ratio == 1 else run_tile(maker, exposure, box, deep, ratio).clip(0, 1)
                radiance.put(rows, columns, _merge(made, camera, pool))
                if stack is not None:
                    stack[:, rows, columns] = _levels(made)
                progress((1 + 7 * number / len(tiles)) / 8)
        light = radiance.finished()
        limit_doubtful(light, stored, clipped)
        return Prediction(light, stack, camera, clipped)

    def _estimate(self, frame: Frame, tiles: Sequence[Box], progress: Progress) -> Frame:
        """X of a photograph."""
        estimate = self._subnetworks[0]
        deep = estimate.look(frame, tiles, 1.0)
        exposure = np.empty(frame.picture.shape, np.float32)
        for number, box in enumerate(tiles, start=1):
            exposure[*frame.kept(box).pixels] = run_tile(estimate, frame, box, deep)
            progress(number / len(tiles))
        return Frame(exposure)

    def _radiance_of_x(
        self,
        frame: Frame,
        tiles: Sequence[Box],
        camera: CameraResponse | Levels,
        progress: Progress,
        source: Device,
    ) -> tuple[Radiance, None, CameraResponse]:
        exposure = self._estimate(frame, tiles, progress).picture
        camera = response_of(to_ldr(sparse(frame.picture)), sparse(exposure), camera, source)
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


def levels_of(ldr: Photograph, quantise: Quantise | None = None) -> Levels:
    """Return how a photograph's levels were rounded; by default, 8 bits that end at 254 are from a stack."""
    if ldr.dtype == np.uint16:
        return "round65535"
    return quantise or ("floor254" if ldr.max() == WHITE else "round255")


def _filled(ldr: Photograph, rule: ClipRule | None, camera: CameraResponse | Levels) -> tuple[Photograph, Clipped]:
    """Return a photograph with its clipped values at white, and which they are; by the rule itself without a response.

    White is 254 in images of a stack.
    """
    clipped = clipped_values(ldr, rule_for(rule, camera) if isinstance(camera, CameraResponse) else rule)
    filled = ldr if rule is None else fill_clipped(ldr, clipped)
    if "floor254" in (camera, getattr(camera, "levels", None)):
        clipped |= ldr == WHITE
    return filled, clipped


def _stack_of(radiance: Radiance, ldr: Photograph, camera: CameraResponse) -> Stack:
    return _levels(expose_again(radiance, to_ldr(ldr), HALF_STOPS, camera))


def _bands(height: int) -> Iterator[slice]:
    return row_bands(height, 1, 256)


def _has_white(photograph: Photograph | Radiance, camera: CameraResponse) -> bool:
    return bool((to_ldr(photograph.max(keepdims=True)) >= np.float32(camera.clips)).any())


def _own_light(photograph: Photograph | Radiance, camera: CameraResponse) -> Radiance:
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

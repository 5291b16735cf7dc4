"""Light by a light U-Net: of a photograph whose camera response is known, or estimated from the photograph itself."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from scipy.optimize import nnls

from hdrdata.cameras.crf import CameraResponse, Levels, gamma_crf, sampled_crf, sigmoid_crf, srgb_crf
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import keep_levels, look_up_exposure
from hdrmodel.networks.baselines.light_unet import LightUNet
from hdrmodel.networks.batches import Photograph, to_ldr

LEVELS = 256
WORKING_SIDE = 384  # pixels: what is larger, by its shorter side, is seen as small as this; context counts, not detail
CLIPS = np.float32(WHITE / 255)
LEAST_STEP = np.log2(1 + 2.0**-9)  # stops between levels of an estimated response: two half floats, so that they rise
ENOUGH = 1000  # values of a level, beyond which more tell no more
DARKEST = -13.0  # stops, where half floats still have all their digits

Ldr = Float32[np.ndarray, "height width 3"]  # [0, 1]
Clipped = Bool[np.ndarray, "height width 3"]
Light = Float32[np.ndarray, "height width 3"]  # linear, >= 0; 1 is what saturates
Stops = Float32[np.ndarray, "small_height small_width 3"]  # log2 of light, at the size that the network looks at


def light_of_photograph(network: LightUNet, ldr: Ldr, crf: CameraResponse | Levels) -> Light:
    """The photograph's own light, and where it is white the network's (`hdrdata.cameras.merge.keep_levels`).

    Args:
        network: in evaluation mode.
        ldr: a photograph in [0, 1] of any size.
        crf: its camera response; or how its levels were made, and the response is estimated from the photograph.
    """
    estimate, crf = look_at_photograph(network, ldr, crf)
    return keep_levels(ldr, estimate, crf)


def look_at_photograph(network: LightUNet, ldr: Ldr, crf: CameraResponse | Levels) -> tuple[Light, CameraResponse]:
    """The light that a network sees in a photograph, and the camera response, estimated where it is not known.

    Of what does not clip it tells nothing where the response is known: it learned nothing of that.
    """
    stops, crf = look_from_afar(network, ldr, crf)
    return np.exp2(enlarge(stops, ldr.shape[:2])), crf


def look_from_afar(
    network: LightUNet, photograph: Ldr | Photograph, crf: CameraResponse | Levels
) -> tuple[Stops, CameraResponse]:
    """As `look_at_photograph`, but log2 of the light, at the size that the network looks at.

    Args:
        photograph: LDR values, or levels of 8 or 16 bits.
    """
    clipped = _small(photograph, lambda ldr: (ldr >= CLIPS).astype(np.float32)) > 0.5
    if isinstance(crf, CameraResponse):
        own = _small(photograph, lambda ldr: np.minimum(look_up_exposure(ldr, crf), 1))
        return predict_stops(network, srgb_crf()(own).astype(np.float32), clipped, told=True), crf
    picture = _small(photograph, lambda ldr: ldr)
    stops = predict_stops(network, picture, clipped, told=False)
    return stops, estimate_response(picture, clipped, stops, crf)


def enlarge(stops: Stops, size: tuple[int, int]) -> Light:
    """Bring what the network saw to the photograph's height and width."""
    return stops if stops.shape[:2] == size else cv2.resize(stops, size[::-1], interpolation=cv2.INTER_LINEAR)


def _small(photograph: Ldr | Photograph, of: Callable[[np.ndarray], np.ndarray]) -> Stops:
    """What is made of LDR values, at most `WORKING_SIDE` pixels along the shorter side, shrunk by area.

    A channel at a time: a large photograph is never held as floats.
    """
    height, width = photograph.shape[:2]
    scale = WORKING_SIDE / min(height, width)
    if scale >= 1:
        return of(to_ldr(photograph))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    channels = (np.ascontiguousarray(of(to_ldr(photograph[:, :, channel]))) for channel in range(3))
    return np.stack([cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in channels], axis=2)


@torch.inference_mode()
def predict_stops(network: LightUNet, picture: Ldr, clipped: Clipped, told: bool) -> Light:
    """log2 of light by the network (`LightUNet.stops`) of one picture."""
    device = network.head.weight.device
    batch = [torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None].to(device) for x in (picture, clipped)]
    return network.stops(*batch, torch.tensor([float(told)], device=device))[0].permute(1, 2, 0).cpu().numpy()


@cache
def _families(made: Levels) -> tuple[Float64[np.ndarray, " levels"], Float64[np.ndarray, "levels curves"]]:
    """Middles of the levels 1 to 253, and there inverse responses: sRGB's, gamma curves, sigmoids; no camera's own."""
    middles = (np.arange(1, WHITE) + (0.5 if made == "floor254" else 0.0)) / 255
    gammas = [gamma_crf("gamma", exponent) for exponent in (1 / 2.8, 1 / 2.2, 1 / 1.8, 0.7, 1.0, 1.5)]
    sigmoids = [sigmoid_crf("sigmoid", n, sigma) for n in (0.7, 0.9, 1.1) for sigma in (0.3, 0.6, 1.0)]
    return middles, np.stack([crf.inverse(middles) for crf in (srgb_crf(), *gammas, *sigmoids)], axis=1)


def estimate_response(ldr: Ldr, clipped: Clipped, stops: Light, made: Levels) -> CameraResponse:
    """The camera response that gives each level 2 to the mean log2 light of its unclipped values, as nearly as may be.

    The inverse response is the mixture of curves (of `_families`, with weights from 0 on that sum up to 1; the space of
    responses is convex, Grossberg and Nayar, CVPR 2003) of the least squared relative error, weighted by how many
    values have the level, up to `ENOUGH`. White is 1. One curve for the three channels, which rises by `LEAST_STEP`.

    Args:
        ldr: the photograph, [0, 1].
        clipped: its clipped values, which tell nothing of it.
        stops: log2 of its light as the network tells it, 0 what clips.
        made: how its levels were made.
    """
    unclipped = ~clipped
    levels = np.rint(ldr[unclipped] * 255).astype(np.int64)
    counts, sums = (
        np.bincount(levels, weights, minlength=LEVELS)[1:WHITE] for weights in (None, stops[unclipped].astype(float))
    )
    seen = np.flatnonzero(counts)
    middles, families = _families(made)
    light = families[:, 0]  # sRGB's, where nothing tells
    if seen.size:
        weights = np.sqrt(np.minimum(counts[seen], ENOUGH)) / np.exp2(sums[seen] / counts[seen])
        one = 1e3 * weights.max()  # so heavy that the sum is 1
        rows = np.vstack([families[seen] * weights[:, None], np.full(families.shape[1], one)])
        wanted = np.append(np.sqrt(np.minimum(counts[seen], ENOUGH)), one)
        light = families @ nnls(rows, wanted)[0]
    level = np.arange(1, WHITE)
    steps = LEAST_STEP * level
    rising = np.maximum.accumulate(np.maximum(np.log2(light), DARKEST) - steps) + steps
    exposures = np.exp2(np.minimum(rising, -LEAST_STEP * (WHITE - level)))
    response = sampled_crf("estimated", np.r_[0.0, exposures, 1.0], np.r_[0.0, middles, 1.0])
    return replace(response, levels=made)

"""Light by a light U-Net: of a photograph whose camera response is known, or estimated from the photograph itself."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32
from scipy.optimize import isotonic_regression

from hdrdata.cameras.crf import CameraResponse, Levels, sampled_crf, srgb_crf
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import keep_levels, look_up_exposure
from hdrmodel.networks.baselines.light_unet import LightUNet

LEVELS = 256
WORKING_SIDE = 384  # pixels: what is larger, by its shorter side, is seen as small as this; context counts, not detail
CLIPS = np.float32(WHITE / 255)
LEAST_STEP = np.log2(1 + 2.0**-9)  # stops between levels of an estimated response: two half floats, so that they rise
DARKEST = -13.0  # stops, where half floats still have all their digits

Ldr = Float32[np.ndarray, "height width 3"]  # [0, 1]
Clipped = Bool[np.ndarray, "height width 3"]
Light = Float32[np.ndarray, "height width 3"]  # linear, >= 0; 1 is what saturates


def light_of_photograph(network: LightUNet, ldr: Ldr, crf: CameraResponse | Levels) -> Light:
    """The photograph's own light, and where it is white or black the network's (`hdrdata.cameras.merge.keep_levels`).

    Args:
        network: in evaluation mode.
        ldr: a photograph in [0, 1] of any size.
        crf: its camera response; or how its levels were made, and the response is estimated from the photograph.
    """
    estimate, crf = look_at_photograph(network, ldr, crf)
    return keep_levels(ldr, estimate, crf)


def look_at_photograph(network: LightUNet, ldr: Ldr, crf: CameraResponse | Levels) -> tuple[Light, CameraResponse]:
    """The light that a network sees in a photograph, and the camera response, estimated where it is not known.

    Where the response is known the network learned nothing of what does not clip: there it is the photograph's own.
    """
    height, width = ldr.shape[:2]
    small = _small((ldr >= CLIPS).astype(np.float32)) > 0.5
    own = None
    if isinstance(crf, CameraResponse):
        own = np.minimum(look_up_exposure(ldr, crf), 1)
        seen = srgb_crf()(_small(own)).astype(np.float32)
        stops = predict_stops(network, seen, small, told=True)
    else:
        picture = _small(ldr)
        stops = predict_stops(network, picture, small, told=False)
        crf = estimate_response(picture, small, stops, crf)
    if stops.shape != ldr.shape:
        stops = cv2.resize(stops, (width, height), interpolation=cv2.INTER_LINEAR)
    light = np.exp2(stops)
    return np.where(ldr >= CLIPS, np.maximum(light, 1), light if own is None else own), crf


def _small(picture: Ldr) -> Float32[np.ndarray, "small_height small_width 3"]:
    """What the network looks at: at most `WORKING_SIDE` pixels along the shorter side, shrunk by area."""
    height, width = picture.shape[:2]
    scale = WORKING_SIDE / min(height, width)
    if scale >= 1:
        return picture
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


@torch.inference_mode()
def predict_stops(network: LightUNet, picture: Ldr, clipped: Clipped, told: bool) -> Light:
    """log2 of light by the network (`LightUNet.stops`) of one picture."""
    device = network.head.weight.device
    batch = [torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None].to(device) for x in (picture, clipped)]
    return network.stops(*batch, torch.tensor([float(told)], device=device))[0].permute(1, 2, 0).cpu().numpy()


def estimate_response(ldr: Ldr, clipped: Clipped, stops: Light, made: Levels) -> CameraResponse:
    """The camera response by which each level has 2 to the mean log2 light of its unclipped values, made rising.

    Isotonic regression, weighted by how many values have the level, to curves that rise by `LEAST_STEP` a level; levels
    that do not occur lie between, linearly in log2, those below the darkest that does on a line to 0, and white is 1.
    One curve for the three channels.

    Args:
        ldr: the photograph, [0, 1].
        clipped: its clipped values, which tell nothing of it.
        stops: log2 of its light as the network tells it, 0 what clips.
        made: how its levels were made.
    """
    unclipped = ~clipped
    levels = np.rint(ldr[unclipped] * 255).astype(np.int64)
    counts = np.bincount(levels, minlength=LEVELS)
    seen = np.flatnonzero(counts)
    light = np.linspace(-8.0, 0.0, LEVELS)  # where nothing tells
    if seen.size:
        sums = np.bincount(levels, stops[unclipped].astype(np.float64), minlength=LEVELS)
        steps = LEAST_STEP * seen
        rising = isotonic_regression(sums[seen] / counts[seen] - steps, weights=counts[seen]).x + steps
        places, values = np.append(seen, WHITE), np.append(np.minimum(rising, -LEAST_STEP * (WHITE - seen)), 0.0)
        light = np.interp(np.arange(LEVELS), places, values)
        below = np.arange(1, max(seen[0], 1))
        light[below] += np.log2(below / max(seen[0], 1))
    level = np.arange(1, WHITE)
    exposures = np.exp2(np.maximum(light[level], DARKEST + LEAST_STEP * level))
    middles = (level + (0.5 if made == "floor254" else 0.0)) / 255
    response = sampled_crf("estimated", np.r_[0.0, exposures, 1.0], np.r_[0.0, middles, 1.0])
    return replace(response, levels=made)

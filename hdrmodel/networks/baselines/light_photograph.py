"""Light by a light U-Net: of a photograph whose camera response is known, or estimated from the photograph itself."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from scipy.optimize import isotonic_regression

from hdrdata.cameras.crf import CameraResponse, srgb_crf
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import look_up_exposure
from hdrmodel.networks.baselines.light_unet import LightUNet

LEVELS = 256
WORKING_SIDE = 384  # pixels: what is larger, by its shorter side, is seen as small as this; context counts, not detail
CLIPS = np.float32(WHITE / 255)

Ldr = Float32[np.ndarray, "height width 3"]  # [0, 1]
Clipped = Bool[np.ndarray, "height width 3"]
Light = Float32[np.ndarray, "height width 3"]  # linear, >= 0; 1 is what saturates


def light_of_photograph(network: LightUNet, ldr: Ldr, crf: CameraResponse | None) -> Light:
    """Unclipped values keep their own light, by the camera response; the network speaks for clipped ones, from 1 on.

    Args:
        network: in evaluation mode.
        ldr: a photograph in [0, 1] of any size.
        crf: its camera response; None: estimated from the photograph (`estimate_response`).
    """
    height, width = ldr.shape[:2]
    clipped = ldr >= CLIPS
    small = _small(clipped.astype(np.float32)) > 0.5
    if crf is None:
        picture = _small(ldr)
        stops = predict_stops(network, picture, small, told=False)
        levels = np.rint(ldr * 255).astype(np.uint8)
        own = estimate_response(picture, small, stops).astype(np.float32)[levels]
    else:
        own = look_up_exposure(ldr, crf)
        stops = predict_stops(network, srgb_crf()(_small(own)).astype(np.float32), small, told=True)
    if stops.shape != ldr.shape:
        stops = cv2.resize(stops, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(clipped, np.exp2(np.maximum(stops, 0.0)), np.minimum(own, 1.0)).astype(np.float32)


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


def estimate_response(ldr: Ldr, clipped: Clipped, stops: Light) -> Float64[np.ndarray, " 256"]:
    """The light of each level: 2 to the mean log2 light of its unclipped values, made rising.

    Isotonic regression, weighted by how many values have the level; levels that do not occur lie between, linearly in
    log2, and white is 1. One curve for the three channels.

    Args:
        ldr: the photograph, [0, 1].
        clipped: its clipped values, which tell nothing of it.
        stops: log2 of its light as the network tells it, 0 what clips.
    """
    unclipped = ~clipped
    levels = np.rint(ldr[unclipped] * 255).astype(np.int64)
    counts = np.bincount(levels, minlength=LEVELS)
    seen = np.flatnonzero(counts)
    curve = np.zeros(LEVELS)
    if seen.size:
        sums = np.bincount(levels, stops[unclipped].astype(np.float64), minlength=LEVELS)
        rising = isotonic_regression(sums[seen] / counts[seen], weights=counts[seen]).x
        places, values = np.append(seen, WHITE), np.append(np.minimum(rising, 0.0), 0.0)
        curve = np.interp(np.arange(LEVELS), places, values)
    return np.exp2(curve)

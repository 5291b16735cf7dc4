"""Input of a light U-Net for a photograph of any size, with the camera response known or unknown."""

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32

from hdrdata.cameras.crf import CameraResponse, srgb_crf
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import look_up_exposure
from hdrmodel.networks.batches import Photograph, to_ldr
from hdrmodel.networks.light_unet import LightUNet

WORKING_SIDE = 384  # pixels along the shorter side, at most, of the network's input: context counts, not detail
CLIPS = np.float32(WHITE / 255)

Ldr = Float32[np.ndarray, "height width 3"]  # [0, 1]
Clipped = Bool[np.ndarray, "height width 3"]
Light = Float32[np.ndarray, "height width 3"]  # linear, >= 0; 1 saturates
Stops = Float32[np.ndarray, "small_height small_width 3"]  # log2 of light, at the working size


class Sight(NamedTuple):
    """Input and output of the network, at the working size."""

    picture: Ldr  # the photograph, or its own light encoded by the curve of sRGB where the response is known
    clipped: Clipped
    stops: Stops


def see_photograph(network: Any, photograph: Ldr | Photograph, crf: CameraResponse | None) -> Sight:
    """Predict log2 of the light of a photograph.

    Args:
        network: in evaluation mode.
        photograph: LDR values, or levels of 8 or 16 bits.
        crf: the camera response; None: unknown. Where it is known, the network predicts only clipped pixels.
    """
    clipped = _small(photograph, lambda ldr: (ldr >= CLIPS).astype(np.float32)) > 0.5
    if crf is None:
        picture = _small(photograph, lambda ldr: ldr)
    else:
        own = _small(photograph, lambda ldr: np.minimum(look_up_exposure(ldr, crf), 1))
        picture = srgb_crf()(own).astype(np.float32)
    return Sight(picture, clipped, predict_stops(network, picture, clipped, response_known=crf is not None))


def enlarge(stops: Stops, size: tuple[int, int]) -> Light:
    """Resize a prediction to the height and width of the photograph."""
    return stops if stops.shape[:2] == size else cv2.resize(stops, size[::-1], interpolation=cv2.INTER_LINEAR)


@torch.inference_mode()
def predict_stops(network: LightUNet, picture: Ldr, clipped: Clipped, response_known: bool) -> Light:
    """Return log2 of light by `LightUNet.stops` of one picture."""
    device = network.head.weight.device
    batch = [torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None].to(device) for x in (picture, clipped)]
    known = torch.tensor([float(response_known)], device=device)
    return network.stops(batch[0], batch[1], known)[0].permute(1, 2, 0).cpu().numpy()


def _small(photograph: Ldr | Photograph, of: Callable[[np.ndarray], np.ndarray]) -> Stops:
    """Apply `of` to LDR values and shrink the result by area to `WORKING_SIDE` pixels along the shorter side.

    One channel at a time, so a large photograph is never held as floats.
    """
    height, width = photograph.shape[:2]
    scale = WORKING_SIDE / min(height, width)
    if scale >= 1:
        return of(to_ldr(photograph))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    channels = (np.ascontiguousarray(of(to_ldr(photograph[:, :, channel]))) for channel in range(3))
    return np.stack([cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in channels], axis=2)

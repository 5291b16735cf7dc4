"""From one LDR picture to its stack and to one radiance map, by any variant."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from hdrdata.cameras.crf import CameraResponse
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import look_up_exposure, merge_stack
from hdrmodel.networks.baselines.light_photograph import light_of_photograph
from hdrmodel.networks.baselines.light_unet import LightUNet
from hdrmodel.networks.batches import to_pictures
from hdrmodel.networks.hdr_attnet import HDRAttNet, Pictures, soft_mask
from hdrmodel.networks.variants import Network


@dataclass(frozen=True)
class Reconstruction:
    """What a network makes of one photograph."""

    stack: Float32[np.ndarray, "evs height width 3"]  # LDR [0, 1]; at EV 0 the photograph itself
    radiance: Float32[np.ndarray, "height width 3"]  # linear, >= 0; 1 is what saturates the photograph
    merged: Float32[np.ndarray, "height width 3"] | None  # a generated stack's own merge; a baseline generates none


@torch.no_grad()
def reconstruct(network: Network, ldr: Pictures, evs: tuple[float, ...], crf: CameraResponse) -> Reconstruction:
    """Reconstruct one photograph: HDR-AttNet makes a stack and merges it, a baseline radiance, which is exposed again.

    Args:
        network: in evaluation mode.
        ldr: one picture, (1, 3, height, width), [0, 1].
        evs: stops relative to the picture, rising, one of which is 0.
        crf: the photograph's camera response. A baseline is not told it: it only makes the stack of the radiance; but
            a light U-Net is, and speaks for clipped values alone.
    """
    if isinstance(network, HDRAttNet):
        stack = generate_stack(network, ldr, evs)
        return Reconstruction(stack, *merge_generated(stack, evs, crf))
    (photograph,) = to_pictures(ldr)
    if isinstance(network, LightUNet):
        radiance = light_of_photograph(network, photograph, crf)
    else:
        (radiance,) = to_pictures(network(ldr))
    return Reconstruction(expose_again(radiance, photograph, evs, crf), radiance, None)


def expose_again(
    radiance: Float32[np.ndarray, "height width 3"],
    photograph: Float32[np.ndarray, "height width 3"],
    evs: tuple[float, ...],
    crf: CameraResponse,
) -> Float32[np.ndarray, "evs height width 3"]:
    """Photograph a radiance map as the stacks are: floor(255 f(min(E 2^ev, 1))), and 254 where it saturates.

    Args:
        radiance: E, >= 0; 1 is what saturates the photograph.
        photograph: LDR [0, 1]: the picture at EV 0, as it is.

    Returns:
        LDR pictures [0, 1], in the order of `evs`.
    """
    stack = np.empty((len(evs), *radiance.shape), np.float32)
    for ldr, ev in zip(stack, evs, strict=True):
        levels = np.floor(255.0 * crf(np.minimum(radiance.astype(np.float64) * 2.0**ev, 1.0)))
        ldr[:] = photograph if ev == 0 else np.minimum(levels, WHITE) / 255.0
    return stack


@torch.no_grad()
def generate_stack(
    network: HDRAttNet, ldr: Pictures, evs: tuple[float, ...]
) -> Float32[np.ndarray, "evs height width 3"]:
    """Picture one LDR picture again at each exposure value; at EV 0 it is itself.

    X is estimated once. (HDR-AttNet, section 3; Le et al., WACV 2023: every exposure directly from X, not recursively.)

    Args:
        network: in evaluation mode.
        ldr: one picture, (1, 3, height, width), [0, 1].
        evs: stops relative to the picture.

    Returns:
        LDR pictures [0, 1], in the order of `evs`.
    """
    encoded = network.encode(ldr)
    pictures = [ldr if ev == 0 else network.expose(encoded, encoded.new_tensor([2.0**ev])) for ev in evs]
    return to_pictures(torch.cat(pictures).clamp(0, 1))


def merge_generated(
    stack: Float32[np.ndarray, "evs height width 3"], evs: tuple[float, ...], crf: CameraResponse
) -> tuple[Float32[np.ndarray, "height width 3"], Float32[np.ndarray, "height width 3"]]:
    """Merge a generated stack whose picture at EV 0 is the photograph itself.

    Args:
        stack: LDR pictures [0, 1], in rising `evs`, one of which is 0.
        crf: the photograph's camera response, which the network's pictures follow.

    Returns:
        E and E_merged (`hdrdata.cameras.merge.merge_stack`), of which `keep_well_exposed` makes E: radiance; 1 is what
        saturates the photograph.
    """
    merged = merge_stack(stack, np.exp2(evs), crf)
    return keep_well_exposed(stack[evs.index(0)], merged, crf), merged


def keep_well_exposed(
    photograph: Float32[np.ndarray, "height width 3"], light: Float32[np.ndarray, "height width 3"], crf: CameraResponse
) -> Float32[np.ndarray, "height width 3"]:
    """Take from an estimate what a photograph does not tell: E = m f^-1(I) + (1 - m) E_estimated.

    m, the `soft_mask`, says how well the photograph is exposed. What is guaranteed, whatever the estimate: a value that
    is not saturated, of a pixel with m = 1 (a luma from 0.05 to 0.95), is f^-1(I) itself; a value of a brighter pixel,
    and one that is saturated, is at least that.

    Args:
        photograph: I, LDR [0, 1].
        light: E_estimated, linear, >= 0; 1 is what saturates the photograph.
        crf: f, the photograph's camera response.
    """
    own = look_up_exposure(photograph, crf)
    mask = well_exposed(photograph)
    saturated = photograph >= np.float32(WHITE / 255)
    blended = np.where(saturated, light, mask * own + (1 - mask) * light)
    bright = saturated | (photograph.mean(axis=2, keepdims=True) > 0.5)  # of those with m < 1, not the black ones
    return np.where(bright, np.maximum(blended, own), blended)


def well_exposed(photograph: Float32[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width 1"]:
    """The `soft_mask` of an LDR picture [0, 1]."""
    return soft_mask(torch.from_numpy(photograph).permute(2, 0, 1)[None])[0, 0, :, :, None].numpy()

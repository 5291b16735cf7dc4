"""From one LDR picture to its stack and to one radiance map, by any variant."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32

from hdrdata.cameras.crf import CameraResponse, Levels
from hdrdata.cameras.merge import keep_levels, merge_stack
from hdrmodel.networks.baselines.light_photograph import CLIPS, estimate_response, look_at_photograph
from hdrmodel.networks.baselines.light_unet import LightUNet
from hdrmodel.networks.batches import to_pictures
from hdrmodel.networks.hdr_attnet import HDRAttNet, Pictures
from hdrmodel.networks.variants import Network

ENOUGH = 2**20  # pixels, to estimate a camera response


@dataclass(frozen=True)
class Reconstruction:
    """What a network makes of one photograph."""

    stack: Float32[np.ndarray, "evs height width 3"]  # LDR [0, 1]; at EV 0 the photograph itself
    radiance: Float32[np.ndarray, "height width 3"]  # linear, >= 0; 1 is what saturates the photograph
    merged: Float32[np.ndarray, "height width 3"] | None  # a generated stack's own merge; a baseline generates none


def reconstruct(
    network: Network, ldr: Pictures, evs: tuple[float, ...], crf: CameraResponse | Levels
) -> Reconstruction:
    """`reconstruct_by` one camera."""
    return reconstruct_by(network, ldr, evs, [crf])[0]


@torch.no_grad()
def reconstruct_by(
    network: Network, ldr: Pictures, evs: tuple[float, ...], crfs: Sequence[CameraResponse | Levels]
) -> list[Reconstruction]:
    """Reconstruct one photograph: HDR-AttNet makes a stack and merges it, a baseline radiance, which is exposed again.

    Of either only what the photograph does not tell is taken (`hdrdata.cameras.merge.keep_levels`).

    Args:
        network: in evaluation mode.
        ldr: one picture, (1, 3, height, width), [0, 1].
        evs: stops relative to the picture, rising, one of which is 0.
        crfs: camera responses that the photograph is taken to have, and one reconstruction each; or how its levels were
            made, and the response is estimated: by X of HDR-AttNet, by the light of a baseline. Only a light U-Net is
            told it.
    """
    (photograph,) = to_pictures(ldr)
    if isinstance(network, HDRAttNet):
        encoded = network.encode(ldr)
        stack = generate_stack(network, ldr, evs, encoded)
        cameras = [response_of(photograph, to_pictures(encoded)[0], crf) for crf in crfs]
        return [Reconstruction(stack, *merge_generated(stack, evs, camera)) for camera in cameras]
    if isinstance(network, LightUNet):
        looks = [look_at_photograph(network, photograph, crf) for crf in crfs]
    else:
        light = to_pictures(network(ldr))[0]
        looks = [(light, response_of(photograph, light, crf)) for crf in crfs]
    lights = [keep_levels(photograph, light, camera) for light, camera in looks]
    return [
        Reconstruction(expose_again(light, photograph, evs, camera), light, None)
        for light, (_, camera) in zip(lights, looks, strict=True)
    ]


def response_of(
    photograph: Float32[np.ndarray, "height width 3"],
    light: Float32[np.ndarray, "height width 3"],
    crf: CameraResponse | Levels,
) -> CameraResponse:
    """A camera response as it is; or, of how levels were made, the one that a network's light tells.

    By a `sparse` picture.

    Args:
        photograph: LDR [0, 1].
        light: what the network sees in it, linear.
    """
    if isinstance(crf, CameraResponse):
        return crf
    values = sparse(photograph)
    stops = np.log2(np.maximum(sparse(light), np.float32(2.0**-14)))
    return estimate_response(values, values >= CLIPS, stops, crf)


def sparse(picture: np.ndarray) -> np.ndarray:
    """At most about a million pixels of a picture, spread evenly."""
    step = math.ceil(math.sqrt(picture.shape[0] * picture.shape[1] / ENOUGH))
    return picture[::step, ::step]


def expose_again(
    radiance: Float[np.ndarray, "height width 3"],
    photograph: Float32[np.ndarray, "height width 3"],
    evs: tuple[float, ...],
    crf: CameraResponse,
) -> Float32[np.ndarray, "evs height width 3"]:
    """Photograph a radiance map by the same camera: as the stacks are floor(255 f(min(E 2^ev, 1))), or rounded.

    Args:
        radiance: E, >= 0; 1 is what saturates the photograph.
        photograph: LDR [0, 1]: the picture at EV 0, as it is.

    Returns:
        LDR pictures [0, 1], in the order of `evs`.
    """
    stack = np.empty((len(evs), *radiance.shape), np.float32)
    for ldr, ev in zip(stack, evs, strict=True):
        response = 255.0 * crf(np.minimum(radiance.astype(np.float64) * 2.0**ev, 1.0))
        levels = np.floor(response if crf.levels == "floor254" else response + 0.5)
        ldr[:] = photograph if ev == 0 else np.minimum(levels, min(crf.white, 255)) / 255.0
    return stack


@torch.no_grad()
def generate_stack(
    network: HDRAttNet, ldr: Pictures, evs: tuple[float, ...], encoded: Pictures | None = None
) -> Float32[np.ndarray, "evs height width 3"]:
    """Picture one LDR picture again at each exposure value; at EV 0 it is itself.

    X is estimated once. (HDR-AttNet, section 3; Le et al., WACV 2023: every exposure directly from X, not recursively.)

    Args:
        network: in evaluation mode.
        ldr: one picture, (1, 3, height, width), [0, 1].
        evs: stops relative to the picture.
        encoded: X, where it is known.

    Returns:
        LDR pictures [0, 1], in the order of `evs`.
    """
    encoded = network.encode(ldr) if encoded is None else encoded
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
        E and E_merged (`hdrdata.cameras.merge.merge_stack`), of which `keep_levels` makes E: radiance; 1 is what
        saturates the photograph.
    """
    merged = merge_stack(stack, np.exp2(evs), crf)
    return keep_levels(stack[evs.index(0)], merged, crf), merged

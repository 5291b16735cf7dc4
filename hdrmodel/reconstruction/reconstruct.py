"""From one LDR picture to its stack and to one radiance map, by any variant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32

from hdrdata.cameras.crf import CameraResponse, Levels
from hdrdata.cameras.merge import keep_levels, merge_stack
from hdrmodel.networks.batches import to_pictures
from hdrmodel.networks.hdr_attnet import HDRAttNet, Pictures
from hdrmodel.networks.variants import Network, variant_of
from hdrmodel.reconstruction.response import look_at_photograph, response_of


@dataclass(frozen=True)
class Reconstruction:
    """Result of a network for one photograph."""

    stack: Float32[np.ndarray, "evs height width 3"]  # LDR [0, 1]; at EV 0 the photograph itself
    radiance: Float32[np.ndarray, "height width 3"]  # linear, >= 0; 1 is what saturates the photograph
    merged: Float32[np.ndarray, "height width 3"] | None  # a generated stack's own merge; a baseline generates none


@torch.no_grad()
def reconstruct_by_responses(
    network: Network, ldr: Pictures, evs: tuple[float, ...], crfs: Sequence[CameraResponse | Levels]
) -> list[Reconstruction]:
    """Reconstruct one photograph as its variant `reads` it: generate exposures and merge them, or predict the light.

    Unclipped pixels keep the photograph's own light (`hdrdata.cameras.merge.keep_levels`).

    Args:
        network: in evaluation mode.
        ldr: one picture, (1, 3, height, width), [0, 1].
        evs: stops relative to the image, rising; one is 0.
        crfs: camera responses to assume, one reconstruction each; or how the levels were made, to estimate the response
            from the network's light. A known response is an input of variants that read "light" only.
    """
    return READERS[variant_of(network).reads](network, ldr, evs, crfs)


def _generate_exposures(network, ldr, evs, crfs) -> list[Reconstruction]:
    (photograph,) = to_pictures(ldr)
    encoded = network.encode(ldr)
    stack = generate_stack(network, ldr, evs, encoded)
    cameras = [response_of(photograph, to_pictures(encoded)[0], crf) for crf in crfs]
    return [Reconstruction(stack, *merge_generated(stack, evs, camera)) for camera in cameras]


def _predict_radiance(network, ldr, evs, crfs) -> list[Reconstruction]:
    (photograph,), (light,) = to_pictures(ldr), to_pictures(network(ldr))
    return [_expose(photograph, light, evs, response_of(photograph, light, crf)) for crf in crfs]


def _predict_light(network, ldr, evs, crfs) -> list[Reconstruction]:
    (photograph,) = to_pictures(ldr)
    looks = [look_at_photograph(network, photograph, crf) for crf in crfs]
    return [_expose(photograph, light, evs, camera) for light, camera in looks]


def _expose(photograph, light, evs, camera) -> Reconstruction:
    radiance = keep_levels(photograph, light, camera)
    return Reconstruction(expose_again(radiance, photograph, evs, camera), radiance, None)


READERS = {"exposures": _generate_exposures, "radiance": _predict_radiance, "light": _predict_light}


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
    for place, ev in enumerate(evs):
        response = 255.0 * crf(np.minimum(radiance.astype(np.float64) * 2.0**ev, 1.0))
        levels = np.floor(response if crf.levels == "floor254" else response + 0.5)
        stack[place] = photograph if ev == 0 else np.minimum(levels, min(crf.white, 255)) / 255.0
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
        stack: LDR images [0, 1], in rising `evs`; one is 0.
        crf: the photograph's camera response, which the network's pictures follow.

    Returns:
        E and E_merged: radiance, where 1 saturates the photograph. E_merged comes from
        `hdrdata.cameras.merge.merge_stack`, and `keep_levels` makes E from it.
    """
    merged = merge_stack(stack, np.exp2(evs), crf)
    return keep_levels(stack[evs.index(0)], merged, crf), merged

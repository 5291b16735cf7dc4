"""From one LDR picture to its stack and to one radiance map."""

import numpy as np
import torch
from jaxtyping import Float32

from hdrdata.crf import CameraResponse
from hdrdata.exposure import WHITE
from hdrdata.merge import linearise, merge_stack
from hdrmodel.batches import to_pictures
from hdrmodel.network import HDRAttNet, Pictures, soft_mask

HALF_STOPS = tuple(ev / 2 for ev in range(-4, 5))  # the stack that the network was made for


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
) -> Float32[np.ndarray, "height width 3"]:
    """Merge a generated stack whose picture at EV 0 is the photograph itself.

    E = m f^-1(I) + (1 - m) E_merged, where E_merged is Debevec and Malik's (`hdrdata.merge.merge_stack`) and m, the
    `soft_mask`, says how well the photograph is exposed: pixels with m = 1 keep its linearised value to float rounding.
    A saturated channel has m = 0 and is at least as bright as what saturates it.

    Args:
        stack: LDR pictures [0, 1], in rising `evs`, one of which is 0.
        crf: the photograph's camera response, which the network's pictures follow.

    Returns:
        radiance; 1 is what saturates the photograph.
    """
    photograph = stack[evs.index(0)]
    own = linearise(photograph, crf)
    merged = merge_stack(stack, np.exp2(evs), crf)
    mask = soft_mask(torch.from_numpy(np.ascontiguousarray(photograph.transpose(2, 0, 1)))[None])
    blended = mask[0, 0].numpy()[:, :, None] * (own - merged) + merged
    saturated = photograph >= np.float32(WHITE / 255)
    return np.where(saturated, np.maximum(merged, own), blended).astype(np.float32)

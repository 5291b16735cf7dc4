"""Validation of a network on whole images of the part val."""

from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.cameras.merge import keep_levels
from hdrdata.stream.shard_reader import Shards
from hdrmodel.metrics.display import psnr_ldr
from hdrmodel.networks.batches import to_batch, to_pictures
from hdrmodel.networks.hdr_attnet import Pictures
from hdrmodel.networks.light_photograph import enlarge, see_photograph
from hdrmodel.networks.variants import Network, variant_of
from hdrmodel.sampling.datasets import Stacks

PICTURE_HEIGHT = 96  # pixels of each exposure in the validation picture


@torch.no_grad()
def validate(
    network: Network, stacks: Stacks, count: int, device: torch.device
) -> tuple[dict[str, Any], UInt8[np.ndarray, "height width 3"]]:
    """Return the LDR PSNR over whole pictures: the middle exposure in, every other one against the truth.

    HDR-AttNet generates the other exposures; radiance is exposed by the look-up tables of the stack's own camera
    response, as the truth was. The views are spread evenly over the part, and the camera responses take turns.

    Args:
        count: stacks, at most.

    Returns:
        "psnr_ldr", the mean of all pictures' PSNR in dB, and "psnr_ldr_by_ev", the mean of each exposure;
        and a picture of the first stack: above what the network made of the middle exposure, below the truth.
    """
    shards = stacks.shards
    middle = shards.evs.index(0.0)
    others = [index for index in range(len(shards.evs)) if index != middle]
    was_training = network.training
    network.eval()
    values, picture = [], np.zeros((0, 0, 3), np.uint8)
    for place, view in enumerate(np.unique(np.linspace(0, len(stacks) - 1, min(count, len(stacks))).round())):
        crf = stacks.crfs[place % len(stacks.crfs)]
        truth = to_batch(stacks.stack(int(view), crf)).to(device)
        made = EXPOSURES[variant_of(network).reads](network, truth[middle : middle + 1], shards, crf, others)
        values.append(psnr_ldr(torch.cat(made), truth[others]))
        if place == 0:
            made.insert(middle, truth[middle : middle + 1])
            picture = np.concatenate([_strip(torch.cat(made)), _strip(truth)])
    network.train(was_training)
    psnr = torch.stack(values).mean(dim=0)  # by exposure
    by_ev = {f"{shards.evs[index]:g}": value for index, value in zip(others, psnr.tolist(), strict=True)}
    return {"psnr_ldr": float(psnr.mean()), "psnr_ldr_by_ev": by_ev}, picture


def _generated(network: Any, ldr: Pictures, shards: Shards, crf: str, wanted: list[int]) -> list[Pictures]:
    """Return the exposures that HDR-AttNet generates; one at a time, all at once would need eight times the memory."""
    middle = shards.exposures[shards.evs.index(0.0)]
    ratio = torch.tensor([shards.exposures[index] / middle for index in wanted], device=ldr.device)
    encoded = network.encode(ldr)
    return [network.expose(encoded, one).float().clamp(0, 1) for one in ratio.float().split(1)]


def _radiance(network: Network, ldr: Pictures, shards: Shards, crf: str, wanted: list[int]) -> list[Pictures]:
    (radiance,) = to_pictures(network(ldr))
    return _exposed(radiance, ldr.device, shards, crf, wanted)


def _light(network: Network, ldr: Pictures, shards: Shards, crf: str, wanted: list[int]) -> list[Pictures]:
    (photograph,) = to_pictures(ldr)
    response = shards.crf(crf)  # known: the truth is exposed by it
    stops = enlarge(see_photograph(network, photograph, response).stops, photograph.shape[:2])
    return _exposed(keep_levels(photograph, np.exp2(stops), response), ldr.device, shards, crf, wanted)


def _exposed(radiance: np.ndarray, device: torch.device, shards: Shards, crf: str, wanted: list[int]) -> list[Pictures]:
    """Expose radiance again by the tables of the shards, as the truth was."""
    stack = expose_view(half_bits(radiance.astype(np.float16)), shards.tables[crf][wanted])
    return list(to_batch(stack).to(device).split(1))


EXPOSURES = {"exposures": _generated, "radiance": _radiance, "light": _light}  # by `Variant.reads`


def _strip(stack: Float[Tensor, "exposures 3 height width"]) -> UInt8[np.ndarray, "strip_height strip_width 3"]:
    """A stack as one small picture, side by side."""
    levels = (to_pictures(stack) * 255).round().astype(np.uint8)
    width = max(round(levels.shape[2] * PICTURE_HEIGHT / levels.shape[1]), 1)
    small = [cv2.resize(each, (width, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA) for each in levels]
    return np.concatenate(small, axis=1)

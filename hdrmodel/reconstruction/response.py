"""The camera response of a photograph: as it is known, or estimated from what a network sees in the photograph."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import Float32, Float64
from scipy.optimize import nnls

from hdrdata.cameras.crf import CameraResponse, Levels, gamma_crf, sampled_crf, sigmoid_crf, srgb_crf
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import keep_levels
from hdrmodel.networks.batches import Photograph
from hdrmodel.networks.light_photograph import CLIPS, Clipped, Ldr, Light, Stops, enlarge, see_photograph
from hdrmodel.networks.light_unet import LightUNet

LEVELS = 256
LEAST_STEP = np.log2(1 + 2.0**-9)  # stops between levels of an estimated response: two half floats, so that they rise
ENOUGH = 1000  # values of a level; more add no information
DARKEST = -13.0  # stops, where half floats still have all their digits
MOST_PIXELS = 2**20  # of a photograph, to estimate its camera response


def light_of_photograph(network: LightUNet, ldr: Ldr, crf: CameraResponse | Levels) -> Light:
    """Return the photograph's own light, and the network's where it clips (`hdrdata.cameras.merge.keep_levels`).

    Args:
        network: in evaluation mode.
        ldr: a photograph in [0, 1] of any size.
        crf: its camera response; or how its levels were made, and the response is estimated from the photograph.
    """
    estimate, crf = look_at_photograph(network, ldr, crf)
    return keep_levels(ldr, estimate, crf)


def look_at_photograph(network: LightUNet, ldr: Ldr, crf: CameraResponse | Levels) -> tuple[Light, CameraResponse]:
    """Return the light that a network predicts, and the camera response, estimated where it is not known.

    The network has learned nothing about unclipped pixels where the response is known.
    """
    stops, crf = look_from_afar(network, ldr, crf)
    return np.exp2(enlarge(stops, ldr.shape[:2])), crf


def look_from_afar(
    network: LightUNet, photograph: Ldr | Photograph, crf: CameraResponse | Levels
) -> tuple[Stops, CameraResponse]:
    """Return log2 of the light at the working size, and the camera response; see `look_at_photograph`.

    Args:
        photograph: LDR values, or levels of 8 or 16 bits.
    """
    known = isinstance(crf, CameraResponse)
    picture, clipped, stops = see_photograph(network, photograph, crf if known else None)
    return stops, crf if known else estimate_response(picture, clipped, stops, crf)


def response_of(
    photograph: Float32[np.ndarray, "height width 3"],
    light: Float32[np.ndarray, "height width 3"],
    crf: CameraResponse | Levels,
) -> CameraResponse:
    """Return a known camera response as it is; otherwise estimate it from a network's light, on a `sparse` picture.

    Args:
        photograph: LDR [0, 1].
        light: what the network sees in it, linear.
        crf: the response, or how the levels were made.
    """
    if isinstance(crf, CameraResponse):
        return crf
    values = sparse(photograph)
    stops = np.log2(np.maximum(sparse(light), np.float32(2.0**-14)))
    return estimate_response(values, values >= CLIPS, stops, crf)


def sparse(picture: np.ndarray) -> np.ndarray:
    """Return at most about a million pixels of a picture, spread evenly."""
    step = math.ceil(math.sqrt(picture.shape[0] * picture.shape[1] / MOST_PIXELS))
    return picture[::step, ::step]


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

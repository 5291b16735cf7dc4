"""The camera response of a photograph: known, or estimated from the prediction of a network."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from hdrdata.cameras.crf import CameraResponse, Levels, sampled_crf, srgb_crf
from hdrdata.cameras.curves.file_kinds import ANY_CAMERA, Device
from hdrdata.cameras.exposure import WHITE
from hdrdata.cameras.merge import keep_levels
from hdrmodel.networks.batches import Photograph
from hdrmodel.networks.light_photograph import CLIPS, Clipped, Ldr, Light, Stops, enlarge, see_photograph
from hdrmodel.networks.light_unet import LightUNet
from hdrmodel.reconstruction.posterior import Evidence, candidates_of, middles_of, posterior_of

LEAST_STEP = np.log2(1 + 2.0**-9)  # stops between levels of an estimated response: two half floats, so that they rise
DARKEST = -13.0  # stops, where half floats still have all their digits
MOST_PIXELS = 2**20  # of a photograph, to estimate its camera response
RECOGNISED = 0.5  # probability of sRGB from which the estimate is sRGB itself


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
    network: LightUNet, photograph: Ldr | Photograph, crf: CameraResponse | Levels, device: Device = ANY_CAMERA
) -> tuple[Stops, CameraResponse]:
    """Return log2 of the light at the working size, and the camera response; see `look_at_photograph`.

    Args:
        photograph: LDR values, or levels of 8 or 16 bits.
        device: what EXIF states about the device, for an estimate.
    """
    if not isinstance(crf, CameraResponse):
        picture, clipped, stops = see_photograph(network, photograph, None)
        crf = estimate_response(picture, clipped, stops, crf, device)
        if crf.name == "estimated":
            return stops, crf
    return see_photograph(network, photograph, crf).stops, crf


def response_of(
    photograph: Float32[np.ndarray, "height width 3"],
    light: Float32[np.ndarray, "height width 3"],
    crf: CameraResponse | Levels,
    device: Device = ANY_CAMERA,
) -> CameraResponse:
    """Return a known camera response as it is; otherwise estimate it from a network's light, on a `sparse` picture.

    Args:
        photograph: LDR [0, 1].
        light: the network's prediction, linear.
        crf: the response, or how the levels were made.
        device: what EXIF states about the device, for an estimate.
    """
    if isinstance(crf, CameraResponse):
        return crf
    values = sparse(photograph)
    stops = np.log2(np.maximum(sparse(light), np.float32(2.0**-14)))
    return estimate_response(values, values >= CLIPS, stops, crf, device)


def sparse(picture: np.ndarray) -> np.ndarray:
    """Return at most about a million pixels of a picture, spread evenly."""
    step = math.ceil(math.sqrt(picture.shape[0] * picture.shape[1] / MOST_PIXELS))
    return picture[::step, ::step]


def estimate_response(
    ldr: Ldr, clipped: Clipped, stops: Light, made: Levels, device: Device = ANY_CAMERA
) -> CameraResponse:
    """Estimate the camera response of a photograph; see `estimate_shared`.

    Args:
        ldr: the photograph, [0, 1].
        clipped: its clipped values, which carry no information about the response.
        stops: log2 of its light as the network predicts it, 0 where it saturates.
        made: how its levels were made.
        device: what EXIF states about the device.
    """
    return estimate_shared([Evidence.of(ldr, clipped, stops)], made, device)


def estimate_shared(
    evidences: Sequence[Evidence],
    made: Levels,
    device: Device = ANY_CAMERA,
    models: tuple[str, ...] | None = None,
) -> CameraResponse:
    """Estimate the response that photographs of one camera share: the posterior mean over candidate curves.

    It is sRGB itself where that is more probable than `RECOGNISED`. White is 1. One curve for the three channels, which
    rises by `LEAST_STEP`.

    Args:
        evidences: of photographs of one camera.
        made: how their levels were made.
        device: what EXIF states about the device.
        models: the measured models to draw candidates from; None: all.
    """
    candidates = candidates_of(device.kind, made, device.model, models)
    posterior = posterior_of(evidences, candidates)
    if posterior[[group == "srgb" for group in candidates.groups]].sum() > RECOGNISED:
        return replace(srgb_crf(), levels=made)
    light = posterior @ candidates.stops
    level = np.arange(1, WHITE)
    steps = LEAST_STEP * level
    rising = np.maximum.accumulate(np.maximum(light, DARKEST) - steps) + steps
    exposures = np.exp2(np.minimum(rising, -LEAST_STEP * (WHITE - level)))
    response = sampled_crf("estimated", np.r_[0.0, exposures, 1.0], np.r_[0.0, middles_of(made), 1.0])
    return replace(response, levels=made)

"""The two renditions of one estimate: scene light by the camera response, display light with the photograph's look."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

from hdrdata.cameras.crf import CameraResponse, srgb_crf
from hdrdata.cameras.crf_names import choose_crf, named_crfs
from hdrdata.cameras.curves.file_kinds import UNKNOWN_DEVICE, Device, FileKind, device_of
from hdrdata.cameras.merge import keep_levels
from hdrdata.photos.formats.exif import load, made_by
from hdrdata.photos.photo import Photo
from hdrmodel.networks.batches import Photograph, to_ldr
from hdrmodel.outputs.bands import bands

SRGB = "srgb"
METHOD = "auto-3"  # another number where the same photograph gives another estimate
_STATED: dict[FileKind, str] = {
    "camera": "EXIF states a camera",
    "phone": "EXIF states a phone",
    "other": "EXIF states another device, or an editor",
    "rendering": "EXIF states software that renders or captures screens",
    "unknown": "EXIF states no device",
}
SAMPLES = 86  # of the inverse response in a file: every third level


@dataclass(frozen=True)
class ChosenResponse:
    """A photograph's camera response, or "auto" to estimate it, and the reason."""

    crf: CameraResponse | Literal["auto"]
    reason: str
    source: Device = UNKNOWN_DEVICE  # the device that made the photograph, for an estimate


def choose_response(photo: Photo, crf: str | CameraResponse, shared_by: int = 0) -> ChosenResponse:
    """Return the camera response by which a photograph becomes scene light.

    With "auto" the kind of file decides: sRGB for camera RAW, which is developed by it, and where EXIF states a
    renderer or a screen; otherwise an estimate whose prior depends on EXIF.

    Args:
        photo: its file may state what made it.
        crf: a response, the name of one, or "auto".
        shared_by: photographs that `crf` was estimated from.

    Raises:
        ValueError: if the name is unknown.
    """
    if photo.light is not None:
        return ChosenResponse(srgb_crf(), "the file contains light")
    if isinstance(crf, CameraResponse) and not photo.is_raw:
        return ChosenResponse(crf, f"from {shared_by} photographs of one camera")
    if isinstance(crf, str) and crf != "auto":
        return ChosenResponse(choose_crf(crf, ("auto",)), "given by --crf")
    if photo.is_raw:
        return ChosenResponse(srgb_crf(), "developed by it from camera RAW")
    source = device_of(*made_by(load(photo.exif)))
    if source.kind == "rendering":
        return ChosenResponse(srgb_crf(), _STATED[source.kind])
    return ChosenResponse("auto", f"from the photograph; {_STATED[source.kind]}", source)


def response_id(crf: str | CameraResponse) -> str:
    """Return what outputs depend on of `--crf`: a name, or a curve, or the method that estimates."""
    if crf == "auto":
        return METHOD
    if isinstance(crf, str) and crf in named_crfs():
        return crf
    curve = choose_crf(crf, ("auto",)) if isinstance(crf, str) else crf
    return " ".join(f"{exposure:.9g}" for exposure in curve.inverse(np.linspace(0, 1, 256)))


def response_facts(crf: CameraResponse, reason: str) -> dict[str, str]:
    """Return what a file of scene light states about its camera response: name, reason, and the inverse curve."""
    facts = {"camera_response": crf.name, "camera_response_reason": reason}
    if crf.name != SRGB:
        exposures = crf.inverse(np.linspace(0, 1, SAMPLES))
        facts["camera_response_inverse"] = " ".join(f"{exposure:.5g}" for exposure in exposures)
    return facts


def to_display_light(
    radiance: Float32[np.ndarray, "height width 3"],
    photograph: Photograph,
    crf: CameraResponse,
    to_bt709: Float[np.ndarray, "3 3"] | None,
) -> None:
    """Turn scene light into display light, in place: the photograph's look below white, the same light above it.

    An unclipped value becomes what a display shows for it, by the curve of sRGB; a clipped value keeps its ratio to
    white. Exposed again through sRGB, display light gives the photograph, level by level.

    Args:
        radiance: scene light, BT.709 primaries; 1 saturates the photograph.
        photograph: with its clipped values at white.
        crf: the camera response of `radiance`.
        to_bt709: from the photograph's own primaries; None: they are BT.709's.
    """
    if crf.name == SRGB:
        return
    display = replace(srgb_crf(), levels=crf.levels)
    for rows in bands(*radiance.shape[:2]):
        light = radiance[rows]
        if to_bt709 is not None:
            light = (light.astype(np.float64) @ np.linalg.inv(to_bt709).T).astype(np.float32)
        light = keep_levels(to_ldr(photograph[rows]), light, display)
        radiance[rows] = light if to_bt709 is None else light.astype(np.float64) @ to_bt709.T

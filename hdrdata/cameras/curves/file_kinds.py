"""The kind of device that made an image file, from EXIF."""

import re
from dataclasses import dataclass
from typing import Literal

from hdrdata.cameras.measured import MODELS

FileKind = Literal["camera", "phone", "other", "rendering", "unknown"]


@dataclass(frozen=True)
class Device:
    """The device that made a file."""

    kind: FileKind
    model: str | None = None  # if it was measured, as `hdrdata.cameras.measured` names it


UNKNOWN_DEVICE = Device("unknown")
ANY_CAMERA = Device("other")  # of the distribution that networks are trained on
CAMERA_MAKERS = (
    "canon", "casio", "dji", "eastman kodak", "fuji", "gopro", "hasselblad", "kodak", "konica", "leica", "minolta",
    "nikon", "olympus", "om digital", "panasonic", "pentax", "phase one", "ricoh", "samsung", "sigma", "sony",
)  # fmt: skip
PHONE_MAKERS = (
    "apple", "asus", "blackberry", "fairphone", "google", "hmd", "honor", "htc", "huawei", "lenovo", "lg", "meizu",
    "motorola", "nokia", "nothing", "oneplus", "oppo", "realme", "tcl", "vivo", "xiaomi", "zte",
)  # fmt: skip
CAMERAS_OF_PHONE_MAKERS = r"(ex|nx|wb|st|pl|es|l|gx)-?\d|galaxy nx|ilc|dsc|dslr|slt|nex|zv|mvc|cybershot|hdr-|fdr-"
RENDERERS = r"blender|mitsuba|pbrt|unreal|unity|cycles|v-?ray|arnold|maya|3ds|screenshot|imagemagick|matplotlib|ffmpeg"
EDITORS = r"adobe|photoshop|lightroom|camera raw|gimp|darktable|rawtherapee|capture one|dxo|affinity|luminar|snapseed"


def kind_of_file(make: str, model: str, software: str) -> FileKind:
    """Return the kind of device that made a file.

    Args:
        make, model, software: as EXIF states them; empty where it does not.

    Returns:
        "camera" or "phone" by maker and model; "other" for another device, or if an editor developed the photograph of
        one; "rendering" if the software renders or captures screens; "unknown" if no device is stated.
    """
    make, model, software = (text.strip().casefold() for text in (make, model, software))
    if re.search(RENDERERS, software):
        return "rendering"
    if not make and not model:
        return "unknown"
    if re.search(EDITORS, software):
        return "other"
    if make.startswith(PHONE_MAKERS):
        return "phone"
    if make.startswith(("samsung", "sony")):
        return "camera" if re.match(CAMERAS_OF_PHONE_MAKERS, model) else "phone"
    return "camera" if make.startswith(CAMERA_MAKERS) else "other"


def device_of(make: str, model: str, software: str) -> Device:
    """Return the kind of device that made a file, and the measured model that it is, if any; see `kind_of_file`."""
    kind = kind_of_file(make, model, software)
    return Device(kind, measured_model(make, model) if kind in ("camera", "phone") else None)


def measured_model(make: str, model: str) -> str | None:
    """Return the measured model that EXIF states, as `hdrdata.cameras.measured` names it; None: another one."""
    for name in MODELS:
        maker, rest = name.casefold().split(" ", 1)
        if make.strip().casefold().startswith(maker) and model.strip().casefold() in (name.casefold(), rest):
            return name
    return None

"""From the colours of a photograph's ICC profile to sRGB."""

import functools
import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
from jaxtyping import UInt16
from PIL import ImageCms

FLAGS = imagecodecs.CMS.FLAGS
SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}  # by the number of colours; as a profile's header names them
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # of ITU-T H.273, in cICP
SRGB_STEPS = 257  # a profile that moves no colour by more, of 65535, is sRGB by another maker's rounding


def to_srgb(path: Path, icc: bytes | None, colours: int, notes: list[str]) -> Callable[[np.ndarray], np.ndarray]:
    """How bands of pixels become sRGB: by a profile, relative colorimetric with black point compensation.

    Args:
        icc: the profile; None if there is none.
        colours: channels of a band: 1 grey, 3 RGB, 4 CMYK. Grey has a profile of grey or of RGB.
        notes: is told what the profile is, or why it is left out. Of one that is sRGB nothing is told or done.

    Returns:
        from (height, width, colours), uint8 or uint16, to (height, width, 3), or grey (height, width, 1), of its type.

    Raises:
        ValueError: naming the file, if the profile is of PQ or HLG.
    """
    try:
        if icc:
            check_transfer(path, _profile_transfer(icc))
            return _by_profile(icc, colours, notes)
    except _Unfit as error:
        notes.append(f"its colour profile is {error} and was left out")
    if colours < 4:
        return lambda band: band
    notes.append("CMYK without a profile")
    return _ink_to_rgb


class _Unfit(Exception):
    """Why a profile cannot be used."""


def _by_profile(icc: bytes, colours: int, notes: list[str]) -> Callable[[np.ndarray], np.ndarray]:
    space = icc[16:20]
    if space not in (*SPACES.values(), b"Lab "):
        raise _Unfit("damaged")
    if space != SPACES[colours] and (colours, space) != (1, b"RGB "):
        raise _Unfit(f"of {space.decode().strip()} colours")
    probe = _probe(space)
    try:
        shown = _transformed(probe, icc)
    except (RuntimeError, ValueError) as error:  # littlecms says no more than that it could not
        raise _Unfit("damaged") from error
    if space != b"CMYK" and np.abs(shown.astype(int) - probe).max() <= SRGB_STEPS:
        return lambda band: band
    name = _profile_name(icc)
    notes.append(f"CMYK converted by its profile {name}" if colours == 4 else f"converted from {name} to sRGB")
    return lambda band: _transformed(band, icc)


def _transformed(band: np.ndarray, icc: bytes) -> np.ndarray:
    """Convert by littlecms, 8 or 16 bits; the band has as many channels as the profile, or is grey under an RGB one."""
    space = icc[16:20].decode().strip().lower()
    channels = {"gray": 1, "rgb": 3, "cmyk": 4}[space]
    pixels = np.ascontiguousarray(np.broadcast_to(band, (*band.shape[:2], channels)))
    flags = FLAGS.BLACKPOINTCOMPENSATION
    if band.dtype == np.uint16:  # else it takes a table of 33 colours a side: measured up to 15 of 255 beside the curve
        flags |= FLAGS.NOOPTIMIZE
    pixels = pixels[:, :, 0] if channels == 1 else pixels
    intent = imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC
    return imagecodecs.cms_transform(
        pixels, icc, _srgb_profile(), colorspace=space, outcolorspace="rgb", intent=intent, flags=flags
    )


@functools.cache
def _srgb_profile() -> bytes:
    return imagecodecs.cms_profile("srgb")


def _probe(space: bytes) -> UInt16[np.ndarray, "1 colors channels"]:
    """Colours of all kinds, to see what a profile does with them: a cube of 9 a side, and 256 greys."""
    channels = {b"GRAY": 1, b"RGB ": 3}.get(space, 4)
    grey = np.arange(256).repeat(channels).reshape(-1, channels)
    cube = np.stack(np.meshgrid(*[np.linspace(0, 255, 9)] * channels), axis=-1).reshape(-1, channels)
    return (np.concatenate([grey, cube])[None] * 257).astype(np.uint16)


def _ink_to_rgb(cmyk: np.ndarray) -> np.ndarray:
    """(1 - C) (1 - K) and so on, rounded."""
    most = np.iinfo(cmyk.dtype).max
    light = (most - cmyk).astype(np.uint64)
    return ((light[:, :, :3] * light[:, :, 3:] + most // 2) // most).astype(cmyk.dtype)


def _profile_name(icc: bytes) -> str:
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        name = ""
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return name[:60] or "its colour profile"


def _profile_transfer(icc: bytes) -> int:
    """The transfer function that a profile's cicp tag names, by ITU-T H.273; 0 if there is none."""
    count = int.from_bytes(icc[128:132], "big")
    for entry in range(132, 132 + 12 * min(count, 100), 12):
        if icc[entry : entry + 4] == b"cicp":
            place = int.from_bytes(icc[entry + 4 : entry + 8], "big")
            return int.from_bytes(icc[place + 9 : place + 10], "big")
    return 0


def check_transfer(path: Path, transfer: int) -> None:
    """Refuse a picture whose transfer function, by ITU-T H.273, says that it is HDR."""
    if transfer in HDR_TRANSFERS:
        raise ValueError(f"{path}: an HDR picture ({HDR_TRANSFERS[transfer]}); wanted a display picture")

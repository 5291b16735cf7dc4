"""The ICC profile of a photograph: to sRGB by littlecms, or to its own primaries by sRGB's curve."""

import functools
import io

import imagecodecs
import numpy as np
from jaxtyping import Float, UInt16
from PIL import ImageCms

from hdrdata.photos.colours.conversion import Conversion, by_encoding
from hdrdata.photos.colours.encodings import BT2020_TO_BT709, HDR_TRANSFERS, encoding_of
from hdrdata.photos.colours.made import BT709_TO_D50, rgb_profile

FLAGS = imagecodecs.CMS.FLAGS
SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}  # by the number of colours; as a profile's header names them
SRGB_STEPS = 257  # a profile that moves no colour by more, of 65535, is sRGB by another maker's rounding


def by_profile(icc: bytes | None, dtype: type, colours: int, own: bool, notes: list[str]) -> Conversion:
    """Return how bands of pixels become sRGB: by a profile, relative colorimetric with black point compensation.

    A profile that names PQ or HLG (its cicp tag) is an HDR picture.

    Args:
        icc: the profile; None if there is none.
        dtype: of the bands.
        colours: channels of a band: 1 grey, 3 RGB, 4 CMYK. Grey has a profile of grey or of RGB.
        own: of RGB by a matrix and curves, keep the profile's primaries; of other kinds offer wider ones.
        notes: receives why a profile is ignored. A profile that is sRGB changes nothing and gives no note.
    """
    try:
        if icc:
            return _by_profile(icc, dtype, colours, own)
    except _Unfit as error:
        notes.append(f"its colour profile is {error} and was left out")
    if colours < 4:
        return Conversion(lambda band: band, dtype)
    return Conversion(_ink_to_rgb, dtype, note="CMYK without a profile")


class _Unfit(Exception):
    """Return why a profile cannot be used."""


def _by_profile(icc: bytes, dtype: type, colours: int, own: bool) -> Conversion:
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
    primaries, transfer = _cicp(icc)
    if transfer in HDR_TRANSFERS and space == b"RGB ":
        try:
            return by_encoding(encoding_of(primaries, transfer), dtype, 8 * np.dtype(dtype).itemsize, colours, own)
        except ValueError as error:
            raise _Unfit(f"of {error}") from error
    is_own = space == b"RGB " and colours == 3
    if space != b"CMYK" and np.abs(shown.astype(int) - probe).max() <= SRGB_STEPS:
        return Conversion(lambda band: band, dtype, icc=icc if is_own else None)
    name = profile_name(icc)
    matrix = _matrix_to_bt709(icc) if is_own else None
    if own and matrix is not None:
        return _kept(icc, dtype, matrix, name, probe)
    note = f"CMYK converted by its profile {name}" if colours == 4 else f"converted from {name} to sRGB"
    wide = None
    if own and space in (b"RGB ", b"CMYK") and colours > 1 and not _is_matrix(icc):
        wide = Conversion(
            lambda band: _transformed(_deep(band), icc, _wide_profile()), np.uint16, BT2020_TO_BT709,
            note=f"{'CMYK' if colours == 4 else name} colours kept",
        )  # fmt: skip
    return Conversion(lambda band: _transformed(band, icc), dtype, wide=wide, note=note)


def _kept(icc: bytes, dtype: type, matrix: np.ndarray, name: str, probe: np.ndarray) -> Conversion:
    """The primaries of a profile by sRGB's curve: its own values, where that is its own curve."""
    same = rgb_profile(name, matrix)
    note = f"{name} colours kept"
    if np.abs(_transformed(probe, icc, same).astype(int) - probe).max() <= SRGB_STEPS:
        return Conversion(lambda band: band, dtype, matrix, icc, note=note)
    return Conversion(lambda band: _transformed(_deep(band), icc, same), np.uint16, matrix, note=note)


def _deep(band: np.ndarray) -> np.ndarray:
    return band if band.dtype == np.uint16 else band.astype(np.uint16) * np.uint16(257)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    count = min(int.from_bytes(icc[128:132], "big"), 100)
    entries = [icc[start : start + 12] for start in range(132, 132 + 12 * count, 12)]
    places = {entry[:4]: (int.from_bytes(entry[4:8], "big"), int.from_bytes(entry[8:12], "big")) for entry in entries}
    return {name: icc[place : place + size] for name, (place, size) in places.items()}


def _is_matrix(icc: bytes) -> bool:
    tags = _tags(icc)
    return all(name in tags for name in (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC")) and not tags.keys() & {b"A2B0", b"A2B1"}


def _matrix_to_bt709(icc: bytes) -> Float[np.ndarray, "3 3"] | None:
    """Return the matrix of a matrix profile from linear light to BT.709; None for other profiles and for BT.709."""
    if not _is_matrix(icc):
        return None
    tags = _tags(icc)
    columns = [np.frombuffer(tags[name][8:20].ljust(12, b"\0"), ">i4") for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    colorants = np.stack(columns, axis=1) / 65536
    matrix = np.linalg.solve(BT709_TO_D50, colorants)
    usable = abs(np.linalg.det(matrix)) > 1e-3 and np.abs(matrix).max() < 10
    return matrix if usable and np.abs(matrix - np.eye(3)).max() > 5e-3 else None


def _transformed(band: np.ndarray, icc: bytes, target: bytes | None = None) -> np.ndarray:
    """Convert by littlecms, 8 or 16 bits, to sRGB or another profile of RGB.

    The band has as many channels as the profile, or is grey under an RGB one.
    """
    space = icc[16:20].decode().strip().lower()
    channels = {"gray": 1, "rgb": 3, "cmyk": 4}[space]
    pixels = np.ascontiguousarray(np.broadcast_to(band, (*band.shape[:2], channels)))
    flags = FLAGS.BLACKPOINTCOMPENSATION
    if band.dtype == np.uint16:  # else it takes a table of 33 colours a side: measured up to 15 of 255 beside the curve
        flags |= FLAGS.NOOPTIMIZE
    pixels = pixels[:, :, 0] if channels == 1 else pixels
    intent = imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC
    return imagecodecs.cms_transform(
        pixels, icc, target or _srgb_profile(), colorspace=space, outcolorspace="rgb", intent=intent, flags=flags
    )


@functools.cache
def _srgb_profile() -> bytes:
    return imagecodecs.cms_profile("srgb")


@functools.cache
def _wide_profile() -> bytes:
    return rgb_profile("BT.2020", BT2020_TO_BT709)


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


def profile_name(icc: bytes) -> str:
    """Return the printable name of a profile."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        name = ""
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return name[:60] or "its colour profile"


def _cicp(icc: bytes) -> tuple[int, int]:
    """The primaries and the transfer function that a profile's cicp tag names, by ITU-T H.273; 0 if there is none."""
    content = _tags(icc).get(b"cicp", b"")[8:10].ljust(2, b"\0")
    return content[0], content[1]

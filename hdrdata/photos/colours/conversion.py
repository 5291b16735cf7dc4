"""From a photograph's numbers to sRGB, or to its own primaries by sRGB's curve, which keep what sRGB cannot show."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hdrdata.photos.colours.encodings import (
    BT2020_TO_BT709,
    HLG,
    Encoding,
    hlg_display,
    srgb_codes,
    srgb_light,
)

Band = Callable[[np.ndarray], np.ndarray]  # (height, width, colours) to (height, width, 3), or of grey to 1


@dataclass(frozen=True)
class Conversion:
    """Conversion of bands of stored pixels to a display image by sRGB's curve."""

    codes: Band
    dtype: type = np.uint8
    to_bt709: Float[np.ndarray, "3 3"] | None = None  # of its light; None: sRGB
    icc: bytes | None = None  # the file's profile, where codes are its own values
    light: Band | None = None  # of an HDR picture: linear light of BT.709's primaries, 1 for white
    wide: "Conversion | None" = None  # to primaries that hold all, if need be
    note: str = ""


def by_encoding(encoding: Encoding, dtype: type, bits: int, colours: int, own: bool) -> Conversion:
    """The conversion of codes whose encoding is stated.

    Args:
        dtype: of the bands; their largest number is 1.
        bits: of a stored sample, for narrow range.
        colours: 1 or 3.
        own: keep primaries that are not BT.709's, and what PQ and HLG hold above white.
    """
    most = np.iinfo(dtype).max
    values = np.arange(most + 1) / most
    if encoding.narrow:  # H.273, 8.3: 16 to 235, times a power of two
        scale = 2.0 ** (bits - 8)
        values = np.clip((values * (2**bits - 1) - 16 * scale) / (219 * scale), 0, 1)
    table = (encoding.decode or srgb_light)(values)
    matrix = encoding.to_bt709 if colours == 3 else None
    if encoding.transfer:
        return _hdr(encoding, table, matrix)
    is_srgb = encoding.decode is None and not encoding.narrow
    if matrix is None and is_srgb:
        return Conversion(lambda band: band, dtype)
    if own and is_srgb:
        return Conversion(lambda band: band, dtype, matrix, note=f"{encoding.name} colours kept")
    if own:
        deep = deep_codes(table)
        kept = f"converted from {encoding.name} to sRGB" if matrix is None else f"{encoding.name} colours kept"
        return Conversion(lambda band: deep[band], np.uint16, matrix, note=kept)

    def codes(band: np.ndarray) -> np.ndarray:
        linear = table[band] if matrix is None else table[band] @ matrix.T
        return np.rint(most * srgb_codes(linear)).astype(dtype)

    return Conversion(codes, dtype, note=f"converted from {encoding.name} to sRGB")


def _hdr(encoding: Encoding, table: np.ndarray, matrix: np.ndarray | None) -> Conversion:
    """An HDR picture: its own light, and a display picture of it up to white."""

    def light(band: np.ndarray) -> np.ndarray:
        linear = table[band]
        if encoding.transfer == HLG:
            linear = hlg_display(linear if linear.shape[2] == 3 else np.repeat(linear, 3, axis=2), matrix)
        return (linear if matrix is None else linear @ matrix.T).astype(np.float32)

    return Conversion(lambda band: deep_codes(light(band)), np.uint16, light=light)


def by_light(light: Band, name: str) -> Conversion:
    """The conversion of numbers whose linear light of BT.709's primaries is known, such as CIELab."""
    from_bt709 = np.linalg.inv(BT2020_TO_BT709)
    narrow = Conversion(lambda band: deep_codes(light(band)), np.uint16, note=f"converted from {name} to sRGB")
    wide = replace(
        narrow,
        codes=lambda band: deep_codes(light(band) @ from_bt709.T),
        to_bt709=BT2020_TO_BT709,
        note=f"{name} colours kept",
    )
    return replace(narrow, wide=wide)


def deep_codes(light: np.ndarray) -> np.ndarray:
    """Codes of 16 bits by sRGB's curve."""
    return np.rint(65535 * srgb_codes(light)).astype(np.uint16)


def is_outside(codes: np.ndarray, to_bt709: Float[np.ndarray, "3 3"]) -> np.ndarray:
    """Return which pixels, encoded by sRGB's curve in other primaries, are outside sRGB by over a code of 8 bits."""
    light = srgb_light(codes / np.iinfo(codes.dtype).max) @ to_bt709.T
    return np.any((light < -1 / (255 * 12.92)) | (light > 1 + 2.4 / 255), axis=2)

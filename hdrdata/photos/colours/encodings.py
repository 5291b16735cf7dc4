"""Meaning of code values: primaries and transfer functions by name, as PNG, AVIF, HEIF and DCF state them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

D65 = (0.3127, 0.3290)
DCI_WHITE, C_WHITE, E_WHITE = (0.314, 0.351), (0.310, 0.316), (1 / 3, 1 / 3)
BT709 = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *D65)  # x and y of red, green, blue and white
P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65)
ADOBE = (0.640, 0.330, 0.210, 0.710, 0.150, 0.060, *D65)  # Adobe RGB (1998) Color Image Encoding, 4.3.1
BT2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65)
SMPTE170 = (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65)
PRIMARIES = {  # ITU-T H.273, table 2
    1: ("BT.709", BT709), 2: ("BT.709", BT709), 4: ("BT.470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *C_WHITE)),
    5: ("BT.470 BG", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65)), 6: ("SMPTE 170M", SMPTE170),
    7: ("SMPTE 240M", SMPTE170), 8: ("film", (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *C_WHITE)),
    9: ("BT.2020", BT2020), 10: ("XYZ", (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, *E_WHITE)),
    11: ("DCI P3", (*P3[:6], *DCI_WHITE)), 12: ("Display P3", P3),
    22: ("EBU 3213", (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *D65)),
}  # fmt: skip
PQ, HLG = 16, 18  # transfer characteristics in H.273
HDR_TRANSFERS = {PQ: "PQ", HLG: "HLG"}
SRGB_TRANSFERS = (2, 13)  # 2: unspecified
PQ_PEAK, HLG_PEAK, WHITE = 10_000.0, 1_000.0, 203.0  # cd/m2; the last is ITU-R BT.2408's for an SDR white
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
Decode = Callable[[Float[np.ndarray, " codes"]], Float[np.ndarray, " codes"]]


@dataclass(frozen=True)
class Encoding:
    """Primaries and a transfer function that a file states.

    `decode` brings codes [0, 1] to linear light, 1 for white; of HLG to scene light and of PQ to light over white.
    """

    name: str
    to_bt709: Float[np.ndarray, "3 3"] | None  # of linear light; None: its primaries are BT.709's
    decode: Decode | None  # None: sRGB's curve
    narrow: bool = False  # codes of 8 bits from 16 to 235
    transfer: int = 0  # in H.273, of PQ and HLG


def to_xyz(chromaticities: tuple[float, ...]) -> Float[np.ndarray, "3 3"]:
    """Linear RGB to XYZ, adapted to D65 by Bradford; SMPTE RP 177.

    Raises:
        ValueError: if the primaries enclose no colours.
    """
    x, y = np.array(chromaticities, np.float64).reshape(4, 2).T
    if y[3] <= 0 or (x[3], y[3]) == (0, 0):
        raise ValueError("primaries without a white")
    columns = np.stack([x[:3], y[:3], 1 - x[:3] - y[:3]])
    if abs(np.linalg.det(columns)) < 1e-4:
        raise ValueError("primaries that enclose no colours")
    white, d65 = (np.array([wx / wy, 1, (1 - wx - wy) / wy]) for wx, wy in ((x[3], y[3]), D65))
    matrix = columns * np.linalg.solve(columns, white)
    scale = (BRADFORD @ d65) / (BRADFORD @ white)
    return np.linalg.solve(BRADFORD, scale[:, None] * (BRADFORD @ matrix))


def matrix_to_bt709(chromaticities: tuple[float, ...]) -> Float[np.ndarray, "3 3"] | None:
    """Return the matrix from linear RGB of primaries to BT.709; None if they are BT.709's to a thousandth."""
    matrix = np.linalg.solve(to_xyz(BT709), to_xyz(chromaticities))
    return None if np.abs(matrix - np.eye(3)).max() < 2e-3 else matrix


P3_TO_BT709 = np.linalg.solve(to_xyz(BT709), to_xyz(P3))
BT2020_TO_BT709 = np.linalg.solve(to_xyz(BT709), to_xyz(BT2020))
ADOBE_RGB = Encoding("Adobe RGB (1998)", matrix_to_bt709(ADOBE), lambda codes: codes ** (563 / 256))


def encoding_of(primaries: int, transfer: int, narrow: bool = False) -> Encoding:
    """The encoding that code points of ITU-T H.273 name.

    Raises:
        ValueError: if one of them is unknown.
    """
    if primaries not in PRIMARIES:
        raise ValueError(f"colour primaries {primaries} of H.273, which are unknown")
    return encoding_with(PRIMARIES[primaries][1], transfer, narrow=narrow)


def encoding_with(
    chromaticities: tuple[float, ...], transfer: int, gamma: float | None = None, narrow: bool = False
) -> Encoding:
    """Return the encoding of primaries and a transfer function of ITU-T H.273, or codes that are light to a power.

    Raises:
        ValueError: if the function is unknown, or the primaries enclose no colours.
    """
    if gamma is not None:
        return gamma_encoding(gamma, chromaticities)
    decode = _transfers().get(transfer)
    if decode is None and transfer not in SRGB_TRANSFERS:
        raise ValueError(f"transfer characteristics {transfer} of H.273, which are unknown")
    name = next((name for name, known in PRIMARIES.values() if known == chromaticities), "its primaries")
    ends = {8: "linear", PQ: "PQ", HLG: "HLG"}
    name = " ".join([name, *([ends[transfer]] if transfer in ends else []), *(["of narrow range"] if narrow else [])])
    return Encoding(name, matrix_to_bt709(chromaticities), decode, narrow, transfer if transfer in (PQ, HLG) else 0)


def gamma_encoding(gamma: float | None, chromaticities: tuple[float, ...] | None) -> Encoding:
    """The encoding of PNG's gAMA (codes are light to this power; None: not said, sRGB's curve) and cHRM."""
    matrix = matrix_to_bt709(chromaticities) if chromaticities else None
    # 1 / 2.2 is how programs write sRGB's curve, beside its primaries
    is_srgb = gamma is None or (matrix is None and abs(gamma * 2.2 - 1) <= 0.01)
    curve = [f"gamma {gamma:.3g}"] if gamma is not None and not is_srgb else []
    name = " and ".join([*(["its primaries"] if matrix is not None else []), *curve])
    return Encoding(name or "sRGB", matrix, None if is_srgb or gamma is None else lambda codes: codes ** (1 / gamma))


def srgb_light(codes: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """IEC 61966-2-1, decoded."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def srgb_codes(light: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, encoded; clipped to [0, 1]."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def pq_light(codes: np.ndarray) -> np.ndarray:
    """The EOTF of SMPTE ST 2084, over BT.2408's white of 203 cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = codes ** (1 / m2)
    return PQ_PEAK / WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def hlg_scene(codes: np.ndarray) -> np.ndarray:
    """The inverse OETF of HLG, ITU-R BT.2100 table 5: scene light [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)


def hlg_display(scene: Float[np.ndarray, "*shape 3"], to_bt709: np.ndarray | None) -> Float[np.ndarray, "*shape 3"]:
    """The OOTF of HLG for a display of 1,000 cd/m2 (gamma 1.2), over white."""
    weights = to_xyz(BT709)[1] if to_bt709 is None else to_xyz(BT709)[1] @ to_bt709
    luminance = np.maximum(scene @ weights, 0)[..., None]
    return HLG_PEAK / WHITE * scene * luminance**0.2


def _power(gamma: float) -> Decode:
    return lambda codes: codes**gamma


def bt709_light(codes: np.ndarray) -> np.ndarray:
    """The inverse of BT.709's OETF."""
    alpha, beta = 1.09929682680944, 0.018053968510807
    return np.where(codes < 4.5 * beta, codes / 4.5, ((codes + alpha - 1) / alpha) ** (1 / 0.45))


@cache
def _transfers() -> dict[int, Decode]:
    """By transfer characteristics of ITU-T H.273, table 3; sRGB's and unspecified are not among them."""
    smpte240 = lambda v: np.where(v < 4 * 0.0228, v / 4, ((v + 0.1115) / 1.1115) ** (1 / 0.45))  # noqa: E731
    return {
        1: bt709_light, 6: bt709_light, 14: bt709_light, 15: bt709_light, 11: bt709_light, 12: bt709_light,
        4: _power(2.2), 5: _power(2.8), 7: smpte240, 8: _power(1.0),
        9: lambda v: np.where(v > 0, 10 ** (2 * (v - 1)), 0), 10: lambda v: np.where(v > 0, 10 ** (2.5 * (v - 1)), 0),
        PQ: pq_light, 17: lambda v: v**2.6 * 52.37 / 48, HLG: hlg_scene,
    }  # fmt: skip

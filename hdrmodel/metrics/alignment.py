"""Bring an estimated HDR picture to the scale, or to the colours, of its reference before an HDR metric compares them.

One picture has no absolute scale and no known camera response, so a metric in cd/m^2 must state what it forgives. Every
entry of `ALIGNMENTS` takes the estimate, the reference and where the input was not clipped, and returns the aligned
estimate. All are absolute linear RGB (BT.709) in cd/m^2, in float64.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64

Picture = Float64[np.ndarray, "height width 3"]
Samples = Bool[np.ndarray, "height width 3"]
Luminance = Float64[np.ndarray, " pixels"]
Chroma = Float64[np.ndarray, "pixels 2"]
Xyz = Float64[np.ndarray, "pixels 3"]
Rgb = Float64[np.ndarray, "pixels 3"]
DARKEST = 0.005  # cd/m^2
XYZ_LIMITS = (1e-4, 1e8)  # cd/m^2
RGB_TO_XYZ = np.array([[0.412424, 0.357579, 0.180464], [0.212656, 0.715158, 0.072186], [0.019332, 0.119193, 0.950444]])
CHROMA_SCALE = 410 / 255
CHROMA_RIDGE = 0.01


def align_none(estimate: Picture, reference: Picture, unclipped: Samples) -> Picture:
    """Leave the estimate as it is."""
    _require_pictures(estimate, reference)
    return estimate


def align_gain(estimate: Picture, reference: Picture, unclipped: Samples) -> Picture:
    """Multiply the estimate by s = sum(p g) / sum(p^2), least squares over the RGB samples that the input did not clip.

    Args:
        estimate: p, >= 0.
        reference: g, >= 0.
        unclipped: True where the input LDR picture's sample lies between black and white.

    Raises:
        ValueError: if a picture has a NaN or a negative value, or no unclipped sample of the estimate is above 0.
    """
    _require_pictures(estimate, reference)
    if unclipped.shape != estimate.shape:
        raise ValueError(f"unclipped samples must have the shape {estimate.shape}, got {unclipped.shape}")
    p, g = estimate[unclipped], reference[unclipped]
    energy = p @ p
    if energy == 0:
        raise ValueError(f"no gain: all {p.size} unclipped samples of the estimate are 0")
    return estimate * ((p @ g) / energy)


def align_crf(estimate: Picture, reference: Picture, unclipped: Samples) -> Picture:
    """Undo what an unknown camera response may have done: a cubic curve of luminance, a cubic map of chroma.

    Twenty numbers: luminance is fitted in PQ units, chroma in CIE 1976 u', v', both to the reference. Hanji, Mantiuk,
    Eilertsen, Hajisharif and Unger, "Comparison of single image HDR reconstruction methods - the caveats of quality
    assessment", SIGGRAPH 2022.

    Args:
        estimate: >= 0; values below 0.005 count as 0.005.
        reference: likewise.
        unclipped: not used; the fit is over all pixels.

    Raises:
        ValueError: if a picture has a NaN or a negative value.
    """
    _require_pictures(estimate, reference)
    luminance, chroma = split_chroma(rgb_to_xyz(estimate.reshape(-1, 3)))
    wanted_luminance, wanted_chroma = split_chroma(rgb_to_xyz(reference.reshape(-1, 3)))

    encoded = pq_encode(luminance)
    corrected = cubic_basis(encoded) @ fit_luminance(encoded, pq_encode(wanted_luminance))
    corrected = pq_decode(np.clip(corrected, *pq_encode(np.array([DARKEST, XYZ_LIMITS[1]]))))

    weights = fit_chroma(chroma, wanted_chroma)
    corrected_chroma = np.maximum(chroma_basis(chroma) @ weights, DARKEST)
    return xyz_to_rgb(join_chroma(corrected, corrected_chroma)).reshape(estimate.shape)


ALIGNMENTS: dict[str, Callable[[Picture, Picture, Samples], Picture]] = {
    "none": align_none,
    "gain": align_gain,
    "crf": align_crf,
}


def find_alignment(name: str) -> Callable[[Picture, Picture, Samples], Picture]:
    """Look up an alignment by its name in `ALIGNMENTS`; an unknown name raises ValueError with the known ones."""
    if name not in ALIGNMENTS:
        raise ValueError(f"unknown alignment {name!r}; known are {list(ALIGNMENTS)}")
    return ALIGNMENTS[name]


def rgb_to_xyz(rgb: Rgb) -> Xyz:
    """Linear RGB (BT.709), raised to at least 0.005 cd/m^2, to CIE XYZ within [1e-4, 1e8]."""
    return np.clip(np.maximum(rgb, DARKEST) @ RGB_TO_XYZ.T, *XYZ_LIMITS)


def xyz_to_rgb(xyz: Xyz) -> Rgb:
    """CIE XYZ, clipped to [1e-4, 1e8], to linear RGB (BT.709); colours outside the gamut lose their negative part."""
    return np.maximum(np.clip(xyz, *XYZ_LIMITS) @ np.linalg.inv(RGB_TO_XYZ).T, 0.0)


def split_chroma(xyz: Xyz) -> tuple[Luminance, Chroma]:
    """XYZ to luminance Y in cd/m^2 and CIE 1976 u', v', scaled by 410/255 to about [0, 1]."""
    x, y, z = xyz.T  # (pixels,) each
    return y, np.stack([4 * x, 9 * y], axis=1) / (x + 15 * y + 3 * z)[:, None] * CHROMA_SCALE


def join_chroma(luminance: Luminance, chroma: Chroma) -> Xyz:
    """Undo `split_chroma`."""
    u, v = (chroma / CHROMA_SCALE).T  # (pixels,) each
    x, z = 9 * u / (4 * v) * luminance, (12 - 3 * u - 20 * v) / (4 * v) * luminance
    return np.stack([x, luminance, z], axis=1)


PQ_M, PQ_N = 78.8438, 0.1593
PQ_C1, PQ_C2, PQ_C3 = 0.8359, 18.8516, 18.6875


def pq_encode(luminance: Luminance) -> Luminance:
    """Perceptual quantiser of SMPTE ST 2084, rounded as in Hanji et al.'s program; cd/m^2 to [0, 1] for up to 10000."""
    power = (luminance / 10_000.0) ** PQ_N
    return ((PQ_C1 + PQ_C2 * power) / (1 + PQ_C3 * power)) ** PQ_M


def pq_decode(encoded: Luminance) -> Luminance:
    """Undo `pq_encode`."""
    root = encoded ** (1 / PQ_M)
    return 10_000.0 * ((root - PQ_C1) / (PQ_C2 - PQ_C3 * root)) ** (1 / PQ_N)


def cubic_basis(encoded: Luminance) -> Float64[np.ndarray, "pixels 4"]:
    """[P^3 P^2 P 1]."""
    return np.vander(encoded, 4)


def fit_luminance(encoded: Luminance, wanted: Luminance) -> Float64[np.ndarray, " 4"]:
    """Least-squares weights of `cubic_basis`, both luminances in PQ units; the smallest ones where many fit."""
    return np.linalg.lstsq(cubic_basis(encoded), wanted)[0]


def chroma_basis(chroma: Chroma) -> Float64[np.ndarray, "pixels 8"]:
    """[u^3 v^3 u^2 v^2 uv u v 1]."""
    u, v = chroma.T
    return np.stack([u**3, v**3, u**2, v**2, u * v, u, v, np.ones_like(u)], axis=1)


def fit_chroma(chroma: Chroma, wanted: Chroma) -> Float64[np.ndarray, "8 2"]:
    """Ridge regression towards leaving u and v alone: W = (X'X + s I)^-1 (X'Y + s W0), s = 0.01 pixels / 8."""
    basis = chroma_basis(chroma)
    unchanged = np.zeros((8, 2))
    unchanged[5, 0] = unchanged[6, 1] = 1.0  # the rows of u and v
    strength = CHROMA_RIDGE * len(basis) / 8
    return np.linalg.solve(basis.T @ basis + strength * np.eye(8), basis.T @ wanted + strength * unchanged)


def _require_pictures(estimate: Picture, reference: Picture) -> None:
    if estimate.shape != reference.shape or estimate.ndim != 3 or estimate.shape[2] != 3 or estimate.size == 0:
        raise ValueError(f"pictures must both be (height, width, 3), got {estimate.shape} and {reference.shape}")
    for name, picture in (("estimate", estimate), ("reference", reference)):
        wrong = picture[~(np.isfinite(picture) & (picture >= 0))]
        if wrong.size > 0:
            raise ValueError(f"the {name} must be finite and not negative, got {wrong[0]}")

"""From other primaries and whites to those of Rec.709, linear light to linear light."""

import numpy as np
from jaxtyping import Float64

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x, y of red, green, blue and white (D65)
XYZ_AXES = (1, 0, 0, 1, 0, 0)  # x, y of primaries that are X, Y and Z
SAME = 2e-3  # by which x and y may differ and still be meant: headers round them, and D65 has several values
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
Matrix = Float64[np.ndarray, "3 3"]


def matrix_of(chromaticities: tuple[float, ...]) -> Matrix | None:
    """Return the matrix from linear RGB of these primaries to Rec.709, D65; None if they are the same.

    The conversion goes through CIE XYZ, with Bradford's adaptation (Lam 1985) where the white point differs. Primaries
    that are the axes of CIE XYZ contain XYZ itself; their white point, equal energy, is not adapted.

    Args:
        chromaticities: x and y of red, green, blue and white.

    Raises:
        ValueError: if no light is white in them.
    """
    if np.abs(np.subtract(chromaticities, REC709)).max() <= SAME:
        return None
    if np.abs(np.subtract(chromaticities[:6], XYZ_AXES)).max() <= SAME:
        return xyz_matrix()
    try:
        with np.errstate(divide="raise", invalid="raise"):
            from_rgb, white = to_xyz(np.asarray(chromaticities, np.float64))
            to_rgb, d65 = to_xyz(np.asarray(REC709))
            matrix = np.linalg.inv(to_rgb) @ adaptation(white, d65) @ from_rgb
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        raise _no_white(chromaticities) from error
    return matrix


def convert(light: Float64[np.ndarray, "height width 3"], matrix: Matrix) -> Float64[np.ndarray, "height width 3"]:
    """Return light in other primaries, the same bits on every processor; BLAS rounds as the processor suggests."""
    red, green, blue = (light[:, :, channel, None] * matrix[:, channel] for channel in range(3))
    return red + green + blue


def xyz_matrix() -> Matrix:
    """From CIE XYZ to linear RGB of Rec.709, whose white stays as it is: D65."""
    return np.linalg.inv(to_xyz(np.asarray(REC709))[0])


def luminance_weights(chromaticities: tuple[float, ...]) -> Float64[np.ndarray, " 3"]:
    """Return how much of the luminance of white is red, green and blue; they add up to 1.

    Raises:
        ValueError: if no light is white in these primaries.
    """
    try:
        with np.errstate(divide="raise", invalid="raise"):
            weights = to_xyz(np.asarray(chromaticities, np.float64))[0][1]
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        raise _no_white(chromaticities) from error
    if not weights[1] > 0:
        raise ValueError(f"primaries {', '.join(f'{x:g}' for x in chromaticities)}: green gives no luminance")
    return weights / weights.sum()


def _no_white(chromaticities: tuple[float, ...]) -> ValueError:
    return ValueError(f"primaries {', '.join(f'{x:g}' for x in chromaticities)}: they give no white")


def adaptation(white: Float64[np.ndarray, " 3"], wanted: Float64[np.ndarray, " 3"]) -> Matrix:
    """Bradford's adaptation of XYZ from one white to another."""
    return np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ wanted) / (BRADFORD @ white)) @ BRADFORD


def to_xyz(chromaticities: Float64[np.ndarray, " 8"]) -> tuple[Matrix, Float64[np.ndarray, " 3"]]:
    x, y = chromaticities.reshape(4, 2).T
    columns = np.stack([x, y, 1 - x - y])[:, :3]  # of the primaries, up to a factor each
    white = np.array([x[3], y[3], 1 - x[3] - y[3]]) / y[3]
    return columns * np.linalg.solve(columns, white), white

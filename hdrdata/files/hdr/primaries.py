"""From other primaries and whites to those of Rec.709, linear light to linear light."""

import struct

import numpy as np
from jaxtyping import Float, Float32, Float64

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x, y of red, green, blue and white (D65)
XYZ_AXES = (1, 0, 0, 1, 0, 0)  # x, y of primaries that are X, Y and Z
SAME = 2e-3  # by which x and y may differ and still be meant: headers round them, and D65 has several values
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])  # of ICC's connection space
ROWS = 2**20  # pixels that are converted at a time
Matrix = Float64[np.ndarray, "3 3"]
Picture = Float[np.ndarray, "height width 3"]


def matrix_of(chromaticities: tuple[float, ...]) -> Matrix | None:
    """The matrix from linear RGB of these primaries to that of Rec.709, D65; None where they are the same.

    By CIE XYZ, and Bradford's adaptation (Lam 1985) where the white differs. Primaries that are CIE XYZ's own axes hold
    XYZ of light as it is; what they call white, equal energy, is no white of a picture, and is not adapted.

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
            from_rgb, white = _to_xyz(np.asarray(chromaticities, np.float64))
            to_rgb, d65 = _to_xyz(np.asarray(REC709))
            matrix = np.linalg.inv(to_rgb) @ adaptation(white, d65) @ from_rgb
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        raise _no_white(chromaticities) from error
    return matrix


def xyz_matrix() -> Matrix:
    """From CIE XYZ to linear RGB of Rec.709, whose white stays as it is: D65."""
    return np.linalg.inv(_to_xyz(np.asarray(REC709))[0])


def luminance_weights(chromaticities: tuple[float, ...]) -> Float64[np.ndarray, " 3"]:
    """How much of the luminance of white is red, green and blue; they add up to 1.

    Raises:
        ValueError: if no light is white in these primaries.
    """
    try:
        with np.errstate(divide="raise", invalid="raise"):
            weights = _to_xyz(np.asarray(chromaticities, np.float64))[0][1]
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        raise _no_white(chromaticities) from error
    if not weights[1] > 0:
        raise ValueError(f"primaries {', '.join(f'{x:g}' for x in chromaticities)}: green gives no luminance")
    return weights / weights.sum()


def _no_white(chromaticities: tuple[float, ...]) -> ValueError:
    return ValueError(f"primaries {', '.join(f'{x:g}' for x in chromaticities)}: no light is white in them")


def adaptation(white: Float64[np.ndarray, " 3"], wanted: Float64[np.ndarray, " 3"]) -> Matrix:
    """Bradford's adaptation of XYZ from one white to another."""
    return np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ wanted) / (BRADFORD @ white)) @ BRADFORD


def _to_xyz(chromaticities: Float64[np.ndarray, " 8"]) -> tuple[Matrix, Float64[np.ndarray, " 3"]]:
    x, y = chromaticities.reshape(4, 2).T
    columns = np.stack([x, y, 1 - x - y])[:, :3]  # of the primaries, up to a factor each
    white = np.array([x[3], y[3], 1 - x[3] - y[3]]) / y[3]
    return columns * np.linalg.solve(columns, white), white


def convert(light: Picture, matrix: Matrix) -> Float32[np.ndarray, "height width 3"]:
    """Bring linear light to Rec.709; what that does not reach is negative."""
    made = np.empty(light.shape, np.float32)
    rows = max(1, ROWS // light.shape[1])
    for top in range(0, light.shape[0], rows):
        band = light[top : top + rows].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            converted = band @ matrix.T
            small = np.abs(converted) < 1e-6 * np.abs(converted).max(axis=2, keepdims=True)
        converted[small] = 0  # rounding is no colour
        made[top : top + rows] = converted
    return made


class Profile:
    """An ICC profile of three primaries and their curves (ICC.1:2022, 8.4 and 10).

    Raises:
        ValueError: naming the profile, if it has no such primaries, is of other colours, or is damaged.
    """

    def __init__(self, icc: bytes):
        try:
            count = struct.unpack_from(">I", icc, 128)[0]
            entries = [struct.unpack_from(">4sII", icc, 132 + 12 * place) for place in range(min(count, 200))]
            self.tags = {tag: icc[start : start + size] for tag, start, size in entries}
            self.name = _text(self.tags.get(b"desc", b"")) or "without a name"
            self.colours = icc[16:20]
            if self.colours == b"GRAY":
                self.curves = [_curve(self.tags[b"kTRC"])] * 3
                self.matrix = None
                return
            columns = [
                np.array(struct.unpack_from(">3i", self.tags[tag], 8)) / 65536 for tag in (b"rXYZ", b"gXYZ", b"bXYZ")
            ]
            self.curves = [_curve(self.tags[tag]) for tag in (b"rTRC", b"gTRC", b"bTRC")]
        except (KeyError, struct.error) as error:
            name = getattr(self, "name", "damaged")
            raise ValueError(f"its colour profile ({name}) has no primaries and curves; wanted linear RGB") from error
        to_rgb, d65 = _to_xyz(np.asarray(REC709))
        matrix = np.linalg.inv(to_rgb) @ adaptation(D50, d65) @ np.stack(columns, axis=1)
        self.matrix = None if np.abs(matrix - np.eye(3)).max() < 5e-3 else matrix

    @property
    def is_linear(self) -> bool:
        """Whether its values are light as they are."""
        grid = np.linspace(0, 1, 33)
        return all(np.abs(curve(grid) - grid).max() < 1e-4 for curve in self.curves)

    def linearise(self, values: Picture) -> Float32[np.ndarray, "height width 3"]:
        """Light of encoded values; beyond [0, 1] the curves go on as they end."""
        light = np.empty(values.shape, np.float32)
        for channel, curve in enumerate(self.curves):
            encoded = values[:, :, channel].astype(np.float64)
            within = np.clip(encoded, 0, 1)
            slope = (curve(np.ones(1)) - curve(np.full(1, 1 - 1e-4)))[0] / 1e-4
            light[:, :, channel] = curve(within) + np.maximum(encoded - 1, 0) * slope + np.minimum(encoded, 0)
        return light


def _text(tag: bytes) -> str:
    """The description of a profile, of either version."""
    if tag[:4] == b"mluc":
        size, start = struct.unpack_from(">II", tag, 20)
        return tag[start : start + size].decode("utf-16-be", "replace").strip("\0 ")
    return tag[12:].split(b"\0")[0].decode("latin-1").strip() if tag[:4] == b"desc" else ""


def _curve(tag: bytes):
    """Encoded values [0, 1] to light: ICC's curveType and parametricCurveType."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return lambda x: x
        values = np.array(struct.unpack_from(f">{count}H", tag, 12))
        if count == 1:
            return lambda x: x ** (values[0] / 256)
        return lambda x: np.interp(x, np.linspace(0, 1, count), values / 65535)
    if tag[:4] != b"para":
        raise KeyError("curve")
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, a, b, c, d, e, f = {
        0: lambda g: (g, 1, 0, 0, -1, 0, 0), 1: lambda g, a, b: (g, a, b, 0, -b / a, 0, 0),
        2: lambda g, a, b, c: (g, a, b, 0, -b / a, c, c), 3: lambda g, a, b, c, d: (g, a, b, c, d, 0, 0),
        4: lambda g, a, b, c, d, e, f: (g, a, b, c, d, e, f),
    }[kind](*(value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)))  # fmt: skip
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)

"""ICC profiles of three primaries and their curves, continued above 1: floats hold light brighter than white."""

import struct

import numpy as np
from jaxtyping import Float

from hdrdata.files.hdr.colour import Colour, Curve
from hdrdata.files.hdr.primaries import REC709, adaptation, to_xyz

D50 = np.array([0.9642, 1.0, 0.8249])  # of ICC's connection space
FITTED_FROM = 0.25  # of a curve given as a table: the part that decides how it continues
MISFIT = 2e-3  # of the light of white, by which the power may differ from that part


def colour_of_profile(icc: bytes) -> Colour:
    """Return how values become linear Rec.709 by an ICC profile (ICC.1:2022, 8.3.3, 8.4, 10.6 and 10.18).

    Above 1 a parametric curve continues by its formula, and a table by the power (a x + 1 - a)^g fitted to its end.

    Raises:
        ValueError: naming the profile, if it has no primaries and curves, is of other colours, or is damaged.
    """
    name = "damaged"
    try:
        (count,) = struct.unpack_from(">I", icc, 128)
        entries = [struct.unpack_from(">4sII", icc, 132 + 12 * place) for place in range(min(count, 200))]
        tags = {tag: icc[start : start + size] for tag, start, size in entries}
        name = _text(tags.get(b"desc", b"")) or "without a name"
        space = icc[16:20]
        if space == b"GRAY":
            curves, matrix = [_curve(tags[b"kTRC"])], None
        elif space == b"RGB ":
            columns = [np.array(struct.unpack_from(">3i", tags[tag], 8)) / 65536 for tag in (b"rXYZ", b"gXYZ", b"bXYZ")]
            curves = [_curve(tags[tag]) for tag in (b"rTRC", b"gTRC", b"bTRC")]
            to_rgb, d65 = to_xyz(np.asarray(REC709))
            matrix = np.linalg.inv(to_rgb) @ adaptation(D50, d65) @ np.stack(columns, axis=1)
        else:
            raise ValueError(f"its colour profile ({name}) is of {space.decode('latin-1').strip()}; expected RGB")
    except (KeyError, IndexError, struct.error) as error:
        raise ValueError(f"its colour profile ({name}) has no primaries and curves; expected RGB") from error
    grid = np.linspace(0, 1, 33)
    is_linear = all(np.abs(curve(grid) - grid).max() < 1e-4 for curve in curves)
    is_rec709 = matrix is None or np.abs(matrix - np.eye(3)).max() < 5e-3
    curve = None if is_linear else lambda values: _by_channel(curves, values)
    named = () if is_linear and is_rec709 else (f"ICC profile {name}",)
    return Colour(curve, None if is_rec709 else matrix, named)


def _by_channel(curves: list[Curve], values: Float[np.ndarray, "rows width 3"]) -> Float[np.ndarray, "rows width 3"]:
    if len(curves) == 1:
        return curves[0](values)
    return np.stack([curve(values[:, :, channel]) for channel, curve in enumerate(curves)], axis=2)


def _text(tag: bytes) -> str:
    """The description of a profile, of either version."""
    if tag[:4] == b"mluc":
        size, start = struct.unpack_from(">II", tag, 20)
        return tag[start : start + size].decode("utf-16-be", "replace").strip("\0 ")
    return tag[12:].split(b"\0")[0].decode("latin-1").strip() if tag[:4] == b"desc" else ""


def _curve(tag: bytes) -> Curve:
    """Encoded values to light: ICC's curveType and parametricCurveType."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return lambda x: x
        values = np.array(struct.unpack_from(f">{count}H", tag, 12))
        return continued(values / 65535) if count > 1 else lambda x: np.maximum(x, 0) ** (values[0] / 256)
    if tag[:4] != b"para":
        raise KeyError("curve")
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind == 0:
        (gamma,) = (value / 65536 for value in struct.unpack_from(">i", tag, 12))
        return lambda x: np.maximum(x, 0) ** gamma
    g, a, b, c, d, e, f = {
        1: lambda g, a, b: (g, a, b, 0, -b / a, 0, 0), 2: lambda g, a, b, c: (g, a, b, 0, -b / a, c, c),
        3: lambda g, a, b, c, d: (g, a, b, c, d, 0, 0), 4: lambda g, a, b, c, d, e, f: (g, a, b, c, d, e, f),
    }[kind](*(value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)))  # fmt: skip
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def continued(table: Float[np.ndarray, " levels"]) -> Curve:
    """Return a table over [0, 1] as a curve that continues above 1, and below 0 by the slope of its first step.

    Raises:
        ValueError: on use, if it does not end as a power, and there are values above 1.
    """
    grid = np.linspace(0, 1, len(table))

    def curve(values: np.ndarray) -> np.ndarray:
        light = np.interp(values, grid, table)
        above, below = values > 1, values < 0
        if above.any():
            scale, gamma = _power_of(grid, table)
            light[above] = table[-1] * (scale * values[above] + 1 - scale) ** gamma
        light[below] += values[below] * (table[1] - table[0]) * (len(table) - 1)
        return light

    return curve


def _power_of(grid: np.ndarray, table: np.ndarray) -> tuple[float, float]:
    """The scale and the exponent of (a x + 1 - a)^g, fitted to the table's end; at 1 it is exact."""
    from scipy.optimize import least_squares  # takes longer to import than most files take to read

    place = grid >= FITTED_FROM
    x, light = grid[place], table[place] / max(table[-1], 1e-9)
    fit = least_squares(
        lambda p: np.maximum(p[0] * x + 1 - p[0], 1e-9) ** p[1] - light, [1.0, 2.2],
        bounds=([0.5, 0.3], [1.5, 4]), xtol=1e-14, ftol=1e-14, gtol=1e-14,
    )  # fmt: skip
    if np.abs(fit.fun).max() > MISFIT:
        raise ValueError("its curve is a table and not a power, and there are values above 1; expected values up to 1")
    return float(fit.x[0]), float(fit.x[1])

"""From stored values to linear light with the primaries of Rec.709: by name, or by what a file states."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Float64, Num

from hdrdata.files.bands import row_bands
from hdrdata.files.hdr.primaries import REC709, Matrix, convert, matrix_of, xyz_matrix
from hdrdata.files.hdr.stated import Override

Curve = Callable[[np.ndarray], np.ndarray]  # stored values to linear light
D65, ACES_WHITE = REC709[6:], (0.32168, 0.33767)
GAMUTS: dict[str, tuple[float, ...] | None] = {  # x and y of red, green, blue and white; None: CIE XYZ
    "rec709": REC709,
    "p3d65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),
    "rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    "adobergb": (0.640, 0.330, 0.210, 0.710, 0.150, 0.060, *D65),
    "ap0": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, *ACES_WHITE),
    "ap1": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, *ACES_WHITE),
    "ciexyzd65": None,
    "xyzd65": None,
}


def srgb_to_light(codes: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Decode IEC 61966-2-1; above 1 the power and below 0 the straight line continue."""
    return np.where(codes <= 0.04045, codes / 12.92, (np.maximum(codes, 0.04045) / 1.055 + 0.055 / 1.055) ** 2.4)


def _acescct_to_light(codes: np.ndarray) -> np.ndarray:
    """Decode ACEScct, Academy S-2016-001."""
    line = (codes - 0.0729055341958355) / 10.5402377416545
    return np.where(codes <= 0.155251141552511, line, 2 ** (np.minimum(codes, 1.468) * 17.52 - 9.72))


def _power(gamma: float) -> Curve:
    return lambda codes: np.maximum(codes, 0) ** gamma


ENCODINGS: dict[str, Curve | None] = {
    "lin": None, "linear": None, "srgb": srgb_to_light, "g18": _power(1.8), "g22": _power(2.2), "g24": _power(2.4),
    "g26": _power(2.6), "acescct": _acescct_to_light,
}  # fmt: skip


@dataclass(frozen=True)
class Colour:
    """Conversion of stored values to linear Rec.709."""

    curve: Curve | None = None  # None: they are linear
    matrix: Matrix | None = None  # None: they are Rec.709
    named: tuple[str, ...] = ()  # what states this, in the file's own words

    @classmethod
    def stated(cls, read: "Callable[[], Colour]", override: Override) -> "Colour":
        """Return the colour that `read` finds in a file, with what a user states in its place.

        Raises:
            ValueError: if a name is unknown, or, unless the user states all of it, by `read`.
        """
        colour = cls() if override.colour and override.encoding else read()
        if override.encoding:
            curve = _of_name(ENCODINGS, override.encoding, "encoding")
            colour = replace(colour, curve=curve, named=(*colour.named, f"encoding {override.encoding}, as stated"))
        if override.colour:
            matrix = matrix_of_gamut(override.colour)
            colour = replace(colour, matrix=matrix, named=(*colour.named, f"colour {override.colour}, as stated"))
        return colour

    def to_rec709(self, values: Num[np.ndarray, "height width 3"]) -> Num[np.ndarray, "height width 3"]:
        """Return linear light; the same array where nothing is to be done. Light outside Rec.709 is negative.

        Args:
            values: floats, or unsigned integers, which are divided by their largest value.
        """
        if self.curve is None and self.matrix is None:
            return values
        most = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
        light: Float32[np.ndarray, "height width 3"] = np.empty(values.shape, np.float32)
        for rows in row_bands(values.shape[0], values.shape[1]):
            band = values[rows].astype(np.float64) / most
            with np.errstate(invalid="ignore", over="ignore"):
                band = band if self.curve is None else self.curve(band)
                band = band if self.matrix is None else _convert(band, self.matrix)
                light[rows] = band
        return light


def _convert(light: Float64[np.ndarray, "rows width 3"], matrix: Matrix) -> Float64[np.ndarray, "rows width 3"]:
    converted = convert(light, matrix)
    converted[np.abs(converted) < 1e-6 * np.abs(converted).max(axis=2, keepdims=True)] = 0  # rounding is no colour
    return converted


def matrix_of_gamut(name: str) -> Matrix | None:
    """Return the matrix from the named primaries to Rec.709; None for Rec.709 itself.

    Raises:
        ValueError: if the name is unknown.
    """
    chromaticities = _of_name(GAMUTS, name, "colour")
    return xyz_matrix() if chromaticities is None else matrix_of(chromaticities)


def colour_of_id(name: str) -> Colour | None:
    """Return the colour that EXR's colorInteropID names, `<encoding>_<primaries>_<scene|display>`; None for "unknown".

    Color Interop Forum, "Color Space Encodings for Texture Assets and CG Rendering", 2025.

    Raises:
        ValueError: if it names values that are not light, or an encoding or primaries that are not decoded here.
    """
    if name in ("", "unknown"):
        return None
    encoding, _, rest = name.partition("_")
    gamut, _, image_state = rest.rpartition("_")
    if encoding not in ENCODINGS or gamut not in GAMUTS or image_state not in ("scene", "display"):
        known = f"{', '.join(ENCODINGS)} with {', '.join(GAMUTS)}"
        raise ValueError(f"colorInteropID {name}: not an encoding that is decoded here; expected one of {known}")
    curve, matrix = ENCODINGS[encoding], matrix_of_gamut(gamut)
    plain = curve is None and matrix is None
    return Colour(curve, matrix, () if plain else (f"colorInteropID {name}",))


def _of_name(known: dict, name: str, what: str):
    if name not in known:
        raise ValueError(f"{what} '{name}' is unknown; expected one of {', '.join(known)}")
    return known[name]

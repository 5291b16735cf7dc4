"""Display light to the two HDR signals of ITU-R BT.2100, PQ and HLG, in the primaries of BT.2020."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt16

from hdrdata.photos.colours.encodings import WHITE, pq_light
from hdrmodel.outputs.bands import Light, Radiance, fill, notes_of

BT709_TO_BT2020 = np.array(  # ITU-R BT.2087, to more than its four digits
    [
        [0.627403895934699, 0.329283038377884, 0.043313065687417],
        [0.069097289358232, 0.919540395075459, 0.011362315566309],
        [0.016391438875150, 0.088013307877226, 0.895595253247624],
    ]
)
BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
BT2020 = 9  # primaries, and the matrix without constant luminance, in ITU-T H.273
PQ_PEAK, HLG_PEAK = 10_000.0, 1_000.0  # cd/m2


def pq_signal(light: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Display light in cd/m2, [0, 10000], to the PQ signal [0, 1]: the inverse EOTF of SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (light / PQ_PEAK) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hlg_signal(light: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """Display light in cd/m2, [0, 1000], BT.2020 primaries, to the HLG signal [0, 1] for a display of 1,000 cd/m2.

    ITU-R BT.2100, table 5: the inverse OOTF with gamma 1.2 and black at 0, then the OETF. The signal ends at 1, which a
    saturated colour reaches before the display's peak; it is clipped there.
    """
    gamma, a, b, c = 1.2, 0.17883277, 0.28466892, 0.55991073
    display = light / HLG_PEAK
    luminance = (display @ BT2020_LUMINANCE)[..., None]
    scene = display * np.where(luminance > 0, luminance, 1) ** ((1 - gamma) / gamma)
    bright = a * np.log(12 * np.maximum(scene, 1 / 12) - b) + c
    return np.minimum(np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright), 1)


def tone_mapped(light: Float[np.ndarray, "*shape 3"], brightest: float, white: float) -> Float[np.ndarray, "*shape 3"]:
    """Return light in cd/m2 compressed to [0, white] by the EETF of ITU-R BT.2390, section 5.4.1, with black at 0.

    The curve is applied to the largest channel of a pixel and all channels are scaled alike, which keeps the hue.

    Args:
        light: >= 0.
        brightest: cd/m2 of the brightest light of the picture; it becomes `white`.
        white: cd/m2.
    """
    if brightest <= white:
        return light
    most = light.max(axis=-1, keepdims=True)
    peak, target = pq_signal(np.minimum([brightest, white], PQ_PEAK))
    end = target / peak
    knee = 1.5 * end - 0.5
    signal = pq_signal(np.minimum(most, PQ_PEAK)) / peak
    t = np.maximum((signal - knee) / (1 - knee), 0)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * end
    mapped = WHITE * pq_light(np.where(signal < knee, signal, bent) * peak)
    return light * (mapped / np.maximum(most, 1e-6))


@dataclass(frozen=True)
class Signal:
    """A way to write display light as numbers."""

    transfer: int  # transfer characteristics in ITU-T H.273
    peak: float  # cd/m2
    encode: Callable[[Light], Light]  # from cd/m2 up to the peak to [0, 1]


SIGNALS = {"pq": Signal(16, PQ_PEAK, pq_signal), "hlg": Signal(18, HLG_PEAK, hlg_signal)}


def encode_signal(
    radiance: Radiance, nits: float, signal: Signal, bits: int
) -> tuple[UInt16[np.ndarray, "height width 3"], list[str]]:
    """Code values of full range, BT.2020 primaries.

    Args:
        nits: cd/m2 of 1 in `radiance`.
        bits: of a code value.

    Returns:
        [0, 2^bits - 1], rounded, and a note about clipped pixels.
    """
    codes = np.empty(radiance.shape, np.uint16)
    brightest = 2**bits - 1
    lost = fill(
        codes, radiance, nits, signal.peak, lambda light: np.round(brightest * signal.encode(light)), BT709_TO_BT2020
    )
    return codes, notes_of(lost, radiance, f"{signal.peak:,.0f} cd/m2", "BT.2020")

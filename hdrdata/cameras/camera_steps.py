"""Steps of a camera as parameters: drawn exposures and responses, noise, colour, JPEG, and usable pictures."""

from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from hdrdata.cameras.crf import Quantise
from hdrdata.cameras.crf_names import CrfChoice
from hdrdata.config import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Quality = Annotated[int, Field(ge=1, le=100)]


class _Range(Section):
    """Two ends, both within."""

    low: float
    high: float

    @model_validator(mode="after")
    def _not_empty(self) -> "_Range":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


class Draws(Section):
    """Number and seed of the random cameras that photograph each view."""

    cameras: Annotated[int, Field(ge=1, le=1000)]
    seed: NonNegativeInt


class QuantileExposure(_Range):
    """The p-quantile of the view's values (all three channels) becomes 1, p uniform."""

    kind: Literal["quantile"]
    low: Share
    high: Share


class ClippedExposure(_Range):
    """A share of the pixels clips (reaches 1 in the brightest channel), the share uniform."""

    kind: Literal["clipped_share"]
    low: Share
    high: Share


class StopsExposure(_Range):
    """The view, whose mean is 0.5, times 2^s; s one of `count` equal steps from low to high, each as likely."""

    kind: Literal["stops"]
    low: Annotated[float, Field(ge=-24, le=24)]
    high: Annotated[float, Field(ge=-24, le=24)]
    count: PositiveInt


ExposureChoice = Annotated[QuantileExposure | ClippedExposure | StopsExposure, Field(discriminator="kind")]


class Normal(_Range):
    """Normal, moved to the nearer end where it leaves [low, high]."""

    mean: float
    deviation: NonNegativeFloat
    low: PositiveFloat
    high: PositiveFloat


class DrawnSigmoid(Section):
    """f(I) = (1 + sigma) I^n / (I^n + sigma) with drawn n and sigma; see `SigmoidCrf`."""

    kind: Literal["drawn_sigmoid"]
    n: Normal
    sigma: Normal


class DrawnResponses(Section):
    """Responses of unknown cameras, drawn once for all views; see `hdrdata.cameras.drawn_curves.draw_curve`."""

    kind: Literal["drawn_responses"]
    cameras: Annotated[int, Field(ge=1, le=1000)]
    seed: NonNegativeInt
    models: tuple[str, ...] | None = None  # measured models to draw from, as `hdrdata.cameras.measured` names them


def _kind_of_responses(value: object) -> object:
    """Return the tag of a value of `Responses`, so that an error is about what was meant."""
    return value.get("kind", "listed") if isinstance(value, dict) else getattr(value, "kind", "listed")


Responses = Annotated[
    Annotated[tuple[CrfChoice, ...], Field(min_length=1), Tag("listed")]
    | Annotated[DrawnSigmoid, Tag("drawn_sigmoid")]
    | Annotated[DrawnResponses, Tag("drawn_responses")],
    Discriminator(_kind_of_responses),
]


class Noise(Section):
    """Gaussian noise of the sensor, whose value 1 is white: deviation sqrt(constant^2 + (signal * value)^2).

    A camera's own two numbers are uniform between 0 and these.
    """

    constant: NonNegativeFloat
    signal: NonNegativeFloat


class Colour(Section):
    """Normal deviations of what a camera adds to every pixel's hue, and to its saturation [0, 1], in HSV."""

    hue_degrees: NonNegativeFloat
    saturation: NonNegativeFloat


class Jpeg(_Range):
    """Baseline JPEG without subsampling (4:4:4), its quality uniform among the whole numbers from low to high."""

    low: Quality
    high: Quality


class Usable(Section):
    """A camera is drawn again, at most `attempts` times in all, while its picture has too many lost pixels.

    Lost: more than `share` of the pixels with all channels >= white, or more than `share` with all channels <= black.
    """

    white: Annotated[int, Field(ge=1, le=255)]
    black: Annotated[int, Field(ge=0, le=254)]
    share: Share
    attempts: Annotated[int, Field(ge=1, le=100)]


class Steps(Section):
    """Steps of a camera beside its response and exposures; None: not done."""

    quantise: Quantise = "floor254"
    draws: Draws | None = None
    exposure: ExposureChoice | None = None  # None: the mean of the view is 0.5
    noise: Noise | None = None
    colour: Colour | None = None
    jpeg: Jpeg | None = None
    usable: Usable | None = None


PLAIN = Steps()

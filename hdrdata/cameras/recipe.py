"""Recipes: which cameras and which exposures make the LDR pictures of a view.

A recipe's cameras are its camera responses, without noise, so that a picture is a table look-up (DrTMO); or random
cameras, each drawn for every view (`draws`), which may choose their own exposure, response, noise, colour and JPEG
quality (`hdrdata.cameras.random_camera`).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    model_validator,
)

from hdrdata.cameras.camera_steps import (
    PLAIN,
    ClippedExposure,
    Colour,
    DrawnResponses,
    DrawnSigmoid,
    Draws,
    Jpeg,
    Noise,
    Normal,
    QuantileExposure,
    Responses,
    Steps,
    StopsExposure,
    Usable,
)
from hdrdata.cameras.crf import CameraResponse
from hdrdata.cameras.crf_files import read_dorf
from hdrdata.cameras.crf_names import CrfChoice, FileCrf, MeasuredCrf, choose_crf
from hdrdata.cameras.drawn_curves import draw_responses
from hdrdata.cameras.measured import MODELS
from hdrdata.config import read_yaml

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class RecipeConfig(Steps):
    """A recipe as parameters give it: whole, or `{like: hdrcnn, evs: [-2, 0, 2]}`, a known one with changes."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    crfs: Responses
    evs: Annotated[tuple[Annotated[float, Field(ge=-24, le=24)], ...], Field(min_length=1, max_length=len(LETTERS))]

    @model_validator(mode="before")
    @classmethod
    def _like(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "like" not in values:
            return values
        name = values["like"]
        if not isinstance(name, str) or name not in RECIPES:
            raise ValueError(f"like: unknown recipe {name!r}; known: {', '.join(RECIPES)}")
        return {**RECIPES[name].model_dump(), **{key: value for key, value in values.items() if key != "like"}}

    @model_validator(mode="after")
    def _makes_sense(self) -> "RecipeConfig":
        if any(later <= earlier for earlier, later in zip(self.evs, self.evs[1:], strict=False)):
            raise ValueError("evs must rise: a stack is ordered from dark to bright")
        random = [name for name in ("exposure", "noise", "colour", "jpeg", "usable") if getattr(self, name) is not None]
        if isinstance(self.crfs, DrawnSigmoid):
            random.append("crfs of kind drawn_sigmoid")
        if random and self.draws is None:
            raise ValueError(f"{random[0]} is drawn: expected draws, as {{cameras: 5, seed: 0}}")
        return self


@dataclass(frozen=True)
class Recipe:
    """Camera responses and exposure values; the pictures are named a, b, c ... in rising exposure."""

    name: str
    crfs: tuple[CameraResponse, ...]  # the cameras; with draws what each camera's own is chosen from
    evs: tuple[float, ...]  # stops relative to the view, whose mean is 0.5; with draws to a camera's own exposure
    steps: Steps = PLAIN
    sigmoid: DrawnSigmoid | None = None  # in place of `crfs`

    @property
    def exposures(self) -> tuple[float, ...]:
        """t / t_reference = 2 ** ev."""
        return tuple(2.0**ev for ev in self.evs)

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.evs)]

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of the cameras, one sample of each view per camera: a CRF's name, or '<recipe>-<number>'."""
        if self.steps.draws is None:
            return tuple(crf.name for crf in self.crfs)
        return tuple(f"{self.name}-{number}" for number in range(self.steps.draws.cameras))

    def crf(self, name: str) -> CameraResponse:
        """The recipe's camera response of that name."""
        return {crf.name: crf for crf in self.crfs}[name]


HALF_STOPS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
FILM = (  # of DrTMO's five; for DoRF's curves, which are not shipped
    "agfacolor-vista-200cdblue",
    "gold-200cdblue",
    "agfachrome-rsx2-050cdred",
    "ektachrome-100-pluscdblue",
)
FIVE = Draws(cameras=5, seed=0)
RECIPES = {
    # Nine exposures, dt_i = sqrt(2) ** (i - 4); "e" is the view itself.
    # Endo, Kanamori and Mitani, "Deep Reverse Tone Mapping", SIGGRAPH Asia 2017.
    "drtmo": RecipeConfig(name="drtmo", crfs=(*FILM, "gamma14"), evs=HALF_STOPS),
    "srgb": RecipeConfig(name="srgb", crfs=("srgb",), evs=HALF_STOPS),
    "linear": RecipeConfig(name="linear", crfs=("linear",), evs=HALF_STOPS),
    # Responses like those of measured cameras and phones; levels are rounded, as cameras do.
    "cameras": RecipeConfig(
        name="cameras",
        crfs=DrawnResponses(kind="drawn_responses", cameras=5, seed=0),
        evs=HALF_STOPS,
        quantise="round255",
    ),
    # The measured models themselves, for evaluation: train with `models` that leave some out.
    "measured": RecipeConfig(
        name="measured",
        crfs=tuple(MeasuredCrf(kind="measured", model=model) for model in MODELS),
        evs=HALF_STOPS,
        quantise="round255",
    ),
    # Eilertsen et al., "HDR image reconstruction from a single exposure using deep CNNs", SIGGRAPH Asia 2017.
    # Our readings: the quantile is over all channels; n and sigma are moved into their ranges; 8 bit is rounding.
    "hdrcnn": RecipeConfig(
        name="hdrcnn",
        crfs=DrawnSigmoid(
            kind="drawn_sigmoid",
            n=Normal(mean=0.9, deviation=0.1, low=0.2, high=2.5),
            sigma=Normal(mean=0.6, deviation=0.1, low=1e-6, high=5),  # 0 would make every light white
        ),
        evs=(0.0,),
        quantise="round255",
        draws=FIVE,
        exposure=QuantileExposure(kind="quantile", low=0.85, high=0.95),
        noise=Noise(constant=0.01, signal=0),
        colour=Colour(hue_degrees=7, saturation=0.1),
        jpeg=Jpeg(low=30, high=100),
    ),
    # Liu et al., "Single-Image HDR Reconstruction by Learning to Reverse the Camera Pipeline", CVPR 2020.
    # Our readings: both noises are independent, of the value before it is clipped; 8 bit is rounding; a pixel is lost
    # where all its channels are; white and black pixels are counted each by themselves; where the paper drops a
    # picture, another camera is drawn.
    "singlehdr": RecipeConfig(
        name="singlehdr",
        crfs=FILM,
        evs=(0.0,),
        quantise="round255",
        draws=FIVE,
        exposure=StopsExposure(kind="stops", low=-3, high=3, count=600),
        noise=Noise(constant=0.005, signal=0.08 / 6),
        jpeg=Jpeg(low=90, high=100),
        usable=Usable(white=249, black=6, share=0.5, attempts=20),
    ),
    # Percentile clipping, as in the AIM 2025 challenge on inverse tone mapping. Noise and JPEG are unpublished:
    # they are HDRCNN's. The clustered curves are DrTMO's, which are representatives of k-means, too.
    "clipped": RecipeConfig(
        name="clipped",
        crfs=FILM,
        evs=(0.0,),
        quantise="round255",
        draws=FIVE,
        exposure=ClippedExposure(kind="clipped_share", low=0.05, high=0.15),
        noise=Noise(constant=0.01, signal=0),
        jpeg=Jpeg(low=30, high=100),
    ),
}


def read_recipe(choice: str) -> RecipeConfig:
    """The recipe of a name, or of a file .yaml or .yml, which holds what `synthesize.recipe` of params.yaml takes.

    The file may also be a piece of params.yaml: the same below `synthesize:` and `recipe:`.

    Raises:
        ValueError: if the name is unknown, or naming the file and what is wrong in it.
    """
    path = Path(choice)
    if path.suffix.lower() not in (".yaml", ".yml"):
        return _known_recipe(choice, ", or a file .yaml")
    values = read_yaml(path)
    for name in ("synthesize", "recipe"):
        values = values[name] if isinstance(values, dict) and name in values else values
    if isinstance(values, str):
        values = {"like": values}
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected a recipe, as {{like: drtmo, evs: [-2, 0, 2]}}; got {str(values)[:100]!r}")
    try:
        return RecipeConfig.parse("recipe", values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def choose_recipe(choice: str | RecipeConfig) -> Recipe:
    """The recipe of a name, or one given as parameters.

    Raises:
        ValueError: if the name or a CRF in it is unknown, or two CRFs that are cameras have the same name.
    """
    if isinstance(choice, str):
        choice = _known_recipe(choice)
    steps = Steps.model_validate({name: getattr(choice, name) for name in Steps.model_fields})
    if isinstance(choice.crfs, DrawnSigmoid):
        return Recipe(choice.name, (), choice.evs, steps, choice.crfs)
    if isinstance(choice.crfs, DrawnResponses):
        drawn = choice.crfs
        crfs = draw_responses(choice.name, drawn.cameras, drawn.seed, drawn.models)
    else:
        crfs = tuple(crf for chosen in choice.crfs for crf in _crfs_of(chosen))
    if steps.draws is None:
        names = [crf.name for crf in crfs]
        for name in names:
            if not re.fullmatch(r"[a-z0-9_-]+", name):
                raise ValueError(f"recipe {choice.name}: CRF '{name}' does not fit a sample key [a-z0-9_-]+")
            if names.count(name) > 1:
                raise ValueError(f"recipe {choice.name}: CRF '{name}' occurs twice")
    return Recipe(choice.name, tuple(sorted(crfs, key=lambda crf: crf.name)), choice.evs, steps)


def _known_recipe(name: str, otherwise: str = "") -> RecipeConfig:
    if name not in RECIPES:
        raise ValueError(f"unknown recipe '{name}'; known: {', '.join(RECIPES)}{otherwise}")
    return RECIPES[name]


def _crfs_of(choice: CrfChoice) -> tuple[CameraResponse, ...]:
    """The CRF of a choice; every curve of a DoRF file if its curve is '*'."""
    if isinstance(choice, FileCrf) and choice.curve == "*":
        return tuple(read_dorf(Path(choice.file)).values())
    return (choose_crf(choice),)

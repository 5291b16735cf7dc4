"""Recipes: which camera responses and which exposures make the LDR pictures of a view."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from hdrdata.config import Section
from hdrdata.crf import CameraResponse, CrfChoice, choose_crf, drtmo_crfs

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class RecipeConfig(Section):
    """A recipe as parameters give it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    crfs: Annotated[tuple[CrfChoice, ...], Field(min_length=1)]
    evs: Annotated[tuple[Annotated[float, Field(ge=-24, le=24)], ...], Field(min_length=1, max_length=len(LETTERS))]

    @model_validator(mode="after")
    def _rising(self) -> "RecipeConfig":
        if any(later <= earlier for earlier, later in zip(self.evs, self.evs[1:], strict=False)):
            raise ValueError("evs must rise: a stack is ordered from dark to bright")
        return self


@dataclass(frozen=True)
class Recipe:
    """Camera responses and exposure values; the pictures are named a, b, c ... in rising exposure."""

    name: str
    crfs: tuple[CameraResponse, ...]
    evs: tuple[float, ...]  # stops relative to the view, whose mean is 0.5

    @property
    def exposures(self) -> tuple[float, ...]:
        """t / t_reference = 2 ** ev."""
        return tuple(2.0**ev for ev in self.evs)

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.evs)]

    def crf(self, name: str) -> CameraResponse:
        """The recipe's camera response of that name."""
        return {crf.name: crf for crf in self.crfs}[name]


# DrTMO: nine exposures, dt_i = sqrt(2) ** (i - 4); "e" is the view itself.
# Endo, Kanamori and Mitani, "Deep Reverse Tone Mapping", SIGGRAPH Asia 2017.
HALF_STOPS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
RECIPES = {
    "drtmo": RecipeConfig(name="drtmo", crfs=tuple(drtmo_crfs()), evs=HALF_STOPS),
    "srgb": RecipeConfig(name="srgb", crfs=("srgb",), evs=HALF_STOPS),
    "linear": RecipeConfig(name="linear", crfs=("linear",), evs=HALF_STOPS),
}


def choose_recipe(choice: str | RecipeConfig) -> Recipe:
    """The recipe of a name, or one given as parameters.

    Raises:
        ValueError: if the name or a CRF in it is unknown, or two CRFs have the same name.
    """
    if isinstance(choice, str):
        if choice not in RECIPES:
            raise ValueError(f"unknown recipe '{choice}'; known: {', '.join(RECIPES)}")
        choice = RECIPES[choice]
    crfs = tuple(choose_crf(crf) for crf in choice.crfs)
    names = [crf.name for crf in crfs]
    for name in names:
        if not re.fullmatch(r"[a-z0-9_-]+", name):
            raise ValueError(f"recipe {choice.name}: CRF '{name}' does not fit a sample key [a-z0-9_-]+")
        if names.count(name) > 1:
            raise ValueError(f"recipe {choice.name}: CRF '{name}' stands twice")
    return Recipe(choice.name, tuple(sorted(crfs, key=lambda crf: crf.name)), choice.evs)

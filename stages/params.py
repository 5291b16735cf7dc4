"""Read one section of params.yaml, and make a stage's function a command."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import click
import yaml
from pydantic import Field, NonNegativeInt

from hdrdata.command import OneLineErrors
from hdrdata.config import Section

PARAMS = Path("params.yaml")


class ScanConfig(Section):
    """Where the scenes lie, and how their groups are split into parts."""

    scenes: str  # folder
    sidecar: str | None  # a CSV in it: file, location_group, kind, licence, scale
    seed: NonNegativeInt
    val_share: Annotated[float, Field(ge=0, lt=1)]
    test_share: Annotated[float, Field(ge=0, lt=1)]


Config = TypeVar("Config", bound=Section)


def read_section(name: str, config: type[Config]) -> Config:
    """Check the section `name` of params.yaml in the working folder.

    Raises:
        ValueError: naming the file, the section and each value that is wrong.
    """
    try:
        params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{PARAMS}: cannot be read: {error}") from error
    if not isinstance(params, dict) or name not in params:
        raise ValueError(f"{PARAMS}: no section '{name}'")
    try:
        return config.parse(name, params[name])
    except ValueError as error:
        raise ValueError(f"{PARAMS}: {error}") from error


def stage(function: Callable) -> click.Command:
    """A stage's main function as a command."""
    return click.command(cls=OneLineErrors)(function)

"""Read params.yaml: one section of it or the lists at its top, and make a stage's function a command."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hdrdata.command import OneLineErrors
from hdrdata.config import Section, read_yaml
from hdrdata.samples.layout import Form

PARAMS = Path("params.yaml")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
Config = TypeVar("Config", bound=Section)


def read_section(name: str, config: type[Config], **shared: object) -> Config:
    """Check the section `name` of params.yaml in the working folder.

    Args:
        shared: values that several stages share, and that the section does not repeat.

    Raises:
        ValueError: naming the file, the section and each value that is wrong.
    """
    section = read_values(name)
    try:
        return config.parse(name, {**section, **shared} if isinstance(section, dict) else section)
    except ValueError as error:
        raise ValueError(f"{PARAMS}: {error}") from error


def read_values(name: str) -> Any:
    """Return a section or a value of params.yaml, unchecked; ValueError if there is none of this name."""
    params = _read_params()
    if name not in params:
        raise ValueError(f"{PARAMS}: no section '{name}'")
    return params[name]


def read_run() -> dict[str, Any]:
    """Read the section `run`: the engine and the workers of the stages of the data, which change no result."""
    section = read_values("run")
    if not isinstance(section, dict) or set(section) != {"engine", "workers"}:
        raise ValueError(f"{PARAMS}: run: expected the names engine and workers, got {section!r}")
    return section


def read_forms() -> tuple[Form, ...]:
    """Read `form` at the top: the forms of the dataset that are made.

    Raises:
        ValueError: if it is none of radiance, pixels and both.
    """
    form = read_values("form")
    if form not in ("radiance", "pixels", "both"):
        raise ValueError(f"{PARAMS}: form: expected radiance, pixels or both, got {form!r}")
    return ("pixels", "radiance") if form == "both" else (form,)


def read_variants() -> tuple[str, ...]:
    """Read the list `variants` at the top of params.yaml in the working folder.

    Raises:
        ValueError: if the file cannot be read or the list is not one of plain names, each once: dvc.yaml puts them into
            a command line.
    """
    return _read_list("variants", "names of letters, digits, _ and -", _is_plain_name)


def read_seeds() -> tuple[int, ...]:
    """Read the list `seeds` at the top of params.yaml in the working folder: each variant is trained with each.

    Raises:
        ValueError: if the file cannot be read or the list is not one of whole numbers from 0, each once.
    """
    return _read_list("seeds", "whole numbers from 0", lambda seed: type(seed) is int and seed >= 0)


def check_matrix() -> None:
    """Refuse variants and seeds that are not plain, before a later stage of dvc.yaml puts them into a command line."""
    read_variants()
    read_seeds()


def stage(function: Callable) -> click.Command:
    """A stage's main function as a command."""
    return click.command(cls=OneLineErrors)(function)


def _read_params() -> dict:
    params = read_yaml(PARAMS)
    if not isinstance(params, dict):
        raise ValueError(f"{PARAMS}: expected sections by name, got {params!r}")
    return params


def _is_plain_name(name: object) -> bool:
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def _read_list(name: str, wanted: str, fits: Callable[[object], bool]) -> tuple:
    values = _read_params().get(name)
    if not isinstance(values, list) or not values or not all(map(fits, values)) or len(set(values)) < len(values):
        raise ValueError(f"{PARAMS}: {name}: expected a list of {wanted}, each once, got {values!r}")
    return tuple(values)

"""The base of every section of parameters: frozen, complete, and without unknown names."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

AnySection = TypeVar("AnySection", bound="Section")  # typing.Self is more than the tests' type checker knows


def first_problem(error: ValidationError) -> str:
    """Return where the first problem is and what it is, in one line of at most 300 characters."""
    problem = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    text = f"{place}: {problem['msg']}" if place else problem["msg"]
    return text if len(text) <= 300 else f"{text[:297]}..."


class Section(BaseModel):
    """A frozen set of parameters; every value is given, none is a hidden default, unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls: type[AnySection], name: str, values: Any) -> AnySection:
        """Check the values of the section `name`.

        Raises:
            ValueError: one line that names the section, each wrong or missing or unknown name, and what is wanted.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = [
                f"{'.'.join([name, *(str(part) for part in problem['loc'])])}: {problem['msg']}"
                + (f", got {problem['input']!r}" if problem["type"] not in ("missing", "model_type") else "")
                for problem in error.errors()
            ]
            raise ValueError("; ".join(wrong)) from error


def replace_values(values: dict, changes: Sequence[str]) -> dict:
    """Replace values of nested parameters in place, and return them.

    Args:
        changes: "steps=1000" or "loss.perceptual=0", the value as YAML.

    Raises:
        ValueError: naming a change that is not NAME=VALUE, or whose name does not exist.
    """
    import yaml

    for change in changes:
        path, equals, value = change.partition("=")
        *sections, last = path.split(".")
        section = values
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if not equals or not isinstance(section, dict) or last not in section:
            raise ValueError(f"'{change}': wanted NAME=VALUE with a name of the profile, such as {', '.join(values)}")
        try:
            section[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"'{change}': the value is no YAML: {error}") from error
    return values

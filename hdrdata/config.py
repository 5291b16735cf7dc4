"""The base of every section of parameters: frozen, complete, and without unknown names."""

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

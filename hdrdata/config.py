"""The base of every section of parameters: frozen, complete, and without unknown names."""

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

AnySection = TypeVar("AnySection", bound="Section")  # the tests' type checker does not support typing.Self


PROBLEMS = 5  # of a section, that one message names
YAML_BYTES, YAML_VALUES = 1 << 16, 20_000  # limits for a file of parameters


def first_problem(error: ValidationError) -> str:
    """Return where the first problem is and what it is, in one line of at most 300 characters."""
    problem = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    text = " ".join((f"{place}: {problem['msg']}" if place else problem["msg"]).split())
    return text if len(text) <= 300 else f"{text[:297]}..."


class Section(BaseModel):
    """A frozen set of parameters; every value is given, none is a hidden default, unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls: type[AnySection], name: str, values: Any) -> AnySection:
        """Check the values of the section `name`.

        Raises:
            ValueError: one line that names the section, each wrong or missing or unknown name, and what is expected.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            wrong = [
                f"{'.'.join([name, *(str(part) for part in problem['loc'])])}: {problem['msg']}"
                + (f", got {_short(problem['input'])}" if problem["type"] not in ("missing", "model_type") else "")
                for problem in problems[:PROBLEMS]
            ]
            wrong += [f"{len(problems) - PROBLEMS} more"] if len(problems) > PROBLEMS else []
            raise ValueError("; ".join(wrong)) from error


def _short(value: object) -> str:
    text = reprlib.repr(value) if isinstance(value, dict | list | tuple | set) else repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def read_yaml(path: Path) -> Any:
    """Read a YAML file of parameters.

    Raises:
        ValueError: naming the file, if it cannot be read, is not YAML, or exceeds a limit: bytes, depth, or values
            once its aliases are expanded.
    """
    import yaml

    try:
        if path.stat().st_size > YAML_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes; expected at most {YAML_BYTES}")
        # The scanner in Python takes 5 s for 20 kB of lists that are 200 deep; libyaml's takes 0.5 s.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if (size := _expanded_size(node, {})) > YAML_VALUES:
            raise ValueError(f"{size} values once its aliases are expanded; expected at most {YAML_VALUES}")
        return None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ValueError(f"{path}: cannot be read as YAML: nested too deeply, or an alias in itself") from error
    except (OSError, ValueError, yaml.YAMLError, TypeError) as error:  # TypeError: a mapping as a mapping's key
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be read as YAML: {reason}") from error


def _expanded_size(node: Any, known: dict[int, int]) -> int:
    """Return how many values a YAML node has if each alias in it is written out."""
    if node is None or isinstance(node.value, str):
        return 1
    if id(node) not in known:
        known[id(node)] = 1  # of an alias in itself, which `safe_load` may build, too
        children = (part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,)))
        known[id(node)] = 1 + sum(_expanded_size(child, known) for child in children)
    return known[id(node)]


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
            raise ValueError(f"'{change}': expected NAME=VALUE with a name of the profile, such as {', '.join(values)}")
        try:
            section[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"'{change}': the value is not YAML: {error}") from error
    return values

"""Parameters that are shipped, some values replaced."""

from collections.abc import Sequence
from importlib import resources

import yaml

from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.training.config import TrainConfig

PROFILES = ("quick", "paper", "release")


def load_profile(name: str, changes: Sequence[str] = ()) -> TrainConfig:
    """A shipped configuration of training, some values replaced.

    Args:
        name: in PROFILES.
        changes: "steps=1000" or "loss.perceptual=0", the value as YAML.

    Raises:
        ValueError: naming a change that is no "name=value", a name that does not exist, or a wrong value.
    """
    return TrainConfig.parse("train", _changed(f"{name}.yaml", changes))


def load_evaluation(changes: Sequence[str] = ()) -> EvaluateConfig:
    """The shipped configuration of evaluation, some values replaced; as `load_profile`."""
    return EvaluateConfig.parse("evaluate", _changed("evaluate.yaml", changes))


def _changed(file: str, changes: Sequence[str]) -> dict:
    values = yaml.safe_load(resources.files("hdrmodel").joinpath("profiles", file).read_text("utf-8"))
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

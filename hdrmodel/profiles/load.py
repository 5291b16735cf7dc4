"""Parameters of training that are shipped, some values replaced."""

from collections.abc import Mapping, Sequence
from importlib import resources

import yaml

from hdrdata.config import replace_values
from hdrmodel.training.config import TrainConfig

FILES = {"quick": "quick.yaml", "paper": "paper.yaml", "release": "release.yaml"}
PROFILES = tuple(FILES)


def load_profile(name: str, changes: Sequence[str] = ()) -> TrainConfig:
    """Return a shipped configuration of training, some values replaced.

    Args:
        name: in PROFILES.
        changes: "steps=1000" or "loss.perceptual=0", the value as YAML.

    Raises:
        ValueError: naming a change that is not "name=value", a name that does not exist, or a wrong value.
    """
    return TrainConfig.parse("train", replace_values(_read(name), changes))


def merge_profile(train: Mapping, changes: Mapping) -> dict:
    """Return the parameters of one variant: those of all variants, or of a profile, with the variant's own values.

    Args:
        train: the parameters of all variants.
        changes: values by name, nested as in `train`; `profile` names the shipped profile to start from instead.
    """
    changes = dict(changes)
    base = _read(changes.pop("profile")) if "profile" in changes else train
    return _merge(base, changes)


def _merge(base: Mapping, changes: Mapping) -> dict:
    nested = {
        name: _merge(base[name], value)
        for name, value in changes.items()
        if isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
    }
    return {**base, **changes, **nested}


def _read(name: str) -> dict:
    if name not in FILES:
        raise ValueError(f"unknown profile {name!r}; known are {list(FILES)}")
    return yaml.safe_load(resources.files("hdrmodel").joinpath("profiles", FILES[name]).read_text("utf-8"))

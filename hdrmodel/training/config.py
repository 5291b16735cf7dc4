"""The sections `train` and `evaluate` of the parameters."""

from collections.abc import Sequence
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hdrdata.config import Section

Device = Literal["auto", "cpu", "cuda"]


class LossConfig(Section):
    """Weights and forms of HDR-AttNet's four losses; a baseline has its own paper's loss, and reads none of this."""

    reconstruction: NonNegativeFloat
    representation: NonNegativeFloat
    perceptual: NonNegativeFloat
    total_variation: NonNegativeFloat
    norm: Literal["l1", "l2"]
    trunk: str  # a name in TRUNKS; read only if the perceptual term has a weight
    trunk_file: str | None  # a local state dict for it
    trunk_window: Annotated[int, Field(ge=16)] | None  # pixels of each crop's middle; null: all of it


class PlateauConfig(Section):
    """How the learning rate falls where validation no longer improves."""

    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: NonNegativeInt  # validations without a new best before the rate falls


class TrainConfig(Section):
    """How one variant is trained."""

    form: Literal["radiance", "pixels"]  # of the shards; baselines learn from radiance alone
    preset: str  # HDR-AttNet's activations; baselines have none
    width: Annotated[float, Field(gt=0, le=4)]  # of every variant: 1 is its paper's
    steps: PositiveInt
    batch: PositiveInt  # pairs (of baselines: photographs) a step, over all processes and accumulated parts
    accumulate: PositiveInt  # parts that a process computes one after another
    crop: Annotated[int, Field(ge=16)]  # pixels
    flips: bool  # left-right and up-down, each with probability 1/2
    rotation: Literal["none", "quarter", "any"]  # any: with probability 1/2, by up to 179 degrees
    optimizer: Literal["adam", "adamw"]
    weight_decay: NonNegativeFloat
    learning_rate: PositiveFloat
    schedule: Literal["constant", "cosine", "plateau"]
    plateau: PlateauConfig
    clip_gradient: PositiveFloat | None  # norm
    precision: Literal["fp32", "tf32", "bf16", "fp16"]  # tf32: on GPUs; the halves by autocast, fp16 with a scaler
    channels_last: bool | Literal["auto"]  # auto: on a GPU
    compile: bool  # torch.compile
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None  # validate and keep the moving average of the weights
    sync_batch_norm: bool  # over all processes; GPUs only
    loss: LossConfig
    log_every: PositiveInt  # steps
    validate_every: PositiveInt  # steps
    validation_stacks: PositiveInt
    checkpoint_every: PositiveInt  # steps
    loader_workers: NonNegativeInt  # of each process
    device: Device


class LpipsConfig(Section):
    """Which LPIPS, and where its trunk is if it cannot be downloaded."""

    trunk: Literal["alex", "squeeze", "vgg"] | None  # null: no LPIPS
    trunk_file: str | None


class BootstrapConfig(Section):
    """How the intervals are drawn."""

    resamples: Annotated[int, Field(ge=100)]
    seed: NonNegativeInt


class EvaluateConfig(Section):
    """How a variant is measured."""

    crfs_a_view: PositiveInt | None  # how many of the camera responses each view is measured under; null: all
    metrics: tuple[str, ...]  # names in METRICS
    alignments: tuple[Literal["none", "gain", "crf"], ...]  # of the estimate to the reference, for metrics of light
    lpips: LpipsConfig
    bootstrap: BootstrapConfig
    median_nits: PositiveFloat  # the reference's median luminance is brought to this, cd/m^2
    peak_nits: PositiveFloat  # and clipped here
    pictures_a_scene: NonNegativeInt  # shown in the report
    device: Device


PROFILES = ("quick", "paper")


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

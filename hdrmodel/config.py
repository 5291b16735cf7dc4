"""The sections `train` and `evaluate` of the parameters."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hdrdata.config import Section

Device = Literal["auto", "cpu", "cuda"]


class LossConfig(Section):
    """Weights and forms of the four losses."""

    reconstruction: NonNegativeFloat
    representation: NonNegativeFloat
    perceptual: NonNegativeFloat
    total_variation: NonNegativeFloat
    norm: Literal["l1", "l2"]
    trunk: str  # a name in TRUNKS; read only if the perceptual term has a weight
    trunk_file: str | None  # a local state dict for it
    trunk_window: PositiveInt | None  # pixels: the perceptual term looks at the middle of each crop; null: at all of it


class TrainConfig(Section):
    """How one variant is trained."""

    preset: str
    width: PositiveFloat
    seed: NonNegativeInt
    steps: PositiveInt
    batch: PositiveInt
    crop: Annotated[int, Field(ge=16)]  # pixels
    augment: bool
    learning_rate: PositiveFloat  # Adam
    schedule: Literal["constant", "cosine"]
    clip_gradient: PositiveFloat | None  # norm
    loss: LossConfig
    log_every: PositiveInt  # steps
    validate_every: PositiveInt  # steps
    validation_stacks: PositiveInt
    checkpoint_every: PositiveInt  # steps
    loader_workers: NonNegativeInt
    device: Device


class LpipsConfig(Section):
    """Which LPIPS, and where its trunk is if it cannot be downloaded."""

    trunk: Literal["alex", "squeeze"] | None  # null: no LPIPS
    trunk_file: str | None


class EvaluateConfig(Section):
    """How a variant is measured."""

    crfs_a_view: PositiveInt | None  # how many of the camera responses each view is measured under; null: all
    lpips: LpipsConfig
    median_nits: PositiveFloat  # the reference's median luminance is brought to this, cd/m^2
    peak_nits: PositiveFloat  # and clipped here
    pictures_a_scene: NonNegativeInt  # shown in the report
    device: Device

"""The section `train` of the parameters."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hdrdata.config import Section
from hdrmodel.networks.devices import Device
from hdrmodel.networks.pair_loss import LossConfig
from hdrmodel.sampling.simulated import Augmentation


class PlateauConfig(Section):
    """Decrease of the learning rate when validation no longer improves."""

    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: NonNegativeInt  # validations without a new best before the rate falls


class LightConfig(Section):
    """Training on light: photographs by random cameras, exposures and scales, for every variant."""

    augmentation: Augmentation
    warmup: NonNegativeInt  # steps in which the rate rises
    decay: Annotated[float, Field(gt=0, le=1)]  # share of the steps, at the end, in which it falls to 0


class TrainConfig(Section):
    """Parameters of training one variant."""

    form: Literal["radiance", "pixels"]  # of the shards; baselines learn from radiance alone
    preset: str  # HDR-AttNet's activations; baselines have none
    width: Annotated[float, Field(gt=0, le=4)]  # of every variant: 1 is its paper's
    start: str | None  # weights of the same network that training begins with; null: drawn by the seed
    steps: PositiveInt
    batch: PositiveInt  # pairs (of baselines: photographs) a step, over all processes and accumulated parts
    accumulate: PositiveInt  # parts that a process computes one after another
    crop: Annotated[int, Field(ge=16)]  # pixels
    flips: bool  # left-right and up-down, each with probability 1/2
    rotation: Literal["none", "quarter", "any"]  # any: with probability 1/2, by up to 179 degrees
    optimizer: Literal["adam", "adamw"]
    weight_decay: NonNegativeFloat
    learning_rate: PositiveFloat
    schedule: Literal["constant", "cosine", "plateau", "wsd"]  # wsd: warm-up, stable, decay, see `light`
    plateau: PlateauConfig
    clip_gradient: PositiveFloat | None  # norm
    # tf32: on GPUs; the halves by autocast, fp16 with a scaler; auto: bf16 where the processor multiplies it, else fp32
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"]
    channels_last: bool | Literal["auto"]  # auto: on a GPU, and in bf16
    compile: bool  # torch.compile
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None  # validate and keep the moving average of the weights
    sync_batch_norm: bool  # over all processes; GPUs only
    loss: LossConfig
    light: LightConfig | None  # null: the stacks of the shards, as in the papers
    log_every: PositiveInt  # steps
    validate_every: PositiveInt  # steps
    validation_stacks: NonNegativeInt  # 0: nothing is validated, and no part val is needed
    checkpoint_every: PositiveInt  # steps
    loader_workers: NonNegativeInt  # of each process
    device: Device

"""Start of a training: network, loss, samples; and the clock beside it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.utils.data import Dataset

from hdrdata.files.disk import digest_of, sha256_of
from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.unet import find_preset
from hdrmodel.networks.variants import Network, Variant, describe_network, find_variant
from hdrmodel.networks.weights import load_weights, untrained_network
from hdrmodel.sampling.datasets import Stacks
from hdrmodel.sampling.loading import Share
from hdrmodel.sampling.sources import MakeBatch, sample_light, sample_stacks
from hdrmodel.training.config import TrainConfig
from hdrmodel.training.distributed import World
from hdrmodel.training.step import Stepper

CHECKPOINT = "last.ckpt"
WEIGHTS = "weights.safetensors"
RUN = "run.json"
HOW_TO_RUN = {"loader_workers", "checkpoint_every", "log_every"}  # changed, they change no weights
HOW_TO_VALIDATE = {"validate_every", "validation_stacks"}  # nor do these, but that the plateau schedule listens


@dataclass
class Progress:
    """Progress of a run, and its results so far."""

    step: int = 0
    logged: int = 0  # the last step of the means in `loss`
    sums: dict[str, float] = field(default_factory=dict)  # of the terms since then
    loss: list[dict] = field(default_factory=list)
    validation: list[dict] = field(default_factory=list)
    seconds: float = 0.0  # of training and validation
    training_seconds: float = 0.0
    waiting_seconds: float = 0.0  # for the loader
    resumed: int = 0  # times


@dataclass(frozen=True)
class Setup:
    """State that does not change while a run trains, except the weights inside `stepper`."""

    run: Path
    variant: str
    seed: int
    config: TrainConfig
    world: World
    samples: Dataset
    validation: Stacks | None  # None: nothing is validated
    data: str  # a digest of the shards
    batch_of: MakeBatch
    stepper: Stepper
    trunk: dict[str, str] | None
    start: str | None  # SHA-256 of the weights that the run begins with

    @property
    def identity(self) -> str:
        """A digest of all that the weights depend on."""
        unimportant = HOW_TO_RUN | (HOW_TO_VALIDATE if self.config.schedule != "plateau" else set())
        settings = self.config.model_dump(mode="json", exclude=unimportant)
        return digest_of([self.variant, self.seed, settings, self.data, self.trunk, self.start, self.world.size])

    def share(self, first_step: int) -> Share:
        """This process's part of the samples from a step on."""
        config, world = self.config, self.world
        return Share(config.batch, first_step, config.steps, config.accumulate, world.rank, world.size)


def prepare(shards: Path | str, run: Path, variant: str, seed: int, config: TrainConfig, world: World) -> Setup:
    entry = find_variant(variant)
    find_preset(config.preset)
    training = Shards(shards, "train", config.form)
    validation = Stacks(Shards(shards, "val", config.form)) if config.validation_stacks else None
    if config.schedule == "wsd" and config.light is None:
        raise ValueError("train.schedule: 'wsd' needs train.light, which states its warm-up and decay; got null")
    if config.schedule == "plateau" and validation is None:
        raise ValueError("train.validation_stacks: 0; the schedule 'plateau' needs validation")
    if config.loss.light > 0 and config.light is None:
        raise ValueError("train.loss.light: the term needs train.light, which states how light is drawn; got null")
    if 0.0 not in training.evs or len(training.evs) < 2:
        raise ValueError(f"{shards}: exposures {training.evs}; training needs EV 0, which is the input, and another")
    rows = training.index["rows"].values()
    samples, batch_of = _samples_of(entry, training, seed, config, world.device)
    loss_of = entry.loss(config.loss)
    network, start = _first_weights(variant, seed, config)
    setup = Setup(
        run=run,
        variant=variant,
        seed=seed,
        config=config,
        world=world,
        samples=samples,
        validation=validation,
        data=digest_of([row["files"] for row in rows if row["form"] == config.form]),
        batch_of=batch_of,
        stepper=Stepper(network, loss_of, config, world),
        trunk=getattr(loss_of, "pretrained", None),
        start=start,
    )
    if setup.share(0).size == 1 and config.crop <= network.deepest_norm:
        raise ValueError(
            f"a part of one sample and a crop of {config.crop} pixels leave batch normalisation one value a channel at "
            f"the deepest level; expected a crop above {network.deepest_norm}, or a larger batch"
        )
    return setup


def _first_weights(variant: str, seed: int, config: TrainConfig) -> tuple[Network, str | None]:
    """The network as the run begins, and the SHA-256 of the file that it was read from."""
    wanted = describe_network(variant, config.preset, config.width)
    if config.start is None:
        return untrained_network(wanted, seed), None
    network, _ = load_weights(config.start)
    if network.config != wanted:
        raise ValueError(f"train.start: {config.start} holds {network.config}; expected {wanted}")
    return network, sha256_of(Path(config.start))


def _samples_of(
    variant: Variant, shards: Shards, seed: int, config: TrainConfig, device: torch.device
) -> tuple[Dataset, MakeBatch]:
    """Return the samples that a variant learns from, and the function that makes batches of them."""
    if config.light is not None:
        augmentation = config.light.augmentation
        return sample_light(variant.learns_from, shards, seed, config.crop, augmentation, device)
    return sample_stacks(variant.learns_from, shards, seed, config.crop, config.flips, config.rotation, device)


class Clock:
    """Adds up where a run's time goes."""

    def __init__(self, progress: Progress, loader_processes: int):
        self._progress = progress
        self._since = time.perf_counter()
        self._starting = loader_processes  # each gives one of the first batches, once it runs

    def stop(self) -> None:
        """Count the time since the last stop as training."""
        self._progress.training_seconds += self._count()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a block also as waiting for the loader; while its processes start, as neither training nor waiting."""
        if self._starting:
            self.stop()
            yield
            self._starting -= 1
            self._count()
            return
        start = time.perf_counter()
        yield
        self._progress.waiting_seconds += time.perf_counter() - start

    @contextmanager
    def examining(self) -> Iterator[None]:
        """Count a block as validation."""
        self.stop()
        yield
        self._count()

    def _count(self) -> float:
        now = time.perf_counter()
        elapsed, self._since = now - self._since, now
        self._progress.seconds += elapsed
        return elapsed

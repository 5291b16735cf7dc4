"""What a training begins with: network, loss, samples; and the clock beside it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hdrdata.files.disk import digest_of, sha256_of
from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.trunks import load_trunk
from hdrmodel.networks.unet import STRIDE, find_preset
from hdrmodel.networks.variants import Baseline, Network, describe_network, find_variant
from hdrmodel.networks.weights import load_weights, untrained_network
from hdrmodel.sampling.batches import LookUp, PairBatch, PhotoBatch
from hdrmodel.sampling.datasets import CutDataset, PairDataset, PhotoDataset, Stacks
from hdrmodel.sampling.light import LightBatch, LightDataset, light_batch, light_pairs, light_photos
from hdrmodel.sampling.loading import Share
from hdrmodel.training.config import LossConfig, TrainConfig
from hdrmodel.training.distributed import World
from hdrmodel.training.losses import LossWeights, PairLoss
from hdrmodel.training.step import Stepper

CHECKPOINT = "last.ckpt"
WEIGHTS = "weights.safetensors"
RUN = "run.json"
HOW_TO_RUN = {"loader_workers", "checkpoint_every", "log_every"}  # changed, they change no weights
HOW_TO_VALIDATE = {"validate_every", "validation_stacks"}  # nor do these, but that the plateau schedule listens


@dataclass
class Progress:
    """How far a run has come, and what it has to show for it."""

    step: int = 0
    logged: int = 0  # the last step of the means in `loss`
    sums: dict[str, float] = field(default_factory=dict)  # of the terms since then
    loss: list[dict] = field(default_factory=list)
    validation: list[dict] = field(default_factory=list)
    seconds: float = 0.0  # of training and validation
    training_seconds: float = 0.0
    waiting_seconds: float = 0.0  # for the loader
    resumed: int = 0  # times


def make_loss(config: LossConfig) -> tuple[PairLoss, dict[str, str] | None]:
    """HDR-AttNet's loss, and the name and SHA-256 of the trunk of its perceptual term (None without that term)."""
    weights = LossWeights(
        config.reconstruction, config.representation, config.perceptual, config.total_variation, config.light
    )
    if weights.perceptual == 0:
        return PairLoss(weights, config.norm, None), None
    trunk, sha256 = load_trunk(config.trunk, Path(config.trunk_file) if config.trunk_file else None)
    return PairLoss(weights, config.norm, trunk, config.trunk_window), {"name": config.trunk, "sha256": sha256}


@dataclass(frozen=True)
class Setup:
    """What does not change while a run trains, but for the weights inside `stepper`."""

    run: Path
    variant: str
    seed: int
    config: TrainConfig
    world: World
    samples: CutDataset | LightDataset
    validation: Stacks | None  # None: nothing is validated
    data: str  # a digest of the shards
    batch_of: Callable[[dict], PairBatch | PhotoBatch | LightBatch]  # collated samples
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


def prepare(shards: Path, run: Path, variant: str, seed: int, config: TrainConfig, world: World) -> Setup:
    baseline = find_variant(variant)
    find_preset(config.preset)
    training = Shards(shards, "train", config.form)
    validation = Stacks(Shards(shards, "val", config.form)) if config.validation_stacks else None
    if config.schedule == "wsd" and config.light is None:
        raise ValueError("train.schedule: 'wsd' wants train.light, which tells its warm-up and decay; got null")
    if config.schedule == "plateau" and validation is None:
        raise ValueError("train.validation_stacks: 0; the schedule 'plateau' listens to validation and wants some")
    if config.loss.light > 0 and config.light is None:
        raise ValueError("train.loss.light: the term wants train.light, which its light is drawn by; got null")
    if 0.0 not in training.evs or len(training.evs) < 2:
        raise ValueError(f"{shards}: exposures {training.evs}; training needs EV 0, which is the input, and another")
    rows = training.index["rows"].values()
    samples, batch_of = _samples_of(baseline, training, seed, config, world)
    loss_of, trunk = make_loss(config.loss) if baseline is None else (baseline.loss(), None)
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
        trunk=trunk,
        start=start,
    )
    deepest = STRIDE if baseline is None else network.deepest_norm
    if setup.share(0).size == 1 and config.crop <= deepest:
        raise ValueError(
            f"a part of one sample and a crop of {config.crop} pixels leave batch normalisation one value a channel at "
            f"the deepest level; wanted a crop above {deepest}, or a larger batch"
        )
    return setup


def _first_weights(variant: str, seed: int, config: TrainConfig) -> tuple[Network, str | None]:
    """The network as the run begins, and the SHA-256 of the file that it was read from."""
    wanted = describe_network(variant, config.preset, config.width)
    if config.start is None:
        return untrained_network(wanted, seed), None
    network, _ = load_weights(config.start)
    if network.config != wanted:
        raise ValueError(f"train.start: {config.start} holds {network.config}; wanted {wanted}")
    return network, sha256_of(Path(config.start))


def _samples_of(
    baseline: Baseline | None, shards: Shards, seed: int, config: TrainConfig, world: World
) -> tuple[CutDataset | LightDataset, Callable[[dict], PairBatch | PhotoBatch | LightBatch]]:
    """What a variant learns from, and what makes batches of it on the device."""
    learns = "pairs" if baseline is None else baseline.learns
    if config.light is not None:
        batch_of = {"pairs": light_pairs, "photos": light_photos, "light": light_batch}[learns]
        samples = LightDataset(shards, config.crop, config.light.augmentation, seed, pairs=learns == "pairs")
        return samples, partial(batch_of, device=world.device)
    if learns == "light":
        raise ValueError("train.light: null; wanted what light is learned from (the profile release has it)")
    dataset = PairDataset if baseline is None else PhotoDataset
    look_up = LookUp(shards.tables).to(world.device)
    samples = dataset(shards, config.crop, seed, config.flips, config.rotation)
    return samples, look_up.pairs if baseline is None else look_up.photos


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

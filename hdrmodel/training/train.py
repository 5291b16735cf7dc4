"""Train one variant from shards, resumably: a run cut short and resumed ends with the same weights."""

import logging
import math
import pickle
import platform
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.files.disk import digest_of, write_json, written_whole
from hdrdata.stream.shard_reader import Shards
from hdrmodel.metrics.display import psnr_ldr
from hdrmodel.networks.batches import to_batch, to_pictures
from hdrmodel.networks.hdr_attnet import HDRAttNet, Pictures, count_parameters
from hdrmodel.networks.trunks import load_trunk
from hdrmodel.networks.unet import STRIDE, find_preset
from hdrmodel.networks.variants import Network, find_variant
from hdrmodel.networks.weights import choose_device, device_name, initial_network, save_weights
from hdrmodel.sampling.datasets import (
    CutDataset,
    LookUp,
    PairBatch,
    PairDataset,
    PhotoBatch,
    PhotoDataset,
    Share,
    Stacks,
    load_pairs,
)
from hdrmodel.training.config import LossConfig, TrainConfig
from hdrmodel.training.distributed import World, join_world
from hdrmodel.training.losses import LossWeights, PairLoss
from hdrmodel.training.step import Stepper
from hdrmodel.training.tracking import Log, open_log, show_progress

LOGGER = logging.getLogger(__name__)

CHECKPOINT = "last.ckpt"
WEIGHTS = "weights.safetensors"
RUN = "run.json"
STEPS_BETWEEN_QUESTIONS = 8  # of several processes, whether one of them was asked to stop
PICTURE_HEIGHT = 96  # pixels of each exposure in the validation picture
HOW_TO_RUN = {"loader_workers", "checkpoint_every", "log_every"}  # changed, they change no weights
HOW_TO_VALIDATE = {"validate_every", "validation_stacks"}  # nor do these, but that the plateau schedule listens


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; the checkpoint holds everything up to the last whole step."""


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
    weights = LossWeights(config.reconstruction, config.representation, config.perceptual, config.total_variation)
    if weights.perceptual == 0:
        return PairLoss(weights, config.norm, None), None
    trunk, sha256 = load_trunk(config.trunk, Path(config.trunk_file) if config.trunk_file else None)
    return PairLoss(weights, config.norm, trunk, config.trunk_window), {"name": config.trunk, "sha256": sha256}


@torch.no_grad()
def validate(
    network: Network, stacks: Stacks, count: int, device: torch.device
) -> tuple[dict[str, float | dict[str, float]], UInt8[np.ndarray, "height width 3"]]:
    """LDR PSNR over whole pictures: the middle exposure in, every other one against the truth.

    HDR-AttNet makes the other exposures itself; the radiance of a baseline is exposed by the look-up tables of the
    stack's own camera response, as the truth was. The views are spread evenly over the part, the camera responses come
    in turn.

    Args:
        count: stacks, at most.

    Returns:
        "psnr_ldr", the mean of all pictures' PSNR in dB, and "psnr_ldr_by_ev", that of the pictures of each exposure;
        and a picture of the first stack: above what the network made of the middle exposure, below the truth.
    """
    shards = stacks.shards
    middle = shards.evs.index(0.0)
    others = [index for index in range(len(shards.evs)) if index != middle]
    was_training = network.training
    network.eval()
    values, picture = [], None
    for place, view in enumerate(np.unique(np.linspace(0, len(stacks) - 1, min(count, len(stacks))).round())):
        crf = stacks.crfs[place % len(stacks.crfs)]
        truth = to_batch(stacks.stack(int(view), crf)).to(device)
        made = _exposures(network, truth[middle : middle + 1], shards, crf, others)
        values.append(psnr_ldr(torch.cat(made), truth[others]))
        if picture is None:
            made.insert(middle, truth[middle : middle + 1])
            picture = np.concatenate([_strip(torch.cat(made)), _strip(truth)])
    network.train(was_training)
    psnr = torch.stack(values).mean(dim=0)  # by exposure
    by_ev = {f"{shards.evs[index]:g}": value for index, value in zip(others, psnr.tolist(), strict=True)}
    return {"psnr_ldr": float(psnr.mean()), "psnr_ldr_by_ev": by_ev}, picture


def _exposures(network: Network, ldr: Pictures, shards: Shards, crf: str, wanted: list[int]) -> list[Pictures]:
    """What a network makes of one photograph at the numbers `wanted` of the shards' exposures, one after another."""
    if isinstance(network, HDRAttNet):  # all at once would need eight times the memory
        middle = shards.exposures[shards.evs.index(0.0)]
        ratio = torch.tensor([shards.exposures[index] / middle for index in wanted], device=ldr.device)
        encoded = network.encode(ldr)
        return [network.expose(encoded, one).float().clamp(0, 1) for one in ratio.float().split(1)]
    (radiance,) = to_pictures(network(ldr)).astype(np.float16)
    stack = expose_view(half_bits(radiance), shards.tables[crf][wanted])
    return list(to_batch(stack).to(ldr.device).split(1))


def _strip(stack: Float[Tensor, "exposures 3 height width"]) -> UInt8[np.ndarray, "strip_height strip_width 3"]:
    """A stack as one small picture, side by side."""
    levels = (to_pictures(stack) * 255).round().astype(np.uint8)
    width = max(round(levels.shape[2] * PICTURE_HEIGHT / levels.shape[1]), 1)
    small = [cv2.resize(each, (width, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA) for each in levels]
    return np.concatenate(small, axis=1)


def train(shards: Path, run: Path, variant: str, seed: int, config: TrainConfig) -> dict | None:
    """Train a variant and write `weights.safetensors`, `run.json` and `dvclive/` to the folder `run`.

    A run that was cut short goes on from `last.ckpt` if configuration, seed, data and number of processes are the same,
    and ends with the weights it would have had: bit for bit on a CPU in one process or two (of more, PyTorch adds up
    the first gradients after a resumption in another order). One that ended begins anew. Under torchrun all its
    processes train together, and the first one writes.

    Args:
        shards: folder of shards with the parts train and val in the configured form.
        variant: a name in ATTENTIONS or in BASELINES.
        seed: of the network's first weights, and of the order, the crops and the augmentation of the samples.

    Returns:
        what run.json holds; None in a process that does not lead.

    Raises:
        ValueError: if the shards or the configuration are wrong, the loss is NaN or infinite (it names the samples), or
            a GPU's memory is too small.
        Interrupted: on Ctrl-C or SIGTERM, after the step at hand and a checkpoint.
    """
    with join_world(choose_device(config.device)) as world:
        devices = [world.device] if world.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), _stop_signals() as stop:
            torch.manual_seed(seed)  # for an attention that draws; nothing here does
            try:
                return _train(shards, run, variant, seed, config, world, stop)
            except torch.OutOfMemoryError as error:
                raise ValueError(
                    "the GPU's memory is too small; wanted a smaller batch, a larger accumulate or precision bf16"
                ) from error


def _train(
    shards: Path, run: Path, variant: str, seed: int, config: TrainConfig, world: World, stop: "_Stop"
) -> dict | None:
    setup = _prepare(shards, run, variant, seed, config, world)
    run.mkdir(parents=True, exist_ok=True)
    progress = _resume(run / CHECKPOINT, setup)
    if world.device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.precision == "tf32"
        torch.cuda.reset_peak_memory_stats(world.device)
    if progress.step == 0 and world.leads:
        for name in (WEIGHTS, RUN):
            (run / name).unlink(missing_ok=True)
    with open_log(run, progress.step, world.leads) as log:
        if progress.step == 0:
            _examine(setup, progress, log)
        _advance(setup, progress, log, stop)
    if not world.leads:
        return None
    record = _record(setup, progress)
    about = {"variant": variant, "seed": seed, "data": setup.data}
    record["weights_sha256"] = save_weights(run / WEIGHTS, setup.stepper.weights, about)
    write_json(run / RUN, record)
    (run / CHECKPOINT).unlink(missing_ok=True)
    return record


@dataclass(frozen=True)
class _Setup:
    """What does not change while a run trains, but for the weights inside `stepper`."""

    run: Path
    variant: str
    seed: int
    config: TrainConfig
    world: World
    samples: CutDataset
    validation: Stacks
    data: str  # a digest of the shards
    batch_of: Callable[[dict], PairBatch | PhotoBatch]  # collated samples
    stepper: Stepper
    trunk: dict[str, str] | None

    @property
    def identity(self) -> str:
        """A digest of all that the weights depend on."""
        unimportant = HOW_TO_RUN | (HOW_TO_VALIDATE if self.config.schedule != "plateau" else set())
        settings = self.config.model_dump(mode="json", exclude=unimportant)
        return digest_of([self.variant, self.seed, settings, self.data, self.trunk, self.world.size])

    def share(self, first_step: int) -> Share:
        """This process's part of the samples from a step on."""
        config, world = self.config, self.world
        return Share(config.batch, first_step, config.steps, config.accumulate, world.rank, world.size)


def _prepare(shards: Path, run: Path, variant: str, seed: int, config: TrainConfig, world: World) -> _Setup:
    baseline = find_variant(variant)
    find_preset(config.preset)
    training, validation = (Shards(shards, part, config.form) for part in ("train", "val"))
    if 0.0 not in training.evs or len(training.evs) < 2:
        raise ValueError(f"{shards}: exposures {training.evs}; training needs EV 0, which is the input, and another")
    rows = training.index["rows"].values()
    dataset = PairDataset if baseline is None else PhotoDataset
    samples = dataset(training, config.crop, seed, config.flips, config.rotation)
    look_up = LookUp(training.tables).to(world.device)
    loss_of, trunk = make_loss(config.loss) if baseline is None else (baseline.loss(), None)
    network = initial_network(variant, config.preset, config.width, seed)
    setup = _Setup(
        run=run,
        variant=variant,
        seed=seed,
        config=config,
        world=world,
        samples=samples,
        validation=Stacks(validation),
        data=digest_of([row["files"] for row in rows if row["form"] == config.form]),
        batch_of=look_up.pairs if baseline is None else look_up.photos,
        stepper=Stepper(network, loss_of, config, world),
        trunk=trunk,
    )
    deepest = STRIDE if baseline is None else network.deepest_norm
    if setup.share(0).size == 1 and config.crop <= deepest:
        raise ValueError(
            f"a part of one sample and a crop of {config.crop} pixels leave batch normalisation one value a channel at "
            f"the deepest level; wanted a crop above {deepest}, or a larger batch"
        )
    return setup


def _advance(setup: _Setup, progress: Progress, log: Log, stop: "_Stop") -> None:
    """Train to the last step, or until asked to stop."""
    config, world, stepper = setup.config, setup.world, setup.stepper
    samples = load_pairs(setup.samples, setup.share(progress.step), config.loader_workers)
    unseen: list[tuple[int, Tensor, list[str]]] = []  # steps whose losses nobody has looked at yet
    title = f"train {setup.variant} ({setup.seed})"
    with show_progress(title, config.steps, progress.step, world.leads) as bar:
        clock = Clock(progress, config.loader_workers)
        while progress.step < config.steps:
            with clock.waiting():
                parts = [setup.batch_of(sample) for sample in islice(samples, config.accumulate)]
            terms = stepper.step(parts, progress.step)
            progress.step += 1
            step = progress.step
            unseen.append((step, terms, [key for part in parts for key in part.keys]))
            ends = step == config.steps
            stops = stop.is_set
            if world.size > 1:
                stops = step % STEPS_BETWEEN_QUESTIONS == 0 and world.any(stop.is_set)
            logs, examines = (ends or step % every == 0 for every in (config.log_every, config.validate_every))
            saves = stops or step % config.checkpoint_every == 0
            if logs or examines or saves:
                for values in _finite(unseen, world):
                    for name, value in zip(stepper.names, values, strict=True):
                        progress.sums[name] = progress.sums.get(name, 0.0) + value
                keys = unseen[-1][2]
                unseen.clear()
                clock.stop()
            if logs:
                means = {name: total / (step - progress.logged) for name, total in progress.sums.items()}
                progress.loss.append({"step": step, **means})
                progress.sums, progress.logged = {}, step
                rate = step / progress.training_seconds
                log.metrics(step, {f"train/{name}": value for name, value in means.items()})
                log.metrics(step, {"train/learning_rate": stepper.rate})
                bar.note(f"loss {means['total']:.3f}, {rate:.3g} steps/s{_gpu_memory(world.device)}")
            bar.move(step)
            if (examines or saves) and not _is_finite(stepper.network):
                raise ValueError(
                    f"step {step}: the weights are no longer finite, after {', '.join(keys)}; wanted a lower "
                    "learning_rate, or clip_gradient"
                )
            if examines:
                with clock.examining():
                    _examine(setup, progress, log)
            if saves and world.leads:
                _save_checkpoint(setup, progress)
            if stops and not ends:
                raise Interrupted(f"stopped after step {step}; {setup.run / CHECKPOINT} holds it")


def _examine(setup: _Setup, progress: Progress, log: Log) -> None:
    """Validate in the leading process, and let the schedule of every process know."""
    psnr, problem = None, None
    if setup.world.leads:
        stacks = setup.config.validation_stacks
        try:
            measured, picture = validate(setup.stepper.weights, setup.validation, stacks, setup.world.device)
        except (ValueError, OSError) as error:
            problem = str(error)
    problem = setup.world.tell(problem)
    if problem is not None:
        raise ValueError(f"validation after step {progress.step}: {problem}")
    if setup.world.leads:
        psnr = measured["psnr_ldr"]
        progress.validation.append({"step": progress.step, **measured})
        by_ev = {f"validation/psnr_ldr_at/{ev}": value for ev, value in measured["psnr_ldr_by_ev"].items()}
        log.metrics(progress.step, {"validation/psnr_ldr": psnr, **by_ev})
        log.picture(picture)
    if progress.step > 0:
        setup.stepper.tell_validation(setup.world.tell(psnr))


def _record(setup: _Setup, progress: Progress) -> dict:
    """What run.json holds, but for the weights' hash."""
    config, device = setup.config, setup.world.device
    return {
        "variant": setup.variant,
        "seed": setup.seed,
        "parameters": count_parameters(setup.stepper.network),
        "config": config.model_dump(mode="json"),
        "trunk": setup.trunk,
        "data": setup.data,
        "hours": progress.seconds / 3600,
        "steps_per_second": config.steps / progress.training_seconds,
        "loader_wait_share": progress.waiting_seconds / progress.training_seconds,
        "resumed": progress.resumed,
        "processes": setup.world.size,
        "device": device_name(device),
        "peak_memory_mb": torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None,
        "peak_resident_mb": _peak_resident_mb(),
        "validation": progress.validation,
        "loss": progress.loss,
        "versions": {
            "python": platform.python_version(),
            **({"cuda": torch.version.cuda} if device.type == "cuda" else {}),
            **{name: version(name) for name in ("hdr-attnet", "torch", "numpy", "opencv-python-headless")},
        },
    }


def summarise(record: dict) -> str:
    """A line on a run that ended, from its record."""
    first, last = record["validation"][0]["psnr_ldr"], record["validation"][-1]["psnr_ldr"]
    return (
        f"{record['variant']}, seed {record['seed']}: {record['parameters']:,} parameters, {record['config']['steps']} "
        f"steps in {record['hours'] * 60:.1f} min, {record['steps_per_second']:.3g} a second; "
        f"validation LDR PSNR {first:.2f} -> {last:.2f} dB"
    )


def _finite(checked: list[tuple[int, Tensor, list[str]]], world: World) -> Iterator[list[float]]:
    """The losses of some steps, means over all processes; refuses, in every process, one that is NaN or infinite."""
    values = torch.stack([terms for _, terms, _ in checked]).double()
    wrong = None
    for (step, _, keys), row in zip(checked, values.tolist(), strict=True):
        if not math.isfinite(row[0]):
            wrong = f"step {step}: the loss is {row[0]} on {', '.join(keys)}"
            break
    for message in world.gather(wrong):
        if message is not None:
            raise ValueError(message)
    return iter(world.mean(values).tolist())


@torch.no_grad()
def _is_finite(network: Network) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values())


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


def _resume(path: Path, setup: _Setup) -> Progress:
    """Load the checkpoint of the same run if there is one; the progress of training, from its beginning otherwise."""
    device = setup.world.device
    if len(set(setup.world.gather(path.is_file()))) > 1:
        raise ValueError(f"{path}: not every process sees it; wanted a folder that all machines share")
    if not path.is_file():
        return Progress()
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
        if checkpoint["identity"] != setup.identity:
            LOGGER.warning("%s is of other parameters, data or processes; training begins anew", path)
            return Progress()
        setup.stepper.load_state_dict(checkpoint["stepper"])
        torch.set_rng_state(checkpoint["random"]["cpu"].cpu())
        if device.type == "cuda":
            torch.cuda.set_rng_state(checkpoint["random"]["cuda"].cpu(), device)
        progress = Progress(**checkpoint["progress"])
    except (KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: not a readable checkpoint; delete it to begin anew: {error}") from error
    progress.resumed += 1
    return progress


def _save_checkpoint(setup: _Setup, progress: Progress) -> None:
    device = setup.world.device
    content = {
        "identity": setup.identity,
        "stepper": setup.stepper.state_dict(),
        "progress": asdict(progress),
        "random": {
            "cpu": torch.get_rng_state(),
            **({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}),
        },
    }
    with written_whole(setup.run / CHECKPOINT) as temporary:
        torch.save(content, temporary)


class _Stop:
    is_set = False


@contextmanager
def _stop_signals() -> Iterator[_Stop]:
    """Turn the first SIGINT or SIGTERM into a flag, so that a step is finished and saved; a second one kills."""
    stop = _Stop()
    previous = {}

    def ask(number, frame):
        stop.is_set = True
        signal.signal(number, previous[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _gpu_memory(device: torch.device) -> str:
    return f", {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB" if device.type == "cuda" else ""


def _peak_resident_mb() -> float:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB; bytes on macOS
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3

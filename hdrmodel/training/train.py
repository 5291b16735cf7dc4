"""Train one variant from shards, resumably: a run cut short and resumed ends with the same weights."""

import math
import platform
import resource
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from hdrdata.files.disk import read_json, sha256_of, write_json
from hdrmodel.networks.devices import choose_device, device_name
from hdrmodel.networks.hdr_attnet import count_parameters
from hdrmodel.networks.variants import Network
from hdrmodel.networks.weights import save_weights
from hdrmodel.sampling.loading import load_pairs
from hdrmodel.training.checkpoint import Interrupted, Stop, resume, save_checkpoint, stop_signals
from hdrmodel.training.config import TrainConfig
from hdrmodel.training.distributed import World, join_world
from hdrmodel.training.setup import CHECKPOINT, RUN, WEIGHTS, Clock, Progress, Setup, prepare
from hdrmodel.training.tracking import Log, open_log, show_progress
from hdrmodel.training.validation import validate

STEPS_BETWEEN_QUESTIONS = 8  # of several processes, whether one of them was asked to stop


def train(shards: Path | str, run: Path, variant: str, seed: int, config: TrainConfig) -> dict | None:
    """Train a variant and write `weights.safetensors`, `run.json` and `dvclive/` to the folder `run`.

    An interrupted run continues from `last.ckpt` if configuration, seed, data and number of processes are the same,
    and ends with the weights it would have had: bit for bit on a CPU with as many threads, in one process or two (of
    more, PyTorch adds up the first gradients after a resumption in another order). One that ended starts again. Under
    torchrun all its processes train together, and the first one writes.

    Args:
        shards: folder of shards with the parts train and val in the configured form.
        variant: a name in VARIANTS.
        seed: of the network's first weights, unless `start` gives them, and of the order, the crops and the
            augmentation of the samples.

    Returns:
        what run.json holds; None in a process that does not lead.

    Raises:
        ValueError: if the shards or the configuration are wrong, the loss is NaN or infinite (it names the samples), or
            a GPU's memory is too small.
        Interrupted: on Ctrl-C or SIGTERM, after the step at hand and a checkpoint.
    """
    with join_world(choose_device(config.device)) as world:
        devices = [world.device] if world.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), stop_signals() as stop:
            torch.manual_seed(seed)  # for an attention that draws; nothing here does
            try:
                return _train(shards, run, variant, seed, config, world, stop)
            except torch.OutOfMemoryError as error:
                raise ValueError(
                    "the GPU's memory is too small; expected a smaller batch, a larger accumulate or precision bf16"
                ) from error


def _train(
    shards: Path | str, run: Path, variant: str, seed: int, config: TrainConfig, world: World, stop: "Stop"
) -> dict | None:
    setup = prepare(shards, run, variant, seed, config, world)
    run.mkdir(parents=True, exist_ok=True)
    if world.leads:
        _refuse_others(run)
    progress = resume(run / CHECKPOINT, setup)
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


def _refuse_others(run: Path) -> None:
    """Refuse a folder whose weights or record no training wrote, or somebody changed, before they are replaced."""
    if (run / CHECKPOINT).is_file():  # of a run that was cut short
        return
    record = read_json(run / RUN) if (run / RUN).is_file() else {}
    if (run / WEIGHTS).is_file() and record.get("weights_sha256") != sha256_of(run / WEIGHTS):
        raise ValueError(f"{run / WEIGHTS}: not the weights of this folder's training; expected another folder")
    if record and "weights_sha256" not in record:
        raise ValueError(f"{run / RUN}: not the record of a training; expected another folder")


def _advance(setup: Setup, progress: Progress, log: Log, stop: "Stop") -> None:
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
                    f"step {step}: the weights are no longer finite, after {', '.join(keys)}; expected a lower "
                    "learning_rate, or clip_gradient"
                )
            if examines:
                with clock.examining():
                    _examine(setup, progress, log)
            if saves and world.leads:
                save_checkpoint(setup, progress)
            if stops and not ends:
                raise Interrupted(f"stopped after step {step}; {setup.run / CHECKPOINT} holds it")


def _examine(setup: Setup, progress: Progress, log: Log) -> None:
    """Validate in the leading process, and update the schedule of every process."""
    if setup.validation is None:
        return
    psnr, problem = None, None
    if setup.world.leads:
        stacks = setup.config.validation_stacks
        try:
            measured, picture = validate(setup.stepper.weights, setup.validation, stacks, setup.world.device)
        except (ValueError, OSError) as error:
            problem = str(error)
    problem = setup.world.broadcast(problem)
    if problem is not None:
        raise ValueError(f"validation after step {progress.step}: {problem}")
    if setup.world.leads:
        psnr = measured["psnr_ldr"]
        progress.validation.append({"step": progress.step, **measured})
        by_ev = {f"validation/psnr_ldr_at/{ev}": value for ev, value in measured["psnr_ldr_by_ev"].items()}
        log.metrics(progress.step, {"validation/psnr_ldr": psnr, **by_ev})
        log.picture(picture)
    if progress.step > 0:
        setup.stepper.take_validation(cast(float, setup.world.broadcast(psnr)))


def _record(setup: Setup, progress: Progress) -> dict:
    """Return the content of run.json without the hash of the weights."""
    config, device = setup.config, setup.world.device
    return {
        "variant": setup.variant,
        "seed": setup.seed,
        "parameters": count_parameters(setup.stepper.network),
        "config": config.model_dump(mode="json"),
        "precision": setup.stepper.precision,
        "channels_last": setup.stepper.channels_last,
        "trunk": setup.trunk,
        "start": setup.start,
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
    psnr = [point["psnr_ldr"] for point in record["validation"]]
    validation = f"validation LDR PSNR {psnr[0]:.2f} -> {psnr[-1]:.2f} dB" if psnr else "nothing validated"
    return (
        f"{record['variant']}, seed {record['seed']}: {record['parameters']:,} parameters, {record['config']['steps']} "
        f"steps in {record['hours'] * 60:.1f} min, {record['steps_per_second']:.3g} a second; "
        f"{validation}"
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


def _gpu_memory(device: torch.device) -> str:
    return f", {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB" if device.type == "cuda" else ""


def _peak_resident_mb() -> float:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB; bytes on macOS
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3

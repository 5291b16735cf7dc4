"""Train one variant from radiance shards, resumably: a run cut short and resumed ends with the same weights."""

import math
import platform
import signal
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from dvclive import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from hdrdata.exposure import expose_view
from hdrdata.files import digest_of, half_bits, write_bytes, write_json, written_whole
from hdrdata.stream import Shards
from hdrmodel.batches import to_batch
from hdrmodel.config import LossConfig, TrainConfig
from hdrmodel.data import LookUp, PairBatch, PairDataset, load_pairs
from hdrmodel.losses import LossWeights, PairLoss
from hdrmodel.metrics import psnr_ldr
from hdrmodel.network import HDRAttNet, PairNetwork, count_parameters
from hdrmodel.trunks import load_trunk
from hdrmodel.weights import choose_device, initial_network, save_weights

CHECKPOINT = "last.ckpt"
WEIGHTS = "weights.safetensors"
RUN = "run.json"


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; the checkpoint holds everything up to the last whole step."""


def make_loss(config: LossConfig) -> tuple[PairLoss, dict[str, str] | None]:
    """The training loss, and the name and SHA-256 of the trunk of its perceptual term (None without that term)."""
    weights = LossWeights(config.reconstruction, config.representation, config.perceptual, config.total_variation)
    if weights.perceptual == 0:
        return PairLoss(weights, config.norm, None), None
    trunk, sha256 = load_trunk(config.trunk, Path(config.trunk_file) if config.trunk_file else None)
    return PairLoss(weights, config.norm, trunk, config.trunk_window), {"name": config.trunk, "sha256": sha256}


def rate_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step: constant, or a half cosine from the given one to a hundredth of it."""
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / config.steps)))


@torch.no_grad()
def validate(network: HDRAttNet, shards: Shards, stacks: int, device: torch.device) -> float:
    """Mean LDR PSNR in dB over whole pictures: the middle exposure in, every other one against the truth.

    The stacks are spread evenly over the part's views, the camera responses in turn.
    """
    network.eval()
    crfs = sorted(shards.crfs)
    numbers = np.unique(np.linspace(0, len(shards) - 1, min(stacks, len(shards))).round().astype(int))
    values = []
    for place, number in enumerate(numbers):
        radiance = shards.radiance(int(number)).radiance
        truth = to_batch(expose_view(half_bits(radiance), shards.tables[crfs[place % len(crfs)]])).to(device)
        middle = shards.evs.index(0.0)
        others = [index for index in range(len(truth)) if index != middle]
        ratio = torch.tensor([shards.exposures[index] / shards.exposures[middle] for index in others], device=device)
        encoded = network.encode(truth[middle : middle + 1])
        made = network.expose(encoded.expand(len(others), -1, -1, -1), ratio.float())
        values.append(psnr_ldr(made.float().clamp(0, 1), truth[others]))
    network.train()
    return float(torch.cat(values).mean())


def train(shards: Path, run: Path, attention: str, config: TrainConfig) -> dict:
    """Train a variant and write `weights.safetensors`, `run.json` and `dvclive/` to the folder `run`.

    A run that was cut short with the same configuration and data goes on from `last.ckpt`; one that ended begins anew.

    Args:
        shards: folder of shards with radiance samples of the parts train and val.
        attention: the variant, a name in ATTENTIONS.

    Returns:
        what run.json holds.

    Raises:
        ValueError: if the shards or the configuration are wrong, or the loss is NaN or infinite (it names the samples).
        Interrupted: on Ctrl-C or SIGTERM, after the step at hand and a checkpoint.
    """
    device = choose_device(config.device)
    training, validation = Shards(shards, "train", "radiance"), Shards(shards, "val", "radiance")
    if 0.0 not in training.evs or len(training.evs) < 2:
        raise ValueError(f"{shards}: exposures {training.evs}; training needs EV 0, which is the input, and another")
    dataset = PairDataset(training, config.crop, config.seed, config.augment)
    data_digest = digest_of([row["files"] for row in training.index["rows"].values() if row["form"] == "radiance"])
    identity = digest_of([attention, config.model_dump(mode="json", exclude={"loader_workers"}), data_digest])

    network = initial_network(attention, config.preset, config.width, config.seed).to(
        device, memory_format=torch.channels_last
    )
    pair_network = PairNetwork(network)
    loss_of, trunk = make_loss(config.loss)
    loss_of.to(device)
    look_up = LookUp(training.tables).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    run.mkdir(parents=True, exist_ok=True)
    state = _resume(run / CHECKPOINT, identity, network, optimizer, device)
    if state["step"] == 0:
        for name in (WEIGHTS, RUN):
            (run / name).unlink(missing_ok=True)
        state["validation"].append(
            {"step": 0, "psnr_ldr": validate(network, validation, config.validation_stacks, device)}
        )

    _rewind(run / "dvclive", state["step"])
    with _live(run / "dvclive", resume=state["step"] > 0) as live, _stop_signals() as stop, _progress() as bar:
        if state["step"] == 0:
            live.step = 0
            live.log_metric("validation/psnr_ldr", state["validation"][0]["psnr_ldr"], timestamp=False)
            live.make_summary()
        task = bar.add_task(f"train {attention}", total=config.steps, completed=state["step"], note="")
        batches = load_pairs(dataset, config.batch, state["step"], config.steps, config.loader_workers)
        started = time.perf_counter()
        network.train()
        for sample in batches:
            batch = look_up.pairs(sample)
            terms = _step(pair_network, loss_of, optimizer, batch, state["step"], config)
            state["step"] += 1
            step = state["step"]
            for name, value in terms.items():
                state["sums"][name] = state["sums"].get(name, 0.0) + value
            if step % config.log_every == 0 or step == config.steps:
                since = step - state["logged"]
                means = {name: total / since for name, total in state["sums"].items()}
                state["loss"].append({"step": step, **means})
                state["sums"], state["logged"] = {}, step
                live.step = step
                for name, value in means.items():
                    live.log_metric(f"train/{name}", value, timestamp=False)
            if step % config.validate_every == 0 or step == config.steps:
                psnr = validate(network, validation, config.validation_stacks, device)
                state["validation"].append({"step": step, "psnr_ldr": psnr})
                live.step = step
                live.log_metric("validation/psnr_ldr", psnr, timestamp=False)
            if live.step == step:
                live.make_summary()
            bar.update(task, completed=step, note=f"loss {terms['total']:.3f}")
            if stop.is_set or step % config.checkpoint_every == 0:
                state["seconds"] += time.perf_counter() - started
                started = time.perf_counter()
                _save_checkpoint(run / CHECKPOINT, identity, network, optimizer, state)
            if stop.is_set and step < config.steps:
                raise Interrupted(f"stopped after step {step}; {run / CHECKPOINT} holds it")
        state["seconds"] += time.perf_counter() - started

    record = {
        "variant": attention,
        "parameters": count_parameters(network),
        "config": config.model_dump(mode="json"),
        "trunk": trunk,
        "data": data_digest,
        "hours": state["seconds"] / 3600,
        "steps_per_second": config.steps / state["seconds"],
        "peak_memory_mb": torch.cuda.max_memory_allocated() / 1e6 if device.type == "cuda" else None,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"cpu ({platform.machine()})",
        "validation": state["validation"],
        "loss": state["loss"],
        "versions": {name: version(name) for name in ("hdr-attnet", "torch", "numpy")},
    }
    record["weights_sha256"] = save_weights(run / WEIGHTS, network, {"variant": attention, "data": data_digest})
    write_json(run / RUN, record)
    (run / CHECKPOINT).unlink(missing_ok=True)
    return record


def _step(
    network: PairNetwork,
    loss_of: PairLoss,
    optimizer: torch.optim.Optimizer,
    batch: PairBatch,
    step: int,
    config: TrainConfig,
) -> dict[str, float]:
    """One step of the optimizer; returns the loss and its terms."""
    for group in optimizer.param_groups:
        group["lr"] = rate_at(step, config)
    predicted = network(batch.shorter, batch.longer, batch.ratio)
    total, terms = loss_of(predicted, batch.shorter, batch.longer, batch.ratio)
    if not math.isfinite(total.item()):
        raise ValueError(f"step {step + 1}: the loss is {total.item()} on {', '.join(batch.keys)}")
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    if config.clip_gradient is not None:
        nn.utils.clip_grad_norm_(network.parameters(), config.clip_gradient)
    optimizer.step()
    return {"total": total.item(), **{name: term.item() for name, term in terms.items()}}


def _resume(
    path: Path, identity: str, network: HDRAttNet, optimizer: torch.optim.Optimizer, device: torch.device
) -> dict:
    """Load the checkpoint of the same run if there is one; the state of training, from its beginning otherwise."""
    fresh = {"step": 0, "logged": 0, "seconds": 0.0, "sums": {}, "loss": [], "validation": []}
    if not path.is_file():
        return fresh
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    if checkpoint["identity"] != identity:
        return fresh  # of other parameters or data
    network.load_state_dict(checkpoint["network"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return checkpoint["state"]


def _save_checkpoint(
    path: Path, identity: str, network: HDRAttNet, optimizer: torch.optim.Optimizer, state: dict
) -> None:
    content = {
        "identity": identity,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "state": state,
    }
    with written_whole(path) as temporary:
        torch.save(content, temporary)


def _rewind(folder: Path, step: int) -> None:
    """Drop what DVCLive logged after `step`: a killed run may have logged more than its checkpoint holds."""
    for table in folder.rglob("*.tsv"):
        header, *rows = table.read_text(encoding="utf-8").splitlines()
        place = header.split("\t").index("step")
        kept = [row for row in rows if int(row.split("\t")[place]) <= step]
        if step == 0:
            table.unlink()
        elif len(kept) < len(rows):
            write_bytes(table, ("\n".join([header, *kept]) + "\n").encode())


@contextmanager
def _live(folder: Path, resume: bool):
    """DVCLive's log of metrics in a folder, ended and closed: it leaves the Git packs of its repository open itself."""
    live = Live(str(folder), resume=resume, report=None, save_dvc_exp=False, dvcyaml=None)
    try:
        yield live
    finally:
        live.end()
        if live._dvc_repo is not None:
            live._dvc_repo.close()


class _Stop:
    is_set = False


@contextmanager
def _stop_signals():
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


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )

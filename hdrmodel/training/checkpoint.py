"""Stopping and resuming: checkpoints, and signals that ask for one."""

import logging
import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from hdrdata.files.disk import written_whole
from hdrmodel.networks.devices import device_name
from hdrmodel.training.setup import CHECKPOINT, Progress, Setup

LOGGER = logging.getLogger(__name__)


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; the checkpoint holds everything up to the last whole step."""


def resume(path: Path, setup: Setup) -> Progress:
    """Load the checkpoint of the same run if there is one; the progress of training, from its beginning otherwise."""
    device = setup.world.device
    if len(set(setup.world.gather(path.is_file()))) > 1:
        raise ValueError(f"{path}: not every process can read it; expected a folder that all machines share")
    if not path.is_file():
        return Progress()
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
        if checkpoint["identity"] != setup.identity:
            LOGGER.warning("%s has other parameters, data or processes; training starts again", path)
            return Progress()
        begun, now = checkpoint.get("device"), device_name(device)
        if begun not in (None, now):
            LOGGER.warning(
                "%s: begun on %s, continued on %s: the last digits of its weights depend on it", path, begun, now
            )
        setup.stepper.load_state_dict(checkpoint["stepper"])
        torch.set_rng_state(checkpoint["random"]["cpu"].cpu())
        if device.type == "cuda":
            torch.cuda.set_rng_state(checkpoint["random"]["cuda"].cpu(), device)
        progress = Progress(**checkpoint["progress"])
    except (KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: not a readable checkpoint; delete it to start again: {error}") from error
    progress.resumed += 1
    return progress


def save_checkpoint(setup: Setup, progress: Progress) -> None:
    device = setup.world.device
    content = {
        "identity": setup.identity,
        "device": device_name(device),
        "stepper": setup.stepper.state_dict(),
        "progress": asdict(progress),
        "random": {
            "cpu": torch.get_rng_state(),
            **({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}),
        },
    }
    with written_whole(setup.run / CHECKPOINT) as temporary:
        torch.save(content, temporary)


class Stop:
    is_set = False


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a flag, so that a step is finished and saved; a second one kills."""
    stop = Stop()
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

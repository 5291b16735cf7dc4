"""What is left of the speed of training, evaluation, prediction and synthesis beside busy processes.

    python benchmarks/shared_cpu.py SCENES [--rounds 3]

SCENES is a folder of HDR files, of which a dataset is made first. Each task is a command of this project in a process
of its own, alone, beside one process that only counts, and beside one a core, in turns; a figure is the median of the
ratios of seconds. A fair scheduler gives n threads on n cores n / (n + 1) beside one process and half beside one a
core: that is what can be had, `--goal` of it what is expected. `ours` is a command as it is; `plain` what PyTorch does
when nothing is said: threads wait by spinning 300,000 turns, on whatever core they are.
"""

import threads  # noqa: F401  # isort: skip

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
import torch

from hdrdata import build
from hdrdata.files.ldr import write_png
from hdrdata.machine import available_cores
from hdrmodel.networks.weights import initial_network, save_weights

WAYS = {"ours": {}, "plain": {"GOMP_SPINCOUNT": "300000", "OMP_PROC_BIND": "false"}}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Processes that only count."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def seconds(command: list[str], folder: Path, way: str) -> float:
    """Of one command, the start of Python and its libraries included; what it made before is removed."""
    for made in ("scores", "made"):
        shutil.rmtree(folder / made, ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**kept, **WAYS[way]}, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def tasks(folder: Path, scenes: Path) -> dict[str, list[str]]:
    """A command for each task; what it reads is made here."""
    build(scenes, folder / "data", view_size=256, on_magnified="shrink", form="radiance", seed=57)
    weights = folder / "w.safetensors"
    save_weights(weights, initial_network("base", "attnet", 0.25, seed=0), {"variant": "base", "seed": 0, "data": ""})
    noise = np.random.default_rng(0).integers(0, 256, (540, 960, 3), dtype=np.uint8)
    write_png(folder / "noise.png", noise)
    model, shards = [sys.executable, "-m", "hdrmodel.cli"], str(folder / "data" / "shards")
    few = ["-s", "metrics=[psnr,ssim,psnr_pu21]", "-s", "alignments=[gain]", "-s", "lpips.trunk=null"]
    return {
        "training": [*model, "train", shards, "run", "-s", "steps=40", "-s", "validation_stacks=0", "--overwrite"],
        "evaluation": [*model, "evaluate", shards, "scores", "--weights", str(weights), *few],
        "prediction": [*model, "predict", "noise.png", "-o", "noise.exr", "--weights", str(weights), "--overwrite"],
        "synthesis": [
            sys.executable,
            "-c",
            "from hdrdata.cli import main; main()",
            "build",
            str(scenes),
            "made",
            "--view-size",
            "256",
        ],
    }


@click.command()
@click.argument("scenes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--goal", default=0.8, show_default=True, help="Of the fair share.")
@click.option("--task", "wanted", multiple=True, help="Default: all.")
def main(scenes: Path, rounds: int, goal: float, wanted: tuple[str, ...]) -> None:
    """Time commands alone and beside busy processes."""
    cores = available_cores()
    beside = {"beside one": 1, f"beside {cores}": cores}
    fair = {place: cores / (cores + count) for place, count in beside.items()}
    print(f"{cores} cores, PyTorch {torch.__version__}; beside others: of the speed alone, and of the fair share of it")
    heads = "".join(f"{name:>20}" for name in beside)
    print(f"{'task':<12}{'way':<7}{'alone, s':>10}{'to plain':>10}{heads}")
    limits = "".join(f"{share:>11.2f}{'100%':>9}" for share in fair.values())
    wanted_of = "".join(f"{goal * share:>11.2f}{goal:>9.0%}" for share in fair.values())
    print(f"{'limit':<29}{'':>10}{limits}\n{'goal':<29}{'0.98':>10}{wanted_of}")
    with tempfile.TemporaryDirectory(prefix="shared-cpu-") as temporary:
        folder = Path(temporary)
        for name, command in tasks(folder, scenes.resolve()).items():
            if wanted and name not in wanted:
                continue
            ways = ["ours"] if name == "synthesis" else list(WAYS)  # it has no such threads
            places = {"alone": 0, **beside}
            taken = {(way, place): [] for way in ways for place in places}
            for _ in range(rounds):
                for place, count in places.items():
                    for way in ways:
                        with busy(count):
                            taken[way, place].append(seconds(command, folder, way))
            for way in ways:
                alone, plain = taken[way, "alone"], taken[ways[-1], "alone"]
                figures = f"{name:<12}{way:<7}{statistics.median(alone):>10.1f}{ratio(plain, alone):>10.2f}"
                for place in beside:
                    kept = ratio(alone, taken[way, place])
                    figures += f"{kept:>11.2f}{kept / fair[place]:>9.0%}"
                print(figures, flush=True)


def ratio(one: list[float], other: list[float]) -> float:
    """The median over the rounds."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    main()

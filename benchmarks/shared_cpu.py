"""What is left of the speed of training, evaluation, prediction and synthesis beside one busy process a core.

    python benchmarks/shared_cpu.py SCENES [--rounds 3]

SCENES is a folder of HDR files, of which a dataset is made first. Each task is a command of this project in a process
of its own, once alone and once beside as many processes that only count as there are cores, in turns; the figure is
the median of the ratios of seconds. A fair scheduler gives each half: half of alone is what can be had, `--goal` of it
what is wanted. `waits` says how threads wait for each other: `sleep` as the commands have it, `spin` as GNU OpenMP has
it when nothing is said, 300,000 turns, which is what these commands did before.
"""

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
from hdrdata.command import SPINS, available_cores
from hdrdata.files.ldr import write_png
from hdrmodel.networks.weights import initial_network, save_weights

WAITS = {"sleep": SPINS, "spin": "300000"}
HALF = 0.5  # of alone: the fair share beside one process a core


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


def seconds(command: list[str], folder: Path, spins: str) -> float:
    """Of one command, the start of Python and its libraries included; what it made before is removed."""
    for made in ("scores", "made"):
        shutil.rmtree(folder / made, ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**kept, "GOMP_SPINCOUNT": spins}, check=True, stdout=subprocess.DEVNULL)
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
        "training": [*model, "train", shards, "run", "-s", "steps=40", "-s", "validation_stacks=0", "--anew"],
        "evaluation": [*model, "evaluate", shards, "scores", "--weights", str(weights), *few],
        "prediction": [*model, "predict", "noise.png", "-o", "noise.exr", "--weights", str(weights), "--anew"],
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
    """Time commands alone and beside one busy process a core."""
    cores = available_cores()
    print(f"{cores} cores, PyTorch {torch.__version__}; wanted beside: {goal * HALF:.2f} of alone or more")
    print(f"{'task':<12}{'waits':<8}{'alone, s':>10}{'beside, s':>11}{'of alone':>10}{'of the fair share':>19}")
    with tempfile.TemporaryDirectory(prefix="shared-cpu-") as temporary:
        folder = Path(temporary)
        for name, command in tasks(folder, scenes).items():
            if wanted and name not in wanted:
                continue
            for waits, spins in WAITS.items():
                if name == "synthesis" and waits == "spin":
                    continue  # it has no such threads
                alone, beside = [], []
                for _ in range(rounds):
                    alone.append(seconds(command, folder, spins))
                    with busy(cores):
                        beside.append(seconds(command, folder, spins))
                ratio = statistics.median(one / other for one, other in zip(alone, beside, strict=True))
                print(
                    f"{name:<12}{waits:<8}{statistics.median(alone):>10.1f}{statistics.median(beside):>11.1f}"
                    f"{ratio:>10.2f}{ratio / HALF:>19.0%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

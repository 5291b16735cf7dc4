"""How long does it take to measure a variant, and which part of that is whose?

    python benchmarks/evaluation.py SCENES [--sources 17] [--width 0.25]

Makes views of 256 pixels of some HDR files in SCENES, six of a panorama, gives a network first weights, and measures it
as `hdrmodel evaluate` does with its shipped configuration; then, of one stack, tells the milliseconds of the network,
of doing nothing and of the oracle, of each alignment, and of every metric that can be had here, the optional ones too.
What `evaluate` cannot do without, the network alone, is the limit that its time is told against.
"""

import threads  # noqa: F401  # isort: skip

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch

from hdrdata.files.suffixes import HDR_SUFFIXES
from hdrdata.stream.shard_reader import Shards
from hdrmodel.evaluation.cases import estimate_by_cameras, estimate_by_network, read_cases
from hdrmodel.evaluation.config import load_evaluation
from hdrmodel.evaluation.evaluate import evaluate
from hdrmodel.evaluation.without_network import choose_factors, estimate_without_network
from hdrmodel.metrics.alignment import ALIGNMENTS
from hdrmodel.metrics.table import METRICS, load_metrics
from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.weights import initial_network, save_weights

ROUNDS = 3


def seconds_of(call: Callable[[], object]) -> float:
    """The median of a few calls, after one that warms up."""
    call()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@click.command(help=__doc__.partition("\n")[0])
@click.argument("scenes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sources", type=click.IntRange(1), default=17, show_default=True, help="HDR files of SCENES.")
@click.option("--width", type=float, default=0.25, show_default=True, help="Of the network.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def main(scenes: Path, sources: int, width: float, device: str) -> None:
    with tempfile.TemporaryDirectory(prefix="evaluation-") as temporary:
        folder = Path(temporary)
        (folder / "scenes").mkdir()
        for path in sorted(path for path in scenes.iterdir() if path.suffix.lower() in HDR_SUFFIXES)[:sources]:
            (folder / "scenes" / path.name).symlink_to(path.resolve())
        command = [sys.executable, "-c", "from hdrdata.cli import main; main()", "build"]
        command += [str(folder / "scenes"), str(folder / "d")]
        options = ["--view-size", "256", "--form", "radiance", "--val-share", "0", "--test-share", "0.999"]
        subprocess.run([*command, *options, "--on-error", "skip"], check=True, stdout=subprocess.DEVNULL)
        some = folder / "d" / "shards"
        save_weights(folder / "0" / "weights.safetensors", initial_network("spatial", "attnet", width, 1), {})
        config = load_evaluation([f"device={device}"])
        reader = Shards(some, "test", "radiance")
        table(reader, config, width)
        start = time.perf_counter()
        summary = evaluate(some, folder, folder / "scores", "spatial", [0], config)
        seconds = time.perf_counter() - start
    network = summary["costs"]["seconds_per_stack"] * summary["stacks"]
    views = summary["stacks"] // min(config.crfs_a_view, len(reader.crfs))
    click.echo(
        f"\nevaluate: {views} views, {summary['stacks']} stacks, {len(summary['columns'])} columns in {seconds:.0f} s: "
        f"{seconds / views * 100:.0f} s for 100 views, {seconds / network:.1f} times what the network alone takes"
    )
    for why in summary["absent"].values():
        click.echo(f"absent: {why}", err=True)


def table(reader: Shards, config, width: float) -> None:
    """Print the milliseconds of each part, for one stack."""
    device = choose_device(config.device)
    case = next(iter(read_cases(reader, config.crfs_a_view)))
    network = initial_network("spatial", "attnet", width, 1).eval().to(device)
    estimate = estimate_by_network(case, network, device)
    truth = case.radiance.astype(np.float64)
    size = case.input.shape[0]
    click.echo(f"| a part of one stack of {size}x{size} on {device} | ms |\n| --- | --- |")

    def row(name: str, call: Callable[[], object], pictures: int = 1) -> None:
        click.echo(f"| {name} | {seconds_of(call) * 1000 / pictures:.1f} |")

    row("network, and the classical merges of its stack", lambda: estimate_by_network(case, network, device))
    row("the same by three camera responses", lambda: estimate_by_cameras(case, network, device))
    factors = choose_factors(None, config)
    row("the floors and the oracle", lambda: estimate_without_network(case, factors, config))
    for name, align in ALIGNMENTS.items():
        row(f"alignment {name}", lambda align=align: align(estimate.radiance.astype(np.float64), truth, case.unclipped))
    metrics, absent = load_metrics(list(METRICS), config.lpips, device, config.peak_nits)
    display = [
        torch.from_numpy(x[:8].transpose(0, 3, 1, 2).copy()).to(device) for x in (estimate.stack, case.stack / 255)
    ]
    light = [torch.from_numpy((x * 20.0).clip(0, 1000).transpose(2, 0, 1)[None].copy()).to(device)
             for x in (estimate.radiance.astype(np.float64), truth)]  # fmt: skip
    for key, metric in METRICS.items():
        name = f"{metric.name}, a picture" + (" (default)" if key in config.metrics else "")
        if key in absent:
            click.echo(f"| {name} | absent |")
            continue
        pair = light if "hdr" in metric.sets else [x.float() for x in display]
        row(name, lambda key=key, pair=pair: metrics[key](*pair), len(pair[0]))


if __name__ == "__main__":
    main()

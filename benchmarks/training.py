"""How many steps a second does training make, where does the time go, and what does each optimisation add?

    python benchmarks/training.py SHARDS [--width 1 --batch 8 --crop 256]

Four tables: every variant beside base; the base variant written naively and then with one optimisation after another;
a stack of nine pictures with X shared and not; and how many pairs a second the loader makes beside what the steps eat.

Steps are timed in turns, one of each row in every round, and a row's figure is its median round, so that other programs
on the machine disturb all rows alike; read the ratios. A step's floating-point operations are those of its convolutions
and matrix products, forward and backward, trunk included; the ceiling is a large matrix product in the same precision.
"""

import threads  # noqa: F401  # isort: skip

import copy
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.hdr_attnet import HDRAttNet, soft_mask
from hdrmodel.networks.pair_loss import (
    PairLoss,
    make_pair_loss,
    middle,
    perceptual_loss,
    reconstruction_loss,
    representation_loss,
    total_variation_loss,
)
from hdrmodel.networks.weights import initial_network
from hdrmodel.profiles.load import load_profile
from hdrmodel.sampling.batches import LookUp, PairBatch
from hdrmodel.sampling.datasets import PairDataset
from hdrmodel.sampling.loading import Share, load_pairs
from hdrmodel.training.config import TrainConfig
from hdrmodel.training.distributed import World
from hdrmodel.training.setup import Clock, Progress
from hdrmodel.training.step import PRECISIONS, Stepper

STEP_GOAL = 1.6  # on a CPU at width 0.25, of the step in single precision
PAPER_STEPS = 2.85  # a second: HDR-AttNet, section 4.1, on one V100 with 16 GB


class NaiveStep:
    """The same step as one writes it first: N1 once for each ratio, a loss for each direction, PyTorch's defaults."""

    def __init__(self, network: HDRAttNet, loss_of: PairLoss, device: torch.device):
        self.network, self.loss_of = network.to(device).train(), loss_of.to(device)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, foreach=False)

    def forward(self, batch: PairBatch) -> torch.Tensor:
        network = self.network
        shorter, longer = network.encode(batch.shorter), network.encode(batch.longer)
        made_shorter = network.expose_down(longer, 1 / batch.ratio)
        made_longer = network.expose_up(shorter, batch.ratio)
        loss = self.loss_of
        total = loss.weights.representation * representation_loss(shorter, longer, batch.ratio, loss.norm)
        directions = ((made_shorter, batch.shorter), (made_longer, batch.longer))
        for prediction, target in directions:
            mask = soft_mask(target)
            seen = (middle(pictures, loss.window) for pictures in (prediction, target, mask))
            total = (
                total
                + loss.weights.reconstruction * reconstruction_loss(prediction, target, mask, loss.norm)
                + loss.weights.perceptual * perceptual_loss(*seen, loss.trunk, loss.norm)
                + loss.weights.total_variation * total_variation_loss(prediction)
            )
        total.item()  # for the progress bar
        return total

    def step(self, batch: PairBatch) -> None:
        self.optimizer.zero_grad()
        self.forward(batch).backward()
        self.optimizer.step()


class OurStep:
    """The trainer's step under a configuration."""

    def __init__(self, attention: str, config: TrainConfig, world: World):
        loss_of = make_pair_loss(config.loss)
        network = initial_network(attention, config.preset, config.width, 0)
        self.config = config
        self.stepper = Stepper(network, loss_of, config, world)
        self.number = 0

    def forward(self, batch: PairBatch) -> torch.Tensor:
        return self.stepper.objective(batch)[0]

    def step(self, batch: PairBatch) -> None:
        self.stepper.step([batch], self.number)
        self.number += 1


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    wait_for(device)
    start = time.perf_counter()
    run()
    wait_for(device)
    return time.perf_counter() - start


def in_turns(rows: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each row in each round, after a round that warms up."""
    for run in rows.values():
        run()
        run()
    seconds = {name: [] for name in rows}
    for _ in range(rounds):
        for name, run in rows.items():
            seconds[name].append(seconds_of(run, device))
    return seconds


def ratio_to(seconds: list[float], reference: list[float]) -> float:
    """Return how many times as fast as the reference: the median over the rounds."""
    return statistics.median(other / own for own, other in zip(seconds, reference, strict=True))


def step_flops(step: OurStep, batch: PairBatch) -> int:
    with FlopCounterMode(display=False) as counter:
        step.forward(batch).backward()
    return counter.get_total_flops()


def ceiling(precision: str, device: torch.device) -> float:
    """Floating-point operations a second of a large matrix product, the best of several."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device, dtype=PRECISIONS[precision]) for _ in range(2))

    def run() -> torch.Tensor:
        return a @ b

    run()
    return 2 * size**3 / min(seconds_of(run, device) for _ in range(5))


def peak_of(run: Callable[[], object], device: torch.device) -> str:
    """Memory of one step: PyTorch's on a GPU; on a CPU the process's peak so far, which only grows."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return f"{torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB"
    run()
    return f"<= {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    return made


def batches_of(shards: Shards, config: TrainConfig, device: torch.device, count: int) -> list[PairBatch]:
    look_up = LookUp(shards.tables).to(device)
    pairs = PairDataset(shards, config.crop, 0, config.flips, config.rotation)
    return [look_up.pairs(sample) for sample in load_pairs(pairs, Share(config.batch, 0, count), 0)]


def time_variants(config: TrainConfig, variants: list[str], batch: PairBatch, rounds: int, world: World) -> Table:
    made = table(
        f"Variants: width {config.width:g}, batch {config.batch}, crop {config.crop}, {config.precision}",
        "variant", "steps/s", "time to base", "forward", "backward, optimizer", "share of ceiling", "peak memory",
    )  # fmt: skip
    device = world.device
    steps = {name: OurStep(name, config, world) for name in variants}
    seconds = in_turns({name: lambda step=step: step.step(batch) for name, step in steps.items()}, rounds, device)
    top = ceiling(config.precision, device)
    for name, step in steps.items():
        median = statistics.median(seconds[name])
        forward = statistics.median(seconds_of(lambda step=step: step.forward(batch), device) for _ in range(rounds))
        made.add_row(
            name,
            f"{1 / median:.3g}",
            f"{1 / ratio_to(seconds[name], seconds[variants[0]]):.2f}",
            f"{1000 * forward:.0f} ms",
            f"{1000 * (median - forward):.0f} ms",
            f"{step_flops(step, batch) / median / top:.0%}",
            peak_of(lambda step=step: step.step(batch), device),
        )
    return made


def time_optimisations(profile: list[str], batch: PairBatch, rounds: int, world: World) -> Table:
    made = table(
        f"Base variant: one optimisation after another; goal {STEP_GOAL} times ours, limit: the ceiling, which is a "
        "matrix product's",
        "step", "steps/s", "times naive", "times ours", "share of ceiling", "peak memory",
    )  # fmt: skip
    device = world.device
    plain = [*profile, "precision=fp32", "channels_last=false", "compile=false"]
    rows = {"ours": plain}
    rows["+ channels_last"] = [*rows["ours"], "channels_last=true"]
    rows["+ bfloat16"] = [*rows["+ channels_last"], "precision=bf16"]
    rows["+ torch.compile"] = [*rows["+ bfloat16"], "compile=true"]
    config = load_profile("quick", plain)
    loss_of = make_pair_loss(config.loss)
    steps = {"naive": NaiveStep(initial_network("base", config.preset, config.width, 0), loss_of, device)}
    steps |= {name: OurStep("base", load_profile("quick", changes), world) for name, changes in rows.items()}
    seconds = in_turns({name: lambda step=step: step.step(batch) for name, step in steps.items()}, rounds, device)
    flops = step_flops(OurStep("base", config, world), batch)
    for name, step in steps.items():
        precision = "fp32" if name == "naive" else step.stepper.precision
        median = statistics.median(seconds[name])
        made.add_row(
            name,
            f"{1 / median:.3g}",
            f"{ratio_to(seconds[name], seconds['naive']):.2f}",
            f"{ratio_to(seconds[name], seconds['ours']):.2f}",
            f"{flops / median / ceiling(precision, device):.0%}",
            peak_of(lambda step=step: step.step(batch), device),
        )
    return made


@torch.no_grad()
def time_stacks(width: float, size: int, rounds: int, world: World) -> Table:
    """Nine pictures from one: X once and all exposures of it, beside N1 for each."""
    made = table(f"A stack of nine {size}x{size} pictures, width {width:g}", "way", "seconds", "times naive")
    device = world.device
    network = initial_network("base", "attnet", width, 0).to(device).eval()
    ours = copy.deepcopy(network).to(memory_format=torch.channels_last)  # as `load_weights` lays them out
    picture = torch.rand(1, 3, size, size, device=device)
    ratios = [2.0 ** (step / 2) for step in range(-4, 5) if step]

    def naive() -> None:
        for ratio in ratios:
            network(picture, torch.tensor([ratio], device=device))

    def shared() -> None:
        encoded = ours.encode(picture)
        for ratio in ratios:
            ours.expose(encoded, torch.tensor([ratio], device=device))

    seconds = in_turns({"naive: N1 for each ratio": naive, "ours: X shared": shared}, rounds, device)
    for name, values in seconds.items():
        median = statistics.median(values)
        made.add_row(name, f"{median:.3g}", f"{ratio_to(values, seconds['naive: N1 for each ratio']):.2f}")
    return made


def time_loader(shards: Shards, config: TrainConfig, workers: list[int], count: int, eaten: float) -> Table:
    """Pairs a second of the loader alone, of either form that the shards have."""
    made = table(
        f"The loader alone, of views of {'x'.join(str(side) for side in shards.picture_size(0))}; the steps above eat "
        f"{eaten:.3g} pairs/s",
        "form, rotation", "loader processes", "pairs/s", "times what is eaten",
    )  # fmt: skip
    for form in ("radiance", "pixels"):
        try:
            reader = Shards(shards.folder, shards.part, form)
        except ValueError:
            continue
        for rotation in ("quarter", "any"):
            for number in workers:
                pairs = PairDataset(reader, config.crop, 0, True, rotation)
                warm = 1 + 5 * number  # each process has started, and what they read ahead is used up
                samples: Iterator[dict] = load_pairs(pairs, Share(config.batch, 0, count + warm), number)
                for _ in range(warm):
                    next(samples)
                start = time.perf_counter()
                for _ in samples:
                    pass
                rate = count * config.batch / (time.perf_counter() - start)
                made.add_row(f"{form}, {rotation}", str(number), f"{rate:.4g}", f"{rate / eaten:.3g}")
    return made


def wait_share(shards: Shards, config: TrainConfig, workers: int, steps: int, world: World) -> float:
    """The share of the time of some steps that training waits for the loader, as `run.json` has it."""
    step, look_up = OurStep("base", config, world), LookUp(shards.tables).to(world.device)
    pairs = PairDataset(shards, config.crop, 0, config.flips, config.rotation)
    warm = 1 + workers  # each process has started
    samples = load_pairs(pairs, Share(config.batch, 0, warm + steps), workers)
    for _ in range(warm):
        step.step(look_up.pairs(next(samples)))
    wait_for(world.device)
    progress = Progress()
    clock = Clock(progress, 0)
    for _ in range(steps):
        with clock.waiting():
            batch = look_up.pairs(next(samples))
        step.step(batch)
    wait_for(world.device)
    clock.stop()
    return progress.waiting_seconds / progress.training_seconds


@click.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--width", default=0.25, show_default=True, help="1 is the paper's.")
@click.option("--batch", default=4, show_default=True, help="Pairs a step; 8 is the paper's.")
@click.option("--crop", default=128, show_default=True, help="Pixels; 256 is the paper's.")
@click.option(
    "--precision", type=click.Choice(list(PRECISIONS)), default="fp32", show_default=True, help="Of variants."
)
@click.option("--compile", "compiled", is_flag=True, help="torch.compile the variants.")
@click.option("--variants", default=",".join(ATTENTIONS), show_default=True, help="The first one is the base.")
@click.option(
    "--trunk-window", default=32, show_default=True, help="Of the perceptual loss, pixels; 0: all of the crop."
)
@click.option("--rounds", default=8, show_default=True, help="How often each row is timed.")
@click.option("--workers", default="0,2", show_default=True, help="Loader processes to try.")
@click.option("--tables", default="optimisations,stacks,variants,loader", show_default=True, help="Which to make.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def main(
    shards: Path, width: float, batch: int, crop: int, precision: str, compiled: bool, variants: str,
    trunk_window: int, rounds: int, workers: str, device: str, tables: str,
) -> None:  # fmt: skip
    """Time training on the folder SHARDS."""
    world = World(0, 1, choose_device(device))
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # as the trainer has it in fp32
    profile = [f"width={width}", f"batch={batch}", f"crop={crop}", "steps=1000000",
               f"loss.trunk_window={trunk_window or 'null'}"]  # fmt: skip
    config = load_profile("quick", [*profile, f"precision={precision}", f"compile={compiled}"])
    reader = Shards(shards, "train", "radiance")
    one = batches_of(reader, config, world.device, 1)[0]
    console = Console(width=120)
    name = torch.cuda.get_device_name() if world.device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    console.print(f"{name}, PyTorch {torch.__version__}; the paper: {PAPER_STEPS} steps/s on a V100")
    if "optimisations" in tables:
        console.print(time_optimisations(profile, one, rounds, world))
    if "stacks" in tables:
        console.print(time_stacks(width, 256, rounds, world))
    if "variants" in tables:
        console.print(time_variants(config, variants.split(","), one, rounds, world))
    if "loader" in tables:
        processes = [int(number) for number in workers.split(",")]
        for number in processes:
            share = wait_share(reader, config, number, 2 * rounds, world)
            console.print(f"training waits for {number} loader processes {share:.1%} of its time")
        step = OurStep("base", config, world)
        step.step(one)
        eaten = batch / statistics.median(seconds_of(lambda: step.step(one), world.device) for _ in range(3))
        console.print(time_loader(reader, config, processes, 100, eaten))


if __name__ == "__main__":
    main()

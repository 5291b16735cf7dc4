"""Everything that a GPU has to show, by one command without a network: right, fast, and trained as far as time goes.

    python benchmarks/gpu.py SHARDS --out DIR --minutes 10
    python benchmarks/gpu.py SHARDS --out DIR --minutes 1 --tiny --device cpu

SHARDS are radiance shards with the parts train and test. One section after another writes what it found to
DIR/gpu.json, an error in place of figures where one failed, and goes on:

    machine     versions, device, and the rate of a large matrix product in each precision, which no step exceeds
    tables      every finite half float through every table: the device's levels are the CPU's, to the bit
    agreement   the same first step on the device and on the CPU in fp32: what is predicted, the loss, the new weights
    resume      a run cut in the middle and resumed, and a second run, beside one that ran through
    speed       steps a second of each variant in fp32, tf32, bf16 and compiled, peak memory, waiting for the loader
    prediction  photographs of 12 and 48 megapixels by the weights of the package and by HDR-AttNet
    training    the release recipe in DIR/run for the minutes that are left; DIR/lightunet.safetensors has the weights
                as half floats, measured as benchmarks/light.py does

Goals: 25 steps a second at width 1 in bf16, loader waiting under 3 %, no variant slower than base by more than half.
"""

import threads  # noqa: F401  # isort: skip

import copy
import json
import os
import platform
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch
from light import measure_views, summarise_rows
from training import OurStep, batches_of, ceiling, seconds_of, step_flops, wait_for, wait_share

from hdrdata.cameras.exposure import WHITE
from hdrdata.files.disk import write_json
from hdrdata.machine import available_cores
from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.variants import find_variant
from hdrmodel.networks.weights import initial_network, load_weights
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.profiles.load import load_profile
from hdrmodel.release.files import WEIGHTS
from hdrmodel.release.shipped import write_release
from hdrmodel.sampling.batches import LookUp
from hdrmodel.sampling.loading import Share, load_pairs
from hdrmodel.sampling.simulated import LightDataset, light_batch
from hdrmodel.training.config import TrainConfig
from hdrmodel.training.distributed import World
from hdrmodel.training.setup import WEIGHTS as TRAINED
from hdrmodel.training.step import Stepper
from hdrmodel.training.train import train

FINITE = 0x7C00  # half floats from 0 on
PRECISIONS = {"fp32": [], "tf32": [], "bf16": [], "bf16, compiled": ["compile=true"]}
MEGAPIXELS = {"12": (3000, 4000), "48": (6000, 8000)}
TINY = {"width": 0.125, "batch": 2, "crop": 32, "rounds": 1}
FULL = {"width": 1.0, "batch": 8, "crop": 256, "rounds": 10}


@dataclass
class Bench:
    """What all sections share: where the data is, how large things are, and until when there is time."""

    shards: Path
    out: Path
    ends: float  # of time.monotonic
    tiny: bool
    device: torch.device
    workers: int  # loader processes
    changes: tuple[str, ...]  # of the release recipe
    found: dict = field(default_factory=dict)

    @property
    def sizes(self) -> dict:
        return TINY if self.tiny else FULL

    @property
    def left(self) -> float:
        """Seconds."""
        return self.ends - time.monotonic()

    def config(self, *changes: str) -> TrainConfig:
        """The paper's losses, without the trunk that has to be downloaded, at this bench's size."""
        sizes = [f"{name}={self.sizes[name]}" for name in ("width", "batch", "crop")]
        return load_profile("paper", [*sizes, "loss.perceptual=0", "rotation=quarter", "steps=1000000", *changes])

    def release(self, *changes: str) -> TrainConfig:
        """The release recipe, validating nothing; small if this bench is."""
        small = ["width=0.1", "batch=2", "crop=32"] if self.tiny else []
        same = [f"device={self.device.type}", "validation_stacks=0", "validate_every=1000000"]
        return load_profile("release", [*small, *same, f"loader_workers={self.workers}", *self.changes, *changes])


def machine(bench: Bench) -> dict:
    found = {"torch": torch.__version__, "python": platform.python_version(), "cores": available_cores()}
    if bench.device.type == "cuda":
        about = torch.cuda.get_device_properties(bench.device)
        found |= {"device": about.name, "gigabytes": about.total_memory / 1e9, "cuda": torch.version.cuda}
    if not bench.tiny:
        found["teraflops"] = {name: ceiling(name, bench.device) / 1e12 for name in ("fp32", "tf32", "bf16")}
    return found


def tables(bench: Bench) -> dict:
    look_up = LookUp(Shards(bench.shards, "train", "radiance").tables)
    rows, there = len(look_up.tables), copy.deepcopy(look_up).to(bench.device)
    bits = torch.arange(3 * 128 * 128, dtype=torch.int32).remainder(FINITE).to(torch.int16).reshape(1, 3, 128, 128)
    for row in range(rows):
        which = torch.tensor([row])
        if not torch.equal(look_up(bits, which), there(bits.to(bench.device), which.to(bench.device)).cpu()):
            raise AssertionError(f"row {row} of the tables gives other levels on {bench.device}")
    return {"rows": rows, "half_floats": FINITE, "equal": True}


def agreement(bench: Bench) -> dict:
    """Largest differences of one step, relative to the largest value on the CPU."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    found, cpu = {}, torch.device("cpu")
    config = bench.config("crop=64" if not bench.tiny else "crop=32", "width=0.25")
    reader = Shards(bench.shards, "train", "radiance")
    (batch,) = batches_of(reader, config, cpu, 1)
    moved = type(batch)(
        batch.shorter.to(bench.device), batch.longer.to(bench.device), batch.ratio.to(bench.device), batch.keys
    )
    for variant in ("base",) if bench.tiny else tuple(ATTENTIONS):
        here, there = OurStep(variant, config, World(0, 1, cpu)), OurStep(variant, config, World(0, 1, bench.device))
        network = initial_network(variant, config.preset, config.width, 0)
        with torch.no_grad():
            made = network.encode(batch.longer)
            apart = copy.deepcopy(network).to(bench.device).encode(moved.longer).cpu()
        losses = [step.forward(part).item() for step, part in ((here, batch), (there, moved))]
        for step, part in ((here, batch), (there, moved)):
            step.step(part)
        weights = zip(here.stepper.network.parameters(), there.stepper.network.parameters(), strict=True)
        found[variant] = {
            "x": ((apart - made).abs().max() / made.abs().max()).item(),
            "loss": abs(losses[1] / losses[0] - 1),
            "weights": max((b.detach().cpu() - a.detach()).abs().max().item() for a, b in weights),
            "learning_rate": config.learning_rate,  # by which Adam's first step moves each weight
        }
    return found


def resume(bench: Bench) -> dict:
    changes = ("steps=6", "checkpoint_every=1", "log_every=3", "loader_workers=0", "ema_decay=null")
    config, folder, hashes = bench.release(*changes), bench.out / "resume", {}
    for name in ("whole", "again"):
        hashes[name] = train(bench.shards, folder / name, "lightunet", 0, config)["weights_sha256"]
    with _cut_after(3), suppress(KeyboardInterrupt):
        train(bench.shards, folder / "cut", "lightunet", 0, config)
    record = train(bench.shards, folder / "cut", "lightunet", 0, config)
    states = [load_weights(folder / name / TRAINED)[0].state_dict() for name in ("whole", "cut")]
    return {
        "resumed": record["resumed"],
        "equal_to_the_bit": record["weights_sha256"] == hashes["whole"],
        "second_run_equal_to_the_bit": hashes["again"] == hashes["whole"],
        "largest_difference": max((states[0][name] - states[1][name]).abs().max().item() for name in states[0]),
    }


@contextmanager
def _cut_after(steps: int) -> Iterator[None]:
    real, seen = Stepper.step, []

    def step(self: Stepper, parts: list, number: int) -> torch.Tensor:
        if len(seen) == steps:
            raise KeyboardInterrupt
        seen.append(number)
        return real(self, parts, number)

    Stepper.step = step
    try:
        yield
    finally:
        Stepper.step = real


def speed(bench: Bench) -> dict:
    world, reader = World(0, 1, bench.device), Shards(bench.shards, "train", "radiance")
    torch.backends.cudnn.benchmark = True
    found: dict = {}
    precisions = {"fp32": []} if bench.tiny else PRECISIONS
    for precision, more in precisions.items():
        config = bench.config(f"precision={precision.split(',')[0]}", *more)
        (batch,) = batches_of(reader, config, bench.device, 1)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.precision == "tf32"
        for variant in ("base",) if bench.tiny or "compiled" in precision else tuple(ATTENTIONS):
            found.setdefault(variant, {})[precision] = _rate(OurStep(variant, config, world), batch, bench)
    config = bench.config("precision=fp32" if bench.tiny else "precision=bf16")
    waiting = wait_share(reader, config, bench.workers, 2 if bench.tiny else 60, world)
    flops = step_flops(OurStep("base", config, world), batch)
    rates = {variant: of[config.precision]["steps_per_second"] for variant, of in found.items()}
    top = bench.found.get("machine", {}).get("teraflops", {}).get(config.precision)
    goals = {
        "steps_per_second": {"goal": 25, "limit": top and 1e12 * top / flops, "figure": rates["base"]},
        "loader_wait_share": {"goal": 0.03, "limit": 0, "figure": waiting},
        "slowest_variant_to_base": {"goal": 1.5, "limit": 1, "figure": rates["base"] / min(rates.values())},
    }
    return {
        "size": bench.sizes,
        "variants": found,
        "flops_a_step": flops,
        "goals": goals,
        "lightunet": _light_rate(bench),
    }


def _rate(step: OurStep, batch: object, bench: Bench) -> dict:
    cuda = bench.device.type == "cuda"
    for _ in range(3):
        step.step(batch)
    wait_for(bench.device)
    if cuda:
        torch.cuda.reset_peak_memory_stats(bench.device)
    seconds = [seconds_of(lambda: step.step(batch), bench.device) for _ in range(bench.sizes["rounds"])]
    memory = torch.cuda.max_memory_allocated(bench.device) / 1e9 if cuda else None
    return {"steps_per_second": 1 / statistics.median(seconds), "gigabytes": memory}


def _light_rate(bench: Bench) -> float:
    """Steps a second of the release recipe, its loader included."""
    config, count = bench.release(), 4 if bench.tiny else 60
    reader = Shards(bench.shards, "train", "radiance")
    samples = LightDataset(reader, config.crop, config.light.augmentation, 0)
    network = initial_network("lightunet", config.preset, config.width, 0)
    stepper = Stepper(network, find_variant("lightunet").loss(config.loss), config, World(0, 1, bench.device))
    batches = load_pairs(samples, Share(config.batch, 0, 2 * count), bench.workers)
    for number, batch in enumerate(batches):
        if number == count:
            wait_for(bench.device)
            start = time.perf_counter()
        stepper.step([light_batch(batch, bench.device)], number)
    wait_for(bench.device)
    return count / (time.perf_counter() - start)


def prediction(bench: Bench) -> dict:
    found: dict = {}
    network = initial_network("base", "attnet", 0.125 if bench.tiny else 1.0, 0).eval()
    released, _ = load_weights(WEIGHTS)
    for name, (height, width) in {"tiny": (90, 120)}.items() if bench.tiny else MEGAPIXELS.items():
        photograph = _photograph(height, width)
        for variant, weights, origin in (("lightunet", released, "stack"), ("base, from X", network, "irradiance")):
            reconstructor = HDRReconstructor(weights, bench.device)
            if bench.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(bench.device)
            run = partial(reconstructor, photograph, origin)
            seconds = [seconds_of(run, bench.device) for _ in range(2)]
            memory = torch.cuda.max_memory_allocated(bench.device) / 1e9 if bench.device.type == "cuda" else None
            found.setdefault(name, {})[variant] = {"seconds": seconds, "gigabytes": memory}
    return found


def _photograph(height: int, width: int) -> np.ndarray:
    """Smooth, with noise; a tenth of it clips."""
    row, column = np.ogrid[:height, :width]
    waves = np.sin(column / 97)[..., None] * np.cos(row / 131)[..., None] + np.arange(3) / 9
    noise = np.random.default_rng(0).normal(0, 0.02, (height, width, 1))
    return np.clip(np.rint(150 + 110 * (waves + noise)), 0, WHITE).astype(np.uint8)


def training(bench: Bench) -> dict:
    rate = bench.found["speed"]["lightunet"]
    seconds = bench.left - (2 if bench.tiny else 60)  # for the table
    steps = 4 if bench.tiny else max(500, int(0.85 * rate * seconds))
    record = train(bench.shards, bench.out / "run", "lightunet", 0, bench.release(f"steps={steps}", "log_every=2"))
    recipe = f"hdrmodel train SHARDS RUN --variant lightunet --profile release -s steps={steps}"
    recipe += "".join(f" -s {change}" for change in bench.changes)
    path = bench.out / "lightunet.safetensors"
    write_release(bench.out / "run" / TRAINED, path, {"recipe": recipe})
    found = {
        "steps": steps,
        "recipe": recipe,
        "megabytes": path.stat().st_size / 1e6,
    }
    found |= {name: record[name] for name in ("steps_per_second", "loader_wait_share", "hours")}
    return found | {"light": summarise_rows(measure_views(bench.shards, path, count=3 if bench.tiny else None))}


SECTIONS: dict[str, Callable[[Bench], dict]] = {
    section.__name__: section for section in (machine, tables, agreement, resume, speed, prediction, training)
}


@click.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--minutes", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="For all of it.")
@click.option("--sections", default=",".join(SECTIONS), show_default=True, help="training needs speed.")
@click.option("-s", "--set", "changes", multiple=True, help="Of the release recipe, as of `hdrmodel train`.")
@click.option("--workers", type=click.IntRange(0), help="Loader processes. Default: all cores but two.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--tiny", is_flag=True, help="The same sections at sizes for a CPU, to see that they work.")
def main(
    shards: Path, out: Path, minutes: float, sections: str, changes: tuple[str, ...], workers: int | None,
    device: str, tiny: bool,
) -> None:  # fmt: skip
    """Run the sections on the folder SHARDS."""
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    processes = (0 if tiny else max(0, available_cores() - 2)) if workers is None else workers
    bench = Bench(shards, out, started + 60 * minutes, tiny, choose_device(device), processes, changes)
    failed = []
    for name in sections.split(","):
        begun = time.monotonic()
        try:
            bench.found[name] = SECTIONS[name](bench)
        except Exception as error:  # a lent machine is not lent twice: the other sections are worth having
            traceback.print_exc()
            failed.append(name)
            bench.found[name] = {"error": f"{type(error).__name__}: {error}"}
        bench.found[name]["took_seconds"] = time.monotonic() - begun
        write_json(out / "gpu.json", bench.found)
        goals = bench.found[name].get("goals", {})
        click.echo(f"{name}: {json.dumps(bench.found[name])}")
        for what, told in goals.items():
            click.echo(f"    {what}: " + ", ".join(f"{side} {value}" for side, value in told.items()))
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()

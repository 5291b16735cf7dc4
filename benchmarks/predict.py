"""How long does a photograph take, and how much memory, by its size, the network's width and the program that runs it?

    python benchmarks/predict.py [--size 1920x1080 ...] [--width 0.25 ...] [--method torch ...] [--tile PIXELS]
    python benchmarks/predict.py --method package --method torch --clipped 0 --clipped 0.01 --clipped 0.1

Each line is a process of its own: it makes a photograph of noise of many sizes, of whose values a share is white, and a
network with first weights (their values do not matter to the time), reconstructs it once and, if that took less than 15
seconds, up to three times more, of which the best counts. Memory is the process's largest, PyTorch and the program
included. `package` is the network and the weights that come with the package, whatever the width. Beside it, in the
same run, at 1920x1080:

    naive       the same network as trained, whole, its stack merged afterwards (`hdrmodel.reconstruction.reconstruct`)
    expandnet   ExpandNet and HDRUNet at their papers' size, as this project has them
    hdrunet

The limit is arithmetic: what the convolutions' multiplications alone would take, at the rate of a large matrix product
measured before. Others, by their authors' programs on two such cores at 1088x1920: ExpandNet 31 s and 0.6 GB, HDRUNet
60 s and 4.6 GB, Le et al. 2023 (the base of this network) 53 s and 3.2 GB.
"""

import threads  # noqa: F401  # isort: skip

import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import click
import cv2
import numpy as np
import torch

from hdrdata.cameras.crf import srgb_crf
from hdrdata.cameras.recipe import HALF_STOPS
from hdrmodel.evaluation.costs import summarize
from hdrmodel.networks.batches import to_batch
from hdrmodel.networks.weights import initial_network, save_weights
from hdrmodel.prediction.memory import keep_memory
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.reconstruction.export import export_onnx
from hdrmodel.reconstruction.reconstruct import reconstruct_by_responses
from hdrmodel.release.files import WEIGHTS

SIZES = ("512x512", "1920x1080", "3840x2160", "8000x6000")
PEERS_AT = "1920x1080"
METHODS = ("package", "torch", "irradiance", "onnx")
PEERS = ("naive", "expandnet", "hdrunet")
GOALS = "1920x1080 in 3 s on two cores, 8000x6000 in 2.5 GB, start of Python left out"
ENOUGH = 15.0  # seconds of one case after which it is not repeated


def photograph(width: int, height: int, clipped: float) -> np.ndarray:
    """Noise of many sizes, uint8 (height, width, 3), of whose values the share `clipped` is white."""
    rng = np.random.default_rng(0)
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (4, 32, 256):
        noise = rng.random((cells, cells, 3), dtype=np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.minimum(
        picture * (255 / np.quantile(picture[::4, ::4], 1 - clipped)), 253 if clipped == 0 else 255
    ).astype(np.uint8)


def measure(
    method: str, size: str, width: float, clipped: float, tile: int | None, exported: Path | None
) -> dict[str, float]:
    """Seconds and the process's largest memory in GB; in this process."""
    keep_memory()
    ldr = photograph(*map(int, size.split("x")), clipped)
    network = initial_network(method if method in PEERS[1:] else "base", "attnet", width, seed=0).eval()
    if method == "naive":
        network = network.to(memory_format=torch.channels_last)  # as `load_weights` gives it

        def run() -> object:
            return reconstruct_by_responses(network, to_batch(ldr[None]), HALF_STOPS, [srgb_crf()])[0]
    elif method in ("onnx", "package"):
        reconstructor = HDRReconstructor.from_file(exported if method == "onnx" else WEIGHTS, tile=tile)

        def run() -> object:
            return reconstructor(ldr)
    else:
        reconstructor = HDRReconstructor(network.to(memory_format=torch.channels_last), tile=tile)

        def run() -> object:
            return reconstructor(ldr, "irradiance" if method == "irradiance" else "stack")

    times: list[float] = []
    while len(times) < 4 and sum(times) < ENOUGH:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": min(times[1:] or times), "gigabytes": memory / 1e9}


def macs_a_second() -> float:
    """Multiplications a second in a product of large float32 matrices."""
    matrix = torch.rand(2048, 2048)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - start)
    return 2048**3 / min(times)


def macs_of(size: str, width: float, method: str) -> float:
    """Multiplications of the convolutions for one photograph of `size`: N1, and eight times N2 or N3."""
    columns, rows = map(int, size.split("x"))
    macs = summarize(initial_network("base", "attnet", width, seed=0).config, 512).as_json()["convolution_macs"]
    return macs["N1" if method == "irradiance" else "stack"] * rows * columns / 512**2


@click.command(help=__doc__.partition("\n")[0])
@click.option("--size", "sizes", multiple=True, default=SIZES, show_default=True, metavar="WIDTHxHEIGHT")
@click.option("--width", "widths", multiple=True, type=float, default=(0.25, 1.0), show_default=True)
@click.option("--method", "methods", multiple=True, type=click.Choice([*METHODS, *PEERS]), help="Default: all.")
@click.option("--tile", type=int, help="As `hdrmodel predict`.")
@click.option(
    "--clipped",
    "shares",
    multiple=True,
    type=click.FloatRange(0, 1, max_open=True),
    default=(0.05,),
    show_default=True,
    help="Of the photograph's values, white.",
)
@click.option("--case", nargs=5, hidden=True)
def main(
    sizes: tuple[str, ...],
    widths: tuple[float, ...],
    methods: tuple[str, ...],
    tile: int | None,
    shares: tuple[float, ...],
    case: tuple[str, str, str, str, str] | None,
) -> None:
    if case is not None:
        method, size, width, clipped, exported = case
        click.echo(json.dumps(measure(method, size, float(width), float(clipped), tile, Path(exported))))
        return
    methods = methods or (*METHODS, *PEERS)
    rate = macs_a_second()
    click.echo(f"{torch.get_num_threads()} threads; a matrix product does {rate / 1e9:.0f} GMAC/s")
    click.echo(f"goal: `package` {GOALS}\n")
    click.echo(
        f"{'size':<10} {'width':>5} {'white':>6}  {'method':<10} {'seconds':>8} {'MP/s':>6} {'GB':>5}  limit's share"
    )
    with tempfile.TemporaryDirectory(prefix="predict-") as temporary:
        for width in widths:
            exported = Path(temporary, f"onnx-{width}")
            if "onnx" in methods:
                weights = Path(temporary, "w.safetensors")
                save_weights(weights, initial_network("base", "attnet", width, seed=0), {})
                export_onnx(weights, exported)
            for size, method, clipped in product(sizes, methods, shares):
                if method in PEERS and (size != PEERS_AT or (method != "naive" and width != 1.0)):
                    continue
                command = [sys.executable, __file__, "--case", method, size, str(width), str(clipped), str(exported)]
                command += [] if tile is None else ["--tile", str(tile)]
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                head = f"{size:<10} {width:>5} {clipped:>6.1%}  {method:<10}"
                if done.returncode:
                    click.echo(f"{head} failed: {done.stderr.strip()[-120:]}")
                    continue
                told = json.loads(done.stdout)
                columns, rows = map(int, size.split("x"))
                share = macs_of(size, width, method) / rate / told["seconds"]
                limit = "" if method in ("package", *PEERS[1:]) else f"{share:.0%}"
                speed = columns * rows / 1e6 / told["seconds"]
                click.echo(f"{head} {told['seconds']:>8.2f} {speed:>6.2f} {told['gigabytes']:>5.2f}  {limit}")


if __name__ == "__main__":
    main()

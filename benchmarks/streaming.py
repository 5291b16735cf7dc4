"""How many LDR pictures a second does a loader give on one core, and from how many bytes each?

    python benchmarks/streaming.py [SCENES] [--python OTHER/bin/python]

Eight views of 512x512 are made of the HDR files of the folder SCENES, with 45 pictures each, in both forms. Each reader
is a process on one core and reads all of them, page cache warm, in rounds: in a round every reader has one turn, so
that what else the machine does meets all alike. A figure is the median of the rounds, in CPU time and then on the
clock; beside it stands the median of the ratios to the fastest reader of others in the same round.

The readers of others are optional; `--python` names an interpreter that has those which this one lacks. With `--before`
only the readers of this project run, in turns with those of another checkout of it, on the same shards.
"""

import io
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import click
import cv2
import numpy as np

from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.files.ldr import decode_png
from hdrdata.samples.layout import SHARDS
from hdrdata.samples.radiance_codec import EXTENSION, decode_radiance
from hdrdata.scenes.scan import scan_scenes
from hdrdata.shards.pack import ShardConfig, shard_stacks
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.ingest import ingest_scenes
from hdrdata.views.view import IngestConfig, read_views
from hdrdata.work.index import read_index

LETTERS = "abcdefghi"
PIXELS_GOAL = 500  # pictures a second
TIMEOUT = 120  # seconds that a reader may be silent
SECONDS = 0.2  # of a turn at least, which repeats a short pass
INGEST = {
    "view_size": 512,
    "fov_degrees": 80,
    "pitch_degrees": 10,
    "azimuths_degrees": [0],
    "photo_crops": 1,
    "max_magnification": 64,
    "on_magnified": "refuse",
    "max_repaired_share": 1,
    "on_error": "stop",
    "engine": "local",
    "workers": 0,
}
SYNTHESIZE = {"recipe": "drtmo", "png_encoder": "fpng", "engine": "local", "workers": 0}
SHARD = {"name": "streaming", "form": "both", "shards": {"train": 1, "val": 1, "test": 1}}


def build(scenes: Path, folder: Path, views: int, size: int) -> None:
    """Make views from scenes spread evenly over the folder, as one shard a form."""
    found = scan_scenes(scenes, sidecar=None, seed=0, val_share=0, test_share=0).scenes
    chosen = found[:: max(len(found) // views, 1)][:views]
    ingest_scenes(chosen, scenes, folder / "views", IngestConfig.parse("ingest", INGEST | {"view_size": size}))
    config = SynthesizeConfig.parse("synthesize", SYNTHESIZE)
    synthesize_stacks(read_views(folder / "views"), folder / "views", folder / "stacks", config, ("pixels", "radiance"))
    shard_stacks(folder / "stacks", folder / "shards", ShardConfig.parse("shard", SHARD))
    shutil.rmtree(folder / "stacks")


# ---- readers: open a folder, and give a function that reads it once and returns (pictures, bytes)

Pass = Callable[[], tuple[int, int]]


def tars(folder: Path, form: str = "pixels") -> list[str]:
    rows = read_index(folder / "shards", SHARDS)["rows"]
    return [str(folder / "shards" / name) for name, row in rows.items() if row["form"] == form]


def pngs_of(sample: dict, letters: str = LETTERS) -> list[bytes]:
    return [sample[f"{letter}.png"] for letter in letters]


def size_of(sample: dict) -> int:
    return sum(len(value) for value in sample.values() if isinstance(value, bytes))


def pixels(letters: str) -> Callable[[Path], Pass]:
    def start(folder: Path) -> Pass:
        shards = Shards(folder / "shards", "train", "pixels")
        members = [layout.members for _, layout in shards.samples]
        size = sum(one[name].size for one in members for name in (*(f"{letter}.png" for letter in letters), "json"))

        def read() -> tuple[int, int]:
            return sum(len(shards.stack(number, letters).stack) for number in range(len(shards))), size

        return read

    return start


def radiance(crfs: int, exposures: int) -> Callable[[Path], Pass]:
    def start(folder: Path) -> Pass:
        shards = Shards(folder / "shards", "train", "radiance")
        size = sum(layout.length for _, layout in shards.samples)
        names = shards.crfs[:crfs]
        some = {name: tables[:: 8 // (exposures - 1)] for name, tables in shards.tables.items()}

        def read() -> tuple[int, int]:
            pictures = 0
            for number in range(len(shards)):
                view = shards.radiance(number)
                for name in names:
                    if exposures == len(LETTERS):
                        pictures += len(shards.expand(view, name).stack)
                    else:
                        pictures += len(expose_view(half_bits(view.radiance), some[name]))
            return pictures, size

        return read

    return start


def ours_bytes(folder: Path) -> Pass:
    shards = Shards(folder / "shards", "train", "pixels")

    def read() -> tuple[int, int]:
        sizes = [size_of(shards.read(number)) for number in range(len(shards))]
        return len(LETTERS) * len(sizes), sum(sizes)

    return read


def webdataset(decode: str) -> Callable[[Path], Pass]:
    def start(folder: Path) -> Pass:
        import webdataset

        def read() -> tuple[int, int]:
            rows = webdataset.WebDataset(tars(folder), shardshuffle=False)
            pictures = size = 0
            for row in rows.decode("rgb8") if decode == "pil" else rows:
                found = pngs_of(row)
                if decode == "opencv":
                    found = [by_opencv(png) for png in found]
                pictures += len(found)
                size += size_of(row)
            return pictures, size or file_size(tars(folder))

        return read

    return start


def huggingface(decode: bool) -> Callable[[Path], Pass]:
    def start(folder: Path) -> Pass:
        import datasets

        datasets.disable_progress_bars()

        def read() -> tuple[int, int]:
            rows = datasets.load_dataset(
                "webdataset", data_files={"train": tars(folder)}, split="train", streaming=True
            )
            if not decode:
                for letter in LETTERS:
                    rows = rows.cast_column(f"{letter}.png", datasets.Image(decode=False))
            pictures = 0
            for row in rows:
                found = [row[f"{letter}.png"] for letter in LETTERS]
                pictures += len([np.asarray(picture) for picture in found] if decode else found)
            return pictures, file_size(tars(folder))

        return read

    return start


def litdata(decode: bool) -> Callable[[Path], Pass]:
    def start(folder: Path) -> Pass:
        import litdata
        from litdata.streaming.writer import BinaryWriter

        if not (folder / "litdata" / "index.json").exists():
            (folder / "litdata").mkdir(exist_ok=True)
            writer = BinaryWriter(str(folder / "litdata"), chunk_bytes="64MB")
            shards = Shards(folder / "shards", "train", "pixels")
            for number in range(len(shards)):
                writer[number] = shards.read(number)
            writer.done()
            writer.merge()

        def read() -> tuple[int, int]:
            pictures = size = 0
            for row in litdata.StreamingDataset(str(folder / "litdata"), shuffle=False):
                found = pngs_of(row)
                pictures += len([by_opencv(png) for png in found] if decode else found)
                size += size_of(row)
            return pictures, size

        return read

    return start


def mosaic(folder: Path) -> Pass:
    from streaming import LocalDataset, MDSWriter

    out = folder / "mosaic"
    if not (out / "index.json").exists():
        shards = Shards(folder / "shards", "train", "pixels")
        with MDSWriter(out=str(out), columns=dict.fromkeys(shards.read(0), "bytes")) as writer:
            for number in range(len(shards)):
                writer.write(shards.read(number))
    dataset = LocalDataset(str(out))

    def read() -> tuple[int, int]:
        pictures = size = 0
        for number in range(len(dataset)):
            row = dataset[number]
            pictures += len([by_opencv(png) for png in pngs_of(row)])
            size += size_of(row)
        return pictures, size

    return read


def by_opencv(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)


# ---- limits: what no loader can be faster than


def file_size(paths: list[str]) -> int:
    return sum(os.stat(path).st_size for path in paths)


def sequential(folder: Path) -> Pass:
    paths = tars(folder)
    pictures = len(LETTERS) * len(Shards(folder / "shards", "train", "pixels"))
    block = bytearray(4 << 20)

    def read() -> tuple[int, int]:
        for path in paths:
            with open(path, "rb", buffering=0) as file:
                while file.readinto(block):
                    pass
        return pictures, file_size(paths)

    return read


def decoder(decode: Callable[[bytes], np.ndarray]) -> Callable[[Path], Pass]:
    def start(folder: Path) -> Pass:
        shards = Shards(folder / "shards", "train", "pixels")
        pngs = [png for number in range(0, len(shards), 4) for png in pngs_of(shards.read(number))]
        return lambda: (len([decode(png) for png in pngs]), sum(map(len, pngs)))

    return start


def by_pil(png: bytes) -> np.ndarray:
    import PIL.Image

    return np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGB"))


def radiance_decoder(folder: Path) -> Pass:
    shards = Shards(folder / "shards", "train", "radiance")
    contents = [shards.read(number)[EXTENSION] for number in range(len(shards))]
    return lambda: (len([decode_radiance(content) for content in contents]), sum(map(len, contents)))


def look_up(folder: Path) -> Pass:
    shards = Shards(folder / "shards", "train", "radiance")
    views = [half_bits(shards.radiance(number).radiance) for number in range(len(shards))]
    tables = list(shards.tables.values())
    return lambda: (sum(len(expose_view(view, table)) for view in views for table in tables), 0)


OURS = {
    "hdrdata, pixels: 9 of 9": pixels(LETTERS),
    "hdrdata, pixels: 2 of 9": pixels("ai"),
    "hdrdata, radiance: 5 cameras, 9 of 9": radiance(5, 9),
    "hdrdata, radiance: 1 camera, 9 of 9": radiance(1, 9),
    "hdrdata, radiance: 5 cameras, 2 of 9": radiance(5, 2),
    "hdrdata, radiance: 1 camera, 2 of 9": radiance(1, 2),
}
PEERS = {
    "webdataset + PIL": webdataset("pil"),
    "webdataset + OpenCV": webdataset("opencv"),
    "litdata + OpenCV": litdata(True),
    "mosaicml-streaming + OpenCV": mosaic,
    "HF datasets (PIL)": huggingface(True),
}
BYTES = {
    "hdrdata, bytes alone": ours_bytes,
    "webdataset, bytes alone": webdataset("none"),
    "litdata, bytes alone": litdata(False),
    "HF datasets, bytes alone": huggingface(False),
}
LIMITS = {
    "limit: sequential read of the shard": sequential,
    "limit: PNG decoder of hdrdata": decoder(decode_png),
    "limit: PNG decoder of OpenCV": decoder(by_opencv),
    "limit: PNG decoder of PIL": decoder(by_pil),
    "limit: look-up": look_up,
    "limit: radiance decoder (views)": radiance_decoder,
}
READERS: dict[str, Callable[[Path], Pass]] = OURS | PEERS | BYTES | LIMITS
PACKAGES = {"webdataset": "webdataset", "HF": "datasets", "litdata": "litdata", "mosaicml-streaming": "streaming"}


# ---- a reader in its own process: a line in, one turn, a line out


def serve(name: str, folder: Path) -> None:
    """Answer each line of the input with [pictures, bytes, CPU seconds, seconds] of one turn."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    read = None
    for _ in sys.stdin:
        try:
            read = read or READERS[name](folder)
            cpu, clock, passes = process_time(), perf_counter(), [read()]
            while process_time() - cpu < SECONDS:
                passes.append(read())
            answer = [*map(sum, zip(*passes, strict=True)), process_time() - cpu, perf_counter() - clock]
        except ImportError:
            answer = "not installed"
        except Exception as error:  # a table with a reader that fails is worth more than none
            answer = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:60]
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    os._exit(0)  # a reader's threads may still wait


class Reader:
    """The process of one reader, with the hdrdata of `checkout` or the one that Python finds."""

    def __init__(self, name: str, folder: Path, python: str, checkout: Path | None = None):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
        environment |= {"PYTHONPATH": str(checkout.resolve())} if checkout else {}
        self.process = subprocess.Popen(
            [python, __file__, str(folder), "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment | {"PYTHONWARNINGS": "ignore"},
        )

    def read(self) -> list[float] | str:
        """Return the figures of one turn, or why there are none."""
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return "died"
        if not select.select([self.process.stdout], [], [], TIMEOUT)[0]:
            self.process.kill()
            return f"no answer in {TIMEOUT} s"
        line = self.process.stdout.readline()
        return json.loads(line) if line else "died"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@click.command()
@click.argument(
    "scenes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(__file__).parents[1] / "data" / "scenes",
)
@click.option("--python", default=sys.executable, help="Interpreter for the readers that this one lacks.")
@click.option("--views", type=click.IntRange(1), default=8, show_default=True, help="Views of 45 pictures each.")
@click.option("--size", type=click.IntRange(16), default=512, show_default=True, help="Height and width of a view.")
@click.option("--before", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another checkout.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of each reader.")
@click.option("--serve", "name", type=click.Choice(list(READERS)), hidden=True)
def main(scenes: Path, python: str, views: int, size: int, before: Path | None, rounds: int, name: str | None) -> None:
    """Print one table of pictures a second on one core, from the HDR files of the folder SCENES."""
    if name:
        serve(name, scenes)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build(scenes, folder, views, size)
        if before:
            compare(folder, before, rounds)
            return
        pixels_size, radiance_size = (file_size(tars(folder, form)) for form in ("pixels", "radiance"))
        click.echo(
            f"\n{views} views of {size}x{size} from {scenes.name}: {pixels_size / views / 1e6:.2f} MB a view in pixels "
            f"form, {radiance_size / views / 1e6:.2f} MB in radiance form: 1/{pixels_size / radiance_size:.1f}\n"
        )
        measured = measure(folder, python, rounds)
    print_table(measured)


def compare(folder: Path, before: Path, rounds: int) -> None:
    """Print the speed of each reader relative to the checkout `before`: best turns, and median of the rounds."""
    click.echo(f"\n{'relative to ' + before.name:40}{'best turns':>14}{'median':>10}")
    for name in [*OURS, "hdrdata, bytes alone"]:
        readers = [Reader(name, folder, sys.executable, checkout) for checkout in (before, Path(__file__).parents[1])]
        turns = [[reader.read() for reader in readers] for _ in range(rounds + 1)][1:]
        for reader in readers:
            reader.close()
        if problems := [turn for both in turns for turn in both if isinstance(turn, str)]:
            click.echo(f"{name:40}{problems[0]}")
            continue
        speeds = [[pictures / cpu for pictures, _, cpu, _ in both] for both in turns]
        old, new = (max(speeds, key=lambda both: both[place])[place] for place in (0, 1))
        click.echo(f"{name:40}{new / old:14.2f}{median(new / old for old, new in speeds):10.2f}")


def measure(folder: Path, python: str, rounds: int) -> dict[str, list]:
    """Return the answers of each reader by round; the first round, which warms up, is left out."""
    readers = {}
    for name in READERS:
        package = PACKAGES.get(name.split(" ")[0].rstrip(","))
        readers[name] = Reader(name, folder, sys.executable if package is None or find_spec(package) else python)
    measured: dict[str, list] = {name: [] for name in READERS}
    for turn in range(rounds + 1):
        for name, reader in readers.items():
            answer = measured[name][-1] if measured[name] and isinstance(measured[name][-1], str) else reader.read()
            if turn or isinstance(answer, str):
                measured[name].append(answer)
    for reader in readers.values():
        reader.close()
    return measured


def print_table(measured: dict[str, list]) -> None:
    """A row a reader; the ratio is to the fastest of others in the same round that gives pictures, or bytes."""
    good = {
        name: turns for name, turns in measured.items() if turns and not any(isinstance(turn, str) for turn in turns)
    }
    rounds = min(len(turns) for turns in good.values())
    speeds = {name: [turn[0] / turn[2] for turn in turns[-rounds:]] for name, turns in good.items()}
    others = [names & speeds.keys() for names in (PEERS.keys(), BYTES.keys() - {"hdrdata, bytes alone"})]
    click.echo(
        f"{'one core':40}{'pictures/s':>12}{'on the clock':>14}{'kB a picture':>14}{'x the fastest of others':>25}"
    )
    for name, turns in measured.items():
        if name not in good:
            click.echo(f"{name:40}{turns[-1] if turns else 'not measured':>12}")
            continue
        clock = median(turn[0] / turn[3] for turn in turns)
        rivals = others[name in BYTES]
        ratio = ""
        if rivals and name not in LIMITS:
            ratio = f"{median(speeds[name][k] / max(speeds[rival][k] for rival in rivals) for k in range(rounds)):.2f}"
        size = turns[-1][1] / turns[-1][0] / 1e3
        click.echo(f"{name:40}{median(speeds[name]):12,.0f}{clock:14,.0f}{size:14,.1f}{ratio:>25}")
    name, limit = "hdrdata, pixels: 9 of 9", "limit: PNG decoder of hdrdata"
    if name in speeds and limit in speeds:
        share = median(own / top for own, top in zip(speeds[name], speeds[limit], strict=True))
        click.echo(
            f"\n{name}: goal {PIXELS_GOAL}, limit {median(speeds[limit]):,.0f} (its PNG decoder, which inflates), "
            f"figure {median(speeds[name]):,.0f}: {share:.0%} of the limit"
        )


if __name__ == "__main__":
    main()

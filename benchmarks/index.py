"""How long does it take to open a million views, and how much memory?

    python benchmarks/index.py [--views 1000000] [--python OTHER/bin/python]

Writes the index of a dataset in radiance form with simulated views (no pictures), opens it in a new process, draws
samples of an epoch, and prints seconds and the largest resident set. Limit: reading the file once. Goals: under 2 s and
200 MB.

Then the same for webdataset, litdata and mosaicml-streaming, where they are installed, or in the interpreter that
`--python` names. Their indexes list shards and no samples: webdataset draws no sample by number, and the two others
find a sample in its file when that has been downloaded, which is not part of their figures.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

from hdrdata.cameras.recipe import choose_recipe
from hdrdata.samples.layout import SHARDS
from hdrdata.stacks.recipe_facts import recipe_facts
from hdrdata.stream.columns import COLUMNS, columns_to_bytes

A_SHARD = 2000  # views
SECONDS_GOAL, MB_GOAL = 2.0, 200
CLOCK = """
import re, sys, time
def now():
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1e3  # of this program alone
    print(time.perf_counter(), time.process_time(), peak)
"""
OURS = """
now()
from hdrdata.stream.order import Draws
from hdrdata.stream.stack_reader import open_stacks
now()
stacks = open_stacks(sys.argv[1], part="train")
now()
draws = Draws((len(stacks),), (len(stacks),), 0)
keys = [stacks.key(draws.at(0, place)[1]) for place in range(1000)]
now()
"""
WEBDATASET = """
now()
import webdataset
now()
rows = webdataset.WebDataset([f"hdr-train-{number:06d}.tar" for number in range(int(sys.argv[2]))], shardshuffle=100)
now()
"""
LITDATA = """
import json, pathlib
from litdata.streaming.writer import BinaryWriter
folder = pathlib.Path(sys.argv[1], "litdata")
folder.mkdir()
writer = BinaryWriter(str(folder), chunk_bytes="64MB")
writer[0] = {"json": b"{}", "radiance.zst": bytes(99)}
writer.done()
writer.merge()
index = json.loads((folder / "index.json").read_text())
chunks = [{**index["chunks"][0], "chunk_size": 2000, "chunk_bytes": 2000 * 200704, "filename": f"chunk-0-{n}.bin"}
          for n in range(int(sys.argv[2]))]
(folder / "index.json").write_text(json.dumps({**index, "chunks": chunks}))
"""
LITDATA_OPEN = """
now()
import litdata
now()
rows = litdata.StreamingDataset(sys.argv[1] + "/litdata", shuffle=True, drop_last=True)
len(rows)
now()
"""
MOSAIC = """
import json, pathlib
from streaming import MDSWriter
folder = pathlib.Path(sys.argv[1], "mosaic")
with MDSWriter(out=str(folder), columns={"json": "bytes", "radiance.zst": "bytes"}) as writer:
    writer.write({"json": b"{}", "radiance.zst": bytes(99)})
index = json.loads((folder / "index.json").read_text())
shard = index["shards"][0]
shards = [{**shard, "samples": 2000, "raw_data": {**shard["raw_data"], "basename": f"shard.{n:05d}.mds"}}
          for n in range(int(sys.argv[2]))]
(folder / "index.json").write_text(json.dumps({**index, "shards": shards}))
"""
MOSAIC_OPEN = """
now()
import random
from streaming import LocalDataset
now()
rows = LocalDataset(sys.argv[1] + "/mosaic")
now()
places = [rows.spanner[random.randrange(len(rows))] for _ in range(1000)]
now()
"""
PEERS = {
    "webdataset": ("", WEBDATASET),
    "litdata": (LITDATA, LITDATA_OPEN),
    "mosaicml-streaming": (MOSAIC, MOSAIC_OPEN),
}


def write_dataset(folder: Path, views: int) -> int:
    """Write index and columns of simulated views, and return their bytes."""
    member = [("offset", "<u4"), ("size", "<u4"), ("crc32c", "<u4")]
    numbers = [("shard", "<u4"), ("offset", "<u8"), ("length", "<u8"), ("crc32c", "<u4")]
    columns = np.zeros(views, [("key", "S48"), *numbers, ("json", member), ("radiance.zst", member)])
    place = np.arange(views)
    columns["key"] = [
        f"scene-{number // 6:08d}-0123abcd_80_10_{number % 6 * 60:03d}".encode() for number in range(views)
    ]
    columns["shard"], columns["offset"], columns["length"] = place // A_SHARD, place % A_SHARD * 200_704, 200_704
    columns["json"]["offset"], columns["json"]["size"] = 512, 400
    columns["radiance.zst"]["offset"], columns["radiance.zst"]["size"] = 1536, 199_000
    content = columns_to_bytes(columns)
    counts = np.bincount(columns["shard"])
    listed = [
        {"url": f"hdr-train-{number:06d}.tar", "nsamples": int(count), "filesize": int(count) * 200_704 + 1024,
         "sha256": f"{number:064x}", "form": "radiance", "part": "train"}
        for number, count in enumerate(counts)
    ]  # fmt: skip
    facts = {"file": COLUMNS, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    index = {"algorithm": SHARDS, "name": "simulated", "recipe": recipe_facts(choose_recipe("drtmo")),
             "shardlist": listed, "columns": {"radiance": facts}}  # fmt: skip
    (folder / COLUMNS).write_bytes(content)
    (folder / "index.json").write_text(json.dumps(index))
    return len(content)


def timed(program: str, python: str, *arguments: object) -> list[list[float]] | None:
    """Return the lines of `now()` in a new process; None if a package is not installed there."""
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [python, "-c", CLOCK + program, *map(str, arguments)], capture_output=True, text=True, env=environment
    )
    if "ModuleNotFoundError" in result.stderr:
        return None
    result.check_returncode()
    return [[float(word) for word in line.split()] for line in result.stdout.splitlines()]


def print_rows(name: str, rows: list[list[float]] | None) -> None:
    """Print what each step took, from the lines of `now()`."""
    if rows is None:
        click.echo(f"{name:20}not installed")
        return
    for step, before, after in zip(("import", "open", "1000 shuffled draws"), rows[:-1], rows[1:], strict=False):
        click.echo(f"{name:20}{step:20}{after[0] - before[0]:10.2f}{after[1] - before[1]:10.2f}{after[2]:10.0f}")


def compare(views: int, python: str) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        size = write_dataset(Path(temporary), views)
        click.echo(f"{views} views, {size / 1e6:.0f} MB of columns; goals for open: {SECONDS_GOAL} s, {MB_GOAL} MB")
        click.echo(f"{'':40}{'seconds':>10}{'of CPU':>10}{'peak MB':>10}")
        print_rows("hdrdata", timed(OURS, sys.executable, temporary))
        for name, (write, read) in PEERS.items():
            written = timed(write, python, temporary, views // A_SHARD)
            print_rows(name, None if written is None else timed(read, python, temporary, views // A_SHARD))


@click.command(help=__doc__)
@click.option("--views", default=1_000_000, show_default=True)
@click.option("--python", default=sys.executable, help="Interpreter that has the other packages.")
def main(views: int, python: str) -> None:
    compare(views, python)


if __name__ == "__main__":
    main()

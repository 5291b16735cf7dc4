"""How long does it take to open a million views, and how much memory?

    python benchmarks/index.py [--views 1000000]

Writes the index of a dataset in radiance form with simulated views (no pictures), opens it in a new process, draws
samples of an epoch, and prints seconds and the largest resident set. Limit: reading the file once. Goals: under 2 s and
200 MB.
"""

import hashlib
import json
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
OPEN = """
import re, sys, time
def now():
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1e3  # of this program alone
    print(time.perf_counter(), time.process_time(), peak)
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


@click.command(help=__doc__)
@click.option("--views", default=1_000_000, show_default=True)
def main(views: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        size = write_dataset(Path(temporary), views)
        answer = subprocess.run([sys.executable, "-c", OPEN, temporary], capture_output=True, text=True, check=True)
    rows = [[float(word) for word in line.split()] for line in answer.stdout.splitlines()]
    click.echo(f"{views} views, {size / 1e6:.0f} MB of columns; goals for open: {SECONDS_GOAL} s, {MB_GOAL} MB")
    click.echo(f"{'':24}{'seconds':>10}{'of CPU':>10}{'peak MB':>10}")
    for name, before, after in zip(("import", "open", "1000 shuffled draws"), rows[:-1], rows[1:], strict=True):
        click.echo(f"{name:24}{after[0] - before[0]:10.2f}{after[1] - before[1]:10.2f}{after[2]:10.0f}")


if __name__ == "__main__":
    main()

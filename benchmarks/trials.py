"""Do stages that are killed, or whose files are damaged, end with the same bytes as undisturbed ones?

    python benchmarks/trials.py [SCENES] [--trials 20] [--seed 0] [--full-disk]

Makes a dataset of the folder SCENES once undisturbed. Then kills the stages synthesize and shard with SIGKILL at random
moments, with the local engine and with Ray on two nodes of this machine, runs each again, and compares the SHA-256 of
every file. Then damages files one by one and tells what the next run said. Full disks are small tmpfs: for root, or
inside `unshare --mount --map-root-user`.
"""

import contextlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from hdrdata.files.disk import INDEX, read_json, sha256_of
from hdrdata.work.journal import JOURNAL

ROOT = Path(__file__).parents[1]
STAGES = {
    "scan": ("scenes.json", ".scan-cache.json"),
    "ingest": ("scenes.json", "views"),
    "synthesize": ("views", "stacks"),
    "shard": ("stacks", "shards"),
}
RAY = Path(sys.executable).with_name("ray")
RAY_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # of the trials' own cluster


class Workspace:
    """A folder with parameters in which stages run, as DVC runs them, and the digests of what they should make."""

    def __init__(self, folder: Path, scenes: Path):
        self.folder = folder
        self.params = yaml.safe_load((ROOT / "params.yaml").read_text())
        shutil.copytree(scenes, folder / "scenes")
        self.params["scan"].update(scenes="scenes", sidecar=None)
        self.params["ingest"]["azimuths_degrees"] = [*range(0, 360, 20)]  # enough work to be killed in its middle
        self.params["shard"]["shards"] = {"train": 12, "val": 4, "test": 4}
        self.environment = {
            **os.environ,
            **RAY_TOKEN,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        self.use("local")
        self.seconds = {}
        for name in STAGES:
            start = time.perf_counter()
            self.finish(name)
            self.seconds[name] = time.perf_counter() - start
        self.digests = {name: self.files(out) for name, (_, out) in STAGES.items()}

    def use(self, engine: str, address: str = "") -> None:
        """Run later stages with an engine; Ray's at an address."""
        for section in ("ingest", "synthesize"):
            self.params[section]["engine"] = engine
        (self.folder / "params.yaml").write_text(yaml.safe_dump(self.params))
        self.environment["RAY_ADDRESS"] = address

    def start(self, stage: str) -> subprocess.Popen:
        """Begin a stage in a session of its own."""
        if stage == "verify":
            command = [sys.executable, "-c", "from hdrdata.cli import main; main()", "verify", "shards"]
        else:
            command = [sys.executable, "-m", f"stages.{stage}", *STAGES[stage]]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    def wait_for_work(self, run: subprocess.Popen, stage: str) -> None:
        """Wait until a stage that was begun has opened its journal."""
        while run.poll() is None and not (self.folder / STAGES[stage][1] / JOURNAL).is_file():
            time.sleep(0.01)

    def finish(self, stage: str) -> None:
        """Run a stage that must succeed."""
        process = self.start(stage)
        _, errors = process.communicate()
        if process.returncode:
            raise click.ClickException(f"{stage}: {errors}")

    def said(self, stage: str) -> str:
        """Run a stage that must fail: the first line of its errors."""
        process = self.start(stage)
        _, errors = process.communicate()
        return errors.splitlines()[0] if process.returncode else "nothing, and succeeded"

    def files(self, name: str) -> dict[str, str]:
        """The SHA-256 of every file of a folder, or of the one file; a run that ended has left no others."""
        paths = [path for path in (self.folder / name).rglob("*") if path.is_file()] or [self.folder / name]
        return {path.relative_to(self.folder).as_posix(): sha256_of(path) for path in paths}

    def differing(self, stage: str) -> int:
        """Return how many files are not what an undisturbed run makes."""
        found, wanted = self.files(STAGES[stage][1]), self.digests[stage]
        return sum(found.get(name) != wanted.get(name) for name in found.keys() | wanted.keys())

    def entries(self, stage: str) -> int:
        """Return how many entries a stage has finished."""
        out = self.folder / STAGES[stage][1]
        if (out / INDEX).is_file():
            return len(read_json(out / INDEX)["rows"])
        journal = out / JOURNAL
        return journal.read_text().count('\n["') if journal.is_file() else 0


def processes(session: int) -> list[tuple[int, int, str]]:
    """The id, the parent and the command of every process of a session, which a process started for a trial began."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append((int(folder.name), int(parent), command))
    return found


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_all(session: int) -> None:
    for pid, _, _ in processes(session):
        kill(pid)


def workers_of(run: subprocess.Popen, nodes: "list[RayNode]") -> list[int]:
    """The processes that make tasks: forks of the pool's fork server, or Ray's that were given some."""
    pool = [pid for pid, parent, command in processes(run.pid) if "forkserver" in command and parent != run.pid]
    return pool + [pid for node in nodes for pid, _, command in processes(node.process.pid) if "ray::_make" in command]


def kill_trial(work: Workspace, stage: str, what: str, moment: float, nodes: "list[RayNode]") -> tuple[int, bool, int]:
    """Kill something of a stage after some seconds: entries done by then, whether it had to run again, and how many
    files differ at the end."""
    shutil.rmtree(work.folder / STAGES[stage][1])
    run = work.start(stage)
    work.wait_for_work(run, stage)
    time.sleep(moment)
    done = work.entries(stage)
    if what == "node":
        nodes[1].kill()
    elif what == "worker":
        for pid in workers_of(run, nodes)[:1]:
            kill(pid)
    elif what == "group":
        kill_all(run.pid)
    else:
        kill(run.pid)
    run.communicate()
    again = run.returncode != 0
    if again:
        work.finish(stage)
    if what == "node":
        nodes[1].start()
    return done, again, work.differing(stage)


class RayNode:
    """A Ray node as `ray start` starts it on a machine: one core, with processes in a session of its own."""

    def __init__(self, *options: str):
        self.options = options
        self.start()

    def start(self) -> None:
        command = [str(RAY), "start", *self.options, "--num-cpus=1", "--object-store-memory=100000000", "--block"]
        environment = {**os.environ, **RAY_TOKEN, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, env=environment, cwd="/", stdout=nowhere, stderr=nowhere, start_new_session=True
        )

    def kill(self) -> None:
        kill_all(self.process.pid)
        self.process.wait()


@contextlib.contextmanager
def ray_nodes() -> Iterator[tuple[str, list[RayNode]]]:
    """Two nodes of one core each: their address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    head = RayNode("--head", f"--port={port}", "--include-dashboard=false")
    nodes = [head]
    try:
        address = f"{socket.gethostbyname(socket.gethostname())}:{port}"
        health = [RAY, "health-check", "--address", address]
        while subprocess.run(health, env={**os.environ, **RAY_TOKEN}, capture_output=True, check=False).returncode:
            time.sleep(1)
        nodes.append(RayNode(f"--address={address}"))
        time.sleep(5)
        yield address, nodes
    finally:
        for node in reversed(nodes):
            node.kill()


def kill_trials(work: Workspace, stage: str, engine: str, trials: int, nodes: list[RayNode], number: random.Random):
    """Trials of one stage and engine, as rows of the table."""
    work.finish(stage)  # warm, and how long it takes
    shutil.rmtree(work.folder / STAGES[stage][1])
    run = work.start(stage)
    work.wait_for_work(run, stage)
    start = time.perf_counter()
    run.communicate()
    seconds = time.perf_counter() - start
    ways = ("group", "worker", "parent") if engine == "local" else ("parent", "worker", "node")
    results = {way: [] for way in ways}
    for trial in range(trials):
        moment = number.uniform(0, 1) * seconds
        way = ways[trial % len(ways)]
        results[way].append((moment, *kill_trial(work, stage, way, moment, nodes)))
    total = work.entries(stage)
    for way, rows in results.items():
        moments, done, again, differing = zip(*rows, strict=True)
        click.echo(
            f"| {stage} | {engine} | {way} | {len(rows)} | {min(moments):.1f}-{max(moments):.1f} of {seconds:.1f} s | "
            f"{' '.join(map(str, sorted(done)))} of {total} | {sum(again)} | {len(rows)} | {sum(differing)} |"
        )


def flip(path: Path, place: float = 0.5) -> None:
    """Invert the bits of one byte."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0xFF
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_trials(work: Workspace) -> None:
    """Damage a file, run what should tell it, then what should mend it: rows of the table."""
    view = min((work.folder / "views").glob("*.exr"))
    stack = work.folder / "stacks" / f"{view.stem}.tar"
    rows = read_json(work.folder / "shards" / INDEX)["rows"]
    samples = ((name, sample["key"]) for name, row in rows.items() for sample in row["samples"])
    shard = work.folder / "shards" / next(name for name, key in samples if key.startswith(f"{view.stem}_"))
    scene = next(path for path in (work.folder / "scenes").iterdir() if view.name.startswith(path.stem))
    source = scene.read_bytes()

    def restore() -> None:
        scene.write_bytes(source)

    for what, damages, told, mended in [
        ("a stack is cut", [cut, stack], None, ["synthesize"]),
        ("a stack is cut; only shard runs", [cut, stack, shard.unlink], "shard", ["synthesize", "shard"]),
        ("a byte of a stack is flipped", [flip, stack, shard.unlink], "shard", [stack.unlink, "synthesize", "shard"]),
        ("a stack vanished", [stack.unlink], None, ["synthesize"]),
        ("a stack vanished; only shard runs", [stack.unlink, shard.unlink], "shard", ["synthesize", "shard"]),
        ("a view is cut", [cut, view], None, ["ingest"]),
        ("a view is cut; only synthesize runs", [cut, view, stack.unlink], "synthesize", ["ingest", "synthesize"]),
        ("a byte of a view is flipped", [flip, view, stack.unlink], "synthesize",
         [view.unlink, "ingest", "synthesize"]),
        ("a view vanished", [view.unlink], None, ["ingest"]),
        ("a view vanished; only synthesize runs", [view.unlink, stack.unlink], "synthesize", ["ingest", "synthesize"]),
        ("a scene vanished after scan", [scene.unlink, view.unlink], "ingest", [restore, "ingest"]),
        ("a byte of a shard is flipped", [flip, shard], "verify", [shard.unlink, "shard"]),
        ("a shard is cut", [cut, shard], "verify", ["shard"]),
        ("a shard vanished", [shard.unlink], "verify", ["shard"]),
        ("the index of stacks is cut", [cut, stack.with_name(INDEX)], "shard", ["synthesize", "shard"]),
        ("the index of shards is cut", [cut, work.folder / "shards" / INDEX], "verify", ["shard"]),
    ]:  # fmt: skip
        arguments = iter(damages)
        for damage in arguments:
            damage(next(arguments)) if damage in (cut, flip) else damage()
        words = work.said(told) if told else ""
        for step in mended:
            work.finish(step) if isinstance(step, str) else step()
        click.echo(f"| {what} | {words} | {', '.join(s for s in mended if isinstance(s, str))} "
                   f"| {sum(map(work.differing, STAGES))} |")  # fmt: skip


def full_disk_trial(work: Workspace, stage: str) -> None:
    """Run a stage on a disk that holds half of what it writes, and again on one that holds all: a row of the table."""
    out = work.folder / STAGES[stage][1]
    size = sum(path.stat().st_size for path in out.rglob("*"))
    shutil.rmtree(out)
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size // 2}", "tmpfs", out], check=True)
    try:
        words = work.said(stage)
        subprocess.run(["mount", "-o", f"remount,size={4 * size}", out], check=True)
        work.finish(stage)
        click.echo(f"| the disk of {out.name}/ is full | {words} | {stage} | {work.differing(stage)} |")
    finally:
        subprocess.run(["umount", out], check=True)
    work.finish(stage)


@click.command()
@click.argument("scenes", type=click.Path(exists=True, file_okay=False, path_type=Path), default=ROOT / "data/scenes")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Of each stage and engine.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the moments.")
@click.option("--full-disk", is_flag=True, help="Mount small disks, which needs root.")
def main(scenes: Path, trials: int, seed: int, full_disk: bool) -> None:
    number = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Workspace(Path(folder), scenes)
        click.echo("| stage | engine | killed | trials | at | entries done by then | ended the run | recovered | "
                   "files that differ |\n" + "| --- " * 9 + "|")  # fmt: skip
        for stage in ("synthesize", "shard"):
            kill_trials(work, stage, "local", trials, [], number)
        with ray_nodes() as (address, nodes):
            work.use("ray", address)
            kill_trials(work, "synthesize", "ray", trials, nodes, number)
        work.use("local")
        click.echo("\n| damage | what the next run said | run again | files that differ |\n" + "| --- " * 4 + "|")
        damage_trials(work)
        for stage in ("ingest", "synthesize", "shard") if full_disk else ():
            full_disk_trial(work, stage)


if __name__ == "__main__":
    main()

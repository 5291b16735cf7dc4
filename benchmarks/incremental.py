"""What `dvc repro` costs on a thousand sources: from nothing, with nothing to do, with one scene more, one less.

    python benchmarks/incremental.py SCENES

makes 1,043 photographs (crops of the HDR files in SCENES, turned, scaled in exposure and colour, so that no two are
alike), copies this pipeline into a scratch repository, runs `dvc repro shard` there in radiance form, and prints a row
for each case: seconds, scenes synthesized, shards whose bytes changed. Then it rebuilds everything from nothing and
compares every byte, and clones the repository, pulls and runs again.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import yaml

from hdrdata.files.exr import write_exr
from hdrdata.files.radiance import check_radiance
from hdrdata.files.suffixes import HDR_SUFFIXES

ROOT = Path(__file__).parents[1]
COPIED = ("hdrdata", "hdrmodel", "stages", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/config")
GOAL = 5.0  # seconds for one source more among a thousand
DATA_STAGES = {"scan", "ingest", "synthesize", "shard"}


def make_sources(scenes: Path, folder: Path, count: int, size: int) -> None:
    """Write `count` square photographs of `size` pixels that are crops of the HDR files of `scenes`."""
    files = sorted(path for path in scenes.rglob("*") if path.suffix.lower() in HDR_SUFFIXES)
    generator = np.random.default_rng(0)
    for number in range(count):
        if number % -(-count // len(files)) == 0:
            source, _ = check_radiance(files[number // -(-count // len(files))], 0.01)
        rows, columns = ((generator.integers(side) + np.arange(size)) % side for side in source.shape[:2])
        crop = np.rot90(source[rows][:, columns], generator.integers(4))
        tint = generator.uniform(0.8, 1.25, 3) * 2 ** generator.uniform(-2, 2)
        write_exr(folder / f"source-{number:04d}.exr", np.minimum(crop * tint, 65504).astype(np.float16))


def run(folder: Path, *command: str) -> tuple[float, str]:
    """Seconds and output of a command in `folder`; its failure ends the benchmark."""
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([scripts, os.environ["PATH"]]), "PYTHONPATH": str(folder)}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - start, done.stdout


def commit(folder: Path, message: str) -> None:
    """Commit all that git does not ignore."""
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=b", "-c", "user.email=b@b", "commit", "--quiet", "--allow-empty", "-m", message)


def make_workspace(folder: Path, scenes: Path) -> None:
    """A repository with this pipeline that reads the folder `scenes`, in radiance form."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    pipeline["stages"] = {name: stage for name, stage in pipeline["stages"].items() if name in DATA_STAGES}
    del pipeline["plots"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["scan"].update(scenes=str(scenes), sidecar=None)
    params["ingest"].update(view_size=512)
    params["shard"].update(form="radiance", shards={"train": 16, "val": 4, "test": 5})
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet", "--force")
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    commit(folder, "start")


def shard_digests(folder: Path) -> dict[str, str]:
    """Each shard's SHA-256, of the bytes on the disk."""
    shards = sorted((folder / "data" / "shards").rglob("*.tar"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards}


def synthesized(output: str) -> str:
    """What the stage synthesize said it made."""
    told = re.search(r"^views: (.*?)(?:;|$)", output, re.MULTILINE)
    return told[1] if told else "not run"


@click.command(help=__doc__)
@click.argument("scenes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--count", default=1043, show_default=True, help="Sources.")
@click.option("--size", default=512, show_default=True, help="Pixels of a source, and of its one view.")
@click.option("--repeats", default=3, show_default=True, help="Of the runs with nothing to do; the median is told.")
@click.option("--scratch", type=click.Path(file_okay=False, path_type=Path), help="Folder to work in; about 10 GB.")
def main(scenes: Path, count: int, size: int, repeats: int, scratch: Path | None) -> None:
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="incremental-", dir=scratch) as temporary:
        sources, folder = Path(temporary) / "sources", Path(temporary) / "repository"
        click.echo(f"making {count} sources of {size} pixels", err=True)
        make_sources(scenes, sources, count + 1, size)
        extra = sources / f"source-{count:04d}.exr"
        aside = Path(temporary) / extra.name
        extra.rename(aside)
        make_workspace(folder, sources)

        click.echo("| case | seconds | views | shards changed |\n| --- | --- | --- | --- |")
        before: dict[str, str] = {}

        def tell(case: str, seconds: float, output: str) -> None:
            now = shard_digests(folder)
            changed = sum(now.get(name) != digest for name, digest in before.items()) if before else len(now)
            click.echo(f"| {case} | {seconds:.2f} | {synthesized(output)} | {changed} of {len(now)} |")
            before.clear()
            before.update(now)

        tell("from nothing", *run(folder, "dvc", "repro", "shard"))
        first = dict(before)
        commit(folder, "first")
        idle = sorted(run(folder, "dvc", "repro", "shard") for _ in range(repeats))
        tell("nothing to do", *idle[repeats // 2])
        aside.rename(extra)
        more = run(folder, "dvc", "repro", "shard")
        tell("one source more", *more)
        imports = sum(run(folder, sys.executable, "-c", f"import stages.{name}")[0] for name in sorted(DATA_STAGES))
        tell("nothing to do, again", *run(folder, "dvc", "repro", "shard"))
        extra.rename(aside)
        tell("one source less", *run(folder, "dvc", "repro", "shard"))
        if before != first:
            raise click.ClickException("after a source came and went the shards are not what they were")

        run(folder, "dvc", "remote", "add", "--default", "store", str(Path(temporary) / "store"))
        commit(folder, "with a remote")
        seconds, _ = run(folder, "dvc", "push")
        click.echo(f"| dvc push | {seconds:.2f} | | |")
        clone = Path(temporary) / "clone"
        run(Path(temporary), "git", "clone", "--quiet", str(folder), str(clone))
        seconds, _ = run(clone, "dvc", "pull")
        click.echo(f"| clone: dvc pull | {seconds:.2f} | | |")
        seconds, output = run(clone, "dvc", "repro", "shard")
        stages = re.findall(r"Running stage '(\w+)'", output)
        click.echo(f"| clone: dvc repro | {seconds:.2f} | stages run: {', '.join(stages)} | |")
        if shard_digests(clone) != first:
            raise click.ClickException("the clone's shards differ")
        shutil.rmtree(clone)

        for name in ("views", "stacks", "shards", ".scan-cache.json"):
            made = folder / "data" / name
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        (folder / "dvc.lock").unlink()
        seconds, output = run(folder, "dvc", "repro", "--force", "shard")
        tell("rebuilt from nothing", seconds, output)
        same = before == first
        size_mb = sum(path.stat().st_size for path in (folder / "data" / "shards").rglob("*.tar")) / 1e6
        limit = idle[repeats // 2][0] + imports
        click.echo(f"\none source more: goal {GOAL:.1f} s; limit {limit:.1f} s (nothing to do, and the imports of "
                   f"{len(DATA_STAGES)} stages, {imports:.1f} s); figure {more[0]:.1f} s")  # fmt: skip
        click.echo(f"\nrebuilt byte for byte: {'yes' if same else 'NO'}; shards {size_mb:.0f} MB; "
                   f"dvc.lock {len((folder / 'dvc.lock').read_text().splitlines())} lines")  # fmt: skip
        if not same:
            raise click.ClickException("rebuilt shards differ")


if __name__ == "__main__":
    main()

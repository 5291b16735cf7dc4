"""What does a reader say of a damaged shard? Nine kinds of damage, in a table of one column a reader.

    python benchmarks/faults.py [--python OTHER/bin/python]

Two shards of twelve samples (nine PNGs and a json each) are made of the sample scenes; the second is damaged, and each
reader, in a process of its own, is asked for all samples. Told is how many of the twelve it gave whole, with the pixels
that were written, how many in part or with other pixels, and what it raised. "shard" and "sample" stand where the
error's text names the damaged file and a sample of it.

The readers beside ours are optional; `--python` names an interpreter that has those which this one lacks. litdata has a
format of its own: its second chunk of twelve is damaged in the like places.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np

from hdrdata.files.ldr import decode_png
from hdrdata.samples.layout import END_BLOCKS, SHARDS
from hdrdata.scenes.scan import scan_scenes
from hdrdata.shards.pack import ShardConfig, shard_number, shard_stacks
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.ingest import ingest_scenes
from hdrdata.views.view import IngestConfig, read_views
from hdrdata.work.index import read_index

SAMPLES, LETTERS = 12, "abcdefghi"
TIMEOUT = 100  # seconds a reader
CHUNK = "chunk-0-1.bin"  # of litdata, with the samples of the second shard
INGEST = {
    "view_size": 64,
    "fov_degrees": 80,
    "pitch_degrees": 10,
    "azimuths_degrees": list(range(0, 360, 360 // SAMPLES)),
    "photo_crops": 1,
    "max_magnification": 64,
    "on_magnified": "refuse",
    "max_repaired_share": 1,
    "on_error": "stop",
    "engine": "local",
    "workers": 0,
}
SYNTHESIZE = {"recipe": "linear", "png_encoder": "fpng", "engine": "local", "workers": 0}
Sample = tuple[str, dict[str, np.ndarray]]  # key, and pictures by letter


def build(scenes: Path, folder: Path) -> None:
    """Two panoramas of twelve views under one camera, in a shard each."""
    found = scan_scenes(scenes, sidecar=None, seed=0, val_share=0, test_share=0).scenes[:2]
    ingest_scenes(found, scenes, folder / "views", IngestConfig.parse("ingest", INGEST))
    config = SynthesizeConfig.parse("synthesize", SYNTHESIZE)
    synthesize_stacks(read_views(folder / "views"), folder / "views", folder / "stacks", config, ("pixels",))
    count = next(n for n in range(2, 1000) if len({shard_number(scene.key, n) for scene in found}) == 2)
    shards = ShardConfig.parse(
        "shard", {"name": "faults", "form": "pixels", "shards": {"train": count, "val": 1, "test": 1}}
    )
    shard_stacks(folder / "stacks", folder / "shards", shards)


# ---- damages: what they leave of a file's bytes; None for no file

Damage = Callable[[bytes, int, int], bytes | None]  # (content, where a header of 512 bytes begins, size of its payload)


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


DAMAGES: dict[str, Damage] = {
    "cut at a member's end": lambda content, header, size: content[:header],
    "cut in a payload": lambda content, header, size: content[: header + 512 + size // 2],
    "cut in a header": lambda content, header, size: content[: header + 200],
    "tail zeroed": lambda content, header, size: content[:header] + bytes(len(content) - header),
    "a header's bit flipped": lambda content, header, size: flipped(content, header + 5),
    "a payload's byte flipped": lambda content, header, size: flipped(content, header + 512 + size // 2),
    "shard missing": lambda content, header, size: None,
}
TAR_DAMAGES = ("keys interleaved", "keys with a dot")  # a tar that was written so, in the place of ours


def damage_shard(shard: Path, name: str) -> None:
    """Damage the file `shard`, in the middle of its eighth sample where the damage has a place."""
    content = shard.read_bytes()
    with tarfile.open(shard) as tar:
        members = [(info, content[info.offset_data : info.offset_data + info.size]) for info in tar]
    if name in DAMAGES:
        middle = members[7 * 10 + 4][0]
        left = DAMAGES[name](content, middle.offset, middle.size)
        shard.unlink()
        if left is not None:
            shard.write_bytes(left)
        return
    if name == "keys interleaved":  # the members of the third and fourth sample by turns
        some = members[20:40]
        members[20:40] = [member for pair in zip(some[:10], some[10:], strict=True) for member in pair]
    else:
        for number, (info, _) in enumerate(members[20:40]):
            _, _, extension = info.name.partition(".")
            info.name = f"{members[20][0].name.partition('.')[0]}.{number // 10}.{extension}"
    with shard.open("wb") as file:
        for info, payload in members:
            file.write(info.tobuf(tarfile.USTAR_FORMAT) + payload + bytes(-len(payload) % 512))
        file.write(END_BLOCKS)


# ---- readers: from a folder, samples with their decoded pictures


def ours(folder: Path) -> Iterator[Sample]:
    shards = Shards(folder / "shards", "train", "pixels")
    for number in range(len(shards)):
        sample = shards.stack(number)
        yield sample.key, dict(zip(LETTERS, sample.stack, strict=True))


def tars(folder: Path) -> list[str]:
    return [str(folder / "shards" / name) for name in read_index(folder / "shards", SHARDS)["rows"]]


def webdataset(folder: Path) -> Iterator[Sample]:
    import webdataset

    for sample in webdataset.WebDataset(tars(folder), shardshuffle=False).decode("rgb8"):
        yield sample["__key__"], {letter: sample[f"{letter}.png"] for letter in LETTERS if f"{letter}.png" in sample}


def huggingface(folder: Path) -> Iterator[Sample]:
    import datasets

    rows = datasets.load_dataset("webdataset", data_files={"train": tars(folder)}, split="train", streaming=True)
    for row in rows:
        found = {letter: row.get(f"{letter}.png") for letter in LETTERS}
        yield row["__key__"], {letter: np.array(picture) for letter, picture in found.items() if picture is not None}


def litdata(folder: Path) -> Iterator[Sample]:
    import litdata

    for row in litdata.StreamingDataset(str(folder / "litdata"), shuffle=False):
        yield row["key"], {letter: decode_png(row[letter]) for letter in LETTERS}


def write_litdata(folder: Path) -> None:
    """Write the samples of the shards as litdata's chunks of twelve: chunk-0-0.bin and chunk-0-1.bin."""
    from litdata.streaming.writer import BinaryWriter

    shards = Shards(folder / "shards", "train", "pixels")
    (folder / "litdata").mkdir()
    writer = BinaryWriter(str(folder / "litdata"), chunk_size=SAMPLES)
    for number in range(len(shards)):
        members = shards.read(number)
        writer[number] = {"key": shards.keys[number], **{letter: members[f"{letter}.png"] for letter in LETTERS}}
    writer.done()
    writer.merge()


READERS = {  # package, and what reads with it
    "webdataset": ("webdataset", webdataset),
    "HF datasets": ("datasets", huggingface),
    "litdata": ("litdata", litdata),
}


# ---- one reader, one damage: in a process of its own


def pixels_digest(pictures: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(pictures[letter]).tobytes() for letter in LETTERS)).hexdigest()


def read_all(name: str, folder: Path) -> dict:
    """All samples that a reader gives, told by key: the digest of its pixels, or None where pictures are missing."""
    found: list[tuple[str, str | None]] = []
    result: dict = {"samples": found}
    try:
        for key, pictures in (ours if name == "ours" else READERS[name][1])(folder):
            whole = len(pictures) == len(LETTERS)
            found.append((key.rpartition("/")[2], pixels_digest(pictures) if whole else None))
    except ImportError:
        result["missing"] = True
    except Exception as error:  # whatever a reader raises is what is asked
        result["error"] = [type(error).__name__, str(error)]
    return result


def ask(python: str, name: str, folders: list[Path]) -> list[dict]:
    """`read_all` of each folder in another process; its death and its silence are answers, too."""
    answers: list[dict] = []
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    while len(answers) < len(folders):
        todo = folders[len(answers) :]
        command = [python, __file__, "--read", name, *map(str, todo)]
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT, env=environment
            )
            output, end = done.stdout, [f"exit code {done.returncode}", ""]
        except subprocess.TimeoutExpired as error:
            output, end = error.stdout or b"", ["no answer", f"in {TIMEOUT} s"]
        given = [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]
        answers += given
        if len(given) < len(todo):
            answers.append({"samples": [], "error": end})
    return answers


def tell(answer: dict, truth: dict[str, str], shard: str) -> str:
    """A cell of the table, from what came of the damaged shard; `truth` has the pixels' digest of its samples."""
    if "missing" in answer:
        return "not installed"
    merged = {key.partition(".")[0] for key in truth}
    mine = [(key, digest) for key, digest in answer["samples"] if key.partition(".")[0] in merged]
    good = {key for key, digest in mine if truth.get(key) == digest}
    bad = len(mine) - sum(truth.get(key) == digest for key, digest in mine)
    count = f"{len(good)} of {SAMPLES} samples" + (f" and {bad} damaged" if bad else "")
    if "error" not in answer:
        return f"**{count}, no error**" if bad or len(good) < SAMPLES else f"all {SAMPLES} samples, no error"
    kind, text = answer["error"]
    names = [word for word, found in (("shard", shard in text), ("sample", any(key in text for key in truth))) if found]
    return f"{kind}, names {' and '.join(names)}" if names else f"{kind}, names neither"


def tell_verify(folder: Path, truth: dict[str, str], shard: str) -> str:
    """What `hdrdata verify` says."""
    done = subprocess.run(
        [sys.executable, "-c", "from hdrdata.cli import main; main()", "verify", str(folder / "shards")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    lines = [line for line in done.stderr.splitlines() if shard in line]
    named = sum(any(key in line for line in lines) for key in truth)
    return f"exit {done.returncode}: {'shard' if lines else 'nothing'}, {named} of {SAMPLES} samples named"


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--python", default=sys.executable, help="Interpreter for the readers that this one lacks.")
@click.option("--read", "reader", type=click.Choice(["ours", *READERS]), hidden=True)
def main(folders: tuple[Path, ...], python: str, reader: str | None) -> None:
    """Print a markdown table, a row a damage, a column a reader, of a folder of panoramas (the sample scenes)."""
    if reader:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what a library prints is no answer
        for folder in folders:
            answers.write(json.dumps(read_all(reader, folder)) + "\n")
            answers.flush()
        os._exit(0)  # a reader's threads may still wait for what never comes
    with tempfile.TemporaryDirectory() as temporary:
        print_table(folders[0] if folders else Path(__file__).parents[1] / "data" / "scenes", Path(temporary), python)


def print_table(scenes: Path, folder: Path, python: str) -> None:
    whole = folder / "whole"
    build(scenes, whole)
    every = {key: pixels_digest(pictures) for key, pictures in ours(whole)}
    shard, row = list(read_index(whole / "shards", SHARDS)["rows"].items())[1]
    truth = {sample["key"]: every[sample["key"]] for sample in row["samples"]}
    pythons = {name: sys.executable if find_spec(package) else python for name, (package, _) in READERS.items()}
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import faults, pathlib; "
    subprocess.run(
        [pythons["litdata"], "-c", f"{code}faults.write_litdata(pathlib.Path({str(whole)!r}))"], capture_output=True
    )
    names = ["none", *DAMAGES, *TAR_DAMAGES]
    folders = [folder / name for name in names]
    for name, damaged in zip(names, folders, strict=True):
        shutil.copytree(whole, damaged)
        if name != "none":
            damage_shard(damaged / "shards" / shard, name)
        chunk = damaged / "litdata" / CHUNK
        if name in DAMAGES and chunk.exists():
            damage_chunk(chunk, name)
    columns = {
        "hdrdata": [tell(answer, truth, shard) for answer in ask(sys.executable, "ours", folders)],
        "hdrdata verify": [tell_verify(damaged, truth, shard) for damaged in folders],
    }
    for reader in READERS:
        file = CHUNK if reader == "litdata" else shard
        columns[reader] = [tell(answer, truth, file) for answer in ask(pythons[reader], reader, folders)]
        if reader == "litdata":
            columns[reader][-len(TAR_DAMAGES) :] = ["no tar"] * len(TAR_DAMAGES)
    click.echo(f"| damage | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for number, name in enumerate(names):
        click.echo(f"| {name} | {' | '.join(column[number] for column in columns.values())} |")


def damage_chunk(chunk: Path, name: str) -> None:
    """Damage a chunk of litdata's like a tar: the number of items for a header, else seven twelfths from its start."""
    content = chunk.read_bytes()
    place = len(content) * 7 // SAMPLES
    left = flipped(content, 0) if name == "a header's bit flipped" else DAMAGES[name](content, place, 1024)
    chunk.unlink()
    if left is not None:
        chunk.write_bytes(left)


if __name__ == "__main__":
    main()

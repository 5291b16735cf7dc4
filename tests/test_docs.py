"""The README's examples, run as they stand but for the paths of what they read."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import yaml
from camera_files import write_picture
from click.testing import CliRunner
from http_server import http_server
from score_files import score_rows, write_scores
from shared_files import ROOT

import hdrdata.cli
import hdrmodel.cli
from hdrdata.cameras.recipe import RecipeConfig
from hdrdata.files.exr import write_exr
from hdrdata.files.ldr import decode_png, write_png
from hdrdata.files.radiance import read_radiance
from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.weights import initial_network, save_weights

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```(bash|python)\n(.*?)```", TEXT, re.DOTALL)
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
FIRST = EXAMPLES.index(next(example for example in EXAMPLES if "hdrdata build" in example[1]))
PROGRAMS = {"hdrdata": hdrdata.cli.main, "hdrmodel": hdrmodel.cli.main}
SMALLER = {
    "--view-size 512": "--view-size 32",
    "--view-size 256": "--view-size 32",
    "--count 20": "--count 2",
    "--k 5": "--k 2",
    "hdrmodel evaluate ": "hdrmodel evaluate -s metrics=[psnr,psnr_pu21] -s bootstrap.resamples=100 ",
    "-s steps=5000": "-s steps=2 -s width=0.125 -s crop=32 -s loss.perceptual=0 -s validation_stacks=1",
}
SHARDS = "data/shards/pixels/hdr-train-{000000..000001}.tar"


@pytest.fixture(scope="module")
def place(scenes_folder, dataset, tmp_path_factory) -> Iterator[Path]:
    """A folder in which the examples' paths and addresses lead somewhere."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(dataset.shards, folder / "data" / "shards")
    shutil.copytree(scenes_folder, folder / "my-hdr-images")
    for variant in ("spatial", "base"):
        write_scores(folder / "data" / "scores" / variant, score_rows())
    network = initial_network("spatial", "attnet", 0.125, seed=0)
    save_weights(folder / "data" / "runs" / "spatial" / "0" / "weights.safetensors", network, {})
    for name in ("data/photo.jpg", "photos/a.jpg", "more/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_png(folder / name, np.full((20, 30, 3), 99, np.uint8))  # a PNG by another name: known by its content
    shutil.copy(scenes_folder / "meadow.exr", folder / "church.exr")
    curves = [(f"curve-{g}", np.linspace(0, 1, 1024) ** g) for g in (0.3, 0.4, 0.5, 1.5, 2)]
    grid = " ".join(f"{x:.6f}" for x in np.linspace(0, 1, 1024))
    lines = [f"{n}\nfilm\nI =\n{grid}\nB =\n{' '.join(f'{y:.6f}' for y in curve)}" for n, curve in curves]
    (folder / "dorfCurves.txt").write_text("\n".join(lines))
    light = read_radiance(scenes_folder / "harbour.exr")
    for name, seconds in (("dark", 1 / 60), ("middle", 1 / 15), ("bright", 1 / 4)):
        ldr = np.floor(255 * np.clip(light * seconds * 2, 0, 1) ** (1 / 2.2)).astype(np.uint8)
        write_picture(folder / f"{name}.jpg", ldr, None)
    with http_server() as server:
        panoramas = [(scenes_folder / name).read_bytes() for name in ("Court.01.exr", "night/lamp.exr")]
        server.add_polyhaven({"abbey_court": panoramas[0], "zoo": panoramas[1]})
        server.files["/mine.exr"] = panoramas[1] + bytes(8)  # not the same bytes as another
        digest = hashlib.sha256(server.files["/mine.exr"]).hexdigest()
        row = f"mine.exr,{server.url}/mine.exr,{digest},CC0-1.0"
        (folder / "list.csv").write_text(f"name,url,sha256,licence\n{row}\n")
        (folder / "api").write_text(server.url)
        yield folder


def run_command(line: str, place: Path) -> None:
    for large, small in SMALLER.items():
        line = line.replace(large, small)
    if "polyhaven" in line:
        line = line.partition("#")[0] + f" --api {(place / 'api').read_text()}"
    if "--predictions theirs" in line:
        for path in (place / "inputs").glob("*.png"):
            write_exr(place / "theirs" / f"{path.stem}.exr", decode_png(path.read_bytes()).astype(np.float32) ** 2.2)
    program, *arguments = shlex.split(line, comments=True)
    if program == "hdrmodel" and "onnx" in line:
        return  # test_export.py runs these: PyTorch's exporter and shapes that are checked do not go together
    result = CliRunner().invoke(PROGRAMS[program], arguments)
    assert result.exit_code == 0, f"{line}: {result.output}"


def run_python(code: str, place: Path) -> None:
    if SHARDS in code:
        code = code.replace(SHARDS, str(next((place / "data/shards/pixels").glob("*-train-*.tar"))))
        code += "\nassert darkest.shape == (32, 32, 3) and (brightest >= darkest).all() and about['crf']"
    first = "data/shards/radiance/hdr-train-000000.tar"
    code = code.replace(first, str(next((place / "data/shards/radiance").glob("*-train-*.tar"))))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "hf"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{code}\n{result.stderr}"


@pytest.mark.parametrize("number", range(FIRST, len(EXAMPLES)))
def test_the_examples_run_in_their_order(place, monkeypatch, number):
    language, code = EXAMPLES[number]
    monkeypatch.chdir(place)
    if language == "python":
        run_python(code, place)
        return
    for line in code.splitlines():
        if line.startswith(tuple(PROGRAMS)):
            run_command(line, place)


def test_the_commands_before_them_run(place, monkeypatch):
    monkeypatch.chdir(place)
    lines = [line for _, code in EXAMPLES[:FIRST] for line in code.splitlines() if line.startswith(tuple(PROGRAMS))]
    commands = ["info", "train", "evaluate", "compare", "compare", "evaluate", "evaluate"]
    assert [line.split()[:2] for line in lines] == [["hdrmodel", command] for command in commands]
    for line in lines:
        run_command(line, place)


def test_every_command_has_an_example_that_runs():
    shown = {tuple(line.split()[:2]) for _, code in EXAMPLES for line in code.splitlines()}
    for program, main in PROGRAMS.items():
        for name in main.list_commands(click.Context(main)):
            assert (program, name) in shown or name == "check", f"{program} {name}"


def test_the_cameras_are_valid():
    assert len(YAML) == 2
    for text in YAML:
        RecipeConfig.parse("synthesize.recipe", yaml.safe_load(text)["synthesize"]["recipe"])


def test_the_experiments_change_values_that_are_there_and_name_every_attention():
    changed = [
        change for line in TEXT.splitlines() if "dvc exp run" in line for change in re.findall(r"-S '?(.+?)[`' ]", line)
    ]
    assert changed
    for change in changed:
        value = yaml.safe_load((ROOT / "params.yaml").read_text())
        for name in change.split("=")[0].split("."):
            value = value[name]
    assert f"variants=[{','.join(ATTENTIONS)}]" in changed
    assert (ROOT / re.search(r"`cp (\S+) params.yaml && dvc repro`", TEXT)[1]).is_file()


def test_the_table_names_every_variant_of_the_parameters():
    for variant in ("base", "spatial"):
        assert f"| {variant} |" in TEXT

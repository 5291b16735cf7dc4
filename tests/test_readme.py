"""The README's examples, run as they stand but for the paths of what they read."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import hdrdata.cli
import hdrmodel.cli
from hdrdata.files import write_png
from hdrmodel.attention import ATTENTIONS
from hdrmodel.weights import initial_network, save_weights

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith(("hdrdata ", "hdrmodel "))
]
SMALLER = {
    "--view-size 512": "--view-size 32",
    "-s steps=5000": "-s steps=2 -s width=0.125 -s crop=32 -s loss.perceptual=0 -s validation_stacks=1",
}
SHARDS = "data/shards/pixels/hdr-train-{000000..000001}.tar"


@pytest.fixture(scope="module")
def place(scenes_folder, dataset, tmp_path_factory) -> Path:
    """A folder in which the examples' paths lead somewhere."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "data").mkdir()
    (folder / "data" / "shards").symlink_to(dataset.shards)
    (folder / "my-hdr-images").symlink_to(scenes_folder)
    network = initial_network("spatial", "attnet", 0.125, seed=0)
    save_weights(folder / "data" / "runs" / "spatial" / "0" / "weights.safetensors", network, {})
    write_png(folder / "photo.jpg", np.zeros((20, 30, 3), np.uint8))  # a PNG by another name: known by its content
    return folder


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_the_python_examples_run(place, dataset, number):
    code = PYTHON[number]
    if "webdataset" in code:
        assert SHARDS in code
        code = code.replace(SHARDS, str(next((dataset.shards / "pixels").glob("*-train-*.tar"))))
        code += "\nassert darkest.shape == (32, 32, 3) and (brightest >= darkest).all() and about['crf']"
    result = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_commands_run_in_their_order(place, monkeypatch):
    monkeypatch.chdir(place)
    mains = {"hdrdata": hdrdata.cli.main, "hdrmodel": hdrmodel.cli.main}
    assert {line.split()[1] for line in COMMANDS} == {"build", "info", "verify", "predict", "train"}
    for line in COMMANDS:
        for large, small in SMALLER.items():
            line = line.replace(large, small)
        program, *arguments = shlex.split(line, comments=True)
        result = CliRunner().invoke(mains[program], arguments)
        assert result.exit_code == 0, f"{line}: {result.output}"
    assert (place / "photo.exr").is_file() and (place / "photo.preview.png").is_file()


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
    for variant in ("none (base)", "spatial"):
        assert f"| {variant} |" in TEXT

"""One camera response for photographs of one camera."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from stirred_network import stir

from hdrmodel.cli import main
from hdrmodel.networks.weights import initial_network, save_weights


@pytest.fixture
def predict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = stir(initial_network("lightunet", "attnet", 0.05, seed=3))
    save_weights(tmp_path / "w.safetensors", network, {"variant": "lightunet"})

    def run(*arguments):
        usual = ("--weights", "w.safetensors", "-o", "hdr", "--no-preview", "--same-camera")
        return CliRunner().invoke(main, ["predict", *arguments, *usual])

    return run


def photograph(name, model="NIKON D7000", seed=0):
    exif = Image.Exif()
    exif[271], exif[272] = "NIKON CORPORATION", model
    levels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(levels).save(name, exif=exif)


def test_photographs_of_one_camera_share_one_response(predict):
    for number in range(3):
        photograph(f"{number}.png", seed=number)
    made = predict("0.png", "1.png", "2.png", "--json")
    assert made.exit_code == 0, made.output
    assert {photo["response"] for photo in json.loads(made.stdout)["photos"]} == {
        "estimated (from 3 photographs of one camera)"
    }
    assert "0 made, 3 there before" in predict("0.png", "1.png", "2.png").stdout


def test_photographs_of_different_cameras_are_refused(predict):
    photograph("0.png")
    photograph("1.png", "NIKON D90")
    made = predict("0.png", "1.png")
    assert made.exit_code == 1 and made.stderr == (
        "Error: 1.png: EXIF states NIKON CORPORATION NIKON D90, 0.png: EXIF states NIKON CORPORATION NIKON D7000; "
        "expected photographs of one camera with --same-camera\n"
    )
    given = predict("0.png", "--crf", "camera")
    assert given.stderr == "Error: --same-camera: one response is given (--crf camera); expected --crf auto\n"

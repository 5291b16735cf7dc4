"""The weights that come with the package: they are small, say what they are, recover light, and are what is used."""

import csv
import hashlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from shared_files import ROOT

import hdrmodel
from hdrdata.cameras.crf import srgb_crf
from hdrdata.cameras.exposure import level_bounds
from hdrdata.cameras.merge import look_up_exposure
from hdrdata.fetch.catalogs import read_catalog
from hdrdata.files.radiance import read_radiance
from hdrmodel.cli import main
from hdrmodel.networks.weights import initial_network, load_weights, save_weights
from hdrmodel.release.files import CARD, SCENES, WEIGHTS
from hdrmodel.release.shipped import write_release

PHOTO = ROOT / "data" / "photo.jpg"


def test_the_weights_are_small_and_of_the_network_that_learns_light():
    assert WEIGHTS.stat().st_size <= 10_000_000
    network, header = load_weights(WEIGHTS)
    assert network.config.baseline == header["variant"] == "lightunet"
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    assert header["recipe"].startswith("hdrmodel train ") and "--profile release" in header["recipe"]


def test_the_list_of_scenes_has_their_licences_and_the_card_names_these_weights():
    rows = list(csv.DictReader(SCENES.read_text(encoding="utf-8").splitlines()))
    assert len(rows) > 50 and len({row["sha256"] for row in rows}) == len(rows)
    assert all(row["name"] and row["licence"] and row["origin"] for row in rows)
    assert all(re.fullmatch(r"[0-9a-f]{64}", row["sha256"]) for row in rows)
    card = CARD.read_text(encoding="utf-8")
    assert f"{len(rows)} scenes" in card
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() in card
    assert load_weights(WEIGHTS)[1]["recipe"] in card


@cache
def reconstruct(crf):
    return hdrmodel.reconstruct(PHOTO, crf)


@pytest.mark.parametrize("crf", ["srgb", "auto"])
def test_one_call_gives_light_where_the_photograph_clips(crf):
    ldr = cv2.imread(str(PHOTO))[:, :, ::-1]
    light = reconstruct(crf)
    clipped = ldr == 255
    assert light.shape == ldr.shape and light.dtype == np.float32 and np.isfinite(light).all()
    assert (light[clipped] >= 1).all() and light[clipped].mean() > 1.2 and light.max() > 2  # windows and a lamp
    if crf == "srgb":
        camera = replace(srgb_crf(), levels="round255")
        lowest, highest = level_bounds(camera)
        unclipped = (ldr > 0) & (ldr < 221)  # below all specks of ringing
        assert (light[unclipped] >= lowest[ldr[unclipped]]).all() and (
            light[unclipped] <= highest[ldr[unclipped]]
        ).all()
        own = look_up_exposure(ldr.astype(np.float32) / 255, camera)
        assert np.allclose(light[unclipped], own[unclipped], rtol=1e-6, atol=0)  # the middle of each level's step
        assert (light >= lowest[ldr]).all()  # what JPEG left just below white is filled, and nothing darkened


def test_predict_needs_no_weights_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["predict", str(PHOTO), "-o", "photo.exr"])
    assert result.exit_code == 0, result.output
    assert np.abs(read_radiance("photo.exr") - reconstruct("auto")).max() < 0.01  # half floats


def test_an_ultra_hdr_file_has_the_size_and_the_light_that_the_docs_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # docs/photographs.md, the row of quality 90: 1.29 times, 1.3, 3.9 and 7.6 %
    result = CliRunner().invoke(main, ["predict", str(PHOTO), "--format", "ultrahdr", "--crf", "srgb", "-o", "out"])
    assert result.exit_code == 0, result.output
    written, light = Path("out/photo.jpg").read_bytes(), reconstruct("srgb")
    assert len(written) < 1.3 * PHOTO.stat().st_size
    decoded = imagecodecs.ultrahdr_decode(written)[:, :, :3].astype(float)
    clipped = cv2.imread(str(PHOTO))[:, :, ::-1] == 255
    error = np.abs(decoded[clipped] / light[clipped] - 1)
    assert (np.percentile(error, (50, 90, 99)) < (0.016, 0.045, 0.085)).all()


def test_the_command_prints_card_and_scenes():
    assert CliRunner().invoke(main, ["release"]).output == CARD.read_text(encoding="utf-8")
    assert CliRunner().invoke(main, ["release", "--scenes"]).output == SCENES.read_text(encoding="utf-8")


def test_the_training_scenes_can_be_fetched_again(tmp_path):
    result = CliRunner().invoke(main, ["release", "--catalog"])
    (tmp_path / "scenes.csv").write_text(result.stdout)
    wanted = read_catalog(tmp_path / "scenes.csv")
    rows = list(csv.DictReader(SCENES.read_text(encoding="utf-8").splitlines()))
    assert len(wanted) + len(result.stderr.splitlines()) == len(rows) and len(wanted) > 0.9 * len(rows)
    assert all(line.endswith("; not in the catalog") for line in result.stderr.splitlines())
    assert {each.facts["location_group"] for each in wanted} <= {row["location_group"] for row in rows}


def test_released_weights_are_rounded_to_half_floats(tmp_path):
    network = initial_network("lightunet", "attnet", 0.1, seed=0)
    save_weights(tmp_path / "whole.safetensors", network, {"variant": "lightunet", "seed": 3, "data": "d"})
    write_release(tmp_path / "whole.safetensors", tmp_path / "half.safetensors", {"recipe": "ours"})
    half, header = load_weights(tmp_path / "half.safetensors")
    assert header["recipe"] == "ours" and header["seed"] == "3" and header["data"] == "d"
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    for name, tensor in initial_network("lightunet", "attnet", 0.1, seed=0).state_dict().items():
        assert torch.equal(half.state_dict()[name], tensor.half().float())

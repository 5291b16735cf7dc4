import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from hdrmodel import training
from hdrmodel.config import TrainConfig
from hdrmodel.training import make_loss, rate_at, train

LOSS = {
    "reconstruction": 100,
    "representation": 1,
    "perceptual": 0,
    "total_variation": 1e-5,
    "norm": "l1",
    "trunk": "vgg16-stlpips",
    "trunk_file": None,
    "trunk_window": None,
}
TRAIN = {
    "preset": "attnet",
    "width": 0.125,
    "seed": 0,
    "steps": 4,
    "batch": 2,
    "crop": 32,
    "augment": True,
    "learning_rate": 0.001,
    "schedule": "cosine",
    "clip_gradient": 1.0,
    "loss": LOSS,
    "log_every": 2,
    "validate_every": 2,
    "validation_stacks": 2,
    "checkpoint_every": 1,
    "loader_workers": 0,
    "device": "cpu",
}


def config(**changes) -> TrainConfig:
    return TrainConfig.parse("train", {**TRAIN, **changes})


def test_training_lowers_the_loss_and_raises_the_validation_psnr(dataset, tmp_path):
    steps = {"steps": 40, "batch": 4, "learning_rate": 0.003, "log_every": 10, "validate_every": 40}
    record = train(dataset.shards, tmp_path / "run", "none", config(**steps))
    assert record["loss"][-1]["total"] < 0.85 * record["loss"][0]["total"]  # means of ten steps; 0.71 when written
    assert record["validation"][-1]["psnr_ldr"] > record["validation"][0]["psnr_ldr"]
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == record
    assert not (tmp_path / "run" / "last.ckpt").exists()
    logged = (tmp_path / "run" / "dvclive" / "plots" / "metrics" / "train" / "total.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in logged] == ["step", "10", "20", "30", "40"]


def test_a_run_stopped_at_any_step_and_resumed_ends_with_the_same_weights(dataset, tmp_path, monkeypatch):
    whole = train(dataset.shards, tmp_path / "whole", "spatial", config())

    def stop_after(steps):
        real = training._step
        seen = []

        def step(*arguments):
            seen.append(1)
            if len(seen) > steps:
                raise KeyboardInterrupt
            return real(*arguments)

        monkeypatch.setattr(training, "_step", step)

    for steps in (1, 2):  # cut short twice: after step 1, and after two more
        stop_after(steps)
        with pytest.raises(KeyboardInterrupt):
            train(dataset.shards, tmp_path / "cut", "spatial", config())
        monkeypatch.undo()
    resumed = train(dataset.shards, tmp_path / "cut", "spatial", config())
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["loss"] == whole["loss"]
    assert resumed["validation"] == whole["validation"]
    for table in (tmp_path / "whole").rglob("*.tsv"):
        again = tmp_path / "cut" / table.relative_to(tmp_path / "whole")
        assert again.read_text() == table.read_text()


def test_other_parameters_begin_anew(dataset, tmp_path, monkeypatch):
    real = training._step
    monkeypatch.setattr(
        training, "_step", lambda *a: real(*a) if a[4] < 2 else (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        train(dataset.shards, tmp_path / "run", "none", config())
    monkeypatch.undo()
    train(dataset.shards, tmp_path / "run", "none", config(learning_rate=0.002))
    train(dataset.shards, tmp_path / "fresh", "none", config(learning_rate=0.002))
    mine, fresh = (load_file(tmp_path / name / "weights.safetensors") for name in ("run", "fresh"))
    assert all(torch.equal(mine[name], fresh[name]) for name in fresh)


def test_a_loss_that_is_not_finite_stops_with_the_samples_names(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"step \d+: the loss is (nan|inf) on .*_80_10_.*:[a-i]-[a-i]"):
        train(
            dataset.shards,
            tmp_path / "run",
            "none",
            config(learning_rate=1e30, clip_gradient=None, schedule="constant"),
        )
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_ctrl_c_finishes_the_step_and_the_next_run_goes_on(dataset, tmp_path):
    """The real thing: a stage in its own process, SIGINT once it has begun to train, and the stage again."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"train": {**TRAIN, "steps": 400, "validate_every": 400}}))
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "stages.train", "none", str(dataset.shards), "run"]
    environment = {"PYTHONPATH": str(root), "PATH": "", "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "last.ckpt").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr.decode()
    assert "run it again to go on" in stderr.decode()
    assert "Traceback" not in stderr.decode()
    stopped = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state"]["step"]
    assert 0 < stopped < 400


def test_the_cosine_schedule_falls_to_a_hundredth():
    rates = [rate_at(step, config(steps=100)) for step in (0, 50, 100)]
    assert rates == pytest.approx([0.001, 0.000505, 0.00001])  # 0.01 + 0.99 / 2 in the middle


def test_the_perceptual_term_takes_the_trunk_of_the_configuration():
    loss, trunk = make_loss(config(loss={**LOSS, "perceptual": 0.1, "trunk_window": 32}).loss)
    assert trunk["name"] == "vgg16-stlpips"
    assert len(trunk["sha256"]) == 64
    assert loss.window == 32
    assert make_loss(config().loss)[1] is None

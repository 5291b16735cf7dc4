import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from http_server import http_server
from safetensors.torch import load_file
from shared_files import ROOT
from two_gradients import write_gradients

import hdrmodel.cli
import stages.train
from hdrmodel.networks.pair_loss import make_pair_loss
from hdrmodel.networks.weights import load_weights
from hdrmodel.profiles.load import load_profile
from hdrmodel.training import setup
from hdrmodel.training.config import TrainConfig
from hdrmodel.training.setup import Clock, Progress
from hdrmodel.training.step import Stepper
from hdrmodel.training.train import train

TINY = ("width=0.125", "steps=4", "batch=2", "crop=32", "learning_rate=0.001", "loss.perceptual=0", "log_every=2",
        "validate_every=2", "validation_stacks=1", "checkpoint_every=4", "precision=fp32", "device=cpu")  # fmt: skip


def config(*changes: str) -> TrainConfig:
    return load_profile("quick", [*TINY, *changes])


def cut_config(*changes: str) -> TrainConfig:
    """The configuration of a run that is cut short: it writes a checkpoint after each step, which takes its time."""
    return config("checkpoint_every=1", *changes)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def stop_after(monkeypatch, steps: int) -> None:
    """Cut training short in its next step but `steps`, as a kill would."""
    real = Stepper.step

    def step(self, parts, number):
        stop_after.seen += 1
        if stop_after.seen > steps:
            raise KeyboardInterrupt
        return real(self, parts, number)

    stop_after.seen = 0
    monkeypatch.setattr(Stepper, "step", step)


def test_training_lowers_the_loss_and_raises_the_validation_psnr(dataset, tmp_path):
    changes = ("steps=24", "batch=4", "learning_rate=0.003", "log_every=8", "validate_every=24", "checkpoint_every=24")
    record = train(dataset.shards, tmp_path / "run", "base", 0, config(*changes))
    assert record["loss"][-1]["total"] < 0.9 * record["loss"][0]["total"]  # means of eight steps
    assert record["validation"][-1]["psnr_ldr"] > record["validation"][0]["psnr_ldr"]
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == record
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"dvclive", "run.json", "weights.safetensors"}
    network, header = load_weights(tmp_path / "run" / "weights.safetensors")
    assert header["seed"] == 0 and network.config.attention == "base"


def test_the_record_says_what_was_trained_how_and_how_fast(dataset, tmp_path):
    record = train(dataset.shards, tmp_path / "run", "se", 5, config("loss.perceptual=0.1"))
    assert (record["variant"], record["seed"], record["processes"], record["resumed"]) == ("se", 5, 1, 0)
    assert record["config"] == config("loss.perceptual=0.1").model_dump(mode="json")
    assert record["trunk"]["name"] == "vgg16-stlpips" and len(record["trunk"]["sha256"]) == 64
    assert record["steps_per_second"] > 0 and 0 <= record["loader_wait_share"] < 1
    assert record["hours"] * 3600 > 4 / record["steps_per_second"]
    assert record["peak_resident_mb"] > 100
    assert {"python", "torch", "numpy", "hdr-attnet"} <= set(record["versions"])
    assert {row["step"] for row in record["validation"]} == {0, 2, 4}
    for row in record["validation"]:
        assert row["psnr_ldr"] == pytest.approx(sum(row["psnr_ldr_by_ev"].values()) / 8)


def test_what_is_logged_is_what_dvc_plots(dataset, tmp_path):
    train(dataset.shards, tmp_path / "run", "base", 0, config())
    plots = tmp_path / "run" / "dvclive" / "plots"
    for name in ("train/total", "train/reconstruction", "train/learning_rate"):
        rows = (plots / "metrics" / f"{name}.tsv").read_text().splitlines()
        assert [row.split("\t")[0] for row in rows] == ["step", "2", "4"]
    for name in ("psnr_ldr", "psnr_ldr_at/-2", "psnr_ldr_at/0.5"):
        rows = (plots / "metrics" / "validation" / f"{name}.tsv").read_text().splitlines()
        assert [row.split("\t")[0] for row in rows] == ["step", "0", "2", "4"]
    assert (plots / "images" / "validation.png").read_bytes().startswith(b"\x89PNG")


def test_training_elsewhere_leaves_the_repository_there_alone(dataset, tmp_path, monkeypatch):
    """DVCLive would make every Git repository that it is used in one of DVC's."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    train(dataset.shards, Path("run"), "base", 0, config("steps=1"))
    assert {path.name for path in tmp_path.iterdir()} == {".git", "run"}


def test_shards_of_a_web_server_give_the_weights_of_the_same_shards_on_disk(dataset, tmp_path):
    train(dataset.shards, tmp_path / "disk", "base", 0, config("steps=1"))
    with http_server() as server:
        for path in dataset.shards.rglob("*.*"):
            server.files[f"/hdr/{path.relative_to(dataset.shards).as_posix()}"] = path.read_bytes()
        options = [word for change in (*TINY, "steps=1") for word in ("-s", change)]
        result = CliRunner().invoke(hdrmodel.cli.main, ["train", f"{server.url}/hdr", str(tmp_path / "web"), *options])
    assert result.exit_code == 0, result.output
    weights = [(tmp_path / place / "weights.safetensors").read_bytes() for place in ("disk", "web")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    "changes",
    [
        ("precision=bf16", "channels_last=true"),
        (
            "ema_decay=0.5",
            "schedule=plateau",
            "optimizer=adamw",
            "batch=4",
            "accumulate=2",
            "rotation=any",
            "precision=fp16",
            "form=pixels",
            "validation_stacks=1",
        ),
    ],
)
def test_a_run_cut_short_at_any_step_and_resumed_ends_with_the_same_weights(changes, dataset, tmp_path, monkeypatch):
    whole = train(dataset.shards, tmp_path / "whole", "spatial", 1, config(*changes))
    for steps in (1, 2):  # cut short twice: after step 1, and after two more
        stop_after(monkeypatch, steps)
        with pytest.raises(KeyboardInterrupt):
            train(dataset.shards, tmp_path / "cut", "spatial", 1, cut_config(*changes))
        monkeypatch.undo()
    resumed = train(
        dataset.shards, tmp_path / "cut", "spatial", 1, cut_config(*changes, f"loader_workers={len(changes) % 2}")
    )
    assert resumed["resumed"] == 2
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["loss"] == whole["loss"]
    assert resumed["validation"] == whole["validation"]
    for table in (tmp_path / "whole").rglob("*.tsv"):
        again = tmp_path / "cut" / table.relative_to(tmp_path / "whole")
        assert again.read_text() == table.read_text()


@pytest.mark.parametrize(("precision", "threads"), [("fp32", 2), ("bf16", 1)])
def test_one_seed_gives_one_file_of_weights_in_any_precision_and_with_any_number_of_threads(
    precision, threads, dataset, tmp_path, monkeypatch
):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        changes = (f"precision={precision}", "channels_last=auto", "steps=3", "validation_stacks=0")
        once = train(dataset.shards, tmp_path / "one", "base", 1, config(*changes))
        monkeypatch.setenv("OMP_PROC_BIND", "false")  # nor does it matter whether each keeps a core of its own
        again = train(dataset.shards, tmp_path / "other", "base", 1, config(*changes))
    finally:
        torch.set_num_threads(before)
    assert once["precision"] == precision
    assert once["weights_sha256"] == again["weights_sha256"]


@pytest.mark.parametrize("changed", [{"changes": ("learning_rate=0.002",)}, {"seed": 3}])
def test_other_parameters_start_again(changed, dataset, tmp_path, monkeypatch):
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        train(dataset.shards, tmp_path / "run", "base", 0, cut_config("validation_stacks=0"))
    monkeypatch.undo()
    seed, changes = changed.get("seed", 0), changed.get("changes", ())
    for name in ("run", "fresh"):
        train(dataset.shards, tmp_path / name, "base", seed, cut_config("validation_stacks=0", *changes))
    mine, fresh = (load_file(tmp_path / name / "weights.safetensors") for name in ("run", "fresh"))
    assert all(torch.equal(mine[name], fresh[name]) for name in fresh)


def test_another_number_of_steps_between_logs_and_validations_goes_on(dataset, tmp_path, monkeypatch):
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        train(dataset.shards, tmp_path / "run", "base", 0, cut_config())
    monkeypatch.undo()
    record = train(dataset.shards, tmp_path / "run", "base", 0, cut_config("log_every=1", "validate_every=4"))
    assert record["resumed"] == 1
    assert record["weights_sha256"] == train(dataset.shards, tmp_path / "fresh", "base", 0, config())["weights_sha256"]


def test_a_run_that_goes_on_with_other_threads_says_that_its_digits_depend_on_them(
    dataset, tmp_path, monkeypatch, caplog
):
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        train(dataset.shards, tmp_path / "run", "base", 0, cut_config("validation_stacks=0"))
    monkeypatch.undo()
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        train(dataset.shards, tmp_path / "run", "base", 0, cut_config("validation_stacks=0"))
    finally:
        torch.set_num_threads(before)
    assert f"{before} threads), continued on cpu" in caplog.text and f"{before + 1} threads)" in caplog.text


def test_what_dvclive_left_half_written_does_not_stop_a_resumption(dataset, tmp_path, monkeypatch):
    stop_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        train(dataset.shards, tmp_path / "run", "base", 0, cut_config())
    monkeypatch.undo()
    plots = tmp_path / "run" / "dvclive" / "plots" / "metrics"
    (tmp_path / "run" / "dvclive" / "metrics.json").write_text("")
    (plots / "train" / "representation.tsv").write_text("")
    with (plots / "train" / "total.tsv").open("a") as table:
        table.write("3")
    train(dataset.shards, tmp_path / "run", "base", 0, cut_config())
    rows = (plots / "train" / "total.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == ["step", "2", "4"]


def test_weights_that_are_not_finite_are_not_kept(dataset, tmp_path):
    """The loss of the last step is finite, what the optimizer makes of it is not."""
    changes = ("steps=1", "learning_rate=1e39", "clip_gradient=null", "schedule=constant")
    with pytest.raises(ValueError, match=r"step 1: the weights are no longer finite, after \w+-.*; expected a lower"):
        train(dataset.shards, tmp_path / "run", "base", 0, config(*changes))
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    assert not (tmp_path / "run" / "last.ckpt").exists()


@pytest.mark.parametrize("content", [b"PK not a checkpoint", None])
def test_a_damaged_checkpoint_is_named(content, dataset, tmp_path):
    (tmp_path / "last.ckpt").write_bytes(content or b"")
    if content is None:
        torch.save([1, 2], tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"last\.ckpt: not a readable checkpoint; delete it to start again"):
        train(dataset.shards, tmp_path, "base", 0, config())


@pytest.mark.parametrize("log_every", [1, 4])  # looked at after each step, and only after the last
def test_a_loss_that_is_not_finite_stops_with_the_samples_names(log_every, dataset, tmp_path):
    changes = ("learning_rate=1e30", "clip_gradient=null", "schedule=constant", f"log_every={log_every}",
               "validate_every=4", "checkpoint_every=4")  # fmt: skip
    with pytest.raises(ValueError, match=r"step 2: the loss is (nan|inf) on \w+-.*:[a-i]-[a-i], \w+-.*:[a-i]-[a-i]$"):
        train(dataset.shards, tmp_path / "run", "base", 0, config(*changes))
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    assert not (tmp_path / "run" / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("crop=64", r"view .* has 32x32 pixels; expected at least the crop of 64"),
        ("accumulate=3", r"a batch of 2 does not divide into 3 parts"),
        ("preset=resnet", r"unknown preset 'resnet'"),
        ("accumulate=2", r"a part of one sample and a crop of 32 pixels leave .* expected a crop above 64"),
    ],
)
def test_bad_parameters_are_refused_by_name(change, message, dataset, tmp_path):
    with pytest.raises(ValueError, match=message):
        train(dataset.shards, tmp_path / "run", "base", 0, config(change))
    assert not (tmp_path / "run").exists()


def test_missing_shards_and_unknown_variants_are_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"unknown variant 'cbam'; known are \['base', .*'lightunet'\]$"):
        train(dataset.shards, tmp_path / "run", "cbam", 0, config())
    with pytest.raises(ValueError, match=r"no index\.json in it"):
        train(tmp_path, tmp_path / "run", "base", 0, config())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"no GPU that PyTorch can use"):
        train(dataset.shards, tmp_path / "run", "base", 0, config("device=cuda"))


def test_a_stage_killed_and_interrupted_ends_with_the_weights_of_one_that_was_not(dataset, tmp_path, monkeypatch):
    """The real thing: a stage in its own process, killed at a random moment; stopped; here to its end."""
    steps = 40  # more than a process makes before it is stopped
    settings = config(f"steps={steps}", f"validate_every={steps}", "log_every=10", "checkpoint_every=3")
    section = settings.model_dump(mode="json")
    command = [sys.executable, "-m", "stages.train", "base", "0", str(dataset.shards), "run"]
    checkpoint = tmp_path / "run" / "last.ckpt"

    def write_params(loader_workers: int) -> None:
        values = {"train": {**section, "loader_workers": loader_workers}, "train_of": {}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip

    def wait_for_another(process: subprocess.Popen, before: float) -> None:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if checkpoint.exists() and checkpoint.stat().st_mtime > before:
                return
            time.sleep(0.01)
        process.kill()
        raise AssertionError(f"no checkpoint: {process.communicate()[1]}")

    write_params(loader_workers=0)
    process = start()
    wait_for_another(process, 0)
    time.sleep(0.3 * random.random())
    process.kill()
    process.communicate()
    assert not (tmp_path / "run" / "weights.safetensors").exists()

    write_params(loader_workers=1)
    process = start()
    wait_for_another(process, checkpoint.stat().st_mtime)
    os.killpg(process.pid, signal.SIGTERM)  # to the loader's process too, as terminals and schedulers send it
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "run it again to continue" in stderr
    assert "Traceback" not in stderr
    assert 0 < torch.load(checkpoint, weights_only=True)["progress"]["step"] < steps

    write_params(loader_workers=0)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(stages.train.main, command[3:])
    assert result.exit_code == 0, result.output
    printed = rf"base, seed 0: 979,\d+ parameters, {steps} steps .* validation LDR PSNR .* -> .* dB"
    assert re.search(printed, result.stdout)
    whole = train(dataset.shards, tmp_path / "whole", "base", 0, settings)
    resumed = json.loads((tmp_path / "run" / "run.json").read_text())
    assert resumed["resumed"] == 2
    assert resumed["loss"] == whole["loss"]
    assert resumed["weights_sha256"] == whole["weights_sha256"]


TWO_PROCESSES = """
import atexit
import sys
from pathlib import Path
from torch import distributed
import hdrmodel.cli
from two_gradients import write_gradients
distributed.init_process_group("gloo")  # once: a second group of one launch may wait for ever
atexit.register(distributed.destroy_process_group)
shards, out, *arguments = sys.argv[1:]
write_gradients(Path(shards), Path(out), accumulate=2)
hdrmodel.cli.main(["train", shards, f"{out}/two", *arguments])
"""
SLOW = ("steps=4", "batch=16", "log_every=1", "schedule=plateau", "learning_rate=1e-5")  # Adam amplifies rounding


@pytest.fixture(scope="module")
def two_processes(dataset, tmp_path_factory):
    """The folder and the output of two processes under torchrun: gradients, and then the whole command."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "two.py").write_text(TWO_PROCESSES)
    changes = [f"-s{change}" for change in (*TINY, *SLOW, "accumulate=2", "checkpoint_every=4")]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = environment() | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])}
    command = [*launch, "two.py", str(dataset.shards), str(folder), *changes]
    result = subprocess.run(command, cwd=folder, env=paths, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_two_processes_compute_the_gradient_of_one_with_the_double_batch(dataset, two_processes):
    """Batch 8 in one process, and twice 2 in each of two over Gloo, of the same pairs, and of the same photographs."""
    folder, _ = two_processes
    write_gradients(dataset.shards, folder, accumulate=1)
    for variant in ("spatial", "hdrunet"):
        files = (folder / f"{variant}-{place}.pt" for place in ("1-0", "2-0", "2-1"))
        alone, *ranks = (torch.load(file, weights_only=True) for file in files)
        for rank in ranks:
            assert torch.allclose(rank["terms"], alone["terms"], rtol=1e-4)
            for name, gradient in rank["gradients"].items():
                wanted = alone["gradients"][name]
                assert torch.allclose(gradient, wanted, rtol=1e-3, atol=1e-5 * float(wanted.abs().max()) + 1e-9), name


def test_two_processes_train_what_one_trains_that_accumulates_two_parts(dataset, two_processes, tmp_path):
    """The whole command under torchrun, two parts a process, and four in one: each normalised by itself."""
    folder, stdout = two_processes
    assert stdout.count("parameters, 4 steps") == 1  # one process prints for both
    record = json.loads((folder / "two" / "run.json").read_text())
    assert record["processes"] == 2
    alone = train(dataset.shards, tmp_path / "one", "base", 0, config(*SLOW, "accumulate=4"))
    losses = [[row["total"] for row in each["loss"]] for each in (record, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    ours, theirs = (load_file(path / "weights.safetensors") for path in (folder / "two", tmp_path / "one"))
    for name in ours:
        if "running" not in name and "tracked" not in name:  # these are the first process's own
            assert torch.allclose(ours[name], theirs[name], atol=1e-4), name


def test_what_is_waited_for_is_a_share_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(setup.time, "perf_counter", lambda: now[0])
    progress = Progress()
    clock = Clock(progress, 1)

    def passes(seconds: float) -> None:
        now[0] += seconds

    with clock.waiting():
        passes(9)  # the loader's process starts: counted in all, as neither training nor waiting
    passes(3)
    with clock.waiting():
        passes(1)
    clock.stop()
    with clock.examining():
        passes(5)
    assert (progress.seconds, progress.training_seconds, progress.waiting_seconds) == (18, 4, 1)


def test_the_perceptual_term_takes_the_trunk_of_the_configuration():
    loss = make_pair_loss(config("loss.perceptual=0.1", "loss.trunk_window=32").loss)
    assert loss.pretrained["name"] == "vgg16-stlpips"
    assert len(loss.pretrained["sha256"]) == 64
    assert loss.window == 32
    assert make_pair_loss(config().loss).pretrained is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lss=3", r"'lss=3': expected NAME=VALUE"),
        ("loss.nrm=l2", r"'loss.nrm=l2': expected NAME=VALUE"),
        ("steps", r"'steps': expected NAME=VALUE"),
        ("steps=[", r"'steps=\[': the value is not YAML"),
        ("steps=0", r"train\.steps: .*greater than 0"),
        ("learning_rate=.inf", r"train\.learning_rate: .*finite"),
        ("width=100", r"train\.width: .*less than or equal to 4"),
        ("loss.trunk_window=8", r"train\.loss\.trunk_window: .*greater than or equal to 16"),
        ("loss.norm=l3", r"train\.loss\.norm: .*'l1' or 'l2'"),
    ],
)
def test_a_wrong_change_of_a_profile_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        load_profile("quick", [change])


def test_the_paper_s_profile_is_table_1():
    """HDR-AttNet, Table 1 and section 4.1; its weights of the losses; rotations by up to 179 degrees."""
    paper = load_profile("paper")
    assert (paper.steps, paper.batch, paper.crop, paper.learning_rate, paper.width) == (200_000, 8, 256, 1e-4, 1.0)
    assert (paper.optimizer, paper.schedule, paper.flips, paper.rotation) == ("adam", "constant", True, "any")
    loss = paper.loss
    assert (loss.reconstruction, loss.representation, loss.perceptual, loss.total_variation) == (100, 1, 0.1, 1e-5)
    assert (loss.trunk, loss.trunk_window, loss.norm) == ("vgg19", None, "l1")
    assert math.isclose(232_200 / paper.batch, 29_025)  # steps an epoch of all DrTMO, as its section 4.1 has it

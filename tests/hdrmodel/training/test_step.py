import math
import shutil

import pytest
import torch
from shared_files import ROOT
from torch import nn

from hdrdata.stream.shard_reader import Shards
from hdrmodel.metrics.display import psnr_ldr
from hdrmodel.networks.pair_loss import LossWeights, PairLoss
from hdrmodel.networks.weights import initial_network
from hdrmodel.profiles.load import load_profile
from hdrmodel.sampling.batches import LookUp, PairBatch
from hdrmodel.sampling.datasets import PairDataset, Stacks
from hdrmodel.sampling.loading import Share, load_pairs
from hdrmodel.training.distributed import World
from hdrmodel.training.step import Stepper, precision_on, rate_at
from hdrmodel.training.validation import validate

SAMPLE = sorted((ROOT / "data" / "scenes").glob("*.exr"))[0]
ALONE = World(0, 1, torch.device("cpu"))
NO_TRUNK = LossWeights(reconstruction=100.0, representation=1.0, perceptual=0.0, total_variation=1e-5)


def make_stepper(attention="base", width=0.125, seed=0, **changes):
    lines = [
        f"{name}={'null' if value is None else value}"
        for name, value in {"width": width, "precision": "fp32", **changes}.items()
    ]
    config = load_profile("quick", [*lines, "loss.perceptual=0"])
    return Stepper(initial_network(attention, "attnet", width, seed), PairLoss(NO_TRUNK, "l1", None), config, ALONE)


def pairs(count=2, size=16, seed=0):
    draw = torch.Generator().manual_seed(seed)
    shorter = 0.5 * torch.rand(count, 3, size, size, generator=draw)
    return PairBatch(shorter, 2 * shorter, torch.full((count,), 2.0), [f"pair{number}" for number in range(count)])


def halves(batch):
    middle = len(batch.keys) // 2
    return [
        PairBatch(batch.shorter[part], batch.longer[part], batch.ratio[part], batch.keys[part])
        for part in (slice(0, middle), slice(middle, None))
    ]


def gradients(stepper):
    return {name: parameter.grad.clone() for name, parameter in stepper.network.named_parameters()}


def test_the_cosine_schedule_falls_to_a_hundredth():
    config = load_profile("quick", ["steps=100", "learning_rate=0.001", "schedule=cosine"])
    rates = [rate_at(step, config) for step in (0, 50, 100)]
    assert rates == pytest.approx([0.001, 0.000505, 0.00001])  # 0.01 + 0.99 / 2 in the middle


def test_the_constant_schedule_stays():
    stepper = make_stepper(schedule="constant", learning_rate=0.004)
    stepper.step([pairs()], 0)
    stepper.step([pairs()], 100)
    assert stepper.rate == 0.004


def test_the_plateau_schedule_falls_when_validation_no_longer_improves():
    stepper = make_stepper(schedule="plateau", plateau="{factor: 0.5, patience: 1}", learning_rate=0.01)
    rates = []
    for psnr in (10.0, 12.0, 11.0, 11.5, 13.0):  # the second one without a new best is one too many
        stepper.take_validation(psnr)
        stepper.step([pairs()], 0)
        rates.append(stepper.rate)
    assert rates == [0.01, 0.01, 0.01, 0.005, 0.005]


def test_a_step_returns_the_loss_and_its_terms():
    stepper = make_stepper()
    values = dict(zip(stepper.names, stepper.step([pairs()], 0).tolist(), strict=True))
    assert set(values) == {"total", "reconstruction", "representation", "total_variation"}
    weighed = sum(getattr(NO_TRUNK, name) * value for name, value in values.items() if name != "total")
    assert values["total"] == pytest.approx(weighed, rel=1e-6)


def test_accumulated_parts_give_the_gradient_of_the_whole_batch():
    """Return where batch normalisation does not look at the batch (eval mode): the mean of the halves' gradients."""
    whole, parts = (make_stepper(seed=1, learning_rate=1e-9, clip_gradient=None) for _ in range(2))
    for stepper in (whole, parts):
        stepper.network.eval()
    batch = pairs(4)
    losses = whole.step([batch], 0), parts.step(halves(batch), 0)
    assert torch.allclose(*losses, rtol=1e-5)
    wanted = gradients(whole)
    for name, gradient in gradients(parts).items():
        assert torch.allclose(gradient, wanted[name], rtol=1e-3, atol=1e-5 * float(wanted[name].abs().max())), name


def test_gradients_are_clipped_to_the_norm():
    stepper = make_stepper(clip_gradient=0.5)
    stepper.step([pairs()], 0)
    norm = torch.stack([gradient.norm() for gradient in gradients(stepper).values()]).norm()
    assert float(norm) == pytest.approx(0.5, rel=1e-4)


def test_adamw_decays_weights_without_a_gradient_and_adam_does_not():
    decayed = make_stepper(optimizer="adamw", weight_decay=0.1, learning_rate=0.01, schedule="constant")
    kept = make_stepper(optimizer="adam", weight_decay=0, learning_rate=0.01, schedule="constant")
    for stepper, factor in ((decayed, 1 - 0.01 * 0.1), (kept, 1.0)):
        weight = stepper.network.up.head.weight
        before = weight.detach().clone()
        for parameter in stepper.network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        stepper.optimizer.step()
        assert torch.allclose(weight, factor * before)


def test_the_moving_average_is_that_of_the_weights_and_what_is_kept():
    stepper = make_stepper(ema_decay=0.2, schedule="constant")
    average = None
    for number, decay in enumerate((0, 2 / 11, 0.2)):  # the first steps forget the initial weights
        stepper.step([pairs(seed=number)], number)
        now = stepper.network.encoding.head.weight.detach().clone()
        average = now if average is None else decay * average + (1 - decay) * now
    assert torch.allclose(stepper.weights.encoding.head.weight, average, atol=1e-7)
    assert stepper.weights is not stepper.network
    assert make_stepper().weights.config == stepper.weights.config


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_the_same_direction(precision):
    """Losses are single precision; bfloat16 has 8 bits, hence two per cent."""
    exact, other = make_stepper(), make_stepper(precision=precision)
    losses = [stepper.step([pairs(4, 32)], 0)[0] for stepper in (exact, other)]
    assert losses[1].dtype == torch.float32
    assert float(losses[1]) == pytest.approx(float(losses[0]), rel=0.02)
    assert all(torch.isfinite(parameter).all() for parameter in other.network.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in other.network.parameters())


@pytest.mark.parametrize(
    "able, precision",
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_bf16": False, "avx2": True}, "fp32")],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(able, precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    stepper = make_stepper(precision="auto")
    assert stepper.precision == precision
    assert stepper.channels_last == (precision == "bf16")  # auto too
    assert precision_on(ALONE.device, "fp16") == "fp16"  # what is said stays
    assert math.isfinite(stepper.step([pairs()], 0)[0])


def test_channels_last_computes_the_same():
    plain, turned = make_stepper(channels_last="false"), make_stepper(channels_last="true")
    assert turned.network.up.head.weight.is_contiguous(memory_format=torch.channels_last)
    one, other = (stepper.step([pairs(2, 64)], 0) for stepper in (plain, turned))
    assert torch.allclose(one, other, rtol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])  # the latter has a scaler, which begins by skipping steps
def test_a_state_restored_goes_on_bit_for_bit(precision):
    settings = {
        "ema_decay": 0.9,
        "schedule": "plateau",
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "precision": precision,
        "clip_gradient": 0.5,
    }
    one, other = make_stepper("spatial", **settings), make_stepper("spatial", seed=9, **settings)
    for number in range(3):
        one.step([pairs(seed=number)], number)
        one.take_validation(10.0 - number)
    other.load_state_dict(one.state_dict())
    for number in range(3, 6):
        for stepper in (one, other):
            stepper.step([pairs(seed=number)], number)
            stepper.take_validation(5.0)
    assert one.rate == other.rate
    ours, theirs = one.weights.state_dict(), other.weights.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_synchronised_batch_normalisation_between_cpus_is_refused():
    config = load_profile("quick", ["sync_batch_norm=true", "width=0.125"])
    with pytest.raises(ValueError, match="between GPUs only"):
        Stepper(initial_network("base", "attnet", 0.125, 0), PairLoss(NO_TRUNK, "l1", None), config,
                World(0, 2, torch.device("cpu")))  # fmt: skip


def test_a_hundred_steps_on_one_stack_raise_its_psnr_by_three_decibels(build, tmp_path):
    """A stack of a sample scene, in crops of 48 pixels: from 7.1 to 11.1 dB, and in 200 larger steps to 18.0."""
    (tmp_path / "scenes").mkdir()
    shutil.copy(SAMPLE, tmp_path / "scenes")
    (tmp_path / "scenes/scenes.csv").write_text("file\n")
    built = build(tmp_path / "scenes", tmp_path, workers=1, ingest={"view_size": 128, "azimuths_degrees": (0,)})
    shards = Shards(built.shards, built.scan.scenes[0].part, "radiance")
    crops = PairDataset(shards, 48, 0, False, "none")
    crops.stacks.crfs = crops.stacks.crfs[:1]
    stepper = make_stepper(steps=100, learning_rate=0.005)
    look_up = LookUp(shards.tables)
    before = validate(stepper.weights, crops.stacks, 1, torch.device("cpu"))[0]["psnr_ldr"]
    for number, sample in enumerate(load_pairs(crops, Share(2, 0, 100), 0)):
        stepper.step([look_up.pairs(sample)], number)
    after, picture = validate(stepper.weights, crops.stacks, 1, torch.device("cpu"))
    assert after["psnr_ldr"] > before + 3
    assert picture.shape == (2 * 96, 9 * 96, 3)


def test_validation_is_the_mean_over_the_exposures_of_whole_pictures(dataset):
    stacks = Stacks(Shards(dataset.shards, "val", "pixels"))
    stacks.views = stacks.views[:1]
    network = initial_network("base", "attnet", 0.125, 0)
    measured, _ = validate(network, stacks, 4, torch.device("cpu"))
    assert network.training  # as it was
    truth = torch.from_numpy(stacks.stack(0, stacks.crfs[0])).permute(0, 3, 1, 2) / 255
    network.eval()
    with torch.no_grad():
        made = network(truth[4:5], torch.tensor([2.0**-2]))
    assert measured["psnr_ldr_by_ev"]["-2"] == pytest.approx(float(psnr_ldr(made, truth[:1])), abs=1e-3)
    assert list(measured["psnr_ldr_by_ev"]) == ["-2", "-1.5", "-1", "-0.5", "0.5", "1", "1.5", "2"]
    assert measured["psnr_ldr"] == pytest.approx(sum(measured["psnr_ldr_by_ev"].values()) / 8)


def test_identity_batch_normalisation_of_a_part_is_its_own(dataset):
    """Two parts are normalised each by itself, as two processes would."""
    stepper = make_stepper()
    seen = []
    norm = next(module for module in stepper.network.modules() if isinstance(module, nn.BatchNorm2d))
    norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[0]))
    stepper.step(halves(pairs(4)), 0)
    assert seen == [4, 4]  # both pictures of two pairs pass N1 as one batch

"""Gradients of one step by the processes of a run; two processes under torchrun import this module."""

from pathlib import Path

import torch

from hdrdata.stream.shard_reader import Shards
from hdrmodel.networks.baselines.hdrunet import TanhLoss
from hdrmodel.networks.pair_loss import LossWeights, PairLoss
from hdrmodel.networks.weights import initial_network
from hdrmodel.profiles.load import load_profile
from hdrmodel.sampling.batches import LookUp
from hdrmodel.sampling.datasets import PairDataset, PhotoDataset
from hdrmodel.sampling.loading import Share, load_pairs
from hdrmodel.training.distributed import join_world
from hdrmodel.training.step import Stepper

CHANGES = ("width=0.125", "batch=8", "crop=32", "clip_gradient=null", "precision=fp32")


def write_gradients(folder: Path, out: Path, accumulate: int) -> None:
    """Write `<variant>-<processes>-<rank>.pt` of two variants: gradients and terms of the loss of the first batch."""
    config = load_profile("quick", [*CHANGES, f"accumulate={accumulate}"])
    shards = Shards(folder, "train", "radiance")
    look_up = LookUp(shards.tables)
    pair_loss = PairLoss(LossWeights(100.0, 1.0, 0.0, 1e-5), "l1", None)
    with join_world(torch.device("cpu")) as world:
        share = Share(config.batch, 0, 1, config.accumulate, world.rank, world.size)
        for variant, dataset, batch_of, loss_of in (
            ("spatial", PairDataset, look_up.pairs, pair_loss),
            ("hdrunet", PhotoDataset, look_up.photos, TanhLoss()),
        ):
            stepper = Stepper(initial_network(variant, "attnet", config.width, 0), loss_of, config, world)
            stepper.network.eval()  # batch normalisation by its buffers: no sample depends on another
            samples = load_pairs(dataset(shards, config.crop, 0, True, "quarter"), share, 0)
            terms = world.mean(stepper.step([batch_of(sample) for sample in samples], 0))
            gradients = {name: parameter.grad for name, parameter in stepper.network.named_parameters()}
            torch.save({"gradients": gradients, "terms": terms}, out / f"{variant}-{world.size}-{world.rank}.pt")

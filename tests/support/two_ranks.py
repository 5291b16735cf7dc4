"""One of two processes that train under each framework, as torchrun starts them: prints the keys of batches as JSON.

    RANK=0 WORLD_SIZE=2 MASTER_ADDR=localhost python two_ranks.py SHARDS FOLDER FRAMEWORK:PORT...

Each run takes an epoch and two batches of the next, saves its state, and a new run continues from it.
"""

import json
import os
import sys
import warnings

import torch
from torch import distributed, nn

from hdrdata import StackDataset, StackLoader, StackSampler, open_stacks

warnings.filterwarnings("ignore")
OPTIONS = {"part": "train", "exposures": (-2, 0), "seed": 5}
BATCH, MORE = 4, 2


def take(batches, count=None):
    keys = []
    for batch in batches:
        keys.append(list(batch["key"]))
        if len(keys) == count:
            break
    return keys


def with_ddp(shards, folder):
    distributed.init_process_group("gloo")
    loader = StackLoader(shards, BATCH, **OPTIONS, workers=1)
    model = nn.parallel.DistributedDataParallel(nn.Conv2d(3, 3, 1))
    first = []
    for batch in loader:
        model(batch["stack"][:, 0].float() / 255).mean().backward()
        first.append(list(batch["key"]))
    second = take(loader, MORE)
    state = loader.state_dict()
    loader.close()
    resumed = StackLoader(shards, BATCH, **OPTIONS | {"seed": 0})
    resumed.load_state_dict(state)
    yield first, second + take(resumed)


def with_accelerate(shards, folder):
    from accelerate import Accelerator
    from torch.utils.data import DataLoader

    accelerator = Accelerator(cpu=True)
    rank, world = accelerator.process_index, accelerator.num_processes
    loader = accelerator.prepare(StackLoader(shards, BATCH, **OPTIONS))
    accelerator.register_for_checkpointing(loader)
    first, second = take(loader), take(loader, MORE)
    accelerator.save_state(str(folder / "state"))
    accelerator.wait_for_everyone()  # only rank 0 writes the loader's state, and each rank reads it
    left = take(loader, 1)  # which the resumed loader does not continue
    accelerator.load_state(str(folder / "state"))
    assert left
    yield first, second + take(loader)
    stacks = open_stacks(shards, part="train", exposures=(-2, 0))
    for given in ({"rank": rank, "world": world}, {}):  # split by accelerate, with or without the ranks
        sampler = StackSampler(stacks, BATCH, seed=5, **given)
        batches = accelerator.prepare(DataLoader(StackDataset(stacks), batch_sampler=sampler))
        assert len(batches) == len(loader)
        first, second = take(batches), take(batches, MORE)
        resumed = StackSampler(stacks, BATCH, seed=0, **given)
        resumed.load_state_dict(sampler.state_dict(batches=MORE))
        batches = accelerator.prepare(DataLoader(StackDataset(stacks), batch_sampler=resumed))
        yield first, second + take(batches)


def with_lightning(shards, folder):
    import lightning
    from lightning.pytorch.callbacks import ModelCheckpoint
    from torch.utils.data import DataLoader

    class Module(lightning.LightningModule):
        def __init__(self, loader=None):
            super().__init__()
            self.network, self.seen, self.loader = nn.Conv2d(3, 3, 1), [], loader

        def training_step(self, batch, number):
            self.seen.append((self.current_epoch, list(batch["key"])))
            return self.network(batch["stack"][:, 0].float() / 255).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

        def epoch(self, number):
            return [keys for epoch, keys in self.seen if epoch == number]

    def fit(module, loader=None, path=None, saves=None, **options):
        trainer = lightning.Trainer(
            accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False, callbacks=saves,
            enable_checkpointing=bool(saves), enable_progress_bar=False, enable_model_summary=False, **options,
        )  # fmt: skip
        trainer.fit(module, loader, ckpt_path=path, weights_only=False)

    steps = len(StackLoader(shards, BATCH, **OPTIONS))
    for use in (True, False):
        name = f"resume-{use}"
        save = ModelCheckpoint(folder, name, every_n_train_steps=steps + MORE, save_top_k=1)
        module, again = Module(), Module()
        fit(module, StackLoader(shards, BATCH, **OPTIONS), saves=[save], use_distributed_sampler=use)
        path = folder / f"{name}.ckpt"
        fit(again, StackLoader(shards, BATCH, **OPTIONS | {"seed": 0}), path, use_distributed_sampler=use)
        assert again.epoch(1) == module.epoch(1)[MORE:]
        yield module.epoch(0), module.epoch(1)

    class Hooked(Module):
        def train_dataloader(self):
            stacks = open_stacks(shards, part="train", exposures=(-2, 0))
            rank, world = self.trainer.global_rank, self.trainer.world_size
            sampler = StackSampler(len(stacks), BATCH, seed=5, rank=rank, world=world)
            return DataLoader(StackDataset(stacks), batch_sampler=sampler)

    module = Hooked()
    fit(module)
    yield module.epoch(0), module.epoch(1)


if __name__ == "__main__":
    from pathlib import Path

    shards, folder, *frameworks = sys.argv[1:]
    runs = {}
    for name, _, os.environ["MASTER_PORT"] in (text.partition(":") for text in frameworks):
        runs[name] = list(globals()[f"with_{name}"](shards, Path(folder)))
        if distributed.is_initialized():
            distributed.barrier()
            distributed.destroy_process_group()
    print(json.dumps(runs), flush=True)
    os._exit(0)

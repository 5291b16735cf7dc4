"""One step of training: a batch through the network, its loss, and what the optimizer does with it."""

import copy
import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hdrmodel.networks.variants import Network, variant_of
from hdrmodel.sampling.sources import Batch
from hdrmodel.training.config import TrainConfig
from hdrmodel.training.distributed import World
from hdrmodel.training.threads import a_core_a_thread

PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MULTIPLIES_BF16 = ("avx512_bf16", "amx_bf16")  # instructions of processors
LOWEST_RATE = 0.01  # where the cosine schedule ends, as a share of the first rate


def rate_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step: a half cosine from the given one to a hundredth of it, "wsd", or the given one.

    "wsd" rises in the warm-up, stays, and falls as 1 - sqrt to 0 over the last share of the steps: Haegele et al.,
    "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024.
    """
    if config.schedule == "wsd":
        assert config.light is not None  # the configuration's own check
        falls = round(config.steps * (1 - config.light.decay))
        if step < config.light.warmup:
            return config.learning_rate * (step + 1) / config.light.warmup
        return config.learning_rate * (1 - (max(step - falls, 0) / (config.steps - falls)) ** 0.5)
    if config.schedule != "cosine":
        return config.learning_rate
    share = 0.5 * (1 + math.cos(math.pi * step / config.steps))
    return config.learning_rate * (LOWEST_RATE + (1 - LOWEST_RATE) * share)


def precision_on(device: torch.device, precision: str) -> str:
    """Return a configured precision on a device: "auto" is bf16 where its processor multiplies that, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if any(able.get(name) for name in MULTIPLIES_BF16) else "fp32"


def _average(averages: list[Tensor], values: list[Tensor], updates: Tensor | int, decay: float) -> None:
    """Move the averages towards the weights; over the first steps faster, so that the initial weights are forgotten.

    The decay is min(decay, (1 + n) / (10 + n)) after n updates, as in TensorFlow's ExponentialMovingAverage.
    """
    number = float(updates)
    get_ema_multi_avg_fn(min(decay, (1 + number) / (10 + number)))(averages, values, updates)


class Objective(nn.Module):
    """Network and loss in one module, for DistributedDataParallel and torch.compile."""

    def __init__(self, network: Network, loss_of: Any):
        super().__init__()
        self.predict = variant_of(network).step(network)
        self.loss_of, self.terms = loss_of, tuple(loss_of.terms)

    def forward(self, *inputs: Tensor) -> Float[Tensor, " terms"]:
        """The weighted sum of the losses, and behind it the terms, which have no gradients, as `terms`.

        Args:
            inputs: those of the variant's batches, `PairBatch`, `PhotoBatch` or `LightBatch`.
        """
        total, terms = self.loss_of(self.predict(*inputs), *inputs)
        return torch.stack([total, *(terms[name].detach() for name in self.terms)])


class Stepper:
    """The network in training, with its optimizer, schedule, gradient scaler and moving average.

    Args:
        network: in single precision; moved to the world's device here.
        loss_of: as `network`; of what the network predicts and the inputs of a batch. `PairLoss`, or a baseline's.
        config: the optimizer's, schedule's and precision's part of it.
        world: the processes that compute the step together; gradients are their mean.

    Raises:
        ValueError: if the processes cannot share the batch, or batch normalisation is to be synchronised on CPUs.
    """

    def __init__(self, network: Network, loss_of: Any, config: TrainConfig, world: World):
        gpu = world.device.type == "cuda"
        if config.sync_batch_norm and world.size > 1 and not gpu:
            raise ValueError("train.sync_batch_norm: PyTorch synchronises batch normalisation between GPUs only")
        self.config, self.world = config, world
        self.precision = precision_on(world.device, config.precision)
        self.channels_last = config.channels_last
        if self.channels_last == "auto":
            self.channels_last = gpu or self.precision == "bf16"
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        self.network: Any = network.to(world.device, memory_format=layout).train()  # pyright: ignore[reportCallIssue]
        self.names = ("total", *loss_of.terms)
        if config.sync_batch_norm and world.size > 1:
            nn.SyncBatchNorm.convert_sync_batchnorm(self.network)
        optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
        self.optimizer = optimizer(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.plateau = None
        if config.schedule == "plateau":
            self.plateau = ReduceLROnPlateau(
                self.optimizer, mode="max", factor=config.plateau.factor, patience=config.plateau.patience
            )
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=self.precision == "fp16")
        self.average = None
        if config.ema_decay is not None:
            update = partial(_average, decay=config.ema_decay)
            self.average = AveragedModel(self.network, multi_avg_fn=cast(Any, update), use_buffers=True)
        loss_of = loss_of.to(world.device, memory_format=torch.channels_last)  # its trunk: faster on every device
        objective: Any = Objective(self.network, loss_of)
        if world.size > 1:
            objective = DistributedDataParallel(objective, device_ids=[world.device] if gpu else None)
        self._parallel = objective
        self._objective = torch.compile(objective) if config.compile else objective
        self._binds = False  # not in the first step: the processes that torch.compile starts would share its core

    @property
    def weights(self) -> Network:
        """The network that is validated and kept: the moving average where there is one."""
        return self.network if self.average is None else cast(Any, self.average.module)

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return self.optimizer.param_groups[0]["lr"]

    def step(self, parts: Sequence[Batch], number: int) -> Float[Tensor, " terms"]:
        """Learn from the batch of step `number`, counted from 0.

        Returns:
            the loss and its terms, named by `names`: means over the parts, on the device, so that nothing waits for it.
        """
        if self.plateau is None:
            for group in self.optimizer.param_groups:
                group["lr"] = rate_at(number, self.config)
        with a_core_a_thread() if self._binds else nullcontext():
            terms = self._learn(parts)
        self._binds = self.world.device.type == "cpu"
        return terms

    def _learn(self, parts: Sequence[Batch]) -> Float[Tensor, " terms"]:
        self.optimizer.zero_grad(set_to_none=True)
        terms = []
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            if self.world.size > 1:
                self._parallel.require_backward_grad_sync = last  # what its no_sync() sets, without a block
            computed = self.objective(part)
            self.scaler.scale(computed[0] / len(parts)).backward()
            terms.append(computed.detach())
        if self.config.clip_gradient is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_gradient)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return torch.stack(terms).mean(dim=0)

    def objective(self, part: Batch) -> Float[Tensor, " terms"]:
        """The loss and its terms, in the configured precision; only the loss, the first, has gradients."""
        precision = PRECISIONS[self.precision]
        with torch.autocast(self.world.device.type, dtype=precision, enabled=precision != torch.float32):
            return self._objective(*part.inputs)

    def take_validation(self, psnr: float) -> None:
        """Update the plateau schedule with the result of validation, in dB."""
        if self.plateau is not None:
            self.plateau.step(psnr)

    def state_dict(self) -> dict:
        """Everything that the next step depends on, and nothing else."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict() if self.plateau else None,
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
        }

    def load_state_dict(self, state: dict) -> None:
        """Continue from a `state_dict` of the same configuration."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.scaler.load_state_dict(state["scaler"])
        if self.plateau is not None:
            self.plateau.load_state_dict(state["plateau"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

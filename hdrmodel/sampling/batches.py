"""Batches as a network and its loss take them, made on the device by table look-up."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int16, Int64, UInt8
from torch import Tensor, nn

from hdrdata.torch import look_up


@dataclass(frozen=True)
class PairBatch:
    """Two exposures of the same crops under one camera response each."""

    shorter: Float[Tensor, "batch 3 height width"]  # LDR [0, 1]
    longer: Float[Tensor, "batch 3 height width"]
    ratio: Float[Tensor, " batch"]  # t_longer / t_shorter, >= 1
    keys: list[str]  # "<view>_<crf>:<shorter>-<longer>", for messages
    stops: Float[Tensor, "batch 3 height width"] | None = None  # log2 of light; 0 is what saturates the shorter

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Input of network and loss."""
        pair = self.shorter, self.longer, self.ratio
        return pair if self.stops is None else (*pair, self.stops)


@dataclass(frozen=True)
class PhotoBatch:
    """Photographs of crops under one camera response each, and the light that they show."""

    ldr: Float[Tensor, "batch 3 height width"]  # at EV 0, LDR [0, 1]
    radiance: Float[Tensor, "batch 3 height width"]  # linear, >= 0; 1 is what saturates the photograph
    keys: list[str]  # "<view>_<crf>", for messages

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """Input of network and loss."""
        return self.ldr, self.radiance


class LookUp(nn.Module):
    """Make LDR pictures from half floats by table look-up: bit for bit those of the pixels form, on any device.

    Args:
        tables: by camera response, in sorted order, one row an exposure; none where only the pixels form is read.
    """

    tables: Tensor

    def __init__(self, tables: dict[str, UInt8[np.ndarray, "exposures 65536"]]):
        super().__init__()
        rows = [tables[crf] for crf in sorted(tables)] or [np.empty((0, 65536), np.uint8)]
        stacked = np.concatenate(rows)[:, :0x7C00]  # finite, not negative
        self.register_buffer("tables", torch.from_numpy(stacked.copy()), persistent=False)

    def forward(
        self, bits: Int16[Tensor, "batch 3 height width"], rows: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Expose each sample with one row of the tables.

        Returns:
            LDR values, uint8 / 255 in [0, 1].
        """
        return look_up(bits, self.tables, rows).float() / 255

    def pairs(self, sample: dict) -> PairBatch:
        """The two pictures of each sample of a collated batch of `PairDataset`, of either form."""
        sample = self._moved(sample)
        if "bits" in sample:
            shorter, longer = (self(sample["bits"], sample["rows"][:, column]) for column in (0, 1))
        else:
            shorter, longer = (sample[name].float() / 255 for name in ("shorter", "longer"))
        return PairBatch(shorter, longer, sample["ratio"].float(), sample["key"])

    def photos(self, sample: dict) -> PhotoBatch:
        """The photograph and the radiance of each sample of a collated batch of `PhotoDataset`."""
        sample = self._moved(sample)
        bits = sample["bits"]
        return PhotoBatch(self(bits, sample["row"]), bits.view(torch.float16).float(), sample["key"])

    def _moved(self, sample: dict) -> dict:
        device = self.tables.device
        return {k: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v for k, v in sample.items()}

"""Turn NumPy pictures (height, width, channel) into torch batches (batch, channel, height, width), and back."""

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8, UInt16
from torch import Tensor

Photograph = UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]


def to_batch(pictures: UInt8[np.ndarray, "pictures height width 3"]) -> Float32[Tensor, "pictures 3 height width"]:
    """uint8 LDR pictures to a float32 batch in [0, 1]: levels / 255."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 255


def to_pictures(batch: Float[Tensor, "batch 3 height width"]) -> Float32[np.ndarray, "batch height width 3"]:
    """A batch to float32 pictures on the CPU, without a change of values."""
    return np.ascontiguousarray(batch.detach().float().cpu().numpy().transpose(0, 2, 3, 1))


def to_ldr(levels: np.ndarray) -> np.ndarray:
    """LDR values, float32 [0, 1], of 8- or 16-bit levels: z / 255 or z / 65535; floats stay as they are."""
    if levels.dtype == np.uint8:
        return levels / np.float32(255)
    if levels.dtype == np.uint16:
        return levels / np.float32(65535)
    return levels

"""Photographs of any size through a subnetwork, tile by tile, so that the upper levels' features are never held whole.

A frame is a picture continued by reflection to multiples of 64, as `hdrmodel.networks.hdr_attnet` pads it. A tile's
pixels are those that the whole frame at once would give, to float rounding: each tile is computed with as many pixels
around it as its output depends on, and what depends on the whole frame (the levels below the upper four, and the means
by which `channel` and `se` weigh channels) is computed once, of the whole frame, first.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from hdrmodel.networks.batches import Photograph, to_ldr
from hdrmodel.networks.hdr_attnet import HDRAttNet, Pictures, reflected_indices, sensor_exposure, soft_mask
from hdrmodel.networks.unet import STRIDE, UNet
from hdrmodel.reconstruction.folded import COARSENESS, FINE, Deep, FoldedUNet

WHOLE_BYTES = 2**30  # of features, about, up to which a frame is one tile where the tile's size is not given
TILE_BYTES = 2**28  # of a tile's in a larger frame, ...
SMALLEST_TILE = 1024  # ... but tiles have at least these pixels a side, and six margins: else most work is for margins


class Box(NamedTuple):
    """A part of a frame: rows top to bottom, columns left to right, the ends left out."""

    top: int
    left: int
    bottom: int
    right: int

    def grown(self, margin: int, frame: "Frame") -> "Box":
        """With the pixels around it, as far as the frame reaches."""
        bottom, right = min(self.bottom + margin, frame.height), min(self.right + margin, frame.width)
        return Box(max(self.top - margin, 0), max(self.left - margin, 0), bottom, right)

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Rows and columns of this part in the frame."""
        return self.shrunk(1)

    def of(self, picture: Tensor, around: "Box", coarseness: int = 1) -> Tensor:
        """This part of features (batch, channels, rows, columns) of `around`, a position every `coarseness` pixels."""
        rows = slice((self.top - around.top) // coarseness, (self.bottom - around.top) // coarseness)
        columns = slice((self.left - around.left) // coarseness, (self.right - around.left) // coarseness)
        return picture[..., rows, columns]

    def shrunk(self, coarseness: int) -> tuple[slice, slice]:
        """Rows and columns of this part in features of the frame, a position every `coarseness` pixels."""
        return (
            slice(self.top // coarseness, self.bottom // coarseness),
            slice(self.left // coarseness, self.right // coarseness),
        )


class Frame:
    """A picture in memory, continued by reflection until its sides are multiples of 64.

    Args:
        picture: 8- or 16-bit levels of a photograph, or float32 values.
    """

    def __init__(self, picture: Photograph | Float32[np.ndarray, "height width 3"]):
        self.picture = picture
        self.height, self.width = (-(-side // STRIDE) * STRIDE for side in picture.shape[:2])

    def read(self, box: Box) -> Pictures:
        """A part of the frame, as one picture; levels as LDR values (`to_ldr`)."""
        rows, columns = (
            reflected_indices(size, start, stop).numpy()
            for size, start, stop in zip(self.picture.shape[:2], box[:2], box[2:], strict=True)
        )
        part = torch.from_numpy(to_ldr(self.picture[rows[:, None], columns]))
        return part.permute(2, 0, 1)[None]  # (1, 3, height, width), channels last in memory

    def kept(self, box: Box) -> Box:
        """The part of a box that is in the picture itself."""
        height, width = self.picture.shape[:2]
        return Box(box.top, box.left, min(box.bottom, height), min(box.right, width))


def tiles_of(height: int, width: int, core: int) -> list[Box]:
    """A frame cut into boxes of at most `core` pixels a side, of like sizes, at multiples of 64; row by row.

    Args:
        height, width, core: multiples of 64.
    """
    assert height % STRIDE == width % STRIDE == core % STRIDE == 0, (height, width, core)
    rows, columns = _cuts(height, core), _cuts(width, core)
    return [Box(top, left, bottom, right) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]


def _cuts(side: int, core: int) -> list[int]:
    count = -(-side // core)
    return [STRIDE * round(side * place / count / STRIDE) for place in range(count + 1)]


@runtime_checkable
class Subnetwork(Protocol):
    """N1, N2 or N3 of HDR-AttNet, by whatever program it runs."""

    margin: int | None  # pixels that a tile must see around it; None if it must see the whole frame
    pixel_bytes: int  # of features, about, for each pixel of a tile

    def look(self, frame: Frame, tiles: Sequence[Box], ratio: float) -> Deep | None:
        """Return what the tiles need from the whole frame; None for a frame of one tile."""
        ...

    def run(self, tile: Pictures, around: Box, deep: Deep | None, ratio: float) -> Pictures:
        """N1: X of LDR pictures. N2, N3: the LDR picture of X at `ratio`. Wrong in the outer margin."""
        ...


class TorchSubnetwork:
    """A subnetwork of any variant, run by PyTorch.

    Args:
        unet: used as in evaluation mode; it is left as it is.
        estimates: whether it is N1, which estimates X, or N2 or N3, which expose it.
    """

    def __init__(self, unet: UNet, estimates: bool, device: torch.device, dtype: torch.dtype):
        self.unet = FoldedUNet(unet, dtype).to(device)
        self.estimates, self.reach, self.device = estimates, unet.reach, device
        self.margin = self.unet.margin
        self.pixel_bytes = 13 * unet.widths[0] * dtype.itemsize // 2  # measured

    def look(self, frame: Frame, tiles: Sequence[Box], ratio: float) -> Deep | None:
        """The levels below, of the whole frame, and the gates of the upper blocks, one after the other."""
        if len(tiles) == 1:
            return None

        def read(margin: int) -> Iterator[tuple[Box, Box, Pictures]]:
            for box in tiles:
                around = box.grown(margin, frame)
                yield box, around, self._input(frame.read(around), ratio)

        gates: list[Tensor | None] = [None] * (2 * FINE)
        for place in range(FINE):
            gates[place] = self._gate(place, read, frame, Deep(None, tuple(gates)))
        below = None
        for box, around, tile in read((self.margin or 0) // 2):
            part = box.of(self.unet.below(tile, gates[:FINE]), around, COARSENESS)
            if below is None:
                below = part.new_empty(1, part.shape[1], frame.height // COARSENESS, frame.width // COARSENESS)
                below = below.contiguous(memory_format=torch.channels_last)
            below[..., *box.shrunk(COARSENESS)] = part
        assert below is not None  # there are two tiles or more
        features = self.unet.deepen(below)
        for place in range(FINE, 2 * FINE):
            gates[place] = self._gate(place, read, frame, Deep(features, tuple(gates)))
        return Deep(features, tuple(gates))

    def run(self, tile: Pictures, around: Box, deep: Deep | None, ratio: float) -> Pictures:
        given = self._input(tile, ratio)
        made = self.unet(given) if deep is None else self.unet.finish(given, _part(deep, around))
        if self.estimates:
            return sensor_exposure(tile.to(self.device), made, self.reach)
        return made.mul_(0.5).add_(0.5)

    def _input(self, tile: Pictures, ratio: float) -> Pictures:
        tile = tile.to(self.device)
        return tile * soft_mask(tile) if self.estimates else tile * ratio

    def _gate(self, place: int, read: Callable, frame: Frame, deep: Deep) -> Tensor | None:
        block = self.unet.upper_blocks[place]
        if not block.by_means:
            return None
        coarseness = 2**place if place < FINE else 2 ** (2 * FINE - 1 - place)
        total = 0.0
        for box, around, tile in read(self.margin):
            weighed = self.unet.weighed(place, tile, _part(deep, around))
            total = total + box.of(weighed, around, coarseness).sum(dim=(2, 3), dtype=torch.float64)
        means = total * coarseness**2 / (frame.height * frame.width)
        return block.gate_of(means.to(self.unet.dtype))


def _part(deep: Deep, around: Box) -> Deep:
    return deep if deep.features is None else Deep(deep.features[..., *around.shrunk(COARSENESS)], deep.gates)


def subnetworks_of(network: HDRAttNet, device: torch.device, dtype: torch.dtype) -> tuple[Subnetwork, ...]:
    """N1, N2 and N3 of a trained network, which is left as it is, run by PyTorch."""
    return tuple(
        TorchSubnetwork(unet, estimates, device, dtype)
        for unet, estimates in ((network.encoding, True), (network.up, False), (network.down, False))
    )


def choose_tiles(subnetworks: Sequence[Subnetwork], frame: Frame, tile: int | None) -> list[Box]:
    """Return how a frame is cut: not at all if it has no more pixels than a tile.

    Args:
        tile: pixels along a side of what is computed at a time, its margin included; 0: the whole frame; None: by
            `WHOLE_BYTES`, `TILE_BYTES` and `SMALLEST_TILE`.

    Raises:
        ValueError: if the tile is smaller than its margins, or a subnetwork must see the whole of a larger frame.
    """
    whole = [Box(0, 0, frame.height, frame.width)]
    pixels, pixel_bytes = frame.height * frame.width, max(subnetwork.pixel_bytes for subnetwork in subnetworks)
    margins = [subnetwork.margin for subnetwork in subnetworks]
    at_once = pixels if tile == 0 else 0
    if tile is None:
        at_once = WHOLE_BYTES // pixel_bytes
        tile = max(int((TILE_BYTES / pixel_bytes) ** 0.5), SMALLEST_TILE, *(6 * (margin or 0) for margin in margins))
    if pixels <= max(at_once, tile**2):
        return whole
    known = [margin for margin in margins if margin is not None]
    if len(known) != len(margins):
        raise ValueError(
            f"a picture of {frame.picture.shape[1]}x{frame.picture.shape[0]} pixels in tiles: this network uses "
            "the whole picture; expected --tile 0"
        )
    core = (tile - 2 * max(known)) // STRIDE * STRIDE
    if core < STRIDE:
        raise ValueError(f"tile {tile}: expected 0, or at least {2 * max(known) + STRIDE} pixels for this network")
    return tiles_of(frame.height, frame.width, core)


def run_tile(
    subnetwork: Subnetwork, frame: Frame, box: Box, deep: Deep | None, ratio: float = 1.0
) -> Float32[np.ndarray, "rows columns 3"]:
    """Return the subnetwork's output for a tile, cropped to the image."""
    around = box.grown(subnetwork.margin or 0, frame)
    made = frame.kept(box).of(subnetwork.run(frame.read(around), around, deep, ratio), around)
    return made[0].permute(1, 2, 0).float().cpu().numpy()

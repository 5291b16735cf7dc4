"""Training samples, each a pure function of its position: any number of loaders and processes gives the same sequence.

HDR-AttNet learns from pairs of exposures, the baselines from photographs and their radiance.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int16, Int64, Shaped, UInt8
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.stream.order import epoch_order, generator
from hdrdata.stream.shard_reader import Shards
from hdrdata.torch import look_up

Rotation = Literal["none", "quarter", "any"]

AUGMENTATION = 1  # the stream of random numbers beside that of the order
LARGEST_ANGLE = 179.0  # degrees; HDR-AttNet, section 4.1


@dataclass(frozen=True)
class PairBatch:
    """Two exposures of the same crops under one camera response each."""

    shorter: Float[Tensor, "batch 3 height width"]  # LDR [0, 1]
    longer: Float[Tensor, "batch 3 height width"]
    ratio: Float[Tensor, " batch"]  # t_longer / t_shorter, >= 1
    keys: list[str]  # "<view>_<crf>:<shorter>-<longer>", for messages

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """What network and loss take."""
        return self.shorter, self.longer, self.ratio


@dataclass(frozen=True)
class PhotoBatch:
    """Photographs of crops under one camera response each, and the light that they show."""

    ldr: Float[Tensor, "batch 3 height width"]  # at EV 0, LDR [0, 1]
    radiance: Float[Tensor, "batch 3 height width"]  # linear, >= 0; 1 is what saturates the photograph
    keys: list[str]  # "<view>_<crf>", for messages

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """What network and loss take."""
        return self.ldr, self.radiance


def pairs_of(exposures: int) -> list[tuple[int, int]]:
    """All unordered pairs of a stack's exposures, the identities too: 45 of nine. (HDR-AttNet, section 4.1.)"""
    return [(shorter, longer) for shorter in range(exposures) for longer in range(shorter, exposures)]


@dataclass(frozen=True)
class Cut:
    """A square of a picture, turned and mirrored; the same of every picture of its size.

    A square turned by another angle than a quarter is read between pixels, bilinearly, and outside the picture by
    reflection.
    """

    top: int | float  # of the square before it is turned about its middle, pixels
    left: int | float
    size: int
    angle: int | float = 0  # degrees, counterclockwise; with an angle there are no quarter turns
    turns: int = 0  # quarters
    mirrored: bool = False  # left and right
    upended: bool = False  # top and bottom

    def of(self, picture: Shaped[np.ndarray, "height width 3"]) -> Shaped[np.ndarray, "size size 3"]:
        """Cut the square out of an LDR picture, or of linear radiance: the latter is what a rolled camera sees."""
        if self.angle:
            cut = self._read_between(picture)
        else:
            top, left = int(self.top), int(self.left)
            cut = picture[top : top + self.size, left : left + self.size]
        if self.mirrored:
            cut = cut[:, ::-1]
        if self.upended:
            cut = cut[::-1]
        return np.rot90(cut, self.turns) if self.turns else cut

    def _read_between(self, picture: np.ndarray) -> np.ndarray:
        radius = self.size  # around the middle: more than half the diagonal, so no other pixel is asked for
        row, column = int(self.top + self.size / 2), int(self.left + self.size / 2)
        first_row, first_column = max(row - radius, 0), max(column - radius, 0)
        near = picture[first_row : row + radius, first_column : column + radius]
        values = near.astype(np.float32) if near.dtype == np.float16 else np.ascontiguousarray(near)
        cosine, sine = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])  # from (x, y) of the cut to that of the picture
        half = (self.size - 1) / 2
        middle = np.array([self.left - first_column + half, self.top - first_row + half])
        matrix[:, 2] = middle - matrix[:, :2] @ (half, half)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(values, matrix, (self.size, self.size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return cut.astype(picture.dtype)


def draw_cut(height: int, width: int, size: int, flips: bool, rotation: Rotation, draw: np.random.Generator) -> Cut:
    """A cut at random: anywhere in the picture; mirrored and upended with probability 1/2 each; turned.

    Args:
        size: pixels, at most `height` and `width`.
        rotation: "quarter", by 0 to 3 quarters with equal probability; "any", with probability 1/2 by up to 179 degrees
            either way, and inside the picture as far as it reaches; "none".
    """
    mirrored, upended = (bool(draw.integers(2)), bool(draw.integers(2))) if flips else (False, False)
    if rotation == "any" and draw.integers(2):
        angle = draw.uniform(-LARGEST_ANGLE, LARGEST_ANGLE)
        spread = abs(np.cos(np.radians(angle))) + abs(np.sin(np.radians(angle)))
        margin = size * (spread - 1) / 2  # by how much the turned square sticks out of the straight one, each way
        top, left = (
            draw.uniform(margin, side - size - margin) if side >= size + 2 * margin else (side - size) / 2
            for side in (height, width)
        )
        return Cut(top, left, size, angle, 0, mirrored, upended)
    top, left = (int(draw.integers(side - size + 1)) for side in (height, width))
    turns = int(draw.integers(4)) if rotation == "quarter" else 0
    return Cut(top, left, size, 0.0, turns, mirrored, upended)


class Stacks:
    """The stacks of a part by view and camera response, whichever form its shards have.

    The radiance form is exposed by table look-up and the pixels form decoded; the pictures are the same, bit for bit.
    """

    def __init__(self, shards: Shards):
        self.shards = shards
        self.crfs = sorted(shards.crfs)
        self._numbers: dict[tuple[str, str], int] = {}  # of the samples in pixels form
        if shards.form == "radiance":
            self.views = shards.keys
        else:
            for number, key in enumerate(shards.keys):
                crf = max((crf for crf in self.crfs if key.endswith(f"_{crf}")), key=len)
                self._numbers[key.removesuffix(f"_{crf}"), crf] = number
            self.views = list(dict.fromkeys(view for view, _ in self._numbers))

    def __len__(self) -> int:
        """How many views there are."""
        return len(self.views)

    def number(self, view: int, crf: str) -> int:
        """The number, among the shards' samples, of the one that holds this stack."""
        return view if self.shards.form == "radiance" else self._numbers[self.views[view], crf]

    def stack(self, view: int, crf: str) -> UInt8[np.ndarray, "exposures height width 3"]:
        """All exposures of a view under one camera response, in rising exposure."""
        if self.shards.form == "pixels":
            return self.shards.stack(self.number(view, crf)).stack
        return expose_view(half_bits(self.shards.radiance(view).radiance), self.shards.tables[crf])


class CutDataset(Dataset):
    """Squares cut from views, by position: epoch = position // items, each epoch in a fresh order.

    An item is a view, a camera response and one of `choices`, each as often as the others.

    Args:
        shards: of a form that the samples can be made from.
        crop: pixels, height and width.
        seed: of the order, the crops and the augmentation.
        flips, rotation: the augmentation, see `draw_cut`; the same for all that a sample holds of one cut.

    Raises:
        ValueError: if a view is smaller than the crop.
    """

    choices = 1  # what a sample is made of, for each view and camera response

    def __init__(self, shards: Shards, crop: int, seed: int, flips: bool, rotation: Rotation):
        self.stacks = Stacks(shards)
        self.crop, self.seed, self.flips, self.rotation = crop, seed, flips, rotation
        for view, key in enumerate(self.stacks.views):
            height, width = shards.picture_size(self.stacks.number(view, self.stacks.crfs[0]))
            if min(height, width) < crop:
                raise ValueError(
                    f"view {key} has {width}x{height} pixels; wanted at least the crop of {crop} "
                    "(a smaller crop, or shards of larger views)"
                )

    @property
    def items(self) -> int:
        """Items an epoch."""
        return len(self.stacks) * len(self.stacks.crfs) * self.choices

    def __len__(self) -> int:
        return self.items

    def _item(self, position: int) -> tuple[int, int, int]:
        """View, camera response and choice of a position, by their numbers."""
        epoch, place = divmod(position, self.items)
        rest, choice = divmod(int(epoch_order(self.seed, epoch, self.items)[place]), self.choices)
        return (*divmod(rest, len(self.stacks.crfs)), choice)

    def _bits(self, number: int, position: int) -> Tensor:
        """The half floats of a radiance sample's square."""
        radiance = self.stacks.shards.radiance(number).radiance
        bits = half_bits(np.ascontiguousarray(self._draw(radiance.shape[:2], position).of(radiance)))
        return _to_tensor(bits.view(np.int16))

    def _draw(self, size: tuple[int, int], position: int) -> Cut:
        return draw_cut(*size, self.crop, self.flips, self.rotation, generator(self.seed, AUGMENTATION, position))


class PairDataset(CutDataset):
    """Pairs of exposures: `PairBatch`es, by `LookUp.pairs`.

    Of the radiance form a sample holds the crop's half floats as bits and the rows of the look-up tables, so that a
    loader moves 6 bytes a pixel and no picture is decoded; `LookUp` makes the two LDR pictures of it, on any device. Of
    the pixels form it holds the two pictures, which are the same but where a cut is turned by any angle: there it is
    turned before it is exposed, as a camera would be, or after.
    """

    def __init__(self, shards: Shards, crop: int, seed: int, flips: bool, rotation: Rotation):
        super().__init__(shards, crop, seed, flips, rotation)
        self.pairs = pairs_of(len(shards.exposures))
        self.letters = shards.index["recipe"]["letters"]

    @property
    def choices(self) -> int:
        return len(self.pairs)

    def __getitem__(self, position: int) -> dict:
        view, place, pair = self._item(position)
        shorter, longer = self.pairs[pair]
        crf, shards = self.stacks.crfs[place], self.stacks.shards
        number = self.stacks.number(view, crf)
        letters = self.letters[shorter] + self.letters[longer]
        sample = {
            "ratio": shards.exposures[longer] / shards.exposures[shorter],
            "key": f"{self.stacks.views[view]}_{crf}:{letters[0]}-{letters[1]}",
        }
        if shards.form == "pixels":
            pictures = shards.stack(number, "".join(dict.fromkeys(letters))).stack
            cut = self._draw(pictures.shape[1:3], position)
            sample["shorter"], sample["longer"] = (_to_tensor(cut.of(pictures[at])) for at in (0, -1))
        else:
            first = place * len(shards.exposures)
            sample["bits"] = self._bits(number, position)
            sample["rows"] = torch.tensor([first + shorter, first + longer])
        return sample


class PhotoDataset(CutDataset):
    """Photographs at EV 0 and their radiance: `PhotoBatch`es, by `LookUp.photos`.

    A sample holds the crop's half floats, which are the radiance, and the row of the look-up tables that makes the
    photograph of them. The exposure is not varied: at EV 0 the views, whose mean radiance is 0.5 each, are exposed as
    the test part's inputs are.

    Raises:
        ValueError: if the shards are of the pixels form, which holds no radiance, or a view is smaller than the crop.
    """

    def __init__(self, shards: Shards, crop: int, seed: int, flips: bool, rotation: Rotation):
        if shards.form != "radiance":
            raise ValueError(
                f"{shards.folder}: the form '{shards.form}' holds no radiance, from which a baseline learns; "
                "wanted train.form radiance"
            )
        super().__init__(shards, crop, seed, flips, rotation)
        self.middle = shards.evs.index(0.0)

    def __getitem__(self, position: int) -> dict:
        view, place, _ = self._item(position)
        crf = self.stacks.crfs[place]
        return {
            "key": f"{self.stacks.views[view]}_{crf}",
            "bits": self._bits(self.stacks.number(view, crf), position),
            "row": place * len(self.stacks.shards.exposures) + self.middle,
        }


def _to_tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


class LookUp(nn.Module):
    """Make LDR pictures from half floats by table look-up: bit for bit those of the pixels form, on any device.

    Args:
        tables: by camera response, in sorted order, one row an exposure; none where only the pixels form is read.
    """

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


@dataclass(frozen=True)
class Share(Sampler):
    """The positions that one process computes: of every step's batch its own parts, one list a part.

    A batch is cut into `accumulate` times `processes` parts; part p of all belongs to the process p % `processes`. So
    a run of several processes sees what one process sees that accumulates as many parts.
    """

    batch: int
    first_step: int
    steps: int
    accumulate: int = 1
    rank: int = 0
    processes: int = 1

    def __post_init__(self):
        if self.batch % (self.accumulate * self.processes):
            raise ValueError(
                f"a batch of {self.batch} does not divide into {self.accumulate} parts for each of "
                f"{self.processes} processes"
            )

    @property
    def size(self) -> int:
        """Samples in a part."""
        return self.batch // (self.accumulate * self.processes)

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first_step, self.steps):
            for part in range(self.rank, self.accumulate * self.processes, self.processes):
                first = step * self.batch + part * self.size
                yield list(range(first, first + self.size))

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.accumulate


class _Batches(Dataset):
    """Collated samples by a list of positions; what is wrong with the user's files comes out as a value."""

    def __init__(self, samples: CutDataset):
        self.samples = samples

    def __getitem__(self, positions: list[int]) -> dict | Exception:
        try:
            return default_collate([self.samples[position] for position in positions])
        except (ValueError, OSError) as error:  # a loader process would wrap its own traceback into the message
            return error


def _begin_loading(worker: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # for which PyTorch has set a handler
    cv2.setNumThreads(0)  # the processes are the threads


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Processes that start in this block leave Ctrl-C and SIGTERM to the trainer, which ends its step and saves it."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _as_it_is(batch: dict | Exception) -> dict | Exception:
    return batch


def load_pairs(dataset: CutDataset, share: Share, workers: int) -> Iterator[dict]:
    """Collated samples, one batch for each list of positions of `share`, in its order.

    Args:
        workers: processes that read ahead; 0: none.

    Raises:
        ValueError, OSError: naming the sample that cannot be read, or if a process dies.
    """
    loader = DataLoader(
        _Batches(dataset),
        batch_size=None,
        sampler=share,
        collate_fn=_as_it_is,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_begin_loading,
    )
    with _signals_ignored() if workers else nullcontext():
        batches = iter(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            raise ValueError(
                f"a loader process died: {error}; wanted fewer loader_workers, or more shared memory (/dev/shm)"
            ) from error
        if isinstance(batch, Exception):
            raise batch
        yield batch

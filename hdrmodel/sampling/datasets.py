"""Training samples, each a pure function of its position: any number of loaders and processes gives the same sequence.

HDR-AttNet learns from pairs of exposures, the baselines from photographs and their radiance.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from hdrdata.cameras.exposure import expose_view, half_bits
from hdrdata.stream.order import epoch_order, generator
from hdrdata.stream.shard_reader import Shards
from hdrmodel.sampling.cuts import Cut, Rotation, draw_cut

AUGMENTATION = 1  # a second stream of random numbers, beside the stream for the order


def pairs_of(exposures: int) -> list[tuple[int, int]]:
    """All unordered pairs of a stack's exposures, the identities too: 45 of nine. (HDR-AttNet, section 4.1.)"""
    return [(shorter, longer) for shorter in range(exposures) for longer in range(shorter, exposures)]


class Stacks:
    """The stacks of a part by view and camera response, whichever form its shards have.

    The radiance form is exposed by table look-up and the pixels form decoded; the pictures are the same, bit for bit.
    """

    def __init__(self, shards: Shards):
        self.shards = shards
        self.crfs = sorted(shards.crfs)
        self._numbers: dict[tuple[str, str], int] = {}  # of the samples in pixels form
        self.views: Sequence[str]
        if shards.form == "radiance":
            self.views = shards.keys
        else:
            self._numbers = {shards.view_and_crf(number): number for number in range(len(shards))}
            self.views = list(dict.fromkeys(view for view, _ in self._numbers))

    def __len__(self) -> int:
        """Return how many views there are."""
        return len(self.views)

    def number(self, view: int, crf: str) -> int:
        """Return the number of the sample that contains this stack, among the shards' samples."""
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
        self.crop, self.seed, self.flips = crop, seed, flips
        self.rotation: Rotation = rotation
        for view, key in enumerate(self.stacks.views):
            height, width = shards.picture_size(self.stacks.number(view, self.stacks.crfs[0]))
            if min(height, width) < crop:
                raise ValueError(
                    f"view {key} has {width}x{height} pixels; expected at least the crop of {crop} "
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
        draw = generator(self.seed, AUGMENTATION, position)
        return draw_cut(size[0], size[1], self.crop, self.flips, self.rotation, draw)


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
                "expected train.form radiance"
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

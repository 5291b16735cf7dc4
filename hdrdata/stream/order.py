"""The order of samples: arithmetic on their numbers, the same everywhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jaxtyping import Int64

ORDER, TRANSFORM, SCHEDULE = 0, 2, 3  # streams of random numbers; `hdrmodel.sampling` has others


def generator(seed: int, stream: int, number: int, source: int = 0) -> np.random.Generator:
    """Return random numbers for one draw: counter-based (Philox), so that a draw depends on no other."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, source, stream, number]))


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, length: int) -> Int64[np.ndarray, " length"]:
    """Return the order of an epoch: all numbers below `length`, each once."""
    return generator(seed, ORDER, epoch).permutation(length)


@dataclass(frozen=True)
class Draws:
    """Samples of one or several sources by epoch and place: any draw is computed without those before it.

    Each source has its own order, in which every sample is drawn once before any is drawn again. With one source of
    `length` samples an epoch draws each once. With several, the share of a source among the first n draws of an epoch
    is exact to two draws: the k-th of its m draws comes at the time (k + u) / m, u random in [0, 1).

    Args:
        lengths: samples of each source.
        counts: draws of each source in an epoch, as `shared_counts` returns them.
        shuffle: False: each source in its stored order, and with several sources u = 0.5.
    """

    lengths: tuple[int, ...]
    counts: tuple[int, ...]
    seed: int
    shuffle: bool = True
    _orders: dict[int, tuple[int, np.ndarray]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def length(self) -> int:
        """Draws in an epoch."""
        return sum(self.counts)

    def at(self, epoch: int, place: int) -> tuple[int, int]:
        """Return the source of a draw, and the sample's number in it."""
        source, nth = 0, place
        if len(self.counts) > 1:
            sources, nths = _schedule(self.counts, self.seed, epoch, self.shuffle)
            source, nth = int(sources[place]), int(nths[place])
        length = self.lengths[source]
        turn, place = divmod(epoch * self.counts[source] + nth, length)
        if not self.shuffle:
            return source, place
        if self._orders.get(source, (None, None))[0] != turn:  # the last one of each source is kept
            order = np.arange(length, dtype=np.uint32)  # half the memory of `permutation`, in the same order
            generator(self.seed, ORDER, turn, source).shuffle(order)
            self._orders[source] = turn, order
        return source, int(self._orders[source][1][place])


def shared_counts(weights: Sequence[int | float], length: int) -> tuple[int, ...]:
    """Return how many of `length` draws each weight gets, by largest remainders.

    Raises:
        ValueError: if a weight is not positive and finite, or too small for a single draw.
    """
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"weight {weight}; expected a positive number")
    exact = np.array(weights, np.float64) / np.sum(weights) * length
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: length - counts.sum()]] += 1
    if counts.min() < 1:
        weight = weights[int(counts.argmin())]
        raise ValueError(f"weight {weight:g} of {sum(weights):g} gives no draw in an epoch of {length}")
    return tuple(counts.tolist())


@lru_cache(maxsize=2)
def _schedule(counts: tuple[int, ...], seed: int, epoch: int, shuffle: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the source of each draw of an epoch, and which of the source's draws it is."""
    sources = np.repeat(np.arange(len(counts)), counts)
    nths = np.concatenate([np.arange(count) for count in counts])
    jitter = generator(seed, SCHEDULE, epoch).random(len(sources)) if shuffle else 0.5
    order = np.argsort((nths + jitter) / np.array(counts)[sources], kind="stable")
    return sources[order], nths[order]

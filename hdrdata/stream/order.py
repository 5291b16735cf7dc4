"""The order of samples: arithmetic on their numbers, the same everywhere."""

from functools import lru_cache

import numpy as np
from jaxtyping import Int64

ORDER = 0  # the stream of random numbers that orders an epoch


def generator(seed: int, stream: int, number: int) -> np.random.Generator:
    """Random numbers for one draw: counter-based (Philox), so that a draw depends on no other."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, stream, number]))


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, length: int) -> Int64[np.ndarray, " length"]:
    """The order of an epoch: all numbers below `length`, each once."""
    return generator(seed, ORDER, epoch).permutation(length)

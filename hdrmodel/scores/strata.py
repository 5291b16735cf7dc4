"""Stacks by how much of the input is clipped."""

import numpy as np
from jaxtyping import Float64, Int64

STRATA = ((0.0, 0.01), (0.01, 0.05), (0.05, 0.2), (0.2, 1.0))  # of the input's clipped share: from, to below


def stratum_of(clipped_share: Float64[np.ndarray, " pictures"]) -> Int64[np.ndarray, " pictures"]:
    """The number in STRATA of each input's clipped share [0, 1]; a share on a border belongs to the higher one.

    Raises:
        ValueError: naming a share outside [0, 1].
    """
    for wrong in clipped_share[~((clipped_share >= 0) & (clipped_share <= 1))][:1]:
        raise ValueError(f"clipped share {wrong:g}; expected a number in [0, 1]")
    return np.searchsorted([high for _, high in STRATA[:-1]], clipped_share, side="right").astype(np.int64)


def stratum_label(low: float, high: float) -> str:
    """'0-1 %' of a pair of STRATA."""
    return f"{100 * low:g}-{100 * high:g} %"

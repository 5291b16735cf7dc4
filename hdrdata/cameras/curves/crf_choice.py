"""Choose a few camera responses that stand for many: medoids of k-means clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.cluster.vq import ClusterError, kmeans2

from hdrdata.cameras.crf import CameraResponse, emor_crf
from hdrdata.cameras.crf_files import is_emor, read_dorf, read_emor
from hdrdata.cameras.crf_names import EmorCrf, FileCrf

SAMPLES = 1024  # evenly spaced exposures at which two curves are compared; as many as a DoRF curve has
RESTARTS = 20
ITERATIONS = 100
MOST_DRAWS = 200  # curves drawn of an EMoR model for one that rises


@dataclass(frozen=True)
class Representative:
    """One curve that stands for its cluster."""

    name: str
    response: CameraResponse
    members: tuple[str, ...]  # of the cluster, its own name among them; sorted


def choose_representatives(curves: dict[str, CameraResponse], k: int, seed: int) -> list[Representative]:
    """Cluster curves by k-means and take of each cluster the curve nearest to its mean.

    Distance is the root of the mean squared difference of responses at 1,024 evenly spaced exposures. Of 20 starts by
    k-means++ the one with the least sum of squared distances is kept. The result does not depend on the curves' order.
    DrTMO's five cameras are such representatives of DoRF's 201 curves.

    Returns:
        the largest cluster first.

    Raises:
        ValueError: if there are fewer than `k` different curves.
    """
    names = sorted(curves)
    exposures = np.linspace(0.0, 1.0, SAMPLES)
    responses = np.stack([curves[name](exposures) for name in names])  # (curves, samples)
    different = len(np.unique(responses, axis=0))
    if not 1 <= k <= different:
        raise ValueError(f"k is {k}; expected 1 to {different}, the number of different curves")
    best, labels = np.inf, np.zeros(len(names), dtype=int)
    generator = np.random.default_rng(seed)
    for _ in range(RESTARTS):
        try:
            means, found = kmeans2(responses, k, iter=ITERATIONS, minit="++", missing="raise", rng=generator)
        except ClusterError:  # a cluster lost its last curve: another start
            continue
        inertia = float(((responses - means[found]) ** 2).sum())
        if inertia < best:
            best, labels = inertia, found
    if not np.isfinite(best):
        raise ValueError(
            f"{RESTARTS} starts of k-means found fewer than {k} clusters among {len(names)} curves; expected fewer"
        )
    chosen = []
    for cluster in range(k):
        places = np.flatnonzero(labels == cluster)
        distances = ((responses[places] - responses[places].mean(axis=0)) ** 2).sum(axis=1)
        medoid = names[places[int(np.argmin(distances))]]
        chosen.append(Representative(medoid, curves[medoid], tuple(names[place] for place in places)))
    return sorted(chosen, key=lambda one: (-len(one.members), one.name))


def draw_emor_curves(
    path: Path, spread: Sequence[float], count: int, seed: int
) -> dict[str, tuple[CameraResponse, EmorCrf]]:
    """Draw rising curves f0 + sum of w_n h(n) of an EMoR file, w_n normally distributed about 0.

    The file contains a mean and a basis. `spread` states the deviation of real cameras along each basis curve.

    Args:
        spread: the standard deviation of each weight, for the first curves of the basis; 25 at most.
        count: curves that never fall and stay within [0, 1]; others are drawn again.

    Returns:
        name -> the curve, and the choice by which a recipe names it; weights have four decimals.

    Raises:
        ValueError: if so few of the drawn curves rise that `count` cannot be had.
    """
    model = read_emor(path)
    if not 1 <= len(spread) <= len(model[1]) or min(spread) < 0 or not any(spread):
        raise ValueError(
            f"spread {', '.join(f'{x:g}' for x in spread)}; expected 1 to {len(model[1])} numbers, not all 0"
        )
    generator = np.random.default_rng(seed)
    drawn: dict[str, tuple[CameraResponse, EmorCrf]] = {}
    for _ in range(MOST_DRAWS * count):
        weights = tuple(np.round(generator.normal(0.0, spread), 4).tolist())
        try:
            response = emor_crf(model, weights)
        except ValueError:  # it falls, or leaves [0, 1]: no camera's
            continue
        drawn[response.name] = response, EmorCrf(kind="emor", file=str(path), weights=weights)
        if len(drawn) == count:
            return drawn
    raise ValueError(
        f"{path}: {len(drawn)} of {MOST_DRAWS * count} drawn curves rise; expected {count}: a smaller spread"
    )


def curve_set(path: Path, spread: Sequence[float], count: int, seed: int) -> Mapping[str, tuple[CameraResponse, Any]]:
    """The curves to choose from: those of a DoRF file, or drawn ones of an EMoR file (see `draw_emor_curves`).

    Returns:
        name -> the curve, and the choice by which a recipe names it.

    Raises:
        ValueError: if the file is an EMoR file and `spread` is empty, or a DoRF file and it is not.
    """
    if is_emor(path):
        if not spread:
            raise ValueError(
                f"{path}: an EMoR file holds a mean and a basis, no set of curves to choose from; give the standard "
                "deviation of each weight (--spread), or name one curve in a recipe: {kind: emor, file, weights}"
            )
        return draw_emor_curves(path, spread, count, seed)
    if spread:
        raise ValueError(
            f"{path}: not an EMoR file (its first line is not 'E ='); --spread has no meaning for its curves"
        )
    curves = read_dorf(path)
    return {name: (crf, FileCrf(kind="dorf", file=str(path), curve=name)) for name, crf in curves.items()}

"""Subject of an evaluation: weights of one variant, or files of another program."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from hdrdata.files.disk import sha256_of
from hdrmodel.evaluation.cases import Case, Estimate, estimate_by_merging, estimate_by_network, estimate_by_responses
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.variants import Network, find_variant
from hdrmodel.networks.weights import load_weights, untrained_network
from hdrmodel.scores.methods import METHODS, Kind

Estimates = list[tuple[str, int | None, Estimate]]


@dataclass(frozen=True)
class Subject:
    """Method to measure: its name, what it was trained on, and the function that makes its estimates."""

    name: str
    kind: Kind
    seeds: tuple[int, ...]
    identity: object  # all that its estimates depend on, as JSON
    data: str  # a digest of what it was trained on; "" if that is not known
    network: Network | None  # of the first seed; None: another program's files
    estimate: Callable[[Case], Estimates]


def subject_of_weights(files: dict[int, Path], variant: str | None, config: EvaluateConfig) -> Subject:
    device = choose_device(config.device)
    networks, kinds, identity = {}, [], []
    for seed, file in files.items():
        trained, header = load_weights(file)
        name = trained.config.variant
        variant = variant or name
        if name != variant:
            raise ValueError(f"{file}: weights of the variant '{name}'; expected '{variant}'")
        kinds.append((trained.config, header.get("data", "")))
        if kinds[-1] != kinds[0]:
            raise ValueError(f"{file}: another network or other data than {next(iter(files.values()))}")
        identity.append([seed, sha256_of(file)])
        untrained = untrained_network(trained.config, seed).eval()
        networks[seed] = {"network": trained.to(device), "step0": untrained.to(device)}

    def estimate(case: Case) -> Estimates:
        estimates = []
        for seed, pair in networks.items():
            estimates += _estimates(case, pair["network"], seed, device)
            before = estimate_by_network(case, pair["step0"], device)
            estimates.append(("step0", seed, Estimate(before.stack, before.radiance)))
        return estimates

    first = next(iter(networks.values()))["network"]
    name = first.config.variant
    kind = "attention" if find_variant(name).reads == "exposures" else "baseline"
    return Subject(name, kind, tuple(files), identity, kinds[0][1], first, estimate)


def subject_of_release(weights: Path, config: EvaluateConfig) -> Subject:
    """Return the shipped weights as a subject without seeds, whose training data are other scenes."""
    device = choose_device(config.device)
    network, header = load_weights(weights)
    network = network.to(device)

    def estimate(case: Case) -> Estimates:
        return _estimates(case, network, None, device)

    return Subject("release", "release", (), sha256_of(weights), header.get("data", ""), network, estimate)


def _estimates(case: Case, network: Network, seed: int | None, device: torch.device) -> Estimates:
    """Return the estimates of a trained network: by each camera response that it assumes, and by classical merges."""
    made = estimate_by_responses(case, network, device)
    estimates = [("network", seed, Estimate(made["known"].stack, made["known"].radiance))]
    for name, method in METHODS.items():
        if method.role == "unknown":
            one = made[method.response]
            generates = one.merged is not None  # the stack of "network", whatever the response
            estimates.append((name, seed, Estimate(None if generates else one.stack, one.radiance)))
    return estimates + [(method, seed, one) for method, one in estimate_by_merging(made["known"]).items()]

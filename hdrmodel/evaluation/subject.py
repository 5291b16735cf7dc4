"""What is evaluated: weights of one variant, or files of another program."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hdrdata.files.disk import sha256_of
from hdrmodel.evaluation.cases import Case, Estimate, estimate_by_cameras, estimate_by_merging, estimate_by_network
from hdrmodel.evaluation.config import EvaluateConfig
from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.variants import Network, find_variant
from hdrmodel.networks.weights import load_weights, untrained_network

Estimates = list[tuple[str, int | None, Estimate]]


@dataclass(frozen=True)
class Subject:
    """What is measured: how it makes its estimates, and what the scores are told to be of."""

    name: str
    kind: str  # "attention", "baseline" or "predictions"
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
            raise ValueError(f"{file}: weights of the variant '{name}'; wanted '{variant}'")
        kinds.append((trained.config, header.get("data", "")))
        if kinds[-1] != kinds[0]:
            raise ValueError(f"{file}: another network or other data than {next(iter(files.values()))}")
        identity.append([seed, sha256_of(file)])
        untrained = untrained_network(trained.config, seed).eval()
        networks[seed] = {"network": trained.to(device), "step0": untrained.to(device)}

    def estimate(case: Case) -> Estimates:
        estimates = []
        for seed, pair in networks.items():
            made, srgb, auto = estimate_by_cameras(case, pair["network"], device)
            before = estimate_by_network(case, pair["step0"], device)
            estimates.append(("network", seed, Estimate(made.stack, made.radiance)))
            for method, one in (("network_srgb", srgb), ("network_auto", auto)):
                generates = one.merged is not None  # whatever the camera: the stack of "network"
                estimates.append((method, seed, Estimate(None if generates else one.stack, one.radiance)))
            estimates += [(method, seed, one) for method, one in estimate_by_merging(made).items()]
            estimates.append(("step0", seed, Estimate(before.stack, before.radiance)))
        return estimates

    first = next(iter(networks.values()))["network"]
    kind = "attention" if find_variant(variant).reads == "exposures" else "baseline"
    return Subject(variant, kind, tuple(files), identity, kinds[0][1], first, estimate)

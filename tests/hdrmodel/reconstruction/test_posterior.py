from typing import get_args

import numpy as np
import pytest

from hdrdata.cameras.crf import Levels
from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.curves.file_kinds import ANY_CAMERA, UNKNOWN_DEVICE, Device
from hdrdata.cameras.measured import measured_curves
from hdrmodel.reconstruction.posterior import (
    PRIORS,
    SHRINKAGE,
    Evidence,
    candidates_of,
    middles_of,
    posterior_of,
)
from hdrmodel.reconstruction.response import estimate_response, estimate_shared

NOTHING = Evidence(np.zeros(253), np.zeros(253))


def mean_stops(evidences, candidates):
    return posterior_of(evidences, candidates) @ candidates.stops


def evidence_for(name: str, made: Levels = "round255", count: int = 300, error: float = 0.0) -> Evidence:
    """Predictions as a network makes them, shrunk towards the mean curve of unknown cameras."""
    true = np.log2(np.maximum(named_crfs()[name].inverse(middles_of(made)), 2.0**-14))
    mean = candidates_of("other", made).mean
    return Evidence(np.full(253, float(count)), mean + SHRINKAGE * (true - mean) + error)


def shares_of(evidences, candidates) -> dict[str, float]:
    """The posterior probability of each group of candidates."""
    posterior = posterior_of(evidences, candidates)
    return {group: posterior[np.array(candidates.groups) == group].sum() for group in dict.fromkeys(candidates.groups)}


@pytest.mark.parametrize("kind", PRIORS)
@pytest.mark.parametrize("name", ["srgb", "camera", "phone"])
def test_evidence_for_a_curve_leads_to_it_whatever_the_prior(kind, name):
    true = named_crfs()[name].inverse(middles_of("round255"))
    candidates = candidates_of(kind, "round255")
    before, one, eight = (
        float(np.sqrt(np.mean((np.exp2(mean_stops([evidence_for(name)] * count, candidates)) - true) ** 2)))
        for count in (0, 1, 8)
    )
    assert one < max(1.1 * before, 0.03) and eight < 0.05


@pytest.mark.parametrize("made", get_args(Levels))
def test_every_prior_sums_to_one_and_every_candidate_rises(made):
    for kind in PRIORS:
        candidates = candidates_of(kind, made)
        assert candidates.prior.sum() == pytest.approx(1)
        assert (np.diff(candidates.stops) >= 0).all() and candidates.stops.max() < 0


def test_without_evidence_the_prior_decides():
    for kind, group in (("camera", "camera"), ("phone", "phone"), ("rendering", "srgb")):
        candidates = candidates_of(kind, "round255")
        assert posterior_of([NOTHING], candidates) == pytest.approx(candidates.prior)
        shares = shares_of([NOTHING], candidates)
        assert max(shares, key=shares.__getitem__) == group


def test_more_photographs_of_one_camera_make_the_estimate_more_certain():
    candidates = candidates_of("other", "round255")
    errors = (0.25, -0.25, 0.15, -0.15)  # of the network, independent between photographs
    shares = [
        shares_of([evidence_for("srgb", error=error) for error in errors[:count]], candidates)["srgb"]
        for count in (0, 2, 4)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_the_own_curve_of_a_measured_model_has_half_of_the_prior():
    device = Device("camera", "NIKON D90")
    estimated = estimate_shared([NOTHING], "round255", device).inverse(middles_of("round255"))
    own = np.exp2(measured_curves()["NIKON D90"][:253])
    other = estimate_shared([NOTHING], "round255", Device("camera")).inverse(middles_of("round255"))
    assert np.abs(np.log2(estimated / own))[20:].max() < np.abs(np.log2(other / own))[20:].max()
    assert candidates_of("camera", "round255", "NIKON D90").prior[-1] == 0.5


@pytest.mark.parametrize("made", get_args(Levels))
def test_srgb_is_recognised_and_is_then_srgb_itself(made):
    for device, evidence, name in (
        (UNKNOWN_DEVICE, evidence_for("srgb", made), "srgb"),
        (UNKNOWN_DEVICE, evidence_for("camera", made), "estimated"),
        (Device("camera"), evidence_for("camera", made), "estimated"),
        (UNKNOWN_DEVICE, NOTHING, "srgb"),  # its prior
        (Device("phone"), NOTHING, "estimated"),
    ):
        found = estimate_shared([evidence], made, device)
        assert (found.name, found.levels) == (name, made), device


def test_held_out_models_are_no_candidates():
    few = candidates_of("camera", "round255", None, ("NIKON D90", "Sony D6503"))
    every = candidates_of("camera", "round255")
    assert len(few.prior) == len(every.prior) and not np.array_equal(few.mean, every.mean)


@pytest.mark.parametrize("made", get_args(Levels))
def test_an_estimated_response_rises_from_black_to_white(made):
    ldr = (np.random.default_rng(0).integers(0, 256, (9, 9, 3)) / 255).astype(np.float32)
    response = estimate_response(ldr, ldr > 2, ldr * 9 - 12, made, ANY_CAMERA)
    assert response.levels == made and response.inverse(np.array([0, 1])) == pytest.approx([0, 1])
    assert (np.diff(response.inverse(middles_of(made))) > 0).all()
    white = estimate_response(ldr, ldr >= 0, ldr, made, ANY_CAMERA)  # everything is clipped: no evidence
    prior = estimate_shared([], made)
    assert white.inverse(middles_of(made)) == pytest.approx(prior.inverse(middles_of(made)))

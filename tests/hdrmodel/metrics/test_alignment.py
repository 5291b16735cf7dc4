import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_files import shared_file

from hdrmodel.metrics.absolute import psnr_pu21, psnr_pu21_luminance, ssim_pu21
from hdrmodel.metrics.alignment import (
    ALIGNMENTS,
    align_crf,
    align_gain,
    align_none,
    find_alignment,
    fit_luminance,
    join_chroma,
    pq_decode,
    pq_encode,
    rgb_to_xyz,
    split_chroma,
    xyz_to_rgb,
)


def picture(seed, shape=(6, 7, 3)):
    """A picture of a few stops around 20 cd/m^2."""
    return 20 * 2.0 ** np.random.default_rng(seed).normal(size=shape)


def everywhere(shape=(6, 7, 3)):
    return np.ones(shape, dtype=bool)


def as_batch(array):
    return torch.from_numpy(array).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def golden():
    """A pair of absolute pictures; values of it are from Hanji et al.'s program (metrics.md section 4)."""
    with np.load(shared_file("golden/pair.npz")) as pair:
        return pair["test"], pair["ref"]


@pytest.fixture(scope="module")
def corrected(golden):
    test, reference = golden
    return align_crf(test, reference, everywhere(test.shape))


@pytest.mark.parametrize(
    ("metric", "value", "tolerance"),
    [(psnr_pu21, 43.9763654828, 1e-9), (psnr_pu21_luminance, 48.17745883, 1e-8), (ssim_pu21, 0.99884107, 1e-8)],
)
def test_the_golden_pair_after_crf_correction(golden, corrected, metric, value, tolerance):
    _, reference = golden
    assert metric(as_batch(corrected), as_batch(reference)).item() == pytest.approx(value, abs=tolerance)


def test_the_golden_pair_s_corrected_pixels(corrected):
    assert corrected.mean() == pytest.approx(47.5140636941, abs=1e-9)
    assert corrected[9, 19] == pytest.approx([279.03267255, 252.09473137, 216.26340342], abs=1e-7)
    assert corrected[29, 49] == pytest.approx([95.45054804, 77.56076233, 73.34510794], abs=1e-7)


def test_the_golden_pair_s_luminance_weights(golden):
    test, reference = (pq_encode(split_chroma(rgb_to_xyz(image.reshape(-1, 3)))[0]) for image in golden)
    weights = [-0.6863929079, 0.9874430969, 0.8113372931, -0.02529246395]
    assert fit_luminance(test, reference) == pytest.approx(weights, abs=1e-8)


@given(seed=st.integers(0, 99), gain=st.floats(1e-3, 1e3))
def test_gain_undoes_a_factor(seed, gain):
    reference = picture(seed)
    assert align_gain(gain * reference, reference, everywhere()) == pytest.approx(reference)


def test_gain_does_not_look_at_what_the_input_clipped():
    reference, estimate, unclipped = picture(0), picture(0) / 3, everywhere()
    estimate[2, 3, 1], unclipped[2, 3, 1] = 1e6, False
    aligned = align_gain(estimate, reference, unclipped)
    assert aligned[unclipped] == pytest.approx(reference[unclipped])
    assert aligned[2, 3, 1] == pytest.approx(3e6)


def test_gain_is_least_squares():
    estimate, reference = np.array([[[1.0, 2.0, 2.0]]]), np.array([[[3.0, 3.0, 6.0]]])
    aligned = align_gain(estimate, reference, everywhere((1, 1, 3)))
    assert aligned[0, 0] == pytest.approx(np.array([1, 2, 2]) * 21 / 9)  # (3 + 6 + 12) / (1 + 4 + 4)


def test_gain_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no gain: all 0 unclipped samples"):
        align_gain(picture(0), picture(1), ~everywhere())
    with pytest.raises(ValueError, match="no gain: all 126 unclipped samples"):
        align_gain(np.zeros((6, 7, 3)), picture(1), everywhere())


@given(seed=st.integers(0, 99))
def test_the_crf_alignment_leaves_a_perfect_estimate(seed):
    reference = picture(seed, (16, 16, 3))
    assert align_crf(reference, reference, everywhere((16, 16, 3))) == pytest.approx(reference, rel=1e-6)


@settings(max_examples=25)
@given(seed=st.integers(0, 99), exponent=st.floats(0.5, 2), gain=st.floats(0.05, 20))
def test_the_crf_alignment_brings_a_wrong_response_nearer(seed, exponent, gain):
    reference = picture(seed, (16, 16, 3))
    estimate = gain * 20 * (reference / 20) ** exponent
    aligned = align_crf(estimate, reference, everywhere((16, 16, 3)))
    before, after = (psnr_pu21_luminance(as_batch(a), as_batch(reference)).item() for a in (estimate, aligned))
    assert after > min(before - 0.1, 40)


@given(estimate=st.integers(0, 99), reference=st.integers(0, 99), stops=st.floats(0, 20))
def test_the_crf_alignment_is_finite_for_any_estimate(estimate, reference, stops):
    wild = picture(estimate) ** (1 + stops / 4)
    aligned = align_crf(wild, picture(reference), everywhere())
    assert np.isfinite(aligned).all() and (aligned >= 0).all()


def test_the_crf_alignment_bears_black_and_flat_pictures():
    black, flat = np.zeros((4, 4, 3)), np.full((4, 4, 3), 20.0)
    for estimate, reference in ((black, flat), (flat, black), (flat, flat)):
        aligned = align_crf(estimate, reference, everywhere((4, 4, 3)))
        assert aligned == pytest.approx(np.maximum(reference, 0.005), rel=0.05)


@given(st.floats(1e-4, 1e8))
def test_pq_decodes_what_it_encoded(luminance):
    assert pq_decode(pq_encode(np.array([luminance]))) == pytest.approx(luminance, rel=1e-6)


def test_chroma_and_xyz_go_back_to_the_same_colours():
    rgb = picture(3).reshape(-1, 3)
    assert xyz_to_rgb(join_chroma(*split_chroma(rgb_to_xyz(rgb)))) == pytest.approx(rgb)


def test_white_has_the_chroma_of_d65():
    _, chroma = split_chroma(rgb_to_xyz(np.ones((1, 3))))
    assert chroma[0] * 255 / 410 == pytest.approx([0.1978, 0.4683], abs=1e-3)  # CIE 1976 u', v' of D65


def test_none_changes_nothing():
    estimate = picture(0)
    assert align_none(estimate, picture(1), everywhere()) is estimate


@pytest.mark.parametrize("align", ALIGNMENTS.values())
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_value_that_is_no_light_is_refused_by_name(align, value):
    wrong = picture(0)
    wrong[1, 2, 0] = value
    with pytest.raises(ValueError, match=rf"the estimate must be finite and not negative, got {value}"):
        align(wrong, picture(1), everywhere())
    with pytest.raises(ValueError, match=rf"the reference must be finite and not negative, got {value}"):
        align(picture(1), wrong, everywhere())


def test_an_unknown_alignment_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'affine'.*none.*gain.*crf"):
        find_alignment("affine")

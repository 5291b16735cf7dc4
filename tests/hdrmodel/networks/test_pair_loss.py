import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck

from hdrmodel.networks.hdr_attnet import PairPrediction, soft_mask
from hdrmodel.networks.pair_loss import (
    LossWeights,
    PairLoss,
    find_norm,
    light_loss,
    perceptual_loss,
    reconstruction_loss,
    representation_loss,
    total_variation_loss,
)

PAPER = LossWeights(reconstruction=100.0, representation=1.0, perceptual=0.1, total_variation=1e-5)
NO_TRUNK = LossWeights(reconstruction=100.0, representation=1.0, perceptual=0.0, total_variation=1e-5)
ONE = torch.ones(1)


def gray(*rows):
    """One picture whose three channels all hold the given rows."""
    return torch.tensor(rows)[None, None].expand(1, 3, -1, -1)


def pictures(seed):
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def double_for_float(monkeypatch):
    """Let the losses compare in float64 where they ask for float32, for gradient checks."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def off_the_kinks(count, height=2, width=3):
    """Pictures in float64, [0.1, 0.9], of which no two values are equal: no difference is where an L1 norm bends.

    Neighbours in value are 0.8 / (their number) apart, a thousand times a step of gradcheck.
    """
    values = torch.linspace(0.1, 0.9, count * 2 * 3 * height * width, dtype=torch.float64)
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(0))
    return values[order].reshape(count, 2, 3, height, width).unbind()


class TwoStages(nn.Module):
    """A trunk to work out by hand: the picture's red, and ten times its green and blue at half the height."""

    def forward(self, ldr):
        return [ldr[:, :1], 10 * ldr[:, 1:, ::2]]


class SmoothStages(nn.Module):
    """A trunk that is not linear and bends nowhere."""

    def forward(self, ldr):
        first = ldr.square().sum(dim=1, keepdim=True)
        return [first, torch.cat([ldr, first], dim=1).exp()[..., ::2]]


def test_reconstruction_is_a_mean_over_all_elements_masked_or_not():
    prediction, target = gray([0.5, 0.9]), gray([0.7, 0.5])
    mask = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2)
    assert reconstruction_loss(prediction, target, mask, "l1").item() == pytest.approx(0.1)  # (0.2 + 0) / 2
    assert reconstruction_loss(prediction, target, mask, "l2").item() == pytest.approx(0.02)  # (0.04 + 0) / 2


def test_the_mask_weighs_the_difference_before_it_is_squared():
    mask = torch.full((1, 1, 1, 1), 0.5)
    assert reconstruction_loss(gray([0.6]), gray([0.2]), mask, "l2").item() == pytest.approx(0.04)  # (0.5 * 0.4)^2


def test_representation_compares_logarithms_at_both_exposures():
    shorter, longer, ratio = gray([0.1]), gray([0.2]), torch.tensor([4.0])
    epsilon = 1 / 255
    upward = math.log((0.4 + epsilon) / (0.2 + epsilon))
    downward = math.log((0.05 + epsilon) / (0.1 + epsilon))
    assert representation_loss(shorter, longer, ratio, "l1").item() == pytest.approx(abs(upward) + abs(downward))
    assert representation_loss(shorter, longer, ratio, "l2").item() == pytest.approx(upward**2 + downward**2)


@given(st.floats(1, 16), st.floats(0.01, 0.1))
def test_representation_vanishes_where_the_exposures_differ_by_their_ratio(ratio, exposure):
    loss = representation_loss(gray([exposure]), gray([exposure * ratio]), torch.tensor([ratio]), "l1")
    assert loss.item() == pytest.approx(0, abs=1e-5)


def test_representation_teaches_both_sides():
    shorter, longer = pictures(0).requires_grad_(), pictures(1).requires_grad_()
    representation_loss(shorter, longer, torch.tensor([1.0, 2.0]), "l1").backward()
    assert (shorter.grad != 0).all() and (longer.grad != 0).all()


def test_perceptual_sums_channels_and_averages_places():
    prediction = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]).reshape(1, 3, 2, 1)
    target = torch.zeros_like(prediction)
    mask = torch.ones(1, 1, 2, 1)
    # red: (0.1 + 0.2) / 2; green: 10 * 0.3 and blue: 10 * 0.5, one place each
    assert perceptual_loss(prediction, target, mask, TwoStages(), "l1").item() == pytest.approx(0.15 + 3 + 5)
    assert perceptual_loss(prediction, target, mask, TwoStages(), "l2").item() == pytest.approx(0.025 + 9 + 25)


def test_perceptual_does_not_see_what_is_masked():
    mask = torch.zeros(2, 1, 8, 8)
    assert perceptual_loss(pictures(0), pictures(1), mask, TwoStages(), "l1").item() == 0


def test_perceptual_teaches_the_prediction_alone():
    prediction, target = pictures(0).requires_grad_(), pictures(1).requires_grad_()
    perceptual_loss(prediction, target, torch.ones(2, 1, 8, 8), TwoStages(), "l1").backward()
    assert prediction.grad.abs().sum() > 0
    assert target.grad is None


def test_total_variation_is_a_sum_over_the_picture_and_a_mean_over_the_batch():
    steps = gray([0.0, 1.0], [0.5, 0.5])  # down: 0.5 + 0.5, right: 1 + 0, three channels
    flat = gray([0.3, 0.3], [0.3, 0.3])
    assert total_variation_loss(steps).item() == pytest.approx(6.0)
    assert total_variation_loss(torch.cat([steps, flat])).item() == pytest.approx(3.0)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_gradients_of_reconstruction_are_those_of_small_steps(norm):
    prediction, target, mask = off_the_kinks(3)
    x = prediction.requires_grad_()
    assert gradcheck(lambda x: reconstruction_loss(x, target, mask[:, :1], norm), (x,))


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_gradients_of_representation_are_those_of_small_steps(norm):
    shorter, longer = off_the_kinks(2)
    ratio = torch.tensor([1.0, 3.7], dtype=torch.float64)
    assert (shorter * ratio[:, None, None, None] - longer).abs().min() > 1e-4
    both = (shorter.requires_grad_(), longer.requires_grad_())
    assert gradcheck(lambda shorter, longer: representation_loss(shorter, longer, ratio, norm), both)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_gradients_of_perceptual_are_those_of_small_steps(norm, double_for_float):
    prediction, target, mask = off_the_kinks(3)
    x = prediction.requires_grad_()
    assert gradcheck(lambda x: perceptual_loss(x, target, mask[:, :1], SmoothStages(), norm), (x,))


def test_the_gradients_of_total_variation_are_those_of_small_steps():
    (x,) = off_the_kinks(1)
    assert gradcheck(total_variation_loss, (x.requires_grad_(),))


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_gradients_of_the_pair_loss_are_those_of_small_steps(norm, double_for_float):
    *predicted, shorter, longer = off_the_kinks(6)
    ratio = torch.tensor([1.0, 3.7], dtype=torch.float64)
    assert (predicted[0] * ratio[:, None, None, None] - predicted[1]).abs().min() > 1e-4
    loss = PairLoss(LossWeights(*[1.0] * 4), norm, SmoothStages())  # of equal weight: none hides another
    assert gradcheck(
        lambda *predicted: loss(PairPrediction(*predicted), shorter, longer, ratio)[0],
        tuple(pictures.requires_grad_() for pictures in predicted),
    )


def test_the_term_light_weighs_clipped_values_and_the_others_each_by_their_number():
    stops = torch.full((2, 3, 2, 2), -1.0)
    stops[:, 0, 0, 0] = 7.0  # one of twelve values; it counts as 4 stops
    clipped = stops > 0
    exposure = torch.where(clipped, 4.0, 2**-1.5)
    others = 0.5 * (math.log2(2**-1 + 2**-8) - math.log2(2**-1.5 + 2**-8)) ** 2  # smooth L1 below one stop
    far = math.log2(16 + 2**-8) - math.log2(4 + 2**-8) - 0.5  # and above
    assert light_loss(exposure, stops, clipped).item() == pytest.approx(far + others)
    assert light_loss(torch.where(clipped, 16.0, 0.5), stops, clipped).item() == 0


def test_the_term_light_of_a_pair_is_that_of_both_its_pictures():
    x1, x2, shorter, longer = pictures(0), 3 * pictures(1), pictures(2), pictures(3).round()
    ratio, stops = torch.tensor([1.0, 8.0]), 6 * pictures(4) - 4
    weights = LossWeights(0.0, 0.0, 0.0, 0.0, light=2.0)
    made = PairPrediction(x1, x2, shorter, longer)
    total, terms = PairLoss(weights, "l1", None)(made, shorter, longer, ratio, stops)
    longer_stops = stops + torch.tensor([0.0, 3.0])[:, None, None, None]
    expected = light_loss(x1, stops, shorter >= 254 / 255) + light_loss(x2, longer_stops, longer >= 254 / 255)
    assert terms["light"].item() == pytest.approx(expected.item()) and total.item() == 2 * terms["light"].item()
    assert terms.keys() == {"reconstruction", "representation", "total_variation", "light"}


def test_gradients_of_the_term_light_are_finite_where_x_is_black():
    exposure = torch.zeros(1, 3, 2, 2, requires_grad=True)
    light_loss(exposure, torch.full((1, 3, 2, 2), 5.0), torch.ones(1, 3, 2, 2, dtype=torch.bool)).backward()
    assert exposure.grad.isfinite().all() and (exposure.grad < 0).all()


@given(st.sampled_from(["l1", "l2"]), st.integers(0, 100))
def test_a_perfect_prediction_costs_nothing_but_its_own_variation(norm, seed):
    shorter = pictures(seed)
    predicted = PairPrediction(shorter, shorter, shorter, shorter)
    total, terms = PairLoss(PAPER, norm, TwoStages())(predicted, shorter, shorter, torch.ones(2))
    assert terms["reconstruction"] == terms["representation"] == terms["perceptual"] == 0
    assert total.item() == pytest.approx(1e-5 * 2 * total_variation_loss(shorter).item())


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_pair_loss_is_the_weighted_sum_over_both_directions(norm):
    x1, x2, hat1, hat2, shorter, longer = (pictures(seed) for seed in range(6))
    ratio, trunk = torch.tensor([1.0, 4.0]), TwoStages()
    m1, m2 = soft_mask(shorter), soft_mask(longer)
    expected = {
        "reconstruction": reconstruction_loss(hat1, shorter, m1, norm) + reconstruction_loss(hat2, longer, m2, norm),
        "representation": representation_loss(x1, x2, ratio, norm),
        "perceptual": perceptual_loss(hat1, shorter, m1, trunk, norm) + perceptual_loss(hat2, longer, m2, trunk, norm),
        "total_variation": total_variation_loss(hat1) + total_variation_loss(hat2),
    }
    total, terms = PairLoss(PAPER, norm, trunk)(PairPrediction(x1, x2, hat1, hat2), shorter, longer, ratio)
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value.item()), name
    weighted = 100 * expected["reconstruction"] + expected["representation"]
    weighted += 0.1 * expected["perceptual"] + 1e-5 * expected["total_variation"]
    assert total.item() == pytest.approx(weighted.item())


def test_half_precision_predictions_are_compared_in_single_precision():
    large = torch.zeros(1, 3, 256, 256)
    large[..., ::2] = 1  # a total variation of 3 * 256 * 255, three times what a half can hold
    half = large.half()
    loss = PairLoss(NO_TRUNK, "l1", None)
    total, terms = loss(PairPrediction(half, half, half, half), large, large, ONE)
    assert terms["total_variation"].item() == 2 * 3 * 256 * 255
    assert total.isfinite()


def test_a_perceptual_weight_of_zero_does_without_a_trunk():
    x = pictures(0)
    loss = PairLoss(NO_TRUNK, "l1", None)
    _, terms = loss(PairPrediction(x, x, x, x), x, x, torch.ones(2))
    assert "perceptual" not in terms


def test_a_perceptual_weight_without_a_trunk_is_refused():
    with pytest.raises(ValueError, match=r"perceptual weight of 0\.1 needs a trunk"):
        PairLoss(PAPER, "l1", None)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_an_impossible_weight_is_refused_by_name(weight):
    with pytest.raises(ValueError, match=rf"weight of perceptual .* got {weight}"):
        LossWeights(reconstruction=1.0, representation=1.0, perceptual=weight, total_variation=1.0)


def test_an_unknown_norm_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'l3'.*l1.*l2"):
        find_norm("l3")

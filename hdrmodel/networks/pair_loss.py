"""The four losses of HDR-AttNet, one more on the light itself, and their sum over both directions of a pair.

Renk and Ciftci, "Single-Image HDR Reconstruction with Attention-Driven Autoencoder", 2025, equations 12 to 15.
Reductions, and which weight goes with which term, follow the program of Le, Le, Nguyen and Hua, WACV 2023, on which the
paper builds. The paper's own order would give the total variation, a sum over all pixels, a weight of 0.1, and it would
drown the other terms. The term `light` is this project's own.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn

from hdrdata.cameras.exposure import WHITE
from hdrdata.config import Section
from hdrmodel.networks.hdr_attnet import PairPrediction, Pictures, Ratios, soft_mask
from hdrmodel.networks.trunks import load_trunk

Scalar = Float[Tensor, ""]
Mask = Float[Tensor, "batch 1 height width"]
MOST_STOPS = 4.0  # above what saturates; light beyond counts as no more
DARKEST = 2.0**-8  # of what saturates: an 8-bit level is no finer
NORMS: dict[str, Callable[[Tensor], Tensor]] = {"l1": torch.abs, "l2": torch.square}


def find_norm(name: str) -> Callable[[Tensor], Tensor]:
    """Look up by its name in `NORMS` what the losses do to each difference; an unknown name raises ValueError."""
    if name not in NORMS:
        raise ValueError(f"unknown norm {name!r}; known are {list(NORMS)}")
    return NORMS[name]


@dataclass(frozen=True)
class LossWeights:
    """The factor of each term; 0 switches a term off. The paper: 100, 1, 0.1, 1e-5 and no term of light."""

    reconstruction: float
    representation: float
    perceptual: float
    total_variation: float
    light: float = 0.0

    def __post_init__(self):
        for term, weight in asdict(self).items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"the weight of {term} must be finite and not negative, got {weight}")


def reconstruction_loss(prediction: Pictures, target: Pictures, mask: Mask, norm: str) -> Scalar:
    """Compare pictures where the target is well exposed, equation 12: mean of |(prediction - target) mask|.

    The mean runs over all elements; it is not divided by the mask's area.

    Args:
        prediction: LDR, [0, 1].
        target: LDR, [0, 1].
        mask: `soft_mask` of the target.
        norm: "l1", or "l2" for squares.
    """
    return find_norm(norm)((prediction - target) * mask).mean()


def representation_loss(exposure_shorter: Pictures, exposure_longer: Pictures, ratio: Ratios, norm: str) -> Scalar:
    """Compare the two sensor exposures of a pair, equation 15 with the ratio that equations 3 and 4 imply.

    mean |log(X1 r + 1/255) - log(X2 + 1/255)| + mean |log(X2 / r + 1/255) - log(X1 + 1/255)|: one term for each
    direction. Nothing is masked, and both sides learn.

    Args:
        exposure_shorter: X1, linear, >= 0.
        exposure_longer: X2, linear, >= 0.
        ratio: r = t2 / t1, >= 1.
        norm: "l1", or "l2" for squares.
    """
    distance = find_norm(norm)
    factor = ratio[:, None, None, None]
    upward = _log_exposure(exposure_shorter * factor) - _log_exposure(exposure_longer)
    downward = _log_exposure(exposure_longer / factor) - _log_exposure(exposure_shorter)
    return distance(upward).mean() + distance(downward).mean()


def perceptual_loss(prediction: Pictures, target: Pictures, mask: Mask, trunk: nn.Module, norm: str) -> Scalar:
    """Compare the features of masked pictures, equation 13.

    |features(prediction mask) - features(target mask)|, averaged over height and width, summed over the channels of all
    stages of the trunk, mean over the batch.

    Args:
        prediction: LDR, [0, 1].
        target: LDR, [0, 1]; no gradient flows into it.
        mask: `soft_mask` of the target.
        trunk: from LDR pictures to features, as `hdrmodel.networks.trunks.load_trunk` gives it.
        norm: "l1", or "l2" for squares.
    """
    distance = find_norm(norm)
    with torch.no_grad():
        wanted = trunk(target * mask)
    pairs = zip(trunk(prediction * mask), wanted, strict=True)
    stages = [distance(got.float() - want.float()).mean(dim=(2, 3)) for got, want in pairs]  # (batch, channels) each
    return torch.cat(stages, dim=1).sum(dim=1).mean()


def total_variation_loss(prediction: Pictures) -> Scalar:
    """Sum the absolute differences between neighbours, equation 14, mean over the batch.

    sum_chw |I(i+1, j) - I(i, j)| + |I(i, j+1) - I(i, j)|; the paper prints the second difference without its I(i, j+1).
    """
    down = prediction.diff(dim=2).abs().sum(dim=(1, 2, 3))  # (batch,)
    right = prediction.diff(dim=3).abs().sum(dim=(1, 2, 3))  # (batch,)
    return (down + right).mean()


def light_loss(exposure: Pictures, stops: Pictures, clipped: Bool[Tensor, "batch 3 height width"]) -> Scalar:
    """Compare the sensor exposure with the light that a picture shows: smooth L1 (beta 1 stop) in log2.

    The mean over the clipped values plus the mean over the others, each of one picture, so that the few that clip count
    as much as the many others; then the mean over the pictures. Light above 16 times what saturates
    counts as 16 times, and 2^-8 is added to both sides.

    Args:
        exposure: X, linear, >= 0.
        stops: log2 of the light; 0 is what saturates the picture.
        clipped: the values of the picture that saturate.
    """
    target = torch.where(clipped, stops.clamp(0.0, MOST_STOPS), stops.clamp(max=MOST_STOPS))
    distance = F.smooth_l1_loss((exposure + DARKEST).log2(), (target.exp2() + DARKEST).log2(), reduction="none")
    means = [(distance * part).sum((1, 2, 3)) / part.sum((1, 2, 3)).clamp(min=1) for part in (clipped, ~clipped)]
    return torch.stack(means).sum(dim=0).mean()


class LossConfig(Section):
    """Weights and forms of HDR-AttNet's losses; other networks have the loss of their paper and read none of this."""

    reconstruction: NonNegativeFloat
    representation: NonNegativeFloat
    perceptual: NonNegativeFloat
    total_variation: NonNegativeFloat
    light: NonNegativeFloat  # this project's own; it needs train.light
    norm: Literal["l1", "l2"]
    trunk: str  # a name in TRUNKS; read only if the perceptual term has a weight
    trunk_file: str | None  # a local state dict for it
    trunk_window: Annotated[int, Field(ge=16)] | None  # pixels of each crop's middle; null: the whole crop


def make_pair_loss(config: LossConfig) -> "PairLoss":
    """Return HDR-AttNet's loss; its `pretrained` names the trunk of the perceptual term and the trunk's SHA-256."""
    weights = LossWeights(
        config.reconstruction, config.representation, config.perceptual, config.total_variation, config.light
    )
    if weights.perceptual == 0:
        return PairLoss(weights, config.norm, None)
    trunk, sha256 = load_trunk(config.trunk, Path(config.trunk_file) if config.trunk_file else None)
    loss = PairLoss(weights, config.norm, trunk, config.trunk_window)
    loss.pretrained = {"name": config.trunk, "sha256": sha256}
    return loss


class PairLoss(nn.Module):
    """The weighted sum of the losses over both directions of a pair.

    Args:
        weights: the factor of each term.
        norm: "l1" or "l2", for the three terms that compare; the total variation is always absolute.
        trunk: features for the perceptual term; None where its weight is 0.
        window: pixels; the perceptual term compares the middle of each picture, this high and wide, instead of all of
            it. Most of a step's time on a CPU is the trunk's.

    Raises:
        ValueError: if the norm is unknown, or the perceptual term has a weight and no trunk.
    """

    pretrained: dict[str, str] | None = None  # name and SHA-256 of the trunk, where it was loaded from a file

    def __init__(self, weights: LossWeights, norm: str, trunk: nn.Module | None, window: int | None = None):
        super().__init__()
        find_norm(norm)
        if weights.perceptual > 0 and trunk is None:
            raise ValueError(
                f"a perceptual weight of {weights.perceptual} needs a trunk; expected one, or a weight of 0"
            )
        self.weights = weights
        self.norm = norm
        self.trunk = trunk if weights.perceptual > 0 else None
        self.window = window

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the terms that `forward` gives."""
        names = (field.name for field in fields(LossWeights))
        absent = {"perceptual": self.trunk is None, "light": self.weights.light == 0}
        return tuple(name for name in names if not absent.get(name, False))

    def forward(
        self,
        predicted: PairPrediction,
        shorter: Pictures,
        longer: Pictures,
        ratio: Ratios,
        stops: Pictures | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """Compare what `PairNetwork` made of a pair with the pair, in float32.

        Args:
            predicted: both sensor exposures, and each picture from the other.
            shorter: LDR pictures I1, [0, 1].
            longer: LDR pictures I2, [0, 1].
            ratio: r = t2 / t1, >= 1.
            stops: log2 of the light of the shorter exposure, where 0 is what saturates it; for the term `light`.

        Returns:
            The weighted sum, and each term before its weight, summed over both directions; without "perceptual" and
            "light" where their weight is 0.
        """
        predicted = PairPrediction(*(pictures.float() for pictures in predicted))
        # Both directions as one batch, which is faster; a sum of two means is twice the mean over both.
        prediction = torch.cat([predicted.ldr_shorter, predicted.ldr_longer])
        target = torch.cat([shorter, longer])
        mask = soft_mask(target)
        terms = {
            "reconstruction": 2 * reconstruction_loss(prediction, target, mask, self.norm),
            "representation": representation_loss(
                predicted.exposure_shorter, predicted.exposure_longer, ratio, self.norm
            ),
            "total_variation": 2 * total_variation_loss(prediction),
        }
        if self.trunk is not None:
            p, t, m = (middle(pictures, self.window) for pictures in (prediction, target, mask))
            terms["perceptual"] = 2 * perceptual_loss(p, t, m, self.trunk, self.norm)
        if self.weights.light > 0:
            x1, x2 = predicted.exposure_shorter, predicted.exposure_longer
            assert stops is not None
            light = torch.cat([stops, stops + ratio.log2()[:, None, None, None]])
            terms["light"] = 2 * light_loss(torch.cat([x1, x2]), light, target >= WHITE / 255)
        weighted = (getattr(self.weights, term) * value for term, value in terms.items())
        return sum(weighted, start=prediction.new_zeros(())), terms


def middle(
    pictures: Float[Tensor, "batch channels height width"], window: int | None
) -> Float[Tensor, "batch channels shown_height shown_width"]:
    """Cut the middle `window` pixels of height and width out of pictures; all of them where they are no larger."""
    if window is None:
        return pictures
    height, width = pictures.shape[2:]
    top, left = max(height - window, 0) // 2, max(width - window, 0) // 2
    return pictures[:, :, top : top + window, left : left + window]


def _log_exposure(exposure: Tensor) -> Tensor:
    return (exposure + 1 / 255).log()

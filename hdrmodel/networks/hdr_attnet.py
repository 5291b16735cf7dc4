"""HDR-AttNet: from one LDR picture to its linear sensor exposure, and from that to the picture at any other exposure.

Renk and Ciftci, "Single-Image HDR Reconstruction with Attention-Driven Autoencoder", 2025, equations 1 to 6; the
forward model is from Le, Le, Nguyen and Hua, "Single-Image HDR Reconstruction by Multi-Exposure Generation", WACV
2023.
"""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, field_validator
from torch import Tensor, nn

from hdrmodel.networks.attention import find_attention
from hdrmodel.networks.unet import STRIDE, UNet, Width, find_preset, scale_widths

Pictures = Float[Tensor, "batch 3 height width"]
Ratios = Float[Tensor, " batch"]
ENCODING_WIDTHS = (16, 32, 64, 128, 256, 256, 256)
EXPOSING_WIDTHS = (32, 64, 128, 256, 512, 512, 512)


class NetworkConfig(BaseModel):
    """Configuration of a network, saved with its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    has_preset: ClassVar[bool] = True
    attention: str  # a name in ATTENTIONS
    preset: str  # activations and reach, a name in PRESETS
    width: Width  # multiplies every number of channels; 1.0 is the paper, 0.25 a small model for CPUs

    @classmethod
    def describe(cls, variant: str, preset: str, width: float) -> "NetworkConfig":
        return cls(attention=variant, preset=preset, width=width)

    @property
    def variant(self) -> str:
        return self.attention

    @field_validator("attention")
    @classmethod
    def _known_attention(cls, name: str) -> str:
        find_attention(name)
        return name

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str) -> str:
        find_preset(name)
        return name


def soft_mask(ldr: Pictures, threshold: float = 0.95) -> Float[Tensor, "batch 1 height width"]:
    """Return how well exposed each pixel is: 1 in the middle, falling linearly to 0 at black and at white.

    m = 1 - max(under, over), under = max(0, (1 - t) - Y)/(1 - t), over = max(0, Y - t)/(1 - t), with the luma
    Y = 0.299 R + 0.587 G + 0.114 B.

    Args:
        ldr: display-referred, [0, 1].
        threshold: t, the luma above which a pixel begins to count as over-exposed; (0.5, 1).
    """
    luma = 0.299 * ldr[:, :1] + 0.587 * ldr[:, 1:2] + 0.114 * ldr[:, 2:]  # (batch, 1, height, width)
    margin = 1.0 - threshold
    under = (margin - luma).clamp(min=0.0) / margin
    over = (luma - threshold).clamp(min=0.0) / margin
    return 1.0 - torch.maximum(under, over)


def sensor_exposure(ldr: Pictures, residual: Pictures, reach: float) -> Pictures:
    """X = ReLU(I + t 2^(reach max(t, 0))), t = N1(I m): equation 2 where reach is 0, which ends at 2.

    A reach above 0 is this project's own: the stops that t climbs beyond 1 as it nears 1. It leaves small residuals as
    they are and grows as light does, by ratios, so that X holds what stands far above saturation.

    Args:
        ldr: I, display-referred, [0, 1].
        residual: t, (-1, 1).
        reach: stops, >= 0.

    Returns:
        X, linear, in [0, 1 + 2^reach).
    """
    if reach > 0:
        residual = residual * (reach * residual.relu()).exp2()
    return (ldr + residual).relu()


def pad_by_reflection(pictures: Pictures, multiple: int) -> Float[Tensor, "batch 3 padded_height padded_width"]:
    """Continue pictures below and to the right by reflection until both sides are multiples of `multiple`.

    Equal to `F.pad(mode="reflect")` where that works; a side shorter than its padding is reflected to and fro, and a
    single pixel repeated.
    """
    height, width = pictures.shape[-2:]
    if height % multiple == 0 and width % multiple == 0:
        return pictures
    return continue_by_reflection(pictures, multiple)


def continue_by_reflection(pictures: Pictures, multiple: int) -> Float[Tensor, "batch 3 padded_height padded_width"]:
    """`pad_by_reflection` by the same operations for every size, as an exported network requires."""
    rows, columns = (  # ONNX rounds quotients towards 0, so that none may be negative
        reflected_indices(size, 0, (size + multiple - 1) // multiple * multiple, pictures.device)
        for size in pictures.shape[-2:]
    )
    return pictures[..., rows, :][..., columns]


def reflected_indices(size: int, start: int, stop: int, device: torch.device | str = "cpu") -> Tensor:
    """Return which of `size` rows is at each place from start >= 0 to stop, continued by reflection."""
    period = torch.scalar_tensor(2 * (size - 1), dtype=torch.int64, device=device).clamp(min=1)
    index = torch.arange(start, stop, device=device) % period
    return torch.minimum(index, period - index)


class HDRAttNet(nn.Module):
    """HDR-AttNet: estimates irradiance from one image, and exposes it again at other exposures.

    Call `encode` once and `expose` once per target exposure, so that all exposures share one estimate. Images of any
    size are padded by reflection to multiples of 64 and cropped back.
    """

    deepest_norm = STRIDE  # pixels along a side per value of the deepest batch normalisation

    def __init__(self, config: NetworkConfig):
        super().__init__()
        attention = find_attention(config.attention)
        preset = find_preset(config.preset)
        encoding_widths = scale_widths(ENCODING_WIDTHS, config.width)
        exposing_widths = scale_widths(EXPOSING_WIDTHS, config.width)
        self.config = config
        self.encoding = UNet(encoding_widths, preset, attention, input_to_head=False)  # N1
        self.up = UNet(exposing_widths, preset, attention, input_to_head=True)  # N2
        self.down = UNet(exposing_widths, preset, attention, input_to_head=True)  # N3

    def encode(self, ldr: Pictures) -> Pictures:
        """Estimate the linear sensor exposure X, equations 1 and 2, by `sensor_exposure`.

        Args:
            ldr: I, display-referred, [0, 1]; m is its `soft_mask`.

        Returns:
            X, linear, in [0, 2), or as far as the preset reaches: irradiance times the picture's own exposure time, up
            to one factor.

        Raises:
            ValueError: if the pictures do not have three channels and at least one pixel.
        """
        _require_pictures(ldr)
        return sensor_exposure(ldr, _run(self.encoding, ldr * soft_mask(ldr)), self.encoding.reach)

    def expose_up(self, sensor_exposure: Pictures, ratio: Ratios) -> Pictures:
        """Picture X at longer exposures: N2(X r), equation 3, with every r >= 1.

        Args:
            sensor_exposure: X of `encode`.
            ratio: r = t_target / t_input for each picture.

        Returns:
            The LDR pictures, display-referred, in (0, 1).
        """
        return _expose(self.up, sensor_exposure, ratio)

    def expose_down(self, sensor_exposure: Pictures, ratio: Ratios) -> Pictures:
        """Picture X at shorter exposures: N3(X r), equation 4, with every r <= 1; otherwise as `expose_up`."""
        return _expose(self.down, sensor_exposure, ratio)

    def expose(self, sensor_exposure: Pictures, ratio: Ratios) -> Pictures:
        """Picture X at any exposures: each sample goes through N2 where its r >= 1 and through N3 where r < 1.

        A subnetwork gets its own samples alone, in training too, so its batch statistics are not mixed. Which samples
        those are is read back from the device; `expose_up` and `expose_down` do not wait for it.

        Args:
            sensor_exposure: X of `encode`. For n exposures of one X in one batch, pass `X.expand(n, -1, -1, -1)`.
            ratio: r = t_target / t_input for each picture, > 0.

        Returns:
            The LDR pictures, display-referred, in (0, 1), in the order of the input.

        Raises:
            ValueError: if a ratio is not positive and finite, or there is not one for each picture.
        """
        _require_one_ratio_each(sensor_exposure, ratio)
        if not (ratio.isfinite() & (ratio > 0)).all():
            raise ValueError(f"ratios must be positive and finite, got {ratio.tolist()}")
        longer = ratio >= 1.0
        groups = [(self.up, longer.nonzero()[:, 0]), (self.down, longer.logical_not().nonzero()[:, 0])]
        groups = [(subnetwork, samples) for subnetwork, samples in groups if len(samples) > 0]
        if len(groups) == 1:
            return _expose(groups[0][0], sensor_exposure, ratio)
        made = torch.cat([_expose(subnetwork, sensor_exposure[which], ratio[which]) for subnetwork, which in groups])
        return made[torch.cat([which for _, which in groups]).argsort()]

    def forward(self, ldr: Pictures, ratio: Ratios) -> Pictures:
        """Picture the scene of `ldr` again with `ratio` times its exposure: `expose` of `encode`."""
        return self.expose(self.encode(ldr), ratio)


class PairPrediction(NamedTuple):
    """Outputs of the network for two images of one scene: both sensor exposures, and each picture from the other."""

    exposure_shorter: Pictures  # X1
    exposure_longer: Pictures  # X2
    ldr_shorter: Pictures  # from the longer picture, N3(X2 / r)
    ldr_longer: Pictures  # from the shorter picture, N2(X1 r)


class PairNetwork(nn.Module):
    """One training step's forward pass in one call, as DistributedDataParallel and torch.compile want it."""

    def __init__(self, network: HDRAttNet):
        super().__init__()
        self.network = network

    def forward(
        self, shorter: Pictures, longer: Pictures, ratio: Ratios, stops: Pictures | None = None
    ) -> PairPrediction:
        """Predict each picture of a pair from the other, equations 3 to 6.

        N2 makes the longer and N3 the shorter exposure even where r = 1, so both learn from identity pairs. Both
        pictures pass N1 as one batch.

        Args:
            shorter: LDR pictures I1, [0, 1].
            longer: LDR pictures I2 of the same scenes, [0, 1].
            ratio: r = t2 / t1, >= 1.
            stops: the light that both show, which the loss compares X with and the network does not see.
        """
        encoded = self.network.encode(torch.cat([shorter, longer]))
        exposure_shorter, exposure_longer = encoded.chunk(2)
        return PairPrediction(
            exposure_shorter=exposure_shorter,
            exposure_longer=exposure_longer,
            ldr_shorter=self.network.expose_down(exposure_longer, 1.0 / ratio),
            ldr_longer=self.network.expose_up(exposure_shorter, ratio),
        )


def count_parameters(module: nn.Module) -> int:
    """Number of trainable values in a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _expose(subnetwork: UNet, sensor_exposure: Pictures, ratio: Ratios) -> Pictures:
    _require_pictures(sensor_exposure)
    _require_one_ratio_each(sensor_exposure, ratio)
    return 0.5 * _run(subnetwork, sensor_exposure * ratio[:, None, None, None]) + 0.5


def _run(subnetwork: UNet, pictures: Pictures) -> Pictures:
    height, width = pictures.shape[-2:]
    return subnetwork(pad_by_reflection(pictures, STRIDE))[..., :height, :width]


def _require_one_ratio_each(pictures: Tensor, ratio: Tensor) -> None:
    if ratio.shape != pictures.shape[:1]:
        raise ValueError(f"{len(pictures)} pictures need a ratio each, got ratios of shape {tuple(ratio.shape)}")


def _require_pictures(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[1] != 3 or 0 in pictures.shape:
        raise ValueError(f"pictures must be (batch, 3, height, width), none of them 0, got {tuple(pictures.shape)}")

"""HDR from one photograph, by networks trained on our shards. What a person types is here, loaded when first used."""

from typing import TYPE_CHECKING

import lazy_loader  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from hdrmodel.networks.hdr_attnet import HDRAttNet
    from hdrmodel.networks.weights import load_weights
    from hdrmodel.prediction.reconstructor import HDRReconstructor
    from hdrmodel.release.shipped import read_photo, reconstruct

__all__ = ["HDRAttNet", "HDRReconstructor", "load_weights", "read_photo", "reconstruct"]
_PLACES = {
    "networks.hdr_attnet": ["HDRAttNet"],
    "networks.weights": ["load_weights"],
    "prediction.reconstructor": ["HDRReconstructor"],
    "release.shipped": ["read_photo", "reconstruct"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_PLACES)  # pyright: ignore

"""Settings of a prediction, and the facts about it that its files state."""

from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from hdrdata.cameras.crf import CameraResponse
from hdrdata.files.disk import digest_of
from hdrdata.photos.formats.exif import Exposure, exposure_of
from hdrdata.photos.photo import Photo
from hdrdata.terminal import printable
from hdrmodel.networks.variants import find_variant
from hdrmodel.outputs.bands import Scale
from hdrmodel.prediction.reconstructor import Origin
from hdrmodel.prediction.renditions import response_id

NOT_IN_BYTES = ("formats", "stack", "mask", "same_camera", "shared_by")  # of an output
WRITERS = 8  # of what the bytes of outputs depend on besides the settings: with another number all are made again
LIGHT = {
    "stack": "the photograph's own; where it is white, merged from the generated exposures",
    "irradiance": "the photograph's own; where it is white, the estimated sensor exposure at its scale",
}
OWN_LIGHT = "the photograph's own; where it is white, the network's"
HDR_LIGHT = "the photograph's own, which is HDR"


@dataclass(frozen=True)
class PredictSettings:
    """Everything that the output files depend on, besides the photograph."""

    formats: tuple[str, ...]  # names in FORMATS, no two of one suffix
    scale: Scale
    origin: Origin
    stack: bool  # also the nine exposures
    crf: str | CameraResponse
    precision: str
    backend: str
    weights: str  # SHA-256
    variant: str
    background: str = "black"  # of transparent pixels
    gain_map: bool = True  # a gain map in the photograph is its light
    mask: bool = False  # also which values the network filled in
    quality: int = 90  # of the JPEGs in Ultra HDR
    metadata: bool = True  # the photograph's EXIF, XMP and IPTC go into the files
    same_camera: bool = False  # one response is estimated from all photographs
    shared_by: int = 0  # photographs that `crf` was estimated from
    exact: bool = False  # only white is clipped in lossy photographs too
    wrap: bool = False  # the photograph's left and right borders meet

    def digest(self, name: str) -> str:
        """Return the digest of one output's format and of the settings, except those that choose the outputs."""
        kept = {key: value for key, value in asdict(self).items() if key not in NOT_IN_BYTES}
        kept |= {"mask": True} if self.mask and name.startswith("exr") else {}  # a layer of the file
        return digest_of({**kept, "crf": response_id(self.crf), "output": name, "writers": WRITERS})


def facts_of(
    photo: Path, digest: str, read: Photo, settings: PredictSettings, response: dict[str, str]
) -> dict[str, str]:
    """Return what a file of HDR light states about how it was made."""
    exposure = exposure_of(read.exif) if settings.metadata else Exposure(None, None, None, None)
    stated = {"s": exposure.seconds, "f/": exposure.f_number, "ISO": exposure.iso}
    generates = find_variant(settings.variant).reads == "exposures"
    made = LIGHT[settings.origin] if generates else OWN_LIGHT
    light = made if read.light is None else HDR_LIGHT
    taken = ", ".join(f"{name} {value:g}" for name, value in stated.items() if value is not None)
    return {
        "program": "hdr-attnet",
        "version": metadata.version("hdr-attnet"),
        "variant": settings.variant,
        "weights_sha256": settings.weights,
        "input": printable(photo.name),
        "input_sha256": digest,
        "exposure": taken or "unknown",
        **response,
        "light": light,
        "unit": f"linear RGB, BT.709 primaries; {settings.scale.white:g} is the light that saturates the photograph, "
        f"taken for {settings.scale.nits:g} cd/m2",
    }

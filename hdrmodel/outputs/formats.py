"""The formats in which a radiance map is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool

from hdrmodel.outputs.bands import FINEST, NO_METADATA, Metadata, Picture, Radiance, Scale, Source, Writer
from hdrmodel.outputs.display import avif_writer, png_writer, write_mask, write_preview
from hdrmodel.outputs.format_list import FORMAT_NAMES
from hdrmodel.outputs.linear import exr_writer, write_hdr
from hdrmodel.outputs.signals import SIGNALS
from hdrmodel.outputs.ultrahdr.writing import SIDES, write_ultrahdr

Rendition = Literal["scene", "display"]  # light through the camera response; the photograph's look below white
ANY_SIDE = (1, 2**31 - 1)


@dataclass(frozen=True)
class Format:
    """One way to write a radiance map."""

    name: str
    suffix: str
    write: Writer
    sides: tuple[int, int]  # pixels of height and of width: the fewest, the most
    meaning: str  # what the photograph's white is in it, and how far it reaches
    rendition: Rendition
    holds: tuple[str, ...]  # metadata of a photograph

    def check_size(self, path: Path, width: int, height: int) -> None:
        """Raise ValueError, naming `path`, if the format takes no picture of this size."""
        fewest, most = self.sides
        if not fewest <= min(height, width) <= max(height, width) <= most:
            raise ValueError(f"{path}: {width} x {height} pixels; {self.name} takes {fewest} to {most} a side")


_WRITERS: dict[str, tuple[Writer, tuple[int, int]]] = {
    "exr": (exr_writer(np.float16), ANY_SIDE),
    "exr-float": (exr_writer(np.float32), ANY_SIDE),
    "hdr": (write_hdr, ANY_SIDE),
    "ultrahdr": (write_ultrahdr, SIDES),
    "avif-pq": (avif_writer(SIGNALS["pq"]), (1, 65536)),
    "avif-hlg": (avif_writer(SIGNALS["hlg"]), (1, 65536)),
    "png-pq": (png_writer(SIGNALS["pq"]), ANY_SIDE),
    "png-hlg": (png_writer(SIGNALS["hlg"]), ANY_SIDE),
    "preview": (write_preview, ANY_SIDE),
}
SCENE_FORMATS = ("exr", "exr-float", "hdr")
KINDS = ("EXIF", "XMP", "IPTC")
HOLDS: dict[str, tuple[str, ...]] = {
    "exr": ("EXIF",), "exr-float": ("EXIF",), "hdr": (), "ultrahdr": KINDS, "avif-pq": ("EXIF", "XMP"),
    "avif-hlg": ("EXIF", "XMP"), "png-pq": KINDS, "png-hlg": KINDS,
    "preview": KINDS,  # a look at the result: nothing that it leaves out is reported
}  # fmt: skip
FORMATS = {
    name: Format(name, suffix, *_WRITERS[name], meaning, "scene" if name in SCENE_FORMATS else "display", HOLDS[name])
    for name, (suffix, meaning) in FORMAT_NAMES.items()
}

MASK = "mask"  # an output beside the formats
OUTPUTS = {
    **FORMATS,
    MASK: Format(MASK, ".mask.png", write_mask, ANY_SIDE, "255 where a value is predicted", "scene", KINDS),
}


def write_output(
    path: Path,
    radiance: Radiance,
    format_name: str,
    scale: Scale,
    facts: dict[str, str],
    picture: Picture | None = None,
    metadata: Metadata = NO_METADATA,
    quality: int = FINEST,
    mask: Bool[np.ndarray, "height width 3"] | None = None,
) -> list[str]:
    """Write one radiance map, whole or not at all.

    Args:
        path: as it is; no suffix is added.
        radiance: linear RGB, BT.709 primaries, finite; 1 is what just saturates the photograph, its white. Light
            outside of those primaries has negative values, which OpenEXR keeps, and the rest as far as theirs reach.
        format_name: one of `FORMATS`.
        scale: what 1 becomes.
        facts: how the picture was made. OpenEXR, Radiance and 16-bit PNG files keep them; the others have no place.
        picture: the photograph, which Ultra HDR shows where HDR is not understood; None: the light up to white.
        quality: of the JPEGs in Ultra HDR.
        mask: values that the network filled in, for the output "mask".
        metadata: of the photograph; kinds that the format has no place for are reported.

    Returns:
        a sentence for each thing that the file does not hold.

    Raises:
        ValueError: one line, if the format is unknown or does not take a picture of this size.
        OSError: naming the file, if it cannot be written.
    """
    if format_name not in OUTPUTS:
        raise ValueError(f"unknown format '{format_name}'; known: {', '.join(FORMATS)}")
    chosen = OUTPUTS[format_name]
    height, width, _ = radiance.shape
    chosen.check_size(path, width, height)
    assert np.isfinite(radiance.min()) and np.isfinite(radiance.max()), "a radiance map is finite"  # NaN is not
    notes = chosen.write(path, radiance, scale, Source(facts, picture, metadata, quality, mask))
    lost = [kind for kind in KINDS if getattr(metadata, kind.lower()) and kind not in chosen.holds]
    return [*notes, f"{chosen.name} files do not contain its {' and '.join(lost)}"] if lost else notes

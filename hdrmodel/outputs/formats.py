"""The formats in which a radiance map is written."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hdrmodel.outputs.bands import Radiance, Scale, Writer
from hdrmodel.outputs.display import PREVIEW_SIDE, avif_writer, png_writer, write_preview
from hdrmodel.outputs.linear import exr_writer, write_hdr
from hdrmodel.outputs.signals import SIGNALS
from hdrmodel.outputs.ultrahdr import SIDES, write_ultrahdr


@dataclass(frozen=True)
class Format:
    """One way to write a radiance map."""

    name: str
    suffix: str
    write: Writer
    meaning: str  # what the photograph's white is in it, and how far it reaches
    sides: tuple[int, int] = (1, 2**31 - 1)  # pixels of height and of width: the fewest, the most

    def check_size(self, path: Path, width: int, height: int) -> None:
        """Raise ValueError, naming `path`, if the format takes no picture of this size."""
        fewest, most = self.sides
        if not fewest <= min(height, width) <= max(height, width) <= most:
            raise ValueError(f"{path}: {width} x {height} pixels; {self.name} takes {fewest} to {most} a side")


_PQ = "display light by SMPTE ST 2084, BT.2020 primaries; white is `nits`, full scale 10,000 cd/m2"
_HLG = "display light by HLG, BT.2020 primaries, for 1,000 cd/m2; white is `nits` (203: 75 %), full scale 1,000 cd/m2"

FORMATS = {
    made.name: made
    for made in (
        Format("exr", ".exr", exr_writer(np.float16), "OpenEXR, half floats up to 65504; white is `white`"),
        Format("exr-float", ".exr", exr_writer(np.float32), "OpenEXR, single floats; white is `white`"),
        Format("hdr", ".hdr", write_hdr, "Radiance RGBE, steps of 1/256 of the largest channel; white is `white`"),
        Format(
            "ultrahdr",
            ".jpg",
            write_ultrahdr,
            "JPEG with a gain map (Ultra HDR); white is `nits` for a display's white of 203 cd/m2, up to 10,000 cd/m2",
            SIDES,
        ),
        Format("avif-pq", ".avif", avif_writer(SIGNALS["pq"]), f"AVIF, 10 bits: {_PQ}", (1, 65536)),
        Format("avif-hlg", ".avif", avif_writer(SIGNALS["hlg"]), f"AVIF, 10 bits: {_HLG}", (1, 65536)),
        Format("png-pq", ".png", png_writer(SIGNALS["pq"]), f"PNG, 16 bits, cICP: {_PQ}"),
        Format("png-hlg", ".png", png_writer(SIGNALS["hlg"]), f"PNG, 16 bits, cICP: {_HLG}"),
        Format(
            "preview",
            ".preview.png",
            write_preview,
            f"sRGB PNG, tone mapped by Reinhard and Devlin 2005, without a scale; at most {PREVIEW_SIDE} pixels a side",
        ),
    )
}


def describe_formats() -> str:
    """A line for each format: its name, its suffix and what its numbers mean."""
    return "\n".join(f"{made.name:<10}{made.suffix:<14}{made.meaning}" for made in FORMATS.values())


def write_output(path: Path, radiance: Radiance, format_name: str, scale: Scale, facts: dict[str, str]) -> list[str]:
    """Write one radiance map, whole or not at all.

    Args:
        path: as it is; no suffix is added.
        radiance: linear RGB, BT.709 primaries, finite, >= 0; 1 is what just saturates the photograph, its white.
        format_name: one of `FORMATS`.
        scale: what 1 becomes.
        facts: how the picture was made. OpenEXR, Radiance and 16-bit PNG files keep them; the others have no place.

    Returns:
        a sentence for each thing that the file does not hold.

    Raises:
        ValueError: one line, if the format is unknown or does not take a picture of this size.
        OSError: naming the file, if it cannot be written.
    """
    if format_name not in FORMATS:
        raise ValueError(f"unknown format '{format_name}'; known: {', '.join(FORMATS)}")
    chosen = FORMATS[format_name]
    height, width, _ = radiance.shape
    chosen.check_size(path, width, height)
    assert radiance.min() >= 0 and radiance.max() < np.inf, "a radiance map is finite and >= 0"  # NaN is neither
    return chosen.write(path, radiance, scale, facts)

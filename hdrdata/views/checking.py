"""Report of what a file gives a dataset, before the dataset is made."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hdrdata.files.hdr.stated import AS_STATED, Override
from hdrdata.files.radiance import Repairs, check_radiance
from hdrdata.views.ingest import fit_size, scene_is_panorama, source_pixels_of
from hdrdata.views.looks import Looks, look_at
from hdrdata.views.normalise import FEW_LEVELS, levels_of_most, stops_of
from hdrdata.views.view import IngestConfig

COLOURS = (
    *("chromaticities", "colorInteropID", "luminance", "PRIMARIES", "XYZE", "ICC", "COLORCORR", "EXPOSURE"),
    *("MinIsWhite", "PrimaryChromaticities", "WhitePoint", "TransferFunction", "colour", "encoding"),
)


@dataclass(frozen=True)
class Checked:
    """Facts about one HDR file that can be read."""

    width: int
    height: int
    kind: str  # "pano" or "photo"
    is_half: bool  # it holds half floats
    stops: float
    repairs: Repairs
    looks: Looks
    views: int
    view_size: int  # pixels; smaller than configured where that would magnify too much
    levels: int  # of 256 at EV 0, for all but the brightest hundredth of the picture

    @property
    def colour(self) -> str:
        """'Rec.709', and what in the file its colours were converted by."""
        by = [words for words in self.repairs.stated.converted if words.startswith(COLOURS)]
        return f"Rec.709 by {', '.join(by)}" if by else "Rec.709"

    @property
    def transparent_share(self) -> float:
        """The share of the stored pixels whose alpha is 0, of the picture's pixels."""
        return min(1.0, self.repairs.stated.transparent / (self.width * self.height))

    def notes(self, wanted_size: int | None) -> list[str]:
        """Return what a user should know.

        Args:
            wanted_size: of views, in pixels, if the user gives one.
        """
        repairs = self.repairs
        other = [words for words in repairs.stated.converted if not words.startswith(COLOURS)]
        notes = [f"as it states: {', '.join(other)}"] if other else []
        if repairs.total:
            inf = " (Inf in half floats: light above 65504)" if repairs.infinite and self.is_half else ""
            notes.append(
                f"repaired: {repairs.negative} negative, {repairs.nan} NaN, {repairs.infinite} infinite pixels{inf}"
            )
        if repairs.outside:
            notes.append(f"{repairs.outside} pixels outside Rec.709")
        if repairs.rounding:
            notes.append(f"{repairs.rounding} pixels below 0 by rounding")
        if repairs.stated.transparent:
            notes.append(f"{self.transparent_share:.1%} of the pixels are transparent")
        notes += self.looks.lines()
        if self.levels <= FEW_LEVELS:
            notes.append(
                f"a few pixels have nearly all the light: 99 % of them lie in {self.levels} of 256 levels at EV 0"
            )
        if wanted_size is not None and self.view_size < wanted_size:
            notes.append(f"too small for views of {wanted_size}")
        return notes

    def to_json(self, wanted_size: int | None) -> dict:
        """Return the same as JSON values."""
        repairs, looks = self.repairs, self.looks
        return {
            "width": self.width,
            "height": self.height,
            "kind": self.kind,
            "stops": round(self.stops, 3),
            "converted": list(repairs.stated.converted),
            "repaired": {"negative": repairs.negative, "nan": repairs.nan, "infinite": repairs.infinite},
            "outside_rec709": repairs.outside,
            "rounding": repairs.rounding,
            "transparent_share": round(self.transparent_share, 6),
            "black_share": round(looks.black_share, 6),
            "largest": looks.largest,
            "clipped_share": round(looks.clipped_share, 6),
            "layout": looks.layout,
            "looks_encoded": looks.encoded,
            "views": self.views,
            "view_size": self.view_size,
            "levels": self.levels,
            "notes": self.notes(wanted_size),
        }


def check_scene(path: Path, config: IngestConfig, kind: str = "auto", override: Override = AS_STATED) -> Checked:
    """Read a file as `hdrdata.views.ingest.ingest_scenes` does, and return what it gives a dataset.

    Args:
        kind: "auto", "pano" or "photo", as the sidecar states.
        override: what else the sidecar states; its layer takes precedence over the configured one.

    Raises:
        ValueError: one line naming the file, if it would be refused for what it is; a picture too small for its views
            only if it is for views of 16 pixels.
    """
    override = replace(override, layer=override.layer or config.layer)
    radiance, repairs = check_radiance(path, config.max_repaired_share, override)
    height, width = radiance.shape[:2]
    try:
        pano = scene_is_panorama(height, width, repairs, kind)
        smaller = config.model_copy(update={"on_magnified": "shrink"})
        size = fit_size(source_pixels_of(height, width, pano, config), smaller)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Checked(
        width=width,
        height=height,
        kind="pano" if pano else "photo",
        is_half=radiance.dtype == np.float16,
        stops=stops_of(radiance),
        repairs=repairs,
        looks=look_at(radiance),
        views=len(config.azimuths_degrees) if pano else 1 if height == width else config.photo_crops,
        view_size=size,
        levels=levels_of_most(radiance),
    )

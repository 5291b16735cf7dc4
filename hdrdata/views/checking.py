"""Report of what a file would give a dataset, before the dataset is made."""

from dataclasses import dataclass, replace
from pathlib import Path

from hdrdata.files.hdr.stated import AS_STATED, Override
from hdrdata.files.radiance import Repairs, check_radiance
from hdrdata.views.ingest import fit_size, scene_is_panorama, source_pixels_of
from hdrdata.views.normalise import FEW_LEVELS, levels_of_most, stops_of
from hdrdata.views.view import IngestConfig

COLOURS = ("chromaticities", "luminance", "PRIMARIES", "XYZE", "ICC", "COLORCORR", "EXPOSURE", "MinIsWhite")


@dataclass(frozen=True)
class Checked:
    """Facts about one HDR file that can be read."""

    width: int
    height: int
    kind: str  # "pano" or "photo"
    stops: float
    repairs: Repairs
    views: int
    view_size: int  # pixels; smaller than wanted where that would magnify too much
    levels: int  # of 256 at EV 0, for all but the brightest hundredth of the picture

    @property
    def colour(self) -> str:
        """'Rec.709', and by what of the file its colours were brought there."""
        by = [words for words in self.repairs.stated.converted if words.startswith(COLOURS)]
        return f"Rec.709 by {', '.join(by)}" if by else "Rec.709"

    def notes(self, wanted_size: int | None) -> list[str]:
        """Return remarks for the user.

        Args:
            wanted_size: of views, in pixels, if one is asked for.
        """
        repairs = self.repairs
        other = [words for words in repairs.stated.converted if not words.startswith(COLOURS)]
        told = [f"as it says: {', '.join(other)}"] if other else []
        if repairs.total:
            told.append(f"repaired: {repairs.negative} negative, {repairs.nan} NaN, {repairs.infinite} infinite pixels")
        if repairs.outside:
            told.append(f"{repairs.outside} pixels outside Rec.709")
        if repairs.rounding:
            told.append(f"{repairs.rounding} pixels below 0 by rounding")
        if self.levels <= FEW_LEVELS:
            told.append(
                f"a few pixels have nearly all the light: 99 % of them lie in {self.levels} of 256 levels at EV 0"
            )
        if wanted_size is not None and self.view_size < wanted_size:
            told.append(f"too small for views of {wanted_size}")
        return told

    def to_json(self, wanted_size: int | None) -> dict:
        repairs = self.repairs
        return {
            "width": self.width,
            "height": self.height,
            "kind": self.kind,
            "stops": round(self.stops, 3),
            "converted": list(repairs.stated.converted),
            "repaired": {"negative": repairs.negative, "nan": repairs.nan, "infinite": repairs.infinite},
            "outside_rec709": repairs.outside,
            "rounding": repairs.rounding,
            "views": self.views,
            "view_size": self.view_size,
            "levels": self.levels,
            "notes": self.notes(wanted_size),
        }


def check_scene(path: Path, config: IngestConfig, kind: str = "auto", override: Override = AS_STATED) -> Checked:
    """Read a file as `hdrdata.views.ingest.ingest_scenes` does, and return what it would make.

    Args:
        kind: "auto", "pano" or "photo", as a sidecar says.

    Raises:
        ValueError: one line naming the file, if it would be refused for what it is; a picture too small for its views
            is so only if it is for views of 16 pixels.
    """
    radiance, repairs = check_radiance(
        path, config.max_repaired_share, replace(override, layer=override.layer or config.layer)
    )
    height, width = radiance.shape[:2]
    try:
        pano = scene_is_panorama(height, width, repairs, kind)
        smaller = config.model_copy(update={"on_magnified": "shrink"})
        size = fit_size(source_pixels_of(height, width, pano, config), smaller)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    views = len(config.azimuths_degrees) if pano else 1 if height == width else config.photo_crops
    levels = levels_of_most(radiance)
    return Checked(width, height, "pano" if pano else "photo", stops_of(radiance), repairs, views, size, levels)

"""A view: its facts, and the catalog of a folder of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from hdrdata.config import Section
from hdrdata.work.engines import EngineName
from hdrdata.work.index import read_index

ALGORITHM = "views-4"  # raise the number when the same input and parameters give other pixels


class IngestConfig(Section):
    """Parameters of the stage ingest."""

    view_size: Annotated[int, Field(ge=16, le=8192)]  # pixels, height and width
    fov_degrees: Annotated[float, Field(gt=0, lt=170)]  # of a panorama's perspective views
    pitch_degrees: Annotated[float, Field(ge=-90, le=90)]  # upwards
    azimuths_degrees: Annotated[tuple[Annotated[int, Field(ge=0, lt=360)], ...], Field(min_length=1)]
    photo_crops: PositiveInt  # squares of the short side, spread along the long one
    max_magnification: PositiveFloat  # view pixels to source pixels
    on_magnified: Literal["refuse", "shrink"]
    max_repaired_share: Annotated[float, Field(ge=0, le=1)]
    layer: Annotated[str, Field(min_length=1)] | None = None  # of an .exr, names with commas; None: by rule
    on_error: Literal["stop", "skip"]
    engine: EngineName
    workers: NonNegativeInt  # 0: one a core

    @field_validator("azimuths_degrees")
    @classmethod
    def _once_each(cls, azimuths: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(azimuths)) < len(azimuths):
            raise ValueError("an azimuth occurs twice; it names a view")
        return azimuths


@dataclass(frozen=True)
class View:
    """One view, as in its row of the catalog."""

    key: str  # "<scene>_80_10_060" of a panorama, "<scene>_crop_0" of a photograph
    scene: str
    group: str
    part: str
    kind: str  # "pano" or "photo"
    azimuth_degrees: int | None
    pitch_degrees: float | None
    fov_degrees: float | None
    size: int  # pixels
    magnification: float  # view pixels to source pixels
    factor: float  # view value = factor * scene value
    stops: float  # log2 of the 99.9th over the 1st percentile of luminance, over the luminances > 0
    clipped_share: float  # of values that were above 65,504, the largest half float
    repaired: int  # pixels of the scene: negative, NaN or infinite
    licence: str
    pixels_sha256: str  # of the half floats, little endian, row by row


@dataclass(frozen=True)
class ViewName:
    """Facts in the key of a view: all that is known if there are samples but no catalog."""

    scene: str  # the key without angles or crop; of an unknown kind the whole key
    kind: str  # "pano", "photo" or "unknown"


def panorama_key(scene: str, fov_degrees: float, pitch_degrees: float, azimuth_degrees: int) -> str:
    """The key of a view of a panorama: `<scene>_80_10_060`; a dot is spelled p, so that it cuts no sample key."""
    angles = f"{fov_degrees:g}_{pitch_degrees:g}_{azimuth_degrees:03d}".replace(".", "p")
    return f"{scene}_{angles}"


def crop_key(scene: str, index: int) -> str:
    """The key of a crop of a photograph: `<scene>_crop_0`."""
    return f"{scene}_crop_{index}"


def parse_view_key(key: str) -> ViewName:
    """Read what `panorama_key` and `crop_key` wrote.

    The JSON of a sample does not state the kind of its view nor, if another program wrote it, its scene.
    """
    for kind, pattern in (("photo", r"(.*)_crop_\d+"), ("pano", r"(.*)_[^_]+_[^_]+_\d{3}")):
        if name := re.fullmatch(pattern, key):
            return ViewName(name[1], kind)
    return ViewName(key, "unknown")


def read_views(folder: Path) -> tuple[View, ...]:
    """The views of a folder that `ingest_scenes` brought up to date, by key."""
    rows = read_index(folder, ALGORITHM)["rows"].values()
    return tuple(sorted((View(**view) for row in rows for view in row.get("views", ())), key=lambda view: view.key))

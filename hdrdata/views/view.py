"""A view: its facts, and the catalog of a folder of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from hdrdata.config import Section
from hdrdata.work.engines import EngineName
from hdrdata.work.index import read_index

ALGORITHM = "views-1"  # raise the number when the same input and parameters give other pixels


class IngestConfig(Section):
    """How scenes become views."""

    view_size: Annotated[int, Field(ge=16, le=8192)]  # pixels, height and width
    fov_degrees: Annotated[float, Field(gt=0, lt=170)]  # of a panorama's perspective views
    pitch_degrees: Annotated[float, Field(ge=-90, le=90)]  # upwards
    azimuths_degrees: Annotated[tuple[Annotated[int, Field(ge=0, lt=360)], ...], Field(min_length=1)]
    photo_crops: PositiveInt  # squares of the short side, spread along the long one
    max_magnification: PositiveFloat  # view pixels to source pixels
    on_magnified: Literal["refuse", "shrink"]
    max_repaired_share: Annotated[float, Field(ge=0, le=1)]
    on_error: Literal["stop", "skip"]
    engine: EngineName
    workers: NonNegativeInt  # 0: one a core

    @field_validator("azimuths_degrees")
    @classmethod
    def _once_each(cls, azimuths: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(azimuths)) < len(azimuths):
            raise ValueError("an azimuth stands twice; it names a view")
        return azimuths


@dataclass(frozen=True)
class View:
    """One view, as its row of the catalog tells it."""

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


def read_views(folder: Path) -> tuple[View, ...]:
    """The views of a folder that `ingest_scenes` brought up to date, by key."""
    rows = read_index(folder, ALGORITHM)["rows"].values()
    return tuple(sorted((View(**view) for row in rows for view in row.get("views", ())), key=lambda view: view.key))

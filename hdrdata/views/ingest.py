"""Make views: square, normalised, half-float pictures of a scene, which are the truth of all that follows."""

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from jaxtyping import Float, Float16, Float32
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from hdrdata.config import Section
from hdrdata.files.disk import digest_of, sha256_of, write_bytes
from hdrdata.files.radiance import Repairs, check_radiance, write_exr
from hdrdata.scenes.scan import Scene
from hdrdata.work.engines import EngineName
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date, describe_files, read_index

ALGORITHM = "views-1"  # raise the number when the same input and parameters give other pixels
HALF_MAX = 65504.0
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)  # of linear RGB, ITU-R BT.709


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


@dataclass(frozen=True)
class _Task:
    """What one process needs to make the views of one scene."""

    path: str
    scene: Scene
    config: IngestConfig


def normalise_view(
    radiance: Float[np.ndarray, "height width 3"],
) -> tuple[Float16[np.ndarray, "height width 3"], float, float]:
    """E <- 0.5 E / mean(E), rounded to half floats; values above 65,504 become 65,504 and are counted.

    The mean is over all pixels and the three channels. Endo, Kanamori and Mitani, "Deep Reverse Tone Mapping", SIGGRAPH
    Asia 2017; checked on their stacks.

    Returns:
        the view, the factor 0.5 / mean, and the share of values that were clipped.

    Raises:
        ValueError: if the picture is black.
    """
    mean = float(radiance.mean(dtype=np.float64))
    if not mean > 0:
        raise ValueError("the view is black; wanted light")
    if not math.isfinite(mean):
        raise ValueError("the view holds light beyond the largest float; wanted values below 1e38")
    scaled = radiance.astype(np.float64) * (0.5 / mean) + 0.0  # -0.0 becomes 0.0, whose bits a table knows
    clipped = float((scaled > HALF_MAX).mean())
    return np.minimum(scaled, HALF_MAX).astype(np.float16), 0.5 / mean, clipped


def stops_of(radiance: np.ndarray) -> float:
    """Dynamic range in stops: log2 of the 99.9th over the 1st percentile of the luminances above 0."""
    luminance = radiance.astype(np.float32) @ LUMINANCE
    luminance = luminance[luminance > 0]
    low, high = np.percentile(luminance, [1, 99.9]) if luminance.size else (1, 1)
    return float(np.log2(high / low))


def is_panorama(height: int, width: int) -> bool:
    """Whether a picture has the 2:1 shape of an equirectangular panorama."""
    return width == 2 * height


def views_of_panorama(
    panorama: Float[np.ndarray, "height width 3"],
    size: int,
    fov_degrees: float,
    pitch_degrees: float,
    azimuths_degrees: Sequence[int | float],
) -> Float32[np.ndarray, "azimuths size size 3"]:
    """Perspective views of an equirectangular panorama, each pixel the mean light over its area.

    The panorama's centre is azimuth 0, its right side azimuth 90; its top row is the zenith. Where the views have fewer
    pixels than the panorama, the panorama is first reduced by area to at most twice the views' density; then each view
    pixel is the mean of a grid of bilinear samples.

    Args:
        panorama: radiance, linear; half floats take half the memory and give the same pixels as float32.
        fov_degrees: across a view's width and height.
        pitch_degrees: upwards.
        azimuths_degrees: of the views, clockwise.
    """
    density = panorama.shape[1] * fov_degrees / 360 / size  # source pixels a view pixel, about the middle
    shrink = max(1, math.floor(density))
    seamless = _reduce_panorama(panorama, shrink)
    height, width = seamless.shape[0], seamless.shape[1] - 2
    samples = max(2, math.ceil(2 * density / shrink))  # a side

    focal = size / 2 / math.tan(math.radians(fov_degrees) / 2)
    offsets = ((np.arange(size * samples) + 0.5) / samples - size / 2) / focal
    pitch = math.radians(pitch_degrees)
    views = np.empty((len(azimuths_degrees), size, size, 3), np.float32)
    band = max(1, 2**20 // (size * samples**2))  # rows of a view whose samples are made at once
    for top in range(0, size, band):
        right, down = np.meshgrid(offsets, offsets[top * samples : (top + band) * samples])
        up = -down * math.cos(pitch) + math.sin(pitch)
        forward = down * math.sin(pitch) + math.cos(pitch)
        longitude = np.arctan2(right, forward)
        latitude = np.arctan2(up, np.hypot(right, forward))
        row = np.clip((0.5 - latitude / math.pi) * height - 0.5, 0, height - 1).astype(np.float32)
        for view, azimuth in zip(views, azimuths_degrees, strict=True):
            column = np.mod((longitude + math.radians(azimuth)) / (2 * math.pi) + 0.5, 1.0) * width - 0.5
            sampled = cv2.remap(seamless, (column + 1).astype(np.float32), row, cv2.INTER_LINEAR)
            view[top : top + band] = sampled.reshape(-1, samples, size, samples, 3).mean(axis=(1, 3), dtype=np.float32)
    return views


def _reduce_panorama(
    panorama: Float[np.ndarray, "height width 3"], shrink: int
) -> Float32[np.ndarray, "smaller_height seamless_width 3"]:
    """A panorama reduced by area to 1 / shrink, with its last column also before its first and its first after it."""
    height, width = (max(least, round(side / shrink)) for side, least in zip(panorama.shape[:2], (1, 2), strict=True))
    seamless = np.empty((height, width + 2, 3), np.float32)  # the seam lies inside
    middle = seamless[:, 1:-1]
    if shrink == 1:
        middle[...] = panorama
    elif panorama.dtype == np.float32 or shrink == 2:  # OpenCV sums 2 x 2 pixels of one channel in another order
        single = panorama.astype(np.float32, copy=False)
        middle[...] = cv2.resize(single, (width, height), interpolation=cv2.INTER_AREA)
    else:
        plane = np.empty(panorama.shape[:2], np.float32)
        for channel in range(3):  # one channel as float32 at a time: a third of the memory
            plane[...] = panorama[:, :, channel]
            middle[:, :, channel] = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    seamless[:, 0], seamless[:, -1] = middle[:, -1], middle[:, 0]
    return seamless


def crop_of_photo(
    photo: Float[np.ndarray, "height width 3"], size: int, index: int, crops: int
) -> Float32[np.ndarray, "size size 3"]:
    """The square crop number `index` of `crops` along the long side (one: the middle), resized by area."""
    height, width = photo.shape[:2]
    side = min(height, width)
    place = 0.5 if crops == 1 else index / (crops - 1)
    top, left = round((height - side) * place), round((width - side) * place)
    square = np.ascontiguousarray(photo[top : top + side, left : left + side], dtype=np.float32)
    if side == size:
        return square
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)


def fit_size(source_pixels: int | float, config: IngestConfig) -> int:
    """The view's size in pixels: as configured, or smaller by rule where that would magnify the source too much.

    Args:
        source_pixels: how many source pixels lie across the view.

    Raises:
        ValueError: if it would magnify too much and `on_magnified` is "refuse".
    """
    magnification = config.view_size / source_pixels
    if magnification <= config.max_magnification:
        return config.view_size
    if config.on_magnified == "refuse":
        raise ValueError(
            f"a view of {config.view_size} pixels would magnify its {source_pixels:.0f} source pixels "
            f"{magnification:.2f} times; wanted at most {config.max_magnification:g} "
            "(a larger picture, a smaller view_size, or on_magnified: shrink)"
        )
    size = int(source_pixels * config.max_magnification) // 16 * 16
    if size < 16:
        raise ValueError(f"only {source_pixels:.0f} source pixels across a view; wanted at least 16")
    return size


def views_of_scene(
    radiance: Float[np.ndarray, "height width 3"], repairs: Repairs, scene: Scene, config: IngestConfig
) -> list[tuple[View, Float16[np.ndarray, "size size 3"]]]:
    """All views of one scene, normalised, with their rows of the catalog.

    Raises:
        ValueError: if the scene is said to be a panorama and is not 2:1, is too small, or a view is black.
    """
    height, width = radiance.shape[:2]
    if scene.kind == "pano" and not is_panorama(height, width):
        raise ValueError(f"{width}x{height} pixels; a panorama is twice as wide as high")
    pano = is_panorama(height, width) if scene.kind == "auto" else scene.kind == "pano"
    source_pixels = width * config.fov_degrees / 360 if pano else min(height, width)
    size = fit_size(source_pixels, config)
    named: list[tuple[str, int | None, np.ndarray]] = []
    if pano:
        azimuths = config.azimuths_degrees
        pictures = views_of_panorama(radiance, size, config.fov_degrees, config.pitch_degrees, azimuths)
        for azimuth, view in zip(azimuths, pictures, strict=True):
            angles = f"{config.fov_degrees:g}_{config.pitch_degrees:g}_{azimuth:03d}".replace(".", "p")
            named.append((f"{scene.key}_{angles}", azimuth, view))
    else:
        crops = 1 if height == width else config.photo_crops
        for index in range(crops):
            named.append((f"{scene.key}_crop_{index}", None, crop_of_photo(radiance, size, index, crops)))

    views = []
    for key, azimuth, linear in named:
        try:
            half, factor, clipped_share = normalise_view(linear)
        except ValueError as error:
            raise ValueError(f"view {key}: {error}") from error
        view = View(
            key=key,
            scene=scene.key,
            group=scene.group,
            part=scene.part,
            kind="pano" if pano else "photo",
            azimuth_degrees=azimuth,
            pitch_degrees=config.pitch_degrees if pano else None,
            fov_degrees=config.fov_degrees if pano else None,
            size=size,
            magnification=round(size / source_pixels, 4),
            factor=factor,
            stops=round(stops_of(half), 3),
            clipped_share=clipped_share,
            repaired=repairs.total,
            licence=scene.licence,
            pixels_sha256=hashlib.sha256(half.astype("<f2").tobytes()).hexdigest(),
        )
        views.append((view, half))
    return views


def ingest_scenes(scenes: tuple[Scene, ...], folder: Path, views: Path, config: IngestConfig) -> Outcome:
    """Bring the folder `views` up to date with the scenes below `folder`: `<view>.exr`, `catalog.csv`, `index.json`.

    Returns:
        rows by scene key, and the counts of scenes.

    Raises:
        ValueError: naming the scene, if one is refused and `config.on_error` is "stop".
    """
    pixel_parameters = config.model_dump(exclude={"engine", "workers", "on_error"}, mode="json")
    entries = []
    for scene in scenes:
        made_from = {"sha256": scene.sha256, "kind": scene.kind, "parameters": pixel_parameters, "algorithm": ALGORITHM}
        labels = {"group": scene.group, "part": scene.part, "licence": scene.licence, "key": scene.key}
        entries.append(Entry(scene.key, digest_of([made_from, labels]), _Task(str(folder / scene.path), scene, config)))
    return bring_up_to_date(
        views,
        ALGORITHM,
        entries,
        _make_views,
        title="ingest",
        engine=config.engine,
        workers=config.workers,
        on_error=config.on_error,
        finish=lambda rows: _write_catalog(views, rows),
    )


def read_views(folder: Path) -> tuple[View, ...]:
    """The views of a folder that `ingest_scenes` brought up to date, by key."""
    rows = read_index(folder, ALGORITHM)["rows"].values()
    return tuple(sorted((View(**view) for row in rows for view in row.get("views", ())), key=lambda view: view.key))


def describe_views(views: tuple[View, ...], config: IngestConfig) -> list[str]:
    """What a user should know of the views that were made, a line each: how many, repaired, clipped, made smaller."""
    repaired = sum({view.scene: view.repaired for view in views}.values())
    clipped = [view.key for view in views if view.clipped_share > 0]
    smaller = [view.key for view in views if view.size < config.view_size]
    lines = [f"{len(views)} views; {repaired} pixels of scenes repaired (negative, NaN, Inf)"]
    if clipped:
        lines.append(f"{len(clipped)} views hold light above 65504 and were clipped there: {', '.join(clipped)}")
    if smaller:
        lines.append(f"{len(smaller)} views are smaller, so as not to magnify their source: {', '.join(smaller)}")
    return lines


def _make_views(folder: Path, task: _Task) -> dict:
    """Write the views of one scene; runs in a worker process."""
    if not Path(task.path).is_file():  # no bad scene but another folder than the list's: nothing is to be skipped
        raise FileNotFoundError(f"{task.path}: no such file; it was there when the folder was scanned: run scan again")
    try:
        if sha256_of(Path(task.path)) != task.scene.sha256:
            raise ValueError(f"{task.path}: its content is not that which was scanned; run scan again")
        radiance, repairs = check_radiance(Path(task.path), task.config.max_repaired_share)
    except OSError as error:
        raise ValueError(f"{task.path}: cannot be read: {error.strerror}") from error
    try:
        views = views_of_scene(radiance, repairs, task.scene, task.config)
    except ValueError as error:
        raise ValueError(f"{task.path}: {error}") from error
    for view, half in views:
        attributes = {name: value for name, value in asdict(view).items() if value is not None and value != ""}
        attributes = {f"hdrdata.{name}": value for name, value in attributes.items()}
        write_exr(folder / f"{view.key}.exr", half, attributes)
    return {
        "views": [asdict(view) for view, _ in views],
        "files": describe_files(folder, [f"{view.key}.exr" for view, _ in views]),
    }


def _write_catalog(folder: Path, rows: dict[str, dict]) -> dict:
    """Write catalog.csv, a row a view, and tell its digest to the index."""
    text = io.StringIO()
    names = ["file", *View.__dataclass_fields__, "sha256"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows.values():
        for view in row["views"]:
            file = f"{view['key']}.exr"
            writer.writerow({"file": file, **view, "sha256": row["files"][file]["sha256"]})
    content = text.getvalue().encode()
    write_bytes(folder / "catalog.csv", content)
    return {"catalog_sha256": hashlib.sha256(content).hexdigest()}

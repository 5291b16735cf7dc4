"""Make views: square, normalised, half-float pictures of a scene, which are the truth of all that follows."""

import csv
import hashlib
import io
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float16, Float32

from hdrdata.files.disk import digest_of, sha256_of, write_bytes
from hdrdata.files.documents import safe_cell
from hdrdata.files.exr import write_exr
from hdrdata.files.hdr.stated import Override
from hdrdata.files.radiance import Repairs, check_radiance
from hdrdata.scenes.scene import STATED, Scene
from hdrdata.views.normalise import FEW_LEVELS, is_dark_but_for_few, normalise_view, stops_of
from hdrdata.views.panorama import is_panorama, views_of_panorama
from hdrdata.views.view import ALGORITHM, IngestConfig, View, crop_key, panorama_key
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date
from hdrdata.work.index import describe_files


@dataclass(frozen=True)
class _Task:
    """Input of the process that makes the views of one scene."""

    path: str
    scene: Scene
    config: IngestConfig


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
            f"{magnification:.2f} times; expected at most {config.max_magnification:g} "
            "(a larger picture, a smaller view_size, or on_magnified: shrink)"
        )
    size = int(source_pixels * config.max_magnification) // 16 * 16
    if size < 16:
        raise ValueError(f"only {source_pixels:.0f} source pixels across a view; expected at least 16")
    return size


def scene_is_panorama(height: int, width: int, repairs: Repairs, kind: str) -> bool:
    """Return whether views are perspectives of a panorama: as `kind` says, else as the file says, else by its shape.

    Raises:
        ValueError: if `kind` is "pano", and neither the file nor its shape agrees.
    """
    stated = repairs.stated.panorama
    pano = is_panorama(height, width) if stated is None else stated
    if kind == "pano" and not pano:
        raise ValueError(f"{width}x{height} pixels; a panorama is twice as wide as high")
    return pano if kind == "auto" else kind == "pano"


def source_pixels_of(height: int, width: int, pano: bool, config: IngestConfig) -> int | float:
    """Return the number of source pixels across a view."""
    return width * config.fov_degrees / 360 if pano else min(height, width)


def views_of_scene(
    radiance: Float[np.ndarray, "height width 3"], repairs: Repairs, scene: Scene, config: IngestConfig
) -> list[tuple[View, Float16[np.ndarray, "size size 3"]]]:
    """All views of one scene, normalised, with their rows of the catalog.

    Raises:
        ValueError: if the scene is said to be a panorama and is not 2:1, is too small, or a view is black.
    """
    height, width = radiance.shape[:2]
    pano = scene_is_panorama(height, width, repairs, scene.kind)
    source_pixels = source_pixels_of(height, width, pano, config)
    size = fit_size(source_pixels, config)
    named: list[tuple[str, int | None, np.ndarray]] = []
    if pano:
        azimuths = config.azimuths_degrees
        pictures = views_of_panorama(radiance, size, config.fov_degrees, config.pitch_degrees, azimuths)
        for azimuth, view in zip(azimuths, pictures, strict=True):
            key = panorama_key(scene.key, config.fov_degrees, config.pitch_degrees, azimuth)
            named.append((key, azimuth, view))
    else:
        crops = 1 if height == width else config.photo_crops
        for index in range(crops):
            named.append((crop_key(scene.key, index), None, crop_of_photo(radiance, size, index, crops)))

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


def ingest_scenes(
    scenes: tuple[Scene, ...], folder: Path, views: Path, config: IngestConfig, *, check_content: bool = False
) -> Outcome:
    """Bring the folder `views` up to date with the scenes below `folder`: `<view>.exr`, `catalog.csv`, `index.json`.

    Args:
        check_content: see `bring_up_to_date`.

    Returns:
        rows by scene key, and the counts of scenes.

    Raises:
        ValueError: naming the scene, if one is refused and `config.on_error` is "stop".
    """
    kept_out = {"engine", "workers", "on_error", *(["layer"] if config.layer is None else [])}  # change no pixel
    pixel_parameters = config.model_dump(exclude=kept_out, mode="json")
    entries = []
    for scene in scenes:
        made_from = {"sha256": scene.sha256, "kind": scene.kind, "parameters": pixel_parameters, "algorithm": ALGORITHM}
        made_from |= {name: getattr(scene, name) for name in STATED if getattr(scene, name)}
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
        check_content=check_content,
        finish=lambda rows: _write_catalog(views, rows),
    )


def describe_views(views: tuple[View, ...], config: IngestConfig, rows: dict[str, dict]) -> list[str]:
    """Return remarks on the views that were made, one line each: count, repaired, clipped, made smaller.

    Args:
        rows: of scenes, as `ingest_scenes` gives them: what was converted, and views of few levels.
    """
    repaired = sum({view.scene: view.repaired for view in views}.values())
    clipped = [view.key for view in views if view.clipped_share > 0]
    smaller = [view.key for view in views if view.size < config.view_size]
    lines = [f"{len(views)} views; {repaired} pixels of scenes repaired (negative, NaN, Inf)"]
    if clipped:
        lines.append(f"{len(clipped)} views hold light above 65504 and were clipped there: {', '.join(clipped)}")
    if smaller:
        lines.append(f"{len(smaller)} views are smaller, so as not to magnify their source: {', '.join(smaller)}")
    converted = [f"{name} ({', '.join(row['converted'])})" for name, row in rows.items() if "converted" in row]
    if converted:
        lines.append(f"{len(converted)} scenes were converted as their files say: {', '.join(converted)}")
    if outside := sum(row.get("outside", 0) for row in rows.values()):
        lines.append(f"{outside} pixels of scenes hold light that Rec.709 does not reach; what was negative became 0")
    if dim := [key for row in rows.values() for key in row.get("few_levels", ())]:
        lines.append(
            f"{len(dim)} views are dark except for a few pixels that have nearly all the light "
            f"(99 % of them lie in at most {FEW_LEVELS} of 256 levels at EV 0): {', '.join(dim)}"
        )
    return lines


def _make_views(folder: Path, task: _Task) -> dict:
    """Write the views of one scene; runs in a worker process."""
    if not Path(task.path).is_file():  # no bad scene but another folder than the list's: nothing is to be skipped
        raise FileNotFoundError(f"{task.path}: no such file; it was there when the folder was scanned: run scan again")
    try:
        if sha256_of(Path(task.path)) != task.scene.sha256:
            raise ValueError(f"{task.path}: its content has changed since the scan; run scan again")
        scene = task.scene
        stated = {name: getattr(scene, name) or None for name in STATED}
        override = Override(**{**stated, "layer": scene.layer or task.config.layer})
        radiance, repairs = check_radiance(Path(task.path), task.config.max_repaired_share, override)
    except OSError as error:
        raise ValueError(f"{task.path}: cannot be read: {error.strerror}") from error
    try:
        views = views_of_scene(radiance, repairs, task.scene, task.config)
    except ValueError as error:
        raise ValueError(f"{task.path}: {error}") from error
    done = {"converted": list(repairs.stated.converted), "outside": repairs.outside, "rounding": repairs.rounding}
    done = {name: value for name, value in done.items() if value}
    for view, half in views:
        attributes = {name: value for name, value in asdict(view).items() if value is not None and value != ""}
        attributes |= {name: "; ".join(value) if name == "converted" else value for name, value in done.items()}
        attributes = {f"hdrdata.{name}": value for name, value in attributes.items()}
        write_exr(folder / f"{view.key}.exr", half, attributes)
    dim = [view.key for view, half in views if is_dark_but_for_few(half)]
    return {
        "views": [asdict(view) for view, _ in views],
        "files": describe_files(folder, [f"{view.key}.exr" for view, _ in views]),
        **done,
        **({"few_levels": dim} if dim else {}),
    }


def _write_catalog(folder: Path, rows: dict[str, dict]) -> dict:
    """Write catalog.csv, one row per view, and return its digest for the index."""
    text = io.StringIO()
    names = ["file", *View.__dataclass_fields__, "sha256"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows.values():
        for view in row["views"]:
            file = f"{view['key']}.exr"
            cells = {"file": file, **view, "sha256": row["files"][file]["sha256"]}
            writer.writerow({name: safe_cell(cell) for name, cell in cells.items()})
    content = text.getvalue().encode()
    write_bytes(folder / "catalog.csv", content)
    return {"catalog_sha256": hashlib.sha256(content).hexdigest()}

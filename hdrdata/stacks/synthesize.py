"""Synthesize: one tar a view, with its LDR stacks (pixels form) and the view itself (radiance form).

Each sample has a digest of its own, of all that its bytes depend on and no more. A tar that must be written again takes
the samples whose digest stands from its old self, and makes the others.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float16
from pydantic import NonNegativeInt

from hdrdata.cameras.exposure import expose_view, recipe_tables, thresholds_of
from hdrdata.cameras.random_camera import camera_digests, random_cameras
from hdrdata.cameras.recipe import Recipe, RecipeConfig, choose_recipe
from hdrdata.config import Section
from hdrdata.files.disk import digest_of, written_whole
from hdrdata.files.radiance import encode_jpeg, encode_png, half_bits, read_view
from hdrdata.samples.layout import END_BLOCKS, IntegrityError, SampleLayout, check_bytes, pack_sample
from hdrdata.samples.radiance_codec import ENCODER, EXTENSION, encode_radiance
from hdrdata.views.ingest import View
from hdrdata.work.engines import EngineName
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date, describe_files, known_rows

ALGORITHM = "stacks-2"  # raise the number when the same view and recipe give other bytes
Form = Literal["pixels", "radiance"]


class SynthesizeConfig(Section):
    """How views become stacks."""

    recipe: str | RecipeConfig
    png_encoder: Literal["fpng", "opencv"]
    engine: EngineName
    workers: NonNegativeInt  # 0: one a core


@dataclass(frozen=True, kw_only=True)
class SynthesisOutcome(Outcome):
    """What one run did to views and, within them, to samples. A view is kept if a sample of it is."""

    samples_new: int
    samples_kept: int
    samples_removed: int

    def summary(self) -> str:
        """'1 new, 70 kept, 0 removed; samples: 6 new, 420 kept, 0 removed', or that nothing has changed."""
        if not (self.samples_new or self.samples_removed):
            return super().summary()
        views = f"{self.new} new, {self.kept} kept, {self.removed} removed"
        return f"{views}; samples: {self.samples_new} new, {self.samples_kept} kept, {self.samples_removed} removed"


@dataclass(frozen=True)
class _Sample:
    """What one sample is to be."""

    key: str
    form: str
    digest: str
    about: dict  # its json, but for what a random camera draws
    camera: str | None  # of the pixels form


@dataclass(frozen=True)
class _Task:
    """What one process needs to make the stack file of one view."""

    views: str
    view: View
    config: SynthesizeConfig
    samples: tuple[_Sample, ...]
    before: dict[str, dict]  # by sample's digest: where it lies in the present file, as an index row tells it


def synthesize_stacks(
    views: tuple[View, ...], folder: Path, stacks: Path, config: SynthesizeConfig, forms: tuple[Form, ...]
) -> SynthesisOutcome:
    """Bring the folder `stacks` up to date with the views in `folder`: `<view>.tar` and `index.json`.

    A tar is itself a WebDataset: in pixels form a sample `<view>_<camera>` a camera, with a.png, b.png ... (or a.jpg
    ...) in rising exposure and json; in radiance form one sample `<view>` with radiance.zst (see `radiance_codec`) and
    json.

    Returns:
        rows by view key, and the counts of views and samples.

    Raises:
        ValueError: if the recipe or the encoder is wrong, or a view is damaged.
    """
    recipe = choose_recipe(config.recipe)
    encode_png(np.zeros((8, 8, 3), np.uint8), config.png_encoder)  # an encoder that is missing is told at once
    facts = recipe_facts(recipe)
    encoder = _encoder(recipe, config) if "pixels" in forms else None
    cameras = recipe.cameras if "pixels" in forms else ()
    before = {view: _by_digest(row) for view, row in known_rows(stacks, ALGORITHM).items()}
    entries = []
    for view in views:
        samples = _wanted_samples(view, recipe, facts, forms, encoder)
        digest = digest_of([ALGORITHM, view.part, view.scene, [(sample.key, sample.digest) for sample in samples]])
        entries.append(Entry(view.key, digest, _Task(str(folder), view, config, samples, before.get(view.key, {}))))
    outcome = bring_up_to_date(
        stacks,
        ALGORITHM,
        entries,
        _make_stack,
        title="synthesize",
        isolated=False,
        engine=config.engine,
        workers=config.workers,
        finish=lambda rows: {
            "recipe": facts,
            "forms": sorted(forms),
            "encoder": encoder,
            "pictures_a_view": len(cameras) * len(recipe.evs),
        },
    )
    return _count(before, outcome)


def _by_digest(row: dict) -> dict[str, dict]:
    if "sample_digests" not in row:  # in the journal of an older algorithm
        return {}
    return dict(zip(row["sample_digests"], row["samples"], strict=True))


def _count(before: dict[str, dict[str, dict]], outcome: Outcome) -> SynthesisOutcome:
    now = {view: _by_digest(row) for view, row in outcome.rows.items()}
    kept = {view: len(samples.keys() & before.get(view, {}).keys()) for view, samples in now.items()}
    return SynthesisOutcome(
        rows=outcome.rows,
        new=sum(not count for count in kept.values()),
        kept=sum(count > 0 for count in kept.values()),
        removed=len(before.keys() - now.keys()),
        refused=outcome.refused,
        samples_new=sum(map(len, now.values())) - sum(kept.values()),
        samples_kept=sum(kept.values()),
        samples_removed=sum(map(len, before.values())) - sum(kept.values()),
    )


def _encoder(recipe: Recipe, config: SynthesizeConfig) -> str:
    opencv = f"opencv {version('opencv-python-headless')}"
    if recipe.steps.jpeg is not None:
        return f"jpeg {opencv}"
    return opencv if config.png_encoder == "opencv" else f"fpng {version('fpng')}"


def recipe_digest(recipe: Recipe) -> str:
    """The SHA-256 of all that a recipe does to a view: names, exposures, and tables or what is drawn."""
    return digest_of({"name": recipe.name, "evs": recipe.evs, "cameras": camera_digests(recipe)})


def recipe_facts(recipe: Recipe) -> dict:
    """A recipe as JSON tells it, so that a radiance sample can be expanded without any other file.

    Name, exposures, the digest of each camera, and either "thresholds": for each CRF and exposure the 254 half floats
    (as bits) at which the LDR value rises (see `thresholds_of`); or "random": see `RandomCameras.from_json`.
    """
    facts = {
        "name": recipe.name,
        "digest": recipe_digest(recipe),
        "letters": recipe.letters,
        "evs": list(recipe.evs),
        "exposures": list(recipe.exposures),
        "crfs": {name: _camera_facts(recipe, digest) for name, digest in camera_digests(recipe).items()},
    }
    if recipe.steps.draws is not None:
        return {**facts, "random": random_cameras(recipe).to_json()}
    tables = recipe_tables(recipe).items()
    return {**facts, "thresholds": {crf: [thresholds_of(row).tolist() for row in rows] for crf, rows in tables}}


def _camera_facts(recipe: Recipe, digest: str) -> dict:
    return {"tables_sha256" if recipe.steps.draws is None else "camera_sha256": digest}


def _wanted_samples(
    view: View, recipe: Recipe, facts: dict, forms: tuple[Form, ...], encoder: str | None
) -> tuple[_Sample, ...]:
    """The samples of a view. That of the radiance form depends on the view alone, not on the recipe."""
    about = {
        "view": view.key,
        "scene": view.scene,
        "group": view.group,
        "part": view.part,
        "licence": view.licence,
        "size": view.size,
        "factor": view.factor,  # view value = factor * scene value
        "pixels_sha256": view.pixels_sha256,
        "program": f"hdr-attnet {ALGORITHM}",
    }
    samples = []
    if "radiance" in forms:
        samples.append(_Sample(view.key, "radiance", digest_of([ENCODER, about]), about.copy(), None))
    if "pixels" in forms:
        about = {
            **about,
            "recipe": {"name": recipe.name},
            **{name: facts[name] for name in ("letters", "evs", "exposures")},
        }
        for camera in recipe.cameras:
            this = {**about, "crf": camera, **facts["crfs"][camera]}
            samples.append(_Sample(f"{view.key}_{camera}", "pixels", digest_of([encoder, this]), this, camera))
    return tuple(samples)


def encode_stack(
    recipe: Recipe, view: Float16[np.ndarray, "height width 3"], camera: str, png_encoder: str
) -> tuple[dict[str, bytes], dict]:
    """The pictures of a view by one camera of a recipe, as files.

    Args:
        view: normalised radiance, mean 0.5.
        camera: one of `recipe.cameras`.

    Returns:
        a.png, b.png ..., or a.jpg ... if the camera writes JPEG, in rising exposure; and what was drawn, if it was.
    """
    if recipe.steps.draws is None:
        stack, drawn = expose_view(half_bits(view), recipe_tables(recipe)[camera]), {}
    else:
        stack, drawn = random_cameras(recipe).photograph(view, camera)
    pictures = dict(zip(recipe.letters, stack, strict=True))
    if "jpeg_quality" in drawn:
        return {f"{x}.jpg": encode_jpeg(ldr, drawn["jpeg_quality"]) for x, ldr in pictures.items()}, drawn
    return {f"{x}.png": encode_png(ldr, png_encoder) for x, ldr in pictures.items()}, drawn


_recipe = lru_cache(maxsize=2)(choose_recipe)


def remake_samples(
    view: View, half: Float16[np.ndarray, "height width 3"], form: Form, config: SynthesizeConfig, keys: Collection[str]
) -> Iterator[tuple[str, bytes]]:
    """Of the samples of a view in one form those with the given keys, as bytes of a tar, by key.

    Args:
        half: the view's pixels.

    Raises:
        ValueError: if the recipe is unknown, or the encoder is not installed.
    """
    recipe = _recipe(config.recipe)
    for sample in _wanted_samples(view, recipe, recipe_facts(recipe), (form,), None):
        if sample.key in keys:
            yield sample.key, pack_sample(sample.key, form, _members(sample, half, config), 0)[0]


def _make_stack(folder: Path, task: _Task) -> dict:
    """Write the stack file of one view; runs in a worker process."""
    name = f"{task.view.key}.tar"
    layouts: list[SampleLayout] = []
    half: np.ndarray | None = None
    with written_whole(folder / name) as temporary, temporary.open("wb") as tar:
        for sample in task.samples:
            before = task.before.get(sample.digest)
            content = before and _read_sample(folder / name, SampleLayout.from_json(before))
            if content:
                layout = SampleLayout.from_json(before).moved(tar.tell())
            else:
                half = _read_whole_view(task) if half is None else half
                members = _members(sample, half, task.config)
                content, layout = pack_sample(sample.key, sample.form, members, tar.tell())
            tar.write(content)
            layouts.append(layout)
        tar.write(END_BLOCKS)
    return {"samples": [layout.to_json() for layout in layouts],
            "sample_digests": [sample.digest for sample in task.samples],
            "part": task.view.part, "scene": task.view.scene,
            "files": describe_files(folder, [name])}  # fmt: skip


def _read_sample(path: Path, layout: SampleLayout) -> bytes | None:
    """The bytes of a sample of the present file, or None if they are not what the index says."""
    try:
        with path.open("rb") as tar:
            tar.seek(layout.offset)
            content = tar.read(layout.length)
        check_bytes(content, layout.crc32c, str(path))
    except (FileNotFoundError, IntegrityError):
        return None
    return content


def _read_whole_view(task: _Task) -> np.ndarray:
    path = Path(task.views) / f"{task.view.key}.exr"
    try:
        half = read_view(path)
    except ValueError as error:
        raise ValueError(f"{error}; remove the file and run ingest again") from error
    if hashlib.sha256(half.astype("<f2").tobytes()).hexdigest() != task.view.pixels_sha256:
        raise ValueError(f"{path}: its pixels are not those that ingest wrote; remove the file and run ingest again")
    return half


def _members(sample: _Sample, half: np.ndarray, config: SynthesizeConfig) -> dict[str, bytes]:
    if sample.camera is None:
        return {EXTENSION: encode_radiance(half), "json": _json(sample.about)}
    pictures, drawn = encode_stack(_recipe(config.recipe), half, sample.camera, config.png_encoder)
    return {**pictures, "json": _json({**sample.about, "drawn": drawn} if drawn else sample.about)}


def _json(content: dict) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

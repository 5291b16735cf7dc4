"""A view's samples encoded: its stack by each camera, its radiance, and the facts beside them."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from jaxtyping import Float16
from pydantic import NonNegativeInt

from hdrdata.cameras.exposure import expose_view, half_bits, recipe_tables
from hdrdata.cameras.random_camera import random_cameras
from hdrdata.cameras.recipe import Recipe, RecipeConfig, choose_recipe
from hdrdata.config import Section
from hdrdata.files.disk import digest_of
from hdrdata.files.ldr import encode_jpeg, encode_png
from hdrdata.samples.layout import Form, program_of
from hdrdata.samples.radiance_codec import ENCODER, EXTENSION, encode_radiance
from hdrdata.samples.tars import pack_sample
from hdrdata.stacks.recipe_facts import ALGORITHM, recipe_facts
from hdrdata.views.view import View
from hdrdata.work.engines import EngineName


class SynthesizeConfig(Section):
    """Parameters of the stage synthesize."""

    recipe: str | RecipeConfig
    png_encoder: Literal["fpng", "opencv"]
    engine: EngineName
    workers: NonNegativeInt  # 0: one a core


@dataclass(frozen=True)
class Sample:
    """Description of one sample to make."""

    key: str
    form: str
    digest: str
    about: dict  # its json, without the values that a random camera draws
    camera: str | None  # of the pixels form


def encoder_facts(recipe: Recipe, config: SynthesizeConfig) -> str:
    opencv = f"opencv {version('opencv-python-headless')}"
    if recipe.steps.jpeg is not None:
        return f"jpeg {opencv}"
    return opencv if config.png_encoder == "opencv" else f"fpng {version('fpng')}"


def wanted_samples(
    view: View, recipe: Recipe, facts: dict, forms: tuple[Form, ...], encoder: str | None
) -> tuple[Sample, ...]:
    """Return the samples of a view. The radiance sample depends on the view alone, not on the recipe."""
    about = {
        "view": view.key,
        "scene": view.scene,
        "group": view.group,
        "part": view.part,
        "licence": view.licence,
        "size": view.size,
        "factor": view.factor,  # view value = factor * scene value
        "pixels_sha256": view.pixels_sha256,
        "program": program_of(ALGORITHM),
    }
    samples = []
    if "radiance" in forms:
        samples.append(Sample(view.key, "radiance", digest_of([ENCODER, about]), about.copy(), None))
    if "pixels" in forms:
        about = {
            **about,
            "recipe": {"name": recipe.name},
            **{name: facts[name] for name in ("letters", "evs", "exposures")},
        }
        for camera in recipe.cameras:
            this = {**about, "crf": camera, **facts["crfs"][camera]}
            samples.append(Sample(f"{view.key}_{camera}", "pixels", digest_of([encoder, this]), this, camera))
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


_recipe: Any = lru_cache(maxsize=2)(choose_recipe)


def remake_samples(
    view: View, half: Float16[np.ndarray, "height width 3"], form: Form, config: SynthesizeConfig, keys: Collection[str]
) -> Iterator[tuple[str, bytes]]:
    """Return the samples of a view in one form that have the given keys, as bytes of a tar, by key.

    Args:
        half: the view's pixels.

    Raises:
        ValueError: if the recipe is unknown, or the encoder is not installed.
    """
    recipe = _recipe(config.recipe)
    for sample in wanted_samples(view, recipe, recipe_facts(recipe), (form,), None):
        if sample.key in keys:
            yield sample.key, pack_sample(sample.key, form, members_of(sample, half, config), 0)[0]


def members_of(sample: Sample, half: np.ndarray, config: SynthesizeConfig) -> dict[str, bytes]:
    if sample.camera is None:
        return {EXTENSION: encode_radiance(half), "json": _json(sample.about)}
    pictures, drawn = encode_stack(_recipe(config.recipe), half, sample.camera, config.png_encoder)
    return {**pictures, "json": _json({**sample.about, "drawn": drawn} if drawn else sample.about)}


def _json(content: dict) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

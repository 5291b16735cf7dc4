"""Synthesize: one tar a view, with its LDR stacks (pixels form) and the view itself with its recipe (radiance form)."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeInt

from hdrdata.config import Section
from hdrdata.disk import digest_of, written_whole
from hdrdata.exposure import expose_view, recipe_digests, recipe_tables
from hdrdata.files import encode_png, half_bits, read_view
from hdrdata.index import Entry, Outcome, bring_up_to_date, describe_files
from hdrdata.recipe import Recipe, RecipeConfig, choose_recipe
from hdrdata.tars import pack_samples
from hdrdata.views import View

ALGORITHM = "stacks-1"  # raise the number when the same view and recipe give other bytes
Form = Literal["pixels", "radiance"]


class SynthesizeConfig(Section):
    """How views become stacks."""

    recipe: str | RecipeConfig
    forms: Annotated[tuple[Form, ...], Field(min_length=1)]
    png_encoder: Literal["fpng", "opencv"]
    workers: NonNegativeInt  # 0: one a core


@dataclass(frozen=True)
class _Task:
    """What one process needs to make the stack file of one view."""

    views: str
    view: View
    config: SynthesizeConfig


def synthesize_stacks(views: tuple[View, ...], folder: Path, stacks: Path, config: SynthesizeConfig) -> Outcome:
    """Bring the folder `stacks` up to date with the views in `folder`: `<view>.tar` and `index.json`.

    A tar is itself a WebDataset: in pixels form a sample `<view>_<crf>` a CRF, with a.png, b.png ... in rising exposure
    and json; in radiance form one sample `<view>` with radiance.npy (half floats, height, width, 3) and json.

    Returns:
        rows by view key, and the counts of views.

    Raises:
        ValueError: if the recipe or the encoder is wrong, or a view is damaged.
    """
    recipe = choose_recipe(config.recipe)
    encode_png(np.zeros((8, 8, 3), np.uint8), config.png_encoder)  # an encoder that is missing is told at once
    encoder = f"{config.png_encoder} {version('fpng' if config.png_encoder == 'fpng' else 'opencv-python-headless')}"
    common = {
        "algorithm": ALGORITHM,
        "recipe": recipe_digest(recipe),
        "forms": sorted(config.forms),
        "encoder": encoder if "pixels" in config.forms else None,
    }
    entries = [Entry(view.key, digest_of([common, asdict(view)]), _Task(str(folder), view, config)) for view in views]
    pictures = len(recipe.crfs) * len(recipe.evs) if "pixels" in config.forms else 0
    return bring_up_to_date(
        stacks,
        ALGORITHM,
        entries,
        _make_stack,
        title="synthesize",
        workers=config.workers,
        finish=lambda rows: {"recipe": recipe_facts(recipe), "encoder": common["encoder"], "pictures_a_view": pictures},
    )


def recipe_digest(recipe: Recipe) -> str:
    """The SHA-256 of all that a recipe does to a view: names, exposures and tables."""
    return digest_of({"name": recipe.name, "evs": recipe.evs, "tables": recipe_digests(recipe)})


def recipe_facts(recipe: Recipe) -> dict:
    """A recipe as JSON tells it: name, exposures, and the digest of each CRF's tables."""
    return {
        "name": recipe.name,
        "digest": recipe_digest(recipe),
        "letters": recipe.letters,
        "evs": list(recipe.evs),
        "exposures": list(recipe.exposures),
        "crfs": {name: {"tables_sha256": digest} for name, digest in recipe_digests(recipe).items()},
    }


@lru_cache(maxsize=2)
def _recipe_and_tables(config: SynthesizeConfig) -> tuple[Recipe, dict[str, np.ndarray], dict]:
    recipe = choose_recipe(config.recipe)
    return recipe, recipe_tables(recipe), recipe_facts(recipe)


def _make_stack(folder: Path, task: _Task) -> dict:
    """Write the stack file of one view; runs in a worker process."""
    view, path = task.view, Path(task.views) / f"{task.view.key}.exr"
    half = read_view(path)
    if hashlib.sha256(half.astype("<f2").tobytes()).hexdigest() != view.pixels_sha256:
        raise ValueError(f"{path}: its pixels are not those that ingest wrote; remove the file and run ingest again")
    name = f"{view.key}.tar"
    with written_whole(folder / name) as temporary:
        layouts = pack_samples(_samples(view, half, task.config), temporary)
    return {"samples": [layout.to_json() for layout in layouts], "part": view.part, "scene": view.scene,
            "files": describe_files(folder, [name])}  # fmt: skip


def _samples(view: View, half: np.ndarray, config: SynthesizeConfig) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    recipe, tables, facts = _recipe_and_tables(config)
    about = {
        "view": view.key,
        "scene": view.scene,
        "group": view.group,
        "part": view.part,
        "licence": view.licence,
        "size": view.size,
        "factor": view.factor,  # view value = factor * scene value
        "recipe": {"name": recipe.name, "digest": facts["digest"]},
        "letters": recipe.letters,
        "evs": facts["evs"],
        "exposures": facts["exposures"],
        "program": f"hdr-attnet stacks {ALGORITHM}",
    }
    if "radiance" in config.forms:
        array = io.BytesIO()
        np.save(array, half.astype("<f2"), allow_pickle=False)
        yield view.key, "radiance", {"radiance.npy": array.getvalue(), "json": _json({**about, "crfs": facts["crfs"]})}
    if "pixels" in config.forms:
        bits = half_bits(half)
        for crf in sorted(tables):
            stack = expose_view(bits, tables[crf])
            members = {
                f"{letter}.png": encode_png(ldr, config.png_encoder)
                for letter, ldr in zip(recipe.letters, stack, strict=True)
            }
            members["json"] = _json({**about, "crf": crf, **facts["crfs"][crf]})
            yield f"{view.key}_{crf}", "pixels", members


def _json(content: dict) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

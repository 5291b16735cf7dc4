"""Facts about a recipe that an index contains and a digest covers."""

from hdrdata.cameras.exposure import recipe_tables, thresholds_of
from hdrdata.cameras.random_camera import camera_digests, random_cameras
from hdrdata.cameras.recipe import Recipe
from hdrdata.files.disk import digest_of

ALGORITHM = "stacks-2"  # raise the number when the same view and recipe give other bytes


def recipe_digest(recipe: Recipe) -> str:
    """The SHA-256 of all that a recipe does to a view: names, exposures, and tables or what is drawn."""
    return digest_of({"name": recipe.name, "evs": recipe.evs, "cameras": camera_digests(recipe)})


def recipe_facts(recipe: Recipe) -> dict:
    """Return a recipe as JSON, so that a radiance sample can be expanded without any other file.

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

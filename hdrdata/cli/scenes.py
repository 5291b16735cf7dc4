"""The command that photographs an HDR file."""

import tempfile
from pathlib import Path

import click

from hdrdata.cli.recipe_names import RECIPE_NAMES
from hdrdata.command import FILE
from hdrdata.files.disk import write_bytes, write_json


@click.command()
@click.argument("scene", type=FILE)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--ev", "evs", type=click.FloatRange(-24, 24), multiple=True, metavar="STOPS",
              help="Exposure value; +1 doubles the light, at 0 the picture's mean is 0.5. "
                   "Repeat for each picture.")  # fmt: skip
@click.option("--crf", "crf_name", metavar="NAME",
              help="Camera response, one of `hdrdata crf list`. Default: srgb, or all of the recipe.")  # fmt: skip
@click.option("--like", "recipe_name", metavar="NAME|FILE.yaml",
              help=f"Take exposures and cameras of this recipe, {', '.join(RECIPE_NAMES)} or one of your own; several "
                   "cameras get a folder each.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), metavar="NUMBER",
              help="Seed of the cameras, if the recipe draws them.  [default: 0]")  # fmt: skip
@click.option("--layer", metavar="NAME", help="Layer of an EXR file to read.")
@click.option("--max-repaired", type=click.FloatRange(0, 1), default=0.01, show_default=True, metavar="SHARE",
              help="Refuse the scene if more of its pixels are negative, NaN or infinite.")  # fmt: skip
def expose(
    scene: Path,
    out: Path,
    evs: tuple[float, ...],
    crf_name: str | None,
    recipe_name: str | None,
    seed: int | None,
    layer: str | None,
    max_repaired: float,
) -> None:
    """Photograph the HDR image SCENE once per exposure value, as pictures and a stack.json in the new folder OUT.

    \b
    Three pictures, two stops apart:
        hdrdata expose church.hdr church/ --ev -2 --ev 0 --ev 2
    The 45 pictures of DrTMO:
        hdrdata expose church.hdr church/ --like drtmo
    Five photographs by random cameras, with noise and JPEG, two exposures each:
        hdrdata expose church.hdr church/ --like hdrcnn --ev 0 --ev 2
    """
    from hdrdata.cameras.recipe import RecipeConfig, choose_recipe, read_recipe
    from hdrdata.files.hdr.stated import Override
    from hdrdata.files.radiance import check_radiance
    from hdrdata.stacks.encode import encode_stack
    from hdrdata.views.normalise import normalise_view

    if not (evs or recipe_name):
        raise click.UsageError("give exposures by --ev, or a recipe by --like, or both")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ValueError(f"{out}: exists; expected a new folder")
    if len(set(evs)) < len(evs):
        raise ValueError(f"--ev: an exposure value occurs twice in {', '.join(f'{ev:g}' for ev in evs)}")
    like = read_recipe(recipe_name) if recipe_name else None
    values = like.model_dump() if like else {"name": "command", "crfs": ["srgb"]}
    changes = {"crfs": [crf_name] if crf_name else None, "evs": sorted(evs)}
    values |= {name: change for name, change in changes.items() if change}
    if seed is not None:
        drawn = [name for name in ("draws", "crfs") if isinstance(values.get(name), dict) and "seed" in values[name]]
        if not drawn:
            raise click.UsageError("--seed is for a recipe that draws its cameras")
        values[drawn[0]] = {**values[drawn[0]], "seed": seed}
    recipe = choose_recipe(RecipeConfig.parse("recipe", values))
    radiance, _ = check_radiance(scene, max_repaired, Override(layer))
    view, factor, clipped = normalise_view(radiance)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        whole = Path(temporary) / "whole"
        for camera in recipe.cameras:
            folder = whole / camera if len(recipe.cameras) > 1 else whole
            pictures, drawn = encode_stack(recipe, view, camera, "opencv")
            for name, content in pictures.items():
                write_bytes(folder / name, content)
            facts = {
                "scene": scene.name,
                "crf": camera,
                "letters": recipe.letters,
                "evs": list(recipe.evs),
                "exposures": list(recipe.exposures),
                "factor": factor,
                "clipped_share": clipped,
            }
            write_json(folder / "stack.json", {**facts, "drawn": drawn} if drawn else facts)
        whole.rename(out)  # also over an empty folder
    count = len(recipe.cameras) * len(recipe.evs)
    click.echo(f"{out}: {count} pictures of {view.shape[1]}x{view.shape[0]}")
    if clipped:
        click.echo(f"{clipped:.3%} of the values are above 65504 times the range of a picture, and were clipped there")

"""The four data stages as one act: a folder of HDR files in, shards out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hdrdata.cameras.recipe import RecipeConfig, read_recipe
from hdrdata.publish.refresh import refresh_published
from hdrdata.samples.layout import SHARDS
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.scene import Scan, write_scenes
from hdrdata.shards.pack import ShardConfig, shard_stacks
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.stacks.recipe_facts import ALGORITHM as STACKS
from hdrdata.stacks.synthesize import SynthesisOutcome, synthesize_stacks
from hdrdata.views.ingest import describe_views, ingest_scenes
from hdrdata.views.view import ALGORITHM as VIEWS
from hdrdata.views.view import IngestConfig, read_views
from hdrdata.work.incremental import Outcome, check_folder


@dataclass(frozen=True)
class Built:
    """Result of one run of the four stages."""

    scan: Scan
    ingest: Outcome  # views of scenes
    synthesize: SynthesisOutcome  # stacks of views
    shard: Outcome


def build(
    scenes: str | Path,
    out: str | Path,
    *,
    sidecar: str | None = None,
    seed: int = 0,
    val_share: float = 0.15,
    test_share: float = 0.2,
    view_size: int = 512,
    fov_degrees: float = 80,
    pitch_degrees: float = 10,
    azimuths_degrees: Sequence[int | float] = (0, 60, 120, 180, 240, 300),
    photo_crops: int = 1,
    max_magnification: float = 1.5,
    on_magnified: str = "refuse",
    max_repaired_share: float = 0.01,
    layer: str | None = None,
    on_error: str = "stop",
    recipe: str | RecipeConfig = "drtmo",
    png_encoder: str = "fpng",
    name: str = "hdr",
    form: str = "both",
    shards: Mapping[str, int] | None = None,
    engine: str = "local",
    workers: int = 0,
    check_content: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Built:
    """Make a dataset in the folder `out` from the HDR files of the folder `scenes`, or bring it up to date.

    `out` gets scenes.json, views/, stacks/ and shards/. Only what is new or changed is made; the same scenes and
    parameters give the same bytes, whatever engine and number of workers. Sidecars and card of the shards are written
    again where the shards changed.

    Args:
        sidecar: name of a CSV in `scenes` (see `hdrdata.scenes.sidecar.read_sidecar`).
        seed: another number splits the groups of scenes differently.
        val_share: expected share [0, 1) of the groups in the part val.
        test_share: expected share [0, 1) of the groups in the part test.
        view_size: height and width of a view in pixels.
        fov_degrees: horizontal and vertical field of view of the views of a panorama.
        pitch_degrees: angle of these views above the horizon.
        azimuths_degrees: directions of these views; one view each.
        photo_crops: number of square views of a photograph, along its long side.
        max_magnification: view pixels per source pixel above which `on_magnified` applies.
        on_magnified: "refuse" the scene, or "shrink" its views.
        max_repaired_share: largest share of a scene's pixels that may be negative, NaN or infinite.
        layer: layer of EXR files to read; None chooses by the names.
        on_error: "stop" at a bad scene, or "skip" and list it.
        recipe: a name of `hdrdata.cameras.recipe.RECIPES`, a file .yaml (see `read_recipe` there), or a recipe.
        png_encoder: "fpng", or "opencv", which is ten times slower and available on every platform.
        name: first part of the shards' names.
        form: "radiance", "pixels" or "both".
        shards: number of shards of each part; {"train": 2, "val": 1, "test": 1} by default.
        engine: "local" or "ray".
        workers: number of tasks at a time; 0 for one per core.
        check_content: read every scene, view, stack and shard, and make again what was damaged without a change of its
            size or time; takes as long as reading the dataset.
        report: function that receives one line about each thing that was done or left out.

    Raises:
        ValueError: one line naming the file or the value that is wrong, and what is expected.
    """
    scenes, out = Path(scenes), Path(out)
    ingest = IngestConfig.parse("ingest", {
        "view_size": view_size, "fov_degrees": fov_degrees, "pitch_degrees": pitch_degrees,
        "azimuths_degrees": tuple(azimuths_degrees), "photo_crops": photo_crops,
        "max_magnification": max_magnification, "on_magnified": on_magnified,
        "max_repaired_share": max_repaired_share, "layer": layer, "on_error": on_error, "engine": engine,
        "workers": workers,
    })  # fmt: skip
    synthesize = SynthesizeConfig.parse("synthesize", {
        "recipe": read_recipe(recipe) if isinstance(recipe, str) else recipe, "png_encoder": png_encoder,
        "engine": engine, "workers": workers,
    })  # fmt: skip
    counts = dict(shards or {"train": 2, "val": 1, "test": 1})
    shard = ShardConfig.parse("shard", {"name": name, "form": form, "shards": counts})

    if out.resolve().is_relative_to(scenes.resolve()):
        raise ValueError(f"{out}: lies in the folder of scenes, {scenes}: its views would be taken for scenes")
    for folder, algorithm in (("views", VIEWS), ("stacks", STACKS), ("shards", SHARDS)):
        check_folder(out / folder, algorithm)
    cache = out / ".scan-cache.json"
    scan = scan_scenes(
        scenes,
        sidecar=sidecar,
        seed=seed,
        val_share=val_share,
        test_share=test_share,
        cache=cache,
        listed=out / "scenes.json",
        check_content=check_content,
    )
    write_scenes(out / "scenes.json", scan, scenes)
    report(f"scenes: {', '.join(f'{count} {part}' for part, count in scan.counts().items())}")
    for note in scan.notes:
        report(note)
    for path, same in scan.duplicates:
        report(f"left out: {scenes / path}: the same bytes as {same}")
    if scan.unread:
        report(scan.unread_line())
    ingested = ingest_scenes(scan.scenes, scenes, out / "views", ingest, check_content=check_content)
    report(f"views of scenes: {ingested.summary()}")
    for refusal in ingested.refused:
        report(f"refused: {' '.join(refusal.reason.split())}")
    views = read_views(out / "views")
    for line in describe_views(views, ingest, ingested.rows):
        report(line)
    forms = shard.forms
    stacks = synthesize_stacks(views, out / "views", out / "stacks", synthesize, forms, check_content=check_content)
    report(f"stacks of views: {stacks.summary()}")
    run = {"workers": workers, "engine": engine, "check_content": check_content}
    packed = shard_stacks(out / "stacks", out / "shards", shard, **run)
    report(f"shards: {packed.summary()}")
    for line in refresh_published(out / "shards"):
        report(line)
    if ingested.refused:
        report(f"{len(ingested.refused)} of {len(scan.scenes)} scenes were refused, and are not in {out}")
    return Built(scan, ingested, stacks, packed)

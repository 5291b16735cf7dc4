"""Restore damaged shards to the bytes in their index: from the stack files, or from the views."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from hdrdata.cameras.recipe import RecipeConfig, choose_recipe
from hdrdata.files.disk import sha256_of, written_whole
from hdrdata.files.exr import read_view
from hdrdata.files.removal import is_inside
from hdrdata.integrity.tar_walk import walk_tar
from hdrdata.integrity.verify import Fault
from hdrdata.samples.layout import END_BLOCKS, IntegrityError, SampleLayout, split_key
from hdrdata.stacks.encode import SynthesizeConfig, remake_samples
from hdrdata.stacks.recipe_facts import recipe_digest
from hdrdata.stream.remote import LocalFolder
from hdrdata.stream.shard_index import read_shard_index
from hdrdata.views.view import View, read_views
from hdrdata.work.processes import map_in_processes

ENCODERS = ("fpng", "opencv")  # an index of shards does not say which wrote its pictures; the CRC-32C does


@dataclass(frozen=True)
class Repaired:
    """Result of `repair_shards`."""

    shards: int  # that were written again
    copied: int  # samples, from stack files
    remade: int  # samples, from views
    failed: tuple[Fault, ...]  # samples that could not be made again, and shards that stay as they are


@dataclass(frozen=True)
class _Task:
    """Input of the process that repairs one shard."""

    folder: str
    shard: str
    row: dict
    crfs: tuple[str, ...]
    stacks: str | None
    views: str | None
    catalog: dict[str, View]
    recipe: str | RecipeConfig | None  # None: samples cannot be made again, only copied


def repair_shards(
    folder: Path,
    stacks: Path | None,
    views: Path | None,
    recipe: str | RecipeConfig | None = None,
    *,
    workers: int | None = 0,
    title: str | None = None,
) -> Repaired:
    """Write every damaged shard again, with its whole samples as they are and the others copied or made again.

    A sample is copied from its view's stack file; where that is missing or damaged too, it is made from the view by the
    recipe. Either must have the CRC-32C in the index, and the shard its SHA-256; else it is refused, and the
    file stays as it is. So nothing is ever replaced by other bytes.

    Args:
        stacks: folder of stack files; None if there is none.
        views: folder of views; None if there is none.
        recipe: the recipe that made the shards; None: the recipe that the index names.

    Raises:
        ValueError: if there is no sound index, or `recipe` differs from the recipe in the index.
    """
    index = read_shard_index(LocalFolder(folder))
    chosen = _recipe_of(folder, index, recipe) if views else None
    catalog = {view.key: view for view in read_views(views)} if views else {}
    tasks = [
        _Task(str(folder), shard, row, tuple(index["recipe"]["crfs"]), stacks and str(stacks), views and str(views),
              _views_of(row, index, catalog), chosen)
        for shard, row in index["rows"].items()
    ]  # fmt: skip
    shards = copied = remade = 0
    failed: list[Fault] = []
    for task, result in map_in_processes(_repair_shard, tasks, workers, title):
        if isinstance(result, ChildProcessError):
            failed.append(Fault(task.shard, None, str(result)))
            continue
        shards += result.shards
        copied += result.copied
        remade += result.remade
        failed.extend(result.failed)
    return Repaired(shards, copied, remade, tuple(sorted(failed, key=lambda fault: fault.shard)))


def _recipe_of(folder: Path, index: dict, recipe: str | RecipeConfig | None) -> str | RecipeConfig | None:
    known, name = index["recipe"]["digest"], index["recipe"]["name"]
    if recipe is None:
        try:
            return name if recipe_digest(choose_recipe(name)) == known else None
        except ValueError:  # a recipe of the user's parameters, which only the user has
            return None
    if recipe_digest(choose_recipe(recipe)) != known:
        raise ValueError(f"{folder}: made by the recipe '{name}' ({known[:12]}), which is not the one given")
    return recipe


def _views_of(row: dict, index: dict, catalog: dict[str, View]) -> dict[str, View]:
    keys = {split_key(sample["key"], row["form"], index["recipe"]["crfs"])[0] for sample in row["samples"]}
    return {key: catalog[key] for key in keys & catalog.keys()}


def _repair_shard(task: _Task) -> Repaired:
    """Repair one shard where it is damaged; runs in a worker process."""
    path, wanted = Path(task.folder) / task.shard, task.row["files"][task.shard]
    if path.is_file() and path.stat().st_size == wanted["size"] and sha256_of(path) == wanted["sha256"]:
        return Repaired(0, 0, 0, ())
    if not is_inside(Path(task.folder), task.shard):
        return Repaired(0, 0, 0, (Fault(task.shard, None, "stays as it is: a link leads out of the folder of shards"),))
    counts, failed = {"copied": 0, "remade": 0}, []
    made_view, made = None, {}  # the samples of the view that was made again last
    sha256 = hashlib.sha256()
    try:
        with written_whole(path) as temporary:
            with temporary.open("wb") as shard:
                for layout in sorted(map(SampleLayout.from_json, task.row["samples"]), key=lambda each: each.offset):
                    content = _piece(path, layout)
                    if content is None:
                        content = _copied(task, layout)
                        counts["copied"] += content is not None
                    if content is None:
                        view = split_key(layout.key, layout.form, task.crfs)[0]
                        if view != made_view:
                            made_view, made = view, dict(_remade(task, view))
                        content = _checked(made.get(layout.key), layout)
                        counts["remade"] += content is not None
                    if content is None:
                        failed.append(Fault(task.shard, layout.key, _why_not(task, layout)))
                        continue
                    shard.write(content)
                    sha256.update(content)
                shard.write(END_BLOCKS)
                sha256.update(END_BLOCKS)
            if failed:
                raise IntegrityError("stays as it is: not all of its samples could be made again")
            if sha256.hexdigest() != wanted["sha256"]:
                raise IntegrityError("stays as it is: whole samples and closing blocks do not give the index's sha256")
    except IntegrityError as error:
        return Repaired(0, 0, 0, (*failed, Fault(task.shard, None, str(error))))
    return Repaired(1, **counts, failed=())


def _checked(content: bytes | None, layout: SampleLayout) -> bytes | None:
    """Return `content` if it is the sample in the index."""
    same = content is not None and len(content) == layout.length and google_crc32c.value(content) == layout.crc32c
    return content if same else None


def _piece(path: Path, layout: SampleLayout) -> bytes | None:
    """The bytes of a sample where it should lie, if they are whole."""
    try:
        if path.stat().st_size < layout.offset + layout.length:
            return None
        with path.open("rb") as file:
            file.seek(layout.offset)
            return _checked(file.read(layout.length), layout)
    except FileNotFoundError:
        return None


def _copied(task: _Task, layout: SampleLayout) -> bytes | None:
    """Return a sample from its view's stack file, found by the file's own headers."""
    if task.stacks is None:
        return None
    path = Path(task.stacks) / f"{split_key(layout.key, layout.form, task.crfs)[0]}.tar"
    try:
        with path.open("rb") as file:
            for entry in walk_tar(file, path.stat().st_size):
                if entry.name.partition(".")[0] == layout.key:
                    file.seek(entry.offset - 512)
                    return _checked(file.read(layout.length), layout)
    except (FileNotFoundError, IntegrityError):
        return None
    return None


def _remade(task: _Task, view: str) -> Iterator[tuple[str, bytes]]:
    """The samples of a view, made again from its file, by key; none if the view or the recipe is not there."""
    if view not in task.catalog or task.recipe is None or task.views is None:
        return
    try:
        half = read_view(Path(task.views) / f"{view}.exr")
    except ValueError:
        return
    if hashlib.sha256(half.astype("<f2").tobytes()).hexdigest() != task.catalog[view].pixels_sha256:
        return

    samples = [SampleLayout.from_json(sample) for sample in task.row["samples"]]
    missing = {sample.key: sample for sample in samples if split_key(sample.key, sample.form, task.crfs)[0] == view}
    for encoder in ENCODERS:
        config = SynthesizeConfig(recipe=task.recipe, png_encoder=encoder, engine="local", workers=1)
        try:
            for key, content in remake_samples(task.catalog[view], half, task.row["form"], config, list(missing)):
                if _checked(content, missing[key]):
                    del missing[key]
                    yield key, content
        except ValueError:  # this encoder has no wheel here
            continue


def _why_not(task: _Task, layout: SampleLayout) -> str:
    """Return why a sample could not be made again, and what the user can do."""
    view = split_key(layout.key, layout.form, task.crfs)[0]
    start = "damaged, and not whole in the stack files" if task.stacks else "damaged, and there are no stack files"
    if task.views is None:
        return f"{start}; give the folder of views"
    if view not in task.catalog:
        return f"{start}; the views do not have {view}"
    if task.recipe is None:
        return f"{start}; give the recipe that made it"
    return f"{start}; its view is damaged too, or gives other bytes today (other versions of the encoder?)"

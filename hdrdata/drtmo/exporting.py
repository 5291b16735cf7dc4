"""Export: a folder of shards as the folder tree of DrTMO, for programs that read it from loose PNGs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from hdrdata.drtmo.layout import FOLDERS, LISTS, PICTURES, parse_stack_folder, stack_folder, write_pair_list
from hdrdata.files.disk import INDEX, digest_of, folder_written_whole
from hdrdata.files.ldr import encode_png
from hdrdata.files.removal import has_bytes, remove_listed
from hdrdata.samples.layout import SHARDS, split_key
from hdrdata.scenes.parts import PARTS
from hdrdata.stream.shard_reader import Shards
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date
from hdrdata.work.index import describe_files, previous_index, read_index
from hdrdata.work.journal import JOURNAL

ALGORITHM = "drtmo-export-1"


@dataclass(frozen=True)
class _Task:
    """Input of the process that writes the stacks of one view."""

    shards: str
    part: str
    form: str
    samples: tuple[int, ...]  # their numbers
    png_encoder: str


def export_drtmo(
    shards: Path, out: Path, parts: tuple[str, ...], *, png_encoder: str, workers: int = 0
) -> dict[str, Outcome]:
    """Bring the folder `out` up to date with shards: `{Train,Test}/Bracketed_images/<view>_<crf>/{a..i}.png`.

    The PNGs of the pixels form are copied; a part that has the radiance form alone is expanded. Stacks of val lie in
    Train; the lists train.csv, val.csv and test_hdr.csv in `out` state the parts and the pairs (see `write_pair_list`),
    and their paths are relative to `Bracketed_images`. A new stack's folder is written whole; one that exists and was
    made of the same samples is kept. An `index.json` in Train and in Test lists all files, the lists too; no other file
    is replaced or removed.

    Args:
        parts: the parts to write. What `out` has of another part stays, and is kept up to date.
        png_encoder: of expanded pictures, see `encode_png`.
        workers: processes; 0 for one a core.

    Returns:
        for "Train" and "Test", what was done there: rows by view, and the counts of views.

    Raises:
        ValueError: if the shards do not have a part, or are damaged; if `out` has pictures or lists that no export
            wrote.
    """
    index = read_index(shards, SHARDS)
    forms = {part: {row["form"] for row in index["rows"].values() if row["part"] == part} for part in PARTS}
    for part in parts:
        if not forms[part]:
            held = ", ".join(part for part in PARTS if forms[part])
            raise ValueError(f"{shards}: no samples of the part '{part}'; it has {held}")
    outcomes = {}
    for name in dict.fromkeys(FOLDERS[part] for part in parts):
        folder = out / name
        ours = any((folder / file).exists() for file in (INDEX, JOURNAL))
        if folder.exists() and any(folder.iterdir()) and not ours:
            raise ValueError(f"{folder}: contains files that were not exported; expected a new folder")
        before = previous_index(folder, ALGORITHM)
        exported = before.get("rows", {})
        lists = {LISTS[part]: facts for part, facts in before.get("lists", {}).items() if part in LISTS}
        for part in (part for part in PARTS if FOLDERS[part] == name):
            path = out / LISTS[part]
            listed = None if (folder / JOURNAL).exists() else lists.get(path.name)  # where a run was cut short
            if path.exists() and not (has_bytes(path, listed) if listed else ours):  # older exports listed none
                raise ValueError(f"{path}: changed since it was exported; move it away, or give another folder")
        entries = []
        for part in (part for part in PARTS if forms[part] and FOLDERS[part] == name):
            form = "pixels" if "pixels" in forms[part] else "radiance"
            for entry in _entries(shards, part, form, png_encoder):
                if part in parts or entry.name in exported:
                    entries.append(entry)
        folder.mkdir(parents=True, exist_ok=True)
        if not ours:
            (folder / JOURNAL).touch()  # from now on it is: a run that is killed before its first stack can continue
        (folder / PICTURES).mkdir(exist_ok=True)
        outcomes[name] = bring_up_to_date(
            folder,
            ALGORITHM,
            entries,
            _write_stacks,
            title="export",
            workers=workers,
            finish=partial(_write_lists, out, name, index["recipe"], lists),
        )
    return outcomes


def _write_lists(out: Path, name: str, recipe: dict, before: dict[str, dict], rows: dict[str, dict]) -> dict:
    """Write the lists of the parts in the folder `name`, remove those of parts that are gone; return their facts."""
    lists = {}
    for part in (part for part in PARTS if FOLDERS[part] == name):
        if stacks := [stack for row in rows.values() if row["part"] == part for stack in row["stacks"]]:
            write_pair_list(out / LISTS[part], part, stacks, recipe["letters"], tuple(recipe["exposures"]))
            lists[part] = describe_files(out, [LISTS[part]])[LISTS[part]]
    remove_listed(out, before, keep={LISTS[part] for part in lists})
    return {"lists": lists}


def _entries(shards: Path, part: str, form: str, png_encoder: str) -> Iterator[Entry]:
    reader = Shards(shards, part, form)
    views: dict[str, list[int]] = {}
    for number, key in enumerate(reader.keys):
        views.setdefault(split_key(key, form, reader.crfs)[0], []).append(number)
    for view, numbers in views.items():
        samples = [(reader.samples[number][1].key, reader.samples[number][1].crc32c) for number in numbers]
        made = [png_encoder, reader.index["recipe"]["digest"]] if form == "radiance" else []
        task = _Task(str(shards), part, form, tuple(numbers), png_encoder)
        yield Entry(view, digest_of([ALGORITHM, part, form, samples, made]), task)


@lru_cache(maxsize=4)
def _reader(shards: str, part: str, form: str) -> Shards:
    return Shards(Path(shards), part, form)


def _write_stacks(folder: Path, task: _Task) -> dict:
    """Write the stacks of one view, each folder whole; runs in a worker process."""
    stacks, files = [], []
    for name, pictures in _pictures(task):
        if any(Path(word).name != word or word.startswith(".") for word in (name, *pictures)):
            raise ValueError(f"{task.shards}: '{name}' with {', '.join(pictures)} is not the name of a stack's folder")
        with folder_written_whole(folder / PICTURES / name) as temporary:
            for file, content in pictures.items():
                (temporary / file).write_bytes(content)
        stacks.append(name)
        files.extend(f"{PICTURES}/{name}/{file}" for file in pictures)
    return {"part": task.part, "stacks": stacks, "files": describe_files(folder, files)}


def _pictures(task: _Task) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The stacks of a view: the folder's name, and its files' bytes by name."""
    reader = _reader(task.shards, task.part, task.form)
    letters = reader.index["recipe"]["letters"]
    for number in task.samples:
        if task.form == "pixels":
            members = reader.read(number)
            about = json.loads(members["json"])
            pictures = {f"{letter}.png": members[f"{letter}.png"] for letter in letters}
            yield _folder_of(about, reader.samples[number][1].key), pictures
        else:
            sample = reader.radiance(number)
            for crf in reader.crfs:
                stack = reader.expand(sample, crf).stack
                pictures = {
                    f"{letter}.png": encode_png(ldr, task.png_encoder)
                    for letter, ldr in zip(letters, stack, strict=True)
                }
                yield stack_folder(reader.samples[number][1].key, crf), pictures


def _folder_of(about: dict, key: str) -> str:
    """A stack's folder: that which it was imported from, if its name is one and stands for the sample's key."""
    folder = about.get("imported_from")
    if isinstance(folder, str) and Path(folder).name == folder and not folder.startswith("."):
        try:
            if parse_stack_folder(folder).key == key:
                return folder
        except ValueError:
            pass  # another layout's name
    if f"{about['view']}_{about['crf']}" != key:
        raise ValueError(f"sample {key}: its json states the view '{about['view']}' and the camera '{about['crf']}'")
    return stack_folder(about["view"], about["crf"])

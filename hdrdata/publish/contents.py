"""Contents of a folder of shards: its shards by form and part, and its views with the facts in their samples."""

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from hdrdata.files.disk import digest_of
from hdrdata.samples.layout import SHARDS, SampleLayout
from hdrdata.scenes.parts import PARTS
from hdrdata.scenes.scene import Scene
from hdrdata.stream.shard_reader import Shards, StackSample
from hdrdata.views.view import View, parse_view_key
from hdrdata.work.index import read_index

UNSTATED = "not stated"  # a licence that nobody gave


@dataclass(frozen=True)
class Shard:
    """One tar of the index that holds samples."""

    path: str  # relative to the folder: "pixels/hdr-train-000000.tar"
    form: str
    part: str
    size: int  # bytes
    sha256: str
    samples: tuple[SampleLayout, ...]

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)

    @property
    def file(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class HeldView:
    """One view of a dataset: the places of its samples, and its facts."""

    key: str
    scene: str
    group: str
    part: str
    licence: str
    kind: str  # "pano", "photo" or "unknown"
    numbers: tuple[int, ...]  # of its samples in the part's reader: one in radiance form, one a camera in pixels form
    magnification: float | None  # these two only with the catalog of the views
    stops: float | None


class Contents(AbstractContextManager["Contents"]):
    """The index of a folder of shards, without the shards that hold no sample."""

    def __init__(self, folder: Path):
        """Read the index.

        Raises:
            ValueError: naming the folder, if it has no index, or no sample at all.
        """
        self.folder = folder
        index = read_index(folder, SHARDS)
        self.name: str = index["name"]
        self.recipe: dict = index["recipe"]
        self.shards = tuple(
            Shard(path, row["form"], row["part"], row["files"][path]["size"], row["files"][path]["sha256"],
                  tuple(SampleLayout.from_json(sample) for sample in row["samples"]))
            for path, row in sorted(index["rows"].items())
            if row["samples"]
        )  # fmt: skip
        if not self.shards:
            raise ValueError(f"{folder}: no samples in it")

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that hold samples: train, val, test, then others by name."""
        held = {shard.part for shard in self.shards}
        return (*(part for part in PARTS if part in held), *sorted(held - set(PARTS)))

    @property
    def forms(self) -> tuple[str, ...]:
        return tuple(sorted({shard.form for shard in self.shards}))

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all that a description of the dataset depends on: recipe and shards."""
        return digest_of([self.name, self.recipe, [(shard.path, shard.part, shard.sha256) for shard in self.shards]])

    def of(self, form: str, part: str) -> tuple[Shard, ...]:
        """The shards of a form and a part."""
        return tuple(shard for shard in self.shards if (shard.form, shard.part) == (form, part))

    @cached_property
    def readers(self) -> dict[str, Shards]:
        """A reader a part: of the radiance form where the part has it, for it is the smaller one."""
        forms = {part: {shard.form for shard in self.shards if shard.part == part} for part in self.parts}
        return {
            part: Shards(self.folder, part, "radiance" if "radiance" in forms[part] else "pixels")
            for part in self.parts
        }

    def __exit__(self, *error: object) -> None:
        for reader in self.__dict__.get("readers", {}).values():  # where they were made
            reader.close()


def list_views(contents: Contents, catalog: tuple[View, ...] = (), scenes: tuple[Scene, ...] = ()) -> list[HeldView]:
    """The views of all parts, by part and key, from the JSON of their samples: kilobytes, not pictures.

    Args:
        catalog: the views as `ingest` described them; may be empty.
        scenes: the scenes as `scan` described them, for licences that the samples do not state; may be empty.

    Raises:
        IntegrityError: naming shard and sample, if one is damaged.
    """
    views = {view.key: view for view in catalog}
    licences = {scene.key: scene.licence for scene in scenes}
    held = []
    for part, reader in contents.readers.items():
        found: dict[str, tuple[dict, list[int]]] = {}
        for number, (_, layout) in enumerate(reader.samples):
            about = json.loads(reader.read(number, ("json",))["json"]) if "json" in layout.members else {}
            found.setdefault(about.get("view", layout.key), (about, []))[1].append(number)
        for key, (about, numbers) in sorted(found.items()):
            view, scene = views.get(key), about.get("scene", key)
            held.append(HeldView(
                key=key,
                scene=scene,
                group=about.get("group", scene),
                part=part,
                licence=about.get("licence") or (view.licence if view else "") or licences.get(scene) or UNSTATED,
                kind=view.kind if view else parse_view_key(key).kind,
                numbers=tuple(numbers),
                magnification=view.magnification if view else None,
                stops=view.stops if view else None,
            ))  # fmt: skip
    return held


def stacks_of(reader: Shards, view: HeldView) -> list[StackSample]:
    """The stacks of a view, by camera: expanded from the radiance form, decoded from the pixels form."""
    if reader.form == "radiance":
        sample = reader.radiance(view.numbers[0])
        return [reader.expand(sample, crf) for crf in reader.crfs]
    return sorted((reader.stack(number) for number in view.numbers), key=lambda sample: sample.crf)

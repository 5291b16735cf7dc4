"""Leaks: scenes that lie in two parts of a dataset, under one name or two, so that the test tests what was trained."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hdrdata.files.disk import digest_of
from hdrdata.samples.layout import was_built
from hdrdata.scenes.parts import PARTS
from hdrdata.scenes.scene import source_of_scene
from hdrdata.stream.shard_reader import Shards


@dataclass(frozen=True)
class Traces:
    """By what a scene is known under whatever name it lies in another part."""

    groups: frozenset[str] = frozenset()  # location groups
    sources: frozenset[str] = frozenset()  # the first eight digits of its file's SHA-256
    pictures: frozenset[str] = frozenset()  # digests of its views' pixels; of their files, if they were imported

    def __or__(self, other: "Traces") -> "Traces":
        return Traces(self.groups | other.groups, self.sources | other.sources, self.pictures | other.pictures)


def scenes_of_parts(shards: Path | str) -> dict[str, dict[str, Traces]]:
    """The scenes of every part of a folder of shards, in all its forms, from the index and a JSON a view.

    No picture is read: a view of the radiance form is a sample; in the pixels form one JSON describes all its stacks.

    Args:
        shards: path or URL, as `Shards` takes it.

    Returns:
        part -> scene -> traces; train, val, test, then others by name.

    Raises:
        ValueError: if there is no index, or no sample in it.
        IntegrityError: naming shard and sample, if one is damaged.
    """
    found: dict[str, dict[str, Traces]] = {}
    readers = [Shards(shards, None, "auto")]
    held = {row["form"] for row in readers[0].index["rows"].values() if row["samples"]}
    readers += [Shards(shards, None, form) for form in sorted(held - {readers[0].form})]
    for reader in readers:
        try:
            for part, scene, traces in _views_of(reader):
                scenes = found.setdefault(part, {})
                scenes[scene] = scenes.get(scene, Traces()) | traces
        finally:
            reader.close()
    order = [*PARTS, *sorted(found.keys() - set(PARTS))]
    return {part: dict(sorted(found[part].items())) for part in order if part in found}


def check_no_leak(parts: Mapping[str, Mapping[str, Traces]], where: Path | str) -> None:
    """Refuse a dataset in which a scene, a place, a source file or a picture is in two parts.

    Args:
        parts: part -> scene -> traces; see `scenes_of_parts`.
        where: the dataset, for the message.

    Raises:
        ValueError: naming the first such scene, or both where it has two names, both parts, and how many more there
            are.
    """
    first: dict[tuple[str, str], tuple[str, str]] = {}  # kind and trace -> part and scene
    leaks: dict[tuple[str, str, str, str], str] = {}  # each pair of scenes once, by its plainest trace
    for part, scenes in parts.items():
        for scene, traces in scenes.items():
            marks = {"name": [scene], "source": traces.sources, "picture": traces.pictures, "group": traces.groups}
            for kind, names in marks.items():
                for name in sorted(names):
                    other_part, other = first.setdefault((kind, name), (part, scene))
                    if other_part != part:
                        leaks.setdefault((other_part, other, part, scene), _same(kind, name, other, scene))
    for (other_part, other, part, scene), why in leaks.items():
        names = f"scene '{scene}'" if other == scene else f"scenes '{other}' and '{scene}'"
        more = f" and {len(leaks) - 1} more" if len(leaks) > 1 else ""
        raise ValueError(
            f"{where}: {names} of the parts '{other_part}' and '{part}'{more}: {why}; expected each scene in one part: "
            "remove it from one and build the shards again"
        )


def _same(kind: str, name: str, one: str, other: str) -> str:
    if one == other:
        return "one scene in both"
    return {
        "source": f"two names of one file, whose SHA-256 begins with {name}",
        "picture": f"two names of the same picture, digest {name[:8]}",
        "group": f"one place, the location group '{name}'",
    }[kind]


def _views_of(reader: Shards) -> Iterator[tuple[str, str, Traces]]:
    """Part, scene and traces of every view of a form; where pictures have no digest, of every stack."""
    about: dict[tuple[str, str], dict] = {}
    for number, (shard, layout) in enumerate(reader.samples):
        part = reader.index["rows"][shard]["part"]
        view = layout.key if reader.form == "radiance" else reader.view_and_crf(number)[0]
        known = (part, view) in about
        if not known:
            about[part, view] = json.loads(reader.read(number, ("json",))["json"])
        facts = about[part, view]
        if known and "pixels_sha256" in facts:
            continue
        pictures = facts.get("pixels_sha256") or digest_of(
            {name: [member.size, member.crc32c] for name, member in layout.members.items() if name != "json"}
        )
        source = source_of_scene(facts["scene"]) if was_built(facts) else None
        yield (
            part,
            facts["scene"],
            Traces(
                groups=frozenset({facts.get("group", facts["scene"])}),
                sources=frozenset({source} if source else ()),
                pictures=frozenset({pictures}),
            ),
        )

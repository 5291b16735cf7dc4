"""The dataset card: README.md for Hugging Face, croissant.json, licences.csv, and a picture of some stacks."""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from hdrdata.files.disk import read_json
from hdrdata.files.documents import safe_cell
from hdrdata.publish.contents import UNSTATED, Contents, HeldView, list_views
from hdrdata.publish.croissant import describe_croissant
from hdrdata.publish.preview import choose_views, draw_sheet, look_at
from hdrdata.publish.published import Written, write_published
from hdrdata.publish.sidecars import VALIDATION
from hdrdata.publish.statistics import Statistics, measure_shards, percent, sparkline, stops_text
from hdrdata.scenes.scene import Scene
from hdrdata.views.view import View

CARD, CROISSANT, LICENCES = "README.md", "croissant.json", "licences.csv"
STATISTICS, SHEET = "statistics.json", "contact-sheet.jpg"
SHEET_VIEWS, SHEET_HEIGHT = 8, 96  # views, and pixels of each picture
SCENES_IN_CARD = 40  # more are in licences.csv alone
# Licence identifiers of Hugging Face that are used for images.
KNOWN_LICENCES = (
    "apache-2.0", "mit", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "pddl", "odc-by", "odbl",
)  # fmt: skip
SIZES = (("n<1K", 1e3), ("1K<n<10K", 1e4), ("10K<n<100K", 1e5), ("100K<n<1M", 1e6), ("1M<n<10M", 1e7))


@dataclass(frozen=True)
class Publication:
    """Facts that only the owner of a dataset can state; None: not stated."""

    title: str | None = None
    url: str | None = None
    creator: str | None = None
    published: str | None = None  # a date, YYYY-MM-DD
    cite: str | None = None

    def or_of(self, croissant: Path) -> "Publication":
        """Return these facts, completed by the ones of an earlier card, which its Croissant file keeps."""
        before = read_json(croissant) if croissant.is_file() else {}
        creator = before.get("creator")
        return Publication(
            self.title or before.get("alternateName"),
            self.url or before.get("url"),
            self.creator or (creator.get("name") if isinstance(creator, dict) else creator),
            self.published or before.get("datePublished"),
            self.cite or before.get("citeAs"),
        )

    def to_croissant(self) -> dict:
        """As the properties of a Croissant file."""
        facts: dict[str, Any] = {"url": self.url, "datePublished": self.published, "citeAs": self.cite}
        if self.creator:
            facts["creator"] = {"@type": "sc:Organization", "name": self.creator}
        return {name: value for name, value in facts.items() if value}


def write_card(
    folder: Path,
    publication: Publication,
    *,
    catalog: tuple[View, ...] = (),
    scenes: tuple[Scene, ...] = (),
    overwrite: bool = False,
    workers: int = 0,
) -> tuple[Written, bool]:
    """Measure the shards of `folder` and write beside them README.md, croissant.json, licences.csv, statistics.json
    and contact-sheet.jpg. The same shards and arguments give the same bytes.

    Args:
        catalog: the views as `ingest` described them; may be empty.
        scenes: the scenes as `scan` described them, for licences that the samples do not state; may be empty.
        overwrite: also a README.md that was changed by hand.
        workers: threads; 0 for one a core.

    Returns:
        the counts of files, and whether README.md was changed by hand and therefore kept.

    Raises:
        IntegrityError: naming shard and sample, if one is damaged.
    """
    with Contents(folder) as contents:
        statistics = measure_shards(contents, catalog, workers=workers)
        views = list_views(contents, catalog, scenes)
        seen = look_at(contents, choose_views(views, SHEET_VIEWS, seed=0), SHEET_HEIGHT)
        sheet = draw_sheet(seen, contents.recipe["evs"], SHEET_HEIGHT, ".jpg")
        files = {SHEET: sheet, **_describe(contents, publication, statistics, views, scenes, sheet=True)}
        digest = contents.digest
    files[STATISTICS] = _json(statistics.to_json())  # last: it states that the others are of these shards
    return _write(folder, files, digest, overwrite)


def write_plain_card(folder: Path, kinds: tuple[str, ...]) -> tuple[Written, bool]:
    """Write the card, the Croissant file or both without statistics: no picture is read.

    Where `write_card` described these very shards, its files stay as they are; what it wrote about other shards is
    removed.

    Args:
        kinds: "card", "croissant" or both.
    """
    names = {"card": (CARD, LICENCES), "croissant": (CROISSANT,)}
    chosen = tuple(name for kind in kinds for name in names[kind])
    statistics, stale = None, ()
    with Contents(folder) as contents:
        digest = contents.digest
        if (folder / STATISTICS).is_file():
            measured = read_json(folder / STATISTICS)
            if measured.get("digest") != digest:
                stale = (STATISTICS, SHEET)
            elif all((folder / name).is_file() for name in chosen):
                return Written(0, len(chosen), 0), False
            else:
                statistics = Statistics.from_json(measured)
        sheet = statistics is not None and (folder / SHEET).is_file()
        files = _describe(contents, Publication(), statistics, list_views(contents), (), sheet)
    return _write(folder, {name: files[name] for name in chosen}, digest, overwrite=False, stale=stale)


def _describe(
    contents: Contents,
    publication: Publication,
    statistics: Statistics | None,
    views: list[HeldView],
    scenes: tuple[Scene, ...],
    sheet: bool,
) -> dict[str, bytes]:
    """README.md, licences.csv and croissant.json."""
    known = publication.or_of(contents.folder / CROISSANT)
    title = known.title or f"{contents.name}: HDR views and their LDR stacks"
    licences = sorted({view.licence for view in views})
    croissant = describe_croissant(contents, title, _summary(contents, views), licences, known.to_croissant())
    return {
        CARD: _sealed(_render(contents, views, statistics, known, title, sheet)),
        LICENCES: _licences_csv(views, scenes),
        CROISSANT: _json(croissant),
    }


def _write(
    folder: Path, files: dict[str, bytes], digest: str, overwrite: bool, stale: tuple[str, ...] = ()
) -> tuple[Written, bool]:
    by_hand = CARD in files and not overwrite and _is_changed_by_hand(folder / CARD)
    if by_hand:
        del files[CARD]
    return write_published(folder, files, digest, stale, replace=(CARD,)), by_hand


def _json(content: dict) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _sealed(text: str) -> bytes:
    """Return a text with its own digest at the end, by which a later run detects changes by hand."""
    return f"{text}\n<!-- hdrdata card {hashlib.sha256(text.encode()).hexdigest()} -->\n".encode()


def _is_changed_by_hand(path: Path) -> bool:
    if not path.is_file():
        return False
    content = path.read_bytes()
    text = content.decode(errors="replace").rpartition("\n<!-- hdrdata card ")[0]
    return _sealed(text) != content


def _summary(contents: Contents, views: list[HeldView]) -> str:
    cameras, exposures = len(contents.recipe["crfs"]), len(contents.recipe["evs"])
    scenes = len({view.scene for view in views})
    stacks = sum(len(shard.samples) for shard in contents.shards if shard.form == "pixels") or len(views) * cameras
    return (
        f"{len(views)} views of {scenes} HDR scenes, photographed by {cameras} virtual "
        f"camera{'s' if cameras != 1 else ''} at {exposures} exposures: {stacks * exposures:,} LDR pictures, "
        "as WebDataset shards."
    )


def _front_matter(contents: Contents, views: list[HeldView], title: str) -> str:
    """The YAML at the head of a card: what Hugging Face's hub and `datasets` read of it."""
    licences = {view.licence for view in views}
    only = next(iter(licences)).lower() if len(licences) == 1 else ""
    if only in KNOWN_LICENCES:
        licence = {"license": only}
    elif licences == {UNSTATED}:
        licence = {"license": "unknown"}
    else:
        licence = {"license": "other", "license_name": "by-scene", "license_link": LICENCES}
    form = "pixels" if "pixels" in contents.forms else contents.forms[0]
    samples = sum(len(shard.samples) for shard in contents.shards if shard.form == form)
    size = next((name for name, limit in SIZES if samples < limit), "n>10M")
    configs = []
    for name in contents.forms:
        files = [{"split": VALIDATION.get(part, part), "path": _data_files(contents, name, part)}
                 for part in contents.parts if contents.of(name, part)]  # fmt: skip
        configs.append({"config_name": name, **({"default": True} if name == form else {}), "data_files": files})
    matter = {
        "pretty_name": title,
        **licence,
        "task_categories": ["image-to-image"],
        "tags": ["hdr", "inverse-tone-mapping", "exposure-bracketing", "webdataset"],
        "size_categories": [size],
        "configs": configs,
    }
    return yaml.safe_dump(matter, sort_keys=False, allow_unicode=True, width=1000)


def _data_files(contents: Contents, form: str, part: str) -> str | list[str]:
    """The shards of a form and part as one pattern, or by name where a pattern would match others too."""
    paths = [shard.path for shard in contents.of(form, part)]
    pattern = re.sub(r"\d+(?=\.tar$)", "*", paths[0])
    matched = [shard.path for shard in contents.shards if fnmatch(shard.path, pattern)]
    return pattern if matched == paths else paths


def _licences_csv(views: list[HeldView], scenes: tuple[Scene, ...]) -> bytes:
    """A row a scene: its file where it is known, group, part, licence and number of views."""
    paths = {scene.key: scene.path for scene in scenes}
    counts = Counter(view.scene for view in views)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "file", "location_group", "part", "licence", "views"])
    for scene, group, part, licence in sorted({(v.scene, v.group, v.part, v.licence) for v in views}):
        row = [scene, paths.get(scene, ""), group, part, licence, counts[scene]]
        writer.writerow([safe_cell(cell) for cell in row])
    return text.getvalue().encode()


def _render(
    contents: Contents,
    views: list[HeldView],
    statistics: Statistics | None,
    known: Publication,
    title: str,
    sheet: bool,
) -> str:
    template = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters["cells"] = _cells
    recipe = contents.recipe
    parts_of_group: dict[str, set[str]] = {}
    for view in views:
        parts_of_group.setdefault(view.group, set()).add(view.part)
    scenes = sorted({(view.scene, view.part, view.licence) for view in views})
    form = "pixels" if "pixels" in contents.forms else "radiance"
    part = next(part for part in contents.parts if contents.of(form, part))
    return environment.from_string(template).render(
        front_matter=_front_matter(contents, views, title),
        title=title,
        summary=_summary(contents, views),
        known=known,
        contents=contents,
        recipe=recipe,
        sheet=SHEET if sheet else None,
        holdings=_holdings(contents, views),
        kinds=Counter(view.kind for view in views),
        exposures=[(x, stops_text(ev)) for x, ev in zip(recipe["letters"], recipe["evs"], strict=True)],
        cameras=_cameras(contents),
        divided=sorted(group for group, parts in parts_of_group.items() if len(parts) > 1),
        groups=len(parts_of_group),
        licences=[(licence, sum(scene[2] == licence for scene in scenes),
                   sum(view.licence == licence for view in views)) for licence in sorted({s[2] for s in scenes})],
        scenes=scenes if len(scenes) <= SCENES_IN_CARD else [],
        licences_file=LICENCES,
        measured=statistics and _measured(statistics),
        form=form,
        part=part,
        split_name=VALIDATION.get(part, part),
        pattern=re.sub(r"\d+(?=\.tar$)", "*", contents.of(form, part)[0].path),
        first=recipe["letters"][0],
    )  # fmt: skip


def _cells(row: tuple) -> str:
    """A row of a table in Markdown, whatever its texts hold."""
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in row) + " |"


def _holdings(contents: Contents, views: list[HeldView]) -> list[tuple[str, str, int, int, int, int, str]]:
    """Rows of form, part, shards, samples, views, scenes, megabytes."""
    rows = []
    for form in contents.forms:
        for part in contents.parts:
            if shards := contents.of(form, part):
                held = [view for view in views if view.part == part]
                samples, size = sum(len(s.samples) for s in shards), sum(s.size for s in shards)
                rows.append((form, part, len(shards), samples, len(held), len({view.scene for view in held}),
                             f"{size / 1e6:,.1f}"))  # fmt: skip
    return rows


def _cameras(contents: Contents) -> list[tuple[str, str, str]]:
    """Each camera's name and, where its table is in the index, f(0.18) and f(0.5)."""
    reader = next(iter(contents.readers.values()))
    rows = []
    for name in contents.recipe["crfs"]:
        if name in (contents.recipe.get("thresholds") or {}):
            grey, half = reader.crf(name)(np.array([0.18, 0.5]))
            rows.append((name, f"{grey:.3f}", f"{half:.3f}"))
        else:
            rows.append((name, "", ""))
    return rows


def _measured(statistics: Statistics) -> dict:
    """The figures of the statistics that a card shows, as texts."""
    parts = statistics.parts
    letters, evs = parts[0].letters, parts[0].evs
    total = {
        crf: np.sum([part.levels[crf] for part in parts if crf in part.levels], axis=0)
        for part in parts
        for crf in part.levels
    }
    cameras = []
    for crf, counts in sorted(total.items()):
        shares = counts[:, 254:].sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
        cameras.append((crf, [percent(share) for share in shares]))
    every = np.sum(list(total.values()), axis=0)
    shares = {part.part: part.shares() for part in parts}
    exposures = [
        (letter, stops_text(ev), [(percent(black[i]), percent(clipped[i])) for black, clipped in shares.values()],
         sparkline(every[i]))
        for i, (letter, ev) in enumerate(zip(letters, evs, strict=True))
    ]  # fmt: skip
    return {"parts": parts, "cameras": cameras, "exposures": exposures, "letters": letters}

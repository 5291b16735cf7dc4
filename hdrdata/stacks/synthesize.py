"""Synthesize: one tar a view, with its LDR stacks (pixels form) and the view itself (radiance form).

Each sample has a digest of its own, of all that its bytes depend on and no more. A tar that must be written again takes
the samples whose digest stands from its old self, and makes the others.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hdrdata.cameras.recipe import choose_recipe
from hdrdata.files.disk import digest_of, written_whole
from hdrdata.files.exr import read_view
from hdrdata.files.ldr import encode_png
from hdrdata.samples.layout import END_BLOCKS, Form, IntegrityError, SampleLayout, check_bytes
from hdrdata.samples.tars import pack_sample
from hdrdata.stacks.encode import Sample, SynthesizeConfig, encoder_facts, members_of, wanted_samples
from hdrdata.stacks.recipe_facts import ALGORITHM, recipe_facts
from hdrdata.views.view import View
from hdrdata.work.incremental import Entry, Outcome, bring_up_to_date
from hdrdata.work.index import describe_files
from hdrdata.work.journal import known_rows


@dataclass(frozen=True, kw_only=True)
class SynthesisOutcome(Outcome):
    """Result of one run, for views and for the samples in them. A view is kept if a sample of it is."""

    samples_new: int
    samples_kept: int
    samples_removed: int

    def summary(self) -> str:
        """'1 new, 70 kept, 0 removed; samples: 6 new, 420 kept, 0 removed', or that nothing has changed."""
        if not (self.samples_new or self.samples_removed):
            return super().summary()
        views = f"{self.new} new, {self.kept} kept, {self.removed} removed"
        return f"{views}; samples: {self.samples_new} new, {self.samples_kept} kept, {self.samples_removed} removed"


@dataclass(frozen=True)
class _Task:
    """Input of the process that makes the stack file of one view."""

    views: str
    view: View
    config: SynthesizeConfig
    samples: tuple[Sample, ...]
    before: dict[str, dict]  # by sample's digest: its place in the present file, as in an index row


def synthesize_stacks(
    views: tuple[View, ...],
    folder: Path,
    stacks: Path,
    config: SynthesizeConfig,
    forms: tuple[Form, ...],
    *,
    check_content: bool = False,
) -> SynthesisOutcome:
    """Bring the folder `stacks` up to date with the views in `folder`: `<view>.tar` and `index.json`.

    A tar is itself a WebDataset: in pixels form a sample `<view>_<camera>` a camera, with a.png, b.png ... (or a.jpg
    ...) in rising exposure and json; in radiance form one sample `<view>` with radiance.zst (see `radiance_codec`) and
    json.

    Args:
        check_content: see `bring_up_to_date`.

    Returns:
        rows by view key, and the counts of views and samples.

    Raises:
        ValueError: if the recipe or the encoder is wrong, or a view is damaged.
    """
    recipe = choose_recipe(config.recipe)
    encode_png(np.zeros((8, 8, 3), np.uint8), config.png_encoder)  # a missing encoder is reported at once
    facts = recipe_facts(recipe)
    encoder = encoder_facts(recipe, config) if "pixels" in forms else None
    cameras = recipe.cameras if "pixels" in forms else ()
    before = {view: _by_digest(row) for view, row in known_rows(stacks, ALGORITHM).items()}
    entries = []
    for view in views:
        samples = wanted_samples(view, recipe, facts, forms, encoder)
        digest = digest_of([ALGORITHM, view.part, view.scene, [(sample.key, sample.digest) for sample in samples]])
        entries.append(Entry(view.key, digest, _Task(str(folder), view, config, samples, before.get(view.key, {}))))
    outcome = bring_up_to_date(
        stacks,
        ALGORITHM,
        entries,
        _make_stack,
        title="synthesize",
        isolated=False,
        engine=config.engine,
        workers=config.workers,
        check_content=check_content,
        finish=lambda rows: {
            "recipe": facts,
            "forms": sorted(forms),
            "encoder": encoder,
            "pictures_a_view": len(cameras) * len(recipe.evs),
        },
    )
    return _count(before, outcome)


def _by_digest(row: dict) -> dict[str, dict]:
    if "sample_digests" not in row:  # in the journal of an older algorithm
        return {}
    return dict(zip(row["sample_digests"], row["samples"], strict=True))


def _count(before: dict[str, dict[str, dict]], outcome: Outcome) -> SynthesisOutcome:
    now = {view: _by_digest(row) for view, row in outcome.rows.items()}
    kept = {view: len(samples.keys() & before.get(view, {}).keys()) for view, samples in now.items()}
    return SynthesisOutcome(
        rows=outcome.rows,
        new=sum(not count for count in kept.values()),
        kept=sum(count > 0 for count in kept.values()),
        removed=len(before.keys() - now.keys()),
        refused=outcome.refused,
        samples_new=sum(map(len, now.values())) - sum(kept.values()),
        samples_kept=sum(kept.values()),
        samples_removed=sum(map(len, before.values())) - sum(kept.values()),
    )


def _make_stack(folder: Path, task: _Task) -> dict:
    """Write the stack file of one view; runs in a worker process."""
    name = f"{task.view.key}.tar"
    layouts: list[SampleLayout] = []
    half: np.ndarray | None = None
    with written_whole(folder / name) as temporary, temporary.open("wb") as tar:
        for sample in task.samples:
            before = task.before.get(sample.digest)
            content = _read_sample(folder / name, SampleLayout.from_json(before)) if before else None
            if before and content:
                layout = SampleLayout.from_json(before).moved(tar.tell())
            else:
                half = _read_whole_view(task) if half is None else half
                members = members_of(sample, half, task.config)
                content, layout = pack_sample(sample.key, sample.form, members, tar.tell())
            tar.write(content)
            layouts.append(layout)
        tar.write(END_BLOCKS)
    return {"samples": [layout.to_json() for layout in layouts],
            "sample_digests": [sample.digest for sample in task.samples],
            "part": task.view.part, "scene": task.view.scene,
            "files": describe_files(folder, [name])}  # fmt: skip


def _read_sample(path: Path, layout: SampleLayout) -> bytes | None:
    """The bytes of a sample of the present file, or None if they are not what the index says."""
    try:
        with path.open("rb") as tar:
            tar.seek(layout.offset)
            content = tar.read(layout.length)
        check_bytes(content, layout.crc32c, str(path))
    except (FileNotFoundError, IntegrityError):
        return None
    return content


def _read_whole_view(task: _Task) -> np.ndarray:
    path = Path(task.views) / f"{task.view.key}.exr"
    try:
        half = read_view(path)
    except ValueError as error:
        raise ValueError(f"{error}; remove the file and run ingest again") from error
    if hashlib.sha256(half.astype("<f2").tobytes()).hexdigest() != task.view.pixels_sha256:
        raise ValueError(f"{path}: its pixels are not those that ingest wrote; remove the file and run ingest again")
    return half

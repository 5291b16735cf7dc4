"""Stream stacks into training code: by number, from either form, from folders here or on a server."""

import operator
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Literal

from braceexpand import braceexpand

from hdrdata.files.disk import INDEX, digest_of
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.remote import Retry, open_folder
from hdrdata.stream.shard_index import shard_files
from hdrdata.stream.shard_reader import RadianceSample, Shards, StackSample


def combined_digest(digests: Sequence[str], counts: Sequence[int]) -> str:
    """Return the digest of a mixture: of its sources, and of their draws in an epoch."""
    return digest_of([list(digests), list(counts)])


@dataclass(frozen=True)
class Skipped:
    """A damaged sample that an iteration left out."""

    shard: str
    key: str
    reason: str


class StackReader(AbstractContextManager["StackReader"]):
    """Stacks by number, whichever form their shards have: what `open_stacks` opens.

    A number names the same stack in both forms: views in the index's order and, within a view, camera responses by
    name. Safe to share between threads and to send to processes; a context manager.
    """

    def __init__(self, datasets: Sequence[Shards], letters: str | None, on_error: str):
        self.datasets, self.letters, self.on_error = tuple(datasets), letters, on_error
        self.skipped: tuple[Skipped, ...] = ()  # by the last iteration
        counts = [len(shards) * (len(shards.crfs) if shards.form == "radiance" else 1) for shards in datasets]
        self._ends = list(accumulate(counts))
        self._view: tuple[Shards, int, RadianceSample] | None = None  # the last one: its stacks follow each other

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number: int) -> StackSample:
        """Return a stack; of the pixels form only the chosen exposures are read.

        Raises:
            IndexError: if there is no such number.
            IntegrityError: if it is damaged, whatever `on_error` says; the message names shard and sample.
            OSError: if a server cannot be reached.
        """
        shards, place, crf = self._locate(number)
        if crf is None:
            return shards.stack(place, self.letters)
        return shards.expand(self._radiance(shards, place), crf, self.letters)

    def __iter__(self) -> Iterator[StackSample]:
        """All stacks in the order of their numbers.

        With on_error="skip" damaged ones are left out, listed in `skipped`, and reported by one warning at the end. A
        server that cannot be reached raises OSError.
        """
        self.skipped = ()
        try:
            for number in range(len(self)):
                try:
                    sample = self[number]
                except IntegrityError as error:
                    if self.on_error != "skip":
                        raise
                    shards, place, _ = self._locate(number)
                    self.skipped += (Skipped(shards.samples[place][0], self.key(number), str(error)),)
                    continue
                yield sample
        finally:
            if self.skipped:
                first = self.skipped[0].reason
                warnings.warn(f"{len(self.skipped)} of {len(self)} stacks skipped; first {first}", stacklevel=2)

    @property
    def recipe_digest(self) -> str:
        """Digest of the recipe that made the stacks."""
        return self.datasets[0].index["recipe"]["digest"]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the recipe and of the shards' SHA-256, in order: the same data in the same order."""
        files = [shards.shard_digests for shards in self.datasets]
        return digest_of([self.recipe_digest, files])

    @property
    def evs(self) -> tuple[float, ...]:
        """Stops of a stack's pictures, in their order."""
        shards = self.datasets[0]
        every = shards.index["recipe"]["letters"]
        return tuple(shards.evs[every.index(letter)] for letter in self.letters or every)

    def key(self, number: int) -> str:
        """`<view>_<crf>` of a stack, from the index alone."""
        shards, place, crf = self._locate(number)
        return shards.samples.key(place) + (f"_{crf}" if crf is not None else "")

    def radiance(self, number: int) -> tuple[RadianceSample, str]:
        """The view of a stack in radiance form, whose array is not to be written to, and its camera response's name.

        Raises:
            ValueError: if the stack is read in pixels form.
        """
        shards, place, crf = self._locate(number)
        if crf is None:
            raise ValueError(f"{shards.folder}: opened in pixels form; expected form='radiance'")
        return self._radiance(shards, place), crf

    def _radiance(self, shards: Shards, place: int) -> RadianceSample:
        last = self._view
        if last is None or last[0] is not shards or last[1] != place:
            last = self._view = shards, place, shards.radiance(place)
            last[2].radiance.setflags(write=False)
        return last[2]

    def _locate(self, number: int) -> tuple[Shards, int, str | None]:
        """The shards, the number of the sample in them, and in radiance form the camera response."""
        wanted = operator.index(number) + (len(self) if number < 0 else 0)
        if not 0 <= wanted < len(self):
            raise IndexError(f"stack {number}; there are {len(self)}")
        dataset = bisect_right(self._ends, wanted)
        shards = self.datasets[dataset]
        place = wanted - (self._ends[dataset - 1] if dataset else 0)
        if shards.form == "pixels":
            return shards, place, None
        view, crf = divmod(place, len(shards.crfs))
        return shards, view, sorted(shards.crfs)[crf]

    def close(self) -> None:
        """Close files and connections; the next read opens them again."""
        for shards in self.datasets:
            shards.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_view": None}


def open_stacks(
    urls: str | Path | Sequence[str | Path],
    *,
    part: str | None = None,
    form: Literal["auto", "pixels", "radiance"] = "auto",
    exposures: str | Sequence[int | float] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    cache: str | Path | None = None,
    cache_limit: int | float | None = None,
    retry: Retry | None = None,
) -> StackReader:
    """Open the stacks of one or several folders of shards, in their order.

    Args:
        urls: a folder of shards, as a path or a URL (`file:`, `http:`, `https:`, `s3:`, or another that fsspec
            supports); or shards, as "https://host/hdr/pixels/hdr-train-{000000..000003}.tar"; or several of these.
        part: "train", "val" or "test"; not needed where shards are named.
        form: form of the shards to read; the stacks are the same. "auto": radiance if there is any, which is smaller.
        exposures: the exposures to read, in this order, by letter ("ae") or by EV ((-2, 0)); None for all.
        on_error: "raise" at a damaged stack, or "skip" it during iteration and count it in `StackReader.skipped`.
        cache: folder for whole copies of shards, which any number of processes may share; without it only the needed
            bytes are read, each time. A network drive is a folder like any other, and its shards are copied too.
        cache_limit: bytes in `cache` at most; the copies that were not read for the longest time are removed.
        retry: of remote reads; `Retry()` if left out.

    Raises:
        ValueError: if there is no index, no such part, form, shard or exposure, or the recipes differ.
        TypeError: if weights are given.
        OSError: if a server cannot be reached.
    """
    for name, value, known in (
        ("form", form, ("auto", "pixels", "radiance")),
        ("on_error", on_error, ("raise", "skip")),
    ):
        if value not in known:
            raise ValueError(f"{name} '{value}'; expected one of {', '.join(known)}")
    if isinstance(urls, Mapping):
        raise TypeError("folders with weights; expected hdrdata.StackLoader for a mixture, or a list of folders")
    retry = retry or Retry()
    folders: dict[str, set[str] | None] = {}  # with the chosen shards, or None for all
    for pattern in [urls] if isinstance(urls, str | Path) else urls:
        for url in braceexpand(str(pattern)) if "{" in str(pattern) else [str(pattern)]:
            folder, shard = _folder_of(url, retry) if url.endswith(".tar") else (url, None)
            chosen = folders.setdefault(folder, set())
            if shard is None or chosen is None:
                folders[folder] = None
            else:
                chosen.add(shard)
    datasets = []
    for folder, only in folders.items():
        shards = Shards(folder, part, form, only=only, cache=cache, cache_limit=cache_limit, retry=retry)
        listed = shard_files(shards.index)
        if missing := sorted((only or set()) - {file.name for file in listed}):
            raise ValueError(f"{shards.source.where(INDEX)}: has no shard {missing[0]}")
        parts = sorted({file.part for file in listed})
        if part is None and only is None and len(parts) > 1:
            raise ValueError(f"{folder}: has the parts {', '.join(parts)}; expected part= one of them")
        datasets.append(shards)
    if not datasets:
        raise ValueError("no shards; expected the path or URL of a folder of shards")
    recipes = {shards.index["recipe"]["digest"]: shards for shards in datasets}
    if len(recipes) > 1:
        made = " and ".join(f"{shards.folder} by '{shards.index['recipe']['name']}'" for shards in recipes.values())
        raise ValueError(f"made by different recipes: {made}; expected one")
    return StackReader(datasets, _letters_of(datasets[0], exposures), on_error)


def _folder_of(shard: str, retry: Retry) -> tuple[str, str]:
    """The folder of a shard, where the index is, and its name there: beside the shard, or one folder up."""
    folder, name = shard.rpartition("/")[::2]
    above, last = folder.rpartition("/")[::2]
    for place, path in ((folder or ".", name), (above or ".", f"{last}/{name}")):
        try:
            open_folder(place, retry).size(INDEX)
        except (FileNotFoundError, PermissionError):  # some stores refuse what is not there
            continue
        return place, path
    raise ValueError(f"{shard}: no {INDEX} beside it or one folder up")


def _letters_of(shards: Shards, exposures: str | Sequence[int | float] | None) -> str | None:
    """Return the chosen exposures by letter.

    Raises:
        ValueError: if there is no such exposure, or none is chosen.
    """
    every = dict(zip(shards.index["recipe"]["letters"], shards.evs, strict=True))
    if exposures is None:
        return None
    letters = ""
    for wanted in exposures:
        matches = [
            x for x, ev in every.items() if (x == wanted if isinstance(wanted, str) else abs(ev - wanted) < 1e-6)
        ]
        if not matches:
            known = ", ".join(f"{letter} ({ev:+g} EV)" for letter, ev in every.items())
            raise ValueError(f"no exposure {wanted!r}; there are {known}")
        letters += matches[0]
    if not letters:
        raise ValueError("no exposures; expected letters, EVs, or None for all")
    return letters

"""One part and form of a folder of shards by its index: any sample, only the needed members, nothing unverified."""

import json
import struct
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import google_crc32c
import numpy as np
from jaxtyping import Float16, UInt8

from hdrdata.cameras.crf import CameraResponse
from hdrdata.cameras.exposure import crf_of_table, expose_view, half_bits
from hdrdata.cameras.random_camera import RandomCameras
from hdrdata.files.disk import INDEX
from hdrdata.files.ldr import decode_jpeg, decode_png
from hdrdata.samples.layout import END_BLOCKS, IntegrityError, check_bytes, split_key
from hdrdata.samples.radiance_codec import EXTENSION, decode_radiance, radiance_size
from hdrdata.stream.cache import CachedFolder
from hdrdata.stream.columns import Keys
from hdrdata.stream.remote import LocalFolder, Retry, open_folder
from hdrdata.stream.shard_index import checked_tables, open_shard_index, sample_table, shard_files

HEAD = 32  # bytes: enough for the size of a PNG or of a radiance member
Place = tuple[int, int, int]  # of bytes in a shard: offset, size, CRC-32C


@dataclass(frozen=True)
class StackSample:
    """The LDR pictures of one view under one camera response."""

    key: str
    view: str
    scene: str
    crf: str
    evs: tuple[float, ...]  # one a picture
    stack: UInt8[np.ndarray, "exposures height width 3"]


@dataclass(frozen=True)
class RadianceSample:
    """A view, from which every stack of its recipe can be expanded."""

    key: str
    scene: str
    radiance: Float16[np.ndarray, "height width 3"]  # linear, mean 0.5; 1 saturates at EV 0


class Shards:
    """The samples of one part and one form of a folder of shards, on this machine or behind a URL.

    A shard's size and its closing blocks are checked when it is first opened, the CRC-32C of every byte that is read;
    what does not agree is read once more where a network may have spoiled it, and raises `IntegrityError` with shard
    and sample. Safe to share between threads and to send to processes.
    """

    def __init__(
        self,
        folder: Path | str,
        part: str | None,
        form: str,
        *,
        only: Collection[str] | None = None,
        cache: Path | str | None = None,
        cache_limit: int | float | None = None,
        retry: Retry | None = None,
    ):
        """Open the index of `folder`.

        Args:
            folder: path, or URL: `file:`, `http:`, `https:`, `s3:`, or another that fsspec supports.
            part: "train", "val" or "test"; None for all, which `only` may narrow.
            form: "pixels" or "radiance"; "auto" for radiance where there is any.
            only: names of shards in the index; None for all.
            cache: folder for whole copies of the shards, `cache_limit` bytes at most; without it their samples are read
                directly.

        Raises:
            ValueError: if there is no index, or no such sample in it.
            OSError: if a server cannot be reached.
        """
        self.source = open_folder(str(folder), retry or Retry())
        self.folder = self.source.folder if isinstance(self.source, LocalFolder) else str(folder)
        self.index = open_shard_index(self.source)
        listed = shard_files(self.index)
        files = [file for file in listed if part in (None, file.part) and (only is None or file.name in only)]
        if form == "auto":
            form = "radiance" if any(file.form == "radiance" for file in files) else "pixels"
        self.part, self.form = part, form
        self.samples = sample_table(self.source, self.index, form, {file.name for file in files if file.form == form})
        if not self.samples:
            held = ", ".join(sorted({f"{file.form} of {file.part}" for file in listed}))
            raise ValueError(f"{self.folder}: no {form} samples of the part '{part}'; it has {held}")
        self.files = {file.name: file for file in self.samples.files}
        if cache is not None:
            self.source = CachedFolder(self.source, Path(cache), self.files, cache_limit)
        elif cache_limit is not None:
            raise ValueError(f"cache_limit {cache_limit:g} without cache; expected a folder for the copies")
        self._opened: set[str] = set()
        self._scenes: dict[str, str] = {}  # by view: of the views that were read, so that their JSON is read once

    def __len__(self) -> int:
        return len(self.samples)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_opened": set()}

    @property
    def keys(self) -> Keys:
        return Keys(self.samples)

    @property
    def shard_digests(self) -> list[str]:
        """SHA-256 of each shard that samples are read from, in order."""
        return [file.sha256 for file in self.files.values()]

    @cached_property
    def evs(self) -> tuple[float, ...]:
        return tuple(self.index["recipe"]["evs"])

    @property
    def exposures(self) -> tuple[float, ...]:
        return tuple(self.index["recipe"]["exposures"])

    @cached_property
    def crfs(self) -> tuple[str, ...]:
        return tuple(self.index["recipe"]["crfs"])

    @cached_property
    def tables(self) -> dict[str, UInt8[np.ndarray, "exposures 65536"]]:
        """Look-up tables of the recipe by CRF, from the index alone.

        Raises:
            ValueError: if the recipe's cameras are drawn for each view, so that there are no tables; or if a table
                does not have its SHA-256.
        """
        if self.random_cameras is not None:
            raise ValueError(
                f"{self.folder}: the cameras of recipe '{self.index['recipe']['name']}' are drawn for each view: "
                "there are no look-up tables; expected a recipe without draws"
            )
        return checked_tables(self.index["recipe"], self.source.where(INDEX))

    @cached_property
    def random_cameras(self) -> RandomCameras | None:
        """Random cameras of the recipe, if it draws them, from the index alone.

        Raises:
            ValueError: if they do not have their SHA-256.
        """
        recipe = self.index["recipe"]
        if "random" not in recipe:
            return None
        cameras = RandomCameras.from_json(recipe)
        for name, facts in recipe["crfs"].items():
            if facts.get("camera_sha256", cameras.digest) != cameras.digest:
                raise ValueError(
                    f"{self.source.where(INDEX)}: camera '{name}' does not have its sha256; it was changed"
                )
        return cameras

    def crf(self, name: str) -> CameraResponse:
        """Return a camera response of the recipe, from the index alone; also of a foreign recipe.

        Raises:
            ValueError: if the index has no table of it: the pictures were imported, of a camera that is not known.
        """
        if name not in self.tables:
            raise ValueError(
                f"{self.folder}: no table of the camera '{name}'; it has {', '.join(self.tables) or 'none'}"
            )
        return crf_of_table(name, self.tables[name][0], self.exposures[0])

    def read(self, number: int, extensions: tuple[str, ...] | None = None) -> dict[str, bytes]:
        """The members of a sample by extension: all, checked as a whole, or the named ones, each checked by itself.

        Raises:
            IntegrityError: naming shard and sample.
            ValueError: if the sample has no such member.
            OSError: if a server cannot be reached.
        """
        shard, key, offset, length, crc32c, members = self.samples.row(number)
        if extensions is None:
            content = self._checked(shard, key, {"": (offset, length, crc32c)})[""]
            return {name: content[at : at + size] for name, (at, size, _) in members.items()}
        wanted = {}
        for name in extensions:
            if name not in members:
                known = ", ".join(members)
                raise ValueError(f"{self._what(shard, key)}: no member '{name}'; it has {known}")
            at, size, crc = members[name]
            wanted[name] = offset + at, size, crc
        return self._checked(shard, key, wanted)

    def _what(self, shard: str, key: str, member: str = "") -> str:
        """Return the name of a sample or of its member in messages."""
        return f"{self.source.where(shard)}, sample {key}" + (f", member {member}" if member else "")

    def _checked(self, shard: str, key: str, wanted: dict[str, Place]) -> dict[str, bytes]:
        """Return members of a sample, or "" for all of it; neighbours in one read where that is cheaper."""
        if self.source.gap < 0:  # from a disk: no search for neighbours at each read
            found = {name: self._read_at(shard, key, offset, size) for name, (offset, size, _) in wanted.items()}
        else:
            found = {}
            for span in _spans(wanted, self.source.gap):
                first, last = wanted[span[0]], wanted[span[-1]]
                content = self._read_at(shard, key, first[0], last[0] + last[1] - first[0])
                for name in span:
                    start = wanted[name][0] - first[0]
                    found[name] = content[start : start + wanted[name][1]] if len(span) > 1 else content
        for name, (offset, size, crc32c) in wanted.items():
            if google_crc32c.value(found[name]) != crc32c:
                if self.source.renew(shard):
                    found[name] = self._read_at(shard, key, offset, size)
                check_bytes(found[name], crc32c, self._what(shard, key, name))
        return found

    def stack(self, number: int, letters: str | None = None) -> StackSample:
        """A sample of the pixels form, decoded; with `letters` ("aei") only those exposures are read."""
        every = self.index["recipe"]["letters"]
        letters = every if letters is None else letters
        extension = self._picture(number).rpartition(".")[2]
        decode = decode_jpeg if extension == "jpg" else decode_png
        view, crf = self.view_and_crf(number)
        names = tuple(f"{letter}.{extension}" for letter in letters)
        some = names + (() if view in self._scenes else ("json",))
        members = self.read(number, None if letters == every else some)
        if view not in self._scenes:
            about = json.loads(members["json"])
            self._check_evs(number, about)
            self._scenes[view] = about["scene"]
        first = decode(members[names[0]])
        stack = np.empty((len(names), *first.shape), np.uint8)
        stack[0] = first
        for place, name in enumerate(names[1:], start=1):  # each copied while the processor's cache holds it
            stack[place] = decode(members[name])
        evs = tuple(self.evs[every.index(letter)] for letter in letters)
        return StackSample(self.samples.key(number), view, self._scenes[view], crf, evs, stack)

    def _check_evs(self, number: int, about: dict) -> None:
        """Refuse a sample whose own exposures are not those of the index."""
        stated = about.get("evs")
        if stated is not None and tuple(stated) != self.evs:
            what = self._what(*self.samples.row(number)[:2])
            raise IntegrityError(f"{what}: evs {stated}; expected {self.evs} as in {INDEX}")

    def view_and_crf(self, number: int) -> tuple[str, str]:
        """Return the view and the camera response of a sample of the pixels form."""
        view, crf = split_key(self.samples.key(number), "pixels", self.crfs)
        assert crf is not None  # the index was checked
        return view, crf

    def about(self, number: int) -> dict:
        """Return how a sample was made: camera response, exposures, scene, licence, the view's factor."""
        about = json.loads(self.read(number, ("json",))["json"])
        self._check_evs(number, about)
        return about

    def radiance(self, number: int) -> RadianceSample:
        """A sample of the radiance form."""
        members = self.read(number)
        about = json.loads(members["json"])
        radiance = decode_radiance(members[EXTENSION])
        return RadianceSample(about["view"], about["scene"], radiance)

    def picture_size(self, number: int) -> tuple[int, int]:
        """Height and width of a sample's pictures in pixels, from the head of one of them, which is not verified."""
        shard, layout = self.samples[number]
        name = EXTENSION if self.form == "radiance" else self._picture(number)
        if name.endswith(".jpg"):  # whose size stands at no fixed place
            size = json.loads(self.read(number, ("json",))["json"])["size"]
            return size, size
        member = layout.members[name]
        head = self._read_at(shard, layout.key, member.offset, min(member.size, HEAD))
        try:
            if self.form == "radiance":
                return radiance_size(head)
            width, height = struct.unpack_from(">II", head, 16)  # of the chunk IHDR, which is the first
            return height, width
        except (ValueError, struct.error) as error:
            raise IntegrityError(f"{self._what(shard, layout.key, name)}: {error}") from error

    def _picture(self, number: int) -> str:
        """The name of the darkest picture's member: a.png or a.jpg."""
        first = self.index["recipe"]["letters"][0]
        return next(name for name in self.samples.row(number).members if name.startswith(f"{first}."))

    def expand(self, sample: RadianceSample, crf: str, letters: str | None = None) -> StackSample:
        """Return the stack of a radiance sample by one of `crfs`, bit for bit as in the pixels form."""
        every = self.index["recipe"]["letters"]
        rows = [every.index(letter) for letter in (every if letters is None else letters)]
        if self.random_cameras is not None:
            stack = self.random_cameras.pixels(sample.radiance, crf)[rows]
        else:
            tables = self.tables[crf] if letters is None else self.tables[crf][rows]
            stack = expose_view(half_bits(sample.radiance), tables)
        evs = tuple(self.evs[row] for row in rows)
        return StackSample(f"{sample.key}_{crf}", sample.key, sample.scene, crf, evs, stack)

    def _read_at(self, shard: str, key: str, offset: int, size: int) -> bytes:
        if shard not in self._opened:
            try:
                self.open(shard)
            except IntegrityError as error:
                raise IntegrityError(f"{error} (opened for sample {key})") from error
        content = self.source.read(shard, offset, size)
        if len(content) != size:
            what = self._what(shard, key)
            raise IntegrityError(f"{what}: cut short: {len(content)} of {size} bytes at {offset}")
        return content

    def open(self, shard: str) -> None:
        """Check a shard, once: its size and its closing blocks.

        Raises:
            IntegrityError: naming the shard.
        """
        if shard in self._opened:
            return
        path, wanted = self.source.where(shard), self.files[shard].size
        try:
            size = self.source.size(shard)
        except FileNotFoundError as error:
            raise IntegrityError(f"{path}: missing; the index has it") from error
        if size != wanted:
            raise IntegrityError(f"{path}: {size} bytes, expected {wanted}: cut short or overwritten")
        if self.source.read(shard, size - len(END_BLOCKS), len(END_BLOCKS)) != END_BLOCKS:
            raise IntegrityError(f"{path}: does not end with the closing blocks of a tar")
        self._opened.add(shard)

    def close(self) -> None:
        """Close files and connections; the next read opens them again."""
        self._opened.clear()
        self.source.close()


def _spans(wanted: dict[str, Place], gap: int) -> list[list[str]]:
    """Return ranges to read at once: neighbours that are at most `gap` bytes apart."""
    spans: list[list[str]] = []
    end = 0
    for name, (offset, size, _) in sorted(wanted.items(), key=lambda item: item[1]):
        if spans and offset - end <= gap:
            spans[-1].append(name)
        else:
            spans.append([name])
        end = offset + size
    return spans

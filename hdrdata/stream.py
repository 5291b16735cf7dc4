"""Read shards by their index: any sample in any order, only the members that are wanted, and nothing unverified."""

import io
import json
import os
import struct
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float16, UInt8

from hdrdata.camera import RandomCameras
from hdrdata.crf import CameraResponse
from hdrdata.disk import sha256_of
from hdrdata.exposure import crf_of_table, expose_view, table_from_thresholds
from hdrdata.files import decode_jpeg, decode_png, half_bits
from hdrdata.index import read_index
from hdrdata.tars import END_BLOCKS, SHARDS, IntegrityError, SampleLayout, check_bytes

HEAD = 128  # bytes: the header of an .npy file, and more than that of a PNG


@dataclass(frozen=True)
class StackSample:
    """The LDR pictures of one view under one camera response."""

    key: str
    view: str
    scene: str
    crf: str
    evs: tuple[float, ...]
    stack: UInt8[np.ndarray, "exposures height width 3"]  # in rising exposure


@dataclass(frozen=True)
class RadianceSample:
    """A view, from which every stack of its recipe can be expanded."""

    key: str
    scene: str
    radiance: Float16[np.ndarray, "height width 3"]  # linear, mean 0.5; 1 saturates at EV 0


class Shards:
    """The samples of one part and one form of a folder of shards.

    A shard's size and its closing blocks are checked when it is first opened, the CRC-32C of every byte that is read;
    what does not agree raises `IntegrityError` with shard and sample. Safe to share between threads and to send to
    processes.
    """

    def __init__(self, folder: Path, part: str, form: str):
        """Open the index of `folder`.

        Args:
            part: "train", "val" or "test".
            form: "pixels" or "radiance".

        Raises:
            ValueError: if there is no index, or no such sample in it.
        """
        self.folder = Path(folder)
        self.part, self.form = part, form
        self.index = read_index(self.folder, SHARDS)
        self.samples: list[tuple[str, SampleLayout]] = [
            (shard, SampleLayout.from_json(sample))
            for shard, row in self.index["rows"].items()
            if row["part"] == part and row["form"] == form
            for sample in row["samples"]
        ]
        if not self.samples:
            parts = sorted({(row["form"], row["part"]) for row in self.index["rows"].values()})
            held = ", ".join(f"{form} of {part}" for form, part in parts)
            raise ValueError(f"{self.folder}: no {form} samples of the part '{part}'; it has {held}")
        self._files: dict[str, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.samples)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_files": {}, "_lock": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    @property
    def keys(self) -> list[str]:
        return [layout.key for _, layout in self.samples]

    @property
    def evs(self) -> tuple[float, ...]:
        return tuple(self.index["recipe"]["evs"])

    @property
    def exposures(self) -> tuple[float, ...]:
        return tuple(self.index["recipe"]["exposures"])

    @property
    def crfs(self) -> tuple[str, ...]:
        return tuple(self.index["recipe"]["crfs"])

    @cached_property
    def tables(self) -> dict[str, UInt8[np.ndarray, "exposures 65536"]]:
        """The look-up tables of the recipe by CRF, from the index alone.

        Raises:
            ValueError: if the recipe's cameras are drawn for each view, so that no table says what a picture is.
        """
        if self.random_cameras is not None:
            raise ValueError(
                f"{self.folder}: the cameras of recipe '{self.index['recipe']['name']}' are drawn for each view: "
                "there are no look-up tables; wanted a recipe without draws"
            )
        return {
            crf: np.stack([table_from_thresholds(np.array(row, np.uint16)) for row in rows])
            for crf, rows in self.index["recipe"]["thresholds"].items()
        }

    @cached_property
    def random_cameras(self) -> RandomCameras | None:
        """The random cameras of the recipe, if it draws them, from the index alone."""
        return RandomCameras.from_json(self.index["recipe"]) if "random" in self.index["recipe"] else None

    def crf(self, name: str) -> CameraResponse:
        """A camera response of the recipe, from the index alone: that of a foreign recipe, too.

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
        """
        shard, layout = self.samples[number]
        what = f"{self.folder / shard}, sample {layout.key}"
        if extensions is None:
            content = self._read_at(shard, layout.offset, layout.length, what)
            check_bytes(content, layout.crc32c, what)
            start = layout.offset
            return {name: content[m.offset - start :][: m.size] for name, m in layout.members.items()}
        members = {}
        for name in extensions:
            if name not in layout.members:
                raise ValueError(f"{what}: no member '{name}'; it has {', '.join(layout.members)}")
            member = layout.members[name]
            members[name] = self._read_at(shard, member.offset, member.size, what)
            check_bytes(members[name], member.crc32c, f"{what}, member {name}")
        return members

    def stack(self, number: int, letters: str | None = None) -> StackSample:
        """A sample of the pixels form, decoded; with `letters` ("aei") only those exposures are read."""
        every = self.index["recipe"]["letters"]
        letters = every if letters is None else letters
        extension = self._picture(number).rpartition(".")[2]
        decode = decode_jpeg if extension == "jpg" else decode_png
        members = self.read(number, (*(f"{letter}.{extension}" for letter in letters), "json"))
        about = json.loads(members["json"])
        stack = np.stack([decode(members[f"{letter}.{extension}"]) for letter in letters])
        evs = tuple(self.evs[every.index(letter)] for letter in letters)
        return StackSample(self.samples[number][1].key, about["view"], about["scene"], about["crf"], evs, stack)

    def radiance(self, number: int) -> RadianceSample:
        """A sample of the radiance form."""
        members = self.read(number)
        about = json.loads(members["json"])
        radiance = np.load(io.BytesIO(members["radiance.npy"]), allow_pickle=False)
        return RadianceSample(about["view"], about["scene"], radiance)

    def picture_size(self, number: int) -> tuple[int, int]:
        """Height and width of a sample's pictures in pixels, from the head of one of them, which is not verified."""
        shard, layout = self.samples[number]
        name = "radiance.npy" if self.form == "radiance" else self._picture(number)
        if name.endswith(".jpg"):  # whose size stands at no fixed place
            size = json.loads(self.read(number, ("json",))["json"])["size"]
            return size, size
        member = layout.members[name]
        what = f"{self.folder / shard}, sample {layout.key}"
        head = self._read_at(shard, member.offset, min(member.size, HEAD), what)
        try:
            if self.form == "pixels":
                width, height = struct.unpack_from(">II", head, 16)  # of the chunk IHDR, which is the first
                return height, width
            file = io.BytesIO(head)
            np.lib.format.read_magic(file)
            shape, _, _ = np.lib.format.read_array_header_1_0(file)
            return shape[0], shape[1]
        except (ValueError, struct.error) as error:
            raise IntegrityError(f"{what}, member {name}: {error}") from error

    def _picture(self, number: int) -> str:
        """The name of the darkest picture's member: a.png or a.jpg."""
        first = self.index["recipe"]["letters"][0]
        return next(name for name in self.samples[number][1].members if name.startswith(f"{first}."))

    def expand(self, sample: RadianceSample, crf: str) -> StackSample:
        """The stack of a radiance sample by one of `crfs`: bit for bit that of the pixels form."""
        if self.random_cameras is not None:
            stack = self.random_cameras.pixels(sample.radiance, crf)
        else:
            stack = expose_view(half_bits(sample.radiance), self.tables[crf])
        return StackSample(f"{sample.key}_{crf}", sample.key, sample.scene, crf, self.evs, stack)

    def _read_at(self, shard: str, offset: int, size: int, what: str) -> bytes:
        try:
            file = self.open(shard)
        except IntegrityError as error:
            raise IntegrityError(f"{error} (opened for {what.rpartition(', ')[2]})") from error
        content = os.pread(file, size, offset)
        if len(content) != size:
            raise IntegrityError(f"{what}: cut short: {len(content)} of {size} bytes at {offset}")
        return content

    def open(self, shard: str) -> int:
        """The file descriptor of a shard, which is checked when it is first opened: size and closing blocks.

        Raises:
            IntegrityError: naming the shard.
        """
        with self._lock:
            if shard not in self._files:
                self._files[shard] = self._open(shard)
            return self._files[shard]

    def _open(self, shard: str) -> int:
        path = self.folder / shard
        wanted = self.index["rows"][shard]["files"][shard]["size"]
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise IntegrityError(f"{path}: missing; the index has it") from error
        size = os.fstat(file).st_size
        if size != wanted:
            os.close(file)
            raise IntegrityError(f"{path}: {size} bytes, wanted {wanted}: cut short or overwritten")
        if os.pread(file, len(END_BLOCKS), size - len(END_BLOCKS)) != END_BLOCKS:
            os.close(file)
            raise IntegrityError(f"{path}: does not end with the closing blocks of a tar")
        return file

    def close(self) -> None:
        """Close the shards that were opened."""
        while self._files:
            os.close(self._files.popitem()[1])


def verify_shards(folder: Path) -> tuple[int, list[str]]:
    """Read every shard of a folder and compare it with the index: size, closing blocks, every sample's CRC-32C,
    SHA-256.

    Returns:
        the number of samples that are whole, and a line for each fault, which names the shard and, where known, the
        sample.
    """
    index = read_index(folder, SHARDS)
    whole, faults = 0, []
    for form, part in sorted({(row["form"], row["part"]) for row in index["rows"].values()}):
        reader = Shards(folder, part, form)
        broken: dict[str, str] = {}  # shards that cannot be opened at all
        for number, (shard, _) in enumerate(reader.samples):
            try:
                reader.open(shard)
            except IntegrityError as error:
                broken[shard] = str(error)
                continue
            try:
                reader.read(number)
                whole += 1
            except IntegrityError as error:
                faults.append(str(error))
                broken.setdefault(shard, "")
        faults.extend(fault for fault in broken.values() if fault)
        for shard in sorted({shard for shard, _ in reader.samples} - set(broken)):
            if sha256_of(folder / shard) != index["rows"][shard]["files"][shard]["sha256"]:
                faults.append(f"{folder / shard}: bytes outside its samples are not those that were written")
        reader.close()
    return whole, faults

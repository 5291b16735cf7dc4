"""Places of the samples of a form, as columns of a NumPy file: opened at once, however many samples there are."""

import hashlib
import io
import operator
import struct
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hdrdata.samples.layout import END_BLOCKS, KEY, IntegrityError, Member, SampleLayout

COLUMNS = "columns.npy"  # in the folder of a form
ABSENT = (1 << 32) - 1  # the size of a member that a sample does not have


@dataclass(frozen=True)
class ShardFile:
    """A shard as an index lists it."""

    name: str  # relative to the index
    form: str
    part: str
    size: int
    sha256: str
    samples: int


class Row(NamedTuple):
    """Place of a sample as the columns contain it: a `SampleLayout` is made of it only where one is needed."""

    shard: str
    key: str
    offset: int  # in the shard
    length: int
    crc32c: int
    members: dict[str, tuple[int, int, int]]  # by extension: offset in the sample, size, CRC-32C


def columns_type(width: int, members: Iterable[str]) -> np.dtype:
    """Return the type of a row of columns whose keys have at most `width` letters."""
    member = [("offset", "<u4"), ("size", "<u4"), ("crc32c", "<u4")]
    numbers = [("shard", "<u4"), ("offset", "<u8"), ("length", "<u8"), ("crc32c", "<u4")]
    return np.dtype([("key", f"S{width}"), *numbers, *((name, member) for name in members)])


def make_columns(shards: Sequence[Iterable[SampleLayout]]) -> np.ndarray:
    """Return a row a sample: key, number of the shard, offset, length, CRC-32C, and of each member by its extension
    offset in the sample, size and CRC-32C.

    Args:
        shards: the samples of each shard of a form.
    """
    every = [(number, layout) for number, layouts in enumerate(shards) for layout in layouts]
    names = dict.fromkeys(name for _, layout in every for name in sorted(layout.members))
    width = max((len(layout.key) for _, layout in every), default=1)
    columns = np.empty(len(every), columns_type(width, names))
    for place, (number, layout) in enumerate(every):
        members = (
            (found.offset - layout.offset, found.size, found.crc32c)
            if (found := layout.members.get(name))
            else (0, ABSENT, 0)
            for name in names
        )
        columns[place] = (layout.key.encode(), number, layout.offset, layout.length, layout.crc32c, *members)
    return columns


def columns_to_bytes(columns: np.ndarray) -> bytes:
    """Return the columns as a .npy file; the same columns give the same bytes."""
    content = io.BytesIO()
    np.lib.format.write_array(content, columns, allow_pickle=False)
    return content.getvalue()


class SampleTable(Sequence[tuple[str, SampleLayout]]):
    """Samples of some shards of a form by number, as (shard, layout); a layout is made when it is asked for.

    Columns may come from anywhere, so each layout is checked against its shard's size.
    """

    def __init__(self, columns: np.ndarray, form: str, files: Sequence[ShardFile], chosen: Collection[str]):
        """
        Args:
            columns: of all `files`, which are the shards of the form in the index's order.
            chosen: names of the shards whose samples are read.

        Raises:
            ValueError: if there are not as many columns as samples.
        """
        ends = list(accumulate(file.samples for file in files))
        if len(columns) != (ends[-1] if ends else 0):
            raise ValueError(f"columns of {len(columns)} samples; expected {ends[-1] if ends else 0}")
        self.form = form
        self._columns: Any = columns.view(np.ndarray)  # whose items cost less than a memmap's
        self._members, self._row_size = (columns.dtype.names or ())[5:], columns.dtype.itemsize
        self._format = f"<{columns.dtype['key'].itemsize}sIQQI{3 * len(self._members)}I"  # a tenth of NumPy's time
        self._last: tuple[int, Row] | None = None  # asked for several times in a row
        self.files = [file for file in files if file.name in chosen and file.samples]
        self._starts = [ends[place] - file.samples for place, file in enumerate(files) if file in self.files]
        self._ends = list(accumulate(file.samples for file in self.files))
        self._length = self._ends[-1] if self._ends else 0
        self.path: Path | None = None  # of a file that is mapped to memory

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> tuple[str, SampleLayout]:
        shard, key, offset, length, crc32c, places = self.row(number)
        members = {name: Member(offset + at, size, crc) for name, (at, size, crc) in places.items()}
        return shard, SampleLayout(key, self.form, offset, length, crc32c, members)

    def row(self, number: int) -> Row:
        """Return the place of a sample.

        Raises:
            IntegrityError: if it is not inside of its shard.
        """
        last = self._last
        if last is not None and last[0] == number:
            return last[1]
        place, row = self._locate(number)
        file = self.files[place]
        name, _, offset, length, crc32c, *numbers = struct.unpack_from(
            self._format, self._columns, row * self._row_size
        )
        key, starts, sizes = name.rstrip(b"\0").decode("ascii", "replace"), numbers[::3], numbers[1::3]
        members = dict(zip(self._members, zip(starts, sizes, numbers[2::3], strict=True), strict=True))
        if ABSENT in sizes:
            members = {name: member for name, member in members.items() if member[1] != ABSENT}
            starts, sizes, _ = zip(*members.values(), strict=True) if members else ((), (), ())
        inside = max(map(operator.add, starts, sizes), default=0) <= length  # at each read, so without a loop
        if not inside or offset + length > file.size - len(END_BLOCKS) or not KEY.fullmatch(key):
            raise IntegrityError(f"{file.name}, sample {key!r}: the columns name bytes outside of it")
        self._last = number, Row(file.name, key, offset, length, crc32c, members)
        return self._last[1]

    def key(self, number: int) -> str:
        """Return the key of a sample."""
        if self._last is not None and self._last[0] == number:
            return self._last[1].key
        return self._columns["key"][self._locate(number)[1]].decode("ascii", "replace")

    def _locate(self, number: int) -> tuple[int, int]:
        """Return the place of a sample's shard, and its row."""
        wanted = operator.index(number) + (self._length if number < 0 else 0)
        if not 0 <= wanted < self._length:
            raise IndexError(f"sample {number}; there are {self._length}")
        place = bisect_right(self._ends, wanted)
        return place, self._starts[place] + wanted - (self._ends[place - 1] if place else 0)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_columns": None if self.path else self._columns}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        if self.path:
            self._columns = np.load(self.path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


class Keys(Sequence[str]):
    """Keys of samples by number, without a list of them."""

    def __init__(self, samples: SampleTable):
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self._samples.key(each) for each in range(*number.indices(len(self)))]
        return self._samples.key(number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __iter__(self) -> Iterator[str]:
        return (self._samples.key(number) for number in range(len(self)))


def load_columns(content: bytes | Path, sha256: str) -> np.ndarray:
    """Return the columns in a file's bytes, or map those of a local file to memory.

    Raises:
        ValueError: if the file does not have its SHA-256, or contains no columns.
    """
    if isinstance(content, Path):
        with content.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    else:
        found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"sha256 {found[:12]}; expected {sha256[:12]}")
    if isinstance(content, Path):
        columns = np.load(content, mmap_mode="r", allow_pickle=False)
    else:
        columns = np.load(io.BytesIO(content), allow_pickle=False)
    names = columns.dtype.names or ()
    if names[:1] != ("key",) or columns.dtype != columns_type(columns.dtype["key"].itemsize, names[5:]):
        raise ValueError("no columns of samples")
    return columns

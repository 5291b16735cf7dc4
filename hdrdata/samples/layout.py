"""WebDataset samples as tar bytes: the same members always give the same bytes, and each knows where it lies."""

import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import google_crc32c

SHARDS = "shards-2"  # the format of an index of shards; raise the number when the same stacks give other bytes
END_BLOCKS = bytes(1024)  # two empty blocks close a tar
KEY = re.compile(r"[a-z0-9_-]{1,100}")


@dataclass(frozen=True)
class Member:
    """Where one file of a sample lies: bytes `offset` to `offset + size` of the tar."""

    offset: int
    size: int
    crc32c: int


@dataclass(frozen=True)
class SampleLayout:
    """Where one sample lies in its tar: headers, members and padding, without a gap."""

    key: str
    form: str  # "pixels" or "radiance"
    offset: int
    length: int
    crc32c: int  # of all `length` bytes
    members: dict[str, Member]  # by extension

    def moved(self, offset: int) -> "SampleLayout":
        """The same sample at another place."""
        shift = offset - self.offset
        members = {name: Member(m.offset + shift, m.size, m.crc32c) for name, m in self.members.items()}
        return SampleLayout(self.key, self.form, offset, self.length, self.crc32c, members)

    def to_json(self) -> dict:
        """A compact form for an index: members as [offset, size, crc32c]."""
        return {**asdict(self), "members": {name: [m.offset, m.size, m.crc32c] for name, m in self.members.items()}}

    @classmethod
    def from_json(cls, row: dict) -> "SampleLayout":
        """Undo `to_json`."""
        return cls(**{**row, "members": {name: Member(*numbers) for name, numbers in row["members"].items()}})


def pack_sample(key: str, form: str, members: dict[str, bytes], offset: int) -> tuple[bytes, SampleLayout]:
    """A sample as the bytes of a tar that begin at `offset`: USTAR, mtime 0, no owner, members sorted by extension.

    Raises:
        ValueError: if the key would be cut (a dot) or is not [a-z0-9_-]+, or a member's name is beyond 100 characters.
    """
    if not KEY.fullmatch(key):
        raise ValueError(f"sample key '{key}'; wanted 1 to 100 of [a-z0-9_-] (a dot would end the key)")
    packed = io.BytesIO()
    layout = {}
    for extension in sorted(members):
        content = members[extension]
        info = tarfile.TarInfo(f"{key}.{extension}")
        if len(info.name) > tarfile.LENGTH_NAME:
            raise ValueError(f"{info.name}: {len(info.name)} characters; a tar of this kind holds 100 a name")
        info.size, info.mode, info.mtime = len(content), 0o444, 0
        packed.write(info.tobuf(tarfile.USTAR_FORMAT))
        layout[extension] = Member(offset + packed.tell(), len(content), google_crc32c.value(content))
        packed.write(content)
        packed.write(bytes(-len(content) % 512))
    sample = packed.getvalue()
    return sample, SampleLayout(key, form, offset, len(sample), google_crc32c.value(sample), layout)


def pack_samples(samples: Iterator[tuple[str, str, dict[str, bytes]]], path: Path) -> list[SampleLayout]:
    """Write (key, form, members) as a whole tar to `path`, and tell where each sample lies."""
    layouts = []
    with path.open("wb") as file:
        for key, form, members in samples:
            packed, layout = pack_sample(key, form, members, file.tell())
            file.write(packed)
            layouts.append(layout)
        file.write(END_BLOCKS)
    return layouts


def check_bytes(content: bytes, crc32c: int, what: str) -> None:
    """Refuse bytes whose CRC-32C is not the expected one.

    Raises:
        IntegrityError: naming `what`.
    """
    found = google_crc32c.value(content)
    if found != crc32c:
        raise IntegrityError(f"{what}: damaged: crc32c {found:08x}, wanted {crc32c:08x}")


class IntegrityError(ValueError):
    """A shard or stack is not what its index says; the message names the file and the sample."""

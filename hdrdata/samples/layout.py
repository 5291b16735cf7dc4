"""WebDataset samples as tar bytes: the same members always give the same bytes, at recorded places."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import google_crc32c

SHARDS = "shards-2"  # the format of an index of shards; raise the number when the same stacks give other bytes
END_BLOCKS = bytes(1024)  # two empty blocks close a tar
KEY = re.compile(r"[a-z0-9_-]{1,100}")


def split_key(key: str, form: str, crfs: Iterable[str]) -> tuple[str, str | None]:
    """Return the view of a sample and its camera.

    A pixels sample is `<view>_<camera>`. Where one camera's name ends with another's ("my_film", "film"), the longest
    that fits is meant; without any the key is the view. A radiance sample has its view's key and no camera.
    """
    fitting = [crf for crf in crfs if key.endswith(f"_{crf}")] if form == "pixels" else []
    if not fitting:
        return key, None
    crf = max(fitting, key=len)
    return key.removesuffix(f"_{crf}"), crf


def program_of(algorithm: str) -> str:
    """Return what made a sample, as its JSON states it under "program": `hdr-attnet <algorithm>`."""
    return f"hdr-attnet {algorithm}"


def was_built(about: dict) -> bool:
    """Return whether the sample of this JSON was synthesized from a scene of `scan_scenes`, and not imported."""
    return str(about.get("program", "")).startswith(program_of("stacks"))


class Member(NamedTuple):
    """Place of one file of a sample: bytes `offset` to `offset + size` of the tar."""

    offset: int
    size: int
    crc32c: int


@dataclass(frozen=True)
class SampleLayout:
    """Place of one sample in its tar: headers, members and padding, without a gap."""

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


def check_bytes(content: bytes, crc32c: int, what: str) -> None:
    """Refuse bytes whose CRC-32C is not the expected one.

    Raises:
        IntegrityError: naming `what`.
    """
    found = google_crc32c.value(content)
    if found != crc32c:
        raise IntegrityError(f"{what}: damaged: crc32c {found:08x}, expected {crc32c:08x}")


class IntegrityError(ValueError):
    """A shard or stack is not what its index says; the message names the file and the sample."""


Form = Literal["pixels", "radiance"]

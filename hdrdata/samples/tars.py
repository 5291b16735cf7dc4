"""Samples as members of a tar: the same samples give the same bytes."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from hdrdata.samples.layout import END_BLOCKS, KEY, Member, SampleLayout


def pack_sample(key: str, form: str, members: dict[str, bytes], offset: int) -> tuple[bytes, SampleLayout]:
    """A sample as the bytes of a tar that begin at `offset`: USTAR, mtime 0, no owner, members sorted by extension.

    Raises:
        ValueError: if the key would be cut (a dot) or is not [a-z0-9_-]+, or a member's name is beyond 100 characters.
    """
    if not KEY.fullmatch(key):
        raise ValueError(f"sample key '{key}'; expected 1 to 100 of [a-z0-9_-] (a dot would end the key)")
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
    """Write (key, form, members) as a whole tar to `path`, and return the place of each sample."""
    layouts = []
    with path.open("wb") as file:
        for key, form, members in samples:
            packed, layout = pack_sample(key, form, members, file.tell())
            file.write(packed)
            layouts.append(layout)
        file.write(END_BLOCKS)
    return layouts

"""HDR images in; exact LDR stacks and WebDataset shards out. Public names, imported when they are first used."""

from typing import TYPE_CHECKING

import lazy_loader  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from hdrdata.cameras.crf_names import named_crfs
    from hdrdata.files.exr import write_exr
    from hdrdata.files.radiance import read_radiance
    from hdrdata.integrity.verify import verify_shards
    from hdrdata.photos.photo import read_photo
    from hdrdata.shards.build import build
    from hdrdata.stream.stack_reader import open_stacks
    from hdrdata.torch import StackDataset, StackLoader, StackSampler

__all__ = [
    "StackDataset",
    "StackLoader",
    "StackSampler",
    "build",
    "named_crfs",
    "open_stacks",
    "read_photo",
    "read_radiance",
    "verify_shards",
    "write_exr",
]
_PLACES = {
    "cameras.crf_names": ["named_crfs"],
    "files.exr": ["write_exr"],
    "files.radiance": ["read_radiance"],
    "photos.photo": ["read_photo"],
    "shards.build": ["build"],
    "integrity.verify": ["verify_shards"],
    "stream.stack_reader": ["open_stacks"],
    "torch": ["StackDataset", "StackLoader", "StackSampler"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_PLACES)  # pyright: ignore

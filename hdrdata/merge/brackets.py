"""Merge the bracketed photographs of one camera position into a scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from hdrdata.cameras.crf import CameraResponse
from hdrdata.cameras.crf_files import write_crf
from hdrdata.config import Section
from hdrdata.files.exr import write_exr
from hdrdata.files.ldr import write_png
from hdrdata.files.suffixes import RAW_SUFFIXES
from hdrdata.merge.alignment import Alignment, reach_of
from hdrdata.merge.display import merge_display
from hdrdata.merge.exposures import Agreement, read_exposures
from hdrdata.merge.raw import merge_raw
from hdrdata.photos.finding import PHOTO_SUFFIXES
from hdrdata.photos.formats.raw import is_raw

ALGORITHM = "brackets-2"  # raise the number when the same pictures give other values


class MergeConfig(Section):
    """Parameters of a merge."""

    response: Literal["calibrate", "srgb", "linear"]  # of display pictures; RAW files are linear
    align: bool  # shift and turn the pictures onto the middle one


@dataclass(frozen=True)
class Merged:
    """A merged bracket."""

    radiance: Float32[np.ndarray, "height width 3"]  # linear Rec.709; 1 fills the picture's range at exposure 1
    facts: dict[str, str]  # for the header of an EXR
    agreement: Agreement
    alignment: Alignment  # where the radiance is in the middle picture
    lines: tuple[str, ...]  # what a user should know
    response: CameraResponse | None = None  # of display pictures, assumed or calibrated


def merge_bracket(paths: Sequence[Path], times: Sequence[float] | None, config: MergeConfig) -> Merged:
    """Merge photographs of a display's range (`hdrdata.photos`) or camera RAW files; one RAW file alone is merged too.

    Args:
        paths: pictures of one kind, in any order.
        times: seconds each, instead of what the files state.

    Raises:
        ValueError: one line, if a picture is unreadable or damaged, they differ in size, kind or colours, or their
            exposures are unknown or contradict their brightness.
    """
    kinds = {is_raw(path) for path in paths}
    if len(kinds) != 1:
        raise ValueError(f"{', '.join(str(path) for path in paths) or 'no picture'}: expected RAW or display pictures")
    for path in paths:
        if path.suffix.lower() not in (*PHOTO_SUFFIXES, *RAW_SUFFIXES):
            raise ValueError(f"{path}: not a kind of picture that is merged; expected JPEG, HEIC, PNG, TIFF or RAW")
    raw = kinds.pop()
    if len(paths) < 2 and not raw:
        raise ValueError(f"{paths[0]}: only one picture; expected at least two (or one camera RAW file)")
    exposures = read_exposures(paths, times)
    order = np.argsort(exposures, kind="stable")
    paths, exposures = [paths[index] for index in order], exposures[order]
    if raw:
        radiance, agreement, alignment = merge_raw(paths, exposures, config.align)
        response = None
    else:
        radiance, agreement, alignment, response = merge_display(paths, exposures, config.response, config.align)
    lines = agreement.lines(paths)
    if alignment.unaligned:
        names = ", ".join(paths[index].name for index in alignment.unaligned)
        reach = reach_of(alignment.height, alignment.width)
        lines.append(f"not aligned: {names}; expected shifts of at most {reach} pixels, and enough in common")
    facts = {
        "hdrdata.sources": ", ".join(path.name for path in paths),
        "hdrdata.exposures": ", ".join(f"{exposure:.6g}" for exposure in exposures),
        "hdrdata.response": "linear" if raw else config.response,
        "hdrdata.aligned": str(config.align).lower(),
        "hdrdata.moved_share": f"{agreement.moved_share:.6f}",
        "hdrdata.program": f"hdr-attnet merge {ALGORITHM}",
    }
    return Merged(radiance, facts, agreement, alignment, tuple(lines), response)


def merge_to_file(
    out: Path,
    paths: Sequence[Path],
    times: Sequence[float] | None,
    config: MergeConfig,
    moved: Path | None = None,
    response: Path | None = None,
) -> Merged:
    """Merge a bracket to the OpenEXR file `out`, whole or not at all.

    Args:
        moved: a PNG to write: white where the pictures differ, because something moved.
        response: a CSV to write: the camera response of display pictures (`hdrdata.cameras.crf_files.write_crf`).
    """
    if out.suffix.lower() != ".exr":
        raise ValueError(f"{out}: not the name of an OpenEXR file; expected one that ends in .exr")
    if response is not None and response.suffix.lower() != ".csv":
        raise ValueError(f"{response}: not the name of a CSV file; expected one that ends in .csv")
    if response is not None and any(is_raw(path) for path in paths):
        raise ValueError(f"{response}: camera RAW is linear; expected display pictures for a camera response")
    merged = merge_bracket(paths, times, config)
    write_exr(out, merged.radiance, merged.facts)
    if moved is not None:
        write_png(moved, np.repeat(merged.agreement.moved[:, :, None].astype(np.uint8) * 255, 3, axis=2))
    if response is not None and merged.response is not None:
        write_crf(response, merged.response)
    return merged

"""Outputs of photographs: formats by OUT's suffix, and a path for each output that no other output uses."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from hdrdata.cameras.recipe import HALF_STOPS
from hdrdata.files.suffixes import RAW_SUFFIXES
from hdrdata.photos.finding import PHOTO_SUFFIXES, output_stems
from hdrmodel.outputs.exposures import exposure_files
from hdrmodel.outputs.formats import FORMATS, MASK, OUTPUTS
from hdrmodel.prediction.index import LONGEST_NAME

PREVIEW, STACK = "preview", "stack"  # of a photograph's outputs, those that are not its HDR files
ALSO = {".jpeg": ".jpg"}  # suffixes that OUT may have for another
PICTURES = {*PHOTO_SUFFIXES, *RAW_SUFFIXES, ".pfm", ".psd", ".svg", ".pdf", ".eps", ".jxr", ".tga", ".dds", ".qoi",
            ".dpx", ".ktx", ".ktx2", ".mp4", ".mov"}  # fmt: skip

Places = dict[Path, dict[str, Path]]  # for each photograph the path of each format, and of "stack"


def formats_of(out: Path | None, chosen: Sequence[str], preview: bool) -> tuple[str, ...]:
    """Return the requested formats: the chosen ones, else the format of OUT's suffix, else "exr"; and the preview.

    Raises:
        ValueError: if one is unknown, two have one suffix, or one does not go with OUT's suffix.
    """
    if unknown := [name for name in chosen if name not in FORMATS]:
        raise ValueError(f"unknown format '{unknown[0]}'; known: {', '.join(FORMATS)}")
    suffix = suffix_of(out)
    names = list(dict.fromkeys(chosen)) or [next((n for n, made in FORMATS.items() if made.suffix == suffix), "exr")]
    for name in names:
        also = name == PREVIEW and names != [PREVIEW]  # beside OUT
        if suffix and FORMATS[name].suffix != suffix and not also:
            raise ValueError(
                f"{out}: format {name} is written as {FORMATS[name].suffix}; "
                "expected a folder, or a name with this ending"
            )
    if preview and PREVIEW not in names:
        names.append(PREVIEW)
    by_name: dict[str, str] = {}
    for name in names:
        other = by_name.setdefault(FORMATS[name].suffix, name)
        if other != name:
            raise ValueError(f"formats {other} and {name} are both {FORMATS[name].suffix} files; expected one of them")
    return tuple(names)


def suffix_of(out: Path | None) -> str | None:
    """The suffix of a format in which OUT ends, the longest; None of a folder.

    Raises:
        ValueError: if the suffix belongs to another kind of images.
    """
    if out is None or out.is_dir():
        return None
    if ending := _ending_of(out):
        return ALSO.get(ending, ending)
    if out.suffix.lower() in PICTURES and out.stem:
        raise ValueError(
            f"{out}: no format is written as {out.suffix}; expected a folder, or a name that ends in {_known()}"
        )
    return None


def _ending_of(out: Path) -> str | None:
    endings = sorted((*(made.suffix for made in FORMATS.values()), *ALSO), key=len, reverse=True)
    name = out.name.lower()
    return next((ending for ending in endings if name.endswith(ending) and len(name) > len(ending)), None)


def _known() -> str:
    return "one of " + ", ".join([*dict.fromkeys(made.suffix for made in FORMATS.values()), *ALSO])


def places_of(
    photos: list[Path],
    inputs: Sequence[str | Path],
    out: Path | None,
    formats: Sequence[str],
    stack: bool,
    mask: bool = False,
) -> Places:
    """Return where each output goes; a name that would be too long is cut, with a hash of it.

    Args:
        out: of one photograph a file; else a folder; None: the folder of each photograph.

    Raises:
        ValueError: if OUT is one file for several photographs, or a file that is no folder.
    """
    suffix = suffix_of(out)
    if out is None:
        stems = {}
        for folder in sorted({photo.parent for photo in photos}):
            beside = [photo for photo in photos if photo.parent == folder]
            stems |= {photo: folder / stem for photo, stem in output_stems(beside, (folder,)).items()}
    elif suffix and (ending := _ending_of(out)):
        if len(photos) != 1:
            raise ValueError(f"{out}: one file for {len(photos)} photographs; expected a folder")
        stems = {photos[0]: out.with_name(out.name[: -len(ending)])}
    else:
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out}: is a file; expected a folder, or a name that ends in {_known()}")
        stems = {photo: out / stem for photo, stem in output_stems(photos, tuple(inputs)).items()}
    ends = {name: OUTPUTS[name].suffix for name in (*formats, *([MASK] if mask else []))}
    ends |= {STACK: ".stack"} if stack else {}
    return {
        photo: {  # OUT with its capitals
            name: out if out is not None and end == suffix else _named(stem, end) for name, end in ends.items()
        }
        for photo, stem in stems.items()
    }


def _named(stem: Path, end: str) -> Path:
    name = os.fsencode(stem.name)
    room = LONGEST_NAME - len(os.fsencode(end))
    if len(name) > room:
        mark = b"~" + hashlib.sha256(name).hexdigest()[:8].encode()
        kept = name[: room - len(mark)].decode("utf-8", "ignore") if _is_text(name) else os.fsdecode(name[: room - 9])
        name = os.fsencode(kept) + mark
    return stem.with_name(os.fsdecode(name) + end)


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def files_of(name: str, path: Path) -> list[Path]:
    """The files of one output."""
    return exposure_files(path, len(HALF_STOPS)) if name == STACK else [path]


def check_places(places: Places) -> None:
    """Refuse outputs that would take the place of an input, by whatever name, or of one another."""
    inputs = {_identity(photo) for photo in places} - {None}
    makers: dict[str, Path] = {}
    for photo, outputs in places.items():
        for name, path in outputs.items():
            for file in files_of(name, path):
                if _identity(file) in inputs:
                    raise ValueError(f"{file}: an output would replace this input; expected another folder")
                other = makers.setdefault(os.path.abspath(file).casefold(), photo)
                if other != photo:
                    raise ValueError(f"{file}: is the output of both {other} and {photo}; expected a folder for each")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:  # it is not there
        return None
    return status.st_dev, status.st_ino


def without_limits(photo: Path, places: dict[str, Path], width: int, height: int, errors: list[str]) -> dict[str, Path]:
    """Leave out formats that take no picture of this size."""
    kept = {}
    for name, path in places.items():
        try:
            if name != STACK:
                OUTPUTS[name].check_size(photo, width, height)
            kept[name] = path
        except ValueError as error:
            errors.append(str(error))
    return kept

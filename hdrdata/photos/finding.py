"""Find the photographs that a command is given, count what is left out, and name their outputs."""

import glob
import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from hdrdata.files.suffixes import RAW_SUFFIXES
from hdrdata.photos.formats.raw import can_read_raw

PHOTO_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".jif",
    ".mpo",
    ".jps",
    ".jls",
    ".png",
    ".apng",
    ".tif",
    ".tiff",
    ".webp",
    ".heic",
    ".heif",
    ".hif",
    ".avif",
    ".jxl",
    ".jp2",
    ".j2k",
    ".j2c",
    ".jpc",
    ".jpf",
    ".jpx",
    ".bmp",
    ".dib",
    ".gif",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
)  # fmt: skip; camera RAW files beside


THUMBNAILS = {"@eaDir", ".thumbnails"}  # folders of a network storage and of desktops


def find_photos(inputs: tuple[str | Path, ...]) -> list[Path]:
    """Find the pictures that a command is given, sorted, each once.

    Args:
        inputs: a file is taken as it is, whatever its name. Of a folder and its sub-folders all files with the suffixes
            `PHOTO_SUFFIXES`, and camera RAW files where the extra that reads them is there, but none that is hidden or
            in a folder of thumbnails (@eaDir, .thumbnails).
            All else is a pattern such as "photos/*.jpg" or "**/*.png" for files and folders, for shells that do not
            expand it.

    Raises:
        ValueError: one line, if an input matches nothing.
        OSError: if a folder cannot be read.
    """
    found: dict[str, Path] = {}
    for given in inputs:
        photos = [photo for match in _matches(given) for photo in (_photos_in(match) if match.is_dir() else [match])]
        if not photos:
            what = "holds no pictures" if os.path.isdir(given) else "no such file or folder, and matches none"
            raise ValueError(f"{given}: {what}; expected {' '.join(PHOTO_SUFFIXES)} or camera RAW")
        for photo in photos:
            found.setdefault(os.path.abspath(photo), photo)
    return sorted(found.values())


def left_out(inputs: tuple[str | Path, ...], taken: Collection[Path]) -> dict[str, int]:
    """Return how many files of the input folders are not photographs, by suffix, the most first; "" is no suffix.
    "in @eaDir" of those in folders of thumbnails.

    Hidden files are none, and a file that is taken by another of the inputs is not left out.
    """
    places = {os.path.abspath(photo) for photo in taken}
    others: dict[str, str] = {}
    for given in inputs:
        for match in _matches(given):
            if match.is_dir():
                for file in _walk(match):
                    if (place := os.path.abspath(file)) not in places:
                        others[place] = file.suffix.lower()
                for file, folder in _thumbnails(match):
                    others[os.path.abspath(file)] = f"in {folder}"
    counts = Counter(others.values())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def is_photo_name(path: Path) -> bool:
    """Return whether a file in a folder is taken for a photograph, by its suffix."""
    suffix = path.suffix.lower()
    return suffix in PHOTO_SUFFIXES or (suffix in RAW_SUFFIXES and can_read_raw())


def _matches(given: str | Path) -> list[Path]:
    return [Path(given)] if os.path.lexists(given) else [Path(found) for found in glob.glob(str(given), recursive=True)]


def _photos_in(folder: Path) -> list[Path]:
    return [file for file in _walk(folder) if is_photo_name(file)]


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in THUMBNAILS]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _thumbnails(folder: Path) -> Iterator[tuple[Path, str]]:
    for place, _, names in os.walk(folder):
        found = THUMBNAILS & set(Path(place).relative_to(folder).parts)
        yield from ((Path(place, name), min(found)) for name in names if found)


def output_stems(photos: list[Path], inputs: tuple[str | Path, ...]) -> dict[Path, str]:
    """Name the outputs of photographs: a path without suffix, relative to the folder of the outputs, for each.

    A photo from a folder of `inputs` keeps its place in it (in the outermost, if it is in several); any other has its
    bare name. Where two names would be the same, except for capitals, all of these photos get their suffix behind it
    ("a_jpg", "a_png"); then the name of the folder they were found in before it ("day1/a_jpg"), then a number. So the
    names depend on the set of photos and inputs alone.
    """
    folders = sorted((os.path.abspath(given) for given in inputs if os.path.isdir(given)), key=len)
    level = dict.fromkeys(sorted(photos), 0)
    while True:
        stems = {photo: _stem(photo, folders, level[photo], number) for number, photo in enumerate(level)}
        counts = Counter(stem.casefold() for stem in stems.values())
        clashing = [photo for photo, stem in stems.items() if counts[stem.casefold()] > 1]
        if not clashing:
            return stems
        for photo in clashing:
            level[photo] += 1


def _stem(photo: Path, folders: list[str], level: int, number: int) -> str:
    whole = Path(os.path.abspath(photo))
    root = next((Path(folder) for folder in folders if whole.is_relative_to(folder)), whole.parent)
    stem = whole.relative_to(root).with_suffix("").as_posix()
    if level >= 1:
        stem += whole.suffix.replace(".", "_")
    if level >= 2:
        stem = (Path(root.name) / stem).as_posix()
    return f"{stem}-{number + 1}" if level >= 3 else stem

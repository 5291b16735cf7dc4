"""The layout of DrTMO: how its folders are named, and the lists of pairs that name its pictures.

`{Train,Test}/Bracketed_images/<view>_<crf>/{a..i}.png`, and lists with the columns x, x_exp, y, y_exp, whose paths are
relative to `Bracketed_images`. Endo, Kanamori and Mitani, "Deep Reverse Tone Mapping", SIGGRAPH Asia 2017; the lists
are those of Le et al., "Single-Image HDR Reconstruction by Multi-Exposure Generation", WACV 2023.
"""

import csv
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from hdrdata.cameras.crf import key_name
from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.recipe import HALF_STOPS, LETTERS
from hdrdata.files.disk import write_bytes
from hdrdata.views.view import parse_view_key

PICTURES = "Bracketed_images"
FOLDERS = {
    "train": "Train",
    "val": "Train",
    "test": "Test",
}  # only a list distinguishes val from train, as in the original
LISTS = {"train": "train.csv", "val": "val.csv", "test": "test_hdr.csv"}
COLUMNS = ["x", "x_exp", "y", "y_exp"]
NOMINAL_TIME = 2.0**-8  # of EV 0, in the lists; only ratios matter
SAME_TIME = 1e-4  # relative; the published lists hold a half stop in single precision
SPELLINGS = {  # our name of a camera -> the original's
    "agfachrome-rsx2-050cdred": "agfachrome-rsx2-050CDRed",
    "agfacolor-vista-200cdblue": "agfacolor-vista-200CDBlue",
    "ektachrome-100-pluscdblue": "Ektachrome-100-plusCDBlue",
    "gamma14": "gamma+1.4",
    "gold-200cdblue": "Gold-200CDBlue",
}
PANORAMA_VIEW = re.compile(r"(.+)_(\d+(?:p\d+)?)_(-?\d+(?:p\d+)?)_(\d{1,3})")  # scene, field of view, pitch, azimuth


@dataclass(frozen=True)
class StackName:
    """Facts in the name of a stack's folder."""

    folder: str
    original_view: str  # as the folder spells it
    view: str  # as a part of a sample key; an azimuth has three digits
    scene: str  # the view without its angles: what must not lie in two parts
    crf: str  # our name where we know the camera

    @property
    def key(self) -> str:
        return f"{self.view}_{self.crf}"


def stack_folder(view: str, crf: str) -> str:
    """The name of a stack's folder: `<view>_<crf>`, DrTMO's own cameras by their original spelling."""
    return f"{view}_{SPELLINGS.get(crf, crf)}"


def parse_stack_folder(folder: str) -> StackName:
    """Read a stack folder's name: a known camera's at its end, or what follows a view's azimuth or the last `_`.

    'HDR_007_80_10_60_gamma+1.4' is the view 'hdr_007_80_10_060' of the scene 'hdr_007' under the camera 'gamma14'.

    Raises:
        ValueError: if there is no camera in it.
    """
    spellings = {**{name: name for name in named_crfs()}, **{text.lower(): name for name, text in SPELLINGS.items()}}
    known = [text for text in spellings if folder.lower().endswith(f"_{text}")]
    if known:
        text = max(known, key=len)
        view, crf = folder[: -len(text) - 1], spellings[text]
    else:
        angles = re.fullmatch(r"(.+_\d+_-?\d+_\d{1,3})_(.+)", folder)
        view, crf = angles.groups() if angles else folder.rpartition("_")[::2]
        crf = key_name(crf)
    key = re.sub(r"[^a-z0-9_-]+", "-", view.lower())
    if not (key and crf):
        raise ValueError(f"folder '{folder}': expected <view>_<camera>")
    panorama = PANORAMA_VIEW.fullmatch(key)
    if panorama:
        scene, *angles, azimuth = panorama.groups()
        return StackName(folder, view, "_".join([scene, *angles, f"{int(azimuth):03d}"]), scene, crf)
    name = parse_view_key(key)
    return StackName(folder, view, key, name.scene if name.kind == "photo" else key, crf)


def write_pair_list(path: Path, part: str, stacks: Iterable[str], letters: str, exposures: tuple[float, ...]) -> None:
    """Write the list of a part's pairs.

    train and val: all unordered pairs of a stack's pictures, the identities too, the darker first: 45 of nine. test:
    from the picture at EV 0 (the middle one, if there is none) to each of the others: 8 of nine. As in the published
    lists.

    Args:
        stacks: names of the stacks' folders.
        exposures: t / t_reference of each letter, rising; a time is that times 2^-8.
    """
    pictures = [(f"{letter}.png", NOMINAL_TIME * x) for letter, x in zip(letters, exposures, strict=True)]
    if part == "test":
        start = pictures[exposures.index(1.0) if 1.0 in exposures else len(pictures) // 2]
        pairs = [(start, other) for other in pictures if other is not start]
    else:
        pairs = [(x, y) for first, x in enumerate(pictures) for y in pictures[first:]]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for stack in stacks:
        writer.writerows((f"{stack}/{x}", x_time, f"{stack}/{y}", y_time) for (x, x_time), (y, y_time) in pairs)
    write_bytes(path, text.getvalue().encode())


@dataclass
class PairLists:
    """Facts in the lists of a folder: the time of each picture of a stack, and which stacks each file names."""

    times: dict[str, float] = field(default_factory=dict)  # by letter
    stacks: dict[str, set[str]] = field(default_factory=dict)  # by the file's stem, such as "val"

    def exposures(self) -> tuple[str, tuple[float, ...]]:
        """The letters of a stack, and the exposure value of each; DrTMO's nine half stops where no list says more.

        EV 0 is the picture at the nominal time 2^-8, or else the middle one.

        Raises:
            ValueError: if the times do not rise with the letters, or a picture has none.
        """
        letters = "".join(sorted(self.times))
        half_stops = dict(zip(LETTERS, HALF_STOPS, strict=False))
        if all(
            letter in half_stops and _same(self.times[letter], NOMINAL_TIME * 2.0 ** half_stops[letter])
            for letter in letters
        ) and not LETTERS.startswith(letters or "-"):
            letters = ""  # a list of some of the usual pictures
        if not letters:
            return "".join(half_stops), HALF_STOPS
        if not LETTERS.startswith(letters):
            raise ValueError(f"the pair lists have times of the pictures {letters}; expected every one from a on")
        times = list(self.times[letter] for letter in letters)
        zero = next((time for time in times if _same(time, NOMINAL_TIME)), times[len(times) // 2])
        evs = tuple(round(math.log2(time / zero), 4) for time in times)
        if list(evs) != sorted(set(evs)):
            raise ValueError(f"the pair lists have times {times} of the pictures {letters}; expected them rising")
        return letters, evs


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME_TIME)


def read_pair_lists(folders: Iterable[Path]) -> PairLists:
    """Read every CSV in `folders` that has the columns of a pair list; no file that it names is opened.

    Raises:
        ValueError: naming the file and the line, if a path is not <stack>/<letter>.png, a time is no positive number,
            or a picture has another time than before.
    """
    lists = PairLists()
    for path in sorted(path for folder in folders for path in folder.glob("*.csv")):
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = csv.reader(file)
                if next(rows, None) == COLUMNS:
                    for line, row in enumerate(rows, start=2):
                        _take_row(lists, path, line, row)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}: not a readable CSV: {error}") from error
    return lists


def _take_row(lists: PairLists, path: Path, line: int, row: list[str]) -> None:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{path}, line {line}: {len(row)} values; expected {', '.join(COLUMNS)}")
    for picture, text in (row[:2], row[2:]):
        name = PurePosixPath(picture)
        try:
            time = float(text)
        except ValueError:
            time = math.nan
        if not (math.isfinite(time) and time > 0):
            raise ValueError(f"{path}, line {line}: the time '{text}'; expected a positive number")
        if not re.fullmatch(r"[a-z]\.png", name.name) or not name.parent.name:
            raise ValueError(f"{path}, line {line}: '{picture}'; expected <view>_<camera>/<letter>.png")
        known = lists.times.setdefault(name.stem, time)
        if not _same(known, time):
            raise ValueError(f"{path}, line {line}: '{picture}' at {time:g}; {name.name} was at {known:g} before")
        lists.stacks.setdefault(path.stem, set()).add(name.parent.name)

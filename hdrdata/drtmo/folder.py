"""Find the stacks in a folder of DrTMO's layout, and what is wrong with their names and files; none is opened."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hdrdata.drtmo.layout import PICTURES, StackName, parse_stack_folder
from hdrdata.scenes.parts import PARTS

LARGEST_PNG = 64 * 2**20  # bytes


@dataclass
class ImportedView:
    """The stacks of one view as they lie in the folder, and what forbids to take them."""

    key: str
    scene: str
    part: str | None  # by the name of its folder
    stacks: dict[str, StackName] = field(default_factory=dict)  # by camera
    places: dict[str, Path] = field(default_factory=dict)  # by camera
    signature: list = field(default_factory=list)  # of all its files: changes when one does
    problem: str | None = None

    def refuse(self, problem: str) -> None:
        self.problem = self.problem or problem


def part_folders(folder: Path) -> list[tuple[str | None, Path]]:
    """Return the folders that contain stacks, with the part in each name."""
    inside = {place.name.lower(): place for place in sorted(folder.iterdir()) if place.is_dir()}
    found = [(part, inside[part]) for part in PARTS if part in inside]
    if not found:
        own = folder.resolve().name.lower()
        found = [(own if own in PARTS else None, folder)]
    places = [(part, place / PICTURES if (place / PICTURES).is_dir() else place) for part, place in found]
    for _, place in places:
        if not place.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{place}: a link out of {folder}; expected a folder")
    return places


def find_views(folder: Path, root: Path, parts: list[tuple[str | None, Path]], letters: str) -> list[ImportedView]:
    """Every view below the folders `parts`, by key; what is wrong with its names and files is in `problem`."""
    views: dict[str, ImportedView] = {}
    for part, place in parts:
        for stack in sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")):
            try:
                name = parse_stack_folder(stack.name)
            except ValueError as error:
                views[stack.name] = ImportedView(stack.name, stack.name, part, problem=f"{place}: {error}")
                continue
            view = views.setdefault(name.view, ImportedView(name.view, name.scene, part))
            other = next(iter(view.stacks.values()), None)
            if name.crf in view.stacks:
                view.refuse(f"{stack}: the same view and camera as {view.places[name.crf]}")
            elif other and other.original_view != name.original_view:
                view.refuse(f"{stack}: the view has the key '{name.view}' of {view.places[other.crf]}; rename one")
            elif view.part != part:
                view.refuse(f"{stack}: the view '{name.view}' lies in another part, too")
            view.stacks[name.crf], view.places[name.crf] = name, stack
            files, problem = _look_into(stack, root, letters)
            view.signature.append([str(stack.relative_to(folder)), files])
            if problem:
                view.refuse(problem)
    if not views:
        raise ValueError(
            f"{folder}: no stacks in it; expected {PICTURES}/<view>_<camera>/{{{letters[0]}..{letters[-1]}}}.png"
        )
    _hold_against_each_other(views)
    return [views[key] for key in sorted(views)]


def _hold_against_each_other(views: dict[str, ImportedView]) -> None:
    """Refuse a view that has other cameras than most, or whose scene lies in two parts (a view of test stays)."""
    usual = Counter(frozenset(view.stacks) for view in views.values() if view.stacks).most_common(1)
    parts: dict[str, set[str | None]] = {}
    for view in views.values():
        parts.setdefault(view.scene, set()).add(view.part)
    for view in views.values():
        if usual and view.stacks and set(view.stacks) != usual[0][0]:
            place = next(iter(view.places.values()))
            wanted, found = (", ".join(sorted(names)) for names in (usual[0][0], view.stacks))
            view.refuse(f"{place}: the view '{view.key}' has the cameras {found}; most views have {wanted}")
        if len(parts[view.scene]) > 1 and view.part != "test":
            others = ", ".join(sorted(str(part) for part in parts[view.scene] - {view.part}))
            place = next(iter(view.places.values()), view.key)
            view.refuse(f"{place}: its scene '{view.scene}' lies in the part {others}, too")


def _look_into(stack: Path, root: Path, letters: str) -> tuple[list, str | None]:
    """Name, size and time of a stack's pictures, and what is wrong with them; no file is opened."""
    if stack.is_symlink() and not stack.resolve().is_relative_to(root):
        return [], f"{stack}: a link out of the folder; expected a folder"
    files, problem, found = [], None, ""
    with os.scandir(stack) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            letter, _, suffix = entry.name.partition(".")
            if suffix != "png" or len(letter) != 1:
                continue
            path = entry.path
            if entry.is_symlink() and not Path(path).resolve().is_relative_to(root):
                problem = problem or f"{path}: a link out of the folder; expected a file"
            elif not entry.is_file():
                problem = problem or f"{path}: not a file"
            else:
                status = entry.stat()
                files.append([entry.name, status.st_size, status.st_mtime_ns])
                if status.st_size > LARGEST_PNG:
                    problem = problem or f"{path}: {status.st_size} bytes; expected at most {LARGEST_PNG}"
            found += letter
    for letter in letters:
        if letter not in found:
            problem = problem or f"{stack / letter}.png: missing; expected {letters[0]}.png to {letters[-1]}.png"
    for letter in found:
        if letter not in letters:
            problem = problem or f"{stack / letter}.png: one too many; expected {letters[0]}.png to {letters[-1]}.png"
    return files, problem

"""Find the files beside shards that describe other shards than those that are there now, and write them again."""

from pathlib import Path

from hdrdata.files.disk import read_json
from hdrdata.publish.card import CARD, CROISSANT, LICENCES, SHEET, STATISTICS, write_plain_card
from hdrdata.publish.contents import Contents
from hdrdata.publish.published import RECORD, looks_like_ours, read_record
from hdrdata.publish.sidecars import SIDECARS, make_sidecars, write_sidecars

CARD_FILES = (CARD, CROISSANT, LICENCES, SHEET, STATISTICS)


def has_published(folder: Path) -> bool:
    """Return whether a folder of shards has any sidecar or card."""
    patterns = [f"*/{kind.pattern}" for kind in SIDECARS.values()]
    names = (RECORD, CROISSANT, STATISTICS)
    return any((folder / name).is_file() for name in names) or any(any(folder.glob(pattern)) for pattern in patterns)


def stale_files(folder: Path) -> list[str]:
    """Return the names of sidecars and card files that are of other shards than those of the index, or missing.

    Raises:
        ValueError: if the index of the shards or the list of published files is broken.
    """
    record = read_record(folder)
    with Contents(folder) as contents:
        kinds = _kinds_of(folder)
        wanted = make_sidecars(contents, kinds)
        stale = [name for name, content in wanted.items() if not _holds(folder / name, content)]
        found = [path for kind in kinds for path in folder.glob(f"*/{SIDECARS[kind].pattern}")]
        names = {path.relative_to(folder).as_posix(): path for path in found}
        stale += sorted(n for n, path in names.items() if n not in wanted and (n in record or looks_like_ours(path)))
        digests = {name: row["digest"] for name, row in record.items() if name in CARD_FILES}
        if (folder / STATISTICS).is_file() and not digests:
            digests = dict.fromkeys((CARD, STATISTICS), read_json(folder / STATISTICS).get("digest"))
        stale += sorted(n for n, digest in digests.items() if digest != contents.digest and (folder / n).is_file())
    return stale


def refresh_published(folder: Path) -> list[str]:
    """Write stale sidecars and card files again; a card then has no statistics until they are measured again.

    Returns:
        what was done, a line each.
    """
    if not has_published(folder):
        return []
    try:
        return _refresh(folder, stale_files(folder))
    except ValueError as error:  # a file of another program; the shards are whole all the same
        return [f"sidecars and card: not written again: {error}"]


def _refresh(folder: Path, stale: list[str]) -> list[str]:
    lines = []
    if kinds := tuple(kind for kind in _kinds_of(folder) if any(SIDECARS[kind].owns(name) for name in stale)):
        lines.append(f"{', '.join(kinds)}: {write_sidecars(folder, kinds)}")
    if names := {CARD, CROISSANT, STATISTICS, LICENCES, SHEET} & set(stale):
        kinds = tuple(kind for kind, name in (("card", CARD), ("croissant", CROISSANT)) if (folder / name).is_file())
        written, by_hand = write_plain_card(folder, kinds or ("croissant",))
        lines.append(f"card: {written}" + (f"; {CARD} was changed by hand and stays" if by_hand else ""))
        if STATISTICS in names:
            lines.append("card: its statistics were of other shards; `hdrdata card` measures these")
    return lines


def _kinds_of(folder: Path) -> tuple[str, ...]:
    return tuple(kind for kind, sidecar in SIDECARS.items() if any(folder.glob(f"*/{sidecar.pattern}")))


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content

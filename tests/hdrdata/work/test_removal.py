"""What a run may remove: files that a valid list of ours names, inside its folder, with their listed bytes."""

import json
from pathlib import Path

import pytest
from test_incremental import ALGORITHM, counts, entries, update

from hdrdata.files.disk import INDEX, read_json
from hdrdata.files.removal import is_plain_name
from hdrdata.work.index import describe_files
from hdrdata.work.journal import JOURNAL

HASH = "0" * 64
OUTSIDE = ["../thesis.txt", "../../thesis.txt", "/etc/thesis.txt", "a/../../thesis.txt", "./thesis.txt", "a//b.txt", "",
           "C:/thesis.txt", "..\\thesis.txt", "thesis.txt\0"]  # fmt: skip


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("where", [INDEX, JOURNAL])
def test_an_index_or_journal_that_names_a_file_outside_is_refused_and_nothing_changes(tmp_path, where, name):
    folder = tmp_path / "out" / "views"
    folder.mkdir(parents=True)
    (tmp_path / "thesis.txt").write_text("precious")
    (folder / "thesis.txt").write_text("precious")
    row = {"digest": "0", "files": {name: {"size": 8, "sha256": HASH}}}
    text = {INDEX: {"algorithm": ALGORITHM, "rows": {"x": row}}, JOURNAL: ["x", row]}[where]
    (folder / where).write_text(json.dumps(text) + "\n")
    before = tree(tmp_path)
    assert not is_plain_name(name)
    with pytest.raises(ValueError, match=rf"{where}: .*expected a relative path inside the folder") as error:
        update(folder, entries({"a": 1}))
    assert "\n" not in str(error.value)
    assert tree(tmp_path) == before


BROKEN = {
    "empty": "",
    "of another program": '{"version": 3, "files": []}',
    "of another stage": json.dumps({"algorithm": "letters-1", "rows": {}}),
    "cut short": '{"algorithm": "numbers-1", "rows": {"a"',
    "no object": "[1, 2]",
    "too deep": "[" * 100_000,
    "rows of another type": '{"algorithm": "numbers-1", "rows": [1]}',
    "a row without files": '{"algorithm": "numbers-1", "rows": {"a": {"digest": "0"}}}',
    "a size that is text": json.dumps({"algorithm": ALGORITHM, "rows": {
        "a": {"digest": "0", "files": {"a.txt": {"size": "8", "sha256": HASH}}}}}),
    "no hash": '{"algorithm": "numbers-1", "rows": {"a": {"digest": "0", "files": {"a.txt": {"size": 8}}}}}',
    "not UTF-8": b"\xff\xfe{}",
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_folder_with_a_broken_or_foreign_index_is_refused_by_name_and_keeps_its_files(tmp_path, kind):
    content = BROKEN[kind]
    (tmp_path / INDEX).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "backup").mkdir()
    for name in ("photos.txt", "backup/photos-2019.txt", ".partial-mine0000.txt"):
        (tmp_path / name).write_text("a user's")
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"index\.json: .*expected .*; nothing in the folder was changed") as error:
        update(tmp_path, entries({"a": 1}))
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000
    assert tree(tmp_path) == before


@pytest.mark.parametrize("line", ['{"a": 1}', "12", '["a"]', '["a", 5]', '["a", {"digest": 1, "files": {}}]',
                                  '[["a"], {"digest": "1", "files": {}}]', "null", "shopping list"])  # fmt: skip
def test_a_foreign_journal_is_refused_by_name(tmp_path, line):
    (tmp_path / JOURNAL).write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"\.journal\.jsonl: line 1: .*expected a journal of hdrdata"):
        update(tmp_path, entries({"a": 1}))
    assert (tmp_path / JOURNAL).read_text() == f"{line}\n"


def test_a_file_that_no_row_lists_stays_whatever_its_suffix_and_folder(tmp_path):
    update(tmp_path, entries({"a": 1, "b": 2}))
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "old.txt").write_text("a user's")
    (tmp_path / "mine.txt").write_text("a user's")
    (tmp_path / ".partial-mine").write_text("a user's")
    assert counts(update(tmp_path, entries({"a": 1}))) == (0, 1, 1, 0)
    assert sorted(tree(tmp_path)) == [".partial-mine", "a.txt", "backup/old.txt", INDEX, "mine.txt"]


def test_a_listed_file_that_somebody_changed_stays_and_is_named(tmp_path):
    update(tmp_path, entries({"a": 1, "b": 2, "c": 3}))
    (tmp_path / "b.txt").write_text("9")  # of the same size
    outcome = update(tmp_path, entries({"a": 1}))
    assert outcome.summary() == "0 new, 1 kept, 2 removed, not removed because changed: b.txt"
    assert sorted(tree(tmp_path)) == ["a.txt", "b.txt", INDEX]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    folder, home = tmp_path / "out", tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("precious")
    update(folder, entries({"a": 1}))
    (folder / "link").symlink_to(home)
    index = read_json(folder / INDEX)
    index["rows"]["x"] = {"digest": "0", "files": {
        f"link/{name}": facts for name, facts in describe_files(home, ["thesis.txt"]).items()}}  # fmt: skip
    (folder / INDEX).write_text(json.dumps(index))
    update(folder, entries({"a": 1}))
    assert tree(home) == {"thesis.txt": b"precious"}


def test_a_linked_file_of_a_cache_loses_its_link_alone(tmp_path):
    folder, cache = tmp_path / "out", tmp_path / "cache"
    update(folder, entries({"a": 1, "b": 2}))
    cache.mkdir()
    (folder / "b.txt").rename(cache / "0f")
    (folder / "b.txt").symlink_to(cache / "0f")  # as DVC does by cache.type symlink
    update(folder, entries({"a": 1}))
    assert sorted(tree(folder)) == ["a.txt", INDEX] and (cache / "0f").exists()


def test_an_index_of_an_older_version_still_says_what_may_be_removed(tmp_path):
    update(tmp_path, entries({"a": 1, "old": 2}))
    index = read_json(tmp_path / INDEX)
    (tmp_path / INDEX).write_text(json.dumps({**index, "algorithm": "numbers-0"}))
    assert counts(update(tmp_path, entries({"a": 1}))) == (1, 0, 1, 0)
    assert sorted(tree(tmp_path)) == ["a.txt", INDEX]


def test_temporary_files_in_a_folder_that_is_not_ours_stay(tmp_path):
    (tmp_path / ".partial-abcd1234.txt").write_text("of another program")
    update(tmp_path, entries({"a": 1}))
    assert (tmp_path / ".partial-abcd1234.txt").exists()


def test_damage_of_the_same_size_is_found_where_content_is_checked_and_only_there(tmp_path):
    update(tmp_path, entries({"a": 1, "b": 2}))
    (tmp_path / "b.txt").write_text("9")
    assert counts(update(tmp_path, entries({"a": 1, "b": 2}))) == (0, 2, 0, 0)
    assert counts(update(tmp_path, entries({"a": 1, "b": 2}), check_content=True)) == (1, 1, 0, 0)
    assert (tmp_path / "b.txt").read_text() == "2"

"""Making only what is missing: kept, new, removed and refused entries; workers that die; runs that are cut short."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hdrdata.files.disk import INDEX, PARTIAL, read_json, write_bytes
from hdrdata.work.incremental import Entry, bring_up_to_date
from hdrdata.work.index import describe_files, read_index
from hdrdata.work.journal import JOURNAL

ALGORITHM = "numbers-1"


def make_file(folder: Path, task: dict) -> dict:
    """Write a number to a file; what else happens is told by the task."""
    name = task["name"]
    once = Path(task.get("once", os.devnull))
    if "once" in task and not once.exists():
        once.touch()
        if task["first"] == "die":
            (folder / f"{PARTIAL}half1234.txt").write_text("hal")
            os._exit(1)
        if task["first"] == "raise":
            raise OSError("disk full")
    if task.get("refuse"):
        raise ValueError(f"{name}: no number")
    if task.get("die"):
        os._exit(1)
    time.sleep(task.get("seconds", 0))
    write_bytes(folder / f"{name}.txt", str(task["number"]).encode())
    return {"files": describe_files(folder, [f"{name}.txt"]), "number": task["number"]}


def entries(numbers: dict[str, int], **task) -> list[Entry]:
    return [
        Entry(name, f"digest {number}", {"name": name, "number": number, **task}) for name, number in numbers.items()
    ]


def update(folder: Path, wanted: list[Entry], **options):
    return bring_up_to_date(folder, ALGORITHM, wanted, make_file, title="numbers", **{"workers": 2, **options})


def counts(outcome) -> tuple[int, int, int, int]:
    return outcome.new, outcome.kept, outcome.removed, len(outcome.refused)


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.txt")}


def test_only_what_is_new_changed_or_lost_is_made(tmp_path):
    assert counts(update(tmp_path, entries({"a": 1, "b": 2, "c": 3}))) == (3, 0, 0, 0)
    before, index = times(tmp_path), (tmp_path / INDEX).read_bytes()

    again = update(tmp_path, entries({"c": 3, "b": 2, "a": 1}))
    assert again.summary() == "nothing has changed: 3 kept"
    assert (times(tmp_path), (tmp_path / INDEX).read_bytes()) == (before, index)

    (tmp_path / "a.txt").unlink()  # lost
    (tmp_path / "b.txt").write_text("longer than it was")  # overwritten
    changed = update(tmp_path, entries({"a": 1, "b": 2, "c": 4, "d": 5}))
    assert changed.summary() == "4 new, 0 kept, 0 removed"

    removed = update(tmp_path, entries({"a": 1, "b": 2}))
    assert removed.summary() == "0 new, 2 kept, 2 removed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt", INDEX]


def test_the_index_does_not_depend_on_workers_or_order(tmp_path):
    for name, workers, numbers in [("one", 1, {"a": 1, "b": 2}), ("two", 2, {"b": 2, "a": 1})]:
        update(tmp_path / name, entries(numbers), workers=workers)
    assert (tmp_path / "one" / INDEX).read_bytes() == (tmp_path / "two" / INDEX).read_bytes()


def test_another_algorithm_makes_everything_again(tmp_path):
    update(tmp_path, entries({"a": 1}))
    outcome = bring_up_to_date(tmp_path, "numbers-2", entries({"a": 1}), make_file, title="numbers", workers=1)
    assert counts(outcome) == (1, 0, 0, 0)
    with pytest.raises(ValueError, match="made by 'numbers-2', expected 'numbers-1'; run its stage again"):
        read_index(tmp_path, ALGORITHM)
    with pytest.raises(ValueError, match=r"no index\.json in it; run the stage"):
        read_index(tmp_path / "none", ALGORITHM)


def test_a_refused_entry_stops_the_run_and_what_is_done_is_kept(tmp_path):
    wanted = entries({"a": 1, "b": 2}) + entries({"bad": 3}, refuse=True)
    with pytest.raises(ValueError, match="bad: no number"):
        update(tmp_path, wanted, workers=1)
    assert not (tmp_path / INDEX).exists()
    assert counts(update(tmp_path, entries({"a": 1, "b": 2}))) in {(0, 2, 0, 0), (1, 1, 0, 0), (2, 0, 0, 0)}


def test_a_refused_entry_is_skipped_and_counted_where_that_is_wanted(tmp_path):
    wanted = entries({"a": 1}) + entries({"bad": 3}, refuse=True)
    for _ in range(2):
        outcome = update(tmp_path, wanted, on_error="skip")
        assert [refusal.reason for refusal in outcome.refused] == ["bad: no number"]
        assert list(outcome.rows) == ["a"]
    with pytest.raises(ValueError, match="bad: no number"):  # an earlier refusal does not hide it
        update(tmp_path, wanted)
    with pytest.raises(ValueError, match="all 1 were refused; the first: bad"):
        update(tmp_path / "none", wanted[1:], on_error="skip")
    with pytest.raises(ValueError, match="on_error 'ignore'; expected 'stop' or 'skip'"):
        update(tmp_path, wanted, on_error="ignore")


def test_a_worker_that_dies_once_is_survived(tmp_path):
    wanted = entries({"a": 1, "b": 2, "c": 3}) + entries({"d": 4}, once=str(tmp_path / "died"), first="die")
    assert counts(update(tmp_path / "numbers", wanted)) == (4, 0, 0, 0)
    assert (tmp_path / "died").exists()
    assert sorted(path.name for path in (tmp_path / "numbers").iterdir()) == ["a.txt", "b.txt", "c.txt", "d.txt", INDEX]


def test_an_entry_that_kills_its_worker_each_time_is_refused_by_name_and_the_others_are_made(tmp_path):
    wanted = entries({"b": 1, "c": 2}) + entries({"a": 1}, die=True)
    with pytest.raises(ValueError, match="a: the process that worked on it died 3 times"):
        update(tmp_path, wanted)
    outcome = update(tmp_path, wanted, on_error="skip")
    assert list(outcome.rows) == ["b", "c"]
    assert [refusal.name for refusal in outcome.refused] == ["a"]


def test_an_error_that_is_no_refusal_ends_the_run(tmp_path):
    with pytest.raises(OSError, match="disk full"):
        update(tmp_path / "numbers", entries({"a": 1}, once=str(tmp_path / "x"), first="raise"), on_error="skip")


def test_a_journal_is_replayed_and_its_torn_last_line_left_out(tmp_path):
    update(tmp_path, entries({"a": 1, "b": 2, "c": 3}))
    index = (tmp_path / INDEX).read_bytes()
    rows = read_json(tmp_path / INDEX)["rows"]
    (tmp_path / INDEX).unlink()
    lines = [json.dumps([name, rows[name]]) for name in ("a", "b", "c")]
    journal = tmp_path / JOURNAL
    journal.write_text(f"{lines[0]}\n{lines[1]}\n{lines[2][:30]}")  # killed while it wrote c
    before = times(tmp_path)
    with pytest.raises(ValueError, match="bad"):  # a run that is cut short again
        update(tmp_path, entries({"a": 1, "b": 2, "c": 3}) + entries({"bad": 0}, refuse=True), workers=1)
    assert {json.loads(line)[0] for line in journal.read_text().splitlines() if line.endswith("}]")} >= {"a", "b"}

    outcome = update(tmp_path, entries({"a": 1, "b": 2, "c": 3}))
    assert outcome.new <= 1
    assert {name: times(tmp_path)[name] for name in ("a.txt", "b.txt")} == {
        name: before[name] for name in ("a.txt", "b.txt")
    }
    assert (tmp_path / INDEX).read_bytes() == index
    assert not journal.exists()


def test_a_row_written_after_a_torn_line_is_not_part_of_it(tmp_path):
    (tmp_path / JOURNAL).write_text('["a", {"digest": "dig')
    wanted = entries({"a": 1}) + entries({"z": 2}, refuse=True, seconds=0)
    with pytest.raises(ValueError, match="z: no number"):
        update(tmp_path, wanted, workers=1)
    assert counts(update(tmp_path, entries({"a": 1})))[1] == 1  # kept


def test_temporary_files_of_a_killed_run_are_removed(tmp_path):
    (tmp_path / ".partial-x7y8z9ab.txt").write_text("half")
    (tmp_path / ".gitignore").write_text("*")
    (tmp_path / JOURNAL).write_text('{"process": 1, "machine": "x"}\n')  # which it left, too
    update(tmp_path, entries({"a": 1}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "a.txt", INDEX]


INTERRUPTED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_incremental import entries, update
if __name__ == "__main__":
    try:
        update(Path(sys.argv[1]), entries({f"n{k:02d}": k for k in range(40)}, seconds=0.05), workers=2)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_ctrl_c_keeps_what_was_done_and_the_next_run_makes_the_rest_alone(tmp_path):
    folder = tmp_path / "numbers"
    program = tmp_path / "run.py"
    program.write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, str(program), str(folder), str(Path(__file__).parent)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    journal = folder / JOURNAL
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") >= 6) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: parent and workers
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr

    done = [json.loads(line)[0] for line in journal.read_text().splitlines() if line.startswith("[")]
    assert 6 <= len(done) < 40 and len(set(done)) == len(done)
    before = times(folder)
    outcome = update(folder, entries({f"n{k:02d}": k for k in range(40)}))
    assert (outcome.new, outcome.kept) == (40 - len(done), len(done))
    assert all(times(folder)[f"{name}.txt"] == before[f"{name}.txt"] for name in done)


def test_a_second_run_in_a_folder_is_refused_while_the_first_is_at_work(tmp_path):
    folder = tmp_path / "numbers"
    program = tmp_path / "run.py"
    program.write_text(INTERRUPTED)
    command = [sys.executable, str(program), str(folder), str(Path(__file__).parent)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    journal = folder / JOURNAL
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") >= 3) and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(ValueError, match=rf"numbers: another run is at work in it \(process {first.pid} on \S+\)"):
        update(folder, entries({"n00": 0}))
    os.killpg(first.pid, signal.SIGKILL)  # its lock ends with it
    first.wait()
    outcome = update(folder, entries({f"n{k:02d}": k for k in range(40)}))
    assert outcome.new + outcome.kept == 40 and outcome.kept >= 2
    assert sorted(path.name for path in folder.iterdir()) == [INDEX, *(f"n{k:02d}.txt" for k in range(40))]


def test_a_run_that_made_nothing_does_not_make_a_users_folder_ours(tmp_path):
    (tmp_path / "mine.txt").write_text("a user's")
    for _ in range(2):
        with pytest.raises(ValueError, match="bad: no number"):
            update(tmp_path, entries({"bad": 1}, refuse=True))
    update(tmp_path, entries({"a": 1}))
    assert (tmp_path / "mine.txt").exists()

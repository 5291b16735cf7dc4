"""Every place in the code that removes or renames files, with what keeps it from touching anybody's else.

A new place fails here until it is listed; most need none, for `files.disk`, `files.removal` and `work` do it for them.
"""

import ast
from collections import Counter

from shared_files import ROOT

CALLS = {"unlink", "rmtree", "rmdir", "remove", "rename", "renames", "removedirs"}
OURS = {  # file: function: calls, and why they touch nothing of another's
    "hdrdata/files/disk.py": {
        "written_whole": {"replace": 1, "unlink": 1},  # its own temporary file; the name that was asked for
        "folder_written_whole": {"replace": 1, "rename": 1, "rmtree": 1, "unlink": 1},  # likewise, and files of its own
    },
    "hdrdata/files/removal.py": {
        "remove_listed": {"unlink": 1, "rmdir": 1},  # tests/hdrdata/work/test_removal.py
        "remove_unfinished": {"unlink": 2, "rmdir": 1},  # names of ours, in a folder of ours whose lock is held
    },
    "hdrdata/work/journal.py": {"opened": {"unlink": 2}},  # the journal, which was checked
    "hdrdata/fetch/transfers.py": {
        "fetch_files": {"unlink": 1},  # the lock
        "run": {"rename": 1, "replace": 1, "unlink": 1},  # tests/hdrdata/fetch: another's file stays
        "_forget": {"unlink": 1},  # what this run began
    },
    "hdrdata/shards/pack.py": {"_remove_form": {"unlink": 1}},  # an index of shards of ours, and its columns
    "hdrdata/stream/cache.py": None,  # copies in a cache, whose names are their SHA-256
    "hdrdata/cli/scenes.py": {"expose": {"rename": 1}},  # to a name that was free
    "hdrmodel/evaluation/evaluate.py": None,  # `_refuse_others`, and names of `write_pictures` in its own folders
    "hdrmodel/evaluation/pictures.py": {"write_pictures": {"unlink": 1}},
    "hdrmodel/prediction/index.py": {
        "check_writable": {"unlink": 1},  # its own temporary file
        "locked": {"rmdir": 1},  # folders that it made and that are still empty
    },
    "hdrmodel/training/tracking.py": {"_rewind": {"unlink": 2}},  # tables of a run whose checkpoint was read
    "hdrmodel/training/train.py": {"_train": {"unlink": 2}},  # `_refuse_others`
}


def removals_of(source: str) -> dict[str, Counter]:
    """The calls that remove or rename, by the function that makes them."""
    found: dict[str, Counter] = {}

    def visit(node: ast.AST, function: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = child.name if isinstance(child, ast.FunctionDef) else function
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
                call, arguments = child.func.attr, len(child.args)
                if call in CALLS - {"remove"} or (call == "replace" and arguments == 1 and not child.keywords):
                    found.setdefault(name, Counter())[call] += 1
                if call in ("remove", "replace") and ast.unparse(child.func).startswith("os."):
                    found.setdefault(name, Counter())[call] += 1
            visit(child, name)

    visit(ast.parse(source), "")
    return found


def test_every_place_that_removes_or_renames_files_is_known():
    found = {}
    for path in sorted(path for name in ("hdrdata", "hdrmodel", "stages") for path in (ROOT / name).rglob("*.py")):
        if removals := removals_of(path.read_text()):
            found[path.relative_to(ROOT).as_posix()] = removals
    assert found.keys() == OURS.keys()
    assert {name: removals for name, removals in found.items() if OURS[name] not in (None, removals)} == {}

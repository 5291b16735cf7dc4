"""The house: rooms of a readable size in a strict order, and stages that depend on the rooms that they reach."""

import ast
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from shared_files import ROOT

PACKAGES = ("hdrdata", "hdrmodel", "stages")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ROOMS = sorted(path.parent for name in PACKAGES[:2] for path in (ROOT / name).rglob("__init__.py"))
# They change no output, or DVC tracks the values that they read as params.
VALUES = {
    "hdrdata/command.py",
    "hdrdata/config.py",
    "hdrdata/machine.py",
    "hdrdata/terminal.py",
    "stages/params.py",
}


@cache
def imports_of(path: Path) -> set[Path]:
    """The project's files that a file imports by name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    files = {ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.split(".")[0] in PACKAGES}
    return {file for file in files if file.is_file()}


def reached_from(path: Path) -> set[str]:
    """The project's files that a file imports, directly or through another, the data that they name, and itself."""
    reached, waiting = set(), [path]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            if file.suffix == ".py" and file != ROOT / "stages/params.py":  # it reads values, in VALUES or tracked
                waiting.extend(imports_of(file))
            source = "" if file.suffix == ".safetensors" else file.read_text()
            beside = (data for data in packaged_data() if data.is_relative_to(file.parent))
            waiting.extend(data for data in beside if f'"{data.name}"' in source)
    return {file.relative_to(ROOT).as_posix() for file in reached}


@cache
def packaged_data() -> list[Path]:
    suffixes = (".csv", ".html", ".safetensors", ".yaml")
    return [path for name in PACKAGES[:2] for path in (ROOT / name).rglob("*.*") if path.suffix in suffixes]


def code_of(stage: str) -> list[str]:
    """The files and folders of code that dvc.yaml names for a stage."""
    return [dep for dep in STAGES[stage]["deps"] if not dep.startswith("data/")]


def covers(dep: str, file: str) -> bool:
    return file == dep or file.startswith(f"{dep}/")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_rooms_that_it_reaches_and_on_no_other(stage):
    reached = reached_from(ROOT / "stages" / f"{stage}.py") - VALUES
    deps = code_of(stage)
    assert f"stages/{stage}.py" in deps and len(deps) <= 14
    assert all((ROOT / dep).exists() for dep in deps)
    assert sorted(file for file in reached if not any(covers(dep, file) for dep in deps)) == []
    assert [dep for dep in deps if not any(covers(dep, file) for file in reached)] == []


@pytest.mark.parametrize("stage", ["scan", "ingest", "synthesize", "shard", "train", "evaluate"])
def test_help_pages_viewers_reports_and_publishing_run_nothing_again(stage):
    for room in ("hdrdata/cli", "hdrmodel/cli", "hdrdata/publish", "hdrmodel/viewer", "hdrmodel/report"):
        assert not any(covers(dep, room) or covers(room, dep) for dep in code_of(stage))


def test_a_new_metric_trains_nothing_again():
    named = {dep for dep in code_of("train") if dep.startswith("hdrmodel/metrics")}
    assert named == {"hdrmodel/metrics/display.py"}  # PSNR, which validation shows
    assert covers("hdrmodel/metrics", "hdrmodel/metrics/table.py") and "hdrmodel/metrics" in code_of("evaluate")


def test_dvc_yaml_fits_on_a_few_screens():
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 170


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_a_room_has_a_few_files_and_says_what_it_is(room):
    tree = ast.parse((room / "__init__.py").read_text())
    assert ast.get_docstring(tree)
    files = [path for path in room.glob("*.py") if not path.name.startswith("__")]
    folders = [path for path in room.iterdir() if path.is_dir() and path.name != "__pycache__"]
    if room.parent == ROOT:
        assert len([path for path in room.iterdir() if path.name not in ("__pycache__", "py.typed")]) <= 23
    elif room.name != "cli":
        assert len(files) + len(folders) + len(list(room.glob("*.yaml"))) >= 2 and len(files) <= 12
        assert len(tree.body) == 1, "a docstring alone: importing one file does not pull in the others"


def test_a_file_is_one_idea():
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > 370} == {}


def lint_imports(folder: Path) -> subprocess.CompletedProcess:
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from importlinter.cli import lint_imports_command; "
    command = [sys.executable, "-c", code + "sys.exit(lint_imports_command(['--no-cache']))"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_room_imports_only_rooms_below_it():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d kept, 0 broken", result.stdout)


FORBIDDEN = [
    ("hdrdata/cameras/crf.py", "hdrdata.work.index", "the rooms of hdrdata"),
    ("hdrdata/stream/order.py", "torch", "only hdrdata.torch imports torch in hdrdata"),
    ("hdrmodel/networks/weights.py", "hdrmodel.training.step", "the rooms of hdrmodel"),
    ("hdrmodel/networks/unet.py", "hdrmodel.networks.variants", "inside hdrmodel.networks"),
    ("hdrmodel/metrics/absolute.py", "hdrdata.cli.build", "nothing imports a command"),
    ("hdrdata/files/disk.py", "hdrmodel.metrics.absolute", "stages over hdrmodel over hdrdata"),
]


def test_forbidden_imports_are_found(tmp_path):
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, imported, _ in FORBIDDEN:
        path = tmp_path / file
        path.write_text(f"{path.read_text()}\nimport {imported}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    assert {contract for *_, contract in FORBIDDEN} == set(re.findall("(.+) BROKEN", result.stdout))


def test_the_engines_do_not_know_each_other():
    engines = {path.stem: imports_of(path) for path in (ROOT / "hdrdata" / "work").glob("*engine*.py")}
    for name in ("local_engine", "ray_engine"):
        assert not {path.stem for path in engines[name]} & {"engines", "local_engine", "ray_engine"}
    assert {path.stem for path in engines["engines"]} >= {"local_engine", "ray_engine"}


def test_tests_mirror_the_rooms():
    for path in (ROOT / "tests").rglob("test_*.py"):
        room = path.parent.relative_to(ROOT / "tests")
        assert room == Path() or (ROOT / room / "__init__.py").is_file(), f"{path}: beside no room"

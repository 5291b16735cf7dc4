"""README.md and docs/: code blocks run, and links, names and paths exist. Wording is not tested here."""

import contextlib
import hashlib
import importlib.util
import json
import re
import shlex
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import yaml
from camera_files import write_picture
from click.testing import CliRunner
from http_server import http_server
from score_files import score_rows, write_scores
from shared_files import ROOT

import hdrdata
import hdrdata.cli
import hdrmodel
import hdrmodel.cli
from hdrdata.cameras.recipe import RecipeConfig
from hdrdata.files.exr import write_exr
from hdrdata.files.hdr.colour import ENCODINGS, GAMUTS
from hdrdata.files.hdr.stated import LAYOUTS
from hdrdata.files.ldr import decode_png, write_png
from hdrdata.files.radiance import read_radiance
from hdrdata.scenes.scene import KINDS, STATED
from hdrmodel.evaluation.summary import METHODS
from hdrmodel.metrics.table import METRICS
from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.weights import initial_network, save_weights

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in [
    ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))
]}  # fmt: skip
BLOCKS = {page: re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) for page, text in PAGES.items()}
BLOCKS = {page: [(kind.strip(), code) for kind, code in blocks] for page, blocks in BLOCKS.items()}
TEXT = "\n".join(PAGES.values())
EXAMPLES = [(page, number) for page, blocks in BLOCKS.items() for number, (kind, _) in enumerate(blocks)
            if kind in ("bash", "python")]  # fmt: skip
PROGRAMS = {"hdrdata": hdrdata.cli.main, "hdrmodel": hdrmodel.cli.main}
SMALLER = {
    "hdrdata build ": "hdrdata build --workers 1 ",  # starting processes would take longer than the work
    "--view-size 512": "--view-size 32",
    "--view-size 256": "--view-size 32",
    "view_size=512": "view_size=32, workers=1",
    "--count 20": "--count 2",
    "--resolution 1k": "--resolution 2k",
    "--test-share 0.3": "--seed 34 --val-share 0.25 --test-share 0.25",
    "--k 5": "--k 2",
    "hdrmodel info  ": "hdrmodel info --width 0.05 ",
    "hdrmodel evaluate ": "hdrmodel evaluate -s metrics=[psnr,psnr_pu21] -s crfs_a_view=1 -s bootstrap.resamples=100 ",
    "-s steps=5000": "-s steps=2 -s width=0.125 -s crop=32 -s loss.perceptual=0 -s validation_stacks=1",
    "-s steps=300": "-s steps=2 -s width=0.125 -s crop=32 -s batch=2",
    "-s validation_stacks=4": "-s validation_stacks=1",
}
SHARDS = "data/shards/pixels/hdr-train-{000000..000001}.tar"
LONGEST_README = 120  # lines


@pytest.fixture(scope="module")
def places(scenes_folder, dataset, tmp_path_factory) -> Iterator[Callable[[str], Path]]:
    """places(page): a folder of its own, in which the page's paths and addresses lead somewhere."""
    folder = tmp_path_factory.mktemp("docs") / "as it begins"
    shutil.copytree(dataset.shards, folder / "data" / "shards")
    shutil.copytree(scenes_folder, folder / "my-hdr-images")
    for variant in ("spatial", "base"):
        rows = score_rows()
        rows += [{**row, "method": "clipped_constant"} for row in rows if row["method"] == "input_crf"]
        write_scores(folder / "data" / "scores" / variant, rows)
    network = initial_network("spatial", "attnet", 0.125, seed=0)
    save_weights(folder / "data" / "runs" / "spatial" / "0" / "weights.safetensors", network, {})
    (folder / "mine.yaml").write_text(next(code for kind, code in BLOCKS["docs/cameras.md"] if kind == "yaml"))
    for name in ("data/photo.jpg", "photo.jpg", "photos/a.jpg", "more/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_png(folder / name, np.full((20, 30, 3), 99, np.uint8))  # a PNG by another name: known by its content
    shutil.copy(scenes_folder / "meadow.exr", folder / "church.exr")
    curves = [(f"curve-{g}", np.linspace(0, 1, 1024) ** g) for g in (0.3, 0.4, 0.5, 1.5, 2)]
    grid = " ".join(f"{x:.6f}" for x in np.linspace(0, 1, 1024))
    lines = [f"{n}\nfilm\nI =\n{grid}\nB =\n{' '.join(f'{y:.6f}' for y in curve)}" for n, curve in curves]
    (folder / "dorfCurves.txt").write_text("\n".join(lines))
    light = read_radiance(scenes_folder / "harbour.exr")
    for name, seconds in (("dark", 1 / 60), ("middle", 1 / 15), ("bright", 1 / 4)):
        ldr = np.floor(255 * np.clip(light * seconds * 2, 0, 1) ** (1 / 2.2)).astype(np.uint8)
        write_picture(folder / f"{name}.jpg", ldr, None)
    with http_server() as server:
        panoramas = [(scenes_folder / name).read_bytes() for name in ("Court.01.exr", "night/lamp.exr")]
        server.add_polyhaven({"abbey_court": panoramas[0], "zoo": panoramas[1]})
        server.files["/mine.exr"] = panoramas[1] + bytes(8)  # not the same bytes as another
        digest = hashlib.sha256(server.files["/mine.exr"]).hexdigest()
        row = f"mine.exr,{server.url}/mine.exr,{digest},CC0-1.0"
        (folder / "list.csv").write_text(f"name,url,sha256,licence\n{row}\n")
        (folder / "api").write_text(server.url)

        def place_of(page: str) -> Path:
            place = folder.parent / page.replace("/", "-")
            if not place.exists():
                shutil.copytree(folder, place)
                if "hdrdata build" not in PAGES[page]:
                    shutil.copytree(dataset.folder, place / "my-dataset")
            return place

        yield place_of
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        sys.modules["ray"].shutdown()  # an example started it; the next tests of this process need one of their own


def smaller(text: str) -> str:
    for large, small in SMALLER.items():
        text = text.replace(large, small)
    return text


def run_command(line: str, place: Path) -> str:
    line = smaller(line)
    if "polyhaven" in line:
        line = line.partition("#")[0] + f" --api {(place / 'api').read_text()}"
    if "--predictions theirs" in line:
        for path in (place / "inputs").glob("*.png"):
            write_exr(place / "theirs" / f"{path.stem}.exr", decode_png(path.read_bytes()).astype(np.float32) ** 2.2)
    program, *arguments = shlex.split(line, comments=True)
    if program == "hdrmodel" and "onnx" in line:
        return ""  # test_export.py runs these: PyTorch's exporter and shapes that are checked do not go together
    result = CliRunner().invoke(PROGRAMS[program], arguments)
    assert result.exit_code == 0, f"{line}: {result.output}"
    return result.output


def run_python(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example in this process: importing PyTorch once for each would take most of the time."""
    code = smaller(code)
    if SHARDS in code:
        code = code.replace(SHARDS, str(next(Path("data/shards/pixels").glob("*-train-*.tar"))))
        code += "\nassert darkest.shape == (32, 32, 3) and (brightest >= darkest).all() and about['crf']"
    first = "data/shards/radiance/hdr-train-000000.tar"
    code = code.replace(first, str(next(Path("data/shards/radiance").glob("*-train-*.tar"))))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(Path("hf").absolute()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages that examples use
        exec(compile(code, "example", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page, number", EXAMPLES)
def test_the_examples_of_a_page_run_in_their_order(places, monkeypatch, page, number):
    kind, code = BLOCKS[page][number]
    place = places(page)
    monkeypatch.chdir(place)
    if kind == "python":
        run_python(code, monkeypatch)
        return
    for line in code.splitlines():
        if line.startswith(tuple(PROGRAMS)):
            run_command(line, place)


def test_every_block_is_of_a_kind_that_is_checked():
    kinds = {kind for blocks in BLOCKS.values() for kind, _ in blocks}
    assert kinds - {"json"} == {"bash", "diff", "python", "text", "yaml"}
    for page, blocks in BLOCKS.items():
        fences = [line for line in PAGES[page].splitlines() if line.lstrip().startswith(("```", "~~~"))]
        assert len(fences) == 2 * len(blocks), f"{page}: a block that is indented, or does not end"
        for kind, code in blocks:
            assert kind != "json" or json.loads(code), page


def test_every_command_has_an_example_that_runs():
    blocks = [code for page, number in EXAMPLES for code in [BLOCKS[page][number][1]]]
    shown = {tuple(line.split()[:2]) for code in blocks for line in code.splitlines()}
    for program, main in PROGRAMS.items():
        for name in main.list_commands(click.Context(main)):
            assert (program, name) in shown, f"{program} {name}"


def test_recipes_and_parameters_in_pages_are_valid():
    texts = [code for blocks in BLOCKS.values() for kind, code in blocks if kind == "yaml"]
    assert texts
    for text in texts:
        values = yaml.safe_load(text)
        if "stages" in values:  # a dvc.yaml
            continue
        RecipeConfig.parse("recipe", values["synthesize"]["recipe"] if "synthesize" in values else values)


def test_the_tables_that_commands_print_have_the_columns_that_they_print(places, monkeypatch):
    page = "docs/measuring.md"
    evaluated, compared = (code for kind, code in BLOCKS[page] if kind == "text")
    names = {metric.name for metric in METRICS.values()}
    headings = [line for line in evaluated.splitlines() if line.startswith(("LDR", "tone-mapped"))]
    assert len(headings) == 2
    for line in headings:
        shown = set(re.split(r"  +", line.strip())[1:])
        assert shown and shown <= names
    rows = [line.split()[0] for line in evaluated.splitlines()[1:] if line and line not in headings]
    assert rows and set(rows) <= set(METHODS)
    monkeypatch.chdir(places(page))
    printed = run_command("hdrmodel compare data/scores/spatial data/scores/base", places(page))
    heading = next(line for line in printed.splitlines() if line.startswith("metric "))
    assert heading.split() == next(line for line in compared.splitlines() if line.startswith("metric ")).split()


def test_the_page_on_scenes_lists_every_column_and_value_that_a_sidecar_may_state():
    page = (ROOT / "docs" / "adding.md").read_text()
    rows = {row[0]: set(re.findall(r"`(\w+)`", row[1])) for row in re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M)}
    assert rows.keys() >= {"file", *STATED}
    assert (rows["kind"], rows["layout"]) == ({*KINDS}, {*LAYOUTS})
    assert (rows["colour"], rows["encoding"]) == ({*GAMUTS}, {*ENCODINGS})


def test_the_experiments_change_values_that_are_there_and_name_every_attention():
    changed = [
        change for line in TEXT.splitlines() if "dvc exp run" in line for change in re.findall(r"-S '?(.+?)[`' ]", line)
    ]
    assert changed
    for change in changed:
        value = yaml.safe_load((ROOT / "params.yaml").read_text())
        for name in change.split("=")[0].split("."):
            value = value[name]
    assert f"variants=[{','.join(ATTENTIONS)}]" in changed
    assert (ROOT / re.search(r"`cp (\S+) params.yaml && dvc repro`", TEXT)[1]).is_file()


def test_the_readme_is_read_in_two_minutes():
    assert len(PAGES["README.md"].splitlines()) <= LONGEST_README


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_places_that_a_reader_does_not_have(page):
    assert not re.search(r"\.\./shared|[ (`'\"]/(tmp|home|root|opt)/", PAGES[page])


def test_the_house_shows_every_room():
    shown = set(re.findall(r"`([\w.]+)`", PAGES["docs/architecture.md"]))
    for package in (hdrdata, hdrmodel):
        rooms = {path.name for path in Path(package.__path__[0]).iterdir() if not path.name.startswith("_")} - {
            "py.typed"
        }
        assert rooms and rooms <= shown, rooms - shown


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page):
    links = [link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", PAGES[page]) if "://" not in link]
    found = [link for link, _, _ in links]
    for link, _, anchor in links:
        target = (ROOT / page).parent.joinpath(link).resolve() if link else ROOT / page
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{link}#{anchor}"
    if page == "docs/README.md":
        assert {f"docs/{link}" for link in found if link.endswith(".md")} == {*PAGES} - {page, "README.md"}


@pytest.mark.parametrize("page", PAGES)
def test_every_name_and_path_of_ours_is_there(page):
    for name in re.findall(r"`((?:hdrdata|hdrmodel)(?:\.\w+)+)`", PAGES[page]):
        assert find(name), name
    folders = "hdrdata|hdrmodel|stages|tests|benchmarks|docs|data/renderer|data/scenes"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)`(?! at [0-9a-f]{{7}})", PAGES[page]):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\bpython (\w+/[\w./-]+\.py)", PAGES[page]):
        assert (ROOT / path).is_file(), path


def find(name: str) -> bool:
    """Return whether a dotted name is that of a module, or of something in one."""
    with contextlib.suppress(ModuleNotFoundError):
        if importlib.util.find_spec(name) is not None:
            return True
    module, _, last = name.rpartition(".")
    return hasattr(importlib.import_module(module), last)


def test_the_page_of_public_names_lists_them_all_and_where_they_live():
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| `([\w.]+)` \|", PAGES["docs/reference/README.md"], re.MULTILINE)
    for package in (hdrdata, hdrmodel):
        listed = {name: module for owner, name, module in rows if owner == package.__name__}
        page = PAGES[f"docs/reference/{package.__name__}.md"]
        shown = re.findall(rf"^::: {package.__name__}\.(\w+)$", page, re.MULTILINE)
        assert sorted(shown) == sorted(package.__all__)
        assert sorted(listed) == sorted(package.__all__)
        for name, module in listed.items():
            assert getattr(importlib.import_module(module), name) is getattr(package, name)

"""The dataset card: Hugging Face and Croissant load the data by it, and it says what the shards hold."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from imported_dataset import write_imported

from hdrdata.files.disk import read_json
from hdrdata.publish.card import Publication, write_card, write_plain_card
from hdrdata.publish.published import RECORD
from hdrdata.publish.statistics import percent
from hdrdata.scenes.scene import read_scenes
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.view import read_views

NOTHING = Publication()
FILES = ["README.md", "contact-sheet.jpg", "croissant.json", "licences.csv", "statistics.json"]


@pytest.fixture(scope="module")
def carded(dataset, tmp_path_factory):
    """A copy of the shards of `dataset` with its card, written with all that is known."""
    folder = copy_shards(dataset.shards, tmp_path_factory.mktemp("card") / "shards")
    write_card(
        folder,
        Publication("Four rooms", "https://example.org/rooms", "The makers", "2026-11-22", "The makers, 2026."),
        catalog=read_views(dataset.views),
        scenes=licensed(dataset),
    )
    return folder


def copy_shards(shards, folder):
    """A copy in which the tars are links: what is tested here does not change them."""
    for form in ("pixels", "radiance"):
        (folder / form).mkdir(parents=True)
        for tar in (shards / form).iterdir():
            (folder / form / tar.name).symlink_to(tar)
    (folder / "index.json").write_bytes((shards / "index.json").read_bytes())
    return folder


def licensed(dataset):
    """The scenes of `dataset` as if their sidecar had named licences, one of them with a bar in it."""
    _, scenes = read_scenes(dataset.folder / "scenes.json")
    names = ["CC0-1.0", "CC-BY-4.0", "ask | us", "CC0-1.0"]
    return tuple(replace(scene, licence=name) for scene, name in zip(scenes, names, strict=True))


def front_matter(folder):
    _, matter, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(matter), text


def test_the_front_matter_is_what_the_hub_reads(carded):
    matter, text = front_matter(carded)
    assert matter["pretty_name"] == "Four rooms" and "# Four rooms" in text
    assert (matter["license"], matter["license_name"], matter["license_link"]) == ("other", "by-scene", "licences.csv")
    assert matter["task_categories"] == ["image-to-image"] and matter["size_categories"] == ["n<1K"]
    assert matter["configs"] == [
        {
            "config_name": form,
            **({"default": True} if form == "pixels" else {}),
            "data_files": [
                {"split": split, "path": f"{form}/tiny-{part}-*.tar"}
                for split, part in (("train", "train"), ("validation", "val"), ("test", "test"))
            ],
        }
        for form in ("pixels", "radiance")
    ]


def test_hugging_face_datasets_load_each_config_by_the_card(carded, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    for form in ("pixels", "radiance"):
        for split, part in (("train", "train"), ("validation", "val"), ("test", "test")):
            found = datasets.load_dataset(str(carded), form, split=split, streaming=True, cache_dir=str(tmp_path))
            reader = Shards(carded, part, form)
            found = found.decode(False) if form == "pixels" else found
            keys = []
            for number, sample in enumerate(found):
                keys.append(sample["__key__"].rpartition("/")[2])
                if form == "pixels" and number == 0:
                    assert sample["a.png"]["bytes"] == reader.read(0)["a.png"]
            assert keys == reader.keys
            reader.close()


CROISSANT = """
import json, logging, sys
import mlcroissant
logging.disable(logging.CRITICAL)
dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
issues = dataset.metadata.ctx.issues
result = {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings)}
for name in ("exposures", "pixels-val", "radiance-val"):
    result[name] = []
    for record in dataset.records(name):
        row = {}
        for key, value in record.items():
            key = key.rpartition("/")[2]
            if key == "picture":
                value = list(value.convert("RGB").getpixel((3, 5)))
            elif key == "radiance":
                value = len(value)
            row[key] = value.decode() if isinstance(value, bytes) else value
        result[name].append(row)
try:
    next(iter(mlcroissant.Dataset(jsonld=sys.argv[2]).records("radiance-val")))
    result["damaged"] = "loaded"
except Exception as error:
    result["damaged"] = str(error.__cause__ or error)
print(json.dumps(result))
"""


def test_mlcroissant_finds_no_fault_loads_every_picture_and_refuses_a_flipped_bit(carded, dataset_copy, tmp_path):
    pytest.importorskip("mlcroissant")
    write_plain_card(dataset_copy.shards, ("croissant",))
    shard = next((dataset_copy.shards / "radiance").glob("*-val-*.tar"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    files = [str(folder / "croissant.json") for folder in (carded, dataset_copy.shards)]
    environment = {**os.environ, "CROISSANT_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, "-c", CROISSANT, *files], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert (found["errors"], found["warnings"]) == ([], [])
    assert "is not identical with the reference" in found["damaged"]
    assert [(row["letter"], row["ev"], row["exposure"]) for row in found["exposures"]] == [
        (letter, ev, 2.0**ev) for letter, ev in zip("abcdefghi", (-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2), strict=True)
    ]
    reader = Shards(carded, "val", "pixels")
    wanted = []
    for sample in map(reader.stack, range(len(reader))):
        wanted += [(sample.key, sample.view, sample.crf, letter, ldr[5, 3].tolist())
                   for letter, ldr in zip("abcdefghi", sample.stack, strict=True)]  # fmt: skip
    reader.close()
    rows = [tuple(row[name] for name in ("key", "view", "crf", "exposure", "picture")) for row in found["pixels-val"]]
    assert sorted(rows) == sorted(wanted)
    assert sorted(row["key"] for row in found["radiance-val"]) == Shards(carded, "val", "radiance").keys


def test_the_text_has_the_figures_of_the_statistics_and_the_shards(carded):
    _, text = front_matter(carded)
    index, statistics = read_json(carded / "index.json"), read_json(carded / "statistics.json")
    for form in ("pixels", "radiance"):
        for part in ("train", "val", "test"):
            rows = [row for row in index["rows"].values() if (row["form"], row["part"]) == (form, part)]
            assert f"| {form} | {part} | {len(rows)} | {sum(len(row['samples']) for row in rows)} |" in text
    for part in statistics["parts"]:
        stops = part["stops"]
        spread = f"{stops['median']:.1f} ({stops['tenth']:.1f} to {stops['ninetieth']:.1f})"
        magnification = f"{part['magnification']['median']:.2f}"
        assert f"| {part['part']} | {part['views']} | {part['views'] * 45} | {spread} | {magnification} |" in text
    counts = sum(count for part in statistics["parts"] for count in part["levels"]["gamma14"][8])
    white = sum(part["levels"]["gamma14"][8][254] for part in statistics["parts"])
    assert text.split("| gamma14 |")[2].splitlines()[0].rstrip(" |").endswith(percent(white / counts))
    assert "19 views of 4 HDR scenes" in text and "855 LDR pictures" in text  # 18 of three panoramas and a photograph
    assert "The makers, 2026-11-22, https://example.org/rooms" in text and "The makers, 2026." in text
    assert "none of the 4 groups lies in two parts" in text
    assert "![Some views at all exposures](contact-sheet.jpg)" in text


def test_licences_are_told_by_scene(carded, dataset):
    _, text = front_matter(carded)
    scenes = licensed(dataset)
    rows = list(csv.DictReader(io.StringIO((carded / "licences.csv").read_text())))
    assert [(row["scene"], row["file"], row["licence"], row["part"]) for row in rows] == [
        (scene.key, scene.path, scene.licence, scene.part) for scene in scenes
    ]
    assert sum(int(row["views"]) for row in rows) == 19
    for scene in scenes:
        assert f"| {scene.key} | {scene.part} | {scene.licence.replace('|', chr(92) + '|')} |" in text
    croissant = read_json(carded / "croissant.json")
    addresses = ["https://spdx.org/licenses/CC-BY-4.0", "https://spdx.org/licenses/CC0-1.0", "ask | us"]
    assert croissant["license"] == addresses


@pytest.mark.parametrize(("licence", "wanted"), [("CC0-1.0", "cc0-1.0"), ("our own terms", "other")])
def test_one_licence_of_all_scenes_is_named_if_the_hub_knows_it(dataset, tmp_path, licence, wanted):
    folder = copy_shards(dataset.shards, tmp_path)
    write_card(folder, NOTHING, scenes=tuple(replace(scene, licence=licence) for scene in licensed(dataset)))
    assert front_matter(folder)[0]["license"] == wanted


def test_the_same_shards_give_the_same_bytes_and_a_second_run_keeps_them(carded, dataset, tmp_path):
    folder = copy_shards(dataset.shards, tmp_path)
    arguments = {"catalog": read_views(dataset.views), "scenes": licensed(dataset)}
    said = Publication("Four rooms", "https://example.org/rooms", "The makers", "2026-11-22", "The makers, 2026.")
    assert write_card(folder, said, **arguments)[0].new == 5
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == sorted([*FILES, "index.json", RECORD])
    for name in FILES:
        assert (folder / name).read_bytes() == (carded / name).read_bytes()
    written, by_hand = write_card(folder, NOTHING, **arguments)  # what was said once is remembered
    assert (written.new, written.kept, by_hand) == (0, 5, False)
    assert write_plain_card(folder, ("card", "croissant"))[0].new == 0  # nor does `sidecars` make it plainer


def test_a_card_changed_by_hand_is_kept_until_it_is_told(dataset, tmp_path):
    folder = copy_shards(dataset.shards, tmp_path)
    write_plain_card(folder, ("card", "croissant"))
    plain = (folder / "README.md").read_text(encoding="utf-8")
    assert "## Statistics" not in plain and "contact-sheet" not in plain
    assert front_matter(folder)[0]["license"] == "unknown"  # the tests' scenes state none
    (folder / "README.md").write_text(plain.replace("## Licences", "Our own words.\n\n## Licences"), encoding="utf-8")
    _, by_hand = write_card(folder, NOTHING)
    assert by_hand and "Our own words." in (folder / "README.md").read_text(encoding="utf-8")
    assert not write_card(folder, NOTHING, overwrite=True)[1]
    assert "Our own words." not in (folder / "README.md").read_text(encoding="utf-8")
    assert "## Statistics" in (folder / "README.md").read_text(encoding="utf-8")


def test_statistics_of_other_shards_are_removed(dataset, tmp_path):
    folder = copy_shards(dataset.shards, tmp_path)
    write_card(folder, Publication(title="Rooms"))
    index = read_json(folder / "index.json")
    index["rows"] = {name: row for name, row in index["rows"].items() if row["part"] != "val"}
    (folder / "index.json").write_text(json.dumps(index))
    write_plain_card(folder, ("card", "croissant"))
    assert not (folder / "statistics.json").exists() and not (folder / "contact-sheet.jpg").exists()
    matter, text = front_matter(folder)
    assert "## Statistics" not in text and "| pixels | val |" not in text
    assert matter["pretty_name"] == "Rooms"
    assert "val" not in json.dumps(read_json(folder / "croissant.json")["recordSet"])


def test_an_import_has_a_card_that_claims_nothing_it_does_not_know(dataset, tmp_path):
    folder = write_imported(dataset.shards, tmp_path / "old")
    write_card(folder, NOTHING)
    matter, text = front_matter(folder)
    assert [config["config_name"] for config in matter["configs"]] == ["pixels"]
    assert matter["configs"][0]["data_files"] == [{"split": "test", "path": "pixels/old-test-*.tar"}]
    assert "known by name alone" in text and "floor(255" not in text and "radiance" not in text
    assert "| gamma14 |  |  |" in text and "not stated" in text

"""The commands stats, preview, card and sidecars."""

import json
import re

import pytest
from click.testing import CliRunner
from imported_dataset import write_imported

from hdrdata.cli import main
from hdrdata.files.disk import read_json
from hdrdata.publish.contents import Contents
from hdrdata.publish.statistics import measure_shards


def hdrdata(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["stats", "preview", "card", "sidecars"])
def test_every_help_is_a_sentence_with_an_example_and_units(command):
    text = hdrdata(command, "--help").output
    assert text.split("\n\n")[1].strip().endswith(".")
    assert re.search(rf"^ +hdrdata {command} dataset/shards", text, re.MULTILINE)


def test_stats_prints_a_table_a_part_or_json(dataset, tmp_path):
    result = hdrdata("stats", dataset.shards, "--views", dataset.views, "--out", tmp_path / "statistics.json")
    assert result.exit_code == 0, result.output
    statistics = measure_shards(Contents(dataset.shards))
    for part in statistics.parts:
        assert f"{part.part}: {part.views} views (" in result.output
    assert result.output.count("exposure     EV     at 0   at 254  levels") == 3
    assert result.output.count("magnification (least, 10 %, median, 90 %, most): ") == 3
    assert len(re.findall(r"^ {7}[a-i] +[−+]?[\d.]+ ", result.output, re.MULTILINE)) == 3 * 9  # noqa: RUF001
    printed = hdrdata("stats", dataset.shards, "--json")
    assert json.loads(printed.output) == statistics.to_json()
    assert read_json(tmp_path / "statistics.json")["digest"] == statistics.digest


def test_preview_wants_somewhere_to_write(dataset, tmp_path):
    assert hdrdata("preview", dataset.shards).exit_code == 2
    result = hdrdata("preview", dataset.shards, "-o", tmp_path / "p.html", "--image", tmp_path / "p.jpg", "--views", 2)
    assert f"{tmp_path / 'p.html'}: 2 views\n" in result.output and f"{tmp_path / 'p.jpg'}: 2 views\n" in result.output
    assert (tmp_path / "p.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    refused = hdrdata("preview", dataset.views, "-o", tmp_path / "q.html")
    assert refused.exit_code == 1 and len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "q.html").exists()


def test_card_and_sidecars_of_an_import(dataset, tmp_path):
    folder = write_imported(dataset.shards, tmp_path / "old")
    assert hdrdata("sidecars", folder, "--wids").output == "wids: 1 files written, 0 kept, 0 removed\n"
    first = hdrdata("sidecars", folder)
    assert first.exit_code == 0, first.output
    assert first.output.splitlines()[0].startswith("wids, timm: ")
    assert first.output.splitlines()[1] == "croissant, card: 3 files written, 0 kept, 0 removed"
    made = hdrdata("card", folder, "--title", "Old pictures", "--published", "2017-11-01")
    assert made.exit_code == 0 and "card: 4 files written, 1 kept, 0 removed" in made.output
    assert read_json(folder / "croissant.json")["datePublished"] == "2017-11-01"
    again = hdrdata("sidecars", folder)
    assert again.output.count("nothing has changed") == 2
    (folder / "README.md").write_text("ours\n")
    kept = hdrdata("card", folder, "--title", "Old pictures")
    assert "README.md: it was changed by hand" in kept.stderr
    assert (folder / "README.md").read_text() == "ours\n"
    assert "# Old pictures" not in kept.output and hdrdata("card", folder, "--overwrite").exit_code == 0
    assert "# Old pictures" in (folder / "README.md").read_text()

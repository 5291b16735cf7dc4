"""Reading a folder of scores: typed values, and one line for every way in which it can be wrong."""

import json
import math
import re

import numpy as np
import pytest
from score_files import COLUMNS, score_rows, write_scores

from hdrmodel.scores.folder import read_scores


def test_a_folder_comes_back_as_typed_values(tmp_path):
    rows = score_rows(seeds=(0, 3), scenes=2, views=2)
    rows[0]["psnr_ldr"] = "inf"
    folder = write_scores(tmp_path / "spatial", rows)
    scores = read_scores(folder)
    assert scores.summary.variant == "spatial" and scores.summary.seeds == [0, 3]
    assert scores.summary.by_ev["network"][-0.5]["lpips"] is None
    assert scores.summary.intervals["network"]["psnr_ldr"] == (1.0, 2.0)
    assert scores.columns["lpips_ldr"].higher_is_better is False
    pictures = scores.pictures
    assert pictures.methods == ("network", "step0", "input_crf", "oracle")
    assert pictures.clipped_share == pytest.approx([float(row["clipped_share"]) for row in rows])
    for column in COLUMNS:
        expected = [float(row[column]) if row[column] else math.nan for row in rows]
        assert pictures.values[column] == pytest.approx(expected, nan_ok=True)
    of_network = pictures.table("psnr_ldr", pictures.of("network"))
    assert np.isposinf(of_network.values[0]) and len(of_network.values) == 2 * 4
    assert set(of_network.seed) == {"0", "3"} and set(of_network.scene) == {"place0", "place1"}
    assert set(pictures.seed[pictures.of("oracle")]) == {""}


def test_the_csv_alone_stands_for_its_folder(tmp_path):
    folder = write_scores(tmp_path / "base", score_rows(scenes=2))
    by_file = read_scores(folder / "per_picture.csv")
    assert by_file.summary == read_scores(folder).summary
    (folder / "summary.json").unlink()
    with pytest.raises(ValueError, match=r"summary\.json: no such file; it describes the columns: evaluate again"):
        read_scores(folder / "per_picture.csv")


def replaced(old: str, new: str):
    return lambda text: text.replace(old, new, 1)


def only(row: str):
    """The header, and this row: of the stack k by the network's seed 0."""
    return lambda text: f"{text.splitlines()[0]}\nk,s,v,c,network,0,{row}\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced("psnr_ldr", "psnr_lrd"), r"no column 'psnr_ldr'; expected key, scene, view"),
        (lambda text: text.splitlines()[0] + "\n", "no rows; expected one a stack, method and seed"),
        (lambda text: "", "no column 'key'"),
        (only("0.5,1,x,2,3"), "line 2: lpips_ldr 'x'; expected a number"),
        (only("0.5,1,nan,2,3"), "line 2: lpips_ldr 'nan'; expected"),
        (only("0.5,1"), "line 2: 8 fields; expected 11"),
        (only("1.5,1,1,2,3"), "line 2: clipped_share '1.5'; expected"),
        (only(",1,1,2,3"), "line 2: clipped_share 'nan'; expected"),
        (lambda text: text + text.splitlines()[1] + "\n", r"the same .* as line 2 \(place0_0_film, network, 0\)"),
    ],
)
def test_wrong_rows_are_refused_in_a_line_that_names_the_file(tmp_path, change, message):
    folder = write_scores(tmp_path / "base", score_rows(scenes=2))
    path = folder / "per_picture.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=message) as caught:
        read_scores(folder)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "scores-1"}, r"format 'scores-1'; expected 'scores-3': evaluate again"),
        ({"format": None}, "format None; expected"),
        ({"seeds": "0"}, r"summary\.seeds: .*got '0'"),
        ({"kind": "other", "stacks": "x"}, r"summary\.kind: .* and more"),
        ({"columns": {"psnr_ldr": {}}}, r"summary\.columns\.psnr_ldr\.metric: Field required and more"),
        ({"scores": {"network": {"psnr_ldr": "high"}}}, r"summary\.scores\.network\.psnr_ldr: "),
    ],
)
def test_a_wrong_summary_is_refused_in_a_line_that_names_the_file(tmp_path, changes, message):
    folder = write_scores(tmp_path / "base", score_rows(scenes=2), **changes)
    with pytest.raises(ValueError, match=message) as caught:
        read_scores(folder)
    assert str(caught.value).startswith(f"{folder / 'summary.json'}: ") and "\n" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(tmp_path / 'nowhere'))}: no such file; expected a folder of"
    ):
        read_scores(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"per_picture\.csv: no such file"):
        read_scores(tmp_path)
    folder = write_scores(tmp_path / "base", score_rows(scenes=2))
    (folder / "summary.json").write_text("{")
    with pytest.raises(ValueError, match=r"summary\.json: not a JSON file"):
        read_scores(folder)
    pictures = read_scores(write_scores(folder, score_rows(scenes=2))).pictures
    with pytest.raises(ValueError, match="no method 'debevec'; it has network, step0, input_crf, oracle"):
        pictures.of("debevec")


def test_more_in_the_summary_does_no_harm(tmp_path):
    folder = write_scores(tmp_path / "base", score_rows(scenes=2), later="more")
    content = json.loads((folder / "summary.json").read_text())
    content["columns"]["psnr_ldr"]["note"] = "more"
    (folder / "summary.json").write_text(json.dumps(content))
    assert read_scores(folder).summary.variant == "base"

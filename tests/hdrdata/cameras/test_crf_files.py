import json

import numpy as np
import pytest

from hdrdata.cameras.crf_files import read_crf, write_crf
from hdrdata.cameras.crf_names import choose_crf, named_crfs

DORF = "{}\ntype\nI =\n0 0.25 1\nB =\n0 {} 1\n"
TWO = DORF.format("a", 0.5) + DORF.format("b", 0.6)
X = np.linspace(0, 1, 41)


@pytest.mark.parametrize("name", ["srgb", "camera", "gold-200cdblue"])
def test_a_response_that_was_written_is_read_again(tmp_path, name):
    write_crf(tmp_path / "My Camera.csv", named_crfs()[name])
    crf = choose_crf(str(tmp_path / "My Camera.csv"))
    assert crf.name == "my-camera"
    levels = np.arange(1, 255) / 255
    assert crf.inverse(levels) == pytest.approx(named_crfs()[name].inverse(levels), rel=1e-6)


def test_a_file_named_like_a_response_is_not_taken_for_it(tmp_path):
    write_crf(tmp_path / "srgb.csv", named_crfs()["camera"])
    assert choose_crf(str(tmp_path / "srgb.csv")).name == "file-srgb"


def test_formulas_and_tables_of_levels(tmp_path):
    assert choose_crf("gamma:1/2.2")(X) == pytest.approx(X ** (1 / 2.2))
    assert choose_crf("sigmoid:0.9,0.6")(np.array([0.5])) == pytest.approx(1.6 * 0.5**0.9 / (0.5**0.9 + 0.6))
    (tmp_path / "a.csv").write_text("# mine\nlevel, exposure\n0,0\n128,0.1\n255,1\n")
    assert read_crf(tmp_path / "a.csv")(np.array([0.1])) == pytest.approx(128 / 255)


def test_curves_of_databases_and_of_crf_select(tmp_path):
    one, two, chosen = (tmp_path / name for name in ("one.txt", "two.txt", "chosen.json"))
    one.write_text(DORF.format("a", 0.5))
    two.write_text(DORF.format("a", 0.5) + DORF.format("b", 0.75))
    assert choose_crf(str(one))(np.array([0.25])) == choose_crf(f"{two}:a")(np.array([0.25])) == 0.5
    assert choose_crf(f"{two}:b")(np.array([0.25])) == 0.75
    row = {"name": "b", "crf": {"kind": "dorf", "file": str(two), "curve": "b"}}
    chosen.write_text(json.dumps({"representatives": [row]}))
    assert choose_crf(str(chosen))(np.array([0.25])) == 0.75


@pytest.mark.parametrize("text, content, problem", [
    ("gamma:x", None, "CRF 'gamma:x': expected gamma:EXPONENT"),
    ("gamma:0", None, "gamma:0.exponent: Input should be greater than 0"),
    ("sigmoid:1", None, "expected sigmoid:N,SIGMA"),
    ("two.txt", TWO, r"two.txt: 2 curves; expected .*two.txt:CURVE with one of a, b"),
    ("two.txt:c", TWO, "no curve 'c'"),
    ("a.csv", "x,y\n0,0\n1,1\n", "a.csv: columns x, y; expected exposure and response"),
    ("a.csv", "exposure,response\n0,0\n0.5,0.7\n1,0.6\n", "a.csv: CRF a: falls from 0.7 to 0.6"),
    ("a.csv", "exposure,response\n0,0\n1\n", "rows of different lengths; expected 2 numbers each"),
    ("a.csv", "", "a.csv: columns none"),
    ("a.json", "{}", "a.json: no choice of curves; expected the JSON of `hdrdata crf select`"),
    ("kodak", None, r"unknown CRF 'kodak'; known: .*srgb, linear, auto, gamma:EXPONENT, .*, FILE or FILE:CURVE"),
])  # fmt: skip
def test_wrong_responses_are_refused(tmp_path, monkeypatch, text, content, problem):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / text.split(":")[0]).write_text(content)
    with pytest.raises(ValueError, match=problem) as error:
        choose_crf(text, ("auto",))
    assert "\n" not in str(error.value)

"""Representatives of many curves, and the chart of them."""

import csv
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from shared_files import shared_file

from hdrdata.cameras.crf import gamma_crf
from hdrdata.cameras.crf_files import read_dorf, read_emor
from hdrdata.cameras.curves.crf_choice import choose_representatives, curve_set
from hdrdata.cameras.recipe import RecipeConfig, choose_recipe
from hdrdata.cli import main
from hdrdata.files.disk import read_json
from hdrdata.publish.crf_chart import COLOURS, draw_curves

GROUPS = {"dark": (1.3, 1.4, 1.5), "straight": (0.95, 1.0, 1.02, 1.05), "bright": (0.3, 0.32), "toe": (0.55, 0.6)}


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def dorf(tmp_path) -> Path:
    """A file of DoRF's form: four groups of power laws, far apart, mixed in their order."""
    x = np.linspace(0, 1, 256)
    curves = [
        (f"{name}-{k}CDRed", exponent) for name, exponents in GROUPS.items() for k, exponent in enumerate(exponents)
    ]
    lines = []
    for name, exponent in sorted(curves, key=lambda curve: curve[0][::-1]):
        row, response = (" ".join(f"{value:.7f}" for value in values) for values in (x, x**exponent))
        lines += [name, "film", "I =", row, "B =", response]
    (tmp_path / "dorf.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "dorf.txt"


def test_each_group_of_curves_has_one_representative_and_it_is_one_of_them(dorf):
    chosen = choose_representatives(read_dorf(dorf), 4, seed=0)
    assert sorted(len(one.members) for one in chosen) == sorted(len(group) for group in GROUPS.values())
    for one in chosen:
        group = one.name.partition("-")[0]
        assert one.members == tuple(f"{group}-{k}CDRed" for k in range(len(GROUPS[group])))
    assert [len(one.members) for one in chosen] == [4, 3, 2, 2]
    # of 1.3, 1.4 and 1.5 the middle one is nearest to the mean
    assert next(one for one in chosen if one.name.startswith("dark")).name == "dark-1CDRed"


def test_the_choice_depends_on_neither_order_nor_run(dorf):
    curves = read_dorf(dorf)
    names = [one.name for one in choose_representatives(curves, 3, seed=5)]
    assert names == [one.name for one in choose_representatives(dict(reversed(curves.items())), 3, seed=5)]
    assert len(choose_representatives(curves, len(curves), seed=0)) == len(curves)


def test_fewer_different_curves_than_wanted_are_refused(dorf):
    curves = {name: gamma_crf(name, exponent) for name, exponent in [("a", 1.0), ("b", 1.0), ("c", 2.0)]}
    assert [one.name for one in choose_representatives(curves, 2, seed=0)] == ["a", "c"]
    for k in (0, 3):
        with pytest.raises(ValueError, match=f"k is {k}; expected 1 to 2, the number of different curves"):
            choose_representatives(curves, k, seed=0)


def test_select_prints_a_recipe_that_is_taken_as_it_stands(dorf, tmp_path):
    result = run("crf", "select", dorf, "--k", 4, "-o", tmp_path / "crfs.json")
    assert result.exit_code == 0, result.output
    table, _, text = result.stdout.partition("crfs:")
    crfs = yaml.safe_load("crfs:" + text)["crfs"]
    recipe = choose_recipe(RecipeConfig.parse("recipe", {"name": "mine", "crfs": crfs, "evs": [-1, 0, 1]}))
    assert len(recipe.crfs) == 4
    assert re.search(r"^dark-1CDRed +3 +0\.091 +0\.379$", table, re.M)  # 0.18^1.4 = 0.0907, 0.5^1.4 = 0.3789
    rows = read_json(tmp_path / "crfs.json")["representatives"]
    assert [row["crf"] for row in rows] == crfs and sum(row["curves"] for row in rows) == 11
    assert run("crf", "select", dorf, "--k", 4, "-o", tmp_path / "crfs.csv").stdout == result.stdout
    with (tmp_path / "crfs.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [row["name"] for row in rows]
    assert "expected a name that ends with .json or .csv" in run("crf", "select", dorf, "-o", "x.txt").stderr
    assert "--spread has no meaning" in run("crf", "select", dorf, "--spread", 1).stderr


def test_an_emor_file_is_a_basis_and_is_drawn_from_only_with_a_spread():
    emor = shared_file("reference/crf/emor.txt")
    refused = run("crf", "select", emor)
    assert refused.exit_code == 1
    assert "holds a mean and a basis, no set of curves to choose from; give" in refused.stderr
    curves = curve_set(emor, (1.0, 0.4), 40, seed=1)
    mean, basis, exposures = read_emor(emor)
    assert len(curves) == 40
    for response, choice in curves.values():
        wanted = mean + choice.weights[0] * basis[0] + choice.weights[1] * basis[1]
        assert response(exposures) == pytest.approx(wanted, abs=1e-12)
        assert (np.diff(wanted) >= 0).all()
    weights = np.array([choice.weights for _, choice in curves.values()])
    assert 0.5 < weights[:, 0].std() < 1.5 and 0.2 < weights[:, 1].std() < 0.6  # of 40 draws
    result = run("crf", "select", emor, "--k", 2, "--spread", 1, "--spread", 0.4, "--count", 40, "--seed", 1)
    choices = yaml.safe_load("crfs:" + result.stdout.partition("crfs:")[2])["crfs"]
    recipe = choose_recipe(RecipeConfig.parse("recipe", {"name": "mine", "crfs": choices, "evs": [0]}))
    assert {crf.name for crf in recipe.crfs} <= set(curves)
    with pytest.raises(ValueError, match="drawn curves rise; expected 5: a smaller spread"):
        curve_set(emor, (1e6,), 5, seed=0)


def test_a_chart_has_each_curve_and_a_legend_with_the_brightest_first(tmp_path):
    curves = {"straight": gamma_crf("straight", 1.0), "a<b": gamma_crf("a<b", 0.5)}
    for name, stops in (("one", False), ("same", False), ("stops", True)):
        draw_curves(tmp_path / f"{name}.svg", curves, {"grey": gamma_crf("grey", 2.0)}, stops=stops)
    root = ElementTree.parse(tmp_path / "one.svg").getroot()
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert texts.index("1 others of the file") < texts.index("a<b") < texts.index("straight")
    assert {"a<b", "straight"} <= {element.get("id") for element in root.iter()}
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "same.svg").read_bytes()
    assert "stops below saturation" in (tmp_path / "stops.svg").read_text()


def test_plot_writes_both_formats_and_names_what_it_does_not_know(dorf, tmp_path):
    for suffix in ("svg", "png"):
        out = tmp_path / f"crfs.{suffix}"
        assert run("crf", "plot", "-o", out).output == f"{out}: 9 curves\n"
        assert run("crf", "plot", "-o", out, "--file", dorf, "dark-1CDRed", "srgb").output == f"{out}: 12 curves\n"
    picture = cv2.imread(str(tmp_path / "crfs.png"))
    blue = np.array([0xB2, 0x72, 0x00])  # of the first curve, as BGR
    assert (picture == blue).all(axis=2).sum() > 1000
    assert "unknown CRF 'kodak'; known: " in run("crf", "plot", "kodak", "-o", tmp_path / "x.svg").stderr
    assert "expected a name that ends with .svg or .png" in run("crf", "plot", "-o", tmp_path / "x.pdf").stderr
    many = {str(k): gamma_crf(str(k), 1 + k / 10) for k in range(17)}
    with pytest.raises(ValueError, match="17 curves; expected at most 16, which can be distinguished"):
        draw_curves(tmp_path / "x.svg", many, {}, stops=False)
    assert not (tmp_path / "x.svg").exists()
    del many["16"]
    draw_curves(tmp_path / "x.svg", many, {}, stops=False)
    drawn = (tmp_path / "x.svg").read_text()
    assert all(drawn.count(colour) >= 4 for colour in COLOURS)  # two curves each, and their legends

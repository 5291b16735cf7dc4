"""Recipes: names, order, and what is refused."""

import math
import subprocess
import sys

import pytest
from shared_files import ROOT

from hdrdata.cameras.crf_files import drtmo_crfs
from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.exposure import recipe_tables
from hdrdata.cameras.recipe import FILM, RECIPES, RecipeConfig, choose_recipe

VALID = {"name": "mine", "crfs": ["srgb"], "evs": [-1, 0, 1]}


def test_drtmo_has_five_cameras_and_nine_half_stops_named_a_to_i():
    recipe = choose_recipe("drtmo")
    assert [crf.name for crf in recipe.crfs] == [
        "agfachrome-rsx2-050cdred",
        "agfacolor-vista-200cdblue",
        "ektachrome-100-pluscdblue",
        "gamma14",
        "gold-200cdblue",
    ]
    assert recipe.letters == "abcdefghi"
    ratios = [b / a for a, b in zip(recipe.exposures, recipe.exposures[1:], strict=False)]
    assert ratios == pytest.approx([math.sqrt(2)] * 8, rel=1e-12)
    assert recipe.exposures[recipe.letters.index("e")] == 1


def test_the_names_of_drtmos_cameras_are_those_of_the_shipped_files():
    assert (*FILM, "gamma14") == RECIPES["drtmo"].crfs == tuple(drtmo_crfs())


OPENED = """
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import hdrdata.cameras.recipe
package = str(Path(hdrdata.__file__).parent)
print([path for path in opened if path.startswith(package) and not path.endswith((".py", ".pyc"))], len(opened) > 0)
print(hdrdata.cameras.crf_files.drtmo_crfs.cache_info().currsize)
"""


def test_importing_recipes_reads_no_file_of_the_package():
    told = subprocess.run([sys.executable, "-c", OPENED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == "[] True\n0\n"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_ordered_from_dark_to_bright(name):
    recipe = choose_recipe(name)
    assert list(recipe.evs) == sorted(set(recipe.evs))
    assert [crf.name for crf in recipe.crfs] == sorted(crf.name for crf in recipe.crfs)
    assert len(recipe.letters) == len(recipe.evs)


@pytest.mark.parametrize("name", named_crfs())
def test_every_named_camera_can_be_in_a_recipe(name):
    recipe = choose_recipe(RecipeConfig.parse("recipe", {**VALID, "crfs": [name]}))
    assert recipe.crf(name).name == name


def test_the_order_of_the_cameras_makes_no_other_recipe():
    one = choose_recipe(RecipeConfig.parse("recipe", {**VALID, "crfs": ["srgb", "gamma14"]}))
    two = choose_recipe(RecipeConfig.parse("recipe", {**VALID, "crfs": ["gamma14", "srgb"]}))
    assert [crf.name for crf in one.crfs] == [crf.name for crf in two.crfs]


def test_a_camera_may_be_given_by_its_numbers():
    crfs = [{"kind": "gamma", "exponent": 0.5}, {"kind": "hdrcnn", "n": 0.9, "sigma": 0.6}]
    recipe = choose_recipe(RecipeConfig.parse("recipe", {**VALID, "crfs": crfs}))
    assert [crf.name for crf in recipe.crfs] == ["gamma-0p5", "hdrcnn-0p9-0p6"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"evs": [0, 0]}, "evs must rise"),
        ({"evs": [1, 0]}, "evs must rise"),
        ({"evs": []}, "recipe.evs"),
        ({"evs": [25]}, "recipe.evs.0"),
        ({"evs": [float("nan")]}, "recipe.evs.0"),
        ({"evs": list(range(-13, 14))}, "at most 26 items"),
        ({"crfs": []}, "recipe.crfs"),
        ({"crfs": [{"kind": "cubic"}]}, "cubic"),
        ({"crfs": [{"kind": "gamma", "exponent": 0}]}, "greater than 0"),
        ({"name": "my.recipe"}, "recipe.name"),
        ({"flash": 1}, "recipe.flash"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_name_of_the_value(change, reason):
    with pytest.raises(ValueError) as error:
        RecipeConfig.parse("recipe", {**VALID, **change})
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_names_and_cameras_that_stand_twice_are_refused():
    with pytest.raises(ValueError, match="unknown recipe 'kodak'; known: drtmo, srgb, linear"):
        choose_recipe("kodak")
    with pytest.raises(ValueError, match="unknown CRF 'kodak'"):
        choose_recipe(RecipeConfig.parse("recipe", {**VALID, "crfs": ["kodak"]}))
    with pytest.raises(ValueError, match="CRF 'srgb' occurs twice"):
        choose_recipe(RecipeConfig.parse("recipe", {**VALID, "crfs": ["srgb", "srgb"]}))


def test_a_known_recipe_with_changes():
    recipe = choose_recipe(RecipeConfig.parse("recipe", {"like": "hdrcnn", "evs": [-1, 0, 1], "noise": None}))
    known = choose_recipe("hdrcnn")
    assert (recipe.evs, recipe.steps.noise) == ((-1, 0, 1), None)
    assert recipe.steps.model_copy(update={"noise": known.steps.noise}) == known.steps
    assert recipe.cameras == tuple(f"hdrcnn-{number}" for number in range(5))
    assert choose_recipe(RecipeConfig.parse("recipe", {"like": "drtmo", "crfs": ["srgb"]})).cameras == ("srgb",)


def drawn(**changes) -> dict:
    return {"like": "cameras", "crfs": {"kind": "drawn_responses", "cameras": 5, "seed": 0, **changes}}


def test_drawn_responses_depend_on_seed_models_and_number_only():
    def thresholds(**changes) -> dict[str, bytes]:
        recipe = choose_recipe(RecipeConfig.parse("recipe", drawn(**changes)))
        return {name: rows.tobytes() for name, rows in recipe_tables(recipe).items()}

    five = thresholds()
    assert five == {name: rows.tobytes() for name, rows in recipe_tables(choose_recipe("cameras")).items()}
    assert list(five) == [f"cameras-{number}" for number in range(5)] and len(set(five.values())) == 5
    assert thresholds(cameras=2) == {name: five[name] for name in ("cameras-0", "cameras-1")}
    assert not set(thresholds(seed=1).values()) & set(five.values())
    assert thresholds(models=["NIKON D90", "Olympus XZ-1"]) != five
    with pytest.raises(ValueError, match=r"models: unknown model \['Nokia'\]; expected some of Canon EOS 1000D"):
        thresholds(models=["Nokia"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (drawn(cameras=0), "cameras: Input should be greater than or equal to 1"),
        ({"like": "kodak"}, "like: unknown recipe 'kodak'; known: drtmo"),
        ({"like": "hdrcnn", "draws": None}, "exposure is drawn: expected draws"),
        ({"like": "drtmo", "noise": {"constant": 0.1, "signal": 0}}, "noise is drawn: expected draws"),
        ({"like": "hdrcnn", "draws": {"cameras": 5}}, "recipe.draws.seed: Field required"),
        ({"like": "hdrcnn", "draws": {"cameras": 0, "seed": 0}}, "recipe.draws.cameras"),
        ({"like": "hdrcnn", "jpeg": {"low": 50, "high": 30}}, "low 50 is above high 30"),
        ({"like": "hdrcnn", "jpeg": {"low": 0, "high": 30}}, "recipe.jpeg.low"),
        ({"like": "hdrcnn", "exposure": {"kind": "quantile", "low": 0.1, "high": 1}}, "quantile.high"),
        ({"like": "hdrcnn", "exposure": {"kind": "mean"}}, "'quantile', 'clipped_share', 'stops'"),
        ({"like": "hdrcnn", "noise": {"constant": -1, "signal": 0}}, "recipe.noise.constant"),
        ({"like": "hdrcnn", "quantise": "ceil"}, "'floor254' or 'round255'"),
    ],
)
def test_a_wrong_random_camera_is_refused_with_the_name_of_the_value(change, reason):
    with pytest.raises(ValueError) as error:
        RecipeConfig.parse("recipe", change)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)

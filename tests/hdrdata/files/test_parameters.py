"""Files of parameters from anybody are measured before they are expanded, and refused in a line."""

import time

import pytest
from shared_files import shared_file

from hdrdata.cameras.recipe import read_recipe
from hdrdata.config import YAML_BYTES, read_yaml

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)) + "name: *a59\n"
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "values once its aliases are expanded"),
        (MERGES, "values once its aliases are expanded"),
        ("a: &a [*a]", "recipe"),  # an alias in itself is a list, and no recipe
        ("[" * 50_000, "nest"),
        ("[" + ",".join(["[" * 200 + "]" * 200] * 150) + "]", "values"),  # quadratic in PyYAML's own scanner
        ("[" * 800 + "]" * 800, "nested too deeply"),
        ("x: " + "y" * YAML_BYTES, "bytes; expected at most"),
        ("? {a: 1}\n: 2", "cannot be read as YAML"),
        (f"evs: [{'9' * 5000}]", "cannot be read as YAML"),
        ("\x00", "cannot be read as YAML"),
    ],
)
def test_a_hostile_recipe_ends_with_one_line_at_once(tmp_path, text, reason):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    begin = time.process_time()
    with pytest.raises(ValueError, match=reason) as error:
        read_recipe(str(path))
    assert time.process_time() - begin < 5
    assert str(path) in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 1000


def test_the_bomb_of_the_shared_folder_is_refused():
    with pytest.raises(ValueError, match="12258226422 values once its aliases are expanded"):
        read_yaml(shared_file("wild/hostile/yaml_bomb.yaml"))


def test_a_few_aliases_are_fine(tmp_path):
    (tmp_path / "a.yaml").write_text("evs: &evs [-1, 0, 1]\nother: *evs\n")
    assert read_yaml(tmp_path / "a.yaml") == {"evs": [-1, 0, 1], "other": [-1, 0, 1]}

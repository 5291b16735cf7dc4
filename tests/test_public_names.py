"""What `import hdrdata` and `import hdrmodel` give, and when it is loaded; and that help texts know the real names."""

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from typing import get_args

import click
import pytest
from shared_files import ROOT

import hdrdata
import hdrmodel
from hdrdata.cameras.recipe import RECIPES
from hdrdata.cli.build import build as build_command
from hdrdata.cli.recipe_names import RECIPE_NAMES
from hdrdata.cli.sources import fetch
from hdrdata.fetch import polyhaven
from hdrdata.shards.build import build
from hdrdata.work.engines import EngineName
from hdrmodel.cli.predict import predict
from hdrmodel.cli.train import train
from hdrmodel.cli.view import view
from hdrmodel.networks.devices import Device
from hdrmodel.outputs.format_list import FORMAT_NAMES
from hdrmodel.outputs.formats import FORMATS
from hdrmodel.prediction.reconstructor import PRECISIONS
from hdrmodel.profiles.load import PROFILES
from hdrmodel.viewer.page import MAX_PIXELS

PUBLIC = {
    "hdrdata": {
        "StackDataset": "torch",
        "StackLoader": "torch",
        "StackSampler": "torch",
        "build": "shards.build",
        "named_crfs": "cameras.crf_names",
        "open_stacks": "stream.stack_reader",
        "read_photo": "photos.photo",
        "read_radiance": "files.radiance",
        "verify_shards": "integrity.verify",
        "write_exr": "files.exr",
    },
    "hdrmodel": {
        "HDRAttNet": "networks.hdr_attnet",
        "HDRReconstructor": "prediction.reconstructor",
        "load_weights": "networks.weights",
        "read_photo": "release.shipped",
        "reconstruct": "release.shipped",
    },
}
SLOW = ("cv2", "numpy", "pydantic", "rich", "torch", "yaml")
HELP = """
import json, sys
import click
from click.testing import CliRunner
root = __import__(sys.argv[1] + ".cli.root", fromlist=["main"]).main
def walk(command, words):
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from walk(command.get_command(click.Context(command), name), [*words, name])
told = []
for words in list(walk(root, [])):
    result = CliRunner().invoke(root, [*words, "--help"])
    assert result.exit_code == 0 and result.output.startswith("Usage:"), (words, result.output)
    told.append(" ".join(words))
print(json.dumps({"told": told, "loaded": sorted(sys.modules)}))
"""


def python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("package", PUBLIC)
def test_importing_a_package_imports_nothing_slow(package):
    code = f"import json, {package}; print(json.dumps([sorted(sys.modules), dir({package}), {package}.__all__]))"
    loaded, names, public = json.loads(python(code))
    assert not set(SLOW) & set(loaded)
    assert names == public == sorted(PUBLIC[package])


@pytest.mark.parametrize("package", [hdrdata, hdrmodel], ids=lambda package: package.__name__)
def test_a_public_name_is_that_of_its_room(package):
    places = PUBLIC[package.__name__]
    assert sorted(package.__all__) == sorted(places)
    for name, place in places.items():
        assert getattr(package, name) is getattr(importlib.import_module(f"{package.__name__}.{place}"), name)
        assert inspect.getdoc(getattr(package, name))
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = package.nothing_of_this_name


@pytest.mark.parametrize("package", [hdrdata, hdrmodel], ids=lambda package: package.__name__)
def test_no_public_name_is_a_rooms(package):
    rooms = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not rooms & set(package.__all__)  # a room, once imported, would hide it


@pytest.mark.parametrize("package, commands", [("hdrdata", 19), ("hdrmodel", 9)])
def test_help_imports_nothing_slow(package, commands):
    said = json.loads(python(f"exec({HELP!r})", package))
    assert len(said["told"]) == commands
    assert not set(SLOW) & set(said["loaded"])


def defaults(command: click.Command) -> dict[str, object]:
    """The default of each option but --help; None for those that have none."""
    params = command.to_info_dict(click.Context(command))["params"]
    options = [param for param in params if param["param_type_name"] == "option" and "--help" not in param["opts"]]
    return {option["name"]: option["default"] for option in options}


def choices(command: click.Command, name: str) -> tuple[str, ...]:
    return tuple(next(option for option in command.params if option.name == name).type.choices)


def test_names_for_help_texts_are_those_of_the_registries():
    recipe = next(option for option in build_command.params if option.name == "recipe")
    assert tuple(RECIPES) == RECIPE_NAMES and ", ".join(RECIPE_NAMES) in recipe.help
    assert list(FORMATS) == list(FORMAT_NAMES)
    assert choices(build_command, "engine") == get_args(EngineName)
    assert choices(fetch, "suffix") == polyhaven.FORMATS
    assert choices(train, "profile") == PROFILES
    assert choices(predict, "precision") == tuple(PRECISIONS)
    assert choices(predict, "device") == get_args(Device)
    assert defaults(view)["max_pixels"] == MAX_PIXELS


def test_the_commands_defaults_of_build_are_the_functions():
    said = {name: parameter.default for name, parameter in inspect.signature(build).parameters.items()}
    ours = defaults(build_command)
    counts = {part: ours.pop(f"{part}_shards") for part in ("train", "val", "test")}
    assert ours.pop("ray_address") is None
    assert ours == {name: said[name] for name in ours}
    assert said["shards"] is None and counts == {"train": 2, "val": 1, "test": 1}

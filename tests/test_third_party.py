"""THIRD_PARTY.md lists every dependency, and no required package has a licence that is not accepted."""

import importlib.util
import re
import tomllib
from importlib.metadata import PackageNotFoundError

import pytest
from shared_files import ROOT

spec = importlib.util.spec_from_file_location("third_party", ROOT / "tools" / "third_party.py")
third_party = importlib.util.module_from_spec(spec)
spec.loader.exec_module(third_party)

LISTED = dict(
    re.findall(r"^\| ([\w-]+) \| (.+) \|$", (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8"), re.MULTILINE)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_no_required_package_has_a_licence_that_is_not_accepted():
    _, refused = third_party.page()
    assert refused == {}


@pytest.mark.parametrize("group", ["dependencies", *PROJECT["optional-dependencies"]])
def test_every_dependency_is_listed_with_the_licence_that_it_states(group):
    lines = PROJECT["dependencies"] if group == "dependencies" else PROJECT["optional-dependencies"][group]
    for name in third_party.direct(lines):
        try:
            assert LISTED.get(name) == third_party.licence_of(name), name
        except PackageNotFoundError:
            assert group != "dependencies" or name in LISTED, name


@pytest.mark.parametrize(
    "licence, accepted",
    [("MIT", True), ("LGPL-3.0", True), ("Apache-2.0 OR GPL-2.0-or-later", True), ("GPL-3.0-or-later", False)],
)
def test_a_required_licence_is_permissive_or_weak_copyleft(licence, accepted):
    assert third_party.accepted("some-package", licence) is accepted

"""Parameters of commands."""

import click
import pytest

from hdrdata import command


def test_a_url_stays_as_it_is_and_a_folder_must_exist(tmp_path):
    kind = command.FolderOrUrl()
    assert kind.convert("https://host/hdr/shards", None, None) == "https://host/hdr/shards"
    assert kind.convert(str(tmp_path), None, None) == tmp_path
    with pytest.raises(click.BadParameter, match="does not exist"):
        kind.convert(str(tmp_path / "none"), None, None)

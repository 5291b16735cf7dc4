"""Files beside the repository that some tests need: golden pictures and pretrained weights. Without them those skip."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def shared_file(name: str) -> Path:
    """Find a file of the shared folder, or skip the test that asks for it."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"there is no shared/{name} beside the repository")
    return path

"""Where the repository lies; and files beside it that some tests need, without which those skip."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"  # golden pictures and pretrained weights


def shared_file(name: str) -> Path:
    """Find a file of the shared folder, or skip the test that asks for it."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"there is no shared/{name} beside the repository")
    return path

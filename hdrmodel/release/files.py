"""Paths of the shipped files, without PyTorch."""

from pathlib import Path

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "lightunet.safetensors"
CARD = FOLDER / "model_card.md"
SCENES = FOLDER / "scenes.csv"

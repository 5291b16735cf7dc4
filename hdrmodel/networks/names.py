"""The names that a person types, without PyTorch."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]

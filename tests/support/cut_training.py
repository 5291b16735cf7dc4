"""A training that is interrupted."""

import pytest

from hdrmodel.training.step import Stepper
from hdrmodel.training.train import train


def train_cut_short(steps: int, *arguments) -> None:
    """Call `train`, and interrupt it after so many steps."""
    real, seen = Stepper.step, []

    def step(self, parts, number):
        if len(seen) == steps:
            raise KeyboardInterrupt
        seen.append(number)
        return real(self, parts, number)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Stepper, "step", step)
        train(*arguments)

"""Position of a run in its epochs: the steps of all ranks together, and the state that resumes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Epochs:
    """Progress through epochs of `length` samples.

    In each step the ranks together take the next `world * batch_size` samples. The position counts the samples that
    were taken, so that any number of ranks can continue from it. An epoch without another step is the next epoch at
    position 0.
    """

    length: int  # samples in an epoch
    batch_size: int  # samples of one rank's batch
    drop_last: bool  # whether the samples that are too few for a whole step are left out
    seed: int
    digest: str  # of the data; "" if unknown
    epoch: int = 0
    position: int = 0
    resumed: bool = False  # whether the next iteration begins at `position`, and not with the next epoch
    begun_at: tuple[int, int] = (0, 0)  # epoch and position where the last iteration began

    def check(self, world: int) -> None:
        """Refuse what makes no batch.

        Raises:
            ValueError: if there is not one batch for each rank.
        """
        step = self.batch_size * world
        if self.batch_size < 1 or self.length < 1 or (self.drop_last and self.length < step):
            raise ValueError(f"{self.length} samples make no batch of {self.batch_size} for each of {world} ranks")

    def count(self, world: int) -> int:
        """Return the batches of a whole epoch, on each rank."""
        whole, rest = divmod(self.length, self.batch_size * world)
        return whole + (1 if rest and not self.drop_last else 0)

    def begin(self, world: int) -> tuple[int, range]:
        """Begin an iteration: return its epoch, and the places where its steps begin."""
        self.check(world)
        step = self.batch_size * world
        if self.position and not self.resumed:  # the last iteration was left early
            self.epoch, self.position = self.epoch + 1, 0
        self._advance(self.epoch, self.position, step)
        self.resumed, self.begun_at = False, (self.epoch, self.position)
        return self.epoch, range(self.position, self._end(step) + 1, step)

    def take(self, epoch: int, start: int, world: int) -> None:
        """Count the step that begins at `start`."""
        step = self.batch_size * world
        self._advance(epoch, start + step, step)

    def places(self, start: int, rank: int) -> list[int]:
        """Return the places of one rank's batch in the step that begins at `start`."""
        first = start + rank * self.batch_size
        return [place % self.length for place in range(first, first + self.batch_size)]

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be this epoch; a resumed epoch still continues at its position."""
        if epoch != self.epoch or not self.resumed:
            self.epoch, self.position = epoch, 0

    def state_dict(self, world: int, batches: int | None = None) -> dict[str, int | str]:
        """Return what an uninterrupted run would continue with; the same on each rank.

        Args:
            batches: taken by the loop in this iteration, if readers are ahead of it.
        """
        now = Epochs(self.length, self.batch_size, self.drop_last, self.seed, self.digest, self.epoch, self.position)
        if batches is not None:
            epoch, start = self.begun_at
            now._advance(epoch, start + batches * self.batch_size * world, self.batch_size * world)
        return {
            "seed": self.seed,
            "epoch": now.epoch,
            "position": now.position,
            "length": self.length,
            "digest": self.digest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration continue from a state.

        Raises:
            ValueError: if it is no such state, or one of other data.
        """
        try:
            seed, epoch, position, length = (int(state[name]) for name in ("seed", "epoch", "position", "length"))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{state}: not a sampler's state; expected seed, epoch, position and length") from error
        digest = str(state.get("digest", ""))
        if length != self.length or (digest and self.digest and digest != self.digest):
            raise ValueError(
                f"the data has changed: the state is of {length} samples (digest '{digest[:12]}'), and there are "
                f"{self.length} ('{self.digest[:12]}'); expected the same data, or set_epoch({epoch + 1})"
            )
        if epoch < 0 or not 0 <= position < max(length, 1):
            raise ValueError(f"{state}: epoch or position is beyond a dataset of {length} samples")
        self.seed, self.epoch, self.position, self.resumed = seed, epoch, position, True
        self.begun_at = epoch, position

    def _end(self, step: int) -> int:
        """Return the last place where a step may begin."""
        return self.length - (step if self.drop_last else 1)

    def _advance(self, epoch: int, position: int, step: int) -> None:
        self.epoch, self.position = (epoch + 1, 0) if position > self._end(step) else (epoch, position)

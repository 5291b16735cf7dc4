"""Train, val and test: each group of scenes in one, by a hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

PARTS = ("train", "val", "test")
MANY_SEEDS = 1000  # tried for a split without an empty part


@dataclass(frozen=True)
class Split:
    """Rule for the parts of groups that were in no earlier list."""

    seed: int
    val_share: float  # expected shares [0, 1] of the groups
    test_share: float

    def to_json(self) -> dict:
        return {"rule": "content-1", **asdict(self)}

    @property
    def wanted(self) -> tuple[str, ...]:
        """Parts with a share above 0."""
        return tuple(part for part, (low, high) in self._intervals().items() if high > low)

    def _intervals(self) -> dict[str, tuple[float, float]]:
        val = self.test_share + self.val_share
        return {"test": (0.0, self.test_share), "val": (self.test_share, val), "train": (val, 1.0)}

    def _distance(self, identity: str, part: str) -> float:
        number, (low, high) = _number(self.seed, identity), self._intervals()[part]
        return max(low - number, number - high, 0.0)


def assign_part(identity: str, seed: int, val_share: float, test_share: float) -> str:
    """Return the part of a group, from a hash of its identity and a seed: no other group moves when one is added.

    Args:
        val_share, test_share: expected shares [0, 1] of the groups.
    """
    number = _number(seed, identity)
    if number < test_share:
        return "test"
    return "val" if number < test_share + val_share else "train"


def split_groups(
    identities: Mapping[str, str], split: Split, known: Mapping[str, str], *, fill: bool
) -> dict[str, str]:
    """Return the part of each group: as known, else by `assign_part`.

    No rule of identity and seed alone leaves no part empty: it gives some three groups the same part. So an empty part
    is filled here with the new group whose number is nearest to it, and the list of scenes must keep that choice.

    Args:
        identities: of each group, what its part is computed from.
        known: parts of groups in an earlier list, which never change.
        fill: fill empty parts with new groups, for a caller that passes the result as `known` the next time.
    """
    parts = {
        group: known.get(group) or assign_part(identity, split.seed, split.val_share, split.test_share)
        for group, identity in identities.items()
    }
    for part in split.wanted if fill else ():
        held = list(parts.values())
        movable = [group for group in parts if group not in known and held.count(parts[group]) > 1]
        if part not in held and movable:
            nearest = min(movable, key=lambda group: (split._distance(identities[group], part), identities[group]))
            parts[nearest] = part
    return parts


def describe_empty_parts(identities: Mapping[str, str], parts: Mapping[str, str], split: Split) -> str:
    """Return a line on the parts that have a share and no group, with a remedy; "" if there is none."""
    empty = [part for part in PARTS if part in split.wanted and part not in parts.values()]
    if not empty:
        return ""
    line = f"no scene in the part {' or '.join(empty)}: "
    if len(identities) < len(split.wanted):
        return f"{line}{len(identities)} groups for {len(split.wanted)} parts; add scenes, or give it the share 0"
    for seed in range(MANY_SEEDS):
        other = Split(seed, split.val_share, split.test_share)
        if set(split_groups(identities, other, {}, fill=False).values()) == set(split.wanted):
            return f"{line}add scenes, or split again with the seed {seed}"
    return f"{line}add scenes, or give it a larger share"


def _number(seed: int, identity: str) -> float:
    """Return a number in [0, 1)."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{identity}".encode()).digest()[:8], "big") / 2**64

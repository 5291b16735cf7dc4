"""Train, val and test: each group of scenes in one, by a hash."""

import hashlib

PARTS = ("train", "val", "test")


def assign_part(group: str, seed: int, val_share: float, test_share: float) -> str:
    """The part of a group, from a hash of its name and a seed: no other scene moves when one is added.

    Args:
        val_share, test_share: expected shares [0, 1] of the groups.
    """
    number = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big") / 2**64
    if number < test_share:
        return "test"
    return "val" if number < test_share + val_share else "train"

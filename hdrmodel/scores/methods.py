"""The registry of scored methods: every row of scores, by name."""

from dataclasses import dataclass
from typing import Literal

SETS = {"ldr": "LDR", "tonemapped": "tone-mapped", "clipped": "clipped light", "hdr": "HDR"}  # of scores
# Of a subject: HDR-AttNet, a network that predicts light, the shipped weights, or the files of another program.
Kind = Literal["attention", "baseline", "release", "predictions"]


@dataclass(frozen=True)
class Method:
    """Methods that are scored on every image of the test part."""

    label: str  # in tables: behind the variant's name where the method is `seeded`, else alone
    role: Literal["network", "unknown", "step0", "merge", "floor", "bound"]  # unknown: the response is not known to it
    response: Literal["known", "srgb", "camera", "auto", "none"]  # the camera response that it takes for the input's
    seeded: bool = False  # whether it depends on the weights


METHODS = {
    "network": Method("", "network", "known", seeded=True),
    "network_srgb": Method("as sRGB", "unknown", "srgb", seeded=True),
    "network_camera": Method("as mean camera", "unknown", "camera", seeded=True),
    "network_auto": Method("CRF estimated", "unknown", "auto", seeded=True),
    "step0": Method("step 0", "step0", "known", seeded=True),
    "network_debevec": Method("Debevec", "merge", "known", seeded=True),
    "network_mertens": Method("Mertens", "merge", "none", seeded=True),
    "clipped_constant": Method("clipped x constant, known CRF", "floor", "known"),
    "clipped_constant_srgb": Method("clipped x constant, as sRGB", "floor", "srgb"),
    "input_crf": Method("LDR input, known CRF", "floor", "known"),
    "input_srgb": Method("LDR input, as sRGB", "floor", "srgb"),
    "clipped_best": Method("bound: best constant a picture", "bound", "known"),  # by the truth
    "oracle": Method("oracle: true stack", "bound", "known"),
}
SEEDED = tuple(name for name, method in METHODS.items() if method.seeded)
SHARED = tuple(name for name, method in METHODS.items() if not method.seeded)  # the same beside every variant


def labels_of(*roles: str) -> dict[str, str]:
    """Return the labels of the methods of some roles, by name."""
    return {name: method.label for name, method in METHODS.items() if method.role in roles}


def is_blind(method: str, kind: Kind, of_ldr: bool) -> bool:
    """Return whether a score was reached without the input's camera response.

    Args:
        kind: of the variant. Other programs get no response, and HDR-AttNet generates its exposures without one.
        of_ldr: the score is of the generated exposures.
    """
    if METHODS[method].response != "known":
        return True
    return METHODS[method].seeded and (kind == "predictions" or (of_ldr and kind == "attention"))


def floor_of(method: str, kind: Kind, of_ldr: bool) -> str:
    """Return the floor with the same knowledge as a method: to beat it is to be better than doing nothing."""
    return "clipped_constant_srgb" if is_blind(method, kind, of_ldr) else "clipped_constant"

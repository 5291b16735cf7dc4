"""Which rows of scores are floors, and which of them knows as much as a method."""

FLOORS = {  # what is done without a network, and how the tables call it
    "clipped_constant": "clipped x constant, known CRF",
    "clipped_constant_srgb": "clipped x constant, as sRGB",
    "input_crf": "LDR input, known CRF",
    "input_srgb": "LDR input, as sRGB",
}
BLIND = ("network_srgb", "network_auto", "network_mertens", "clipped_constant_srgb", "input_srgb")


def is_blind(method: str, kind: str, of_ldr: bool) -> bool:
    """Whether a score was reached without the input's camera response.

    Args:
        kind: of the variant: "attention", "baseline" or "predictions". Other programs are not told it, and HDR-AttNet
            generates its exposures without it.
        of_ldr: the score is of the generated exposures.
    """
    if method in BLIND:
        return True
    network = method in ("network", "step0", "network_debevec")
    return network and (kind == "predictions" or (of_ldr and kind == "attention"))


def floor_of(method: str, kind: str, of_ldr: bool) -> str:
    """The floor that knows as much as a method: better than doing nothing is what is better than that."""
    return "clipped_constant_srgb" if is_blind(method, kind, of_ldr) else "clipped_constant"

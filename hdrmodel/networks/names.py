"""The names that a person types, without PyTorch, for help texts; the tests hold them to what they name."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]

ATTENTION_NAMES = ("base", "spatial", "channel", "bottleneck", "se", "self")  # variants of HDR-AttNet
BASELINE_NAMES = ("hdrcnn", "expandnet", "hdrunet", "lightunet")  # of other papers, and our own that learns light
VARIANT_WORDS = f"{', '.join(ATTENTION_NAMES)}; or a network beside it: {', '.join(BASELINE_NAMES)}"
PRESET_NAMES = ("attnet", "base2023", "light")  # HDR-AttNet's activations; "light" reaches farther
LARGEST_WIDTH = 4  # 995 million parameters; far above, their number leaves 64 bits

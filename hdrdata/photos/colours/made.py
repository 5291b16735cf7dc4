"""Colour profiles (ICC 4.3) of RGB with sRGB's curve and any primaries, the same bytes each time."""

import struct

import numpy as np
from jaxtyping import Float

D50 = (0.9642, 1.0, 0.8249)  # the white of the profile connection space
BT709_TO_D50 = np.array(  # BT.709's primaries in XYZ, adapted from D65 to D50 by Bradford; as sRGB's profiles round it
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
ADAPTED = ((1.04791, 0.02293, -0.05021), (0.02960, 0.99046, -0.01707), (-0.00925, 0.01507, 0.75179))  # D65 to D50
CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # of type 3: (a x + b)^g from d up, c x below; sRGB's
NAMES = ("desc", "cprt", "wtpt", "chad", "rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC")


def rgb_profile(name: str, to_bt709: Float[np.ndarray, "3 3"] | None = None) -> bytes:
    """A profile.

    Args:
        name: as programs show it.
        to_bt709: matrix from its linear light, with white D65, to BT.709; None: its primaries are BT.709's.
    """
    colorants = (BT709_TO_D50 if to_bt709 is None else BT709_TO_D50 @ to_bt709).T
    curve = b"para" + struct.pack(">4xHxx", 3) + _fixed(CURVE)
    contents = [_text(name), _text("no copyright, use freely"), _xyz(D50)]
    contents += [b"sf32" + bytes(4) + _fixed(np.ravel(ADAPTED)), *map(_xyz, colorants), curve, curve, curve]
    place = 128 + 4 + 12 * len(NAMES)
    table, body = struct.pack(">I", len(NAMES)), b""
    places: dict[bytes, int] = {}
    for tag, content in zip(NAMES, contents, strict=True):
        if content not in places:
            places[content] = place + len(body)
            body += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", tag.encode(), places[content], len(content))
    head = struct.pack(
        ">I4xI4s4s4s6H4s28xII", place + len(body), 0x04300000, b"mntr", b"RGB ", b"XYZ ", 2000, 1, 1, 0, 0, 0, b"acsp",
        0, 0,
    )  # fmt: skip
    head = head[:64] + struct.pack(">I", 0) + _fixed(D50)  # perceptual, as sRGB's own
    return head + bytes(128 - len(head)) + table + body


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _xyz(values: tuple[float, ...] | np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: tuple[float, ...] | np.ndarray) -> bytes:
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)

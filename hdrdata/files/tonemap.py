"""Tone mapping operators: radiance to display-referred [0, 1]."""

import cv2
import numpy as np
from jaxtyping import Float32

from hdrdata.files.quiet import quiet_decoders


def tonemap_reinhard(radiance: Float32[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width 3"]:
    """Reinhard and Devlin 2005, as OpenCV computes it: gamma 2.2, intensity 0, light_adapt 0.5, color_adapt 0.

    OpenCV first maps the picture's smallest and largest value to 0 and 1, so that the result does not depend on scale.

    Args:
        radiance: >= 0, finite, any scale.

    Returns:
        display-referred [0, 1].
    """
    operator = cv2.createTonemapReinhard(gamma=2.2, intensity=0.0, light_adapt=0.5, color_adapt=0.0)
    with quiet_decoders():  # 5.0 warns of its own code here
        mapped = operator.process(np.ascontiguousarray(radiance[:, :, ::-1], dtype=np.float32))
    return np.ascontiguousarray(np.clip(np.nan_to_num(mapped), 0, 1)[:, :, ::-1])


def to_uint8(display: np.ndarray) -> np.ndarray:
    """Display-referred [0, 1] to uint8 [0, 255], rounded."""
    return np.round(np.clip(display, 0, 1) * 255).astype(np.uint8)

"""Read the light of files for displays: Ultra HDR and other gain maps, PQ and HLG."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from hdrdata.photos.photo import check_file, read_photo

WHITE = 203.0  # cd/m2 of 1.0: an SDR display's white
ENCODED = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".avif": "AVIF", ".heic": "HEIC", ".heif": "HEIF",
           ".hif": "HEIF", ".jxl": "JPEG XL"}  # fmt: skip
HDR_NOTE = "an HDR picture ("


def read_encoded(path: Path) -> tuple[Float32[np.ndarray, "height width 3"], str]:
    """Return the light of an HDR photograph (a gain map with all of its gain, PQ or HLG), and the file's format.

    Returns:
        linear RGB, BT.709 primaries, where 1.0 is 203 cd/m2; the format.

    Raises:
        ValueError: one line naming the file, if it cannot be read or is a display image.
    """
    check_file(path)
    photo = read_photo(path, own_colours=True)
    if photo.light is None:
        reasons = "".join(f"; {note}" for note in photo.notes if "gain map" in note)
        raise ValueError(
            f"{path}: a display image{reasons}; expected HDR: OpenEXR, Radiance, a gain map (Ultra HDR), PQ or HLG"
        )
    kind = next(note for note in photo.notes if note.startswith(HDR_NOTE)).removeprefix(HDR_NOTE).removesuffix(")")
    name = ENCODED[path.suffix.lower()]
    if "gain map" in kind:
        return photo.light, "Ultra HDR (JPEG with a gain map)" if name == "JPEG" else f"{name} with a gain map"
    return photo.light, f"{name}, {kind}"

"""One camera response for photographs of one camera (`--same-camera`)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hdrdata.cameras.clipping import clipped_values, fill_clipped
from hdrdata.cameras.curves.file_kinds import Device, device_of
from hdrdata.photos.formats.exif import load, made_by
from hdrdata.photos.photo import read_photo
from hdrmodel.prediction.reconstructor import HDRReconstructor, levels_of
from hdrmodel.prediction.settings import PredictSettings
from hdrmodel.reconstruction.posterior import Evidence
from hdrmodel.reconstruction.response import estimate_shared

MOST_PHOTOS = 24  # spread evenly; more change the estimate little


def with_shared_response(
    photos: Sequence[Path], reconstructor: HDRReconstructor, settings: PredictSettings
) -> PredictSettings:
    """Return settings with the response that is estimated from all photographs, in the place of "auto".

    Photographs that contain light and camera RAW files need no estimate and are left out, as are unreadable ones, which
    are reported where they are predicted.

    Raises:
        ValueError: if EXIF states different cameras, or the network's estimate has no evidence by level.
    """
    makers: dict[tuple[str, str], Path] = {}
    evidences: list[Evidence] = []
    device, levels = Device("unknown"), None
    for place in np.unique(np.linspace(0, len(photos) - 1, min(len(photos), MOST_PHOTOS)).astype(int)):
        photo = photos[place]
        try:
            read = read_photo(photo, own_colours=True, background=settings.background, gain_map=settings.gain_map)
        except (ValueError, OSError):
            continue
        if read.light is not None or read.is_raw:
            continue
        make, model, software = made_by(load(read.exif))
        makers.setdefault((make, model), photo)
        if len(makers) > 1:
            first, other = (f"{path}: EXIF states {' '.join(names).strip() or 'no camera'}"
                            for names, path in makers.items())  # fmt: skip
            raise ValueError(f"{other}, {first}; expected photographs of one camera with --same-camera")
        device, levels = device_of(make, model, software), levels or levels_of(read.ldr)
        clipped = clipped_values(read.ldr, None if settings.exact else read.clip_rule)
        evidences.append(reconstructor.evidence(fill_clipped(read.ldr, clipped)))
    if not evidences or levels is None or device.kind == "rendering":
        return settings
    response = estimate_shared(evidences, levels, device)
    return replace(settings, crf=response, shared_by=len(evidences))

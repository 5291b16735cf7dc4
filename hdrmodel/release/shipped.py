"""The shipped weights, their model card and their list of scenes; and light of one photograph by them, in one call."""

from functools import cache
from pathlib import Path

from jaxtyping import Float32
from numpy import ndarray

from hdrdata.photos.photo import read_photo
from hdrmodel.networks.weights import load_weights, save_weights
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.prediction.renditions import choose_response
from hdrmodel.release.files import WEIGHTS


def reconstruct(photo: Path | str, crf: str = "auto") -> Float32[ndarray, "height width 3"]:
    """Return the light of one photograph, predicted with the shipped weights.

        import hdrmodel
        radiance = hdrmodel.reconstruct("photo.jpg")

    Args:
        photo: a file of any size that `read_photo` reads.
        crf: its camera response, a name of `hdrdata crf list`; "auto": by the kind of file, as `hdrmodel predict`.

    Returns:
        linear RGB, BT.709 primaries; 1 is the light that clips the photograph. Colours outside sRGB have negative
        values. For an HDR image (PQ or HLG) its own light, where 1 is 203 cd/m2.

    Raises:
        ValueError: one line naming the file, if it cannot be read, or the camera response, if it is not known.
    """
    read = read_photo(photo, own_colours=True)
    if read.light is not None:
        return read.light
    chosen = choose_response(read, crf)
    radiance = _reconstructor().predict(read.ldr, rule=read.clip_rule, crf=chosen.crf, source=chosen.source).radiance
    if read.above is not None:
        read.above.keep_in(radiance)
    return radiance if read.to_bt709 is None else (radiance @ read.to_bt709.T).astype(radiance.dtype)


@cache
def _reconstructor() -> HDRReconstructor:
    return HDRReconstructor.from_file(WEIGHTS)


def write_release(weights: Path, path: Path, about: dict[str, str]) -> str:
    """Write a file of weights in half floats, half its size; the network that reads it computes in single precision.

    Args:
        weights: what `train` wrote.
        about: further facts for the header, such as what it was trained on.

    Returns:
        the SHA-256 of the file.
    """
    network, header = load_weights(weights)
    kept = {name: str(header[name]) for name in ("variant", "seed", "data") if name in header}
    return save_weights(path, network.half(), {**kept, **about})

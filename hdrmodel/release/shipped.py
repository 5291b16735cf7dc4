"""The shipped weights, their model card and their list of scenes; and light of one photograph by them, in one call."""

from functools import lru_cache
from pathlib import Path

from jaxtyping import Float32
from numpy import ndarray

from hdrdata.cameras.crf_names import choose_crf
from hdrmodel.networks.weights import load_weights, save_weights
from hdrmodel.photos.photo import read_photo
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.release.names import WEIGHTS


def reconstruct(photo: Path | str, crf: str = "srgb") -> Float32[ndarray, "height width 3"]:
    """The light of one photograph, by the weights that come with the package.

    import hdrmodel
    radiance = hdrmodel.reconstruct("photo.jpg")

    Args:
        photo: a JPEG, PNG, TIFF or WebP file of any size.
        crf: its camera response, a name of `hdrdata crf list`; "auto": estimated from the photograph.

    Returns:
        linear RGB, BT.709 primaries, >= 0; 1 is what saturates the photograph.

    Raises:
        ValueError: one line naming the file, if it cannot be read, or the camera response, if it is not known.
    """
    return _reconstructor(crf)(read_photo(photo).ldr)


@lru_cache(maxsize=4)
def _reconstructor(crf: str) -> HDRReconstructor:
    return HDRReconstructor.from_file(WEIGHTS, crf="auto" if crf == "auto" else choose_crf(crf))


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

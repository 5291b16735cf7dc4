"""Make an HDR file of anyone's photograph."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from hdrdata.crf import CameraResponse, srgb_crf
from hdrdata.disk import sha256_of
from hdrdata.files import quiet_opencv, write_exr, write_png
from hdrdata.tonemap import to_uint8, tonemap_reinhard
from hdrmodel.batches import to_batch
from hdrmodel.reconstruct import HALF_STOPS, reconstruct
from hdrmodel.variants import Network
from hdrmodel.weights import choose_device, load_weights


def read_photo(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an 8-bit picture as RGB, upright by its EXIF orientation.

    Raises:
        ValueError: one line naming the file, if it is empty, unreadable, or not of 8 bits.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    content = path.read_bytes()
    if not content:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    try:
        with quiet_opencv():
            stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            upright = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"{path}: not a readable picture: {error.err}") from error
    if stored is None or upright is None:
        raise ValueError(f"{path}: not a readable picture; wanted JPEG, PNG, TIFF or WebP")
    if stored.dtype != np.uint8:
        raise ValueError(f"{path}: {stored.dtype} values; wanted an 8-bit picture")
    if stored.ndim == 3 and stored.shape[2] == 4 and (stored[:, :, 3] < 255).any():
        raise ValueError(f"{path}: has transparent pixels; wanted an opaque picture")
    return cv2.cvtColor(upright, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Prediction:
    """The radiance map of a photograph; 1 is what saturates the photograph."""

    radiance: Float32[np.ndarray, "height width 3"]
    stack: Float32[np.ndarray, "exposures height width 3"]
    evs: tuple[float, ...]

    @property
    def preview(self) -> UInt8[np.ndarray, "height width 3"]:
        """Tone mapped by Reinhard's operator."""
        return to_uint8(tonemap_reinhard(self.radiance))


class HDRReconstructor:
    """From photographs to radiance maps with one set of weights.

    HDRReconstructor.from_file(Path("weights.safetensors"))(ldr).radiance
    """

    def __init__(self, network: Network, device: str = "auto", crf: CameraResponse | None = None):
        """Hold a network on a device.

        Args:
            network: of any variant, with trained weights.
            device: "auto", "cpu" or "cuda".
            crf: the photographs' camera response; sRGB if None.
        """
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.crf = crf or srgb_crf()

    @classmethod
    def from_file(cls, weights: Path, device: str = "auto", crf: CameraResponse | None = None) -> "HDRReconstructor":
        """Read weights that `train` wrote; raises ValueError that names the file if it is none."""
        return cls(load_weights(Path(weights))[0], device, crf)

    def __call__(self, ldr: UInt8[np.ndarray, "height width 3"]) -> Prediction:
        """Reconstruct one RGB photograph of any size."""
        made = reconstruct(self.network, to_batch(ldr[None]).to(self.device), HALF_STOPS, self.crf)
        return Prediction(made.radiance, made.stack, HALF_STOPS)


def predict_file(photo: Path, out: Path, reconstructor: HDRReconstructor, weights_sha256: str) -> Path:
    """Write the radiance map of `photo` to the EXR file `out`, and a tone-mapped PNG preview beside it.

    Returns:
        the preview's path.
    """
    prediction = reconstructor(read_photo(photo))
    preview = out.with_suffix(".preview.png")
    attributes = {
        "hdrmodel.input": photo.name,
        "hdrmodel.input_sha256": sha256_of(photo),
        "hdrmodel.weights_sha256": weights_sha256,
        "hdrmodel.unit": "1.0 is what saturates the photograph; linear RGB, BT.709 primaries",
    }
    write_exr(out, prediction.radiance, attributes)
    write_png(preview, prediction.preview)
    return preview

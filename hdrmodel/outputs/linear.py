"""Linear files: OpenEXR and Radiance."""

from pathlib import Path

import numpy as np

from hdrdata.files.disk import written_whole
from hdrdata.files.exr import write_exr
from hdrmodel.outputs.bands import Light, Lost, Radiance, Scale, Source, Writer, bands, fill, notes_of
from hdrmodel.outputs.exif import exr_attributes

CHROMATICITIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x and y of red, green, blue, white: BT.709, D65
PREDICTED = "predicted"  # layer of an OpenEXR file: 1 for values that the network filled in, 0 for others
LONGEST_COMMENT = 400  # letters; readers take lines of a limited length
RGBE_PEAK = 255 / 256 * 2.0**127  # the exponent's byte goes to 255, which is 127


def exr_writer(dtype: type[np.floating]) -> Writer:
    """A writer of OpenEXR files of half or of single floats."""

    def write(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
        pixels, lost, peak = radiance, Lost(), float(np.finfo(dtype).max)
        if dtype is not np.float32 or scale.white != 1:
            pixels = np.empty(radiance.shape, dtype)
            lost = fill(pixels, radiance, scale.white, peak, lambda light: light, least=-peak)
        facts = {f"hdrmodel.{name}": text for name, text in source.facts.items()}
        attributes = exr_attributes(source.metadata.exif) | facts
        attributes |= {"chromaticities": CHROMATICITIES, "whiteLuminance": scale.nits / scale.white}
        layers = None if source.mask is None else {PREDICTED: source.mask.astype(np.float16)}
        write_exr(path, pixels, attributes, layers)
        return notes_of(lost, radiance, f"{peak:.6g}, the largest {np.dtype(dtype).name}")

    return write


def rgbe_rounded(light: Light) -> Light:
    """The nearest light that RGBE holds exactly: 8 bits a channel under the exponent of the largest.

    An encoder cuts off instead, as Ward's, whose decoder adds half a step. The usual readers do not add it, and would
    see all light 0.43 steps (0.2 to 0.3 % of the largest channel) too dark.
    """
    exponent = np.frexp(light.max(axis=2, keepdims=True))[1]  # of the largest, as a number in [0.5, 1)
    step = np.ldexp(np.float32(1), exponent - 8)
    step = np.where(np.round(light / step).max(axis=2, keepdims=True) > 255, 2 * step, step)  # rounded up to 1.0
    return np.round(light / step) * step


def write_hdr(path: Path, radiance: Radiance, scale: Scale, source: Source) -> list[str]:
    """Write a Radiance picture, run-length encoded where its width allows; short facts become comments."""
    import imagecodecs  # OpenCV would encode by way of a temporary file elsewhere

    height, width, _ = radiance.shape
    comments = "".join(
        f"# hdrmodel.{name}={line}\n"
        for name, text in source.facts.items()
        if len(line := " ".join(text.split())) <= LONGEST_COMMENT
    )
    primaries = " ".join(map(str, CHROMATICITIES))
    head = (
        f"#?RADIANCE\n{comments}EXPOSURE=1\nPRIMARIES={primaries}\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n"
    )
    lost = Lost()
    with written_whole(path) as temporary, temporary.open("wb") as file:
        file.write(head.encode())
        for rows in bands(height, width):
            light = np.empty_like(radiance[rows])
            part = fill(light, radiance[rows], scale.white, RGBE_PEAK, rgbe_rounded)
            lost = Lost(lost.above + part.above, lost.outside + part.outside)
            space = bytearray(light.nbytes)  # its own guess is too small for noise
            file.write(imagecodecs.rgbe_encode(light, header=False, rle=True, out=space))
    return notes_of(lost, radiance, f"{RGBE_PEAK:.2g}, the largest number of RGBE")

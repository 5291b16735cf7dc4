"""Merge display pictures: JPEG, HEIC, PNG, TIFF and others, of 8 or 16 bits."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from hdrdata.cameras.crf import CameraResponse, sampled_crf
from hdrdata.cameras.crf_names import choose_crf
from hdrdata.cameras.merge import hat
from hdrdata.files.hdr.primaries import convert
from hdrdata.merge.alignment import Alignment, align, unmoved
from hdrdata.merge.exposures import Agreement, Comparison, check_brightness
from hdrdata.merge.raw import check_size
from hdrdata.photos.photo import Photo, read_photo

SAMPLES = 400  # values of each picture that the response is found from
BANDS = 64  # of brightness; the flatter half of the picture counts in each
SMOOTHNESS = 24.0  # lambda of the response: 10, which is usual for 70 values, for as many as there are here
EXPOSED = (0.12, 0.88)  # of the range: pictures are compared there, where a level is a small step of light
Radiance = Float32[np.ndarray, "height width 3"]


def merge_display(
    paths: Sequence[Path], exposures: Float64[np.ndarray, " pictures"], response: str, hand_held: bool
) -> tuple[Radiance, Agreement, Alignment, CameraResponse]:
    """Return radiance, agreement, alignment and the camera response.

    ln E = sum w(z) (g(z) - ln e) / sum w(z) by channel: Debevec and Malik, SIGGRAPH 1997, equation 6.

    OpenCV's own merge weights a pixel by the mean of its channels and gives saturated levels a weight. A channel that
    clips then changes the others, and pixels that are clipped in every picture become darker than their neighbours.

    Pictures are merged in their own primaries, and their light is converted to Rec.709; colours outside are negative.
    """
    photos = [read_photo(path, own_colours=True) for path in paths]
    _check_alike(paths, photos)
    pictures = [photo.ldr for photo in photos]
    if len({picture.dtype for picture in pictures}) > 1:  # one that was converted is deeper
        pictures = [p if p.dtype == np.uint16 else p.astype(np.uint16) * np.uint16(257) for p in pictures]
    height, width = pictures[0].shape[:2]
    alignment = unmoved(height, width, len(pictures))
    if hand_held:
        alignment = align([cv2.cvtColor(_of_8_bits(picture), cv2.COLOR_RGB2GRAY) for picture in pictures])
    pictures = [alignment.common(index, picture) for index, picture in enumerate(pictures)]
    most = np.iinfo(pictures[0].dtype).max
    check_brightness(paths, exposures, [float(picture.mean(dtype=np.float64)) / most for picture in pictures])

    values = np.arange(most + 1) / most
    log_response = np.log(_response_of(pictures, exposures, response, values)).astype(np.float32)
    weight = hat(values).astype(np.float32)  # 0 at black, and from 254 of 255 on
    saturated = hat(values, upper_only=True) <= 0
    logs = [log_response - np.float32(np.log(exposure)) for exposure in exposures]  # ln radiance, by level
    radiance = np.empty(pictures[0].shape, dtype=np.float32)
    for channel in range(3):  # one at a time in memory
        levels = [picture[:, :, channel] for picture in pictures]
        total = sum((weight * log)[level] for level, log in zip(levels, logs, strict=True))
        weights = sum(weight[level] for level in levels)
        bound = np.where(saturated[levels[0]], logs[0][levels[0]], logs[-1][levels[-1]])
        radiance[:, :, channel] = np.exp(np.where(weights > 0, total / np.where(weights > 0, weights, 1), bound))

    compared = Comparison(radiance)
    for picture, log in zip(pictures, logs, strict=True):
        exposed = np.all((picture > EXPOSED[0] * most) & (picture < EXPOSED[1] * most), axis=2)
        compared.add(log[picture] / np.float32(np.log(2)), exposed)
    matrix = photos[0].to_bt709
    if matrix is not None:
        radiance = convert(radiance.astype(np.float64), matrix).astype(np.float32)
    return radiance, compared.agreement(), alignment, _curve_of(np.exp(log_response[:: most // 255].astype(np.float64)))


def _curve_of(exposures: Float64[np.ndarray, " 256"]) -> CameraResponse:
    """Return the camera response of the relative exposures of the levels 0 to 255; black is 0."""
    light = np.r_[0.0, exposures[1:] / exposures[255]]
    rising = np.r_[True, np.diff(np.maximum.accumulate(light)) > 0]
    return sampled_crf("calibrated", light[rising], np.r_[np.flatnonzero(rising)[:-1] / 255, 1.0])


def _check_alike(paths: Sequence[Path], photos: Sequence[Photo]) -> None:
    """Raise ValueError for pictures of different sizes or colours, and for HDR ones."""
    for path, photo in zip(paths, photos, strict=True):
        check_size(path, photo.ldr.shape, paths[0], photos[0].ldr.shape)
        if photo.light is not None:
            raise ValueError(f"{path}: an HDR picture; expected photographs of a display's range, or RAW")
        own, first = photo.to_bt709, photos[0].to_bt709
        if not (own is first is None or (own is not None and first is not None and np.allclose(own, first, atol=2e-3))):
            raise ValueError(f"{path}: its colours have other primaries than {paths[0]}; expected one colour profile")


def _of_8_bits(picture: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    return picture if picture.dtype == np.uint8 else np.rint(picture / 257).astype(np.uint8)


def _response_of(
    pictures: Sequence[np.ndarray], exposures: Float64[np.ndarray, " pictures"], response: str, values: np.ndarray
) -> Float64[np.ndarray, " levels"]:
    """Return the relative exposure of each level, > 0; a known camera rounds, so a level is the middle of its step."""
    if response == "calibrate":
        table = calibrate_response([_of_8_bits(picture) for picture in pictures], exposures)
        return np.exp(np.interp(255 * values, np.arange(256), np.log(table)))
    values = values.copy()
    values[0] = values[1] / 4  # of the half step that is black
    return choose_crf(response).inverse(values)


def calibrate_response(
    pictures: Sequence[UInt8[np.ndarray, "height width 3"]], exposures: Float64[np.ndarray, " pictures"]
) -> Float64[np.ndarray, " 256"]:
    """Return the relative exposure that gives each level, found from the pictures themselves.

    One curve for the three channels, as digital cameras have it: a curve each drifts apart, and tints what is brighter
    or darker than most. Its values are means of 3 x 3 pixels where all pictures are flat, so that noise, motion and
    edges do not count, and are spread evenly over the range of brightness, so that a small lamp counts as much as a
    wide floor. Level 128 gets 1. Noise never makes it decrease.

    Raises:
        ValueError: if the pictures are too alike.
    """
    height, width = pictures[0].shape[:2]
    step = max(round((height * width / 250_000) ** 0.5), 1)
    means = [cv2.blur(picture, (3, 3)) for picture in pictures]
    squares = [(picture.astype(np.float32) - mean) ** 2 for picture, mean in zip(pictures, means, strict=True)]
    rough = np.sum([cv2.blur(square, (3, 3))[::step, ::step].ravel() for square in squares], axis=0)
    values = np.stack([mean[::step, ::step].ravel() for mean in means])  # (pictures, values)
    brightness = values.sum(axis=0, dtype=np.int64)
    order = np.argsort(brightness, kind="stable")
    bands = np.array_split(order, BANDS)
    order = np.concatenate([band[np.argsort(rough[band], kind="stable")[: max(8, len(band) // 2)]] for band in bands])
    order = order[np.argsort(brightness[order], kind="stable")]
    spread = np.linspace(brightness[order[0]], brightness[order[-1]], SAMPLES)
    places = order[np.searchsorted(brightness[order], spread)]
    try:
        response = np.maximum.accumulate(np.exp(solve_response(values[:, places], exposures)))
    except np.linalg.LinAlgError:
        response = np.zeros(256)
    if not (np.isfinite(response).all() and (response > 0).all()):
        raise ValueError("the pictures hold too few levels to find the camera's response; expected --response srgb")
    return response


def solve_response(
    levels: UInt8[np.ndarray, "pictures samples"], exposures: Float64[np.ndarray, " pictures"]
) -> Float64[np.ndarray, " 256"]:
    """Return g, the log exposure of each level: Debevec and Malik, SIGGRAPH 1997, equation 3, by least squares.

    Equations, each times the weight w of its level: g(level) - light = ln exposure for each sample and picture, second
    differences of g times lambda = 0, and g(128) = 0. The light of a sample is in its own equations only, as the
    weighted mean of g - ln exposure, so it is eliminated and 256 unknowns remain. OpenCV solves the same system with
    all unknowns in single precision: its result depends on the number of threads in the third digit, and takes forty
    times as long while other programs run.

    Raises:
        numpy.linalg.LinAlgError: if the equations do not determine g.
    """
    weight = np.minimum(np.arange(256.0), np.arange(255.0, -1, -1))  # 0 at black and white
    each = np.zeros((levels.shape[1], 256))  # sum of w^2 over the pictures, of each sample by level
    known = np.zeros_like(each)  # the same of w^2 ln exposure
    for picture, exposure in zip(levels, exposures, strict=True):
        squares = weight[picture] ** 2
        each[np.arange(len(picture)), picture] += squares
        known[np.arange(len(picture)), picture] += squares * np.log(exposure)
    total = np.maximum(each.sum(axis=1, keepdims=True), 1e-9)  # 0 of a sample that is black or white in all pictures
    bends = SMOOTHNESS * weight[1:-1, None] * (np.eye(254, 256) - 2 * np.eye(254, 256, 1) + np.eye(254, 256, 2))
    normal = np.diag(each.sum(axis=0)) - each.T @ (each / total) + bends.T @ bends
    normal[128, 128] += 1  # any constant solves the others
    return np.linalg.solve(normal, known.sum(axis=0) - each.T @ (known.sum(axis=1, keepdims=True) / total).ravel())

"""How far is merged light from the truth, beside OpenCV's Debevec and Robertson with AlignMTB?

Brackets of three sample scenes, each through another measured camera, with photon and read noise, JPEG, and a hand's
motion of up to 20 pixels and 1 degree; times are known, the response is not. Errors are stops of light after one gain a
picture, where at least one picture is neither clipped nor nearly black. Goal: a smaller error than both in every row.

    python benchmarks/brackets.py [--scenes data/scenes] [--bracket FOLDER]

With --predict FOLDER, light is predicted from the middle photograph of a bracket with each camera response and compared
with the merged light of all; FOLDER contains photographs with exposure times, in EXIF or in times.csv.

    python benchmarks/brackets.py --predict FOLDER
"""

import argparse
import csv
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hdrdata.cameras.crf_names import choose_crf
from hdrdata.cameras.measured import measured_crf
from hdrdata.files.quiet import quiet_decoders
from hdrdata.files.radiance import read_radiance
from hdrdata.merge.brackets import MergeConfig, merge_bracket
from hdrdata.merge.exposures import read_exposures
from hdrdata.photos.finding import PHOTO_SUFFIXES
from hdrdata.photos.photo import read_photo
from hdrdata.views.panorama import views_of_panorama

SCENES = ("workshop", "evening_street", "noon_courtyard")
CAMERAS = ("Canon EOS 5D Mark II", "Sony ILCE-6000", "Xiaomi M2007J17C")
BRACKETS = {"5 exposures of 2 stops": np.arange(-4.0, 5, 2), "9 exposures of 1 stop": np.arange(-4.0, 5)}
SIZE, MARGIN = 384, 48  # pixels of a picture, and of the scene around it
QUALITY, WELL, READ_NOISE = 92, 15_000, 4  # of JPEG; electrons
SHIFT, TURN = 20, 1.0  # pixels and degrees, at most


def photograph(light: np.ndarray, camera, exposure: float, chance: np.random.Generator, hand: bool) -> np.ndarray:
    """Return the picture of SIZE pixels that a camera makes of light, 1 of which fills its sensor at exposure 1."""
    side = light.shape[0]
    if hand:
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), chance.uniform(-TURN, TURN), 1)
        matrix[:, 2] += chance.uniform(-SHIFT, SHIFT, 2)
        light = cv2.warpAffine(light, matrix, (side, side), flags=cv2.INTER_LINEAR)
    seen = light[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float64) * exposure
    electrons = chance.poisson(np.minimum(seen, 4) * WELL) + chance.normal(0, READ_NOISE, seen.shape)
    return np.rint(255 * camera(np.clip(electrons / WELL, 0, 1))).astype(np.uint8)


def opencv_merge(pictures: list[np.ndarray], times: np.ndarray, method: str, hand: bool) -> np.ndarray:
    """Return OpenCV's radiance by its defaults."""
    times = times.astype(np.float32)
    with quiet_decoders():
        if hand:
            aligned = [np.empty_like(picture) for picture in pictures]
            cv2.createAlignMTB(cut=False).process(pictures, aligned)
            pictures = aligned
        response = getattr(cv2, f"createCalibrate{method}")().process(pictures, times)
        return getattr(cv2, f"createMerge{method}")().process(pictures, times, response)


def errors(merged: np.ndarray, truth: np.ndarray, seen: np.ndarray) -> tuple[float, float]:
    """Return the root mean square and the 95th percentile of the stops by which merged light is off."""
    stops = np.log2(np.clip(np.nan_to_num(merged[seen]), 1e-9, 1e9) / truth[seen])
    stops = np.clip(stops - np.median(stops), -6, 6)
    return float(np.sqrt(np.mean(stops**2))), float(np.percentile(np.abs(stops), 95))


def compare(pictures: list[np.ndarray], times: np.ndarray, truth: np.ndarray, hand: bool) -> dict[str, tuple]:
    """Return the errors of each way to merge the pictures, which lie in increasing exposure."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(len(pictures))]
        for path, picture in zip(paths, pictures, strict=True):
            Image.fromarray(picture).save(path)
        ours = merge_bracket(paths, times.tolist(), MergeConfig(response="calibrate", align=hand))
    seen = np.any([(picture > 10) & (picture < 245) for picture in pictures], axis=0)
    edge = 32 if hand else 0  # what all pictures show
    seen[:edge], seen[-edge or len(seen) :], seen[:, :edge], seen[:, -edge or len(seen) :] = False, False, False, False
    place = ours.alignment
    whole = np.full(truth.shape, np.nan, np.float32)
    whole[place.top : place.top + place.height, place.left : place.left + place.width] = ours.radiance
    found = {"hdrdata merge": errors(whole, truth, seen & np.isfinite(whole))}
    for method in ("Debevec", "Robertson"):
        found[f"OpenCV {method}"] = errors(opencv_merge(pictures, times, method, hand), truth, seen)
    return found


def rendered(scenes: Path) -> dict[str, list[dict[str, tuple]]]:
    """Return the errors by kind of bracket, one entry a scene."""
    rows: dict[str, list[dict[str, tuple]]] = {}
    for name, model in zip(SCENES, CAMERAS, strict=True):
        panorama, camera = read_radiance(scenes / f"{name}.exr"), measured_crf(model)
        view = views_of_panorama(panorama, SIZE + 2 * MARGIN, 80, 0, (30,))[0]
        light = view / np.percentile(view, 60)  # the middle exposure is that of a camera's meter
        truth = light[MARGIN:-MARGIN, MARGIN:-MARGIN]
        for label, evs in BRACKETS.items():
            for hand in (False, True):
                chance, times = np.random.default_rng(len(name)), 0.2 * 2**evs
                pictures = [photograph(light, camera, time, chance, hand and ev != 0)
                            for ev, time in zip(evs, times, strict=True)]  # fmt: skip
                options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
                pictures = [cv2.imdecode(cv2.imencode(".jpg", p, options)[1], cv2.IMREAD_COLOR) for p in pictures]
                kind = f"{label}, {'hand-held' if hand else 'tripod'}"
                rows.setdefault(kind, []).append(compare(pictures, times, truth, hand))
    return rows


def real(folder: Path) -> dict[str, tuple]:
    """Return the errors for photographs of a measured camera, whose light is known by its measured response."""
    with (folder / "times.csv").open() as file:
        facts = list(csv.DictReader(file))
    camera = measured_crf("Xiaomi M2007J17C")
    pictures = [np.array(Image.open(folder / row["file"]).convert("RGB")) for row in facts]
    exposures = np.array([2 ** float(row["log2_exposure_used"]) for row in facts])
    order = np.argsort(exposures)
    pictures, exposures = [pictures[place] for place in order], exposures[order]
    table = np.log(np.maximum(camera.inverse(np.arange(256) / 255), 1e-6))
    weights = np.minimum(np.arange(256), 254 - np.arange(256)).clip(1e-3)
    total = sum(weights[p] * (table[p] - np.log(e)) for p, e in zip(pictures, exposures, strict=True))
    truth = np.exp(total / sum(weights[p] for p in pictures))
    return compare(pictures, exposures, truth, hand=False)


def predict(folder: Path) -> None:
    """Print the error of light predicted from one exposure, and of the response, for each camera response."""
    from hdrdata.cameras.curves.file_kinds import UNKNOWN_DEVICE, device_of
    from hdrdata.photos.formats.exif import load, made_by
    from hdrmodel.prediction.reconstructor import HDRReconstructor
    from hdrmodel.release.files import WEIGHTS

    paths, times = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES), None
    if (folder / "times.csv").exists():
        with (folder / "times.csv").open() as file:
            stated = {row["file"]: 2 ** float(row["log2_exposure_used"]) for row in csv.DictReader(file)}
        times = [stated[path.name] for path in paths]
    merged = merge_bracket(paths, times, MergeConfig(response="calibrate", align=False))
    order = np.argsort(read_exposures(paths, times))
    photo = read_photo(paths[order[len(order) // 2]])
    truth = np.maximum(merged.radiance, 1e-9)
    device = device_of(*made_by(load(photo.exif)))
    reconstructor = HDRReconstructor.from_file(WEIGHTS, "cpu")
    known = {name: choose_crf(name) for name in ("srgb", "camera", "phone")}
    choices = {**known, "calibrated": merged.response, "auto": "auto", "auto, EXIF": "auto"}
    white = photo.ldr.max(axis=2) == np.iinfo(photo.ldr.dtype).max
    levels = np.arange(16, 240) / 255
    print(f"{paths[order[len(order) // 2]].name}: {100 * white.mean():.1f} % of the pixels clip; {device.kind}")
    print("| response | error of light in stops: rms, 95th percentile | clipped: rms | error of the response, rms |")
    print("|---|---|---|---|")
    for name, crf in choices.items():
        source = device if name == "auto, EXIF" else UNKNOWN_DEVICE
        made = reconstructor.predict(photo.ldr, crf=crf, source=source)
        off = np.log2(np.maximum(made.radiance, 1e-9) / truth)
        off = np.clip(off - np.median(off[~white]), -6, 6)
        curves = [np.log2(each.inverse(levels)) for each in (made.response, merged.response)]
        wrong = curves[0] - curves[1] - np.median(curves[0] - curves[1])
        rms = [float(np.sqrt(np.mean(values**2))) for values in (off, off[white], wrong) if values.size]
        clipped = f"{rms[1]:.3f}" if white.any() else "none"
        print(f"| {name} | {rms[0]:.3f}, {np.percentile(np.abs(off), 95):.3f} | {clipped} | {rms[-1]:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=Path, default=Path("data/scenes"))
    parser.add_argument("--bracket", type=Path, help="a folder of photographs with times.csv")
    parser.add_argument("--predict", type=Path, help="a folder of bracketed photographs, to predict from one of them")
    arguments = parser.parse_args()
    if arguments.predict:
        predict(arguments.predict)
        return
    rows = rendered(arguments.scenes)
    methods = ("hdrdata merge", "OpenCV Debevec", "OpenCV Robertson")
    print(f"rms and 95th percentile of the error in stops, mean over {len(SCENES)} scenes, each by another camera\n")
    print(f"| bracket | {' | '.join(methods)} |\n|---|---|---|---|")
    for kind, found in rows.items():
        means = [np.mean([each[method] for each in found], axis=0) for method in methods]
        print(f"| {kind} | {' | '.join(f'{rms:.3f}, {high:.3f}' for rms, high in means)} |")
    if arguments.bracket:
        found = real(arguments.bracket)
        print(f"| photographs | {' | '.join('{:.3f}, {:.3f}'.format(*found[method]) for method in methods)} |")


if __name__ == "__main__":
    main()

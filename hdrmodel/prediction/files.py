"""Photographs in files to HDR files: one or a folder of them, each whole or not at all, going on where it was cut."""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from hdrdata.cameras.recipe import HALF_STOPS
from hdrdata.files.disk import digest_of, sha256_of
from hdrdata.sources.photographs import Exposure, read_exposure
from hdrmodel.outputs.bands import Scale
from hdrmodel.outputs.exposures import exposure_files, write_exposures
from hdrmodel.outputs.formats import FORMATS, write_output
from hdrmodel.photos.photo import PHOTO_SUFFIXES, find_photos, output_stems, read_photo, undisturbed
from hdrmodel.prediction.index import PredictionIndex, readable, remove_partial
from hdrmodel.prediction.reconstructor import HDRReconstructor, Origin, Photograph, Prediction, Progress

PREVIEW, STACK = "preview", "stack"  # of a photograph's outputs, those that are not its HDR files
LIGHT = {
    "stack": "merged from the generated exposures",
    "irradiance": "the estimated sensor exposure, scaled to the photograph",
}


OWN_LIGHT = "the photograph's own; where it clips, the network's"


@dataclass(frozen=True)
class PredictSettings:
    """What the files that are made depend on, beside the photograph."""

    formats: tuple[str, ...]  # names in FORMATS, no two of one suffix
    scale: Scale
    origin: Origin
    stack: bool  # also the nine exposures
    crf: str
    precision: str
    backend: str
    weights: str  # SHA-256
    variant: str

    def digest(self, name: str) -> str:
        """Of what one output depends on: of the settings but for those that choose the outputs, and its format."""
        kept = {key: value for key, value in asdict(self).items() if key not in ("formats", "stack")}
        return digest_of({**kept, "output": name})


@dataclass
class Outcome:
    """What became of one photograph."""

    input: str
    outputs: list[str] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    skipped: bool = False  # made before, by the same settings
    error: str | None = None


Told = Callable[[Outcome], None]


def predict_files(
    inputs: Sequence[str | Path],
    out: Path,
    reconstructor: HDRReconstructor,
    settings: PredictSettings,
    anew: bool = False,
    begun: Callable[[Path, int, int], Progress] = lambda photo, number, count: lambda share: None,
    told: Told = lambda outcome: None,
) -> list[Outcome]:
    """Make the HDR files of photographs; one that fails is told, and the others are made.

    Args:
        inputs: files, folders and patterns (`hdrmodel.photos.photo.find_photos`).
        out: of one photograph, a file whose suffix is that of a format; else a folder, which gets
            `<name>.<suffix>` for each format, `<name>.stack/`, and predictions.json, by which what was made is known
            when it is run again.
        begun: called before each photograph, with its number from 1 and the count; gives what is told the share done.
        told: called with each outcome.

    Returns:
        an outcome for each photograph; what this folder's list knows as made is none, wherever it is found.

    Raises:
        ValueError: before anything is made, if an input matches nothing, the network does not make what is asked for,
            predictions.json is damaged, or an output would take the place of an input or of another output.
    """
    reconstructor.check(settings.origin, settings.stack)
    index = None if _suffix_of(out) else PredictionIndex(out, anew)
    photos = [photo for photo in find_photos(tuple(inputs)) if index is None or photo not in index]
    if not photos:
        raise ValueError(f"{out}: all pictures that are given were made by this command; wanted photographs")
    places = _places(photos, inputs, out, settings)
    _check_places(places)
    if index:
        remove_partial({path.parent for outputs in places.values() for path in outputs.values()})
    outcomes = []
    for number, photo in enumerate(photos, start=1):
        progress = begun(photo, number, len(photos))
        outcome = _predict(photo, places[photo], reconstructor, settings, index, anew, progress)
        outcomes.append(outcome)
        told(outcome)
    return outcomes


def formats_of(out: Path, chosen: Sequence[str], preview: bool) -> tuple[str, ...]:
    """The formats that are asked for: those chosen, else that of OUT's suffix, else "exr"; and the preview.

    Raises:
        ValueError: if one is unknown, two have one suffix, or one does not go with OUT's suffix.
    """
    if unknown := [name for name in chosen if name not in FORMATS]:
        raise ValueError(f"unknown format '{unknown[0]}'; known: {', '.join(FORMATS)}")
    suffix = _suffix_of(out)
    names = list(dict.fromkeys(chosen)) or [next((n for n, made in FORMATS.items() if made.suffix == suffix), "exr")]
    for name in names:
        also = name == PREVIEW and names != [PREVIEW]  # beside OUT
        if suffix and FORMATS[name].suffix != suffix and not also:
            raise ValueError(
                f"{out}: format {name} is written as {FORMATS[name].suffix}; wanted a folder, or a name that ends so"
            )
    if preview and PREVIEW not in names:
        names.append(PREVIEW)
    by_name: dict[str, str] = {}
    for name in names:
        other = by_name.setdefault(FORMATS[name].suffix, name)
        if other != name:
            raise ValueError(f"formats {other} and {name} are both {FORMATS[name].suffix} files; wanted one of them")
    return tuple(names)


def _suffix_of(out: Path) -> str | None:
    """The suffix of a format in which OUT ends, the longest; None of a folder."""
    suffixes = sorted((made.suffix for made in FORMATS.values()), key=len, reverse=True)
    name = out.name.lower()
    found = next((suffix for suffix in suffixes if name.endswith(suffix) and len(name) > len(suffix)), None)
    return None if out.is_dir() else found


def _places(
    photos: list[Path], inputs: Sequence[str | Path], out: Path, settings: PredictSettings
) -> dict[Path, dict[str, Path]]:
    """For each photograph the path of each format, and of "stack"."""
    suffix = _suffix_of(out)
    if suffix:
        if len(photos) != 1:
            raise ValueError(f"{out}: one file for {len(photos)} photographs; wanted a folder")
        stems = {photos[0]: out.with_name(out.name[: -len(suffix)])}
    else:
        if out.exists() and not out.is_dir():
            suffixes = ", ".join(dict.fromkeys(made.suffix for made in FORMATS.values()))
            raise ValueError(f"{out}: is a file; wanted a folder, or a name that ends in one of {suffixes}")
        stems = {photo: out / stem for photo, stem in output_stems(photos, tuple(inputs)).items()}
    places = {}
    for photo, stem in stems.items():
        ends = {name: FORMATS[name].suffix for name in settings.formats}
        if settings.stack:
            ends[STACK] = ".stack"
        places[photo] = {
            name: out if end == suffix else stem.with_name(stem.name + end)  # OUT with its own capitals
            for name, end in ends.items()
        }
    return places


def _check_places(places: dict[Path, dict[str, Path]]) -> None:
    """Refuse outputs that would take the place of an input, by whatever name, or of one another."""
    inputs = {_identity(photo) for photo in places} - {None}
    makers: dict[str, Path] = {}
    for photo, outputs in places.items():
        for name, path in outputs.items():
            for file in exposure_files(path, len(HALF_STOPS)) if name == STACK else [path]:
                if _identity(file) in inputs:
                    raise ValueError(f"{file}: an output would take the place of this input; wanted another folder")
                other = makers.setdefault(os.path.abspath(file).casefold(), photo)
                if other != photo:
                    raise ValueError(f"{file}: would be made of {other} and of {photo}; wanted a folder for each")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:  # it is not there
        return None
    return status.st_dev, status.st_ino


def _predict(
    photo: Path,
    places: dict[str, Path],
    reconstructor: HDRReconstructor,
    settings: PredictSettings,
    index: PredictionIndex | None,
    anew: bool,
    progress: Progress,
) -> Outcome:
    outcome = Outcome(str(photo))
    start = time.perf_counter()
    digests = {path: settings.digest(name) for name, path in places.items()}
    try:
        if not photo.is_file():  # but a pipe, which would never end, or a link to nowhere
            raise ValueError(f"{photo}: no such file")
        digest = sha256_of(photo)
        if index and not anew:
            if index.holds(digests, digest):
                outcome.outputs, outcome.skipped = [str(path) for path in places.values()], True
                return outcome
            _check_strangers(places, index)
        with _memory_told(photo):
            read = read_photo(photo)
            outcome.height, outcome.width = read.ldr.shape[:2]
            outcome.notes.extend(read.notes)
            for name in settings.formats:
                FORMATS[name].check_size(photo, outcome.width, outcome.height)
            if index:
                index.begin(digests, digest)
            made = _reconstruct(photo, read.ldr, reconstructor, settings, progress)
            del read
            exposure = _exposure_of(photo)
            facts = facts_of(photo, digest, exposure, settings)
            if made.stack is not None:
                write_exposures(places[STACK], made.stack, HALF_STOPS, exposure, facts)
                made = replace(made, stack=None)  # whose memory the formats may need
            for name in settings.formats:
                outcome.notes += write_output(places[name], made.radiance, name, settings.scale, facts)
        if index:
            index.end(digests, digest)
        outcome.outputs = [str(path) for path in places.values()]
        outcome.seconds = round(time.perf_counter() - start, 2)
    except (ValueError, OSError) as error:
        outcome.error = " ".join(str(error).split())
        if index:
            index.forget_missing(digests)
    return outcome


def _reconstruct(
    photo: Path, ldr: Photograph, reconstructor: HDRReconstructor, settings: PredictSettings, progress: Progress
) -> Prediction:
    try:
        made = reconstructor.predict(ldr, settings.origin, settings.stack, progress)
    except ValueError as error:
        raise ValueError(f"{photo}: {error}") from error
    if not np.isfinite(made.radiance.max()):
        raise ValueError(f"{photo}: these weights make no finite light of it; wanted others, or --precision fp32")
    return made


def _check_strangers(places: dict[str, Path], index: PredictionIndex) -> None:
    """Refuse to replace a photograph of someone's by an output that has its name, such as a.jpg beside a.png."""
    for name, path in places.items():
        may_be_photo = name not in (PREVIEW, STACK) and path.suffix in PHOTO_SUFFIXES
        if may_be_photo and path.exists() and path not in index:
            raise ValueError(f"{path}: is there, not made here; wanted another folder, or --anew to replace it")


@contextlib.contextmanager
def _memory_told(photo: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError):
        raise
    except Exception as error:  # PyTorch, ONNX Runtime and OpenCV each have their own kinds of it
        if not isinstance(error, MemoryError) and not re.search("memory|alloc", str(error), re.IGNORECASE):
            raise
        raise ValueError(f"{photo}: not enough memory; a smaller --tile needs less") from error


def _exposure_of(photo: Path) -> Exposure:
    try:
        with undisturbed():
            return read_exposure(photo)
    except ValueError:  # damaged EXIF, which costs the picture nothing
        return Exposure(None, None, None, None)


def facts_of(photo: Path, digest: str, exposure: Exposure, settings: PredictSettings) -> dict[str, str]:
    """What a file of HDR light should tell of its making."""
    told = {"s": exposure.seconds, "f/": exposure.f_number, "ISO": exposure.iso}
    taken = ", ".join(f"{name} {value:g}" for name, value in told.items() if value is not None)
    return {
        "program": "hdr-attnet",
        "version": metadata.version("hdr-attnet"),
        "variant": settings.variant,
        "weights_sha256": settings.weights,
        "input": readable(photo.name),
        "input_sha256": digest,
        "exposure": taken or "unknown",
        "camera_response": settings.crf,
        "light": OWN_LIGHT if settings.variant == "lightunet" else LIGHT[settings.origin],
        "unit": f"linear RGB, BT.709 primaries; {settings.scale.white:g} is the light that saturates the photograph, "
        f"taken for {settings.scale.nits:g} cd/m2",
    }

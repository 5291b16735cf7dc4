"""Photographs in files to HDR files: one or a folder of them, each whole or not at all, going on where it was cut."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from hdrdata.disk import digest_of, read_json, sha256_of, write_json
from hdrdata.photographs import Exposure, read_exposure
from hdrmodel.outputs import FORMATS, Scale, write_output
from hdrmodel.outputs.exposures import write_exposures
from hdrmodel.photo import find_photos, output_stems, read_photo
from hdrmodel.predict import HDRReconstructor, Origin, Progress
from hdrmodel.reconstruct import HALF_STOPS

INDEX = "predictions.json"
INDEX_FORMAT = "hdrmodel-predictions-1"
LIGHT = {
    "stack": "merged from the generated exposures",
    "irradiance": "the estimated sensor exposure, scaled to the photograph",
}


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
        inputs: files, folders and patterns (`hdrmodel.photo.find_photos`).
        out: of one photograph, a file whose suffix is that of a format; else a folder, which gets
            `<name>.<suffix>` for each format, `<name>.stack/`, and predictions.json, by which what was made is known
            when it is run again.
        begun: called before each photograph, with its number from 1 and the count; gives what is told the share done.
        told: called with each outcome.

    Returns:
        an outcome for each photograph.

    Raises:
        ValueError: before anything is made, if an input matches nothing, two formats have one suffix, or an output
            would take the place of an input.
    """
    photos = find_photos(tuple(inputs))
    places = _places(photos, inputs, out, settings)
    taken = {photo.resolve() for photo in photos}
    for outputs in places.values():
        if overwritten := [path for path in outputs.values() if path.resolve() in taken]:
            raise ValueError(f"{overwritten[0]}: an output would take the place of this input; wanted another folder")
    index = None if _is_file(out) else _Index(out / INDEX, digest_of(asdict(settings)))
    outcomes = []
    for number, photo in enumerate(photos, start=1):
        progress = begun(photo, number, len(photos))
        outcome = _predict(photo, places[photo], out, reconstructor, settings, index, anew, progress)
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
    by_suffix = next((name for name, made in FORMATS.items() if made.suffix == out.suffix.lower()), "exr")
    names = list(dict.fromkeys(chosen)) or [by_suffix if _is_file(out) else "exr"]
    for name in names:
        suffix = FORMATS[name].suffix
        if _is_file(out) and name != "preview" and suffix != out.suffix.lower():
            raise ValueError(f"{out}: format {name} is written as {suffix}; wanted a folder, or a name that ends so")
    if preview and "preview" not in names:
        names.append("preview")
    by_name: dict[str, str] = {}
    for name in names:
        other = by_name.setdefault(FORMATS[name].suffix, name)
        if other != name:
            raise ValueError(f"formats {other} and {name} are both {FORMATS[name].suffix} files; wanted one of them")
    return tuple(names)


def _is_file(out: Path) -> bool:
    return not out.is_dir() and out.suffix.lower() in {made.suffix for made in FORMATS.values()}


def _places(
    photos: list[Path], inputs: Sequence[str | Path], out: Path, settings: PredictSettings
) -> dict[Path, dict[str, Path]]:
    """For each photograph the path of each format, and of "stack"."""
    if _is_file(out):
        if len(photos) != 1:
            raise ValueError(f"{out}: one file for {len(photos)} photographs; wanted a folder")
        stems = {photos[0]: out.with_suffix("")}
    else:
        if out.exists() and not out.is_dir():
            suffixes = ", ".join(dict.fromkeys(made.suffix for made in FORMATS.values()))
            raise ValueError(f"{out}: is a file; wanted a folder, or a name that ends in one of {suffixes}")
        stems = {photo: out / stem for photo, stem in output_stems(photos, tuple(inputs)).items()}
    places = {}
    for photo, stem in stems.items():
        places[photo] = {name: stem.with_name(stem.name + FORMATS[name].suffix) for name in settings.formats}
        if settings.stack:
            places[photo]["stack"] = stem.with_name(stem.name + ".stack")
    return places


def _predict(
    photo: Path,
    places: dict[str, Path],
    out: Path,
    reconstructor: HDRReconstructor,
    settings: PredictSettings,
    index: "_Index | None",
    anew: bool,
    progress: Progress,
) -> Outcome:
    outcome = Outcome(str(photo))
    start = time.perf_counter()
    try:
        with _memory_told(photo):
            digest = sha256_of(photo)
            key = next(iter(places.values())).relative_to(out).as_posix() if index else ""
            if index and not anew and index.holds(key, digest):
                outcome.outputs, outcome.skipped = [str(path) for path in places.values()], True
                return outcome
            read = read_photo(photo)
            outcome.height, outcome.width = read.ldr.shape[:2]
            outcome.notes.extend(read.notes)
            for name in settings.formats:
                FORMATS[name].check_size(photo, outcome.width, outcome.height)
            made = reconstructor.predict(read.ldr, settings.origin, settings.stack, progress)
            del read
            exposure = _exposure_of(photo)
            facts = facts_of(photo, digest, exposure, settings)
            for name in settings.formats:
                outcome.notes += write_output(places[name], made.radiance, name, settings.scale, facts)
                outcome.outputs.append(str(places[name]))
            if settings.stack:
                write_exposures(places["stack"], made.stack, HALF_STOPS, exposure, facts)
                outcome.outputs.append(str(places["stack"]))
        if index:
            index.add(key, digest, list(places.values()))
        outcome.seconds = round(time.perf_counter() - start, 2)
    except (ValueError, OSError) as error:
        outcome.error = " ".join(str(error).split())
        outcome.outputs = []
    return outcome


@contextlib.contextmanager
def _memory_told(photo: Path) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise ValueError(f"{photo}: not enough memory; a smaller --tile needs less") from error
    except RuntimeError as error:  # PyTorch's own kinds of it
        if "memory" not in str(error).lower():
            raise
        raise ValueError(f"{photo}: not enough memory; a smaller --tile needs less") from error


def _exposure_of(photo: Path) -> Exposure:
    try:
        return read_exposure(photo)
    except ValueError:  # a picture without EXIF that its reader knows
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
        "input": photo.name,
        "input_sha256": digest,
        "exposure": taken or "unknown",
        "camera_response": settings.crf,
        "light": LIGHT[settings.origin],
        "unit": f"linear RGB, BT.709 primaries; {settings.scale.white:g} is the light that saturates the photograph, "
        f"taken for {settings.scale.nits:g} cd/m2",
    }


class _Index:
    """What a folder's files were made of: predictions.json, written after each photograph."""

    def __init__(self, path: Path, settings: str):
        self.path, self.settings = path, settings
        self.photos: dict[str, dict] = {}
        with contextlib.suppress(ValueError, OSError):  # missing or damaged: all is made again
            content = read_json(path)
            if content.get("format") == INDEX_FORMAT and isinstance(content.get("photos"), dict):
                self.photos = content["photos"]

    def holds(self, key: str, digest: str) -> bool:
        """Whether the outputs of a photograph are there as they were made, by these settings."""
        made = self.photos.get(key, {})
        if (made.get("input_sha256"), made.get("settings")) != (digest, self.settings):
            return False
        return all(_size(self.path.parent / name) == size for name, size in made.get("outputs", {}).items())

    def add(self, key: str, digest: str, outputs: list[Path]) -> None:
        sizes = {path.relative_to(self.path.parent).as_posix(): _size(path) for path in outputs}
        self.photos[key] = {"input_sha256": digest, "settings": self.settings, "outputs": sizes}
        write_json(self.path, {"format": INDEX_FORMAT, "photos": self.photos})


def _size(path: Path) -> int:
    """Bytes of a file, or of a folder's files; -1 if it is not there."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    return path.stat().st_size if path.is_file() else -1

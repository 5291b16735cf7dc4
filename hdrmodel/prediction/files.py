"""Photographs in files to HDR files: one or a folder of them, each complete or absent; a cut run can continue."""

import contextlib
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hdrdata.cameras.clipping import fill_clipped
from hdrdata.cameras.crf import srgb_crf
from hdrdata.cameras.recipe import HALF_STOPS
from hdrdata.files.disk import sha256_of
from hdrdata.photos.colours.made import rgb_profile
from hdrdata.photos.finding import find_photos, left_out
from hdrdata.photos.formats.exif import exposure_of
from hdrdata.photos.photo import Photo, check_file, read_photo
from hdrmodel.networks.batches import to_ldr
from hdrmodel.outputs.bands import NO_METADATA, Metadata, Picture, Scale, bands
from hdrmodel.outputs.exposures import write_exposures
from hdrmodel.outputs.formats import MASK, OUTPUTS, write_output
from hdrmodel.outputs.ultrahdr.writing import own_jpeg
from hdrmodel.prediction.index import PredictionIndex, PredictionIndexes, check_writable
from hdrmodel.prediction.memory import memory_errors_named
from hdrmodel.prediction.places import STACK, check_places, places_of, suffix_of, without_limits
from hdrmodel.prediction.reconstructor import HDRReconstructor, Prediction, Progress
from hdrmodel.prediction.renditions import (
    SRGB,
    ChosenResponse,
    choose_response,
    response_facts,
    to_display_light,
)
from hdrmodel.prediction.same_camera import with_shared_response
from hdrmodel.prediction.settings import PredictSettings, facts_of
from hdrmodel.reconstruction.reconstruct import expose_again

DISPLAY = "display light: the look of the photograph below white"


@dataclass
class Outcome:
    """Result of one photograph: its files, or the error."""

    input: str
    outputs: list[str] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    clipped_values: int | None = None  # values that the network filled in; three a pixel
    below_white: int | None = None  # clipped values that a lossy format left below white
    response: str | None = None  # the camera response by which unclipped values became light, and why
    skipped: bool = False  # made before, by the same settings
    error: str | None = None  # why some or all of its outputs were not made


Ended = Callable[[Outcome], None]


def predict_files(
    inputs: Sequence[str | Path],
    out: Path | None,
    reconstructor: HDRReconstructor,
    settings: PredictSettings,
    overwrite: bool = False,
    begun: Callable[[Path, int, int], Progress] = lambda photo, number, count: lambda share: None,
    ended: Ended = lambda outcome: None,
    waiting: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """Make the HDR files of photographs; report each photograph or format that fails, and make the others.

    Finished files are listed in predictions.json of their folder, and are kept when this is run again. A file that is
    not listed belongs to another program: it stays, and the output is refused.

    Args:
        inputs: files, folders and patterns (`hdrdata.photos.finding.find_photos`).
        out: for one photograph, a file whose suffix names a format; else a folder, which gets `<name>.<suffix>` for
            each format and `<name>.stack/`. None: the folder of each photograph.
        overwrite: make all again, in place of whatever is there.
        begun: called before each photograph, with its number from 1 and the count; returns a function that receives the
            share done.
        ended: called with each outcome.
        waiting: called with one line before this waits for another process that works in the same folder.

    Returns:
        an outcome for each photograph; files that predictions.json lists as outputs are not photographs.

    Raises:
        ValueError: before anything is made, if an input matches nothing, the network does not make what is asked for,
            predictions.json is damaged, or an output would take the place of an input or of another output.
    """
    reconstructor.check(settings.origin, settings.stack)
    indexes = PredictionIndexes(lambda photo: _folder_of(photo, out), overwrite)
    photos = [photo for photo in find_photos(tuple(inputs)) if suffix_of(out) or photo not in indexes.of(photo)]
    if not photos:
        where = "beside them" if out is None else out
        raise ValueError(f"{where}: all given pictures were made by this command; expected photographs")
    places = places_of(photos, inputs, out, settings.formats, settings.stack, settings.mask)
    check_places(places)
    if settings.same_camera and settings.crf == "auto":
        settings = with_shared_response(photos, reconstructor, settings)
    outcomes = []
    with contextlib.ExitStack() as stack:
        for number, photo in enumerate(photos, start=1):
            progress = begun(photo, number, len(photos))
            try:
                index = indexes.locked(photo, stack, waiting)
            except OSError as error:
                outcome = Outcome(str(photo), error=" ".join(str(error).split()))
            else:
                outcome = _predict(photo, places[photo], reconstructor, settings, index, overwrite, progress)
            outcomes.append(outcome)
            ended(outcome)
    return outcomes


def files_left_out(inputs: Sequence[str | Path], out: Path | None, outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how many files of the input folders were neither photographs nor made by this command, by suffix."""
    indexes = PredictionIndexes(lambda photo: _folder_of(photo, out), overwrite=True)
    taken = [Path(outcome.input) for outcome in outcomes]
    known = [path for index in (indexes.of(photo) for photo in taken) for path in index.paths()]
    return left_out(tuple(inputs), [*taken, *known])


def _folder_of(photo: Path, out: Path | None) -> Path:
    return photo.parent if out is None else out.parent if suffix_of(out) else out


def _predict(
    photo: Path,
    places: dict[str, Path],
    reconstructor: HDRReconstructor,
    settings: PredictSettings,
    index: PredictionIndex,
    overwrite: bool,
    progress: Progress,
) -> Outcome:
    outcome = Outcome(str(photo))
    start = time.perf_counter()
    digests = {path: settings.digest(name) for name, path in places.items()}
    errors: list[str] = []
    try:
        check_file(photo)  # a pipe would never end
        digest = sha256_of(photo)
        if not overwrite:
            if index.holds(digests, digest):
                outcome.outputs, outcome.skipped = [str(path) for path in places.values()], True
                return outcome
            places = _without_strangers(places, index, errors)
        with memory_errors_named(photo):
            read = read_photo(photo, own_colours=True, background=settings.background, gain_map=settings.gain_map)
            height, width = outcome.height, outcome.width = read.ldr.shape[:2]
            outcome.notes.extend(read.notes)
            if read.is_absolute and settings.scale.nits != Scale().nits:
                outcome.notes.append("--nits is not used: the file states cd/m2")
                settings = replace(settings, scale=replace(settings.scale, nits=Scale().nits))
            places = without_limits(photo, places, width, height, errors)
            digests = {path: digests[path] for path in places.values()}
            if not places or (not overwrite and index.holds(digests, digest)):
                outcome.outputs, outcome.skipped = [str(path) for path in places.values()], bool(places)
            else:
                for path in places.values():
                    check_writable(path)
                index.begin(digests, digest)
                chosen = choose_response(read, settings.crf, settings.shared_by)
                made = _reconstruct(photo, read, chosen, reconstructor, settings, progress)
                if made.clipped is not None:
                    outcome.clipped_values = int(np.count_nonzero(made.clipped))
                    white = np.iinfo(read.ldr.dtype).max
                    outcome.below_white = int(np.count_nonzero(read.ldr[made.clipped] < white))
                outcome.response = f"{made.response.name} ({chosen.reason})"
                facts = facts_of(photo, digest, read, settings, response_facts(made.response, chosen.reason))
                rest = _Rest.of(photo, read, made, settings, places)
                del read
                outcome.notes += _to_bt709(made.radiance, rest.to_bt709)
                done = _write(places, made, rest, settings, facts, outcome.notes, errors)
                index.end({path: digests[path] for path in done}, digest)
                outcome.outputs = [str(path) for path in done]
                outcome.seconds = round(time.perf_counter() - start, 2)
    except (ValueError, OSError) as error:
        errors.append(" ".join(str(error).split()))
    if errors:
        outcome.error = "; ".join(errors)
    return outcome


@dataclass(frozen=True)
class _Rest:
    """Parts of a photograph that its output files need once its light is computed."""

    to_bt709: np.ndarray | None
    picture: Picture | None
    metadata: Metadata
    mask: np.ndarray | None
    filled: np.ndarray | None  # the photograph with its clipped values at white, for display light

    @classmethod
    def of(
        cls,
        path: Path,
        photo: Photo,
        made: Prediction,
        settings: PredictSettings,
        places: Collection[str],
    ) -> "_Rest":
        picture = None
        if "ultrahdr" in places and not photo.is_absolute:
            picture = Picture(photo.ldr, photo.to_bt709, photo.icc, own_jpeg(path.read_bytes(), photo.ldr))
        matrix = None if photo.light is not None else photo.to_bt709
        displayed = any(name != STACK and OUTPUTS[name].rendition == "display" for name in places)
        filled = None
        if displayed and made.clipped is not None and made.response.name != SRGB:
            filled = fill_clipped(photo.ldr, made.clipped)
        metadata = Metadata(photo.exif, photo.xmp, photo.iptc) if settings.metadata else NO_METADATA
        return cls(matrix, picture, metadata, made.clipped if MASK in places else None, filled)


def _write(
    places: dict[str, Path],
    made: Prediction,
    rest: _Rest,
    settings: PredictSettings,
    facts: dict[str, str],
    notes: list[str],
    errors: list[str],
) -> list[Path]:
    """Write each output by itself: the stack, scene light, display light; return those that were written."""
    done, is_scene = [], True
    for name, path in sorted(places.items(), key=lambda place: _turn_of(place[0])):
        try:
            if name != STACK and is_scene and OUTPUTS[name].rendition == "display":
                is_scene = False
                if rest.filled is not None:
                    to_display_light(made.radiance, rest.filled, made.response, rest.to_bt709)
                    facts = {name: text for name, text in facts.items() if not name.startswith("camera_response")}
                    facts |= response_facts(srgb_crf(), DISPLAY)
            if name != STACK:
                notes += write_output(
                    path, made.radiance, name, settings.scale, facts, rest.picture, rest.metadata, settings.quality,
                    rest.mask,
                )  # fmt: skip
            elif made.stack is not None:
                icc = None if rest.to_bt709 is None else rgb_profile("the photograph's colours", rest.to_bt709)
                write_exposures(path, made.stack, HALF_STOPS, exposure_of(rest.metadata.exif), facts, icc)
        except (ValueError, OSError) as error:
            errors.append(" ".join(str(error).split()))
        else:
            done.append(path)
        if name == STACK:
            made = replace(made, stack=None)
    return [path for path in places.values() if path in done]


def _turn_of(name: str) -> int:
    """Return the order of writing: the stack, which takes memory, then scene light, which display light replaces."""
    return 0 if name == STACK else 1 if OUTPUTS[name].rendition == "scene" else 2


def _without_strangers(places: dict[str, Path], index: PredictionIndex, errors: list[str]) -> dict[str, Path]:
    """Leave out outputs in whose place a file is that was not made here."""
    kept = {}
    for name, path in places.items():
        if os.path.lexists(path) and not index.may_replace(path):
            why = "changed since it was made here" if path in index else "is there, not made here"
            errors.append(f"{path}: {why}; expected another folder, or --overwrite to replace it")
        else:
            kept[name] = path
    return kept


def _to_bt709(radiance: np.ndarray, to_bt709: np.ndarray | None) -> list[str]:
    """Bring light from the photograph's own primaries to BT.709's, in place; a note of what lies outside of them."""
    if to_bt709 is None:
        return []
    outside = 0
    for rows in bands(*radiance.shape[:2]):
        radiance[rows] = radiance[rows].astype(np.float64) @ to_bt709.T
        outside += int((radiance[rows].min(axis=2) < -1e-3 * radiance[rows].max(axis=2)).sum())
    share = 100 * outside / (radiance.shape[0] * radiance.shape[1])
    return [f"{share:.2g} % of the pixels are outside sRGB, and keep their colours"] if outside else []


def _reconstruct(
    photo: Path,
    read: Photo,
    chosen: ChosenResponse,
    reconstructor: HDRReconstructor,
    settings: PredictSettings,
    progress: Progress,
) -> Prediction:
    """The light of a photograph in its own primaries: what clips is judged in its own values; of HDR what it holds."""
    if read.light is not None:
        stack = expose_again(read.light, to_ldr(read.ldr), HALF_STOPS, srgb_crf()) if settings.stack else None
        return Prediction(read.light, None if stack is None else np.rint(255 * stack).astype(np.uint8))
    try:
        made = reconstructor.predict(
            read.ldr,
            settings.origin,
            settings.stack,
            progress,
            None if settings.exact else read.clip_rule,
            chosen.crf,
            chosen.source,
        )
    except ValueError as error:
        raise ValueError(f"{photo}: {error}") from error
    if not np.isfinite(made.radiance.max()):
        raise ValueError(
            f"{photo}: these weights predict values that are not finite; expected others, or --precision fp32"
        )
    if read.above is not None:
        read.above.keep_in(made.radiance)
        if made.stack is not None:
            stack = expose_again(made.radiance, to_ldr(read.ldr), HALF_STOPS, made.response)
            made = replace(made, stack=np.rint(255 * stack).astype(np.uint8))
    return made

"""The commands `hdrmodel predict` and `export`."""

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hdrdata.command import OneLineErrors
from hdrmodel.outputs.format_list import FORMAT_NAMES, describe_formats
from hdrmodel.release.files import WEIGHTS

if TYPE_CHECKING:
    import rich.progress

    import hdrmodel.prediction.files

EPILOG = f"\b\nFormats, and what 1.0 or full scale means in each:\n{describe_formats()}"


@click.command(cls=OneLineErrors, epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), show_default="beside each photograph",
              help="A folder; or, for one photograph, a file whose suffix states the format.")  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, show_default="those of `hdrmodel release`",
              help="File that `train` wrote; with --backend onnx the folder that `export` wrote.")  # fmt: skip
@click.option("--format", "formats", multiple=True, metavar="NAME",
              help=f"Output format, repeatable: {', '.join(FORMAT_NAMES)}. Default: exr, or OUT's.")  # fmt: skip
@click.option("--preview/--no-preview", default=True, show_default=True, help="Also NAME.preview.png, tone mapped.")
@click.option("--from", "origin", type=click.Choice(["stack", "irradiance"]), default="stack", show_default=True,
              help="Use the light of nine merged exposures, or only of their source, "
                   "in a fifth of the time.")  # fmt: skip
@click.option("--stack", is_flag=True,
              help="Also NAME.stack/: nine exposures as PNG, with their ratios in stack.json and EXIF.")  # fmt: skip
@click.option("--mask", is_flag=True,
              help="Also NAME.mask.png, 255 for predicted values, and a layer `predicted` in OpenEXR.")  # fmt: skip
@click.option("--nits", type=float, default=203.0, show_default=True, metavar="CD/M2",
              help="Luminance of white, the light that clips the photograph. PQ and HLG keep their own.")  # fmt: skip
@click.option("--white", type=float, default=1.0, show_default=True, metavar="VALUE",
              help="Value of white in OpenEXR and Radiance files.")  # fmt: skip
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True,
              help="JPEG quality in Ultra HDR, of the gain map and of a base image that is not the file's own. From 99 "
                   "on, the map of a large photograph has full resolution.")  # fmt: skip
@click.option("--crf", default="auto", show_default=True, metavar="NAME|FORMULA|FILE",
              help="Camera response of the photographs: auto, a name of `hdrdata crf list`, gamma:EXPONENT, "
                   "sigmoid:N,SIGMA, or a file of a response. auto estimates it from each photograph and the device "
                   "that EXIF states; camera RAW, renderings and screenshots count as srgb.")  # fmt: skip
@click.option("--same-camera", is_flag=True,
              help="All photographs are of one camera: estimate one response from all of them.")  # fmt: skip
@click.option("--background", type=click.Choice(["black", "white"]), default="black", show_default=True,
              help="Background of transparent pixels.")  # fmt: skip
@click.option("--ignore-gain-map", is_flag=True,
              help="Predict despite a gain map (iPhone, Ultra HDR), which is the light by default.")  # fmt: skip
@click.option("--metadata/--no-metadata", default=True, show_default=True,
              help="Keep EXIF (date, camera, place), XMP and IPTC of the photograph where the format can.")  # fmt: skip
@click.option(
    "--exact",
    is_flag=True,
    help="Treat only white as clipped in lossy photographs too. By default, values just below white also count: "
    "1 to 3 levels in smooth areas, up to 16 beside strong edges, 32 in specks between clipped pixels; by the "
    "quantisation tables of a JPEG and the camera response.",
)
@click.option("--wrap", is_flag=True,
              help="Read each photograph as a panorama of 360 degrees: its left and right borders meet.")  # fmt: skip
@click.option("--backend", type=click.Choice(["torch", "onnx"]), default="torch", show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "bf16", "fp16"]), default="fp32", show_default=True)
@click.option("--tile", type=click.IntRange(min=0), metavar="PIXELS",
              help="Side of a tile; 0: whole photographs. Default: tiles of about a gigabyte.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Make existing outputs again, and replace files of other programs.")
@click.option("--json", "as_json", is_flag=True, help="Print the result of each photograph as JSON.")
def predict(
    inputs: tuple[str, ...],
    out: Path | None,
    weights: Path,
    formats: tuple[str, ...],
    preview: bool,
    origin: Literal["stack", "irradiance"],
    stack: bool,
    mask: bool,
    nits: float,
    white: float,
    quality: int,
    crf: str,
    same_camera: bool,
    background: str,
    ignore_gain_map: bool,
    metadata: bool,
    exact: bool,
    wrap: bool,
    backend: str,
    device: str,
    precision: str,
    tile: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Make HDR files of photographs of any size: files, folders and patterns.

    Photographs are JPEG, PNG, TIFF, WebP, HEIC, AVIF, JPEG XL, JPEG 2000, BMP, GIF, PPM and camera RAW files.
    Each value that is not clipped keeps the photograph's own light: photographed again, the result is the photograph.
    The network fills in the clipped values. A photograph that cannot be read is reported in one line, and the others
    are converted; the exit code is then 1. Run the same command again to make what is missing or has changed. A file
    of another program is never replaced without --overwrite.

    \b
    A photograph, to photo.exr beside it or to a name:
        hdrmodel predict photo.jpg
        hdrmodel predict photo.jpg -o light.exr
    With the weights of `dvc repro`:
        hdrmodel predict photo.jpg -o photo.exr --weights data/runs/spatial/0/weights.safetensors
    A folder, as OpenEXR and as JPEGs that phones show as HDR:
        hdrmodel predict photos/ -o hdr/ --format exr --format ultrahdr
    """
    from hdrdata.cameras.crf_names import choose_crf
    from hdrdata.terminal import printable
    from hdrmodel.outputs.bands import Scale
    from hdrmodel.prediction.files import Outcome, files_left_out, predict_files
    from hdrmodel.prediction.memory import keep_memory
    from hdrmodel.prediction.places import formats_of
    from hdrmodel.prediction.reconstructor import HDRReconstructor
    from hdrmodel.prediction.settings import PredictSettings
    from hdrmodel.reconstruction.export import load_network

    keep_memory()
    chosen, scale = formats_of(out, formats, preview), Scale(nits, white)
    if same_camera and crf != "auto":
        raise ValueError(f"--same-camera: one response is given (--crf {crf}); expected --crf auto")
    response = "auto" if crf == "auto" else choose_crf(crf, ("auto",))
    if backend == "onnx" and device == "cuda":
        raise ValueError("--device cuda: ONNX Runtime is used on the CPU; expected 'auto' or 'cpu', or --backend torch")
    loaded = load_network(weights, backend)
    reconstructor = HDRReconstructor(loaded.network, device, response, tile, precision, wrap=wrap)
    made_by = (loaded.weights_sha256, loaded.variant)
    rest = {
        "background": background,
        "gain_map": not ignore_gain_map,
        "metadata": metadata,
        "exact": exact,
        "wrap": wrap,
        "quality": quality,
    }
    rest |= {"mask": mask, "same_camera": same_camera}
    settings = PredictSettings(chosen, scale, origin, stack, crf, precision, backend, *made_by, **rest)
    with _stopped_as_by_keys(), _progress_bar() as bar:
        task = bar.add_task("", visible=False)

        def begun(photo: Path, number: int, count: int):
            bar.update(task, description=printable(photo.name), total=count, completed=number - 1, visible=True)
            return lambda share: bar.update(task, completed=number - 1 + share)

        def ended(outcome: Outcome) -> None:
            if outcome.error is not None:
                _say(bar, f"Error: {outcome.error}", err=True)
            if not as_json and outcome.outputs:
                _say(bar, _line(outcome))

        def waiting(line: str) -> None:
            _say(bar, line, err=True)

        outcomes = predict_files(inputs, out, reconstructor, settings, overwrite, begun, ended, waiting)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    left = files_left_out(inputs, out, outcomes)
    if as_json:
        result = {"photos": [vars(outcome) for outcome in outcomes], "failed": len(failed), "left_out": left}
        click.echo(json.dumps(result, indent=2))
    elif len(outcomes) > 1 or left:
        made = sum(not outcome.skipped and outcome.error is None for outcome in outcomes)
        in_part = sum(bool(outcome.outputs) for outcome in failed)
        part = f" ({in_part} of them in part)" if in_part else ""
        click.echo(f"{made} made, {len(outcomes) - made - len(failed)} there before, {len(failed)} failed{part}")
        if left:
            click.echo(f"left out: {_kinds(left)}")
    if failed:
        sys.exit(1)


@contextlib.contextmanager
def _stopped_as_by_keys() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C, so that what is half-written is removed."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _progress_bar() -> "rich.progress.Progress":
    """A bar on the standard error, if that is a terminal; `_say` writes the lines above it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),  # a file's name is no markup
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        redirect_stdout=False,  # Click's lines would go by it
        redirect_stderr=False,
    )


def _say(bar: "rich.progress.Progress", line: str, err: bool = False) -> None:
    """Print a line: above the bar if both are on a terminal."""
    from hdrdata.terminal import printable

    if not bar.disable and (sys.stderr if err else sys.stdout).isatty():
        bar.console.out(printable(line), highlight=False)
    else:
        click.echo(printable(line), err=err)


def _kinds(left: dict[str, int]) -> str:
    """Return how many files of each suffix were no photographs, and what would read camera RAW."""
    from hdrdata.files.suffixes import RAW_SUFFIXES
    from hdrdata.terminal import printable

    counts = ", ".join(f"{count} {printable(suffix) or 'without a suffix'}" for suffix, count in left.items())
    raw = "; camera RAW needs pip install 'hdr-attnet[raw]'" if left.keys() & {*RAW_SUFFIXES} else ""
    return counts + raw


def _line(outcome: "hdrmodel.prediction.files.Outcome") -> str:
    if outcome.skipped:
        return f"{outcome.input}: there before"
    notes = "".join(f"; {note}" for note in outcome.notes)
    made = f"{outcome.input}: {', '.join(outcome.outputs)}; {outcome.seconds:.1f} s"
    return f"{made}; camera response {outcome.response}{notes}"


@click.command(cls=OneLineErrors)
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--onnx", is_flag=True, required=True, help="Write ONNX files, the only format so far.")
def export(weights: Path, folder: Path, onnx: bool) -> None:
    """Write the networks of the file WEIGHTS to FOLDER, for other programs: n1.onnx, n2.onnx and n3.onnx.

    They take pictures of any size, float32 (1, 3, height, width). n1 makes the sensor exposure of `ldr` in [0, 1]; n2
    the LDR picture of `sensor_exposure` at a `ratio` above 1, n3 at one below. It takes about a minute.

    \b
    What `dvc repro` trained, then a photograph by ONNX Runtime:
        hdrmodel export data/runs/spatial/0/weights.safetensors onnx --onnx
        hdrmodel predict photo.jpg -o photo.exr --backend onnx --weights onnx
    """
    from hdrmodel.reconstruction.export import export_onnx

    for path in export_onnx(weights, folder):
        click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")

"""The command hdrmodel: use trained weights."""

from pathlib import Path

import click

from hdrdata.command import OneLineErrorsGroup
from hdrdata.crf import choose_crf
from hdrdata.files import sha256_of
from hdrmodel.network import count_parameters
from hdrmodel.predict import HDRReconstructor, predict_file
from hdrmodel.weights import load_weights


@click.group(cls=OneLineErrorsGroup)
@click.version_option(package_name="hdr-attnet")
def main() -> None:
    """Reconstruct HDR from one photograph with weights that `dvc repro` trained."""


@main.command()
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="OpenEXR file to write; the preview lies beside it as NAME.preview.png.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    default=Path("data/runs/spatial/weights.safetensors"),
    show_default=True,
    help="What `train` wrote.",
)
@click.option(
    "--crf",
    default="srgb",
    show_default=True,
    metavar="NAME",
    help="The photograph's camera response; `hdrdata crf list` names them.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)  # fmt: skip
def predict(photo: Path, out: Path, weights: Path, crf: str, device: str) -> None:
    """Make the HDR file OUT of one 8-bit picture, PHOTO, of any size.

    In the file 1.0 is the light that saturates the photograph; values above it are the network's.

    \b
    A photograph, with the weights of `dvc repro`:
        hdrmodel predict photo.jpg -o photo.exr
    """
    if out.suffix.lower() != ".exr":
        raise click.ClickException(f"{out}: wanted a name that ends in .exr")
    reconstructor = HDRReconstructor.from_file(weights, device, choose_crf(crf))
    preview = predict_file(photo, out, reconstructor, sha256_of(weights))
    click.echo(f"{out} and {preview}")


@main.command()
@click.argument("weights", type=click.Path(path_type=Path))
def info(weights: Path) -> None:
    """Say what a file of WEIGHTS holds.

    \b
    Example:
        hdrmodel info data/runs/spatial/weights.safetensors
    """
    network, header = load_weights(weights)
    for name, value in {**header, "parameters": f"{count_parameters(network):,}"}.items():
        click.echo(f"{name}: {value}")


if __name__ == "__main__":
    main()

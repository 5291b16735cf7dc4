"""The command `hdrmodel view`."""

from pathlib import Path

import click

from hdrdata.command import OneLineErrors


@click.command(cls=OneLineErrors)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", "page", type=click.Path(dir_okay=False, path_type=Path), metavar="PAGE.html",
              help="The page to write. Default: FILE's name with .html.")  # fmt: skip
@click.option("--input", "photo", type=click.Path(path_type=Path), metavar="PHOTO",
              help="Photograph to compare with. Default: the photograph named in FILE, if it exists.")  # fmt: skip
@click.option("--layer", metavar="NAME", help="Layer to show of an OpenEXR file.")
@click.option("--max-pixels", type=click.IntRange(min=1), default=2_000_000, show_default=True, metavar="PIXELS",
              help="A larger picture is shrunk by area in the page; its statistics are those of the file.")  # fmt: skip
def view(file: Path, page: Path | None, photo: Path | None, layer: str | None, max_pixels: int) -> None:
    """Write an HTML page that shows the HDR image FILE at any exposure; it needs no other file and no network.

    OpenEXR, Radiance, PFM, TIFF, Ultra HDR, and PNG, AVIF, HEIC or JPEG XL of PQ or HLG.

    \b
    Beside the photograph it was made of:
        hdrmodel view photo.exr -o photo.html --input photo.jpg
    """
    from hdrmodel.viewer.page import write_viewer

    click.echo(write_viewer(file, page or file.with_suffix(".html"), photo, max_pixels=max_pixels, layer=layer))

"""Statements of a file about its pixels, and of a user in their place."""

from dataclasses import dataclass

LAYOUTS = ("cube_cross", "angular_map")  # of the whole sphere, that become panoramas


@dataclass(frozen=True)
class Stated:
    """Changes that a reader made to the pixels because the file states them."""

    converted: tuple[str, ...] = ()  # in the file's own words: "chromaticities", "EXPOSURE 4", "layer Combined"
    panorama: bool | None = None  # the file states that it is or is not one; None: its shape decides
    transparent: int = 0  # pixels of alpha 0, which are black


@dataclass(frozen=True)
class Override:
    """Statements of a user about a file; they take precedence over the file's own."""

    layer: str | None = None  # of an .exr: names, separated by commas, in the order in which they are tried
    colour: str | None = None  # primaries, one of `hdrdata.files.hdr.colour.GAMUTS`
    encoding: str | None = None  # one of `hdrdata.files.hdr.colour.ENCODINGS`
    layout: str | None = None  # one of `LAYOUTS`; None: a plain picture, or as the file states


AS_STATED = Override()

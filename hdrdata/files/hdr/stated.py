"""What a file said of its own pixels, and was done to them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stated:
    """What a reader did to the pixels because the file says so."""

    converted: tuple[str, ...] = ()  # in the file's own words: "chromaticities", "EXPOSURE 4", "layer Combined"
    panorama: bool = False  # the file says that it is one, whatever its shape

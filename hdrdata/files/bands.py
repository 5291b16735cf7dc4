"""Bands of rows: pictures are converted a band at a time, so that temporary arrays stay small."""

from collections.abc import Iterator


def row_bands(height: int, width: int, pixels: int = 2**20) -> Iterator[slice]:
    """Yield the rows of a picture as slices of about `pixels` pixels, at least one row each."""
    rows = max(1, pixels // max(1, width))
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))

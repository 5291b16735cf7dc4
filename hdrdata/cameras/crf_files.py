"""Camera responses from files: the shipped tables, CSV files of one curve, and the databases DoRF and EMoR."""

import csv
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from hdrdata.cameras.crf import CameraResponse, EmorModel, emor_crf, key_name, sampled_crf, staircase_crf
from hdrdata.files.disk import write_bytes


def read_shipped_table(file: str) -> tuple[list[str], Float64[np.ndarray, "rows columns"]]:
    """Read the header and the numbers of a table in `curves`, without its comments."""
    text = resources.files("hdrdata.cameras").joinpath("curves", file).read_text(encoding="utf-8")
    header, *rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    return header, np.array(rows, dtype=np.float64)


@cache
def drtmo_crfs() -> dict[str, CameraResponse]:
    """The five CRFs of DrTMO: k-means representatives of 201 curves of DoRF.

    Four are film curves; the fifth, "gamma14", is a darkening curve close to I^1.4 that was a coarse table, held here
    as it was measured on the authors' stacks.
    """
    header, table = read_shipped_table("drtmo_film.csv")
    crfs = {name: sampled_crf(name, table[:, 0], table[:, k], smooth=True) for k, name in enumerate(header) if k > 0}
    _, staircase = read_shipped_table("drtmo_gamma14_levels.csv")
    crfs["gamma14"] = staircase_crf("gamma14", staircase[:, 0], staircase[:, 1])
    return crfs


def _numbers(path: Path, line: str, number: int) -> np.ndarray:
    try:
        return np.array([float(word) for word in line.split()])
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: not a row of numbers: {line[:40]!r}") from error


def _text_lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="latin-1").splitlines() if line.strip()]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error


def read_dorf(path: Path) -> dict[str, CameraResponse]:
    """Read the curves of a DoRF file: six lines each (name, type, "I =", exposures, "B =", responses).

    Grossberg and Nayar, "What is the Space of Camera Response Functions?", CVPR 2003.

    Returns:
        name as in the file -> CRF, whose own name is fit for a sample key.

    Raises:
        ValueError: naming the file, the line and what is expected.
    """
    lines = _text_lines(path)
    if not lines or len(lines) % 6:
        raise ValueError(
            f"{path}: {len(lines)} lines; a DoRF file has six a curve (name, type, I =, values, B =, values)"
        )
    curves = {}
    for start in range(0, len(lines), 6):
        name, _, exposure_label, exposures, response_label, responses = lines[start : start + 6]
        if (exposure_label.replace(" ", ""), response_label.replace(" ", "")) != ("I=", "B="):
            raise ValueError(
                f"{path}: curve '{name}' has '{exposure_label}' and '{response_label}'; expected 'I =', 'B ='"
            )
        x, y = _numbers(path, exposures, start + 4), _numbers(path, responses, start + 6)
        curves[name] = sampled_crf(key_name(name), x, y)
    return curves


def read_emor(path: Path) -> EmorModel:
    """Read an EMoR file: the mean response f0, the basis h(1) ... h(25), and the exposures E.

    Grossberg and Nayar, "Modeling the Space of Camera Response Functions", PAMI 2004.

    Raises:
        ValueError: naming the file and the block, if blocks are missing or differ in length.
    """
    blocks: dict[str, list[np.ndarray]] = {}
    name = None
    for number, line in enumerate(_text_lines(path), start=1):
        if line.endswith("="):
            name = line[:-1].strip()
            blocks[name] = []
        elif name is None:
            raise ValueError(f"{path}, line {number}: {line[:40]!r} before any block; expected 'E ='")
        else:
            blocks[name].append(_numbers(path, line, number))
    curves = {name: np.concatenate(rows) for name, rows in blocks.items() if rows}
    wanted = ["E", "f0", *(f"h({k})" for k in range(1, 26))]
    missing = [name for name in wanted if name not in curves]
    if missing:
        raise ValueError(f"{path}: no block {missing[0]!r}; an EMoR file has E, f0 and h(1) to h(25)")
    lengths = {curves[name].size for name in wanted}
    if len(lengths) != 1:
        raise ValueError(f"{path}: blocks of {sorted(lengths)} values; expected all of one length")
    return curves["f0"], np.stack([curves[name] for name in wanted[2:]]), curves["E"]


def is_emor(path: Path) -> bool:
    """Return whether a file begins with the block 'E =', as an EMoR file; a DoRF file begins with a curve's name."""
    try:
        with path.open(encoding="latin-1") as file:
            return file.readline(100).replace(" ", "").strip() == "E="
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error


def read_curves(path: Path) -> dict[str, CameraResponse]:
    """Return the curves of a DoRF file by their names there; of an EMoR file the mean response, as 'emor'."""
    if is_emor(path):
        return {"emor": emor_crf(read_emor(path), ())}
    return read_dorf(path)


def write_crf(path: Path, response: CameraResponse) -> None:
    """Write a response as CSV: the exposure that gives each level of 8 bits; `read_crf` reads it."""
    exposures = response.inverse(np.arange(256) / 255)
    rows = ["exposure,response", *(f"{x:.9g},{z / 255:.9g}" for z, x in enumerate(np.r_[0.0, exposures[1:-1], 1.0]))]
    write_bytes(path, ("\n".join(rows) + "\n").encode())


def read_crf(path: Path) -> CameraResponse:
    """Read a response from a CSV with columns exposure and response (both 0 to 1), or level (0 to 255) and exposure.

    Raises:
        ValueError: naming the file, if the columns are missing, or the curve falls or does not run from 0 to 1.
    """
    lines = [line for line in _text_lines(path) if not line.startswith("#")]
    header = [name.strip().casefold() for name in lines[0].split(",")] if lines else []
    named = {name: column for column, name in enumerate(header)}
    if not {"exposure"} < named.keys() & {"exposure", "response", "level"}:
        raise ValueError(f"{path}: columns {', '.join(header)[:60] or 'none'}; expected exposure and response")
    rows = [_numbers(path, line.replace(",", " "), number) for number, line in enumerate(lines[1:], start=2)]
    if len({len(row) for row in rows} | {len(header)}) != 1:
        raise ValueError(f"{path}: rows of different lengths; expected {len(header)} numbers each")
    table = np.array(rows).reshape(-1, len(header))
    responses = table[:, named["response"]] if "response" in named else table[:, named["level"]] / 255
    try:
        return sampled_crf(key_name(path.stem), table[:, named["exposure"]], responses)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error

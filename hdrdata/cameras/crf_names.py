"""Camera responses by name or description, as parameters give them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, TypeAdapter

from hdrdata.cameras.crf import CameraResponse, emor_crf, gamma_crf, key_name, sigmoid_crf, srgb_crf
from hdrdata.cameras.crf_files import drtmo_crfs, read_crf, read_curves, read_dorf, read_emor
from hdrdata.cameras.measured import mean_crf, measured_crf
from hdrdata.config import Section


class GammaCrf(Section):
    """B = I ** exponent; an exponent of 1 is a linear camera."""

    kind: Literal["gamma"]
    exponent: PositiveFloat


class SigmoidCrf(Section):
    """f(I) = (1 + sigma) I^n / (I^n + sigma): Eilertsen et al., "HDR image reconstruction from a single exposure using
    deep CNNs", SIGGRAPH Asia 2017, equation 2; there n is about 0.9 and sigma about 0.6."""

    kind: Literal["hdrcnn"]
    n: Annotated[float, Field(gt=0, le=10)]
    sigma: PositiveFloat


class FileCrf(Section):
    """One curve of a DoRF file (`dorfCurves.txt`), by its name there."""

    kind: Literal["dorf"]
    file: str
    curve: str


class EmorCrf(Section):
    """f0 + sum of weights times the basis curves of an EMoR file (`emor.txt`); no weights give the mean response."""

    kind: Literal["emor"]
    file: str
    weights: Annotated[tuple[float, ...], Field(max_length=25)]


class MeasuredCrf(Section):
    """The measured response of one camera or phone (`hdrdata.cameras.measured`)."""

    kind: Literal["measured"]
    model: str


CrfChoice = str | Annotated[GammaCrf | SigmoidCrf | FileCrf | EmorCrf | MeasuredCrf, Field(discriminator="kind")]


FORMULAS = {"gamma": (GammaCrf, ("exponent",)), "sigmoid": (SigmoidCrf, ("n", "sigma"))}


def named_crfs() -> dict[str, CameraResponse]:
    """Return every named CRF: DrTMO's five, the measured mean curves of cameras and of phones, sRGB, linear."""
    measured = {kind: mean_crf(kind) for kind in ("camera", "phone")}
    return {**drtmo_crfs(), **measured, "srgb": srgb_crf(), "linear": gamma_crf("linear", 1.0)}


def choose_crf(choice: CrfChoice, others: tuple[str, ...] = ()) -> CameraResponse:
    """Return the CRF of a name, formula or file, or of a kind with its numbers.

    A text is a name; `gamma:EXPONENT` or `sigmoid:N,SIGMA`; or FILE or FILE:CURVE, a CSV of one curve, the JSON written
    by `hdrdata crf select`, DoRF or EMoR.

    Args:
        others: names that the caller also accepts, for the message.

    Raises:
        ValueError: if the name is unknown (it lists the known ones), or a file or its curve is wrong.
    """
    if isinstance(choice, str):
        known = named_crfs()
        return known[choice] if choice in known else _crf_of_text(choice, (*known, *others))
    if isinstance(choice, GammaCrf):
        return gamma_crf(key_name(f"gamma-{choice.exponent:g}"), choice.exponent)
    if isinstance(choice, SigmoidCrf):
        return sigmoid_crf(key_name(f"hdrcnn-{choice.n:g}-{choice.sigma:g}"), choice.n, choice.sigma)
    if isinstance(choice, FileCrf):
        curves = read_dorf(Path(choice.file))
        if choice.curve not in curves:
            raise ValueError(f"{choice.file}: no curve '{choice.curve}'; it has {len(curves)}: {', '.join(curves)}")
        return curves[choice.curve]
    if isinstance(choice, MeasuredCrf):
        return measured_crf(choice.model)
    return emor_crf(read_emor(Path(choice.file)), choice.weights)


def _crf_of_text(text: str, known: tuple[str, ...]) -> CameraResponse:
    kind, _, numbers = text.partition(":")
    if kind in FORMULAS and not Path(text).exists():
        section, fields = FORMULAS[kind]
        try:
            values = dict(zip(fields, map(_fraction, numbers.split(",")), strict=True))
        except ValueError as error:
            raise ValueError(f"CRF '{text}': expected {kind}:{','.join(fields).upper()}, as gamma:1/2.2") from error
        return choose_crf(section.parse(text, {"kind": section.model_fields["kind"].annotation.__args__[0], **values}))
    file, _, curve = (text, "", "") if Path(text).is_file() else text.rpartition(":")
    if not Path(file or "/").is_file():
        raise ValueError(
            f"unknown CRF '{text}'; known: {', '.join(known)}, gamma:EXPONENT, sigmoid:N,SIGMA, FILE or FILE:CURVE"
        )
    curves = _curves_of_file(Path(file))
    if len(curves) > 1 and curve not in curves:
        problem = f"no curve '{curve}'" if curve else f"{len(curves)} curves"
        raise ValueError(f"{file}: {problem}; expected {file}:CURVE with one of {', '.join(curves)}")
    found = curves[curve] if curve in curves else next(iter(curves.values()))
    return replace(found, name=f"file-{found.name}") if found.name in known else found  # not a response of that name


def _curves_of_file(path: Path) -> dict[str, CameraResponse]:
    if path.suffix.lower() == ".csv":
        return {"": read_crf(path)}
    if path.suffix.lower() == ".json":
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))["representatives"]
            choices = {row["name"]: TypeAdapter(CrfChoice).validate_python(row["crf"]) for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: no choice of curves; expected the JSON of `hdrdata crf select`") from error
        return {name: choose_crf(choice) for name, choice in choices.items()}
    return read_curves(path)


def _fraction(text: str) -> float:
    above, slash, below = text.partition("/")
    return float(above) / float(below) if slash else float(above)

"""Camera responses by name or description, as parameters give them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from hdrdata.cameras.crf import CameraResponse, emor_crf, gamma_crf, key_name, sigmoid_crf, srgb_crf
from hdrdata.cameras.crf_files import drtmo_crfs, read_dorf, read_emor
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


def named_crfs() -> dict[str, CameraResponse]:
    """Return every named CRF: DrTMO's five, the measured mean curves of cameras and of phones, sRGB, linear."""
    measured = {kind: mean_crf(kind) for kind in ("camera", "phone")}
    return {**drtmo_crfs(), **measured, "srgb": srgb_crf(), "linear": gamma_crf("linear", 1.0)}


def choose_crf(choice: CrfChoice) -> CameraResponse:
    """The CRF of a name, or of a kind with its numbers.

    Raises:
        ValueError: if the name is unknown (it lists the known ones), or a file or its curve is wrong.
    """
    if isinstance(choice, str):
        known = named_crfs()
        if choice not in known:
            raise ValueError(f"unknown CRF '{choice}'; known: {', '.join(known)}")
        return known[choice]
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

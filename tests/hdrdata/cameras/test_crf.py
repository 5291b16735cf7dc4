"""Camera response functions, each held against the same laws."""

import bisect
import csv
import math
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_files import SHARED

from hdrdata.cameras.crf import CameraResponse, key_name, sampled_crf
from hdrdata.cameras.crf_files import drtmo_crfs, read_dorf, read_emor
from hdrdata.cameras.crf_names import EmorCrf, FileCrf, GammaCrf, SigmoidCrf, choose_crf, named_crfs
from hdrdata.samples.layout import KEY

EMOR = SHARED / "reference" / "crf" / "emor.txt"
CRFS = {
    **named_crfs(),
    "gamma-2p2": choose_crf(GammaCrf(kind="gamma", exponent=1 / 2.2)),
    "hdrcnn": choose_crf(SigmoidCrf(kind="hdrcnn", n=0.9, sigma=0.6)),
}
every_crf = pytest.mark.parametrize("crf", CRFS.values(), ids=CRFS)
smooth_crf = pytest.mark.parametrize("crf", [c for name, c in CRFS.items() if name != "gamma14"], ids=lambda c: c.name)


def read_csv(name: str) -> tuple[list[str], np.ndarray]:
    text = resources.files("hdrdata.cameras").joinpath("curves", name).read_text()
    header, *rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    return header, np.array(rows, dtype=np.float64)


@every_crf
def test_a_response_starts_at_0_ends_at_1_and_never_falls(crf):
    response = crf(np.linspace(0, 1, 100_001))
    assert response[0] == pytest.approx(0, abs=0.5 / 255)  # a staircase holds the middle of its first level
    assert response[-1] == pytest.approx(1, abs=2 / 255)
    assert response.min() >= 0 and response.max() <= 1
    assert (np.diff(response) >= 0).all()


@every_crf
@given(exposure=st.floats(0, 1), more=st.floats(0, 1))
def test_more_light_never_darkens(crf, exposure, more):
    darker, brighter = crf(np.array([exposure, min(exposure + more, 1.0)]))
    assert brighter >= darker


@smooth_crf
@given(response=st.floats(0, 1))
def test_inverse_then_forward_gives_the_response(crf, response):
    # the film curves' inverse is a polyline through 16,385 points of the cubic
    assert crf(crf.inverse(np.array([response]))) == pytest.approx(response, abs=2e-7)


@smooth_crf
@given(exposure=st.floats(0, 1))
def test_forward_then_inverse_gives_the_exposure_where_the_curve_rises(crf, exposure):
    step = 1e-4
    below, here, above = crf(np.array([max(exposure - step, 0.0), exposure, min(exposure + step, 1.0)]))
    slope = (above - below) / (2 * step)
    if slope > 1e-3:
        assert crf.inverse(np.array([here])) == pytest.approx(exposure, abs=1e-6 + 1e-7 / slope)


def test_a_staircase_gives_each_level_back():
    crf = drtmo_crfs()["gamma14"]
    _, table = read_csv("drtmo_gamma14_levels.csv")
    assert np.floor(255 * crf(table[:, 1])).tolist() == table[:, 0].tolist()
    assert crf.inverse(table[:, 0] / 255) == pytest.approx(table[:, 1])


@pytest.mark.parametrize(
    ("name", "at_018", "at_05", "half"),
    [  # Endo, Kanamori and Mitani's curves: f(0.18), f(0.5), and the exposure where f = 0.5
        ("agfacolor-vista-200cdblue", 0.498, 0.797, 0.181),
        ("gold-200cdblue", 0.332, 0.690, 0.311),
        ("agfachrome-rsx2-050cdred", 0.679, 0.926, 0.113),
        ("ektachrome-100-pluscdblue", 0.337, 0.827, 0.250),
    ],
)
def test_drtmo_film_curves_have_their_published_values(name, at_018, at_05, half):
    crf = drtmo_crfs()[name]
    assert crf(np.array([0.18, 0.5])) == pytest.approx([at_018, at_05], abs=6e-4)  # three digits
    assert crf.inverse(np.array([0.5])) == pytest.approx(half, abs=6e-4)


def test_drtmo_darkening_curve_has_its_published_values():
    # two digits, and a step of this table is up to 1/255 wide in response: 0.09, 0.38, and 0.61 where it is 0.5
    crf = drtmo_crfs()["gamma14"]
    assert crf(np.array([0.18, 0.5])) == pytest.approx([0.09, 0.38], abs=0.005 + 1 / 255)
    assert crf.inverse(np.array([0.5])) == pytest.approx(0.61, abs=0.01)


def test_ten_levels_of_the_darkening_curve_never_occur():
    levels = np.unique(np.floor(255 * drtmo_crfs()["gamma14"](np.linspace(0, 1, 1_000_001))))
    missing = sorted(set(range(255)) - set(levels.astype(int).tolist()))
    assert missing == [190, 194, 204, 208, 218, 228, 234, 240, 247, 253]


def pchip(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Fritsch and Butland's monotone cubic, written out from their paper (SIAM J. Sci. Stat. Comput. 5, 1984)."""
    width, slope = np.diff(x), np.diff(y) / np.diff(x)
    tangent = np.zeros_like(x)
    for k in range(1, len(x) - 1):
        if slope[k - 1] * slope[k] > 0:
            one, two = 2 * width[k] + width[k - 1], width[k] + 2 * width[k - 1]
            tangent[k] = (one + two) / (one / slope[k - 1] + two / slope[k])
    for end, near, far in ((0, 0, 1), (-1, -1, -2)):  # three points, kept from overshooting
        edge = ((2 * width[near] + width[far]) * slope[near] - width[near] * slope[far]) / (width[near] + width[far])
        if edge * slope[near] <= 0:
            edge = 0.0
        elif slope[near] * slope[far] <= 0 and abs(edge) > 3 * abs(slope[near]):
            edge = 3 * slope[near]
        tangent[end] = edge
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    t = (at - x[k]) / width[k]
    return (
        y[k] * (1 + 2 * t) * (1 - t) ** 2
        + width[k] * tangent[k] * t * (1 - t) ** 2
        + y[k + 1] * t**2 * (3 - 2 * t)
        + width[k] * tangent[k + 1] * t**2 * (t - 1)
    )


@pytest.mark.parametrize("column", [1, 2, 3, 4])
def test_film_curves_are_monotone_cubics_through_their_table(column):
    header, table = read_csv("drtmo_film.csv")
    crf = drtmo_crfs()[header[column]]
    assert crf(table[:, 0]) == pytest.approx(table[:, column], abs=1e-12)
    exposure = np.linspace(0, 1, 20_001)
    expected = pchip(np.sqrt(table[:, 0]), table[:, column], np.sqrt(exposure))
    assert crf(exposure) == pytest.approx(expected, abs=1e-12)


@given(st.floats(0, 1))
def test_the_darkening_curve_takes_the_largest_level_whose_exposure_is_reached(exposure):
    _, table = read_csv("drtmo_gamma14_levels.csv")
    level = table[bisect.bisect_right(table[:, 1].tolist(), exposure) - 1, 0]
    assert math.floor(255 * drtmo_crfs()["gamma14"](np.array([exposure]))[0]) == level


def test_srgb_has_the_values_of_its_standard():
    # IEC 61966-2-1: linear below 0.0031308; 18 % grey is 118 of 255, one half 188 of 255
    response = CRFS["srgb"](np.array([0.0, 0.001, 0.18, 0.5, 1.0]))
    assert response == pytest.approx([0, 0.01292, 0.46136, 0.73536, 1], abs=5e-6)


def test_the_hdrcnn_curve_has_hand_worked_values():
    # n = 1, sigma = 0.6: 1.6 * 0.4 / (0.4 + 0.6) = 0.64; n = 0.5: 1.6 * 0.5 / (0.5 + 0.6) at 0.25
    assert choose_crf(SigmoidCrf(kind="hdrcnn", n=1, sigma=0.6))(np.array([0.4])) == pytest.approx(0.64)
    assert choose_crf(SigmoidCrf(kind="hdrcnn", n=0.5, sigma=0.6))(np.array([0.25])) == pytest.approx(0.8 / 1.1)


@given(st.floats(0.05, 10), st.floats(1e-3, 50), st.floats(0, 1))
def test_every_hdrcnn_curve_is_undone_by_its_inverse(n, sigma, response):
    crf = choose_crf(SigmoidCrf(kind="hdrcnn", n=n, sigma=sigma))
    assert crf(crf.inverse(np.array([response]))) == pytest.approx(response, abs=1e-9)


@every_crf
def test_a_name_fits_a_sample_key(crf):
    assert KEY.fullmatch(crf.name)


def test_names_lose_their_dots():
    assert key_name("gamma-2.2") == "gamma-2p2"
    assert key_name("Gold-200CD+Blue.") == "gold-200cd-blue-"


rising = st.lists(st.integers(0, 4095), min_size=2, max_size=12, unique=True).map(sorted)


@given(rising, st.booleans())
def test_any_rising_samples_make_a_rising_curve_and_its_inverse(levels, smooth):
    responses = np.array(levels) / 4095  # 12 bits
    crf = sampled_crf("any", np.linspace(0, 1, len(levels)), responses, smooth=smooth)
    dense = crf(np.linspace(0, 1, 1001))
    assert (np.diff(dense) >= -1e-12).all()
    inside = np.linspace(responses[0], responses[-1], 50)
    assert crf(crf.inverse(inside)) == pytest.approx(inside, abs=1e-6)


@pytest.mark.parametrize(
    ("exposures", "responses", "reason"),
    [
        ([0, 0.5, 1], [0, 0.6, 0.5], "falls from 0.6 to 0.5 at exposure 1"),
        ([0, 0.5, 0.5, 1], [0, 0.1, 0.2, 1], "expected them rising from 0 to 1"),
        ([0.1, 1], [0, 1], "exposures run from 0.1 to 1"),
        ([0, 2], [0, 1], "exposures run from 0 to 2"),
        ([0, 1], [0, 1.5], r"responses reach from 0 to 1.5; expected \[0, 1\]"),
        ([0, 1], [0, math.nan], "not finite"),
        ([0, 1], [0, 0.5, 1], "expected two rows of equal length"),
    ],
)
def test_samples_that_are_no_rising_curve_are_refused(exposures, responses, reason):
    with pytest.raises(ValueError, match=f"CRF bad: .*{reason}"):
        sampled_crf("bad", np.array(exposures), np.array(responses))


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown CRF 'kodak'; known: .*gamma14.*srgb, linear"):
        choose_crf("kodak")


def write_dorf(path: Path, curves: dict[str, np.ndarray], exposures: np.ndarray) -> Path:
    rows = []
    for name, responses in curves.items():
        values = ["  ".join(f"{value:.6e}" for value in row) for row in (exposures, responses)]
        rows += [name, "graph name", "I =", values[0], "B =", values[1]]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_curves_of_a_dorf_file_are_read_by_name(tmp_path):
    exposures = np.linspace(0, 1, 1024)
    path = write_dorf(tmp_path / "dorf.txt", {"Film-100CD.Red": exposures**0.5, "Video 2": exposures**0.8}, exposures)
    curves = read_dorf(path)
    assert list(curves) == ["Film-100CD.Red", "Video 2"]
    assert curves["Video 2"](np.array([0.25])) == pytest.approx(0.25**0.8, abs=1e-5)  # linear between 1,024 samples
    chosen = choose_crf(FileCrf(kind="dorf", file=str(path), curve="Film-100CD.Red"))
    assert chosen.name == "film-100cd-red"
    with pytest.raises(ValueError, match=r"no curve 'Film'; it has 2: Film-100CD\.Red, Video 2"):
        choose_crf(FileCrf(kind="dorf", file=str(path), curve="Film"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 lines; a DoRF file has six a curve"),
        ("a\nb\nI =\n0 1\nB =\n", "5 lines"),
        ("a\nb\nX =\n0 1\nB =\n0 1\n", "curve 'a' has 'X ='"),
        ("a\nb\nI =\n0 one\nB =\n0 1\n", "line 4: not a row of numbers"),
        ("a\nb\nI =\n0 0.5 1\nB =\n0 0.5 0.4\n", "falls from 0.5 to 0.4"),
    ],
)
def test_a_wrong_dorf_file_is_refused(tmp_path, text, reason):
    (tmp_path / "dorf.txt").write_text(text)
    with pytest.raises(ValueError) as error:
        read_dorf(tmp_path / "dorf.txt")
    assert reason in str(error.value)
    with pytest.raises(ValueError, match=r"none\.txt: cannot be read"):
        read_dorf(tmp_path / "none.txt")


def write_emor(path: Path, exposures: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> Path:
    blocks = {"E": exposures, "f0": mean, **{f"h({k + 1})": row for k, row in enumerate(basis)}}
    lines = []
    for name, values in blocks.items():
        lines.append(f"{name} =")
        lines += [" ".join(f"{value:.8e}" for value in row) for row in values.reshape(-1, 4)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_emor_curve_is_the_mean_and_weighted_basis(tmp_path):
    exposures = np.linspace(0, 1, 64)
    basis = np.array([np.sin(np.pi * k * exposures) for k in range(1, 26)])
    path = write_emor(tmp_path / "emor.txt", exposures, exposures**0.5, basis)
    crf = choose_crf(EmorCrf(kind="emor", file=str(path), weights=(0.05, -0.02)))
    assert crf.name == "emor-0p05--0p02"
    expected = exposures**0.5 + 0.05 * basis[0] - 0.02 * basis[1]
    assert crf(exposures) == pytest.approx(expected, abs=1e-7)
    with pytest.raises(ValueError, match=r"falls|reach"):
        choose_crf(EmorCrf(kind="emor", file=str(path), weights=(5.0,)))


def test_a_wrong_emor_file_is_refused(tmp_path):
    path = tmp_path / "emor.txt"
    path.write_text("0 1 2 3\n")
    with pytest.raises(ValueError, match="before any block; expected 'E ='"):
        read_emor(path)
    path.write_text("E =\n0 1\nf0 =\n0 1\n")
    with pytest.raises(ValueError, match=r"no block 'h\(1\)'"):
        read_emor(path)
    write_emor(path, np.linspace(0, 1, 8), np.linspace(0, 1, 4), np.zeros((25, 8)))
    with pytest.raises(ValueError, match=r"blocks of \[4, 8\] values"):
        read_emor(path)


@pytest.mark.skipif(not EMOR.is_file(), reason="there is no shared/reference/crf/emor.txt beside the repository")
def test_the_published_emor_file_is_read():
    mean, basis, exposures = read_emor(EMOR)
    assert mean.shape == exposures.shape == (1024,) and basis.shape == (25, 1024)
    assert (exposures[0], exposures[-1], mean[0], mean[-1]) == (0, 1, 0, 1)
    # "Modeling the Space of Camera Response Functions": the basis is orthonormal
    assert basis @ basis.T == pytest.approx(np.eye(25), abs=1e-3)
    crf = choose_crf(EmorCrf(kind="emor", file=str(EMOR), weights=()))
    assert isinstance(crf, CameraResponse) and crf.name == "emor"
    assert crf(np.array([0.18]))[0] > 0.18  # a camera brightens the middle greys

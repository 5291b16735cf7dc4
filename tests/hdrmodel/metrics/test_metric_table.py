import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_files import SHARED

from hdrmodel.metrics.alignment import ALIGNMENTS
from hdrmodel.metrics.perceptual import LpipsConfig
from hdrmodel.metrics.table import CLIPPED, DEFAULT_METRICS, METRICS, SETS, columns_of, load_metrics

CPU = torch.device("cpu")
NO_LPIPS = LpipsConfig(trunk=None, trunk_file=None)
ALEX = SHARED / "weights" / "alexnet_features_tv.pth"
SYMMETRIC = set(METRICS) - {"piqe_pu21", "flip", "cvvdp"}  # those weigh by the reference, or have none
WITHOUT_REFERENCE = {"piqe_pu21"}
SIDE = 48


@pytest.fixture(scope="module")
def loaded():
    return load_metrics(METRICS, LpipsConfig(trunk="alex", trunk_file=str(ALEX)), CPU, peak_nits=1000.0)


@pytest.fixture(params=[name for name in METRICS if name not in CLIPPED], scope="module")
def metric(request, loaded):
    """Every metric that is here, and by which factor [0, 1] becomes what it takes."""
    made, absent = loaded
    if request.param in absent:
        pytest.skip(absent[request.param])
    return METRICS[request.param], made[request.param], 1.0 if "ldr" in METRICS[request.param].sets else 400.0


def smooth(seed):
    """Two pictures of smooth shades, 0.25 to 0.75."""
    coarse = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return 0.25 + 0.5 * torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")


def noise(seed):
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) - 0.5


def compared(metric):
    """A metric, unless it has no reference: PIQE's laws are in test_metrics.py."""
    if metric[0].key in WITHOUT_REFERENCE:
        pytest.skip(f"{metric[0].name} compares nothing")
    return metric


def test_equal_pictures_have_the_best_value(metric):
    about, measure, scale = compared(metric)
    reference = scale * smooth(0)
    best, worse = measure(reference, reference), measure(reference + 0.2 * scale * noise(1), reference)
    assert best.shape == worse.shape == (2,)
    assert ((best > worse) if about.higher_is_better else (best < worse)).all()


@given(seed=st.integers(0, 99))
@settings(max_examples=3)
def test_more_noise_is_worse(metric, seed):
    about, measure, scale = compared(metric)
    reference = scale * smooth(seed)
    less, more = (measure(reference + amount * scale * noise(seed + 1), reference) for amount in (0.03, 0.4))
    assert ((less > more) if about.higher_is_better else (less < more)).all()


def test_a_symmetric_metric_takes_its_pictures_in_either_order(metric):
    about, measure, scale = metric
    if about.key not in SYMMETRIC:
        pytest.skip(f"{about.name} is not symmetric")
    test, reference = scale * smooth(0), scale * smooth(1)
    assert torch.allclose(measure(test, reference), measure(reference, test), rtol=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.25])
def test_a_value_that_is_no_light_is_refused(metric, value):
    _, measure, scale = metric
    wrong, right = scale * smooth(0), scale * smooth(1)
    wrong[1, 2, 3, 4] = value
    for pair in ((wrong, right), (right, wrong)):
        with pytest.raises(ValueError, match=rf"must lie in .* got {value}") as error:
            measure(*pair)
        assert "\n" not in str(error.value)


def test_a_display_referred_value_above_one_is_refused(metric):
    about, measure, _ = metric
    if "ldr" in about.sets:
        with pytest.raises(ValueError, match=r"must lie in \[0\.0, 1\.0\].* got 1\.5"):
            measure(smooth(0), torch.full_like(smooth(0), 1.5))
    else:
        assert measure(2000 * smooth(0), 2000 * smooth(1)).isfinite().all()


@pytest.mark.parametrize("shape", [(2, 3, SIDE, SIDE - 1), (1, 3, SIDE, SIDE), (2, 1, SIDE, SIDE), (3, SIDE, SIDE)])
def test_pictures_of_other_shapes_are_refused(metric, shape):
    _, measure, _ = metric
    with pytest.raises((ValueError, TypeError)) as error:  # TypeError: jaxtyping's, of a wrong number of channels
        measure(smooth(0), torch.full(shape, 0.5))
    assert "\n" not in str(error.value) or error.type is not ValueError


def test_the_table_is_whole():
    assert list(METRICS) == [
        "psnr", "ssim", "lpips", "stlpips", "psnr_mu", "psnr_pu21", "psnry_pu21", "ssim_pu21", "vsi_pu21", "fsim_pu21",
        "piqe_pu21", "cvvdp", "flip", *CLIPPED,
    ]  # fmt: skip
    assert all(key == about.key and set(about.sets) <= set(SETS) for key, about in METRICS.items())
    assert len({about.name for about in METRICS.values()}) == len(METRICS)
    assert set(DEFAULT_METRICS) <= set(METRICS)
    assert METRICS["psnr_pu21"].resolution == 3.5  # metrics.md section 1


def test_columns_are_ordered_by_set_then_alignment_then_metric():
    columns = columns_of(["psnr_pu21", "psnr", "piqe_pu21"], ["none", "crf"])
    assert [column.key for column in columns] == [
        "psnr_ldr", "psnr_tonemapped", "psnr_pu21_none", "piqe_pu21_none", "psnr_pu21_crf", "piqe_pu21_crf",
    ]  # fmt: skip
    assert [(column.set, column.alignment) for column in columns[1:3]] == [("tonemapped", None), ("hdr", "none")]
    assert columns[0].metric is METRICS["psnr"]


def test_the_columns_of_earlier_evaluations_keep_their_names():
    keys = {column.key for column in columns_of(DEFAULT_METRICS, list(ALIGNMENTS))}
    assert {
        "psnr_ldr", "ssim_ldr", "lpips_ldr", "psnr_tonemapped", "ssim_tonemapped", "psnr_pu21_gain"
    } <= keys  # fmt: skip


def test_every_column_has_a_name_of_its_own():
    keys = [column.key for column in columns_of(list(METRICS), list(ALIGNMENTS))]
    assert len(set(keys)) == len(keys) == 2 * 4 + 5 + 3 * 9


@pytest.mark.parametrize(
    ("metrics", "alignments", "message"),
    [
        (["psnr", "psnr_hvs"], ["none"], r"unknown metric 'psnr_hvs'; known are \['psnr', 'ssim'"),
        (["psnr"], ["affine"], r"unknown alignment 'affine'"),
        (["psnr", "ssim", "psnr"], ["none"], r"the metric 'psnr' is given twice"),
        (["psnr"], ["gain", "gain"], r"the alignment 'gain' is given twice"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(metrics, alignments, message):
    with pytest.raises(ValueError, match=message):
        columns_of(metrics, alignments)


def test_an_unknown_metric_is_not_taken_for_an_absent_one():
    with pytest.raises(ValueError, match="unknown metric 'lpipss'"):
        load_metrics(["psnr", "lpipss"], NO_LPIPS, CPU, 1000.0)


def test_an_absent_metric_says_how_to_get_it_and_stops_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("HDRMODEL_ALEXNET", str(tmp_path / "absent.pth"))
    for module in ("pycvvdp", "flip_evaluator"):
        monkeypatch.setitem(sys.modules, module, None)
    wanted = ["psnr", "lpips", "cvvdp", "flip", "ssim_pu21"]
    made, absent = load_metrics(wanted, LpipsConfig(trunk="alex", trunk_file=None), CPU, 1000.0)
    assert list(made) == ["psnr", "ssim_pu21"]
    assert list(absent) == ["lpips", "cvvdp", "flip"]
    assert all(why and "\n" not in why for why in absent.values())
    assert "absent.pth" in absent["lpips"] and "hdr-attnet[cvvdp]" in absent["cvvdp"]


def test_lpips_can_be_switched_off():
    made, absent = load_metrics(["lpips"], NO_LPIPS, CPU, 1000.0)
    assert made == {} and absent == {"lpips": "evaluate.lpips.trunk is null"}


def test_a_metric_tells_what_its_numbers_hang_on():
    made, _ = load_metrics(["psnr", "psnr_mu", "stlpips", "piqe_pu21"], NO_LPIPS, CPU, 4000.0)
    assert made["psnr"].version == ""
    assert made["psnr_mu"].version == "mu 5000, 1 is 4000 cd/m^2"
    assert made["stlpips"].version.startswith("alex, stlpips-pytorch 0.")
    assert "hdrmodel's" in made["piqe_pu21"].version


def test_psnr_mu_takes_the_peak_that_it_is_given():
    test, reference = 400 * smooth(0), 400 * smooth(1)
    values = [load_metrics(["psnr_mu"], NO_LPIPS, CPU, peak)[0]["psnr_mu"](test, reference) for peak in (400.0, 4000.0)]
    assert not torch.allclose(*values)

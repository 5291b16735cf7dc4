import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_files import shared_file

from hdrmodel.metrics import (
    PU21_VARIANTS,
    Lpips,
    psnr_ldr,
    psnr_pu21,
    psnr_pu21_luminance,
    pu21_decode,
    pu21_encode,
    ssim_ldr,
    ssim_pu21,
)
from hdrmodel.trunks import WeightsMissing

LDR_METRICS = (psnr_ldr, ssim_ldr)
PU21_METRICS = (psnr_pu21, psnr_pu21_luminance, ssim_pu21)
METRICS = (*LDR_METRICS, *PU21_METRICS)
ALEX = "weights/alexnet_features_tv.pth"


def pictures(seed, side=16):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def as_batch(picture):
    """Height, width, channel to a batch of one."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def golden():
    """A pair of absolute pictures with values from the metrics' authors' programs (metrics.md section 4)."""
    with np.load(shared_file("golden/pair.npz")) as pair:
        return as_batch(pair["test"]), as_batch(pair["ref"])


@pytest.fixture(scope="module")
def alex():
    return Lpips("alex", shared_file(ALEX))


def example(name):
    return as_batch(cv2.imread(str(shared_file(f"golden/lpips/ex_{name}.png")))[:, :, ::-1] / np.float32(255))


@pytest.mark.parametrize(  # to the last digit that metrics.md gives
    ("metric", "value", "tolerance"),
    [
        (psnr_pu21, 23.4439922363, 1e-10),
        (psnr_pu21_luminance, 23.79339653, 1e-8),
        (ssim_pu21, 0.96259253, 1e-8),
    ],
)
def test_the_golden_pair_has_its_authors_values(golden, metric, value, tolerance):
    assert metric(*golden).item() == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize(  # metrics.md section 2, from the authors' program
    ("luminance", "encoded"),
    [(0.005, 0), (1, 36.5439), (100, 256.3839), (203, 303.8002), (1000, 420.0969), (4000, 527.4939), (1e4, 595.3939)],
)
def test_pu21_has_its_authors_values(luminance, encoded):
    assert pu21_encode(torch.tensor(float(luminance))).item() == pytest.approx(encoded, abs=1e-4)


@pytest.mark.parametrize("variant", PU21_VARIANTS)
@given(luminance=st.floats(0.005, 10_000))
def test_decoding_undoes_encoding(variant, luminance):
    encoded = pu21_encode(torch.tensor([luminance], dtype=torch.float64), variant)
    assert pu21_decode(encoded, variant).item() == pytest.approx(luminance, rel=1e-6)


@pytest.mark.parametrize("variant", PU21_VARIANTS)
@given(luminance=st.floats(0.006, 9_000), factor=st.floats(1.001, 2))
def test_more_light_is_encoded_higher(variant, luminance, factor):
    darker, brighter = pu21_encode(torch.tensor([luminance, luminance * factor], dtype=torch.float64), variant)
    assert brighter > darker


def test_light_beyond_pu21_s_range_counts_as_its_ends():
    ends = pu21_encode(torch.tensor([0.005, 1e4], dtype=torch.float64))
    assert torch.equal(pu21_encode(torch.tensor([0.0, 1e6], dtype=torch.float64)), ends)


def test_float32_values_at_the_upper_end_decode():
    assert pu21_decode(pu21_encode(torch.tensor([1e4])).float()).item() == pytest.approx(1e4, rel=1e-5)


def test_psnr_of_a_known_error():
    test, reference = torch.full((2, 3, 2, 2), 0.5), torch.full((2, 3, 2, 2), 0.5)
    test[0] += 0.1  # 10 log10 (1 / 0.01)
    test[1, 0] += 0.1  # one channel of three: 10 log10 3 more
    assert psnr_ldr(test, reference).tolist() == pytest.approx([20.0, 20.0 + 4.7712125], abs=1e-5)


def test_psnr_is_taken_of_each_picture():
    test, reference = pictures(0), pictures(1)
    alone = [psnr_ldr(test[i : i + 1], reference[i : i + 1]).item() for i in range(2)]
    assert psnr_ldr(test, reference).tolist() == pytest.approx(alone)
    assert sum(alone) / 2 != pytest.approx(psnr_ldr(test.reshape(1, 3, 32, 16), reference.reshape(1, 3, 32, 16)).item())


def test_pu21_psnr_has_the_peak_256():
    gray = torch.full((1, 3, 4, 4), 100.0)
    step = 256.3839 - 36.5439  # U(100) - U(1)
    expected = 20 * np.log10(256 / step)
    assert psnr_pu21(gray, gray / 100).item() == pytest.approx(expected, abs=1e-5)
    assert psnr_pu21_luminance(gray, gray / 100).item() == pytest.approx(expected, abs=1e-5)


def test_ssim_equals_scikit_image_s():
    # scikit-image 0.26, structural_similarity(channel_axis=0, gaussian_weights=True, sigma=1.5,
    # use_sample_covariance=False, data_range=1) of these two pictures, which it would not downsample either
    y, x = np.mgrid[:300, :280]
    reference = np.stack([np.sin(x / 7) * np.cos(y / 11), np.sin(x * y / 999), np.cos(x / 3)]) * 0.4 + 0.5
    test = np.clip(reference + 0.1 * np.sin(x * 1.7 + y * 2.3), 0, 1)
    ssim = ssim_ldr(torch.from_numpy(test)[None], torch.from_numpy(reference)[None])
    assert ssim.item() == pytest.approx(0.6700655137, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@given(seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)), exponent=st.floats(-2, 0))
@settings(max_examples=20, deadline=None)
def test_a_metric_is_symmetric(metric, seeds, exponent):
    test, reference = (pictures(seed) * 10**exponent for seed in seeds)
    assert torch.allclose(metric(test, reference), metric(reference, test))


@pytest.mark.parametrize(("metric", "best"), [(m, 1.0 if "ssim" in m.__name__ else float("inf")) for m in METRICS])
def test_equal_pictures_have_the_best_value(metric, best):
    assert metric(pictures(0), pictures(0)).tolist() == pytest.approx([best, best])


@pytest.mark.parametrize("metric", METRICS)
def test_more_noise_is_worse(metric):
    reference, noise = 0.25 + 0.5 * pictures(0), pictures(1) - 0.5
    assert (metric(reference + 0.1 * noise, reference) > metric(reference + 0.4 * noise, reference)).all()


def test_pu21_ssim_takes_pictures_smaller_than_its_window():
    assert ssim_pu21(pictures(0, side=1), pictures(0, side=1)).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.25])
def test_a_value_that_is_no_light_is_refused_by_name(metric, value):
    wrong = pictures(0)
    wrong[1, 2, 3, 4] = value
    with pytest.raises(ValueError, match=rf"a test picture must lie in .* got {value}"):
        metric(wrong, pictures(0))
    with pytest.raises(ValueError, match=rf"a reference picture must lie in .* got {value}"):
        metric(pictures(0), wrong)


@pytest.mark.parametrize("metric", LDR_METRICS)
def test_a_display_referred_value_above_one_is_refused(metric):
    with pytest.raises(ValueError, match=r"\[0\.0, 1\.0\].* got 1\.5"):
        metric(torch.full((1, 3, 16, 16), 1.5), torch.zeros(1, 3, 16, 16))


def test_ssim_refuses_pictures_smaller_than_its_window():
    with pytest.raises(ValueError, match=r"11 pixels a side.*10"):
        ssim_ldr(pictures(0, side=10), pictures(0, side=10))


@pytest.mark.parametrize("value", [-1.0, 595.5, float("nan")])
def test_decoding_refuses_what_encoding_cannot_give(value):
    with pytest.raises(ValueError, match=rf"PU21 value must lie in .* got {value}"):
        pu21_decode(torch.tensor([value], dtype=torch.float64))


def test_an_unknown_pu21_variant_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'glare'.*banding.*banding_glare.*peaks.*peaks_glare"):
        pu21_encode(torch.ones(1), "glare")


@pytest.mark.parametrize(  # the LPIPS repository's example pictures; its README and metrics.md give three digits
    ("trunk", "weights", "far", "near"),
    [("alex", ALEX, 0.722, 0.138), ("squeeze", "weights/squeezenet1_1_features_tv.pth", 0.711, 0.148)],
)
def test_lpips_of_its_authors_examples(trunk, weights, far, near):
    distance = Lpips(trunk, shared_file(weights))
    assert distance(example("p0"), example("ref")).item() == pytest.approx(far, abs=5e-4)
    assert distance(example("p1"), example("ref")).item() == pytest.approx(near, abs=5e-4)


def test_lpips_is_symmetric_and_zero_for_equal_pictures(alex):
    test, reference = pictures(0, side=32), pictures(1, side=32)
    assert alex(reference, reference).tolist() == [0, 0]
    assert torch.allclose(alex(test, reference), alex(reference, test))


def test_lpips_holds_no_weight_that_its_file_does_not(alex):
    state = torch.load(shared_file(ALEX), weights_only=True)
    trunk = alex.distance.net.state_dict()
    assert sorted(map(float.hex, (value.double().sum().item() for value in trunk.values()))) == sorted(
        map(float.hex, (value.double().sum().item() for value in state.values()))
    )
    assert not any(parameter.requires_grad for parameter in alex.parameters())


def test_lpips_refuses_small_pictures_and_values_above_one(alex):
    with pytest.raises(ValueError, match=r"32 pixels a side.*31"):
        alex(pictures(0, side=31), pictures(1, side=31))
    with pytest.raises(ValueError, match=r"got 2\.0"):
        alex(torch.full((1, 3, 32, 32), 2.0), torch.zeros(1, 3, 32, 32))


def test_lpips_refuses_the_weights_of_another_network(tmp_path):
    path = tmp_path / "squeeze.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(ValueError, match=r"squeeze\.pth holds no 'features\.0\.bias'"):
        Lpips("alex", path)


def test_lpips_without_its_trunk_says_how_to_supply_it(tmp_path):
    with pytest.raises(WeightsMissing, match=r"absent\.pth with the weights of alexnet"):
        Lpips("alex", tmp_path / "absent.pth")


def test_an_unknown_lpips_trunk_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'vgg'.*alex.*squeeze"):
        Lpips("vgg")

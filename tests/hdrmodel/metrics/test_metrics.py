import inspect
import sys
import warnings
from pathlib import Path
from types import ModuleType

import cv2
import lpips
import numpy as np
import piq
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_files import shared_file
from torchvision.models import vgg16

from hdrmodel.metrics.absolute import (
    PU21_VARIANTS,
    fsim_pu21,
    psnr_mu,
    psnr_pu21,
    psnr_pu21_luminance,
    pu21_decode,
    pu21_encode,
    ssim_pu21,
    vsi_pu21,
)
from hdrmodel.metrics.alignment import align_crf
from hdrmodel.metrics.display import psnr_ldr, ssim_ldr
from hdrmodel.metrics.perceptual import Lpips, StLpips
from hdrmodel.metrics.piqe import piqe_pu21
from hdrmodel.networks.trunks import WeightsMissing


def psnr_mu_nit(test, reference):
    return psnr_mu(test, reference, peak_nits=1.0)


LDR_METRICS = (psnr_ldr, ssim_ldr)
LIGHT_METRICS = (psnr_mu_nit, psnr_pu21, psnr_pu21_luminance, ssim_pu21)
FEATURE_METRICS = (vsi_pu21, fsim_pu21)
METRICS = (*LDR_METRICS, *LIGHT_METRICS)
ALL_METRICS = (*METRICS, *FEATURE_METRICS)
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
def corrected(golden):
    """The pair with the test picture's camera response corrected."""
    test, reference = (batch[0].permute(1, 2, 0).numpy() for batch in golden)
    return as_batch(align_crf(test, reference, np.ones(test.shape, dtype=bool))), golden[1]


@pytest.fixture(scope="module")
def alex():
    return Lpips("alex", shared_file(ALEX))


@pytest.fixture(scope="module")
def shift_tolerant():
    return StLpips()


def example(name):
    return as_batch(cv2.imread(str(shared_file(f"golden/lpips/ex_{name}.png")))[:, :, ::-1] / np.float32(255))


GOLDEN = [  # metrics.md section 4: raw, after CRF correction; to its last digit, VSI and FSIM as piq agrees with theirs
    (psnr_pu21, 23.4439922363, 43.9763654828, 1e-10),
    (psnr_pu21_luminance, 23.79339653, 48.17745883, 1e-8),
    (ssim_pu21, 0.96259253, 0.99884107, 1e-8),
    (vsi_pu21, 0.9928991565, 0.9996423276, 5e-5),
    (fsim_pu21, 0.9825389562, 0.9990838097, 5e-7),
]


@pytest.mark.parametrize(("metric", "raw", "after", "tolerance"), GOLDEN)
def test_the_golden_pair_has_its_authors_values(golden, corrected, metric, raw, after, tolerance):
    assert metric(*golden).item() == pytest.approx(raw, abs=tolerance)
    assert metric(*corrected).item() == pytest.approx(after, abs=max(tolerance, 1e-8))  # the fit's own rounding


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


def test_psnr_mu_is_that_of_the_logarithm():
    gray = torch.full((1, 3, 4, 4), 1000.0)
    step = 1 - np.log(2501) / np.log(5001)  # T(1) - T(0.5)
    assert psnr_mu(gray / 2, gray, 1000.0).item() == pytest.approx(-20 * np.log10(step), abs=1e-9)
    assert psnr_mu(gray, 3 * gray, 1000.0).item() == float("inf")
    assert psnr_mu(gray / 2, gray, 1000.0) == psnr_mu(gray / 20, gray / 10, 100.0)


@pytest.mark.parametrize("peak", [0.0, -1.0, float("nan"), float("inf")])
def test_psnr_mu_refuses_a_peak_that_is_no_light(peak):
    with pytest.raises(ValueError, match=f"positive and finite, got {peak}"):
        psnr_mu(pictures(0), pictures(1), peak)


@pytest.mark.parametrize("metric", FEATURE_METRICS)
def test_a_feature_metric_takes_light_that_pu21_puts_above_255_and_refuses_small_pictures(metric):
    bright = torch.full((1, 3, 16, 16), 9000.0)
    assert metric(bright, bright).item() == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"SI[M]? needs 16 pixels a side.*15"):
        metric(pictures(0, side=15), pictures(1, side=15))


def test_feature_metrics_halve_pictures_of_384_pixels():
    light = torch.full((1, 3, 384, 384), 50.0, dtype=torch.float64)
    light[..., 100:200, 100:203] = 80.0
    y, x = torch.meshgrid(torch.arange(384), torch.arange(384), indexing="ij")
    board = light * torch.where((x + y) % 2 == 0, 1.2, 0.8)  # single pixels, which the averages of 2x2 lose
    halved = [pu21_decode(F.avg_pool2d(pu21_encode(picture), 2)) for picture in (board, light)]
    assert fsim_pu21(board, light).item() == pytest.approx(fsim_pu21(*halved).item(), abs=1e-9)
    assert fsim_pu21(*halved).item() < 1
    # VSI finds saliency before it averages, so only the rise can be told
    small, large = (vsi_pu21(board[..., :side, :side], light[..., :side, :side]).item() for side in (383, 384))
    assert small < large < 1


def waves(height=96, width=112):
    """A smooth coloured picture by formula, 5 to 195 cd/m^2."""
    y, x = np.mgrid[:height, :width]
    picture = np.stack([np.sin(x / 5) * np.cos(y / 7), np.sin((x + 2 * y) / 9), np.cos(x * y / 300)], axis=2)
    return as_batch(100 + 95 * picture)


def test_piqe_equals_pypiqe_s():
    # values of pypiqe 1.2: piqe(pu21_encode(luminance)); sides that are no multiple of 16 are mirrored
    y, x = np.mgrid[:96, :112]
    grain = as_batch(np.stack([np.sin(12.9898 * x + 78.233 * y + c) * 43758.5453 % 1 for c in range(3)], axis=2))
    blocks = waves().reshape(1, 3, 12, 8, 14, 8).mean(dim=(3, 5)).repeat_interleave(8, 2).repeat_interleave(8, 3)
    steps = [waves(), waves() * (0.9 + 0.2 * grain), waves() * (0.5 + grain), blocks, waves()[..., :90, :103]]
    expected = [100.0, 39.47889108221958, 36.50981832641343, 84.42380775571266, 94.38167710281027]
    assert [piqe_pu21(step).item() for step in steps] == pytest.approx(expected, abs=1e-6)


def test_piqe_does_not_look_at_a_reference():
    light = waves()
    assert torch.equal(piqe_pu21(light), piqe_pu21(light, light / 2))


def test_piqe_of_flat_and_black_pictures_is_the_worst():
    flat = torch.stack([torch.zeros(3, 20, 40), torch.full((3, 20, 40), 7.0)])
    assert piqe_pu21(flat).tolist() == [100.0, 100.0]


def test_piqe_is_taken_of_each_picture():
    light = torch.cat([waves(), waves().flip(3), waves() / 50])
    assert piqe_pu21(light).tolist() == pytest.approx([piqe_pu21(light[i : i + 1]).item() for i in range(3)])


@given(seed=st.integers(0, 99))
@settings(max_examples=20)
def test_piqe_of_texture_is_worse_with_strong_noise(seed):
    y, x = np.mgrid[:96, :112]
    texture = as_batch(100 + 40 * np.stack([np.sin(1.1 * x + 0.3 * y) + np.sin(1.3 * y - 0.2 * x)] * 3, axis=2))
    noise = torch.rand(texture.shape, generator=torch.Generator().manual_seed(seed)) - 0.5
    clean, noisy, noisier = (piqe_pu21(texture * (1 + amount * noise)).item() for amount in (0, 0.8, 1.5))
    assert clean < noisy < noisier <= 100


def test_piqe_of_texture_is_worse_in_blocks():
    y, x = np.mgrid[:96, :112]
    texture = as_batch(100 + 40 * np.stack([np.sin(1.1 * x + 0.3 * y) + np.sin(1.3 * y - 0.2 * x)] * 3, axis=2))
    blocks = texture.reshape(1, 3, 12, 8, 14, 8).mean(dim=(3, 5)).repeat_interleave(8, 2).repeat_interleave(8, 3)
    assert piqe_pu21(texture) < 30 < 70 < piqe_pu21(blocks)


def test_ssim_equals_scikit_image_s():
    # scikit-image 0.26, structural_similarity(channel_axis=0, gaussian_weights=True, sigma=1.5,
    # use_sample_covariance=False, data_range=1) of these two pictures, which it would not downsample either
    y, x = np.mgrid[:300, :280]
    reference = np.stack([np.sin(x / 7) * np.cos(y / 11), np.sin(x * y / 999), np.cos(x / 3)]) * 0.4 + 0.5
    test = np.clip(reference + 0.1 * np.sin(x * 1.7 + y * 2.3), 0, 1)
    ssim = ssim_ldr(torch.from_numpy(test)[None], torch.from_numpy(reference)[None])
    assert ssim.item() == pytest.approx(0.6700655137, abs=1e-6)


def test_ssim_is_piq_s_without_its_downsampling():
    test, reference = pictures(0, side=40), (pictures(0, side=40) + pictures(1, side=40)) / 2
    expected = piq.ssim(test, reference, downsample=False, reduction="none")
    assert ssim_ldr(test, reference).tolist() == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@given(seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)), exponent=st.floats(-2, 0))
@settings(max_examples=20, deadline=None)
def test_a_metric_is_symmetric(metric, seeds, exponent):
    test, reference = (pictures(seed) * 10**exponent for seed in seeds)
    assert torch.allclose(metric(test, reference), metric(reference, test))


@pytest.mark.parametrize(("metric", "best"), [(m, float("inf") if "psnr" in m.__name__ else 1.0) for m in ALL_METRICS])
def test_equal_pictures_have_the_best_value(metric, best):
    assert metric(pictures(0), pictures(0)).tolist() == pytest.approx([best, best])


@pytest.mark.parametrize("metric", ALL_METRICS)
def test_more_noise_is_worse(metric):
    reference, noise = 0.25 + 0.5 * pictures(0), pictures(1) - 0.5
    assert (metric(reference + 0.1 * noise, reference) > metric(reference + 0.4 * noise, reference)).all()


def test_pu21_ssim_takes_pictures_smaller_than_its_window():
    assert ssim_pu21(pictures(0, side=1), pictures(0, side=1)).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("metric", [*ALL_METRICS, piqe_pu21])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.25])
def test_a_value_that_is_no_light_is_refused_by_name(metric, value):
    wrong = pictures(0)
    wrong[1, 2, 3, 4] = value
    with pytest.raises(ValueError, match=rf"a test picture must lie in .* got {value}"):
        metric(wrong, pictures(0))
    with pytest.raises(ValueError, match=rf"a reference picture must lie in .* got {value}"):
        metric(pictures(0), wrong)


@pytest.mark.parametrize("metric", [*ALL_METRICS, piqe_pu21, StLpips.forward])
@pytest.mark.parametrize(
    ("test", "reference"),
    [
        ((2, 3, 48, 48), (2, 3, 48, 47)),
        ((2, 3, 48, 48), (1, 3, 48, 48)),
        ((2, 1, 48, 48), (2, 1, 48, 48)),
        ((3, 48, 48), (3, 48, 48)),
        ((0, 3, 48, 48), (0, 3, 48, 48)),
    ],
)
def test_pictures_of_other_shapes_are_refused(metric, test, reference, shift_tolerant):
    bare = inspect.unwrap(psnr_mu if metric is psnr_mu_nit else metric)  # without the tests' own check of shapes
    more = {psnr_mu_nit: {"peak_nits": 1.0}, StLpips.forward: {"self": shift_tolerant}}.get(metric, {})
    with pytest.raises(ValueError, match=r"^pictures must both be \(batch, 3, height, width\), got \("):
        bare(test=torch.zeros(test), reference=torch.zeros(reference), **more)


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


def package_of_lpips(trunk, state):
    """The package's own LPIPS with weights of its trunk; nothing is drawn at random."""
    with warnings.catch_warnings(), torch.device("meta"):  # it calls torchvision's constructors in their old form
        warnings.simplefilter("ignore")
        package = lpips.LPIPS(net=trunk, pretrained=False, pnet_rand=True, verbose=False)
    heads = torch.load(Path(lpips.__file__).parent / "weights" / "v0.1" / f"{trunk}.pth", "cpu", weights_only=True)
    package.load_state_dict(heads, strict=False, assign=True)
    package.scaling_layer = lpips.ScalingLayer()
    package.net.load_state_dict(state, assign=True)
    return package


def test_lpips_is_its_package_s(alex):
    package = package_of_lpips("alex", alex.features.state_dict())
    test, reference = pictures(0, side=64), pictures(1, side=64)
    assert torch.equal(alex(test, reference), package(test, reference, normalize=True)[:, 0, 0, 0])


def test_lpips_takes_torchvision_s_vgg16(tmp_path):
    # no real weights of it are at hand: random ones, in torchvision's names, show that each finds its place
    with torch.device("meta"):
        shapes = vgg16(weights=None).features.state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {
        f"features.{name}": torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5
        if value.ndim == 4
        else torch.zeros(value.shape)
        for name, value in shapes.items()
    }
    torch.save(state, tmp_path / "vgg16.pth")
    metric = Lpips("vgg", tmp_path / "vgg16.pth")
    slices = {
        f"slice{number}": range(*ends) for number, ends in enumerate([(0, 4), (4, 9), (9, 16), (16, 23), (23, 30)], 1)
    }
    sliced = {
        f"{part}.{name}": state[f"features.{name}"]
        for part, layers in slices.items()
        for name in shapes
        if int(name.partition(".")[0]) in layers
    }
    package = package_of_lpips("vgg", sliced)
    test, reference = pictures(0, side=32), pictures(1, side=32)
    expected = package(test, reference, normalize=True)[:, 0, 0, 0]
    assert expected.min() > 0.01
    assert torch.equal(metric(test, reference), expected)


@pytest.fixture
def package_of_stlpips(monkeypatch):
    """stlpips-pytorch, with names in place of the two packages that it does not declare and only prints by."""
    for name, attribute in (("IPython", "embed"), ("torchsummary", "summary")):
        stub = ModuleType(name)
        setattr(stub, attribute, None)
        monkeypatch.setitem(sys.modules, name, stub)
    from stlpips_pytorch import stlpips

    yield stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "stlpips_pytorch"]:
        del sys.modules[name]


@pytest.mark.parametrize("side", [32, 45, 64])
def test_stlpips_is_its_package_s(shift_tolerant, package_of_stlpips, side):
    test, reference = pictures(0, side), pictures(1, side)
    with torch.no_grad():
        expected = package_of_stlpips(test, reference, normalize=True)[:, 0, 0, 0]
    assert torch.allclose(shift_tolerant(test, reference), expected, rtol=1e-6)


def test_stlpips_prefers_the_example_that_lpips_prefers(shift_tolerant):
    # values of stlpips-pytorch 0.0.2 for the LPIPS repository's pictures
    assert shift_tolerant(example("p0"), example("ref")).item() == pytest.approx(0.77776, abs=1e-4)
    assert shift_tolerant(example("p1"), example("ref")).item() == pytest.approx(0.13202, abs=1e-4)


def test_stlpips_suffers_less_than_lpips_from_a_shift_by_a_pixel(alex, shift_tolerant):
    reference, far = example("ref"), example("p0")
    shares = [
        (metric(reference[..., 1:, 1:], reference[..., :-1, :-1]) / metric(far, reference)).item()
        for metric in (alex, shift_tolerant)
    ]
    assert shares[1] < shares[0]


def test_stlpips_refuses_other_weights_and_says_where_its_own_are(tmp_path, monkeypatch):
    torch.save({"net.slice1.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth: no tensor 'net\.slice1\.0\.bias'"):
        StLpips(tmp_path / "other.pth")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsMissing, match="alex-stlpips come with a package: pip install --no-deps stlpips-pytorch"):
        StLpips()


LEARNED = ("alex", "shift_tolerant")


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_distance_is_symmetric_and_zero_for_equal_pictures(name, request):
    metric = request.getfixturevalue(name)
    test, reference = pictures(0, side=32), pictures(1, side=32)
    assert metric(reference, reference).tolist() == [0, 0]
    assert torch.allclose(metric(test, reference), metric(reference, test))


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_distance_grows_with_noise(name, request):
    metric = request.getfixturevalue(name)
    reference, noise = 0.25 + 0.5 * pictures(0, side=32), pictures(1, side=32) - 0.5
    assert (metric(reference + 0.1 * noise, reference) < metric(reference + 0.4 * noise, reference)).all()


def test_a_kept_reference_is_that_of_the_call(alex):
    test, first, second = (pictures(seed, side=32) for seed in range(3))
    expected = [alex(test, second).tolist(), alex(test, first).tolist()]
    changed = first.clone()
    assert alex(test, changed).tolist() == expected[1]
    changed.copy_(second)  # the same tensor with other pixels
    assert alex(test, changed).tolist() == expected[0]
    assert alex(test[:1], first[:1]).tolist() == pytest.approx(expected[1][:1])
    assert expected[0] != expected[1]


def test_lpips_holds_no_weight_that_its_file_does_not(alex):
    state = torch.load(shared_file(ALEX), weights_only=True)
    trunk = alex.features.state_dict()
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
    with pytest.raises(ValueError, match=r"squeeze\.pth: no tensor 'features\.0\.bias'"):
        Lpips("alex", path)


def test_lpips_without_its_trunk_says_how_to_supply_it(tmp_path):
    with pytest.raises(WeightsMissing, match=r"absent\.pth with the weights of alexnet"):
        Lpips("alex", tmp_path / "absent.pth")


def test_an_unknown_lpips_trunk_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'resnet'.*alex.*squeeze.*vgg"):
        Lpips("resnet")

"""ColorVideoVDP and HDR-FLIP where they are installed."""

import sys

import numpy as np
import pytest
import torch
from shared_files import shared_file

from hdrmodel.metrics.external import ColorVideoVdp, HdrFlip, ProgramMissing

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cvvdp():
    try:
        return ColorVideoVdp(1500.0, CPU)
    except ProgramMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def flip():
    try:
        return HdrFlip()
    except ProgramMissing as error:
        pytest.skip(str(error))


def light(seed, side=48, nits=100.0):
    """Two pictures of smooth light with some grain, cd/m^2."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, 3, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    return nits * (0.2 + smooth + 0.1 * torch.rand(2, 3, side, side, generator=generator))


@pytest.fixture(scope="module")
def golden():
    with np.load(shared_file("golden/pair.npz")) as pair:
        return [torch.from_numpy(pair[name]).permute(2, 0, 1)[None] for name in ("test", "ref")]


def test_cvvdp_is_its_package_s_with_another_peak(cvvdp, golden):
    import pycvvdp

    package = pycvvdp.cvvdp(display_name="standard_hdr_linear", device=CPU, quiet=True)  # its peak is 1500 cd/m^2
    test, reference = (batch[0].permute(1, 2, 0).float().numpy() for batch in golden)
    expected, _ = package.predict(test, reference, dim_order="HWC")
    assert cvvdp(*golden).item() == pytest.approx(expected.item(), abs=1e-4)


def test_cvvdp_tells_its_version_and_display(cvvdp):
    assert cvvdp.version.startswith("ColorVideoVDP v0.5") and "Lpeak=1500" in cvvdp.version
    assert "Lpeak=4000" in ColorVideoVdp(4000.0, CPU).version


def test_cvvdp_of_equal_pictures_is_ten_and_noise_lowers_it(cvvdp):
    reference, noise = light(0), torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1)) - 0.5
    assert cvvdp(reference, reference).tolist() == pytest.approx([10.0, 10.0])
    less, more = (cvvdp(reference * (1 + amount * noise), reference) for amount in (0.1, 0.5))
    assert (more < less).all() and (less < 10).all()


def test_cvvdp_is_taken_of_each_picture(cvvdp):
    test, reference = light(0), light(1)
    alone = [cvvdp(test[i : i + 1], reference[i : i + 1]).item() for i in range(2)]
    assert cvvdp(test, reference).tolist() == pytest.approx(alone, abs=1e-4)


def test_cvvdp_sees_no_light_above_its_peak(cvvdp):
    reference = light(0, nits=2000.0)
    assert cvvdp(reference, reference.clamp(max=1500.0)).tolist() == pytest.approx([10.0, 10.0])
    assert (cvvdp(reference, reference.clamp(max=700.0)) < 9.9).all()


def test_cvvdp_is_silent_about_dark_pictures(cvvdp, caplog):
    dark = light(0, nits=0.01)
    cvvdp(dark, dark)
    assert not caplog.records


def test_cvvdp_refuses_small_pictures(cvvdp):
    assert cvvdp(light(0, side=16), light(0, side=16)).tolist() == pytest.approx([10.0, 10.0])
    with pytest.raises(ValueError, match=r"ColorVideoVDP needs 16 pixels a side.*15"):
        cvvdp(light(0, side=15), light(0, side=15))


def test_flip_of_equal_pictures_is_zero_and_noise_raises_it(flip):
    reference, noise = light(0), torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1)) - 0.5
    assert flip(reference, reference).tolist() == [0, 0]
    less, more = (flip(reference * (1 + amount * noise), reference) for amount in (0.1, 0.5))
    assert (more > less).all() and (less > 0).all() and (more <= 1).all()


def test_flip_forgives_a_common_scale_alone(flip):
    test, reference = light(0), light(1)
    assert torch.allclose(flip(7 * test, 7 * reference), flip(test, reference), atol=1e-3)
    assert not torch.allclose(flip(7 * test, reference), flip(test, reference), atol=0.05)


def test_flip_takes_its_exposures_from_the_reference(flip):
    reference = torch.full((1, 3, 32, 32), 10.0)
    reference[..., 8:24, 8:24] = 1000.0
    blown = reference.clamp(max=50.0)
    assert flip(blown, reference).item() != pytest.approx(flip(reference, blown).item(), abs=1e-3)


def test_flip_refuses_a_reference_without_light(flip):
    black = torch.zeros(1, 3, 32, 32)
    with pytest.raises(ValueError, match="reference with light"):
        flip(light(0, side=32)[:1], black)


@pytest.mark.parametrize(
    ("module", "make", "message"),
    [
        ("pycvvdp", lambda: ColorVideoVdp(1000.0, CPU), r"ColorVideoVDP is not .*pip install 'hdr-attnet\[cvvdp\]'$"),
        ("flip_evaluator", HdrFlip, r"HDR-FLIP is not installed .*: pip install 'hdr-attnet\[flip\]'$"),
    ],
)
def test_a_missing_package_is_one_line_with_its_extra(monkeypatch, module, make, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ProgramMissing, match=message) as error:
        make()
    assert "\n" not in str(error.value)

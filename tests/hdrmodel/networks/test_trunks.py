import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from shared_files import shared_file
from torch import nn
from torchvision.models import vgg19

from hdrmodel.networks.trunks import (
    TRUNKS,
    MaxBlurPool,
    Trunk,
    WeightsMissing,
    find_torchvision_file,
    load_trunk,
    read_state_dict,
)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No variable set, an empty cache and no network."""
    for variable in ("HDRMODEL_VGG19", "HDRMODEL_ALEXNET", "HDRMODEL_SQUEEZENET1_1"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def refuse(url, *_, **__):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


def convolutions(seed=0):
    """A state dict under torchvision's names with random numbers for all that the vgg19 trunk needs."""
    generator = torch.Generator().manual_seed(seed)
    channels = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256)}
    channels |= dict.fromkeys((12, 14, 16), (256, 256))
    state = {}
    for index, (before, after) in channels.items():
        state[f"features.{index}.weight"] = 0.05 * torch.randn(after, before, 3, 3, generator=generator)
        state[f"features.{index}.bias"] = 0.05 * torch.randn(after, generator=generator)
    return state


def saved(state, folder: Path) -> Path:
    path = folder / "weights.pth"
    torch.save(state, path)
    return path


def picture(side=32):
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_vgg19_s_features_are_torchvision_s_after_the_first_three_pools(tmp_path):
    state = convolutions()
    trunk, _ = load_trunk("vgg19", saved(state, tmp_path))
    with torch.device("meta"):
        reference = vgg19(weights=None).features[:19]
    reference.load_state_dict({name.removeprefix("features."): value for name, value in state.items()}, assign=True)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x, expected = (picture() - mean[:, None, None]) / std[:, None, None], []
    with torch.no_grad():
        for index, layer in enumerate(reference):
            x = layer(x)
            if index in (4, 9, 18):
                expected.append(x)
        for got, want in zip(trunk(picture()), expected, strict=True):
            assert torch.allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRUNKS)
def test_a_trunk_is_frozen_and_passes_gradients_through(name, tmp_path):
    trunk, digest = load_trunk(name, saved(convolutions(), tmp_path) if name == "vgg19" else None)
    assert not trunk.training and len(digest) == 64
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    x = picture().requires_grad_()
    features = trunk(x)
    assert [stage.shape[1] for stage in features] == [64, 128, 256]
    sum(stage.sum() for stage in features).backward()
    assert x.grad.abs().sum() > 0


def test_the_vgg16_is_read_without_importing_its_package():
    _, digest = load_trunk("vgg16-stlpips")
    assert digest == "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250"  # stlpips-pytorch 0.0.2
    assert "stlpips_pytorch" not in sys.modules


def test_the_vgg16_blurs_as_its_own_filters_say():
    path = TRUNKS["vgg16-stlpips"].find(None)
    state, _ = read_state_dict(path)
    assert torch.equal(MaxBlurPool(64).kernel, state["net.slice2.5.filt"])


@pytest.mark.parametrize("side", [16, 17, 33])
def test_a_blurring_pool_halves_and_adds_one(side):
    assert MaxBlurPool(4)(torch.rand(1, 4, side, side)).shape[2:] == (side // 2 + 1,) * 2


def test_a_blurring_pool_keeps_a_flat_picture_flat():
    assert torch.allclose(MaxBlurPool(2)(torch.full((1, 2, 8, 8), 0.3)), torch.tensor(0.3))


def test_a_blurring_pool_takes_maxima_and_weighs_them_one_two_one():
    x = torch.zeros(1, 1, 16, 16)
    x[..., 8, 8] = 16.0
    pooled = MaxBlurPool(1)(x)[0, 0]
    # the maximum spreads the point over rows and columns 7 and 8; the blur is taken at rows -1, 1, 3 and so on, weighs
    # both at row 7 (2 and 1 quarters) and the second at row 9 (1 quarter)
    assert pooled[4:6, 4:6].tolist() == [[9.0, 3.0], [3.0, 1.0]]
    assert pooled.sum() == 16.0


def test_the_shared_oxford_weights_reach_values_that_half_precision_rounds_coarsely():
    trunk, digest = load_trunk("vgg19", shared_file("weights/vgg19_features_conv1_3_caffe_tvnorm.pth"))
    assert digest == "ee5475bb294a6b5e60d6eda0c986ff12ee6725aba0c99e314e688353bf322e45"
    assert trunk(picture(64))[2].max() > 1000


@pytest.mark.parametrize(("half", "computed"), [(torch.float16, torch.float32), (torch.bfloat16, torch.bfloat16)])
def test_autocast_to_float16_is_computed_in_float32(half, computed, tmp_path):
    trunk, _ = load_trunk("vgg19", saved(convolutions(), tmp_path))
    with torch.no_grad(), torch.autocast("cpu", dtype=half):
        assert all(stage.dtype == computed for stage in trunk(picture()))
        assert all(stage.isfinite().all() for stage in trunk(picture().to(half)))


def test_a_picture_with_nothing_left_to_pool_is_refused():
    with pytest.raises(ValueError, match=r"16 pixels a side.*\(1, 3, 15, 15\)"):
        Trunk((1, 1, 1), MaxBlurPool)(picture(15))


def test_an_unknown_trunk_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'resnet'.*vgg19.*vgg16-stlpips"):
        load_trunk("resnet")


def test_a_variable_names_a_local_file(monkeypatch, tmp_path, offline):
    monkeypatch.setenv("HDRMODEL_VGG19", str(saved(convolutions(), tmp_path)))
    trunk, _ = load_trunk("vgg19")
    assert torch.equal(trunk.stages[0][0].bias, convolutions()["features.0.bias"])


def test_torchvision_s_cache_is_used_before_the_network(tmp_path, offline):
    cached = tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth"
    cached.parent.mkdir()
    cached.touch()
    assert find_torchvision_file("alexnet") == cached


def test_without_a_network_the_message_says_how_to_supply_the_file(offline):
    with pytest.raises(WeightsMissing, match=r"vgg19 cannot be downloaded here: save http.*HDRMODEL_VGG19"):
        load_trunk("vgg19")


def test_a_missing_local_file_is_not_replaced_by_a_download(monkeypatch, tmp_path, offline):
    with pytest.raises(WeightsMissing, match=r"no file .*absent\.pth with the weights of vgg19"):
        load_trunk("vgg19", tmp_path / "absent.pth")
    monkeypatch.setenv("HDRMODEL_VGG19", "elsewhere.pth")
    with pytest.raises(WeightsMissing, match=r"no file elsewhere\.pth"):
        load_trunk("vgg19")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsMissing, match="pip install --no-deps stlpips-pytorch"):
        load_trunk("vgg16-stlpips")


def test_a_file_that_lacks_a_convolution_is_refused_by_its_name(tmp_path):
    state = convolutions()
    del state["features.14.bias"]
    with pytest.raises(ValueError, match=r"weights\.pth: no tensor 'features\.14\.bias'"):
        load_trunk("vgg19", saved(state, tmp_path))


def test_a_file_with_other_shapes_is_refused(tmp_path):
    state = convolutions() | {"features.5.weight": torch.zeros(64, 64, 3, 3)}
    with pytest.raises(ValueError, match="not the weights of vgg19"):
        load_trunk("vgg19", saved(state, tmp_path))


def test_a_pickled_object_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"weights\.pth: not a PyTorch file of named tensors"):
        load_trunk("vgg19", saved({"features.0.weight": nn.Linear(1, 1)}, tmp_path))


@pytest.mark.parametrize("length", [0, 10, 10_000])
def test_a_damaged_file_is_refused(length, tmp_path):
    path = saved(convolutions(), tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"weights\.pth: not a PyTorch file of named tensors"):
        load_trunk("vgg19", path)


def test_pools_of_vgg19_are_plain_maxima(tmp_path):
    trunk, _ = load_trunk("vgg19", saved(convolutions(), tmp_path))
    x = torch.rand(1, 64, 8, 8)
    assert torch.equal(trunk.stages[0][-1](x), F.max_pool2d(x, 2))

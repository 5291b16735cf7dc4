import json
import resource

import pytest
import torch
from safetensors.torch import save_file
from shared_files import shared_file
from variant_names import PREDICTING

from hdrmodel.networks.devices import choose_device
from hdrmodel.networks.variants import VARIANTS
from hdrmodel.networks.weights import initial_network, load_weights, save_weights, untrained_network


def test_weights_come_back_with_their_network(tmp_path):
    network = initial_network("spatial", "attnet", 0.125, seed=3).eval()
    save_weights(tmp_path / "w.safetensors", network, {"variant": "spatial"})
    again, header = load_weights(tmp_path / "w.safetensors")
    picture, ratio = torch.rand(1, 3, 20, 30), torch.tensor([2.0])
    network.to(memory_format=torch.channels_last)  # as those that are read
    assert header["variant"] == "spatial"
    assert again.config == network.config
    with torch.no_grad():
        assert torch.equal(again(picture, ratio), network(picture, ratio))


@pytest.mark.parametrize("name", PREDICTING)
def test_a_baseline_comes_back_too(name, tmp_path):
    network = initial_network(name, "attnet", 0.05, seed=3).eval()
    save_weights(tmp_path / "w.safetensors", network, {"variant": name})
    again, header = load_weights(tmp_path / "w.safetensors")
    assert header["network"] == {"baseline": name, "width": 0.05}
    assert again.config == network.config and not again.training
    picture = torch.rand(1, 3, 20, 30)
    with torch.no_grad():
        assert torch.equal(again(picture), network.to(memory_format=torch.channels_last)(picture))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_network_s_description_says_which_variant_it_is_and_gives_it_again(name):
    one = initial_network(name, "base2023", 0.05, seed=3)
    again = untrained_network(one.config, seed=3)
    assert one.config.variant == name
    ours, theirs = one.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("described", [
    {"baseline": "resnet", "width": 1.0}, {"baseline": "hdrcnn"}, {}, 3, {"baseline": "lightunet", "width": 1e308},
])  # fmt: skip
def test_a_network_that_nobody_knows_is_refused_in_one_line(described, tmp_path):
    header = {"hdrmodel": json.dumps({"format": "hdrmodel-1", "network": described})}
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", metadata=header)
    reason = r"w\.safetensors: its (weights do not fit its description|header): .+"
    with pytest.raises(ValueError, match=reason) as caught:
        load_weights(tmp_path / "w.safetensors")
    assert "\n" not in str(caught.value)


def test_a_description_of_a_huge_network_takes_no_memory_before_it_is_refused():
    path = shared_file("wild/hostile/weights_wide.safetensors")  # width 64, 7.7 GB; one tensor of one number
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        ValueError, match=r"weights_wide\.safetensors: its weights do not fit its description"
    ) as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def test_the_same_seed_gives_the_same_network_and_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    one, two = (initial_network("base", "attnet", 0.125, seed=7) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    other = initial_network("base", "attnet", 0.125, seed=8)
    weights = [next(network.parameters()) for network in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x04\x95 a pickle"])
def test_a_file_that_is_no_safetensors_is_refused_by_name(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.safetensors: not a readable safetensors file"):
        load_weights(tmp_path / "w.safetensors")


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"none\.safetensors: not a readable safetensors file"):
        load_weights(tmp_path / "none.safetensors")


def test_foreign_tensors_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"expected weights written by `hdrmodel train`"):
        load_weights(tmp_path / "w.safetensors")


def test_weights_of_another_shape_are_refused(tmp_path):
    network = initial_network("base", "attnet", 0.125, seed=0)
    wider = {"format": "hdrmodel-1", "network": {"attention": "base", "preset": "attnet", "width": 0.25}}
    save_file(network.state_dict(), tmp_path / "w.safetensors", metadata={"hdrmodel": json.dumps(wider)})
    with pytest.raises(ValueError, match=r"do not fit its description"):
        load_weights(tmp_path / "w.safetensors")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no GPU"):
        choose_device("cuda")

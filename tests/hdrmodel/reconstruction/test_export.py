"""ONNX files make what the network makes, at any size. The exporter takes seconds a file: they are made once."""

import copy
import json
import shutil
import sys
from types import SimpleNamespace

import jaxtyping
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from stirred_network import stirred_network
from variant_names import PREDICTING

from hdrdata.cameras.crf import srgb_crf
from hdrdata.files.disk import sha256_of
from hdrmodel.networks.hdr_attnet import HDRAttNet
from hdrmodel.networks.weights import initial_network, save_weights
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.reconstruction import export
from hdrmodel.reconstruction.export import FILES, export_onnx, load_network, load_onnx
from hdrmodel.reconstruction.folded import FoldedUNet
from hdrmodel.reconstruction.tiles import Box, Frame, run_tile

CLOSE = 1e-5  # float32 in another order of sums; measured 1e-6
SIZES = [(1, 1), (1, 70), (37, 401), (64, 64), (100, 150), (129, 65)]
RATIOS = [0.25, 0.5**0.5, 1.0, 2**0.5, 4.0]


def program(model):
    """What the exporter gives, of a copy of a model."""
    again = onnx.ModelProto()
    again.CopyFrom(model)
    return SimpleNamespace(model_proto=again)


@pytest.fixture(scope="module")
def network() -> HDRAttNet:
    """With spatial gates and a reach of X. N3 has N2's weights, so that one export serves both files."""
    network = copy.deepcopy(stirred_network("spatial", "light"))
    network.down.load_state_dict(network.up.state_dict())
    return network


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, network, {"variant": "spatial"})
    return path


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    """The three files, of two runs of the exporter; read only."""
    made, exported = {}, export._exported

    def exported_once(module):
        if type(module) not in made:
            made[type(module)] = exported(module).model_proto
        return program(made[type(module)])

    folder = tmp_path_factory.mktemp("export") / "onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_exported", exported_once)
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # shape checks want numbers where sizes are free
        assert export_onnx(weights, folder) == [folder / name for name in FILES]
    return folder


@pytest.fixture(scope="module")
def sessions(folder):
    return [onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"]) for name in FILES]


def pictures(height, width, high=1.0):
    return high * torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_n1_is_encode_at_any_size(sessions, network, height, width):
    ldr = pictures(height, width)
    (made,) = sessions[0].run(["sensor_exposure"], {"ldr": ldr.numpy()})
    assert made.shape == (1, 3, height, width)
    assert np.abs(made - network.encode(ldr).numpy()).max() < CLOSE


@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_n2_and_n3_are_expose_up_and_expose_down_at_any_size_and_ratio(sessions, network, height, width):
    sensor_exposure = pictures(height, width, high=2.0)
    for ratio in RATIOS:
        given = {"sensor_exposure": sensor_exposure.numpy(), "ratio": np.array([ratio], np.float32)}
        for session, expose in zip(sessions[1:], (network.expose_up, network.expose_down), strict=True):
            (made,) = session.run(["ldr"], given)
            assert np.abs(made - expose(sensor_exposure, torch.tensor([ratio])).numpy()).max() < CLOSE


@torch.no_grad()
def test_a_ratio_and_a_place_matter_so_that_equal_outputs_mean_something(network):
    x = pictures(100, 150)
    assert (network.expose_up(x, torch.tensor([2.0])) - network.expose_up(x, torch.tensor([2.2]))).abs().max() > 1e-3
    assert (network.expose_up(x, torch.tensor([2.0])) - network.encode(x)).abs().max() > 1e-2


def test_each_file_is_of_its_own_subnetwork(network, weights, folder, tmp_path, monkeypatch):
    other, model, given = copy.deepcopy(network), onnx.load(folder / FILES[0]), []
    del model.metadata_props[:]
    for number, unet in enumerate((other.encoding, other.up, other.down)):
        torch.nn.init.constant_(unet.head.bias, number)
    save_weights(tmp_path / "w.safetensors", other, {})

    def exported(module):
        given.append((type(module), module.unet.head.bias.tolist()))
        return program(model)

    monkeypatch.setattr(export, "_exported", exported)
    export_onnx(tmp_path / "w.safetensors", tmp_path / "onnx")
    assert given == [(export._Estimate, [0] * 3), (export._Expose, [1] * 3), (export._Expose, [2] * 3)]


def test_a_file_tells_whose_it_is_and_how_far_it_looks(folder, weights, network):
    for name, unet in zip(FILES, (network.encoding, network.up, network.down), strict=True):
        facts = {entry.key: entry.value for entry in onnx.load(folder / name).metadata_props}
        assert facts["hdrmodel.format"] == "hdrmodel-onnx-1"
        assert facts["hdrmodel.file"] == name
        assert facts["hdrmodel.program"].startswith("hdr-attnet ")
        assert facts["hdrmodel.weights_sha256"] == sha256_of(weights)
        assert json.loads(facts["hdrmodel.network"]) == network.config.model_dump()
        assert int(facts["hdrmodel.margin"]) == FoldedUNet(unet).whole_margin == 576
        assert int(facts["hdrmodel.channels"]) == unet.encoder[0].layers[0].out_channels


def test_a_file_declares_names_types_and_free_sizes(sessions):
    names = [([one.name for one in session.get_inputs()], session.get_outputs()[0].name) for session in sessions]
    exposes = (["sensor_exposure", "ratio"], "ldr")
    assert names == [(["ldr"], "sensor_exposure"), exposes, exposes]
    for session in sessions:
        picture = session.get_inputs()[0]
        assert picture.type == "tensor(float)" and picture.shape == [1, 3, "height", "width"]


@pytest.mark.parametrize("origin", ["stack", "irradiance"])
def test_photographs_are_reconstructed_from_the_folder_as_from_the_weights(folder, weights, origin):
    ldr = np.random.default_rng(0).integers(0, 256, (70, 201, 3), dtype=np.uint8)
    by_onnx = HDRReconstructor.from_file(folder, "cpu").predict(ldr, origin)
    by_torch = HDRReconstructor.from_file(weights, "cpu").predict(ldr, origin)
    assert np.abs(by_onnx.radiance - by_torch.radiance).max() < 1e-4  # light of up to 4
    assert by_torch.radiance.std() > 0.1
    for light in (by_onnx.radiance, by_onnx.radiance.astype(np.float16)):  # photographed again it is the photograph
        assert np.array_equal(np.floor(255 * srgb_crf()(np.minimum(light.astype(float), 1)) + 0.5), ldr)


def in_tiles(subnetwork, frame, ratio):
    boxes = [Box(0, left, frame.height, left + 384) for left in range(0, frame.width, 384)]
    return np.concatenate([run_tile(subnetwork, frame, box, None, ratio) for box in boxes], axis=1)


@pytest.mark.parametrize("number", [0, 1])
def test_tiles_by_onnx_make_what_the_whole_frame_makes(folder, number):
    subnetwork = load_onnx(folder)[number]
    frame = Frame(pictures(50, 1500)[0].permute(1, 2, 0).numpy())
    whole = run_tile(subnetwork, frame, Box(0, 0, frame.height, frame.width), None, 4.0)
    assert np.abs(in_tiles(subnetwork, frame, 4.0) - whole).max() < CLOSE
    subnetwork.margin = 0
    assert np.abs(in_tiles(subnetwork, frame, 4.0) - whole).max() > 100 * CLOSE


@pytest.mark.parametrize("name", PREDICTING)
def test_a_baseline_is_not_exported(name, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, initial_network(name, "attnet", 0.05, seed=0), {})
    with pytest.raises(ValueError, match=rf"^{path}: {name} has no N1, N2 and N3; expected weights of HDR-AttNet$"):
        export_onnx(path, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_self_attention_is_not_exported(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, stirred_network("self"), {})
    with pytest.raises(ValueError, match=rf"^{path}: attention 'self' .*no ONNX$"):
        export_onnx(path, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


@pytest.fixture
def own_folder(folder, tmp_path):
    """A copy of the three files that a test may change."""
    return shutil.copytree(folder, tmp_path / "own")


def with_fact(path, key, value):
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == f"hdrmodel.{key}":
            entry.value = value
    onnx.save(model, path)


def refused(path, match, backend=None):
    with pytest.raises(ValueError, match=match) as error:
        load_network(path, backend)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_in_a_line_that_names_it(own_folder, name):
    (own_folder / name).unlink()
    refused(own_folder, rf"{name}: no such file; expected a folder written by `hdrmodel export`")


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_a_damaged_file_is_refused_in_a_line_that_names_it(own_folder, content):
    whole = (own_folder / "n2.onnx").read_bytes()
    (own_folder / "n2.onnx").write_bytes(whole[: len(whole) // 2] if content is None else content)
    refused(own_folder, r"n2\.onnx: not a readable ONNX file: ")


@pytest.mark.parametrize(
    "key, value",
    [("margin", "x"), ("margin", "-1"), ("margin", "9" * 5000), ("channels", "0"), ("channels", "1e99"),
     ("channels", str(2**40)), ("network", "[]"), ("network", "[" * 100_000), ("weights_sha256", "0\n" * 32)],
)  # fmt: skip
def test_metadata_of_another_type_is_refused_in_a_line(own_folder, key, value):
    with_fact(own_folder / "n1.onnx", key, value)
    refused(own_folder, r"n1\.onnx: its metadata: .*; expected a file written by `hdrmodel export`")


def test_a_foreign_file_is_refused_in_a_line_that_names_it(own_folder):
    with_fact(own_folder / "n3.onnx", "format", "of another program")
    refused(own_folder, r"n3\.onnx: format 'of another program'; expected a file written by `hdrmodel export`")


def test_files_of_two_exports_are_refused_in_a_line(own_folder):
    with_fact(own_folder / "n3.onnx", "weights_sha256", "0" * 64)
    refused(own_folder, r"n3\.onnx: of other weights than .*n1\.onnx")


def test_files_in_each_other_s_place_are_refused_in_a_line(own_folder):
    (own_folder / "n2.onnx").rename(own_folder / "kept")
    (own_folder / "n3.onnx").rename(own_folder / "n2.onnx")
    (own_folder / "kept").rename(own_folder / "n3.onnx")
    refused(own_folder, r"n2\.onnx: is n3\.onnx of its export")


def test_the_backend_wants_its_own_kind_of_weights(folder, weights):
    refused(folder, "a folder; expected a file of weights, or --backend onnx", "torch")
    refused(weights, "not a folder; expected a folder written by .*, for --backend onnx", "onnx")
    by_onnx, by_torch = load_network(folder), load_network(weights)
    assert by_onnx.variant == by_torch.variant == "spatial"
    assert by_onnx.weights_sha256 == by_torch.weights_sha256 == sha256_of(weights)


def test_onnx_files_are_computed_in_float32_alone(folder):
    with pytest.raises(ValueError, match=r"precision 'bf16': this network only supports 'fp32'"):
        HDRReconstructor.from_file(folder, "cpu", precision="bf16")


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_package_that_the_export_needs_is_asked_for_in_a_line(weights, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"^{package} is not installed: pip install 'hdr-attnet\[onnx\]'$"):
        export_onnx(weights, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_onnx_runtime_is_asked_for_in_a_line(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(folder, r"^onnxruntime is not installed: pip install 'hdr-attnet\[onnx\]'$")

"""Radiance maps of photographs in memory: well exposed light is the photograph's, whatever network and size."""

import itertools

import numpy as np
import pytest
from stirred_network import stirred_network
from variant_names import PREDICTING

from hdrdata.cameras.crf_names import choose_crf
from hdrdata.cameras.recipe import HALF_STOPS
from hdrmodel.networks.weights import initial_network, save_weights
from hdrmodel.prediction.reconstructor import HDRReconstructor
from hdrmodel.reconstruction.tiles import run_tile
from hdrmodel.release.files import WEIGHTS


def save_network(folder, variant):
    save_weights(
        folder / f"{variant}.safetensors", initial_network(variant, "attnet", 0.05, seed=0), {"variant": variant}
    )
    return folder / f"{variant}.safetensors"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_network(tmp_path_factory.mktemp("weights"), "spatial")


@pytest.fixture(scope="module")
def reconstructor(weights):
    return HDRReconstructor.from_file(weights)


@pytest.fixture(scope="module")
def baselines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("baselines")
    return {name: HDRReconstructor.from_file(save_network(folder, name)) for name in PREDICTING}


def noise(height=37, width=53, low=0, high=256, dtype=np.uint8):
    return np.random.default_rng(0).integers(low, high, (height, width, 3), dtype=dtype)


def srgb_light(encoded):
    """Linear light of an encoded value above 0.04, IEC 61966-2-1."""
    return ((encoded + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64), (37, 4001)])
def test_a_radiance_map_has_the_photograph_s_size_and_finite_light(reconstructor, size):
    radiance = reconstructor(noise(*size))
    assert radiance.shape == (*size, 3) and radiance.dtype == np.float32
    assert np.isfinite(radiance).all() and (radiance >= 0).all()


@pytest.mark.parametrize("origin", ["stack", "irradiance"])
def test_well_exposed_pixels_keep_the_photograph_s_own_light(reconstructor, origin):
    # A camera rounds: level z is the light of its step's middle, z / 255.
    ldr = noise(low=11, high=254)
    np.testing.assert_allclose(reconstructor(ldr, origin), srgb_light(ldr / 255), rtol=1e-4)


def test_a_stack_s_picture_is_known_by_its_white_and_its_levels_are_floored(weights):
    ldr = noise(low=11, high=255)
    ldr[0, 0] = 254
    told = ldr < 254
    for quantise in (None, "floor254"):
        light = HDRReconstructor.from_file(weights, quantise=quantise)(ldr)
        np.testing.assert_allclose(light[told], srgb_light((ldr[told] + 0.5) / 255), rtol=1e-3)  # within the step
        assert (light[~told] >= 1).all()
    light = HDRReconstructor.from_file(weights, quantise="round255")(ldr)
    np.testing.assert_allclose(light, srgb_light(ldr / 255), rtol=1e-4)  # 254 is a level as any other


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("variant", ["spatial", *PREDICTING])
def test_a_photograph_without_white_asks_no_network(variant, dtype, tmp_path):
    made = HDRReconstructor.from_file(save_network(tmp_path, variant))
    made.predictor.predict = None
    top = np.iinfo(dtype).max
    ldr = noise(low=top // 20, high=250 * (top // 255), dtype=dtype)
    np.testing.assert_allclose(made(ldr), srgb_light(ldr / top), rtol=1e-4)
    ldr[3, 4, 1] = top
    with pytest.raises(Exception, match="NoneType"):  # now it is asked, and is not there
        made(ldr)


def test_tiles_without_white_are_not_computed_and_their_pixels_are_those_of_the_whole(monkeypatch):
    ldr = noise(300, 400, low=5, high=250)
    ldr[10:200, 5:9] = 255  # in the tiles at the left
    whole, tiled = (HDRReconstructor(stirred_network("base"), "cpu", tile=tile) for tile in (0, 256))
    asked = []
    monkeypatch.setattr(
        "hdrmodel.prediction.predictors.run_tile",
        lambda maker, frame, box, deep, ratio=1.0: (
            asked.append((box, ratio)),
            run_tile(maker, frame, box, deep, ratio),
        )[1],
    )
    assert np.abs(tiled(ldr) - whole(ldr)).max() < 1e-5
    boxes = {box for box, ratio in asked if ratio == 2.0}
    everywhere = {box for box, ratio in asked if ratio == 1.0}  # of X, which the deep levels see the whole of
    assert 0 < len(boxes) < len(everywhere) and {box.left for box in boxes} == {0}


def test_sixteen_bits_keep_light_between_the_levels_of_eight(reconstructor):
    deep = np.arange(77 * 257, 77 * 257 + 24 * 24, dtype=np.uint16).reshape(24, 24, 1).repeat(3, axis=2)
    radiance = reconstructor(deep)
    np.testing.assert_allclose(radiance, srgb_light(deep / 65535), rtol=1e-6)
    assert (np.diff(radiance[:, :, 0].ravel()) > 0).all()


@pytest.mark.parametrize("origin", ["stack", "irradiance"])
def test_what_saturates_the_photograph_is_at_least_its_white(reconstructor, origin):
    ldr = np.full((32, 32, 3), 120, np.uint8)
    ldr[8:24, 8:24] = 255
    assert reconstructor(ldr, origin)[8:24, 8:24].min() >= 1


def test_the_camera_response_is_the_one_that_is_given(weights):
    ldr = np.full((8, 8, 3), 127, np.uint8)
    radiance = HDRReconstructor.from_file(weights, crf=choose_crf("linear"))(ldr)
    np.testing.assert_allclose(radiance, 127 / 255, rtol=1e-4)


def test_predict_gives_the_light_of_a_call_and_the_share_that_is_done(reconstructor):
    ldr, shares = noise(), []
    prediction = reconstructor.predict(ldr, progress=shares.append)
    np.testing.assert_array_equal(prediction.radiance, reconstructor(ldr))
    assert prediction.stack is None
    assert all(earlier < later for earlier, later in itertools.pairwise(shares)) and shares[-1] == 1


def test_the_stack_is_nine_pictures_and_the_photograph_itself_among_them(reconstructor):
    ldr = noise()
    stack = reconstructor.predict(ldr, keep_stack=True).stack
    assert stack.shape == (9, *ldr.shape) and stack.dtype == np.uint8
    np.testing.assert_array_equal(stack[HALF_STOPS.index(0)], ldr)


@pytest.mark.parametrize("name", PREDICTING)
def test_a_baseline_makes_light_and_its_stack_is_that_light_exposed(baselines, name):
    ldr = noise(low=60, high=220)
    prediction = baselines[name].predict(ldr, keep_stack=True)
    radiance, stack = prediction.radiance, prediction.stack
    assert radiance.shape == ldr.shape and np.isfinite(radiance).all() and (radiance >= 0).all()
    np.testing.assert_array_equal(stack[HALF_STOPS.index(0)], ldr)
    exposed = np.minimum(radiance * 2.0**-2, 1)  # the darkest
    levels = 255 * np.where(exposed <= 0.0031308, 12.92 * exposed, 1.055 * exposed ** (1 / 2.4) - 0.055)
    assert np.abs(stack[0] - np.minimum(np.floor(levels), 254)).max() <= 1  # where rounding crosses a level


@pytest.mark.parametrize("name", PREDICTING)
def test_a_baseline_has_no_irradiance_to_show(baselines, name):
    with pytest.raises(ValueError, match=f"from 'irradiance': {name} does not estimate X; expected 'stack'"):
        baselines[name](noise(), "irradiance")


def test_light_from_the_irradiance_leaves_no_stack(reconstructor):
    with pytest.raises(ValueError, match="from 'irradiance' no stack is made; expected from 'stack'"):
        reconstructor.predict(noise(), "irradiance", keep_stack=True)


def test_an_empty_photograph_is_refused(reconstructor):  # of other shapes the test's own checks would speak first
    with pytest.raises(ValueError, match=r"uint8 pixels of shape \(0, 8, 3\); expected 8 or 16 bit"):
        reconstructor(np.zeros((0, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"precision": "fp8"}, "precision 'fp8'; expected one of fp32, bf16, fp16"),
        ({"precision": "fp16", "device": "cpu"}, "half floats are for GPUs"),
    ],
)
def test_a_precision_that_there_is_not_is_refused(weights, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        HDRReconstructor.from_file(weights, **arguments)


def test_a_baseline_is_computed_in_single_floats_alone(tmp_path):
    with pytest.raises(ValueError, match="precision 'bf16': this network only supports 'fp32'"):
        HDRReconstructor.from_file(save_network(tmp_path, "expandnet"), precision="bf16")


@pytest.mark.parametrize("content", [None, b"", b"no weights at all"])
def test_a_file_that_holds_no_weights_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "none.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"none\.safetensors: not a readable safetensors file"):
        HDRReconstructor.from_file(tmp_path / "none.safetensors")


def test_the_borders_of_a_panorama_meet():
    """Of a bright disc that the seam divides: neighbours across the seam differ as little as neighbours elsewhere."""
    column, row = np.meshgrid(np.arange(256), np.arange(128))
    level = 255 * np.clip(1.3 - np.hypot(np.minimum(column, 255 - column) / 90, (row - 64) / 80), 0, 1)
    ldr = np.repeat(level.astype(np.uint8)[..., None], 3, axis=2)
    clipped = ldr[:, 0, 0] == 255

    def seam(wrap):
        radiance = HDRReconstructor.from_file(WEIGHTS, wrap=wrap)(ldr)
        assert radiance.shape == ldr.shape
        return np.abs(np.log2(radiance[clipped, 0] / radiance[clipped, -1])).max()

    assert seam(wrap=True) < 0.02 < seam(wrap=False)  # stops; measured 0.008 and 0.07


@pytest.mark.parametrize("width", [1, 3])
def test_a_narrow_panorama_keeps_its_size(width):
    narrow = HDRReconstructor.from_file(WEIGHTS, wrap=True)
    made = narrow.predict(noise(20, width), keep_stack=True)
    assert made.radiance.shape == (20, width, 3) and made.stack.shape == (9, 20, width, 3)

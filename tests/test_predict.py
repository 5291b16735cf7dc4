import cv2
import numpy as np
import OpenEXR
import pytest
from click.testing import CliRunner

from hdrdata.files import encode_png, write_png
from hdrmodel.cli import main
from hdrmodel.predict import HDRReconstructor, read_photo
from hdrmodel.variants import BASELINES
from hdrmodel.weights import initial_network, save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, initial_network("spatial", "attnet", 0.125, seed=0), {"variant": "spatial"})
    return path


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_photo_becomes_an_exr_of_its_size_and_a_preview(weights, photo, tmp_path):
    write_png(tmp_path / "photo.png", photo)
    result = run("predict", tmp_path / "photo.png", "-o", tmp_path / "photo.exr", "--weights", weights)
    assert result.exit_code == 0, result.output
    with OpenEXR.File(str(tmp_path / "photo.exr")) as file:
        radiance = file.channels()["RGB"].pixels
        assert file.header()["hdrmodel.input"] == "photo.png"
    assert radiance.shape == photo.shape
    assert np.isfinite(radiance).all() and (radiance >= 0).all()
    assert cv2.imread(str(tmp_path / "photo.preview.png")).shape == photo.shape


@pytest.mark.parametrize("name", BASELINES)
def test_the_weights_of_a_baseline_predict_too(name, photo, tmp_path):
    save_weights(tmp_path / "w.safetensors", initial_network(name, "attnet", 0.05, seed=0), {"variant": name})
    write_png(tmp_path / "photo.png", photo)
    result = run("predict", tmp_path / "photo.png", "-o", tmp_path / "o.exr", "--weights", tmp_path / "w.safetensors")
    assert result.exit_code == 0, result.output
    with OpenEXR.File(str(tmp_path / "o.exr")) as file:
        radiance = file.channels()["RGB"].pixels
    assert radiance.shape == photo.shape and np.isfinite(radiance).all() and (radiance >= 0).all()
    assert cv2.imread(str(tmp_path / "o.preview.png")).shape == photo.shape
    stack = HDRReconstructor.from_file(tmp_path / "w.safetensors")(photo).stack
    assert np.array_equal(stack[4], photo.astype(np.float32) / 255)


def test_the_file_holds_what_the_python_api_gives(weights, photo, tmp_path):
    write_png(tmp_path / "photo.png", photo)
    run("predict", tmp_path / "photo.png", "-o", tmp_path / "photo.exr", "--weights", weights)
    prediction = HDRReconstructor.from_file(weights)(photo)
    with OpenEXR.File(str(tmp_path / "photo.exr")) as file:
        assert np.array_equal(file.channels()["RGB"].pixels, prediction.radiance)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64)])
def test_any_size_works(weights, size):
    ldr = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert HDRReconstructor.from_file(weights)(ldr).radiance.shape == (*size, 3)


def test_a_photograph_is_turned_upright_and_grey_becomes_rgb(tmp_path):
    grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    assert np.array_equal(read_photo(tmp_path / "grey.png"), np.repeat(grey[:, :, None], 3, axis=2))
    jpeg = cv2.imencode(".jpg", np.full((16, 32, 3), 99, np.uint8))[1].tobytes()
    # an EXIF segment with one entry, orientation (0x0112) 6: turn by 90 degrees to the right
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00" + entry + b"\x00\x00\x00\x00"
    segment = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\x00\x00" + tiff
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    assert read_photo(tmp_path / "turned.jpg").shape == (32, 16, 3)


def bad_photos():
    png = encode_png(np.zeros((8, 8, 3), np.uint8), "opencv")
    deep = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint16))[1].tobytes()
    clear = cv2.imencode(".png", np.zeros((8, 8, 4), np.uint8))[1].tobytes()
    return {
        "empty.jpg": (b"", "the file is empty"),
        "text.jpg": (b"this is no picture", "not a readable picture"),
        "cut.png": (png[:20], "not a readable picture"),
        "deep.png": (deep, "wanted an 8-bit picture"),
        "clear.png": (clear, "transparent"),
    }


@pytest.mark.parametrize("name", sorted(bad_photos()))
def test_a_bad_photo_is_one_line_and_leaves_nothing_behind(weights, tmp_path, name):
    content, reason = bad_photos()[name]
    (tmp_path / name).write_bytes(content)
    result = run("predict", tmp_path / name, "-o", tmp_path / "out.exr", "--weights", weights)
    assert result.exit_code != 0
    assert name in result.output and reason in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_weights_that_are_missing_and_names_that_are_wrong_are_one_line(weights, photo, tmp_path):
    write_png(tmp_path / "photo.png", photo)
    missing = run("predict", tmp_path / "photo.png", "-o", tmp_path / "o.exr", "--weights", tmp_path / "none")
    wrong = run("predict", tmp_path / "photo.png", "-o", tmp_path / "o.jpg", "--weights", weights)
    crf = run("predict", tmp_path / "photo.png", "-o", tmp_path / "o.exr", "--weights", weights, "--crf", "kodak")
    for result, reason in ((missing, "not a readable"), (wrong, ".exr"), (crf, "unknown CRF 'kodak'; known:")):
        assert result.exit_code == 1
        assert reason in result.output
        assert len(result.output.strip().splitlines()) == 1


def test_info_names_the_network_and_its_size(weights):
    result = run("info", weights)
    assert result.exit_code == 0
    assert "variant: spatial" in result.output
    assert "parameters: " in result.output


@pytest.mark.parametrize("command", [[], ["predict"], ["info"]])
def test_every_help_text_has_a_sentence_and_an_example(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    if command:
        assert f"hdrmodel {command[0]} " in result.output

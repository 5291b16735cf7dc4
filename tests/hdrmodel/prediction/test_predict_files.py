"""Photographs in files to HDR files: hostile ones among good ones, again and again, and cut short."""

import contextlib
import dataclasses
import functools
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import OpenImageIO as oiio
import pytest
import tifffile
from camera_files import write_picture
from click.testing import CliRunner, Result
from PIL import ExifTags, Image

import hdrdata.cli
from hdrdata.cameras.crf import srgb_crf
from hdrdata.cameras.recipe import HALF_STOPS
from hdrdata.files.disk import PARTIAL, read_json, sha256_of, write_bytes, write_json
from hdrdata.files.ldr import decode_png, write_png
from hdrdata.files.radiance import read_radiance
from hdrdata.photos.colours.encodings import P3_TO_BT709
from hdrdata.photos.colours.made import rgb_profile
from hdrdata.photos.exposure import read_exposure
from hdrdata.photos.photo import read_photo
from hdrmodel.cli import main
from hdrmodel.networks.weights import initial_network, save_weights
from hdrmodel.outputs.bands import Scale
from hdrmodel.outputs.formats import FORMATS, OUTPUTS, write_output
from hdrmodel.prediction.files import predict_files
from hdrmodel.prediction.index import INDEX, PredictionIndex
from hdrmodel.prediction.places import formats_of
from hdrmodel.prediction.reconstructor import HDRReconstructor, Prediction
from hdrmodel.prediction.settings import PredictSettings
from hdrmodel.reconstruction.export import load_network
from hdrmodel.reconstruction.reconstruct import expose_again


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, initial_network("spatial", "attnet", 0.05, seed=0), {"variant": "spatial"})
    return path


@pytest.fixture(scope="module")
def reconstructor(weights):
    return HDRReconstructor.from_file(weights)


read_once = functools.cache(load_network)


@pytest.fixture
def predict(weights, monkeypatch, reconstructor):
    """predict("a.png", "-o", "hdr"): the command with the module's weights, read once, by default with --crf srgb."""
    monkeypatch.setattr("hdrmodel.reconstruction.export.load_network", read_once)
    monkeypatch.setattr("hdrmodel.prediction.reconstructor.HDRReconstructor", lambda *_, **__: reconstructor)
    return lambda *arguments: run("predict", "--crf", "srgb", *arguments, "--weights", weights)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def well(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def refused(result: Result, *reasons: str) -> str:
    """The one line of a command that did nothing."""
    assert result.exit_code == 1 and result.stdout == "" and isinstance(result.exception, SystemExit), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    for reason in reasons:
        assert reason in line
    return line


def noise(height=24, width=40, low=60, high=220, seed=0):
    """A photograph whose pixels are all well exposed: its light is known, whatever the network."""
    return np.random.default_rng(seed).integers(low, high, (height, width, 3), dtype=np.uint8)


def make_photos(folder: Path, *names: str) -> list[Path]:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(seed=seed)).save(folder / name, {".jpg": "JPEG"}.get(Path(name).suffix.lower()))
    return [folder / name for name in names]


def read_oiio(path: Path) -> np.ndarray:
    opened = oiio.ImageInput.open(str(path))
    return opened.read_image(opened.spec().format)


def attributes_of(path: Path) -> dict[str, object]:
    return {one.name: one.value for one in oiio.ImageInput.open(str(path)).spec().extra_attribs}


def srgb_light(encoded):
    """Linear light of an encoded value above 0.04, IEC 61966-2-1."""
    return ((np.asarray(encoded) + 0.055) / 1.055) ** 2.4


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def states_of(folder: Path) -> dict[str, int]:
    """When each file was made: a file that is written again is another file."""
    return {name: (folder / name).stat().st_ino for name in names_in(folder) if name != INDEX}


# Hostile photographs


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb() -> bytes:
    """A PNG of a few bytes that claims 200 million pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(bytes(999))) + png_chunk(b"IEND", b"")


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def jpeg(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=100, **options)
    return file.getvalue()


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """The folder photos/, and of each good one its light, of each bad one what is said of it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(noise(1, 1)).save(folder / "one.png")
    Image.fromarray(noise(37, 4001)).save(folder / "wide.png")
    deep = np.linspace(0.3 * 65535, 0.8 * 65535, 24 * 40).astype(np.uint16).reshape(24, 40)
    tifffile.imwrite(folder / "deep grey.tif", deep, photometric="minisblack")
    (folder / "cmyk.jpg").write_bytes(jpeg(Image.new("CMYK", (24, 16), (50, 100, 0, 40))))
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:8], stored[8:] = 90, 190  # orientation 6: the stored top is at the right
    (folder / "turned.jpg").write_bytes(jpeg(Image.fromarray(stored), exif=turned(6)))
    whole = jpeg(Image.fromarray(noise(64, 64)))
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("this is no picture\n" * 9)
    (folder / "bomb.png").write_bytes(bomb())
    upright = np.full((24, 16, 3), 190)
    upright[:, 8:] = 90
    # CMYK without a profile: red is (1 - 50 / 255) (1 - 40 / 255), and so on
    ink = np.array([205 * 215, 155 * 215, 255 * 215]) / 255
    good = {
        "one": srgb_light(noise(1, 1) / 255),
        "wide": srgb_light(noise(37, 4001) / 255),
        "deep grey": srgb_light(deep[:, :, None].repeat(3, axis=2) / 65535),
        "cmyk": srgb_light(np.broadcast_to(ink, (16, 24, 3)) / 255),
        "turned": srgb_light(upright / 255),
    }
    bad = {
        "cut.jpg": "not a readable picture (JPEG)",
        "empty.jpg": "the file is empty (0 bytes)",
        "text.jpg": "not a readable picture",
        "bomb.png": "claims 20000x10000 pixels, 600.0 MB, in a file of",
    }
    monkeypatch.chdir(tmp_path)
    return good, bad


def test_of_a_batch_the_good_are_made_and_the_bad_are_a_line_each(hostile, predict):
    good, bad = hostile
    result = predict("photos", "-o", "hdr")
    assert result.exit_code == 1
    errors = {Path(line.split(":")[1].strip()).name: line for line in result.stderr.splitlines()}
    assert errors.keys() == bad.keys()
    assert all(reason in errors[name] for name, reason in bad.items())
    *lines, summary = result.stdout.splitlines()
    assert summary == "5 made, 0 there before, 4 failed" and len(lines) == len(good)
    assert names_in(Path("hdr")) == sorted(
        [INDEX, *(f"{name}{end}" for name in good for end in (".exr", ".preview.png"))]
    )
    for name, light in good.items():
        exr = read_oiio(Path("hdr", f"{name}.exr"))
        assert exr.dtype == np.float16 and exr.shape == light.shape
        # half floats: 2^-11; a JPEG's levels, of which one is 3 % of the light at 90
        np.testing.assert_allclose(exr, light, rtol=0.03 if name in ("cmyk", "turned") else 1e-3)
        shrunk = min(1, 2048 / light.shape[1])
        assert cv2.imread(f"hdr/{name}.preview.png").shape[:2] == tuple(
            round(side * shrunk) for side in light.shape[:2]
        )


def test_bad_photographs_alone_leave_nothing(hostile, predict):
    _, bad = hostile
    result = predict(*(f"photos/{name}" for name in bad), "-o", "hdr")
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == len(bad)
    assert not Path("hdr").exists()
    assert refused(predict("photos/empty.jpg", "-o", "out.exr"), "photos/empty.jpg: the file is empty")
    assert not Path("out.exr").exists()


def test_json_is_all_that_is_on_standard_output(hostile, predict):
    good, bad = hostile
    result = predict("photos/[!w]*", "-o", "hdr", "--json")  # all but the wide one
    told = json.loads(result.stdout)
    photos = {Path(photo["input"]).name: photo for photo in told["photos"]}
    assert result.exit_code == 1 and told["failed"] == len(bad) and len(photos) == len(good) - 1 + len(bad)
    assert {name for name, photo in photos.items() if photo["error"]} == bad.keys()
    assert all(reason in photos[name]["error"] and photos[name]["outputs"] == [] for name, reason in bad.items())
    right = photos["turned.jpg"]
    assert (right["width"], right["height"], right["skipped"]) == (16, 24, False) and right["seconds"] > 0
    assert right["outputs"] == ["hdr/turned.exr", "hdr/turned.preview.png"]
    assert right["notes"] == ["turned by its EXIF orientation 6"]
    assert len(result.stderr.splitlines()) == len(bad)
    again = json.loads(predict("photos/turned.jpg", "photos/one.png", "-o", "hdr", "--json").stdout)
    assert [photo["skipped"] for photo in again["photos"]] == [True, True] and again["failed"] == 0


def test_an_input_that_matches_nothing_is_one_line_and_no_json(predict, tmp_path):
    refused(predict(tmp_path / "none.jpg", "-o", tmp_path / "hdr", "--json"), "none.jpg: no such file or folder")


@pytest.mark.parametrize("kind", ["pipe", "link to nowhere"])
def test_what_is_named_like_a_photograph_and_is_no_file_is_told(predict, tmp_path, kind):
    make_photos(tmp_path, "in/a.png")
    if kind == "pipe":
        os.mkfifo(tmp_path / "in/b.png")
    else:
        (tmp_path / "in/b.png").symlink_to("nowhere.png")
    result = predict(tmp_path / "in", "-o", tmp_path / "hdr")
    what = "a pipe; expected a picture file" if kind == "pipe" else "a link to no file"
    assert result.exit_code == 1 and result.stderr == f"Error: {tmp_path}/in/b.png: {what}\n"
    assert (tmp_path / "hdr/a.exr").is_file()


def test_damaged_exif_costs_no_photograph_and_no_words(predict, tmp_path, capfd):
    exif = turned(1).tobytes()
    (tmp_path / "a.jpg").write_bytes(jpeg(Image.fromarray(noise()), exif=exif[:8] + b"\xff" * (len(exif) - 8)))
    assert well(predict(tmp_path / "a.jpg", "-o", tmp_path / "a.exr")).stderr == ""
    assert attributes_of(tmp_path / "a.exr")["hdrmodel.exposure"] == "unknown"
    assert capfd.readouterr() == ("", "")


# Again


@pytest.fixture(scope="module")
def made_once(reconstructor, weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_photos(folder, "in/a.png", "in/sub/b.jpg")
    well(run("predict", folder / "in", "-o", folder / "hdr", "--stack", "--crf", "srgb", "--weights", weights))
    return folder


@pytest.fixture
def made(made_once, tmp_path, monkeypatch):
    """Two photographs that were predicted into hdr/, the current folder's."""
    shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hdr"


STACK_NAMES = [*(f"{letter}.png" for letter in "abcdefghi"), "stack.json"]


def test_a_second_run_makes_nothing(made, predict, monkeypatch):
    before = states_of(made)
    assert len(before) == 2 * (2 + len(STACK_NAMES))
    monkeypatch.setattr("hdrmodel.prediction.files.read_photo", lambda path: pytest.fail("a photograph was read"))
    result = well(predict("in", "-o", "hdr", "--stack"))
    assert result.stdout == "in/a.png: there before\nin/sub/b.jpg: there before\n0 made, 2 there before, 0 failed\n"
    assert states_of(made) == before
    well(predict("in", "-o", "hdr", "--no-preview"))  # less than there is


@pytest.mark.parametrize("lost", ["a.exr", "a.preview.png", "a.stack/c.png", "a.stack/stack.json"])
def test_what_is_missing_is_made_again_and_nothing_else(made, predict, lost):
    before, content = states_of(made), (made / lost).read_bytes()
    (made / lost).unlink()
    result = well(predict("in", "-o", "hdr", "--stack"))
    assert result.stdout.endswith("1 made, 1 there before, 0 failed\n")
    after = states_of(made)
    assert after.keys() == before.keys() and (made / lost).read_bytes() == content
    assert {name for name in after if after[name] == before[name]} == {
        name for name in after if name.startswith("sub/")
    }


def test_a_photograph_that_has_changed_is_made_again(made, predict):
    write_png(Path("in/a.png"), noise(seed=7))
    assert well(predict("in", "-o", "hdr", "--stack")).stdout.endswith("1 made, 1 there before, 0 failed\n")
    np.testing.assert_allclose(read_oiio(made / "a.exr"), srgb_light(noise(seed=7) / 255), rtol=1e-3)


@pytest.mark.parametrize(
    "changed",
    [("--nits", "100"), ("--white", "2"), ("--from", "irradiance"), ("--crf", "linear"), ("--format", "exr-float")],
)
def test_another_setting_makes_all_again(made, predict, changed):
    assert well(predict("in", "-o", "hdr", *changed)).stdout.endswith("2 made, 0 there before, 0 failed\n")
    assert well(predict("in", "-o", "hdr", *changed)).stdout.endswith("0 made, 2 there before, 0 failed\n")


def test_another_format_keeps_what_is_there_and_known(made, predict):
    before = states_of(made)
    assert "2 made" in well(predict("in", "-o", "hdr", "--format", "hdr", "--no-preview")).stdout
    assert set(states_of(made)) == {*before, "a.hdr", "sub/b.hdr"}
    assert "2 there before" in well(predict("in", "-o", "hdr", "--format", "exr", "--format", "hdr", "--stack")).stdout


def test_overwrite_makes_all_again(made, predict):
    before = states_of(made)
    assert "2 made" in well(predict("in", "-o", "hdr", "--stack", "--overwrite")).stdout
    after = states_of(made)
    assert before.keys() == after.keys() and not before.items() & after.items()


def test_a_photograph_more_is_made_alone(made, predict):
    make_photos(Path("in"), "c.png")
    assert "1 made, 2 there before" in well(predict("in", "-o", "hdr", "--stack")).stdout


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "hdrmodel-predictions-1", "files": []}', "\0"])
def test_a_damaged_list_is_told(made, predict, content):
    before = states_of(made)
    (made / INDEX).write_text(content)
    refused(predict("in", "-o", "hdr", "--stack"), f"hdr/{INDEX}: ", "--overwrite makes all files again")
    assert states_of(made) == before


def test_overwrite_replaces_a_damaged_list(made, predict):
    (made / INDEX).write_text("{")
    assert "2 made" in well(predict("in", "-o", "hdr", "--stack", "--overwrite")).stdout
    assert "2 there before" in well(predict("in", "-o", "hdr", "--stack")).stdout


@pytest.mark.parametrize("rows", [
    {"a.exr": 7}, {"a.stack": None}, {"b.exr": {"digest": "0", "files": {"../x": {"size": 1, "sha256": "0" * 64}}}},
])  # fmt: skip
def test_strange_rows_of_a_list_are_told(made, predict, rows):
    content = read_json(made / INDEX)
    write_json(made / INDEX, {**content, "rows": content["rows"] | rows})
    before = states_of(made)
    refused(predict("in", "-o", "hdr", "--stack"), f"hdr/{INDEX}: rows.", "--overwrite makes all files again")
    assert states_of(made) == before


def test_a_list_of_the_first_version_holds_what_it_lists(made, predict):
    files = {}
    for name, row in read_json(made / INDEX)["rows"].items():
        facts = row["files"].values()
        files[name] = {"input_sha256": "0" * 64, "settings": "0" * 64, "bytes": sum(one["size"] for one in facts)}
    files["a.exr"]["bytes"] += 1  # somebody changed it since
    write_json(made / INDEX, {"format": "hdrmodel-predictions-1", "files": files})
    result = predict("in", "-o", "hdr", "--stack")
    assert "hdr/a.exr: changed since it was made here" in result.stderr and "2 failed" not in result.stdout
    assert read_json(made / INDEX)["algorithm"] == "predictions-2"


def test_an_output_that_somebody_changed_is_not_replaced(made, predict):
    (made / "a.exr").write_bytes(b"x" * (made / "a.exr").stat().st_size)
    result = predict("in", "-o", "hdr", "--stack", "--white", "2")
    assert "hdr/a.exr: changed since it was made here; expected another folder, or --overwrite" in result.stderr
    assert (made / "a.exr").read_bytes().startswith(b"xxx")


def test_a_second_process_waits_and_finds_all_made(made, predict, monkeypatch):
    make_photos(Path("in"), "c.png")
    lines, lock = [], PredictionIndex(made)
    with contextlib.ExitStack() as stack:
        stack.enter_context(lock.locked(pytest.fail))
        monkeypatch.setattr("time.sleep", lambda seconds: (lines.append(seconds), stack.close()))
        result = well(predict("in", "-o", "hdr", "--stack"))
    assert lines and f"hdr: another run is at work in it (process {os.getpid()} on " in result.stderr
    assert "1 made, 2 there before" in result.stdout and not list(made.glob(".*"))


def test_without_the_list_what_is_there_is_another_s(made, predict):
    before = states_of(made)
    (made / INDEX).unlink()
    result = predict("in", "-o", "hdr", "--stack")
    assert result.exit_code == 1 and states_of(made) == before
    assert "hdr/a.exr: is there, not made here; expected another folder, or --overwrite to replace it" in result.stderr
    assert "2 made" in well(predict("in", "-o", "hdr", "--stack", "--overwrite")).stdout
    assert "2 there before" in well(predict("in", "-o", "hdr", "--stack")).stdout


@pytest.mark.parametrize("out", [".", "hdr"])
def test_what_was_made_is_no_photograph_though_it_is_among_them(predict, tmp_path, monkeypatch, out):
    make_photos(tmp_path, "a.png", "sub/b.jpg")
    monkeypatch.chdir(tmp_path)
    assert "2 made" in well(predict(".", "-o", out, "--stack")).stdout
    before = states_of(tmp_path)
    assert "0 made, 2 there before" in well(predict(".", "-o", out, "--stack")).stdout
    assert states_of(tmp_path) == before
    refused(predict(f"{out}/a.preview.png", "-o", out), "made by this command; expected photographs")


# Cut short


def failing(monkeypatch, name: str, at: int, error: BaseException) -> None:
    """Let the function of that name in predict_files fail in its call number `at`, half way through the writing."""
    calls = []

    def fail(path, *arguments):
        calls.append(path)
        if len(calls) != at:
            return original(path, *arguments)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pathlib.Path.replace", raise_it)  # when all is written but the name
            patch.setattr("pathlib.Path.rename", raise_it)
            return original(path, *arguments)

    def raise_it(*_):
        raise error

    import hdrmodel.prediction.files

    original = getattr(hdrmodel.prediction.files, name)
    monkeypatch.setattr(f"hdrmodel.prediction.files.{name}", fail)


@pytest.mark.parametrize(
    "name, at, done",
    [("write_output", 1, 0), ("write_output", 2, 0), ("write_output", 3, 1), ("write_exposures", 2, 1)],
)
def test_ctrl_c_ends_with_a_line_and_leaves_nothing_half_written(predict, tmp_path, monkeypatch, name, at, done):
    make_photos(tmp_path, "in/a.png", "in/b.png")
    monkeypatch.chdir(tmp_path)
    arguments = ("in", "-o", "hdr", "--stack", "--format", "ultrahdr")
    with monkeypatch.context() as patch:
        failing(patch, name, at, KeyboardInterrupt())
        result = predict(*arguments)
    assert result.exit_code == 130 and result.stderr == "interrupted; run it again to continue from here\n"
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))
    assert all(names_in(stack) == STACK_NAMES for stack in Path("hdr").glob("*.stack"))
    assert f"{2 - done} made, {done} there before" in well(predict(*arguments)).stdout
    ends = (".jpg", ".preview.png", *(f".stack/{name}" for name in STACK_NAMES))
    assert names_in(Path("hdr")) == sorted([INDEX, *(f"{photo}{end}" for photo in "ab" for end in ends)])


@pytest.mark.parametrize("name", ["write_output", "write_exposures"])
def test_a_full_disk_is_named_in_a_line_and_the_rest_is_made(predict, tmp_path, monkeypatch, name):
    make_photos(tmp_path, "in/a.png", "in/b.png")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        failing(patch, name, 1, OSError(28, "No space left on device"))
        result = predict("in", "-o", "hdr", "--stack", "--no-preview")
    what = "hdr/a.stack" if name == "write_exposures" else "hdr/a.exr"
    assert result.exit_code == 1 and result.stderr == f"Error: [Errno 28] No space left on device: '{what}'\n"
    assert not list(tmp_path.rglob(f"{PARTIAL}*")) and Path("hdr/b.exr").is_file()
    assert "1 made, 1 there before" in well(predict("in", "-o", "hdr", "--stack", "--no-preview")).stdout


def test_a_folder_that_takes_no_file_is_told_before_anything_is_computed(predict, tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path.with_name(".partial-x7f")))

    make_photos(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hdrmodel.prediction.index.temporary_beside", refuse)
    monkeypatch.setattr(HDRReconstructor, "predict", lambda *_: pytest.fail("it was computed"))
    result = predict("a.png", "-o", "hdr")
    assert result.exit_code == 1 and result.stderr == "Error: [Errno 13] Permission denied: 'hdr/a.exr'\n"


def test_what_a_killed_run_left_is_removed_by_the_next(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "in/a.png")
    monkeypatch.chdir(tmp_path)
    write_bytes(Path("hdr/.predictions.jsonl"), b'{"process": 1, "machine": "x"}\n')
    write_bytes(Path("hdr/.partial-a1b2c3d_.exr"), b"half")
    write_bytes(Path("hdr/.partial-a1b2c3d4.stack/a.png"), b"half")
    write_bytes(Path("hdr/.partial-of another program"), b"half")
    well(predict("in", "-o", "hdr"))
    assert names_in(Path("hdr")) == [".partial-of another program", "a.exr", "a.preview.png", INDEX]


def test_a_photograph_too_large_for_the_memory_is_a_line(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "in/a.png", "in/b.png")

    class OutOfMemory(Exception):  # as PyTorch, ONNX Runtime and OpenCV each have one
        pass

    def predict_none(self, *_):
        raise errors.pop()

    errors = [MemoryError(), OutOfMemory("Failed to allocate memory for requested buffer")]
    monkeypatch.setattr(HDRReconstructor, "predict", predict_none)
    result = predict(tmp_path / "in", "-o", tmp_path / "hdr")
    assert result.exit_code == 1
    assert [line.partition(f"{tmp_path}/in/")[2] for line in result.stderr.splitlines()] == [
        f"{name}.png: not enough memory; a smaller --tile needs less" for name in "ab"
    ]


def test_light_that_is_not_finite_is_never_written(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "a.png")
    original = HDRReconstructor.predict

    def diverge(self, *arguments):
        made = original(self, *arguments)
        made.radiance[3, 4, 1] = np.nan
        return made

    monkeypatch.setattr(HDRReconstructor, "predict", diverge)
    reason = "a.png: these weights predict values that are not finite"
    refused(predict(tmp_path / "a.png", "-o", tmp_path / "a.exr"), reason)
    assert names_in(tmp_path) == ["a.png"]


# Names


@pytest.mark.parametrize("format_name", FORMATS)
def test_out_s_suffix_says_the_format(predict, tmp_path, format_name):
    make_photos(tmp_path, "a.png")
    suffix = FORMATS[format_name].suffix
    out = tmp_path / f"v1.2 Übung.b{suffix}"
    first = next(name for name, made in FORMATS.items() if made.suffix == suffix)
    well(
        predict(
            tmp_path / "a.png", "-o", out, "--no-preview", *(("--format", format_name) if format_name != first else ())
        )
    )
    assert names_in(tmp_path) == sorted(["a.png", out.name, INDEX])
    assert formats_of(out, (), preview=False) == (first,)


def test_out_keeps_its_capitals(predict, tmp_path):
    make_photos(tmp_path, "a.png")
    well(predict(tmp_path / "a.png", "-o", tmp_path / "B.EXR", "--stack"))
    assert {name.split("/")[0] for name in names_in(tmp_path)} == {
        "a.png", "B.EXR", "B.preview.png", "B.stack", INDEX,
    }  # fmt: skip


def test_names_of_any_kind_keep_their_dots_and_letters(predict, tmp_path, monkeypatch):
    names = ["a.b.c.png", "v1.0.JPG", "写真 1.png", "[b] [1].png", "sub.d/x.y.jpg", "sub.d/a.b.c.png"]
    make_photos(tmp_path / "in", *names)
    monkeypatch.chdir(tmp_path)
    well(predict("in", "-o", "hdr", "--no-preview"))
    assert names_in(Path("hdr")) == sorted([INDEX, *(f"{name[:-4]}.exr" for name in names)])
    assert attributes_of(Path("hdr/写真 1.exr"))["hdrmodel.input"] == "写真 1.png"


def test_a_name_that_is_no_utf_8_is_done_and_readable(predict, tmp_path, monkeypatch):
    (photo,) = make_photos(tmp_path, "in/a.png")
    os.rename(photo, os.fsencode(tmp_path / "in") + b"/caf\xe9.png")
    monkeypatch.chdir(tmp_path)
    assert "1 made" not in well(predict("in", "-o", "hdr", "--stack")).stdout  # a single one needs no sum
    exr = os.fsencode("hdr/") + b"caf\xe9.exr"
    assert os.path.isfile(exr)
    assert read_json(Path("hdr", os.fsdecode(b"caf\xe9.stack"), "stack.json"))["input"] == "caf\\xe9.png"
    assert "there before" in well(predict("in", "-o", "hdr", "--stack")).stdout
    assert json.loads(predict("in", "-o", "hdr", "--json").stdout)["photos"][0]["skipped"]


def test_photographs_of_one_name_stay_apart(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "in/a.png", "in/a.jpg", "in/A.tif", "in/sub/a.png")
    monkeypatch.chdir(tmp_path)
    well(predict("in/**/*.*", "-o", "hdr", "--no-preview"))
    exrs = [path for path in Path("hdr").rglob("*.exr")]
    assert len(exrs) == 4
    inputs = {attributes_of(path)["hdrmodel.input_sha256"] for path in exrs}
    assert inputs == {sha256_of(path) for path in Path("in").rglob("*.*") if path.is_file()}


def test_outputs_that_would_meet_are_refused(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "in/a.png", "in/a.preview.jpg", "in/b.png", "in/b.stack/c.jpg")
    monkeypatch.chdir(tmp_path)
    both = ("--format", "png-pq")
    refused(
        predict("in", "-o", "hdr", *both),
        "hdr/a.preview.png: is the output of both in/a.p",
        "expected a folder for each",
    )
    refused(
        predict("in", "-o", "hdr", *both, "--no-preview", "--stack"), "hdr/b.stack/c.png: is the output of both in/b."
    )
    assert not Path("hdr").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.jpg", "-o", ".", "--format", "ultrahdr"),
        ("a.jpg", "-o", "a.jpg"),
        (".", "-o", ".", "--format", "png-hlg"),
        ("a.preview.png", "-o", "a.exr"),
        ("link.tif", "-o", "b.jpg"),
        ("b.stack/a.png", "link.tif", "b.png", "-o", ".", "--stack"),
        ("a.jpg", "-o", ".", "--format", "ultrahdr", "--overwrite"),
    ],
)
def test_an_output_never_takes_the_place_of_an_input(predict, tmp_path, monkeypatch, arguments):
    make_photos(tmp_path, "a.jpg", "b.jpg", "b.png", "a.preview.png", "b.stack/a.png")
    (tmp_path / "link.tif").hardlink_to(tmp_path / "b.jpg")
    before = {name: sha256_of(tmp_path / name) for name in names_in(tmp_path)}
    monkeypatch.chdir(tmp_path)
    refused(predict(*arguments), "an output would replace this input; expected another folder")
    assert {name: sha256_of(tmp_path / name) for name in names_in(tmp_path)} == before


def test_a_photograph_that_is_no_input_is_not_replaced_either(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "a.png", "a.jpg", "c.png")
    before = (tmp_path / "a.jpg").read_bytes()
    monkeypatch.chdir(tmp_path)
    result = predict("a.png", "c.png", "-o", ".", "--format", "ultrahdr")
    assert result.exit_code == 1
    assert (
        result.stderr
        == "Error: a.jpg: is there, not made here; expected another folder, or --overwrite to replace it\n"
    )
    assert Path("a.jpg").read_bytes() == before and Path("c.jpg").is_file()
    well(predict("a.png", "c.png", "-o", ".", "--format", "ultrahdr", "--overwrite"))
    assert Path("a.jpg").read_bytes() != before
    assert "2 there before" in well(predict("a.png", "c.png", "-o", ".", "--format", "ultrahdr")).stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("-o", "hdr", "--format", "exr", "--format", "exr-float"), "exr and exr-float are both .exr files"),
        (("-o", "hdr", "--format", "avif-pq", "--format", "avif-hlg"), "are both .avif files; expected one of them"),
        (("-o", "hdr", "--format", "gif"), "unknown format 'gif'; known: exr, exr-float, hdr"),
        (("-o", "a.exr", "--format", "hdr"), "a.exr: format hdr is written as .hdr"),
        (("-o", "a.png", "--format", "preview"), "a.png: format preview is written as .preview.png"),
        (("b.png", "-o", "c.exr"), "c.exr: one file for 2 photographs; expected a folder"),
        (("-o", "a.txt"), "a.txt: is a file; expected a folder, or a name that ends in one of .exr, .hdr, .jpg"),
        (("-o", "hdr", "--nits", "0"), "nits must be positive and finite, got 0"),
        (("-o", "hdr", "--white", "nan"), "white must be positive and finite, got nan"),
        (("-o", "hdr", "--crf", "kodak"), "unknown CRF 'kodak'; known: "),
        (("-o", "hdr", "--from", "irradiance", "--stack"), "from 'irradiance' no stack is made"),
        (("-o", "hdr", "--backend", "onnx"), "w.safetensors: not a folder; expected a folder written by `hdrmodel"),
        (("-o", "hdr", "--backend", "onnx", "--device", "cuda"), "--device cuda: ONNX Runtime is used on the CPU"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_line_before_anything_is_made(
    predict, tmp_path, monkeypatch, arguments, reason
):
    make_photos(tmp_path, "a.png", "b.png")
    (tmp_path / "a.txt").touch()
    before = names_in(tmp_path)
    monkeypatch.chdir(tmp_path)
    refused(predict("a.png", *arguments), reason)
    assert names_in(tmp_path) == before


def test_weights_that_are_none_are_one_line(tmp_path):
    make_photos(tmp_path, "a.png")
    for name, content, reason in (
        ("none", None, "not a readable"),
        ("text", b"text", "not a readable safetensors file"),
    ):
        if content:
            (tmp_path / name).write_bytes(content)
        refused(run("predict", tmp_path / "a.png", "-o", tmp_path / "hdr", "--weights", tmp_path / name), name, reason)
    refused(
        run("predict", tmp_path / "a.png", "-o", tmp_path / "hdr", "--weights", tmp_path), ": a folder; expected a file"
    )


def test_a_picture_too_large_for_one_format_is_made_in_the_others_and_told(predict, tmp_path, monkeypatch):
    write_png(tmp_path / "wide.png", noise(1, 65501))
    monkeypatch.chdir(tmp_path)
    limit = "wide.png: 65501 x 1 pixels; ultrahdr takes 1 to 65500 a side"
    with monkeypatch.context() as patch:
        patch.setattr(HDRReconstructor, "predict", lambda *_: pytest.fail("it was computed"))
        refused(predict("wide.png", "-o", "wide.jpg", "--no-preview"), limit)
    assert names_in(tmp_path) == ["wide.png"]
    arguments = ("wide.png", "-o", "hdr", "--format", "exr", "--format", "ultrahdr", "--json")
    result = predict(*arguments)
    (told,) = json.loads(result.stdout)["photos"]
    assert result.exit_code == 1 and result.stderr == f"Error: {limit}\n"
    assert told["outputs"] == ["hdr/wide.exr", "hdr/wide.preview.png"] and told["error"] == limit
    before = states_of(Path("hdr"))
    monkeypatch.setattr(HDRReconstructor, "predict", lambda *_: pytest.fail("it was computed again"))
    result = predict(*arguments)
    assert result.exit_code == 1 and result.stderr == f"Error: {limit}\n"
    assert states_of(Path("hdr")) == before


@pytest.mark.parametrize("broken", ["exr", "ultrahdr", "avif-pq", "preview"])
def test_a_format_that_cannot_be_written_costs_the_others_nothing(predict, tmp_path, monkeypatch, broken):
    make_photos(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    made = FORMATS[broken]

    def fail(path, *_):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setitem(OUTPUTS, broken, dataclasses.replace(made, write=fail))
        result = predict("a.png", "-o", "hdr", *(f"--format={name}" for name in ("exr", "ultrahdr", "avif-pq")))
    names = {f"a{FORMATS[name].suffix}" for name in ("exr", "ultrahdr", "avif-pq", "preview")}
    assert result.exit_code == 1 and f"No space left on device: 'hdr/a{made.suffix}'" in result.stderr
    assert {*names_in(Path("hdr"))} == names - {f"a{made.suffix}"} | {INDEX}
    well(predict("a.png", "-o", "hdr", *(f"--format={name}" for name in ("exr", "ultrahdr", "avif-pq"))))
    assert {*names_in(Path("hdr"))} == names | {INDEX}


# Other people's files


OTHERS = [("exr", "a.exr"), ("hdr", "a.hdr"), ("ultrahdr", "a.jpg"), ("avif-pq", "a.avif"), ("avif-hlg", "a.avif"),
          ("png-pq", "a.png"), ("png-hlg", "a.png"), ("preview", "a.preview.png"),
          ("exr-float", "a.exr")]  # fmt: skip


@pytest.mark.parametrize(
    ("format_name", "name", "mode"),
    [*((*other, "folder") for other in OTHERS), (*OTHERS[0], "file"), (*OTHERS[0], "beside"), (*OTHERS[2], "beside")],
)
def test_a_file_that_is_not_listed_is_never_replaced_without_overwrite(
    predict, tmp_path, monkeypatch, format_name, name, mode
):
    make_photos(tmp_path, "in/a.webp")
    monkeypatch.chdir(tmp_path)
    folder = Path("in" if mode == "beside" else "out")
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"another's")
    out = {"folder": ("-o", "out"), "file": ("-o", f"out/{name}"), "beside": ()}[mode]
    arguments = ("in/a.webp", *out, "--format", format_name, "--no-preview")
    refused(predict(*arguments), f"{folder}/{name}: is there, not made here; expected another folder, or --overwrite")
    assert (folder / name).read_bytes() == b"another's" and len(names_in(folder)) == (2 if mode == "beside" else 1)
    well(predict(*arguments, "--overwrite"))
    assert (folder / name).read_bytes() != b"another's"
    made = states_of(folder)
    assert "there before" in well(predict(*arguments)).stdout and states_of(folder) == made
    (folder / name).unlink()
    well(predict(*arguments))  # it is made again, as it is missing and known


def test_a_stack_of_another_s_is_not_replaced_either(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "a.png")
    (tmp_path / "hdr/a.stack").mkdir(parents=True)
    (tmp_path / "hdr/a.stack/a.png").write_bytes(b"another's")
    monkeypatch.chdir(tmp_path)
    result = predict("a.png", "-o", "hdr", "--stack")
    assert result.exit_code == 1 and "hdr/a.stack: is there, not made here" in result.stderr
    assert names_in(Path("hdr")) == ["a.exr", "a.preview.png", "a.stack/a.png", INDEX]
    assert Path("hdr/a.stack/a.png").read_bytes() == b"another's"


def test_a_link_to_nowhere_is_not_replaced(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    Path("a.exr").symlink_to("/nowhere/a.exr")
    refused(predict("a.png", "-o", "a.exr", "--no-preview"), "a.exr: is there, not made here")
    assert Path("a.exr").is_symlink()


# Names of the outputs


def test_jpeg_is_ultra_hdr_too(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    well(predict("a.png", "-o", "b.JPEG"))
    assert names_in(tmp_path) == ["a.png", "b.JPEG", "b.preview.png", INDEX]
    assert b"hdrgm:Version" in Path("b.JPEG").read_bytes()


@pytest.mark.parametrize(
    "name", ["x.tif", "x.TIFF", "x.jxl", "x.webp", "x.heic", "x.bmp", "x.gif", "x.jfif", "x.cr2", "x.jp2"]
)
def test_a_suffix_of_another_kind_of_picture_is_refused_with_the_list(predict, tmp_path, monkeypatch, name):
    make_photos(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    wanted = "expected a folder, or a name that ends in one of .exr, .hdr, .jpg, .avif, .png, .preview.png, .jpeg"
    refused(predict("a.png", "-o", name), f"{name}: no format is written as {Path(name).suffix}; {wanted}")
    assert names_in(tmp_path) == ["a.png"]
    Path(name).mkdir()  # but a folder is one, whatever its name
    well(predict("a.png", "-o", name))
    assert Path(name, "a.exr").is_file()


def test_without_out_the_files_come_beside_each_photograph(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "in/a.png", "in/sub/b.jpg", "in/sub/b.png")
    monkeypatch.chdir(tmp_path)
    assert "3 made" in well(predict("in")).stdout
    ends = (".exr", ".preview.png")
    stems = ("in/a", "in/sub/b_jpg", "in/sub/b_png")
    wanted = [f"in/{INDEX}", f"in/sub/{INDEX}", "in/a.png", "in/sub/b.jpg", "in/sub/b.png"]
    assert names_in(tmp_path) == sorted([*wanted, *(f"{stem}{end}" for stem in stems for end in ends)])
    assert "0 made, 3 there before" in well(predict("in")).stdout
    assert "there before" in well(predict("in/a.png")).stdout


@pytest.mark.parametrize("length", [239, 240, 243, 247, 251])
def test_a_name_as_long_as_a_file_system_takes_is_made_with_all_its_outputs(predict, tmp_path, monkeypatch, length):
    name = "é" * ((length - 1) // 2) + "x" * (1 + (length - 1) % 2)
    assert len(name.encode()) == length
    make_photos(tmp_path, f"in/{name}.png")
    monkeypatch.chdir(tmp_path)
    well(predict("in", "-o", "hdr", "--stack", "--format", "ultrahdr"))
    (jpg,) = Path("hdr").glob("*.jpg")
    (preview,) = Path("hdr").glob("*.preview.png")
    assert jpg.name == f"{name}.jpg" and preview.name[:105] == jpg.name[:105]
    assert "there before" in well(predict("in", "-o", "hdr", "--stack", "--format", "ultrahdr")).stdout


def test_control_characters_of_names_never_reach_a_terminal(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "in/\x1b[31mred\x07.png", "in/b\nc.png")
    (tmp_path / "in/\x1b[2Jempty.png").touch()
    monkeypatch.chdir(tmp_path)
    result = predict("in", "-o", "hdr")
    for text in (result.stdout, result.stderr):
        assert not any(letter < " " and letter != "\n" for letter in text)
    assert "in/\\x1b[31mred\\x07.png: hdr/" in result.stdout and "in/b\\nc.png: " in result.stdout
    assert result.stderr.startswith("Error: in/\\x1b[2Jempty.png: the file is empty")
    refused(predict("in/\x1b[2Jnone.png", "-o", "hdr"), "\\x1b[2Jnone.png")


def test_what_cannot_be_written_is_told_before_it_is_computed(predict, tmp_path, monkeypatch):
    make_photos(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    monkeypatch.setattr(HDRReconstructor, "predict", lambda *_: pytest.fail("it was computed"))
    for out, reason in (("file/x.exr", "Not a directory: 'file"), (f"{'x' * 300}.exr", "File name too long")):
        refused(predict("a.png", "-o", out, "--no-preview"), reason)
    assert names_in(tmp_path) == ["a.png", "file"]


# What is left out


def test_a_folder_of_many_kinds_is_read_or_counted(predict, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    make_photos(tmp_path, "in/a.jpg", "in/b.png")
    for name in ("c.jfif", "d.jpe", "e.mpo"):
        shutil.copy(folder / "a.jpg", folder / name)
    for name in ("f.bmp", "g.avif", "h.gif"):
        Image.fromarray(noise()).save(folder / name)
    for name in ("x.mov", "y.mov", "notes.txt", "LICENSE", "light.exr", ".hidden.txt"):
        (folder / name).touch()
    monkeypatch.chdir(tmp_path)
    result = well(predict("in", "-o", "in", "--no-preview"))
    *_, summary, left = result.stdout.splitlines()
    assert summary == "8 made, 0 there before, 0 failed"
    assert left == "left out: 2 .mov, 1 without a suffix, 1 .exr, 1 .txt"
    again = well(predict("in", "-o", "in", "--no-preview"))
    assert again.stdout.splitlines()[-2:] == ["0 made, 8 there before, 0 failed", left]
    told = json.loads(predict("in", "-o", "in", "--no-preview", "--json").stdout)
    assert told["left_out"] == {".mov": 2, "": 1, ".exr": 1, ".txt": 1}


# Colours that sRGB does not hold


def test_a_red_of_display_p3_that_does_not_clip_keeps_its_light_and_its_colour(predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ldr = np.full((24, 32, 3), (235, 30, 30), np.uint8)
    Image.fromarray(ldr).save("red.png", icc_profile=rgb_profile("Display P3", P3_TO_BT709))
    formats = ("exr-float", "avif-pq", "png-pq", "hdr", "ultrahdr")
    result = well(predict("red.png", "-o", "hdr", *(f"--format={name}" for name in formats)))
    assert "Display P3 colours kept" in result.stdout and "1e+02 % of the pixels are outside sRGB" in result.stdout
    assert "1e+02 % of the pixels are outside BT.709, and clipped to it" in result.stdout  # Radiance
    own = srgb_light(ldr[0, 0] / 255)
    exr = read_oiio(Path("hdr/red.exr"))[0, 0]
    np.testing.assert_allclose(exr, own @ P3_TO_BT709.T, rtol=1e-4, atol=1e-5)
    assert exr.min() < 0 and exr[0] > own[0]
    codes = cv2.imread("hdr/red.png", cv2.IMREAD_UNCHANGED)[0, 0, ::-1] / 65535
    power = codes ** (1 / 78.84375)
    nits = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    # Display P3 to BT.2020, CSS Color 4
    to_2020 = [[0.753833, 0.198597, 0.047570], [0.045744, 0.941777, 0.012479], [-0.001210, 0.017602, 0.983609]]
    np.testing.assert_allclose(nits / 203, own @ np.transpose(to_2020), rtol=2e-3)
    with Image.open("hdr/red.jpg") as base:
        assert np.abs(np.asarray(base).astype(int) - ldr).max() <= 1
        assert base.info["icc_profile"] == rgb_profile("Display P3", P3_TO_BT709)


def test_an_hdr_picture_keeps_its_own_light_in_every_format(predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    light = np.repeat(np.geomspace(0.05, 20, 64, dtype=np.float32)[None, :, None], 24, axis=0).repeat(3, axis=2)
    write_output(Path("hdr.png"), light, "png-pq", Scale(), {})
    monkeypatch.setattr(HDRReconstructor, "predict", lambda *_: pytest.fail("it was estimated"))
    result = well(predict("hdr.png", "-o", "out", "--format", "exr-float", "--format", "ultrahdr", "--stack"))
    assert "an HDR picture (BT.2020 PQ)" in result.stdout
    np.testing.assert_allclose(read_oiio(Path("out/hdr.exr")), light, rtol=1e-3)
    with Image.open("out/hdr.jpg") as base:  # tone mapped: all levels rise, and the brightest light is white
        levels = np.asarray(base)[12, :, 1].astype(int)
    assert (np.diff(levels) >= 0).all() and len(set(levels.tolist())) > 45 and levels[-1] == 255 > levels[-8]
    by_library = imagecodecs.ultrahdr_decode(Path("out/hdr.jpg").read_bytes())[12, :, 1].astype(float)
    np.testing.assert_allclose(by_library, light[12, :, 1], rtol=0.08)
    result = well(predict("hdr.png", "-o", "dim", "--format", "exr-float", "--nits", "100", "--no-preview"))
    assert "--nits is not used: the file states cd/m2" in result.stdout
    np.testing.assert_allclose(read_oiio(Path("dim/hdr.exr")), light, rtol=1e-3)
    assert attributes_of(Path("dim/hdr.exr"))["whiteLuminance"] == 203
    assert attributes_of(Path("out/hdr.exr"))["hdrmodel.light"] == "the photograph's own, which is HDR"
    assert np.asarray(Image.open("out/hdr.stack/a.png")).max() < 255


def test_a_gain_map_is_the_light_unless_it_is_ignored(predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    half = np.ones((32, 64, 4), np.float16)
    half[:, :32, :3], half[:, 32:, :3] = 0.25, 4
    gamut = imagecodecs.ULTRAHDR.CG.BT_709
    Path("a.jpg").write_bytes(imagecodecs.ultrahdr_encode(half, level=95, gamut=gamut, nits=1000.0))
    by_library = imagecodecs.ultrahdr_decode(Path("a.jpg").read_bytes())[:, :, :3].astype(float)
    arguments = ("--format", "exr-float", "--no-preview", "--json")
    kept = json.loads(well(predict("a.jpg", "-o", "kept", *arguments)).stdout)["photos"][0]
    assert "an HDR picture (gain map, ISO 21496-1)" in kept["notes"]
    np.testing.assert_allclose(read_oiio(Path("kept/a.exr"))[:, [8, 56]], by_library[:, [8, 56]], rtol=0.03)
    ignored = json.loads(well(predict("a.jpg", "-o", "ignored", *arguments, "--ignore-gain-map")).stdout)["photos"][0]
    assert "its gain map is ignored" in ignored["notes"]
    assert abs(np.log2(read_oiio(Path("ignored/a.exr"))[16, 8] / by_library[16, 8])).min() > 0.1


def test_transparent_pixels_are_laid_over_what_is_asked_for(predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rgba = np.dstack([noise(), np.full((24, 40), 255, np.uint8)])
    rgba[3, 4, 3] = 0
    Image.fromarray(rgba).save("a.png")
    for background, code in (("black", 0), ("white", 255)):
        result = well(predict("a.png", "-o", "a.jpg", "--background", background))
        assert f"1 transparent pixel laid over {background}" in result.stdout
        with Image.open("a.jpg") as base:
            assert np.abs(np.asarray(base)[3, 4].astype(int) - code).max() <= 3


# What is in the files


def test_an_exr_file_holds_what_the_python_api_gives(predict, reconstructor, tmp_path):
    ldr = noise(37, 53, 0, 256)
    write_png(tmp_path / "a.png", ldr)
    radiance = reconstructor(ldr)
    for name, dtype in (("exr", np.float16), ("exr-float", np.float32)):
        well(predict(tmp_path / "a.png", "-o", tmp_path / "a.exr", "--format", name))
        light = read_oiio(tmp_path / "a.exr")
        assert light.dtype == dtype
        np.testing.assert_array_equal(light, radiance.astype(dtype))
        assert np.array_equal(read_radiance(tmp_path / "a.exr"), radiance.astype(dtype))


def test_an_exr_file_tells_how_it_was_made(predict, weights, tmp_path):
    photo = tmp_path / "a.png"
    write_picture(photo, noise(), Fraction(1, 250), 5.6, 400)
    well(predict(photo, "-o", tmp_path / "a.exr", "--nits", "100", "--white", "0.5"))
    said = attributes_of(tmp_path / "a.exr")
    assert said["chromaticities"] == pytest.approx((0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290))
    assert said["whiteLuminance"] == 200  # cd/m2 of (1, 1, 1): white is 0.5
    assert said["hdrmodel.weights_sha256"] == sha256_of(weights)
    assert (said["hdrmodel.input"], said["hdrmodel.input_sha256"]) == ("a.png", sha256_of(photo))
    assert said["hdrmodel.exposure"] == "s 0.004, f/ 5.6, ISO 400"
    assert (said["hdrmodel.program"], said["hdrmodel.variant"]) == ("hdr-attnet", "spatial")
    assert said["hdrmodel.version"] and said["hdrmodel.light"].endswith("white, merged from the generated exposures")


def test_nits_and_white_scale_the_files_that_they_are_for(predict, tmp_path):
    ldr = np.full((16, 16, 3), 150, np.uint8)
    light = srgb_light(150 / 255)
    write_png(tmp_path / "a.png", ldr)
    well(predict(tmp_path / "a.png", "-o", tmp_path / "a.exr", "--white", "80", "--nits", "50"))
    np.testing.assert_allclose(read_oiio(tmp_path / "a.exr"), 80 * light, rtol=1e-3)
    well(predict(tmp_path / "a.png", "-o", tmp_path / "b.png", "--white", "80", "--nits", "50", "--no-preview"))
    signal = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED) / 65535
    power = signal ** (1 / 78.84375)  # the EOTF of BT.2100, table 4; grey is the same in all primaries
    nits = 10_000 * ((power - 0.8359375) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    np.testing.assert_allclose(nits, 50 * light, rtol=1e-3)


def test_a_stack_is_nine_pictures_that_tell_their_times(predict, tmp_path):
    ldr = noise(24, 40, 0, 256)
    photo = tmp_path / "a.png"
    write_picture(photo, ldr, Fraction(1, 250), 5.6, 400)
    well(predict(photo, "-o", tmp_path / "hdr", "--stack"))
    stack = tmp_path / "hdr/a.stack"
    assert names_in(stack) == STACK_NAMES
    np.testing.assert_array_equal(np.asarray(Image.open(stack / "e.png")), ldr)  # EV 0 is the fifth of nine
    about = read_json(stack / "stack.json")
    assert [(one["file"], one["ev"]) for one in about["exposures"]] == list(zip(STACK_NAMES, HALF_STOPS, strict=False))
    assert about["seconds_are_the_photographs"] and about["input_sha256"] == sha256_of(photo)
    for one in about["exposures"]:
        assert one["ratio"] == 2.0 ** one["ev"] and one["exposure_seconds"] == pytest.approx(one["ratio"] / 250)
        with Image.open(stack / one["file"]) as picture:
            assert (picture.size, picture.mode) == ((40, 24), "RGB")
            tags = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        assert float(tags[ExifTags.Base.ExposureTime]) == pytest.approx(one["exposure_seconds"], rel=1e-6)
        assert float(tags[ExifTags.Base.ExposureBiasValue]) == one["ev"]
        assert float(tags[ExifTags.Base.FNumber]) == 5.6 and tags[ExifTags.Base.ISOSpeedRatings] == 400
        assert read_exposure(stack / one["file"]).seconds == pytest.approx(one["exposure_seconds"], rel=1e-6)
        assert decode_png((stack / one["file"]).read_bytes()).shape == ldr.shape


def test_the_stack_of_a_photograph_without_a_time_keeps_the_ratios(predict, tmp_path):
    make_photos(tmp_path, "a.png")
    well(predict(tmp_path / "a.png", "-o", tmp_path / "a.exr", "--stack"))
    about = read_json(tmp_path / "a.stack/stack.json")
    assert not about["seconds_are_the_photographs"]
    assert [one["exposure_seconds"] * 60 for one in about["exposures"]] == pytest.approx([2.0**ev for ev in HALF_STOPS])


def test_what_else_is_in_the_folder_of_a_stack_stays(made, predict):
    (made / "a.stack/merged.exr").write_bytes(b"mine")
    assert "2 there before" in well(predict("in", "-o", "hdr", "--stack")).stdout
    well(predict("in", "-o", "hdr", "--stack", "--overwrite"))
    assert names_in(made / "a.stack") == sorted([*STACK_NAMES, "merged.exr"])


def test_hdrdata_merges_a_stack_to_the_light_that_was_predicted(predict, tmp_path, monkeypatch):
    light = np.geomspace(0.02, 3, 64 * 64).astype(np.float32).reshape(64, 64, 1).repeat(3, axis=2)
    photograph = expose_again(light * 2, light, (-1.0,), srgb_crf())[0]
    stack = expose_again(light, photograph, HALF_STOPS, srgb_crf())
    made = Prediction(light, np.rint(255 * stack).astype(np.uint8))  # what a network without fault would make
    monkeypatch.setattr(HDRReconstructor, "predict", lambda *_: made)
    write_picture(tmp_path / "a.png", np.rint(255 * photograph).astype(np.uint8), Fraction(1, 250), 5.6, 400)
    well(predict(tmp_path / "a.png", "-o", tmp_path / "a.exr", "--stack"))
    pictures = sorted(str(path) for path in (tmp_path / "a.stack").glob("*.png"))
    for response in ("srgb", "calibrate"):
        merge = ["merge", *pictures, "-o", str(tmp_path / "x.exr"), "--response", response]
        well(CliRunner().invoke(hdrdata.cli.main, merge))
        ratio = read_radiance(tmp_path / "x.exr") / read_radiance(tmp_path / "a.exr")
        assert (
            np.abs(ratio / np.median(ratio) - 1).max() < 0.03
        )  # a level of 255 is 1 to 5 %, of which nine are averaged


def test_the_photograph_and_its_light_are_let_go_before_the_next(reconstructor, tmp_path, monkeypatch):
    import weakref

    alive = []

    def watched(path, **options):
        assert not any(reference() is not None for reference in alive)
        photo = read_photo(path, **options)
        alive.append(weakref.ref(photo.ldr))
        return photo

    def write(path, radiance, *arguments):
        assert alive[0]() is None  # the photograph, once there is light
        alive.append(weakref.ref(radiance))
        return write_output(path, radiance, *arguments)

    monkeypatch.setattr("hdrmodel.prediction.files.read_photo", watched)
    monkeypatch.setattr("hdrmodel.prediction.files.write_output", write)
    make_photos(tmp_path, "in/a.png", "in/b.png")
    settings = PredictSettings(("exr", "preview"), Scale(), "stack", True, "srgb", "fp32", "torch", "0" * 64, "spatial")
    outcomes = predict_files([tmp_path / "in"], tmp_path / "hdr", reconstructor, settings)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert len(alive) == 6 and not any(reference() is not None for reference in alive)


# The command


@pytest.mark.parametrize("command", ["predict", "export", "view", "info"])
def test_every_help_text_has_an_example(command):
    assert f"hdrmodel {command} " in well(run(command, "--help")).output.split("Usage:")[1].split("\n", 1)[1]


def test_the_help_of_predict_names_each_format_and_its_white():
    text = well(run("predict", "--help")).output
    assert all(f"{name} " in text for name in FORMATS) and "white is `nits`" in text


IMPORTS = """
import sys
import hdrmodel.cli.root
from click.testing import CliRunner
result = CliRunner().invoke(hdrmodel.cli.root.main, ["view", "none.exr"])
assert result.exit_code == 1 and "none.exr: no such file" in result.output, result.output
sys.exit("torch" in sys.modules)
"""


def test_the_root_and_view_do_without_torch():
    assert subprocess.run([sys.executable, "-c", IMPORTS], check=False).returncode == 0


TERMINAL = """
import os, pathlib, signal, sys, time
import hdrmodel.prediction.files
original, replace = hdrmodel.prediction.files.write_output, pathlib.Path.replace
def stop(*_):
    pathlib.Path.replace = replace
    os.kill(os.getpid(), signal.SIGTERM)
def write(path, *arguments):
    time.sleep(0.3)  # the bar is drawn ten times a second
    if path.name == "b.exr":
        pathlib.Path.replace = stop
    return original(path, *arguments)
hdrmodel.prediction.files.write_output = write
from hdrmodel.cli import main
main()
"""


def test_on_a_terminal_lines_go_where_they_belong_and_sigterm_leaves_nothing_half_written(weights, tmp_path):
    make_photos(tmp_path, "in/[red] a.png", "in/b.png")
    (tmp_path / "in/aa.png").touch()
    reader, writer = os.openpty()
    arguments = ["predict", "in", "-o", "hdr", "--weights", str(weights), "--no-preview"]
    command = [sys.executable, "-c", TERMINAL, *arguments]
    said = b""
    with (tmp_path / "lines.txt").open("w") as lines:
        program = subprocess.Popen(command, stdout=lines, stderr=writer, cwd=tmp_path)
    os.close(writer)
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(reader, 65536):  # as it comes: a terminal holds few letters
            said += part
    os.close(reader)
    done = program.wait()
    assert done == 130, said
    assert (tmp_path / "lines.txt").read_text().startswith("in/[red] a.png: hdr/[red] a.exr; ")
    assert b"[red] a.png" in said and b"hdr/" not in said
    assert b"\r\x1b[2KError: in/aa.png: the file is empty (0 bytes)\r\n" in said  # the bar's line is erased before
    assert said.endswith(b"interrupted; run it again to continue from here\r\n")
    assert names_in(tmp_path / "hdr") == ["[red] a.exr", INDEX]


def test_the_mask_and_the_counts_say_which_values_are_predicted(predict, tmp_path):
    ldr = noise()
    ldr[4:8, 4:8, 1:] = 255
    write_png(tmp_path / "a.png", ldr)
    made = well(predict(tmp_path / "a.png", "-o", tmp_path / "hdr", "--mask", "--no-preview", "--json"))
    (photo,) = json.loads(made.stdout)["photos"]
    assert (photo["clipped_values"], photo["below_white"]) == (32, 0)
    assert photo["response"] == "srgb (given by --crf)"
    mask = decode_png((tmp_path / "hdr/a.mask.png").read_bytes())
    assert (mask == 255 * (ldr == 255)).all()
    image = oiio.ImageBuf(str(tmp_path / "hdr/a.exr"))
    names = image.spec().channelnames
    layer = image.get_pixels(oiio.FLOAT)[:, :, [names.index(f"predicted.{letter}") for letter in "RGB"]]
    assert np.array_equal(layer, ldr == 255) and len(names) == 6
    light = read_oiio(tmp_path / "hdr/a.exr")[:, :, [names.index(letter) for letter in "RGB"]]
    assert np.array_equal(read_radiance(tmp_path / "hdr/a.exr"), light)  # the layer is no scene


def test_by_default_the_kind_of_file_decides_the_response(weights, tmp_path):
    makers = {"camera": {271: "NIKON CORPORATION", 272: "NIKON D7000"}, "rendering": {305: "Blender 4.2"}, "none": {}}
    for name, tags in makers.items():
        exif = Image.Exif()
        exif.update(tags)
        Image.fromarray(noise(low=0, high=250)).save(tmp_path / f"{name}.png", exif=exif)
    made = well(run("predict", tmp_path, "-o", tmp_path / "hdr", "--weights", weights, "--no-preview", "--json"))
    responses = {Path(photo["input"]).stem: photo["response"] for photo in json.loads(made.stdout)["photos"]}
    assert responses["camera"] == "estimated (from the photograph; EXIF states a camera)"
    assert responses["rendering"] == "srgb (EXIF states software that renders or captures screens)"
    assert responses["none"].endswith(" (from the photograph; EXIF states no device)")
    said = attributes_of(tmp_path / "hdr/camera.exr")
    assert said["hdrmodel.camera_response"] == "estimated" and "camera" in said["hdrmodel.camera_response_reason"]
    assert len(said["hdrmodel.camera_response_inverse"].split()) == 86

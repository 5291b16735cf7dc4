"""Which of an EXR's layers is the picture, and luminance and chroma."""

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from exr_parts import rgb, write_parts

from hdrdata.files.radiance import check_radiance, read_radiance

P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
WEIGHTS = {None: (0.2126, 0.7152, 0.0722), P3: (0.2290, 0.6917, 0.0793)}  # Rec.709; Display P3 (SMPTE EG 432-1)


@pytest.mark.parametrize("parts, layer, wanted", [
    ([({}, {**rgb("albedo.", 1), **rgb("ViewLayer.Noisy.", 5)})], "ViewLayer.Noisy", 5),
    ([({}, {**rgb("albedo.", 1), **rgb("ViewLayer.Noisy.", 5)})], "noisy", 5),
    ([({}, {**rgb("albedo.", 5), **rgb("", 1)})], "ALBEDO", 5),
    ([({}, {**rgb("Scene.Combined.", 1), **rgb("Other.Combined.", 5)})], "Other.Combined", 5),
    ([({"name": "normals"}, rgb("", 1)), ({"name": "diffuse"}, rgb("", 5))], "diffuse", 5),
    ([({"name": "one"}, rgb("light.", 1)), ({"name": "two"}, rgb("light.", 5))], "two.light", 5),
])  # fmt: skip
def test_a_layer_is_taken_by_its_name(tmp_path, parts, layer, wanted):
    write_parts(tmp_path / "a.exr", parts)
    assert read_radiance(tmp_path / "a.exr", layer)[0, 0].tolist() == [wanted, wanted + 1, wanted + 2]


@pytest.mark.parametrize("parts, wanted", [
    ([({"name": "depth"}, {**rgb("", 5), **rgb("beauty.", 1)})], 5),  # the name of a single part names no layer
    ([({"multiView": ["right", "left"]}, {**rgb("", 5), **rgb("left.", 1)})], 5),
    ([({"multiView": ["left", "right"]}, {**rgb("V.AO.left.", 1), **rgb("V.Combined.right.", 2),
                                          **rgb("V.Combined.left.", 5)})], 5),
    ([({"name": "rgba_right", "view": "right"}, rgb("", 5)), ({"name": "depth_left", "view": "left"}, {"Z": 1}),
      ({"name": "rgba_left", "view": "left"}, rgb("", 1))], 5),  # the first view is the default
])  # fmt: skip
def test_the_default_view_is_the_picture(tmp_path, parts, wanted):
    write_parts(tmp_path / "a.exr", parts)
    assert read_radiance(tmp_path / "a.exr")[0, 0].tolist() == [wanted, wanted + 1, wanted + 2]


@pytest.mark.parametrize("parts", [
    [({"multiView": ["left", "right"]}, {"Y": 5, "right.Y": 1})],
    [({"name": "left"}, {"Y": 5}), ({"name": "right"}, {"Y": 1})],
    [({"name": "left", "view": "left"}, {"left.Y": 5}), ({"name": "right", "view": "right"}, {"right.Y": 1})],
])  # fmt: skip
def test_of_grey_stereo_the_default_view_is_the_picture(tmp_path, parts):
    write_parts(tmp_path / "a.exr", parts)
    assert (read_radiance(tmp_path / "a.exr") == 5).all()
    assert (read_radiance(tmp_path / "a.exr", "right") == 1).all()


def test_what_cannot_be_told_is_refused_with_all_layers(tmp_path):
    write_parts(tmp_path / "a.exr", [({}, {**rgb("S.Combined.", 1), **rgb("T.Combined.", 5), "mist.Y": 1})])
    with pytest.raises(ValueError, match=r"a\.exr: layers S\.Combined, T\.Combined: several .* --layer NAME$"):
        read_radiance(tmp_path / "a.exr")
    with pytest.raises(ValueError, match=r"a\.exr: no layer 'gold'; expected .*: S\.Combined, T\.Combined, mist$"):
        read_radiance(tmp_path / "a.exr", "gold")


def to_luma(light: np.ndarray, weights: tuple[float, ...]) -> list[np.ndarray]:
    """Y, RY and BY by "Technical Introduction to OpenEXR": RY = (R - Y) / Y."""
    y = light @ np.array(weights)
    return [y, (light[:, :, 0] - y) / y, (light[:, :, 2] - y) / y]


def write_luma(path: Path, planes: list[np.ndarray], step: int, **header: object) -> None:
    channels = {}
    for name, plane, sampling in zip(("Y", "RY", "BY"), planes, (1, step, step), strict=True):
        packed = np.zeros(plane.shape, np.float32)  # the bindings take the samples one after another, and zeros behind
        packed.flat[: plane.size // sampling**2] = plane[::sampling, ::sampling].ravel()
        channels[name] = OpenEXR.Channel(name, packed, sampling, sampling)
    with OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, **header}, channels) as f:
        f.write(str(path))


@pytest.mark.parametrize("chromaticities", [None, P3])
@pytest.mark.parametrize("step", [1, 2])
def test_luminance_and_chroma_become_rgb(tmp_path, chromaticities, step):
    row, column = np.mgrid[0:64, 0:80] / 80
    light = np.stack([2 + np.cos(4 * row), 2 + np.sin(5 * column), 2 + np.cos(3 * row * column)], axis=2)
    light *= np.random.default_rng(0).uniform(0.1, 9, (64, 80, 1))  # chroma is smooth, luminance is not
    header = {"chromaticities": chromaticities} if chromaticities else {}
    write_luma(tmp_path / "a.exr", to_luma(light, WEIGHTS[chromaticities]), step, **header)
    write_parts(tmp_path / "b.exr", [({}, {"R": 1, "G": 1, "B": 1})])
    with OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, {"RGB": light.astype(np.float32)}) as file:
        file.write(str(tmp_path / "b.exr"))
    made, wanted = read_radiance(tmp_path / "a.exr"), read_radiance(tmp_path / "b.exr")
    away = slice(14, -14) if step == 2 else slice(None)  # at the border chroma goes on as it ends
    assert made[away, away] == pytest.approx(wanted[away, away], rel=3e-3)
    assert made == pytest.approx(wanted, rel=0.1)


def test_grey_in_luminance_and_chroma_stays_exact(tmp_path):
    y = np.random.default_rng(0).uniform(0, 9, (6, 8)).astype(np.float32)
    write_luma(tmp_path / "a.exr", [y, y * 0, y * 0], 2)
    assert np.array_equal(read_radiance(tmp_path / "a.exr"), np.repeat(y[:, :, None], 3, axis=2))


def test_a_pixel_more_saturated_than_its_neighbours_loses_saturation_and_keeps_its_luminance(tmp_path):
    y, ry = np.full((8, 8), 1.0), np.zeros((8, 8))
    ry[4, 4] = 2.9  # R = 3.9, G = (1 - .2126 * 3.9 - .0722) / .7152 = .138: a saturation of .965
    write_luma(tmp_path / "a.exr", [y, ry, ry * 0], 2)
    pixel = read_radiance(tmp_path / "a.exr")[4, 4]
    assert pixel @ np.array(WEIGHTS[None]) == pytest.approx(1, rel=1e-3)
    # diagonal neighbours of the filter's .627^2 * 2.9 = 1.14: R 2.14, G .66, so .69, and 1 - (1 - .69) / 4 is .92
    assert 1 - pixel.min() / pixel.max() == pytest.approx(0.923, abs=2e-3)


@pytest.mark.parametrize("odd", [np.inf, np.nan, 3e38])
def test_chroma_that_is_no_light_gives_no_warning(tmp_path, odd):
    y = np.ones((12, 16), np.float32)
    ry = np.zeros((12, 16), np.float32)
    ry[4, 6], ry[6, 8] = odd, -odd
    write_luma(tmp_path / "a.exr", [y, ry, ry], 2)
    assert read_radiance(tmp_path / "a.exr").shape == (12, 16, 3)


def test_luminance_and_chroma_of_other_sizes_are_refused(tmp_path):
    write_luma(tmp_path / "a.exr", [np.ones((8, 8)), *np.zeros((2, 8, 8))], 4)
    with pytest.raises(ValueError, match=r"a\.exr: channels Y, RY, BY differ in size"):
        read_radiance(tmp_path / "a.exr")


def test_what_luminance_and_chroma_leave_below_zero_is_no_damage(tmp_path):
    y, ry = np.random.default_rng(0).uniform(1, 9, (8, 8)), np.full((8, 8), 4.0)  # G = (1 - .2126 * 5 - .07) / .7 < 0
    write_luma(tmp_path / "a.exr", [y, ry, ry * 0], 1)
    _, repairs = check_radiance(tmp_path / "a.exr", 0.0)
    assert repairs.outside == 64 and repairs.total == 0
    assert repairs.stated.converted == ("luminance and chroma",)


@pytest.mark.parametrize("channels, wanted", [
    ({**rgb("Composite.Combined.", 5), **rgb("ViewLayer.Combined.", 1)}, 5),  # Blender
    ({**rgb("FinalImage.", 5), **rgb("FinalImageGBuffer.", 1)}, 5),  # Unreal
    ({**rgb("RGB_color.", 5), **rgb("diffuse.", 1)}, 5),  # V-Ray
    ({**rgb("Ci.", 5), **rgb("albedo.", 1)}, 5),  # RenderMan
    ({**rgb("C.", 5), **rgb("N.", 1)}, 5),  # Mantra
    ({**rgb("Octane:Beauty.", 5), **rgb("Octane:Noise.", 1)}, 5),
])  # fmt: skip
def test_the_names_that_renderers_give_to_the_picture_are_preferred(tmp_path, channels, wanted):
    write_parts(tmp_path / "a.exr", [({}, channels)])
    assert read_radiance(tmp_path / "a.exr")[0, 0].tolist() == [wanted, wanted + 1, wanted + 2]


def test_a_list_of_layers_is_tried_in_order_and_files_without_layers_are_read(tmp_path):
    write_parts(tmp_path / "a.exr", [({}, {**rgb("key.", 1), **rgb("rim.", 5)})])
    assert read_radiance(tmp_path / "a.exr", "beauty, rim,key")[0, 0, 0] == 5
    with pytest.raises(ValueError, match=r"no layer 'beauty,gold'; expected one of its layers: key, rim"):
        read_radiance(tmp_path / "a.exr", "beauty,gold")
    write_parts(tmp_path / "b.exr", [({}, rgb("", 5))])
    assert read_radiance(tmp_path / "b.exr", "beauty,rim")[0, 0, 0] == 5


@pytest.mark.parametrize("text", ["xgrünes Licht".encode("latin-1"), b"\xff" * 12, "ビュー".encode("shift-jis")])
@pytest.mark.parametrize("parts", [1, 2])
def test_text_that_is_not_utf_8_hides_no_pixels(tmp_path, text, parts):
    letters = "x" * len(text)
    channels = {**rgb("", 5), **rgb(f"{letters}.", 1)}
    headers = [{"name": name, "owner": letters, letters: letters} for name in ("rgba", "depth")[:parts]]
    write_parts(tmp_path / "a.exr", [(header, channels) for header in headers])
    plain = read_radiance(tmp_path / "a.exr")
    content = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "b.exr").write_bytes(content.replace(letters.encode(), text))
    assert np.array_equal(read_radiance(tmp_path / "b.exr"), plain)
    layer = ("" if parts == 1 else "rgba.") + text.decode("latin-1")
    assert read_radiance(tmp_path / "b.exr", layer)[0, 0].tolist() == [1, 2, 3]

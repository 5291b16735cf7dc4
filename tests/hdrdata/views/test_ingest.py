"""Views: perspective geometry, energy, and what is too small."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_files import ROOT

from hdrdata.files.disk import sha256_of
from hdrdata.files.exr import read_view, write_exr
from hdrdata.files.radiance import Repairs, check_radiance
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.scene import Scene
from hdrdata.views.ingest import crop_of_photo, fit_size, ingest_scenes, views_of_scene
from hdrdata.views.normalise import is_dark_but_for_few, levels_of_most, normalise_view, stops_of
from hdrdata.views.panorama import is_panorama, views_of_panorama
from hdrdata.views.view import ViewName, crop_key, panorama_key, parse_view_key, read_views

SCENES = ROOT / "data" / "scenes"
NO_REPAIRS = Repairs(0, 0, 0)


def view_of_panorama(panorama: np.ndarray, size: int, fov: float, pitch: float, azimuth: float) -> np.ndarray:
    return views_of_panorama(panorama, size, fov, pitch, [azimuth])[0]


def dot_panorama(longitude: float, latitude: float, height: int = 256) -> np.ndarray:
    """A panorama that is dark except for a bright pixel at the angles, in degrees; its centre is (0, 0)."""
    panorama = np.full((height, 2 * height, 3), 1e-3, dtype=np.float32)
    row = int((0.5 - latitude / 180) * height)
    column = int((longitude / 360 + 0.5) * 2 * height) % (2 * height)
    panorama[row, column] = 1000
    return panorama


def brightest(view: np.ndarray) -> tuple[float, float]:
    """Row and column of the light's centre of mass, in pixels from the view's middle: down, right."""
    light = view[:, :, 0].astype(np.float64)
    row, column = np.mgrid[0 : light.shape[0], 0 : light.shape[1]]
    middle = (light.shape[0] - 1) / 2
    light = np.where(light > light.max() / 100, light, 0)
    return float((row * light).sum() / light.sum() - middle), float((column * light).sum() / light.sum() - middle)


@pytest.mark.parametrize("azimuth", [0, 60, 120, 180, 240, 300])
def test_the_direction_of_the_azimuth_is_the_middle_of_the_view(azimuth):
    # the dot's pixel spans 0.7 degrees, and half a pixel is 0.35: less than a view pixel of 80 degrees / 64
    view = view_of_panorama(dot_panorama(azimuth + 0.35, -0.35), 64, 80.0, 0.0, azimuth)
    down, right = brightest(view)
    assert abs(down) < 1 and abs(right) < 1


@pytest.mark.parametrize(("azimuth", "pitch"), [(0, 0.0), (0, 10.0), (180, 10.0), (300, -30.0)])
@pytest.mark.parametrize(("east", "north"), [(20.0, 0.0), (-30.0, 0.0), (0.0, 25.0), (15.0, -20.0)])
def test_a_dot_lands_where_a_pinhole_camera_sees_it(azimuth, pitch, east, north):
    longitude, latitude = azimuth + east, np.clip(north + pitch, -80, 80)
    size, fov = 128, 80.0
    height = 512
    view = view_of_panorama(dot_panorama(longitude, latitude, height), size, fov, pitch, azimuth)

    # the middle of the pixel that holds the dot, as a direction: x right, y up, z forward at azimuth 0
    longitude = (math.floor((longitude / 360 + 0.5) * 2 * height) + 0.5) / (2 * height) * 360 - 180
    latitude = 90 - (int((0.5 - latitude / 180) * height) + 0.5) / height * 180
    turn, rise = math.radians(longitude - azimuth), math.radians(latitude)
    x, y, z = math.sin(turn) * math.cos(rise), math.sin(rise), math.cos(turn) * math.cos(rise)
    tilt = math.radians(pitch)
    forward = y * math.sin(tilt) + z * math.cos(tilt)
    up = y * math.cos(tilt) - z * math.sin(tilt)
    focal = size / 2 / math.tan(math.radians(fov) / 2)
    down, right = brightest(view)
    assert right == pytest.approx(focal * x / forward, abs=0.75)
    assert down == pytest.approx(-focal * up / forward, abs=0.75)


def test_the_seam_of_the_panorama_is_not_seen():
    longitude = (np.arange(512) + 0.5) / 512 * 2 * np.pi
    panorama = np.broadcast_to(2 + np.cos(longitude)[None, :, None], (256, 512, 3)).astype(np.float32)
    panorama = np.ascontiguousarray(panorama)
    view = view_of_panorama(panorama, 128, 80.0, 0.0, 180)  # looks at the seam
    assert view[64] == pytest.approx(view[64, ::-1], abs=1e-5)  # the cosine is even about it
    assert np.abs(np.diff(view[64, :, 0])).max() < 0.02


@pytest.mark.parametrize(("height", "size"), [(32, 16), (64, 16), (100, 30), (256, 16), (250, 100), (16, 64)])
@pytest.mark.parametrize("pitch", [0.0, 10.0, 90.0, -90.0])
def test_a_constant_panorama_gives_a_constant_view(height, size, pitch):
    panorama = np.full((height, 2 * height, 3), 3.25, dtype=np.float32)
    assert view_of_panorama(panorama, size, 80.0, pitch, 60) == pytest.approx(3.25)


def test_fine_detail_is_averaged_and_not_aliased():
    # single pixels of 0 and 2: a view that took one sample a pixel would flicker between the two
    row, column = np.mgrid[0:512, 0:1024]
    panorama = np.repeat(((row + column) % 2 * 2.0)[..., None], 3, axis=2).astype(np.float32)
    view = view_of_panorama(panorama, 32, 80.0, 0.0, 0)
    assert view.mean() == pytest.approx(1, abs=0.01)
    assert np.abs(view - 1).max() < 0.15


def test_a_smaller_view_keeps_the_mean_of_a_larger_one(scene_radiance):
    panorama = scene_radiance(1, 256, 512)
    large = view_of_panorama(panorama, 128, 80.0, 10.0, 60)
    small = view_of_panorama(panorama, 32, 80.0, 10.0, 60)
    block = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert small.mean() == pytest.approx(large.mean(), rel=0.02)
    # sampling differs at the edges of the panorama's pixels only
    assert np.median(np.abs(small - block) / block) < 0.1


@given(st.integers(0, 2**32), st.integers(-8, 8))
def test_a_view_has_a_mean_of_one_half_whatever_its_scale(seed, stops):
    linear = (np.random.default_rng(seed).random((16, 16, 3)) * 2.0**stops).astype(np.float32)
    view, factor, clipped = normalise_view(linear)
    # half floats round by 2^-11 at most, relative; the errors of the mean partly cancel
    assert view.astype(np.float64).mean() == pytest.approx(0.5, rel=2**-11)
    assert factor == pytest.approx(0.5 / linear.mean(dtype=np.float64))
    assert clipped == 0


def test_light_above_the_largest_half_float_is_clipped_and_counted():
    linear = np.full((512, 512, 3), 1e-6, dtype=np.float32)
    linear[0, 0] = 1.0  # its share of the mean makes it 0.5 * 512 * 512 = 131,072, except for the rest's 21 %
    view, _, clipped = normalise_view(linear)
    assert view[0, 0].tolist() == [65504] * 3
    assert clipped == 1 / 512**2


def test_a_few_pixels_that_have_nearly_all_the_light_are_seen():
    linear = np.random.default_rng(0).uniform(0.1, 1, (64, 64, 3)).astype(np.float32)
    # 99 % are below 0.99, 230 levels where the mean is 0.55; a pixel of s makes that s / 4096: 255 * 2028 / 1e5 = 5.2
    for sun, levels, dark in ((1, 230, False), (1e5, 6, False), (2e5, 3, True), (1e9, 1, True)):
        linear[20, 30] = sun
        assert levels_of_most(linear) == pytest.approx(levels, abs=1)
        assert is_dark_but_for_few(normalise_view(linear)[0]) == dark


def test_negative_zero_becomes_zero():
    linear = np.ones((16, 16, 3), dtype=np.float32)
    linear[0, 0] = -0.0
    view, _, _ = normalise_view(linear)
    assert not np.signbit(view).any()


def test_black_and_immeasurable_views_are_refused():
    with pytest.raises(ValueError, match="black"):
        normalise_view(np.zeros((16, 16, 3), np.float32))
    with pytest.raises(ValueError, match="beyond the largest float"):
        normalise_view(np.full((16, 16, 3), np.inf, np.float32))


def test_stops_are_of_the_luminances_above_zero():
    radiance = np.zeros((10, 100, 3), dtype=np.float32)
    radiance[:, :50] = 1
    radiance[:, 50:90] = 1024
    assert stops_of(radiance) == pytest.approx(10, abs=1e-3)  # 1 to 1024
    assert stops_of(np.zeros((4, 4, 3), np.float32)) == 0


def test_a_panorama_is_twice_as_wide_as_high_give_or_take_a_pixel():
    assert all(is_panorama(*size) for size in ((64, 128), (64, 129), (64, 127), (63, 128), (65, 128)))
    assert not is_panorama(64, 125) and not is_panorama(64, 131) and not is_panorama(64, 64)


def test_a_panorama_of_a_pixel_more_shows_what_one_of_2_to_1_shows(scene_radiance):
    whole = scene_radiance(1, 256, 512)
    wider = np.concatenate([whole, whole[:, -1:]], axis=1)
    views = [views_of_panorama(panorama, 32, 80.0, 10.0, [0, 120]) for panorama in (whole, wider)]
    assert np.median(np.abs(views[1] / views[0] - 1)) < 0.02


def test_crops_are_spread_along_the_long_side():
    photo = np.broadcast_to(np.arange(40, dtype=np.float32)[None, :, None], (16, 40, 3))
    assert [crop_of_photo(photo, 16, index, 3)[0, 0, 0] for index in range(3)] == [0, 12, 24]
    assert crop_of_photo(photo, 16, 0, 1)[0, 0, 0] == 12
    upright = np.ascontiguousarray(photo.transpose(1, 0, 2))
    assert [crop_of_photo(upright, 16, index, 2)[0, 0, 0] for index in range(2)] == [0, 24]


@pytest.mark.parametrize("size", [8, 16, 20, 64])
def test_a_crop_keeps_a_constant(size):
    assert crop_of_photo(np.full((32, 48, 3), 2.5, np.float32), size, 0, 1) == pytest.approx(2.5)


def test_a_crop_that_shrinks_averages_the_area():
    photo = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    expected = photo.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert crop_of_photo(photo, 16, 0, 1) == pytest.approx(expected, abs=1e-6)


def test_a_view_that_magnifies_too_much_is_refused_or_made_smaller(ingest_config):
    # 227 pixels lie across 80 degrees of a panorama 1,024 wide
    source = 1024 * 80 / 360
    assert fit_size(source, ingest_config(view_size=256)) == 256
    assert fit_size(source, ingest_config(view_size=341)) == 341  # 1.499 times
    with pytest.raises(
        ValueError, match=r"512 pixels would magnify its 228 source pixels 2\.25 times; expected at most"
    ):
        fit_size(source, ingest_config(view_size=512))
    smaller = fit_size(source, ingest_config(view_size=512, on_magnified="shrink"))
    assert smaller == 336  # 341 or less, a multiple of 16
    with pytest.raises(ValueError, match="only 10 source pixels"):
        fit_size(10.0, ingest_config(view_size=512, on_magnified="shrink"))


def scene(kind: str = "auto") -> Scene:
    return Scene("court-0", "court.exr", "0" * 64, 1, "court", "train", kind, "CC0", 1.0)


def test_a_panorama_gives_a_view_an_azimuth_and_a_photo_its_crops(scene_radiance, ingest_config):
    panorama = views_of_scene(scene_radiance(0), NO_REPAIRS, scene(), ingest_config())
    assert [view.key for view, _ in panorama] == [f"court-0_80_10_{azimuth:03d}" for azimuth in range(0, 360, 60)]
    photo = views_of_scene(scene_radiance(0), NO_REPAIRS, scene("photo"), ingest_config(photo_crops=2))
    assert [view.key for view, _ in photo] == ["court-0_crop_0", "court-0_crop_1"]
    square = views_of_scene(scene_radiance(0, 64, 64), NO_REPAIRS, scene(), ingest_config(photo_crops=3))
    assert [(view.kind, view.key) for view, _ in square] == [("photo", "court-0_crop_0")]


def test_a_panorama_of_another_shape_is_refused(scene_radiance, ingest_config):
    with pytest.raises(ValueError, match="96x64 pixels; a panorama is twice as wide as high"):
        views_of_scene(scene_radiance(0, 64, 96), NO_REPAIRS, scene("pano"), ingest_config())


def test_a_black_view_of_a_lit_scene_is_named(ingest_config):
    panorama = np.zeros((128, 256, 3), dtype=np.float32)
    panorama[60:70, 120:136] = 1  # azimuth 0
    with pytest.raises(ValueError, match="view court-0_80_10_060: the view is black"):
        views_of_scene(panorama, NO_REPAIRS, scene(), ingest_config())


@pytest.mark.parametrize("azimuths", [(), (0, 0), (360,), (-60,)])
def test_azimuths_are_different_angles_of_one_turn(ingest_config, azimuths):
    with pytest.raises(ValueError, match=r"ingest\.azimuths_degrees"):
        ingest_config(azimuths_degrees=azimuths)


def test_views_on_disk_are_those_of_the_catalog(dataset):
    views = read_views(dataset.views)
    assert len(views) == 3 * 6 + 1
    with (dataset.views / "catalog.csv").open(newline="") as file:
        catalog = {row["key"]: row for row in csv.DictReader(file)}
    assert sorted(catalog) == [view.key for view in views]
    for view in views:
        half = read_view(dataset.views / f"{view.key}.exr")
        assert half.shape == (view.size, view.size, 3)
        assert half.astype(np.float64).mean() == pytest.approx(0.5, rel=2**-11)
        assert catalog[view.key]["sha256"] == sha256_of(dataset.views / f"{view.key}.exr")
        assert catalog[view.key]["part"] == view.part


def bad_scenes(folder, scene_radiance) -> list[str]:
    """Good scenes and, by their names, bad ones."""
    for number in range(2):
        write_exr(folder / f"good{number}.exr", scene_radiance(number))
    write_exr(folder / "black.exr", np.zeros((64, 128, 3), np.float32))
    write_exr(folder / "small.exr", scene_radiance(5, 16, 32))
    (folder / "text.exr").write_text("no picture")
    (folder / "empty.hdr").write_bytes(b"")
    return ["black", "empty", "small", "text"]


def test_a_bad_scene_stops_ingest_by_name_and_leaves_no_index(tmp_path, scene_radiance, ingest_config):
    folder, views = tmp_path / "scenes", tmp_path / "views"
    folder.mkdir()
    bad = bad_scenes(folder, scene_radiance)
    scenes = scan_scenes(folder, sidecar=None, seed=0, val_share=0.0, test_share=0.0).scenes
    with pytest.raises(ValueError, match=r"(black|small|text|empty)\.") as error:
        ingest_scenes(scenes, folder, views, ingest_config())
    assert "\n" not in str(error.value)
    assert not (views / "index.json").exists()

    skipped = ingest_scenes(scenes, folder, views, ingest_config(on_error="skip"))
    assert [refusal.name.split("-")[0] for refusal in skipped.refused] == bad
    assert all(refusal.name.split("-")[0] in refusal.reason for refusal in skipped.refused)
    assert skipped.summary().endswith("4 refused")
    assert {view.scene.split("-")[0] for view in read_views(views)} == {"good0", "good1"}
    again = ingest_scenes(scenes, folder, views, ingest_config(on_error="skip"))
    assert again.summary() == "nothing has changed: 2 kept, 4 refused"

    with pytest.raises(ValueError, match=r"all 4 were refused; the first: .*black"):
        ingest_scenes(
            tuple(scene for scene in scenes if not scene.key.startswith("good")),
            folder,
            tmp_path / "none",
            ingest_config(on_error="skip"),
        )


def test_a_scene_that_is_no_longer_the_scanned_one_is_named(tmp_path, scene_radiance, ingest_config):
    for name in ("quay", "lane"):
        write_exr(tmp_path / "scenes" / f"{name}.exr", scene_radiance(ord(name[0]), 32, 48))
    scan = scan_scenes(tmp_path / "scenes", sidecar=None, seed=0, val_share=0.0, test_share=0.0)
    arguments = scan.scenes, tmp_path / "scenes", tmp_path / "views"
    quay = tmp_path / "scenes" / "quay.exr"
    content = quay.read_bytes()
    quay.write_bytes(content + b"x")
    with pytest.raises(ValueError, match=r"quay\.exr: its content has changed since the scan"):
        ingest_scenes(*arguments, ingest_config(workers=1))
    skipped = ingest_scenes(*arguments, ingest_config(workers=1, on_error="skip"))
    assert [refusal.reason.split(":")[0] for refusal in skipped.refused] == [str(quay)]
    assert len(skipped.rows) == 1
    quay.unlink()  # which is no bad scene: nothing is left out for it
    with pytest.raises(FileNotFoundError, match=r"quay\.exr: no such file; it was there when the folder was scanned"):
        ingest_scenes(*arguments, ingest_config(workers=1, on_error="skip"))
    quay.write_bytes(content)  # a refused scene that is whole again is made
    assert len(ingest_scenes(*arguments, ingest_config(workers=1, on_error="skip")).rows) == 2


@pytest.mark.parametrize(
    ("name", "kind", "size", "digests"),
    [
        ("forest", "pano", 100, {"forest-0_80_10_000": "a6e9c79730f43ab5", "forest-0_80_10_120": "8437b76959dee6ba"}),
        ("forest", "pano", 32, {"forest-0_80_10_000": "17795b2d9cd8536c", "forest-0_80_10_120": "aacdf91974b0cc57"}),
        ("forest", "photo", 100, {"forest-0_crop_0": "6a0488c896f449cf"}),
        ("colonnade", "pano", 32, {"colonnade-0_80_10_000": "01b9d14c42433666"}),
    ],
)
def test_views_have_the_pixels_of_views_1(ingest_config, name, kind, size, digests):
    # pixels_sha256 by the code of commit ce8cf3a, which held the whole panorama as float32 and reduced it once a view
    radiance, repairs = check_radiance(SCENES / f"{name}.exr", 1.0)
    this = Scene(f"{name}-0", "", "0" * 64, 1, name, "train", kind, "", 1.0)
    config = ingest_config(view_size=size, photo_crops=2, max_magnification=8)
    views = {view.key: view.pixels_sha256 for view, _ in views_of_scene(radiance, repairs, this, config)}
    assert {key: views[key][:16] for key in digests} == digests


@pytest.mark.parametrize("size", [128, 57, 40, 28, 19, 8])  # the panorama reduced by 1, 2, 2, 4, 5 and 14
def test_half_floats_give_the_views_of_float32(scene_radiance, size):
    half = scene_radiance(2, 256, 512).clip(0, 6e4).astype(np.float16)
    views = [views_of_panorama(panorama, size, 80.0, 10.0, [0, 200]) for panorama in (half, half.astype(np.float32))]
    assert np.array_equal(*views)


KEYS = st.from_regex(r"[a-z0-9_-]{1,40}-[0-9a-f]{8}", fullmatch=True)  # of scenes


@given(KEYS, st.floats(0, 170, exclude_min=True, exclude_max=True), st.floats(-90, 90), st.integers(0, 359))
def test_the_key_of_a_view_tells_its_scene_and_kind(scene, fov, pitch, azimuth):
    assert parse_view_key(panorama_key(scene, fov, pitch, azimuth)) == ViewName(scene, "pano")
    assert parse_view_key(crop_key(scene, azimuth)) == ViewName(scene, "photo")


def test_a_key_of_another_program_is_of_no_known_kind():
    assert parse_view_key("hdr_007_60") == ViewName("hdr_007_60", "unknown")

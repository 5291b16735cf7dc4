"""Cubes, pixels that are not square, and what makes a panorama."""

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
import tifffile

from hdrdata.files.hdr.stated import Override
from hdrdata.files.radiance import check_radiance, read_light, read_radiance
from hdrdata.scenes.scene import Scene
from hdrdata.views.ingest import views_of_scene

FACES = {  # of OpenEXR's File Layout document: from the place on a face, -1 to 1, to a direction; +X, -X, +Y ...
    0: lambda s, t: (1, -t, s), 1: lambda s, t: (-1, -t, -s), 2: lambda s, t: (s, 1, -t),
    3: lambda s, t: (s, -1, t), 4: lambda s, t: (-s, -t, 1), 5: lambda s, t: (s, -t, -1),
}  # fmt: skip
SLOPE = np.array([[1.0, 0.2, 0.1], [0.3, -0.9, 0.4], [-0.5, 0.6, 0.8]])  # of three channels along x, y and z


def write_exr(path, pixels, **header):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    with OpenEXR.File(header, {"RGB": pixels.astype(np.float32)}) as file:
        file.write(str(path))


def cube(size: int) -> np.ndarray:
    """Six faces of light that rises evenly along directions; each face's outer pixels lie on its edges."""
    made = np.empty((6 * size, size, 3), np.float32)
    for face, direction in FACES.items():
        for row in range(size):
            for column in range(size):
                d = np.array(direction(*(2 * np.array([column, row]) / (size - 1) - 1)), float)
                made[face * size + row, column] = 3 + SLOPE @ (d / np.linalg.norm(d))
    return made


def test_an_environment_cube_becomes_a_panorama(tmp_path):
    write_exr(tmp_path / "a.exr", cube(32), envmap=OpenEXR.ENVMAP_CUBE)
    made = read_radiance(tmp_path / "a.exr")
    assert made.shape == (64, 128, 3)
    row, column = np.mgrid[0:64, 0:128]
    latitude, longitude = np.pi * (0.5 - (row + 0.5) / 64), np.pi * (1 - 2 * (column + 0.5) / 128)
    d = [np.sin(longitude) * np.cos(latitude), np.sin(latitude), np.cos(longitude) * np.cos(latitude)]
    assert made == pytest.approx(3 + np.stack(d, axis=2) @ SLOPE.T, abs=2e-3)
    write_exr(tmp_path / "b.exr", np.ones((190, 32, 3)), envmap=OpenEXR.ENVMAP_CUBE)
    with pytest.raises(ValueError, match=r"b\.exr: an environment cube of 32x190 pixels; expected six squares"):
        read_radiance(tmp_path / "b.exr")


NET = {  # from the place on a face seen from inside, right s and down t, to (right, up, front): a cube folded together
    "front": lambda s, t: (s, -t, 1), "right": lambda s, t: (1, -t, -s), "left": lambda s, t: (-1, -t, s),
    "back": lambda s, t: (-s, -t, -1), "top": lambda s, t: (s, 1, t), "bottom": lambda s, t: (s, -1, -t),
    "kcab": lambda s, t: (s, t, -1),  # upside down, its upper edge at the lower one of the bottom
}  # fmt: skip
CROSSES = {
    "4x3": [[None, "top", None, None], ["left", "front", "right", "back"], [None, "bottom", None, None]],
    "4x3 with the top above the third": [
        [None, None, "top", None], ["back", "left", "front", "right"], [None, None, "bottom", None]],
    "3x4": [[None, "top", None], ["left", "front", "right"], [None, "bottom", None], [None, "kcab", None]],
}  # fmt: skip


def light_of(direction) -> np.ndarray:
    d = np.broadcast_arrays(*direction)
    return 3 + np.stack(d / np.sqrt(sum(part**2.0 for part in d)), axis=-1) @ SLOPE.T


def expected_panorama(wide: int) -> np.ndarray:
    """Light of the same directions: the centre looks to the front, the right half to the right."""
    row, column = np.mgrid[: wide // 2, :wide]
    latitude, longitude = np.pi * (0.5 - (row + 0.5) / (wide // 2)), np.pi * (2 * (column + 0.5) / wide - 1)
    return light_of((np.sin(longitude) * np.cos(latitude), np.sin(latitude), np.cos(longitude) * np.cos(latitude)))


@pytest.mark.parametrize("name", CROSSES)
def test_a_cube_cross_becomes_a_panorama(tmp_path, name):
    s, t = np.meshgrid(*[(2 * np.arange(32) + 1) / 32 - 1] * 2)  # the middles of pixels that tile a face
    black = np.zeros((32, 32, 3))
    cells = [[light_of(NET[face](s, t)) if face else black for face in line] for line in CROSSES[name]]
    write_exr(tmp_path / "a.exr", np.concatenate([np.concatenate(line, axis=1) for line in cells]))
    made, repairs = read_light(tmp_path / "a.exr", Override(layout="cube_cross"))
    assert np.allclose(made, expected_panorama(128), rtol=0, atol=0.03)  # at edges a face ends half a pixel early
    assert np.abs(made - expected_panorama(128)).mean() < 2e-3
    assert repairs.stated.panorama and repairs.stated.converted == ("layout cube_cross, as stated",)


def test_an_angular_map_becomes_a_panorama(tmp_path):
    a, b = np.meshgrid((2 * np.arange(256) + 1) / 256 - 1, 1 - (2 * np.arange(256) + 1) / 256)
    phi, theta = np.pi * np.hypot(a, b), np.arctan2(b, a)  # Debevec: (0, 0, 1) turned by phi, then by theta
    probe = light_of((np.sin(phi) * np.cos(theta), np.sin(phi) * np.sin(theta), np.cos(phi)))
    probe[phi > np.pi] = 0
    write_exr(tmp_path / "a.exr", probe)
    made = read_radiance(tmp_path / "a.exr", layout="angular_map")
    error = np.abs(made - expected_panorama(256))
    assert made.shape == (128, 256, 3) and error.mean() < 2e-3 and error.max() < 0.05  # the rim is where all is behind
    tifffile.imwrite(tmp_path / "a.tif", (probe * 10000).astype(np.uint16), photometric="rgb")
    integers = read_radiance(tmp_path / "a.tif", layout="angular_map")
    assert np.allclose(integers, made * 10000 / 65535, rtol=0, atol=2e-5)


@pytest.mark.parametrize("size, layout, reason", [
    ((64, 100), "cube_cross", "a cube cross of 100x64 pixels; expected 4x3 or 3x4 squares"),
    ((4, 3), "cube_cross", "expected 4x3 or 3x4 squares"),
    ((64, 65), "angular_map", "of 65x64 pixels; expected a square"),
    ((64, 64), "mirror_ball", "layout 'mirror_ball'; expected one of cube_cross, angular_map"),
])  # fmt: skip
def test_a_layout_that_does_not_fit_is_refused_by_name(tmp_path, size, layout, reason):
    write_exr(tmp_path / "a.exr", np.ones((*size, 3)))
    with pytest.raises(ValueError, match=rf"a\.exr: .*{reason}"):
        read_radiance(tmp_path / "a.exr", layout=layout)


def scene(kind: str) -> Scene:
    return Scene("court-0", "court.exr", "0" * 64, 1, "court", "train", kind, "CC0", 1.0)


@pytest.mark.parametrize("size, header, kind, made", [
    ((6 * 32, 32), {"envmap": OpenEXR.ENVMAP_CUBE}, "auto", "pano"),
    ((64, 100), {"envmap": OpenEXR.ENVMAP_LATLONG}, "auto", "pano"),  # the whole sphere, whatever its shape
    ((64, 100), {"envmap": OpenEXR.ENVMAP_LATLONG}, "photo", "photo"),
    ((64, 128), {}, "auto", "pano"), ((64, 129), {}, "auto", "pano"), ((64, 127), {}, "pano", "pano"),
    ((65, 128), {}, "auto", "pano"), ((63, 128), {}, "auto", "pano"), ((64, 125), {}, "auto", "photo"),
    ((64, 64), {"pixelAspectRatio": 2.0}, "auto", "pano"), ((64, 128), {"pixelAspectRatio": 0.5}, "auto", "photo"),
])  # fmt: skip
def test_what_is_a_panorama(tmp_path, scene_radiance, ingest_config, size, header, kind, made):
    write_exr(tmp_path / "a.exr", scene_radiance(0, *size), **header)
    radiance, repairs = check_radiance(tmp_path / "a.exr", 0.0)
    views = views_of_scene(radiance, repairs, scene(kind), ingest_config(view_size=16))
    assert {view.kind for view, _ in views} == {made}


@pytest.mark.parametrize("ratio", [0.5, 2.0, 4 / 3])
def test_oblong_pixels_become_square_and_keep_their_light(tmp_path, ratio):
    pixels = np.repeat(np.linspace(1, 3, 60)[None, :, None], 20, axis=0) * np.array([1, 2, 3])
    write_exr(tmp_path / "a.exr", pixels, pixelAspectRatio=ratio)
    made = read_radiance(tmp_path / "a.exr")
    assert made.shape == (20, round(60 * ratio), 3)
    place = (np.arange(made.shape[1]) + 0.5) / ratio - 0.5  # where each pixel's middle lay; the light rises evenly
    wanted = np.interp(place, np.arange(60), np.linspace(1, 3, 60))
    assert made[3, 1:-1, 1] == pytest.approx(2 * wanted[1:-1], rel=1e-4)
    assert check_radiance(tmp_path / "a.exr", 0.0)[1].stated.converted == (f"pixelAspectRatio {ratio:g}",)


def test_radiance_s_pixel_aspect_is_height_to_width(tmp_path):
    rgbe = np.tile(np.uint8([[80, 90, 100, 129], [10, 20, 30, 129]]), (3, 1)).tobytes()
    head = b"#?RADIANCE\nPIXASPECT=2\nFORMAT=32-bit_rle_rgbe\nPIXASPECT= 0.25\n\n-Y 2 +X 3\n"
    (tmp_path / "a.hdr").write_bytes(head + rgbe)
    assert read_radiance(tmp_path / "a.hdr").shape == (2, 6, 3)


def test_pixels_stretched_beyond_any_lens_are_refused(tmp_path):
    write_exr(tmp_path / "a.exr", np.ones((4, 4, 3)), pixelAspectRatio=20.0)
    with pytest.raises(ValueError, match=r"a\.exr: pixels 20 times as wide as high; expected 1/8 to 8 times"):
        read_radiance(tmp_path / "a.exr")


@pytest.mark.parametrize("head, order, scale", [
    ("PF\n5 3\n-1.0\n", "<", 1), ("PF 5 3 -1.000000e+00\n", "<", 1), ("PF 5 3 -1.0 ", "<", 1),
    ("PF\r\n5 3\r\n1\r\n", ">", 1),
    ("PF\n# a\n5 # b\n3\n# c\n-1e0\n", "<", 1), ("PF\n5 3\n-1 # d\n", "<", 1), ("PF\n5 3\n2.5E-1\n", ">", 0.25),
    ("PF\n5\n3\n-.5\n", "<", 0.5),
])  # fmt: skip
def test_a_pfm_header_of_any_form_is_read_and_its_scale_multiplies(tmp_path, head, order, scale):
    light = np.random.default_rng(0).uniform(0.1, 9, (3, 5, 3)).astype(np.float32)
    light[2, 0, 0] = np.frombuffer(b" #\n?", f"{order}f4")[0]  # the first value could be the header's end
    (tmp_path / "a.pfm").write_bytes(head.encode() + light[::-1].astype(f"{order}f4").tobytes())
    assert np.array_equal(read_radiance(tmp_path / "a.pfm"), light * np.float32(scale))


def test_a_pfm_is_scaled_as_openimageio_scales_it(tmp_path):
    light = np.random.default_rng(0).uniform(0.1, 9, (3, 5)).astype("<f4")
    (tmp_path / "a.pfm").write_bytes(b"Pf\n5 3\n-4\n" + light.tobytes())
    theirs = oiio.ImageBuf(str(tmp_path / "a.pfm")).get_pixels().reshape(3, 5)
    assert np.array_equal(read_radiance(tmp_path / "a.pfm")[:, :, 1], light[::-1] * 4)
    assert sorted(theirs.ravel()) == sorted((light * 4).ravel())  # its rows are those of the file, from the bottom


@pytest.mark.parametrize("head, reason", [
    ("PF\n5 3\n0\n", "scale 0; expected 1 or -1"),
    ("PF\n5 3\nwide\n", "expected PF or Pf, a width, a height and a scale"),
    ("PF\n5 4\n-1\n", "cut short: 190 bytes, expected 250"),
])  # fmt: skip
def test_a_pfm_that_is_none_is_refused(tmp_path, head, reason):
    (tmp_path / "a.pfm").write_bytes(head.encode() + np.ones((3, 5, 3), "<f4").tobytes())
    with pytest.raises(ValueError, match=rf"a\.pfm: .*{reason}"):
        read_radiance(tmp_path / "a.pfm")


def test_a_crop_of_a_canvas_is_put_in_its_place(tmp_path):
    piece = np.random.default_rng(0).uniform(0.1, 9, (12, 24, 3)).astype(np.float32)
    place = [(286, 5, 1, (8, 150), True), (287, 5, 1, (4, 150), True)]  # in inches of 150 pixels, as nona writes them
    canvas = [(33300, 4, 1, 64, True), (33301, 4, 1, 32, True)]
    tifffile.imwrite(tmp_path / "a.tif", piece, photometric="rgb", resolution=(150, 150), resolutionunit=2,
                     extratags=[*place, *canvas])  # fmt: skip
    light, repairs = read_light(tmp_path / "a.tif")
    assert light.shape == (32, 64, 3) and np.array_equal(light[4:16, 8:32], piece)
    assert light.sum(dtype=float) == pytest.approx(piece.sum(dtype=float))
    assert repairs.stated.converted == ("24x12 at 8, 4 of a canvas",)
    tifffile.imwrite(tmp_path / "b.tif", piece, photometric="rgb", resolution=(150, 150), resolutionunit=2,
                     extratags=place)  # fmt: skip
    light, repairs = read_light(tmp_path / "b.tif")
    assert np.array_equal(light, piece) and repairs.stated.panorama is False  # a part of it, though it is 2:1


XMP = '<rdf:Description GPano:ProjectionType="equirectangular" GPano:CroppedAreaLeftPixels="16" ' \
    'GPano:CroppedAreaTopPixels="8" GPano:CroppedAreaImageWidthPixels="48" GPano:CroppedAreaImageHeightPixels="24" ' \
    'GPano:FullPanoWidthPixels="128" GPano:FullPanoHeightPixels="64"/>'  # fmt: skip


@pytest.mark.parametrize("name", ["a.tif", "a.exr"])
def test_a_crop_of_a_sphere_by_gpano_is_put_in_its_place(tmp_path, name):
    piece = np.random.default_rng(0).uniform(0.1, 9, (12, 24, 3)).astype(np.float32)  # half the size that it was
    if name == "a.tif":
        tifffile.imwrite(tmp_path / name, piece, photometric="rgb", extratags=[(700, 1, len(XMP), XMP.encode(), True)])
    else:
        with OpenEXR.File({"type": OpenEXR.scanlineimage, "xmp": XMP}, {"RGB": piece}) as file:
            file.write(str(tmp_path / name))
    light, repairs = read_light(tmp_path / name)
    assert light.shape == (32, 64, 3) and np.array_equal(light[4:16, 8:32], piece)
    assert repairs.stated.converted == ("GPano",) and repairs.stated.panorama

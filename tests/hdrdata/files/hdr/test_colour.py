"""Stored values to linear Rec.709: profiles, EXR's colorInteropID, TIFF's tags, and what a user states."""

import struct

import imagecodecs
import numpy as np
import OpenEXR
import pytest
import tifffile

from hdrdata.files.hdr.colour import ENCODINGS, GAMUTS, Colour, colour_of_id, matrix_of_gamut, srgb_to_light
from hdrdata.files.hdr.profile import colour_of_profile, continued
from hdrdata.files.hdr.stated import Override
from hdrdata.files.radiance import check_radiance, read_light, read_radiance

WHITE = [0.3127, 0.3290, 1]
REC709 = [0.64, 0.33, 1, 0.30, 0.60, 1, 0.15, 0.06, 1]
P3 = [0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1]
PROFILES = {
    "srgb": imagecodecs.cms_profile("srgb"),
    "adobe": imagecodecs.cms_profile("adobergb"),
    "p3": imagecodecs.cms_profile("rgb", whitepoint=WHITE, primaries=P3, gamma=2.2),
}


def ramp(most=7.13):
    """Encoded values up to what sRGB's curve takes to 99.9."""
    values = np.repeat(np.linspace(0.05, most, 12, dtype=np.float32).reshape(3, 4, 1), 3, axis=2)
    values[:, :, 1] *= 0.7
    return values


@pytest.mark.parametrize("name", PROFILES)
def test_a_float_tiff_by_a_profile_is_what_littlecms_makes_of_it_above_white_too(tmp_path, name):
    linear = imagecodecs.cms_profile("rgb", whitepoint=WHITE, primaries=REC709, gamma=1.0)
    expected = imagecodecs.cms_transform(ramp(), PROFILES[name], linear, colorspace="rgb", outcolorspace="rgb",
                                         intent=1, flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE)  # fmt: skip
    tifffile.imwrite(tmp_path / "a.tif", ramp(), photometric="rgb", iccprofile=PROFILES[name])
    assert read_radiance(tmp_path / "a.tif") == pytest.approx(expected, rel=2e-5)


def tag(kind: bytes, content: bytes) -> bytes:
    return kind + b"\0\0\0\0" + content


def grey_profile(curve: bytes) -> bytes:
    head = bytearray(132 + 12)
    head[16:20], head[128:132] = b"GRAY", struct.pack(">I", 1)
    head[132:144] = struct.pack(">4sII", b"kTRC", 144, len(curve))
    return bytes(head) + curve


@pytest.mark.parametrize("levels", [256, 1024, 4096])
@pytest.mark.parametrize("curve", [srgb_to_light, ENCODINGS["g22"], ENCODINGS["g18"]])
def test_a_curve_that_is_a_table_continues_as_the_power_it_ends_with(tmp_path, levels, curve):
    table = np.rint(65535 * curve(np.linspace(0, 1, levels))).astype(">u2")  # as HP's and Adobe's profiles hold it
    icc = grey_profile(tag(b"curv", struct.pack(">I", levels) + table.tobytes()))
    grey = np.linspace(0.1, 7.13, 12, dtype=np.float32).reshape(3, 4)
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="minisblack", iccprofile=icc)
    tolerance = 1e-4 if levels > 256 else 2e-3  # between the levels, a table is straight
    assert read_radiance(tmp_path / "a.tif")[:, :, 0] == pytest.approx(
        curve(grey.astype(float)), rel=tolerance, abs=1e-5
    )


def test_a_table_that_is_no_power_is_refused_above_white():
    curve = continued(np.interp(np.linspace(0, 1, 64), [0, 0.5, 0.8, 1], [0, 0.9, 0.91, 1]))
    assert curve(np.array([0.5])) == pytest.approx(0.9, abs=1e-2)
    with pytest.raises(ValueError, match="a table and not a power, and there are values above 1"):
        curve(np.array([0.5, 1.1]))


def test_a_profile_of_other_colours_or_damaged_is_refused_by_name():
    icc = bytearray(PROFILES["srgb"])
    icc[16:20] = b"Lab "
    with pytest.raises(ValueError, match=r"its colour profile \(sRGB built-in\) is of Lab; expected RGB"):
        colour_of_profile(bytes(icc))
    with pytest.raises(ValueError, match=r"its colour profile \(damaged\) has no primaries"):
        colour_of_profile(b"icc")


def write_exr(path, pixels, channels="RGB", **header):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    with OpenEXR.File(header, {channels: pixels}) as file:
        file.write(str(path))


AP1_TO_709 = [[1.7051, -0.6218, -0.0833], [-0.1302, 1.1408, -0.0106], [-0.0240, -0.1290, 1.1530]]  # ACES, Bradford
AP0_TO_709 = [[2.5217, -1.1341, -0.3876], [-0.2765, 1.3727, -0.0962], [-0.0154, -0.1530, 1.1684]]
BT2020_TO_709 = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]  # BT.2087


@pytest.mark.parametrize("name, matrix", [
    ("lin_ap1_scene", AP1_TO_709), ("lin_ap0_scene", AP0_TO_709), ("lin_rec2020_scene", BT2020_TO_709),
    ("lin_rec709_scene", np.eye(3)), ("unknown", np.eye(3)),
])  # fmt: skip
def test_an_exr_s_interop_id_takes_precedence_over_its_chromaticities(tmp_path, name, matrix):
    chromaticities = {} if name == "unknown" else {"chromaticities": GAMUTS["p3d65"]}
    write_exr(tmp_path / "a.exr", ramp(), colorInteropID=name, **chromaticities)
    expected = ramp().astype(float) @ np.array(matrix).T
    assert read_radiance(tmp_path / "a.exr") == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_encoded_interop_ids_are_decoded_or_refused_by_name(tmp_path):
    write_exr(tmp_path / "a.exr", ramp(), colorInteropID="srgb_rec709_scene")
    light, repairs = read_light(tmp_path / "a.exr")
    assert light == pytest.approx(((ramp() + 0.055) / 1.055) ** 2.4, rel=1e-5, abs=1e-5)  # its line meets its power
    assert repairs.stated.converted == ("colorInteropID srgb_rec709_scene",)
    for name in ("pq_rec2020_display", "hlg_rec2020_display", "data", "lin_gamma_scene", "my:space"):
        write_exr(tmp_path / "b.exr", ramp(), colorInteropID=name)
        with pytest.raises(ValueError, match=rf"b\.exr: colorInteropID {name}: not an encoding that is decoded here"):
            read_radiance(tmp_path / "b.exr")


def test_acescct_is_the_academy_s_formula():
    # S-2016-001: middle grey 0.18 is 0.4135884, 1.0 is 0.5547945, and 0 is 0.0729055
    codes = np.array([0.4135884, 0.5547945, 0.0729055341958355])
    assert ENCODINGS["acescct"](codes) == pytest.approx([0.18, 1.0, 0], rel=1e-5, abs=1e-7)
    assert colour_of_id("acescct_ap1_scene").matrix == pytest.approx(matrix_of_gamut("ap1"))


def test_what_a_user_states_takes_precedence(tmp_path):
    write_exr(tmp_path / "a.exr", ramp(), chromaticities=GAMUTS["p3d65"], colorInteropID="pq_rec2020_display")
    expected = srgb_to_light(ramp().astype(float)) @ matrix_of_gamut("rec2020").T
    with pytest.raises(ValueError, match="colorInteropID pq_rec2020_display"):
        read_radiance(tmp_path / "a.exr", encoding="srgb")
    assert read_radiance(tmp_path / "a.exr", colour="rec2020", encoding="srgb") == pytest.approx(expected, rel=1e-5)
    for name in ("a.pfm", "a.hdr"):
        with pytest.raises(ValueError, match="no such file"):
            read_radiance(tmp_path / name, encoding="srgb")
    with pytest.raises(ValueError, match=r"a\.exr: colour 'p3' is unknown; expected one of rec709, p3d65, rec2020"):
        read_radiance(tmp_path / "a.exr", colour="p3", encoding="lin")
    linear = Colour.stated(lambda: colour_of_id("srgb_ap0_scene"), Override(colour="rec709", encoding="lin"))
    assert np.array_equal(linear.to_rec709(ramp()), ramp())


def test_an_exr_with_eight_zeros_for_chromaticities_states_none(tmp_path):
    write_exr(tmp_path / "a.exr", ramp(), chromaticities=(0.0,) * 8)
    assert np.array_equal(read_radiance(tmp_path / "a.exr"), ramp())


def rationals(*numbers: float) -> tuple[int, ...]:
    return tuple(part for number in numbers for part in (round(number * 10000), 10000))


def test_a_tiff_s_primaries_and_white_point_are_converted(tmp_path):
    primaries = (319, 5, 6, rationals(0.708, 0.292, 0.170, 0.797, 0.131, 0.046), True)
    white = (318, 5, 2, rationals(0.3127, 0.3290), True)
    tifffile.imwrite(tmp_path / "a.tif", ramp(), photometric="rgb", extratags=[primaries, white])
    expected = ramp().astype(float) @ np.array(BT2020_TO_709).T
    light, repairs = read_light(tmp_path / "a.tif")
    assert light == pytest.approx(np.maximum(expected, 0), rel=2e-3, abs=2e-3)
    assert repairs.stated.converted == ("PrimaryChromaticities",)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_s_transfer_function_is_a_table_of_light(tmp_path, channels):
    table = np.rint((np.arange(65536) / 65535) ** 2.2 * 65535).astype(np.uint16)
    extra = (301, 3, 65536 * channels, tuple(np.tile(table, channels).tolist()), True)
    pixels = np.random.default_rng(0).integers(0, 65536, (8, 9, 3)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=[extra])
    assert read_radiance(tmp_path / "a.tif") == pytest.approx(table[pixels] / 65535, abs=1e-6)
    tifffile.imwrite(tmp_path / "b.tif", ramp(), photometric="rgb", extratags=[extra])
    with pytest.raises(ValueError, match=r"b\.tif: a TransferFunction of \d+ numbers with float32 values"):
        read_radiance(tmp_path / "b.tif")


@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
def test_transparent_pixels_have_no_light_and_are_counted(tmp_path, alpha):
    rgba = np.random.default_rng(0).uniform(0.1, 9, (8, 9, 4)).astype(np.float32)
    rgba[:2, :, 3] = 0
    expected = np.where(rgba[:, :, 3:] > 0, rgba[:, :, :3], 0)
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=[alpha])
    write_exr(tmp_path / "a.exr", rgba, "RGBA")
    for name in ("a.tif", "a.exr"):
        light, repairs = read_light(tmp_path / name)
        assert np.array_equal(light, expected) and repairs.stated.transparent == 18
        assert repairs.stated.converted == ("alpha",)
    rgba[:, :, 3] = 0
    write_exr(tmp_path / "b.exr", rgba, "RGBA")
    with pytest.raises(ValueError, match=r"b\.exr: every pixel is transparent \(alpha 0\); expected light"):
        check_radiance(tmp_path / "b.exr", 0.01)

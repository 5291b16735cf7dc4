"""Colours that a file states, against the formulas of their standards."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from test_photo import GAMMA, P3_TO_SRGB, corners, encode_srgb, p3_profile, png_bytes, png_with, save

from hdrdata.photos.photo import read_photo


def cicp(png: bytes, primaries: int, transfer: int, full: int = 1) -> bytes:
    return png_with(png, b"cICP", bytes([primaries, transfer, 0, full]))


def linear_srgb(codes):
    """IEC 61966-2-1, decoded, of codes [0, 1]."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


CHRM_SRGB = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
CHRM_ADOBE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
# Adobe RGB (1998) to BT.709, both of D65, through XYZ
ADOBE_TO_SRGB = np.array([[1.39835574, -0.39835574, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04292898, 1.04292898]])


def png_of_colours(dtype):
    codes = np.array([[200, 100, 50], [128, 128, 128], [90, 140, 200], [10, 30, 20]]) / 255 * np.iinfo(dtype).max
    ldr = np.repeat(np.round(codes).astype(dtype)[:, None], 8, axis=1)
    return ldr[:, 0] / np.iinfo(dtype).max, imagecodecs.png_encode(ldr)


def gama(png: bytes, value: int) -> bytes:
    return png_with(png, b"gAMA", struct.pack(">I", value))


ICC_P3 = b"p3\0\0" + zlib.compress(p3_profile())
STATED = {  # a PNG from a bare one, and the linear sRGB of codes by the specification
    "gAMA linear": (lambda png: gama(png, 100000), lambda v: v),
    "gAMA 0.55 of sRGB's primaries": (
        lambda png: gama(png_with(png, b"cHRM", CHRM_SRGB), 55000),
        lambda v: v ** (1 / 0.55),
    ),
    "gAMA and cHRM of Adobe RGB": (
        lambda png: gama(png_with(png, b"cHRM", CHRM_ADOBE), 45455),
        lambda v: v**2.19998 @ ADOBE_TO_SRGB.T,
    ),
    "cHRM alone": (lambda png: png_with(png, b"cHRM", CHRM_ADOBE), lambda v: linear_srgb(v) @ ADOBE_TO_SRGB.T),
    "cICP Display P3": (lambda png: cicp(png, 12, 13), lambda v: linear_srgb(v) @ P3_TO_SRGB.T),
    "cICP linear": (lambda png: cicp(png, 1, 8), lambda v: v),
    "cICP narrow": (lambda png: cicp(png, 1, 13, 0), None),
    "cICP sRGB over iCCP": (lambda png: png_with(cicp(png, 1, 13), b"iCCP", ICC_P3), linear_srgb),
    "cICP P3 over sRGB and gAMA": (
        lambda png: gama(png_with(cicp(png, 12, 13), b"sRGB", b"\0"), 100000),
        lambda v: linear_srgb(v) @ P3_TO_SRGB.T,
    ),
    "iCCP over gAMA": (lambda png: png_with(gama(png, 100000), b"iCCP", ICC_P3), lambda v: v**GAMMA @ P3_TO_SRGB.T),
    "sRGB over gAMA": (lambda png: png_with(gama(png, 100000), b"sRGB", b"\0"), linear_srgb),
    "gAMA as sRGB is written": (lambda png: gama(png, 45455), linear_srgb),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", STATED)
def test_the_colour_that_a_png_states_is_converted_in_the_order_of_the_third_edition(tmp_path, name, dtype):
    state, linear = STATED[name]
    codes, png = png_of_colours(dtype)
    (tmp_path / "a.png").write_bytes(state(png))
    if linear is None:  # H.273: 16 to 235 of 8 bits, 4096 to 60160 of 16
        scale = 1 if dtype == np.uint8 else 256
        expected = np.clip((codes * np.iinfo(dtype).max - 16 * scale) / (219 * scale), 0, 1)
        light = linear_srgb(expected)
    else:
        light = linear(codes)
        expected = encode_srgb(light)
    photo = read_photo(tmp_path / "a.png")
    assert photo.ldr.dtype == dtype and photo.to_bt709 is None
    assert np.abs(photo.ldr[:, 0] / np.iinfo(dtype).max - expected).max() <= (1.01 / 255 if dtype == np.uint8 else 1e-3)
    own = read_photo(tmp_path / "a.png", own_colours=True)  # nothing clipped, the same light
    kept = linear_srgb(own.ldr[:, 0] / np.iinfo(own.ldr.dtype).max)
    kept = kept if own.to_bt709 is None else kept @ own.to_bt709.T
    assert np.abs(kept - light).max() <= (0.012 if own.ldr.dtype == np.uint8 else 2e-3)


def test_colour_chunks_that_make_no_sense_are_left_out_and_said(tmp_path):
    path, png = tmp_path / "photo.png", png_bytes(corners())
    for content, note in {
        cicp(png, 3, 13): "its cICP is not used: colour primaries 3 of H.273, which are unknown",
        cicp(png, 1, 200): "its cICP is not used: transfer characteristics 200 of H.273, which are unknown",
        png_with(png, b"cICP", bytes([9, 13, 9, 1])): "its cICP is not used: matrix coefficients 9",
        png_with(png, b"cHRM", bytes(32)): "its cHRM is not used: primaries without a white",
        png_with(png, b"iCCP", b"x\0\0nothing"): "its colour profile is damaged and was left out",
    }.items():
        path.write_bytes(content)
        photo = read_photo(path)
        assert photo.notes[0].startswith(note)
        np.testing.assert_array_equal(photo.ldr, corners())


def pq_nits(codes):
    """The EOTF of SMPTE ST 2084."""
    power = codes ** (1 / 78.84375)
    return 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)


def test_an_hdr_picture_keeps_its_own_light_and_ends_at_white_for_display(tmp_path):
    codes = np.repeat(np.array([0.1, 0.4, 0.5807, 0.75, 1.0])[:, None, None], 3, axis=2).repeat(4, axis=1)
    path, png = tmp_path / "hdr.png", imagecodecs.png_encode(np.round(codes * 65535).astype(np.uint16))
    path.write_bytes(cicp(png, 9, 16))
    photo = read_photo(path)
    # grey is the same in all primaries; BT.2408: white, 203 cd/m2, is 58.07 % of PQ
    np.testing.assert_allclose(photo.light, pq_nits(codes) / 203, rtol=2e-3)
    np.testing.assert_allclose(photo.ldr / 65535, encode_srgb(pq_nits(codes) / 203), atol=1e-3)
    assert photo.notes == ("an HDR picture (BT.2020 PQ)",)
    path.write_bytes(cicp(png, 9, 18))
    light = read_photo(path).light[:, 0, 0]
    assert light[3] == pytest.approx(1, abs=0.01) and light[4] == pytest.approx(1000 / 203, rel=1e-3)  # BT.2408: 75 %


def test_a_profile_that_names_pq_makes_an_hdr_picture(tmp_path):
    icc = p3_profile()  # with its first tag made one of cicp at the end
    icc = icc[:132] + b"cicp" + struct.pack(">II", len(icc), 12) + icc[144:] + b"cicp" + bytes(4) + bytes([9, 16, 0, 1])
    photo = read_photo(save(tmp_path / "hdr.jpg", np.full((16, 16, 3), 148, np.uint8), icc_profile=icc))
    assert photo.light[3, 3] == pytest.approx(pq_nits(np.array(148 / 255)) / 203, rel=0.02)
    assert photo.notes == ("an HDR picture (by its profile)",)


def dcf(index: bytes | None, space: int | None) -> bytes:
    """EXIF, big-endian as cameras write it, with an interoperability index and a ColorSpace."""
    inner = ([(40961, 3, 1, struct.pack(">HH", space, 0))] if space is not None else []) + (
        [(40965, 4, 1, None)] if index else []
    )
    body = b"MM\0*\0\0\0\x08" + struct.pack(">HHHII I", 1, 34665, 4, 1, 26, 0)
    end = 26 + 2 + 12 * len(inner) + 4
    entries = b"".join(struct.pack(">HHI", *entry[:3]) + (entry[3] or struct.pack(">I", end)) for entry in inner)
    body += struct.pack(">H", len(inner)) + entries + bytes(4)
    if index:
        body += struct.pack(">HHHI4sI", 1, 1, 2, 4, index, 0)
    return b"Exif\0\0" + body


ADOBE = {"R03": (b"R03\0", 65535), "R03 alone": (b"R03\0", None), "ColorSpace 2": (None, 2), "both": (b"R03\0", 2)}
PLAIN = {"R98": (b"R98\0", 1), "sRGB": (None, 1), "uncalibrated": (None, 65535)}


@pytest.mark.parametrize("suffix", ["jpg", "webp", "png"])
@pytest.mark.parametrize("name", [*ADOBE, *PLAIN])
def test_adobe_rgb_by_dcf_is_converted_where_no_profile_stands(tmp_path, name, suffix):
    codes = np.array([[200, 100, 50], [128, 128, 128], [90, 140, 200], [60, 200, 90]])
    ldr = np.repeat(np.repeat(codes.astype(np.uint8)[:, None], 16, axis=1), 16, axis=0)
    options = {"webp": {"lossless": True}, "png": {}}.get(suffix, {"quality": 100, "subsampling": "4:4:4"})
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(ldr).save(path, exif=dcf(*{**ADOBE, **PLAIN}[name]), **options)
    expected = encode_srgb((codes / 255) ** (563 / 256) @ ADOBE_TO_SRGB.T) * 255 if name in ADOBE else codes
    photo = read_photo(path)
    assert np.abs(photo.ldr[8::16, 8] - expected).max() <= (1 if suffix in ("png", "webp") else 4)
    told = "converted from Adobe RGB (1998) to sRGB"
    assert (told in photo.notes) == (name in ADOBE)
    Image.fromarray(ldr).save(path, exif=dcf(b"R03\0", 2), icc_profile=imagecodecs.cms_profile("srgb"), **options)
    assert np.abs(read_photo(path).ldr[8::16, 8] - codes).max() <= 4  # a profile comes first


def test_a_picture_of_wide_gamut_keeps_its_own_values_where_its_curve_is_srgb_s(tmp_path):
    from hdrdata.photos.colours.encodings import P3_TO_BT709
    from hdrdata.photos.colours.made import rgb_profile

    icc = rgb_profile("Display P3", P3_TO_BT709)
    ldr = np.full((8, 8, 3), (235, 0, 0), np.uint8)
    path = save(tmp_path / "red.png", ldr, icc_profile=icc)
    own = read_photo(path, own_colours=True)
    np.testing.assert_array_equal(own.ldr, ldr)
    assert own.icc == icc and own.notes == ("Display P3 colours kept",)
    np.testing.assert_allclose(own.to_bt709, P3_TO_SRGB, atol=2e-3)
    np.testing.assert_array_equal(read_photo(path).ldr[0, 0], [255, 0, 0])  # clipped, as sRGB must


def test_a_gamma_of_its_own_becomes_srgb_s_curve_in_the_primaries_of_the_file(tmp_path):
    ldr = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    own = read_photo(save(tmp_path / "p3.png", ldr, icc_profile=p3_profile()), own_colours=True)
    assert own.ldr.dtype == np.uint16 and own.icc is None
    light = linear_srgb(own.ldr[0, 0] / 65535)
    np.testing.assert_allclose(light, (ldr[0, 0] / 255) ** GAMMA, rtol=2e-3)

"""HDR files of every kind, good and bad."""

import errno
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import PIL.Image
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from hdrdata.files.disk import digest_of, read_json, write_json, written_whole
from hdrdata.files.exr import read_view, write_exr
from hdrdata.files.ldr import decode_png, encode_png
from hdrdata.files.radiance import Repairs, check_radiance, read_radiance, repair_radiance


def write_channels(path: Path, channels: dict[str, np.ndarray]) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, dict(channels)) as file:  # it changes the dict
        file.write(str(path))


@pytest.fixture
def radiance(scene_radiance) -> np.ndarray:
    return scene_radiance(0, 64, 128)


@pytest.mark.parametrize("suffix", [".exr", ".pfm", ".tif", ".tiff"])
def test_float_formats_give_back_what_was_written(tmp_path, radiance, suffix):
    path = tmp_path / f"scene{suffix}"
    if suffix == ".exr":
        write_exr(path, radiance)
    elif suffix == ".pfm":
        cv2.imwrite(str(path), radiance[:, :, ::-1])
    else:
        tifffile.imwrite(path, radiance, photometric="rgb")
    assert (read_radiance(path) == radiance).all()


def test_radiance_hdr_keeps_eight_bits_of_mantissa(tmp_path, radiance):
    cv2.imwrite(str(tmp_path / "scene.hdr"), radiance[:, :, ::-1])
    read = read_radiance(tmp_path / "scene.hdr")
    # RGBE shares the largest channel's exponent: one step is at most 2^-7 of the largest channel
    assert (np.abs(read - radiance) <= radiance.max(axis=2, keepdims=True) / 128).all()


def test_16_bit_tiff_is_linear_light_over_65535(tmp_path):
    levels = np.array([[[0, 1, 65535], [32768, 256, 4096]]], dtype=np.uint16)
    tifffile.imwrite(tmp_path / "scene.tif", levels, photometric="rgb")
    assert read_radiance(tmp_path / "scene.tif") == pytest.approx(levels / 65535)


def test_grey_tiff_becomes_three_equal_channels(tmp_path, radiance):
    tifffile.imwrite(tmp_path / "grey.tif", radiance[:, :, 0])
    assert (read_radiance(tmp_path / "grey.tif") == radiance[:, :, :1]).all()


@pytest.mark.parametrize("pixels", [np.float16, np.float32, np.uint32])
def test_exr_pixels_may_be_half_float_or_uint(tmp_path, pixels):
    planes = {name: np.arange(12).reshape(3, 4).astype(pixels) * (k + 1) for k, name in enumerate("RGB")}
    write_channels(tmp_path / "scene.exr", planes)
    expected = np.stack([planes[name] for name in "RGB"], axis=-1).astype(np.float32)
    assert (read_radiance(tmp_path / "scene.exr") == expected).all()


@pytest.mark.parametrize(
    ("names", "red", "green", "blue"),
    [
        (("B", "G", "R"), "R", "G", "B"),
        (("r", "g", "b", "A"), "r", "g", "b"),
        (("red", "green", "blue"), "red", "green", "blue"),
        (("beauty.R", "beauty.G", "beauty.B", "beauty.Z"), "beauty.R", "beauty.G", "beauty.B"),
        (("R", "G", "B", "albedo.R", "albedo.G", "albedo.B"), "R", "G", "B"),
        (("Y",), "Y", "Y", "Y"),
        (("Y", "A"), "Y", "Y", "Y"),
        (("luminance.Y",), "luminance.Y", "luminance.Y", "luminance.Y"),
    ],
)
def test_exr_channels_are_found_by_name(tmp_path, names, red, green, blue):
    planes = {name: np.full((2, 4), k + 1, dtype=np.float32) for k, name in enumerate(names)}
    write_channels(tmp_path / "scene.exr", planes)
    expected = [planes[name][0, 0] for name in (red, green, blue)]
    assert (read_radiance(tmp_path / "scene.exr") == expected).all()


@pytest.mark.parametrize("names", [("R", "G"), ("X", "Y", "Z"), ("diffuse.R", "specular.G", "B"), ("RY", "Y")])
def test_exr_without_red_green_and_blue_is_refused_with_its_channels(tmp_path, names):
    write_channels(tmp_path / "scene.exr", {name: np.ones((2, 4), np.float32) for name in names})
    with pytest.raises(ValueError, match=r"scene\.exr: channels .*: expected R, G and B") as error:
        read_radiance(tmp_path / "scene.exr")
    assert all(name in str(error.value) for name in names)


def good_bytes(folder: Path, suffix: str, radiance: np.ndarray) -> bytes:
    path = folder / f"good{suffix}"
    if suffix == ".exr":
        write_exr(path, radiance)
    elif suffix == ".tif":
        tifffile.imwrite(path, radiance, photometric="rgb")
    else:
        cv2.imwrite(str(path), radiance[:, :, ::-1])
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".exr", ".hdr", ".pfm", ".tif"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_a_truncated_file_is_refused_by_name_in_one_line(tmp_path, radiance, suffix, share, capfd):
    content = good_bytes(tmp_path, suffix, radiance)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=rf"cut\{suffix}: ") as error:
        read_radiance(path)
    assert "\n" not in str(error.value)
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == ""  # the format's libraries keep quiet too


@pytest.mark.parametrize("suffix", [".exr", ".hdr", ".pfm", ".tif", ".tiff"])
def test_a_text_named_as_hdr_is_refused(tmp_path, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_text("not a picture\n" * 100)
    with pytest.raises(ValueError, match=rf"notes\{suffix}: not a readable"):
        read_radiance(path)


@pytest.mark.parametrize(
    ("pixels", "wanted"), [(np.uint8, "8-bit values"), (np.int16, "int16 values"), (np.int32, "int32 values")]
)
def test_integer_tiffs_that_are_not_16_bit_light_are_refused(tmp_path, pixels, wanted):
    tifffile.imwrite(tmp_path / "scene.tif", np.ones((8, 8, 3), pixels), photometric="rgb")
    with pytest.raises(ValueError, match=rf"{wanted}.*expected float or 16-bit"):
        read_radiance(tmp_path / "scene.tif")


def test_other_formats_and_absent_files_are_refused(tmp_path):
    (tmp_path / "scene.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), "opencv"))
    with pytest.raises(ValueError, match=r"'\.png' is not an HDR format.*expected one of \.exr"):
        read_radiance(tmp_path / "scene.png")
    with pytest.raises(ValueError, match=r"none\.exr: no such file"):
        read_radiance(tmp_path / "none.exr")


def test_negative_and_nan_become_dark_and_infinite_becomes_the_brightest():
    radiance = np.ones((2, 3, 3), dtype=np.float32)
    radiance[0, 0] = [-1, -2, 7]  # one pixel, two values
    radiance[0, 1, 0] = np.nan
    radiance[1, 2] = [np.inf, 1, 1]
    radiance[1, 1, 2] = -np.inf
    repaired, repairs = repair_radiance(radiance)
    assert repairs == Repairs(negative=2, nan=1, infinite=1)
    assert repaired[0, 0].tolist() == [0, 0, 7]
    assert repaired[0, 1].tolist() == [0, 1, 1]
    assert repaired[1, 2].tolist() == [7, 1, 1]
    assert repaired[1, 1].tolist() == [1, 1, 0]


@given(st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=12, max_size=12))
def test_a_repaired_picture_is_finite_light_and_needs_no_repair(values):
    radiance = np.array(values, dtype=np.float32).reshape(2, 2, 3)
    repaired, _ = repair_radiance(radiance)
    assert np.isfinite(repaired).all() and (repaired >= 0).all()
    assert repair_radiance(repaired)[1].total == 0
    kept = np.isfinite(radiance) & (radiance >= 0)
    assert (repaired[kept] == radiance[kept]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_repairs_are_counted_up_to_the_share_and_refused_beyond_it(tmp_path, radiance, bad):
    damaged = radiance.copy()
    damaged[:4, :16] = bad  # 64 of 8,192 pixels: 0.78 %
    write_exr(tmp_path / "scene.exr", damaged)
    _, repairs = check_radiance(tmp_path / "scene.exr", max_repaired_share=0.01)
    assert repairs.total == 64
    with pytest.raises(ValueError, match=r"64 .*of 8192 pixels; expected at most 0\.50%"):
        check_radiance(tmp_path / "scene.exr", max_repaired_share=0.005)


def test_an_8_bit_picture_in_disguise_is_refused(tmp_path, radiance):
    ldr = np.round(np.clip(radiance, 0, 1) * 255) / 255
    write_exr(tmp_path / "disguise.exr", ((ldr**2.2) * 3).astype(np.float32))
    with pytest.raises(ValueError, match=r"disguise\.exr: only \d+ distinct values a channel"):
        check_radiance(tmp_path / "disguise.exr", 0.01)


def test_a_black_picture_is_refused(tmp_path):
    write_exr(tmp_path / "black.exr", np.zeros((64, 128, 3), np.float32))
    with pytest.raises(ValueError, match=r"black\.exr: every pixel is black"):
        check_radiance(tmp_path / "black.exr", 0.01)


def test_a_picture_of_nothing_but_nan_is_refused(tmp_path):
    write_exr(tmp_path / "nan.exr", np.full((64, 128, 3), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"8192 NaN"):
        check_radiance(tmp_path / "nan.exr", 0.01)
    with pytest.raises(ValueError, match="black"):
        check_radiance(tmp_path / "nan.exr", 1.0)


def test_a_view_is_half_floats_without_sign(tmp_path, radiance):
    write_exr(tmp_path / "half.exr", radiance.astype(np.float16), {"hdrdata.factor": 0.25, "hdrdata.key": "half"})
    assert read_view(tmp_path / "half.exr").dtype == np.float16
    for bad in (radiance, -radiance.astype(np.float16), np.full((4, 4, 3), np.inf, np.float16)):
        write_exr(tmp_path / "bad.exr", bad)
        with pytest.raises(ValueError, match=r"bad\.exr: .*finite half floats"):
            read_view(tmp_path / "bad.exr")
    write_channels(tmp_path / "grey.exr", {"Y": np.ones((4, 4), np.float16)})
    with pytest.raises(ValueError, match=r"grey\.exr: not a view"):
        read_view(tmp_path / "grey.exr")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "index.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), written_whole(path) as temporary:
        temporary.write_text("half of it")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_takes_no_file_is_told_by_the_name_that_was_wanted(tmp_path, monkeypatch):
    def refuse(path, flags, mode=0o777):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("hdrdata.files.disk.os.open", refuse)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*/a\.exr'$"), written_whole(tmp_path / "a.exr"):
        pass


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest_of({"a": 1, "b": [2, 3]}) == digest_of({"b": [2, 3], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    # printf '{"a":1}' | sha256sum
    assert digest_of({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@pytest.mark.parametrize("encoder", ["fpng", "opencv"])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (33, 17), (64, 128)])
def test_each_png_encoder_is_lossless_for_libpng(encoder, shape):
    ldr = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    png = encode_png(ldr, encoder)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert (decode_png(png) == ldr).all()


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(kind: str) -> bytes:
    """A PNG of 24x10 random pixels."""
    rgba = np.random.default_rng(1).integers(0, 256, (24, 10, 4), dtype=np.uint8)
    rgb = np.ascontiguousarray(rgba[:, :, :3])
    if kind in ("fpng", "opencv"):
        return encode_png(rgb, kind)
    if kind == "every filter":
        return cv2.imencode(".png", rgb, [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_ALL_FILTERS])[1].tobytes()
    if kind == "palette":
        file = io.BytesIO()
        PIL.Image.fromarray(rgb).quantize(16).save(file, "png")
        return file.getvalue()
    pixels = {"grey": rgba[:, :, 0], "alpha": rgba, "16 bit": rgb.astype(np.uint16) * 257}.get(kind, rgb)
    png = cv2.imencode(".png", pixels)[1].tobytes()
    added = {
        "eXIf": png_chunk(b"eXIf", bytes.fromhex("4d4d002a00000008000101120003000000010006000000000000")),  # turned
        "gAMA": png_chunk(b"gAMA", struct.pack(">I", 100_000)),
        "tRNS": png_chunk(b"tRNS", bytes(6)),
    }.get(kind, b"")
    return png[:-12] + added + png[-12:] if kind == "eXIf" else png[:33] + added + png[33:]


@pytest.mark.parametrize(
    "kind", ["fpng", "opencv", "every filter", "grey", "alpha", "palette", "16 bit", "eXIf", "gAMA", "tRNS"]
)
def test_png_decoders_agree_bit_for_bit(kind, monkeypatch):
    png = png_of(kind)
    fast = decode_png(png)
    monkeypatch.setattr("hdrdata.files.ldr.kornia_io", None)
    assert (fast == decode_png(png)).all()
    assert fast.shape == ((10, 24, 3) if kind == "eXIf" else (24, 10, 3))


def test_a_damaged_png_raises_or_is_the_same_picture(monkeypatch):
    png = png_of("fpng")
    whole = decode_png(png)
    for place in range(len(png)):
        damaged = png[:place] + bytes([png[place] ^ 4]) + png[place + 1 :]
        try:
            decoded = decode_png(damaged)
        except ValueError:
            continue
        assert (decoded == whole).all()


def test_a_png_that_claims_more_than_it_can_hold_is_refused():
    png = png_of("opencv")
    huge = png[:16] + struct.pack(">II", 30_000, 30_000) + png[24:29]
    with pytest.raises(ValueError, match="not a PNG picture"):
        decode_png(huge + struct.pack(">I", zlib.crc32(huge[12:])) + png[33:])


def test_png_errors_say_what_is_wanted():
    with pytest.raises(ValueError, match="unknown PNG encoder 'zip'; known: fpng, opencv"):
        encode_png(np.zeros((1, 1, 3), np.uint8), "zip")
    for bad in (b"", b"\x89PNG but no more"):
        with pytest.raises(ValueError, match="not a PNG picture"):
            decode_png(bad)

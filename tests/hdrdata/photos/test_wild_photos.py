"""Rare valid photographs have the values that an independent reader gives them."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
import tifffile
from shared_files import ROOT

from hdrdata.photos.finding import find_photos, left_out
from hdrdata.photos.photo import read_photo

WILD = ROOT.parent / "shared" / "wild" / "photos"
CHART = np.array([[200, 60, 50], [224, 163, 46]], np.uint8)  # the first and the last pixel of a chart in many formats
CHARTS = ("cicp_over_iccp.png", "dcf_adobergb_R03.jpg", "j_12bit.jpg", "j_lossless16.jpg", "jfif_in_a_folder.jfif",
          "p_rgba_one_254.png", "png16_gama_linear.png", "png_chrm_gama_adobergb.png", "png_cicp_p3.png",
          "t16_cmyk.tif", "t8_cmyka.tif", "ultrahdr_base_chart.png", "x.avif", "x.bmp", "x.jxl")  # fmt: skip
PLAIN = ("branches_q75.jpg", "burst.mpo", "cloudy_sky.jpg", "ramp_grey.png", "x.bmp")


def wild(name: str) -> Path:
    if not (WILD / name).is_file():
        pytest.skip("there is no shared/wild beside the repository")
    return WILD / name


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_its_values_in_every_format(name):
    ldr = read_photo(wild(name)).ldr
    ends = np.stack([ldr[0, 0], ldr[-1, -1]]) / (np.iinfo(ldr.dtype).max / 255)
    assert ldr.shape == (64, 96, 3) and np.abs(ends - CHART).max() <= 2  # AVIF is lossy


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_photograph_is_what_openimageio_reads(name):
    expected = oiio.ImageBuf(str(wild(name))).get_pixels(oiio.UINT8)[:, :, :3]
    difference = np.abs(read_photo(WILD / name).ldr.astype(int) - expected)
    assert difference.max() <= (3 if name.endswith((".jpg", ".mpo")) else 0)  # two inverse transforms of JPEG


def test_further_forms_are_honoured():
    assert read_photo(wild("av_clap.avif")).ldr.shape == (48, 64, 3)
    assert read_photo(wild("heic_apple_gainmap.heic")).notes == ("its gain map is not used: it states no headroom",)
    assert read_photo(wild("made_clipped.dng")).above.linear.max() == pytest.approx(2, abs=1e-3)
    meta = read_photo(wild("meta.jpg"))
    assert b"\xff\xd8" not in meta.exif and meta.xmp and not any("XMP" in note for note in meta.notes)


def test_red_and_blue_above_greens_clipping_have_the_light_of_the_mosaic_that_tifffile_reads():
    path = wild("made_clipped.dng")  # RGGB, black 512, white 16383, neutral (0.5, 1, 2/3), primaries of sRGB
    mosaic = (tifffile.imread(path).astype(float) - 512) / (16383 - 512)
    linear = read_photo(path).above.linear
    for row, column, channel, neutral in ((0, 0, 0, 0.5), (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 2, 2 / 3)):
        expected = mosaic[row::2, column::2] / neutral
        np.testing.assert_allclose(linear[row::2, column::2, channel], expected, rtol=2e-3)
        assert channel == 1 or (expected > 1.01).sum() > 500  # where green is full


def test_folders_of_thumbnails_are_skipped_and_counted(tmp_path):
    for folder in ("a", "a/@eaDir", "a/.thumbnails/large"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "photo.jpg").write_bytes(b"not read here")
    found = find_photos((tmp_path,))
    assert found == [tmp_path / "a" / "photo.jpg"]
    assert left_out((tmp_path,), found) == {"in .thumbnails": 1, "in @eaDir": 1}

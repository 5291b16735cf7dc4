"""Light out of Ultra HDR, PQ and HLG files, against the map that they were written of and libultrahdr."""

import re

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from hdrdata.photos.colours.encodings import P3_TO_BT709
from hdrdata.photos.colours.made import rgb_profile
from hdrmodel.outputs.bands import Picture, Scale
from hdrmodel.outputs.formats import FORMATS, write_output
from hdrmodel.viewer.encoded import read_encoded
from hdrmodel.viewer.page import write_viewer


def scene() -> np.ndarray:
    y, x = np.mgrid[0:64, 0:96]
    light = 0.03 * 2 ** (6 * x / 95)
    return (light[..., None] * np.stack([np.ones_like(y), 1 - y / 120, 0.5 + y / 120], axis=2)).astype(np.float32)


@pytest.mark.parametrize("name", ["ultrahdr", "png-pq", "png-hlg", "avif-pq", "avif-hlg"])
def test_what_was_written_is_read(tmp_path, name):
    path = tmp_path / f"a{FORMATS[name].suffix}"
    write_output(path, scene(), name, Scale(), {})
    light, _ = read_encoded(path)
    np.testing.assert_allclose(light, scene(), rtol=0.001 if "png" in name else 0.08, atol=0.004)
    page = write_viewer(path, tmp_path / "a.html", None).read_text()
    words = {"ultrahdr": "Ultra HDR (JPEG with a gain map)", "png-pq": "PNG, BT.2020 PQ", "png-hlg": "PNG, BT.2020 HLG",
             "avif-pq": "AVIF, BT.2020 PQ", "avif-hlg": "AVIF, BT.2020 HLG"}  # fmt: skip
    assert words[name] in page and "203" in page


def test_a_base_of_display_p3_gives_light_of_its_own_primaries(tmp_path):
    ldr = np.repeat(np.repeat(np.array([[[235, 30, 30], [60, 200, 90]]], np.uint8), 32, axis=0), 32, axis=1)
    own = np.where(ldr / 255 <= 0.04045, ldr / 255 / 12.92, ((ldr / 255 + 0.055) / 1.055) ** 2.4)
    radiance = (3 * own @ P3_TO_BT709.T).astype(np.float32)
    picture = Picture(ldr, P3_TO_BT709, rgb_profile("Display P3", P3_TO_BT709))
    write_output(tmp_path / "a.jpg", radiance, "ultrahdr", Scale(), {}, picture)
    light, _ = read_encoded(tmp_path / "a.jpg")
    assert light.min() < 0 and np.abs(light - radiance).max() < 0.03 * radiance.max()


def test_an_ultra_hdr_file_of_another_writer_is_read_as_its_writer_reads_it(tmp_path):
    half = np.ones((64, 96, 4), np.float16)
    half[:, :, :3] = scene()
    gamut = imagecodecs.ULTRAHDR.CG.BT_709
    jpeg = imagecodecs.ultrahdr_encode(half, level=95, gamut=gamut, nits=1000.0)
    (tmp_path / "a.jpg").write_bytes(jpeg)
    light, _ = read_encoded(tmp_path / "a.jpg")
    by_library = imagecodecs.ultrahdr_decode(jpeg)[:, :, :3].astype(np.float32)  # of BT.709, as it was
    error = np.abs(light - by_library) / by_library.max(axis=2, keepdims=True)
    assert np.median(error) < 0.01 and np.percentile(error, 99) < 0.03  # its tables


def test_both_standards_give_the_same_light_and_lists_of_three_are_read(tmp_path):
    write_output(tmp_path / "a.jpg", scene(), "ultrahdr", Scale(), {})
    jpeg = (tmp_path / "a.jpg").read_bytes()
    by_iso, _ = read_encoded(tmp_path / "a.jpg")
    without = jpeg.replace(b"urn:iso:std:iso:ts:21496:-1", b"urn:iso:std:iso:ts:-----:--")
    (tmp_path / "b.jpg").write_bytes(without)
    np.testing.assert_allclose(read_encoded(tmp_path / "b.jpg")[0], by_iso, rtol=1e-4)
    high = re.search(rb' hdrgm:GainMapMax="([-.\de]+)"', without)
    several = b"<hdrgm:GainMapMax><rdf:Seq>%s</rdf:Seq></hdrgm:GainMapMax></rdf:Description>" % (
        b"<rdf:li>%s</rdf:li>" % high[1] * 3
    )
    place = without.rindex(b"</rdf:Description>")
    listed = bytearray(without[:place].replace(high[0], b"", 1) + several + without[place + 18 :])
    size = listed.rindex(b"http://ns.adobe.com/xap/1.0/") - 2  # of the segment
    grown = len(listed) - len(without) + int.from_bytes(listed[size : size + 2], "big")
    listed[size : size + 2] = grown.to_bytes(2, "big")
    (tmp_path / "c.jpg").write_bytes(listed)
    np.testing.assert_allclose(read_encoded(tmp_path / "c.jpg")[0], by_iso, rtol=1e-4)


def test_a_display_picture_is_told(tmp_path):
    for name in ("a.jpg", "a.png", "a.avif"):
        Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save(tmp_path / name)
        with pytest.raises(ValueError, match=f"{name}: a display image; expected HDR"):
            read_encoded(tmp_path / name)

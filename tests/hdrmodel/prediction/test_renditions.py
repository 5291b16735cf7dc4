"""The camera response of a photograph's scene light."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hdrdata.cameras.crf_files import write_crf
from hdrdata.cameras.crf_names import named_crfs
from hdrdata.cameras.curves.file_kinds import Device
from hdrdata.photos.photo import Photo, read_photo
from hdrmodel.prediction.renditions import choose_response, response_id

PICTURE = Photo(np.zeros((2, 2, 3), np.uint8), ())


def test_an_estimate_starts_from_the_device_that_exif_states(tmp_path):
    exif = Image.Exif()
    exif[271], exif[272], exif[305] = "SONY", "ILCE-6000", "v3.10"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    chosen = choose_response(read_photo(tmp_path / "a.jpg"), "auto")
    assert (chosen.crf, chosen.source, chosen.reason) == (
        "auto", Device("camera", "Sony ILCE-6000"), "from the photograph; EXIF states a camera"
    )  # fmt: skip
    assert choose_response(PICTURE, "auto").reason == "from the photograph; EXIF states no device"


def test_renderings_and_camera_raw_need_no_estimate(tmp_path):
    exif = Image.Exif()
    exif[305] = "Blender 4.2"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", exif=exif)
    chosen = choose_response(read_photo(tmp_path / "a.png"), "auto")
    assert (chosen.crf.name, chosen.reason) == ("srgb", "EXIF states software that renders or captures screens")
    developed = choose_response(replace(PICTURE, is_raw=True), "auto")
    assert (developed.crf.name, developed.reason) == ("srgb", "developed by it from camera RAW")
    light = choose_response(replace(PICTURE, light=np.ones((2, 2, 3), np.float32)), "camera")
    assert (light.crf.name, light.reason) == ("srgb", "the file contains light")


def test_a_file_of_a_response_counts_by_its_curve(tmp_path):
    path = tmp_path / "mine.csv"
    ids = []
    for name in ("camera", "phone", "camera"):
        write_crf(path, named_crfs()[name])
        ids.append(response_id(str(path)))
    assert ids[0] == ids[2] != ids[1] and response_id("srgb") == "srgb"
    assert choose_response(PICTURE, str(path)).crf.name == "mine"
    with pytest.raises(ValueError, match=r"unknown CRF 'kodak'; known: .*, auto, gamma:EXPONENT"):
        choose_response(PICTURE, "kodak")

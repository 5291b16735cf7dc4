"""Views have the same bytes on processors with other instructions."""

import os
import shutil
import subprocess
import sys

import numpy as np
from scipy.ndimage import map_coordinates
from shared_files import ROOT

from hdrdata.files.hdr.primaries import convert
from hdrdata.views import panorama
from hdrdata.views.panorama import _sample_fused, sample_bilinear

# What OpenCV, OpenBLAS and NumPy leave unused: the instructions of x86 since 2013. They ignore names they do not know.
OLD = {"OPENCV_CPU_DISABLE": "AVX2,FP16,FMA3", "OPENBLAS_CORETYPE": "Prescott", "OMP_NUM_THREADS": "1"}
NUMPY = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 AVX2 FMA3", "PYTHONWARNINGS": "ignore"}


def test_views_have_the_same_bytes_on_an_old_processor(build, tmp_path):
    (tmp_path / "scenes").mkdir()
    shutil.copy(ROOT / "data" / "scenes" / "neon_arcade.exr", tmp_path / "scenes")
    (tmp_path / "scenes/scenes.csv").write_text("file\n")
    made = build(tmp_path / "scenes", tmp_path / "here", workers=1, ingest={"view_size": 192})
    options = ["--view-size", "192", "--form", "radiance", "--workers", "1", "--seed", "34",
               "--val-share", "0.25", "--test-share", "0.25"]  # fmt: skip
    command = [sys.executable, "-c", "from hdrdata.cli import main; main()", "build"]
    environment = {**os.environ, **OLD, **NUMPY, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, tmp_path / "scenes", tmp_path / "old", *options], env=environment, check=True)
    views = sorted(path.name for path in made.views.glob("*.exr"))
    assert len(views) == 6
    for name in views:
        assert (made.views / name).read_bytes() == (tmp_path / "old" / "views" / name).read_bytes(), name


def test_bilinear_samples_are_those_of_an_opencv_that_rounds_once(monkeypatch):
    draw = np.random.default_rng(3)
    picture = np.exp(draw.normal(0, 3, (40, 60, 3))).astype(np.float32)
    column, row = (59 * draw.random((2, 30, 50))).astype(np.float32) * np.float32([[[0.999]], [[39 / 59]]])
    row[0], column[0, :9] = 39, np.arange(9)  # the last row, and centres
    ours = np.concatenate([_sample_fused(picture, *band) for band in zip(column, row, strict=True)])
    planes = [
        map_coordinates(picture[:, :, channel].astype(np.float64), [row, column], order=1) for channel in range(3)
    ]
    np.testing.assert_allclose(ours, np.stack(planes, axis=2), rtol=1e-5)
    np.testing.assert_array_equal(sample_bilinear(picture, column, row), ours)
    monkeypatch.setattr(panorama, "_opencv_rounds_once", lambda: False)
    np.testing.assert_array_equal(sample_bilinear(picture, column, row), ours)


def test_primaries_are_converted_by_the_matrix():
    light = np.random.default_rng(0).random((5, 7, 3))
    matrix = np.random.default_rng(1).normal(size=(3, 3))
    np.testing.assert_allclose(convert(light, matrix), light @ matrix.T, rtol=1e-12)

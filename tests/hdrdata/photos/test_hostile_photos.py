"""Small photographs that claim much end with one line or the right pixels, in little time and memory."""

import io
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from shared_files import ROOT

from hdrdata.photos.exposure import read_exposure
from hdrdata.photos.formats.exif import load, reset
from hdrdata.photos.photo import read_photo

WILD = ROOT.parent / "shared" / "wild" / "hostile"
NAMES = sorted(path.name for path in WILD.glob("*") if path.suffix in (".jxl", ".png", ".jpg"))
READ_ALL = """
import json, resource, sys, time
from hdrdata.photos.photo import read_photo
told = {}
for path in sys.argv[1:]:
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        outcome = str(read_photo(path).ldr.shape)
    except ValueError as error:
        outcome = str(error)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    told[path] = [outcome, time.process_time() - start, grown / 1024]
print(json.dumps(told))
"""


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_texts() -> bytes:
    """A PNG with 100 texts of 16 MB each."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save(file, "PNG")
    png, packed = file.getvalue(), zlib.compress(bytes(2**24), 9)
    texts = [png_chunk(b"zTXt", b"Raw profile type a%d\0\0" % number + packed) for number in range(100)]
    return png[:33] + b"".join(texts) + png[33:]


def tiff_of_a_tile() -> bytes:
    """A TIFF of 64 x 64 pixels whose tile claims 65,520 x 65,520."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((64, 64, 3), np.uint8), tile=(64, 64), photometric="rgb", compression="zlib")
    content = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as tiff:
        places = [tiff.pages[0].tags[name].valueoffset for name in ("TileWidth", "TileLength")]
    for place in places:
        struct.pack_into("<H", content, place, 65520)
    return bytes(content)


def jp2_with_a_fake_box() -> bytes:
    """A JPEG 2000 whose first box holds the header of a small codestream, before one of 20,000 x 20,000 pixels."""
    content = imagecodecs.jpeg2k_encode(np.zeros((16, 16), np.uint8), level=0, codecformat="jp2")
    at = content.index(b"jp2c") - 4
    stream = bytearray(content[at + 8 :])
    struct.pack_into(">2I", stream, 8, 20_000, 20_000)
    fake = content[at + 8 : at + 8 + 60]
    boxes = struct.pack(">I4s", 8 + len(fake), b"free") + fake + struct.pack(">I4s", 0, b"jp2c") + bytes(stream)
    return content[:at] + boxes


def jxl_with_two_codestreams() -> bytes:
    small, large = (imagecodecs.jpegxl_encode(np.zeros((side, side), np.uint8), lossless=True) for side in (8, 3000))
    boxes = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (b"jxlc", small), (b"jxlc", large)]
    return b"".join(struct.pack(">I4s", 8 + len(content), kind) + content for kind, content in boxes)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    files = {"texts.png": png_of_texts(), "tile.tif": tiff_of_a_tile(), "fake.jp2": jp2_with_a_fake_box(),
             "two.jxl": jxl_with_two_codestreams()}  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths = [folder / name for name in files] + [WILD / name for name in NAMES]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", READ_ALL, *map(str, paths)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return {os.path.basename(path): told for path, told in json.loads(result.stdout).items()}


@pytest.mark.parametrize(
    "name, expected",
    [
        ("texts.png", "(8, 8, 3)"),
        ("tile.tif", "claims 65520x65520 pixels"),
        ("fake.jp2", "claims 20000x20000 pixels"),
        ("two.jxl", "2 codestreams; expected one"),
    ],
)
def test_a_small_file_that_claims_much_is_refused_or_read(outcomes, name, expected):
    outcome, seconds, megabytes = outcomes[name]
    assert expected in outcome and "\n" not in outcome
    assert seconds < 5 and megabytes < 300


@pytest.mark.parametrize("name", NAMES)
def test_hostile_files_of_users_end_in_time(outcomes, name):
    outcome, seconds, megabytes = outcomes[name]
    assert "\n" not in outcome and seconds < 5 and megabytes < 300


@pytest.mark.parametrize("kind", [b"IDAT", b"PLTE", b"eXIf", b"tEXt"])
def test_the_length_that_a_chunk_claims_takes_no_memory(tmp_path, kind):
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "PNG")
    png = file.getvalue()
    (tmp_path / "a.png").write_bytes(png[:33] + struct.pack(">I", 2**32 - 1) + kind + png[33:])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"a\.png: .*"):
            read_photo(tmp_path / "a.png")
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def test_the_thumbnail_is_really_removed_and_the_rest_of_exif_stays():
    thumbnail = b"\xff\xd8" + b"thumbnail" * 20 + b"\xff\xd9"
    for last in (True, False):
        tail = b"" if last else b"MAKE\0"
        ifd1 = struct.pack("<HHHIIHHIII", 2, 513, 4, 1, 44 + 6, 514, 4, 1, len(thumbnail), 0)
        make = 8 + 2 + 12 + 4 + len(ifd1) + len(thumbnail)
        entry = struct.pack("<HHII", 271, 2, 4, 0x4B414D) if last else struct.pack("<HHII", 271, 2, 5, make)
        place = 8 + 2 + 12 + 4
        ifd1 = ifd1.replace(struct.pack("<I", 50), struct.pack("<I", place + len(ifd1)))
        block = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", place)
        block += ifd1 + thumbnail + tail
        cleaned = reset(block, 8, 8)
        assert b"thumbnail" not in cleaned and load(cleaned)[271] in ("MAK", "MAKE")
        assert len(cleaned) == (place if last else len(block))


def test_exposures_of_every_format_are_read(tmp_path):
    exif = Image.Exif()
    exif[271] = "a maker"
    exif.get_ifd(34665).update({33434: 1 / 50, 33437: 2.8, 34855: 65535, 34867: 102400})
    for suffix in ("jpg", "png", "webp", "avif"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"a.{suffix}", exif=exif)
        exposure = read_exposure(tmp_path / f"a.{suffix}")
        assert (exposure.seconds, exposure.f_number, exposure.iso) == pytest.approx((0.02, 2.8, 102400)), suffix


def test_apex_values_count_where_the_plain_ones_are_missing(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(34665).update({37377: 6.0, 37378: 5.0})  # 2 ** -6 s; 2 ** (5 / 2)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    exposure = read_exposure(tmp_path / "a.jpg")
    assert (exposure.seconds, exposure.f_number) == pytest.approx((1 / 64, 5.657), rel=1e-3)

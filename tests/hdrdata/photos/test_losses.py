"""What a photograph's file contains and its readers leave out is reported, in every format."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hdrdata.photos.photo import read_photo

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
IPTC = b"Photoshop 3.0\x008BIM\x04\x04" + bytes(8)


def _boxed(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _with_xmp(name: str, picture: Image.Image) -> bytes:
    """Return a file of one format with an XMP packet."""
    file, suffix = io.BytesIO(), name.split(".")[1]
    if suffix == "jxl":
        head = _boxed(b"JXL ", b"\r\n\x87\n") + _boxed(b"ftyp", b"jxl \0\0\0\0jxl ")
        return head + _boxed(b"xml ", XMP) + _boxed(b"jxlc", imagecodecs.jpegxl_encode(np.asarray(picture)))
    if suffix == "jp2":
        stored = bytes(imagecodecs.jpeg2k_encode(np.asarray(picture), codecformat="jp2"))
        return stored + _boxed(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    options = {"png": {"pnginfo": info}, "tif": {"tiffinfo": {700: XMP}}}.get(suffix, {"xmp": XMP})
    picture.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif", "a.tif", "a.jxl", "a.jp2"])
def test_xmp_that_is_left_out_is_reported_in_every_format(name, tmp_path):
    picture = Image.fromarray(np.full((16, 16, 3), 90, np.uint8))
    (tmp_path / name).write_bytes(_with_xmp(name, picture))
    assert read_photo(tmp_path / name).notes == ("its XMP was left out",)


def test_iptc_that_is_left_out_is_reported(tmp_path):
    picture = Image.fromarray(np.full((16, 16, 3), 90, np.uint8))
    picture.save(tmp_path / "a.tif", tiffinfo={34377: IPTC[14:]})
    picture.save(tmp_path / "b.jpg")
    content = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(content[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(IPTC)) + IPTC + content[2:])
    for name in ("a.tif", "b.jpg"):
        assert read_photo(tmp_path / name).notes == ("its IPTC was left out",)

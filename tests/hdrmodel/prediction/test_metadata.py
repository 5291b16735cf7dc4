"""A photograph's EXIF in what is made of it, read by Pillow, OpenImageIO and, where it is there, ExifTool."""

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import OpenImageIO as oiio
import pytest
from click.testing import CliRunner
from PIL import ExifTags, Image, IptcImagePlugin
from PIL.TiffImagePlugin import IFDRational

from hdrdata.photos.formats.xmp import image_resource
from hdrdata.photos.photo import read_photo
from hdrmodel.cli import main
from hdrmodel.networks.weights import initial_network, save_weights
from hdrmodel.outputs.bands import Metadata, Scale
from hdrmodel.outputs.formats import write_output
from hdrmodel.outputs.ultrahdr.gain_map import EMPTY

FORMATS = {"exr": "a.exr", "ultrahdr": "a.jpg", "avif-pq": "a.avif", "png-pq": "a.png"}
ARGUMENTS = [part for name in FORMATS for part in ("--format", name)]


def camera_exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "Model 5"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.DateTime] = "2026:05:06 07:08:09"
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal] = "2026:05:06 07:08:09"
    inner[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    inner[ExifTags.Base.LensModel] = "35 mm f/2"
    inner[ExifTags.Base.ExposureTime], inner[ExifTags.Base.FNumber] = IFDRational(1, 250), IFDRational(28, 5)
    inner[ExifTags.Base.ISOSpeedRatings], inner[ExifTags.Base.FocalLength] = 400, IFDRational(35, 1)
    inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight] = 40, 24
    inner[ExifTags.Base.MakerNote] = b"note of the maker\0\1\2\3"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "S", (33.0, 51.0, 24.0)
    place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (151.0, 12.0, 54.0)
    place[ExifTags.GPS.GPSAltitudeRef], place[ExifTags.GPS.GPSAltitude] = b"\0", IFDRational(58, 1)
    return exif.tobytes()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, initial_network("spatial", "attnet", 0.05, seed=0), {"variant": "spatial"})
    return path


@pytest.fixture
def predict(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(main, ["predict", *map(str, arguments), "--weights", str(weights)])
        assert result.exit_code == 0, result.output
        return result

    return run


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(60, 220, (24, 40, 3), dtype=np.uint8))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "heic"])
def test_date_camera_lens_and_place_go_into_every_format_that_holds_them(predict, suffix):
    if suffix == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    picture().save(f"photo.{suffix}", exif=camera_exif(6))
    predict(f"photo.{suffix}", "-o", "out", *ARGUMENTS, "--no-preview")
    for name in FORMATS.values():
        if name == "a.exr":
            continue
        with Image.open(Path("out", name.replace("a.", "photo."))) as made:
            exif = made.getexif()
            inner, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
            size = made.size
        assert size == (24, 40) and exif.get(ExifTags.Base.Orientation, 1) == 1, name  # turned, and no more to turn
        assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == ("Maker", "Model 5"), name
        assert inner[ExifTags.Base.DateTimeOriginal] == "2026:05:06 07:08:09"
        assert inner[ExifTags.Base.LensModel] == "35 mm f/2" and inner[ExifTags.Base.ExposureTime] == 1 / 250
        assert place[ExifTags.GPS.GPSLatitude] == (33, 51, 24) and place[ExifTags.GPS.GPSLatitudeRef] == "S"
        assert inner[ExifTags.Base.MakerNote] == b"note of the maker\0\1\2\3"
        if suffix in ("jpg", "png", "webp"):
            assert (inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight]) == (24, 40)
    said = {one.name: one.value for one in oiio.ImageInput.open("out/photo.exr").spec().extra_attribs}
    assert said["DateTime"] == "2026:05:06 07:08:09" and said["utcOffset"] == -7200  # OpenEXR: UTC less local time
    assert (said["cameraMake"], said["cameraModel"], said["lensModel"]) == ("Maker", "Model 5", "35 mm f/2")
    assert said["isoSpeed"] == 400 and said["FNumber"] == pytest.approx(5.6) and said["latitude"] < 0
    assert said["latitude"] == pytest.approx(-(33 + 51 / 60 + 24 / 3600)) and said["altitude"] == 58
    expected = {"s 0.004", "f/ 5.6", "ISO 400"}
    assert {*said["hdrmodel.exposure"].split(", ")} == expected


def test_without_metadata_nothing_of_it_is_told(predict):
    picture().save("photo.jpg", exif=camera_exif(1), quality=95)
    predict("photo.jpg", "-o", "out", *ARGUMENTS, "--no-preview", "--no-metadata", "--stack")
    for path in (path for path in Path("out").rglob("*.*") if path.is_file()):
        content = path.read_bytes()
        assert b"Maker" not in content and b"2026:05" not in content, path
        if path.suffix in (".jpg", ".avif") or path.name == "photo.png":
            with Image.open(path) as made:
                assert not dict(made.getexif()), path
    said = {one.name: one.value for one in oiio.ImageInput.open("out/photo.exr").spec().extra_attribs}
    assert said["hdrmodel.exposure"] == "unknown" and "latitude" not in said
    again = predict("photo.jpg", "-o", "out", *ARGUMENTS, "--no-preview")
    assert "there before" not in again.stdout  # another setting


def test_no_output_contains_the_thumbnail_of_exif(predict):
    thumbnail = b"\xff\xd8" + b"thumbnail" * 20 + b"\xff\xd9"
    first = struct.pack("<HHHI4sI", 1, 271, 2, 4, b"MAK\0", 26)  # the maker; the next directory is at byte 26
    second = struct.pack("<HHHIIHHIII", 2, 513, 4, 1, 26 + 30, 514, 4, 1, len(thumbnail), 0)  # its place and size
    picture().save("photo.jpg", exif=b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + thumbnail, quality=95)
    assert thumbnail in Path("photo.jpg").read_bytes()
    predict("photo.jpg", "-o", "out", *ARGUMENTS, "--no-preview")
    for name in FORMATS.values():
        path = Path("out", name.replace("a.", "photo."))
        assert thumbnail not in path.read_bytes(), name
        if name != "a.exr":
            with Image.open(path) as made:
                assert made.getexif()[ExifTags.Base.Make] == "MAK", name


def test_exiftool_reads_it_and_finds_no_fault(predict):
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("there is no exiftool")
    picture().save("photo.jpg", exif=camera_exif(8), quality=95)
    predict("photo.jpg", "-o", "out", *ARGUMENTS, "--no-preview")
    names = [f"out/photo{Path(name).suffix}" for name in FORMATS.values()]
    done = subprocess.run([program, "-j", "-n", *names], capture_output=True, text=True, check=True)
    for told in json.loads(done.stdout):
        assert "Error" not in told and told.get("Warning") in (None, "[minor] Unrecognized MakerNotes")  # ours are none
        if told["SourceFile"].endswith("exr"):
            assert told["CameraMake"] == "Maker" and told["DateTimeOriginal"] == "2026:05:06 07:08:09"
            continue
        assert told["Make"] == "Maker" and told["Orientation"] == 1 and told["LensModel"] == "35 mm f/2"
        assert told["GPSLatitude"] == pytest.approx(-33.85667, abs=1e-4)
        assert (told["ImageWidth"], told["ImageHeight"]) == (24, 40)


def test_an_avif_with_exif_has_the_same_pixels(predict):
    picture().save("photo.png")
    picture().save("told.png", exif=camera_exif(1))
    for name in ("photo", "told"):
        predict(f"{name}.png", "-o", f"{name}.avif", "--no-preview")
    plain, told = (Path(f"{name}.avif").read_bytes() for name in ("photo", "told"))
    assert len(told) > len(plain)
    np.testing.assert_array_equal(imagecodecs.avif_decode(plain), imagecodecs.avif_decode(told))


@pytest.mark.parametrize("cut", [4, 10, 30, 80, 200])
def test_damaged_exif_costs_nothing_and_goes_nowhere(predict, cut):
    exif = camera_exif(1).removeprefix(b"Exif\0\0")
    picture().save("photo.jpg", exif=b"Exif\0\0" + exif[:cut], quality=95)
    predict("photo.jpg", "-o", "out", *ARGUMENTS, "--no-preview")
    assert read_photo("photo.jpg").ldr.shape == (24, 40, 3)


def test_xmp_and_iptc_go_into_every_format_that_holds_them_and_are_reported_in_others(predict):
    xmp = f"{EMPTY}".replace(
        "</rdf:RDF>",
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"><dc:rights><rdf:Alt>'
        '<rdf:li xml:lang="x-default">Ünique</rdf:li></rdf:Alt></dc:rights></rdf:Description></rdf:RDF>',
    ).encode()
    iptc = b"\x1c\x02\x69\0\x08Headline"
    file = io.BytesIO()
    picture().save(file, "JPEG", xmp=xmp, quality=95)
    content, segment = file.getvalue(), b"Photoshop 3.0\0" + image_resource(iptc)
    Path("photo.jpg").write_bytes(
        content[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(segment)) + segment + content[2:]
    )
    result = predict("photo.jpg", "-o", "out", *ARGUMENTS, "--format", "hdr", "--json")
    notes = json.loads(result.output)["photos"][0]["notes"]
    for name, lost in (("exr", "XMP and IPTC"), ("hdr", "XMP and IPTC"), ("avif-pq", "IPTC")):
        assert f"{name} files do not contain its {lost}" in notes
    for name in ("photo.jpg", "photo.png", "photo.avif"):
        with Image.open(Path("out", name)) as made:
            made.load()
            packet = made.info["xmp"]
            if name != "photo.avif":
                assert IptcImagePlugin.getiptcinfo(made) == {(2, 105): b"Headline"} or b"48656164" in bytes(
                    made.info.get("Raw profile type iptc", ""), "ascii"
                )
        packet = packet if isinstance(packet, bytes) else packet.encode()
        assert ElementTree.fromstring(packet) is not None  # well-formed
        assert "Ünique".encode() in packet and b"Orientation" not in packet
        assert (b"Container:Directory" in packet) == (name == "photo.jpg")
    again = read_photo("out/photo.jpg")  # the directory of the old gain map is not kept
    assert b"Container" not in again.xmp and "Ünique".encode() in again.xmp and again.iptc == iptc
    assert read_photo("out/photo.avif").xmp == read_photo("out/photo.png").xmp == again.xmp


def test_what_is_too_long_for_a_jpeg_is_left_out_and_reported(tmp_path):
    light = np.full((8, 8, 3), 2, np.float32)
    long = Metadata(
        b"II*\0" + bytes(70_000), EMPTY.replace("</rdf:RDF>", " " * 70_000 + "</rdf:RDF>").encode(), b"a" * 70_000
    )
    notes = write_output(tmp_path / "a.jpg", light, "ultrahdr", Scale(), {}, metadata=long)
    assert len(notes) == 3 and all("is too long for a JPEG, and left out" in note for note in notes)
    assert read_photo(tmp_path / "a.jpg").light.max() == pytest.approx(2, rel=0.02)


def test_an_avif_with_light_levels_keeps_its_exif(tmp_path):
    path = tmp_path / "light.avif"
    write_output(
        path, np.full((10, 10, 3), 0.5, np.float32), "avif-pq", Scale(), {}, metadata=Metadata(camera_exif(1)[6:])
    )
    with Image.open(path) as made:
        assert made.getexif()[ExifTags.Base.Make] == "Maker" and made.size == (10, 10)

"""What a photograph's file contains beside its image is kept or reported, in every format."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hdrdata.photos.formats.xmp import image_resource, iptc_of, reset_xmp
from hdrdata.photos.photo import read_photo

PIXELS = np.full((16, 16, 3), 90, np.uint8)
TITLE = 'dc:title="A bridge"'
HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
)
END = "</rdf:Description></rdf:RDF></x:xmpmeta>"
XMP = f"{HEAD} {TITLE}>{END}".encode()
IPTC = bytes.fromhex("1c026900084865616c646c6e65")  # record 2:105, headline


def _boxed(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _jpegxl(*pixels: np.ndarray, xmp: bytes = b"") -> bytes:
    head = (
        _boxed(b"JXL ", b"\r\n\x87\n") + _boxed(b"ftyp", b"jxl \0\0\0\0jxl ") + (_boxed(b"xml ", xmp) if xmp else b"")
    )
    return head + _boxed(b"jxlc", imagecodecs.jpegxl_encode(np.stack(pixels) if len(pixels) > 1 else pixels[0]))


def _with_xmp(suffix: str) -> bytes:
    """Return a file of one format with an XMP packet."""
    picture, file = Image.fromarray(PIXELS), io.BytesIO()
    if suffix == "jxl":
        return _jpegxl(PIXELS, xmp=XMP)
    if suffix == "jp2":
        stored = bytes(imagecodecs.jpeg2k_encode(PIXELS, codecformat="jp2"))
        return stored + _boxed(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    if suffix == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
        picture.save(file, "HEIF", xmp=XMP)
        return file.getvalue()
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    options = {"png": {"pnginfo": info}, "tif": {"tiffinfo": {700: XMP}}}.get(suffix, {"xmp": XMP})
    picture.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
    return file.getvalue()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "tif", "jxl", "jp2", "heic"])
def test_xmp_of_every_format_is_read(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(_with_xmp(suffix))
    photo = read_photo(path)
    assert photo.notes == () and TITLE.encode() in photo.xmp


def test_iptc_is_read(tmp_path):
    picture = Image.fromarray(PIXELS)
    picture.save(tmp_path / "a.tif", tiffinfo={34377: image_resource(IPTC)})
    picture.save(tmp_path / "b.tif", tiffinfo={33723: IPTC})
    picture.save(tmp_path / "c.jpg")
    content, segment = (tmp_path / "c.jpg").read_bytes(), b"Photoshop 3.0\0" + image_resource(IPTC)
    (tmp_path / "c.jpg").write_bytes(
        content[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(segment)) + segment + content[2:]
    )
    info = PngImagePlugin.PngInfo()
    resource = image_resource(IPTC)
    info.add_text("Raw profile type iptc", f"\niptc\n{len(resource):8}\n{resource.hex()}\n", zip=True)
    picture.save(tmp_path / "d.png", pnginfo=info)
    for name in ("a.tif", "b.tif", "c.jpg", "d.png"):
        photo = read_photo(tmp_path / name)
        assert photo.notes == () and photo.iptc == IPTC, name
    thumbnail = struct.pack(">4sHHI", b"8BIM", 0x040C, 0, 5) + b"small\0"
    assert iptc_of(thumbnail + resource) == IPTC and iptc_of(resource[:-4]) is None and iptc_of(thumbnail) is None


def test_xmp_that_is_only_true_of_the_old_file_is_removed():
    gain = 'hdrgm:Version="1.0" hdrgm:GainMapMax="3"'
    thumbnail = "<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails>"
    packet = f'{HEAD} {TITLE} tiff:Orientation="6" tiff:Make="M" {gain}>{thumbnail}{END}'
    kept = reset_xmp(f'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>{packet}<?xpacket end="w"?>'.encode())
    assert TITLE.encode() in kept and b'tiff:Make="M"' in kept
    assert not any(name in kept for name in (b"hdrgm", b"hdr-gain-map", b"Thumbnails", b"Orientation"))
    assert reset_xmp(f"{HEAD} {gain}>{thumbnail}{END}".encode()) is None  # nothing else was in it


def test_damaged_xmp_is_left_out_and_reported(tmp_path):
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]>' + XMP
    for packet in (XMP[:-20], bomb, b"\xff" * 40, b"<a>" * 5000):
        Image.fromarray(PIXELS).save(tmp_path / "a.webp", xmp=packet, lossless=True)
        photo = read_photo(tmp_path / "a.webp")
        assert photo.xmp is None and photo.notes == ("its XMP is damaged and was left out",)


@pytest.mark.parametrize("suffix", ["mpo", "png", "webp", "gif", "tif", "avif", "heic", "jxl"])
def test_further_images_of_every_format_are_reported(suffix, tmp_path):
    path, frames = tmp_path / f"a.{suffix}", [PIXELS, PIXELS + 40, PIXELS + 80]
    pictures = [Image.fromarray(pixels) for pixels in frames]
    if suffix == "jxl":
        path.write_bytes(_jpegxl(*frames))
    elif suffix == "heic":
        import pillow_heif

        heif = pillow_heif.from_pillow(pictures[0])
        for picture in pictures[1:]:
            heif.add_from_pillow(picture)
        heif.save(path)
    else:
        pictures[0].save(path, save_all=True, append_images=pictures[1:])
    expected = {
        "mpo": "2 further images left out", "tif": "the first of 3 pages", "heic": "the first of 3 pictures",
        "jxl": "the first frame of an animation",
    }.get(suffix, "the first of 3 frames")  # fmt: skip
    assert expected in read_photo(path).notes


@pytest.mark.parametrize("suffix", ["avif", "heic"])
def test_the_range_that_the_container_states_comes_before_the_range_in_the_bitstream(suffix, tmp_path):
    """MIAF (ISO 23000-22), 7.3.6.4: the colour information box takes precedence."""
    import pillow_heif

    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    path = tmp_path / f"a.{suffix}"
    if suffix == "avif":
        Image.fromarray(ramp).save(path, quality=100, subsampling="4:4:4", range="full")
    else:
        pillow_heif.from_pillow(Image.fromarray(ramp)).save(path, quality=100, chroma=444)
    content = bytearray(path.read_bytes())
    assert np.abs(read_photo(path).ldr.astype(int) - ramp).max() <= 2
    content[content.index(b"colrnclx") + 14] ^= 0x80  # now of narrow range: 16 to 235
    path.write_bytes(content)
    narrow = np.clip((ramp.astype(float) - 16) * 255 / 219, 0, 255)
    assert np.abs(read_photo(path).ldr - narrow).max() <= 3
